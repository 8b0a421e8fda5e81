"""``defenseclaw-gateway audit export``: audit rows as JSON lines.

Source: ``spec/observability-and-audit.md`` §3.4; seed ``gateway-api`` "Audit".
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from defenseclaw import __version__
from defenseclaw.audit.records import AuditRow
from defenseclaw.audit.rows import ACTIVITY_SCHEMA
from defenseclaw.audit.store import Store
from defenseclaw.errors import Conflict, StoreUnavailable

_KEYS = (
    *("id", "timestamp", "action", "target", "actor", "details", "structured", "severity"),
    *("run_id", "session_id", "trace_id", "agent_id", "agent_name", "agent_instance_id"),
    *("sidecar_instance_id", "destination_app", "tool_name", "tool_id", "policy_id", "connector"),
    *("schema_version", "content_hash", "generation", "binary_version"),
)
_REQUIRED = frozenset({"id", "timestamp", "action", "actor", "schema_version"})
_ACTION = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")
_ACTIVITY_KEYS = (
    *("target_type", "target_id", "reason", "before", "after", "diff", "version_from", "version_to"),
)
ROW_SCHEMA_VERSION = 7
_encode = msgspec.json.encode


def write_export(
    store: Store,
    output: str,
    *,
    limit: int = 0,
    connector: str = "",
    include_activity: bool = False,
) -> int:
    """Write audit rows, oldest first, one JSON object per line; return how many lines.

    Args:
        store: where from.
        output: a path, which must not exist yet and is made 0600, or ``-`` for standard output.
        limit: the first so many rows; 0 means all.
        connector: only rows of this connector; then there are no activity lines.
        include_activity: operators' changes once more, as activity lines at the end.

    Raises:
        Conflict: the output file exists.
        StoreUnavailable: the store cannot be read, or the file not be written; a file begun is removed.
    """
    lines = _lines(store, limit, connector, include_activity and not connector)
    if output == "-":
        count = _write(sys.stdout.buffer.write, lines)
        sys.stdout.buffer.flush()
        return count
    return _to_file(Path(output), lines)


def as_exported(row: AuditRow) -> dict[str, Any]:
    """Return a row as it is exported: known keys in order, empty ones left out.

    Provenance that a row lacks is that of the running program.
    """
    values = {name: getattr(row, name) for name in _KEYS}
    if not _ACTION.fullmatch(row.action):
        # A word no reader of ours ever wrote; kept where a parser of actions does not trip over it.
        legacy = _encode(row.action).decode()
        values["action"] = "action"
        values["details"] = f"{row.details} legacy_action={legacy}".lstrip()
    values["schema_version"] = row.schema_version or ROW_SCHEMA_VERSION
    values["binary_version"] = row.binary_version or __version__
    return {name: value for name, value in values.items() if value not in ("", None) or name in _REQUIRED}


def _lines(store: Store, limit: int, connector: str, activity: bool) -> Iterator[bytes]:
    for row in store.export(limit=limit, connector=connector):
        yield _encode(as_exported(row))
    if activity:
        for row in store.export(limit=limit):
            line = _activity_line(row)
            if line is not None:
                yield _encode(line)


def _activity_line(row: AuditRow) -> dict[str, Any] | None:
    structured = row.structured or {}
    if structured.get("schema") != ACTIVITY_SCHEMA:
        return None
    line = {"activity_id": row.id, "timestamp": row.timestamp, "actor": row.actor, "action": row.action}
    return line | {name: structured[name] for name in _ACTIVITY_KEYS if structured.get(name)}


def _to_file(path: Path, lines: Iterator[bytes]) -> int:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError as error:
        raise Conflict(f"{path} exists already", hint="choose another name or remove the file") from error
    except OSError as error:
        raise StoreUnavailable(f"cannot write {path}: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            return _write(file.write, lines)
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise StoreUnavailable(f"cannot write {path}: {error.strerror}") from error
        raise


def _write(write: Callable[[bytes], object], lines: Iterator[bytes]) -> int:
    count = 0
    for line in lines:
        write(line + b"\n")
        count += 1
    return count
