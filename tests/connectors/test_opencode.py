"""OpenCode: what the bridge posts as events, its answers out, and its plugin there and back."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.connectors.scripted_contract import ACTION, FINDING

from defenseclaw.connectors import disk, files, opencode, runtime
from defenseclaw.connectors.base import HookCall, SetupOptions, by_any_name, registry
from defenseclaw.errors import AgentNotFound, ForeignContent, MissingField, SetupError
from defenseclaw.vocabulary import Action, Correlation, EventKind, FailMode, Mode

OPENCODE = opencode.CONNECTOR
HISTORY = "experimental.chat.messages.transform"
REASON = "not here"
VERSION = "1.18.33"
BEFORE = ("chat.message", "tool.execute.before")
AFTER = ("tool.execute.after", HISTORY, "experimental.text.complete")
LIFECYCLE = ("session.created", "session.idle", "session.error", "permission.replied", "anything.else")


def decode(**body):
    return OPENCODE.decode(HookCall(payload=body))


@pytest.fixture
def machine(host, executable):
    executable("opencode", f"echo {VERSION}")
    return host


def install(host, options=ACTION):
    return files.apply(host, OPENCODE, OPENCODE.plan_setup(host, options))


def plugin_of(host):
    return host.home / ".config" / "opencode" / "plugins" / "defenseclaw.js"


def statuses(host):
    return {check.label: check.status for check in OPENCODE.check(host, ACTION)}


# ---- events in ------------------------------------------------------------------------------------

BODY = {
    "cwd": "/home/user/project",
    "session_id": "ses_1",
    "agent_id": "",
    "agent": "build",
    "model": "fake/fake",
    "turn_id": "msg_1",
}
CALL = {"tool_name": "bash", "tool_call_id": "call_1", "tool_input": {"command": "ls"}}
EVENTS = [
    ("chat.message", EventKind.PROMPT, {"prompt": "do it"}, {"text": "do it"}),
    ("tool.execute.before", EventKind.TOOL_CALL, CALL, {"tool": "bash", "args": {"command": "ls"}}),
    (
        "tool.execute.after",
        EventKind.TOOL_RESULT,
        CALL | {"tool_response": "a\nb"},
        {"tool": "bash", "args": {"command": "ls"}, "result": "a\nb"},
    ),
    (HISTORY, EventKind.TOOL_RESULT, CALL | {"tool_response": "failed"}, {"result": "failed"}),
    ("experimental.text.complete", EventKind.COMPLETION, {"text": "done"}, {"text": "done"}),
    ("session.created", EventKind.LIFECYCLE, {"prompt": "x", "text": "x"}, {"text": ""}),
    (
        "permission.replied",
        EventKind.LIFECYCLE,
        {"reply": "once"},
        {"extra": {"agent": "build", "reply": "once"}},
    ),
]


@pytest.mark.parametrize(("name", "kind", "own", "fields"), EVENTS, ids=[each[0] for each in EVENTS])
def test_events(name, kind, own, fields):
    event = decode(hook_event_name=name, **BODY, **own)
    assert (event.name, event.kind, event.connector) == (name, kind, "opencode")
    assert (event.cwd, event.model) == ("/home/user/project", "fake/fake")
    known = event.correlation
    assert (known.session_id, known.turn_id, known.agent_name) == ("ses_1", "msg_1", "OpenCode")
    assert (known.agent_id, known.agent_type) == ("", "opencode")
    assert known.tool_call_id == own.get("tool_call_id", "")
    for field, wanted in fields.items():
        assert getattr(event, field) == wanted


def test_a_sub_agent_has_an_id_and_a_type_of_its_own():
    known = decode(
        hook_event_name="tool.execute.before", **BODY | {"agent_id": "ses_2", "agent": "general"}
    ).correlation
    assert (known.session_id, known.agent_id, known.agent_type) == ("ses_1", "ses_2", "general")


@pytest.mark.parametrize(
    ("arguments", "cwd"),
    [
        ({"workdir": "/srv/app"}, "/srv/app"),
        ({"workdir": "sub/../deep"}, "/home/user/project/deep"),
        ({"workdir": ""}, "/home/user/project"),
        ({"workdir": 7}, "/home/user/project"),
        ({"workdir": "a\nb"}, "/home/user/project"),
        ("text", "/home/user/project"),
        (None, "/home/user/project"),
    ],
)
def test_a_call_may_name_its_own_directory(arguments, cwd):
    assert decode(hook_event_name="tool.execute.before", **BODY, tool_input=arguments).cwd == cwd


def test_without_a_directory_a_relative_one_means_nothing():
    assert decode(hook_event_name="tool.execute.before", tool_input={"workdir": "sub"}).cwd == ""


@pytest.mark.parametrize("name", [*BEFORE, *AFTER, *LIFECYCLE])
def test_a_body_that_could_not_be_taken_in_is_the_event_of_the_header(name, verdict):
    known = Correlation(session_id="from-header")
    event = OPENCODE.decode(HookCall(header_event=name, faults=("too_large",), correlation=known))
    assert (event.name, event.faults, event.kind) == (name, ("too_large",), OPENCODE.kind_of(name))
    assert event.correlation.session_id == "from-header"
    answer = OPENCODE.encode(event, verdict(Action.BLOCK))
    assert (answer.output is None) is (name in LIFECYCLE)


def test_no_name_anywhere_is_refused():
    with pytest.raises(MissingField):
        decode(session_id="x")


def test_is_found_by_all_its_names():
    assert registry()["opencode"] is OPENCODE
    assert {by_any_name(each) for each in ("opencode", "OpenCode", "open-code")} == {OPENCODE}


# ---- answers out ----------------------------------------------------------------------------------

DENIED = {"decision": "deny", "reason": REASON}


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("name", [*BEFORE, *AFTER, *LIFECYCLE])
def test_answers(name, action, verdict):
    event = decode(hook_event_name=name)
    answer = OPENCODE.encode(event, verdict(action, findings=(FINDING,)))
    assert (answer.exit_code, answer.stderr, answer.output_field) == (0, "", "hook_output")
    stopped = action is Action.BLOCK and name not in LIFECYCLE
    assert answer.output == (DENIED if stopped else None)
    assert (json.loads(answer.stdout) if answer.stdout else None) == answer.output


@pytest.mark.parametrize("action", [Action.ALERT, Action.BLOCK])
@pytest.mark.parametrize("value", ["masked", "", [{"type": "text", "text": "masked"}]])
@pytest.mark.parametrize("name", AFTER)
def test_what_the_model_reads_is_replaced(name, value, action, verdict):
    answer = OPENCODE.encode(decode(hook_event_name=name), verdict(action, replacement=value))
    assert answer.output == {"decision": "replace", "value": value}


@pytest.mark.parametrize("name", BEFORE)
def test_what_a_person_or_the_model_says_is_not_rewritten(name, verdict):
    answer = OPENCODE.encode(decode(hook_event_name=name), verdict(Action.BLOCK, replacement="x"))
    assert answer.output == DENIED


@pytest.mark.parametrize("name", [*BEFORE, *AFTER])
def test_a_question_nobody_can_be_asked(name):
    able = OPENCODE.abilities(name, OPENCODE.kind_of(name))
    assert (able.can_block, able.can_ask) == (True, False)
    assert able.unasked is (Action.BLOCK if name in BEFORE else Action.ALERT)
    assert able.can_replace is (name in AFTER)


# ---- the plugin -----------------------------------------------------------------------------------


def test_what_setup_installs(machine, tree):
    install(machine)
    made = {name: mode for name, (mode, what) in tree(machine.home).items() if what != "directory"}
    assert made == {
        ".config/opencode/plugins/defenseclaw.js": 0o600,
        ".defenseclaw/.setup.lock": 0o600,
        ".defenseclaw/connector_backups/opencode/plugin.json": 0o600,
        ".defenseclaw/hooks/.hook-opencode.token": 0o600,
        ".defenseclaw/hooks/.runtime-opencode.conf": 0o600,
    }


def test_setup_twice_is_setup_once(machine, tree):
    assert install(machine)
    before = tree(machine.home)
    assert install(machine) == ()
    assert tree(machine.home) == before


def test_a_setup_after_an_upgrade_of_the_agent_changes_nothing(machine, executable, tree):
    install(machine)
    before = tree(machine.home)
    executable("opencode", "echo 99.0.0")
    assert install(machine) == ()
    assert tree(machine.home) == before


def test_everything_created_goes_with_us(machine, tree):
    before = tree(machine.home)
    install(machine)
    files.restore(machine, OPENCODE)
    left = {name for name, (_, what) in tree(machine.home).items() if what != "directory"} - set(before)
    assert left == {".defenseclaw/.setup.lock"}
    assert not (machine.home / ".config").exists()


def test_neighbours_are_not_touched(machine, tree):
    folder = plugin_of(machine).parent
    folder.mkdir(parents=True)
    (folder / "mine.js").write_text("export const Mine = async () => ({})\n")
    (folder.parent / "opencode.jsonc").write_text("{ // kept\n}\r\n")
    before = tree(machine.home)
    install(machine)
    files.restore(machine, OPENCODE)
    assert {name: each for name, each in tree(machine.home).items() if not name.startswith(".def")} == before


def test_a_newer_plugin_takes_the_place_of_an_older_one_of_ours(machine):
    install(machine)
    path = plugin_of(machine)
    path.write_bytes(opencode.MARKER + b"v0\n")
    assert statuses(machine)["Plugin"] == "fail"
    install(machine)
    assert path.read_bytes() == opencode.render_plugin(machine)
    files.restore(machine, OPENCODE)
    assert not path.exists()


def test_an_edited_plugin_is_kept_where_opencode_does_not_load_it(machine):
    install(machine)
    path = plugin_of(machine)
    edited = path.read_bytes() + b"// mine\n"
    path.write_bytes(edited)
    plan = files.restore(machine, OPENCODE)
    assert not path.exists()
    aside = path.with_name("defenseclaw.js.edited")
    assert aside.read_bytes() == edited
    assert str(aside) in plan.notes[0]


@pytest.mark.parametrize("content", [b"export const Mine = async () => ({})\n", b"", b"// other\n"])
def test_a_plugin_of_somebody_else_is_refused_and_untouched(machine, content):
    path = plugin_of(machine)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(ForeignContent) as caught:
        install(machine)
    assert str(path) in caught.value.message
    assert path.read_bytes() == content
    assert not machine.data_dir.exists()


def test_a_plugin_somebody_put_in_our_place_later_stays(machine):
    install(machine)
    plugin_of(machine).write_bytes(b"export const Mine = async () => ({})\n")
    files.restore(machine, OPENCODE)
    assert plugin_of(machine).read_bytes() == b"export const Mine = async () => ({})\n"


def test_a_link_in_our_place_is_refused(machine, tmp_path):
    path = plugin_of(machine)
    path.parent.mkdir(parents=True)
    (tmp_path / "elsewhere.js").write_bytes(opencode.MARKER)
    path.symlink_to(tmp_path / "elsewhere.js")
    with pytest.raises(ForeignContent, match="symbolic link"):
        install(machine)
    assert (tmp_path / "elsewhere.js").read_bytes() == opencode.MARKER


def test_the_agents_directory_is_followed(machine, tmp_path):
    moved = replace(machine, env={**machine.env, "XDG_CONFIG_HOME": str(tmp_path / "its own é")})
    install(moved)
    assert (tmp_path / "its own é" / "opencode" / "plugins" / "defenseclaw.js").exists()
    assert not plugin_of(machine).exists()
    files.restore(machine, OPENCODE)  # the variable is gone by now: the record knows the place
    assert not (tmp_path / "its own é").exists()


def test_an_override_that_is_not_absolute_is_ignored(machine):
    relative = replace(machine, env={**machine.env, "XDG_CONFIG_HOME": "relative"})
    assert OPENCODE.settings_path(relative) == OPENCODE.settings_path(machine)


def test_a_workspace_takes_the_plugin_and_gives_it_back(machine, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    options = replace(ACTION, workspace=work)
    assert "version control" in OPENCODE.plan_setup(machine, options).warnings[0]
    install(machine, options)
    path = work / ".opencode" / "plugins" / "defenseclaw.js"
    assert path.exists()
    assert not plugin_of(machine).exists()
    assert OPENCODE.detect(machine).configured is True
    assert str(path) in OPENCODE.protected_paths(machine)
    assert set(statuses(machine).values()) == {"pass"}
    install(machine)  # for the user: the project's goes
    assert list(work.iterdir()) == []
    assert plugin_of(machine).exists()


def test_a_workspace_in_our_own_directory_is_refused(machine):
    with pytest.raises(SetupError, match="data directory"):
        OPENCODE.plan_setup(machine, replace(ACTION, workspace=machine.data_dir / "x"))


def test_a_data_directory_with_a_line_break_is_refused(machine):
    odd = replace(machine, data_dir=machine.home / "a\nb")
    with pytest.raises(SetupError, match="name"):
        OPENCODE.plan_setup(odd, ACTION)


@pytest.mark.parametrize("name", ['"quoted"', "back\\slash", "${x}`", "漢字", "a'b"])
def test_any_other_name_is_a_string_of_the_plugin(machine, name):
    odd = replace(machine, data_dir=machine.home / name)
    text = opencode.render_plugin(odd).decode("ascii")
    line = next(each for each in text.splitlines() if each.startswith("const TOKEN_FILE = "))
    assert json.loads(line.removeprefix("const TOKEN_FILE = ").removesuffix(";")) == str(
        runtime.token_path(odd, "opencode")
    )


# ---- detection and doctor -------------------------------------------------------------------------


def test_detect(machine):
    found = OPENCODE.detect(machine)
    assert (found.found, found.version, found.configured) == (True, VERSION, False)
    assert found.config_path == str(plugin_of(machine))
    install(machine)
    assert OPENCODE.detect(machine).configured is True


def test_no_agent_is_refused_with_where_it_was_looked_for(host):
    with pytest.raises(AgentNotFound) as caught:
        OPENCODE.plan_setup(host, ACTION)
    assert str(Path(host.env["PATH"]) / "opencode") in caught.value.hint
    assert not host.data_dir.exists()
    assert install(host, replace(ACTION, force=True))


@pytest.mark.parametrize("mode", Mode)
def test_an_agent_that_would_not_start_with_our_directory_is_refused_in_any_mode(host, executable, mode):
    executable("opencode", "echo 1.2.19")
    options = replace(ACTION, mode=mode)
    with pytest.raises(SetupError, match="is older than"):
        OPENCODE.plan_setup(host, options)
    assert OPENCODE.plan_setup(host, replace(options, force=True)).warnings


def test_an_agent_without_a_version_is_refused_in_action_mode(host, executable):
    executable("opencode", "echo none")
    with pytest.raises(SetupError, match="no version"):
        OPENCODE.plan_setup(host, ACTION)
    assert OPENCODE.plan_setup(host, SetupOptions(mode=Mode.OBSERVE)).warnings
    assert OPENCODE.plan_setup(host, replace(ACTION, force=True)).warnings


@pytest.mark.parametrize("version", ["1.2.20", VERSION, "v2.0.0"])
def test_versions_that_are_known_to_work(host, executable, version):
    executable("opencode", f"echo {version}")
    assert OPENCODE.plan_setup(host, ACTION).warnings == ()


def test_the_probe_leaves_nothing_behind(host, executable, tree):
    """OpenCode makes its directories however it is called."""
    folders = 'for each in "$XDG_CONFIG_HOME" "$XDG_DATA_HOME" "$XDG_STATE_HOME" "$XDG_CACHE_HOME"'
    executable("opencode", f'{folders}; do : > "$each/left"; done; test -z "$SECRET" && echo {VERSION}')
    before = tree(host.home)
    moved = {"XDG_CONFIG_HOME": str(host.home), "SECRET": "x"}
    assert OPENCODE.detect(replace(host, env={**host.env, **moved})).version == VERSION
    assert tree(host.home) == before


@pytest.mark.parametrize("value", ["1", "true", "YES"])
def test_switched_off_plugins_are_refused_and_told(machine, value):
    install(machine)
    off = replace(machine, env={**machine.env, "OPENCODE_PURE": value})
    with pytest.raises(SetupError, match="OPENCODE_PURE"):
        OPENCODE.plan_setup(off, ACTION)
    assert statuses(off)["Plugins switched off"] == "fail"


@pytest.mark.parametrize("value", ["", "0", "false"])
def test_plugins_that_are_not_switched_off(machine, value):
    assert OPENCODE.plan_setup(replace(machine, env={**machine.env, "OPENCODE_PURE": value}), ACTION)


def test_a_healthy_setup_passes_every_check(machine):
    install(machine)
    assert statuses(machine) == {"OpenCode": "pass", "Plugin": "pass", "Hook runtime": "pass"}


HARMS = {
    "gone": ("Plugin", lambda host: plugin_of(host).unlink()),
    "changed": ("Plugin", lambda host: plugin_of(host).write_bytes(opencode.MARKER + b"v1\n")),
    "token": ("Hook runtime", lambda host: runtime.token_path(host, "opencode").write_text("x")),
    "runtime": (
        "Hook runtime",
        lambda host: disk.write(runtime.runtime_path(host, "opencode"), b"fail_mode=open", 0o600),
    ),
}


@pytest.mark.parametrize("harm", HARMS)
def test_doctor_names_what_is_broken_and_setup_mends_it(machine, harm):
    install(machine)
    label, break_it = HARMS[harm]
    break_it(machine)
    (broken,) = [check for check in OPENCODE.check(machine, ACTION) if check.status != "pass"]
    assert broken.label == label
    assert broken.mend == "defenseclaw setup opencode"
    install(machine)
    assert set(statuses(machine).values()) == {"pass"}


def test_doctor_names_a_link_in_our_place(machine, tmp_path):
    install(machine)
    path = plugin_of(machine)
    path.rename(tmp_path / "elsewhere.js")
    path.symlink_to(tmp_path / "elsewhere.js")
    assert statuses(machine)["Plugin"] == "fail"
    assert OPENCODE.detect(machine).configured is False


def test_doctor_names_a_plugin_others_can_write(machine):
    install(machine)
    plugin_of(machine).chmod(0o666)
    (broken,) = [check for check in OPENCODE.check(machine, ACTION) if check.status != "pass"]
    assert "written by others" in broken.detail
    assert broken.mend == f"chmod 600 '{plugin_of(machine)}'"


def test_doctor_names_an_agent_that_is_gone_or_too_old(machine, executable):
    install(machine)
    executable("opencode", "echo 1.0.0")
    assert statuses(machine)["OpenCode"] == "fail"
    assert (
        OPENCODE.check(machine, SetupOptions(mode=Mode.OBSERVE, fail_mode=FailMode.CLOSED))[0].status
        == "warn"
    )
    assert statuses(replace(machine, env={"PATH": "/nowhere"}))["OpenCode"] == "warn"


def test_a_fail_mode_that_was_changed_reaches_the_bridge_without_another_setup(machine):
    install(machine)
    before = plugin_of(machine).read_bytes()
    assert runtime.write_runtime(machine, OPENCODE, FailMode.OPEN)
    assert runtime.read_runtime(machine, "opencode").fail_mode is FailMode.OPEN
    assert plugin_of(machine).read_bytes() == before


def test_protected_paths_follow_the_setup(machine, tmp_path):
    moved = replace(machine, env={**machine.env, "XDG_CONFIG_HOME": str(tmp_path / "cfg")})
    install(moved)
    wanted = {str(tmp_path / "cfg/opencode/plugins/defenseclaw.js"), str(plugin_of(machine))}
    assert set(OPENCODE.protected_paths(machine)) == wanted
