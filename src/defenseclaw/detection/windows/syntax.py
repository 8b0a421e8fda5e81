"""What a PowerShell source is parsed into."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Text:
    """Literal text and what is expanded in it, in order; ``bare`` when no quote begins it."""

    parts: tuple[str | Node, ...]
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """``$name``, lower case, with its scope (``env:path``)."""

    name: str
    splat: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """``( … )``, ``$( … )`` or ``@( … )``: what the statements inside put out."""

    script: Script
    array: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """``{ … }``: statements that run when something runs them."""

    script: Script
    start: int
    end: int
    """Where its source stands, without the braces."""


@dataclass(frozen=True, slots=True)
class Table:
    """``@{ … }``: keys and values."""

    items: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, slots=True)
class Type:
    """``[name]``, lower case."""

    name: str


@dataclass(frozen=True, slots=True)
class Cast:
    """``[name] value``."""

    name: str
    value: Node


@dataclass(frozen=True, slots=True)
class Member:
    """``target.name``, ``target::name``, with arguments when it is called."""

    target: Node
    name: Node
    arguments: tuple[Node, ...] | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """``target[key]``."""

    target: Node
    key: Node


@dataclass(frozen=True, slots=True)
class Binary:
    """``left operator right``; operators without dash and mark of case (``-csplit`` is ``split``)."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Unary:
    """``operator value``."""

    operator: str
    value: Node


@dataclass(frozen=True, slots=True)
class List:
    """``a, b, c``."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Redirection:
    """``> target``; an empty ``target`` when it is another stream."""

    access: str
    stream: int
    target: Node | None


@dataclass(slots=True)
class Invocation:
    """One command: its words, the first of them its name."""

    words: list[Node] = field(default_factory=list)
    operator: str = ""
    """``&`` or ``.`` before it, else empty."""
    redirections: list[Redirection] = field(default_factory=list)


@dataclass(slots=True)
class Pipeline:
    """Values or commands joined by ``|``."""

    stages: list[Node | Invocation] = field(default_factory=list)
    redirections: list[Redirection] = field(default_factory=list)
    """Of a stage that is a value."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """``target operator value``."""

    target: Node
    operator: str
    value: Statement


@dataclass(frozen=True, slots=True)
class Inline:
    """A block that runs where it stands, or that may run (``if``, ``try``, ``while`` …)."""

    block: Block


@dataclass(frozen=True, slots=True)
class Loop:
    """``foreach ($variable in values) { … }``."""

    variable: str
    values: Script
    block: Block


@dataclass(frozen=True, slots=True)
class Function:
    """``function name { … }``."""

    name: str
    block: Block


@dataclass(frozen=True, slots=True)
class Parameters:
    """``param ($a, $b)``: variables that a block's arguments go into."""

    names: tuple[str, ...]


Node: TypeAlias = (
    "Text | Variable | Group | Block | Table | Type | Cast | Member | Index | Binary | Unary | List"
)
Statement: TypeAlias = "Pipeline | Assignment | Inline | Loop | Function | Parameters"
Script: TypeAlias = "tuple[Statement, ...]"
