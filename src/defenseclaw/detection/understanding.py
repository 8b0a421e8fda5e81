"""From a tool call to :class:`~defenseclaw.detection.facts.Facts`: what it would do, as values.

A shell tool's command line is evaluated by :mod:`defenseclaw.detection.shell`, that of a Windows shell by
:mod:`defenseclaw.detection.windows`, each command described
by :mod:`defenseclaw.detection.programs`, its paths and addresses brought to normal form and classed.
A structured tool's arguments become paths and addresses of command 0.

Two decisions the tables cannot show:

* An operand of a program nobody knows is a *read* when its path is sensitive (a credential, our data,
  a guarded setting), and only *metadata* otherwise: ``someprog ~/.ssh/id_rsa`` must not pass unseen,
  ``someprog ./src`` is nothing.
* Paths inside a container are not paths of the host: they carry no classes but those of what was put
  there from outside. Paths on a remote host carry
  those of a home there, but never ours.

Source: ``spec/guardrail.md`` §6.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator, Hashable, Iterable, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from defenseclaw.detection import paths, programs, tools, ungoverned, urls, windows
from defenseclaw.detection.facts import (
    UNKNOWN,
    Command,
    Facts,
    Need,
    NetworkFact,
    PathFact,
    Redirect,
    Snapshot,
)
from defenseclaw.detection.path_names import OWN_ALL
from defenseclaw.detection.programs import interpreters, losses, names_only, system
from defenseclaw.detection.programs.base import Act, AddressUse, PathUse
from defenseclaw.detection.programs.flows import FlowFinder, Step, made_by_links
from defenseclaw.detection.shell import Evaluation, environment, evaluate
from defenseclaw.detection.shell.evaluator import KindOf
from defenseclaw.vocabulary import Event, HostContext

MAX_COMMANDS: Final = 512
"""Commands judged; of more, those that only look at files go first."""
MAX_ALIKE: Final = 8
"""Commands, or paths, of one kind that come before those of other kinds."""
MAX_COLLECTED: Final = 16_384
"""Paths looked at."""
MAX_PATHS: Final = 256
"""Paths judged; of more, those that are nothing of note go first."""
MAX_NETWORK: Final = 128
MAX_NESTED: Final = 8
"""Command lines found in options and inline text that are evaluated too."""
MAX_LINKS: Final = 8
"""Paths whose target is asked for."""

_SENSITIVE: Final = frozenset(
    {"credential", "self_data", "agent_settings", "shell_history", "ssh_dir", "container_socket"}
)
_PLAIN_PLACES: Final = frozenset({"workspace", "temporary", "in_home", "other_home"})
_LOOKING: Final = frozenset({"read", "list", "search"})
_DULL: Final = 2
_SETTERS: Final = frozenset(
    {
        "export",
        "declare",
        "typeset",
        "readonly",
        "unset",
        "setenv",
        "setx",
        "launchctl",
        "systemctl",
        "set",
        "tmux",
        "dbus-update-activation-environment",
    }
)
"""Programs whose words set or remove variables."""
_LOCAL_PLACES: Final = frozenset({"workspace", "temporary"})
_LINKED_ACCESS: Final = frozenset(
    {"read", "write", "append", "copy_from", "copy_to", "move", "permission", "link"}
)
_MUTATIONS: Final = frozenset({"write", "append", "copy_to"})
_SYSTEM_PROGRAMS: Final = (
    "/bin/",
    "/usr/bin/",
    "/usr/local/bin/",
    "/sbin/",
    "/usr/sbin/",
    "/opt/homebrew/bin/",
)
_LOOK_UPS: Final = frozenset(
    ["pgrep", "pidof", "ps", "lsof", "grep", "ss", "netstat", "cat", "awk", "fuser", "head", "egrep", "sed"]
)
_FILTERS_PACKETS: Final = frozenset({"iptables", "ip6tables", "nft", "ufw"})
_KILLERS: Final = _FILTERS_PACKETS | {
    "kill", "fuser", "gdb", "lldb", "gcore", "kill-port", "killport", "fkill", "npx"
}  # fmt: skip
_USER_KILLERS: Final = frozenset({"pkill", "killall", "skill", "loginctl"})
_REFUSALS: Final = frozenset({"DROP", "REJECT", "drop", "reject", "deny"})
_CURL_URL: Final = re.compile(r"(?m)^[ \t]{0,64}-{0,2}url[ \t]{0,64}[=: ][ \t]{0,64}\"?([^\"\s]+)")
_FORK_BOMB: Final = "recursive_function_pipeline"
_TARGET_CLASSES: Final = frozenset(
    {"in_home", "workspace", "temporary", "other_home", "workspace_root", "ancestor"}
)
"""Where a link leads is a fact of its own only when it is more than a place."""

_CONTAINER_CLASSES: Final = frozenset({"workload_token", "container_socket", "host_init"})
"""What is the same inside a container: it was put there from outside."""
_OURS: Final = OWN_ALL | {"self_log", "holds_guarded", "agent_settings"}
_NO_HOST: Final = HostContext(home="", data_dir="")


def understand(event: Event, host: HostContext) -> Generator[Need, Snapshot, Facts]:
    """Return what a tool call would do.

    Args:
        event: A tool call; ``tool``, ``args`` and ``cwd`` are read, and all of them are hostile.
        host: What is known of the machine.

    Yields:
        Need: What is in a script about to run, or where a path leads.

    Returns:
        The facts, bounded; an issue ``fact_limit`` says that some were left out. Nothing is raised.
    """
    call = tools.take_apart(event.tool, event.args)
    builder = _Builder(event, host, call)
    for text in call.shell:
        for dialect in windows.dialects_of(tools.base_name(event.tool[: tools.MAX_NAME]), text):
            builder.take((yield from builder.evaluated(text, dialect, builder.kind_of)))
    yield from builder.follow_nested()
    yield from builder.follow_curl_files()
    builder.take_call(call)
    yield from builder.follow_start_files(call)
    facts = builder.facts()
    return (yield from _follow_links(facts, builder.cwd, host))


class _Builder:
    """Gathers the facts of one call."""

    def __init__(self, event: Event, host: HostContext, call: tools.Call) -> None:
        self.host = host
        self.tool = event.tool
        self.tool_class = call.tool_class
        self.cwd = event.cwd
        if call.cwd:
            named, known = paths.normalize(call.cwd, cwd=event.cwd, home=host.home)
            self.cwd = named if known else ""
        self.steps: list[Step] = []
        self.paths: list[PathFact] = []
        self.network: list[NetworkFact] = []
        self.issues: set[str] = set()
        self.parses: list[str] = []
        self.nested = 0
        self.next_id = 1
        self.written: list[tuple[str, str]] = []
        self._pipelines = 0
        self._outputs: dict[int, str] = {}
        self._session = ungoverned.session_directory(event)
        self._names_only = False
        self._mounts: dict[int, list[tuple[str, str]]] = {}
        self._classified: dict[tuple[str, str, str], tuple[str, bool, frozenset[str]]] = {}
        if call.limited:
            self.issues.add("fact_limit")

    # ---- commands -----------------------------------------------------------------------------------

    def take(self, evaluation: Evaluation, parent: Command | None = None) -> None:
        """Add the commands of one evaluation; ``parent`` holds the text they came from."""
        self.issues.update(issue for issue in evaluation.issues if issue != _FORK_BOMB)
        self.parses.append(evaluation.parse)
        self._outputs.update(evaluation.outputs)
        self.nested = max(self.nested, evaluation.nested + (parent is not None))
        commands = evaluation.commands
        if parent is not None or self._pipelines:
            commands = tuple(self._adopt(command, parent) for command in commands)
        for command in commands:
            self._add(command, evaluation)
        self._pipelines = max([self._pipelines, *(command.pipeline for command in commands)])
        if _FORK_BOMB in evaluation.issues:
            self._mark_fork_bomb(evaluation)

    def kind_of(
        self, program: str, argv: tuple[str, ...], redirects: tuple[Redirect, ...], cwd: str
    ) -> tuple[Hashable, bool] | None:
        """Return what rules can tell an ordinary command by, and whether it only looks at things.

        None for one that has a trait, talks to somebody, or touches more than the project's own files.
        """
        act = programs.describe(program, argv)
        if act.traits or act.addresses or act.emits or act.nested or act.code or not program:
            return None
        classes: set[str] = set()
        for use in act.paths:
            classes |= self._classify(use.value, cwd, "host")[2]
        for redirect in redirects:
            if redirect.access in ("read", "write", "append"):
                classes |= self._classify(redirect.target, cwd, "host")[2]
        if not classes <= _PLAIN_PLACES:
            return None
        known = programs.look_up(program) is not programs.UNKNOWN_PROGRAM
        streams = tuple(redirect.access for redirect in redirects)
        kind = (program if known else "", act.effect, frozenset(act.operations), frozenset(classes), streams)
        return kind, known and act.operations <= _LOOKING and "write" not in streams

    def _adopt(self, command: Command, parent: Command | None) -> Command:
        """Renumber a command's pipeline, and place it below the command that runs it."""
        pipeline = command.pipeline + self._pipelines if command.pipeline else 0
        if parent is None:
            return replace(command, pipeline=pipeline)
        return replace(
            command,
            pipeline=pipeline,
            parent=command.parent or parent.id,
            context="nested" if command.context == "top" else command.context,
            wrappers=(*parent.wrappers, parent.program, *command.wrappers),
            privileged=command.privileged or parent.privileged,
            where=parent.where if command.where == "host" else command.where,
        )

    def _add(self, command: Command, evaluation: Evaluation) -> None:
        self.next_id = max(self.next_id, command.id + 1)
        act = programs.describe(command.program, command.argv)
        if act.mounts:
            self._mounts[command.id] = act.mounts
        elif self._mounts and command.parent in self._mounts:
            # What a shell in a container runs sees what the container was given.
            self._mounts[command.id] = self._mounts[command.parent]
        stdin = evaluation.stdin.get(command.id)
        # Most commands read nothing and run nothing: they are spared what looks at such.
        if act.traits or command.program == "curl":
            self._inspect_text(command, act, stdin or "")
            self._names_only = self._names_only or "names_only" in act.traits
        if stdin:
            losses.add_input(act, stdin)
        step = Step(command, act, stdin=stdin, loose=command.id in evaluation.loose)
        cwd = evaluation.cwds.get(command.id, self.cwd)
        if "/" in command.executable:
            self._add_executable(step, cwd)
        if command.program in _SETTERS and any(word.startswith(environment.OWN) for word in command.argv[1:]):
            act.is_("self_environment")
        if environment.shows_token(command.program, command.argv):
            act.is_("self_secret")
        if command.assignments:
            self._add_assignments(step, cwd)
        for use in act.paths:
            self._add_path(step, use, cwd)
        for redirect in command.redirects:
            self._add_redirect(step, redirect, cwd)
        for address in act.addresses:
            self._add_address(step, address)
        self.steps.append(step)

    def _inspect_text(self, command: Command, act: Act, stdin: str) -> None:
        """Look at program text of other languages that came by standard input or from a file."""
        if command.program == "curl" and "-" in act.all("-K"):
            for match in _CURL_URL.finditer(stdin[:65536]):
                act.talk("upload", match[1], "http")
        if "stdin_code" in act.traits and act.language in windows.DIALECTS:
            if stdin and command.program != "invoke-expression":
                act.nested.append(stdin)
            return
        if "interpreter" not in act.traits or act.code or act.language not in interpreters.INSPECTED:
            return
        text = command.code or (stdin if act.stdin == "code" else "")
        if text:
            interpreters.inspect_code(act, text, act.language)

    def _add_executable(self, step: Step, cwd: str) -> None:
        executable = step.command.executable
        if not executable.startswith(_SYSTEM_PROGRAMS):
            self._add_path(step, PathUse("execute", executable, "code"), cwd)

    def _add_assignments(self, step: Step, cwd: str) -> None:
        """Take in what variables set for a command make it load."""
        for assignment in step.command.assignments:
            if environment.loads(assignment.partition("=")[0]):
                step.act.is_("loader_variable")
            for path in environment.files_in(assignment):
                self._add_path(step, PathUse("execute", path, "code"), cwd)

    def _add_path(self, step: Step, use: PathUse, cwd: str) -> PathFact | None:
        if len(self.paths) >= MAX_COLLECTED:
            self.issues.add("fact_limit")
            return None
        where = step.command.where if use.access != "mount" else "host"
        value = use.value
        if where == "container" and self._mounts:
            value, where = self._mounted(step.command, value)
        fact = self._path(step.command.id, use.access, value, cwd, where)
        if fact.access == "search" and "credential" in fact.classes and step.command.program != "find":
            # Searching the content of a secret shows it; only find looks at names alone.
            fact = replace(fact, access="read")
        self.paths.append(fact)
        step.paths.append((fact, use.role))
        if "block_device" in fact.classes and fact.access in _MUTATIONS:
            step.act.does("disk_write")
        if fact.access in ("write", "delete", "move") and "system_log" in fact.classes:
            step.act.is_("log_clear")
        return fact

    def _mounted(self, command: Command, value: str) -> tuple[str, str]:
        """Return a container's path as the host's, when it lies in something mounted."""
        for target, source in self._mounts.get(command.parent, ()):
            below = value.removeprefix(target.rstrip("/"))
            if below != value and below[:1] in ("", "/"):
                return source.rstrip("/") + below or "/", "host"
        return value, "container"

    def _path(self, command: int, access: str, value: str, cwd: str, where: str) -> PathFact:
        key = (value, cwd, where)
        known = self._classified.get(key)
        if known is None:
            known = self._classified[key] = self._classify(value, cwd, where)
        normalized, resolved, classes = known
        if access == programs.MAYBE:
            access = "read" if classes & _SENSITIVE else "metadata"
        return PathFact(
            command=command,
            access=access,
            value=value,
            normalized=normalized,
            classes=classes,
            resolved=resolved,
            pattern=paths.is_pattern(value),
        )

    def _classify(self, value: str, cwd: str, where: str) -> tuple[str, bool, frozenset[str]]:
        home = self.host.home
        if where == "container":
            normalized, resolved = paths.normalize(value, cwd="", home="")
            classes = paths.classify(normalized, cwd="", home="", host=_NO_HOST)
            return normalized, resolved, classes & _CONTAINER_CLASSES
        if where == "remote":
            cwd = ""
        normalized, resolved = paths.normalize(value, cwd=cwd, home=home)
        if where == "host":
            return normalized, resolved, paths.classify(normalized, cwd=cwd, home=home, host=self.host)
        classes = paths.classify(normalized, cwd=cwd, home=home, host=_NO_HOST)
        return normalized, resolved, classes - _OURS

    def _add_redirect(self, step: Step, redirect: Redirect, cwd: str) -> None:
        if redirect.access not in ("read", "write", "append"):
            return
        fact = self._add_path(step, PathUse(redirect.access, redirect.target, ""), cwd)
        if fact is None:
            return
        if "dev_tcp" in fact.classes:
            self._add_dev_tcp(step, fact)
        if redirect.access == "read" and redirect.fd == 0:
            step.stdin_files.append(fact)
            if step.act.stdin == "code":
                step.paths.append((fact, "code"))
        elif redirect.access != "read" and redirect.fd in (1, -1):
            step.stdout.append(fact)
        if redirect.access != "read":
            step.act.does(redirect.access)

    def _add_dev_tcp(self, step: Step, fact: PathFact) -> None:
        parts = fact.normalized.split("/")
        host, port = (parts[3] if len(parts) > 3 else ""), (parts[4] if len(parts) > 4 else "")
        number = int(port) if port.isascii() and port.isdigit() and len(port) < 6 else 0
        self._add_address(step, AddressUse("connect", host, parts[2], number, ("dev_tcp",)))
        step.act.does("connect")
        if "shell" in step.act.traits or step.command.program in ("exec", ""):
            step.act.is_("shell_to_network")

    def _add_address(self, step: Step, use: AddressUse) -> None:
        address = urls.parse(
            use.value, scheme=use.scheme, port=use.port, control_ports=self.host.control_ports
        )
        if address is None:
            return
        if len(self.network) >= MAX_NETWORK:
            self.issues.add("fact_limit")
            return
        fact = address.fact(step.command.id, use.action, *use.classes)
        self.network.append(fact)
        step.network.append(fact)

    def _mark_fork_bomb(self, evaluation: Evaluation) -> None:
        if evaluation.commands:
            ids = {command.id for command in evaluation.commands}
            next(step for step in self.steps if step.command.id in ids).act.is_("fork_bomb")
            return
        act = Act("")
        act.is_("fork_bomb")
        self.steps.append(Step(Command(id=self.next_id, context="function", complete=False), act))
        self.next_id += 1

    def evaluated(
        self, text: str, dialect: str, kind_of: KindOf | None = None
    ) -> Generator[Need, Snapshot, Evaluation]:
        """Evaluate a command line in the language it is written in."""
        cwd, home = self.cwd, self.host.home
        if dialect in windows.DIALECTS:
            return (yield from windows.evaluate(text, dialect, cwd=cwd, home=home, first_id=self.next_id))
        return (yield from evaluate(text, cwd=cwd, home=home, first_id=self.next_id, kind_of=kind_of))

    def follow_nested(self) -> Generator[Need, Snapshot, None]:
        """Evaluate the command lines that options and inline text run."""
        seen: set[str] = set()
        at = 0
        while at < len(self.steps):
            step = self.steps[at]
            at += 1
            for text in step.act.nested:
                if text in seen:
                    continue
                if len(seen) >= MAX_NESTED:
                    self.issues.add("depth_limit")
                    return
                seen.add(text)
                evaluation = yield from self.evaluated(text, step.act.language)
                self.take(evaluation, step.command)

    def follow_curl_files(self) -> Generator[Need, Snapshot, None]:
        """Take in the addresses in the configuration files that curl is given."""
        named = [
            (step, fact)
            for step in self.steps
            if step.command.program == "curl" and step.command.where == "host" and step.act.has("-K")
            for fact, _ in step.paths
            if fact.access == "read" and fact.resolved and fact.value in step.act.all("-K")
        ]
        for step, fact in named[:MAX_NESTED]:
            text = self._printed_to(fact.normalized)
            if not text:
                snapshot = yield Need(path=fact.normalized)
                text = snapshot.content.decode("utf-8", "replace")
            for match in _CURL_URL.finditer(text[:65536]):
                self._add_address(step, AddressUse("upload", match[1], "http"))

    def _printed_to(self, path: str) -> str:
        """Return what commands of this call print into a file."""
        return "".join(
            self._outputs.get(step.command.id, "") or step.stdin or ""
            for step in self.steps
            if any(fact.normalized == path for fact in (*step.stdout, *step.paths_of("sink")))
        )

    def follow_start_files(self, call: tools.Call) -> Generator[Need, Snapshot, None]:
        """Evaluate what a structured tool writes to files that a shell runs when it starts."""
        for path, text in call.written[:MAX_NESTED]:
            if path.rpartition("/")[2] in environment.PROFILES:
                evaluation = yield from evaluate(text, cwd="", home=self.host.home, first_id=self.next_id)
                deferred = tuple(replace(each, context="deferred") for each in evaluation.commands)
                self.take(replace(evaluation, commands=deferred))

    # ---- structured tools ---------------------------------------------------------------------------

    def take_call(self, call: tools.Call) -> None:
        """Add the paths, addresses and written text of a structured tool as those of command 0."""
        for use in call.paths[:MAX_PATHS]:
            self.paths.append(self._path(0, use.access, use.value, self.cwd, "host"))
        for action, url in call.addresses[: MAX_NETWORK - len(self.network)]:
            address = urls.parse(url, scheme="https", control_ports=self.host.control_ports)
            if address is not None:
                self.network.append(address.fact(0, action))
        if len(call.paths) > MAX_PATHS or len(call.addresses) > MAX_NETWORK:
            self.issues.add("fact_limit")
        for path, text in call.written:
            normalized = paths.normalize(path, cwd=self.cwd, home=self.host.home)[0] if path else ""
            self.written.append((normalized, text))

    # ---- the end ------------------------------------------------------------------------------------

    def facts(self) -> Facts:
        """Return everything gathered, flows included."""
        self._follow_own_links()
        self._mark_own_processes()
        ungoverned.mark_starts(self.steps, self.host)
        finder = FlowFinder()
        finder.run(self.steps)
        if finder.limited:
            self.issues.add("fact_limit")
        self._add_written()
        if self.paths:
            if self._names_only:
                self._set_names_apart()
            self._mark_hooks_off()
            self._mark_session_directory()
        self._choose()
        return Facts(
            tool=self.tool,
            tool_class=self.tool_class,
            parse=_worst(self.parses),
            issues=tuple(sorted(self.issues)),
            commands=tuple(_finished(step) for step in self.steps),
            paths=tuple(self.paths),
            network=tuple(self.network),
            flows=tuple(finder.flows),
            written=tuple(self.written),
            nested=self.nested,
        )

    def _set_names_apart(self) -> None:
        """Count environment files as looked at where only the names in them are shown."""
        looking = names_only.reading_names(self.steps)
        self.paths = [
            replace(fact, access="metadata")
            if fact.access == "read" and fact.command in looking and "env_file" in fact.classes
            else fact
            for fact in self.paths
        ]

    def _mark_hooks_off(self) -> None:
        """Make a project's agent settings guarded ones when what is written there takes hooks away."""
        off = ungoverned.settings_without_hooks(self.steps, self.paths, self.written, self._outputs)
        if off:
            self.paths = [
                replace(fact, classes=fact.classes | {"agent_settings"}) if fact.normalized in off else fact
                for fact in self.paths
            ]

    def _mark_session_directory(self) -> None:
        """Mark what moves or removes the directory that the agent starts our hooks in."""
        if not self._session:
            return
        known = {step.command.id: step.command.program for step in self.steps}
        self.paths = [
            replace(fact, classes=fact.classes | {"session_directory"})
            if ungoverned.takes_away(fact, self._session, known)
            else fact
            for fact in self.paths
        ]

    def _choose(self) -> None:
        """Keep what matters of more commands and paths than are judged."""
        if len(self.steps) > MAX_COMMANDS:
            counts: Counter[tuple[object, ...]] = Counter()
            ranked: list[tuple[bool, int, Step]] = []
            for step in self.steps:
                kind = _kind(step)
                counts[kind] += 1
                ranked.append((counts[kind] > MAX_ALIKE, _dullness(step), step))
            ranked.sort(key=lambda each: each[:2])
            if any(dullness < _DULL for _, dullness, _ in ranked[MAX_COMMANDS:]):
                self.issues.add("fact_limit")
            self.steps = sorted(
                (step for *_, step in ranked[:MAX_COMMANDS]), key=lambda step: step.command.id
            )
        if len(self.paths) > MAX_PATHS:
            alike: Counter[tuple[object, ...]] = Counter()
            found: list[tuple[bool, bool, PathFact]] = []
            for path in self.paths:
                what = (path.access, path.classes)
                alike[what] += 1
                found.append((alike[what] > MAX_ALIKE, _is_plain(path), path))
            found.sort(key=lambda each: each[:2])
            if not all(plain for _, plain, _ in found[MAX_PATHS:]):
                self.issues.add("fact_limit")
            self.paths = [path for *_, path in found[:MAX_PATHS]]

    def _follow_own_links(self) -> None:
        """Give a link that this very call makes the classes of what it leads to."""
        links = made_by_links(self.steps)
        if not links:
            return
        known: dict[str, frozenset[str]] = {}

        def followed(fact: PathFact) -> PathFact:
            classes = known.get(fact.normalized)
            if classes is None:
                classes = known[fact.normalized] = self._through(links, fact.normalized)
            return replace(fact, classes=fact.classes | classes) if classes else fact

        self.paths = [followed(fact) for fact in self.paths]
        for step in self.steps:
            step.paths = [(followed(fact), role) for fact, role in step.paths]

    def _through(self, links: Mapping[str, str], path: str) -> frozenset[str]:
        """Return the classes of what a path leads to by one link of this call, at its end or on its way."""
        at = len(path)
        while at > 0:
            target = links.get(path[:at])
            if target is not None:
                leads = target.rstrip("/") + path[at:] or "/"
                return paths.classify(leads, cwd=self.cwd, home=self.host.home, host=self.host)
            at = path.rfind("/", 0, at)
        return frozenset()

    def _mark_own_processes(self) -> None:
        """Mark a kill whose target is looked up by our name, port or pid file, or is all that a user runs."""
        for step in self.steps:
            if step.command.program in _USER_KILLERS and self._ends_all_of_user(step.act):
                step.act.is_("self_stop")
                step.act.does("process_kill")
        kills = [step for step in self.steps if step.command.program in _KILLERS]
        if not kills:
            return
        ports = re.compile(rf"(?<!\d)(?:{'|'.join(map(str, self.host.control_ports)) or '(?!)'})(?!\d)")
        looked_up = any(
            system.names_ours(word) or ports.search(word) or word.endswith("gateway.pid")
            for step in self.steps
            if step.command.program in _LOOK_UPS
            for word in step.command.argv[1:]
        )
        for step in kills:
            by_port = step.command.program not in ("kill", "gdb", "lldb", "gcore") and any(
                ports.search(word) for word in step.command.argv[1:]
            )
            if step.command.program in _FILTERS_PACKETS:
                by_port = by_port and not _REFUSALS.isdisjoint(step.command.argv)
                if not by_port:
                    continue
            if by_port or (looked_up and not any(word.isdigit() for word in step.act.operands)):
                step.act.is_("self_stop")
                step.act.does("process_kill")

    def _ends_all_of_user(self, act: Act) -> bool:
        """Whether everything that the gateway's user runs is ended, whatever its name."""
        if act.program == "loginctl":
            named = act.operands[1:] if act.operand(0) in ("kill-user", "terminate-user") else []
        else:
            named = act.all("-u", "-U", "--user") if "kill_all" in act.traits else []
        user = self.host.home.rpartition("/")[2]
        return any(UNKNOWN in each or user in each.split(",") for each in named)

    def _add_written(self) -> None:
        """Add text that a here-document or literal sends into a file."""
        for step in self.steps:
            if step.stdin is None:
                continue
            targets = (
                [*step.stdout, *step.paths_of("sink")] if step.act.stdin == "pass" else step.paths_of("sink")
            )
            self.written.extend(
                (target.normalized, step.stdin)
                for target in targets[:4]
                if "null_device" not in target.classes
            )


