"""Leaving the real Claude Code: nothing of ours stays, and a session that is still running goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from tests.e2e.claude import ClaudeAgent
from tests.e2e.fake_model import Call, FakeModel, Say, Step
from tests.e2e.product import Product

pytestmark = pytest.mark.smoke


@dataclass
class Interrupting(FakeModel):
    """A model before whose second step something happens on the machine."""

    meanwhile: Callable[[], object] | None = None

    def next_step(self, used: int, said: str) -> Step:
        if used == 1 and self.meanwhile is not None:
            happening, self.meanwhile = self.meanwhile, None
            happening()
        return super().next_step(used, said)


@pytest.fixture
def model() -> Iterator[Interrupting]:
    with Interrupting() as fake:
        yield fake


def touch(name: str) -> Call:
    return Call("Bash", {"command": f"touch {name}", "description": "a step"})


def left_by_setup(product: Product) -> list[str]:
    folders = (product.data / "hooks", product.data / "connector_backups")
    return [str(path) for folder in folders for path in folder.rglob("*")]


@pytest.mark.parametrize(
    "leave",
    [
        pytest.param(("setup", "remove", "claude-code", "--yes"), id="setup remove"),
        pytest.param(("setup", "guardrail", "--disable"), id="setup guardrail --disable"),
        pytest.param(("uninstall", "--yes"), id="uninstall"),
    ],
)
def test_a_running_session_goes_on_when_we_leave(
    product: Product, model: Interrupting, leave: tuple[str, ...]
) -> None:
    product.init()
    product.start()
    product.cli("setup", "claude-code", "--mode", "action", "--yes")
    product.wait_ready()
    model.script = [touch("before"), touch("after"), Say("finished")]
    model.meanwhile = lambda: product.cli(*leave)
    done = ClaudeAgent(product, model).run()
    assert (product.project / "before").exists()
    assert (product.project / "after").exists()
    assert done.stdout.strip() == "finished"
    assert [row["action"] for row in product.hook_rows("PreToolUse")] == ["allow"]
    assert left_by_setup(product) == []


def test_a_missing_hook_script_stops_nothing(product: Product, model: Interrupting) -> None:
    """What a session sees that read its settings before we left: entries whose script is gone."""
    product.init()
    product.cli("setup", "claude-code", "--mode", "action", "--yes")
    (product.data / "hooks" / "claude-code-hook.sh").unlink()
    model.script = [touch("ran"), Say("finished")]
    done = ClaudeAgent(product, model).run()
    assert (product.project / "ran").exists()
    assert done.stdout.strip() == "finished"
    assert done.returncode == 0
