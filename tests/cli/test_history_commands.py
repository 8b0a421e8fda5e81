"""``alerts`` and ``audit``: the store as operators see it."""

from __future__ import annotations

import json
import sqlite3
import stat
from contextlib import closing

import pytest
from tests.cli.conftest import Machine

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
