"""The real OmniGent, governed through its policy API: six phases, native approvals, replacement, teardown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e import agents
from tests.e2e.contract import (
    DANGEROUS,
    QUESTIONABLE,
    Silenced,
    github_token,
    hook_failures,
    plant_credentials,
    plant_questionable,
)
from tests.e2e.fake_model import Call, FakeModel, Say
from tests.e2e.omnigent_machine import OmniGent
from tests.e2e.product import Product

pytestmark = [pytest.mark.smoke, pytest.mark.agent("omnigent")]

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
    plant_credentials(product)
    product.init()
    pth_of(omnigent).unlink(missing_ok=True)  # of a run that was killed; the environment is shared
    yield omnigent
    omnigent.stop()
    product.cli("setup", "guardrail", "--disable")
    product.stop()


def govern(machine: OmniGent, *options: str, mode: str = "action") -> None:
    machine.product.start()
    machine.product.cli("setup", "omnigent", "--mode", mode, "--yes", *options)
    machine.start()


def dangerous_ran(machine: OmniGent) -> bool:
    return (machine.product.project / "dangerous-ran").exists()


def shell(command: str) -> Call:
    return Call("sys_os_shell", {"command": command})


def pth_of(machine: OmniGent) -> Path:
    (library,) = (agents.omnigent().parent / "lib").glob("python3*/site-packages")
    return library / "defenseclaw_omnigent.pth"


def test_ungoverned_the_dangerous_call_runs(machine: OmniGent) -> None:
    """So that nobody but the guard is credited in the tests below."""
    machine.start()
    machine.model.script = [shell(DANGEROUS), Say("finished")]
    machine.turn("please look it up")
    assert dangerous_ran(machine)
    assert "of-nobody" in machine.model.tool_results()[0]


@pytest.mark.cell("allow", "deny")
def test_one_turn_fires_the_phases_and_a_dangerous_call_is_denied(machine: OmniGent) -> None:
    govern(machine)
    assert "defenseclaw_guardrail" in json.dumps(machine.policies())
    machine.model.script = [shell(DANGEROUS), Call("note", {"text": "hello"}), Say("finished")]
    machine.turn("please keep a note")
    assert not dangerous_ran(machine)
    denied, noted = machine.model.tool_results()
    assert "PATH-AWS-CREDS" in denied
    assert "noted: hello" in noted
    assert machine.notes.read_text() == "hello\n"
    assert "of-nobody" not in machine.model.everything()
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


@pytest.mark.cell("ask")
@pytest.mark.parametrize(("answer", "ran"), [("accept", True), ("decline", False)])
def test_a_confirm_parks_the_call_until_a_person_answers(machine: OmniGent, answer: str, ran: bool) -> None:
    govern(machine, "--human-approval")
    plant_questionable(machine.product)
    machine.model.script = [shell(QUESTIONABLE), Say("finished")]
    outcome = machine.turn("please look it up", answer=answer)
    assert len(outcome["asked"]) == 1
    assert "PATH-GNUPG" in json.dumps(outcome["asked"])
    assert dangerous_ran(machine) is ran
    assert ("of-nobody" in machine.model.everything()) is ran
    assert "confirm" in [row["action"] for row in machine.product.hook_rows("PreToolUse")]


@pytest.mark.cell("prompt")
def test_a_refused_prompt_never_reaches_the_model(machine: OmniGent) -> None:
    govern(machine)
    token = github_token()
    posted = machine.turn(f"deploy with {token} please")["posted"]
    assert posted["denied"] is True
    assert "SEC-GITHUB-TOKEN" in posted["reason"]
    assert token not in machine.model.everything()
    rows = machine.product.hook_rows("UserPromptSubmit")
    assert [(row["action"], row["enforced"]) for row in rows] == [("block", True)]


@pytest.mark.cell("sub-agent")
def test_a_sub_agents_call_is_governed_like_the_main_agents(machine: OmniGent) -> None:
    govern(machine)
    task = {"agent": machine.helper, "args": f"{machine.model.subagent_marker}: look around"}
    machine.model.script = [Call("sys_session_send", task), Say("finished", after_subagent=True)]
    machine.model.subagent_script = [shell(DANGEROUS), Say("I was stopped.")]
    machine.turn("please delegate it")
    assert machine.model.subagent_ended.is_set()
    assert not dangerous_ran(machine)
    assert [shown for shown in machine.model.tool_results() if "PATH-AWS-CREDS" in shown]
    assert "of-nobody" not in machine.model.everything()
    rows = [row for row in machine.product.rows() if row["target"] == "PreToolUse"]
    assert len({row["session_id"] for row in rows}) == 2
    actions = [row["action"] for row in machine.product.hook_rows("PreToolUse")]
    assert sorted(actions) == ["allow", "block"]


@pytest.mark.cell("observe")
def test_observe_mode_records_and_lets_the_agent_work(machine: OmniGent) -> None:
    govern(machine, mode="observe")
    machine.model.script = [shell(DANGEROUS), Say("finished")]
    machine.turn("please look it up")
    assert dangerous_ran(machine)
    assert "of-nobody" in machine.model.tool_results()[0]
    (row,) = machine.product.hook_rows("PreToolUse")
    assert (row["action"], row["raw_action"], row["would_block"]) == ("allow", "block", True)


@pytest.mark.cell("hang")
def test_closed_mode_denies_a_call_when_the_gateway_never_answers(machine: OmniGent) -> None:
    """Nor is the model asked again: that would be another question to the gateway."""
    govern(machine)
    script = Silenced(machine.product, Call("note", {"text": "closed"}), Say("finished"))
    machine.model.script = script
    try:
        machine.turn("please keep a note")
    finally:
        script.release()
    assert not machine.notes.exists()
    assert machine.product.hook_rows("PreToolUse") == []
    failures = hook_failures(machine.product)
    assert ("PreToolUse", "gateway timed out", "closed") in {
        (each["event"], each["reason"], each["fail_mode"]) for each in failures
    }


@pytest.mark.cell("replacement")
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


@pytest.mark.cell("down-closed", "down-open")
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


@pytest.mark.cell("teardown")
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


@pytest.mark.cell("teardown")
def test_teardown_after_the_operator_edited_the_file_removes_only_what_is_ours(machine: OmniGent) -> None:
    product = machine.product
    product.cli("setup", "omnigent", "--yes")
    machine.config.write_text("# added later\n" + machine.config.read_text())
    product.cli("setup", "guardrail", "--disable")
    assert machine.config.read_text() == "# added later\n" + CONFIG
    assert not pth_of(machine).exists()
