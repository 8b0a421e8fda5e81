"""A store made by an older version becomes the same as a new one, and keeps its chain."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from defenseclaw.audit import migrations, tables
from defenseclaw.audit.chain import verify
from defenseclaw.audit.store import Store
from defenseclaw.errors import Conflict

from .support import NOW_MS, Tampering, a_batch


def _schema(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {name: "".join(sql.split()) for name, sql in rows}


_TAKEN_BACK = {
    2: ("DROP INDEX audit_events_id", "CREATE UNIQUE INDEX audit_events_id ON audit_events (id)"),
    1: ("DROP TABLE acknowledgements", "DROP INDEX audit_events_alerts"),
}
"""What makes a store of the schema after it one of this schema."""


@pytest.fixture(params=_TAKEN_BACK, ids="schema {}".format)
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def older(path: Path, version: int) -> Path:
    """A store of an older schema with three rows, the last a caller's, as its gateway left it."""
    store = Store.open(path)
    appender = store.appender()
    theirs = a_batch(id="theirs", evaluation_id="")
    appender.append([a_batch(severity="HIGH"), a_batch(findings=1), theirs], NOW_MS)
    appender.close()
    store.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        for schema, statements in _TAKEN_BACK.items():
            for statement in statements if schema >= version else ():
                connection.execute(statement)
        connection.execute("UPDATE schema_version SET version = ?", (version,))
    return path


def test_an_older_store_is_brought_up_to_date(older: Path, version: int, tamper: Tampering) -> None:
    store = Store.open(older)
    assert len(store.alerts()) == 1
    assert verify(store).rows == 3
    appender = store.appender()
    appender.append([a_batch()], NOW_MS)
    appender.close()
    assert verify(store).ok
    store.close()
    versions = [(version,), (tables.SCHEMA_VERSION,)]
    assert tamper.ask("SELECT version FROM schema_version ORDER BY version") == versions


def test_an_id_that_a_caller_used_stays_taken(older: Path, tamper: Tampering) -> None:
    store = Store.open(older)
    appender = store.appender()
    with pytest.raises(Conflict):
        appender.append([a_batch(id="theirs", evaluation_id="")], NOW_MS)
    ((of_an_evaluation,),) = tamper.ask("SELECT id FROM audit_events WHERE seq = 1")
    appender.append([a_batch(id=of_an_evaluation)], NOW_MS)
    appender.close()
    assert verify(store).rows == 4
    store.close()


def test_a_migrated_store_looks_like_a_new_one(older: Path, tmp_path: Path) -> None:
    Store.open(older).close()
    Store.open(tmp_path / "new" / "audit.db").close()
    assert _schema(older) == _schema(tmp_path / "new" / "audit.db")


def test_every_table_comes_out_of_the_migrations_as_it_is_defined(tmp_path: Path) -> None:
    from sqlalchemy import create_engine

    engine = create_engine(f"sqlite:///{tmp_path / 'migrated.db'}")
    with engine.begin() as connection:
        migrations.upgrade(connection, 0)
    engine.dispose()
    Store.open(tmp_path / "new" / "audit.db").close()
    assert _schema(tmp_path / "migrated.db") == _schema(tmp_path / "new" / "audit.db")


def test_the_newest_revision_is_the_schema_version() -> None:
    versions = sorted((Path(migrations.__file__).parent / "versions").glob("[0-9]*.py"))
    assert int(versions[-1].name[:4]) == tables.SCHEMA_VERSION == len(versions)


def test_a_migration_that_fails_changes_nothing(
    older: Path, version: int, monkeypatch: pytest.MonkeyPatch, tamper: Tampering
) -> None:
    before = _schema(older)
    original = migrations.upgrade

    def interrupted(connection: object, stored: int) -> None:
        original(connection, stored)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(migrations, "upgrade", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Store.open(older)
    assert _schema(older) == before
    assert tamper.ask("SELECT version FROM schema_version") == [(version,)]
    monkeypatch.undo()
    Store.open(older).close()


def test_reading_an_older_store_brings_it_up_to_date_as_well(older: Path) -> None:
    store = Store.open_to_read(older)
    assert verify(store).ok
    assert len(store.alerts()) == 1
    store.close()
