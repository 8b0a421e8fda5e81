from __future__ import annotations

import stat
from pathlib import Path

import pytest
from tests.cli.conftest import Machine

from defenseclaw.config.load import load, posture
from defenseclaw.connectors.base import registry
from defenseclaw.vocabulary import FailMode, Mode, Severity


def test_lists_agents_and_what_to_type(machine: Machine):
    machine.with_claude()
    assert "defenseclaw setup claude-code" in machine.run("setup").stdout
    by_name = {agent["name"]: agent for agent in machine.json("setup")}
    assert (by_name["claudecode"]["found"], by_name["claudecode"]["configured"]) == (True, False)
    assert by_name["omnigent"]["found"] is False


@pytest.mark.parametrize(
    ("options", "mode", "fail_mode", "says"),
    [
        ([], Mode.OBSERVE, FailMode.OPEN, "goes on unchecked"),
        (["--mode", "action"], Mode.ACTION, FailMode.CLOSED, "refused tool calls"),
        (["--mode", "action", "--fail-mode", "open"], Mode.ACTION, FailMode.OPEN, "goes on unchecked"),
        (["--fail-mode", "closed"], Mode.OBSERVE, FailMode.CLOSED, "refused tool calls"),
    ],
)
def test_installs_and_says_what_holds(
    machine: Machine, options: list[str], mode: Mode, fail_mode: FailMode, says: str
):
    shown = machine.with_claude().run("setup", "claude-code", "--yes", *options).stdout
    assert says in shown
    assert "defenseclaw-gateway start" in shown
    config = load(machine.config)
    assert config.guardrail.connector == "claudecode"
    found = posture(config, "claudecode")
    assert (found.mode, found.fail_mode) == (mode, fail_mode)
    assert "hooks" in machine.claude_settings.read_text()


@pytest.mark.parametrize("name", ["claude-code", "claudecode", "claude_code", "Claude-Code"])
def test_any_spelling_of_the_agent(machine: Machine, name: str):
    assert machine.with_claude().json("setup", name, "--yes")["connector"] == "claudecode"


def test_writes_every_choice(machine: Machine):
    machine.with_claude().run(
        *("setup", "claude-code", "--yes", "--rule-pack", "strict", "--block-message", "Ask us"),
        *("--human-approval", "--hilt-min-severity", "MEDIUM"),
    )
    found = posture(load(machine.config), "claudecode")
    assert (found.rule_pack, found.block_message) == ("strict", "Ask us")
    assert (found.approvals.enabled, found.approvals.min_severity) == (True, Severity.MEDIUM)
    machine.run("setup", "claude-code", "--yes", "--no-human-approval")
    found = posture(load(machine.config), "claudecode")
    assert (found.approvals.enabled, found.approvals.min_severity) == (False, Severity.MEDIUM)


def test_twice_changes_nothing_and_keeps_the_mode(machine: Machine):
    machine.with_claude().run("setup", "claude-code", "--mode", "action", "--yes")
    settings, config = machine.claude_settings.read_bytes(), machine.config.read_bytes()
    again = machine.json("setup", "claude-code")
    assert (again["status"], again["mode"], again["fail_mode"]) == ("unchanged", "action", "closed")
    assert (machine.claude_settings.read_bytes(), machine.config.read_bytes()) == (settings, config)


def test_the_mode_can_be_changed_later(machine: Machine):
    machine.with_claude().run("setup", "claude-code", "--mode", "action", "--yes")
    changed = machine.json("setup", "claude-code", "--mode", "observe", "--yes")
    assert (changed["mode"], changed["fail_mode"]) == ("observe", "open")


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_not_confirmed_changes_nothing(machine: Machine, answer: str):
    machine.with_claude()
    before = machine.files()
    machine.run("setup", "claude-code", stdin=answer, code=1)
    assert machine.files() == before
    assert "claudecode" not in machine.config.read_text()
    assert list((machine.data / "hooks").iterdir()) == []


def test_a_dry_run_shows_and_changes_nothing(machine: Machine):
    machine.with_claude()
    before = machine.files()
    shown = machine.run("setup", "claude-code", "--dry-run").stdout
    assert str(machine.claude_settings) in shown
    assert machine.files() == before
    assert machine.json("setup", "claude-code", "--dry-run")["status"] == "planned"


def test_an_agent_that_is_not_there_is_refused_with_where_it_was_looked_for(machine: Machine):
    refused = machine.run("setup", "claude-code", "--yes", code=1)
    assert str(machine.bin / "claude") in refused.stderr
    assert machine.files() == {}
    assert machine.json("status")["connectors"] == []


def test_force_installs_all_the_same(machine: Machine):
    machine.run("setup", "claude-code", "--yes", "--force")
    assert "hooks" in machine.claude_settings.read_text()


