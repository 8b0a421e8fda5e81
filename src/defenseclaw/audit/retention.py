"""Retention: rows older than the operator wants are removed, in small steps between verdicts.

Source: ``spec/observability-and-audit.md`` §3.3. The block and allow lists are never pruned.
"""

from __future__ import annotations

import time

from defenseclaw.audit.appender import Appender
from defenseclaw.audit.writer import Writer

EVERY_S = 6 * 3600
"""How often a gateway enforces it; also once at its start."""
STEP_ROWS = 1000
_DAY_MS = 24 * 3600 * 1000


def enforce(writer: Writer, *, retention_days: int, now_ms: int | None = None) -> int:
    """Remove rows recorded more than ``retention_days`` ago, and sessions idle for as long.

    Every step is one short transaction in the writer thread, so it neither races a verdict nor holds one up
    for longer than a step takes. Blocks the calling thread, which must not be that of an event loop.

    Args:
        writer: running.
        retention_days: 0 keeps everything.
        now_ms: Unix ms; the present moment by default.

    Returns:
        How many rows were removed.

    Raises:
        StoreUnavailable: the store cannot be written now; what was removed so far stays removed.
    """
    if retention_days <= 0:
        return 0
    now = now_ms if now_ms is not None else time.time_ns() // 1_000_000
    before = now - retention_days * _DAY_MS

    def step(appender: Appender) -> int:
        return appender.prune(before_ms=before, now_ms=now, limit=STEP_ROWS)

    removed = 0
    while True:
        count = writer.call_sync(step)
        removed += count
        if count < STEP_ROWS:
            break
    writer.call_sync(lambda appender: appender.forget_sessions(before))
    return removed
