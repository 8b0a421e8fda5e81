"""Where bytes go inside one call: commands, joined by pipes, substitutions and files, as flows.

Commands of one pipeline come in the order bytes flow (``pipeline``, ``position``); a substitution or
process substitution stands before the command that it feeds. Each command turns what it receives and
what it reads into what comes out; whatever ends in an interpreter, a network or a file is a flow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Final

from msgspec import Struct

from defenseclaw.detection.facts import UNKNOWN, Command, Flow, NetworkFact, PathFact
from defenseclaw.detection.programs.base import Act

MAX_FLOWS: Final = 256
MAX_SOURCES: Final = 16
"""Sources that one pipe carries at most; the first ones count."""

_PLACES: Final = frozenset(
    {
        "workspace",
        "in_home",
        "temporary",
        "system_file",
        "git_dir",
        "ancestor",
        "workspace_root",
        "null_device",
    }
)
_SECRET: Final = frozenset({"credential", "sensitive"})
_SENDS: Final = frozenset({"upload", "connect", "tunnel", "dns", "download"})
_ONLY_SEEN_AS_CODE: Final = frozenset({"network", "file", "process", "environment", "credential_store"})


class Source(Struct, frozen=True, gc=False):
    """Bytes on their way."""

    kind: str
    command: int
    classes: frozenset[str] = frozenset()
    transforms: tuple[str, ...] = ()
    decoded: bool = False
    producer: int = 0
    """Id of the command that they came out of last."""


class Step(Struct, gc=False):
    """One command with its facts, as the flow engine needs it."""

    command: Command
    act: Act
    paths: list[tuple[PathFact, str]] = []
    """Path facts and their roles (see :mod:`~defenseclaw.detection.programs.base`)."""
    network: list[NetworkFact] = []
    stdin: str | None = None
    """Text that reaches standard input, as far as the shell's evaluation knows it."""
    stdout: list[PathFact] = []
    """Files that standard output is redirected to."""
    stdin_files: list[PathFact] = []
    wraps: bool = False
    """Leaves its input to a command inside it."""
    loose: bool = False
    """In a substitution that is no word of a command: assigned, compared, looped over."""

    @property
    def word_of(self) -> int:
        """Id of the command that the output of a substitution becomes a word of; 0: of none."""
        return 0 if self.loose else self.command.parent

    def paths_of(self, *roles: str) -> list[PathFact]:
        """Return the paths with one of the roles."""
        return [path for path, role in self.paths if role in roles] if self.paths else []


