"""``alerts`` and ``audit``: the store as operators see it."""

from __future__ import annotations

import json
import sqlite3
import stat
from contextlib import closing
from typing import Any

import pytest
from tests.cli.conftest import Machine

from defenseclaw.cli import history
from defenseclaw.vocabulary import Severity

FIRST, SECOND, THIRD = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "abc")


@pytest.fixture
def recorded(machine: Machine) -> Machine:
    machine.record(FIRST)
    machine.record(SECOND, severity=Severity.HIGH, connector="omnigent")
    machine.record(THIRD, tool="\x1b[31mBash")
    machine.record("d" * 8, severity=Severity.NONE)
    return machine


class TestAlerts:
    def test_nothing_recorded_is_no_alert(self, machine: Machine):
        assert machine.run("alerts").stdout == "No alerts.\n"
        assert machine.json("alerts") == []
        assert not machine.data.exists()

    def test_newest_first_without_what_was_clean(self, recorded: Machine):
        assert [row["evaluation_id"] for row in recorded.json("alerts")] == [THIRD, SECOND, FIRST]
        shown = recorded.run("alerts").stdout
        assert "CMD-RM-ROOT" in shown
        assert "\x1b" not in shown

    @pytest.mark.parametrize(
        ("options", "found"),
        [
            (["--limit", "2"], [THIRD, SECOND]),
            (["-n", "1"], [THIRD]),
            (["--connector", "claude-code"], [THIRD, FIRST]),
            (["--connector", "omnigent"], [SECOND]),
            (["--connector", "nobody"], []),
        ],
    )
    def test_narrowed(self, recorded: Machine, options: list[str], found: list[str]):
        assert [row["evaluation_id"] for row in recorded.json("alerts", *options)] == found

    def test_one_in_full(self, recorded: Machine):
        shown = recorded.run("alerts", "--limit", "1", "--show", "2").stdout
        assert SECOND in shown
        assert "HIGH" in shown
        assert recorded.json("alerts", "--show", "3")["evaluation_id"] == FIRST

    def test_a_number_out_of_range(self, recorded: Machine):
        assert "alert #4 not found (1-3)" in recorded.run("alerts", "--show", "4", code=1).stderr

    def test_content_is_nowhere(self, recorded: Machine):
        assert "rm -rf" not in recorded.run("alerts", "--json").stdout


class TestOneThing:
    """What several hooks reported of one call is one line; `--json` lists every row."""

    @pytest.mark.parametrize(
        ("second", "lines"),
        [
            ({"hook": "PermissionRequest"}, ["2+1"]),
            # the same hook twice is two calls
            ({"hook": "PreToolUse"}, ["2", "1"]),
            ({"hook": "PermissionRequest", "tool_call_id": "toolu_2"}, ["2", "1"]),
            ({"hook": "PermissionRequest", "session_id": "another"}, ["2", "1"]),
            ({"hook": "PermissionRequest", "tool": "Write"}, ["2", "1"]),
            ({"hook": "PermissionRequest", "second": 11}, ["2", "1"]),
            # a call and its result are two things
            ({"hook": "PostToolUse"}, ["2", "1"]),
        ],
        ids=str,
    )
    def test_lines(self, machine: Machine, second: dict[str, Any], lines: list[str]):
        machine.record(FIRST, session_id="s", tool_call_id="toolu_1")
        machine.record(SECOND, **{"session_id": "s", **second})
        rows = machine.json("alerts")
        assert len(rows) == 2
        found = history.grouped(rows)
        names = {1: "2", 2: "1"}  # newest first: row 1 is the second one
        assert ["+".join(names[number] for number, _ in group) for group in found] == lines

    def test_shown_with_both_hooks_and_a_count(self, machine: Machine):
        machine.record(FIRST, session_id="s", tool_call_id="toolu_1")
        machine.record(SECOND, session_id="s", hook="PermissionRequest")
        machine.record(THIRD)
        shown = machine.run("alerts").stdout
        assert "PreToolUse + PermissionRequest   2" in shown
        numbers = [line.split()[0] for line in shown.splitlines() if "CRITICAL" in line]
        assert numbers == ["1", "2"]
        assert SECOND in machine.run("alerts", "--show", "2").stdout

    def test_rows_without_a_session_stand_alone(self, machine: Machine):
        machine.record(FIRST)
        machine.record(SECOND, hook="PermissionRequest")
        assert [len(group) for group in history.grouped(machine.json("alerts"))] == [1, 1]


