"""Antigravity: its documented events in, its answers out, and its named hooks there and back."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.connectors.documented_contract import DocumentedContract
from tests.connectors.scripted_contract import ACTION, FINDING

from defenseclaw.connectors import antigravity, antigravity_hooks, files, runtime
from defenseclaw.connectors.base import HookCall, Host
from defenseclaw.errors import ForeignContent, SetupError
from defenseclaw.vocabulary import Action, EventKind

AGY = antigravity.CONNECTOR
REASON = "not here"


@pytest.fixture
def host(tmp_path):
    """A home whose name Antigravity can have in a command."""
    home = tmp_path / "o-neil-é"
    home.mkdir()
    return Host(home=home, data_dir=home / ".defenseclaw", env={"PATH": str(tmp_path / "bin")})


FOREIGN = [
    "",
    "{}",
    '{\r\n\t"mine": {"Stop": [{"command": "make lint"}], "enabled": false}\r\n}\r\n',
    '{"mine": {"pretooluse": [{"matcher": "run_command", "hooks": [{"command": "x", "timeout": 5}]}]}}',
    '{\n  "é": {"PreInvocation": [{"type": "prompt", "prompt": "be kind", "model": "m"}], "Other": 1}\n}',
]


class TestAntigravityContract(DocumentedContract):
    connector = AGY
    version = "1.2.3"
    too_old = "1.1.8"
    foreign = FOREIGN
    malformed = (
        "[]",
        "{broken",
        "{} // no comments",
        '{"a": {},}',
        '{"a": {"Stop": []}, "a": {}}',
        '{"enabled": true}',
        '{"a": []}',
        '{"a": {"enabled": "yes"}}',
        '{"a": {"Stop": {}}}',
        '{"a": {"stop": [1]}}',
        '{"a": {"PreToolUse": [{"hooks": {}}]}}',
        '{"a": {"PreToolUse": [{"matcher": 1}]}}',
        '{"a": {"PreToolUse": [{"hooks": ["x"]}]}}',
        '{"a": {"Stop": [{"type": "COMMAND"}]}}',
        '{"a": {"Stop": [{"timeout": 1.5}]}}',
        '{"a": {"Stop": [{"timeout": "5"}]}}',
        '{"a": {"Stop": [{"timeout": true}]}}',
        '{"a": {"Stop": [{"timeout": 1099511627776}]}}',
    )

    def spoil(self, path):
        content = json.loads(path.read_text())
        content["defenseclaw-antigravity-pretooluse"]["enabled"] = False
        path.write_text(json.dumps(content))
        return "PreToolUse"


CONTRACT = TestAntigravityContract()
golden, decode, install, put = CONTRACT.golden, CONTRACT.decode, CONTRACT.install, CONTRACT.put


@pytest.fixture
def machine(host, executable):
    executable("agy", "echo 'agy 1.2.3'")
    return host


# ---- events in ------------------------------------------------------------------------------------

RUN = {"command": "echo dc-probe-123", "cwd": "/home/user/project", "SafeToAutoRun": True}
DOCUMENTED = [
    ("PreInvocation", EventKind.LIFECYCLE, {"extra": {"invocation": "1"}}),
    ("PreToolUse", EventKind.TOOL_CALL, {"tool": "run_command", "args": RUN}),
    ("PostToolUse", EventKind.TOOL_RESULT, {"tool": "run_command", "args": RUN, "result": None}),
    ("PostInvocation", EventKind.COMPLETION, {"text": "All done."}),
    ("Stop", EventKind.COMPLETION, {"text": "All done.", "extra": {"reason": "model_stop"}}),
    ("SessionStart", EventKind.LIFECYCLE, {"text": ""}),
]


@pytest.mark.parametrize(("name", "kind", "fields"), DOCUMENTED, ids=[each[0] for each in DOCUMENTED])
def test_documented_events(name, kind, fields):
    event = decode(name)
    assert (event.name, event.kind, event.connector) == (name, kind, "antigravity")
    assert (event.cwd, event.model) == ("/home/user/project", "gemini-3-pro")
    assert event.correlation.session_id == golden(name)["conversationId"]
    for field, wanted in fields.items():
        assert getattr(event, field) == wanted


def test_every_documented_event_is_in_the_table():
    assert sorted(each[0] for each in DOCUMENTED) == CONTRACT.names()


def test_a_result_is_not_taken_for_a_call():
    """Both payloads look alike: only the command line tells them apart."""
    body = golden("PostToolUse")
    assert AGY.decode(HookCall(payload=body, header_event="PostToolUse")).kind is EventKind.TOOL_RESULT
    assert AGY.decode(HookCall(payload=body, header_event="PreToolUse")).kind is EventKind.TOOL_CALL


def test_a_failed_call_is_its_error():
    event = decode("PostToolUse", toolCall=None, error="no such file")
    assert (event.tool, event.args, event.result) == ("", None, "no such file")


@pytest.mark.parametrize(
    ("call", "tool", "args"),
    [
        (
            {"name": "write_to_file", "args": {"TargetFile": "/x", "CodeContent": "y"}},
            "write_to_file",
            {"file_path": "/x", "content": "y"},
        ),
        (
            {
                "name": "multi_replace_file_content",
                "args": {"TargetFile": "/x", "ReplacementChunks": [{"ReplacementContent": "y"}, 1]},
            },
            "multi_replace_file_content",
            {"file_path": "/x", "ReplacementChunks": [{"new_string": "y"}, 1]},
        ),
        ({"name": "view_file", "args": {"AbsolutePath": "/x"}}, "view_file", {"file_path": "/x"}),
        (
            {"name": "send_command_input", "args": {"Input": "rm -rf /\n", "CommandId": "1"}},
            "send_command_input",
            {"command": "rm -rf /\n", "CommandId": "1"},
        ),
        ({"name": "mcp__github__create", "args": {"Input": "x"}}, "mcp__github__create", {"Input": "x"}),
        ({"name": "run_command", "args": "text"}, "run_command", {"input": "text"}),
        ({"name": "run_command"}, "run_command", {}),
        ({"name": ["x"], "args": {}}, "tool", {}),
        (None, "tool", {}),
        ("x", "tool", {}),
    ],
)
def test_calls_of_other_shapes(call, tool, args):
    event = decode("PreToolUse", toolCall=call)
    assert (event.tool, event.args) == (tool, args)


def test_the_step_is_the_call():
    assert decode("PreToolUse").correlation.tool_call_id == "3"
    assert decode("PreToolUse", stepIdx=0).correlation.tool_call_id == "0"


@pytest.mark.parametrize("paths", [None, [], ["relative"], "x", [1]])
def test_a_directory_nobody_names(paths):
    assert decode("Stop", workspacePaths=paths).cwd == ""


# ---- answers out ----------------------------------------------------------------------------------

DENIED = {"decision": "deny", "reason": REASON}
ANSWERS = [
    ("PreToolUse", Action.BLOCK, DENIED),
    ("PreToolUse", Action.CONFIRM, {"decision": "force_ask", "reason": REASON}),
    ("PreToolUse", Action.ALERT, None),
    *((name, Action.BLOCK, None) for name in ("PostToolUse", "PostInvocation", "Stop", "PreInvocation")),
]


@pytest.mark.parametrize(("name", "action", "want"), ANSWERS, ids=[f"{a}-{b}" for a, b, _ in ANSWERS])
def test_answers(name, action, want, verdict):
    answer = AGY.encode(decode(name), verdict(action, findings=(FINDING,)))
    assert (answer.exit_code, answer.stderr, answer.output_field) == (0, "", "hook_output")
    assert (json.loads(answer.stdout) if answer.stdout else None) == want


def test_nothing_that_denies_or_approves_by_itself_is_ever_said(verdict):
    """An object without a decision denies the call, `allow` approves what the user did not."""
    for name in CONTRACT.names():
        for action in Action:
            said = AGY.encode(decode(name), verdict(action)).output
            assert said is None or said["decision"] in ("deny", "force_ask")


# ---- the hooks file -------------------------------------------------------------------------------


def test_installed_hooks(machine):
    install(machine)
    content = json.loads(AGY.settings_path(machine).read_text())
    assert list(content) == [f"defenseclaw-antigravity-{each.lower()}" for each in AGY.events("")]
    script = machine.data_dir / "hooks" / "antigravity-hook.sh"
    handler = {"type": "command", "command": f"{script} PreToolUse", "timeout": 30}
    assert content["defenseclaw-antigravity-pretooluse"] == {
        "PreToolUse": [{"matcher": "*", "hooks": [handler]}]
    }
    assert content["defenseclaw-antigravity-stop"] == {"Stop": [handler | {"command": f"{script} Stop"}]}


def test_the_timeout_is_longer_than_the_scripts_own():
    assert antigravity._TIMEOUT_S > runtime.TOTAL_TIMEOUT_S


@pytest.mark.parametrize("name", ["a b", "a'b", "a$b", "a&b", 'a"b', "a;b", "a\\b", "a(b", "a\tb", "a*b"])
def test_a_path_that_no_command_can_hold_is_refused(machine, name, tree):
    before = tree(machine.home)
    odd = replace(machine, data_dir=machine.home / name)
    with pytest.raises(SetupError, match="cannot start") as caught:
        install(odd)
    assert "DEFENSECLAW_HOME" in caught.value.hint
    assert tree(machine.home) == before


MINE = {"type": "command", "command": "mine"}


@pytest.mark.parametrize("text", FOREIGN)
def test_everybody_elses_hooks_stay_as_they_are(machine, text):
    path = put(machine, text)
    install(machine)
    for name, theirs in json.loads(text or "{}").items():
        assert json.loads(path.read_text())[name] == theirs


@pytest.mark.parametrize(
    ("put_in", "left"),
    [
        # a handler of the operator's in our group, before and behind ours
        (lambda ours: ours["PreToolUse"][0]["hooks"].insert(0, MINE), {"matcher": "*", "hooks": [MINE]}),
        (lambda ours: ours["PreToolUse"][0]["hooks"].append(MINE), {"matcher": "*", "hooks": [MINE]}),
        # a group of its own
        (lambda ours: ours["PreToolUse"].append({"hooks": [MINE]}), {"hooks": [MINE]}),
    ],
    ids=["before", "behind", "group"],
)
def test_an_operators_handler_in_our_hook_survives_teardown(machine, put_in, left):
    install(machine)
    path = AGY.settings_path(machine)
    content = json.loads(path.read_text())
    put_in(content["defenseclaw-antigravity-pretooluse"])
    path.write_text(json.dumps(content, indent=2))
    files.restore(machine, AGY)
    assert json.loads(path.read_text()) == {"defenseclaw-antigravity-pretooluse": {"PreToolUse": [left]}}


def test_an_operators_event_in_our_hook_survives_teardown(machine):
    install(machine)
    path = AGY.settings_path(machine)
    content = json.loads(path.read_text())
    content["defenseclaw-antigravity-stop"] |= {"PreInvocation": [MINE]}
    path.write_text(json.dumps(content))
    files.restore(machine, AGY)
    assert json.loads(path.read_text()) == {"defenseclaw-antigravity-stop": {"PreInvocation": [MINE]}}


def test_a_hook_of_ours_under_another_name_is_found(machine):
    install(machine)
    path = AGY.settings_path(machine)
    path.write_text(path.read_text().replace("defenseclaw-antigravity-stop", "renamed"))
    (broken,) = [each for each in AGY.check(machine, ACTION) if each.status == "fail"]
    assert "Stop" in broken.detail
    install(machine)
    assert "renamed" not in path.read_text()
    path.write_text(path.read_text().replace("defenseclaw-antigravity-stop", "renamed"))
    files.restore(machine, AGY)
    assert not (machine.home / ".gemini").exists()


def test_a_hook_of_our_name_that_is_not_ours_is_refused(machine):
    path = put(machine, '{"defenseclaw-antigravity-stop": {"Stop": [{"command": "mine"}]}}')
    with pytest.raises(ForeignContent, match="not ours"):
        install(machine)
    assert "mine" in path.read_text()


names = st.sampled_from(["a", "é b", "defenseclaw", "x.y"])
flat = st.fixed_dictionaries({"command": st.text(alphabet="ab' é", max_size=4)})
grouped = st.fixed_dictionaries({"matcher": st.just("*"), "hooks": st.lists(flat, max_size=2)})
hooks = st.one_of(
    st.fixed_dictionaries({"Stop": st.lists(flat, max_size=2)}),
    st.fixed_dictionaries({"PostToolUse": st.lists(grouped, max_size=2), "enabled": st.booleans()}),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.dictionaries(names, hooks, max_size=2),
    later=st.dictionaries(names, hooks, max_size=2),
    upgraded=st.booleans(),
)
def test_an_operators_edits_survive_teardown(machine, executable, before, later, upgraded):
    path = put(machine, json.dumps(before, indent=2))
    install(machine)
    path.write_text(json.dumps(json.loads(path.read_text()) | later))
    if upgraded:
        executable("agy", "echo 'agy 9.9.9'")
        install(machine)
    files.restore(machine, AGY)
    assert json.loads(path.read_text()) == before | later
    path.unlink()


def test_a_file_that_is_dropped_later_is_told(machine):
    install(machine)
    path = AGY.settings_path(machine)
    path.write_text(path.read_text().replace("{", '{"enabled": true,', 1))
    (broken,) = [each for each in AGY.check(machine, ACTION) if each.status != "pass"]
    assert (broken.status, broken.label) == ("fail", "Hook entries")
    assert "drops the whole file" in broken.detail


@pytest.mark.parametrize("kind", ["name", "command"])
def test_an_older_file_that_calls_us_again_is_told(machine, kind):
    install(machine)
    legacy = machine.home / ".gemini" / "hooks.json"
    name = "defenseclaw-antigravity-stop" if kind == "name" else "mine"
    command = AGY.command(machine, "Stop") if kind == "command" else "mine"
    legacy.write_text(json.dumps({name: {"Stop": [{"command": command}]}}))
    (warned,) = [each for each in AGY.check(machine, ACTION) if each.status != "pass"]
    assert (warned.status, str(legacy) in warned.detail) == ("warn", True)


def test_it_is_hooked_for_every_project(machine, tmp_path):
    options = replace(ACTION, workspace=tmp_path)
    assert any("every project" in each for each in AGY.plan_setup(machine, options).warnings)
    install(machine, options)
    assert AGY.settings_path(machine).exists()


def test_a_name_is_shown_without_what_a_terminal_obeys():
    with pytest.raises(ForeignContent) as caught:
        antigravity_hooks.read(json.dumps({"\x1b[31m" + "x" * 100: 1}).encode())
    assert "\x1b" not in caught.value.message
    assert len(caught.value.message) < 160
