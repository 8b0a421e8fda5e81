"""The real Codex, governed: its hooks run without any flag, so their trust is what setup wrote."""

from __future__ import annotations

import json
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from tests.e2e import agents
from tests.e2e.contract import (
    DANGEROUS,
    SHORT_LIMIT_S,
    Agent,
    Contract,
    Delegating,
    Impatient,
    OwnLimit,
    SubAgents,
    github_token,
    plant_credentials,
)
from tests.e2e.fake_model import Call, FakeModel, Say
from tests.e2e.product import Product

pytestmark = pytest.mark.agent("codex")

Found = TypeVar("Found")


class CodexAgent(Impatient, Delegating):
    """Codex in ``exec`` mode, approvals and sandbox off, with a provider of its own."""

    command = "codex"
    before_call = "PreToolUse"
    after_call = "PostToolUse"
    on_prompt = "UserPromptSubmit"

    def arguments(self, prompt: str) -> list[str]:
        return ["codex", "exec", "--skip-git-repo-check", prompt]

    def environment(self) -> dict[str, str]:
        return {"FAKE_KEY": "x"}

    def prepare(self) -> None:
        self.settings.parent.mkdir(parents=True)
        self.settings.write_text(
            "# my own settings\n"
            'model = "gpt-5-codex"\nmodel_provider = "fake"   # on loopback\n'
            'approval_policy = "never"\nsandbox_mode = "danger-full-access"\n'
            "check_for_update_on_startup = false\n\n"
            "[analytics]\nenabled = false\n\n"
            f'[model_providers.fake]\nname = "fake"\nbase_url = "{self.model.url}/v1"\n'
            'wire_api = "responses"\nenv_key = "FAKE_KEY"\n'
        )

    @property
    def settings(self) -> Path:
        return self.product.home / ".codex" / "config.toml"

    def shell(self, command: str) -> Call:
        return Call("exec_command", {"cmd": command})

    def delegate(self, task: str) -> Call:
        return Call("spawn_agent", {"message": task})

    def shorten_limits(self) -> None:
        """With the trust of the shorter hooks, without which Codex would not call them at all."""
        from defenseclaw.connectors.codex_config import Hook

        text = self.settings.read_text()
        for event, groups in tomllib.loads(text)["hooks"].items():
            for group in groups if event != "state" else ():
                (hook,) = group["hooks"]
                matcher = group.get("matcher", "")
                place = {"event": event, "matcher": matcher, "command": hook["command"]}
                ours, shorter = (
                    Hook(timeout_s=hook["timeout"], **place),
                    Hook(timeout_s=SHORT_LIMIT_S, **place),
                )
                text = text.replace(ours.as_toml(), shorter.as_toml())
                text = text.replace(ours.trusted_hash(), shorter.trusted_hash())
        self.settings.write_text(text)


def within(seconds: float, look: Callable[[], Found]) -> Found:
    """Return what ``look`` finds in time: Codex starts its notify command and does not wait for it."""
    deadline = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


@pytest.fixture
def agent(tmp_path: Path, model: FakeModel) -> Iterator[CodexAgent]:
    product = Product(tmp_path / "a machine", agent_path=(agents.codex(),))
    codex = CodexAgent(product, model)
    codex.prepare()
    yield codex
    product.stop()


class TestCodex(Contract, OwnLimit, SubAgents):
    """The contract, and what only Codex has."""

    def test_every_hook_of_a_turn_completes(self, action: Agent) -> None:
        action.model.script = [action.shell("echo fine")]
        done = action.run()
        said = done.stdout + done.stderr
        assert "hook: PreToolUse Completed" in said
        assert "Failed" not in said
        events = {row["target"] for row in action.product.rows() if row["action"] == "connector-hook"}
        assert events >= {
            "SessionStart",
            "UserPromptSubmit",
            "PreToolUse",
            "PostToolUse",
            "Stop",
            "SessionEnd",
        }

    def test_a_completion_that_blocks_does_not_loop(self, action: Agent) -> None:
        action.model.script = [Say(f"the key is {github_token()}")]
        action.run()
        actions = [row["action"] for row in action.product.hook_rows("Stop")]
        assert actions[0] == "block"
        assert actions[1:] in (["allow"], ["alert"])

    def test_an_operators_trusted_hook_runs_beside_ours(self, agent: Agent) -> None:
        """Ours stands behind it; its trust, which names its place, stays good."""
        from defenseclaw.connectors.codex_config import Hook

        mine = Hook(event="PreToolUse", matcher="*", command="touch mine-ran", timeout_s=5)
        key = f"{agent.settings}:pre_tool_use:0:0"
        trust = f'[hooks.state."{key}"]\ntrusted_hash = "{mine.trusted_hash()}"\n'
        agent.settings.write_text(agent.settings.read_text() + "\n" + mine.as_toml() + "\n" + trust)
        plant_credentials(agent.product)
        agent.govern("--mode", "action")
        agent.model.script = [agent.shell(DANGEROUS)]
        agent.run()
        assert agent.ran("mine-ran")
        assert not agent.ran()

    def test_the_end_of_a_turn_is_recorded_and_the_operators_notify_still_called(self, agent: Agent) -> None:
        note = agent.product.project / "notified"
        mine = ["/bin/sh", "-c", 'printf %s "$1" >"$0"', str(note)]
        agent.settings.write_text(f"notify = {json.dumps(mine)}  # mine\n{agent.settings.read_text()}")
        before = agent.settings.read_bytes()
        agent.govern("--mode", "action")
        agent.run()
        action = "codex.notify.agent-turn-complete"
        turns = within(5, lambda: [row for row in agent.product.rows() if row["action"] == action])
        told = json.loads(within(5, lambda: note.exists() and note.read_text()))
        assert told["type"] == "agent-turn-complete"
        assert [row["session_id"] for row in turns] == [told["thread-id"]]
        hooks = [row for row in agent.product.rows() if row["target"] == "Stop"]
        assert {row["session_id"] for row in hooks} == {told["thread-id"]}
        agent.product.cli("setup", "remove", "codex", "--yes")
        assert agent.settings.read_bytes() == before

    def test_codex_home_is_followed_through_a_link(self, agent: Agent) -> None:
        real = agent.product.home / "elsewhere é"
        agent.settings.parent.rename(real)
        link = agent.product.home / "link"
        link.symlink_to(real)
        plant_credentials(agent.product)
        agent.product.init()
        agent.product.start()
        env = {"CODEX_HOME": str(link)}
        agent.product.cli("setup", "codex", "--mode", "action", "--yes", env=env)
        agent.product.wait_ready()
        agent.model.script = [agent.shell(DANGEROUS)]
        agent.run(**env)
        assert not agent.ran()
        assert "PATH-AWS-CREDS" in agent.model.tool_results()[0]
