"""The real Claude Code, governed: what it is denied never happens, what it is allowed does."""

from __future__ import annotations

import json
import zlib

import pytest
from tests.e2e.conftest import Claude
from tests.e2e.fake_model import Call, Say
from tests.e2e.product import Product

pytestmark = pytest.mark.smoke

MARKER = "touch dangerous-ran; "
DANGEROUS = MARKER + 'cat "$HOME/.aws/credentials"'
"""Reads a credential file of the scratch HOME; its contents are made up, the rule is real."""


def bash(command: str) -> Call:
    return Call("Bash", {"command": command, "description": "a step"})


def dangerous_ran(product: Product) -> bool:
    return (product.project / "dangerous-ran").exists()


@pytest.fixture
def action(claude: Claude) -> Claude:
    """Claude Code set up in action mode on a running gateway."""
    product = claude.product
    credentials = product.home / ".aws" / "credentials"
    credentials.parent.mkdir()
    credentials.write_text("[default]\naws_access_key_id = made-up\n")
    product.init()
    product.start()
    product.cli("setup", "claude-code", "--mode", "action", "--yes")
    product.wait_ready()
    return claude


def github_token() -> str:
    """A token of the right shape and checksum that belongs to nobody."""
    body = "x7Qk2mZp9Rt4Wv1Yb6Nc8Ld3Hf5Js0"
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    number, check = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, rest = divmod(number, 62)
        check = digits[rest] + check
    return "gh" + "p_" + body + check


def test_ungoverned_the_dangerous_call_runs(claude: Claude) -> None:
    """So that nobody but the guard is credited in the tests below."""
    (claude.product.home / ".aws").mkdir()
    (claude.product.home / ".aws" / "credentials").write_text("made-up\n")
    claude.model.script = [bash(DANGEROUS)]
    claude.run()
    assert dangerous_ran(claude.product)
    assert "made-up" in claude.model.tool_results()[0]


def test_a_dangerous_call_is_denied_and_never_runs(action: Claude) -> None:
    action.model.script = [bash(DANGEROUS), Say("I was stopped.")]
    done = action.run()
    assert done.stdout.strip() == "I was stopped."
    assert not dangerous_ran(action.product)
    (shown,) = action.model.tool_results()
    assert "DefenseClaw" in shown
    assert "PATH-AWS-CREDS" in shown
    assert "made-up" not in action.model.everything()
    (row,) = action.product.hook_rows("PreToolUse")
    assert (row["action"], row["severity"], row["enforced"]) == ("block", "CRITICAL", True)


def test_a_harmless_call_runs(action: Claude) -> None:
    action.model.script = [bash("echo dc-harmless > out.txt; cat out.txt")]
    action.run()
    assert "dc-harmless" in action.model.tool_results()[0]
    assert [row["action"] for row in action.product.hook_rows("PreToolUse")] == ["allow"]
    assert action.product.hook_rows("UserPromptSubmit")[0]["action"] == "allow"


def test_a_leaked_secret_is_replaced_before_the_model_sees_it(action: Claude) -> None:
    token = github_token()
    (action.product.project / "notes.txt").write_text(f"first line\ndeploy with {token} today\nlast line\n")
    action.model.script = [bash("cat notes.txt")]
    action.run()
    (shown,) = action.model.tool_results()
    assert token not in action.model.everything()
    assert "first line" in shown
    assert "last line" in shown
    assert "<redacted" in shown
    (row,) = action.product.hook_rows("PostToolUse")
    assert "SEC-GITHUB-TOKEN" in row["rule_ids"]


def test_a_sub_agents_call_is_governed_like_the_main_agents(action: Claude) -> None:
    task = {"description": "delegate", "prompt": "SUBAGENT-TASK", "subagent_type": "general-purpose"}
    action.model.script = [Call("Agent", task), Say("main done")]
    action.model.subagent_script = [bash(DANGEROUS), Say("sub was stopped")]
    action.run()
    assert not dangerous_ran(action.product)
    shown = action.model.tool_results()
    assert any("PATH-AWS-CREDS" in each for each in shown)
    blocked = [row for row in action.product.hook_rows("PreToolUse") if row["action"] == "block"]
    assert len(blocked) == 1


def test_observe_mode_records_and_lets_the_agent_work(claude: Claude) -> None:
    product = claude.product
    (product.home / ".aws").mkdir()
    (product.home / ".aws" / "credentials").write_text("made-up\n")
    product.init()
    product.start()
    product.cli("setup", "claude-code", "--yes")
    claude.model.script = [bash(DANGEROUS)]
    claude.run()
    assert dangerous_ran(product)
    (row,) = product.hook_rows("PreToolUse")
    assert (row["action"], row["raw_action"], row["would_block"]) == ("allow", "block", True)


def test_closed_mode_blocks_when_the_gateway_is_down(action: Claude) -> None:
    action.product.stop()
    action.model.script = [bash("touch harmless-ran")]
    action.run()
    assert not (action.product.project / "harmless-ran").exists()
    failures = (action.product.data / "logs" / "hook-failures.jsonl").read_text().splitlines()
    assert {json.loads(line)["fail_mode"] for line in failures} == {"closed"}


def test_open_mode_lets_the_agent_work_and_leaves_its_trace(claude: Claude) -> None:
    product = claude.product
    product.init()
    product.cli("setup", "claude-code", "--mode", "action", "--fail-mode", "open", "--yes")
    claude.model.script = [bash("touch harmless-ran")]
    claude.run()
    assert (product.project / "harmless-ran").exists()
    failures = (product.data / "logs" / "hook-failures.jsonl").read_text().splitlines()
    assert {json.loads(line)["fail_mode"] for line in failures} == {"open"}


def test_the_agents_environment_tightens_the_fail_mode_and_never_loosens_it(action: Claude) -> None:
    action.product.stop()
    action.model.script = [bash("touch harmless-ran")]
    action.run(DEFENSECLAW_FAIL_MODE="open")
    assert not (action.product.project / "harmless-ran").exists()
