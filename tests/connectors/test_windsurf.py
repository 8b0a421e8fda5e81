"""Windsurf: its documented events in, its answers out, and its hooks file there and back."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.connectors.documented_contract import DocumentedContract
from tests.connectors.scripted_contract import ACTION, FINDING, EntriesContract, ProjectContract

from defenseclaw.connectors import files, windsurf
from defenseclaw.connectors.base import HookCall, NativeAnswer
from defenseclaw.errors import BadJson
from defenseclaw.vocabulary import Action, EventKind, FailMode

WINDSURF = windsurf.CONNECTOR
REASON = "not here"
BLOCKED = NativeAnswer(exit_code=2, stderr=REASON)
SILENCE = NativeAnswer()


FOREIGN = [
    "",
    "{}",
    '{\r\n\t"hooks": {"pre_run_command": [{"command": "mine", "working_directory": "/x"}]}\r\n}\r\n',
    '{"hooks": {"post_write_code": [{"command": "a"}, {"command": "b", "show_output": true}]}, "note": "é"}',
    '{\n  // mine\n  "hooks": {}\n}\n',
]


class TestWindsurfContract(DocumentedContract, EntriesContract, ProjectContract):
    connector = WINDSURF
    version = "1.12.41"
    too_old = "1.12.40"
    foreign = FOREIGN
    malformed = (
        "[]",
        '{"hooks":[]}',
        '{"hooks":{"pre_run_command":{}}}',
        '{"hooks":{"stop":["x"]}}',
        "{broken",
    )

    def spoil(self, path):
        content = json.loads(path.read_text())
        content["hooks"]["pre_run_command"][0]["show_output"] = False
        path.write_text(json.dumps(content))
        return "pre_run_command"

    def test_every_event_that_can_be_stopped_is_refused_in_the_agents_words(self, verdict):
        """By exit code, and a reason that is never empty."""
        for name in WINDSURF.block_events:
            answer = WINDSURF.encode(self.decode(name), verdict(Action.BLOCK, message="", reason=""))
            assert (answer.exit_code, answer.stdout) == (2, b"")
            assert answer.stderr

    def test_a_body_that_could_not_be_taken_in_is_the_event_of_the_header(self, verdict):
        for name in WINDSURF.events(""):
            event = WINDSURF.decode(HookCall(header_event=name, faults=("too_large",)))
            assert (event.name, event.faults, event.kind) == (name, ("too_large",), WINDSURF.kind_of(name))
            wanted = BLOCKED if name in WINDSURF.block_events else SILENCE
            assert WINDSURF.encode(event, verdict(Action.BLOCK)) == wanted

    def test_the_script_refuses_in_closed_mode_what_it_should(self, machine):
        self.install(machine)
        for name, by_mode in self._without_gateway(machine).items():
            assert by_mode["open"] == {"stdout": None, "exit": 0}
            stopped = WINDSURF.stopped_when_closed(name)
            assert stopped is name.startswith("pre_")
            assert by_mode["closed"]["exit"] == (2 if stopped else 0)
            assert ("blocking" in by_mode["closed"]["stderr"]) is stopped


CONTRACT = TestWindsurfContract()
golden, decode = CONTRACT.golden, CONTRACT.decode
install, put, value = CONTRACT.install, CONTRACT.put, CONTRACT.value


@pytest.fixture
def machine(host, executable):
    executable("windsurf", "printf '1.12.41\\nabcdef0\\nx64\\n'")
    return host


# ---- events in ------------------------------------------------------------------------------------

FILE = "/home/user/project/notes.md"
EDITS = [{"old_string": "one", "new_string": "two"}]
RUN = {"command": "echo dc-probe-123", "cwd": "/home/user/project"}
ISSUE = {"title": "probe", "body": "dc-probe-123"}
DOCUMENTED = [
    ("pre_user_prompt", EventKind.PROMPT, {"text": "please run the probe"}),
    ("pre_read_code", EventKind.TOOL_CALL, {"tool": "read_file", "args": {"file_path": FILE}}),
    (
        "pre_write_code",
        EventKind.TOOL_CALL,
        {"tool": "write_file", "args": {"file_path": FILE, "edits": EDITS}},
    ),
    (
        "pre_run_command",
        EventKind.TOOL_CALL,
        {"tool": "run_command", "args": RUN, "cwd": "/home/user/project"},
    ),
    (
        "pre_mcp_tool_use",
        EventKind.TOOL_CALL,
        {"tool": "create_issue", "mcp_server": "github", "args": ISSUE},
    ),
    ("post_read_code", EventKind.TOOL_RESULT, {"tool": "read_file", "result": None}),
    ("post_write_code", EventKind.TOOL_RESULT, {"tool": "write_file", "result": ["two"]}),
    ("post_run_command", EventKind.TOOL_RESULT, {"tool": "run_command", "args": RUN, "result": None}),
    ("post_mcp_tool_use", EventKind.TOOL_RESULT, {"tool": "create_issue", "result": "created 7"}),
    ("post_cascade_response", EventKind.COMPLETION, {"text": "### Planner Response\n\nAll done."}),
    ("post_cascade_response_with_transcript", EventKind.COMPLETION, {"text": ""}),
    ("post_setup_worktree", EventKind.LIFECYCLE, {"cwd": "/home/user/project"}),
]


@pytest.mark.parametrize(("name", "kind", "fields"), DOCUMENTED, ids=[each[0] for each in DOCUMENTED])
def test_documented_events(name, kind, fields):
    event = decode(name)
    body = golden(name)
    assert (event.name, event.kind, event.connector) == (name, kind, "windsurf")
    assert event.model == "SWE-1.5"
    assert event.correlation.session_id == body["trajectory_id"]
    assert event.correlation.turn_id == body["execution_id"]
    for field, wanted in fields.items():
        assert getattr(event, field) == wanted


def test_every_documented_event_is_in_the_table():
    assert sorted(each[0] for each in DOCUMENTED) == CONTRACT.names()


@pytest.mark.parametrize("info", ["x", [1], 7])
def test_what_an_event_is_about_must_be_an_object(info):
    with pytest.raises(BadJson):
        decode("pre_run_command", tool_info=info)


@pytest.mark.parametrize(
    ("info", "args"),
    [
        ({}, {}),
        ({"command_line": ["rm", "-rf"]}, {"command": ["rm", "-rf"]}),
        ({"mcp_tool_arguments": "text"}, {"input": "text"}),
        ({"mcp_tool_arguments": None}, {"input": None}),
        ({"file_path": "/x", "edits": None}, {"file_path": "/x"}),
    ],
)
def test_arguments_of_other_shapes(info, args):
    assert decode("pre_mcp_tool_use", tool_info=info).args == args


def test_the_server_of_an_mcp_call_is_known_to_lists():
    assert decode("post_mcp_tool_use").mcp_server == "github"


# ---- answers out ----------------------------------------------------------------------------------

NOTICE = NativeAnswer(stderr="DefenseClaw: HIGH finding recorded, not stopped (CMD-RM-ROOT)")
ANSWERS = [
    *((name, Action.BLOCK, BLOCKED) for name in sorted(WINDSURF.block_events)),
    ("pre_run_command", Action.CONFIRM, BLOCKED),
    ("pre_run_command", Action.ALERT, NOTICE),
    ("post_mcp_tool_use", Action.ALERT, NOTICE),
    ("post_mcp_tool_use", Action.BLOCK, SILENCE),
    ("post_cascade_response", Action.BLOCK, SILENCE),
    ("post_run_command", Action.ALLOW, SILENCE),
]


@pytest.mark.parametrize(("name", "action", "want"), ANSWERS, ids=[f"{a}-{b}" for a, b, _ in ANSWERS])
def test_answers(name, action, want, verdict):
    assert WINDSURF.encode(decode(name), verdict(action, findings=(FINDING,))) == want


# ---- the hooks file -------------------------------------------------------------------------------


def test_installed_entries(machine):
    install(machine)
    content = value(WINDSURF.settings_path(machine))
    assert set(content) == {"hooks"}
    assert set(content["hooks"]) == set(WINDSURF.events(""))
    command = WINDSURF.command(machine, "pre_run_command")
    assert content["hooks"]["pre_run_command"] == [{"command": command, "show_output": True}]
    assert command.endswith("' pre_run_command")


@pytest.mark.parametrize("place", [0, 1])
def test_an_operators_entries_survive_teardown(machine, place):
    install(machine)
    path = WINDSURF.settings_path(machine)
    content = json.loads(path.read_text())
    content["hooks"]["pre_run_command"].insert(place, {"command": "mine"})
    content["mine"] = True
    path.write_text(json.dumps(content))
    files.restore(machine, WINDSURF)
    assert json.loads(path.read_text()) == {"hooks": {"pre_run_command": [{"command": "mine"}]}, "mine": True}


entries = st.fixed_dictionaries({"command": st.text(alphabet="ab'\\é\"", max_size=5)})
events = st.sampled_from(["pre_run_command", "post_cascade_response", "post_setup_worktree"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.dictionaries(events, st.lists(entries, max_size=2), max_size=2),
    later=st.dictionaries(events, st.lists(entries, min_size=1, max_size=2), max_size=2),
    upgraded=st.booleans(),
)
def test_an_operators_edits_survive_teardown(machine, executable, before, later, upgraded):
    path = put(machine, json.dumps({"hooks": before, "mine": 1}, indent=2))
    install(machine)
    content = value(path)
    for event, added in later.items():
        content["hooks"].setdefault(event, []).extend(added)
    path.write_text(json.dumps(content))
    if upgraded:
        executable("windsurf", "echo 9.9.9")
        install(machine)
    files.restore(machine, WINDSURF)
    kept = value(path)
    left = {event: before.get(event, []) + later.get(event, []) for event in {*before, *later}}
    assert kept.pop("mine") == 1
    assert {event: each for event, each in kept.get("hooks", {}).items() if each} == {
        event: each for event, each in left.items() if each
    }
    path.unlink()


def test_comments_are_kept_and_doubted(machine):
    put(machine, '{\n  // mine\n  "hooks": {}\n}\n')
    assert any("comments" in each for each in WINDSURF.plan_setup(machine, ACTION).warnings)
    install(machine)
    assert "// mine" in WINDSURF.settings_path(machine).read_text()
    (warned,) = [each for each in WINDSURF.check(machine, ACTION) if each.status != "pass"]
    assert (warned.status, warned.label) == ("warn", "Hook settings")


def test_the_editor_for_jetbrains_has_a_file_of_its_own(machine):
    """Not written: the page says so."""
    install(machine, replace(ACTION, fail_mode=FailMode.OPEN))
    assert not (machine.home / ".codeium" / "hooks.json").exists()
