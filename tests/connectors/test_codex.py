"""Codex: its recorded events in, its answers out, its configuration and trust there and back."""

import hashlib
import json
import tomllib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.connectors.answers_contract import AnswersContract
from tests.connectors.scripted_contract import ACTION, FINDING, SwitchedOffContract

from defenseclaw.connectors import codex, codex_config, codex_notify, files, runtime
from defenseclaw.connectors.base import HookCall
from defenseclaw.connectors.codex_config import Hook
from defenseclaw.connectors.tomledit import Document
from defenseclaw.vocabulary import Action, EventKind

CODEX = codex.CONNECTOR
REASON = "not here"


@pytest.fixture(autouse=True)
def unmanaged(tmp_path, monkeypatch):
    monkeypatch.setattr(type(CODEX), "system_dir", tmp_path / "etc")


MINE = '[[hooks.PreToolUse]]\nmatcher = "Bash"\nhooks = [{ type = "command", command = "mine" }]\n'
FOREIGN = [
    "",
    "# only a comment",
    'model = "x"  # why\r\n\r\n[a."b c"]\r\nd = """\r\n[[hooks.Stop]]\r\n"""\r\n',
    'notify = ["python3", "n.py"]\n\n[projects."/home/é"]\ntrust_level = "trusted"\n',
    MINE,
    '[hooks]\n[[hooks.Stop]]\n[[hooks.Stop.hooks]]\ntype = "command"\ncommand = "mine"\n\n[hooks.state]\n',
    '[hooks.state]\n"/etc/x:stop:0:0" = { trusted_hash = "sha256:00" }\n\n[tui]\nx = 1 # end',
]


class TestCodexContract(AnswersContract, SwitchedOffContract):
    connector = CODEX
    version = "0.169.0"
    too_old = "0.128.9"
    override = "CODEX_HOME"
    moved = "config.toml"
    foreign = FOREIGN
    malformed = (
        "hooks = 1",
        "hooks = {}",
        "[hooks]\nStop = []",
        "[hooks]\nStop = [{ hooks = [] }]",
        "[hooks.Stop]",
        "[[hooks.Stop]]\nhooks = 1",
        "hooks.state = 1",
        "broken = = 'SECRET'",
        "a = " + "[" * 3000,
    )
    switch = (
        (".codex/config.toml", "[features]\nhooks = false\n", "features.hooks"),
        (".codex/config.toml", "[features]\ncodex_hooks = false\n", "features.codex_hooks"),
        ("work/.codex/config.toml", "[features]\nhooks = false\n", "features.hooks"),
        ("../etc/config.toml", "features = { hooks = false }\n", "features.hooks"),
        ("../etc/requirements.toml", "allow_managed_hooks_only = true\n", "allow_managed_hooks_only"),
    )

    def spoil(self, path):
        document = Document(path.read_bytes())
        document.cut_element(("hooks", "PreToolUse"), 0)
        path.write_bytes(document.encode())
        return "PreToolUse"


CONTRACT = TestCodexContract()
golden, decode, install, put = CONTRACT.golden, CONTRACT.decode, CONTRACT.install, CONTRACT.put


@pytest.fixture
def machine(host, executable):
    executable("codex", "echo 'codex-cli 0.169.0'")
    return host


def value(path):
    return tomllib.loads(path.read_text())


# ---- events in ------------------------------------------------------------------------------------

RECORDED = [
    ("UserPromptSubmit", EventKind.PROMPT, {"text": "please run the probe"}),
    ("PreToolUse", EventKind.TOOL_CALL, {"tool": "Bash", "args": {"command": "echo dc-probe-123"}}),
    ("PostToolUse", EventKind.TOOL_RESULT, {"tool": "Bash", "result": "dc-probe-123\n"}),
    ("Stop", EventKind.COMPLETION, {"text": "All done."}),
    ("SessionStart", EventKind.LIFECYCLE, {"text": ""}),
    ("SessionEnd", EventKind.LIFECYCLE, {"extra": {"reason": "other"}}),
]


