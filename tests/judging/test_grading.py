from __future__ import annotations

import pytest

from defenseclaw.judging.grading import findings_of
from defenseclaw.judging.questions import ADJUDICATED, CATEGORIES, Area, Judge, Question
from defenseclaw.judging.replies import Answer
from defenseclaw.vocabulary import EventKind, Profile, Severity

PROMPT, CALL, RESULT, COMPLETION = (
    EventKind.PROMPT,
    EventKind.TOOL_CALL,
    EventKind.TOOL_RESULT,
    EventKind.COMPLETION,
)
DEFAULT, STRICT, PERMISSIVE = Profile.DEFAULT, Profile.STRICT, Profile.PERMISSIVE


def worst(judge: Judge, answer: Answer, kind=PROMPT, profile=DEFAULT, **more) -> str:
    found = findings_of(Question(judge=judge, kind=kind, sample="s"), answer, profile, **more)
    return max((each.severity for each in found), key=lambda each: each.rank, default=Severity.NONE)


@pytest.mark.parametrize(
    ("marks", "severity"),
    [
        ({}, "NONE"),
        # weak signs alone
        ({"semantic": "weak_signal"}, "MEDIUM"),
        ({"semantic": "weak_signal", "obfuscation": "weak_signal"}, "MEDIUM"),
        ({"semantic": "weak_signal", "obfuscation": "weak_signal", "token_format": "weak_signal"}, "MEDIUM"),
        # one sign, however strong, is capped
        ({"instruction_override": "strong_signal"}, "MEDIUM"),
        ({"instruction_override": "strong_signal", "semantic": "weak_signal"}, "MEDIUM"),
        # two, three
        ({"instruction_override": "signal", "semantic": "needs_review"}, "HIGH"),
        ({"instruction_override": "signal", "semantic": "signal", "obfuscation": "signal"}, "CRITICAL"),
    ],
)
def test_injection(marks: dict[str, str], severity: str) -> None:
    assert worst(Judge.INJECTION, Answer(marks=marks)) == severity


def test_one_sign_of_injection_weighs_more_beside_a_sensitive_file() -> None:
    answer = Answer(marks={"semantic": "signal"})
    assert worst(Judge.INJECTION, answer, names_sensitive_file=True) == "HIGH"
    weak = Answer(marks={"semantic": "weak_signal"})
    assert worst(Judge.INJECTION, weak, names_sensitive_file=True) == "MEDIUM"


@pytest.mark.parametrize(
    ("marks", "severity"),
    [
        ({"sensitive_file": "signal"}, "HIGH"),
        ({"channel": "weak_signal"}, "HIGH"),
        ({"sensitive_file": "signal", "channel": "signal"}, "CRITICAL"),
    ],
)
def test_exfiltration(marks: dict[str, str], severity: str) -> None:
    assert worst(Judge.EXFIL, Answer(marks=marks)) == severity


@pytest.mark.parametrize(
    ("marks", "severity"),
    [
        ({"instruction": "strong_signal"}, "MEDIUM"),
        ({"instruction": "signal", "context": "weak_signal"}, "HIGH"),
        ({"exfiltration": "signal"}, "HIGH"),
        ({"destruction": "strong_signal"}, "CRITICAL"),
        ({"instruction": "signal", "context": "signal", "obfuscation": "signal"}, "CRITICAL"),
    ],
)
def test_tool_injection(marks: dict[str, str], severity: str) -> None:
    assert worst(Judge.TOOL_INJECTION, Answer(marks=marks), CALL) == severity


@pytest.mark.parametrize(
    ("category", "kind", "profile", "severity"),
    [
        ("email", PROMPT, DEFAULT, "LOW"),
        ("email", COMPLETION, DEFAULT, "HIGH"),
        ("email", RESULT, DEFAULT, "HIGH"),
        ("email", PROMPT, STRICT, "HIGH"),
        ("email", COMPLETION, STRICT, "CRITICAL"),
        ("ip_address", PROMPT, DEFAULT, "LOW"),
        ("ip_address", PROMPT, STRICT, "MEDIUM"),
        ("phone", PROMPT, DEFAULT, "HIGH"),
        ("phone", PROMPT, PERMISSIVE, "MEDIUM"),
        ("username", COMPLETION, DEFAULT, "LOW"),
        ("username", COMPLETION, STRICT, "MEDIUM"),
        ("password", PROMPT, PERMISSIVE, "CRITICAL"),
    ],
)
def test_personal_data(category: str, kind: EventKind, profile: Profile, severity: str) -> None:
    assert worst(Judge.PII, Answer(counts={category: 2}), kind, profile) == severity


@pytest.mark.parametrize("area", list(Area))
def test_a_confirmed_doubt_is_as_severe_as_the_judge_says(area: Area) -> None:
    question = Question(judge=Judge.ADJUDICATION, kind=RESULT, sample="s", area=area)
    (finding,) = findings_of(question, Answer(threat=True, severity=Severity.HIGH), DEFAULT)
    assert (finding.rule_id, finding.severity) == (ADJUDICATED[area][0], "HIGH")
    assert findings_of(question, Answer(dismissed=frozenset({"X"})), DEFAULT) == ()


@pytest.mark.parametrize(
    ("kind", "severity", "withheld"),
    [
        (RESULT, "HIGH", True),
        (COMPLETION, "CRITICAL", True),
        (RESULT, "MEDIUM", False),
        (PROMPT, "HIGH", False),
    ],
)
def test_instructions_rated_high_in_data_are_withheld(kind: EventKind, severity: str, withheld: bool) -> None:
    question = Question(judge=Judge.ADJUDICATION, kind=kind, sample="s", area=Area.INJECTION)
    (finding,) = findings_of(question, Answer(threat=True, severity=Severity(severity)), DEFAULT)
    assert finding.masks is withheld


def test_every_id_is_its_own_and_says_whose_it_is() -> None:
    ids = [each.rule_id for categories in CATEGORIES.values() for each in categories]
    ids += [rule_id for rule_id, _ in ADJUDICATED.values()]
    assert len(ids) == len(set(ids))
    assert all(each.startswith("JUDGE-") for each in ids)
