"""Detection: an event and a compiled pack in, findings out.

Pure. What a tool call runs or touches on disk is asked for: :func:`detect` is a generator that yields
:class:`Need` and is sent a :class:`Snapshot` for each; :func:`run` drives it with a function.

A tool call is understood (:mod:`defenseclaw.detection.understanding`) and judged by conditions over facts,
by patterns over commands and program text, and by patterns over its arguments. Every other kind is judged
by patterns over its text. The lanes are independent: one that fails becomes an ``INTERNAL-FAULT`` finding
and what the others found stays.

Source: ``DECISIONS.md`` "Verdicts"; ``spec/guardrail.md`` §1, §4, §6.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from msgspec import Struct

from defenseclaw.detection.code.findings import strongest as insecure_code
from defenseclaw.detection.conditions import Held, Witness, without_previews
from defenseclaw.detection.facts import Facts, Need, Snapshot
from defenseclaw.detection.injection import Channel, Passage, passages
from defenseclaw.detection.patterns import PatternOverload, PatternSet
from defenseclaw.detection.programs import TABLE as PROGRAMS
from defenseclaw.detection.ruleset import BUILT_IN, Rule, RuleSet, Subject
from defenseclaw.detection.secrets import VALIDATORS
from defenseclaw.detection.text import Subject as Scanned
from defenseclaw.detection.text import View, encodable, subject, views
from defenseclaw.detection.understanding import understand
from defenseclaw.vocabulary import (
    INPUT_BOUND,
    INTERNAL_FAULT,
    SHOWN_KINDS,
    Event,
    EventKind,
    Finding,
    HostContext,
    Severity,
)

_T = TypeVar("_T")
_BOUND_ISSUES: Final = frozenset(("input_limit", "depth_limit", "fact_limit"))
_SCRIPT_ENDINGS: Final = (
    ".sh", ".bash", ".zsh", ".ksh", ".py", ".pl", ".rb", ".js", ".mjs", ".cjs", ".ts", ".php", ".lua", ".ps1",
)  # fmt: skip


class Span(Struct, frozen=True, kw_only=True):
    """One accepted match of a masking rule, in characters of the scanned text."""

    rule_id: str
    start: int
    end: int


class Detection(Struct, frozen=True, kw_only=True):
    """What was found in one event."""

    findings: tuple[Finding, ...] = ()
    """One per rule, the most severe first, then by rule id."""
    facts: Facts | None = None
    """What a tool call does; None for other kinds and when understanding failed."""
    scanned: Scanned | None = None
    """The text that was searched, with the place of each string in it; None for lifecycle events."""
    spans: tuple[Span, ...] = ()
    """Every place in ``scanned.text`` that a replacement must mask, by start."""
    withhold: bool = False
    """The result or completion carries instructions to the agent; a replacement shows none of it."""


def detect(event: Event, rules: RuleSet, host: HostContext) -> Generator[Need, Snapshot, Detection]:
    """Inspect one event.

    Args:
        event: Of any kind; lifecycle events have no findings but of what could not be taken in.
        rules: The pack.
        host: What is known of the machine.

    Yields:
        Files that must be known to judge a tool call.

    Returns:
        Findings, facts and spans. Never raises for anything an event holds.
    """
    lanes = _Lanes(event, rules)
    lanes.bound(*event.faults)
    if event.kind is EventKind.LIFECYCLE:
        return Detection(findings=lanes.findings())
    facts: Facts | None = None
    if event.kind is EventKind.TOOL_CALL:
        try:
            facts = yield from understand(event, host)
        except Exception as error:
            lanes.went_wrong("understanding", error)
    if facts is not None:
        try:
            lanes.judge_call(facts)
        except Exception as error:
            lanes.went_wrong("judging the call", error)
    scanned = lanes.judge_text()
    return Detection(
        findings=lanes.findings(), facts=facts, scanned=scanned, spans=lanes.spans(), withhold=lanes.withhold
    )


def run(steps: Generator[Need, Snapshot, _T], answer: Callable[[Need], Snapshot] | None = None) -> _T:
    """Drive what asks for files, :func:`detect` or a part of it, to its end; return what that returns.

    Args:
        steps: What :func:`detect` returned.
        answer: Looks a file up; by default every file is missing.
    """
    look_up = answer or (lambda need: Snapshot(real_path=need.path))
    try:
        need = next(steps)
        while True:
            need = steps.send(look_up(need))
    except StopIteration as stop:
        result: _T = stop.value
        return result


@dataclass(slots=True)
class _Lanes:
    """Collects what the lanes of one inspection find."""

    event: Event
    rules: RuleSet
    _found: dict[str, Finding] = field(default_factory=dict)
    _spans: set[tuple[int, int, str]] = field(default_factory=set)
    _bounds: set[str] = field(default_factory=set)
    _faults: set[str] = field(default_factory=set)
    withhold: bool = False

    def went_wrong(self, lane: str, error: Exception) -> None:
        """Take note of an error; the finding is the report, there is nobody to tell in a pure core."""
        if isinstance(error, PatternOverload):
            self.bound("pattern_limit")
        else:
            self._faults.add(lane)

    def bound(self, *names: str) -> None:
        self._bounds.update(names)

    def judge_call(self, facts: Facts) -> None:
        self._bounds |= _BOUND_ISSUES.intersection(facts.issues)
        try:
            for held in self.rules.conditions.evaluate(facts, self.event.cwd):
                self._held(held)
        except Exception as error:
            self.went_wrong("conditions", error)
        acting = without_previews(facts)
        for lane, judge in _CALL_LANES:
            try:
                judge(self, acting)
            except Exception as error:
                self.went_wrong(lane, error)

    def _judge_commands(self, acting: Facts) -> None:
        self._search(Subject.COMMAND, (command.text for command in acting.commands), "in a command")

    def _judge_code(self, acting: Facts) -> None:
        self._search(Subject.CODE, _code(acting), "in program text")

    def _judge_written(self, acting: Facts) -> None:
        if acting.written:
            self._found |= {each.rule_id: each for each in insecure_code(acting.written, self.rules)}

    def judge_text(self) -> Scanned | None:
        """Search the event's text in every reading of it; None when there was none to be had."""
        scanned: Scanned | None = None
        try:
            scanned = subject(self.event)
            if not scanned.complete:
                self.bound("too_deep")
            self._judge_patterns(scanned)
        except Exception as error:
            self.went_wrong("text", error)
        # A tool call speaks for the agent, so its arguments are not searched for what speaks to it.
        channel = _CHANNELS.get(self.event.kind)
        if scanned is not None and channel is not None and self.rules.instructions:
            try:
                self._judge_instructions(scanned, channel)
            except Exception as error:
                self.went_wrong("instructions", error)
        return scanned

    def _judge_patterns(self, scanned: Scanned) -> None:
        patterns = self.rules.patterns[Subject.TEXT]
        for view in views(scanned):
            where = f"in the {_KIND_WORDS[self.event.kind]}" + _READINGS.get(view.note, "")
            for rule, start, end in self._accepted(patterns, view.text, view.utf8):
                self._add(rule, view.text[start:end], f"pattern {where}")
                if rule.masks:
                    self._spans.add((*view.original(start, end), rule.id))

    def _judge_instructions(self, scanned: Scanned, channel: Channel) -> None:
        """Find what speaks to the agent."""
        found: list[tuple[Passage, View]] = []
        for view in views(scanned):
            if view.note != "joined":
                unseen = view.note == "encoded"
                try:
                    for passage in passages(view.text, channel, utf8=view.utf8, unseen=unseen):
                        found.append((passage, view))
                except Exception as error:
                    self.went_wrong("instructions", error)
        for passage, view in sorted(found, key=lambda each: -each[0].score):
            for rule, (start, end) in self.rules.instructions.holding(passage, view.text, self.event.kind):
                self._add_instruction(rule, passage, view.text[start:end])

    def _add_instruction(self, rule: Rule, passage: Passage, evidence: str) -> None:
        severity = rule.severity if passage.is_certain else min(rule.severity, Severity.MEDIUM, key=_rank)
        withheld = severity.rank >= Severity.HIGH.rank and self.event.kind in SHOWN_KINDS
        self.withhold |= withheld and not rule.detection_only
        judged = replace(
            rule,
            severity=severity,
            confidence=round(rule.confidence * min(passage.score, 100) / 100, 2),
            masks=withheld,
        )
        where = f"in the {_KIND_WORDS[self.event.kind]}: "
        self._add(judged, evidence, where + "; ".join(passage.places))

    def findings(self) -> tuple[Finding, ...]:
        if self._bounds:
            severity = Severity.HIGH if self.event.kind is EventKind.TOOL_CALL else Severity.MEDIUM
            self._add_built_in(INPUT_BOUND, severity, self._bounds)
        if self._faults:
            self._add_built_in(INTERNAL_FAULT, Severity.HIGH, self._faults)
        return tuple(sorted(self._found.values(), key=lambda each: (-each.severity.rank, each.rule_id)))

    def spans(self) -> tuple[Span, ...]:
        return tuple(
            Span(rule_id=rule_id, start=start, end=end) for start, end, rule_id in sorted(self._spans)
        )

    def _held(self, held: Held) -> None:
        if held.failed:
            self._faults.add(f"condition of {held.rule_id}")
            return
        rule = self.rules.rules[held.rule_id]
        if self.event.kind not in rule.kinds:
            return
        evidence = _evidence(held.witness) or self.event.tool
        self._add(rule, evidence, explain(self.rules, held))

    def _search(self, on: Subject, texts: Iterable[str], where: str) -> None:
        patterns = self.rules.patterns[on]
        if not len(patterns):
            return
        for text in texts:
            whole = encodable(text)
            for rule, start, end in self._accepted(patterns, whole, whole.encode()):
                self._add(rule, whole[start:end], f"pattern {where}")

    def _accepted(self, patterns: PatternSet, text: str, utf8: bytes) -> Iterator[tuple[Rule, int, int]]:
        """Yield the places that pass validation: all of a masking rule, the first of any other."""
        for rule_id, numbers in patterns.matching(utf8).items():
            rule = self.rules.rules[rule_id]
            if self.event.kind not in rule.kinds:
                continue
            places = (place for number in numbers for place in patterns.spans(number, text, utf8))
            try:
                for start, end in places:
                    if not rule.validate or VALIDATORS[rule.validate](text[start:end], text, start, end):
                        yield rule, start, end
                        if not rule.masks:
                            break
            except Exception as error:
                self.went_wrong(f"pattern of {rule_id}", error)

    def _add(self, rule: Rule, evidence: str, because: str) -> None:
        if rule.id not in self._found:
            self._found[rule.id] = rule.finding(because, evidence=evidence)

    def _add_built_in(self, rule_id: str, severity: Severity, reasons: set[str]) -> None:
        self._found[rule_id] = BUILT_IN[rule_id].finding(", ".join(sorted(reasons)), severity=severity)


