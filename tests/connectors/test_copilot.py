"""Copilot CLI: its recorded events in, its answers out, and its hooks file there and back."""

import json

import pytest
from tests.connectors.answers_contract import AnswersContract
from tests.connectors.scripted_contract import FINDING, EntriesContract, ProjectContract

from defenseclaw.connectors import copilot, files, runtime
from defenseclaw.connectors.base import HookCall
from defenseclaw.vocabulary import Action, EventKind

COPILOT = copilot.CONNECTOR
REASON = "not here"


FOREIGN = [
    b"",
    b'{"version":1,"hooks":{}}',
    b'{\r\n\t"version": 1,\r\n\t"hooks": {"preToolUse": [{"type": "command", "bash": "mine"}], "x": []}}\r\n',
    b'{"hooks": {"agentStop": [{"bash": "mine", "cwd": "."}, {"powershell": "p"}]}, "note": "\xc3\xa9"}',
]


class TestCopilotContract(AnswersContract, EntriesContract, ProjectContract):
    connector = COPILOT
    version = "1.0.102"
    too_old = "1.0.17"
    override = "COPILOT_HOME"
    moved = "hooks/defenseclaw.json"
    foreign = FOREIGN
    malformed = (
        b"[]",
        b'{"hooks":[]}',
        b'{"hooks":{"preToolUse":{}}}',
        b'{"hooks":{"preToolUse":["x"]}}',
        b"{broken",
    )
    note = "trusts the folder"

    def spoil(self, path):
        content = json.loads(path.read_text())
        del content["hooks"]["postToolUse"]
        path.write_text(json.dumps(content))
        return "postToolUse"


CONTRACT = TestCopilotContract()
golden, decode, install = CONTRACT.golden, CONTRACT.decode, CONTRACT.install


@pytest.fixture
def machine(host, executable):
    executable("copilot", 'test "$1" = version && echo "GitHub Copilot CLI 1.0.102"')
    return host


# ---- events in ------------------------------------------------------------------------------------

CALL = {"command": "echo dc-probe-123", "description": "probe"}
TEXT = "dc-probe-123\n<shellId: 0 completed with exit code 0>"
RECORDED = [
    ("sessionStart", EventKind.LIFECYCLE, {"extra": {"source": "new"}}),
    ("userPromptSubmitted", EventKind.PROMPT, {"text": "please run the probe"}),
    ("preToolUse", EventKind.TOOL_CALL, {"tool": "bash", "args": CALL}),
    ("permissionRequest", EventKind.TOOL_CALL, {"tool": "bash", "args": {"command": "echo dc-probe-123"}}),
    (
        "postToolUse",
        EventKind.TOOL_RESULT,
        {"tool": "bash", "args": CALL, "result": {"resultType": "success", "textResultForLlm": TEXT}},
    ),
    ("agentStop", EventKind.COMPLETION, {"extra": {"reason": "end_turn"}}),
    ("sessionEnd", EventKind.LIFECYCLE, {"extra": {"reason": "complete"}}),
]


@pytest.mark.parametrize(("name", "kind", "fields"), RECORDED, ids=[each[0] for each in RECORDED])
def test_recorded_events(name, kind, fields):
    event = decode(name)
    assert (event.name, event.kind, event.connector) == (name, kind, "copilot")
    assert event.cwd == "/home/user/project"
    assert event.correlation.session_id == golden(name)["sessionId"]
    for field, wanted in fields.items():
        assert getattr(event, field) == wanted


@pytest.mark.parametrize(
    ("recorded", "name", "kind"),
    [
        ("SessionStart", "sessionStart", EventKind.LIFECYCLE),
        ("UserPromptSubmit", "userPromptSubmitted", EventKind.PROMPT),
        ("PreToolUse", "preToolUse", EventKind.TOOL_CALL),
        ("PermissionRequest", "permissionRequest", EventKind.TOOL_CALL),
        ("PostToolUse", "postToolUse", EventKind.TOOL_RESULT),
        ("Stop", "agentStop", EventKind.COMPLETION),
        ("SessionEnd", "sessionEnd", EventKind.LIFECYCLE),
    ],
)
def test_the_other_spelling_is_the_same_event(recorded, name, kind):
    body = golden(f"pascalcase.{recorded}")
    event = COPILOT.decode(HookCall(payload=body))
    assert (event.name, event.kind) == (name, kind)
    assert event.correlation.session_id == body.get("session_id", body.get("sessionId"))
    if kind is EventKind.TOOL_CALL:
        assert event.args["command"] == "echo dc-probe-123"
    if kind is EventKind.TOOL_RESULT:
        assert event.result == {"result_type": "success", "text_result_for_llm": TEXT}


def test_a_result_is_not_taken_for_a_call():
    """The payload names no event: without the command line a result would look like a second call."""
    assert decode("postToolUse").kind is EventKind.TOOL_RESULT
    assert COPILOT.decode(HookCall(payload=golden("postToolUse"))).kind is EventKind.TOOL_RESULT


@pytest.mark.parametrize(
    ("given_args", "args"),
    [
        ('{"command": "ls"}', {"command": "ls"}),
        ("ls -l", {"input": "ls -l"}),
        ("[1]", {"input": [1]}),
        ("[" * 100_000, {"input": "[" * 100_000}),
        (None, {}),
    ],
)
def test_arguments_of_other_shapes(given_args, args):
    assert decode("preToolUse", toolArgs=given_args).args == args


