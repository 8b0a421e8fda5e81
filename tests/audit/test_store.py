from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from defenseclaw.audit.chain import verify
from defenseclaw.audit.records import Batch, ListChange, SessionState
from defenseclaw.audit.store import Store
from defenseclaw.errors import StoreUnavailable

from .support import Tampering, a_batch, a_row

Append = Callable[..., None]


# ---- opening -------------------------------------------------------------------------------------


def test_files_are_for_their_owner_only(store: Store, append: Append, path: Path) -> None:
    append(a_batch())
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert set(modes) == {"audit.db", "audit.db-wal", "audit.db-shm", "device.key"}
    assert set(modes.values()) == {0o600}


def test_the_settings_of_the_database(store: Store, append: Append, tamper: Tampering) -> None:
    append(a_batch())
    assert tamper.ask("PRAGMA journal_mode") == [("wal",)]
    indexes = tamper.ask("SELECT name FROM sqlite_master WHERE type='index' AND sql IS NOT NULL")
    assert len(indexes) <= 4


@pytest.mark.parametrize(("durability", "synchronous"), [("process", 1), ("power", 2)])
def test_durability_is_the_operators_choice(path: Path, durability: str, synchronous: int) -> None:
    store = Store.open(path, durability=durability)
    with store._database.writing() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == synchronous
    store.close()


def test_opening_again_keeps_the_rows(path: Path) -> None:
    for _ in range(2):
        store = Store.open(path)
        appender = store.appender()
        appender.append([a_batch()], 1)
        appender.close()
        store.close()
    store = Store.open(path)
    assert verify(store).rows == 2
    store.close()


def test_a_store_opens_without_alembic(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from defenseclaw.audit.store import Store\n"
        "path = Path(sys.argv[1]); Store.open(path).close(); Store.open(path).close()\n"
        "print('alembic' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["False"]


def test_a_newer_schema_is_refused_and_left_alone(store: Store, path: Path, tamper: Tampering) -> None:
    tamper("INSERT INTO schema_version VALUES(99, 'later')")
    for opening in (Store.open, Store.open_to_read):
        with pytest.raises(StoreUnavailable, match="newer version") as caught:
            opening(path)
        assert "upgrade" in caught.value.hint
    assert tamper.ask("SELECT max(version) FROM schema_version") == [(99,)]


def test_another_programs_database_is_refused(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes(name)")
    with pytest.raises(StoreUnavailable, match="not an audit store"):
        Store.open(path)


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"hello, this is certainly not a database file " * 100)
    with pytest.raises(StoreUnavailable):
        Store.open(path)
    assert path.read_bytes().startswith(b"hello")


def test_reading_makes_nothing(path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="no audit store"):
        Store.open_to_read(path)
    assert not path.parent.exists()


def test_two_processes_may_start_at_once(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from defenseclaw.audit.store import Store\n"
        "Store.open(Path(sys.argv[1]))"
    )
    started = [subprocess.Popen([sys.executable, "-c", code, path]) for _ in range(3)]
    assert [each.wait(30) for each in started] == [0, 0, 0]
    store = Store.open_to_read(path)
    assert verify(store).ok
    store.close()


def test_readers_do_not_wait_for_a_writer(store: Store, append: Append, path: Path) -> None:
    append(a_batch(severity="HIGH"))
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        reader = Store.open_to_read(path)
        assert (reader.count(), len(reader.alerts())) == (1, 1)
        assert verify(reader).ok
        reader.close()


def test_a_store_nobody_has_open_can_be_read(store: Store, append: Append, path: Path) -> None:
    append(a_batch())
    store.close()
    reader = Store.open_to_read(path)
    assert reader.count() == 1
    reader.close()


# ---- questions -----------------------------------------------------------------------------------


def test_alerts_are_severe_rows_newest_first(store: Store, append: Append) -> None:
    for severity in ("INFO", "CRITICAL", "WARN", "LOW", "ERROR", "NONE", "MEDIUM", "HIGH"):
        append(a_batch(severity=severity))
    append(a_batch(severity="HIGH", action="dismiss-alert"))
    found = store.alerts(100)
    assert [(seq, row.severity) for seq, row in found] == [
        (8, "HIGH"),
        (7, "MEDIUM"),
        (5, "ERROR"),
        (4, "LOW"),
        (2, "CRITICAL"),
    ]
    assert [seq for seq, _ in store.alerts(2)] == [8, 7]
    assert [seq for seq, _ in store.alerts(2, before=7)] == [5, 4]


def test_alerts_of_one_connector(store: Store, append: Append) -> None:
    append(a_batch(severity="HIGH", connector="codex"), a_batch(severity="HIGH", connector="cursor"))
    assert [row.connector for _, row in store.alerts(connector="codex")] == ["codex"]


def test_acknowledging_hides_alerts_and_changes_no_row(store: Store, append: Append) -> None:
    append(*(a_batch(severity=each) for each in ("HIGH", "LOW", "HIGH")))
    before = list(store.export())
    done = Batch(row=a_row(action="acknowledge-alerts", severity="INFO"))
    assert store.acknowledge(done, severities=["HIGH"]) == 2
    assert [row.severity for _, row in store.alerts()] == ["LOW"]
    assert len(store.alerts(acknowledged=True)) == 3
    assert list(store.export())[:3] == before
    assert store.last_rows(1)[0].action == "acknowledge-alerts"
    assert verify(store).ok
    assert store.acknowledge(Batch(row=a_row()), severities=["HIGH"]) == 0


def test_an_alert_list_uses_its_index(store: Store, tamper: Tampering) -> None:
    from sqlalchemy import select

    from defenseclaw.audit import readers, tables

    seq = tables.audit_events.c.seq
    condition = readers.alert_condition(connector="x", severities=["HIGH"], acknowledged=False)
    statement = select(seq).where(condition).order_by(seq.desc())
    with store._database.readers.connect() as connection:
        text = str(statement.compile(connection, compile_kwargs={"literal_binds": True}))
        plan = str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}").fetchall())
    assert "audit_events_alerts" in plan
    assert "TEMP B-TREE" not in plan


