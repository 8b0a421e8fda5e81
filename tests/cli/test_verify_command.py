"""``verify``: who is run, what is said, what is kept, and with which exit code one leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cli.conftest import Answering, Machine

SILENT = '#!/bin/sh\necho "2.1.200 (Claude Code)"\n'
"""A Claude Code that knows its version and calls no model."""


@pytest.fixture
def governed(machine: Machine, answering: Answering) -> Machine:
    """Claude Code set up, and something that answers as the gateway."""
    machine.with_claude()
    machine.run("init", "--non-interactive", "--yes", "--no-start-gateway", "--connector", "none")
    machine.run("config", "set", "gateway.api_port", str(answering.port))
    machine.run("setup", "claude-code", "--mode", "action", "--yes")
    return machine


def test_without_a_gateway_nothing_is_run(machine: Machine):
    machine.with_claude().run(
        "init", "--non-interactive", "--yes", "--no-start-gateway", "--connector", "none"
    )
    machine.run("config", "set", "gateway.api_port", "1")
    machine.run("setup", "claude-code", "--yes")
    (machine.bin / "claude").write_text(SILENT + 'test "$1" = --version || touch "$HOME/was-run"\n')
    done = machine.run("verify", code=1)
    assert "error: the gateway is not running, so nothing is enforced" in done.stderr
    assert "defenseclaw-gateway start" in done.stderr
    assert not (machine.home / "was-run").exists()


def test_an_agent_nobody_knows_is_wrong_usage(governed: Machine):
    assert "is no agent we know" in governed.run("verify", "nonsense", code=2).stderr


def test_an_agent_that_is_not_governed_is_refused(governed: Machine):
    done = governed.run("verify", "codex", code=1)
    assert "error: Codex is not governed here" in done.stderr
    assert "defenseclaw setup codex" in done.stderr


def test_where_nobody_is_governed_there_is_nothing_to_verify(governed: Machine):
    governed.run("setup", "remove", "claude-code", "--yes")
    assert "error: no agent is governed here" in governed.run("verify", code=1).stderr


def test_an_agent_that_is_gone_cannot_be_verified(governed: Machine):
    (governed.bin / "claude").unlink()
    assert "Claude Code is not installed here" in governed.run("verify", "claude-code", code=1).stderr


def test_among_all_agents_one_that_cannot_be_verified_is_passed_over(governed: Machine):
    (governed.bin / "claude").unlink()
    report = governed.json("verify")
    assert report == {"verified": [], "skipped": {"claudecode": "Claude Code is not installed here"}}


def test_an_agent_that_proves_nothing_fails(governed: Machine):
    report = governed.json("verify", code=1)
    (proof,) = report["verified"]
    assert (proof["outcome"], proof["agent_version"], proof["mode"]) == ("unproven", "2.1.200", "action")
    assert proof["causes"] == ["the agent never called the model; it ended with exit code 0"]


def test_the_result_is_kept_private_on_record_and_shown(governed: Machine):
    governed.run("verify", code=1)
    kept = governed.data / "verified" / "claudecode.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert json.loads(kept.read_text())["outcome"] == "unproven"
    assert "verified just now, agent 2.1.200: unproven" in governed.run("status").stdout
    rows = {row["label"]: row for row in governed.json("doctor", code=None)["checks"]}
    shown = rows["Proven [claudecode]"]
    assert (shown["status"], shown["mend"]) == ("warn", "defenseclaw verify claude-code")
    assert on_record(governed)


def on_record(machine: Machine) -> bool:
    from defenseclaw.audit.store import Store

    store = Store.open_to_read(machine.data / "audit.db")
    try:
        return any(row.action == "agent-verify" for row in store.last_rows(20))
    finally:
        store.close()


def test_before_the_first_time_status_and_doctor_say_so(governed: Machine):
    assert "not verified" in governed.run("status").stdout
    rows = {row["label"]: row for row in governed.json("doctor", code=None)["checks"]}
    assert rows["Proven [claudecode]"]["status"] == "skip"


def test_what_the_agent_printed_is_shown_on_request_without_control_characters(governed: Machine):
    (governed.bin / "claude").write_text(SILENT + r"printf 'odd \033[31mred\n' >&2" + "\n")
    assert "red" not in governed.run("verify", code=1).stderr
    shown = governed.run("verify", "--show-output", code=1).stderr
    assert r"odd \x1b[31mred" in shown
    assert "\x1b[31m" not in shown


def test_a_project_must_be_a_folder(governed: Machine, tmp_path: Path):
    assert governed.run("verify", "--project", str(tmp_path / "none"), code=2)


def test_a_folder_that_is_a_project_is_where_the_agent_runs(governed: Machine, tmp_path: Path):
    project = tmp_path / "a project"
    project.mkdir()
    (governed.bin / "claude").write_text(SILENT + 'test "$1" = --version || touch was-here\n')
    (proof,) = governed.json("verify", "--project", str(project), code=1)["verified"]
    assert proof["project"] == str(project)
    assert (project / "was-here").exists()


def test_asked_to_end_it_takes_the_agent_along(governed: Machine):
    (governed.bin / "claude").write_text(
        SILENT + 'test "$1" = --version || { echo $$ >"$HOME/agent"; exec sleep 60; }\n'
    )
    env = {name: value for name, value in governed.env.items() if value is not None}
    program = Path(sys.executable).with_name("defenseclaw")
    verifying = subprocess.Popen([program, "verify"], env=env, stderr=subprocess.PIPE, cwd=governed.root)
    agent = governed.home / "agent"
    deadline = time.monotonic() + 30
    while not (agent.exists() and agent.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.05)
    verifying.terminate()
    verifying.communicate(timeout=30)
    assert verifying.returncode == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int(agent.read_text()), 0)
