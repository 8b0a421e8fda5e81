"""What every connector with a hook script and one settings file is held to; one class per agent inherits."""

from __future__ import annotations

import json
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path

import pytest
from msgspec.structs import replace

from defenseclaw.connectors import disk, files, hookscript, runtime
from defenseclaw.connectors.base import HookCall, SetupOptions, by_any_name, registry
from defenseclaw.connectors.jsonc import CommentedDocument
from defenseclaw.errors import AgentNotFound, ForeignContent, MissingField, SetupError
from defenseclaw.vocabulary import Action, Correlation, EventKind, FailMode, Finding, Mode, Severity

GOLDEN = Path(__file__).parent.parent / "golden"
ACTION = SetupOptions(mode=Mode.ACTION, fail_mode=FailMode.CLOSED)
FAILED_CLOSED = "DefenseClaw could not check this and fails closed. Start it: defenseclaw-gateway start"
FINDING = Finding(
    rule_id="CMD-RM-ROOT",
    title="Recursive delete",
    category="command",
    severity=Severity.HIGH,
    confidence=0.9,
)


class ScriptedContract(ABC):
    """Tests; the subclass says which connector, and how its agent's files look."""

    connector = None
    version = ""
    too_old = ""
    override = ""
    moved = ""
    """The settings file below it."""
    withheld = frozenset()
    """Events on which a block shows the model another result instead of refusing."""
    malformed = ()
    """Contents of the settings file that are refused, since they are not the agent's."""
    foreign = ()
    """Settings of other people, which a teardown brings back byte for byte."""

    def pytest_generate_tests(self, metafunc):
        for name in ("malformed", "foreign", "switch"):
            if name in metafunc.fixturenames:
                metafunc.parametrize(name, getattr(self, name))

    @pytest.fixture
    def machine(self, host, executable):
        executable(self.connector.executables[0], f"echo 'agent {self.version}'")
        return host

    def install(self, host, options=ACTION):
        return files.apply(host, self.connector, self.connector.plan_setup(host, options))

    def put(self, host, content):
        path = self.connector.settings_path(host)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def golden(self, name, **changes):
        """A payload as the agent sent it, or as its documentation has it."""
        return json.loads((GOLDEN / self.connector.name / f"{name}.json").read_text()) | changes

    def decode(self, name, **changes):
        return self.connector.decode(HookCall(payload=self.golden(name, **changes)))

    @abstractmethod
    def spoil(self, path: Path) -> str:
        """Take one event's entry out of the settings; return the event."""

    # ---- translation ----------------------------------------------------------------------------

    def test_is_found_by_all_its_names(self):
        assert registry()[self.connector.name] is self.connector
        names = (self.connector.name, self.connector.command_name, *self.connector.aliases)
        assert {by_any_name(each) for each in names} == {self.connector}

    def test_a_body_that_could_not_be_taken_in_is_the_event_of_the_header(self, verdict):
        for name in self.connector.events(""):
            event = self.connector.decode(HookCall(header_event=name, faults=("too_large",)))
            assert (event.name, event.faults) == (name, ("too_large",))
            assert event.kind is self.connector.kind_of(name)
            answer = self.connector.encode(event, verdict(Action.BLOCK))
            refusal = self.connector.refusal(name, "not here")
            if name not in self.withheld:
                assert answer.output == (refusal if event.abilities.can_block else None)

    def test_no_name_anywhere_is_refused(self):
        with pytest.raises(MissingField):
            self.connector.decode(HookCall(payload={"session_id": "x"}))

    def test_header_ids_stand_in_for_missing_ones(self):
        known = Correlation(session_id="from-header", trace_id="f" * 32)
        name = self.connector.events("")[0]
        event = self.connector.decode(HookCall(header_event=name, correlation=known))
        assert (event.correlation.session_id, event.correlation.trace_id) == ("from-header", "f" * 32)

    def test_nothing_is_said_on_allow(self, verdict):
        for name in self.connector.events(""):
            event = self.connector.decode(HookCall(header_event=name))
            answer = self.connector.encode(event, verdict(Action.ALLOW))
            assert (answer.stdout, answer.stderr, answer.exit_code) == (b"", "", 0)

    def test_every_event_that_can_be_stopped_is_refused_in_the_agents_words(self):
        for name in self.connector.block_events:
            assert "the reason" in str(self.connector.refusal(name, "the reason"))

    def test_a_question_nobody_can_be_asked_is_a_refusal_before_a_call(self):
        for name in self.connector.block_events - self.connector.ask_events:
            kind = self.connector.kind_of(name)
            if kind in (EventKind.PROMPT, EventKind.TOOL_CALL):
                assert self.connector.abilities(name, kind).unasked is Action.BLOCK

    # ---- installation ---------------------------------------------------------------------------

    def test_setup_twice_is_setup_once(self, machine, tree):
        assert self.install(machine)
        before = tree(machine.home)
        assert self.install(machine) == ()
        assert tree(machine.home) == before

    def test_a_setup_after_an_upgrade_of_the_agent_changes_nothing(self, machine, executable, tree):
        self.install(machine)
        before = tree(machine.home)
        executable(self.connector.executables[0], "echo 'agent 99.0.0'")
        assert self.install(machine) == ()
        files.restore(machine, self.connector)
        assert tree(machine.home) != before

    def test_a_created_settings_file_goes_with_us(self, machine, tree):
        before = tree(machine.home)
        self.install(machine)
        files.restore(machine, self.connector)
        left = {name for name, (_, what) in tree(machine.home).items() if what != "directory"} - set(before)
        assert left == {".defenseclaw/.setup.lock"}

    def test_settings_come_back_byte_for_byte(self, machine, foreign):
        path = self.put(machine, foreign)
        before = path.read_bytes()
        path.chmod(0o644)
        self.install(machine)
        assert path.read_bytes() != before
        files.restore(machine, self.connector)
        assert path.read_bytes() == before
        assert path.stat().st_mode & 0o777 == 0o644

    def test_settings_of_another_shape_are_refused_and_untouched(self, machine, malformed):
        path = self.put(machine, malformed)
        before = path.read_bytes()
        with pytest.raises(ForeignContent) as caught:
            self.install(machine)
        assert str(path) in caught.value.message
        assert "SECRET" not in caught.value.message
        assert path.read_bytes() == before
        assert not machine.data_dir.exists()

    def test_a_workspace_in_our_own_directory_is_refused(self, machine):
        options = replace(ACTION, workspace=machine.data_dir / "x")
        if self.connector.project_file:
            with pytest.raises(SetupError, match="data directory"):
                self.connector.plan_setup(machine, options)
        else:
            users = self.connector.settings_path(machine)
            assert self.connector.setup_path(machine, options) == users

    def test_the_agents_directory_is_followed(self, machine, tmp_path):
        moved = replace(machine, env={**machine.env, self.override: str(tmp_path / "its own é")})
        self.install(moved)
        assert (tmp_path / "its own é" / self.moved).exists()
        assert not self.connector.settings_path(machine).exists()
        files.restore(machine, self.connector)  # the variable is gone by now: the record knows the place
        assert not (tmp_path / "its own é").exists()

    def test_an_override_that_is_not_absolute_is_ignored(self, machine):
        relative = replace(machine, env={**machine.env, self.override: "relative"})
        assert self.connector.settings_path(relative) == self.connector.settings_path(machine)

    def test_the_script_refuses_in_closed_mode_what_it_should(self, machine):
        """Run for real without a gateway: what it prints is what the agent would be answered."""
        self.install(machine)
        script = hookscript.script_path(machine, self.connector.script)
        for name in self.connector.events(self.version):
            command = f"exec {self.connector.command(machine, name)}"
            done = subprocess.run(
                ["/bin/sh", "-c", command], input=b"{}", capture_output=True, env={}, timeout=30
            )
            stopped = self.connector.stopped_when_closed(name)
            assert done.returncode == (self.connector.closed_exit if stopped else 0)
            assert bool(done.stdout.strip()) is stopped, name
            if stopped:
                said = (
                    "DefenseClaw could not check this and fails closed. Start it: defenseclaw-gateway start"
                )
                assert json.loads(done.stdout) == self.connector.refusal(name, said)
                assert b"fail mode closed" in done.stderr
        assert script.stat().st_mode & 0o777 == 0o700

    def test_no_agent_is_refused_with_where_it_was_looked_for(self, host):
        with pytest.raises(AgentNotFound) as caught:
            self.connector.plan_setup(host, ACTION)
        assert str(Path(host.env["PATH"]) / self.connector.executables[0]) in caught.value.hint
        assert not host.data_dir.exists()
        assert self.install(host, replace(ACTION, force=True))

    def test_the_version_gate(self, host, executable):
        name = self.connector.executables[0]
        for version in (self.too_old, ""):
            executable(name, f"echo '{version}'")
            with pytest.raises(SetupError):
                self.connector.plan_setup(host, ACTION)
            assert self.connector.plan_setup(host, SetupOptions(mode=Mode.OBSERVE)).warnings
            assert self.connector.plan_setup(host, replace(ACTION, force=True)).warnings
        executable(name, f"echo 'v{self.version}'")
        assert self.connector.plan_setup(host, ACTION).warnings == ()

    def test_detect(self, machine):
        found = self.connector.detect(machine)
        assert (found.found, found.version, found.configured) == (True, self.version, False)
        self.install(machine)
        assert self.connector.detect(machine).configured is True

    def test_the_probe_writes_nothing_into_the_agents_directory(self, host, executable, tree):
        leaves = f': > "${self.override}/left-behind"; test -z "$SECRET" && echo {self.version}'
        executable(self.connector.executables[0], leaves)
        before = tree(host.home)
        with_secret = replace(host, env={"SECRET": "x", **host.env, self.override: str(host.home)})
        assert self.connector.detect(with_secret).version == self.version
        assert tree(host.home) == before

    def test_a_healthy_setup_passes_every_check(self, machine):
        self.install(machine)
        assert {check.status for check in self.connector.check(machine, ACTION)} == {"pass"}

    def test_an_entry_that_is_gone_is_told_and_put_back(self, machine):
        self.install(machine)
        path = self.connector.settings_path(machine)
        event = self.spoil(path)
        (broken,) = [check for check in self.connector.check(machine, ACTION) if check.status != "pass"]
        assert broken.label == "Hook entries"
        assert event in broken.detail
        assert broken.mend == f"defenseclaw setup {self.connector.command_name}"
        self.install(machine)
        assert {check.status for check in self.connector.check(machine, ACTION)} == {"pass"}

    @pytest.mark.parametrize("harm", ["settings", "script", "token", "runtime"])
    def test_doctor_names_what_is_broken_and_setup_mends_it(self, machine, harm):
        self.install(machine)
        if harm == "settings":
            self.connector.settings_path(machine).unlink()
        elif harm == "script":
            hookscript.script_path(machine, self.connector.script).write_text("exit 0")
        elif harm == "token":
            runtime.token_path(machine, self.connector.name).write_text("x")
        else:
            disk.write(runtime.runtime_path(machine, self.connector.name), b"fail_mode=open", 0o600)
        labels = {check.label for check in self.connector.check(machine, ACTION) if check.status != "pass"}
        wanted = {"settings": "Hook entries", "script": "Hook script"}.get(harm, "Hook runtime")
        assert labels == {wanted}
        self.install(machine)
        assert {check.status for check in self.connector.check(machine, ACTION)} == {"pass"}

    def test_protected_paths_follow_the_setup(self, machine, tmp_path):
        moved = replace(machine, env={**machine.env, self.override: str(tmp_path / "cfg")})
        self.install(moved)
        paths = self.connector.protected_paths(machine)
        assert str(tmp_path / "cfg" / self.moved) in paths
        assert str(self.connector.settings_path(machine)) in paths


