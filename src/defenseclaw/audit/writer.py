"""The one writer thread: group commit, nothing lost without a sound.

Whoever needs a record puts a batch in a bounded queue and waits; the thread takes what waits as one group
(:data:`GROUP_BATCHES` at most), commits the batches of it that follow each other in one transaction and wakes
each event loop once. A job among them runs between two transactions, and a transaction that is refused
because of one batch is repeated batch by batch. Encoding, hashing and SQL happen in the thread. An event loop
wakes it when all that was ready to run has run: what arrived together is committed together, and the two do
not fight for the interpreter lock meanwhile. Source: ``DECISIONS.md`` "Writer", ``DESIGN.md`` §3 and §6.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar

from defenseclaw.audit.appender import Appender
from defenseclaw.audit.records import Batch
from defenseclaw.audit.store import Store
from defenseclaw.errors import Conflict, DefenseClawError, StoreUnavailable

GROUP_BATCHES = 256
"""Batches and jobs that the thread takes at once, at most."""
_GATHERED_BATCHES = 32
"""Batches that are not held back any longer while more come in."""
_BACKFILL_EVERY = 256
"""Batches after which the log is moved into the database, beside the commits: it takes milliseconds."""
_COPY_WITHIN_S = 0.02
_COPIED_BATCHES = 64
"""Where calls come one at a time, the journal gets their lines together: by this time, or of so many."""

T = TypeVar("T")
Job = Callable[[Appender], Any]
_log = logging.getLogger(__name__)


class Sink(Protocol):
    """Where committed batches are copied to. Must not raise."""

    def write(self, batches: Sequence[Batch]) -> None:
        """Take batches that are committed."""
        ...

    def close(self) -> None:
        """Write what is left."""
        ...


class _Entry:
    """Work that somebody waits for: a batch to commit or a job to run in the thread."""

    __slots__ = ("error", "future", "loop", "result", "work")

    def __init__(
        self,
        work: Batch | Job,
        future: asyncio.Future[Any] | concurrent.futures.Future[Any],
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        self.work = work
        self.future = future
        self.loop = loop
        self.result: Any = None
        self.error: BaseException | None = None

    def settle(self) -> None:
        """Tell the one who waits; in the thread of its loop."""
        if self.future.done():
            return  # the waiting task was cancelled; the row is on record all the same
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Writer:
    """Commits batches for any number of event loops and threads.

    Args:
        store: where to.
        max_pending: batches that may wait; past it a commit fails at once.
        journal: takes committed batches (``gateway.jsonl``); its failures change no answer.
        clock: Unix seconds.
    """

    def __init__(
        self,
        store: Store,
        *,
        max_pending: int = 4096,
        journal: Sink | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._appender = store.appender()
        self._max_pending = max_pending
        self._journal = journal
        self._clock = clock
        self._waiting: deque[_Entry] = deque()
        self._bell: SimpleQueue[None] = SimpleQueue()
        """Rung when there is something new in ``_waiting``, or when it is time to end."""
        self._about_to_ring: set[asyncio.AbstractEventLoop] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._accepting = False
        self._running = False
        self._healthy = True
        self._last_error = ""
        self._backfilling: threading.Thread | None = None
        self._unfilled = 0
        self._last_group = 0
        self._uncopied: list[Batch] = []
        """Committed, told to those who waited, and not in the journal yet."""
        self._copy_at = 0.0
        """When the oldest of them is to be there, monotonic seconds."""
        self.committed = 0
        """Batches committed so far."""

    # ---- life -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread; once."""
        with self._lock:
            self._accepting = True
            self._ensure_running()

    def stop(self, timeout: float = 10.0) -> bool:
        """Refuse new work, finish what waits, end the thread.

        Args:
            timeout: seconds to wait.

        Returns:
            Whether everything that waited was answered in time.
        """
        with self._lock:
            self._accepting = False
            thread = self._thread
            self._bell.put(None)
        if thread is None:
            return True
        thread.join(timeout)
        return not thread.is_alive()

    @property
    def healthy(self) -> bool:
        """Whether the last write worked and the thread lives."""
        return self._healthy and self._running

    @property
    def last_error(self) -> str:
        """What went wrong last, one sentence without content; empty while healthy."""
        if self.healthy:
            return ""
        return self._last_error or "the audit writer is not running"

    @property
    def pending(self) -> int:
        """Batches that wait now."""
        return len(self._waiting)

    # ---- work -----------------------------------------------------------------------------------

    async def commit(self, batch: Batch) -> None:
        """Return once the batch is committed. A cancelled wait does not take the batch back.

        Raises:
            StoreUnavailable: it is not on record: the store is locked, full, damaged or gone, the queue is
                full, or the writer is not running.
            Conflict: it is not on record: a row with the id that a caller chose is there already.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._put(_Entry(batch, future, loop))
        await future

    def commit_sync(self, batch: Batch) -> None:
        """As :meth:`commit`, for threads without an event loop."""
        self._wait(batch)

    async def call(self, job: Callable[[Appender], T]) -> T:
        """Run a short job in the writer thread, between two groups, and return its result.

        Raises:
            StoreUnavailable: as :meth:`commit`, or whatever the job raises.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._put(_Entry(job, future, loop))
        return await future

    def call_sync(self, job: Callable[[Appender], T]) -> T:
        """As :meth:`call`, for threads without an event loop."""
        result: T = self._wait(job)
        return result

    async def probe(self) -> None:
        """Find out whether a verdict could be recorded now.

        Raises:
            StoreUnavailable: it could not.
        """
        await self.call(self._probe)

    def _wait(self, work: Batch | Job) -> Any:  # noqa: ANN401  whatever the job returns
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self._put(_Entry(work, future, None))
        return future.result()

    def _put(self, entry: _Entry) -> None:
        loop = entry.loop
        with self._lock:
            if not self._accepting:
                raise StoreUnavailable("the audit writer is not running")
            if len(self._waiting) >= self._max_pending:
                raise StoreUnavailable("the audit queue is full")
            self._ensure_running()
            self._waiting.append(entry)
            # Where calls come one at a time, as the last group shows, there is nothing to gather.
            if loop is None or (self._last_group <= 1 and len(self._waiting) == 1):
                self._bell.put(None)
            elif loop not in self._about_to_ring:
                self._about_to_ring.add(loop)
                loop.call_soon(self._ring, loop, 0)

    def _ring(self, loop: asyncio.AbstractEventLoop, seen: int) -> None:
        """Wake the thread once a whole turn of the loop has brought nothing more to commit."""
        waiting = len(self._waiting)
        if seen < waiting < _GATHERED_BATCHES:
            loop.call_soon(self._ring, loop, waiting)
            return
        with self._lock:
            self._about_to_ring.discard(loop)
        self._bell.put(None)

    def _ensure_running(self) -> None:
        if not self._running:
            self._running = True
            self._thread = threading.Thread(target=self._work, name="audit-writer", daemon=True)
            self._thread.start()

    # ---- the thread -----------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            while group := self._next_group():
                self._serve(group)
        except BaseException as error:
            _log.exception("the audit writer died; it starts again with the next batch")
            self._ail(f"the audit writer died: {type(error).__name__}")
        finally:
            self._leave()

    def _next_group(self) -> list[_Entry]:
        """Wait for work; an empty group means that the end has come and nothing is left."""
        while True:
            ends = not self._accepting  # before looking, so that what was accepted last is still seen
            group: list[_Entry] = []
            while self._waiting and len(group) < GROUP_BATCHES:
                group.append(self._waiting.popleft())
            if group or ends:
                self._last_group = len(group)
                return group
            self._wait_for_bell()

    def _wait_for_bell(self) -> None:
        if not self._uncopied:
            self._bell.get()
            return
        try:
            self._bell.get(timeout=max(0.0, self._copy_at - time.monotonic()))
        except Empty:
            self._copy()

    def _serve(self, group: list[_Entry]) -> None:
        """Do the work of a group in its order and tell all who wait."""
        failure: BaseException = StoreUnavailable("the audit writer died")
        committed: list[Batch] = []
        try:
            for stretch in _stretches(group):
                if isinstance(stretch[0].work, Batch):
                    self._commit(stretch, committed)
                else:
                    self._do(stretch[0])
        except BaseException:
            for entry in group:
                entry.error = entry.error or failure
            raise
        finally:
            _settle(group)
            if committed and self._journal is not None:
                self._have_copied(committed, alone=len(group) == 1)

    def _have_copied(self, committed: list[Batch], *, alone: bool) -> None:
        """Give the journal what was committed: a copy, so nobody waits for it.

        A caller who is ``alone`` goes on as soon as it is told, and would wait for the interpreter lock.
        """
        now = time.monotonic()
        if not self._uncopied:
            self._copy_at = now + _COPY_WITHIN_S
        self._uncopied += committed
        if not alone or len(self._uncopied) >= _COPIED_BATCHES or now >= self._copy_at:
            self._copy()

    def _copy(self) -> None:
        uncopied, self._uncopied = self._uncopied, []
        if uncopied and self._journal is not None:
            self._journal.write(uncopied)

    def _commit(self, entries: list[_Entry], committed: list[Batch]) -> None:
        batches = [entry.work for entry in entries if isinstance(entry.work, Batch)]
        try:
            self._appender.append(batches, self._now_ms())
        except StoreUnavailable as error:
            self._ail(error.message)
            for entry in entries:
                entry.error = StoreUnavailable(error.message)
        except (Conflict, ValueError, TypeError, OverflowError) as error:
            if len(entries) == 1:
                entries[0].error = _refusal(error)
                return
            # One batch that cannot be stored must not take the others with it.
            for entry in entries:
                self._commit([entry], committed)
        else:
            self._recover()
            self.committed += len(batches)
            self._backfill(len(batches))
            committed.extend(batches)

    def _do(self, entry: _Entry) -> None:
        assert not isinstance(entry.work, Batch)  # noqa: S101  narrows the type
        try:
            entry.result = entry.work(self._appender)
        except StoreUnavailable as error:
            self._ail(error.message)
            entry.error = error
        except Exception as error:
            entry.error = error

    def _probe(self, appender: Appender) -> None:
        appender.probe(self._now_ms())
        self._recover()

    def _backfill(self, count: int) -> None:
        self._unfilled += count
        busy = self._backfilling is not None and self._backfilling.is_alive()
        if self._unfilled >= _BACKFILL_EVERY and not busy:
            self._unfilled = 0
            self._backfilling = threading.Thread(
                target=self._store.backfill, name="audit-backfill", daemon=True
            )
            self._backfilling.start()

    def _ail(self, message: str) -> None:
        if self._healthy:
            _log.error("verdicts cannot be recorded: %s", message)
        self._healthy = False
        self._last_error = message

    def _recover(self) -> None:
        if not self._healthy:
            _log.warning("verdicts are recorded again")
        self._healthy = True

    def _leave(self) -> None:
        """Fail what still waits, so that nobody waits for a thread that is gone."""
        left: list[_Entry] = []
        with self._lock:
            self._running = False
            while self._waiting:
                entry = self._waiting.popleft()
                entry.error = StoreUnavailable("the audit writer is not running")
                left.append(entry)
        _settle(left)
        self._copy()
        if self._backfilling is not None:
            self._backfilling.join()
        self._appender.close()
        if self._journal is not None and not self._accepting:
            self._journal.close()

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


def _stretches(group: list[_Entry]) -> list[list[_Entry]]:
    """Split a group, in order, into batches that follow each other and single jobs."""
    if len(group) == 1:
        return [group]
    stretches: list[list[_Entry]] = []
    for entry in group:
        batch = isinstance(entry.work, Batch)
        if batch and stretches and isinstance(stretches[-1][0].work, Batch):
            stretches[-1].append(entry)
        else:
            stretches.append([entry])
    return stretches


def _settle(entries: list[_Entry]) -> None:
    """Tell all who wait, those of one loop together."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Entry]] = defaultdict(list)
    for entry in entries:
        if entry.loop is None:
            entry.settle()
        else:
            by_loop[entry.loop].append(entry)
    for loop, waiting in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle_here, waiting)
        except RuntimeError:  # the loop is closed: nobody waits any more
            continue


def _settle_here(entries: list[_Entry]) -> None:
    for entry in entries:
        entry.settle()


def _refusal(error: Exception) -> DefenseClawError:
    if isinstance(error, Conflict):
        return error
    _log.error("a batch cannot be stored: %s", type(error).__name__)
    return StoreUnavailable("the batch cannot be stored")
