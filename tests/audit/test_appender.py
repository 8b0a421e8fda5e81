from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from defenseclaw.audit.appender import _Statements
from defenseclaw.audit.chain import verify
from defenseclaw.audit.database import Database
from defenseclaw.audit.store import Store
from defenseclaw.errors import Conflict, StoreUnavailable

from .support import NOW_MS, Tampering, a_batch


def test_two_processes_append_to_one_chain(store: Store, path: Path) -> None:
    other = Store.open(path)
    ours, theirs = store.appender(), other.appender()
    for _ in range(3):
        ours.append([a_batch(), a_batch(findings=1)], NOW_MS)
        theirs.append([a_batch(findings=2)], NOW_MS)
    assert verify(store).rows == 9
    assert verify(store).ok
    ours.close()
    theirs.close()
    other.close()


def test_a_repeated_id_writes_nothing_at_all(store: Store) -> None:
    appender = store.appender()
    appender.append([a_batch(id="theirs", evaluation_id="")], NOW_MS)
    with pytest.raises(Conflict):
        appender.append([a_batch(), a_batch(id="theirs", evaluation_id="")], NOW_MS)
    assert store.count() == 1
    appender.append([a_batch()], NOW_MS)
    assert verify(store).rows == 2
    appender.close()


def test_a_caller_cannot_take_the_id_of_an_evaluation(store: Store) -> None:
    appender = store.appender()
    appender.append([a_batch(id="e-1", evaluation_id="e-1"), a_batch(id="more", evaluation_id="e-1")], NOW_MS)
    with pytest.raises(Conflict):
        appender.append([a_batch(), a_batch(id="e-1", evaluation_id="")], NOW_MS)
    assert store.count() == 2
    appender.append([a_batch(id="e-2", evaluation_id="")], NOW_MS)
    appender.close()
    assert verify(store).rows == 3


def test_looking_for_an_evaluation_uses_its_index(store: Store, path: Path) -> None:
    store.appender().close()
    with closing(sqlite3.connect(path)) as connection:
        looked = _Statements(Database(path)).evaluation
        plan = str(connection.execute(f"EXPLAIN QUERY PLAN {looked}", ("x",)).fetchall())
    assert "audit_events_evaluation" in plan


@pytest.mark.parametrize(
    "columns",
    [{"target": "\udcff"}, {"generation": 2**70}, {"structured": {"x": object()}}, {"target": None}],
    ids=["half a surrogate pair", "number too large", "no JSON", "no text"],
)
def test_a_value_that_cannot_be_stored_writes_nothing_and_breaks_nothing(
    store: Store, columns: dict[str, object]
) -> None:
    appender = store.appender()
    with pytest.raises((ValueError, TypeError, OverflowError, Conflict)):
        appender.append([a_batch(), a_batch(**columns)], NOW_MS)
    assert store.count() == 0
    appender.append([a_batch()], NOW_MS)
    assert verify(store).ok
    appender.close()


def test_a_removed_file_is_made_anew_and_the_loss_stays_visible(store: Store, path: Path) -> None:
    appender = store.appender()
    appender.append([a_batch(), a_batch()], NOW_MS)
    for each in path.parent.glob("audit.db*"):
        each.unlink()
    appender.append([a_batch()], NOW_MS)
    appender.close()
    found = Store.open_to_read(path)
    assert found.count() == 1
    report = verify(found)
    assert not report.ok
    assert "older state" in report.problem
    found.close()


def test_a_store_removed_before_the_first_row_is_made_anew(store: Store, path: Path) -> None:
    for each in path.parent.glob("audit.db*"):
        each.unlink()
    appender = store.appender()
    appender.append([a_batch()], NOW_MS)
    appender.close()
    assert verify(store).rows == 1


@pytest.mark.parametrize(
    ("statement", "bad_seq", "problem"),
    [
        ("UPDATE chain_head SET signature='00'", 3, "head was missing or changed"),
        ("DELETE FROM chain_head", 3, "head was missing or changed"),
        ("UPDATE chain_head SET seq=1", 3, "head was missing or changed"),
        ("INSERT INTO audit_events(seq, recorded, id) VALUES(3, 1, 'planted')", 3, "does not follow"),
        ("INSERT INTO scan_results(event_seq) VALUES(3)", 3, "row 3 is missing"),
        ("INSERT INTO scan_findings(event_seq, position) VALUES(7, 0)", 7, "row 7 is missing"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_an_altered_end_does_not_stop_recording_and_is_not_covered_up(
    store: Store, tamper: Tampering, statement: str, bad_seq: int, problem: str
) -> None:
    appender = store.appender()
    appender.append([a_batch(), a_batch()], NOW_MS)
    assert tamper(statement) == 1
    for _ in range(6):
        appender.append([a_batch(findings=1)], NOW_MS)
    appender.close()
    assert store.count() >= 8
    report = verify(store)
    assert (report.ok, report.first_bad_seq) == (False, bad_seq)
    assert problem in report.problem
    assert "break" in {checkpoint.kind for checkpoint in report.checkpoints}


def test_the_end_cut_off_before_a_restart_is_not_covered_up(store: Store, tamper: Tampering) -> None:
    appender = store.appender()
    appender.append([a_batch(), a_batch(), a_batch()], NOW_MS)
    appender.close()
    tamper("DELETE FROM audit_events WHERE seq=3")
    again = store.appender()
    again.append([a_batch()], NOW_MS)
    again.close()
    report = verify(store)
    assert (report.ok, report.first_bad_seq) == (False, 3)


def test_numbers_cannot_be_used_up_by_a_planted_row(store: Store, tamper: Tampering) -> None:
    appender = store.appender()
    appender.append([a_batch()], NOW_MS)
    tamper("INSERT INTO audit_events(seq, recorded, id) VALUES(?, 1, 'planted')", 2**63 - 1)
    appender.close()
    again = store.appender()
    again.append([a_batch()], NOW_MS)
    again.close()
    assert not verify(store).ok


def test_a_key_replaced_while_nobody_ran_is_noticed(store: Store, path: Path) -> None:
    appender = store.appender()
    appender.append([a_batch()], NOW_MS)
    appender.close()
    (path.parent / "device.key").write_bytes(bytes(32))
    other = Store.open(path)
    appender = other.appender()
    appender.append([a_batch()], NOW_MS)
    appender.close()
    assert not verify(other).ok
    other.close()


def test_a_directory_without_write_permission_is_an_outage(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "audit.db")
    appender = store.appender()
    (tmp_path / "audit.db").unlink()
    (tmp_path / "audit.db").mkdir()
    with pytest.raises(StoreUnavailable):
        appender.append([a_batch()], NOW_MS)
    store.close()
