"""The one pipeline: wait, look up, judge, record. The only place that wires the core to the world.

::

    door ── Event ──▶ Inspector.inspect    waits for its session, reads the session's state
                        _inspect           posture, rules; what is recorded only goes past judging
                          _judge           block and allow lists, suppressions, what is known of the machine
                            judge          detection → session → confidence → suppressions → policy
                            opinion        a language model's, where that is switched on; then policy again
                          _recorded        rows and the session's new state, in one transaction
    door ◀─ Verdict ──┘                    or what the fail mode says, when it cannot be recorded

Detection and policy are pure. :func:`judge` writes nothing, but it looks at files, the clock and random ids
unless it is handed others.

No verdict leaves before it is on record. Events of one session are judged and committed one after the
other, so that two parallel calls cannot hide a chain; different sessions do not wait for each other.

Source: ``DESIGN.md`` §3, ``DECISIONS.md`` "Verdicts" and "Store".
"""

from __future__ import annotations

import asyncio
import logging
import os
import stat
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace as with_changes

from defenseclaw.audit import rows
from defenseclaw.audit.identity import new_evaluation_id
from defenseclaw.audit.records import Batch, ListChange, ProcessIdentity, SessionState
from defenseclaw.audit.store import Store
from defenseclaw.audit.writer import Writer
from defenseclaw.connectors.base import Connector, Host
from defenseclaw.detection import redaction
from defenseclaw.detection.confidence import adjusted
from defenseclaw.detection.engine import Detection, detect, run
from defenseclaw.detection.facts import Need, Snapshot
from defenseclaw.detection.ruleset import RuleSet
from defenseclaw.errors import DefenseClawError, Overloaded, StoreUnavailable
from defenseclaw.policy.decision import Listed, decide, unrecorded, unworded
from defenseclaw.policy.suppression import NONE, Suppressions
from defenseclaw.recall import Recall, detected_anew
from defenseclaw.scanning import Scan, Scanner
from defenseclaw.session import SessionEvent, fault
from defenseclaw.suppressing import without_suppressed
from defenseclaw.vocabulary import (
    JSON,
    SHOWN_KINDS,
    Action,
    Correlation,
    Door,
    Event,
    EventKind,
    Finding,
    HostContext,
    Posture,
    Severity,
    Verdict,
)

if TYPE_CHECKING:
    from defenseclaw.judging.lane import Opinion

log = logging.getLogger(__name__)

MAX_SCANS = 8
"""Scans of code under way or waiting at once."""
LARGE_CHARS = 65536
"""Subjects above this many characters are judged on a worker thread, so that others do not wait."""
SESSIONS_CACHED = 8192
CLEANED_CACHED = 4096
CLEANED_CHARS = 16384

_throw_away_placeholder = redaction.make_placeholder(os.urandom(32))
"""For judgements that are not recorded: nobody keeps the key, so nothing can be recognised later."""


class Settings(Protocol):
    """The operator's choices as the Inspector reads them, always the current ones."""

    def posture(self, connector: str) -> Posture:
        """Return what holds for one connector; the empty name asks for the global posture."""
        ...


class Judges(Protocol):
    """The judge lane, when it is on."""

    async def opinion(
        self,
        event: Event,
        found: Detection,
        posture: Posture,
        *,
        find: Callable[[str], Iterable[tuple[int, int]]],
        elapsed_s: float,
    ) -> Opinion | None:
        """See :meth:`defenseclaw.judging.lane.Lane.opinion`."""
        ...

    def forget(self) -> None:
        """See :meth:`defenseclaw.judging.lane.Lane.forget`."""
        ...

    def health(self) -> dict[str, object]:
        """See :meth:`defenseclaw.judging.lane.Lane.health`."""
        ...


@dataclass(slots=True)
class Counters:
    """What one connector did since the gateway started."""

    requests: int = 0
    errors: int = 0
    tool_inspections: int = 0
    tool_blocks: int = 0
    last_activity_ns: int = 0
    """Unix nanoseconds."""

    @property
    def last_activity_at(self) -> str:
        """As rows carry a moment."""
        return as_utc(self.last_activity_ns)


