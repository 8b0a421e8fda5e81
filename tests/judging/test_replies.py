from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defenseclaw.judging.failures import JudgeFailure
from defenseclaw.judging.questions import CATEGORIES, Area, Judge, Question
from defenseclaw.judging.replies import MAX_REPLY_CHARS, Answer, parse
from defenseclaw.vocabulary import EventKind, Severity

FENCE = "0123456789abcdef" * 2
SAMPLE = "Write to Ann Lee at ann.lee@example.org or 212 555 0187 from 8.8.4.4, id 1700000000."
INJECTION = Question(judge=Judge.INJECTION, kind=EventKind.PROMPT, sample=SAMPLE)
PERSONAL = Question(judge=Judge.PII, kind=EventKind.PROMPT, sample=SAMPLE)
DOUBT = Question(
    judge=Judge.ADJUDICATION,
    kind=EventKind.TOOL_RESULT,
    sample=SAMPLE,
    area=Area.INJECTION,
    doubts=(("TRUST-FICTIONAL", "Fiction"), ("TRUST-PERSONA", "Persona")),
)


def labels(**changed: Any) -> dict[str, Any]:
    names = [category.name for category in CATEGORIES[Judge.INJECTION]]
    reply = {name: {"reasoning": "x", "label": False, "signal_strength": "weak_signal"} for name in names}
    return {"ref": FENCE, **reply, **changed}


def entities(**changed: Any) -> dict[str, Any]:
    names = [category.name for category in CATEGORIES[Judge.PII]]
    return {**{name: {"detection_result": False, "entities": []} for name in names}, **changed}


def found(*listed: str) -> dict[str, Any]:
    return {"detection_result": True, "entities": list(listed)}


def decided(threat: bool, severity: Any = "HIGH", **verdicts: str) -> dict[str, Any]:
    findings = [{"pattern": name.replace("_", "-"), "verdict": each} for name, each in verdicts.items()]
    return {"findings": findings, "overall_threat": threat, "severity": severity}


MARKED = labels(obfuscation={"label": True, "signal_strength": "signal"})


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(json.dumps(MARKED), id="bare"),
        pytest.param(f"\n  {json.dumps(MARKED, indent=2)}\n", id="with white space"),
        pytest.param(f"```json\n{json.dumps(MARKED)}\n```", id="in a code fence"),
        pytest.param(f"```\n{json.dumps(MARKED, indent=1)}\n```\n", id="in a nameless fence"),
        pytest.param(json.dumps({**MARKED, "more": [1]}), id="with a key of its own"),
    ],
)
def test_a_reply_in_the_form_asked_for_is_read(text: str) -> None:
    assert parse(INJECTION, text, FENCE) == Answer(marks={"obfuscation": "signal"}, is_bound=True)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("The sample is harmless.", id="prose"),
        pytest.param(f"Here you are: {json.dumps(MARKED)}", id="prose before it"),
        pytest.param(f"{json.dumps(MARKED)} Hope this helps!", id="prose after it"),
        pytest.param("{}", id="empty"),
        pytest.param("null", id="null"),
        pytest.param(f"[{json.dumps(MARKED)}]", id="a list"),
        pytest.param(json.dumps({"ref": FENCE, "verdict": "allow", "label": False}), id="another form"),
        pytest.param(json.dumps(labels())[:-20], id="cut off"),
        pytest.param(
            json.dumps({key: value for key, value in MARKED.items() if key != "semantic"}), id="gap"
        ),
        pytest.param(json.dumps(labels(semantic=False)), id="a category of the wrong type"),
        pytest.param(json.dumps(labels(semantic={"label": "false"})), id="a label of the wrong type"),
        pytest.param(json.dumps(labels(semantic={"label": 0})), id="a number for a label"),
        pytest.param(
            json.dumps(labels(semantic={"label": True, "signal_strength": "none"})), id="an unknown strength"
        ),
        pytest.param(json.dumps(labels(ref="f" * 32)), id="the number of another question"),
        pytest.param(json.dumps(labels(ref=7)), id="a number that is none"),
        pytest.param("[" * 100_000, id="deep"),
        pytest.param('{"ref":' + "[" * 20_000, id="deep inside"),
        pytest.param(" " * (MAX_REPLY_CHARS + 1), id="long"),
        pytest.param('{"semantic": "\ud800"}', id="half a character"),
    ],
)
def test_any_other_reply_is_a_failure(text: str) -> None:
    with pytest.raises(JudgeFailure):
        parse(INJECTION, text, FENCE)


@given(st.text() | st.recursive(st.none() | st.booleans() | st.text(), st.lists).map(json.dumps))
def test_whatever_a_model_says_it_is_an_answer_or_a_failure(text: str) -> None:
    for question in (INJECTION, PERSONAL, DOUBT):
        try:
            answer = parse(question, text, FENCE)
        except JudgeFailure:
            continue
        assert not answer.is_bound