def test_an_invalid_configuration_installs_nothing(machine: Machine):
    machine.with_claude().run("init")
    machine.config.write_text("guardrail: {mode: off}\n")
    before = machine.files()
    assert "guardrail.mode" in machine.run("setup", "claude-code", "--yes", code=1).stderr
    assert machine.files() == before


def test_an_unknown_rule_pack_installs_nothing(machine: Machine):
    before = machine.with_claude().files()
    machine.run("setup", "claude-code", "--yes", "--rule-pack", "nowhere", code=1)
    assert machine.files() == before
    assert "claudecode" not in machine.config.read_text()


def test_a_configuration_that_cannot_be_written_takes_the_installation_back(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
):
    from defenseclaw.config import edit
    from defenseclaw.errors import ConfigError

    def full_disk(*_: object, **__: object) -> None:
        raise ConfigError("config.yaml cannot be written: No space left on device")

    before = machine.with_claude().files()
    machine.run("init")
    monkeypatch.setattr(edit, "set_values", full_disk)
    assert "No space left" in machine.run("setup", "claude-code", "--yes", code=1).stderr
    assert machine.files() == before


def test_credentials_are_owner_only_and_the_settings_hold_no_gateway_token(machine: Machine):
    machine.with_claude().run("setup", "claude-code", "--yes")
    token = (machine.data / ".env").read_text().partition("=")[2].strip()
    assert len(token) == 64
    assert token not in machine.claude_settings.read_text()
    for path in (machine.data, *machine.data.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("guardrail.connectors.claudecode.hook_fail_mode", "closed", "fail_mode=closed"),
        ("guardrail.hook_fail_mode", "closed", "fail_mode=closed"),
        ("guardrail.connectors.claudecode.mode", "action", "fail_mode=closed"),
        ("gateway.api_port", "19123", "gateway=127.0.0.1:19123"),
    ],
)
def test_installed_hooks_learn_of_a_change_without_a_gateway(
    machine: Machine, key: str, value: str, line: str
):
    machine.with_claude().run("setup", "claude-code", "--yes")
    runtime = machine.data / "hooks" / ".runtime-claudecode.conf"
    assert line not in runtime.read_text().splitlines()
    machine.run("config", "set", key, value)
    assert line in runtime.read_text().splitlines()


class TestRemove:
    def test_restores_every_byte_and_the_configuration(self, machine: Machine):
        machine.with_claude('{\n\t"model" : "opus" }\n\n').run("init")
        before, config = machine.files(), machine.config.read_bytes()
        machine.run("setup", "claude-code", "--mode", "action", "--yes")
        machine.run("setup", "remove", "claude-code", "--yes")
        assert machine.files() == before
        assert machine.config.read_bytes() == config

    def test_what_was_never_installed_is_not_an_error(self, machine: Machine):
        assert "is not governed" in machine.run("setup", "remove", "omnigent", "--yes").stdout

    def test_an_unknown_name_lists_the_known(self, machine: Machine):
        hint = machine.run("setup", "remove", "nothing", "--yes", code=1).stderr
        assert all(each.command_name in hint for each in registry().values())

    def test_asks_first(self, machine: Machine):
        machine.with_claude().run("setup", "claude-code", "--yes")
        before = machine.files()
        machine.run("setup", "remove", "claude-code", stdin="n\n", code=1)
        assert machine.files() == before

    def test_the_primary_connector_moves_on(self, machine: Machine):
        machine.run("init")
        machine.config.write_text(
            "guardrail: {connector: claude-code, connectors: {claudecode: {}, omnigent: {}}}\n"
        )
        machine.run("setup", "remove", "claude-code", "--yes")
        assert machine.config.read_text() == "guardrail: {connector: omnigent, connectors: {omnigent: {}}}\n"

    def test_says_what_running_sessions_do(self, machine: Machine):
        machine.with_claude().run("setup", "claude-code", "--yes")
        said = machine.run("setup", "remove", "claude-code", "--yes").stdout
        assert f"restored  {machine.claude_settings}" in said
        assert f"deleted   {machine.data / 'hooks' / 'claude-code-hook.sh'}" in said
        assert "our hook script is not found, which stops nothing" in said


