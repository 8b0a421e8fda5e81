"""Ordered chains: what no single call shows, seen over the calls of one session.

A step is something that happens in an event ("a credential file was read"); a chain is two or more steps
in order. What a session did is kept as one mark per step: its first and its latest occurrence, no content.
A mark is a flag, not an entry of a list, so no number of other calls pushes it out.

::

    look(event, findings, facts, memory) → Sight     which steps this event takes, which chains it completes
    advance(memory, sight, outcome)      → Memory    what of it counts for the events that follow

Pure: neither a clock nor a key. The moment and the fingerprint function come from the caller.

- A call counts from the moment it is let through, not from its result: of two calls sent at once the second
  is judged when the first has no result yet. Two calls that overlap have no order, so the later one completes
  a chain whichever step it takes.
- A call that was denied did not happen. One that a person was asked about counts when its result arrives.
  A call that failed counts: the agent says so, not we.
- A read by a file tool whose result was replaced showed nothing, and does not count.

Source: ``spec/guardrail.md`` §7, §8; ``DECISIONS.md`` "Concurrency in a session", "A question asked twice".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from defenseclaw.detection.conditions import ConditionSet
from defenseclaw.detection.facts import Facts
from defenseclaw.detection.patterns import PatternSet
from defenseclaw.detection.taint import Tracer, talks_outside
from defenseclaw.detection.text import encodable
from defenseclaw.errors import PackError
from defenseclaw.vocabulary import Event, EventKind, Finding, Severity

if TYPE_CHECKING:
    from defenseclaw.detection.ruleset import Rule

MAX_STEPS: Final = 64
"""Steps of a pack; a session has at most as many marks."""
MAX_OPEN: Final = 16
"""Calls of a session that wait for their result; when there is one more, the oldest counts as done."""
OVERLAP_S: Final = 120
"""Seconds after which a call without a result is taken for finished; agents stop most commands by then."""
MAX_SECRETS: Final = 64
"""Secret values of a session that are recognised again; of one more the oldest is not."""
RESULT_CHARS: Final = 2048
"""Characters at the end of a result in which :attr:`Step.result` is searched."""

MAX_TOOL_CHARS: Final = 256
"""Characters of a tool's name that are looked at."""