class EntriesContract(ScriptedContract):
    """Of agents whose settings hold a list of entries for each event below ``hooks``."""

    def value(self, path):
        return CommentedDocument(path.read_bytes() or b"{}").root.value

    def test_what_others_wrote_stays_while_we_are_in(self, machine, foreign):
        path = self.put(machine, foreign)
        theirs = self.value(path)
        self.install(machine)
        ours = self.value(path)
        for event, entries in theirs.pop("hooks", {}).items():
            assert ours["hooks"][event][: len(entries)] == entries
        assert {key: ours[key] for key in theirs} == theirs
        assert set(ours) <= {*theirs, "hooks", "version"}


class ProjectContract(ScriptedContract):
    """Of agents that a setup can hook for one project only."""

    note = ""
    """Part of what a setup of a project warns of; empty for nothing."""

    @pytest.fixture
    def work(self, tmp_path):
        folder = tmp_path / "it's a project é"
        folder.mkdir()
        return folder

    def test_a_project_takes_the_hooks_and_gives_them_back(self, machine, work):
        options = replace(ACTION, workspace=work)
        assert self.note in " ".join(self.connector.plan_setup(machine, options).warnings)
        self.install(machine, options)
        path = work / self.connector.project_file
        assert path.exists()
        assert not self.connector.settings_path(machine).exists()
        assert self.connector.detect(machine).configured is True
        assert str(path) in self.connector.protected_paths(machine)
        assert {check.status for check in self.connector.check(machine, ACTION)} == {"pass"}
        self.install(machine)  # for the user: the project's goes
        assert list(work.iterdir()) == []
        assert self.connector.settings_path(machine).exists()


class SwitchedOffContract(ScriptedContract):
    """Of agents in whose settings somebody can switch hooks off."""

    switch = ()
    """File below the home directory, what is in it, and what a refusal says of it."""

    def test_hooks_that_are_switched_off_are_refused_and_told_by_doctor(self, machine, switch):
        where, content, said = switch
        path = machine.home / where
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        options = replace(ACTION, workspace=machine.home / "work")
        with pytest.raises(SetupError, match=said):
            self.install(machine, options)
        rows = self.connector.check(machine, options)
        assert any(check.status == "fail" and said in check.detail for check in rows)
