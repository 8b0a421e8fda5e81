"""Questions to the store, as functions of a connection. None of them changes anything."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, RowMapping, Table, and_, func, not_, or_, select

from defenseclaw.audit import tables
from defenseclaw.audit.canonical import StoredRow
from defenseclaw.audit.chain import Checkpoint, Head, Page
from defenseclaw.audit.records import AuditRow, FindingRow, ScanRow, SessionState

ALERT_SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "ERROR")
PAGE_ROWS = 500

_events = tables.audit_events
_ROW_COLUMNS = [
    _events.c["structured_json" if name == "structured" else name] for name in AuditRow.__struct_fields__
]


def page_of(connection: Connection, *, after: int, limit: int = PAGE_ROWS) -> Page:
    """Return up to ``limit`` rows numbered above ``after`` with their children."""
    rows = connection.execute(
        select(_events).where(_events.c.seq > after).order_by(_events.c.seq).limit(limit)
    ).mappings()
    events = rows.all()
    if not events:
        return Page((), {}, {})
    first, last = events[0]["seq"], events[-1]["seq"]
    scans = {row["event_seq"]: row for row in _children(connection, tables.scan_results, first, last)}
    findings: dict[int, list[StoredRow]] = defaultdict(list)
    for row in _children(connection, tables.scan_findings, first, last):
        findings[row["event_seq"]].append(row)
    return Page(events, scans, findings)


def checkpoints_of(connection: Connection) -> list[tuple[Checkpoint, str]]:
    """Return checkpoints and signatures as stored, oldest first."""
    table = tables.checkpoints
    rows = connection.execute(select(table).order_by(table.c.seq, table.c.kind)).mappings()
    return [
        (Checkpoint(**{name: row[name] for name in Checkpoint._fields}), row["signature"]) for row in rows
    ]


def head_of(connection: Connection) -> tuple[Head, str] | None:
    """Return the chain's head and its signature as stored."""
    table = tables.chain_head
    row = connection.execute(select(table).where(table.c.one == 1)).mappings().first()
    return (Head(row["seq"], row["row_hash"]), row["signature"]) if row else None


def stray_child_of(connection: Connection) -> int | None:
    """Return a number under which a scan or finding stands though no row does."""
    for table in (tables.scan_results, tables.scan_findings):
        key = table.c.event_seq
        statement = (
            select(key)
            .where(~select(_events.c.seq).where(_events.c.seq == key).exists())
            .order_by(key)
            .limit(1)
        )
        found = connection.execute(statement).scalar()
        if found is not None:
            return int(found)
    return None


def alerts_of(
    connection: Connection,
    *,
    limit: int,
    connector: str,
    before_seq: int | None,
    acknowledged: bool,
    severities: Sequence[str],
) -> list[tuple[int, AuditRow]]:
    """Return alerts with their numbers, newest first; see :meth:`Store.alerts`."""
    statement = (
        select(_events.c.seq, *_ROW_COLUMNS)
        .where(alert_condition(connector=connector, severities=severities, acknowledged=acknowledged))
        .order_by(_events.c.seq.desc())
        .limit(limit)
    )
    if before_seq is not None:
        statement = statement.where(_events.c.seq < before_seq)
    return [(row["seq"], as_audit_row(row)) for row in connection.execute(statement).mappings()]


def alert_condition(*, connector: str, severities: Sequence[str], acknowledged: bool) -> ColumnElement[bool]:
    """Return the condition that makes a row an alert."""
    parts: list[Any] = [
        tables.IS_ALERT,
        _events.c.severity.in_(severities),
        not_(_events.c.action.startswith("dismiss")),
    ]
    if connector:
        parts.append(_events.c.connector == connector)
    if not acknowledged:
        seq = tables.acknowledgements.c.event_seq
        parts.append(~select(seq).where(seq == _events.c.seq).exists())
    return and_(*parts)


