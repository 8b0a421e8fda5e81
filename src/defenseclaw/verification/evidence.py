"""What is on record of a canary, and what the hook wrote down when it could not ask.

A row holds no content; that it is about *our* marker is told by the finding's evidence, a keyed placeholder
that only this installation can compute.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path

from defenseclaw.audit.records import AuditRow, ScanRow
from defenseclaw.audit.store import Store
from defenseclaw.detection.redaction import make_evidence_placeholder
from defenseclaw.verification.markers import RULE_ID
from defenseclaw.verification.verdicts import Recorded

ROWS_LOOKED_AT = 2000
"""The newest rows; a run writes a few dozen."""
_FAILURE_BYTES = 64 * 1024


def recorded(audit_db: Path, connector: str, since: str, markers: Iterable[str]) -> dict[str, list[Recorded]]:
    """Return what was recorded about each marker, by marker, oldest first.

    Args:
        audit_db: The store.
        connector: Only hook rows of this connector count.
        since: UTC, RFC 3339, microseconds, ``Z``; older rows do not count.
        markers: Those of the run.

    Raises:
        StoreUnavailable: the store cannot be read, or there is no installation key.
    """
    found: dict[str, list[Recorded]] = {marker: [] for marker in markers}
    if not audit_db.exists():
        return found
    store = Store.open_to_read(audit_db)
    try:
        placeholder = make_evidence_placeholder(store.identity.derive("redaction"))
        sought = {placeholder(marker): marker for marker in found}
        for row in store.last_rows(ROWS_LOOKED_AT):
            if row.connector != connector or row.action != "connector-hook" or row.timestamp < since:
                continue
            known = store.evaluation(row.evaluation_id) if _names_canary(row) else None
            marker = _about(known[1], sought) if known else ""
            if marker:
                found[marker].append(_recorded(row))
    finally:
        store.close()
    return found


def failures(log: Path, connector: str, since: str) -> tuple[str, ...]:
    """Return why hooks of a connector could not get a decision since then, each reason once."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _FAILURE_BYTES))
            lines = file.read(_FAILURE_BYTES).splitlines()
    except OSError:
        return ()
    reasons: dict[str, None] = {}
    for line in lines:
        with contextlib.suppress(ValueError, RecursionError):
            entry = json.loads(line)
            # The log counts in seconds.
            if entry.get("connector") == connector and str(entry.get("ts", ""))[:19] >= since[:19]:
                reasons[str(entry.get("reason", ""))[:200]] = None
    return tuple(reasons)


def _names_canary(row: AuditRow) -> bool:
    return RULE_ID in ((row.structured or {}).get("rule_ids") or ())


def _about(scan: ScanRow | None, sought: dict[str, str]) -> str:
    for finding in scan.findings if scan else ():
        if finding.rule_id == RULE_ID:
            for placeholder, marker in sought.items():
                if finding.description.endswith(placeholder):
                    return marker
    return ""


def _recorded(row: AuditRow) -> Recorded:
    envelope = row.structured or {}
    return Recorded(
        event=row.target,
        action=str(envelope.get("action", "")),
        raw_action=str(envelope.get("raw_action", "")),
        replaced=bool(envelope.get("enforced")) or row.enforced,
    )