def test_a_failure_is_its_error():
    event = COPILOT.decode(
        HookCall(payload={"toolName": "bash", "error": "no such file"}, header_event="postToolUseFailure")
    )
    assert (event.kind, event.result) == (EventKind.TOOL_RESULT, "no such file")


# ---- answers out ----------------------------------------------------------------------------------

BLOCKED = {"decision": "block", "reason": REASON}
ANSWERS = [
    ("preToolUse", Action.BLOCK, {"permissionDecision": "deny", "permissionDecisionReason": REASON}),
    ("preToolUse", Action.CONFIRM, {"permissionDecision": "ask", "permissionDecisionReason": REASON}),
    ("preToolUse", Action.ALERT, None),
    ("permissionRequest", Action.BLOCK, {"behavior": "deny", "message": REASON}),
    ("permissionRequest", Action.CONFIRM, None),
    ("userPromptSubmitted", Action.BLOCK, BLOCKED),
    ("postToolUse", Action.BLOCK, BLOCKED),
    ("postToolUse", Action.ALERT, None),
    ("postToolUseFailure", Action.BLOCK, None),
    ("agentStop", Action.BLOCK, BLOCKED),
    ("subagentStop", Action.BLOCK, BLOCKED),
    ("sessionStart", Action.BLOCK, None),
]


@pytest.mark.parametrize(("name", "action", "want"), ANSWERS, ids=[f"{a}-{b}" for a, b, _ in ANSWERS])
def test_answers(name, action, want, verdict):
    event = COPILOT.decode(HookCall(header_event=name))
    answer = COPILOT.encode(event, verdict(action, findings=(FINDING,)))
    assert (answer.exit_code, answer.stderr, answer.output_field) == (0, "", "hook_output")
    assert (json.loads(answer.stdout) if answer.stdout else None) == want


def test_a_stop_is_not_blocked_twice(verdict):
    event = decode("agentStop", stop_hook_active=True)
    assert event.abilities.can_block is False
    assert COPILOT.encode(event, verdict(Action.BLOCK)).stdout == b""


def test_the_permission_prompt_is_itself_the_question():
    assert decode("permissionRequest").abilities.can_ask is True


@pytest.mark.parametrize("action", [Action.ALERT, Action.BLOCK])
@pytest.mark.parametrize(
    ("recorded", "replacement", "kind", "text"),
    [
        ("postToolUse", {"resultType": "success", "textResultForLlm": "<redacted>"}, "success", "<redacted>"),
        (
            "pascalcase.PostToolUse",
            {"result_type": "success", "text_result_for_llm": "<redacted>"},
            "success",
            "<redacted>",
        ),
        ("postToolUse", "withheld", "success", "withheld"),
        ("postToolUse", {"resultType": "success", "textResultForLlm": ""}, "success", ""),
        ("postToolUse", {"other": "<redacted>"}, "success", '{"other":"<redacted>"}'),
    ],
)
def test_a_masked_result_takes_the_place_of_the_result(verdict, action, recorded, replacement, kind, text):
    event = COPILOT.decode(HookCall(payload=golden(recorded), header_event="postToolUse"))
    answer = COPILOT.encode(event, verdict(action, replacement=replacement))
    assert answer.output == {"modifiedResult": {"resultType": kind, "textResultForLlm": text}}


# ---- the hooks file -------------------------------------------------------------------------------


def test_installed_entries(machine):
    install(machine)
    content = json.loads(COPILOT.settings_path(machine).read_text())
    assert content["version"] == 1
    assert set(content["hooks"]) == set(COPILOT.events(""))
    command = COPILOT.command(machine, "preToolUse")
    assert command.endswith("' preToolUse")
    assert content["hooks"]["preToolUse"] == [{"type": "command", "bash": command, "timeoutSec": 30}]


def test_the_timeout_is_longer_than_the_scripts_own():
    assert copilot._TIMEOUT_S > runtime.TOTAL_TIMEOUT_S


@pytest.mark.parametrize("place", [0, 1])
def test_an_operators_entries_survive_teardown(machine, place):
    install(machine)
    path = COPILOT.settings_path(machine)
    content = json.loads(path.read_text())
    content["hooks"]["preToolUse"].insert(place, {"type": "command", "bash": "mine"})
    content["mine"] = True
    path.write_text(json.dumps(content))
    files.restore(machine, COPILOT)
    assert json.loads(path.read_text()) == {
        "version": 1,
        "hooks": {"preToolUse": [{"type": "command", "bash": "mine"}]},
        "mine": True,
    }


def test_a_rewritten_file_of_ours_goes_with_us(machine):
    install(machine)
    path = COPILOT.settings_path(machine)
    path.write_text(json.dumps(json.loads(path.read_text())))
    files.restore(machine, COPILOT)
    assert not (machine.home / ".copilot").exists()


def test_an_entry_somebody_changed_is_put_right(machine):
    install(machine)
    path = COPILOT.settings_path(machine)
    whole = json.loads(path.read_text())
    changed = json.loads(path.read_text())
    changed["hooks"]["preToolUse"][0]["timeoutSec"] = 1
    changed["hooks"]["preToolUse"].append(changed["hooks"]["preToolUse"][0])
    path.write_text(json.dumps(changed))
    assert COPILOT.detect(machine).configured is False
    install(machine)
    assert json.loads(path.read_text()) == whole
