"""What operators do is on record: once, without secrets, and never at the price of the deed itself."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import Any

import pytest
from tests.cli.conftest import Machine

TOKEN = "0123456789abcdef0123456789abcdef"


def activities(machine: Machine) -> list[dict[str, Any]]:
    """Every row of an operator's change: its columns, and its envelope's fields beside them."""
    with closing(sqlite3.connect(machine.data / "audit.db")) as store:
        store.row_factory = sqlite3.Row
        found = store.execute("SELECT * FROM audit_events WHERE actor = 'cli:operator' ORDER BY seq")
        return [{**dict(row), **json.loads(row["structured_json"])} for row in found]


def gateway_runs(machine: Machine) -> None:
    """Make the present process the recorded gateway."""
    from defenseclaw.daemon import PidFile

    machine.data.mkdir(mode=0o700, exist_ok=True)
    PidFile(machine.data / "gateway.pid").write()


@pytest.fixture
def installed(machine: Machine) -> Machine:
    machine.with_claude().run("setup", "claude-code", "--mode", "action", "--yes")
    return machine


def test_setup(installed: Machine):
    (row,) = activities(installed)
    assert (row["action"], row["target"], row["connector"]) == (
        "setup-hook-connector",
        "claudecode",
        "claudecode",
    )
    assert (row["before"]["installed"], row["before"]["mode"]) == (False, "observe")
    assert (row["after"]["installed"], row["after"]["mode"]) == (True, "action")
    assert str(installed.claude_settings) in row["after"]["files"]
    assert row["timestamp"].endswith("Z")
    assert len(row["content_hash"]) == 64


def test_setup_that_finds_all_in_place_is_no_change(installed: Machine):
    installed.run("setup", "claude-code", "--yes")
    installed.run("setup", "claude-code", "--dry-run", "--mode", "observe")
    assert len(activities(installed)) == 1


def test_setup_that_only_changes_the_mode_is_one(installed: Machine):
    installed.run("setup", "claude-code", "--mode", "observe", "--fail-mode", "closed", "--yes")
    row = activities(installed)[-1]
    assert (row["before"]["mode"], row["after"]["mode"]) == ("action", "observe")


@pytest.mark.parametrize(
    ("arguments", "action", "target"),
    [
        (["setup", "remove", "claude-code", "--yes"], "setup-remove", "claudecode"),
        (["setup", "guardrail", "--disable"], "guardrail-disable", "guardrail"),
        (["uninstall", "--yes"], "uninstall", None),
    ],
)
class TestLeaving:
    def test_is_recorded_with_the_files(
        self, installed: Machine, arguments: list[str], action: str, target: str | None
    ):
        installed.run(*arguments)
        row = activities(installed)[-1]
        assert (row["action"], row["target"]) == (action, target or str(installed.data))
        assert str(installed.claude_settings) in json.dumps(row["after"])

    def test_needs_no_store(self, installed: Machine, arguments: list[str], action: str, target: str | None):
        (installed.data / "audit.db").write_bytes(b"this is no database" * 100)
        for beside in ("audit.db-wal", "audit.db-shm"):
            (installed.data / beside).unlink(missing_ok=True)
        said = installed.run(*arguments).stderr
        assert f"not on record ({action})" in said
        assert "hooks" not in installed.claude_settings.read_text()

    def test_twice_is_recorded_once(
        self, installed: Machine, arguments: list[str], action: str, target: str | None
    ):
        installed.run(*arguments)
        installed.run(*arguments)
        assert [row["action"] for row in activities(installed)].count(action) == 1


def test_uninstall_makes_no_store_where_there_is_none(installed: Machine):
    for path in installed.data.glob("audit.db*"):
        path.unlink()
    installed.run("uninstall", "--yes")
    assert not (installed.data / "audit.db").exists()


class TestConfigSet:
    def test_before_and_after(self, machine: Machine):
        machine.run("config", "set", "guardrail.mode", "action")
        (row,) = activities(machine)
        assert (row["action"], row["target"]) == ("config-update", "guardrail.mode")
        assert row["diff"] == [
            {"path": "/guardrail.mode", "op": "replace", "before": "observe", "after": "action"}
        ]

    def test_what_changes_nothing_is_not_recorded(self, machine: Machine):
        machine.run("config", "set", "guardrail.mode", "observe")
        assert not (machine.data / "audit.db").exists()

    def test_a_token_is_never_written_down(self, machine: Machine):
        machine.data.mkdir(mode=0o700)
        machine.config.write_text(f"gateway:\n  token: {TOKEN}\n")
        machine.run("config", "set", "gateway.token", "--unset")
        (row,) = activities(machine)
        assert row["before"] == {"gateway.token": {"had_value": True}}
        assert row["after"] == {"gateway.token": {"had_value": False}}
        assert TOKEN.encode() not in (machine.data / "audit.db").read_bytes()

    @pytest.mark.parametrize(("reload", "by_us"), [("hot", 0), ("restart", 1)])
    def test_a_running_gateway_records_what_it_takes_up(self, machine: Machine, reload: str, by_us: int):
        machine.data.mkdir(mode=0o700)
        machine.config.write_text(f"gateway: {{config_reload: {{mode: {reload}}}}}\n")
        machine.run("config", "set", "audit.retention_days", "30")
        before = len(activities(machine))
        gateway_runs(machine)
        machine.run("config", "set", "audit.retention_days", "31")
        assert len(activities(machine)) - before == by_us

    def test_the_mode_of_a_first_run(self, machine: Machine):
        machine.run("quickstart", "--mode", "action", "--skip-gateway")
        (row,) = activities(machine)
        assert (row["action"], row["after"]) == ("config-update", {"guardrail.mode": "action"})


def test_keys_only_whether_there_was_one(machine: Machine):
    for _ in range(2):
        machine.run("keys", "set", "DEFENSECLAW_GATEWAY_TOKEN", "--stdin", stdin=TOKEN)
    first, second = activities(machine)
    assert (first["action"], first["target"]) == ("config-update", "dotenv:DEFENSECLAW_GATEWAY_TOKEN")
    assert (first["before"], first["after"]) == ({"had_value": False}, {"had_value": True})
    assert second["before"] == {"had_value": True}
    for path in machine.data.glob("audit.db*"):
        assert TOKEN.encode() not in path.read_bytes()


def test_a_damaged_installation_key_does_not_stop_the_change(installed: Machine):
    (installed.data / "device.key").write_bytes(b"short")
    assert "not on record" in installed.run("config", "set", "guardrail.mode", "action").stderr


def test_the_rows_are_links_of_the_chain(installed: Machine):
    installed.run("config", "set", "guardrail.mode", "action")
    installed.run("setup", "remove", "claude-code", "--yes")
    report = installed.json("audit", "verify")
    assert (report["ok"], report["rows"]) == (True, 3)


def test_the_stores_libraries_wait_until_a_row_is_written(machine: Machine):
    machine.with_claude()
    program = (
        "import sys; from defenseclaw.cli import cli\n"
        "try: cli(['setup', 'claude-code', '--dry-run'])\n"
        "except SystemExit as done: assert not done.code, done.code\n"
        "sys.exit(sorted({'sqlalchemy', 'alembic'} & set(sys.modules)) or 0)"
    )
    env = {name: value for name, value in machine.env.items() if value is not None}
    done = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
