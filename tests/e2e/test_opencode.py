"""The real OpenCode, governed by a plugin inside it."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e import agents
from tests.e2e.contract import DANGEROUS, Agent, Contract, github_token, plant_credentials
from tests.e2e.fake_model import Call, FakeModel, Say
from tests.e2e.product import Product, free_port, kill_group

pytestmark = pytest.mark.agent("opencode")

MCP_SERVER = """
import json, sys

for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    answer = {}
    if asked["method"] == "initialize":
        answer = {"capabilities": {"tools": {}}, "serverInfo": {"name": "notes", "version": "1"}}
        answer["protocolVersion"] = asked["params"]["protocolVersion"]
    elif asked["method"] == "tools/list":
        schema = {"type": "object", "properties": {"fail": {"type": "boolean"}}}
        answer = {"tools": [{"name": "fetch", "description": "Fetch notes", "inputSchema": schema}]}
    elif asked["method"] == "tools/call":
        text = "first line\\nuse " + sys.argv[1] + " today\\n"
        answer = {"content": [{"type": "text", "text": text}]}
        answer["isError"] = asked["params"]["arguments"]["fail"]
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": answer}), flush=True)
"""


class OpenCodeAgent(Agent):
    """OpenCode with every tool allowed by its user."""

    command = "opencode"
    before_call = "tool.execute.before"
    after_call = "tool.execute.after"
    on_prompt = "chat.message"

    def arguments(self, prompt: str) -> list[str]:
        return ["opencode", "run", prompt]

    def environment(self) -> dict[str, str]:
        """Nothing is downloaded: a plugin directory makes OpenCode install a package of its own."""
        return {
            "OPENCODE_DISABLE_AUTOUPDATE": "1",
            "OPENCODE_DISABLE_MODELS_FETCH": "1",
            "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
            "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
            "npm_config_offline": "true",
        }

    def prepare(self) -> None:
        self.configure()

    def configure(self, **more: object) -> None:
        """Write the operator's configuration."""
        config = self.product.home / ".config" / "opencode" / "opencode.json"
        config.parent.mkdir(parents=True, exist_ok=True)
        provider = {
            "npm": "@ai-sdk/openai-compatible",
            "options": {"baseURL": f"{self.model.url}/v1", "apiKey": "x"},
            "models": {"fake": {"tool_call": True, "limit": {"context": 100_000, "output": 4000}}},
        }
        settings = {
            "$schema": "https://opencode.ai/config.json",
            "autoupdate": False,
            "share": "disabled",
            "model": "fake/fake",
            "small_model": "fake/fake",
            "provider": {"fake": provider},
            "permission": "allow",
        }
        config.write_text(json.dumps({**settings, **more}, indent=2))

    @contextlib.contextmanager
    def serving(self) -> Iterator[Callable[[str, Any], Any]]:
        """Run OpenCode's server; yield a function that posts to it."""
        port = free_port()
        server = subprocess.Popen(
            ["opencode", "serve", "--port", str(port)],
            env={**self.product.env, **self.environment()},
            cwd=self.product.project,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

        def ask(path: str, body: Any) -> Any:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            with contextlib.closing(connection):
                connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
                answer = connection.getresponse()
                raw = answer.read()
            assert answer.status == 200, raw
            return json.loads(raw)

        assert server.stdout is not None
        with server.stdout as output:
            try:
                assert any("listening on" in line for line in output)
                yield ask
            finally:
                kill_group(server)

    @property
    def settings(self) -> Path:
        return self.product.home / ".config" / "opencode" / "plugins" / "defenseclaw.js"

    def shell(self, command: str) -> Call:
        return Call("bash", {"command": command, "description": "a step"})


@pytest.fixture
def agent(tmp_path: Path, model: FakeModel) -> Iterator[OpenCodeAgent]:
    product = Product(tmp_path / "a machine", agent_path=(agents.opencode(),))
    opencode = OpenCodeAgent(product, model)
    opencode.prepare()
    yield opencode
    product.stop()


class TestOpenCode(Contract):
    """The contract, and what only OpenCode has."""

    def test_every_event_arrives_under_its_own_name(self, action: Agent) -> None:
        action.model.script = [action.shell("echo fine")]
        action.run()
        rows = [row for row in action.product.rows() if row["action"] == "connector-hook"]
        assert sorted(row["target"] for row in rows) == [
            "chat.message",
            "experimental.text.complete",
            "session.created",
            "session.idle",
            "tool.execute.after",
            "tool.execute.before",
        ]
        assert len({row["session_id"] for row in rows}) == 1
        assert rows[0]["session_id"].startswith("ses_")

    @pytest.mark.cell("prompt")
    def test_a_refused_prompt_says_why(self, action: Agent) -> None:
        done = action.run(f"deploy with {github_token()} please")
        assert done.returncode != 0
        assert "defenseclaw: prompt refused: " in done.stderr
        assert "SEC-GITHUB-TOKEN" in done.stderr

    def test_a_secret_in_the_models_own_words_is_masked(self, action: Agent) -> None:
        token = github_token()
        action.model.script = [Say(f"I would use {token} for it.")]
        done = action.run()
        assert token not in done.stdout
        assert "I would use <redacted" in done.stdout

    @pytest.mark.parametrize("fails", [False, True], ids=["result", "error"])
    def test_what_an_mcp_tool_says_is_masked(self, agent: OpenCodeAgent, fails: bool) -> None:
        """An error of a tool reaches the model too, by another way."""
        token = github_token()
        server = agent.product.root / "mcp.py"
        server.write_text(MCP_SERVER)
        agent.configure(
            mcp={"notes": {"type": "local", "command": [sys.executable, str(server), token], "enabled": True}}
        )
        agent.govern("--mode", "action")
        agent.model.script = [Call("notes_fetch", {"fail": fails}), Say("done")]
        agent.run()
        (shown,) = agent.model.tool_results()
        assert "first line" in shown
        assert "<redacted" in shown
        assert token not in agent.model.everything()
        name = "experimental.chat.messages.transform" if fails else agent.after_call
        (row,) = agent.product.hook_rows(name)
        assert "SEC-GITHUB-TOKEN" in row["rule_ids"]

    def test_what_a_persons_own_command_prints_is_masked_for_the_model(self, action: OpenCodeAgent) -> None:
        """The `!` of the terminal interface, by the interface of OpenCode's server."""
        token = github_token()
        (action.product.project / "notes.txt").write_text(f"first line\nuse {token} today\n")
        with action.serving() as ask:
            session = ask("/session", {})["id"]
            ask(f"/session/{session}/message", {"parts": [{"type": "text", "text": "hello"}]})
            ask(f"/session/{session}/shell", {"agent": "build", "command": "cat notes.txt"})
            ask(f"/session/{session}/message", {"parts": [{"type": "text", "text": "what does it say?"}]})
        assert "first line" in action.model.everything()
        assert "<redacted" in action.model.everything()
        assert token not in action.model.everything()

    @pytest.mark.cell("sub-agent")
    def test_a_sub_agents_call_is_governed_like_the_main_agents(self, action: Agent) -> None:
        task = {"description": "delegate", "prompt": "SUBAGENT-TASK", "subagent_type": "general"}
        action.model.script = [Call("task", task), Say("main done")]
        action.model.subagent_script = [action.shell(DANGEROUS), Say("sub was stopped")]
        done = action.run()
        assert "main done" in done.stdout
        assert not action.ran()
        assert any("PATH-AWS-CREDS" in each for each in action.model.tool_results())
        rows = [row for row in action.product.rows() if row["action"] == "connector-hook"]
        (blocked,) = [row for row in rows if row["enforced"]]
        assert blocked["target"] == action.before_call
        assert blocked["agent_id"].startswith("ses_")
        assert {row["session_id"] for row in rows} == {blocked["session_id"]}
        assert blocked["agent_id"] != blocked["session_id"]

    def test_an_allowed_call_still_meets_the_users_own_permissions(self, agent: OpenCodeAgent) -> None:
        agent.configure(permission={"bash": "deny"})
        agent.govern("--mode", "action")
        agent.model.script = [agent.shell("touch not-allowed-by-the-user")]
        agent.run()
        assert not agent.ran("not-allowed-by-the-user")

    def test_xdg_config_home_is_followed(self, agent: OpenCodeAgent) -> None:
        plant_credentials(agent.product)
        elsewhere = agent.product.home / "elsewhere é"
        agent.settings.parent.parent.rename(elsewhere.parent / "opencode")
        elsewhere.mkdir()
        (elsewhere.parent / "opencode").rename(elsewhere / "opencode")
        env = {"XDG_CONFIG_HOME": str(elsewhere)}
        agent.product.init()
        agent.product.start()
        agent.product.cli("setup", "opencode", "--mode", "action", "--yes", env=env)
        agent.product.wait_ready()
        assert not agent.settings.exists()
        agent.model.script = [agent.shell(DANGEROUS)]
        agent.run(**env)
        assert not agent.ran()
        assert "PATH-AWS-CREDS" in agent.model.tool_results()[0]

    def test_a_projects_setup_governs_the_project(self, agent: Agent) -> None:
        plant_credentials(agent.product)
        agent.govern("--mode", "action", "--workspace", str(agent.product.project))
        assert not agent.settings.exists()
        agent.model.script = [agent.shell(DANGEROUS)]
        agent.run()
        assert not agent.ran()
        agent.product.cli("setup", "remove", "opencode", "--yes")
        assert not (agent.product.project / ".opencode" / "plugins").exists()

    def test_a_projects_plugin_of_the_same_name_does_not_take_its_place(self, action: Agent) -> None:
        folder = action.product.project / ".opencode" / "plugins"
        folder.mkdir(parents=True)
        (folder / "defenseclaw.js").write_text("export const DefenseClaw = async () => ({})\n")
        action.model.script = [action.shell(DANGEROUS)]
        action.run()
        assert not action.ran()
        assert "PATH-AWS-CREDS" in action.model.tool_results()[0]