def _dullness(step: Step) -> int:
    """Return how little a command matters: 0 for what rules ask for, more for what they hardly ever do."""
    act, command = step.act, step.command
    if act.traits or command.privileged or any(not _is_plain(path) for path, _ in step.paths):
        return 0
    if step.network or act.code or not command.program or command.assignments:
        return 0
    known = programs.look_up(command.program) is not programs.UNKNOWN_PROGRAM
    return _DULL if known and act.operations <= _LOOKING else 1


def _kind(step: Step) -> tuple[object, ...]:
    """Return what rules can tell a command by, but for its words."""
    act, command = step.act, step.command
    return (
        command.program,
        command.where,
        command.privileged,
        act.effect,
        frozenset(act.traits),
        frozenset(act.operations),
        frozenset().union(*(path.classes for path, _ in step.paths)),
        frozenset().union(*(network.classes for network in step.network)),
        frozenset(each.partition("=")[0] for each in environment.inherited(command.assignments)),
    )


def _is_plain(path: PathFact) -> bool:
    return path.classes <= _PLAIN_PLACES


def _finished(step: Step) -> Command:
    command, act = step.command, step.act
    return replace(
        command,
        options=tuple(act.options),
        operands=tuple(act.operands),
        effect=act.effect if command.effect == "execute" else command.effect,
        operations=frozenset(act.operations),
        traits=frozenset(act.traits),
        code=command.code or act.code,
        language=command.language or act.language,
    )


