from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from defenseclaw.config.files import replace_file
from defenseclaw.config.watch import changes

DEBOUNCE_MS = 20
PATIENCE_S = 10


async def test_reports_the_files_asked_for_and_no_others(tmp_path: Path):
    config, env = tmp_path / "config.yaml", tmp_path / ".env"
    config.write_text("a: 1\n")
    seen: asyncio.Queue[frozenset[Path]] = asyncio.Queue()
    stop = asyncio.Event()

    async def watch() -> None:
        async for changed in changes(config, env, stop=stop, debounce_ms=DEBOUNCE_MS):
            seen.put_nowait(changed)

    watching = asyncio.create_task(watch())
    try:
        await _written_until_seen(config, seen)
        (tmp_path / "audit.db-wal").write_text("busy")
        env.write_text("KEY=1\n")
        assert await _next(seen) == {env}
        replace_file(config, b"b: 2\n")
        assert await _next(seen) == {config}
        config.unlink()
        assert await _next(seen) == {config}
    finally:
        stop.set()
        await asyncio.wait_for(watching, PATIENCE_S)


async def _written_until_seen(path: Path, seen: asyncio.Queue[frozenset[Path]]) -> None:
    """Write until the first report: when the watcher has started cannot be observed otherwise."""
    for number in range(200):
        replace_file(path, f"a: {number}\n".encode())
        with contextlib.suppress(TimeoutError):
            assert await asyncio.wait_for(seen.get(), 0.2) == {path}
            break
    await asyncio.sleep(5 * DEBOUNCE_MS / 1000)
    while not seen.empty():
        seen.get_nowait()


async def _next(seen: asyncio.Queue[frozenset[Path]]) -> frozenset[Path]:
    return await asyncio.wait_for(seen.get(), PATIENCE_S)
