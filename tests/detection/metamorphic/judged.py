"""What the default pack says about one event on a neutral host: what no change of spelling may change."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from defenseclaw import packs
from defenseclaw.detection.engine import Detection, detect, run
from defenseclaw.detection.ruleset import INTERNAL_FAULT
from defenseclaw.policy.decision import decide
from defenseclaw.vocabulary import JSON, Action, Door, Event, EventKind, HostContext, Posture

TABLES = Path(__file__).parent / "tables"
RULES = packs.load("default")
HOME = "/home/dev"
HOST = HostContext(
    home=HOME,
    data_dir=f"{HOME}/.defenseclaw",
    protected_paths=(f"{HOME}/.claude/settings.json",),
    control_ports=(18970,),
)


class Judged(NamedTuple):
    """Rule ids and raw action of one event."""

    ids: frozenset[str]
    action: Action

    def keeps(self, before: Judged) -> bool:
        """Whether nothing of ``before`` is lost: its rules, or at least its action."""
        return before.ids <= self.ids or self.action.rank >= before.action.rank


def detection_of(kind: EventKind, value: JSON, tool: str = "Bash") -> Detection:
    """Detect in one event: ``value`` is the arguments of a call, a result, or the text of any other kind."""
    held: dict[str, Any] = {_FIELD.get(kind, "text"): value}
    event = Event(kind=kind, door=Door.CLI, tool=tool, cwd=f"{HOME}/project", **held)
    return run(detect(event, RULES, HOST))


_FIELD = {EventKind.TOOL_CALL: "args", EventKind.TOOL_RESULT: "result"}


def judged(kind: EventKind, value: JSON, tool: str = "Bash") -> Judged:
    """Judge one event; an evaluator that fails is an error here, not a finding."""
    event = Event(kind=kind, door=Door.CLI)
    findings = detection_of(kind, value, tool).findings
    ids = frozenset(each.rule_id for each in findings)
    assert INTERNAL_FAULT not in ids
    return Judged(ids, decide(event, findings, Posture(), evaluation_id="").raw_action)


@lru_cache(maxsize=4096)
def command(source: str) -> Judged:
    """Judge a shell command."""
    return judged(EventKind.TOOL_CALL, {"command": source})


def table(name: str, *, without: Collection[str] = ()) -> list[str]:
    """Return every entry of a table, but for what is listed under ``without``."""
    lists = yaml.safe_load((TABLES / f"{name}.yaml").read_text())
    return [entry for heading, entries in lists.items() if heading not in without for entry in entries]


def heading_of(name: str, heading: str) -> list[str]:
    """Return the entries under one heading of a table."""
    entries: list[str] = yaml.safe_load((TABLES / f"{name}.yaml").read_text())[heading]
    return entries


def groups(name: str) -> list[list[str]]:
    """Return the groups of a text file: lines, parted by empty lines, without comments."""
    blocks = (TABLES / f"{name}.txt").read_text().split("\n\n")
    found = [[line for line in block.splitlines() if not line.startswith("#")] for block in blocks]
    return [lines for lines in found if lines]