def test_an_answer_without_its_number_counts_but_is_not_bound() -> None:
    reply = {key: value for key, value in MARKED.items() if key != "ref"}
    assert parse(INJECTION, json.dumps(reply), FENCE) == Answer(marks={"obfuscation": "signal"})


def test_a_label_without_a_strength_is_a_signal() -> None:
    reply = labels(semantic={"label": True})
    assert parse(INJECTION, json.dumps(reply), FENCE).marks == {"semantic": "signal"}


@pytest.mark.parametrize(
    ("reply", "counts"),
    [
        # what stands in the sample counts, whatever its case and spaces
        (entities(email=found("ann.lee@example.org")), {"email": 1}),
        (entities(email=found("ANN.LEE @ example.org")), {"email": 1}),
        (entities(phone=found("2125550187")), {"phone": 1}),
        (entities(phone=found("212 555 0187", "2125550187")), {"phone": 1}),
        (entities(ip_address=found("8.8.4.4")), {"ip_address": 1}),
        # what does not was made up
        (entities(email=found("bob@example.org")), {}),
        (entities(email=found("", " ")), {}),
        (entities(email=found("bob@example.org", "ann.lee@example.org")), {"email": 1}),
        # detected, but nothing listed
        (entities(password=found()), {"password": 1}),
        # not personal, whatever the model says
        (entities(phone=found("1700000000")), {}),
        # said not to be there
        (entities(email={"detection_result": False, "entities": ["ann.lee@example.org"]}), {}),
    ],
)
def test_only_entities_of_the_sample_count(reply: dict[str, Any], counts: dict[str, int]) -> None:
    assert parse(PERSONAL, json.dumps(reply), FENCE).counts == counts


@pytest.mark.parametrize(
    ("text", "category", "counts"),
    [
        ("from 10.1.2.3 there", "ip_address", {}),
        ("from 127.0.0.1 here", "ip_address", {}),
        ("from fe80::1 there", "ip_address", {}),
        ("from 9.9.9.9 there", "ip_address", {"ip_address": 1}),
        ("call 12125550187 now", "phone", {"phone": 1}),
        ("call 123456789012 now", "phone", {}),
        ("call 1234567890 now", "phone", {}),
    ],
)
def test_private_addresses_moments_and_platform_ids_are_no_persons(
    text: str, category: str, counts: dict[str, int]
) -> None:
    question = Question(judge=Judge.PII, kind=EventKind.PROMPT, sample=text)
    reply = entities(**{category: found(text.split()[1])})
    assert parse(question, json.dumps(reply), FENCE).counts == counts


@pytest.mark.parametrize(
    ("reply", "threat", "severity", "dismissed"),
    [
        # a threat needs both, the whole and one of its parts
        (decided(True, TRUST_FICTIONAL="true_positive"), True, Severity.HIGH, set()),
        (decided(True, "", TRUST_FICTIONAL="true_positive"), True, Severity.MEDIUM, set()),
        (decided(True, None, TRUST_FICTIONAL="true_positive"), True, Severity.MEDIUM, set()),
        (decided(True, "none", TRUST_FICTIONAL="true_positive"), True, Severity.MEDIUM, set()),
        (decided(True, "critical", TRUST_FICTIONAL="true_positive"), True, Severity.CRITICAL, set()),
        (decided(True, TRUST_FICTIONAL="false_positive"), False, Severity.NONE, set()),
        (decided(True), False, Severity.NONE, set()),
        (decided(False, TRUST_FICTIONAL="true_positive"), False, Severity.NONE, set()),
        # dismissed is what was asked about, and only where nothing is a threat
        (decided(False, TRUST_FICTIONAL="false_positive"), False, Severity.NONE, {"TRUST-FICTIONAL"}),
        (decided(False, TRUST_FORGET="false_positive"), False, Severity.NONE, set()),
        (
            decided(False, TRUST_FICTIONAL="false_positive", TRUST_PERSONA="true_positive"),
            False,
            Severity.NONE,
            set(),
        ),
        (decided(False), False, Severity.NONE, set()),
    ],
)
def test_doubts_are_confirmed_or_dismissed(
    reply: dict[str, Any], threat: bool, severity: Severity, dismissed: set[str]
) -> None:
    answer = parse(DOUBT, json.dumps(reply), FENCE)
    assert (answer.threat, answer.severity, answer.dismissed) == (threat, severity, dismissed)


@pytest.mark.parametrize(
    "reply",
    [
        {"findings": []},
        {"overall_threat": False},
        decided(False, "SEVERE"),
        decided(False, 3),
        decided(False, TRUST_FICTIONAL="maybe"),
        {**decided(False), "overall_threat": "no"},
        {**decided(False), "findings": {}},
    ],
)
def test_a_decision_in_another_form_is_a_failure(reply: dict[str, Any]) -> None:
    with pytest.raises(JudgeFailure, match="bad_reply"):
        parse(DOUBT, json.dumps(reply), FENCE)
