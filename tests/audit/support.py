"""Batches to put in a store, and somebody who tampers with it."""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from defenseclaw.audit.identity import time_ordered_id
from defenseclaw.audit.records import AuditRow, Batch, FindingRow, ScanRow

NOW_MS = 1_780_000_000_000
DAY_MS = 86_400_000

_numbers = itertools.count(1)


def a_row(**columns: Any) -> AuditRow:
    number = next(_numbers)
    base: dict[str, Any] = {
        "id": time_ordered_id(),
        "timestamp": "2026-05-28T20:26:40.000000Z",
        "action": "connector-hook",
        "target": f"event-{number}",
        "details": f"connector=claudecode number={number}",
        "structured": {"schema": "defenseclaw.hook.v1", "number": number, "text": "Grüße"},
        "connector": "claudecode",
        "evaluation_id": time_ordered_id(),
        "session_id": "session-1",
        "step_idx": 1,
    }
    return AuditRow(**(base | columns))


def a_scan(findings: int = 1) -> ScanRow:
    return ScanRow(
        id=time_ordered_id(),
        scanner="hook-rules",
        target="claudecode:PreToolUse",
        target_type="tool_call",
        max_severity="CRITICAL",
        verdict="block",
        duration_ms=2,
        findings=tuple(
            FindingRow(
                id=time_ordered_id(),
                rule_id=f"RULE-{number}",
                category="command",
                severity="CRITICAL",
                title="A title",
                description="deletes the root <redacted-evidence len=8 sha=00112233>",
                tags=("destructive", "shell"),
                confidence=0.95,
            )
            for number in range(findings)
        ),
    )


def a_batch(*, findings: int = 0, **columns: Any) -> Batch:
    return Batch(row=a_row(**columns), scan=a_scan(findings) if findings else None)


@dataclass(frozen=True)
class Tampering:
    """Somebody with a database tool and write access to the file."""

    path: Path

    def __call__(self, sql: str, *parameters: Any) -> int:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            return connection.execute(sql, parameters).rowcount

    def ask(self, sql: str, *parameters: Any) -> list[Any]:
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(sql, parameters).fetchall()