class FlowFinder:
    """Collects the flows of one call; feed it every step in order, then read :attr:`flows`."""

    def __init__(self) -> None:
        self.flows: dict[Flow, None] = {}
        self.limited = False
        self._made: dict[str, Source] = {}
        """Files that this call made → where their content came from."""
        self._commands: dict[int, Step] = {}
        self._fed: dict[int, list[Source]] = {}
        """Command → what the substitutions among its words produced."""

    def run(self, steps: Sequence[Step]) -> None:
        """Follow every pipeline and every single command, those that feed another one before it."""
        idle = {-step.command.id for step in steps if not _may_flow(step) and step.act.args != "network"}
        if len(idle) == len(steps) or not any(map(_may_flow, steps)):
            return
        self._commands = {step.command.id: step for step in steps}
        for step in steps:
            if step.command.program == "eval" and "dynamic_code" in step.act.traits:
                _mark_local_setup(step, steps)
        groups: dict[int, list[Step]] = {}
        for step in steps:
            # Single commands are groups of their own, under a key no pipeline has.
            groups.setdefault(step.command.pipeline or -step.command.id, []).append(step)
        inner: dict[int, list[int]] = {}
        for number, group in groups.items():
            parent = _fed_command(group)
            if parent:
                inner.setdefault(parent, []).append(number)
        done: set[int] = set()
        for number in groups:
            # A single command that nothing goes in or out of.
            if number not in idle or -number in inner:
                self._follow(number, groups, inner, done)

    def _follow(
        self, number: int, groups: Mapping[int, list[Step]], inner: Mapping[int, list[int]], done: set[int]
    ) -> None:
        """Follow one group, the substitutions among the words of its commands first."""
        if number in done:
            return
        done.add(number)
        group = groups[number]
        for step in group if inner else ():
            for feeding in inner.get(step.command.id, ()):
                self._follow(feeding, groups, inner, done)
        self._pipeline(group if len(group) == 1 else sorted(group, key=_position))

    def _pipeline(self, steps: list[Step]) -> None:
        """Carry bytes through a pipeline; commands at one place (a group, what a wrapper runs) share it."""
        carried: list[Source] = []
        for place in _places(steps):
            outer = {step.command.parent for step in place}
            out: list[Source] = []
            for step in place:
                # What reaches a wrapper's input is read by the command inside it.
                step.wraps = step.command.id in outer and step.act.stdin in ("pass", "drop")
                out += self._step(step, [*carried, *self._words_of(step)])
            closing = place[-1]
            if closing.command.context == "substitution" and closing.act.stdin == "drop":
                out = [*carried, *out]
            carried = out[:MAX_SOURCES]
        last = steps[-1]
        if (
            carried
            and last.command.context == "substitution"
            and last.word_of not in {step.command.id for step in steps}
        ):
            waiting = self._fed.setdefault(last.word_of, [])
            waiting.extend(carried[: MAX_SOURCES - len(waiting)])

    def _words_of(self, step: Step) -> list[Source]:
        """Return what substitutions put among a command's words.

        What went into a variable first has no command that it belongs to: only secrets are followed
        from there, into any later command that sends a word nobody knows.
        """
        fed = self._fed.pop(step.command.id, [])
        if step.act.args == "network" and not step.command.complete:
            fed += [source for source in self._fed.get(0, ()) if source.classes & _SECRET]
        return fed

    def _step(self, step: Step, carried: list[Source]) -> list[Source]:
        """Add the flows of one command and return what comes out of it."""
        own = self._sources(step)
        self._inside(step)
        out = list(own)
        for source in [*self._stdin_sources(step), *carried]:
            mode = self._mode(step, source)
            if mode == "code":
                self._run(step, source)
            elif mode == "network":
                self._send(step, source)
            elif mode == "file":
                self._store(step, source, step.paths_of("sink", "to"))
            elif mode == "pass":
                passed = self._transformed(step, source)
                self._store(step, passed, step.paths_of("sink"))
                out.append(passed)
        out = out[:MAX_SOURCES]
        if step.stdout:
            for source in out:
                self._store(step, source, step.stdout)
            if any("dev_tcp" in path.classes for path in step.stdout):
                for source in out:
                    self._send(step, source)
            return []
        return out

    def _mode(self, step: Step, source: Source) -> str:
        """Say what a command does with bytes that reach it: by a pipe, or as one of its words."""
        command, act = step.command, step.act
        producer = self._commands.get(source.producer)
        if producer is None or producer.command.context != "substitution":
            by_word = bool({"xargs", "parallel"}.intersection(command.wrappers)) and act.stdin == "drop"
        else:
            by_word = not (command.context == "substitution" and command.parent == producer.command.parent)
        if producer is not None:
            # What it runs may share its place: what comes out of that, or is a word in it, is not its own.
            is_its_word = by_word and not producer.loose
            came_from = producer.command.parent if is_its_word else source.producer
            if self._runs_inside(came_from, command.id):
                return "drop"
        if not by_word:
            return "drop" if step.wraps else act.stdin
        if act.args == "code" and act.code and UNKNOWN not in act.code and source.kind in _ONLY_SEEN_AS_CODE:
            return "drop"
        if not command.program and command.executable.startswith(UNKNOWN):
            return "code"
        return act.args

    def _runs_inside(self, number: int, outer: int) -> bool:
        """Whether a command is among those that another one runs."""
        step = self._commands.get(number)
        while step is not None and step.command.parent:
            if step.command.parent == outer:
                return True
            step = self._commands.get(step.command.parent)
        return False

    def _sources(self, step: Step) -> list[Source]:
        """Return what comes out of a command that did not go in through a pipe."""
        out: list[Source] = []
        act, number = step.act, step.command.id
        for path in step.paths_of("stdout"):
            made = self._made.get(path.normalized)
            if made is not None:
                out.append(self._transformed(step, made))
            elif "null_device" not in path.classes and "dev_tcp" not in path.classes:
                out.append(self._new(step, "file", path.classes))
            elif "dev_tcp" in path.classes:
                out.append(self._new(step, "network", path.classes))
        for kind in act.emits:
            classes: frozenset[str] = frozenset()
            if kind == "network":
                classes = frozenset().union(*(fact.classes for fact in step.network))
            elif kind in ("environment", "credential_store"):
                classes = frozenset({"sensitive"})
            out.append(Source(kind, number, classes, producer=number))
        return out

    def _new(self, step: Step, kind: str, classes: frozenset[str]) -> Source:
        act, number = step.act, step.command.id
        changed = (step.command.program,) if act.transform else ()
        return Source(kind, number, classes, changed, act.transform and "decode" in act.operations, number)

    def _stdin_sources(self, step: Step) -> list[Source]:
        number = step.command.id
        out = [
            Source("network" if "dev_tcp" in path.classes else "file", number, path.classes)
            for path in step.stdin_files
            if "null_device" not in path.classes
        ]
        if any(redirect.access in ("heredoc", "herestring") for redirect in step.command.redirects):
            out.append(Source("literal", number))
        return out

    def _transformed(self, step: Step, source: Source) -> Source:
        act, number = step.act, step.command.id
        transforms = source.transforms
        if act.transform and len(transforms) < 8:
            transforms = (*transforms, step.command.program)
        decoded = source.decoded or (act.transform and "decode" in act.operations)
        return Source(source.kind, source.command, source.classes, transforms, decoded, number)

    def _inside(self, step: Step) -> None:
        """Add the flows that begin and end in one command."""
        if not step.paths:
            return
        number = step.command.id
        for path in step.paths_of("upload"):
            made = self._made.get(path.normalized)
            self._send(step, made or Source("file", number, path.classes))
        fetched = step.paths_of("download")
        if fetched:
            classes = frozenset().union(*(fact.classes for fact in step.network))
            self._store(step, Source("network", number, classes), fetched)
        origins, targets = step.paths_of("from"), step.paths_of("to")
        for origin in origins:
            source = self._made.get(origin.normalized) or Source("file", number, origin.classes)
            for target in targets:
                self._made.setdefault(target.normalized, source)
                if origin.classes - _PLACES or target.classes - _PLACES or source.kind != "file":
                    self._add(self._flow(step, source, _file_sink(target), target.classes))
        for path in step.paths_of("code"):
            made = self._made.get(path.normalized)
            if made is not None and path.resolved:
                self._run(
                    step,
                    Source(made.kind, made.command, made.classes, (*made.transforms, "file"), made.decoded),
                )

    def _run(self, step: Step, source: Source) -> None:
        act = step.act
        if source.kind == "network":
            act.is_("runs_download")
        if source.decoded:
            act.is_("runs_decoded")
        if source.kind == "network" and "stdin_code" in act.traits and self._is_dialogue(source):
            act.is_("shell_to_network")
        extra = frozenset({"run_in_call"}) if "file" in source.transforms else frozenset()
        self._add(
            Flow(
                source=source.kind,
                sink="interpreter",
                from_command=source.command,
                to_command=step.command.id,
                source_classes=source.classes | extra,
                transforms=source.transforms,
            )
        )

    def _is_dialogue(self, source: Source) -> bool:
        """Whether the bytes come from a socket tool, which sends a shell's output back."""
        step = self._commands.get(source.command)
        return (
            source.kind == "network"
            and step is not None
            and step.act.stdin == "network"
            and "connect" in step.act.operations
        )

    def _send(self, step: Step, source: Source) -> None:
        targets = [fact for fact in step.network if fact.action in _SENDS]
        classes = frozenset().union(*(fact.classes for fact in targets))
        if not targets and "listen" not in step.act.operations:
            return
        if source.kind == "process":
            shell = self._commands.get(source.command)
            if shell is not None and "stdin_code" in shell.act.traits:
                shell.act.is_("shell_to_network")
        if source.kind == "literal":
            return
        self._add(self._flow(step, source, "network", classes))

    def _store(self, step: Step, source: Source, targets: list[PathFact]) -> None:
        for target in targets:
            if "null_device" in target.classes or "dev_tcp" in target.classes:
                continue
            if target.resolved and not target.pattern:
                self._made[target.normalized] = source
            if source.kind in ("literal", "process") and not target.classes - _PLACES:
                continue
            self._add(self._flow(step, source, _file_sink(target), target.classes))

    def _flow(self, step: Step, source: Source, sink: str, classes: frozenset[str]) -> Flow:
        return Flow(
            source=source.kind,
            sink=sink,
            from_command=source.command,
            to_command=step.command.id,
            source_classes=source.classes,
            sink_classes=classes,
            transforms=source.transforms,
        )

    def _add(self, flow: Flow) -> None:
        if len(self.flows) < MAX_FLOWS:
            self.flows[flow] = None
        else:
            self.limited = True


