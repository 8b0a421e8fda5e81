"""The switch for agents' own telemetry, as an operator meets it."""

from __future__ import annotations

import pytest
from tests.cli.conftest import Machine

from defenseclaw.connectors import otlp

SWITCH = ("config", "set", "telemetry.native_otlp", "true")


@pytest.fixture(autouse=True)
def received(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr(otlp, "RECEIVED", getattr(request, "param", False))


def test_it_cannot_be_switched_on_while_nobody_receives(machine: Machine):
    machine.run("init")
    before = machine.config.read_bytes()
    assert "no route that receives telemetry" in machine.run(*SWITCH, code=1).stderr
    assert machine.config.read_bytes() == before


def test_switched_on_by_hand_setup_refuses_and_changes_nothing(machine: Machine):
    before = machine.with_claude().files()
    machine.run("init")
    machine.config.write_text("telemetry: {native_otlp: true}\n")
    refused = machine.run("setup", "claude-code", "--yes", code=1).stderr
    assert "no route that receives telemetry" in refused
    assert "config set telemetry.native_otlp false" in refused
    assert machine.files() == before
    machine.run("config", "set", "telemetry.native_otlp", "false")
    machine.run("setup", "claude-code", "--yes")
    assert "OTEL" not in machine.claude_settings.read_text()


@pytest.mark.parametrize("received", [True], indirect=True)
def test_once_received_setup_writes_it_and_removal_takes_it_away(machine: Machine):
    before = machine.with_claude().files()
    machine.run("init")
    machine.run(*SWITCH)
    machine.run("setup", "claude-code", "--yes")
    assert "x-defenseclaw-source=claudecode" in machine.claude_settings.read_text()
    machine.run("setup", "remove", "claude-code", "--yes")
    assert machine.files() == before
