"""``status``, ``doctor`` and ``version``: what they say of a machine."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime

import pytest
from tests.cli.conftest import Answering, Machine

from defenseclaw import __version__


def by_label(report: dict, label: str) -> dict:
    (row,) = [row for row in report["checks"] if row["label"] == label]
    return row


class TestStatus:
    def test_works_on_a_bare_machine(self, machine: Machine):
        report = machine.json("status")
        assert report["sidecar"]["running"] is False
        assert report["connectors"] == []
        assert report["activity"] == {"events": 0, "total_scans": 0, "active_alerts": 0}
        assert "No agent found" in machine.run("status").stdout

    def test_has_the_keys_that_programs_read(self, machine: Machine):
        machine.with_claude().record("a" * 8)
        report = machine.json("status")
        assert report.keys() >= {
            *("environment", "deployment_mode", "data_dir", "config", "audit_db", "scope", "sandbox"),
            *("scanners", "enforcement", "activity", "sidecar", "connectors"),
        }
        assert report["activity"]["total_scans"] == 1
        assert report["enforcement"]["blocked_skills"] == 0
        assert report["connectors"][0].keys() >= {"name", "friendly", "mode", "enabled", "source"}

    def test_shows_agents_with_mode_and_fail_mode(self, machine: Machine):
        machine.with_claude().run("setup", "claude-code", "--mode", "action", "--yes")
        (agent,) = machine.json("status")["connectors"]
        assert (agent["name"], agent["mode"], agent["fail_mode"], agent["installed"]) == (
            "claudecode",
            "action",
            "closed",
            True,
        )
        assert "action, fail closed" in machine.run("status").stdout

    def test_shows_a_running_gateway(self, machine: Machine, answering: Answering):
        machine.run("config", "set", "gateway.api_port", str(answering.port))
        sidecar = machine.json("status")["sidecar"]
        assert (sidecar["running"], sidecar["status"], sidecar["version"]) == (True, "ok", __version__)
        assert f"ok at http://127.0.0.1:{answering.port}" in machine.run("status").stdout


class TestDoctor:
    def test_everything_passes(self, machine: Machine, answering: Answering):
        machine.with_claude().run("setup", "claude-code", "--yes")
        machine.run("config", "set", "gateway.api_port", str(answering.port))
        machine.run("setup", "claude-code", "--yes")
        report = machine.json("doctor")
        assert [row for row in report["checks"] if row["status"] == "fail"] == []
        assert report["failed"] == 0
        assert by_label(report, "Claude Code")["status"] == "pass"

    def test_a_bare_machine_names_what_to_do_first(self, machine: Machine):
        report = machine.json("doctor", code=1)
        assert by_label(report, "Configuration")["mend"] == "defenseclaw init"
        assert by_label(report, "Data directory")["mend"] == "defenseclaw init"
        assert by_label(report, "Sidecar API")["mend"] == "defenseclaw-gateway start"
        assert not machine.data.exists()

    @pytest.mark.parametrize(
        ("damage", "label", "status", "mend"),
        [
            pytest.param(
                lambda m: m.config.write_text("guardrail: {mode: off}\n"),
                "Configuration",
                "fail",
                "config validate",
                id="invalid configuration",
            ),
            pytest.param(
                lambda m: m.config.write_text("guardrail: {moed: x}\n"),
                "Configuration",
                "warn",
                "edit",
                id="unknown key",
            ),
            pytest.param(
                lambda m: m.config.write_text("guardrail: {rule_pack_dir: nowhere}\n"),
                "Rule pack [nowhere]",
                "fail",
                "config set guardrail.rule_pack_dir default",
                id="unknown rule pack",
            ),
            pytest.param(
                lambda m: (m.data / ".env").chmod(0o644),
                "Data directory",
                "fail",
                "chmod -R go-rwx",
                id="open .env",
            ),
            pytest.param(
                lambda m: m.data.chmod(0o755),
                "Data directory",
                "fail",
                "chmod -R go-rwx",
                id="open directory",
            ),
            pytest.param(
                lambda m: (m.data / ".env").unlink(), "Gateway token", "fail", "init", id="no token"
            ),
            pytest.param(
                lambda m: ((m.data / ".env").unlink(), m.config.write_text("gateway: {token: abcdefgh}\n")),
                "Gateway token",
                "warn",
                "keys set",
                id="token in the configuration",
            ),
            pytest.param(
                lambda m: (m.data / "audit.db").write_text("x" * 5000),
                "Audit store",
                "fail",
                "",
                id="damaged store",
            ),
            pytest.param(
                lambda m: m.config.write_text("guardrail: {connector: nobody}\n"),
                "Connector [nobody]",
                "fail",
                "config set guardrail.connector --unset",
                id="unknown connector",
            ),
        ],
    )
    def test_names_what_is_wrong_and_what_mends_it(
        self, machine: Machine, damage, label: str, status: str, mend: str
    ):
        machine.run("init")
        damage(machine)
        row = by_label(machine.json("doctor", code=1), label)
        assert row["status"] == status
        assert mend in row["mend"]

    def test_finds_hooks_nobody_configured(self, machine: Machine):
        machine.with_claude().run("setup", "claude-code", "--yes")
        machine.config.write_text("guardrail: {mode: observe}\n")
        row = by_label(machine.json("doctor", code=1), "Connector residue")
        assert (row["status"], row["mend"]) == ("fail", "defenseclaw setup remove claude-code")
        machine.run("setup", "remove", "claude-code", "--yes")
        assert by_label(machine.json("doctor", code=1), "Connector residue")["status"] == "pass"

    def test_finds_hooks_somebody_removed(self, machine: Machine):
        machine.with_claude().run("setup", "claude-code", "--yes")
        machine.claude_settings.write_text("{}")
        failed = [row for row in machine.json("doctor", code=1)["checks"] if row["status"] == "fail"]
        assert any("setup claude" in row["mend"] for row in failed)

    def test_a_gateway_with_another_token_is_told_apart(self, machine: Machine, answering: Answering):
        machine.run("config", "set", "gateway.api_port", str(answering.port))
        machine.run("init")
        answering.answers["/ready"] = (401, {"error": "unauthorized"})
        report = machine.json("doctor", code=1)
        assert by_label(report, "Sidecar API")["status"] == "pass"
        assert "does not take our token" in by_label(report, "Gateway readiness")["detail"]

    def test_a_gateway_that_cannot_record_fails(self, machine: Machine, answering: Answering):
        machine.run("config", "set", "gateway.api_port", str(answering.port))
        machine.run("init")
        answering.answers["/ready"] = (503, {"error": "audit store unavailable"})
        row = by_label(machine.json("doctor", code=1), "Gateway readiness")
        assert (row["status"], row["detail"]) == ("fail", "audit store unavailable")

    def test_an_older_gateway_is_a_warning(self, machine: Machine, answering: Answering):
        machine.run("config", "set", "gateway.api_port", str(answering.port))
        machine.run("init")
        answering.answers["/health"] = (200, {"provenance": {"binary_version": "0.0.1"}})
        row = by_label(machine.json("doctor"), "Sidecar API")
        assert (row["status"], row["mend"]) == ("warn", "defenseclaw-gateway restart")

    def test_people_get_the_mending_commands(self, machine: Machine):
        machine.run("init")
        assert "fail: Sidecar API: defenseclaw-gateway start" in machine.run("doctor", code=1).stdout

    def test_leaves_its_result_owner_only(self, machine: Machine):
        machine.run("init")
        report = machine.json("doctor", code=1)
        cache = machine.data / "doctor_cache.json"
        kept = json.loads(cache.read_text())
        assert kept.pop("captured_at")
        assert kept == report
        assert stat.S_IMODE(cache.stat().st_mode) == 0o600

    def test_failures_of_hooks_are_counted_for_a_day(self, machine: Machine):
        machine.run("init")
        log = machine.data / "logs" / "hook-failures.jsonl"
        log.parent.mkdir(mode=0o700)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        failure = {"connector": "claudecode", "reason": "gateway unreachable"}
        log.write_text(
            json.dumps({"ts": "2020-01-01T00:00:00Z", **failure})
            + "\nnot json\n[1]\n"
            + json.dumps({"ts": now, **failure})
        )
        row = by_label(machine.json("doctor", code=1), "Hook failures")
        assert (row["status"], row["detail"]) == (
            "warn",
            "1 in the last 24 hours; last: claudecode, gateway unreachable",
        )


class TestVersion:
    def test_alone(self, machine: Machine):
        report = machine.json("version")
        assert (report["ok"], report["components"][1]["status"]) == (True, "not running")

    def test_drift_is_exit_code_1_unless_told(self, machine: Machine, answering: Answering):
        machine.run("config", "set", "gateway.api_port", str(answering.port))
        answering.answers["/health"] = (200, {"provenance": {"binary_version": "0.0.1"}})
        assert machine.json("version", code=1)["drift"] == ["gateway runs 0.0.1, installed is " + __version__]
        assert "defenseclaw-gateway restart" in machine.run("version", "--no-drift-exit").stdout
