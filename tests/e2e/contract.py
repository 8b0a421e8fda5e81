"""What every governed agent is held to, driven for real: one class of tests per agent inherits these."""

from __future__ import annotations

import json
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
        """What the hook script wrote down."""
        log = self.product.data / "logs" / "hook-failures.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()]


def plant_credentials(product: Product) -> None:
    credentials = product.home / ".aws" / "credentials"
    credentials.parent.mkdir()
    credentials.write_text("[default]\naws_access_key_id = of-nobody\n")


def github_token() -> str:
    """A token of the right shape and checksum that belongs to nobody."""
    body = "x7Qk2mZp9Rt4Wv1Yb6Nc8Ld3Hf5Js0"
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    number, check = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, rest = divmod(number, 62)
        check = digits[rest] + check
    return "gh" + "p_" + body + check


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
    def test_a_harmless_call_runs(self, action: Agent) -> None:
        action.model.script = [action.shell("echo dc-harmless > out.txt; cat out.txt")]
        action.run()
        assert "dc-harmless" in action.model.tool_results()[0]
        assert [row["action"] for row in action.product.hook_rows(action.before_call)] == ["allow"]
        assert action.product.hook_rows(action.on_prompt)[0]["action"] == "allow"

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

    def test_a_prompt_that_is_refused_never_reaches_the_model(self, action: Agent) -> None:
        token = github_token()
        action.run(f"deploy with {token} please")
        rows = action.product.hook_rows(action.on_prompt)
        assert [row["action"] for row in rows] == ["block"]
        assert token not in action.model.everything()

    def test_observe_mode_records_and_lets_the_agent_work(self, agent: Agent) -> None:
        plant_credentials(agent.product)
        agent.govern()
        agent.model.script = [agent.shell(DANGEROUS)]
        agent.run()
        assert agent.ran()
        (row,) = agent.product.hook_rows(agent.before_call)
        assert (row["action"], row["raw_action"], row["would_block"]) == ("allow", "block", True)

    def test_closed_mode_blocks_when_the_gateway_is_down(self, action: Agent) -> None:
        action.product.stop()
        action.model.script = [action.shell("touch harmless-ran")]
        action.run()
        assert not action.ran("harmless-ran")
        assert {each["fail_mode"] for each in action.failures()} == {"closed"}

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

    def test_open_mode_lets_the_agent_work_and_leaves_its_trace(self, agent: Agent) -> None:
        agent.product.init()
        agent.product.cli("setup", agent.command, "--mode", "action", "--fail-mode", "open", "--yes")
        agent.model.script = [agent.shell("touch harmless-ran")]
        agent.run()
        assert agent.ran("harmless-ran")
        assert {each["fail_mode"] for each in agent.failures()} == {"open"}
        assert {each["event"] for each in agent.failures()} >= {agent.before_call, agent.after_call}

    @pytest.mark.smoke
    def test_setup_and_removal_leave_no_trace(self, agent: Agent) -> None:
        agent.product.init()
        before = agent.product.tree()
        agent.product.cli("setup", agent.command, "--mode", "action", "--yes")
        assert agent.product.tree() != before
        agent.product.cli("setup", "remove", agent.command, "--yes")
        assert agent.product.tree() == before

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
