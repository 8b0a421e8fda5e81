"""Rows of the tables in this folder, and what of a call's facts they speak of.

A row says what a call is, and what must be known of it. ``~`` stands for the home, ``@`` for the OpenClaw
workspace below it, which is the working directory. No row says what is decided, and nothing is ever run.

==========  =========================================================================================
run         a command line; ``args`` adds further arguments of the call (``env``, ``workdir``)
read …      a path for a tool that reads, writes, appends or deletes
url         an address for a tool that fetches; ``args`` as above
call        tool and arguments of any other call
links       path → where it leads; ``files`` path → content of a script
programs    all programs, in order, each once; ``?`` is one nobody knows, ``=`` a bare assignment
does        operations that must be among those found; ``traits`` likewise
classes     classes that must be among those of its paths and addresses
without     operations, traits and classes that nothing may have
harmless    true: nothing may have a word that only dangerous rows have
paths       all paths but those only named: access, normal form, classes it must have
network     all addresses: action, ``scheme://host:port/path``, scope and classes it must have
flows       all flows that do not end in a file: source, sink, classes the source must have
each        many calls of one kind: they must have what the row lists, and may have more
==========  =========================================================================================
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from defenseclaw.detection.engine import run
from defenseclaw.detection.facts import Facts, Need, Snapshot
from defenseclaw.detection.understanding import understand
from defenseclaw.vocabulary import JSON, Door, Event, EventKind, HostContext

HOME: Final = "/home/ada"
WORKSPACE: Final = "/home/ada/.openclaw/workspace"
HOST: Final = HostContext(
    home=HOME,
    data_dir="/home/ada/.defenseclaw",
    protected_paths=("/home/ada/.claude/settings.json",),
    # Gateway, proxy and OpenClaw's own gateway: the ports come with the configuration.
    control_ports=(18970, 4000, 18789),
)
_TOOLS: Final = {"read": "read", "write": "write", "append": "append_file", "delete": "delete_file"}
_KEYS: Final = frozenset(
    [
        *("id", "run", *_TOOLS, "url", "call", "args", "links", "files", "each"),
        *("programs", "does", "traits", "classes", "without", "harmless", "paths", "network", "flows"),
    ]
)

Row = Mapping[str, Any]


def rows_of(area: str) -> list[Row]:
    """Return the rows of one table, ``each`` of them spread out."""
    text = Path(__file__).with_name(f"{area}.yaml").read_text(encoding="utf-8")
    return [row for section, rows in yaml.safe_load(text).items() for row in _spread(section, rows)]


def _spread(section: str, rows: list[Row]) -> Iterator[Row]:
    for row in rows:
        assert row.keys() <= _KEYS, f"{section} {row['id']}: {sorted(row.keys() - _KEYS)}"
        name = f"{section} {row['id']}"
        if "each" not in row:
            yield {**row, "id": name}
            continue
        kind = next((key for key in (*_TOOLS, "url") if key in row), "run")
        for given in row["each"]:
            yield {**row, "id": f"{name}: {given}", kind: given}


def facts_of(row: Row) -> Facts:
    """Return the facts of the call that a row describes."""
    tool, args = _call(row)
    event = Event(kind=EventKind.TOOL_CALL, door=Door.HOOK, tool=tool, args=args, cwd=WORKSPACE)
    links = {_full(path): _full(target) for path, target in row.get("links", {}).items()}
    files = {_full(path): text.encode() for path, text in row.get("files", {}).items()}

    def answer(need: Need) -> Snapshot:
        real = need.path
        for _ in range(40):
            real = links.get(real, real)
        content = files.get(real, b"") if need.max_bytes else b""
        kind = "file" if real in files else "missing"
        return Snapshot(real_path=real, exists=real in files, kind=kind, content=content)

    return run(understand(event, HOST), answer)


def _call(row: Row) -> tuple[str, JSON]:
    more = row.get("args", {})
    if "run" in row:
        return "exec", {"command": _full_text(row["run"]), **more}
    if "url" in row:
        return "web_fetch", {"url": row["url"], **more}
    if "call" in row:
        tool, args = row["call"]
        return tool, args
    operation = next(key for key in _TOOLS if key in row)
    return _TOOLS[operation], {"path": _full_text(row[operation]), **more}


def _full_text(text: str) -> str:
    return text.replace("@WS@", WORKSPACE).replace("@HOME@", HOME)


def _full(path: str) -> str:
    path = path.replace("@", WORKSPACE, 1) if path.startswith("@") else path.replace("~", HOME, 1)
    return posixpath.normpath(path)


def short(path: str) -> str:
    """Return a path as the tables write it."""
    for place, sign in ((WORKSPACE, "@"), (HOME, "~")):
        if path == place or path.startswith(f"{place}/"):
            return sign + path[len(place) :]
    return path


def programs_in(facts: Facts) -> list[str]:
    """Return every program once, in order."""
    return list(dict.fromkeys(each.program or ("?" if each.argv else "=") for each in facts.commands))


def paths_in(facts: Facts) -> dict[tuple[str, str], set[str]]:
    """Return (access, path) → classes, of all paths that are more than named."""
    found: dict[tuple[str, str], set[str]] = {}
    for path in facts.paths:
        if path.access != "metadata":
            found.setdefault((path.access, short(path.normalized)), set()).update(path.classes)
    return found


def network_in(facts: Facts) -> dict[tuple[str, str], set[str]]:
    """Return (action, address) → scope and classes."""
    found: dict[tuple[str, str], set[str]] = {}
    for each in facts.network:
        host = f"[{each.host}]" if ":" in each.host else each.host
        address = f"{each.scheme}://{host}:{each.port}{each.path}"
        found.setdefault((each.action, address), set()).update({each.scope, *each.classes})
    return found


def flows_in(facts: Facts) -> dict[tuple[str, str], set[str]]:
    """Return (source, sink) → classes of the source, of all flows that do not end in a file."""
    found: dict[tuple[str, str], set[str]] = {}
    for flow in facts.flows:
        if flow.sink != "file":
            found.setdefault((flow.source, flow.sink), set()).update(flow.source_classes)
    return found


def classes_in(facts: Facts) -> set[str]:
    """Return the classes of all paths and addresses."""
    return set().union(*(each.classes for each in (*facts.paths, *facts.network)))


def words_in(facts: Facts) -> set[str]:
    """Return every operation, trait and class that anything has."""
    return classes_in(facts).union(*(each.operations | each.traits for each in facts.commands))


def split(words: str | None) -> set[str]:
    """Return a row's words."""
    return set((words or "").split())
