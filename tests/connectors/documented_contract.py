"""What connectors are held to whose agent nobody could run here: every documented event with every answer.

``tests/golden/<connector>/<Event>.json`` are payloads as their documentation has them;
``answers.json`` beside them holds the exact answer to each, for every action in both modes, and what the
script says without a gateway in both fail modes. ``make golden`` writes it anew.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.connectors.scripted_contract import ACTION, GOLDEN, ScriptedContract

from defenseclaw.connectors import files
from defenseclaw.connectors.base import HookCall, NativeAnswer
from defenseclaw.policy.decision import decide
from defenseclaw.vocabulary import Action, Approvals, FailMode, Finding, Mode, Posture, Severity

SEVERITIES = {
    Action.ALLOW: None,
    Action.ALERT: Severity.MEDIUM,
    Action.CONFIRM: Severity.HIGH,
    Action.BLOCK: Severity.CRITICAL,
}


def answered(connector, event, raw, mode):
    """The agent's own answer to a finding that asks for ``raw``."""
    severity = SEVERITIES[raw]
    found = Finding(
        rule_id="CMD-RM-ROOT",
        title="Recursive delete",
        category="command",
        severity=severity or Severity.NONE,
        confidence=0.9,
    )
    posture = Posture(mode=mode, approvals=Approvals(enabled=raw is Action.CONFIRM))
    verdict = decide(event, (found,) if severity else (), posture, evaluation_id="0123456789abcdef")
    return verdict, connector.encode(event, verdict)


def shown(answer: NativeAnswer) -> Any:
    """An answer as a golden file holds it: its JSON alone where that is all, null for silence."""
    output = json.loads(answer.stdout) if answer.stdout else None
    if not answer.exit_code and not answer.stderr:
        return output
    return {"stdout": output, "exit": answer.exit_code, "stderr": answer.stderr}


def readable(answers: dict[str, Any]) -> str:
    """The golden file: one answer per line."""
    events = []
    for event, groups in sorted(answers.items()):
        lines = [
            f"    {json.dumps(group)}: {{\n"
            + ",\n".join(
                f"      {json.dumps(name)}: {json.dumps(answer, ensure_ascii=False)}"
                for name, answer in each.items()
            )
            + "\n    }"
            for group, each in groups.items()
        ]
        events.append(f"  {json.dumps(event)}: {{\n" + ",\n".join(lines) + "\n  }")
    return "{\n" + ",\n".join(events) + "\n}\n"


class DocumentedContract(ScriptedContract):
    """Tests; the subclass says which connector."""

    override = "HOME"

    @property
    def folder(self) -> Path:
        return GOLDEN / self.connector.name

    def decode(self, name, **changes):
        return self.connector.decode(HookCall(payload=self.golden(name, **changes), header_event=name))

    def names(self):
        return sorted(path.stem for path in self.folder.glob("*.json") if path.stem != "answers")

    # ---- golden answers -------------------------------------------------------------------------

    def test_every_event_has_its_exact_answers(self, machine, rewrite_golden):
        answers = {name: self._answers(name) for name in self.names()}
        away = self._without_gateway(machine)
        for name, said in away.items():
            answers[name]["without a gateway"] = said
        path = self.folder / "answers.json"
        if rewrite_golden:
            path.write_text(readable(answers))
        assert json.loads(path.read_text()) == answers

    def test_every_hooked_event_has_a_payload(self):
        assert set(self.names()) >= set(self.connector.events(""))

    def _answers(self, name):
        event = self.decode(name)
        return {
            str(mode): {str(raw): shown(answered(self.connector, event, raw, mode)[1]) for raw in SEVERITIES}
            for mode in Mode
        }

    def _without_gateway(self, machine):
        said: dict[str, dict[str, Any]] = {name: {} for name in self.connector.events(self.version)}
        for mode in FailMode:
            self.install(machine, replace(ACTION, fail_mode=mode))
            for name in said:
                done = subprocess.run(
                    ["/bin/sh", "-c", self.connector.command(machine, name)],
                    input=json.dumps(self.golden(name)).encode(),
                    capture_output=True,
                    env={},
                    timeout=30,
                )
                said[name][str(mode)] = {
                    "stdout": json.loads(done.stdout) if done.stdout else None,
                    "exit": done.returncode,
                }
                if mode is FailMode.CLOSED:
                    said[name]["closed"]["stderr"] = done.stderr.decode()
        return said

    def test_observe_changes_nothing(self):
        for name in self.names():
            event = self.decode(name)
            for raw in SEVERITIES:
                verdict, answer = answered(self.connector, event, raw, Mode.OBSERVE)
                assert verdict.raw_action is raw
                assert answer == self.connector.encode(event, replace(verdict, raw_action=Action.ALLOW))
                assert answer == answered(self.connector, event, Action.ALLOW, Mode.OBSERVE)[1]

    def test_the_operators_switch_lets_everything_go_on(self, machine):
        self.install(machine)
        (machine.data_dir / ".disabled").touch()
        for name in self.connector.events(self.version):
            command = self.connector.command(machine, name)
            done = subprocess.run(["/bin/sh", "-c", command], input=b"{}", capture_output=True, env={})
            allowed = answered(self.connector, self.decode(name), Action.ALLOW, Mode.ACTION)[1]
            assert (done.returncode, done.stdout.strip()) == (0, allowed.stdout)
        assert not (machine.data_dir / "logs").exists()

    # ---- no location override is documented -----------------------------------------------------

    def test_the_agents_directory_is_followed(self, machine, tmp_path):
        """There is none: the file hangs on the home directory alone."""
        moved = replace(machine, env={**machine.env, "XDG_CONFIG_HOME": str(tmp_path / "elsewhere")})
        assert self.connector.settings_path(moved) == self.connector.settings_path(machine)
        assert self.connector.settings_path(machine).is_relative_to(machine.home)

    def test_protected_paths_follow_the_setup(self, machine):
        self.install(machine)
        path = files.recorded_path(machine, self.connector.name, self.connector.logical)
        assert str(path) in self.connector.protected_paths(machine)

    def test_an_override_that_is_not_absolute_is_ignored(self, machine):
        relative = replace(machine, env={**machine.env, "HOME": "relative"})
        assert self.connector.settings_path(relative) == self.connector.settings_path(machine)
