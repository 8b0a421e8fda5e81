"""Appending to the store: batches become linked rows in one transaction.

The hot path of every verdict, so it works on the driver connection with statements that SQLAlchemy
compiled once, inserts many rows per statement (each statement gives up and regains the interpreter lock),
and reads nothing: the head it remembers is checked by the same UPDATE that moves it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain as flatten
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, func, insert, literal_column, select, update
from sqlalchemy.exc import DBAPIError

from defenseclaw.audit import canonical, tables
from defenseclaw.audit.canonical import encode
from defenseclaw.audit.chain import Chain, Checkpoint, Head, Walk, link, start_of
from defenseclaw.audit.database import BUSY_MS, Database, translated, upsert, write_head
from defenseclaw.audit.identity import time_ordered_id
from defenseclaw.audit.readers import checkpoints_of, head_of, page_of
from defenseclaw.audit.records import AuditRow, Batch, ListChange, ScanRow, SessionState
from defenseclaw.errors import Conflict, StoreUnavailable

PROBE_BUSY_MS = 100
"""How long a store that was unavailable a moment ago is waited for."""
_ROWS_PER_STATEMENT = 32
_LAST_COUNT = 2**31
"""Where the counter of a probe begins again: SQLite keeps it in 31 bits."""
_LAST_SEQ = 2**53
"""No honest store gets here; a row above it was planted to make numbers run out."""

_COLUMNS = canonical.EVENT_COLUMNS
_JSON_AT, _FLAG_AT = _COLUMNS.index("structured_json"), _COLUMNS.index("enforced")
_before_json = attrgetter(*_COLUMNS[2:_JSON_AT])
_before_flag = attrgetter(*_COLUMNS[_JSON_AT + 1 : _FLAG_AT])
_after_flag = attrgetter(*_COLUMNS[_FLAG_AT + 1 : -1])

_SEQ_KEYS: tuple[Any, ...] = (
    tables.audit_events.c.seq,
    tables.scan_results.c.event_seq,
    tables.scan_findings.c.event_seq,
)

Values = tuple[Any, ...]


class _Plan:
    """The rows of a group of batches, linked, as parameters."""

    __slots__ = ("chosen", "events", "findings", "head", "lists", "scans", "states")

    def __init__(self, head: Head) -> None:
        self.head = head
        self.events: list[Values] = []
        self.chosen: list[str] = []
        """Ids of the rows of no evaluation: a caller may have chosen them."""
        self.scans: list[Values] = []
        self.findings: list[Values] = []
        self.states: dict[tuple[str, str], Values] = {}
        self.lists: list[tuple[ListChange, str]] = []


class Appender:
    """The writing side of one process. Not thread-safe: one thread owns it.

    Other processes may append to the same store; their rows and ours form one chain.
    """

    def __init__(self, database: Database, chain: Chain) -> None:
        self._database = database
        self._chain = chain
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._head: Head | None = None
        self._signature = ""
        self._highest_seen = 0
        self._ailing = False
        self._sql = _Statements(database)

    def append(self, batches: Sequence[Batch], now_ms: int) -> None:
        """Write all batches in one transaction; on return they are committed.

        Args:
            batches: at least one, in the order of the chain.
            now_ms: Unix ms, stored as the time of recording.

        Raises:
            StoreUnavailable: nothing was written: locked, full, damaged, gone.
            Conflict: nothing was written: the id of a row of no evaluation is on record already.
            ValueError, TypeError, OverflowError: nothing was written: a value cannot be stored.
        """
        try:
            for _ in range(3):
                connection = self._open()
                plan = self._plan(self._head or self._read_head(now_ms), batches, now_ms)
                if self._write(connection, plan):
                    return
                self._head = None
        except (StoreUnavailable, sqlite3.Error, DBAPIError, OSError) as error:
            self._abandon()
            raise _as_unavailable(error) from error
        raise StoreUnavailable("audit store unavailable: other processes append without a pause")

    def probe(self, now_ms: int) -> None:
        """Write a counter: shows that a row could be written now, and that the head is still ours.

        Raises:
            StoreUnavailable: it could not.
        """
        try:
            connection = self._open()
            head = self._head or self._read_head(now_ms)
            same = (*head, self._signature)
            if not connection.execute(self._sql.move_head, same + same).rowcount:
                self._head = None  # another process appended; looked at again with the next batch
            # SQLite writes no page whose content stays as it is: only a change shows that the disk takes one.
            counted = connection.execute("PRAGMA user_version").fetchone()[0]
            connection.execute(f"PRAGMA user_version={(counted + 1) % _LAST_COUNT}")
            self._recovered(connection)
        except (StoreUnavailable, sqlite3.Error, DBAPIError, OSError) as error:
            self._abandon()
            raise _as_unavailable(error) from error

    def prune(self, before_ms: int, now_ms: int, limit: int = 1000) -> int:
        """Remove up to ``limit`` oldest rows recorded before ``before_ms``; return how many.

        What is removed is checked first, and a signed checkpoint takes its place in the chain.

        Raises:
            StoreUnavailable: nothing was removed.
        """
        try:
            with translated(), self._database.writing(busy_ms=self._patience_ms) as connection:
                return _prune(connection, self._chain, before_ms, now_ms, limit)
        except StoreUnavailable:
            self._abandon()
            raise

    def forget_sessions(self, before_ms: int) -> int:
        """Remove the state of sessions without an event since ``before_ms``; return how many.

        Raises:
            StoreUnavailable: nothing was removed.
        """
        table = tables.session_state
        with translated(), self._database.writing() as connection:
            return connection.execute(delete(table).where(table.c.updated < before_ms)).rowcount

    def close(self) -> None:
        """Give the connection back; the next append opens another."""
        connection, self._connection = self._connection, None
        self._head = None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    # ---- connection -----------------------------------------------------------------------------

    def _open(self) -> sqlite3.Connection:
        present = self._database.identity()
        if self._connection is not None and present == self._file:
            return self._connection
        if present is None or (self._file is not None and present != self._file):
            # Rows written to a deleted file would be lost without a sound.
            self.close()
            self._database.close()  # the readers look into the old file as well
            self._database.prepare(self._chain)
        self._connection = self._database.appending(busy_ms=self._patience_ms)
        self._file = self._database.identity()
        self._head = None
        return self._connection

    @property
    def _patience_ms(self) -> int:
        return PROBE_BUSY_MS if self._ailing else BUSY_MS

    def _abandon(self) -> None:
        self._ailing = True
        self.close()

    # ---- head -----------------------------------------------------------------------------------

    def _read_head(self, now_ms: int) -> Head:
        """Take the stored head as ours, once it is shown to be the true end of the chain."""
        with self._database.writing(busy_ms=self._patience_ms) as connection:
            head, signature = head_of(connection) or (Head(0, ""), "")
            problem = self._problem_of(connection, head, signature)
            if problem:
                head = self._restart(connection, problem, now_ms)
        self._head, self._signature = head, self._chain.sign_head(head)
        return head

    def _problem_of(self, connection: Connection, head: Head, signature: str) -> str:
        if not self._chain.holds(signature, self._chain.sign_head(head)):
            return "the signed head was missing or changed"
        if head.seq < self._highest_seen:
            return "the store was put back to an older state while the gateway ran"
        if _highest_seq(connection) > head.seq:
            return "rows stood behind the signed head"
        return ""

    def _restart(self, connection: Connection, problem: str, now_ms: int) -> Head:
        """Leave signed evidence of an altered chain and begin again behind it."""
        seq = max(_highest_seq(connection), self._highest_seen)
        head = self._chain.restart(seq)
        checkpoint = Checkpoint(seq, "break", head.row_hash, now_ms, 0, problem)
        _write_checkpoint(connection, self._chain, checkpoint)
        write_head(connection, self._chain, head)
        return head

    # ---- rows -----------------------------------------------------------------------------------

    def _plan(self, head: Head, batches: Sequence[Batch], now_ms: int) -> _Plan:
        plan = _Plan(head)
        for batch in batches:
            seq = plan.head.seq + 1
            children = _add_children(plan, seq, batch.row, batch.scan) if batch.scan else ""
            values = _event_values(batch.row, seq, now_ms, children)
            row_hash = link(plan.head.row_hash, canonical.event_bytes(values))
            plan.events.append((*values, plan.head.row_hash, row_hash))
            if not batch.row.evaluation_id:
                plan.chosen.append(batch.row.id)
            plan.head = Head(seq, row_hash)
            if batch.state is not None:
                state = batch.state
                plan.states[state.connector, state.session_id] = _state_values(state, now_ms)
            plan.lists.extend((change, batch.row.timestamp) for change in batch.lists)
        return plan

    def _write(self, connection: sqlite3.Connection, plan: _Plan) -> bool:
        """Write the plan; return False when the head had moved, with nothing written."""
        signature = self._chain.sign_head(plan.head)
        assert self._head is not None  # noqa: S101  narrows the type; the plan was made from it
        connection.execute("BEGIN")
        try:
            moved = connection.execute(
                self._sql.move_head, (*plan.head, signature, *self._head, self._signature)
            ).rowcount
            if not moved:
                connection.execute("ROLLBACK")
                return False
            if any(connection.execute(self._sql.evaluation, (each,)).fetchone() for each in plan.chosen):
                raise sqlite3.IntegrityError("an evaluation has this id")
            self._sql.events.run(connection, plan.events)
            self._sql.scans.run(connection, plan.scans)
            self._sql.findings.run(connection, plan.findings)
            if plan.states:
                connection.executemany(self._sql.put_state, plan.states.values())
            for change, timestamp in plan.lists:
                self._change_list(connection, change, timestamp)
            connection.execute("COMMIT")
        except sqlite3.IntegrityError as error:
            connection.execute("ROLLBACK")
            if self._planted(connection):
                return False
            raise Conflict("a row with this id is on record already") from error
        except (sqlite3.InterfaceError, sqlite3.ProgrammingError) as error:
            connection.execute("ROLLBACK")
            raise ValueError("a value of a type that cannot be stored") from error
        except (ValueError, TypeError, OverflowError):
            connection.execute("ROLLBACK")
            raise
        self._recovered(connection)
        self._head, self._signature = plan.head, signature
        self._highest_seen = plan.head.seq
        return True

    def _planted(self, connection: sqlite3.Connection) -> bool:
        """Return whether something stands where our next rows belong."""
        assert self._head is not None  # noqa: S101  as above
        after = (self._head.seq,)
        return any(connection.execute(query, after).fetchone() for query in self._sql.beyond)

    def _change_list(self, connection: sqlite3.Connection, change: ListChange, timestamp: str) -> None:
        key = (change.target_type, change.target_name, change.connector)
        if not change.install:
            connection.execute(self._sql.clear_entry, key)
            return
        verdict = encode({"install": change.install}).decode()
        connection.execute(
            self._sql.put_entry, (*key, time_ordered_id(), "", verdict, change.reason, timestamp)
        )

    def _recovered(self, connection: sqlite3.Connection) -> None:
        if self._ailing:
            self._database.set_patience(connection, BUSY_MS)
            self._ailing = False


class _Statements:
    """What the hot path runs, compiled once."""

    def __init__(self, database: Database) -> None:
        head, entry = tables.chain_head.c, tables.actions.c
        self.move_head = database.sql_of(
            update(tables.chain_head)
            .values({name: bindparam(f"new_{name}") for name in ("seq", "row_hash", "signature")})
            .where(head.one == literal_column("1"))
            .where(head.seq == bindparam("seq_was"), head.row_hash == bindparam("hash_was"))
            .where(head.signature == bindparam("signature_was"))
        )
        self.events = _Inserts(database, tables.audit_events)
        self.scans = _Inserts(database, tables.scan_results)
        self.findings = _Inserts(database, tables.scan_findings)
        event = tables.audit_events.c
        self.evaluation = database.sql_of(
            select(event.seq).where(
                event.evaluation_id != literal_column("''"), event.evaluation_id == bindparam("id")
            )
        )
        self.put_state = database.sql_of(upsert(tables.session_state))
        self.put_entry = database.sql_of(upsert(tables.actions))
        self.clear_entry = database.sql_of(
            delete(tables.actions).where(
                entry.target_type == bindparam("type"),
                entry.target_name == bindparam("name"),
                entry.connector == bindparam("connector_is"),
            )
        )
        self.beyond = [database.sql_of(select(key).where(key > bindparam("after"))) for key in _SEQ_KEYS]


class _Inserts:
    """INSERT statements of one table for any number of rows."""

    def __init__(self, database: Database, table: Table) -> None:
        text = database.sql_of(insert(table))
        self._intro, self._one = text.split(" VALUES ")
        self._many: dict[int, str] = {}

    def run(self, connection: sqlite3.Connection, rows: Sequence[Values]) -> None:
        for start in range(0, len(rows), _ROWS_PER_STATEMENT):
            some = rows[start : start + _ROWS_PER_STATEMENT]
            values = some[0] if len(some) == 1 else tuple(flatten.from_iterable(some))
            connection.execute(self._sql(len(some)), values)

    def _sql(self, count: int) -> str:
        if count not in self._many:
            self._many[count] = f"{self._intro} VALUES {', '.join([self._one] * count)}"
        return self._many[count]


def _event_values(row: AuditRow, seq: int, now_ms: int, children: str) -> Values:
    structured = encode(row.structured).decode() if row.structured is not None else ""
    return (
        seq,
        now_ms,
        *_before_json(row),
        structured,
        *_before_flag(row),
        int(row.enforced),
        *_after_flag(row),
        children,
    )


def _add_children(plan: _Plan, seq: int, row: AuditRow, scan: ScanRow) -> str:
    """Add the scan and its findings to the plan and return their digest."""
    scan_values = (
        seq,
        scan.id,
        scan.scanner,
        scan.target,
        scan.target_type,
        row.timestamp,
        scan.duration_ms,
        len(scan.findings),
        scan.max_severity,
        scan.verdict,
        row.run_id,
        row.evaluation_id,
    )
    findings = [
        (
            seq,
            position,
            finding.id,
            scan.id,
            finding.rule_id,
            finding.category,
            finding.severity,
            finding.title,
            finding.description,
            finding.location,
            finding.remediation,
            encode(finding.tags).decode(),
            float(finding.confidence),
        )
        for position, finding in enumerate(scan.findings)
    ]
    plan.scans.append(scan_values)
    plan.findings.extend(findings)
    return canonical.children_hash(scan_values, findings)


def _state_values(state: SessionState, now_ms: int) -> Values:
    return (
        state.connector,
        state.session_id,
        state.step_idx,
        state.last_turn,
        state.events,
        encode(state.data).decode(),
        now_ms,
    )


def _prune(connection: Connection, chain: Chain, before_ms: int, now_ms: int, limit: int) -> int:
    earlier = [checkpoint for checkpoint, _ in checkpoints_of(connection)]
    page = page_of(connection, after=-1, limit=limit)
    expired: list[Any] = []
    for row in page.events:
        if row["recorded"] >= before_ms:
            break
        expired.append(row)
    if not expired:
        return 0
    walk = Walk(start_of(chain, earlier))
    walk.feed(page._replace(events=expired))
    last = expired[-1]
    for table, key in (
        (tables.scan_findings, "event_seq"),
        (tables.scan_results, "event_seq"),
        (tables.acknowledgements, "event_seq"),
        (tables.audit_events, "seq"),
    ):
        connection.execute(delete(table).where(table.c[key] <= last["seq"]))
    pruned = [checkpoint for checkpoint in earlier if checkpoint.kind == "prune"]
    connection.execute(delete(tables.checkpoints).where(tables.checkpoints.c.kind == "prune"))
    checkpoint = Checkpoint(
        seq=last["seq"],
        kind="prune",
        row_hash=last["row_hash"],
        recorded=now_ms,
        rows=len(expired) + sum(each.rows for each in pruned),
        problem=next((each.problem for each in pruned if each.problem), "")
        or (walk.problem and f"{walk.problem} (noticed when retention removed it)"),
    )
    _write_checkpoint(connection, chain, checkpoint)
    return len(expired)


def _write_checkpoint(connection: Connection, chain: Chain, checkpoint: Checkpoint) -> None:
    connection.execute(
        upsert(tables.checkpoints).values(**checkpoint._asdict(), signature=chain.sign_checkpoint(checkpoint))
    )


def _highest_seq(connection: Connection) -> int:
    found = (connection.execute(select(func.max(key)).where(key < _LAST_SEQ)).scalar() for key in _SEQ_KEYS)
    return max((each or 0 for each in found), default=0)


def _as_unavailable(error: Exception) -> StoreUnavailable:
    if isinstance(error, StoreUnavailable):
        return error
    cause = error.orig if isinstance(error, DBAPIError) else error
    return StoreUnavailable(f"audit store unavailable: {cause}")