def _worst(parses: Iterable[str]) -> str:
    order: Sequence[str] = ("invalid", "partial", "complete")
    found = set(parses)
    return next((each for each in order if each in found), "not_applicable")


def _follow_links(facts: Facts, cwd: str, host: HostContext) -> Generator[Need, Snapshot, Facts]:
    """Ask where paths in the working directory and among temporary files lead.

    Only there can an agent have placed a link of its own; a path that already is something sensitive
    needs no asking.
    """
    leads: dict[str, frozenset[str]] = {}
    for fact in facts.paths:
        if (
            fact.resolved
            and not fact.pattern
            and fact.access in _LINKED_ACCESS
            and fact.classes & _LOCAL_PLACES
            and not fact.classes & _SENSITIVE
            and fact.normalized not in leads
            and UNKNOWN not in fact.normalized
        ):
            if len(leads) >= MAX_LINKS:
                break
            leads[fact.normalized] = frozenset()
            snapshot = yield Need(path=fact.normalized, max_bytes=0)
            if snapshot.real_path and snapshot.real_path != fact.normalized:
                target = paths.classify(snapshot.real_path, cwd=cwd, home=host.home, host=host)
                leads[fact.normalized] = target - _TARGET_CLASSES
    if not any(leads.values()):
        return facts
    followed = tuple(
        replace(fact, classes=fact.classes | leads[fact.normalized]) if leads.get(fact.normalized) else fact
        for fact in facts.paths
    )
    return replace(facts, paths=followed)