_CALL_LANES: Final = (
    ("command patterns", _Lanes._judge_commands),
    ("code patterns", _Lanes._judge_code),
    ("insecure code", _Lanes._judge_written),
)
"""What looks at the facts of a call; what goes wrong in one does not keep the others from looking."""


def _rank(severity: Severity) -> int:
    return severity.rank


_CHANNELS: Final = {
    EventKind.PROMPT: Channel.TALK,
    EventKind.COMPLETION: Channel.TALK,
    EventKind.TOOL_RESULT: Channel.DATA,
    EventKind.FILE: Channel.DATA,
    EventKind.ASSET: Channel.DATA,
}
_KIND_WORDS: Final = {
    EventKind.PROMPT: "prompt",
    EventKind.TOOL_CALL: "arguments",
    EventKind.TOOL_RESULT: "result",
    EventKind.COMPLETION: "completion",
    EventKind.FILE: "file",
    EventKind.ASSET: "asset",
}
_READINGS: Final = {
    "normalized": ", escapes and look-alikes undone",
    "joined": ", list items read as one",
    "encoded": ", decoded",
}


_CONTEXT_WORDS: Final = {
    "nested": "in nested program text",
    "heredoc": "in a here-document",
    "deferred": "later",
}


def _code(facts: Facts) -> Iterator[str]:
    for command in facts.commands:
        if command.code:
            yield command.code
    for path, content in facts.written:
        if path.lower().endswith(_SCRIPT_ENDINGS) or content.startswith("#!"):
            yield content


