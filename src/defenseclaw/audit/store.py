"""The audit store: opening it, reading it.

Readers have their own connections, so no question ever waits for the writer or makes it wait; the CLI asks
the same questions from another process. Appending is :mod:`defenseclaw.audit.appender`, owned by
:class:`defenseclaw.audit.writer.Writer`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, select
from sqlalchemy import insert as core_insert

from defenseclaw.audit import readers, tables
from defenseclaw.audit.appender import Appender
from defenseclaw.audit.chain import Chain, Checkpoint, Head, Page
from defenseclaw.audit.database import Database, Durability, translated
from defenseclaw.audit.identity import Identity, load_identity, read_identity
from defenseclaw.audit.records import AuditRow, Batch, ScanRow, SessionState
from defenseclaw.errors import StoreUnavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class ListEntry:
    """One entry of the block or allow list."""

    id: str
    target_type: str
    target_name: str
    connector: str
    install: str
    """``block`` or ``allow``."""
    reason: str
    updated_at: str


class Store:
    """One audit store. Safe to share between threads."""

    def __init__(self, database: Database, identity: Identity | None) -> None:
        self._database = database
        self._identity = identity

    @classmethod
    def open(cls, path: Path, *, durability: Durability = "process") -> Store:
        """Open the store at ``path``, making it (0600, in a 0700 directory) when it is not there.

        The installation key is ``device.key`` beside it. An older schema is brought up to date.

        Args:
            durability: ``process`` survives SIGKILL of the gateway, ``power`` also loss of power.

        Raises:
            StoreUnavailable: not a store, made by a newer version, locked, or not readable.
        """
        identity = load_identity(path.parent)
        database = Database(path, durability=durability)
        database.prepare(Chain(identity))
        return cls(database, identity)

    @classmethod
    def open_to_read(cls, path: Path) -> Store:
        """Open an existing store for questions; nothing is made, and no writer is kept waiting.

        Raises:
            StoreUnavailable: there is none, or as :meth:`open`.
        """
        database = Database(path)
        database.prepare(None)
        return cls(database, read_identity(path.parent))

    @property
    def path(self) -> Path:
        """The database file."""
        return self._database.path

    @property
    def identity(self) -> Identity:
        """The installation's identity.

        Raises:
            StoreUnavailable: the installation key is missing.
        """
        if self._identity is None:
            raise StoreUnavailable("the installation key is missing", hint="restore device.key")
        return self._identity

    @property
    def chain(self) -> Chain:
        """Links and signatures of this installation.

        Raises:
            StoreUnavailable: the installation key is missing.
        """
        return Chain(self.identity)

    def appender(self) -> Appender:
        """Return a new writing side; whoever takes it owns it in one thread."""
        return Appender(self._database, self.chain)

    def backfill(self) -> None:
        """Move the write-ahead log into the database; never raises, for it is only housekeeping."""
        with suppress(StoreUnavailable):
            self._database.backfill()

    def close(self) -> None:
        """Close the readers' connections."""
        self._database.close()

    # ---- questions ------------------------------------------------------------------------------

    def alerts(
        self,
        limit: int = 50,
        *,
        connector: str = "",
        before: int | None = None,
        acknowledged: bool = False,
        severities: Sequence[str] = readers.ALERT_SEVERITIES,
    ) -> list[tuple[int, AuditRow]]:
        """Return alerts as (number, row), newest first.

        Args:
            limit: at most this many.
            connector: only rows of this connector, when not empty.
            before: only rows with a lower number, to page on.
            acknowledged: also those an operator acknowledged.
            severities: the row severities that count.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        with self._reading() as connection:
            return readers.alerts_of(
                connection,
                limit=limit,
                connector=connector,
                before_seq=before,
                acknowledged=acknowledged,
                severities=severities,
            )

    def evaluation(self, evaluation_id: str) -> tuple[AuditRow, ScanRow | None] | None:
        """Return the row and scan of an evaluation by its id or the beginning of it (newest wins).

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        if not evaluation_id:
            return None
        with self._reading() as connection:
            return readers.evaluation_of(connection, evaluation_id)

    def entries(self, install: Literal["block", "allow"] | None = None) -> list[ListEntry]:
        """Return the block or the allow list, or both, latest change first.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        with self._reading() as connection:
            found = [
                ListEntry(
                    id=row["id"],
                    target_type=row["target_type"],
                    target_name=row["target_name"],
                    connector=row["connector"],
                    install=str((readers.decode_object(row["actions_json"]) or {}).get("install", "")),
                    reason=row["reason"],
                    updated_at=row["updated_at"],
                )
                for row in readers.list_entries_of(connection)
            ]
        return [entry for entry in found if install in (None, entry.install)]

    def session(self, connector: str, session_id: str) -> SessionState | None:
        """Return what is remembered of a session, or None.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        with self._reading() as connection:
            return readers.session_of(connection, connector, session_id)

    def export(self, *, limit: int = 0, connector: str = "") -> Iterator[AuditRow]:
        """Yield rows, oldest first, a page at a time; no transaction stays open in between.

        Args:
            limit: at most this many; 0 means all.
            connector: only rows of this connector, when not empty.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        after, left = -1, limit or None
        while left is None or left > 0:
            size = readers.PAGE_ROWS if left is None else min(left, readers.PAGE_ROWS)
            with self._reading() as connection:
                page = readers.rows_after(connection, after=after, limit=size, connector=connector)
            for seq, row in page:
                after = seq
                yield row
            if len(page) < size:
                return
            left = left - len(page) if left is not None else None

    def last_rows(self, count: int) -> list[AuditRow]:
        """Return the newest ``count`` rows, oldest of them first.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        with self._reading() as connection:
            return readers.last_rows_of(connection, count)

    def count(self) -> int:
        """Return how many rows there are.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        with self._reading() as connection:
            return readers.count_of(connection)

    def count_evaluations(self) -> int:
        """Return how many of the rows are verdicts.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        with self._reading() as connection:
            return readers.count_evaluations_of(connection)

    # ---- integrity ------------------------------------------------------------------------------

    @contextmanager
    def snapshot(self) -> Iterator[StoreSnapshot]:
        """Hold one consistent state of the store for the verifier.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        with translated(), self._database.frozen() as connection:
            yield StoreSnapshot(connection)

    # ---- the side table -------------------------------------------------------------------------

    def acknowledge(
        self, record: Batch, *, severities: Sequence[str] = readers.ALERT_SEVERITIES, connector: str = ""
    ) -> int:
        """Acknowledge all matching alerts and record who did so; return how many there were.

        History is not rewritten: the rows stay as they are. For the CLI; it waits for the writer's lock.

        Args:
            record: the row that says what the operator did.
            severities: the row severities to acknowledge.
            connector: only alerts of this connector, when not empty.

        Raises:
            StoreUnavailable: nothing was acknowledged.
        """
        now_ms = time.time_ns() // 1_000_000
        appender = self.appender()
        try:
            appender.append([record], now_ms)
        finally:
            appender.close()
        events, side = tables.audit_events, tables.acknowledgements
        condition = readers.alert_condition(connector=connector, severities=severities, acknowledged=False)
        with translated(), self._database.writing() as connection:
            seqs = connection.execute(select(events.c.seq).where(condition)).scalars().all()
            if seqs:
                connection.execute(
                    core_insert(side),
                    [
                        {"event_seq": seq, "acknowledged": now_ms, "by_event_id": record.row.id}
                        for seq in seqs
                    ],
                )
        return len(seqs)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with translated(), self._database.readers.connect() as connection:
            yield connection


class StoreSnapshot:
    """One consistent state of the store, as the verifier reads it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def pages(self) -> Iterator[Page]:
        """Yield all rows, lowest number first.

        Raises:
            StoreUnavailable: a page of the file is damaged.
        """
        after = -(2**63)
        while True:
            with translated():
                page = readers.page_of(self._connection, after=after)
            if not page.events:
                return
            yield page
            after = page.events[-1]["seq"]

    def head(self) -> tuple[Head, str] | None:
        """Return the stored head and its signature."""
        return readers.head_of(self._connection)

    def checkpoints(self) -> list[tuple[Checkpoint, str]]:
        """Return the stored checkpoints and their signatures, oldest first."""
        return readers.checkpoints_of(self._connection)

    def stray_child(self) -> int | None:
        """Return the number under which a scan or finding stands without a row, if there is one."""
        return readers.stray_child_of(self._connection)
