"""The real Hermes, governed by a plugin of ours, with an OpenAI-compatible provider on loopback."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e import agents
from tests.e2e.contract import (
    DANGEROUS,
    QUESTIONABLE,
    Agent,
    Contract,
    github_token,
    plant_credentials,
    plant_questionable,
)
from tests.e2e.fake_model import Call, FakeModel, Say
from tests.e2e.product import Product

pytestmark = pytest.mark.agent("hermes")

CONFIG = """\
# kept by the operator
model:
    default: gpt-4o
    provider: custom
    base_url: {url}/v1   # the local one
    api_key: x
    context_length: 128000
security:
    redact_secrets: false   # so that nobody but the guard is credited for a masked secret
"""


class HermesAgent(Agent):
    """Hermes with its own approvals off, as its user may choose."""

    command = "hermes"
    before_call = "pre_tool_call"
    after_call = "post_tool_call"
    on_prompt = "pre_llm_call"

    def arguments(self, prompt: str) -> list[str]:
        return ["hermes", "chat", "-Q", "--yolo", "-q", prompt]

    def environment(self) -> dict[str, str]:
        return {"HERMES_DISABLE_LAZY_INSTALLS": "1", "TIRITH_ENABLED": "false"}

    def prepare(self) -> None:
        self.settings.parent.mkdir(parents=True)
        self.settings.write_text(CONFIG.format(url=self.model.url))

    @property
    def settings(self) -> Path:
        return self.product.home / ".hermes" / "config.yaml"

    def shell(self, command: str) -> Call:
        return Call("terminal", {"command": command})


@pytest.fixture
def agent(tmp_path: Path, model: FakeModel) -> Iterator[HermesAgent]:
    product = Product(tmp_path / "a machine", agent_path=(agents.hermes(),))
    hermes = HermesAgent(product, model)
    hermes.prepare()
    yield hermes
    product.stop()


class TestHermes(Contract):
    """The contract, and what only Hermes has."""

    def test_every_event_arrives_under_its_own_name(self, action: Agent) -> None:
        action.model.script = [action.shell("echo fine")]
        action.run()
        targets = [row["target"] for row in action.product.rows() if row["action"] == "connector-hook"]
        assert sorted(targets) == [
            "on_session_end",
            "on_session_finalize",
            "on_session_start",
            "post_llm_call",
            "post_tool_call",
            "pre_llm_call",
            "pre_tool_call",
        ]

    @pytest.mark.cell("prompt")
    def test_a_refused_prompt_ends_the_turn_with_our_reason(self, action: Agent) -> None:
        done = action.run(f"deploy with {github_token()} please")
        assert "SEC-GITHUB-TOKEN" in done.stdout
        assert not [each for each in action.model.requests if each["body"].get("messages")]

    def test_hermes_takes_our_refusal_for_one_in_every_format_it_speaks(self, agent: Agent) -> None:
        """The fake model speaks one format; the others are asked of Hermes' own readers."""
        agent.product.init()
        agent.product.cli("setup", "hermes", "--yes")
        asked = """
import importlib.util, json, sys
from agent.transports import get_transport
spec = importlib.util.spec_from_file_location("plugin", sys.argv[1])
plugin = importlib.util.module_from_spec(spec)
spec.loader.exec_module(plugin)
found = {}
for name in ("chat_completions", "anthropic_messages", "codex_responses", "bedrock_converse"):
    reader, answer = get_transport(name), plugin._declined("our reason")
    read = reader.normalize_response(answer)
    found[name] = [reader.validate_response(answer), read.finish_reason, read.content]
print(json.dumps(found))
"""
        plugin = agent.settings.parent / "plugins" / "defenseclaw" / "__init__.py"
        python = (agents.hermes() / "hermes").resolve().with_name("python")
        done = subprocess.run(
            [python, "-c", asked, plugin], env=agent.product.env, capture_output=True, text=True, check=True
        )
        found = json.loads(done.stdout.splitlines()[-1])
        assert len(found) == 4
        for name, read in found.items():
            assert read == [True, "content_filter", "our reason"], name

    @pytest.mark.cell("prompt")
    def test_a_refused_prompt_stays_out_of_a_resumed_session(self, action: Agent) -> None:
        token = github_token()
        action.run(f"deploy with {token} please")

        class Resumed(HermesAgent):
            def arguments(self, prompt: str) -> list[str]:
                return [*super().arguments(prompt), "--continue"]

        Resumed(action.product, action.model).run("never mind, say hello")
        assert "never mind" in action.model.everything()
        assert token not in action.model.everything()

    @pytest.mark.cell("sub-agent")
    def test_a_sub_agents_calls_are_governed(self, action: Agent) -> None:
        """Sub-agents work beside their parent, which must still be there when they end."""
        task = {
            "goal": f"{action.model.subagent_marker}: look around",
            "context": "",
            "toolsets": ["terminal"],
        }
        action.model.script = [Call("delegate_task", task), action.shell("sleep 6"), Say("It was stopped.")]
        action.model.subagent_script = [action.shell(DANGEROUS), Say("I was stopped.")]
        action.run()
        assert not action.ran()
        assert "of-nobody" not in action.model.everything()
        assert [text for text in action.model.tool_results() if "PATH-AWS-CREDS" in text]
        calls = action.product.hook_rows("pre_tool_call")
        assert sorted(row["action"] for row in calls) == ["allow", "allow", "block"]
        sessions = {row["session_id"] for row in action.product.rows() if row["target"] == "pre_tool_call"}
        assert len(sessions) == 2
        for event in ("subagent_start", "subagent_stop"):
            assert action.product.hook_rows(event)

    @pytest.mark.cell("ask")
    def test_a_question_that_hermes_asks_nobody_denies_the_call_after_its_own_limit(
        self, agent: Agent
    ) -> None:
        """With its approvals off, as everywhere else here, Hermes would say yes by itself."""
        plant_questionable(agent.product)
        agent.govern("--mode", "action", "--human-approval")
        agent.model.script = [agent.shell(QUESTIONABLE)]

        class Asked(HermesAgent):
            def arguments(self, prompt: str) -> list[str]:
                return [each for each in super().arguments(prompt) if each != "--yolo"]

        Asked(agent.product, agent.model).run()
        assert not agent.ran()
        assert len(agent.model.tool_results()) == 1
        assert "of-nobody" not in agent.model.everything()
        (row,) = agent.product.hook_rows("pre_tool_call")
        assert (row["action"], row["raw_action"]) == ("confirm", "confirm")

    @pytest.mark.cell("timeout")
    def test_a_script_that_hangs_is_not_waited_for(self, action: Agent) -> None:
        script = action.product.data / "hooks" / "hermes-hook.sh"
        script.write_text('#!/bin/sh\ntest "$1" = pre_tool_call && exec sleep 60\nexit 0\n')
        action.model.script = [action.shell("touch harmless-ran")]
        action.run()
        assert not action.ran("harmless-ran")
        assert "fails closed" in action.model.tool_results()[0]

    @pytest.mark.cell("hang")
    def test_a_gateway_that_hangs_is_not_waited_for(self, action: Agent) -> None:
        """Accepted and never answered: the script gives up before Hermes or the plugin would."""
        action.product.stop()
        with socket.create_server(("127.0.0.1", action.product.port)):
            action.model.script = [action.shell("touch harmless-ran")]
            done = action.run()
        assert not action.ran("harmless-ran")
        assert "fails closed" in done.stdout
        assert {"gateway timed out"} == {each["reason"] for each in action.failures()}

    @pytest.mark.parametrize("entry", ["hermes -z", "hermes-agent"])
    def test_other_ways_to_start_hermes_are_governed(self, action: Agent, entry: str) -> None:
        class Other(HermesAgent):
            def arguments(self, prompt: str) -> list[str]:
                if entry == "hermes -z":
                    return ["hermes", "-z", prompt]
                program = (agents.hermes() / "hermes").resolve().with_name("hermes-agent")
                place = ["--base_url", f"{self.model.url}/v1", "--api_key", "x", "--model", "gpt-4o"]
                return [str(program), "--query", prompt, *place]

        action.model.script = [action.shell(DANGEROUS)]
        Other(action.product, action.model).run()
        assert not action.ran()
        assert "PATH-AWS-CREDS" in action.model.tool_results()[0]

    @pytest.mark.parametrize("place", ["HERMES_HOME", "active_profile"])
    def test_hermes_other_homes_are_followed(self, agent: Agent, place: str) -> None:
        plant_credentials(agent.product)
        env: dict[str, str] = {}
        home = agent.product.home / ".hermes" / "profiles" / "work"
        if place == "HERMES_HOME":
            home = agent.product.home / "it's elsewhere é"
            env = {"HERMES_HOME": str(home)}
        else:
            (agent.settings.parent / "active_profile").write_text("work\n")
        home.mkdir(parents=True)
        agent.settings.rename(home / "config.yaml")
        agent.product.init()
        agent.product.start()
        agent.product.cli("setup", "hermes", "--mode", "action", "--yes", env=env)
        agent.product.wait_ready()
        agent.model.script = [agent.shell(DANGEROUS)]
        agent.run(**env)
        assert not agent.ran()
        assert "PATH-AWS-CREDS" in agent.model.tool_results()[0]

    def test_what_an_operator_wrote_since_stays(self, action: Agent) -> None:
        action.settings.write_text(action.settings.read_text() + "# added later\nworktree: false\n")
        action.product.cli("setup", "remove", "hermes", "--yes")
        wanted = CONFIG.format(url=action.model.url) + "# added later\nworktree: false\n"
        assert action.settings.read_text() == wanted
        assert not (action.settings.parent / "plugins").exists()

    def test_a_setup_that_could_not_work_is_refused(self, agent: Agent) -> None:
        agent.settings.write_text(agent.settings.read_text() + "plugins:\n  disabled: [defenseclaw]\n")
        agent.product.init()
        done = agent.product.cli("setup", "hermes", "--mode", "action", "--yes", code=None)
        assert done.returncode != 0
        assert "plugins.disabled" in done.stderr + done.stdout
