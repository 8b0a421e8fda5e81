from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from defenseclaw.audit.appender import Appender
from defenseclaw.audit.chain import verify
from defenseclaw.audit.records import Batch
from defenseclaw.audit.store import Store
from defenseclaw.audit.writer import Writer
from defenseclaw.errors import Conflict, StoreUnavailable

from .support import a_batch


class Shelf:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.closed = False

    def write(self, batches: Sequence[Batch]) -> None:
        self.batches.extend(batches)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def writer(store: Store) -> Iterator[Writer]:
    running = Writer(store)
    running.start()
    yield running
    running.stop()


async def outcomes(writer: Writer, *batches: Batch) -> list[Any]:
    return await asyncio.gather(*(writer.commit(each) for each in batches), return_exceptions=True)


# ---- committing ----------------------------------------------------------------------------------


async def test_what_arrives_together_is_committed_together(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    append = Appender.append

    def counting(self: Appender, batches: Sequence[Batch], now_ms: int) -> None:
        sizes.append(len(batches))
        append(self, batches, now_ms)

    monkeypatch.setattr(Appender, "append", counting)
    assert await outcomes(writer, *(a_batch() for _ in range(32))) == [None] * 32
    assert sizes == [32]


async def test_a_thread_does_not_wait_for_a_busy_loop(writer: Writer) -> None:
    waiting = asyncio.ensure_future(writer.commit(a_batch()))
    await asyncio.sleep(0)  # its batch is in the queue, and the loop is busy from here on
    thread = threading.Thread(target=writer.commit_sync, args=(a_batch(),))
    thread.start()
    thread.join(5)
    assert not thread.is_alive()
    await waiting


async def test_a_committed_batch_is_there_for_everybody(writer: Writer, path: Path) -> None:
    batch = a_batch(findings=2)
    await writer.commit(batch)
    other = Store.open_to_read(path)
    assert other.evaluation(batch.row.evaluation_id) == (batch.row, batch.scan)
    other.close()


async def test_concurrent_commits_share_transactions(store: Store, writer: Writer) -> None:
    gate = threading.Event()
    held = asyncio.get_running_loop().run_in_executor(None, writer.call_sync, lambda _: gate.wait(5))
    await asyncio.sleep(0.05)
    waiting = asyncio.gather(*(writer.commit(a_batch()) for _ in range(300)))
    await asyncio.sleep(0.05)
    assert writer.pending == 300
    gate.set()
    await asyncio.gather(held, waiting)
    assert verify(store).rows == 300


async def test_threads_and_loops_commit_side_by_side(store: Store, writer: Writer) -> None:
    threads = [threading.Thread(target=lambda: writer.commit_sync(a_batch())) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert await outcomes(writer, *(a_batch() for _ in range(8))) == [None] * 8
    for thread in threads:
        thread.join()
    assert verify(store).rows == 16
    assert writer.committed == 16


async def test_one_bad_batch_does_not_take_others_with_it(store: Store, writer: Writer) -> None:
    taken = a_batch(evaluation_id="")
    await writer.commit(taken)
    results = await outcomes(writer, a_batch(), taken, a_batch(target="\udcff"), a_batch(findings=1))
    assert [type(each) for each in results] == [type(None), Conflict, StoreUnavailable, type(None)]
    assert writer.healthy
    assert verify(store) == verify(store)
    assert verify(store).rows == 3


async def test_a_cancelled_wait_does_not_take_the_batch_back(store: Store, writer: Writer) -> None:
    task = asyncio.create_task(writer.commit(a_batch()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await writer.commit(a_batch())
    assert store.count() == 2


async def test_a_full_queue_refuses_at_once(store: Store) -> None:
    writer = Writer(store, max_pending=4)
    writer.start()
    gate = threading.Event()
    held = asyncio.get_running_loop().run_in_executor(None, writer.call_sync, lambda _: gate.wait(5))
    await asyncio.sleep(0.05)
    waiting = [asyncio.create_task(writer.commit(a_batch())) for _ in range(4)]
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable, match="queue is full"):
        await writer.commit(a_batch())
    gate.set()
    await asyncio.gather(held, *waiting)
    assert writer.stop()
    assert store.count() == 4


async def test_a_job_runs_between_groups_and_its_error_is_its_own(writer: Writer) -> None:
    assert await writer.call(lambda appender: type(appender)) is Appender
    with pytest.raises(ZeroDivisionError):
        await writer.call(lambda _: 1 // 0)
    await writer.commit(a_batch())
    assert writer.healthy


# ---- life ----------------------------------------------------------------------------------------


async def test_before_start_and_after_stop_nothing_is_taken(store: Store) -> None:
    writer = Writer(store)
    assert not writer.healthy
    with pytest.raises(StoreUnavailable, match="not running"):
        await writer.commit(a_batch())
    assert writer.stop()
    writer.start()
    await writer.commit(a_batch())
    assert writer.stop()
    with pytest.raises(StoreUnavailable, match="not running"):
        writer.commit_sync(a_batch())
    assert writer.last_error


async def test_stopping_finishes_what_waits(store: Store) -> None:
    shelf = Shelf()
    writer = Writer(store, journal=shelf)
    writer.start()
    waiting = [asyncio.create_task(writer.commit(a_batch())) for _ in range(500)]
    await asyncio.sleep(0)
    assert await asyncio.to_thread(writer.stop)
    assert await asyncio.gather(*waiting) == [None] * 500
    assert store.count() == len(shelf.batches) == 500
    assert shelf.closed


def test_lone_calls_are_in_the_journal_soon_and_in_order(store: Store) -> None:
    shelf = Shelf()
    writer = Writer(store, journal=shelf)
    writer.start()
    committed = [a_batch() for _ in range(200)]
    for batch in committed:
        writer.commit_sync(batch)
    ends = time.monotonic() + 10
    while len(shelf.batches) < len(committed) and time.monotonic() < ends:
        time.sleep(0.001)  # nothing is committed any more, and nobody stops the writer
    assert shelf.batches == committed
    writer.commit_sync(a_batch())
    assert writer.stop()
    assert len(shelf.batches) == len(committed) + 1


def test_a_closed_loop_does_not_harm_the_writer(store: Store, writer: Writer) -> None:
    gate = threading.Event()
    thread = threading.Thread(target=lambda: writer.call_sync(lambda _: gate.wait(5)))
    thread.start()
    time.sleep(0.05)

    async def leave() -> None:
        task = asyncio.create_task(writer.commit(a_batch()))
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(leave())
    gate.set()
    thread.join()
    writer.commit_sync(a_batch())
    assert store.count() == 2


# ---- trouble -------------------------------------------------------------------------------------


async def test_a_locked_store_fails_within_bounds_and_recovers(store: Store, path: Path) -> None:
    writer = Writer(store)
    writer.start()
    await writer.commit(a_batch())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert [type(each) for each in await outcomes(writer, a_batch(), a_batch())] == [StoreUnavailable] * 2
        assert not writer.healthy
        assert "locked" in writer.last_error
        with pytest.raises(StoreUnavailable):
            await writer.commit(a_batch())
        with pytest.raises(StoreUnavailable):
            await writer.probe()
        await writer.call(lambda _: "a job that writes nothing")
        assert not writer.healthy
        other.execute("ROLLBACK")
    await writer.probe()
    assert writer.healthy
    assert writer.last_error == ""
    await writer.commit(a_batch())
    assert verify(store).rows == 2
    assert writer.stop()


async def test_a_short_lock_is_waited_for(store: Store, writer: Writer, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        threading.Timer(0.2, other.execute, ["ROLLBACK"]).start()
        await writer.commit(a_batch())
        assert store.count() == 1
        await asyncio.sleep(0.1)


async def test_a_dead_thread_fails_all_who_wait_and_starts_again(
    store: Store, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(self: Appender, batches: Sequence[Batch], now_ms: int) -> None:
        raise Killed

    monkeypatch.setattr(Appender, "append", die)
    results = await asyncio.wait_for(outcomes(writer, *(a_batch() for _ in range(600))), 5)
    assert {type(each) for each in results} == {StoreUnavailable}
    assert not writer.healthy
    assert "Killed" in writer.last_error
    monkeypatch.undo()
    await writer.commit(a_batch())
    assert writer.healthy
    assert verify(store).rows == 1


DISK_FULL = """
import asyncio, resource, sys
from pathlib import Path
from defenseclaw.audit.chain import verify
from defenseclaw.audit.records import AuditRow, Batch
from defenseclaw.audit.store import Store
from defenseclaw.audit.writer import Writer
from defenseclaw.errors import StoreUnavailable

def batch(number):
    return Batch(row=AuditRow(id=str(number), timestamp="t", action="fill", details="x" * 20000))

async def main():
    store = Store.open(Path(sys.argv[1]))
    writer = Writer(store)
    writer.start()
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
    kept, lost = [], []
    for number in range(40):
        try:
            await writer.commit(batch(number))
            kept.append(str(number))
        except StoreUnavailable:
            lost.append(str(number))
    assert kept and lost and not writer.healthy, (len(kept), len(lost), writer.healthy)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await writer.commit(batch("after"))
    assert writer.healthy
    writer.stop()
    assert [row.id for row in store.export()] == [*kept, "after"]
    report = verify(store)
    assert report.ok, report
    print(len(kept), len(lost))

asyncio.run(main())
"""


def test_a_full_disk_loses_nothing_that_was_answered_and_heals(path: Path) -> None:
    run = subprocess.run([sys.executable, "-c", DISK_FULL, path], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr[-2000:]


COMMIT_FOR_EVER = """
import itertools, sys, threading, os
from pathlib import Path
from defenseclaw.audit.identity import time_ordered_id
from defenseclaw.audit.records import AuditRow, Batch, FindingRow, ScanRow, SessionState
from defenseclaw.audit.store import Store
from defenseclaw.audit.writer import Writer

writer = Writer(Store.open(Path(sys.argv[1])))
writer.start()

def commit(worker):
    for number in itertools.count():
        name = f"{worker}-{number}"
        finding = FindingRow(id=name, rule_id="R", category="c", severity="HIGH", title="t")
        writer.commit_sync(Batch(
            row=AuditRow(id=name, timestamp="t", action="connector-hook", details="x" * 500),
            scan=ScanRow(id=name, scanner="s", target="t", target_type="prompt", max_severity="HIGH",
                         verdict="warn", findings=(finding,)),
            state=SessionState(connector="c", session_id=str(worker), events=number + 1),
        ))
        os.write(1, (name + "\\n").encode())

for worker in range(6):
    threading.Thread(target=commit, args=(worker,)).start()
"""


@pytest.mark.parametrize("after_s", [0.15, 0.4])
def test_what_was_acknowledged_survives_sigkill(path: Path, after_s: float) -> None:
    with subprocess.Popen([sys.executable, "-c", COMMIT_FOR_EVER, path], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        first = running.stdout.readline()
        time.sleep(after_s)
        os.kill(running.pid, signal.SIGKILL)
        acknowledged = {each.decode() for each in (first + running.stdout.read()).splitlines(True)}
    whole = {each.strip() for each in acknowledged if each.endswith("\n")}
    assert len(whole) > 20
    store = Store.open(path)
    assert whole <= {row.id for row in store.export()}
    report = verify(store)
    assert report.ok, report
    for worker in range(6):
        state = store.session("c", str(worker))
        mine = [int(each.partition("-")[2]) for each in whole if each.startswith(f"{worker}-")]
        assert state is not None
        assert state.events > max(mine)
    store.close()
