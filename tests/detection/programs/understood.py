"""Understanding of a call in one line, for tables: the machine, and answers to every question."""

from __future__ import annotations

from collections.abc import Mapping

from defenseclaw.detection.engine import run
from defenseclaw.detection.facts import Command, Facts, Snapshot
from defenseclaw.detection.understanding import understand
from defenseclaw.vocabulary import JSON, Door, Event, EventKind, HostContext

HOME = "/home/ada"
CWD = "/home/ada/project"
HOST = HostContext(
    home=HOME,
    data_dir="/home/ada/.defenseclaw",
    protected_paths=("/home/ada/.claude/settings.json",),
    control_ports=(18970, 4000),
)


def facts_of(
    command: str = "",
    *,
    tool: str = "Bash",
    args: JSON = None,
    cwd: str = CWD,
    links: Mapping[str, str] | None = None,
) -> Facts:
    """Return the facts of a shell command, or of ``tool`` with ``args``.

    ``links`` says where paths lead; every other path exists and leads to itself.
    """
    event = Event(
        kind=EventKind.TOOL_CALL,
        door=Door.HOOK,
        tool=tool,
        args=args if args is not None else {"command": command},
        cwd=cwd,
    )
    return run(
        understand(event, HOST), lambda need: Snapshot(real_path=(links or {}).get(need.path, need.path))
    )


def traits_of(command: str) -> set[str]:
    """Return the traits of every command in it."""
    return {trait for each in facts_of(command).commands for trait in each.traits}


def operations_of(command: str) -> set[str]:
    """Return the operations of every command in it."""
    return {operation for each in facts_of(command).commands for operation in each.operations}


def paths_of(command: str) -> set[tuple[str, str]]:
    """Return (access, normalized path) of every path in it."""
    return {(path.access, path.normalized) for path in facts_of(command).paths}


def classes_of(command: str, access: str) -> set[str]:
    """Return the classes of all paths that are accessed this way."""
    return {word for path in facts_of(command).paths if path.access == access for word in path.classes}


def addresses_of(command: str) -> set[tuple[str, str]]:
    """Return (action, host) of every address in it."""
    return {(address.action, address.host) for address in facts_of(command).network}


def flows_of(command: str) -> set[tuple[str, str]]:
    """Return (source, sink) of every flow in it."""
    return {(flow.source, flow.sink) for flow in facts_of(command).flows}


def command_of(command: str, program: str) -> Command:
    """Return the only command of that program."""
    (found,) = [each for each in facts_of(command).commands if each.program == program]
    return found
