"""What a PowerShell source is parsed into.

Structs and not dataclasses: a line makes hundreds of them, at a quarter of the cost.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct, field


class Text(Struct, frozen=True, gc=False):
    """Literal text and what is expanded in it, in order; ``bare`` when no quote begins it."""

    parts: tuple[str | Node, ...]
    bare: bool = False


class Variable(Struct, frozen=True, gc=False):
    """``$name``, lower case, with its scope (``env:path``)."""

    name: str
    splat: bool = False


class Group(Struct, frozen=True, gc=False):
    """``( … )``, ``$( … )`` or ``@( … )``: what the statements inside put out."""

    script: Script
    array: bool = False


class Block(Struct, frozen=True, gc=False):
    """``{ … }``: statements that run when something runs them."""

    script: Script
    start: int
    end: int
    """Where its source stands, without the braces."""


class Table(Struct, frozen=True, gc=False):
    """``@{ … }``: keys and values."""

    items: tuple[tuple[Node, Node], ...]


class Type(Struct, frozen=True, gc=False):
    """``[name]``, lower case."""

    name: str


class Cast(Struct, frozen=True, gc=False):
    """``[name] value``."""

    name: str
    value: Node


class Member(Struct, frozen=True, gc=False):
    """``target.name``, ``target::name``, with arguments when it is called."""

    target: Node
    name: Node | str
    """A text of its own, lower case, when nothing in it is expanded."""
    arguments: tuple[Node, ...] | None = None


class Index(Struct, frozen=True, gc=False):
    """``target[key]``."""

    target: Node
    key: Node


class Binary(Struct, frozen=True, gc=False):
    """``left operator right``; operators without dash and mark of case (``-csplit`` is ``split``)."""

    operator: str
    left: Node
    right: Node


class Unary(Struct, frozen=True, gc=False):
    """``operator value``."""

    operator: str
    value: Node


class List(Struct, frozen=True, gc=False):
    """``a, b, c``."""

    items: tuple[Node, ...]


class Redirection(Struct, frozen=True, gc=False):
    """``> target``; an empty ``target`` when it is another stream."""

    access: str
    stream: int
    target: Node | None


class Invocation(Struct, gc=False):
    """One command: its words, the first of them its name."""

    words: list[Node | str] = field(default_factory=list)
    """A text of its own when nothing in it is quoted, escaped or expanded."""
    literal: list[str] = field(default_factory=list)
    """The words again, when all of them are texts and stay as they are."""
    redirections: list[Redirection] = field(default_factory=list)


class Pipeline(Struct, gc=False):
    """Values or commands joined by ``|``."""

    stages: list[Node | Invocation] = field(default_factory=list)
    redirections: list[Redirection] = field(default_factory=list)
    """Of a stage that is a value."""


class Assignment(Struct, frozen=True, gc=False):
    """``target operator value``."""

    target: Node
    operator: str
    value: Statement


class Inline(Struct, frozen=True, gc=False):
    """A block that runs where it stands, or that may run (``if``, ``try``, ``while`` …)."""

    block: Block


class Loop(Struct, frozen=True, gc=False):
    """``foreach ($variable in values) { … }``."""

    variable: str
    values: Script
    block: Block


class Function(Struct, frozen=True, gc=False):
    """``function name { … }``."""

    name: str
    block: Block


class Parameters(Struct, frozen=True, gc=False):
    """``param ($a, $b)``: variables that a block's arguments go into."""

    names: tuple[str, ...]


Node: TypeAlias = (
    "Text | Variable | Group | Block | Table | Type | Cast | Member | Index | Binary | Unary | List"
)
Statement: TypeAlias = "Pipeline | Assignment | Inline | Loop | Function | Parameters"
Script: TypeAlias = "tuple[Statement, ...]"
