"""The lane: asks the judges an event needs, in parallel and in time, and says what follows.

Never raises for anything a judge does. An answer may add findings. Where the operator chose it, it may also
take the weight off a doubt about instructions, if :func:`~defenseclaw.judging.plan.liftable` allows, the
judge saw the whole text, and the reply repeats its question's number. A failure adds and takes nothing.

Source: ``spec/guardrail.md`` §1.4, §12.4; issue "Detection worth trusting" item 7.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as with_changes
from typing import Final, Protocol

from defenseclaw.detection.engine import Detection
from defenseclaw.detection.text import encodable
from defenseclaw.judging.endpoint import Address, Endpoint
from defenseclaw.judging.failures import JudgeFailure
from defenseclaw.judging.formats import FORMATS
from defenseclaw.judging.formats.base import Model, Request
from defenseclaw.judging.grading import findings_of
from defenseclaw.judging.memory import Answers, Breaker
from defenseclaw.judging.plan import Choices, is_open, liftable, min_entities, questions_for
from defenseclaw.judging.prompts import new_fence, prompt_for
from defenseclaw.judging.questions import Judge, Question
from defenseclaw.judging.replies import Answer, parse
from defenseclaw.judging.samples import Sample, sample_of
from defenseclaw.vocabulary import Door, Event, EventKind, Finding, Posture

log = logging.getLogger(__name__)

MIN_REMAINING_S: Final = 1.0
"""With less time left nothing is asked."""
MAX_CONCURRENT: Final = 16
MAX_WAITING: Final = 32
"""Questions that may wait for a place; more are not asked, so that a slow endpoint fills no queue."""
LARGE_CHARS: Final = 65536

Finder = Callable[[str], Iterable[tuple[int, int]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything the operator chose about the lane."""

    format: str
    """A key of :data:`~defenseclaw.judging.formats.FORMATS`."""
    models: tuple[Model, ...]
    """Asked in this order until one answers; at least one."""
    address: Address
    proxy: Address | None = None
    choices: Choices = field(default_factory=Choices)
    timeout_s: float = 30.0
    adjudication_timeout_s: float = 5.0
    hook_timeout_s: float = 5.0
    """From the moment a hook's event arrived; below the time its script waits."""
    max_chars: int = 24_000
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Credentials of this installation; no judge sees them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What the judges made of one event. Free of content."""

    findings: tuple[Finding, ...] = ()
    """In addition to those of the rules."""
    lifted: frozenset[str] = frozenset()
    """Ids of the rules' findings that lose their weight."""
    withholds: bool = False
    """A result or completion carries instructions to the agent; a replacement shows none of it."""
    trail: tuple[str, ...] = ()
    row: Mapping[str, str] = field(default_factory=dict)
    """For the audit row: ``judge``, ``judge_model``, ``judge_ms``, ``judge_outcome``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What became of one question."""

    question: Question
    answer: Answer | None = None
    failure: JudgeFailure | None = None
    findings: tuple[Finding, ...] = ()
    lifted: frozenset[str] = frozenset()
    elapsed_ms: int = 0
    cached: bool = False

    @property
    def word(self) -> str:
        """The outcome in one word, or the failure's."""
        if self.failure is not None:
            return f"failed ({self.failure.words})"
        if self.findings:
            return "raised"
        if self.lifted:
            return "lifted"
        return "dismissed" if self.answer is not None and self.answer.dismissed else "clean"


class Sender(Protocol):
    """Sends one request and returns the body of a good reply."""

    async def post(self, request: Request) -> bytes:
        """See :meth:`Endpoint.post`."""
        ...


