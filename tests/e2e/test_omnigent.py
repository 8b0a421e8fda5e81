"""The real OmniGent, governed through its policy API: six phases, native approvals, replacement, teardown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e import agents
from tests.e2e.fake_model import Call, FakeModel, Say
from tests.e2e.omnigent_machine import OmniGent
from tests.e2e.product import Product
from tests.e2e.test_claude_code import DANGEROUS, dangerous_ran, github_token

pytestmark = pytest.mark.smoke

CONFIG = """\
# kept by the operator
server:
    log_level: info   # chatty

on: [first, second]
"""


@pytest.fixture
def machine(tmp_path: Path, model: FakeModel) -> Iterator[OmniGent]:
    """OmniGent installed, its configuration written, nothing running."""
    product = Product(tmp_path / "m", agent_path=(agents.omnigent(),))
    omnigent = OmniGent(product, model)
    omnigent.config.parent.mkdir()
    omnigent.config.write_text(CONFIG)
    credentials = product.home / ".aws" / "credentials"
    credentials.parent.mkdir()
    credentials.write_text("[default]\naws_access_key_id = made-up\n")
    product.init()
    pth_of(omnigent).unlink(missing_ok=True)  # of a run that was killed; the environment is shared
    yield omnigent
    omnigent.stop()
    product.cli("setup", "guardrail", "--disable")
    product.stop()


def govern(machine: OmniGent, *options: str) -> None:
    machine.product.start()
    machine.product.cli("setup", "omnigent", "--mode", "action", "--yes", *options)
    machine.start()


def shell(command: str) -> Call:
    return Call("sys_os_shell", {"command": command})


def pth_of(machine: OmniGent) -> Path:
    (library,) = (agents.omnigent().parent / "lib").glob("python3*/site-packages")
    return library / "defenseclaw_omnigent.pth"


def test_one_turn_fires_the_phases_and_a_dangerous_call_is_denied(machine: OmniGent) -> None:
    govern(machine)
    assert "defenseclaw_guardrail" in json.dumps(machine.policies())
    machine.model.script = [shell(DANGEROUS), Call("note", {"text": "hello"}), Say("finished")]
    machine.turn("please keep a note")
    assert not dangerous_ran(machine.product)
    denied, noted = machine.model.tool_results()
    assert "PATH-AWS-CREDS" in denied
    assert "noted: hello" in noted
    assert machine.notes.read_text() == "hello\n"
    assert "made-up" not in machine.model.everything()
    for event in ("UserPromptSubmit", "BeforeModel", "PreToolUse", "PostToolUse", "AfterAgentResponse"):
        assert machine.product.hook_rows(event), event
    actions = [row["action"] for row in machine.product.hook_rows("PreToolUse")]
    assert sorted(actions) == ["allow", "block"]


def test_all_six_phases_with_the_claude_harness(machine: OmniGent) -> None:
    machine.harness = "claude-sdk"
    govern(machine)
    machine.model.script = [Call("note", {"text": "hello"}), Say("finished")]
    machine.turn("please keep a note")
    phases = (
        "UserPromptSubmit",
        "BeforeModel",
        "PreToolUse",
        "PostToolUse",
        "AfterModel",
        "AfterAgentResponse",
    )
    assert [phase for phase in phases if not machine.product.hook_rows(phase)] == []


@pytest.mark.parametrize(("answer", "ran"), [("accept", True), ("decline", False)])
def test_a_confirm_parks_the_call_until_a_person_answers(machine: OmniGent, answer: str, ran: bool) -> None:
    govern(machine, "--human-approval")
    (machine.product.home / ".gnupg").mkdir()
    (machine.product.home / ".gnupg" / "notes").write_text("made-up\n")
    machine.model.script = [shell('touch dangerous-ran; cat "$HOME/.gnupg/notes"'), Say("finished")]
    outcome = machine.turn("please look it up", answer=answer)
    assert len(outcome["asked"]) == 1
    assert "PATH-GNUPG" in json.dumps(outcome["asked"])
    assert dangerous_ran(machine.product) is ran
    assert "confirm" in [row["action"] for row in machine.product.hook_rows("PreToolUse")]


def test_a_secret_in_a_result_is_replaced(machine: OmniGent) -> None:
    govern(machine)
    token = github_token()
    (machine.product.project / "deploy.txt").write_text(f"first line\nuse {token} today\nlast line\n")
    machine.model.script = [shell("cat deploy.txt"), Say("finished")]
    machine.turn("please read it")
    (shown,) = machine.model.tool_results()
    assert token not in machine.model.everything()
    assert "first line" in shown
    assert "<redacted" in shown


def test_gateway_down_closed_denies_and_open_lets_work(machine: OmniGent) -> None:
    govern(machine)
    machine.product.stop()
    machine.model.script = [Call("note", {"text": "closed"}), Say("finished")]
    assert machine.turn("please keep a note")["posted"]["denied"] is True
    assert not machine.notes.exists()

    machine.product.cli("setup", "omnigent", "--mode", "action", "--fail-mode", "open", "--yes")
    machine.model.script = [Call("note", {"text": "open"}), Say("finished")]
    machine.turn("please keep a note")
    assert machine.notes.read_text() == "open\n"


def test_teardown_leaves_every_file_as_it_was(machine: OmniGent) -> None:
    before = machine.product.tree()
    product = machine.product
    product.cli("setup", "omnigent", "--yes")
    assert pth_of(machine).exists()
    product.cli("setup", "omnigent", "--yes")
    product.cli("setup", "guardrail", "--disable")
    assert machine.config.read_text() == CONFIG
    assert not pth_of(machine).exists()
    assert product.tree() == before
    assert not list(product.data.glob("hooks/*omnigent*"))


def test_teardown_after_the_operator_edited_the_file_removes_only_what_is_ours(machine: OmniGent) -> None:
    product = machine.product
    product.cli("setup", "omnigent", "--yes")
    machine.config.write_text("# added later\n" + machine.config.read_text())
    product.cli("setup", "guardrail", "--disable")
    assert machine.config.read_text() == "# added later\n" + CONFIG
    assert not pth_of(machine).exists()
