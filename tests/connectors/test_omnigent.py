"""OmniGent: what the bridge sends as events, and the four files there and back.

The environment is a real virtual environment with a stub package called omnigent.
"""

import json
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from defenseclaw.connectors import disk, files, omnigent, runtime
from defenseclaw.connectors.base import HookCall, SetupOptions
from defenseclaw.errors import AgentNotFound, ForeignContent, MissingField, SetupError
from defenseclaw.vocabulary import Action, EventKind, FailMode, Mode

OMNIGENT = omnigent.CONNECTOR
ACTION = SetupOptions(mode=Mode.ACTION, fail_mode=FailMode.CLOSED)
BODY = {
    "agent_name": "OmniGent",
    "agent_type": "omnigent",
    "agent_id": "",
    "model": "m1",
    "tool_name": "",
    "tool_input": {},
    "session_id": "s1",
    "conversation_id": "s1",
}


@pytest.fixture
def machine(host, omnigent_env):
    found = replace(host, env={"PATH": str(omnigent_env / "bin")})
    yield found
    pth_of(omnigent_env).unlink(missing_ok=True)


def pth_of(omnigent_env):
    (site,) = (omnigent_env / "env" / "lib").glob("python*/site-packages")
    return site / "defenseclaw_omnigent.pth"


def install(host, options=ACTION):
    return files.apply(host, OMNIGENT, OMNIGENT.plan_setup(host, options))


def put_config(host, content):
    path = omnigent.config_path(host)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


