"""What the commands ask of the audit store. A store that is not there yet is an empty one.

The store's libraries take longer to import than most commands to run, so they wait until there is a store.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from defenseclaw.errors import StoreUnavailable

if TYPE_CHECKING:
    from defenseclaw.audit.chain import VerifyReport
    from defenseclaw.audit.records import AuditRow, ScanRow
    from defenseclaw.audit.store import Store

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


def alerts(path: Path, limit: int, connector: str) -> list[dict[str, Any]]:
    """Return alerts as filled columns with their ``seq``, newest first."""
    if not path.exists():
        return []
    with opened(path) as store:
        return [{"seq": seq, **columns(row)} for seq, row in store.alerts(limit, connector=connector)]


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
        return {"events": 0, "active_alerts": 0}
    with opened(path) as store:
        return {"events": store.count(), "active_alerts": len(store.alerts(_COUNTED_ALERTS))}


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
    return {name: value for name, value in asdict(row).items() if value not in ("", None)}


def _recorded(row: AuditRow, scan: ScanRow | None) -> Recorded:
    trail = (row.structured or {}).get("trail")
    return Recorded(
        connector=row.connector,
        row=columns(row),
        findings=[asdict(finding) for finding in scan.findings] if scan else [],
        trail=[str(step) for step in trail] if isinstance(trail, list) else [],
    )
