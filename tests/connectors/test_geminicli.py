"""Gemini CLI: its recorded events in, its answers out, and its settings there and back."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.connectors.answers_contract import AnswersContract
from tests.connectors.scripted_contract import FINDING, EntriesContract, SwitchedOffContract

from defenseclaw.connectors import files, geminicli, runtime
from defenseclaw.connectors.base import HookCall
from defenseclaw.errors import BadJson, SetupError
from defenseclaw.vocabulary import Action, EventKind

GEMINI = geminicli.CONNECTOR
REASON = "not here"


@pytest.fixture(autouse=True)
def unmanaged(tmp_path, monkeypatch):
    monkeypatch.setattr(type(GEMINI), "system_dirs", (tmp_path / "etc",))


MINE = '{"matcher": "x", "hooks": [{"type": "command", "command": "mine"}]}'
FOREIGN = [
    "",
    "{}",
    '{\r\n\t"model": {"name": "m"}, // why\r\n\t"hooks": {} /* none */\r\n}\r\n',
    f'{{"hooks": {{"BeforeTool": [{MINE}], "Notification": []}}, "z": 1}} // end',
    "// only this\n{\n}\n",
]
OFF = '{"hooksConfig": {"enabled": false}} // by somebody'
NAMED = '{"hooksConfig": {"disabled": ["other", "defenseclaw"]}}'


class TestGeminiContract(AnswersContract, EntriesContract, SwitchedOffContract):
    connector = GEMINI
    version = "0.61.0"
    too_old = "0.25.9"
    override = "GEMINI_CLI_HOME"
    moved = ".gemini/settings.json"
    foreign = FOREIGN
    malformed = (
        "[]",
        '{"hooks":[]}',
        '{"hooks":{"BeforeTool":{}}}',
        '{"a":1,}',
        "{broken",
        '{"hooks":{},"hooks":{}}',
    )
    switch = (
        (".gemini/settings.json", OFF, "hooksConfig.enabled"),
        (".gemini/settings.json", NAMED, "hooksConfig.disabled"),
        ("work/.gemini/settings.json", NAMED, "hooksConfig.disabled"),
        ("../etc/settings.json", OFF, "hooksConfig.enabled"),
        ("../etc/system-defaults.json", OFF, "hooksConfig.enabled"),
    )

    def spoil(self, path):
        content = json.loads(path.read_text())
        content["hooks"]["BeforeTool"][0]["matcher"] = "nothing"
        path.write_text(json.dumps(content))
        return "BeforeTool"


CONTRACT = TestGeminiContract()
golden, decode = CONTRACT.golden, CONTRACT.decode
install, put, value = CONTRACT.install, CONTRACT.put, CONTRACT.value


@pytest.fixture
def machine(host, executable):
    executable("gemini", "echo 0.61.0")
    return host


# ---- events in ------------------------------------------------------------------------------------

CALL = {"command": "echo dc-probe-123", "description": "probe"}
RECORDED = [
    ("SessionStart", EventKind.LIFECYCLE, {"extra": {"source": "startup"}}),
    ("BeforeAgent", EventKind.PROMPT, {"text": "please run the probe"}),
    ("BeforeTool", EventKind.TOOL_CALL, {"tool": "run_shell_command", "args": CALL}),
    (
        "AfterTool",
        EventKind.TOOL_RESULT,
        {"tool": "run_shell_command", "args": CALL, "result": golden("AfterTool")["tool_response"]},
    ),
    ("AfterAgent", EventKind.COMPLETION, {"text": "All done."}),
    ("SessionEnd", EventKind.LIFECYCLE, {"extra": {"reason": "exit"}}),
    ("BeforeModel", EventKind.PROMPT, {"model": "gemini-2.5-flash"}),
    ("AfterModel", EventKind.COMPLETION, {"model": "gemini-2.5-flash"}),
    ("BeforeToolSelection", EventKind.LIFECYCLE, {"text": ""}),
    ("PreCompress", EventKind.LIFECYCLE, {"extra": {"trigger": "auto"}}),
]


@pytest.mark.parametrize(("name", "kind", "fields"), RECORDED, ids=[each[0] for each in RECORDED])
def test_recorded_events(name, kind, fields):
    event = decode(name)
    assert (event.name, event.kind, event.connector) == (name, kind, "geminicli")
    assert event.cwd == "/home/user/project"
    assert event.correlation.session_id == golden(name)["session_id"]
    for field, wanted in fields.items():
        assert getattr(event, field) == wanted


def test_the_text_of_model_events():
    assert "please run the probe" in decode("BeforeModel").text
    response = golden("AfterModel")["llm_response"] | {"text": "said"}
    assert decode("AfterModel", llm_response=response).text == "said"


@pytest.mark.parametrize("request_body", [{}, {"messages": "x"}, {"messages": [1]}, {"messages": []}])
def test_a_model_event_of_another_shape_has_no_text(request_body):
    assert decode("BeforeModel", llm_request=request_body).text == ""


@pytest.mark.parametrize("wrong", ["rm -rf", ["x"], 1])
def test_arguments_that_are_no_object_are_refused(wrong):
    with pytest.raises(BadJson):
        decode("BeforeTool", tool_input=wrong)


def test_an_mcp_tool_names_its_server():
    assert decode("BeforeTool", mcp_context={"server_name": "github"}).mcp_server == "github"
    assert decode("BeforeTool", tool_name="mcp__files__read").mcp_server == "files"


# ---- answers out ----------------------------------------------------------------------------------

DENIED = {"decision": "deny", "reason": REASON}
NOTICE = {"systemMessage": "DefenseClaw: HIGH finding recorded, not stopped (CMD-RM-ROOT)"}
ANSWERS = [
    ("BeforeAgent", Action.BLOCK, DENIED),
    ("BeforeTool", Action.BLOCK, DENIED),
    ("BeforeTool", Action.CONFIRM, DENIED),
    ("BeforeTool", Action.ALERT, NOTICE),
    ("AfterTool", Action.BLOCK, DENIED),
    ("AfterTool", Action.ALERT, NOTICE),
    ("AfterAgent", Action.BLOCK, DENIED),
    ("BeforeModel", Action.BLOCK, DENIED),
    ("AfterModel", Action.BLOCK, None),
    ("AfterModel", Action.ALERT, None),
    ("SessionStart", Action.BLOCK, None),
]


@pytest.mark.parametrize(("name", "action", "want"), ANSWERS, ids=[f"{a}-{b}" for a, b, _ in ANSWERS])
def test_answers(name, action, want, verdict):
    event = GEMINI.decode(HookCall(payload={"hook_event_name": name}))
    answer = GEMINI.encode(event, verdict(action, findings=(FINDING,)))
    assert (answer.exit_code, answer.stderr, answer.output_field) == (0, "", "hook_output")
    assert (json.loads(answer.stdout) if answer.stdout else None) == want


def test_nobody_is_asked_since_nobody_may_be_there():
    assert not GEMINI.ask_events
    assert decode("BeforeTool").abilities.can_ask is False


def test_the_end_of_a_turn_is_not_denied_twice(verdict):
    event = decode("AfterAgent", stop_hook_active=True)
    assert event.abilities.can_block is False
    assert GEMINI.encode(event, verdict(Action.BLOCK)).stdout == b""


@pytest.mark.parametrize("action", [Action.ALERT, Action.BLOCK])
@pytest.mark.parametrize(
    ("replacement", "reason"),
    [
        ({"llmContent": "a <redacted>", "returnDisplay": "b"}, "a <redacted>"),
        ({"llmContent": [{"text": "a"}, "b", {"inlineData": {}}], "returnDisplay": ""}, "a\nb"),
        ("withheld", "withheld"),
        ({"other": "<redacted>"}, '{"other":"<redacted>"}'),
        ({"llmContent": "", "returnDisplay": ""}, REASON),
    ],
)
def test_a_masked_result_is_the_reason_the_model_reads_instead(verdict, action, replacement, reason):
    answer = GEMINI.encode(decode("AfterTool"), verdict(action, replacement=replacement))
    assert answer.output == {"decision": "deny", "reason": reason}


# ---- settings -------------------------------------------------------------------------------------


def test_installed_entries(machine):
    install(machine)
    hooks = value(GEMINI.settings_path(machine))["hooks"]
    assert set(hooks) == set(GEMINI.events(""))
    command = GEMINI.command(machine, "BeforeTool")
    handler = {"name": "defenseclaw", "type": "command", "command": command, "timeout": 30000}
    assert hooks["BeforeTool"] == [{"matcher": "*", "hooks": [handler]}]


def test_the_timeout_is_longer_than_the_scripts_own():
    assert geminicli._TIMEOUT_MS > runtime.TOTAL_TIMEOUT_S * 1000


remarks = st.text(alphabet="abé *'{", max_size=6)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=remarks, second=remarks, theirs=st.booleans(), added=st.integers())
def test_an_operators_edits_and_remarks_survive_teardown(machine, first, second, theirs, added):
    hooks = f'"hooks": {{"BeforeTool": [{MINE}]}}' if theirs else '"x": 1'
    path = put(machine, f"// 1 {first}\n{{ // 2 {second}\n  {hooks}\n}}\n")
    before = value(path)
    install(machine)
    text = path.read_text()
    at = text.index("\n", text.index("// 2"))
    path.write_text(f'{text[:at]}\n  "operator": {added}, // 3 {first}{text[at:]}')
    files.restore(machine, GEMINI)
    assert value(path) == before | {"operator": added}
    assert all(f"// {number}" in path.read_text() for number in (1, 2, 3))
    path.unlink()


def test_system_settings_are_looked_for_where_the_agent_looks(machine, tmp_path):
    (tmp_path / "named.json").write_text(OFF)
    named = replace(
        machine, env={**machine.env, "GEMINI_CLI_SYSTEM_SETTINGS_PATH": str(tmp_path / "named.json")}
    )
    with pytest.raises(SetupError, match=r"named\.json"):
        install(named)
