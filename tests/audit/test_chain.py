"""No change of what is stored goes unnoticed."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from defenseclaw.audit import tables
from defenseclaw.audit.chain import VerifyReport, verify
from defenseclaw.audit.store import Store
from defenseclaw.errors import StoreUnavailable

from .support import DAY_MS, NOW_MS, Tampering, a_batch

Append = Callable[..., None]

_CHAINED = ("audit_events", "scan_results", "scan_findings", "chain_head", "checkpoints")


def report_of(path: Path) -> VerifyReport:
    store = Store.open_to_read(path)
    try:
        return verify(store)
    finally:
        store.close()


@pytest.fixture
def six_rows(append: Append) -> None:
    append(*(a_batch(findings=number % 3) for number in range(6)))


def test_an_empty_store_verifies(store: Store) -> None:
    assert verify(store) == VerifyReport(ok=True, rows=0)


def test_what_was_written_verifies(store: Store, append: Append) -> None:
    append(a_batch(), a_batch(findings=2))
    append(a_batch(findings=1))
    assert verify(store) == VerifyReport(ok=True, rows=3, head_seq=3)


def test_the_first_link_is_bound_to_the_installation(tmp_path: Path) -> None:
    first, second = (Store.open(tmp_path / name / "audit.db") for name in ("a", "b"))
    assert first.chain.genesis != second.chain.genesis
    first.close()
    second.close()


@pytest.mark.parametrize(
    ("statements", "bad_seq", "problem"),
    [
        # edits
        (["UPDATE audit_events SET severity='INFO ' WHERE seq=3"], 3, "row 3 was changed"),
        (["UPDATE audit_events SET details='' WHERE seq=1"], 1, "row 1 was changed"),
        (["UPDATE audit_events SET details=CAST(details AS BLOB) WHERE seq=4"], 4, "never written"),
        (["UPDATE audit_events SET target=CAST(X'ff' AS TEXT) WHERE seq=2"], 2, "never written"),
        (["UPDATE audit_events SET step_idx='' WHERE seq=2"], 2, "never written"),
        (["UPDATE audit_events SET recorded=recorded-1 WHERE seq=6"], 6, "row 6 was changed"),
        # findings
        (["UPDATE scan_findings SET confidence=0.1 WHERE event_seq=2"], 2, "findings of row 2 were changed"),
        (["UPDATE scan_results SET verdict='clean' WHERE event_seq=3"], 3, "findings of row 3 were changed"),
        (["DELETE FROM scan_findings WHERE event_seq=3 AND position=1"], 3, "findings of row 3 were changed"),
        (["DELETE FROM scan_results WHERE event_seq=3"], 3, "never written"),
        (
            ["DELETE FROM scan_results WHERE event_seq=3", "DELETE FROM scan_findings WHERE event_seq=3"],
            3,
            "findings of row 3 were changed",
        ),
        (["UPDATE scan_results SET event_seq=1 WHERE event_seq=2"], 1, "findings of row 1 were changed"),
        (["UPDATE scan_results SET event_seq=99 WHERE event_seq=2"], 2, "never written"),
        (["INSERT INTO scan_findings(event_seq, position) VALUES(99, 0)"], 99, "stands under 99"),
        (["INSERT INTO scan_results(event_seq) VALUES(-5)"], -5, "stands under -5"),
        # deletion
        (["DELETE FROM audit_events WHERE seq=4"], 4, "row 4 is missing"),
        (["DELETE FROM audit_events WHERE seq=1"], 1, "row 1 is missing"),
        (["DELETE FROM audit_events WHERE seq>=5"], 5, "rows 5 to 6 are missing at the end"),
        (["DELETE FROM audit_events"], 1, "rows 1 to 6 are missing at the end"),
        (["DELETE FROM audit_events", "DELETE FROM chain_head"], 1, "signed head is missing"),
        # a gap closed by renumbering
        (
            [
                "DELETE FROM scan_results WHERE event_seq=3",
                "DELETE FROM scan_findings WHERE event_seq=3",
                "DELETE FROM audit_events WHERE seq=3",
                "UPDATE audit_events SET seq=seq-1 WHERE seq>3",
            ],
            3,
            "does not follow",
        ),
        # the end cut off and the head put back, its signature copied from the newer one
        (
            [
                "DELETE FROM audit_events WHERE seq=6",
                "DELETE FROM scan_results WHERE event_seq=6",
                "DELETE FROM scan_findings WHERE event_seq=6",
                "UPDATE chain_head SET seq=5, row_hash=(SELECT row_hash FROM audit_events WHERE seq=5)",
            ],
            6,
            "signature of the head",
        ),
        # insertion
        (["INSERT INTO audit_events(seq, recorded, id) VALUES(7, 1, 'new')"], 7, "does not follow"),
        (["INSERT INTO audit_events(seq, recorded, id) VALUES(-1, 1, 'new')"], -1, "does not belong"),
        (["INSERT INTO audit_events(seq, recorded, id) VALUES(900, 1, 'new')"], 7, "row 7 is missing"),
        # reorder
        (
            [
                "UPDATE audit_events SET seq=-2 WHERE seq=2",
                "UPDATE audit_events SET seq=2 WHERE seq=5",
                "UPDATE audit_events SET seq=5 WHERE seq=-2",
            ],
            2,
            "does not follow",
        ),
        # signatures
        (["UPDATE chain_head SET signature='00'"], 7, "signature of the head"),
        (["UPDATE chain_head SET one=2"], 7, "signed head is missing"),
        (["INSERT INTO checkpoints(seq, kind, recorded) VALUES(2, 'prune', 1)"], 2, "is forged"),
    ],
    ids=lambda value: value[-1][:60] if isinstance(value, list) else None,
)
def test_tampering_is_found_where_it_is(
    six_rows: None, path: Path, tamper: Tampering, statements: list[str], bad_seq: int, problem: str
) -> None:
    for statement in statements:
        assert tamper(statement) > 0
    report = report_of(path)
    assert (report.ok, report.first_bad_seq) == (False, bad_seq)
    assert problem in report.problem


def test_a_row_rewritten_with_a_fitting_hash_breaks_the_next_link(
    six_rows: None, store: Store, tamper: Tampering
) -> None:
    """An attacker who knows how rows are hashed still has to rewrite all that follows, and the head."""
    from defenseclaw.audit import canonical
    from defenseclaw.audit.chain import link
    from defenseclaw.audit.readers import page_of

    with store._database.readers.connect() as connection:
        row = dict(page_of(connection, after=3, limit=1).events[0])
    row["details"] = "harmless"
    values = {name: row[name] for name in canonical.EVENT_COLUMNS}
    forged = link(row["prev_hash"], canonical.stored_event_bytes(values))
    tamper("UPDATE audit_events SET details='harmless', row_hash=? WHERE seq=4", forged)
    report = verify(store)
    assert (report.ok, report.first_bad_seq, report.rows) == (False, 5, 4)


def test_a_key_from_elsewhere_does_not_verify(six_rows: None, path: Path) -> None:
    (path.parent / "device.key").write_bytes(bytes(32))
    report = report_of(path)
    assert not report.ok
    assert report.first_bad_seq == 1


def test_without_the_key_there_is_no_verification(six_rows: None, path: Path) -> None:
    (path.parent / "device.key").unlink()
    store = Store.open_to_read(path)
    with pytest.raises(StoreUnavailable, match="key is missing"):
        verify(store)
    store.close()


def test_damaged_pages_are_reported(store: Store, append: Append, path: Path) -> None:
    append(*(a_batch(details="x" * 3000) for _ in range(40)))
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(b"\xde\xad\xbe\xef" * 4096)
    report = report_of(path)
    assert not report.ok
    assert report.rows < 40


# ---- any single mutation -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def specimen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with rows, findings, and a prefix that retention removed."""
    path = tmp_path_factory.mktemp("specimen") / "audit.db"
    store = Store.open(path)
    appender = store.appender()
    appender.append([a_batch(findings=1), a_batch()], NOW_MS - 9 * DAY_MS)
    appender.append([a_batch(findings=number % 3, step_idx=None) for number in range(5)], NOW_MS)
    appender.prune(NOW_MS - DAY_MS, NOW_MS)
    appender.close()
    assert verify(store).ok
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