@pytest.mark.parametrize(("name", "kind", "fields"), RECORDED, ids=[each[0] for each in RECORDED])
def test_recorded_events(name, kind, fields):
    event = decode(name)
    assert (event.name, event.kind, event.connector) == (name, kind, "codex")
    assert event.cwd == "/home/user/project"
    assert event.correlation.session_id == golden(name)["session_id"]
    assert event.correlation.turn_id == golden(name).get("turn_id", "")
    assert event.correlation.tool_call_id == golden(name).get("tool_use_id", "")
    for field, wanted in fields.items():
        assert getattr(event, field) == wanted


@pytest.mark.parametrize(
    ("tool", "given_input", "args"),
    [
        ("Bash", "ls", {"command": "ls"}),
        ("apply_patch", "*** Begin Patch", {"input": "*** Begin Patch"}),
        ("mcp__files__read", {"path": "/x"}, {"path": "/x"}),
        ("update_plan", ["a"], {"input": ["a"]}),
        ("Bash", None, {}),
    ],
)
def test_bare_input_of_a_free_form_tool_is_inspected(tool, given_input, args):
    event = decode("PreToolUse", tool_name=tool, tool_input=given_input)
    assert event.args == args
    assert event.mcp_server == ("files" if tool.startswith("mcp__") else "")


# ---- answers out ----------------------------------------------------------------------------------

BLOCKED = {"decision": "block", "reason": REASON}
DENIED = {
    "hookSpecificOutput": {
        "hookEventName": "PreToolUse",
        "permissionDecision": "deny",
        "permissionDecisionReason": REASON,
    }
}
NOTICE = {"systemMessage": "DefenseClaw: HIGH finding recorded, not stopped (CMD-RM-ROOT)"}
ANSWERS = [
    ("PreToolUse", Action.BLOCK, DENIED),
    ("PreToolUse", Action.CONFIRM, DENIED),
    ("PreToolUse", Action.ALERT, NOTICE),
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
    ("UserPromptSubmit", Action.BLOCK, BLOCKED),
    ("UserPromptSubmit", Action.ALERT, NOTICE),
    ("PostToolUse", Action.BLOCK, BLOCKED),
    ("PostToolUse", Action.ALERT, NOTICE),
    ("Stop", Action.BLOCK, BLOCKED),
    ("SubagentStop", Action.BLOCK, BLOCKED),
    ("SessionStart", Action.BLOCK, None),
    ("SessionEnd", Action.ALERT, None),
    ("PreCompact", Action.BLOCK, None),
]


@pytest.mark.parametrize(("name", "action", "want"), ANSWERS, ids=[f"{a}-{b}" for a, b, _ in ANSWERS])
def test_answers(name, action, want, verdict):
    event = CODEX.decode(HookCall(payload={"hook_event_name": name}))
    answer = CODEX.encode(event, verdict(action, findings=(FINDING,)))
    assert (answer.exit_code, answer.stderr, answer.output_field) == (0, "", "codex_output")
    assert (json.loads(answer.stdout) if answer.stdout else None) == want


@pytest.mark.parametrize("name", ["Stop", "SubagentStop"])
def test_a_stop_is_not_blocked_twice(verdict, name):
    event = decode("Stop", hook_event_name=name, stop_hook_active=True)
    assert event.abilities.can_block is False
    assert CODEX.encode(event, verdict(Action.BLOCK)).stdout == b""


@pytest.mark.parametrize("action", [Action.ALERT, Action.BLOCK])
@pytest.mark.parametrize(
    ("replacement", "reason"),
    [("a <redacted>\n", "a <redacted>\n"), ({"content": ["<redacted>"]}, '{"content":["<redacted>"]}')],
)
def test_a_masked_result_is_the_reason_the_model_reads_instead(verdict, action, replacement, reason):
    answer = CODEX.encode(decode("PostToolUse"), verdict(action, replacement=replacement))
    assert answer.output == {"decision": "block", "reason": reason}


def test_an_empty_replacement_still_has_a_reason(verdict):
    """Codex takes a block without one for a failed hook and shows the output."""
    answer = CODEX.encode(decode("PostToolUse"), verdict(Action.BLOCK, replacement=""))
    assert answer.output == BLOCKED


# ---- configuration and trust ----------------------------------------------------------------------


