"""The real OpenHands, governed, headless, with a model on loopback.

OpenHands prepares itself for several seconds before each turn; what needs no turn of its own shares one.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e import agents
from tests.e2e.contract import (
    DANGEROUS,
    SHORT_LIMIT_S,
    Agent,
    Contract,
    Impatient,
    OwnLimit,
    github_token,
    plant_credentials,
)
from tests.e2e.fake_model import Call, FakeModel, Say, Step
from tests.e2e.product import Product

pytestmark = pytest.mark.agent("openhands")

MINE = """\
{"post_tool_use" : [
    {"matcher": "terminal", "hooks": [{"type": "command", "command": "touch mine-ran"}]}
]}
"""
SHORT: dict[str, Any] = {"security_risk": "LOW", "summary": "a step"}
"""What OpenHands wants with every call."""


class OpenHandsAgent(Impatient):
    """OpenHands headless, which approves every action by itself; it never exits with anything but 0."""

    command = "openhands"
    before_call = "PreToolUse"
    after_call = "PostToolUse"
    on_prompt = "UserPromptSubmit"
    sockets: Path

    def arguments(self, prompt: str) -> list[str]:
        return ["openhands", "--headless", "--override-with-envs", "-t", prompt]

    def environment(self) -> dict[str, str]:
        return {
            "LLM_API_KEY": "x",
            "LLM_BASE_URL": f"{self.model.url}/v1",
            "LLM_MODEL": "openai/gpt-4o",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "OPENHANDS_SUPPRESS_BANNER": "1",
            "DO_NOT_TRACK": "1",
            "GIT_ALLOW_PROTOCOL": "file",
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "TMUX_TMPDIR": str(self.sockets),
        }

    def prepare(self) -> None:
        """OpenHands needs no file; an operator's own hook stands beside ours."""
        self.settings.parent.mkdir()
        self.settings.write_text(MINE)

    @property
    def settings(self) -> Path:
        return self.product.home / ".openhands" / "hooks.json"

    def shell(self, command: str) -> Call:
        return Call("terminal", {"command": command, **SHORT})

    def shorten_limits(self) -> None:
        hooks = json.loads(self.settings.read_text())
        for groups in hooks.values():
            groups[0]["hooks"][0]["timeout"] = SHORT_LIMIT_S
        self.settings.write_text(json.dumps(hooks))

    def shadow(self, project: Path) -> Path:
        """Write a hooks file of no hooks into a project."""
        path = project / ".openhands" / "hooks.json"
        path.parent.mkdir(parents=True)
        path.write_text("{}")
        return path


@pytest.fixture
def agent(tmp_path: Path, model: FakeModel) -> Iterator[OpenHandsAgent]:
    product = Product(tmp_path / "a machine", agent_path=(agents.openhands(),))
    openhands = OpenHandsAgent(product, model)
    openhands.sockets = Path(tempfile.mkdtemp(prefix="dc-e2e-"))  # their paths are limited
    openhands.prepare()
    yield openhands
    product.stop()
    for server in openhands.sockets.glob("tmux-*/openhands"):
        subprocess.run(["tmux", "-S", server, "kill-server"], capture_output=True, check=False)
    shutil.rmtree(openhands.sockets)


