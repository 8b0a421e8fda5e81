"""Opening the store's database: file, connections, schema. What only SQLite needs stands here alone.

Source of the connection settings: ``spec/observability-and-audit.md`` §3; ``synchronous`` per
``DECISIONS.md`` "Durability".
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from sqlalchemy import ClauseElement, Connection, Engine, Table, create_engine, func, inspect, select
from sqlalchemy import insert as core_insert
from sqlalchemy.dialects.sqlite import Insert
from sqlalchemy.dialects.sqlite import insert as upsert_insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool, QueuePool

from defenseclaw.audit import tables
from defenseclaw.audit.chain import Chain, Head
from defenseclaw.errors import StoreUnavailable

Durability = Literal["process", "power"]
BUSY_MS = 2000
"""How long a statement waits for another process's lock; a locked store answers within this time."""
_OPEN_ATTEMPTS = 6
_WAL_PAGES = 16_000
"""Pages (4 KiB) in the write-ahead log after which a commit itself moves them into the database. Usually
:meth:`Database.backfill` was there before, and hardly any are left to move."""


class Database:
    """One SQLite file and the ways to talk to it. Threads may share it; connections they may not."""

    def __init__(self, path: Path, *, durability: Durability = "process") -> None:
        self.path = path
        self._synchronous = "FULL" if durability == "power" else "NORMAL"
        self.readers: Engine = create_engine(
            "sqlite://",
            creator=lambda: self._connect(read_only=True),
            poolclass=QueuePool,
            pool_size=2,
            max_overflow=4,
        )
        self._writers: Engine = create_engine(
            "sqlite://", creator=lambda: self._connect(read_only=False), poolclass=NullPool
        )

    def prepare(self, chain: Chain | None) -> None:
        """Make the file and its schema, or bring an older schema up to date.

        Args:
            chain: signs the head of a new store; None refuses to make one.

        Raises:
            StoreUnavailable: not a store of ours, made by a newer version, locked, or unreadable.
        """
        with translated():
            if not self.path.exists():
                if chain is None:
                    raise StoreUnavailable(f"there is no audit store at {self.path}")
                self._create_file()
            with self.readers.connect() as connection:
                version = _stored_version(connection)
            if version != tables.SCHEMA_VERSION:
                self._bring_up(chain)

    @contextmanager
    def writing(self, *, busy_ms: int = BUSY_MS) -> Iterator[Connection]:
        """Open a connection with one write transaction; commit at the end, roll back on an error."""
        with self._writers.begin() as connection:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={int(busy_ms)}")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    def appending(self, *, busy_ms: int = BUSY_MS) -> sqlite3.Connection:
        """Return a driver connection for the appender, who frames its own transactions."""
        return self._connect(read_only=False, busy_ms=busy_ms)

    @contextmanager
    def frozen(self) -> Iterator[Connection]:
        """Open a read-only connection that sees one state of the store, damaged text included."""
        with self.readers.connect() as connection:
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)  # noqa: S101  narrows the driver's type
            driver.text_factory = _decode_whatever
            connection.exec_driver_sql("BEGIN")
            try:
                yield connection
            finally:
                connection.rollback()
                driver.text_factory = str

    def backfill(self) -> None:
        """Move pages from the write-ahead log into the database, while others go on reading and writing.

        Raises:
            StoreUnavailable: it could not be done now.
        """
        with translated(), self._writers.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")

    def identity(self) -> tuple[int, int] | None:
        """Return device and inode of the file, or None when it is gone."""
        try:
            status = os.stat(self.path)
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def close(self) -> None:
        """Close pooled connections; the next use opens new ones."""
        self.readers.dispose()
        self._writers.dispose()

    def set_patience(self, connection: sqlite3.Connection, busy_ms: int) -> None:
        """Set how long the connection waits for another process's lock."""
        connection.execute(f"PRAGMA busy_timeout={int(busy_ms)}")

    def sql_of(self, statement: ClauseElement) -> str:
        """Return the statement as text with positional parameters, in the order they are written."""
        return str(statement.compile(dialect=self._writers.dialect))

    def _create_file(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            return

    def _connect(self, *, read_only: bool, busy_ms: int = BUSY_MS) -> sqlite3.Connection:
        mode = "ro" if read_only else "rw"
        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,  # transactions are framed by hand
            timeout=busy_ms / 1000,
            check_same_thread=False,  # the pool hands a connection to one thread at a time
            cached_statements=256,
        )
        if not read_only:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"PRAGMA synchronous={self._synchronous}")
            connection.execute(f"PRAGMA wal_autocheckpoint={_WAL_PAGES}")
        for setting in ("cache_size=-20000", "temp_store=MEMORY", "mmap_size=268435456", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {setting}")
        return connection

    def _bring_up(self, chain: Chain | None) -> None:
        for attempt in range(_OPEN_ATTEMPTS):
            try:
                with self.writing() as connection:
                    _bring_up(connection, chain)
                return
            except DBAPIError as error:
                # Two first starts at once: switching to WAL does not wait for the other like other locks.
                if "locked" not in str(error.orig) or attempt == _OPEN_ATTEMPTS - 1:
                    raise
                time.sleep(0.02 * 2**attempt)


def upsert(table: Table) -> Insert:
    """Return an insert that replaces the row with the same primary key."""
    statement = upsert_insert(table)
    keys = [column.name for column in table.primary_key]
    changed = {name: statement.excluded[name] for name in table.columns.keys() if name not in keys}  # noqa: SIM118
    return statement.on_conflict_do_update(index_elements=keys, set_=changed)


@contextmanager
def translated() -> Iterator[None]:
    """Turn errors of the driver and of SQLAlchemy into :class:`StoreUnavailable`, without any values."""
    try:
        yield
    except DBAPIError as error:
        raise StoreUnavailable(f"audit store unavailable: {error.orig}") from error
    except (sqlite3.Error, OSError) as error:
        raise StoreUnavailable(f"audit store unavailable: {error}") from error


def _bring_up(connection: Connection, chain: Chain | None) -> None:
    version = _stored_version(connection)
    if version == tables.SCHEMA_VERSION:
        return
    if version > tables.SCHEMA_VERSION:
        raise StoreUnavailable(
            f"the audit store was made by a newer version (schema {version}, this one knows "
            f"{tables.SCHEMA_VERSION})",
            hint="upgrade DefenseClaw, or point it at another data directory",
        )
    if version > 0:
        from defenseclaw.audit.migrations import upgrade

        upgrade(connection, version)
    else:
        if chain is None or inspect(connection).get_table_names():
            raise StoreUnavailable("the file is not an audit store")
        tables.metadata.create_all(connection)
        write_head(connection, chain, chain.genesis)
    connection.execute(
        core_insert(tables.schema_version).values(
            version=tables.SCHEMA_VERSION, applied_at=datetime.now(UTC).isoformat()
        )
    )


def write_head(connection: Connection, chain: Chain, head: Head) -> None:
    """Store a signed head."""
    connection.execute(
        upsert(tables.chain_head).values(
            one=1, seq=head.seq, row_hash=head.row_hash, signature=chain.sign_head(head)
        )
    )


def _stored_version(connection: Connection) -> int:
    if not inspect(connection).has_table(tables.schema_version.name):
        return 0
    return connection.execute(select(func.max(tables.schema_version.c.version))).scalar() or 0


def _decode_whatever(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
