"""Notices that the operator changed ``config.yaml`` or ``.env``.

By looking at the files a few times a second. A notification from the system would have to be for their
directory, where the audit store is written with every verdict: it would cost each of them more than the
store itself does.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

DEBOUNCE_MS = 200
"""Milliseconds of quiet that make several writes of an editor one change; also how often the files are
looked at."""

_State = tuple[int, ...] | None


async def changes(
    *paths: Path, stop: asyncio.Event | None = None, debounce_ms: int = DEBOUNCE_MS
) -> AsyncIterator[frozenset[Path]]:
    """Yield those of ``paths`` that were written, replaced or removed, until ``stop`` is set.

    A link counts as changed when what it leads to does.
    """
    reported = seen = _states(paths)
    while not await _stopped(stop, debounce_ms / 1000):
        before, seen = seen, _states(paths)
        if seen == before and seen != reported:
            changed = frozenset(path for path in paths if seen[path] != reported[path])
            reported = seen
            yield changed


async def _stopped(stop: asyncio.Event | None, seconds: float) -> bool:
    """Wait; return early and True when ``stop`` is set meanwhile."""
    if stop is None:
        await asyncio.sleep(seconds)
        return False
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return False
    return True


def _states(paths: tuple[Path, ...]) -> dict[Path, _State]:
    return {path: _state(path) for path in paths}


def _state(path: Path) -> _State:
    """Return what differs after a write, also one that keeps size and time; None when nothing is there."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
