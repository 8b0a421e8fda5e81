"""Reads ``suppressions.yaml`` of a pack: whose findings do not count, why, until when, where.

Source: ``spec/guardrail.md`` §5.4.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Final

import yaml

from defenseclaw.packs.document import Document, shown
from defenseclaw.policy.suppression import Suppression, is_suppressible

MAX_ENTRIES: Final = 4096
MAX_REASON: Final = 200
MAX_SCOPE: Final = 1024
"""Characters of a tool's name or a path."""

_REQUIRED: Final = frozenset(("id", "rules", "reason", "until"))
_KEYS: Final = _REQUIRED | {"connector", "tool", "path"}
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2})")


def read_suppressions(file: Document, find: Callable[[str], str]) -> list[Suppression]:
    """Return the entries of one file.

    Args:
        file: ``suppressions: [{id, rules, reason, until, connector, tool, path}]``.
        find: Returns the canonical id of a rule by id or alias; empty for what is none.

    Raises:
        PackError: An entry is not complete, names what is no rule, or one that cannot be suppressed.
    """
    nodes = file.mapping(file.root, frozenset(("suppressions",)))
    file.required(nodes, file.root, frozenset(("suppressions",)))
    items = file.items(nodes["suppressions"])
    if len(items) > MAX_ENTRIES:
        raise file.error(nodes["suppressions"], f"more than {MAX_ENTRIES} suppressions")
    known: dict[str, Suppression] = {}
    for node in items:
        entry = _entry(file, node, find)
        if entry.id in known:
            raise file.error(node, f"the id {entry.id} is taken ({known[entry.id].place})")
        known[entry.id] = entry
    return list(known.values())


def _entry(file: Document, node: yaml.Node, find: Callable[[str], str]) -> Suppression:
    nodes = file.mapping(node, _KEYS)
    file.required(nodes, node, _REQUIRED)
    entry_id = file.line(nodes["id"], 64)
    if _ID.fullmatch(entry_id) is None:
        raise file.error(nodes["id"], "an id has letters, digits, '.', '_' and '-'")
    until, ends_at = _end(file, nodes["until"])
    return Suppression(
        id=entry_id,
        rules=tuple(dict.fromkeys(_rule(file, each, find) for each in file.items(nodes["rules"]))),
        reason=file.line(nodes["reason"], MAX_REASON),
        until=until,
        ends_at=ends_at,
        connector=file.line(nodes["connector"], 64) if "connector" in nodes else "",
        tool=_tool(file, nodes["tool"]) if "tool" in nodes else "",
        path=_path(file, nodes["path"]) if "path" in nodes else "",
        place=file.place(node),
    )


def _rule(file: Document, node: yaml.Node, find: Callable[[str], str]) -> str:
    named = file.text(node)
    rule_id = find(named)
    if not is_suppressible(rule_id or named):
        raise file.error(node, f"{shown(named)[:128]} cannot be suppressed")
    if not rule_id:
        raise file.error(node, f"no rule is named {named[:128]!r}")
    return rule_id


def _tool(file: Document, node: yaml.Node) -> str:
    tool = file.line(node, MAX_SCOPE)
    if "*" in tool[:-1] or tool == "*":
        raise file.error(node, "a tool is named in full, or by its beginning with one * at the end")
    return tool


def _path(file: Document, node: yaml.Node) -> str:
    """Return the real path, so that links in it and in what a call touches compare equal."""
    written = file.line(node, MAX_SCOPE)
    expanded = os.path.expanduser(written)
    if not os.path.isabs(expanded):
        raise file.error(node, "a path is absolute or begins with ~/")
    real = os.path.realpath(expanded)
    if real == "/":
        raise file.error(node, "a path that holds everything narrows nothing; leave it out")
    return real


def _end(file: Document, node: yaml.Node) -> tuple[str, str]:
    """Return the end as written, and the first moment after it."""
    written = str(node.value) if isinstance(node, yaml.ScalarNode) else ""
    try:
        if _DAY.fullmatch(written):
            day = date.fromisoformat(written) + timedelta(days=1)
            end = datetime(day.year, day.month, day.day, tzinfo=UTC)
        elif _MOMENT.fullmatch(written):
            end = datetime.fromisoformat(written).astimezone(UTC)
        else:
            raise ValueError(written)
    except (ValueError, OverflowError) as error:
        what = "is a day (2031-12-31, holding to its end in UTC) or a moment (2031-12-31T12:00:00Z)"
        raise file.error(node, what) from error
    return written, end.strftime("%Y-%m-%dT%H:%M:%S.%fZ").zfill(27)
