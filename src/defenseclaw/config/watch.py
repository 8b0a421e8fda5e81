"""Notices that the operator changed ``config.yaml`` or ``.env``."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from watchfiles import Change, awatch

if TYPE_CHECKING:
    from asyncio import Event

DEBOUNCE_MS = 200
"""Milliseconds of quiet that make several writes of an editor one change."""


async def changes(
    *paths: Path, stop: Event | None = None, debounce_ms: int = DEBOUNCE_MS
) -> AsyncIterator[frozenset[Path]]:
    """Yield those of ``paths`` that were written, replaced or removed, until ``stop`` is set.

    Directories are watched, not files: editors write beside and rename. Their directories must exist.
    """
    wanted = _spellings(paths)

    def is_ours(_change: Change, path: str) -> bool:
        return path in wanted

    directories = sorted({os.path.dirname(path) for path in wanted})
    async for batch in awatch(
        *directories,
        watch_filter=is_ours,
        debounce=debounce_ms,
        step=min(50, debounce_ms),
        stop_event=stop,
        recursive=False,
        ignore_permission_denied=True,
    ):
        yield frozenset(wanted[path] for _, path in batch)


def _spellings(paths: tuple[Path, ...]) -> dict[str, Path]:
    """Return every name a change of one of ``paths`` may be reported under: as given, and behind links."""
    return {spelling(path): path for path in paths for spelling in (os.path.realpath, os.path.abspath)}