class TestGuardrailDisable:
    def test_takes_every_agent_out_and_switches_off(self, machine: Machine):
        before = machine.with_claude().files()
        machine.run("setup", "claude-code", "--mode", "action", "--yes")
        machine.run("setup", "guardrail", "--disable")
        assert machine.files() == before
        config = load(machine.config)
        assert config.guardrail.enabled is False
        assert "claudecode" in config.guardrail.connectors
        assert machine.json("status")["connectors"][0]["enabled"] is False

    def test_setup_switches_on_again(self, machine: Machine):
        machine.with_claude().run("setup", "claude-code", "--yes")
        machine.run("setup", "guardrail", "--disable")
        machine.run("setup", "claude-code", "--yes")
        assert machine.json("status")["connectors"][0]["enabled"] is True

    def test_a_broken_configuration_does_not_keep_us_in_the_agents(self, machine: Machine):
        before = machine.with_claude().files()
        machine.run("setup", "claude-code", "--yes")
        machine.config.write_text("guardrail: [\n")
        assert "not valid YAML" in machine.run("setup", "guardrail", "--disable", code=1).stderr
        assert machine.files() == before

    def test_does_nothing_without_being_told(self, machine: Machine):
        machine.run("setup", "guardrail", code=2)


class TestUninstall:
    def test_leaves_no_trace(self, machine: Machine):
        before = machine.with_claude().files()
        machine.run("setup", "claude-code", "--mode", "action", "--yes")
        assert f"delete {machine.data}" in machine.run("uninstall", "--all", "--dry-run").stdout
        assert machine.data.exists()
        machine.run("uninstall", "--all", "--yes")
        assert machine.files() == before
        assert not machine.data.exists()

    def test_keeps_the_data_unless_told(self, machine: Machine):
        machine.with_claude().run("setup", "claude-code", "--yes")
        machine.run("uninstall", "--yes")
        assert machine.config.exists()
        assert "claudecode" not in machine.config.read_text()

    def test_what_stays_is_listed_and_is_all_that_stays(self, machine: Machine):
        machine.with_claude().run("setup", "claude-code", "--mode", "action", "--yes")
        machine.run("doctor", code=1)
        said = machine.run("uninstall", "--yes").stdout
        left = {path.name for path in machine.data.iterdir()} - {"audit.db-wal", "audit.db-shm"}
        assert left == {".env", "audit.db", "config.yaml", "device.key", "doctor_cache.json"}
        for name in left:
            assert f"  {name} " in said
        assert "not ours" not in said
        assert "go on, ungoverned" in said

    def test_json_lists_what_stays(self, machine: Machine):
        machine.with_claude().run("setup", "claude-code", "--yes")
        done = machine.json("uninstall", "--yes")
        assert done["done"] is True
        assert sorted(done["kept"]) == sorted(str(path) for path in machine.data.iterdir())

    def test_one_agent_that_cannot_be_cleaned_does_not_keep_us_in_the_others(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch
    ):
        from defenseclaw.connectors import omnigent
        from defenseclaw.errors import SetupError

        def refuse(*_: object) -> None:
            raise SetupError("config.yaml cannot be written")

        before = machine.with_claude().files()
        machine.run("setup", "claude-code", "--yes")
        (machine.data / "connector_backups" / "omnigent").mkdir()
        monkeypatch.setattr(omnigent.OmniGent, "plan_teardown", refuse)
        refused = machine.run("uninstall", "--all", "--yes", code=1)
        assert "omnigent: config.yaml cannot be written" in refused.stderr
        assert machine.files() == before
        assert machine.data.exists()

    def test_works_with_a_broken_configuration(self, machine: Machine):
        before = machine.with_claude().files()
        machine.run("setup", "claude-code", "--yes")
        machine.config.write_text("guardrail: [\n")
        machine.run("uninstall", "--yes")
        assert machine.files() == before

    def test_asks_first(self, machine: Machine):
        machine.with_claude().run("setup", "claude-code", "--yes")
        before = machine.files()
        machine.run("uninstall", "--all", stdin="n\n", code=1)
        assert machine.files() == before
        assert machine.data.exists()

    def test_nothing_installed_is_nothing_to_do(self, machine: Machine):
        assert "nothing to do" in machine.run("uninstall").stdout

    @pytest.mark.parametrize("where", ["", ".."])
    def test_never_deletes_the_home_directory(self, machine: Machine, where: str):
        (machine.home / ".env").write_text("MINE=1\n")
        root = Path(machine.home, where).resolve()
        refused = machine.run("uninstall", "--all", "--yes", code=1, DEFENSECLAW_HOME=str(root))
        assert "does not look like" in refused.stderr
        assert (machine.home / ".env").exists()

    def test_aborts_before_deleting_when_an_agent_cannot_be_cleaned(self, machine: Machine):
        machine.with_claude().run("setup", "claude-code", "--yes")
        machine.claude_settings.write_text('{"hooks": "broken')
        for record in (machine.data / "connector_backups").rglob("*.json"):
            record.write_text("{}")
        machine.run("uninstall", "--all", "--yes", code=1)
        assert machine.data.exists()