class Lane:
    """The judges of one gateway.

    Args:
        settings: The operator's choices; another lane is made when they change.
        sender: For tests; the real endpoint by default.
        clock: Seconds that never go back.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        sender: Sender | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.counters: Counter[str] = Counter()
        """``asked``, ``cached``, ``clean``, ``raised``, ``dismissed``, ``lifted``, ``failed``,
        ``failed_<reason>``."""
        self._format = FORMATS[settings.format]
        self._sender: Sender = sender or Endpoint(settings.address, settings.proxy)
        self._clock = clock
        self._answers = Answers()
        self._breaker = Breaker()
        self._places = asyncio.Semaphore(MAX_CONCURRENT)
        self._waiting = 0

    def forget(self) -> None:
        """Drop kept answers; for when rules changed."""
        self._answers.clear()

    def health(self) -> dict[str, object]:
        """Return what anyone on this machine may know of the lane: counters and the breaker's state."""
        return {"paused": self._breaker.is_open, **dict(sorted(self.counters.items()))}

    async def opinion(
        self, event: Event, found: Detection, posture: Posture, *, find: Finder, elapsed_s: float
    ) -> Opinion | None:
        """Return what the judges make of an event; None when none was needed.

        Args:
            event: What was inspected.
            found: What the rules found in it.
            posture: What the operator chose for the event's connector.
            find: Finds secrets in a text.
            elapsed_s: Since the event arrived; what is left of its time is what judges may take.
        """
        choices = self.settings.choices
        if found.scanned is None or not is_open(event, found.findings, choices):
            return None
        try:
            began = self._clock()
            sample = await self._sample(event, found, find)
            questions = questions_for(event, found.findings, choices, sample.text)
            if not questions:
                return None
            within_s = self._budget_s(event) - elapsed_s - (self._clock() - began)
            answers = await asyncio.gather(*(self._answered(each, within_s) for each in questions))
            return self._weighed(event, found, posture, sample, answers)
        except Exception as error:  # a mistake of ours must not cost the verdict of the rules
            log.error("the judge lane failed: %s", type(error).__name__)
            return self._broken()

    def _budget_s(self, event: Event) -> float:
        return self.settings.hook_timeout_s if event.door is Door.HOOK else self.settings.timeout_s

    async def _sample(self, event: Event, found: Detection, find: Finder) -> Sample:
        scanned = found.scanned
        text = scanned.text if scanned is not None else ""
        spans = [(span.start, span.end) for span in found.spans]
        if event.kind is EventKind.TOOL_CALL:
            title = f"tool: {encodable(event.tool)}\n"
            text = title + text
            spans = [(start + len(title), end + len(title)) for start, end in spans]

        def made() -> Sample:
            settings = self.settings
            return sample_of(text, spans, find, known=settings.secrets, limit=settings.max_chars)

        return await asyncio.to_thread(made) if len(text) > LARGE_CHARS else made()

    # ---- one question -----------------------------------------------------------------------------

    async def _answered(self, question: Question, within_s: float) -> _Outcome:
        """Ask one question; a failure is an outcome like any other."""
        began = self._clock()
        if question.judge is Judge.ADJUDICATION:
            within_s = min(within_s, self.settings.adjudication_timeout_s)
        key = self._answers.key_of(question, self.settings.models[0].name)
        kept = self._answers.get(key, began)
        if kept is not None:
            self.counters["cached"] += 1
            return _Outcome(question=question, answer=kept, cached=True)
        try:
            answer = await self._asked(question, within_s)
        except JudgeFailure as failure:
            return _Outcome(question=question, failure=failure, elapsed_ms=self._ms_since(began))
        self._answers.keep(key, answer, self._clock())
        return _Outcome(question=question, answer=answer, elapsed_ms=self._ms_since(began))

    async def _asked(self, question: Question, within_s: float) -> Answer:
        if within_s < MIN_REMAINING_S:
            raise JudgeFailure("timeout")
        if self._waiting >= MAX_WAITING:
            raise JudgeFailure("busy")
        if not self._breaker.admits(self._clock()):
            raise JudgeFailure("paused")
        self.counters["asked"] += 1
        was_sent = False
        self._waiting += 1
        is_waiting = True
        try:
            async with asyncio.timeout(within_s), self._places:
                self._waiting -= 1
                is_waiting, was_sent = False, True
                answer = await self._from_models(question)
        except TimeoutError:
            self._note_failure(was_sent)
            raise JudgeFailure("timeout") from None
        except JudgeFailure:
            self._note_failure(was_sent)
            raise
        except BaseException:
            self._breaker.gave_up()
            raise
        finally:
            self._waiting -= is_waiting
        self._breaker.succeeded()
        return answer

    def _note_failure(self, was_sent: bool) -> None:
        if was_sent:
            self._breaker.failed(self._clock())
        else:
            self._breaker.gave_up()

    async def _from_models(self, question: Question) -> Answer:
        failure = JudgeFailure("internal")
        for model in self.settings.models:
            fence = new_fence()
            try:
                body = await self._sender.post(self._format.request(prompt_for(question, fence), model))
                return parse(question, self._format.answer(body), fence)
            except JudgeFailure as error:
                failure = error
        raise failure

    def _ms_since(self, began: float) -> int:
        return round((self._clock() - began) * 1000)

    # ---- what follows -----------------------------------------------------------------------------

    def _weighed(
        self,
        event: Event,
        found: Detection,
        posture: Posture,
        sample: Sample,
        outcomes: Sequence[_Outcome],
    ) -> Opinion:
        """Grade answers. Nothing is lifted where any judge found something."""
        is_sensitive = self._names_sensitive_file(found.findings, outcomes)
        graded: list[_Outcome] = []
        for outcome in outcomes:
            if outcome.answer is None:
                graded.append(outcome)
                continue
            findings = findings_of(
                outcome.question,
                _counted(outcome.answer, min_entities(event)),
                posture.profile,
                names_sensitive_file=is_sensitive,
            )
            graded.append(with_changes(outcome, findings=findings))
        may_lift = self.settings.choices.lifts and sample.is_whole
        if may_lift and not any(each.findings for each in graded):
            allowed = liftable(found.findings, posture.profile)
            graded = [_lifting(each, allowed) for each in graded]
        return self._opinion(graded)

    def _opinion(self, outcomes: Sequence[_Outcome]) -> Opinion:
        for each in outcomes:
            self.counters["failed" if each.failure else each.word] += 1
            if each.failure:
                self.counters[f"failed_{each.failure.reason}"] += 1
        findings: dict[str, Finding] = {}
        for each in outcomes:
            findings |= {finding.rule_id: finding for finding in each.findings}
        model = f"{self.settings.format}/{self.settings.models[0].name}"
        return Opinion(
            findings=tuple(findings.values()),
            lifted=frozenset[str]().union(*(each.lifted for each in outcomes)),
            withholds=any(finding.masks for finding in findings.values()),
            trail=tuple(_sentence(each) for each in outcomes),
            row={
                "judge": ",".join(each.question.name for each in outcomes),
                "judge_model": model,
                "judge_ms": str(max(each.elapsed_ms for each in outcomes)),
                "judge_outcome": ",".join(each.word for each in outcomes),
            },
        )

    def _broken(self) -> Opinion:
        self.counters["failed"] += 1
        self.counters["failed_internal"] += 1
        return Opinion(
            trail=("judge: failed (internal); the verdict of the rules stands",),
            row={"judge": "lane", "judge_outcome": "failed (internal)"},
        )

    @staticmethod
    def _names_sensitive_file(findings: Sequence[Finding], outcomes: Sequence[_Outcome]) -> bool:
        said = any(
            each.question.judge is Judge.EXFIL and each.answer and "sensitive_file" in each.answer.marks
            for each in outcomes
        )
        return said or any(each.category == "sensitive-path" for each in findings)


def _counted(answer: Answer, least: int) -> Answer:
    if least <= 1 or not answer.counts:
        return answer
    return with_changes(
        answer, counts={name: count for name, count in answer.counts.items() if count >= least}
    )


def _lifting(outcome: _Outcome, allowed: frozenset[str]) -> _Outcome:
    """Return the outcome with the findings it takes the weight off."""
    answer, question = outcome.answer, outcome.question
    if answer is None or not answer.is_bound or not answer.is_clean:
        return outcome
    if question.judge is Judge.ADJUDICATION:
        lifted = answer.dismissed & allowed
    else:
        lifted = allowed if question.judge is Judge.INJECTION else frozenset()
    return with_changes(outcome, lifted=lifted)


def _sentence(outcome: _Outcome) -> str:
    took = "a recent answer" if outcome.cached else f"{outcome.elapsed_ms} ms"
    said = f"judge {outcome.question.name}: {outcome.word}, {took}"
    if outcome.failure is not None:
        return f"{said}; the verdict of the rules stands"
    named = ", ".join([*(each.rule_id for each in outcome.findings), *sorted(outcome.lifted)])
    return f"{said}: {named}" if named else said