class TestOpenHands(Contract, OwnLimit):
    """The contract, and what only OpenHands has."""

    test_a_leaked_secret_is_replaced_before_the_model_sees_it = None  # OpenHands cannot; see below

    def test_a_leaked_secret_is_recorded_and_reaches_the_model(self, action: Agent) -> None:
        """No answer to PostToolUse changes what the model reads: the gap that the agent's page names."""
        token = github_token()
        (action.product.project / "notes.txt").write_text(f"use {token} today\n")
        action.model.script = [action.shell("cat notes.txt")]
        action.run()
        (shown,) = action.model.tool_results()
        assert token in shown
        (row,) = action.product.hook_rows(action.after_call)
        assert "SEC-GITHUB-TOKEN" in row["rule_ids"]
        assert (row["enforced"], row["would_block"]) == (False, True)

    def test_every_event_arrives_under_its_own_name(self, action: OpenHandsAgent) -> None:
        """The agent's last words are judged too, and an operator's own hook goes on running."""
        action.model.script = [
            Call("think", {"thought": "better not run rm -rf /", **SHORT}),
            action.shell("echo fine"),
            Call("finish", {"message": f"the key is {github_token()}", **SHORT}),
        ]
        done = action.run()
        targets = [row["target"] for row in action.product.rows() if row["action"] == "connector-hook"]
        assert targets == [
            "SessionStart",
            "UserPromptSubmit",
            "AgentMessage",
            "PreToolUse",
            "PostToolUse",
            "AgentMessage",
            "Stop",
        ]
        said = action.product.hook_rows("AgentMessage")
        assert [row["raw_action"] for row in said] == ["allow", "block"]
        assert [row["enforced"] for row in said] == [False, False]
        assert action.ran("mine-ran")
        assert "Traceback" not in done.stdout + done.stderr

    def test_the_reason_of_a_refusal_names_rule_and_advice(self, action: OpenHandsAgent) -> None:
        """With quotes, a line break and letters outside ASCII in the message the operator chose."""
        action.product.cli("setup", "openhands", "--block-message", 'no "x"\né€', "--yes")
        action.product.wait_ready()
        action.model.script = [action.shell(DANGEROUS)]
        action.run()
        assert not action.ran()
        (shown,) = action.model.tool_results()
        assert 'no "x"\né€' in shown

    def test_the_editor_cannot_change_our_entries(self, action: OpenHandsAgent) -> None:
        before = action.settings.read_bytes()
        edit = {"command": "str_replace", "path": str(action.settings), "old_str": "matcher", "new_str": "x"}
        action.model.script = [Call("file_editor", {**edit, **SHORT})]
        action.run()
        assert action.settings.read_bytes() == before
        assert "SELF-PROTECT-HOOKS" in action.model.tool_results()[0]

    @pytest.mark.cell("sub-agent")
    def test_a_sub_agent_is_not_started_since_it_would_call_no_hooks(self, action: OpenHandsAgent) -> None:
        self._delegate(action)
        assert not action.ran()
        assert "calls no hooks in sub-agents" in action.model.tool_results()[0]
        (row,) = action.product.hook_rows("PreToolUse")
        assert (row["action"], row["rule_ids"]) == ("block", ["INPUT-BOUND"])

    @pytest.mark.cell("sub-agent")
    def test_a_sub_agent_that_the_operator_allows_is_not_governed(self, action: OpenHandsAgent) -> None:
        """Once OpenHands calls hooks there, this fails and delegation need not be refused any more."""
        entry = {"target_type": "tool", "target_name": "@openhands/task", "reason": "trusted here"}
        assert action.product.request("POST", "/enforce/allow", entry)[0] == 200
        self._delegate(action)
        assert action.ran()
        assert [row["action"] for row in action.product.hook_rows("PreToolUse")] == ["allow"]

    def test_a_hook_in_front_of_ours_would_undo_a_refused_prompt(self, action: OpenHandsAgent) -> None:
        """Why ours stand in front, and why doctor tells when one of them does not."""
        token = github_token()
        context = {"hooks": [{"command": """echo '{"additionalContext": "be brief"}'"""}]}
        hooks = json.loads(action.settings.read_text())
        hooks["user_prompt_submit"].insert(0, context)
        action.settings.write_text(json.dumps(hooks))
        action.run(f"deploy with {token} please")
        assert token in action.model.everything()
        told = action.product.cli("doctor", code=None).stdout
        assert "missing or changed" in told
        assert "UserPromptSubmit" in told
        action.product.cli("setup", "openhands", "--yes")
        assert json.loads(action.settings.read_text())["user_prompt_submit"][1] == context
        action.run(f"deploy with {token} please")
        assert token not in action.model.everything()

    def test_closed_mode_does_not_hold_the_agent_back_from_ending(self, action: OpenHandsAgent) -> None:
        """Refused, OpenHands would ask its model for the same again until it is killed."""

        class Dying(list[Step]):
            def __getitem__(self, place: Any) -> Any:
                if action.product.gateway is not None:
                    action.product.stop()
                return super().__getitem__(place)

        action.model.script = Dying([Call("finish", {"message": "done", **SHORT})] * 9)
        done = action.run()
        assert "done" in done.stdout
        assert len(action.model.requests) == 1

    def test_a_projects_setup_governs_that_project(self, agent: OpenHandsAgent) -> None:
        plant_credentials(agent.product)
        agent.govern("--mode", "action", "--workspace", str(agent.product.project))
        assert agent.settings.read_text() == MINE
        agent.model.script = [agent.shell(DANGEROUS)]
        agent.run()
        assert not agent.ran()
        assert "PATH-AWS-CREDS" in agent.model.tool_results()[0]
        agent.product.cli("setup", "remove", "openhands", "--yes")
        assert not (agent.product.project / ".openhands").exists()

    def test_a_projects_own_hooks_file_switches_ours_off_and_doctor_says_so(
        self, action: OpenHandsAgent
    ) -> None:
        theirs = action.shadow(action.product.project)
        action.model.script = [action.shell("touch harmless-ran")]
        action.run()
        assert action.ran("harmless-ran")
        assert not action.product.hook_rows("PreToolUse")
        told = action.product.cli("doctor", code=None, env={"PWD": str(action.product.project)}).stdout
        assert "which is not governed" in told
        theirs.write_text("{broken")
        action.model.script = [action.shell("touch never-ran")]
        action.run()
        assert not action.model.requests  # OpenHands does not start with a file it cannot read

    def test_the_sessions_directory_cannot_be_taken_away(self, action: OpenHandsAgent) -> None:
        """OpenHands starts hooks in that directory: without it, nothing would be governed any more."""
        action.model.script = [
            action.shell('mv "$PWD" "$PWD-moved"'),
            action.shell("touch harmless-ran"),
        ]
        action.run()
        assert action.ran("harmless-ran")
        moved, touched = action.product.hook_rows("PreToolUse")
        assert (moved["action"], moved["rule_ids"]) == ("block", ["SELF-PROTECT-HOOKS"])
        assert touched["action"] == "allow"

    def test_a_session_whose_directory_is_gone_calls_no_hooks(self, action: OpenHandsAgent) -> None:
        """The gap that the agent's page names, for what takes the directory away unseen."""
        moved = action.product.project.with_name("project-moved")
        taking = f"import os; n = chr(112) + {moved.name[1:-6]!r}; os.rename('../' + n, '../{moved.name}')"
        action.model.script = [
            action.shell(f"python3 -c {shlex.quote(taking)}"),
            action.shell("touch harmless-ran"),
        ]
        action.run()
        moved.rename(action.product.project)
        assert action.ran("harmless-ran")
        assert len(action.product.hook_rows("PreToolUse")) == 1

    def _delegate(self, action: OpenHandsAgent) -> None:
        task = {"prompt": f"{action.model.subagent_marker}: look around", "subagent_type": "bash-runner"}
        action.model.script = [Call("task", {**task, **SHORT}), Say("done")]
        action.model.subagent_script = [action.shell(DANGEROUS), Say("looked")]
        action.run()
