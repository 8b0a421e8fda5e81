from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.cli.conftest import machine  # noqa: F401 - a fixture
from tests.judging.fake import FakeJudge, clean, fake_judge, says


@pytest.fixture
def fake() -> Iterator[FakeJudge]:
    """An endpoint that finds nothing until it is told otherwise."""
    with fake_judge(says(clean)) as running:
        yield running
