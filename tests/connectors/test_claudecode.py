"""Claude Code: its recorded events in, its answers out, and its settings there and back."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from defenseclaw.connectors import claudecode, disk, files, runtime
from defenseclaw.connectors.base import HookCall, SetupOptions, by_any_name, registry
from defenseclaw.errors import AgentNotFound, BadJson, ForeignContent, MissingField, SetupError
from defenseclaw.vocabulary import Action, Correlation, EventKind, FailMode, Finding, Mode, Severity

CLAUDE = claudecode.CONNECTOR
GOLDEN = Path(__file__).parent.parent / "golden" / "claudecode"
ACTION = SetupOptions(mode=Mode.ACTION, fail_mode=FailMode.CLOSED)
FINDING = Finding(
    rule_id="CMD-RM-ROOT",
    title="Recursive delete",
    category="command",
    severity=Severity.HIGH,
    confidence=0.9,
)


def golden(name, **changes):
    return json.loads((GOLDEN / f"{name}.json").read_text()) | changes


def decode(name, **changes):
    return CLAUDE.decode(HookCall(payload=golden(name, **changes)))


@pytest.fixture(autouse=True)
def unmanaged(tmp_path, monkeypatch):
    monkeypatch.setattr(type(CLAUDE), "managed_settings_dirs", (tmp_path / "managed",))


@pytest.fixture
def machine(host, executable):
    """A machine with Claude Code on it."""
    executable("claude", "echo '2.1.197 (Claude Code)'")
    return host


def install(host, options=ACTION):
    return files.apply(host, CLAUDE, CLAUDE.plan_setup(host, options))


def put_settings(host, content):
    path = claudecode.settings_path(host)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content, indent=2).encode())
    return path


def test_is_found_by_all_its_names():
    assert registry()["claudecode"] is CLAUDE
    assert {by_any_name(each) for each in ("claudecode", "claude-code", "Claude", "claude_code")} == {CLAUDE}


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


def test_a_body_that_could_not_be_taken_in_is_the_event_of_the_header():
    event = CLAUDE.decode(HookCall(header_event="PreToolUse", faults=("too_large",)))
    assert (event.kind, event.faults) == (EventKind.TOOL_CALL, ("too_large",))


def test_no_name_anywhere_is_refused():
    with pytest.raises(MissingField):
        CLAUDE.decode(HookCall(payload={"session_id": "x"}))


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


def test_header_ids_stand_in_for_missing_ones():
    known = Correlation(session_id="from-header", trace_id="f" * 32)
    event = CLAUDE.decode(HookCall(payload={"hook_event_name": "Stop"}, correlation=known))
    assert (event.correlation.session_id, event.correlation.trace_id) == ("from-header", "f" * 32)


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
    hooks = json.loads(claudecode.settings_path(machine).read_text())["hooks"]
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


def test_setup_twice_is_setup_once(machine, tree):
    install(machine)
    before = tree(machine.home)
    assert install(machine) == ()
    assert tree(machine.home) == before


def test_every_timeout_is_longer_than_the_scripts_own():
    assert all(timeout >= runtime.TOTAL_TIMEOUT_S for _, timeout in claudecode._REGISTRATIONS.values())


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


@pytest.mark.parametrize("content", FOREIGN)
def test_settings_come_back_byte_for_byte(machine, content):
    path = put_settings(machine, content)
    path.chmod(0o644)
    install(machine)
    assert path.read_bytes() != content
    files.restore(machine, CLAUDE)
    assert path.read_bytes() == content
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("content", FOREIGN)
def test_everybody_elses_entries_stay_in_place(machine, content):
    path = put_settings(machine, content)
    install(machine)
    theirs = json.loads(content.decode("utf-8-sig") or "{}")
    ours = json.loads(path.read_bytes().decode("utf-8-sig"))
    for event, groups in theirs.get("hooks", {}).items():
        assert ours["hooks"][event][: len(groups)] == groups
    assert {key: value for key, value in ours.items() if key != "hooks"} == {
        key: value for key, value in theirs.items() if key != "hooks"
    }


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
    path = put_settings(machine, json.dumps(original, indent=indent).encode())
    install(machine)
    edited = json.loads(path.read_text()) | {"operator": added}
    path.write_text(json.dumps(edited, indent=indent))
    files.restore(machine, CLAUDE)
    assert json.loads(path.read_text()) == original | {"operator": added}
    files.restore(machine, CLAUDE)
    path.unlink()


def test_a_created_settings_file_goes_with_us_even_when_it_was_rewritten(machine):
    install(machine)
    path = claudecode.settings_path(machine)
    path.write_text(json.dumps(json.loads(path.read_text())))
    files.restore(machine, CLAUDE)
    assert not path.parent.exists()


def test_an_entry_somebody_narrowed_is_put_right(machine):
    install(machine)
    path = claudecode.settings_path(machine)
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


def test_the_configuration_directory_of_the_agent_is_followed(machine, tmp_path):
    moved = replace(machine, env={**machine.env, "CLAUDE_CONFIG_DIR": str(tmp_path / "cfg")})
    install(moved)
    assert (tmp_path / "cfg" / "settings.json").exists()
    assert not (machine.home / ".claude").exists()
    files.restore(machine, CLAUDE)  # the variable is gone by now: the record knows the place
    assert not (tmp_path / "cfg").exists()


def test_teardown_leaves_no_file_of_ours(machine, tree):
    install(machine)
    files.restore(machine, CLAUDE)
    left = [name for name, (_, what) in tree(machine.home).items() if what != "directory"]
    assert left == [".defenseclaw/.setup.lock"]


@pytest.mark.parametrize(
    "content",
    [
        b"[]",
        b'"x"',
        b'{"hooks":[]}',
        b'{"hooks":{"Stop":{}}}',
        b'{"hooks":{},"hooks":{}}',
        b"{broken",
        b"// c\n{}",
    ],
)
def test_settings_of_another_shape_are_refused_and_untouched(machine, content, tree):
    path = put_settings(machine, content)
    with pytest.raises(ForeignContent):
        install(machine)
    assert path.read_bytes() == content
    assert not machine.data_dir.exists()


# ---- what keeps hooks from running ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "key"),
    [
        (".claude/settings.json", "disableAllHooks"),
        ("../managed/managed-settings.json", "disableAllHooks"),
        ("../managed/managed-settings.json", "allowManagedHooksOnly"),
        ("../managed/managed-settings.d/10-org.json", "allowManagedHooksOnly"),
        ("work/.claude/settings.local.json", "disableAllHooks"),
    ],
)
def test_hooks_that_are_switched_off_are_refused_and_told_by_doctor(machine, where, key):
    path = machine.home / where
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({key: True}))
    options = replace(ACTION, workspace=machine.home / "work")
    with pytest.raises(SetupError, match=key):
        install(machine, options)
    assert any(check.status == "fail" and key in check.detail for check in CLAUDE.check(machine, options))


@pytest.mark.parametrize(
    ("version", "mode", "passes"),
    [
        ("2.1.152", Mode.ACTION, True),
        ("2.2", Mode.ACTION, True),
        ("2.1.151", Mode.ACTION, False),
        ("2.1.151", Mode.OBSERVE, True),
        ("", Mode.ACTION, False),
        ("", Mode.OBSERVE, True),
    ],
)
def test_the_version_gate(host, executable, version, mode, passes):
    executable("claude", f"echo '{version}'")
    options = SetupOptions(mode=mode)
    if not passes:
        with pytest.raises(SetupError):
            CLAUDE.plan_setup(host, options)
    known = version and version != "2.1.151"
    plan = CLAUDE.plan_setup(host, replace(options, force=not passes))
    assert bool(plan.warnings) is not bool(known)


def test_no_agent_is_refused_with_where_it_was_looked_for(host):
    with pytest.raises(AgentNotFound) as caught:
        CLAUDE.plan_setup(host, ACTION)
    assert str(Path(host.env["PATH"]) / "claude") in caught.value.hint
    assert not host.data_dir.exists()
    assert install(host, replace(ACTION, force=True))


def test_detect(machine):
    found = CLAUDE.detect(machine)
    assert (found.found, found.version, found.configured) == (True, "2.1.197", False)
    install(machine)
    assert CLAUDE.detect(machine).configured is True


def test_the_probe_sees_a_trimmed_environment(host, executable):
    executable(
        "claude", 'echo "1.$DISABLE_TELEMETRY.0"; test -z "$SECRET" || echo leaked >&2; test -z "$SECRET"'
    )
    host = replace(host, env={**host.env, "SECRET": "x"})
    assert CLAUDE.detect(host).version == "1.1.0"


# ---- doctor and protection ------------------------------------------------------------------------


def test_a_healthy_setup_passes_every_check(machine):
    install(machine)
    assert {check.status for check in CLAUDE.check(machine, ACTION)} == {"pass"}


@pytest.mark.parametrize(
    ("harm", "label"),
    [
        (lambda host: claudecode.settings_path(host).unlink(), "Hook entries"),
        (lambda host: (host.data_dir / "hooks" / "claude-code-hook.sh").write_text("exit 0"), "Hook script"),
        (lambda host: (host.data_dir / "hooks" / "claude-code-hook.sh").chmod(0o600), "Hook script"),
        (lambda host: runtime.token_path(host, "claudecode").write_text("x"), "Hook runtime"),
        (lambda host: runtime.runtime_path(host, "claudecode").unlink(), "Hook runtime"),
        (
            lambda host: disk.write(runtime.runtime_path(host, "claudecode"), b"fail_mode=open", 0o600),
            "Hook runtime",
        ),
    ],
    ids=[
        "settings-gone",
        "script-replaced",
        "script-not-executable",
        "token",
        "runtime-gone",
        "runtime-stale",
    ],
)
def test_doctor_names_what_is_broken_and_setup_mends_it(machine, harm, label):
    install(machine)
    harm(machine)
    broken = [check for check in CLAUDE.check(machine, ACTION) if check.status != "pass"]
    assert [check.label for check in broken] == [label]
    assert broken[0].mend == "defenseclaw setup claude-code"
    install(machine)
    assert {check.status for check in CLAUDE.check(machine, ACTION)} == {"pass"}


def test_protected_paths_follow_the_setup(machine, tmp_path):
    moved = replace(machine, env={**machine.env, "CLAUDE_CONFIG_DIR": str(tmp_path / "cfg")})
    install(moved)
    paths = CLAUDE.protected_paths(machine)
    assert str(tmp_path / "cfg" / "settings.json") in paths
    assert str(machine.home / ".claude" / "settings.json") in paths
    assert str(machine.home / ".claude" / "settings.local.json") in paths