class TestAcknowledge:
    @pytest.mark.parametrize(
        ("options", "left"),
        [
            (["--all"], []),
            (["--severity", "all"], []),
            (["--severity", "high"], [THIRD, FIRST]),
            (["--severity", "CRITICAL"], [SECOND]),
            (["--connector", "claude-code"], [SECOND]),
            (["--connector", "omnigent", "--severity", "CRITICAL"], [THIRD, SECOND, FIRST]),
        ],
    )
    def test_takes_them_off_the_list(self, recorded: Machine, options: list[str], left: list[str]):
        done = recorded.json("alerts", "acknowledge", *options)
        assert done == {"acknowledged": 3 - len(left)}
        assert [row["evaluation_id"] for row in recorded.json("alerts")] == left
        assert recorded.json("status")["activity"]["active_alerts"] == len(left)

    def test_they_stay_on_record(self, recorded: Machine):
        recorded.run("alerts", "acknowledge", "--severity", "HIGH")
        every = recorded.json("alerts", "--acknowledged")
        assert [(row["evaluation_id"], row.get("acknowledged", False)) for row in every] == [
            (THIRD, False),
            (SECOND, True),
            (FIRST, False),
        ]
        assert "(acknowledged)" in recorded.run("alerts", "--acknowledged").stdout
        assert recorded.json("audit", "verify")["ok"] is True

    def test_who_did_it_is_on_record_once(self, recorded: Machine):
        recorded.run("alerts", "acknowledge", "--all")
        assert "nothing to acknowledge" in recorded.run("alerts", "acknowledge", "--all").stdout
        lines = [json.loads(line) for line in recorded.run("audit", "export").stdout.splitlines()]
        (row,) = [line for line in lines if line["action"] == "acknowledge-alerts"]
        assert row["actor"] == "cli:operator"
        assert row["structured"]["after"]["severities"] == "CRITICAL,HIGH,MEDIUM,LOW,ERROR"

    @pytest.mark.parametrize("options", [[], ["--all", "--severity", "HIGH"], ["--severity", "NONE"]])
    def test_has_to_be_told_which(self, recorded: Machine, options: list[str]):
        recorded.run("alerts", "acknowledge", *options, code=2)
        assert len(recorded.json("alerts")) == 3

    def test_nothing_recorded_yet(self, machine: Machine):
        assert "nothing to acknowledge" in machine.run("alerts", "acknowledge", "--all").stdout
        assert not machine.data.exists()

    def test_a_store_that_cannot_be_written_is_an_error(self, recorded: Machine):
        (recorded.data / "device.key").write_bytes(b"short")
        assert "device.key" in recorded.run("alerts", "acknowledge", "--all", code=1).stderr


class TestVerify:
    def test_an_intact_store(self, recorded: Machine):
        assert "4 rows verified" in recorded.run("audit", "verify").stdout
        report = recorded.json("audit", "verify")
        assert (report["ok"], report["rows"]) == (True, 4)

    def test_a_changed_row_is_found(self, recorded: Machine):
        with closing(sqlite3.connect(recorded.data / "audit.db")) as store, store:
            (seq,) = store.execute(
                "SELECT seq FROM audit_events WHERE evaluation_id = ?", (SECOND,)
            ).fetchone()
            store.execute("UPDATE audit_events SET severity = 'LOW' WHERE seq = ?", (seq,))
        assert f"NOT INTACT at row #{seq}" in recorded.run("audit", "verify", code=1).stdout
        assert recorded.json("audit", "verify", code=1)["first_bad_seq"] == seq
        checks = recorded.json("doctor", code=1)["checks"]
        assert [row["status"] for row in checks if row["label"] == "Audit store"] == ["fail"]

    def test_no_store_is_an_expected_error(self, machine: Machine):
        assert "nothing has been recorded yet" in machine.run("audit", "verify", code=1).stderr


class TestExport:
    def test_every_row_oldest_first(self, recorded: Machine):
        lines = recorded.run("audit", "export").stdout.splitlines()
        assert [json.loads(line)["structured"]["evaluation_id"] for line in lines] == [
            FIRST,
            SECOND,
            THIRD,
            "d" * 8,
        ]

    def test_into_a_new_owner_only_file(self, recorded: Machine):
        target = recorded.root / "export.jsonl"
        recorded.run("audit", "export", "-o", str(target), "--limit", "1")
        assert json.loads(target.read_text())["structured"]["evaluation_id"] == FIRST
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
        recorded.run("audit", "export", "-o", str(target), code=1)
        assert len(target.read_text().splitlines()) == 1
