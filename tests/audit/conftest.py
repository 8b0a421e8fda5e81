"""Stores on real temporary files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from defenseclaw.audit.records import Batch, ProcessIdentity
from defenseclaw.audit.store import Store

from .support import NOW_MS, Tampering


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "audit.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    opened = Store.open(path)
    yield opened
    opened.close()


@pytest.fixture
def append(store: Store) -> Iterator[Callable[..., None]]:
    appender = store.appender()

    def append(*batches: Batch, now_ms: int = NOW_MS) -> None:
        appender.append(batches, now_ms)

    yield append
    appender.close()


@pytest.fixture
def tamper(path: Path) -> Tampering:
    return Tampering(path)


@pytest.fixture
def process() -> ProcessIdentity:
    return ProcessIdentity(
        run_id="run-1", sidecar_instance_id="sidecar-1", binary_version="9.9.9", content_hash="ab" * 32
    )
