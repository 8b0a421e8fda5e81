"""Claude Code: its recorded events in, its answers out, and its settings there and back."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.connectors.answers_contract import AnswersContract
from tests.connectors.scripted_contract import ACTION, FINDING, EntriesContract, SwitchedOffContract

from defenseclaw.connectors import claudecode, files, runtime
from defenseclaw.connectors.base import HookCall
from defenseclaw.errors import BadJson
from defenseclaw.vocabulary import Action, EventKind

CLAUDE = claudecode.CONNECTOR


@pytest.fixture(autouse=True)
def unmanaged(tmp_path, monkeypatch):
    monkeypatch.setattr(type(CLAUDE), "managed_settings_dirs", (tmp_path / "managed",))


FOREIGN = [
    b"{}",
    b"",
    b"{}\n",
    b'{"model":"opus"}',
    b'\xef\xbb\xbf{\r\n\t"env": {"A": "b"},\r\n\t"hooks": {}\r\n}\r\n',
    json.dumps(
        {
            "z": 1,
            "hooks": {
                "PreToolUse": [
                    {"matcher": "Bash", "hooks": [{"type": "command", "command": "theirs"}]},
                    {"hooks": []},
                ],
                "Notification": [],
            },
            "a": {"é": [1, 2, 3]},
        },
        indent=4,
        ensure_ascii=False,
    ).encode(),
]


class TestClaudeCodeContract(AnswersContract, EntriesContract, SwitchedOffContract):
    connector = CLAUDE
    version = "2.1.197"
    too_old = "2.1.151"
    override = "CLAUDE_CONFIG_DIR"
    moved = "settings.json"
    withheld = frozenset({"PostToolUse"})
    foreign = FOREIGN
    malformed = (
        b"[]",
        b'"x"',
        b'{"hooks":[]}',
        b'{"hooks":{"Stop":{}}}',
        b'{"hooks":{},"hooks":{}}',
        b"{broken",
        b"// c\n{}",
    )
    switch = (
        (".claude/settings.json", '{"disableAllHooks": true}', "disableAllHooks"),
        ("../managed/managed-settings.json", '{"disableAllHooks": true}', "disableAllHooks"),
        ("../managed/managed-settings.json", '{"allowManagedHooksOnly": true}', "allowManagedHooksOnly"),
        (
            "../managed/managed-settings.d/10-org.json",
            '{"allowManagedHooksOnly": true}',
            "allowManagedHooksOnly",
        ),
        ("work/.claude/settings.local.json", '{"disableAllHooks": true}', "disableAllHooks"),
    )

    def value(self, path):
        return json.loads(path.read_bytes().decode("utf-8-sig") or "{}")

    def test_every_event_that_can_be_stopped_is_refused_in_the_agents_words(self):
        """A declined elicitation has no room for words."""
        for name in CLAUDE.block_events:
            refusal = CLAUDE.refusal(name, "the reason")
            assert refusal
            assert ("the reason" in str(refusal)) is not name.startswith("Elicitation")

    def spoil(self, path):
        content = json.loads(path.read_text())
        del content["hooks"]["PreToolUse"]
        path.write_text(json.dumps(content))
        return "PreToolUse"


CONTRACT = TestClaudeCodeContract()
golden, decode, install, put = CONTRACT.golden, CONTRACT.decode, CONTRACT.install, CONTRACT.put


@pytest.fixture
def machine(host, executable):
    executable("claude", "echo '2.1.197 (Claude Code)'")
    return host


# ---- events in ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "fields"),
    [
        ("UserPromptSubmit", EventKind.PROMPT, {"text": "please run the probe"}),
        (
            "PreToolUse",
            EventKind.TOOL_CALL,
            {"tool": "Bash", "args": {"command": "echo dc-probe-123", "description": "probe"}},
        ),
        (
            "PostToolUse",
            EventKind.TOOL_RESULT,
            {
                "tool": "Bash",
                "result": {
                    "stdout": "dc-probe-123",
                    "stderr": "",
                    "interrupted": False,
                    "isImage": False,
                    "noOutputExpected": False,
                },
            },
        ),
        (
            "PostToolUseFailure",
            EventKind.TOOL_RESULT,
            {
                "tool": "Bash",
                "result": "Exit code 2\nls: cannot access '/nonexistent-dc': No such file or directory",
            },
        ),
        ("PostToolBatch", EventKind.TOOL_RESULT, {"tool": "", "result": ["dc-probe-123"]}),
        ("MessageDisplay", EventKind.COMPLETION, {"text": "All done."}),
        ("Stop", EventKind.COMPLETION, {"text": "All done."}),
        ("SessionStart", EventKind.LIFECYCLE, {"text": "", "extra": {"source": "startup"}}),
        ("SessionEnd", EventKind.LIFECYCLE, {"text": "", "extra": {"reason": "other"}}),
    ],
)
def test_recorded_events(name, kind, fields):
    event = decode(name)
    assert (event.name, event.kind, event.connector) == (name, kind, "claudecode")
    assert event.cwd == "/home/user/project"
    assert event.correlation.session_id == golden(name)["session_id"]
    assert event.correlation.tool_call_id == golden(name).get("tool_use_id", "")
    for field, value in fields.items():
        assert getattr(event, field) == value


def test_a_slash_command_is_inspected_with_its_arguments():
    payload = {
        "hook_event_name": "UserPromptExpansion",
        "prompt": "p",
        "command_name": "c",
        "command_args": "a",
    }
    assert CLAUDE.decode(HookCall(payload=payload)).text == "p\nc\na"


def test_an_mcp_tool_names_its_server():
    assert decode("PreToolUse", tool_name="mcp__github__create_issue").mcp_server == "github"


def test_the_header_names_the_event_where_the_payload_does_not():
    payload = golden("PreToolUse")
    del payload["hook_event_name"]
    assert (
        CLAUDE.decode(HookCall(payload=payload, header_event="PermissionRequest")).name == "PermissionRequest"
    )
    assert CLAUDE.decode(HookCall(payload=golden("Stop"), header_event="PreToolUse")).name == "Stop"


@pytest.mark.parametrize("value", ["rm -rf", ["x"], 1])
def test_arguments_that_are_no_object_are_refused(value):
    with pytest.raises(BadJson):
        decode("PreToolUse", tool_input=value)


@pytest.mark.parametrize(
    ("value", "kept"),
    [("relative", ""), ("/a/../b//c", "/b/c"), ("/a\nb", ""), (7, ""), ("/" + "x" * 5000, ""), ("//a", "/a")],
)
def test_the_working_directory_is_a_claim(value, kept):
    assert decode("PreToolUse", cwd=value).cwd == kept


def test_identities_are_short_and_printable():
    event = decode("PreToolUse", session_id=" a\x00b\x1b[31m" + "x" * 500, tool_use_id={"not": "a string"})
    assert event.correlation.session_id == ("ab[31m" + "x" * 500)[:128]
    assert event.correlation.tool_call_id == ""


# ---- answers out ----------------------------------------------------------------------------------

REASON = "not here"
ANSWERS = [
    # block
    (
        "PreToolUse",
        Action.BLOCK,
        {
            "hookSpecificOutput": {
                "hookEventName": "PreToolUse",
                "permissionDecision": "deny",
                "permissionDecisionReason": REASON,
            }
        },
    ),
    (
        "PermissionRequest",
        Action.BLOCK,
        {
            "hookSpecificOutput": {
                "hookEventName": "PermissionRequest",
                "decision": {"behavior": "deny", "message": REASON},
            }
        },
    ),
    ("UserPromptSubmit", Action.BLOCK, {"decision": "block", "reason": REASON}),
    ("UserPromptExpansion", Action.BLOCK, {"decision": "block", "reason": REASON}),
    ("Stop", Action.BLOCK, {"decision": "block", "reason": REASON}),
    ("SubagentStop", Action.BLOCK, {"decision": "block", "reason": REASON}),
    ("PreCompact", Action.BLOCK, {"decision": "block", "reason": REASON}),
    ("TaskCreated", Action.BLOCK, {"continue": False, "stopReason": REASON}),
    ("TeammateIdle", Action.BLOCK, {"continue": False, "stopReason": REASON}),
    (
        "Elicitation",
        Action.BLOCK,
        {"hookSpecificOutput": {"hookEventName": "Elicitation", "action": "decline", "content": {}}},
    ),
    # events that cannot be blocked, and the repetition of what was blocked before
    ("PostToolBatch", Action.BLOCK, None),
    ("PostToolUseFailure", Action.BLOCK, None),
    ("SessionStart", Action.BLOCK, None),
    ("MessageDisplay", Action.BLOCK, None),
    # ask
    (
        "PreToolUse",
        Action.CONFIRM,
        {
            "hookSpecificOutput": {
                "hookEventName": "PreToolUse",
                "permissionDecision": "ask",
                "permissionDecisionReason": REASON,
            }
        },
    ),
    ("PermissionRequest", Action.CONFIRM, None),
    # alert: one line for the person, nothing for the model
    (
        "PreToolUse",
        Action.ALERT,
        {"systemMessage": "DefenseClaw: HIGH finding recorded, not stopped (CMD-RM-ROOT)"},
    ),
    ("MessageDisplay", Action.ALERT, None),
    ("PostToolBatch", Action.ALERT, None),
    # allow
    ("PreToolUse", Action.ALLOW, None),
    ("PostToolUse", Action.ALLOW, None),
    ("Stop", Action.ALLOW, None),
]


@pytest.mark.parametrize(("name", "action", "want"), ANSWERS, ids=[f"{a}-{b}" for a, b, _ in ANSWERS])
def test_answers(name, action, want, verdict):
    event = CLAUDE.decode(HookCall(payload={"hook_event_name": name}))
    answer = CLAUDE.encode(event, verdict(action, findings=(FINDING,)))
    assert answer.exit_code == 0
    assert answer.stderr == ""
    assert answer.output == want
    assert (json.loads(answer.stdout) if answer.stdout else None) == want
    assert answer.output_field == "claude_code_output"


def test_a_stop_is_not_blocked_twice(verdict):
    event = decode("Stop", stop_hook_active=True)
    assert event.abilities.can_block is False
    assert CLAUDE.encode(event, verdict(Action.BLOCK)).stdout == b""


def test_the_permission_dialog_is_itself_the_question():
    event = CLAUDE.decode(HookCall(payload={"hook_event_name": "PermissionRequest"}))
    assert event.abilities.can_ask is True
    assert frozenset({"PreToolUse"}) == CLAUDE.ask_events


@pytest.mark.parametrize("action", [Action.ALERT, Action.BLOCK])
def test_a_masked_result_takes_the_place_of_the_result(verdict, action):
    masked = golden("PostToolUse")["tool_response"] | {"stdout": "<redacted>"}
    answer = CLAUDE.encode(decode("PostToolUse"), verdict(action, replacement=masked))
    assert answer.output["hookSpecificOutput"] == {
        "hookEventName": "PostToolUse",
        "updatedToolOutput": masked,
    }


@pytest.mark.parametrize(
    ("result", "shown"),
    [
        ("text", "no"),
        (None, "no"),
        (7, "no"),
        (
            {"stdout": "a", "stderr": "b", "interrupted": False, "n": 3},
            {"stdout": "no", "stderr": "", "interrupted": False, "n": 0},
        ),
        (
            {"type": "text", "file": {"filePath": "/p", "content": "x"}},
            {"type": "text", "file": {"filePath": "no", "content": ""}},
        ),
        (
            [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            [{"type": "text", "text": "no"}, {"type": "text", "text": ""}],
        ),
        ({"image": True}, "no"),
        (
            {"type": "image", "source": {"mediaType": "image/png", "data": "x"}},
            {"type": "image", "source": {"mediaType": "image/png", "data": "no"}},
        ),
        # a text is no name, whatever key it stands under
        ({"type": "do as I say", "x": "b"}, {"type": "no", "x": ""}),
        ({"type": {"x": "secret"}, "mediaType": ["secret"]}, {"type": {"x": "no"}, "mediaType": [""]}),
    ],
)
def test_a_blocked_result_without_a_mask_is_withheld_in_its_shape(verdict, result, shown):
    event = decode("PostToolUse", tool_response=result)
    answer = CLAUDE.encode(event, verdict(Action.BLOCK, message="no"))
    assert answer.output["hookSpecificOutput"]["updatedToolOutput"] == shown


leaves = st.none() | st.booleans() | st.integers() | st.text(min_size=4, alphabet="xyz")
shapes = st.recursive(
    leaves,
    lambda kids: st.lists(kids, max_size=3) | st.dictionaries(st.sampled_from("abcd"), kids, max_size=3),
)


@given(shapes)
def test_no_text_of_a_withheld_result_is_left(result):
    left = json.dumps(claudecode.withheld(result, "NO"))
    assert not any(each in left for each in "xyz")
    assert left.count("NO") == 1


# ---- settings -------------------------------------------------------------------------------------


def test_installed_entries(machine):
    install(machine)
    hooks = json.loads(CLAUDE.settings_path(machine).read_text())["hooks"]
    script = machine.data_dir / "hooks" / "claude-code-hook.sh"
    quoted = "'" + str(script).replace("'", "'\\''") + "'"
    assert hooks["PreToolUse"] == [
        {"matcher": "*", "hooks": [{"type": "command", "command": f"{quoted} PreToolUse", "timeout": 30}]}
    ]
    assert hooks["UserPromptSubmit"] == [
        {"hooks": [{"type": "command", "command": f"{quoted} UserPromptSubmit", "timeout": 30}]}
    ]
    assert hooks["MessageDisplay"][0]["hooks"][0]["async"] is True
    assert set(hooks) == set(claudecode._REGISTRATIONS)


def test_every_timeout_is_longer_than_the_scripts_own():
    assert all(timeout >= runtime.TOTAL_TIMEOUT_S for _, timeout in claudecode._REGISTRATIONS.values())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda kids: st.lists(kids, max_size=2) | st.dictionaries(st.text(max_size=4), kids, max_size=2),
)
handlers = st.fixed_dictionaries({"type": st.just("command"), "command": st.text(max_size=6)})
groups = st.fixed_dictionaries(
    {"hooks": st.lists(handlers, max_size=2)}, optional={"matcher": st.just("Bash")}
)
foreign_settings = st.fixed_dictionaries(
    {},
    optional={
        "model": json_values,
        "env": json_values,
        "hooks": st.dictionaries(
            st.sampled_from(["PreToolUse", "Stop", "Notification"]),
            st.lists(groups, min_size=1, max_size=2),
            min_size=1,
        ),
    },
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(original=foreign_settings, added=json_values, indent=st.sampled_from([None, 2, "\t"]))
def test_an_operators_edits_survive_teardown(machine, original, added, indent):
    path = put(machine, json.dumps(original, indent=indent))
    install(machine)
    edited = json.loads(path.read_text()) | {"operator": added}
    path.write_text(json.dumps(edited, indent=indent))
    files.restore(machine, CLAUDE)
    assert json.loads(path.read_text()) == original | {"operator": added}
    files.restore(machine, CLAUDE)
    path.unlink()


def test_a_created_settings_file_goes_with_us_even_when_it_was_rewritten(machine):
    install(machine)
    path = CLAUDE.settings_path(machine)
    path.write_text(json.dumps(json.loads(path.read_text())))
    files.restore(machine, CLAUDE)
    assert not path.parent.exists()


def test_an_entry_somebody_narrowed_is_put_right(machine):
    install(machine)
    path = CLAUDE.settings_path(machine)
    whole = json.loads(path.read_text())
    narrowed = json.loads(path.read_text())
    narrowed["hooks"]["PreToolUse"][0]["matcher"] = "Nothing"
    narrowed["hooks"]["Stop"][0]["hooks"].append({"type": "command", "command": "theirs"})
    path.write_text(json.dumps(narrowed))
    labels = {check.label: check for check in CLAUDE.check(machine, ACTION)}
    assert "PreToolUse" in labels["Hook entries"].detail
    install(machine)
    after = json.loads(path.read_text())["hooks"]
    assert after["PreToolUse"] == whole["hooks"]["PreToolUse"]
    assert after["Stop"] == [{"hooks": [{"type": "command", "command": "theirs"}]}, *whole["hooks"]["Stop"]]


# ---- version, doctor and protection ---------------------------------------------------------------


@pytest.mark.parametrize("version", ["2.1.152", "2.2"])
def test_versions_that_are_known_to_work(host, executable, version):
    executable("claude", f"echo '{version}'")
    assert CLAUDE.plan_setup(host, ACTION).warnings == ()


def test_a_version_beyond_those_that_were_measured_is_told_by_doctor(host, executable):
    executable("claude", "echo 2.2.0")
    row = CLAUDE.check(host, ACTION)[0]
    assert (row.status, row.label) == ("warn", "Claude Code")
    assert "last proven with 2.1.197" in row.detail


def test_the_probe_sees_a_trimmed_environment(host, executable):
    executable(
        "claude", 'echo "1.$DISABLE_TELEMETRY.0"; test -z "$SECRET" || echo leaked >&2; test -z "$SECRET"'
    )
    host = replace(host, env={**host.env, "SECRET": "x"})
    assert CLAUDE.detect(host).version == "1.1.0"


def test_doctor_tells_how_an_old_version_is_updated(host, executable):
    executable("claude", "echo 2.1.151")
    assert CLAUDE.check(host, ACTION)[0].mend == "claude update"


def test_a_script_that_cannot_be_started_is_told(machine):
    install(machine)
    (machine.data_dir / "hooks" / "claude-code-hook.sh").chmod(0o600)
    (broken,) = [check for check in CLAUDE.check(machine, ACTION) if check.status != "pass"]
    assert broken.label == "Hook script"


def test_the_local_settings_are_protected_too(machine):
    assert str(machine.home / ".claude" / "settings.local.json") in CLAUDE.protected_paths(machine)
