"""What the commands ask of the audit store. A store that is not there yet is an empty one.

The store's libraries take longer to import than most commands to run, so they wait until there is a store.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict

from defenseclaw.errors import StoreUnavailable

if TYPE_CHECKING:
    from defenseclaw.audit.chain import VerifyReport
    from defenseclaw.audit.records import AuditRow, ScanRow
    from defenseclaw.audit.store import Store
    from defenseclaw.cli.context import App

SAME_THING_S = 5.0
"""Rows about the same call or text lie this close together."""
VERIFIED_IN_PASSING = 50_000
"""Up to this many rows ``doctor`` walks the whole chain; above it, it checks the signed head."""
_RECENT_ROWS = 256
_COUNTED_ALERTS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One evaluation as it was recorded."""

    connector: str
    row: dict[str, Any]
    """The filled columns of its audit row."""
    findings: list[dict[str, Any]] = field(default_factory=list)
    trail: list[str] = field(default_factory=list)


@contextmanager
def opened(path: Path) -> Iterator[Store]:
    """Open the store for questions.

    Raises:
        StoreUnavailable: there is none, or it cannot be read.
    """
    if not path.exists():
        raise StoreUnavailable(
            f"nothing has been recorded yet in {path}", hint="start the gateway: defenseclaw-gateway start"
        )
    from defenseclaw.audit.store import Store

    store = Store.open_to_read(path)
    try:
        yield store
    finally:
        store.close()


def alerts(path: Path, limit: int, connector: str, acknowledged: bool = False) -> list[dict[str, Any]]:
    """Return alerts as filled columns with their ``seq``, newest first.

    With ``acknowledged``, acknowledged ones are among them and marked ``acknowledged: true``.
    """
    if not path.exists():
        return []
    with opened(path) as store:
        rows = store.alerts(limit, connector=connector, acknowledged=acknowledged)
        waiting = {seq for seq, _ in store.alerts(limit, connector=connector)} if acknowledged else set()
    found = [{"seq": seq, **columns(row)} for seq, row in rows]
    for each in found:
        if acknowledged and each["seq"] not in waiting:
            each["acknowledged"] = True
    return found


def acknowledge(app: App, severities: Sequence[str], connector: str) -> int:
    """Acknowledge alerts and record who did; return how many there were. Nothing is rewritten.

    Args:
        app: Where the store is.
        severities: Only these; empty means all.
        connector: Only alerts of this connector, when not empty.

    Raises:
        StoreUnavailable: the store cannot be read or written.
    """
    path = app.data.audit_db
    if not path.exists():
        return 0
    from defenseclaw.audit.readers import ALERT_SEVERITIES
    from defenseclaw.audit.store import Store
    from defenseclaw.cli.record import acknowledgement

    wanted = tuple(severities) or ALERT_SEVERITIES
    store = Store.open(path)
    try:
        if not store.alerts(1, connector=connector, severities=wanted):
            return 0
        row = acknowledgement(app, severities=wanted, connector=connector)
        return store.acknowledge(row, severities=wanted, connector=connector)
    finally:
        store.close()


def grouped(rows: Sequence[dict[str, Any]]) -> list[list[tuple[int, dict[str, Any]]]]:
    """Put rows together in which different hooks of an agent reported the same call or text.

    Same agent, session, kind of event, tool and rules, within :data:`SAME_THING_S`, each from another hook:
    the same hook twice is two calls, and so are two tool call ids.

    Args:
        rows: Alerts, newest first, as :func:`alerts` returns them.

    Returns:
        Groups of (number, row), in the order of their newest row; numbers count from 1.
    """
    groups: list[list[tuple[int, dict[str, Any]]]] = []
    latest: dict[tuple[object, ...], list[tuple[int, dict[str, Any]]]] = {}
    for number, row in enumerate(rows, 1):
        key = _subject(row)
        group = latest.get(key) if key else None
        if group is not None and all(_is_repeated(row, other) for _, other in group):
            group.append((number, row))
            continue
        group = [(number, row)]
        groups.append(group)
        if key:
            latest[key] = group
    return groups


