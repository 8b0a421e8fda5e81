"""Answers become findings. Pure; the thresholds of a judge are here and nowhere else.

Findings are graded like those of rules, and the profile decides what follows: a model's HIGH has no more
force than a rule's. Source: ``spec/guardrail.md`` §12.3; ``DECISIONS.md`` "Verdicts".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from defenseclaw.judging.questions import (
    ADJUDICATED,
    CATEGORIES,
    CATEGORY_OF_AREA,
    Area,
    Category,
    Judge,
    Question,
)
from defenseclaw.judging.replies import Answer, Strength
from defenseclaw.vocabulary import SHOWN_KINDS, Finding, Profile, Severity

MIN_CATEGORIES_FOR_HIGH: Final = 2
SINGLE_CATEGORY_MAX: Final = Severity.MEDIUM
MIN_CATEGORIES_FOR_CRITICAL: Final = 3

_CONFIDENCE: Final[dict[Strength, float]] = {
    "strong_signal": 0.9,
    "signal": 0.75,
    "needs_review": 0.6,
    "weak_signal": 0.4,
}
_PII_CONFIDENCE: Final = 0.8
_ADJUDICATED_CONFIDENCE: Final = 0.8
_GRAVE: Final = frozenset(("exfiltration", "destruction"))
_AREAS: Final = {
    Judge.INJECTION: Area.INJECTION,
    Judge.TOOL_INJECTION: Area.INJECTION,
    Judge.EXFIL: Area.EXFIL,
    Judge.PII: Area.PII,
}


def findings_of(
    question: Question, answer: Answer, profile: Profile, *, names_sensitive_file: bool = False
) -> tuple[Finding, ...]:
    """Return what an answer amounts to; nothing when it is clean.

    Args:
        question: What was asked.
        answer: What the judge said.
        profile: Decides how severe some kinds of personal data are.
        names_sensitive_file: The event is about a sensitive file, so one sign of injection weighs more.
    """
    if question.judge is Judge.ADJUDICATION:
        return tuple(_adjudicated(question, answer))
    if question.judge is Judge.PII:
        return tuple(_personal(question, answer, profile))
    marked = [each for each in CATEGORIES[question.judge] if each.name in answer.marks]
    if not marked:
        return ()
    if question.judge is Judge.INJECTION:
        severities = _injection(marked, answer, names_sensitive_file)
    elif question.judge is Judge.EXFIL:
        severities = [Severity.CRITICAL if len(marked) > 1 else each.severity for each in marked]
    else:
        severities = [_tool_injection(marked, answer)] * len(marked)
    return tuple(
        _finding(
            question,
            category.rule_id,
            category.title,
            severity,
            _CONFIDENCE[answer.marks[category.name]],
            answer.marks[category.name].replace("_", " "),
        )
        for category, severity in zip(marked, severities, strict=True)
    )


def _injection(marked: Sequence[Category], answer: Answer, names_sensitive_file: bool) -> list[Severity]:
    clear = sum(answer.marks[each.name] != "weak_signal" for each in marked)
    if clear >= MIN_CATEGORIES_FOR_CRITICAL:
        overall = Severity.CRITICAL
    elif clear and (names_sensitive_file or clear >= MIN_CATEGORIES_FOR_HIGH):
        overall = Severity.HIGH
    else:
        overall = SINGLE_CATEGORY_MAX
    weak = min(overall, Severity.MEDIUM, key=_rank)
    return [weak if answer.marks[each.name] == "weak_signal" else overall for each in marked]


def _tool_injection(marked: Sequence[Category], answer: Answer) -> Severity:
    grave = [each for each in marked if each.name in _GRAVE]
    if len(marked) >= 3 or any(answer.marks[each.name] == "strong_signal" for each in grave):
        return Severity.CRITICAL
    return Severity.HIGH if grave or len(marked) == 2 else Severity.MEDIUM


def _personal(question: Question, answer: Answer, profile: Profile) -> Iterable[Finding]:
    for category in CATEGORIES[Judge.PII]:
        count = answer.counts.get(category.name, 0)
        if count:
            severity = category.severity_for(question.kind, profile)
            said = f"{count} found"
            yield _finding(question, category.rule_id, category.title, severity, _PII_CONFIDENCE, said)


def _adjudicated(question: Question, answer: Answer) -> Iterable[Finding]:
    if answer.threat and question.area is not None:
        rule_id, title = ADJUDICATED[question.area]
        yield _finding(question, rule_id, title, answer.severity, _ADJUDICATED_CONFIDENCE, "confirmed")


def _finding(
    question: Question, rule_id: str, title: str, severity: Severity, confidence: float, said: str
) -> Finding:
    area = question.area or _AREAS[question.judge]
    withheld = area is Area.INJECTION and question.kind in SHOWN_KINDS and severity.rank >= Severity.HIGH.rank
    return Finding(
        rule_id=rule_id,
        title=title,
        category=CATEGORY_OF_AREA[area],
        severity=severity,
        confidence=confidence,
        tags=("judge", str(area)),
        because=f"judge {question.name}: {said}",
        masks=withheld,
    )


def _rank(severity: Severity) -> int:
    return severity.rank
