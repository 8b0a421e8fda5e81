"""Hermes: its recorded events in, its answers out, and its plugin there and back."""

import json

import pytest
from msgspec.structs import replace
from tests.connectors.scripted_contract import ACTION, FINDING, ScriptedContract

from defenseclaw.connectors import files, hermes, hookscript
from defenseclaw.connectors.base import HookCall
from defenseclaw.errors import BadJson, SetupError
from defenseclaw.policy.decision import decide
from defenseclaw.vocabulary import Action, Approvals, EventKind, FailMode, Mode, Posture, Severity

HERMES = hermes.CONNECTOR
REASON = "not here"


class TestHermesContract(ScriptedContract):
    connector = HERMES
    version = "0.19.0"
    too_old = "0.16.9"
    override = "HERMES_HOME"
    moved = "config.yaml"
    malformed = (
        "- a\n",
        "plugins: [a]\n",
        "plugins:\n  enabled: all\n",
        "plugins: &p {}\nother: *p\n",
        "a: b: c\n",
    )
    foreign = ("", "# mine\n", "model: {default: gpt-4o}\r\nplugins:\r\n  enabled: [a]  # why\r\n")

    def decode(self, name, **extra):
        body = self.golden(name)
        return HERMES.decode(HookCall(payload=body | {"extra": body["extra"] | extra}))

    def spoil(self, path):
        path.write_bytes(path.read_bytes().replace(b"- defenseclaw", b"- another"))
        return "pre_tool_call"


CONTRACT = TestHermesContract()
golden, decode, install = CONTRACT.golden, CONTRACT.decode, CONTRACT.install


@pytest.fixture
def machine(host, executable):
    executable("hermes", "echo 'Hermes Agent v0.19.0 (2026.7.20)'")
    return host


def put(host, content, name="config.yaml"):
    path = host.home / ".hermes" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def plugin(host):
    return HERMES.settings_path(host).parent / "plugins" / "defenseclaw"


# ---- events in ------------------------------------------------------------------------------------

CALL = {"command": "echo dc-probe-123", "security_risk": "LOW", "summary": "probe"}
RESULT = '{"output": "dc-probe-123", "exit_code": 0, "error": null}'
RECORDED = [
    ("on_session_start", EventKind.LIFECYCLE, {"model": "gpt-4o", "extra": {"platform": "cli"}}),
    ("pre_llm_call", EventKind.PROMPT, {"text": "please run the probe", "model": "gpt-4o"}),
    ("pre_tool_call", EventKind.TOOL_CALL, {"tool": "terminal", "args": CALL}),
    (
        "post_tool_call",
        EventKind.TOOL_RESULT,
        {"tool": "terminal", "args": CALL, "result": RESULT, "extra": {"status": "ok"}},
    ),
    ("post_llm_call", EventKind.COMPLETION, {"text": "All done."}),
    ("on_session_end", EventKind.LIFECYCLE, {"text": ""}),
    ("on_session_finalize", EventKind.LIFECYCLE, {"extra": {"platform": "cli", "reason": "shutdown"}}),
]


@pytest.mark.parametrize(("name", "kind", "fields"), RECORDED, ids=[each[0] for each in RECORDED])
def test_recorded_events(name, kind, fields):
    event = decode(name)
    assert (event.name, event.kind, event.connector) == (name, kind, "hermes")
    assert event.cwd == "/home/user/project"
    ids = event.correlation
    assert ids.session_id == golden(name)["session_id"]
    assert ids.turn_id == golden(name)["extra"].get("turn_id", "")
    assert ids.tool_call_id == golden(name)["extra"].get("tool_call_id", "")
    for field, wanted in fields.items():
        assert getattr(event, field) == wanted


def test_the_answer_is_judged_and_not_the_prompt_that_stands_before_it():
    assert decode("post_llm_call", user_message="rm -rf /", assistant_response="no").text == "no"