# ---- events in, answers out -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phase", "name", "kind", "sent", "fields"),
    [
        ("request", "UserPromptSubmit", EventKind.PROMPT, {"prompt": "p"}, {"text": "p"}),
        ("llm_request", "BeforeModel", EventKind.PROMPT, {"prompt": "p"}, {"text": "p", "model": "m1"}),
        (
            "tool_call",
            "PreToolUse",
            EventKind.TOOL_CALL,
            {"tool_name": "shell", "tool_input": {"command": "ls"}},
            {"tool": "shell", "args": {"command": "ls"}},
        ),
        (
            "tool_result",
            "PostToolUse",
            EventKind.TOOL_RESULT,
            {"tool_name": "shell", "tool_input": {"command": "ls"}, "tool_response": "out"},
            {"tool": "shell", "args": {"command": "ls"}, "result": "out"},
        ),
        ("response", "AfterAgentResponse", EventKind.COMPLETION, {"tool_response": "t"}, {"text": "t"}),
        ("llm_response", "AfterModel", EventKind.COMPLETION, {"tool_response": "t"}, {"text": "t"}),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_events(phase, name, kind, sent, fields, named):
    body = BODY | {"omnigent_event_type": phase} | ({"hook_event_name": name} if named else {}) | sent
    event = OMNIGENT.decode(HookCall(payload=body))
    assert (event.name, event.kind, event.connector) == (name, kind, "omnigent")
    assert event.correlation.session_id == "s1"
    assert event.extra["phase"] == phase
    for field, value in fields.items():
        assert getattr(event, field) == value


@pytest.mark.parametrize(
    ("name", "block", "ask", "replace_", "unasked"),
    [
        ("UserPromptSubmit", True, True, False, Action.BLOCK),
        ("PreToolUse", True, True, False, Action.BLOCK),
        ("BeforeModel", True, True, False, Action.BLOCK),
        ("PostToolUse", True, False, True, Action.ALERT),
        ("AfterAgentResponse", True, False, False, Action.ALERT),
        ("AfterModel", True, False, False, Action.ALERT),
        ("PolicyEvaluation", False, False, False, Action.ALERT),
    ],
)
def test_what_each_event_can(name, block, ask, replace_, unasked):
    found = OMNIGENT.decode(HookCall(payload={"hook_event_name": name})).abilities
    assert (found.can_block, found.can_ask, found.can_replace, found.unasked) == (
        block,
        ask,
        replace_,
        unasked,
    )


def test_arguments_of_any_shape_are_taken_in():
    for arguments in ("text", ["a"], 7):
        body = {"hook_event_name": "PreToolUse", "tool_name": "t", "tool_input": arguments}
        assert OMNIGENT.decode(HookCall(payload=body)).args == arguments


def test_no_name_anywhere_is_refused():
    with pytest.raises(MissingField):
        OMNIGENT.decode(HookCall(payload={"agent_name": "OmniGent"}))


def test_the_answer_is_the_envelope(verdict):
    event = OMNIGENT.decode(HookCall(payload={"hook_event_name": "PreToolUse"}))
    answer = OMNIGENT.encode(event, verdict(Action.BLOCK))
    assert (answer.stdout, answer.exit_code, answer.output) == (b"", 0, None)


# ---- setup ----------------------------------------------------------------------------------------


def test_what_is_written_and_where(machine, omnigent_env):
    plan = OMNIGENT.plan_setup(machine, ACTION)
    assert [change.path.name for change in plan.changes] == [
        ".hook-omnigent.token",
        ".runtime-omnigent.conf",
        "defenseclaw_omnigent_policy.py",
        "defenseclaw_omnigent.pth",
        "config.yaml",
    ]
    assert not machine.data_dir.exists()
    files.apply(machine, OMNIGENT, plan)
    for path in (
        omnigent.module_path(machine),
        pth_of(omnigent_env),
        runtime.token_path(machine, "omnigent"),
    ):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(omnigent.module_path(machine).parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(omnigent.config_path(machine).stat().st_mode) == 0o600
    assert f"--config {machine.home}/.omnigent/config.yaml" in plan.restart_hint
    records = sorted(path.name for path in (machine.data_dir / "connector_backups/omnigent").iterdir())
    assert records == ["config.json", "module.json", "pth.json"]


def test_the_bridge_is_importable_even_under_an_ascii_locale(machine, omnigent_env):
    install(machine)
    assert pth_of(omnigent_env).read_bytes().isascii()
    for locale in ("C", "POSIX", "C.UTF-8"):
        done = subprocess.run(
            [
                omnigent_env / "bin" / "python",
                "-P",
                "-c",
                "import defenseclaw_omnigent_policy as m; print(m.__file__)",
            ],
            env={"LC_ALL": locale, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            check=True,
        )
        assert done.stdout.decode().strip() == str(omnigent.module_path(machine))


def test_setup_twice_is_setup_once(machine, tree):
    put_config(machine, b"server: 1\n")
    install(machine)
    before = tree(machine.home)
    assert install(machine) == ()
    assert tree(machine.home) == before


@pytest.mark.parametrize(
    "content", [None, b"# c\non: yes\r\nz: 'q'\r\n", b"policies: {}\npolicy_modules: x\n"]
)
def test_there_and_back_to_the_byte(machine, omnigent_env, tree, content):
    if content is not None:
        put_config(machine, content).chmod(0o640)
    before, site = tree(machine.home), tree(pth_of(omnigent_env).parent)
    install(machine)
    argv = [omnigent_env / "bin/python", "-c", "import defenseclaw_omnigent_policy"]
    subprocess.run(argv, check=True, env={}, stderr=subprocess.DEVNULL)
    files.restore(machine, OMNIGENT)
    after = tree(machine.home)
    assert after.pop(".defenseclaw")
    assert after.pop(".defenseclaw/.setup.lock")
    assert after == before
    assert tree(pth_of(omnigent_env).parent) == site
    assert files.restore(machine, OMNIGENT).changes == ()


def test_an_edit_in_between_survives(machine):
    path = put_config(machine, b"# mine\nserver: 1\n")
    install(machine)
    path.write_bytes(path.read_bytes() + b"# later\nadded: 2\n")
    files.restore(machine, OMNIGENT)
    assert path.read_bytes() == b"# mine\nserver: 1\n# later\nadded: 2\n"


def test_a_linked_config_stays_a_link(machine):
    (machine.home / "dotfiles").mkdir()
    (machine.home / "dotfiles" / "og.yaml").write_bytes(b"a: 1\n")
    path = omnigent.config_path(machine)
    path.parent.mkdir()
    path.symlink_to("../dotfiles/og.yaml")
    install(machine)
    assert path.is_symlink()
    assert omnigent.MODULE in path.read_text()
    files.restore(machine, OMNIGENT)
    assert path.is_symlink()
    assert path.read_bytes() == b"a: 1\n"


def test_the_config_home_of_omnigent_is_followed_and_its_data_dir_is_not(machine, tmp_path):
    env = {**machine.env, "OMNIGENT_DATA_DIR": str(tmp_path / "state")}
    assert omnigent.config_path(replace(machine, env=env)) == machine.home / ".omnigent" / "config.yaml"
    env["OMNIGENT_CONFIG_HOME"] = str(tmp_path / "cfg")
    moved = replace(machine, env=env)
    assert omnigent.config_path(moved) == tmp_path / "cfg" / "config.yaml"


def test_a_moved_config_is_cleaned_at_its_old_place(machine, tmp_path):
    old = put_config(machine, b"old: 1\n")
    install(machine)
    old.write_bytes(old.read_bytes() + b"edited: 1\n")
    moved = replace(machine, env={**machine.env, "OMNIGENT_CONFIG_HOME": str(tmp_path / "cfg")})
    install(moved)
    assert old.read_bytes() == b"old: 1\nedited: 1\n"
    assert omnigent.MODULE in (tmp_path / "cfg" / "config.yaml").read_text()
    files.restore(machine, OMNIGENT)  # without the variable: the record knows
    assert not (tmp_path / "cfg").exists()


def test_a_broken_config_leaves_nothing_behind(machine, omnigent_env, tree):
    put_config(machine, b"policies: [a]\n")
    before = tree(machine.home)
    with pytest.raises(ForeignContent, match="expected to be a mapping"):
        install(machine)
    assert tree(machine.home) == before
    assert not pth_of(omnigent_env).exists()


def test_a_bridge_that_does_not_import_is_rolled_back(machine, omnigent_env, tree):
    path = put_config(machine, b"a: 1\n")
    shadow = pth_of(omnigent_env).parent / "defenseclaw_omnigent_policy.py"
    shadow.write_text("")
    try:
        with pytest.raises(SetupError, match="does not import the bridge"):
            install(machine)
    finally:
        shadow.unlink()
    assert path.read_bytes() == b"a: 1\n"
    assert not pth_of(omnigent_env).exists()
    assert not omnigent.module_path(machine).exists()
    assert runtime.read_token(machine, "omnigent") is None


@pytest.mark.parametrize("failing", range(1, 8))
def test_a_failure_at_any_write_leaves_everything_as_it_was(
    machine, omnigent_env, tree, monkeypatch, failing
):
    put_config(machine, b"a: 1\n")
    machine.data_dir.mkdir(mode=0o700)
    before, site = tree(machine.home), tree(pth_of(omnigent_env).parent)
    real, calls = disk.write, []

    def write(path, content, mode):
        calls.append(path)
        if len(calls) == failing:
            raise OSError(28, "No space left on device", str(path))
        real(path, content, mode)

    monkeypatch.setattr(disk, "write", write)
    with pytest.raises(SetupError, match="No space left"):
        install(machine)
    after = tree(machine.home)
    after.pop(".defenseclaw/.setup.lock")
    assert after == before
    assert tree(pth_of(omnigent_env).parent) == site


@pytest.mark.parametrize("failing", range(1, 6))
def test_a_failed_teardown_leaves_a_working_setup(machine, monkeypatch, failing):
    put_config(machine, b"a: 1\n")
    install(machine)
    real, calls = disk.remove, []

    def remove(path):
        calls.append(path)
        if len(calls) == failing:
            raise OSError(5, "Input/output error", str(path))
        real(path)

    with monkeypatch.context() as patch:
        patch.setattr(disk, "remove", remove)
        with pytest.raises(SetupError):
            files.restore(machine, OMNIGENT)
    assert {check.status for check in OMNIGENT.check(machine, ACTION)} == {"pass"}


def test_the_config_entry_comes_last_and_goes_first(machine, monkeypatch):
    put_config(machine, b"a: 1\n")
    order = []

    def noting(real):
        def step(self, path, *rest):
            order.append(path.name)
            return real(self, path, *rest)

        return step

    monkeypatch.setattr(disk.Transaction, "put", noting(disk.Transaction.put))
    monkeypatch.setattr(disk.Transaction, "delete", noting(disk.Transaction.delete))
    install(machine)
    ours = ("config.yaml", "defenseclaw_omnigent.pth", "defenseclaw_omnigent_policy.py")
    assert [each for each in order if each in ours] == list(reversed(ours))
    order.clear()
    files.restore(machine, OMNIGENT)
    assert [each for each in order if each in ours] == list(ours)
    assert order.index(".hook-omnigent.token") > order.index("defenseclaw_omnigent_policy.py")


def test_teardown_after_omnigent_was_uninstalled(machine, omnigent_env):
    put_config(machine, b"a: 1\n")
    install(machine)
    gone = replace(machine, env={"PATH": "/nonexistent"})
    files.restore(gone, OMNIGENT)
    assert omnigent.config_path(machine).read_bytes() == b"a: 1\n"
    assert not pth_of(omnigent_env).exists()


def test_teardown_without_records_removes_what_is_there(machine):
    path = put_config(machine, b"a: 1\n")
    install(machine)
    shutil.rmtree(machine.data_dir / "connector_backups")
    files.restore(machine, OMNIGENT)
    assert path.read_bytes() == b"a: 1\n"


def test_an_edited_pth_is_left_and_reported(machine, omnigent_env):
    install(machine)
    pth = pth_of(omnigent_env)
    pth.write_text("/somewhere/else\n")
    done = files.restore(machine, OMNIGENT)
    assert pth.exists()
    assert any(str(pth) in note for note in done.notes)


def test_no_agent_is_refused_and_force_writes_no_entry_that_would_break_it(host):
    with pytest.raises(AgentNotFound, match="neither `omnigent` nor `omni`"):
        OMNIGENT.plan_setup(host, ACTION)
    plan = OMNIGENT.plan_setup(host, replace(ACTION, force=True))
    files.apply(host, OMNIGENT, plan)
    assert omnigent.module_path(host).exists()
    assert not omnigent.config_path(host).exists()
    assert any("run the setup again" in warning for warning in plan.warnings)


@pytest.mark.parametrize(
    ("directory", "line"),
    [
        ("/plain/data dir/hooks", b"/plain/data dir/hooks\n"),
        ("/d\u00e9/'q\"/hooks", b'import sys; sys.path.append("/d\\u00e9/\'q\\"/hooks")\n'),
    ],
)
def test_the_pth_line(directory, line):
    assert omnigent.pth_line(Path(directory)) == line


def test_a_line_break_in_the_data_directory_is_refused():
    with pytest.raises(SetupError, match="line break"):
        omnigent.pth_line(Path("/a\nb"))


# ---- detect, doctor, protection -------------------------------------------------------------------


def test_detect(machine):
    found = OMNIGENT.detect(machine)
    assert (found.found, found.version, found.configured, found.problem) == (True, "0.19.0", False, "")
    install(machine)
    assert OMNIGENT.detect(machine).configured is True


def test_a_healthy_setup_passes_every_check(machine):
    install(machine)
    assert {check.status for check in OMNIGENT.check(machine, ACTION)} == {"pass"}


@pytest.mark.parametrize(
    ("harm", "label"),
    [
        (lambda host, pth: pth.unlink(), "Policy bridge"),
        (lambda host, pth: omnigent.module_path(host).write_text("x = 1\n"), "Policy bridge"),
        (lambda host, pth: omnigent.module_path(host).chmod(0o644), "Policy bridge"),
        (lambda host, pth: omnigent.config_path(host).write_text("a: 1\n"), "OmniGent policy"),
        (lambda host, pth: runtime.token_path(host, "omnigent").unlink(), "Hook runtime"),
        (lambda host, pth: disk.write(runtime.runtime_path(host, "omnigent"), b"", 0o600), "Hook runtime"),
    ],
    ids=["pth-lost", "module-changed", "module-readable", "config-lost", "token-lost", "runtime-empty"],
)
def test_doctor_names_what_is_broken_and_setup_mends_it(machine, omnigent_env, harm, label):
    install(machine)
    harm(machine, pth_of(omnigent_env))
    broken = [check for check in OMNIGENT.check(machine, ACTION) if check.status != "pass"]
    assert [check.label for check in broken] == [label]
    assert broken[0].mend == "defenseclaw setup omnigent"
    install(machine)
    assert {check.status for check in OMNIGENT.check(machine, ACTION)} == {"pass"}


def test_doctor_and_setup_warn_of_a_gate_on_our_entry(machine):
    install(machine)
    path = omnigent.config_path(machine)
    path.write_text(path.read_text() + "    condition: {team: x}\n")
    assert any("condition" in check.detail for check in OMNIGENT.check(machine, ACTION))
    assert any("condition" in each for each in OMNIGENT.plan_setup(machine, ACTION).warnings)


def test_protected_paths_follow_the_setup(machine, omnigent_env):
    assert OMNIGENT.protected_paths(machine) == (str(omnigent.config_path(machine)),)
    install(machine)
    assert OMNIGENT.protected_paths(replace(machine, env={})) == (
        str(omnigent.config_path(machine)),
        str(pth_of(omnigent_env)),
    )


def test_no_token_in_backups_or_module(machine):
    install(machine)
    token = runtime.read_token(machine, "omnigent")
    for path in machine.data_dir.rglob("*"):
        if path.is_file() and path.name != ".hook-omnigent.token":
            content = path.read_bytes()
            assert token.encode() not in content
    for record in files.backups(machine, "omnigent"):
        assert token.encode() not in (record.pristine or b"")
        assert json.dumps(str(record.path))