def test_an_evaluation_is_found_by_id_or_its_beginning(store: Store, append: Append) -> None:
    wanted = a_batch(findings=2, evaluation_id="0f6e1a2b-0000")
    append(a_batch(evaluation_id=""), wanted, a_batch(evaluation_id="0f6e9999-0000"))
    for key in ("0f6e1a2b-0000", "0f6e1"):
        found = store.evaluation(key)
        assert found == (wanted.row, wanted.scan)
    newest = store.evaluation("0f6e")
    assert newest is not None
    assert newest[0].evaluation_id == "0f6e9999-0000"
    assert newest[1] is None


@pytest.mark.parametrize("key", ["", "nope", "%", "_", "0f6e1a2b-0000-longer", "\U0010ffff", "'--"])
def test_no_evaluation_is_found_by_anything_else(store: Store, append: Append, key: str) -> None:
    append(a_batch(evaluation_id="0f6e1a2b-0000"), a_batch(evaluation_id=""))
    assert store.evaluation(key) is None


def test_lists_hold_the_latest_change_of_an_entry(store: Store, append: Append) -> None:
    def change(name: str, install: str, connector: str = "") -> Batch:
        entry = ListChange(
            target_type="tool", target_name=name, install=install, reason="because", connector=connector
        )
        return Batch(row=a_row(), lists=(entry,))

    append(change("a", "block"), change("b", "allow"), change("a", "allow"), change("c", "block"))
    append(change("c", ""), change("c", "block", "codex"), change("missing", ""))
    assert [(entry.target_name, entry.connector) for entry in store.entries("block")] == [("c", "codex")]
    assert sorted(entry.target_name for entry in store.entries("allow")) == ["a", "b"]
    assert len(store.entries()) == 3
    assert store.entries("block")[0].reason == "because"


def test_session_state_is_replaced_with_its_row(store: Store, append: Append) -> None:
    def batch(step: int) -> Batch:
        state = SessionState(connector="codex", session_id="s", step_idx=step, data={"asked": "x"})
        return Batch(row=a_row(), state=state)

    append(batch(1), batch(2))
    append(batch(3))
    found = store.session("codex", "s")
    assert found == SessionState(connector="codex", session_id="s", step_idx=3, data={"asked": "x"})
    assert store.session("codex", "other") is None
    assert store.session("cursor", "s") is None


def test_rows_come_back_as_they_went_in(store: Store, append: Append) -> None:
    batches = [a_batch(step_idx=None, structured=None), a_batch(enforced=True, generation=4)]
    append(*batches)
    assert list(store.export()) == [batch.row for batch in batches]
    assert store.last_rows(1) == [batches[1].row]


def test_export_pages_through_more_than_one_page(store: Store, append: Append) -> None:
    append(*(a_batch(connector="a" if number % 2 else "b") for number in range(1203)))
    assert sum(1 for _ in store.export()) == store.count() == 1203
    assert [row.target for row in store.export(limit=700)] == [row.target for row in store.export()][:700]
    assert {row.connector for row in store.export(connector="a")} == {"a"}
    assert sum(1 for _ in store.export(connector="a")) == 601


def test_export_holds_no_transaction_open(store: Store, append: Append, path: Path) -> None:
    """A reader that stays at an old state would keep the log from ever being emptied."""
    append(*(a_batch() for _ in range(600)))
    rows = store.export()
    next(rows)
    with closing(sqlite3.connect(path)) as connection:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert busy == 0
    rows.close()


def test_damaged_json_in_a_row_does_not_stop_a_reader(
    store: Store, append: Append, tamper: Tampering
) -> None:
    append(a_batch(evaluation_id="abc", findings=1))
    tamper("UPDATE audit_events SET structured_json='{\"a\":'")
    tamper("UPDATE scan_findings SET tags='nonsense'")
    found = store.evaluation("abc")
    assert found is not None
    assert found[0].structured is None
    assert found[1] is not None
    assert found[1].findings[0].tags == ()