def test_a_sub_agents_turn_is_its_parents():
    body = {"hook_event_name": "subagent_stop", "extra": {"parent_turn_id": "t1", "child_status": "ok"}}
    event = HERMES.decode(HookCall(payload=body))
    assert (event.correlation.turn_id, event.extra) == ("t1", {"child_status": "ok"})


@pytest.mark.parametrize("field", ["extra", "tool_input"])
def test_a_field_of_another_type_is_refused(field):
    with pytest.raises(BadJson):
        HERMES.decode(HookCall(payload=golden("pre_tool_call", **{field: ["x"]})))


def test_a_prompt_of_parts_is_judged_whole():
    assert (
        "look at this" in decode("pre_llm_call", user_message=[{"type": "text", "text": "look at this"}]).text
    )


# ---- answers out ----------------------------------------------------------------------------------

POSTURES = {
    "observe": Posture(mode=Mode.OBSERVE),
    "action": Posture(mode=Mode.ACTION),
    "action, approvals": Posture(mode=Mode.ACTION, approvals=Approvals(enabled=True)),
}
SEVERITIES = {"clean": None, **{each.lower(): each for each in list(Severity)[2:]}}


@pytest.mark.parametrize("fail_mode", FailMode)
@pytest.mark.parametrize("name", [each[0] for each in RECORDED])
def test_recorded_answers(name, fail_mode, request):
    """Every recorded event at every severity in every posture; ``answers.json`` holds what Hermes gets."""
    event = decode(name)
    found = {}
    for posture_name, posture in POSTURES.items():
        for severity_name, severity in SEVERITIES.items():
            findings = [replace(FINDING, severity=severity)] if severity else []
            judged = decide(event, findings, replace(posture, fail_mode=fail_mode), evaluation_id="eval-1")
            answer = HERMES.encode(event, judged)
            assert (answer.exit_code, answer.stderr) == (0, "")
            assert (json.loads(answer.stdout) if answer.stdout else None) == answer.output
            found[f"{posture_name}: {severity_name}"] = answer.output
    said = {case: output for case, output in found.items() if output is not None}
    assert said == golden("answers")[name]


BLOCKED = {"action": "block", "message": REASON}
ANSWERS = [
    ("pre_tool_call", Action.BLOCK, BLOCKED),
    ("pre_tool_call", Action.CONFIRM, BLOCKED),
    ("pre_tool_call", Action.ALERT, None),
    ("pre_llm_call", Action.BLOCK, BLOCKED),
    ("pre_llm_call", Action.CONFIRM, BLOCKED),
    (
        "pre_llm_call",
        Action.ALERT,
        {"context": "DefenseClaw: HIGH finding recorded, not stopped (CMD-RM-ROOT)"},
    ),
    ("post_tool_call", Action.BLOCK, BLOCKED),
    ("post_tool_call", Action.ALERT, None),
    ("post_llm_call", Action.BLOCK, BLOCKED),
    ("post_llm_call", Action.ALERT, None),
    ("subagent_start", Action.BLOCK, None),
]


@pytest.mark.parametrize(("name", "action", "want"), ANSWERS, ids=[f"{a}-{b}" for a, b, _ in ANSWERS])
def test_answers(name, action, want, verdict):
    event = HERMES.decode(HookCall(header_event=name))
    answer = HERMES.encode(event, verdict(action, findings=(FINDING,)))
    assert (answer.exit_code, answer.stderr, answer.output_field) == (0, "", "hook_output")
    assert (json.loads(answer.stdout) if answer.stdout else None) == want


@pytest.mark.parametrize(
    ("said", "can_ask", "output"),
    [
        (True, True, {"action": "approve", "message": REASON}),
        (False, False, BLOCKED),
        ("yes", False, BLOCKED),
    ],
)
def test_a_person_is_asked_only_where_the_plugin_says_there_is_one(said, can_ask, output, verdict):
    event = decode("pre_tool_call", can_ask=said)
    assert event.abilities.can_ask is can_ask
    assert HERMES.encode(event, verdict(Action.CONFIRM)).output == output


