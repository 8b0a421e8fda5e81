"""``init`` and ``quickstart``."""

from __future__ import annotations

import itertools
import stat
from typing import Any

import pytest
from tests.cli.conftest import Answering, Machine

from defenseclaw import daemon
from defenseclaw.config.load import load
from defenseclaw.vocabulary import Severity

DANGEROUS = "rm -rf /"


@pytest.fixture
def gateway(machine: Machine, answering: Answering) -> Answering:
    """A stand-in that judges like the gateway and records what it judged in the real store."""
    numbers = itertools.count()

    def judge(body: dict[str, Any]) -> dict[str, Any]:
        bad = body["args"]["command"] == DANGEROUS
        mode = load(machine.config).guardrail.mode
        return {
            "action": "block" if bad and mode == "action" else "allow",
            "raw_action": "block" if bad else "allow",
            "severity": "CRITICAL" if bad else "NONE",
            "would_block": bad and mode == "observe",
            "findings": ["CMD-RM-ROOT:Recursive delete"] if bad else [],
        }

    def record(headers: dict[str, str], body: dict[str, Any]) -> None:
        machine.record(
            f"{next(numbers):08x}-0000",
            severity=Severity.CRITICAL if body["args"]["command"] == DANGEROUS else Severity.NONE,
            request_id=headers["X-DefenseClaw-Request-Id"],
        )

    answering.answers["/api/v1/inspect/tool"] = (200, judge)
    answering.on_post = record
    machine.run("config", "set", "gateway.api_port", str(answering.port))
    return answering


class TestInit:
    def test_creates_everything_once(self, machine: Machine):
        machine.run("init")
        files = {name: (machine.data / name).read_bytes() for name in ("config.yaml", ".env")}
        machine.run("init")
        assert {name: (machine.data / name).read_bytes() for name in files} == files
        for path in (machine.data, *machine.data.rglob("*")):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0

    def test_takes_the_options_of_scripts(self, machine: Machine):
        machine.run("init", "--non-interactive", "--yes", "--no-start-gateway", "--connector", "none")
        report = machine.json("init", "--profile", "action", "--fail-mode", "open")
        assert (report["status"], report["profile"]) == ("ready", "action")
        guardrail = load(machine.config).guardrail
        assert (guardrail.mode, guardrail.hook_fail_mode) == ("action", "open")

    def test_an_invalid_configuration_is_reported_and_kept(self, machine: Machine):
        machine.run("init")
        machine.config.write_text("guardrail: {mode: off}\n")
        report = machine.json("init", code=1)
        assert report["status"] == "needs_attention"
        assert machine.config.read_text() == "guardrail: {mode: off}\n"


class TestQuickstart:
    def test_succeeds_without_any_agent(self, machine: Machine, gateway: Answering):
        report = machine.json("quickstart")
        assert report["status"] == "ready"
        assert [(each["command"], each["raw_action"]) for each in report["self_test"]] == [
            ("ls -la", "allow"),
            (DANGEROUS, "block"),
        ]
        assert [row["status"] for row in report["readiness"]] == ["pass", "pass"]
        assert machine.files() == {}

    def test_shows_mode_verdicts_rows_and_what_to_type(self, machine: Machine, gateway: Answering):
        machine.with_claude()
        shown = machine.run("quickstart").stdout
        for said in (
            "Mode: observe",
            "allow (would block)",
            "CMD-RM-ROOT",
            "00000001-0000",
            "defenseclaw setup claude-code",
        ):
            assert said in shown

    def test_installs_only_where_told(self, machine: Machine, gateway: Answering):
        before = machine.with_claude().files()
        machine.run("quickstart")
        assert machine.files() == before
        report = machine.json("quickstart", "--connector", "claude-code", "--mode", "action")
        assert (report["connector"], report["profile"]) == ("claudecode", "action")
        assert machine.files() != before
        assert report["self_test"][1]["action"] == "block"

    @pytest.mark.parametrize(
        ("answer", "problem"),
        [
            ((401, {"error": "unauthorized"}), "does not take our token"),
            ((200, {"action": "allow", "raw_action": "allow", "severity": "NONE"}), "was not caught"),
            ((200, {"action": "block", "raw_action": "block", "severity": "HIGH"}), "was not allowed"),
            ((503, {"error": "audit store unavailable"}), "audit store unavailable"),
        ],
    )
    def test_a_gateway_that_does_not_protect_needs_attention(
        self, machine: Machine, gateway: Answering, answer: tuple[int, Any], problem: str
    ):
        gateway.answers["/api/v1/inspect/tool"] = answer
        report = machine.json("quickstart", code=1)
        assert report["status"] == "needs_attention"
        assert problem in report["readiness"][0]["detail"]

    def test_a_verdict_that_is_not_on_record_needs_attention(self, machine: Machine, gateway: Answering):
        gateway.on_post = lambda _headers, _body: machine.record("e" * 8)
        report = machine.json("quickstart", code=1)
        assert "no audit row" in report["readiness"][0]["detail"]

    def test_switched_off_is_said(self, machine: Machine, gateway: Answering):
        machine.run("config", "set", "guardrail.enabled", "off")
        report = machine.json("quickstart", code=1)
        assert "defenseclaw config set guardrail.enabled true" in report["next_commands"]

    def test_starts_the_gateway_when_none_answers(self, machine: Machine, monkeypatch: pytest.MonkeyPatch):
        def ended(*_: object, **__: object) -> int:
            raise RuntimeError("the gateway ended with code 1; see gateway.log")

        monkeypatch.setattr(daemon, "is_answering", lambda _address: False)
        monkeypatch.setattr(daemon, "start", ended)
        report = machine.json("quickstart", code=1)
        (sidecar,) = [row for row in report["setup"] if row["name"] == "Sidecar"]
        assert (sidecar["status"], sidecar["detail"]) == (
            "fail",
            "the gateway ended with code 1; see gateway.log",
        )

    def test_can_leave_the_gateway_alone(self, machine: Machine):
        report = machine.json("quickstart", "--skip-gateway")
        assert report["status"] == "ready"
        assert "defenseclaw-gateway start" in report["next_commands"]

    def test_an_unknown_agent_needs_attention(self, machine: Machine, gateway: Answering):
        report = machine.json("quickstart", "--connector", "nobody", code=1)
        assert any("no connector is called nobody" in row["detail"] for row in report["setup"])