def evaluation_of(connection: Connection, wanted: str) -> tuple[AuditRow, ScanRow | None] | None:
    """Return the newest row whose evaluation id is or begins with ``wanted``, and its scan."""
    key = _events.c.evaluation_id
    statement = (
        select(_events.c.seq, *_ROW_COLUMNS)
        # The bounds use the index on every database; LIKE would not on SQLite.
        .where(key != "", or_(key == wanted, and_(key >= wanted, key < wanted + "\U0010ffff")))
        .order_by(_events.c.seq.desc())
        .limit(1)
    )
    row = connection.execute(statement).mappings().first()
    if row is None:
        return None
    return as_audit_row(row), _scan_of(connection, row["seq"])


def session_of(connection: Connection, connector: str, session_id: str) -> SessionState | None:
    """Return what is remembered of a session."""
    table = tables.session_state
    statement = select(table).where(table.c.connector == connector, table.c.session_id == session_id)
    row = connection.execute(statement).mappings().first()
    if row is None:
        return None
    return SessionState(
        connector=row["connector"],
        session_id=row["session_id"],
        step_idx=row["step_idx"],
        last_turn=row["last_turn"],
        events=row["events"],
        data=decode_object(row["data"]) or {},
    )


def rows_after(
    connection: Connection, *, after: int, limit: int, connector: str = ""
) -> list[tuple[int, AuditRow]]:
    """Return up to ``limit`` rows numbered above ``after`` with their numbers, oldest first."""
    statement = select(_events.c.seq, *_ROW_COLUMNS).where(_events.c.seq > after)
    if connector:
        statement = statement.where(_events.c.connector == connector)
    rows = connection.execute(statement.order_by(_events.c.seq).limit(limit)).mappings()
    return [(row["seq"], as_audit_row(row)) for row in rows]


def last_rows_of(connection: Connection, count: int) -> list[AuditRow]:
    """Return the newest ``count`` rows, oldest of them first."""
    statement = select(*_ROW_COLUMNS).order_by(_events.c.seq.desc()).limit(count)
    return [as_audit_row(row) for row in connection.execute(statement).mappings()][::-1]


def count_of(connection: Connection) -> int:
    """Return the number of rows."""
    return connection.execute(select(func.count()).select_from(_events)).scalar_one()


def count_evaluations_of(connection: Connection) -> int:
    """Return the number of rows with a verdict."""
    verdicts = select(func.count()).select_from(_events).where(_events.c.evaluation_id != "")
    return connection.execute(verdicts).scalar_one()


def list_entries_of(connection: Connection) -> Iterator[RowMapping]:
    """Yield all entries of the block and allow lists."""
    table = tables.actions
    yield from connection.execute(
        select(table).order_by(table.c.updated_at.desc(), table.c.target_type, table.c.target_name)
    ).mappings()


def as_audit_row(row: StoredRow) -> AuditRow:
    """Return a stored row as a value; a damaged ``structured_json`` reads as None."""
    values = {name: row[name] for name in AuditRow.__struct_fields__ if name != "structured"}
    values["enforced"] = bool(values["enforced"])
    return AuditRow(**values, structured=decode_object(row["structured_json"]))


def decode_object(text: str) -> Mapping[str, Any] | None:
    """Return the JSON object in ``text``; None when there is none."""
    if not text:
        return None
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _scan_of(connection: Connection, seq: int) -> ScanRow | None:
    scans = _children(connection, tables.scan_results, seq, seq)
    if not scans:
        return None
    scan = scans[0]
    findings = _children(connection, tables.scan_findings, seq, seq)
    return ScanRow(
        id=scan["id"],
        scanner=scan["scanner"],
        target=scan["target"],
        target_type=scan["target_type"],
        max_severity=scan["max_severity"],
        verdict=scan["verdict"],
        duration_ms=scan["duration_ms"],
        findings=tuple(_finding(each) for each in findings),
    )


def _finding(row: StoredRow) -> FindingRow:
    values = {name: row[name] for name in FindingRow.__struct_fields__ if name != "tags"}
    return FindingRow(**values, tags=_tags(row["tags"]))


def _tags(text: str) -> tuple[str, ...]:
    try:
        return tuple(msgspec.json.decode(text, type=list[str]))
    except msgspec.DecodeError:
        return ()


def _children(connection: Connection, table: Table, first: int, last: int) -> Sequence[RowMapping]:
    statement = select(table).where(table.c.event_seq.between(first, last)).order_by(*table.primary_key)
    return connection.execute(statement).mappings().all()