@pytest.mark.parametrize("action", [Action.ALERT, Action.BLOCK])
@pytest.mark.parametrize("name", ["post_tool_call", "post_llm_call"])
@pytest.mark.parametrize("masked", ["use <redacted>", "", {"content": ["<redacted>"]}])
def test_a_masked_text_takes_the_place_of_the_text(name, action, masked, verdict):
    answer = HERMES.encode(decode(name), verdict(action, replacement=masked))
    assert answer.output == {"result": masked}


# ---- the plugin -----------------------------------------------------------------------------------


def test_what_is_installed(machine):
    path = put(machine, "# mine\nmodel: {default: gpt-4o}\n")
    install(machine)
    assert path.read_text() == "# mine\nmodel: {default: gpt-4o}\nplugins:\n  enabled:\n    - defenseclaw\n"
    assert sorted(each.name for each in plugin(machine).iterdir()) == [
        "__init__.py",
        "__pycache__",
        "plugin.yaml",
    ]
    assert (plugin(machine) / "__pycache__").is_file()
    source = (plugin(machine) / "__init__.py").read_text()
    compile(source, "plugin", "exec")
    assert json.dumps(str(hookscript.script_path(machine, "hermes-hook"))) in source
    assert "@" not in source


@pytest.mark.parametrize("harm", ["__init__.py", "plugin.yaml", "__pycache__"])
def test_doctor_names_what_was_done_to_the_plugin_and_setup_mends_it(machine, harm):
    install(machine)
    (plugin(machine) / harm).write_text("changed")
    (broken,) = [check for check in HERMES.check(machine, ACTION) if check.status != "pass"]
    assert (broken.label, broken.mend) == ("Hermes plugin", "defenseclaw setup hermes")
    assert harm in broken.detail
    install(machine)
    assert {check.status for check in HERMES.check(machine, ACTION)} == {"pass"}


def test_compiled_code_in_place_of_the_plugin_is_told(machine):
    install(machine)
    (plugin(machine) / "__pycache__").unlink()
    (plugin(machine) / "__pycache__").mkdir()
    assert {check.label for check in HERMES.check(machine, ACTION) if check.status != "pass"} == {
        "Hermes plugin"
    }


def test_another_plugin_directory_is_left_alone(machine, tree):
    other = put(machine, "name: mine\n", "plugins/mine/plugin.yaml")
    before = tree(machine.home / ".hermes")
    install(machine)
    files.restore(machine, HERMES)
    assert tree(machine.home / ".hermes") == before
    assert other.read_text() == "name: mine\n"


@pytest.mark.parametrize("edited", ["config.yaml", "plugins/defenseclaw/__init__.py"])
def test_edited_files_are_cleaned_and_what_is_ours_goes(machine, edited):
    put(machine, "model: x\n")
    install(machine)
    path = machine.home / ".hermes" / edited
    path.write_text(path.read_text() + "# more\n")
    files.restore(machine, HERMES)
    assert not plugin(machine).parent.exists()
    wanted = "model: x\n# more\n" if edited == "config.yaml" else "model: x\n"
    assert (machine.home / ".hermes" / "config.yaml").read_text() == wanted


# ---- what keeps Hermes from loading it --------------------------------------------------------------

OFF = [
    ("config.yaml", "plugins: {disabled: [defenseclaw]}\n", "plugins.disabled"),
    (".env", "OPENAI_API_KEY=x\nexport HERMES_SAFE_MODE='1'\n", "HERMES_SAFE_MODE"),
]
NOT_OFF = [
    ("config.yaml", "plugins: {disabled: [another]}\n"),
    (".env", "# HERMES_SAFE_MODE=1\nHERMES_SAFE_MODE=0\n"),
    (".env", "MY_HERMES_SAFE_MODE=1\n"),
]


