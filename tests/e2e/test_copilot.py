"""The real Copilot CLI, governed, in its offline mode with a provider of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

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
    plant_credentials,
)
from tests.e2e.fake_model import Call, FakeModel, Say
from tests.e2e.product import Product

pytestmark = pytest.mark.agent("copilot")


class CopilotAgent(Impatient, Delegating):
    """Copilot with every tool allowed by its user."""

    command = "copilot"
    before_call = "preToolUse"
    after_call = "postToolUse"
    on_prompt = "userPromptSubmitted"
    asks = True

    def arguments(self, prompt: str) -> list[str]:
        return ["copilot", "-p", prompt, "--disable-client-telemetry", "--no-auto-update", "--allow-all"]

    def environment(self) -> dict[str, str]:
        return {
            "COPILOT_PROVIDER_BASE_URL": f"{self.model.url}/v1",
            "COPILOT_PROVIDER_API_KEY": "x",
            "COPILOT_MODEL": "gpt-4.1",
            "COPILOT_OFFLINE": "true",
            "COPILOT_AUTO_UPDATE": "false",
        }

    def prepare(self) -> None:
        """Copilot needs no file; an operator's own hook stands beside ours."""
        hooks = self.settings.parent
        hooks.mkdir(parents=True)
        (hooks / "mine.json").write_text(
            '{"version": 1, "hooks": {"sessionStart": [{"type": "command", "bash": "true"}]}}\n'
        )

    @property
    def settings(self) -> Path:
        return self.product.home / ".copilot" / "hooks" / "defenseclaw.json"

    def shell(self, command: str) -> Call:
        return Call("bash", {"command": command, "description": "a step"})

    def delegate(self, task: str) -> Call:
        asked = {"description": "a step", "prompt": task, "agent_type": "general-purpose"}
        return Call("task", {**asked, "name": "step", "mode": "sync"})

    def shorten_limits(self) -> None:
        settings = json.loads(self.settings.read_text())
        for hook in (each for hooks in settings["hooks"].values() for each in hooks):
            hook["timeoutSec"] = SHORT_LIMIT_S
        self.settings.write_text(json.dumps(settings))


@pytest.fixture
def agent(tmp_path: Path, model: FakeModel) -> Iterator[CopilotAgent]:
    product = Product(tmp_path / "a machine", agent_path=(agents.copilot(),))
    copilot = CopilotAgent(product, model)
    copilot.prepare()
    yield copilot
    product.stop()


class TestCopilot(Contract, OwnLimit, SubAgents):
    """The contract, and what only Copilot has."""

    def test_every_event_arrives_under_its_own_name(self, action: Agent) -> None:
        action.model.script = [action.shell("echo fine")]
        action.run()
        targets = [row["target"] for row in action.product.rows() if row["action"] == "connector-hook"]
        assert sorted(targets) == [
            "agentStop",
            "postToolUse",
            "preToolUse",
            "sessionEnd",
            "sessionStart",
            "userPromptSubmitted",
        ]

    def test_an_allowed_call_still_meets_the_users_own_permissions(self, action: Agent) -> None:
        """Ours says nothing, so that a user who allowed nothing is not overruled."""

        class Cautious(CopilotAgent):
            def arguments(self, prompt: str) -> list[str]:
                return [each for each in super().arguments(prompt) if each != "--allow-all"]

        action.model.script = [action.shell("touch not-allowed-by-the-user"), Say("ok")]
        Cautious(action.product, action.model).run()
        assert not action.ran("not-allowed-by-the-user")
        assert [row["action"] for row in action.product.hook_rows("preToolUse")] == ["allow"]

    def test_copilot_home_is_followed(self, agent: Agent) -> None:
        plant_credentials(agent.product)
        agent.product.init()
        agent.product.start()
        env = {"COPILOT_HOME": str(agent.product.home / "elsewhere é")}
        agent.product.cli("setup", "copilot", "--mode", "action", "--yes", env=env)
        agent.product.wait_ready()
        agent.model.script = [agent.shell(DANGEROUS)]
        agent.run(**env)
        assert not agent.ran()
        assert "PATH-AWS-CREDS" in agent.model.tool_results()[0]

    def test_a_projects_setup_governs_a_project_its_user_trusts(self, agent: Agent) -> None:
        plant_credentials(agent.product)
        agent.govern("--mode", "action", "--workspace", str(agent.product.project))
        assert not agent.settings.exists()
        trusted = agent.product.home / ".copilot" / "config.json"
        trusted.write_text(json.dumps({"trusted_folders": [str(agent.product.project)]}))
        agent.model.script = [agent.shell(DANGEROUS)]
        agent.run()
        assert not agent.ran()
        agent.product.cli("setup", "remove", "copilot", "--yes")
        assert not (agent.product.project / ".github").exists()
