"""The model's text becomes a typed answer, or a failure.

A reply is as untrusted as the sample it was made from: it is bounded, it must be one JSON object in the form
that was asked for, and nothing of its free text is kept. Answers are free of content.

Source: ``spec/guardrail.md`` §12.2, §12.3 (entities).
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar

import msgspec
from msgspec import Struct

from defenseclaw.judging.failures import JudgeFailure
from defenseclaw.judging.questions import CATEGORIES, Judge, Question
from defenseclaw.vocabulary import Severity

MAX_REPLY_CHARS: Final = 32 * 1024
MAX_ENTITIES: Final = 256
MAX_ENTITY_CHARS: Final = 512
MAX_ADJUDICATED: Final = 64

Strength = Literal["strong_signal", "signal", "needs_review", "weak_signal"]
_Shape = TypeVar("_Shape")
_FENCED = re.compile(r"\A```(?:json|JSON)?[ \t]*\n(.*)\n[ \t]*```\Z", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a judge said, as far as it can be held to it."""

    marks: Mapping[str, Strength] = field(default_factory=dict)
    """Category → strength, for each category that was said to apply."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Category of personal data → entities that really stand in the sample; 1 when none was listed."""
    threat: bool = False
    """Adjudication: there is a threat and at least one finding is right."""
    severity: Severity = Severity.NONE
    """Adjudication: of the threat."""
    dismissed: frozenset[str] = frozenset()
    """Adjudication: rule ids said to be wrong, when there is no threat at all."""
    is_bound: bool = False
    """The reply repeats the number of its question; only then may it take weight off a finding."""

    @property
    def is_clean(self) -> bool:
        """Nothing of what was asked for applies."""
        return not (self.marks or self.counts or self.threat)


class _Labelled(Struct):
    label: bool
    signal_strength: Strength | None = None


class _Detected(Struct):
    detection_result: bool
    entities: list[str] = msgspec.field(default_factory=list)


class _Decided(Struct):
    pattern: str
    verdict: Literal["true_positive", "false_positive"]


_NULL: Final = msgspec.Raw(b"null")
_SEVERITIES: Final = {"": Severity.NONE} | {str(each): each for each in Severity}


def parse(question: Question, text: str, fence: str) -> Answer:
    """Return the answer in the model's text.

    Args:
        question: What was asked.
        text: The model's whole text; a code fence around it is tolerated.
        fence: The number of the question.

    Raises:
        JudgeFailure: too large, not JSON, another form than asked for, a category is missing, or it repeats
            another number.
    """
    if len(text) > MAX_REPLY_CHARS:
        raise JudgeFailure("too_large")
    stripped = text.strip()
    fenced = _FENCED.match(stripped)
    raw = _decoded(fenced[1] if fenced else stripped, dict[str, msgspec.Raw])
    is_bound = _is_bound(raw, fence)
    if question.judge is Judge.ADJUDICATION:
        return _adjudicated(question, raw, is_bound)
    if question.judge is Judge.PII:
        return Answer(counts=dict(_entities(question, raw)), is_bound=is_bound)
    marks: dict[str, Strength] = {}
    for name, item in _asked(question, raw):
        labelled = _decoded(item, _Labelled)
        if labelled.label:
            marks[name] = labelled.signal_strength or "signal"
    return Answer(marks=marks, is_bound=is_bound)


def _is_bound(raw: Mapping[str, msgspec.Raw], fence: str) -> bool:
    """Whether the number is there. Small models leave it out; a wrong one was not made for this question."""
    if "ref" not in raw:
        return False
    said = _decoded(raw["ref"], str)
    if not hmac.compare_digest(said.encode(errors="replace"), fence.encode()):
        raise JudgeFailure("bad_reply")
    return True


def _asked(question: Question, raw: Mapping[str, msgspec.Raw]) -> Iterable[tuple[str, msgspec.Raw]]:
    for category in CATEGORIES[question.judge]:
        if category.name not in raw:
            raise JudgeFailure("bad_reply")
        yield category.name, raw[category.name]


def _entities(question: Question, raw: Mapping[str, msgspec.Raw]) -> Iterable[tuple[str, int]]:
    present = _folded(question.sample)
    for name, item in _asked(question, raw):
        detected = _decoded(item, _Detected)
        if not detected.detection_result:
            continue
        if not detected.entities:
            yield name, 1
            continue
        listed = {_folded(each) for each in detected.entities[:MAX_ENTITIES] if len(each) <= MAX_ENTITY_CHARS}
        real = sum(1 for each in listed if each and each in present and not _is_harmless(name, each))
        if real:
            yield name, real


def _adjudicated(question: Question, raw: Mapping[str, msgspec.Raw], is_bound: bool) -> Answer:
    if not {"findings", "overall_threat"} <= raw.keys():
        raise JudgeFailure("bad_reply")
    decided = _decoded(raw["findings"], list[_Decided])[:MAX_ADJUDICATED]
    overall = _decoded(raw["overall_threat"], bool)
    named = _decoded(raw["severity"], str) if raw.get("severity", _NULL) != _NULL else ""
    severity = _SEVERITIES.get(named.strip().upper())
    if severity is None:
        raise JudgeFailure("bad_reply")
    right = any(each.verdict == "true_positive" for each in decided)
    if overall and right:
        return Answer(
            threat=True,
            severity=Severity.MEDIUM if severity is Severity.NONE else severity,
            is_bound=is_bound,
        )
    wrong = {each.pattern for each in decided if each.verdict == "false_positive"}
    doubted = {rule_id for rule_id, _ in question.doubts}
    dismissed = frozenset() if overall or right else frozenset(wrong & doubted)
    return Answer(dismissed=dismissed, is_bound=is_bound)


def _decoded(raw: str | msgspec.Raw, shape: type[_Shape]) -> _Shape:
    try:
        return msgspec.json.decode(raw, type=shape)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise JudgeFailure("bad_reply") from None


def _folded(text: str) -> str:
    return "".join(text.split()).casefold()


# ---- what is no personal data, whatever a model says: ``spec/guardrail.md`` §5.4 -----------------------

_EPOCHS: Final = range(1_000_000_000, 2_100_000_001)


def _is_harmless(category: str, entity: str) -> bool:
    if category == "ip_address":
        try:
            return not ipaddress.ip_address(entity).is_global
        except ValueError:
            return False
    if category == "phone" and entity.isascii() and entity.isdigit():
        return _is_platform_id(entity)
    return False


def _is_platform_id(digits: str) -> bool:
    """Whether a run of digits is a moment or an id of a chat platform rather than a phone number."""
    if int(digits) in _EPOCHS:
        return True
    national = digits[1:] if len(digits) == 11 and digits[0] == "1" else digits
    is_nanp = len(national) == 10 and national[0] in "23456789" and national[3] in "23456789"
    return 9 <= len(digits) <= 12 and not is_nanp
