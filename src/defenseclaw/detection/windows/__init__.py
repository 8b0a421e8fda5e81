"""PowerShell and cmd.exe command lines → the commands they would run, as facts of the same kind as a shell's.

Quotes, escapes, variables, script blocks, pipelines, text that is run as code and the usual ways to hide it
are seen through; what cannot be known is marked :data:`~defenseclaw.detection.facts.UNKNOWN`. Nothing is
executed. Work is bounded (:mod:`~defenseclaw.detection.windows.bounds`).

Source: ``spec/guardrail.md`` §3.2, §6.2.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

from msgspec.structs import replace

from defenseclaw.detection.facts import Command, Need, Snapshot
from defenseclaw.detection.shell import Evaluation, evaluate_argv
from defenseclaw.detection.shell.interpreters import SHELLS
from defenseclaw.detection.shell.render import quote
from defenseclaw.detection.shell.wrappers import WRAPPERS
from defenseclaw.detection.text import encodable
from defenseclaw.detection.windows.bounds import MAX_UNWRAPPED
from defenseclaw.detection.windows.cmd import CommandShell
from defenseclaw.detection.windows.dialect import CMD, DIALECTS, POWERSHELL, dialects_of
from defenseclaw.detection.windows.ledger import Draft, Full, Ledger, Site
from defenseclaw.detection.windows.powershell import PowerShell

__all__ = ["CMD", "DIALECTS", "POWERSHELL", "dialects_of", "evaluate"]

_UNWRAPPED: Final = (SHELLS | WRAPPERS | {"wsl"}) - {"find", "command", "builtin", "exec", "start", "time"}
"""Programs whose words hold a command for another shell."""


def evaluate(
    source: str, dialect: str, *, cwd: str, home: str, first_id: int = 1
) -> Generator[Need, Snapshot, Evaluation]:
    """Evaluate a command line.

    Args:
        source: Any text.
        dialect: ``powershell`` or ``cmd``.
        cwd: Absolute working directory, empty if unknown.
        home: Absolute home directory, empty if unknown.
        first_id: Id of the first command; the others follow.

    Yields:
        Need: A script that a POSIX shell inside it runs.

    Returns:
        The evaluation, as :func:`defenseclaw.detection.shell.evaluate` gives it. Nothing is raised for any
        source.
    """
    ledger = Ledger(first_id)
    shell = PowerShell(ledger, cwd, home) if dialect == POWERSHELL else CommandShell(ledger, cwd, home)
    try:
        shell.run_source(encodable(source), Site())
    except Full:
        pass
    except RecursionError:
        # The caller's own stack was nearly used up; what was found so far still counts.
        ledger.issues.add("depth_limit")
    return (yield from _finished(ledger, home))


def _finished(ledger: Ledger, home: str) -> Generator[Need, Snapshot, Evaluation]:
    commands = [draft.command() for draft in ledger.drafts.values()]
    cwds = {draft.id: draft.cwd for draft in ledger.drafts.values()}
    loose: set[int] = set()
    issues = set(ledger.issues)
    if any(not command.complete for command in commands):
        issues.add("dynamic_word")
    stdin, outputs, nested = dict(ledger.stdin), dict(ledger.outputs), ledger.nested
    pipelines = ledger.last_pipeline
    handed_on = [draft for draft in ledger.drafts.values() if draft.program in _UNWRAPPED]
    if len(handed_on) > MAX_UNWRAPPED:
        issues.add("depth_limit")
    next_id = ledger.first_id + len(commands)
    for draft in handed_on[:MAX_UNWRAPPED]:
        argv = (
            ("bash", "-c", " ".join(map(_as_word, _of_wsl(draft.argv))))
            if draft.program == "wsl"
            else draft.argv
        )
        inner = yield from evaluate_argv(argv, cwd=draft.cwd, home=home, first_id=next_id)
        commands += [
            _adopted(command, draft, next_id, pipelines)
            for command in inner.commands
            if command.id != next_id
        ]
        pipelines = max([pipelines, *(command.pipeline for command in commands)])
        stdin |= inner.stdin
        outputs |= inner.outputs
        cwds |= inner.cwds
        loose |= inner.loose
        issues |= set(inner.issues)
        nested = max(nested, len(draft.wrappers) + inner.nested)
        next_id = max([next_id, *(command.id + 1 for command in inner.commands)])
    parse = "complete" if not issues else "partial"
    if not commands:
        parse = "partial" if issues else "not_applicable"
    return Evaluation(
        commands=tuple(commands),
        parse=parse,
        issues=tuple(sorted(issues)),
        stdin=stdin,
        nested=nested,
        cwds=cwds,
        outputs=outputs,
        loose=frozenset(loose),
    )


def _adopted(command: Command, draft: Draft, outer: int, pipelines: int) -> Command:
    """Return a command of another shell as one that ``draft`` runs."""
    return replace(
        command,
        parent=draft.id if command.parent in (outer, 0) else command.parent,
        pipeline=command.pipeline + pipelines if command.pipeline else 0,
        wrappers=(*draft.wrappers, draft.program, *command.wrappers[1:]),
        context="nested" if command.context == "top" else command.context,
        where=draft.where if command.where == "host" else command.where,
    )


def _as_word(word: str) -> str:
    return quote(word) if " " in word else word


def _of_wsl(argv: tuple[str, ...]) -> list[str]:
    """Return the command among the words of ``wsl``."""
    at = 1
    while at < len(argv) and argv[at][:1] == "-":
        if argv[at] in ("-e", "--exec", "--"):
            at += 1
            break
        at += 2 if argv[at] in ("-d", "-u", "--distribution", "--user", "--cd", "--shell-type") else 1
    return list(argv[at:])
