from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.e2e import agents
from tests.e2e.fake_model import FakeModel
from tests.e2e.product import Product


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/e2e/" in str(item.path):
            item.add_marker(pytest.mark.e2e)


@pytest.fixture
def model() -> Iterator[FakeModel]:
    with FakeModel() as fake:
        yield fake


@dataclass
class Claude:
    """Claude Code on a scratch machine, talking to the fake model."""

    product: Product
    model: FakeModel

    def run(self, prompt: str = "please go on", **env: str) -> subprocess.CompletedProcess[str]:
        """Run one headless turn. The model's record of earlier turns is dropped first."""
        self.model.requests.clear()
        return subprocess.run(
            [
                "claude",
                "-p",
                prompt,
                "--model",
                "claude-sonnet-4-5",
                "--allowedTools",
                "Bash,Read,Write,Edit,Agent",
            ],
            env={
                **self.product.env,
                "ANTHROPIC_BASE_URL": self.model.url,
                "ANTHROPIC_API_KEY": "sk-ant-x",
                "DISABLE_TELEMETRY": "1",
                "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
                "DISABLE_AUTOUPDATER": "1",
                **env,
            },
            cwd=self.product.project,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=90,
        )


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    """A fresh installation with Claude Code on PATH; nothing set up, nothing running."""
    installed = Product(tmp_path / "a machine", agent_path=(agents.claude_code(),))
    yield installed
    installed.stop()


@pytest.fixture
def claude(product: Product, model: FakeModel) -> Claude:
    return Claude(product, model)