@dataclass(slots=True)
class _Session:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


def snapshot(need: Need) -> Snapshot:
    """Answer one question of detection from the file system: bounded, never waiting on a pipe or device."""
    real = os.path.realpath(need.path)
    try:
        found = os.stat(real)
    except OSError:
        return Snapshot(real_path=real)
    if stat.S_ISDIR(found.st_mode):
        return Snapshot(real_path=real, exists=True, kind="directory")
    if not stat.S_ISREG(found.st_mode):
        kind = "socket" if stat.S_ISSOCK(found.st_mode) else "device"
        return Snapshot(real_path=real, exists=True, kind=kind)
    if not need.max_bytes:
        return Snapshot(real_path=real, exists=True, kind="file")
    try:
        with open(real, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as source:
            content = source.read(need.max_bytes + 1)
    except OSError:
        return Snapshot(real_path=real, exists=True, kind="unreadable")
    cut = content[: need.max_bytes]
    return Snapshot(real_path=real, exists=True, kind="file", content=cut, truncated=len(content) > len(cut))


def judge(
    event: Event,
    rules: RuleSet,
    host: HostContext,
    posture: Posture,
    *,
    evaluation_id: str = "",
    listed: Listed | None = None,
    placeholder: Callable[[str], str] = _throw_away_placeholder,
    answer: Callable[[Need], Snapshot] = snapshot,
    further: Callable[[Detection], Sequence[Finding]] | None = None,
    suppressions: Suppressions = NONE,
    detected: Callable[[Event, RuleSet, HostContext, Callable[[Need], Snapshot]], Detection] = detected_anew,
) -> tuple[Verdict, Detection]:
    """Return the verdict of one event and what it rests on; writes nothing.

    The gateway and ``defenseclaw explain`` both call it, so what they find in an event itself is the same. Of
    what surrounds an event ``explain`` knows neither lists nor session: a call that is listed, that completes
    a chain, or on which a language model is heard may be decided otherwise in the gateway.

    Args:
        event: What is judged.
        rules: The pack.
        host: What is known of the machine.
        posture: What the operator chose for the event's connector.
        evaluation_id: Join key of its rows; a random one by default.
        listed: What the block and allow lists say, if anything.
        placeholder: Keyed placeholder of a secret in a replaced result.
        answer: Looks a file up; by default in the file system.
        further: Returns what the session makes of what was detected, before confidence and suppressions
            change its weight; nothing without a session.
        suppressions: What the operator suppressed; those that have ended hold no more, at any moment.
        detected: Detects, or remembers what was detected.
    """
    found = _weighed(event, detected(event, rules, host, answer), further or _nothing)
    suppressed: tuple[str, ...] = ()
    if suppressions and found.findings:
        found, suppressed = without_suppressed(event, found, host, suppressions, utc_now(), answer)
    evaluation_id = evaluation_id or new_evaluation_id()
    verdict = _decided(event, found, rules, posture, evaluation_id, listed, placeholder)
    if suppressed:
        verdict = with_changes(verdict, trail=(*suppressed, *verdict.trail))
    return verdict, found


def _decided(
    event: Event,
    found: Detection,
    rules: RuleSet,
    posture: Posture,
    evaluation_id: str,
    listed: Listed | None,
    placeholder: Callable[[str], str],
) -> Verdict:
    return decide(
        event,
        found.findings,
        posture,
        evaluation_id=evaluation_id,
        listed=listed,
        masked=_masked(event, found, placeholder),
        fix_for=lambda rule_id: fix_of(rules, rule_id),
    )


def with_opinion(found: Detection, opinion: Opinion) -> Detection:
    """Return what was detected with what judges add to it and without the weight they take off."""
    findings = [
        with_changes(each, detection_only=True) if each.rule_id in opinion.lifted else each
        for each in found.findings
    ]
    findings += opinion.findings
    return with_changes(
        found,
        findings=tuple(sorted(findings, key=lambda each: (-each.severity.rank, each.rule_id))),
        withhold=found.withhold or opinion.withholds,
    )


def _weighed(event: Event, found: Detection, further: Callable[[Detection], Sequence[Finding]]) -> Detection:
    """Return what was detected as sure as the tool makes it, with what the session adds to it."""
    findings, more = found.findings, further(found)
    if findings and event.kind is EventKind.TOOL_CALL and found.facts is not None:
        tool_class = found.facts.tool_class
        findings = tuple(adjusted(each, tool_class) for each in findings)
    if more:
        known = {each.rule_id for each in findings}
        findings = (*findings, *(each for each in more if each.rule_id not in known))
    if findings is found.findings:
        return found
    return with_changes(
        found, findings=tuple(sorted(findings, key=lambda each: (-each.severity.rank, each.rule_id)))
    )


def fix_of(rules: RuleSet, rule_id: str) -> str:
    """Return a rule's one-sentence advice; empty for ids that are not rules."""
    rule = rules.find(rule_id)
    return rule.fix if rule is not None else ""


def host_context(
    host: Host,
    connectors: Iterable[Connector],
    control_ports: tuple[int, ...],
    rule_packs: Iterable[str] = (),
) -> HostContext:
    """Return what detection must know of ``host``, with every file an agent must not change.

    Args:
        host: The machine.
        connectors: Whose settings are guarded.
        control_ports: See :class:`HostContext`.
        rule_packs: Folders of operators' packs: who changes a pack changes what is found.
    """
    protected = {path for connector in connectors for path in guarded_paths(connector, host)}
    protected.update(rule_packs)
    return HostContext(
        home=str(host.home),
        data_dir=str(host.data_dir),
        protected_paths=tuple(sorted(protected)),
        control_ports=control_ports,
    )


def guarded_paths(connector: Connector, host: Host) -> tuple[str, ...]:
    """Return the files of a connector an agent must not change, also as what a link among them leads to."""
    named = connector.protected_paths(host)
    return tuple(sorted({*named, *map(os.path.realpath, named)}))


def _masked(event: Event, found: Detection, placeholder: Callable[[str], str]) -> JSON:
    """Return the result or completion with secret spans masked, in its own shape; None if nothing is.

    One that carries instructions to the agent is withheld whole: a notice takes the place of its text.
    """
    if event.kind not in SHOWN_KINDS:
        return None
    shown = event.result if event.kind is EventKind.TOOL_RESULT else event.text
    if found.withhold:
        causes = [each.rule_id for each in found.findings if each.masks and each.category == "trust-exploit"]
        return redaction.withhold(shown, redaction.notice(causes))
    if not found.spans or found.scanned is None:
        return None
    spans = ((span.start, span.end) for span in found.spans)
    return redaction.mask(shown, found.scanned, spans, placeholder)


class Inspector:
    """Judges events and records what it decided.

    Args:
        rules: Returns the current rule set of a pack by name.
        settings: The operator's choices.
        host: Returns what detection must know of the machine.
        store: Where session state and lists are read from.
        writer: Where rows go; running.
        identity: Returns what every row of this process shares.
        secret_placeholder: Keyed placeholder of a secret, in a replaced result or in a name that is recorded.
        evidence_placeholder: Keyed placeholder of a finding's evidence.
        max_pending: Evaluations under way at once; one more is refused with :class:`Overloaded`.
        suppressions: Returns the operator's suppressions of a pack by name.
    """

    def __init__(
        self,
        *,
        rules: Callable[[str], RuleSet],
        settings: Settings,
        host: Callable[[], HostContext],
        store: Store,
        writer: Writer,
        identity: Callable[[], ProcessIdentity],
        secret_placeholder: Callable[[str], str],
        evidence_placeholder: Callable[[str], str],
        max_pending: int = 1024,
        suppressions: Callable[[str], Suppressions] = lambda _pack: NONE,
    ) -> None:
        self._rules = rules
        self._suppressions = suppressions
        self._settings = settings
        self._host = host
        self._store = store
        self._writer = writer
        self._identity = identity
        self._secret_placeholder = secret_placeholder
        self.evidence_placeholder = evidence_placeholder
        self.max_pending = max_pending
        self.pending = 0
        self.overloads = 0
        self._scanning = asyncio.Lock()
        self._scans_waiting = 0
        self.counters: dict[str, Counters] = {}
        self.listeners: list[Callable[[Event, Verdict], None]] = []
        self.judges: Judges | None = None
        """The judge lane; None while it is off."""
        self._sessions: dict[tuple[str, str], _Session] = {}
        self._states: OrderedDict[tuple[str, str], SessionState] = OrderedDict()
        self._lists: dict[tuple[str, str], str] | None = None
        """What is on the lists; None until they were read, at the first tool call."""
        self._list_changes = 0
        self._cleaned: dict[str, str] = {}
        self._recall = Recall()

    async def inspect(self, event: Event) -> Verdict:
        """Judge one event, record the verdict, and return it.

        What cannot be recorded is answered by the fail mode, see
        :func:`~defenseclaw.policy.decision.unrecorded`.

        Raises:
            Overloaded: the bounded queue is full; nothing was judged.
        """
        if self.pending >= self.max_pending:
            self.overloads += 1
            raise Overloaded(hint="retry after a second")
        self.pending += 1
        arrived = time.monotonic()
        try:
            key = (event.connector, self.clean(event.correlation.session_id))
            if not key[1]:
                return await self._inspect(event, arrived)
            session = self._sessions.setdefault(key, _Session())
            session.waiting += 1
            try:
                async with session.lock:
                    state = await self._state(key)
                    return await self._inspect(event, arrived, state, forgetful=state is None)
            finally:
                session.waiting -= 1
                if not session.waiting:
                    self._sessions.pop(key, None)
        finally:
            self.pending -= 1

    async def record(self, batch: Batch) -> None:
        """Record something that was not judged (an operator's change, a refused body).

        Raises:
            StoreUnavailable, Conflict: it could not be recorded; list changes in it did not take effect.
        """
        await self._writer.commit(batch)
        for change in batch.lists:
            self._apply(change)

    async def scan(self, work: Callable[[Scanner], Scan]) -> Scan:
        """Scan code with the pack in force, on a worker thread and one scan after the other.

        Args:
            work: What to scan.

        Raises:
            Overloaded: too many scans wait.
        """
        if self._scans_waiting >= MAX_SCANS:
            self.overloads += 1
            raise Overloaded(hint="retry when the scans under way are done")
        self._scans_waiting += 1
        try:
            async with self._scanning:
                scanner = Scanner(self.rules(), self._host())
                return await asyncio.to_thread(work, scanner)
        finally:
            self._scans_waiting -= 1

    def rules(self, connector: str = "") -> RuleSet:
        """Return the rules in force for a connector; the empty name asks for the global ones."""
        return self._rules(self._settings.posture(connector).rule_pack)

    def redacted(self, text: str) -> str:
        """Return the keyed placeholder of a text, ``<redacted len=N sha=…>``."""
        return self._secret_placeholder(text)

    async def reject(
        self,
        connector: str,
        event_name: str,
        problem: str,
        body_bytes: int,
        correlation: Correlation | None = None,
    ) -> None:
        """Record a hook call that was refused before it became an event, or got no answer in words.

        Never raises: there is no verdict that could change, so a failure is logged and counted.

        Args:
            connector: Whose hook it is.
            event_name: As far as it is known.
            problem: In our own words.
            body_bytes: Size of the body; 0 when unknown.
            correlation: The ids that are known.
        """
        self._count(connector).errors += 1
        try:
            batch = rows.rejected(
                connector=connector,
                event_name=event_name,
                problem=problem,
                process=self._identity(),
                now=utc_now(),
                body_bytes=body_bytes,
                clean=self.clean,
                correlation=correlation,
            )
            await self._writer.commit(batch)
        except Exception as error:
            log.error("a refused %s hook call could not be recorded: %s", connector, _told(error))

    async def unanswerable(self, event: Event, verdict: Verdict) -> Verdict:
        """Record that a verdict could not be put into the agent's words; return what is answered instead.

        See :func:`~defenseclaw.policy.decision.unworded`; what cannot be recorded follows the fail mode, as
        in :meth:`inspect`.
        """
        posture = self._settings.posture(event.connector)
        rules = self._rules(posture.rule_pack)
        self._count(event.connector).errors += 1
        again = unworded(
            verdict,
            fault(f"the answer to {event.connector}"),
            event,
            posture,
            evaluation_id=new_evaluation_id(),
            fix_for=lambda rule_id: fix_of(rules, rule_id),
        )
        again = await self._recorded(event, again, posture, rules, time.perf_counter(), None)
        self._tell(event, again)
        return again

    def clean(self, text: str) -> str:
        """Return a text that an agent chose with every secret in it masked.

        Session ids, tool names and directories recur with every call, so what was found is remembered.
        """
        known = self._cleaned.get(text)
        if known is None:
            known = redaction.clean_text(
                text, self._secret_placeholder, find=self._secrets_in, limit=CLEANED_CHARS
            )
            if len(self._cleaned) >= CLEANED_CACHED:
                self._cleaned.clear()
            self._cleaned[text] = known
        return known

    def _secrets_in(self, text: str) -> Iterable[tuple[int, int]]:
        rules = self._rules(self._settings.posture("").rule_pack)
        found = run(detect(Event(kind=EventKind.COMPLETION, door=Door.CLI, text=text), rules, self._host()))
        return ((span.start, span.end) for span in found.spans)

    # ---- one evaluation ---------------------------------------------------------------------------

    async def _inspect(
        self, event: Event, arrived: float, state: SessionState | None = None, *, forgetful: bool = False
    ) -> Verdict:
        """Look up what holds for one event, judge and record it.

        Args:
            arrived: When it came, monotonic seconds.
            state: Of its session; None without one.
            forgetful: The session's state could not be read.
        """
        began = time.perf_counter()
        posture = self._settings.posture(event.connector)
        counters = self._count(event.connector)
        counters.requests += 1
        evaluation_id = new_evaluation_id()
        said: Mapping[str, str] = {}
        rules = self._rules(posture.rule_pack)
        session = self._in_session(event, state, rules, evaluation_id) if state is not None else None
        if event.kind is EventKind.LIFECYCLE and not event.faults:
            verdict = _unjudged(evaluation_id, posture, "lifecycle event: recorded, not judged")
        elif not posture.enabled:
            verdict = _unjudged(evaluation_id, posture, "this connector is disabled: recorded, not judged")
        else:
            further = session.findings if session is not None else _unread if forgetful else _nothing
            verdict, said = await self._judge(event, rules, posture, evaluation_id, further, arrived)
        if event.kind is EventKind.TOOL_CALL:
            counters.tool_inspections += 1
            counters.tool_blocks += verdict.action is Action.BLOCK
        after: SessionState | None = None
        if session is not None:
            after, notes = session.after(verdict)
            verdict = with_changes(verdict, step_idx=after.step_idx, trail=(*verdict.trail, *notes))
        noted = with_changes(event, extra={**event.extra, **said}) if said else event
        verdict = await self._recorded(noted, verdict, posture, rules, began, after)
        self._tell(event, verdict)
        return verdict

    async def _recorded(
        self,
        event: Event,
        verdict: Verdict,
        posture: Posture,
        rules: RuleSet,
        began: float,
        after: SessionState | None,
    ) -> Verdict:
        """Commit a verdict's rows and its session's state; return the verdict, or what stands in for it.

        Never raises: whatever keeps a verdict from the record, the fail mode answers.
        """
        try:
            batch = rows.batch_for(
                event,
                verdict,
                process=self._identity(),
                placeholder=self.evidence_placeholder,
                clean=self.clean,
                elapsed_ms=(time.perf_counter() - began) * 1000,
                now=utc_now(),
                state=after,
                rule_pack=posture.rule_pack,
                fix_for=lambda rule_id: fix_of(rules, rule_id),
            )
            await self._writer.commit(batch)
        except Exception as error:
            self._count(event.connector).errors += 1
            log.error("a verdict could not be recorded: %s", _told(error))
            verdict = unrecorded(verdict, posture)
            if after is not None and verdict.action is not Action.BLOCK:
                self._remember(after)  # it happens all the same; the next row carries it to the store
        else:
            if after is not None:
                self._remember(after)
        return verdict

    def _in_session(
        self, event: Event, state: SessionState, rules: RuleSet, evaluation_id: str
    ) -> SessionEvent:
        return SessionEvent(
            event,
            state,
            rules,
            evaluation_id=evaluation_id,
            now_s=int(time.time()),
            placeholder=self.evidence_placeholder,
        )

    async def _judge(
        self,
        event: Event,
        rules: RuleSet,
        posture: Posture,
        evaluation_id: str,
        further: Callable[[Detection], Sequence[Finding]],
        arrived: float,
    ) -> tuple[Verdict, Mapping[str, str]]:
        """Return the verdict, a language model's opinion included, and what of that belongs into the row."""
        if self._lists is None and event.kind is EventKind.TOOL_CALL:
            await self._read_lists()
        listed = self._listed(event)
        host = self._host()
        suppressions = self._suppressions(posture.rule_pack)

        def decided() -> tuple[Verdict, Detection]:
            return judge(
                event,
                rules,
                host,
                posture,
                evaluation_id=evaluation_id,
                listed=listed,
                placeholder=self._secret_placeholder,
                further=further,
                suppressions=suppressions,
                detected=detected_anew if large else self._recall.detect,
            )

        large = _size(event) > LARGE_CHARS
        verdict, found = await asyncio.to_thread(decided) if large else decided()
        if self.judges is None or listed is not None:  # what the operator listed is decided
            return verdict, {}
        opinion = await self.judges.opinion(
            event, found, posture, find=self._secrets_in, elapsed_s=time.monotonic() - arrived
        )
        if opinion is None:
            return verdict, {}
        trail = (*verdict.trail, *opinion.trail)
        if opinion.findings or opinion.lifted:
            found = with_opinion(found, opinion)
            verdict = _decided(event, found, rules, posture, evaluation_id, None, self._secret_placeholder)
            trail = (*trail, *verdict.trail)
        return with_changes(verdict, trail=trail), opinion.row

    # ---- session state ----------------------------------------------------------------------------

    async def _state(self, key: tuple[str, str]) -> SessionState | None:
        """Return what is remembered of a session; None when that cannot be read, which is not "nothing"."""
        known = self._states.get(key)
        if known is not None:
            self._states.move_to_end(key)
            return known
        try:
            stored = await asyncio.to_thread(self._store.session, *key)
        except StoreUnavailable:
            return None
        return stored or SessionState(connector=key[0], session_id=key[1])

    def _remember(self, state: SessionState) -> None:
        self._states[state.connector, state.session_id] = state
        self._states.move_to_end((state.connector, state.session_id))
        while len(self._states) > SESSIONS_CACHED:
            self._states.popitem(last=False)

    # ---- lists ------------------------------------------------------------------------------------

    async def _read_lists(self) -> None:
        """Read the lists, once; while the store cannot be read they stay unread."""
        while self._lists is None:
            changes = self._list_changes
            try:
                lists = await asyncio.to_thread(self._stored_lists)
            except StoreUnavailable:
                return
            if changes == self._list_changes and self._lists is None:
                self._lists = lists  # else one changed meanwhile, which may not be among what was read

    def _stored_lists(self) -> dict[tuple[str, str], str]:
        entries = [*self._store.entries("allow"), *self._store.entries("block")]
        return {(entry.target_type, entry.target_name): entry.install for entry in entries}

    def _apply(self, change: ListChange) -> None:
        """Take up a change that is on record; lists that were not read yet will hold it when they are."""
        self._list_changes += 1
        if self._lists is None:
            return
        if change.install:
            self._lists[change.target_type, change.target_name] = change.install
        else:
            self._lists.pop((change.target_type, change.target_name), None)

    def _listed(self, event: Event) -> Listed | None:
        if event.kind is not EventKind.TOOL_CALL:
            return None
        if self._lists is None:
            return Listed(verdict="error", rule_id="POLICY-LOOKUP-ERROR")
        return listed_in(self._lists, event) if self._lists else None

    def _tell(self, event: Event, verdict: Verdict) -> None:
        """Tell who listens; one that cannot hear any more (a closed terminal) is told nothing from now on."""
        for listener in tuple(self.listeners):
            try:
                listener(event, verdict)
            except Exception as error:
                log.warning("verdicts are no longer shown: %s", type(error).__name__)
                self.listeners.remove(listener)

    def _count(self, connector: str) -> Counters:
        counters = self.counters.get(connector)
        if counters is None:
            counters = self.counters[connector] = Counters()
        counters.last_activity_ns = time.time_ns()
        return counters


def listed_in(lists: dict[tuple[str, str], str], event: Event) -> Listed | None:
    """Return what the lists say of a tool call, most specific entry first.

    Source: ``spec/guardrail.md`` §1.2.
    """
    server = event.mcp_server or mcp_server_of(event.tool)
    for name in _scoped(event.connector, server):
        if lists.get(("mcp", name)) == "block":
            return Listed(verdict="block", rule_id="MCP-BLOCK", entry=name)
    for name in _scoped(event.connector, event.tool):
        install = lists.get(("tool", name))
        if install == "block":
            return Listed(verdict="block", rule_id="STATIC-BLOCK", entry=name)
        if install == "allow":
            return Listed(verdict="allow", rule_id="STATIC-ALLOW", entry=name)
    return None


def mcp_server_of(tool: str) -> str:
    """Return the MCP server in ``mcp__<server>__<tool>`` or ``mcp:<server>:<tool>``; empty otherwise."""
    for separator in ("__", ":"):
        parts = tool.split(separator)
        if len(parts) >= 3 and parts[0] == "mcp":
            return parts[1]
    return ""


def _told(error: Exception) -> str:
    """Return what of an error may be logged: the text of a foreign one may quote what it choked on."""
    return error.message if isinstance(error, DefenseClawError) else type(error).__name__


def utc_now() -> str:
    """Return the present moment as rows carry it."""
    return as_utc(time.time_ns())


def as_utc(unix_ns: int) -> str:
    """Return a moment as rows carry it: UTC, RFC 3339, microseconds, ``Z``."""
    seconds, rest = divmod(unix_ns, 1_000_000_000)
    return f"{_second(seconds)}.{rest // 1000:06d}Z"


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def _scoped(connector: str, name: str) -> Iterable[str]:
    if name:
        if connector:
            yield f"@{connector}/{name}"
        yield name


def _unjudged(evaluation_id: str, posture: Posture, why: str) -> Verdict:
    return Verdict(
        evaluation_id=evaluation_id,
        action=Action.ALLOW,
        raw_action=Action.ALLOW,
        severity=Severity.NONE,
        confidence=0.0,
        mode=posture.mode,
        trail=(why,),
    )


def _size(event: Event) -> int:
    """Return roughly how many characters detection will read, without building them."""
    total = len(event.text)
    waiting: list[JSON] = [event.args, event.result]
    while waiting and total <= LARGE_CHARS:
        value = waiting.pop()
        if isinstance(value, str):
            total += len(value)
        elif isinstance(value, dict):
            total += 8 * len(value)
            waiting.extend(value.values())
        elif isinstance(value, (list, tuple)):
            total += 8 * len(value)
            waiting.extend(value)
    return total


def _nothing(_found: Detection) -> tuple[Finding, ...]:
    return ()


def _unread(_found: Detection) -> tuple[Finding, ...]:
    return (fault("the session's state could not be read"),)


def lifecycle_batch(
    action: str, *, process: ProcessIdentity, details: str = "", clean: Callable[[str], str] = str
) -> Batch:
    """Return the row of something the gateway itself did (``sidecar-start``, ``config-update`` …)."""
    row = rows.plain(action, process=process, now=utc_now(), clean=clean, details=details)
    return Batch(row=row)