_values = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(codec="utf-8"), max_size=8),
    st.binary(max_size=8),
)


@st.composite
def _mutations(draw: st.DrawFn) -> tuple[str, Any]:
    table = tables.metadata.tables[draw(st.sampled_from(_CHAINED))]
    pick = f"rowid_of({draw(st.integers(0, 7))})"
    kind = draw(st.sampled_from(["set", "set", "set", "blob", "append", "delete"]))
    column = draw(st.sampled_from([column.name for column in table.columns]))
    value = draw(_values)
    return f"{table.name}|{kind}|{column}|{pick}", value


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutation=_mutations())
def test_any_single_mutation_is_detected(specimen: Path, tmp_path: Path, mutation: tuple[str, Any]) -> None:
    path = tmp_path / "audit.db"
    for name in ("audit.db", "device.key"):
        shutil.copy(specimen.parent / name, tmp_path / name)
    if _mutate(path, *mutation):
        assert not report_of(path).ok
    else:
        assert report_of(path).ok


def _mutate(path: Path, recipe: str, value: Any) -> bool:
    """Apply one mutation; return whether it changed anything."""
    table, kind, column, pick = recipe.split("|")
    number = int(pick[len("rowid_of(") : -1])
    keys = [key.name for key in tables.metadata.tables[table].primary_key]
    with closing(sqlite3.connect(path)) as connection:
        before = _dump(connection, table)
        if not before:
            return False
        names = [each[1] for each in connection.execute(f"PRAGMA table_info({table})")]
        row = dict(zip(names, before[number % len(before)][1], strict=True))
        where = " AND ".join(f"{key} = ?" for key in keys)
        identity = [row[key] for key in keys]
        try:
            if kind == "delete":
                connection.execute(f"DELETE FROM {table} WHERE {where}", identity)
            elif kind == "blob":
                connection.execute(
                    f"UPDATE {table} SET {column}=CAST({column} AS BLOB) WHERE {where}", identity
                )
            elif kind == "append":
                connection.execute(f"UPDATE {table} SET {column}={column}||' ' WHERE {where}", identity)
            else:
                connection.execute(f"UPDATE {table} SET {column}=? WHERE {where}", [value, *identity])
        except sqlite3.IntegrityError:
            return False
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return _dump(connection, table) != before


def _dump(connection: sqlite3.Connection, table: str) -> list[tuple[tuple[str, ...], tuple[Any, ...]]]:
    connection.text_factory = bytes
    rows = connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
    connection.text_factory = str
    decoded = [
        tuple(each.decode("utf-8", "surrogateescape") if isinstance(each, bytes) else each for each in row)
        for row in rows
    ]
    names = [each[1] for each in connection.execute(f"PRAGMA table_info({table})")]
    kinds = connection.execute(
        f"SELECT {', '.join(f'typeof({name})' for name in names)} FROM {table} ORDER BY 1, 2"
    ).fetchall()
    return list(zip(sorted(kinds), decoded, strict=True))
