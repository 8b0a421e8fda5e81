"""Rules that stand for signals: their examples, which of them hold, and what a pack may not say."""

import pytest

from defenseclaw import packs
from defenseclaw.detection.engine import detect, run
from defenseclaw.detection.injection import InstructionRules, Passage
from defenseclaw.detection.injection.signals import SIGNALS
from defenseclaw.detection.ruleset import Rule, RuleSet
from defenseclaw.errors import PackError
from defenseclaw.vocabulary import EventKind, HostContext, Severity

HOST = HostContext(home="/home/dev", data_dir="/home/dev/.defenseclaw")
OWN = [rule for rule in packs.load("default").rules.values() if rule.category == "trust-exploit"]
RULES = RuleSet(OWN)
CATALOGUE = {
    "TRUST-AUTHORITY",
    "TRUST-MAINTENANCE",
    "TRUST-SAFETY-OVERRIDE",
    "TRUST-NEW-INSTRUCTIONS",
    "TRUST-IGNORE-PREVIOUS",
    "TRUST-DISREGARD",
    "TRUST-JAILBREAK",
    "TRUST-PRETEND",
    "TRUST-FORGET",
    "TRUST-NEW-INSTRUCT-PREFIX",
    "TRUST-OVERRIDE-INSTRUCT",
    "TRUST-FROM-NOW-ON",
    "TRUST-SWITCH-MODE",
    "TRUST-PROMPT-EXTRACT",
    "TRUST-FICTIONAL",
    "TRUST-NO-ETHICS",
    "TRUST-TOOL-MANIP",
    "TRUST-PERSONA",
    "TRUST-DELIMITER",
    "TRUST-OUTPUT-CONSTRAINT",
    "TRUST-PAYLOAD-SPLIT",
    "OBFUSC-UNICODE-ZWSP",
}


def examples(which):
    return [
        pytest.param(rule, each, id=f"{rule.id}:{each.note}") for rule in OWN for each in getattr(rule, which)
    ]


def found(example):
    return {each.rule_id: each for each in run(detect(example.event(), RULES, HOST)).findings}


def test_the_catalogue_is_whole():
    assert {rule.id for rule in OWN} >= CATALOGUE


@pytest.mark.parametrize(("rule", "example"), examples("flags"))
def test_flags(rule, example):
    assert found(example)[rule.id].because


@pytest.mark.parametrize(("rule", "example"), examples("allows"))
def test_allows(rule, example):
    assert found(example) == {}


@pytest.mark.parametrize("kind", [EventKind.TOOL_RESULT, EventKind.FILE, EventKind.ASSET, EventKind.PROMPT])
def test_no_passage_goes_without_a_rule(kind):
    talk = kind is EventKind.PROMPT
    for signal in SIGNALS:
        if (signal.claim or signal.deed) and (signal.talk if talk else signal.data):
            passage = Passage(start=0, end=1, score=100, places={signal.reason: (0, 1)})
            assert list(RULES.instructions.holding(passage, "x", kind)), signal.reason


def rule(**changes):
    values = {"id": "R", "title": "t", "category": "c", "severity": Severity.HIGH, "confidence": 1.0}
    values |= {"tags": ("a",), "kinds": frozenset({EventKind.PROMPT}), "signals": ("claims authority",)}
    return Rule(**(values | changes))


def test_a_wording_narrows_and_comes_first():
    rules = InstructionRules([rule(), rule(id="W", wording="(?i)boss")])
    passage = Passage(start=0, end=4, score=100, places={"claims authority": (0, 4)})
    assert [each.id for each, _ in rules.holding(passage, "Boss", EventKind.PROMPT)] == ["W"]
    assert [each.id for each, _ in rules.holding(passage, "King", EventKind.PROMPT)] == ["R"]
    assert list(rules.holding(passage, "King", EventKind.FILE)) == []


@pytest.mark.parametrize("wording", ["(", "(?=x)", "x" * 3000], ids=["unclosed", "not RE2", "too long"])
def test_a_bad_wording_is_refused_by_rule(wording):
    with pytest.raises(PackError, match=r"^R: wording"):
        RuleSet([rule(wording=wording)])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("signals: [reads minds]", "reads minds"),
        ("signals: claims authority", "a list with at least one entry is needed"),
        ("pattern: x\nwording: y", "narrows signals, and there are none"),
    ],
)
def test_a_pack_may_name_known_signals_only(tmp_path, text, problem):
    folder = tmp_path / "mine"
    folder.mkdir()
    head = "id: MY-RULE\ntitle: t\nseverity: LOW\nconfidence: 0.5\ntags: [a]\nflags: [a]\nallows: [b]\n"
    (folder / "my-rule.yaml").write_text(f"{head}why: w\nfix: f\n{text}\n")
    with pytest.raises(PackError, match=problem):
        packs.load("default", [tmp_path])
