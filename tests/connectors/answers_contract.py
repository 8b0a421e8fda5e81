"""What every connector answers to every payload, to the letter.

``tests/golden/<connector>/`` holds payloads as the agent sent them or as its documentation has them;
``answers.json`` beside them holds the exact answer to each, for every action in both modes, and what is said
without a gateway in both fail modes; null is silence. ``make golden`` writes it anew.
"""

from __future__ import annotations

import json
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.connectors.scripted_contract import ACTION, GOLDEN, ScriptedContract

from defenseclaw.connectors.base import Connector, HookCall, NativeAnswer
from defenseclaw.policy.decision import decide
from defenseclaw.vocabulary import (
    Action,
    Approvals,
    Event,
    FailMode,
    Finding,
    Mode,
    Posture,
    Severity,
    Verdict,
)

SEVERITIES = {
    Action.ALLOW: None,
    Action.ALERT: Severity.MEDIUM,
    Action.CONFIRM: Severity.HIGH,
    Action.BLOCK: Severity.CRITICAL,
}
UNANSWERED = "without a gateway"


def judged(event: Event, raw: Action, mode: Mode) -> Verdict:
    """The verdict on a finding that asks for ``raw``."""
    severity = SEVERITIES[raw]
    found = Finding(
        rule_id="CMD-RM-ROOT",
        title="Recursive delete",
        category="command",
        severity=severity or Severity.NONE,
        confidence=0.9,
    )
    posture = Posture(mode=mode, approvals=Approvals(enabled=raw is Action.CONFIRM))
    return decide(event, (found,) if severity else (), posture, evaluation_id="0123456789abcdef")


def answered(connector: Connector, event: Event, raw: Action, mode: Mode) -> tuple[Verdict, NativeAnswer]:
    """The verdict on a finding that asks for ``raw``, and the agent's own answer to it."""
    verdict = judged(event, raw, mode)
    return verdict, connector.encode(event, verdict)


def shown(answer: NativeAnswer) -> Any:
    """An answer as a golden file holds it: its JSON alone where that is all, null for silence."""
    output = json.loads(answer.stdout) if answer.stdout else None
    if not answer.exit_code and not answer.stderr:
        return output
    return {"stdout": output, "exit": answer.exit_code, "stderr": answer.stderr}


def readable(answers: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
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


class GoldenContract(ABC):
    """Tests; the subclass says how a payload is put to its connector."""

    connector: Connector

    @pytest.fixture
    @abstractmethod
    def events(self) -> Mapping[str, Event]:
        """What each payload is to the gateway, those left out that never reach it."""

    @pytest.fixture
    @abstractmethod
    def answers(self) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
        """The golden file: to each payload an answer for each action by mode, and without a gateway."""

    @property
    def folder(self) -> Path:
        return GOLDEN / self.connector.name

    def names(self) -> list[str]:
        """The payloads: objects, unlike the words of a command line that stand there too."""
        found = {path.stem: json.loads(path.read_text()) for path in self.folder.glob("*.json")}
        return sorted(name for name, body in found.items() if isinstance(body, dict) and name != "answers")

    def recorded(self) -> Any:
        return json.loads((self.folder / "answers.json").read_text())

    def test_every_event_has_its_exact_answers(self, answers, rewrite_golden):
        if rewrite_golden:
            (self.folder / "answers.json").write_text(readable(answers))
        assert self.recorded() == answers

    def test_observe_changes_nothing(self, events):
        for event in events.values():
            for raw in SEVERITIES:
                verdict, answer = answered(self.connector, event, raw, Mode.OBSERVE)
                assert verdict.raw_action is raw
                assert answer == self.connector.encode(event, replace(verdict, raw_action=Action.ALLOW))
                assert answer == answered(self.connector, event, Action.ALLOW, Mode.OBSERVE)[1]

    def test_observe_changes_nothing_in_the_answers(self):
        for name, modes in self.recorded().items():
            assert all(said == modes["action"]["allow"] for said in modes["observe"].values()), name

    def test_what_can_be_refused_is_refused_in_the_answers(self, events):
        """So that a golden file cannot hold a refusal that lets the event pass."""
        answers = self.recorded()
        refusable = {name for name, event in events.items() if event.name in self.connector.block_events}
        assert refusable
        for name in refusable:
            assert answers[name]["action"]["block"] != answers[name]["action"]["allow"]


class AnswersContract(GoldenContract, ScriptedContract):
    """Of connectors with a hook script; the subclass says which."""

    def decode(self, name, **changes):
        return self.connector.decode(HookCall(payload=self.golden(name, **changes), header_event=name))

    @pytest.fixture
    def events(self):
        return {name: self.decode(name) for name in self.names()}

    @pytest.fixture
    def answers(self, events, machine):
        said = {name: self._answers(event) for name, event in events.items()}
        for name, alone in self._without_gateway(machine).items():
            said[name][UNANSWERED] = alone
        return said

    def _answers(self, event):
        return {
            str(mode): {str(raw): shown(answered(self.connector, event, raw, mode)[1]) for raw in SEVERITIES}
            for mode in Mode
        }

    def _without_gateway(self, machine):
        hooked = [name for name in self.connector.events(self.version) if name in self.names()]
        assert len(hooked) >= 5
        said: dict[str, dict[str, Any]] = {name: {} for name in hooked}
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
