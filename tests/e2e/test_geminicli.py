"""The real Gemini CLI, governed, with a key and a model that are made up."""

from __future__ import annotations

import re
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
    github_token,
    plant_credentials,
)
from tests.e2e.fake_model import Call, FakeModel, Say
from tests.e2e.product import Product

pytestmark = pytest.mark.agent("gemini-cli")


class GeminiAgent(Impatient, Delegating):
    """Gemini CLI with every tool allowed by its user."""

    command = "gemini-cli"
    before_call = "BeforeTool"
    after_call = "AfterTool"
    on_prompt = "BeforeAgent"

    def arguments(self, prompt: str) -> list[str]:
        return ["gemini", "--approval-mode", "yolo", "-p", prompt]

    def environment(self) -> dict[str, str]:
        return {
            "GEMINI_API_KEY": "fake",
            "GOOGLE_GEMINI_BASE_URL": self.model.url,
            "GEMINI_CLI_TRUST_WORKSPACE": "true",
            "NO_BROWSER": "1",
        }

    def prepare(self) -> None:
        self.settings.parent.mkdir(parents=True)
        self.settings.write_text(
            "{\n"
            "    // my own settings\n"
            '    "general": {"enableAutoUpdate": false},\n'
            '    "privacy": {"usageStatisticsEnabled": false}, /* nobody asked */\n'
            '    "security": {\n'
            '        "auth": {"selectedType": "gemini-api-key"},\n'
            '        "folderTrust": {"enabled": false}\n'
            "    },\n"
            '    "model": {"name": "gemini-2.5-flash"}\n'
            "}\n"
        )

    @property
    def settings(self) -> Path:
        return self.product.home / ".gemini" / "settings.json"

    def shell(self, command: str) -> Call:
        return Call("run_shell_command", {"command": command, "description": "a step"})

    def delegate(self, task: str) -> Call:
        asked = {"agent_name": "generalist", "prompt": task, "wait_for_previous": True}
        return Call("invoke_agent", asked)

    def conclude(self) -> Call:
        """A sub-agent that only stops talking is asked again."""
        return Call("complete_task", {"result": {"response": "I was stopped."}})

    def shorten_limits(self) -> None:
        text, count = re.subn(r'"timeout": \d+', f'"timeout": {SHORT_LIMIT_S}000', self.settings.read_text())
        assert count > 1
        self.settings.write_text(text)


@pytest.fixture
def agent(tmp_path: Path, model: FakeModel) -> Iterator[GeminiAgent]:
    product = Product(tmp_path / "a machine", agent_path=(agents.gemini(),))
    gemini = GeminiAgent(product, model)
    gemini.prepare()
    yield gemini
    product.stop()


class TestGeminiCli(Contract, OwnLimit, SubAgents):
    """The contract, and what only Gemini CLI has."""

    def test_a_completion_that_blocks_does_not_loop(self, action: Agent) -> None:
        action.model.script = [Say(f"the key is {github_token()}")]
        action.run()
        actions = [row["action"] for row in action.product.hook_rows("AfterAgent")]
        assert actions[0] == "block"
        assert actions[1:] in (["allow"], ["alert"])

    def test_settings_that_the_agent_migrates_itself_lose_only_our_entries(self, agent: Agent) -> None:
        """Gemini renames an old key and lays the whole file out anew when it starts."""
        old = agent.settings.read_text().replace('"enableAutoUpdate": false', '"disableAutoUpdate": true')
        agent.settings.write_text(old)
        agent.govern("--mode", "action")
        agent.run()
        assert agent.product.hook_rows(agent.on_prompt)
        agent.product.cli("setup", "remove", agent.command, "--yes")
        left = agent.settings.read_text()
        assert "// my own settings" in left
        assert "enableAutoUpdate" in left
        assert "defenseclaw" not in left
        assert "hooks" not in left

    def test_the_agents_home_is_followed(self, agent: Agent) -> None:
        plant_credentials(agent.product)
        elsewhere = agent.product.home / "elsewhere"
        elsewhere.mkdir()
        agent.settings.parent.rename(elsewhere / ".gemini")
        agent.product.init()
        agent.product.start()
        env = {"GEMINI_CLI_HOME": str(elsewhere)}
        agent.product.cli("setup", "gemini-cli", "--mode", "action", "--yes", env=env)
        agent.product.wait_ready()
        agent.model.script = [agent.shell(DANGEROUS)]
        agent.run(**env)
        assert not agent.ran()
        assert "PATH-AWS-CREDS" in agent.model.tool_results()[0]