def _subject(row: dict[str, Any]) -> tuple[object, ...] | None:
    """Return what rows about one thing share, None for a row that stands for itself."""
    from defenseclaw.connectors.base import by_any_name

    rules = (row.get("structured") or {}).get("rule_ids")
    connector = by_any_name(str(row.get("connector", "")))
    if connector is None or not isinstance(rules, list) or not row.get("session_id"):
        return None
    kind = connector.kind_of(str(row.get("target", "")))
    shared = (row["session_id"], row.get("agent_id"), row.get("tool_name"), row.get("acknowledged"))
    return connector.name, kind, tuple(sorted(map(str, rules))), *shared


def _is_repeated(row: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether another hook says again what ``other`` says; of the same subject they are."""
    ids = {each["tool_id"] for each in (row, other) if each.get("tool_id")}
    return (
        row.get("target") != other.get("target")
        and len(ids) < 2
        and _seconds_between(row, other) <= SAME_THING_S
    )


def _seconds_between(row: dict[str, Any], other: dict[str, Any]) -> float:
    try:
        first, second = (datetime.fromisoformat(str(each["timestamp"])) for each in (row, other))
    except ValueError:
        return float("inf")
    return abs((second - first).total_seconds())


def evaluation(path: Path, evaluation_id: str) -> Recorded | None:
    """Return the evaluation with this id or beginning of one, None where there is none."""
    if not path.exists():
        return None
    with opened(path) as store:
        found = store.evaluation(evaluation_id.lower())
    return None if found is None else _recorded(*found)


def evaluation_of_request(path: Path, request_id: str) -> str:
    """Return the id of the newest evaluation recorded for a request, empty where there is none."""
    with opened(path) as store:
        rows = store.last_rows(_RECENT_ROWS)
    return next((row.evaluation_id for row in reversed(rows) if row.request_id == request_id), "")


def activity(path: Path) -> dict[str, int]:
    """Return how much is on record."""
    if not path.exists():
        return {"events": 0, "total_scans": 0, "active_alerts": 0}
    with opened(path) as store:
        return {
            "events": store.count(),
            "total_scans": store.count_evaluations(),
            "active_alerts": len(store.alerts(_COUNTED_ALERTS)),
        }


def listed(path: Path) -> Counter[tuple[str, str]]:
    """Return how many entries the lists hold, by (kind of target, ``block`` or ``allow``)."""
    if not path.exists():
        return Counter()
    with opened(path) as store:
        return Counter((entry.target_type, entry.install) for entry in store.entries())


def verified(path: Path) -> VerifyReport:
    """Check the whole chain.

    Raises:
        StoreUnavailable: there is no store, no installation key, or it cannot be read.
    """
    with opened(path) as store:
        from defenseclaw.audit.chain import verify

        return verify(store)


def integrity(path: Path) -> tuple[str, str]:
    """Return (problem, summary); the problem is empty when all is well."""
    with opened(path) as store:
        from defenseclaw.audit.chain import verify

        count = store.count()
        if count <= VERIFIED_IN_PASSING:
            report = verify(store)
            return report.problem, f"{count} rows, every link holds"
        with store.snapshot() as snapshot:
            head = snapshot.head()
        if head is None or not store.chain.holds(head[1], store.chain.sign_head(head[0])):
            return "the signed head of the chain does not hold", ""
        return "", f"{count} rows, signed head holds (`defenseclaw audit verify` checks every link)"


def columns(row: AuditRow) -> dict[str, Any]:
    """Return the filled columns of a row, in the order of the table."""
    values = ((name, getattr(row, name)) for name in row.__struct_fields__)
    return {name: value for name, value in values if value not in ("", None)}


def _recorded(row: AuditRow, scan: ScanRow | None) -> Recorded:
    trail = (row.structured or {}).get("trail")
    return Recorded(
        connector=row.connector,
        row=columns(row),
        findings=[asdict(finding) for finding in scan.findings] if scan else [],
        trail=[str(step) for step in trail] if isinstance(trail, list) else [],
    )