@pytest.mark.parametrize(("name", "content", "said"), OFF, ids=[each[2] for each in OFF])
def test_a_switch_that_is_off_refuses_setup_and_is_told_by_doctor(machine, name, content, said):
    install(machine)
    put(machine, content, name)
    (off,) = [check for check in HERMES.check(machine, ACTION) if check.label == "Hooks switched off"]
    assert (off.status, said in off.detail) == ("fail", True)
    with pytest.raises(SetupError, match=said):
        HERMES.plan_setup(machine, ACTION)


@pytest.mark.parametrize(("name", "content"), NOT_OFF)
def test_other_switches_are_none_of_ours(machine, name, content):
    put(machine, content, name)
    assert list(HERMES.switched_off(machine, ACTION)) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("plugins: {disabled: [defenseclaw]}\n", ["plugins.disabled: defenseclaw"]),
        ("plugins: {enabled: [theirs]}\n", ["plugins.enabled without defenseclaw"]),
        ("plugins: {enabled: [theirs, defenseclaw]}\n", []),
        ("model: {default: gpt-4o}\n", []),
        ("{broken", []),
    ],
)
def test_an_organisations_settings_may_win(machine, tmp_path, content, said):
    managed = tmp_path / "managed"
    managed.mkdir()
    (managed / "config.yaml").write_text(content)
    there = replace(machine, env={**machine.env, "HERMES_MANAGED_DIR": str(managed)})
    found = list(HERMES.switched_off(there, ACTION))
    assert found == [f"{each} in {managed / 'config.yaml'}" for each in said]


# ---- homes and profiles -----------------------------------------------------------------------------


def profile(host, name, content="model: x\n"):
    return put(host, content, f"profiles/{name}/config.yaml")


def test_the_standing_profile_is_the_one_that_is_set_up(machine):
    work = profile(machine, "work")
    put(machine, "work\n", "active_profile")
    install(machine)
    assert HERMES.settings_path(machine) == work
    assert "defenseclaw" in work.read_text()
    put(machine, "default\n", "active_profile")  # switched back: the record knows where we are
    files.restore(machine, HERMES)
    assert work.read_text() == "model: x\n"
    assert not (work.parent / "plugins").exists()


@pytest.mark.parametrize("name", ["default", "gone", "../../etc", "", "Work", "\x00"])
def test_a_profile_that_cannot_be_is_not_followed(machine, name):
    profile(machine, "work")
    put(machine, name, "active_profile")
    assert HERMES.settings_path(machine) == machine.home / ".hermes" / "config.yaml"


def test_a_home_that_is_a_profile_is_that_profile(machine):
    put(machine, "other", "active_profile")
    profile(machine, "other")
    home = profile(machine, "work").parent
    there = replace(machine, env={**machine.env, "HERMES_HOME": str(home)})
    assert HERMES.settings_path(there) == home / "config.yaml"


def test_profiles_that_are_not_governed_are_told(machine):
    put(machine, "model: x\n")
    profile(machine, "work")
    profile(machine, "covered", "plugins: {enabled: [defenseclaw]}\n")
    assert HERMES.plan_setup(machine, ACTION).warnings == ("not governed: work",)
    install(machine)
    (told,) = [check for check in HERMES.check(machine, ACTION) if check.status != "pass"]
    assert (told.status, told.detail) == ("warn", "not governed: work")


def test_what_an_agent_must_not_touch(machine, tmp_path):
    there = replace(machine, env={**machine.env, "HERMES_HOME": str(tmp_path / "cfg")})
    homes = (tmp_path / "cfg", machine.home / ".hermes")
    wanted = {str(home / name) for home in homes for name in ("config.yaml", ".env", "plugins/defenseclaw")}
    assert set(HERMES.protected_paths(there)) == wanted


def test_releases_that_keep_a_refused_prompt_say_so(machine, executable):
    executable("hermes", "echo 'Hermes Agent v0.18.2'")
    (told,) = HERMES.plan_setup(machine, ACTION).warnings
    assert "saves a refused prompt" in told
