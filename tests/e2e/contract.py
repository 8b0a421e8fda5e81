"""What every governed agent is held to, driven for real: one class of tests per agent inherits these."""

from __future__ import annotations

import json
import socket
import subprocess
import zlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tests.e2e.fake_model import Call, FakeModel, Say, Step
from tests.e2e.product import Product

MARKER = "touch dangerous-ran; "
DANGEROUS = MARKER + 'cat "$HOME/.aws/credentials"'
"""Reads a credential file of the scratch HOME; its contents are made up, the rule is real."""
QUESTIONABLE = MARKER + 'cat "$HOME/.gnupg/notes"'
"""What a policy that asks people asks about."""
SHORT_LIMIT_S = 2
"""Enough for a gateway that answers."""


@dataclass
class Agent(ABC):
    """An agent on a scratch machine, talking to the fake model."""

    product: Product
    model: FakeModel

    command: ClassVar[str]
    """After ``defenseclaw setup``."""
    before_call: ClassVar[str]
    after_call: ClassVar[str]
    on_prompt: ClassVar[str]
    asks: ClassVar[bool] = False
    """Whether a hook can have the agent ask its person."""

    def run(self, prompt: str = "please go on", **env: str) -> subprocess.CompletedProcess[str]:
        """Run one headless turn. The model's record of earlier turns is dropped first."""
        self.model.requests.clear()
        return subprocess.run(
            self.arguments(prompt),
            env={**self.product.env, **self.environment(), **env},
            cwd=self.product.project,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=90,
        )

    @abstractmethod
    def arguments(self, prompt: str) -> list[str]:
        """Return the command line of one headless turn."""

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """Return what points the agent at the fake model."""

    @abstractmethod
    def prepare(self) -> None:
        """Write the configuration an operator would have."""

    @property
    @abstractmethod
    def settings(self) -> Path:
        """The file setup changes or creates."""

    @abstractmethod
    def shell(self, command: str) -> Call:
        """Return the call of the agent's own shell tool."""

    def ran(self, name: str = "dangerous-ran") -> bool:
        return (self.product.project / name).exists()

    def govern(self, *options: str) -> None:
        """A running gateway, and this agent set up on it."""
        self.product.init()
        self.product.start()
        self.product.cli("setup", self.command, *options, "--yes")
        self.product.wait_ready()

    def failures(self) -> list[dict[str, str]]:
        return hook_failures(self.product)


def hook_failures(product: Product) -> list[dict[str, str]]:
    """Return what hooks wrote down that could not get a decision."""
    log = product.data / "logs" / "hook-failures.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()]


def plant_credentials(product: Product) -> None:
    credentials = product.home / ".aws" / "credentials"
    credentials.parent.mkdir()
    credentials.write_text("[default]\naws_access_key_id = of-nobody\n")


def plant_questionable(product: Product) -> None:
    notes = product.home / ".gnupg" / "notes"
    notes.parent.mkdir()
    notes.write_text("of-nobody\n")


def github_token() -> str:
    """A token of the right shape and checksum that belongs to nobody."""
    body = "x7Qk2mZp9Rt4Wv1Yb6Nc8Ld3Hf5Js0"
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    number, check = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, rest = divmod(number, 62)
        check = digits[rest] + check
    return "gh" + "p_" + body + check


class Silenced(list[Step]):
    """A script before whose first step the gateway is replaced by a port that never answers.

    It lasts until the model is asked for the next step, so that no later hook waits as well.
    """

    def __init__(self, product: Product, *steps: Step) -> None:
        super().__init__(steps)
        self._product = product
        self._port: socket.socket | None = None

    def __getitem__(self, place: Any) -> Any:
        self.release()
        if place == 0 and self._product.gateway is not None:
            self._product.stop()
            self._port = socket.create_server(("127.0.0.1", self._product.port))
        return super().__getitem__(place)

    def release(self) -> None:
        if self._port is not None:
            self._port.close()