def _may_flow(step: Step) -> bool:
    """Return whether a command can be where bytes come from, or has them in its words or redirections."""
    command = step.command
    return bool(
        command.pipeline
        or command.redirects
        or step.act.emits
        or step.act.nested
        or command.context == "substitution"
        or any(role for _, role in step.paths)
    )


_LOCAL_SETUP: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(("pyenv", "rbenv", "nodenv", "starship", "zoxide"), frozenset({"init"})),
    **dict.fromkeys(("ssh-agent", "dircolors", "lesspipe"), frozenset()),
    "brew": frozenset({"shellenv"}),
    "conda": frozenset({"shell.bash", "shell.zsh", "shell.posix", "shell.fish"}),
    "direnv": frozenset({"export", "hook"}),
    "fnm": frozenset({"env"}),
}
"""Tools that print settings of this shell to be evaluated → the verbs that do; none: without any."""


def _mark_local_setup(step: Step, steps: Sequence[Step]) -> None:
    """Mark an ``eval`` of nothing but what well-known local set-up tools print."""
    printers = [
        each.command
        for each in steps
        if each.command.parent == step.command.id and each.command.context == "substitution"
    ]
    if printers and all(
        each.program in _LOCAL_SETUP
        and each.complete
        and (not _LOCAL_SETUP[each.program] or not _LOCAL_SETUP[each.program].isdisjoint(each.argv[1:2]))
        for each in printers
    ):
        step.act.is_("local_setup")


def _fed_command(group: list[Step]) -> int:
    """Return the command that a group's output becomes a word of, or that of a variable inside it; or 0."""
    last = group[-1].command
    if last.context != "substitution" or last.parent in {step.command.id for step in group}:
        return 0
    return last.parent


def _places(steps: list[Step]) -> list[list[Step]]:
    """Return the commands at each place of a pipeline."""
    if len(steps) == 1:
        return [steps]
    return [list(members) for _, members in groupby(steps, key=_position)]


def _position(step: Step) -> int:
    return step.command.position


def _file_sink(path: PathFact) -> str:
    return "device" if "device" in path.classes else "file"


def made_by_links(steps: Sequence[Step]) -> Mapping[str, str]:
    """Return the links that the call itself makes: link → target, both normalized."""
    links: dict[str, str] = {}
    for step in steps:
        if step.command.program in ("ln", "link"):
            targets, origins = step.paths_of("to"), step.paths_of("from")
            if len(targets) == 1 and len(origins) == 1:
                links[targets[0].normalized] = origins[0].normalized
    return links
