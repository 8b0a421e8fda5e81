"""A store of many rows to measure on, made through the product's own writing side and kept in ``.bench/``."""

from __future__ import annotations

import shutil
import sys
import time
import uuid
from pathlib import Path

from defenseclaw.audit import rows, tables
from defenseclaw.audit.records import Batch, ProcessIdentity, SessionState
from defenseclaw.audit.store import Store
from defenseclaw.vocabulary import (
    Action,
    Correlation,
    Door,
    Event,
    EventKind,
    Finding,
    Mode,
    Severity,
    Verdict,
)

KEPT = Path(__file__).resolve().parents[1] / ".bench"
STEP = 500
SESSIONS = 2000


def provide(data: Path, count: int) -> None:
    """Put a store of ``count`` rows, its journal left out, into the data directory ``data``."""
    # One of an older schema would be migrated inside the measurement.
    made = KEPT / f"store-{tables.SCHEMA_VERSION}-{count}"
    if not (made / "complete").exists():
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True, mode=0o700)
        fill(made, count)
        (made / "complete").touch()
    for name in ("audit.db", "device.key"):
        shutil.copy(made / name, data / name)


def fill(folder: Path, count: int) -> None:
    store = Store.open(folder / "audit.db")
    appender = store.appender()
    identity = ProcessIdentity(
        run_id=str(uuid.uuid4()), sidecar_instance_id=str(uuid.uuid4()), binary_version="0"
    )
    began = time.monotonic()
    for first in range(0, count, STEP):
        # Recorded now: the gateway that opens the store would prune older rows while it is measured.
        now_ms = time.time_ns() // 1_000_000
        appender.append([batch(number, identity) for number in range(first, first + STEP)], now_ms)
        if first % 100_000 == 0:
            print(f"store: {first:,} of {count:,} rows, {time.monotonic() - began:.0f} s", file=sys.stderr)
    appender.close()
    store.close()


def batch(number: int, identity: ProcessIdentity) -> Batch:
    """One row in twenty has a finding, as on a machine where agents mostly behave."""
    session = f"session-{number % SESSIONS}"
    event = Event(
        kind=EventKind.TOOL_CALL,
        door=Door.HOOK,
        name="PreToolUse",
        connector="claudecode",
        tool="Bash",
        correlation=Correlation(session_id=session, request_id=str(uuid.uuid4())),
    )
    findings: tuple[Finding, ...] = ()
    if number % 20 == 0:
        findings = (
            Finding(
                rule_id="PATH-ENV-FILE",
                title="Environment file",
                category="sensitive-path",
                severity=Severity.HIGH,
                confidence=0.85,
            ),
        )
    verdict = Verdict(
        evaluation_id=str(uuid.uuid4()),
        action=Action.ALERT if findings else Action.ALLOW,
        raw_action=Action.ALERT if findings else Action.ALLOW,
        severity=Severity.HIGH if findings else Severity.NONE,
        confidence=0.85 if findings else 0.0,
        mode=Mode.ACTION,
        findings=findings,
        step_idx=1,
    )
    return rows.batch_for(
        event,
        verdict,
        process=identity,
        placeholder=lambda text: f"<redacted-evidence len={len(text)}>",
        clean=str,
        elapsed_ms=1.0,
        now="2026-01-01T00:00:00.000000Z",
        state=SessionState(connector="claudecode", session_id=session, step_idx=1, events=number),
        rule_pack="default",
        fix_for=lambda _rule_id: "",
    )