class Contract:
    """Tests; the subclass provides the fixture ``agent``."""

    @pytest.fixture
    def action(self, agent: Agent) -> Agent:
        """The agent set up in action mode on a running gateway."""
        plant_credentials(agent.product)
        agent.govern("--mode", "action")
        return agent

    def test_ungoverned_the_dangerous_call_runs(self, agent: Agent) -> None:
        """So that nobody but the guard is credited in the tests below."""
        plant_credentials(agent.product)
        agent.model.script = [agent.shell(DANGEROUS)]
        agent.run()
        assert agent.ran()
        assert "of-nobody" in agent.model.tool_results()[0]

    @pytest.mark.smoke
    @pytest.mark.cell("deny")
    def test_a_dangerous_call_is_denied_and_never_runs(self, action: Agent) -> None:
        action.model.script = [action.shell(DANGEROUS), Say("I was stopped.")]
        done = action.run()
        assert "I was stopped." in done.stdout
        assert not action.ran()
        (shown,) = action.model.tool_results()
        assert "DefenseClaw" in shown
        assert "PATH-AWS-CREDS" in shown
        assert "of-nobody" not in action.model.everything()
        (row,) = action.product.hook_rows(action.before_call)
        assert (row["action"], row["severity"], row["enforced"]) == ("block", "CRITICAL", True)

    @pytest.mark.smoke
    @pytest.mark.cell("allow")
    def test_a_harmless_call_runs(self, action: Agent) -> None:
        action.model.script = [action.shell("echo dc-harmless > out.txt; cat out.txt")]
        action.run()
        assert "dc-harmless" in action.model.tool_results()[0]
        assert [row["action"] for row in action.product.hook_rows(action.before_call)] == ["allow"]
        assert action.product.hook_rows(action.on_prompt)[0]["action"] == "allow"

    @pytest.mark.cell("replacement")
    def test_a_leaked_secret_is_replaced_before_the_model_sees_it(self, action: Agent) -> None:
        token = github_token()
        (action.product.project / "notes.txt").write_text(f"first line\nuse {token} today\nlast line\n")
        action.model.script = [action.shell("cat notes.txt")]
        action.run()
        (shown,) = action.model.tool_results()
        assert token not in action.model.everything()
        assert "first line" in shown
        assert "last line" in shown
        assert "<redacted" in shown
        (row,) = action.product.hook_rows(action.after_call)
        assert "SEC-GITHUB-TOKEN" in row["rule_ids"]

    @pytest.mark.cell("prompt")
    def test_a_prompt_that_is_refused_never_reaches_the_model(self, action: Agent) -> None:
        token = github_token()
        action.run(f"deploy with {token} please")
        rows = action.product.hook_rows(action.on_prompt)
        assert [row["action"] for row in rows] == ["block"]
        assert token not in action.model.everything()

    @pytest.mark.cell("ask")
    def test_a_question_nobody_can_answer_denies_the_call(self, agent: Agent) -> None:
        """Headless there is nobody. An agent that cannot ask at all is answered by a refusal of ours."""
        plant_questionable(agent.product)
        agent.govern("--mode", "action", "--human-approval")
        agent.model.script = [agent.shell(QUESTIONABLE), Say("I was stopped.")]
        done = agent.run()
        assert "I was stopped." in done.stdout
        assert not agent.ran()
        (shown,) = agent.model.tool_results()
        assert "DefenseClaw" in shown
        assert "of-nobody" not in agent.model.everything()
        (row,) = agent.product.hook_rows(agent.before_call)
        assert (row["action"], row["raw_action"]) == ("confirm" if agent.asks else "block", "confirm")
        assert "PATH-GNUPG" in row["rule_ids"]

    @pytest.mark.cell("observe")
    def test_observe_mode_records_and_lets_the_agent_work(self, agent: Agent) -> None:
        plant_credentials(agent.product)
        agent.govern()
        agent.model.script = [agent.shell(DANGEROUS)]
        agent.run()
        assert agent.ran()
        (row,) = agent.product.hook_rows(agent.before_call)
        assert (row["action"], row["raw_action"], row["would_block"]) == ("allow", "block", True)

    @pytest.mark.cell("down-closed")
    def test_closed_mode_blocks_when_the_gateway_is_down(self, action: Agent) -> None:
        action.product.stop()
        action.model.script = [action.shell("touch harmless-ran")]
        action.run()
        assert not action.ran("harmless-ran")
        assert {each["fail_mode"] for each in action.failures()} == {"closed"}

    @pytest.mark.cell("down-closed")
    def test_closed_mode_blocks_a_call_when_the_gateway_dies_during_a_turn(self, action: Agent) -> None:
        call = action.shell("touch harmless-ran")

        class Dying(list[Step]):
            def __getitem__(self, place: Any) -> Any:
                if action.product.gateway is not None:
                    action.product.stop()
                return super().__getitem__(place)

        action.model.script = Dying([call])
        action.run()
        assert not action.ran("harmless-ran")
        assert "fails closed" in action.model.tool_results()[0]

    @pytest.mark.cell("hang")
    def test_closed_mode_denies_a_call_when_the_gateway_never_answers(self, action: Agent) -> None:
        """Accepted and never answered: ours gives up before the agent would."""
        call = action.shell("touch harmless-ran")
        script = Silenced(action.product, call, Say("I was stopped."))
        action.model.script = script
        try:
            action.run()  # ends within its 90 s
        finally:
            script.release()
        assert not action.ran("harmless-ran")
        assert "fails closed" in action.model.tool_results()[0]
        waited = [each for each in action.failures() if each["reason"] == "gateway timed out"]
        assert {(each["event"], each["fail_mode"]) for each in waited} == {(action.before_call, "closed")}
        assert action.product.hook_rows(action.before_call) == []

    @pytest.mark.cell("down-open")
    def test_open_mode_lets_the_agent_work_and_leaves_its_trace(self, agent: Agent) -> None:
        agent.product.init()
        agent.product.cli("setup", agent.command, "--mode", "action", "--fail-mode", "open", "--yes")
        agent.model.script = [agent.shell("touch harmless-ran")]
        agent.run()
        assert agent.ran("harmless-ran")
        assert {each["fail_mode"] for each in agent.failures()} == {"open"}
        assert {each["event"] for each in agent.failures()} >= {agent.before_call, agent.after_call}

    @pytest.mark.smoke
    @pytest.mark.cell("teardown")
    def test_setup_and_removal_leave_no_trace(self, agent: Agent) -> None:
        agent.product.init()
        before, own = agent.product.tree(), agent.product.own_files()
        agent.product.cli("setup", agent.command, "--mode", "action", "--yes")
        assert agent.product.tree() != before
        assert agent.product.own_files() > own
        agent.product.cli("setup", "remove", agent.command, "--yes")
        assert agent.product.tree() == before
        assert agent.product.own_files() <= own

    @pytest.mark.cell("teardown")
    def test_after_a_turn_removal_still_restores_the_settings(self, agent: Agent) -> None:
        before = agent.settings.read_bytes() if agent.settings.exists() else None
        agent.govern("--mode", "action")
        agent.run()
        assert agent.product.hook_rows(agent.on_prompt)
        agent.product.cli("setup", "remove", agent.command, "--yes")
        assert (agent.settings.read_bytes() if agent.settings.exists() else None) == before
        agent.model.script = [agent.shell("touch free-again")]
        agent.run()
        assert agent.ran("free-again")
        assert len(agent.product.hook_rows(agent.before_call)) == 0


