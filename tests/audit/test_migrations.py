"""A store made by an older version becomes the same as a new one, and keeps its chain."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from defenseclaw.audit import migrations, tables
from defenseclaw.audit.chain import verify
from defenseclaw.audit.store import Store

from .support import NOW_MS, Tampering, a_batch


def _schema(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {name: "".join(sql.split()) for name, sql in rows}


@pytest.fixture
def older(path: Path) -> Path:
    """A store of schema 1 with three rows, as its gateway left it."""
    store = Store.open(path)
    appender = store.appender()
    appender.append([a_batch(severity="HIGH"), a_batch(findings=1), a_batch()], NOW_MS)
    appender.close()
    store.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE acknowledgements")
        connection.execute("DROP INDEX audit_events_alerts")
        connection.execute("UPDATE schema_version SET version = 1")
    return path


def test_an_older_store_is_brought_up_to_date(older: Path, tamper: Tampering) -> None:
    store = Store.open(older)
    assert len(store.alerts()) == 1
    assert verify(store).rows == 3
    appender = store.appender()
    appender.append([a_batch()], NOW_MS)
    appender.close()
    assert verify(store).ok
    store.close()
    assert tamper.ask("SELECT version FROM schema_version ORDER BY version") == [(1,), (2,)]


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
    older: Path, monkeypatch: pytest.MonkeyPatch, tamper: Tampering
) -> None:
    before = _schema(older)
    original = migrations.upgrade

    def interrupted(connection: object, version: int) -> None:
        original(connection, version)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(migrations, "upgrade", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Store.open(older)
    assert _schema(older) == before
    assert tamper.ask("SELECT version FROM schema_version") == [(1,)]
    monkeypatch.undo()
    Store.open(older).close()


def test_reading_an_older_store_brings_it_up_to_date_as_well(older: Path) -> None:
    store = Store.open_to_read(older)
    assert verify(store).ok
    assert len(store.alerts()) == 1
    store.close()