def test_the_trust_hash_is_that_of_the_agent():
    """Spelt out by hand from the formula that was confirmed on 0.169.0."""
    hook = Hook(event="PreToolUse", matcher="*", command="'/é/x' PreToolUse", timeout_s=30)
    text = (
        '{"event_name":"pre_tool_use","hooks":[{"async":false,"command":"\'/é/x\' PreToolUse",'
        '"timeout":30,"type":"command"}],"matcher":"*"}'
    )
    assert hook.trusted_hash() == "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    bare = Hook(event="UserPromptSubmit", matcher="", command="c", timeout_s=30)
    handler = '{"async":false,"command":"c","timeout":30,"type":"command"}'
    text = f'{{"event_name":"user_prompt_submit","hooks":[{handler}]}}'
    assert bare.trusted_hash() == "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def test_installed_entries(machine):
    install(machine)
    path = CODEX.settings_path(machine)
    hooks = value(path)["hooks"]
    assert set(hooks) == {*codex._REGISTRATIONS, "state"}
    assert hooks["PreToolUse"] == [
        {
            "matcher": "*",
            "hooks": [{"type": "command", "command": CODEX.command(machine, "PreToolUse"), "timeout": 30}],
        }
    ]
    assert "matcher" not in hooks["Stop"][0]
    assert hooks["SessionEnd"][0]["hooks"][0]["timeout"] == 3
    assert f"{path}:pre_tool_use:0:0" in hooks["state"]
    assert len(hooks["state"]) == len(codex._REGISTRATIONS)