class Impatient(Agent):
    """An agent with a limit of its own on how long a hook may take."""

    @abstractmethod
    def shorten_limits(self) -> None:
        """Set the limit of every hook of ours in the agent's settings to :data:`SHORT_LIMIT_S`."""


class OwnLimit:
    """What an agent does that stops waiting for our hook, beside :class:`Contract`."""

    @pytest.mark.cell("timeout")
    def test_a_hook_that_the_agent_itself_times_out_lets_the_call_run(self, action: Impatient) -> None:
        """The gap that the agent's page names; as installed, ours answers well before."""
        action.shorten_limits()
        script = Silenced(action.product, action.shell("touch harmless-ran; echo it-ran"), Say("done"))
        action.model.script = script
        try:
            action.run()
        finally:
            script.release()
        assert action.ran("harmless-ran")
        assert "it-ran" in action.model.tool_results()[0]
        assert action.product.hook_rows(action.before_call) == []
        assert len(action.product.hook_rows(action.on_prompt)) == 1


class Delegating(Agent):
    """An agent that starts sub-agents."""

    @abstractmethod
    def delegate(self, task: str) -> Call:
        """Return the call that starts one."""

    def conclude(self) -> Call | Say:
        """Return how a sub-agent ends its work."""
        return Say("I was stopped.")


class SubAgents:
    """Sub-agents' calls meet the same hooks, beside :class:`Contract`."""

    @pytest.mark.cell("sub-agent")
    def test_a_sub_agents_call_is_governed_like_the_main_agents(self, action: Delegating) -> None:
        action.model.script = [
            action.delegate(f"{action.model.subagent_marker}: look around"),
            Say("It was stopped.", after_subagent=True),
        ]
        action.model.subagent_script = [action.shell(DANGEROUS), action.conclude()]
        done = action.run()
        assert "It was stopped." in done.stdout
        assert action.model.subagent_ended.is_set()
        assert not action.ran()
        assert len([shown for shown in action.model.tool_results() if "PATH-AWS-CREDS" in shown]) == 1
        assert "of-nobody" not in action.model.everything()
        rows = action.product.hook_rows(action.before_call)
        (blocked,) = [row for row in rows if row["action"] == "block"]
        assert (blocked["severity"], blocked["enforced"]) == ("CRITICAL", True)
        assert len(rows) > 1  # the call that started it
