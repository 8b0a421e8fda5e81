"""What changes while a source is evaluated: the shell's variables, and the place a command stands in."""

from __future__ import annotations

from dataclasses import dataclass, field

from defenseclaw.detection.facts import UNKNOWN, Redirect
from defenseclaw.detection.shell.environment import TOKEN, TOKEN_VALUE
from defenseclaw.detection.shell.syntax import Node

_IFS = " \t\n"


class Shell:
    """Variables, functions and directory of one (sub)shell."""

    __slots__ = (
        "aliases",
        "cwd",
        "directories",
        "files",
        "functions",
        "name",
        "origins",
        "parameters",
        "variables",
    )

    def __init__(self, cwd: str, home: str) -> None:
        self.variables: dict[str, str | list[str]] = {
            "HOME": home or UNKNOWN,
            "DEFENSECLAW_HOME": f"{home}/.defenseclaw" if home else UNKNOWN,
            TOKEN: TOKEN_VALUE,
            "IFS": _IFS,
            "SHELL": "/bin/bash",
            "BASH": "/bin/bash",
            "TMPDIR": "/tmp",  # noqa: S108 - the value other programs have, not a file of ours
        }
        self.functions: dict[str, Node] = {}
        self.aliases: dict[str, str] = {}
        self.origins: dict[str, frozenset[int]] = {}
        """Commands whose output a variable holds."""
        self.files: dict[str, bytes | None] = {}
        """Files this source wrote: their content, None when unknown. Shared by all subshells."""
        self.parameters: list[str] = []
        self.name = ""
        self.cwd = cwd
        self.directories: list[str] = []

    def target(self, name: str) -> str:
        """Return the variable that ``name`` stands for: itself, or what it refers to (``declare -n``)."""
        found = self.variables.get(f"&{name}", name)
        return found if isinstance(found, str) else name

    def fork(self) -> Shell:
        """Return a copy whose changes do not come back."""
        copy = Shell.__new__(Shell)
        copy.variables = self.variables.copy()
        copy.functions = self.functions.copy() if self.functions else {}
        copy.aliases = self.aliases.copy() if self.aliases else {}
        copy.origins = self.origins.copy() if self.origins else {}
        copy.files = self.files
        copy.parameters = self.parameters
        copy.name = self.name
        copy.cwd = self.cwd
        copy.directories = self.directories[:]
        return copy

    def join(self, other: Shell) -> None:
        """Take in a branch that may or may not have run: what differs is unknown."""
        mine, theirs = self.variables, other.variables
        for name in mine.keys() | theirs.keys():
            if name not in theirs or mine.get(name) != theirs[name]:
                mine[name] = UNKNOWN
        for name, ids in other.origins.items():
            self.origins[name] = self.origins.get(name, frozenset()) | ids
        self.functions.update(other.functions)
        if self.cwd != other.cwd:
            self.cwd = ""


@dataclass(slots=True)
class Pipe:
    """A pipeline being evaluated; ``key`` orders its members (see :class:`Draft`)."""

    number: int
    key: tuple[int, ...]
    inner: list[int] = field(default_factory=list)
    """Numbers of pipelines that stand inside a stage of it."""


@dataclass(slots=True)
class Site:
    """Where a command stands, as inherited by everything inside it."""

    parent: int = 0
    context: str = "top"
    wrappers: tuple[str, ...] = ()
    privileged: bool = False
    where: str = "host"
    depth: int = 0
    nesting: int = 0
    pipe: Pipe | None = None
    redirects: tuple[Redirect, ...] = ()
    assignments: tuple[str, ...] = ()
    """What a wrapper or a call sets in the environment of what it runs."""
    calls: tuple[tuple[str, int], ...] = ()
    """Functions being run, outermost first: each name with what tells its body from others."""
    background: bool = False
    uncertain: bool = False
    loose: bool = False
    """In a substitution that is no word of a command: assigned, compared, looped over."""

    def copy(self) -> Site:
        """Return a copy, one level deeper."""
        return Site(
            self.parent,
            self.context,
            self.wrappers,
            self.privileged,
            self.where,
            self.depth + 1,
            self.nesting,
            self.pipe,
            self.redirects,
            self.assignments,
            self.calls,
            self.background,
            self.uncertain,
            self.loose,
        )


@dataclass(slots=True)
class Draft:
    """A command as it is found; ids, pipeline places and text are settled at the end."""

    id: int
    site: Site
    number: int
    key: tuple[int, ...]
    """Orders the members of a pipeline. A stage is ``(i,)``; what feeds a member stands at its key with -1
    appended, what it feeds at 1, a pipeline inside it at 2, so that keys sort in the order bytes flow."""
    argv: list[str] = field(default_factory=list)
    origins: list[frozenset[int]] = field(default_factory=list)
    """For each word the commands whose output it holds; empty when none does."""
    redirects: tuple[Redirect, ...] = ()
    assignments: tuple[str, ...] = ()
    program: str = ""
    code: str = ""
    language: str = ""
    cwd: str = ""
    effect: str = "execute"
    dropped: bool = False
