"""Every recorded payload of the agents that were driven for real, and the exact answer to it.

``tests/golden/<connector>/answers.json`` holds the answer for every action in both modes, and what the script
says without a gateway in both fail modes, as for the agents of :mod:`tests.connectors.documented_contract`.
``make golden`` writes it anew.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace

import pytest
from tests.connectors.documented_contract import SEVERITIES, answered, readable, shown
from tests.connectors.scripted_contract import ACTION, GOLDEN

from defenseclaw.connectors import files
from defenseclaw.connectors.base import HookCall, registry
from defenseclaw.vocabulary import FailMode, Mode

VERSIONS = {"claudecode": "2.1.197", "codex": "0.169.0", "copilot": "1.0.102", "geminicli": "0.61.0"}
"""Of the agent that the payloads were recorded from."""


def payloads(name):
    """Payloads by the name of their file; ``variant.Event`` is the same event in another spelling."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted((GOLDEN / name).glob("*.json"))}
    return {stem: body for stem, body in found.items() if isinstance(body, dict) and stem != "answers"}


def event_of(stem):
    return stem.rpartition(".")[2]


@pytest.mark.parametrize("name", VERSIONS)
def test_every_recorded_payload_has_its_exact_answers(name, host, executable, rewrite_golden):
    connector = registry()[name]
    executable(connector.executables[0], f"echo 'agent {VERSIONS[name]}'")
    answers = {}
    for stem, body in payloads(name).items():
        event = connector.decode(HookCall(payload=body, header_event=event_of(stem)))
        answers[stem] = {
            str(mode): {str(raw): shown(answered(connector, event, raw, mode)[1]) for raw in SEVERITIES}
            for mode in Mode
        }
    hooked = {event: body for event, body in payloads(name).items() if event in connector.events("")}
    assert len(hooked) >= 5
    for mode in FailMode:
        options = replace(ACTION, fail_mode=mode)
        files.apply(host, connector, connector.plan_setup(host, options))
        for event, body in hooked.items():
            done = subprocess.run(
                ["/bin/sh", "-c", connector.command(host, event)],
                input=json.dumps(body).encode(),
                capture_output=True,
                env={},
                timeout=30,
            )
            answers[event].setdefault("without a gateway", {})[str(mode)] = {
                "stdout": json.loads(done.stdout) if done.stdout else None,
                "exit": done.returncode,
                "stderr": done.stderr.decode() if mode is FailMode.CLOSED else "",
            }
    path = GOLDEN / name / "answers.json"
    if rewrite_golden:
        path.write_text(readable(answers))
    assert json.loads(path.read_text()) == answers


@pytest.mark.parametrize("name", VERSIONS)
def test_what_can_be_refused_is_refused_in_every_answer_file(name):
    """So that a golden file cannot hold a refusal that lets the event pass."""
    connector = registry()[name]
    answers = json.loads((GOLDEN / name / "answers.json").read_text())
    refusable = {stem for stem in answers if event_of(stem) in connector.block_events}
    assert refusable
    for stem in refusable:
        assert answers[stem]["action"]["block"] != answers[stem]["action"]["allow"]
        assert answers[stem]["observe"]["block"] == answers[stem]["observe"]["confirm"]
