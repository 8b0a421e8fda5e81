"""The tree a shell source is parsed into. Plain data: meaning is given by the evaluator."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(slots=True)
class Literal:
    """Text that stands for itself; unquoted text may still hold braces, a tilde or a glob."""

    text: str
    quoted: bool


@dataclass(slots=True)
class Parameter:
    """``$name`` or ``${name...}``."""

    name: str
    quoted: bool
    prefix: str = ""
    """``#`` for a length, ``!`` for indirection."""
    index: str | None = None
    """Text between ``[`` and ``]`` of an array reference."""
    operator: str = ""
    """As written after the name: ``:-``, ``##``, ``//``, ``:`` … or empty."""
    first: Word | None = None
    second: Word | None = None


@dataclass(slots=True)
class Substitution:
    """``$(...)`` or backticks."""

    body: Sequence
    quoted: bool


@dataclass(slots=True)
class ProcessSubstitution:
    """``<(...)``, or ``>(...)`` when ``output``."""

    body: Sequence
    output: bool


@dataclass(slots=True)
class Arithmetic:
    """``$((...))``; the expression is a word, since it may hold expansions itself."""

    expression: Word


Part: TypeAlias = "Literal | Parameter | Substitution | ProcessSubstitution | Arithmetic"


@dataclass(slots=True)
class Word:
    """One shell word."""

    parts: list[Part]
    literal: str | None = None
    """The evaluated text, when nothing has to be expanded."""
    quoted: bool = False
    """Some of it was quoted or escaped."""
    glob: bool = False
    """Some unquoted text holds a glob character."""


@dataclass(slots=True)
class Assignment:
    """``name=value``, ``name+=value``, ``name[i]=value`` or ``name=(items)``."""

    name: str
    append: bool
    index: str | None = None
    value: Word | None = None
    items: list[Word] | None = None


@dataclass(slots=True)
class Redirection:
    """One redirection; a here-document's body is read later than the redirection itself."""

    fd: int
    """As written; -1 when the operator's own default holds."""
    operator: str
    target: Word
    body: Word | None = None


@dataclass(slots=True)
class Simple:
    """Assignments, words and redirections."""

    words: list[Word]
    assignments: list[Assignment] = field(default_factory=list)
    redirections: list[Redirection] = field(default_factory=list)


@dataclass(slots=True)
class Pipeline:
    """Two or more stages, joined by pipes."""

    stages: list[Node]


@dataclass(slots=True)
class Sequence:
    """Statements, each with the operator that follows it: ``;``, ``&``, ``&&`` or ``||``."""

    items: list[tuple[Node, str]]


@dataclass(slots=True)
class Group:
    """``{ ...; }``, or ``( ... )`` when ``subshell``."""

    body: Sequence
    subshell: bool
    redirections: list[Redirection] = field(default_factory=list)


@dataclass(slots=True)
class If:
    """Conditions run in order; ``bodies`` has one entry each, and one more for ``else``."""

    conditions: list[Sequence]
    bodies: list[Sequence]
    redirections: list[Redirection] = field(default_factory=list)


@dataclass(slots=True)
class While:
    """``while`` and ``until``."""

    condition: Sequence
    body: Sequence
    redirections: list[Redirection] = field(default_factory=list)


@dataclass(slots=True)
class For:
    """``for``, ``select``; without ``variable`` the arithmetic form; ``words`` None means ``"$@"``."""

    variable: str
    words: list[Word] | None
    body: Sequence
    redirections: list[Redirection] = field(default_factory=list)


@dataclass(slots=True)
class Case:
    """``case``: its arms in order."""

    subject: Word
    arms: list[tuple[list[Word], Sequence]]
    redirections: list[Redirection] = field(default_factory=list)


@dataclass(slots=True)
class Compute:
    """``((...))``."""

    expression: Word
    redirections: list[Redirection] = field(default_factory=list)


@dataclass(slots=True)
class Function:
    """A definition; nothing runs until it is called."""

    name: str
    body: Node


Compound: TypeAlias = "Group | If | While | For | Case | Compute"
Node: TypeAlias = "Simple | Pipeline | Compound | Function"
