"""One event in its session: what the session's state makes of it, and the state after it.

The Inspector asks for the findings of chains while it judges, and for the new state once it has a verdict.
State and rows are committed in one transaction, so what a session did survives whatever stops the gateway.

Source: ``DECISIONS.md`` "Concurrency in a session", "A question asked twice"; ``DESIGN.md`` §3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from defenseclaw.audit.records import SessionState
from defenseclaw.detection.chains import NOTHING_SEEN, Memory, Moment, Outcome, Sight
from defenseclaw.detection.engine import Detection
from defenseclaw.detection.ruleset import BUILT_IN, RuleSet
from defenseclaw.detection.taint import Tracer
from defenseclaw.vocabulary import INTERNAL_FAULT, Action, Event, EventKind, Finding, Verdict

_CHAINS: Final = "chains"
_BEFORE: Final = frozenset({EventKind.PROMPT, EventKind.TOOL_CALL})
"""Kinds that are stopped by a block; a result or completion is there already."""


def fault(where: str) -> Finding:
    """Return the finding that says that ``where`` could not be evaluated."""
    return BUILT_IN[INTERNAL_FAULT].finding(where)


class SessionEvent:
    """One event of one session.

    Args:
        event: What is judged.
        state: The session's state before it.
        rules: The pack.
        evaluation_id: Of this evaluation.
        now_s: Unix seconds.
        placeholder: Keyed placeholder of a text; what is stored of a call is taken from it.
    """

    def __init__(
        self,
        event: Event,
        state: SessionState,
        rules: RuleSet,
        *,
        evaluation_id: str,
        now_s: int,
        placeholder: Callable[[str], str],
    ) -> None:
        self._event = event
        self._state = state
        self._chains = rules.chains
        self._moment = Moment(state.events + 1, now_s, evaluation_id)
        self._placeholder = placeholder
        self._sight = NOTHING_SEEN
        self._memory: Memory | None = None

    def findings(self, found: Detection) -> tuple[Finding, ...]:
        """Return the chains this event completes. Never raises: what goes wrong is a finding."""
        try:
            text = found.scanned.text if found.scanned is not None else ""
            self._sight = self._look(found, text)
        except Exception:  # whatever it is, the agent must not profit from it
            return (fault("chains of the session"),)
        if self._sight.faults:
            return (*self._sight.findings, fault("steps of chains"))
        return self._sight.findings

    def after(self, verdict: Verdict) -> tuple[SessionState, tuple[str, ...]]:
        """Return the session's state after the event, and what of it does not count and why.

        A question that is asked again while it is pending leaves the state as it is. The turn counter
        follows turn ids where the agent sends them, else prompts. Source: ``DECISIONS.md`` "A question asked
        twice", ``spec/observability-and-audit.md`` §4 "step_idx rule".
        """
        memory, outcome = self._remembered(), _outcome(self._event, verdict)
        if outcome is Outcome.ASKED and not memory.questions.isdisjoint(self._keys()[-1:]):
            return self._state, ()
        if self._event.kind is EventKind.LIFECYCLE:
            self._sight = self._chains.look(self._event, memory, self._moment)
        fresh, notes = self._chains.advance(
            memory, self._event, self._sight, outcome, self._moment, self._keys
        )
        state, turn = self._state, self._event.correlation.turn_id
        new_turn = turn != state.last_turn if turn else self._event.kind is EventKind.PROMPT
        return SessionState(
            connector=state.connector,
            session_id=state.session_id,
            step_idx=max(1, state.step_idx + new_turn),
            last_turn=turn or state.last_turn,
            events=state.events + 1,
            data={_CHAINS: fresh.as_data()} if fresh else {},
        ), notes

    def _look(self, found: Detection, text: str) -> Sight:
        self._memory = Memory.from_data(self._state.data.get(_CHAINS))
        return self._chains.look(
            self._event,
            self._memory,
            self._moment,
            findings=found.findings,
            facts=found.facts,
            text=text,
            keys=self._keys,
            tracer=Tracer(found, self._fingerprint),
        )

    def _remembered(self) -> Memory:
        if self._memory is None:
            try:
                self._memory = Memory.from_data(self._state.data.get(_CHAINS))
            except ValueError:  # it has been reported; what cannot be read cannot be kept
                self._memory = Memory()
        return self._memory

    def _keys(self) -> tuple[str, ...]:
        """Return keyed fingerprints of the call an event is about: of its id, of tool and arguments."""
        event, keys = self._event, list[str]()
        if event.correlation.tool_call_id:
            keys.append(self._fingerprint(f"id {event.correlation.tool_call_id}"))
        if event.kind in _BEFORE:
            keys.append(self._fingerprint(f"call {(event.tool, event.args, event.text)!r}"))
        elif event.args is not None:
            keys.append(self._fingerprint(f"call {(event.tool, event.args, '')!r}"))
        return tuple(keys)

    def _fingerprint(self, text: str) -> str:
        """Return eight hex digits of a keyed HMAC; ``text`` has five bytes or more."""
        return self._placeholder(text)[-9:-1]


def _outcome(event: Event, verdict: Verdict) -> Outcome:
    """Return what became of an event, as far as it is up to us."""
    if verdict.replacement is not None:
        return Outcome.REPLACED
    if event.kind in _BEFORE and verdict.action is Action.BLOCK:
        return Outcome.DENIED
    return Outcome.ASKED if verdict.action is Action.CONFIRM else Outcome.HAPPENED
