from __future__ import annotations

from collections.abc import Iterator

import pytest

from defenseclaw.audit.chain import verify
from defenseclaw.audit.records import Batch, ListChange, SessionState
from defenseclaw.audit.retention import enforce
from defenseclaw.audit.store import Store
from defenseclaw.audit.writer import Writer

from .support import DAY_MS, NOW_MS, Tampering, a_batch, a_row


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now_ms = NOW_MS

    def __call__(self) -> float:
        return self.now_ms / 1000


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def writer(store: Store, clock: Clock) -> Iterator[Writer]:
    running = Writer(store, clock=clock)
    running.start()
    yield running
    assert running.stop()


def _fill(writer: Writer, clock: Clock, *ages: int) -> None:
    for age in ages:
        clock.now_ms = NOW_MS - age * DAY_MS
        writer.commit_sync(a_batch(findings=age % 2))
    clock.now_ms = NOW_MS


def test_rows_older_than_the_limit_go_and_the_chain_goes_on(
    store: Store, writer: Writer, clock: Clock, tamper: Tampering
) -> None:
    _fill(writer, clock, 200, 101, 91, 89, 1)
    assert enforce(writer, retention_days=90, now_ms=NOW_MS) == 3
    assert store.count() == 2
    writer.commit_sync(a_batch())
    report = verify(store)
    assert (report.ok, report.rows, report.head_seq) == (True, 3, 6)
    assert [(each.kind, each.seq, each.rows) for each in report.checkpoints] == [("prune", 3, 3)]
    assert tamper.ask("SELECT min(event_seq) FROM scan_findings") == [(4,)]
    assert enforce(writer, retention_days=90, now_ms=NOW_MS) == 0


def test_checkpoints_add_up(store: Store, writer: Writer, clock: Clock) -> None:
    _fill(writer, clock, 10, 9, 8, 7)
    assert enforce(writer, retention_days=9, now_ms=NOW_MS + 1) == 2
    assert enforce(writer, retention_days=7, now_ms=NOW_MS + 1) == 2
    report = verify(store)
    assert report.ok
    assert [(each.seq, each.rows) for each in report.checkpoints] == [(4, 4)]
    assert report.head_seq == 4


def test_zero_days_keep_everything(store: Store, writer: Writer, clock: Clock) -> None:
    _fill(writer, clock, 5000)
    assert enforce(writer, retention_days=0, now_ms=NOW_MS) == 0
    assert store.count() == 1


def test_many_rows_go_in_steps(store: Store, writer: Writer, clock: Clock) -> None:
    appender = store.appender()
    appender.append([a_batch() for _ in range(2100)], NOW_MS - 100 * DAY_MS)
    appender.close()
    assert enforce(writer, retention_days=90, now_ms=NOW_MS) == 2100
    assert verify(store).ok


def test_a_claimed_timestamp_neither_keeps_nor_removes_a_row(
    store: Store, writer: Writer, clock: Clock
) -> None:
    """What counts is when we wrote it: the timestamp of a posted row is the client's word."""
    clock.now_ms = NOW_MS - 100 * DAY_MS
    writer.commit_sync(a_batch(timestamp="2999-01-01T00:00:00Z"))
    clock.now_ms = NOW_MS
    writer.commit_sync(a_batch(timestamp="1970-01-01T00:00:00Z"))
    assert enforce(writer, retention_days=90, now_ms=NOW_MS) == 1
    assert [row.timestamp for row in store.export()] == ["1970-01-01T00:00:00Z"]


def test_lists_stay_and_idle_sessions_go(store: Store, writer: Writer, clock: Clock) -> None:
    clock.now_ms = NOW_MS - 100 * DAY_MS
    entry = ListChange(target_type="tool", target_name="shell", install="block")
    state = SessionState(connector="codex", session_id="old")
    writer.commit_sync(Batch(row=a_row(), lists=(entry,), state=state))
    clock.now_ms = NOW_MS
    writer.commit_sync(Batch(row=a_row(), state=SessionState(connector="codex", session_id="new")))
    enforce(writer, retention_days=90, now_ms=NOW_MS)
    assert [each.target_name for each in store.entries("block")] == ["shell"]
    assert store.session("codex", "old") is None
    assert store.session("codex", "new") is not None


def test_retention_does_not_wash_an_altered_row_away(
    store: Store, writer: Writer, clock: Clock, tamper: Tampering
) -> None:
    _fill(writer, clock, 100, 99, 1)
    tamper("UPDATE audit_events SET details='harmless' WHERE seq=2")
    enforce(writer, retention_days=90, now_ms=NOW_MS)
    enforce(writer, retention_days=90, now_ms=NOW_MS + 1)
    report = verify(store)
    assert not report.ok
    assert "row 2 was changed" in report.problem


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM checkpoints",
        "UPDATE checkpoints SET rows=1",
        "UPDATE checkpoints SET seq=1",
        "DELETE FROM audit_events WHERE seq=3",
    ],
)
def test_removing_more_than_retention_did_is_noticed(
    store: Store, writer: Writer, clock: Clock, tamper: Tampering, statement: str
) -> None:
    _fill(writer, clock, 100, 99, 1, 0)
    enforce(writer, retention_days=90, now_ms=NOW_MS)
    assert verify(store).ok
    assert tamper(statement) == 1
    assert not verify(store).ok
