from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e import agents
from tests.e2e.claude import ClaudeAgent
from tests.e2e.fake_model import FakeModel
from tests.e2e.matrix import Recorder
from tests.e2e.product import Product


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--matrix", type=Path, help="page a run of all these tests is written to; see matrix.py")


def pytest_configure(config: pytest.Config) -> None:
    if page := config.getoption("matrix", default=None):
        config.pluginmanager.register(Recorder(page))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/e2e/" in str(item.path):
            item.add_marker(pytest.mark.e2e)


@pytest.fixture
def model() -> Iterator[FakeModel]:
    with FakeModel() as fake:
        yield fake


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    """A fresh installation with Claude Code on PATH; nothing set up, nothing running."""
    installed = Product(tmp_path / "a machine", agent_path=(agents.claude_code(),))
    yield installed
    installed.stop()


@pytest.fixture
def claude(product: Product, model: FakeModel) -> ClaudeAgent:
    """Claude Code without any settings."""
    return ClaudeAgent(product, model)