_ONLY_READS: Final = frozenset({"read", "search", "list", "metadata"})
_OTHER_SHAPE: Final = "the stored state of a session has another shape"
_RESULTS: Final = frozenset({EventKind.TOOL_RESULT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that happens in an event: any one of the following."""

    name: str
    says: str
    """What happened, as a clause in the past tense; shown to people."""
    rules: frozenset[str] = frozenset()
    """A finding of one of these rules."""
    categories: frozenset[str] = frozenset()
    """A finding of one of these categories, at least as severe as ``least``."""
    least: Severity = Severity.HIGH
    condition: str = ""
    """CEL over the facts of a tool call."""
    tool: str = ""
    """RE2 that occurs in the tool's name, for tools whose arguments say nothing."""
    result: str = ""
    """RE2 that occurs at the end of a result (:data:`RESULT_CHARS`)."""
    events: frozenset[str] = frozenset()
    """Agents' own names of lifecycle events."""
    refused: bool = False
    """A call that was denied."""
    traces: str = ""
    """``shown``: a result showed a secret value that can be recognised again; ``sent``: a call sends one of
    those outside."""
    kinds: frozenset[EventKind] = frozenset({EventKind.TOOL_CALL})
    """Kinds of event whose findings count."""

    def canonical(self) -> dict[str, object]:
        """Return what decides, as JSON values."""
        return {
            "name": self.name, "rules": sorted(self.rules), "categories": sorted(self.categories),
            "least": self.least.value, "condition": self.condition, "tool": self.tool, "result": self.result,
            "events": sorted(self.events), "refused": self.refused, "traces": self.traces,
            "kinds": sorted(self.kinds),
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """The steps of a chain and how long the first one matters."""

    steps: tuple[tuple[str, ...], ...]
    """In order; each a choice of step names."""
    events: int
    minutes: int
    """The window is left when more events *and* more minutes have passed."""
    late: Severity | None = None
    """Severity behind the window; None: the first step no longer matters there."""

    def canonical(self) -> dict[str, object]:
        """Return what decides, as JSON values."""
        return {
            "steps": [list(choice) for choice in self.steps], "events": self.events,
            "minutes": self.minutes, "late": self.late.value if self.late else "",
        }  # fmt: skip


class Moment(NamedTuple):
    """Where an event stands in its session."""

    event: int
    """Its number in the session, from 1."""
    at: int
    """Unix seconds."""
    evaluation: str
    """Id of the evaluation, so that a finding can name the earlier one."""


class Mark(NamedTuple):
    """That a step was taken: the first and the latest time."""

    first: int
    """Number of the event."""
    last: int
    at: int
    """Unix seconds of the latest."""
    evaluation: str
    """First eight characters of the latest evaluation's id."""

    def joined(self, later: Mark) -> Mark:
        """Return the mark that covers both."""
        newest = max(self, later, key=lambda each: each.last)
        return newest._replace(first=min(self.first, later.first))


class OpenCall(NamedTuple):
    """A call whose result has not arrived."""

    keys: tuple[str, ...]
    """Keyed fingerprints under which its result is recognised: of its id if any, of tool and arguments."""
    steps: tuple[str, ...]
    mark: Mark
    asked: bool = False
    """A person was asked and may have said no: it counts when there is a result."""
    showed: bool = False
    """It did nothing but show content, so replacing its result undoes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What is remembered of a session for its chains; bounded, free of content."""

    marks: Mapping[str, Mark] = field(default_factory=dict)
    open: tuple[OpenCall, ...] = ()
    """Oldest first."""
    secrets: tuple[str, ...] = ()
    """Keyed fingerprints of secret values that results showed, oldest first."""

    def __bool__(self) -> bool:
        return bool(self.marks or self.open or self.secrets)

    @property
    def questions(self) -> frozenset[str]:
        """Fingerprints of the calls a person was asked about."""
        return frozenset(key for call in self.open if call.asked for key in call.keys)

    def as_data(self) -> dict[str, Any]:
        """Return JSON values for the store; empty when there is nothing."""
        data: dict[str, Any] = {}
        if self.marks:
            data["marks"] = {name: list(mark) for name, mark in self.marks.items()}
        if self.open:
            data["open"] = [
                [list(call.keys), list(call.steps), list(call.mark), call.asked, call.showed]
                for call in self.open
            ]
        if self.secrets:
            data["secrets"] = list(self.secrets)
        return data

    @classmethod
    def from_data(cls, data: object) -> Memory:
        """Return what :meth:`as_data` gave.

        Raises:
            ValueError: It is of another shape.
        """
        if not data:
            return _NOTHING
        if not isinstance(data, Mapping):
            raise ValueError(_OTHER_SHAPE)
        try:
            marks = {str(name): _mark(values) for name, values in dict(data.get("marks", {})).items()}
            return cls(
                marks=marks,
                open=tuple(_open_call(values) for values in data.get("open", ())),
                secrets=tuple(map(str, data.get("secrets", ()))),
            )
        except (TypeError, ValueError) as error:
            raise ValueError(_OTHER_SHAPE) from error


_NOTHING: Final = Memory()


def _mark(values: Sequence[Any]) -> Mark:
    first, last, at, evaluation = values
    return Mark(int(first), int(last), int(at), str(evaluation))


def _open_call(values: Sequence[Any]) -> OpenCall:
    keys, steps, mark, asked, showed = values
    return OpenCall(
        tuple(map(str, keys)), tuple(map(str, steps)), _mark(mark), asked=bool(asked), showed=bool(showed)
    )


class Outcome(StrEnum):
    """What became of an event."""

    HAPPENED = "happened"
    ASKED = "asked"
    DENIED = "denied"
    REPLACED = "replaced"


class Sight(NamedTuple):
    """What one event means for the chains of its session."""

    steps: frozenset[str] = frozenset()
    findings: tuple[Finding, ...] = ()
    faults: tuple[str, ...] = ()
    """Steps whose condition could not be evaluated."""
    showed: bool = False
    """See :attr:`OpenCall.showed`."""
    secrets: tuple[str, ...] = ()
    """See :attr:`Memory.secrets`."""


NOTHING_SEEN: Final = Sight()
_Fingerprints = Callable[[], tuple[str, ...]]
"""Returns what :attr:`OpenCall.keys` holds for the call an event is about; empty when it names none."""


class ChainSet:
    """The steps and chains of a pack. Immutable; may be shared between threads."""

    def __init__(self, steps: Iterable[Step] = (), rules: Iterable[Rule] = ()) -> None:
        """Compile.

        Args:
            steps: All steps that chains may name.
            rules: The rules that are chains (:attr:`Rule.ordered`).

        Raises:
            PackError: A step is named that there is none of, a name stands twice, there are too many, or a
                condition or pattern does not compile; the message starts with the step's or rule's id.
        """
        self.steps: Mapping[str, Step] = _by_name(steps)
        self._chains = [(rule, rule.ordered) for rule in rules if rule.ordered is not None]
        self._check_names()
        own = self.steps.values()
        self._conditions = ConditionSet([(step.name, step.condition) for step in own if step.condition])
        self._tools = PatternSet([(step.name, step.tool) for step in own if step.tool])
        self._results = PatternSet([(step.name, step.result) for step in own if step.result])
        self._by_rule = _index(own, lambda step: step.rules)
        self._by_category = _index(own, lambda step: step.categories)
        self._by_event = _index(own, lambda step: step.events)
        self._refused = frozenset(step.name for step in own if step.refused)
        self._shown = frozenset(step.name for step in own if step.traces == "shown")
        self._sent = frozenset(step.name for step in own if step.traces == "sent")
        self._carried = frozenset(
            name for _, ordered in self._chains for choice in ordered.steps[:-1] for name in choice
        )
        self._of_tool = lru_cache(maxsize=1024)(self._steps_of_tool)

    def __bool__(self) -> bool:
        return bool(self._chains)

    def canonical(self) -> list[dict[str, object]]:
        """Return what decides about the steps that chains use, as JSON values."""
        used = {name for _, ordered in self._chains for choice in ordered.steps for name in choice}
        return [self.steps[name].canonical() for name in sorted(used)]

    # ---- looking --------------------------------------------------------------------------------

    def look(
        self,
        event: Event,
        memory: Memory,
        moment: Moment,
        *,
        findings: Sequence[Finding] = (),
        facts: Facts | None = None,
        text: str = "",
        keys: _Fingerprints = tuple,
        tracer: Tracer | None = None,
    ) -> Sight:
        """Return the steps an event takes and the chains it completes.

        Args:
            event: Of any kind.
            memory: What the session did before it.
            moment: Where it stands in its session.
            findings: What was found in it; those without weight take no step.
            facts: What a tool call does.
            text: The text of a result.
            keys: Returns the fingerprints of the call it is about; asked only when calls are open.
            tracer: Recognises secret values; without it none is followed.
        """
        if not self._chains:
            return NOTHING_SEEN
        steps, faults = self._steps_of(event, findings, facts, text)
        secrets: tuple[str, ...] = ()
        if tracer is not None:
            if findings and event.kind in _RESULTS and (secrets := tracer.shown()):
                steps |= self._shown
            elif facts is not None and memory.secrets and self._sends(event, facts, memory, tracer):
                steps |= self._sent
        approved = self._approved(event, memory, keys)
        if not steps and not approved:
            return NOTHING_SEEN if not faults else Sight(faults=tuple(faults))
        taken = frozenset(steps) | approved
        completed = self._completed(taken, memory, moment)
        evidence = _evidence(event, facts) if completed else ""
        return Sight(
            steps=frozenset(steps),
            findings=tuple(
                rule.finding(why, evidence=evidence, severity=severity, masks=False)
                for rule, severity, why in completed
            ),
            faults=tuple(faults),
            showed=facts is not None and _only_shows(facts),
            secrets=secrets,
        )

    def _sends(self, event: Event, facts: Facts, memory: Memory, tracer: Tracer) -> bool:
        outside = talks_outside(facts) or bool(self._of_tool(event.tool[:MAX_TOOL_CHARS]))
        return outside and tracer.sends_one_of(memory.secrets)

    def _steps_of(
        self, event: Event, findings: Sequence[Finding], facts: Facts | None, text: str
    ) -> tuple[set[str], list[str]]:
        steps: set[str] = set()
        faults: list[str] = []
        for finding in findings:
            if not finding.detection_only:
                steps.update(self._of_finding(finding, event.kind))
        if facts is not None:
            for held in self._conditions.evaluate(facts, event.cwd):
                if held.failed:
                    faults.append(held.rule_id)
                else:
                    steps.add(held.rule_id)
            steps.update(self._of_tool(event.tool[:MAX_TOOL_CHARS]))
        elif event.kind is EventKind.TOOL_RESULT and len(self._results):
            steps.update(self._results.matching(encodable(text[-RESULT_CHARS:]).encode()))
        elif event.kind is EventKind.LIFECYCLE:
            steps.update(step.name for step in self._by_event.get(event.name, ()))
        return steps, faults

    def _of_finding(self, finding: Finding, kind: EventKind) -> Iterable[str]:
        for step in self._by_rule.get(finding.rule_id, ()):
            if kind in step.kinds:
                yield step.name
        for step in self._by_category.get(finding.category, ()):
            if kind in step.kinds and finding.severity.rank >= step.least.rank:
                yield step.name

    def _steps_of_tool(self, tool: str) -> tuple[str, ...]:
        return tuple(self._tools.matching(encodable(tool)))

    def _approved(self, event: Event, memory: Memory, keys: _Fingerprints) -> frozenset[str]:
        """Return the steps of calls that a person was asked about and that ran, as this result shows."""
        if event.kind not in _RESULTS or not any(call.asked for call in memory.open):
            return frozenset()
        answered = _answered(memory.open, keys())
        return frozenset(name for call in answered if call.asked for name in call.steps)

    def _completed(
        self, taken: frozenset[str], memory: Memory, moment: Moment
    ) -> list[tuple[Rule, Severity, str]]:
        now = Mark(moment.event, moment.event, moment.at, moment.evaluation)
        before = dict(memory.marks)
        overlapping = set(taken)
        for call in memory.open:
            if not call.asked:
                _merge(before, call.steps, call.mark)
                if moment.at - call.mark.at <= OVERLAP_S:
                    overlapping.update(call.steps)
        _merge(before, taken, now)
        found = []
        for rule, ordered in self._chains:
            begun = _begun(ordered.steps, taken, before, overlapping)
            if begun is None:
                continue
            name, mark = begun
            severity = _severity(rule, ordered, mark, moment)
            if severity is not None:
                found.append((rule, severity, self._because(ordered, name, mark, moment)))
        return found

    def _because(self, ordered: Ordered, name: str, mark: Mark, moment: Moment) -> str:
        ago = moment.event - mark.last
        last = self.steps[ordered.steps[-1][0]].says
        if not ago:
            return f"{self.steps[name].says}, {last}: in one call, or in calls that overlap"
        counted = "1 event" if ago == 1 else f"{ago} events"
        return f"{self.steps[name].says} {counted} before (evaluation {mark.evaluation}), then {last}"

    # ---- advancing ------------------------------------------------------------------------------

    def advance(
        self,
        memory: Memory,
        event: Event,
        sight: Sight,
        outcome: Outcome,
        moment: Moment,
        keys: _Fingerprints,
    ) -> tuple[Memory, tuple[str, ...]]:
        """Return what is remembered after an event, and a sentence for each step that does not count.

        The same memory comes back when there is nothing to add.

        Args:
            keys: Returns the fingerprints of the call; asked only when there is something to remember.
        """
        ended = event.kind in _RESULTS and bool(memory.open)
        denied = outcome is Outcome.DENIED and (self._refused or memory.open)
        if not (sight.steps or ended or denied or outcome is Outcome.ASKED):
            return memory, ()
        marks, still_open, notes = dict(memory.marks), memory.open, list[str]()
        secrets = memory.secrets
        if ended:
            still_open = self._close(marks, memory.open, keys(), outcome, notes)
        mark = Mark(moment.event, moment.event, moment.at, moment.evaluation[:8])
        if outcome is Outcome.DENIED:
            notes += self._uncounted(sight.steps, "the call was denied")
            if event.kind is EventKind.TOOL_CALL:
                self._keep(marks, self._refused, mark)
            still_open = _without(still_open, keys())
        elif outcome is Outcome.REPLACED:
            notes += self._uncounted(sight.steps, "the result was replaced")
        elif event.kind is EventKind.TOOL_CALL or outcome is Outcome.ASKED:
            asked = outcome is Outcome.ASKED
            call = OpenCall(keys(), tuple(sorted(sight.steps)), mark, asked, sight.showed)
            still_open = _with(still_open, call)
        else:
            self._keep(marks, sight.steps, mark)
            secrets = (*(each for each in secrets if each not in sight.secrets), *sight.secrets)
        self._settle(marks, still_open[:-MAX_OPEN])
        fresh = Memory(marks=marks, open=still_open[-MAX_OPEN:], secrets=secrets[-MAX_SECRETS:])
        return fresh, tuple(notes)

    def _close(
        self,
        marks: dict[str, Mark],
        open_calls: tuple[OpenCall, ...],
        keys: tuple[str, ...],
        outcome: Outcome,
        notes: list[str],
    ) -> tuple[OpenCall, ...]:
        answered = _answered(open_calls, keys)
        for call in answered:
            if outcome is Outcome.REPLACED and call.showed and keys:
                notes += self._uncounted(call.steps, "its result was replaced")
            else:
                self._settle(marks, (call,))
        return tuple(call for call in open_calls if call not in answered)

    def _uncounted(self, names: Iterable[str], why: str) -> list[str]:
        known = (self.steps[name] for name in sorted(names) if name in self.steps)
        return [f"session: {step.says}: does not count, {why}" for step in known]

    def _settle(self, marks: dict[str, Mark], calls: Iterable[OpenCall]) -> None:
        for call in calls:
            self._keep(marks, call.steps, call.mark)

    def _keep(self, marks: dict[str, Mark], names: Iterable[str], mark: Mark) -> None:
        """Only what a chain may build on is remembered; so marks are at most as many as steps."""
        _merge(marks, (name for name in names if name in self._carried), mark)

    def _check_names(self) -> None:
        for rule, ordered in self._chains:
            for name in (name for choice in ordered.steps for name in choice):
                if name not in self.steps:
                    raise PackError(f"{rule.id}: no step is named {name!r}")


def _by_name(steps: Iterable[Step]) -> dict[str, Step]:
    known: dict[str, Step] = {}
    for step in steps:
        if step.name in known:
            raise PackError(f"{step.name}: this step is taken")
        known[step.name] = step
    if len(known) > MAX_STEPS:
        raise PackError(f"more than {MAX_STEPS} steps")
    return known


def _index(steps: Iterable[Step], of: Callable[[Step], Iterable[str]]) -> dict[str, list[Step]]:
    found: dict[str, list[Step]] = {}
    for step in steps:
        for key in of(step):
            found.setdefault(key, []).append(step)
    return found


def _merge(marks: dict[str, Mark], names: Iterable[str], mark: Mark) -> None:
    for name in names:
        known = marks.get(name)
        marks[name] = mark if known is None else known.joined(mark)


def _answered(open_calls: Sequence[OpenCall], keys: tuple[str, ...]) -> list[OpenCall]:
    """Return the open calls a result belongs to; one that names no call may belong to any."""
    if not keys:
        return list(open_calls)
    return [call for call in open_calls if not set(keys).isdisjoint(call.keys)]


def _with(open_calls: tuple[OpenCall, ...], call: OpenCall) -> tuple[OpenCall, ...]:
    """Add a call. One that comes again under its own id (agents ask twice about one call) stays one call.

    Nothing is taken back by that: ids are the agent's, and one used twice must not wipe what came before.
    """
    same = [each for each in open_calls if each.keys[:1] == call.keys[:1]]
    for each in same:
        call = call._replace(
            steps=tuple(sorted({*call.steps, *each.steps})),
            mark=each.mark.joined(call.mark),
            asked=call.asked and each.asked,
            showed=call.showed and each.showed,
        )
    return (*(each for each in open_calls if each not in same), call)


def _without(open_calls: tuple[OpenCall, ...], keys: tuple[str, ...]) -> tuple[OpenCall, ...]:
    """Drop the very call (id and arguments) that was let through at first and is denied now."""
    return tuple(each for each in open_calls if len(keys) < 2 or each.keys != keys)


def _begun(
    steps: tuple[tuple[str, ...], ...],
    taken: frozenset[str],
    before: Mapping[str, Mark],
    overlapping: set[str],
) -> tuple[str, Mark] | None:
    """Return the first step of a chain that is complete now, at its latest; None when it is not.

    What was taken now stands at any place of the chain: before it in order, behind it only what overlaps.
    """
    for at in range(len(steps) - 1, -1, -1):
        if taken.isdisjoint(steps[at]):
            continue
        if any(overlapping.isdisjoint(choice) for choice in steps[at + 1 :]):
            return None
        if _in_order(steps[:at], before):
            seen = [(name, before[name]) for name in steps[0] if name in before]
            return max(seen, key=lambda each: each[1].last)
    return None


def _in_order(steps: tuple[tuple[str, ...], ...], before: Mapping[str, Mark]) -> bool:
    after = 0
    for choice in steps:
        marks = [before[name] for name in choice if name in before]
        later = [number for mark in marks for number in (mark.first, mark.last) if number > after]
        if not later:
            return False
        after = min(later)
    return True


def _severity(rule: Rule, ordered: Ordered, begun: Mark, moment: Moment) -> Severity | None:
    in_window = moment.event - begun.last < ordered.events or moment.at - begun.at <= 60 * ordered.minutes
    if in_window:
        return rule.severity
    if ordered.late is None:
        return None
    return min(ordered.late, rule.severity, key=lambda each: each.rank)


def _evidence(event: Event, facts: Facts | None) -> str:
    """Return the beginning of what completed the chain."""
    first = facts.commands[0].text if facts is not None and facts.commands else event.tool
    return encodable(first)


def _only_shows(facts: Facts) -> bool:
    """Whether a call did nothing but show content to the model.

    Only a file tool's read: what a shell prints may hold anything beside what was replaced.
    """
    return (
        not facts.commands
        and not facts.network
        and bool(facts.paths)
        and all(path.access in _ONLY_READS for path in facts.paths)
    )