def _evidence(witness: Witness) -> str:
    if witness.command is not None:
        return encodable(witness.command.text)
    if witness.path is not None:
        return encodable(witness.path.value)
    if witness.network is not None:
        return encodable(witness.network.url or witness.network.host)
    return ""


def explain(rules: RuleSet, held: Held) -> str:
    """Say which facts made a condition hold, in words of the closed vocabularies only.

    Programs are named only if we know them, so nothing an agent wrote is repeated.
    """
    words = rules.conditions.words(held.rule_id)
    parts = [
        *_command_words(held.witness, words),
        *_fact_words(held.witness, words),
    ]
    return "; ".join(parts) or "the call as a whole"


def _command_words(witness: Witness, words: frozenset[str]) -> Iterator[str]:
    command = witness.command
    if command is None:
        return
    said = [command.program if command.program in PROGRAMS else "a command"]
    said += _readable(command.traits & words) or _readable(command.operations & words)
    if command.privileged:
        said.append("as another user")
    if command.where != "host":
        said.append({"container": "in a container", "remote": "on another host"}[command.where])
    if command.context != "top":
        said.append(_CONTEXT_WORDS.get(command.context, f"in a {command.context}"))
    yield ", ".join(said)


def _fact_words(witness: Witness, words: frozenset[str]) -> Iterator[str]:
    if witness.path is not None:
        yield " ".join([witness.path.access.replace("_", " "), *_readable(witness.path.classes & words)])
    if witness.network is not None:
        yield " ".join([witness.network.action, *_readable(witness.network.classes & words)])
    if witness.flow is not None:
        flow = witness.flow
        source = [flow.source.replace("_", " "), *_readable(flow.source_classes & words)]
        yield " ".join([*source, "to", *_readable(flow.sink_classes & words), flow.sink])


def _readable(words: frozenset[str]) -> list[str]:
    return [word.replace("_", " ") for word in sorted(words)]