def test_a_linked_directory_is_trusted_under_both_its_names(machine, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    install(replace(machine, env={**machine.env, "CODEX_HOME": str(tmp_path / "link")}))
    state = value(tmp_path / "real" / "config.toml")["hooks"]["state"]
    assert state[f"{tmp_path}/link/config.toml:stop:0:0"] == state[f"{tmp_path}/real/config.toml:stop:0:0"]


def test_every_timeout_that_can_stop_something_is_longer_than_the_scripts_own():
    for event, (_, timeout, _) in codex._REGISTRATIONS.items():
        assert timeout > runtime.TOTAL_TIMEOUT_S or event not in CODEX.block_events


@pytest.mark.parametrize(
    ("version", "absent"),
    [
        ("0.129.0", {"SubagentStart", "SubagentStop", "SessionEnd"}),
        ("0.135.0", {"SessionEnd"}),
        ("0.145.0", set()),
        ("", set()),
    ],
)
def test_events_follow_the_version(version, absent):
    assert set(codex._REGISTRATIONS) - set(CODEX.events(version)) == absent


def test_before_generic_tool_hooks_the_operator_is_told(host, executable):
    executable("codex", "echo 0.134.0")
    assert "shell commands only" in CODEX.plan_setup(host, ACTION).warnings[0]


@pytest.mark.parametrize("text", FOREIGN)
def test_what_others_wrote_stays_while_we_are_in(machine, text):
    path = put(machine, text)
    install(machine)
    ours, theirs = value(path), tomllib.loads(text)
    assert ours.pop("notify") == codex_notify.command(machine)
    theirs.pop("notify", None)
    document = Document(path.read_bytes())
    codex_notify.uninstall(machine, document)
    assert document.encode().startswith(text.encode())
    for event, groups in theirs.pop("hooks", {}).items():
        if event != "state":
            assert ours["hooks"][event][: len(groups)] == groups
    ours.pop("hooks")
    assert ours == theirs


def test_ours_behind_an_operators_group_is_trusted_there(machine):
    path = put(machine, MINE)
    install(machine)
    assert value(path)["hooks"]["PreToolUse"][0]["hooks"][0]["command"] == "mine"
    assert f"{path}:pre_tool_use:1:0" in value(path)["hooks"]["state"]


def test_an_operators_group_behind_ours_keeps_its_trust(machine):
    install(machine)
    path = CODEX.settings_path(machine)
    trust = f'[hooks.state."{path}:pre_tool_use:1:0"]\ntrusted_hash = "sha256:11"\n'
    path.write_text(path.read_text() + f"\n# added later\n{MINE}\n{trust}")
    files.restore(machine, CODEX)
    assert value(path)["hooks"] == {
        "PreToolUse": [{"matcher": "Bash", "hooks": [{"type": "command", "command": "mine"}]}],
        "state": {f"{path}:pre_tool_use:0:0": {"trusted_hash": "sha256:11"}},
    }
    assert "# added later" in path.read_text()


@pytest.mark.parametrize("form", ["inline", "tables"])
def test_an_operators_handler_in_our_group_keeps_its_trust(machine, form):
    install(machine)
    path = CODEX.settings_path(machine)
    command = CODEX.command(machine, "Stop")
    if form == "inline":
        text = path.read_text()
        at = text.index("}]", text.index("[[hooks.Stop]]")) + 1
        text = text[:at] + ', { type = "command", command = "mine" }' + text[at:]
    else:
        document = Document(path.read_bytes())
        document.cut_element(("hooks", "Stop"), 0)
        document.append(
            "[[hooks.Stop]]\n"
            f"[[hooks.Stop.hooks]]\ntype = 'command'\ncommand = {json.dumps(command)}\ntimeout = 90\n"
            "[[hooks.Stop.hooks]]\ntype = 'command'\ncommand = 'mine'\n"
        )
        text = document.text
    text += f'\n[hooks.state]\n"{path}:stop:0:1" = {{ trusted_hash = "sha256:22" }}\n'
    path.write_text(text)
    files.restore(machine, CODEX)
    assert value(path)["hooks"] == {
        "Stop": [{"hooks": [{"type": "command", "command": "mine"}]}],
        "state": {f"{path}:stop:0:0": {"trusted_hash": "sha256:22"}},
    }


def test_ours_written_anew_inline_is_taken_out(machine):
    install(machine)
    path = CODEX.settings_path(machine)
    command = json.dumps(CODEX.command(machine, "Stop"))
    handlers = f"[ {{ command = {command} }}, {{ command = 'mine' }} ]"
    path.write_text(
        f"hooks = {{ Stop = [ {{ hooks = {handlers} }}, {{ hooks = [{{ command = {command} }}] }} ] }}"
    )
    files.restore(machine, CODEX)
    assert value(path) == {"hooks": {"Stop": [{"hooks": [{"command": "mine"}]}]}}


def test_a_hook_switched_off_in_the_agent_is_told_and_put_back(machine):
    install(machine)
    path = CODEX.settings_path(machine)
    key = f'[hooks.state."{path}:pre_tool_use:0:0"]\n'
    path.write_text(path.read_text().replace(key, key + "enabled = false\n"))
    assert any(
        "PreToolUse" in check.detail for check in CODEX.check(machine, ACTION) if check.status == "fail"
    )
    install(machine)
    assert {check.status for check in CODEX.check(machine, ACTION)} == {"pass"}
    assert "enabled" not in path.read_text()


def test_a_wrong_hash_is_told_and_put_right(machine):
    install(machine)
    path = CODEX.settings_path(machine)
    good = value(path)["hooks"]["state"][f"{path}:stop:0:0"]["trusted_hash"]
    path.write_text(path.read_text().replace(good, "sha256:00"))
    assert CODEX.detect(machine).configured is False
    install(machine)
    assert CODEX.detect(machine).configured is True


keys = st.text(alphabet="abé 'x.", min_size=1, max_size=4)
scalars = st.booleans() | st.integers(-9, 9) | st.text(alphabet='a"\\é#[]\n', max_size=6)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.dictionaries(keys, scalars, max_size=3),
    after=st.dictionaries(keys, scalars, max_size=3),
    groups=st.integers(0, 2),
    later=st.integers(0, 2),
)
def test_an_operators_edits_survive_teardown(machine, before, after, groups, later):
    def table(name, values):
        lines = [f"{json.dumps(key)} = {json.dumps(each)}" for key, each in values.items()]
        return "\n".join([f"[{name}]  # {name}", *lines, ""])

    original = table("operator", before) + MINE * groups
    path = put(machine, original)
    install(machine)
    path.write_text(path.read_text() + "\n" + MINE * later + table("later", after))
    files.restore(machine, CODEX)
    assert value(path) == tomllib.loads(original + MINE * later + table("later", after))
    assert path.read_text().startswith(original)
    assert "# later" in path.read_text()
    path.unlink()


def test_protected_paths_hold_the_hooks_file_too(machine):
    assert str(machine.home / ".codex" / "hooks.json") in CODEX.protected_paths(machine)


def test_event_names_in_hashes():
    assert codex_config._snake("UserPromptSubmit") == "user_prompt_submit"
