from dataclasses import replace

import pytest

from defenseclaw.detection.ruleset import (
    BUILT_IN,
    INPUT_BOUND,
    INTERNAL_FAULT,
    Example,
    Rule,
    RuleSet,
    Subject,
    kinds_of,
)
from defenseclaw.errors import PackError
from defenseclaw.vocabulary import EventKind, Severity


def rule(id="R", **more):
    given = {
        "title": "t",
        "category": "command",
        "severity": Severity.LOW,
        "confidence": 0.5,
        "tags": ("x",),
        "kinds": kinds_of("command"),
        "patterns": ("needle",),
    }
    return Rule(id=id, **{**given, **more})


def test_rules_are_found_by_id_and_alias():
    rules = RuleSet([rule("A", aliases=("OLD-A",)), rule("B")])
    assert [rules.find(name).id for name in ("A", "OLD-A", "B")] == ["A", "A", "B"]
    assert rules.find("C") is None
    assert len(rules) == 2


@pytest.mark.parametrize("name", [INPUT_BOUND, INTERNAL_FAULT])
def test_built_in_findings_can_be_explained_and_not_redefined(name):
    assert RuleSet([]).find(name) is BUILT_IN[name]
    assert BUILT_IN[name].why
    assert BUILT_IN[name].fix
    with pytest.raises(PackError, match="taken"):
        RuleSet([rule(name)])


@pytest.mark.parametrize(
    "rules",
    [
        [rule("A"), rule("A")],
        [rule("A", aliases=("B",)), rule("B")],
        [rule("A", aliases=("X",)), rule("B", aliases=("X",))],
        [rule("A", aliases=(INPUT_BOUND,))],
    ],
    ids=["same id", "alias is an id", "same alias", "alias is built in"],
)
def test_ids_and_aliases_are_unique(rules):
    with pytest.raises(PackError, match="taken"):
        RuleSet(rules)


def test_patterns_are_kept_apart_by_subject():
    rules = RuleSet([rule("A"), rule("B", on=Subject.CODE), rule("C", on=Subject.COMMAND)])
    assert {subject: list(rules.patterns[subject].matching("needle")) for subject in Subject} == {
        Subject.TEXT: ["A"],
        Subject.CODE: ["B"],
        Subject.COMMAND: ["C"],
    }


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"why": "other words", "fix": "other words"}, True),
        ({"flags": (Example(note="x"),)}, True),
        ({"severity": Severity.HIGH}, False),
        ({"confidence": 0.6}, False),
        ({"patterns": ("other",)}, False),
        ({"condition": "tool == 'x'"}, False),
        ({"kinds": kinds_of("secret")}, False),
        ({"aliases": ("Z",)}, False),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else str(value),
)
def test_the_digest_is_of_what_decides(change, same):
    assert (RuleSet([replace(rule(), **change)]).digest == RuleSet([rule()]).digest) is same


def test_the_digest_does_not_depend_on_order():
    assert RuleSet([rule("A"), rule("B")]).digest == RuleSet([rule("B"), rule("A")]).digest


def test_a_bad_rule_is_named():
    with pytest.raises(PackError, match=r"^R: pattern is not RE2"):
        RuleSet([rule(patterns=("(",))])
    with pytest.raises(PackError, match=r"^R: condition: unknown name"):
        RuleSet([rule(condition="x == 1")])


@pytest.mark.parametrize(
    ("category", "included", "excluded"),
    [
        ("command", EventKind.TOOL_CALL, EventKind.PROMPT),
        ("sensitive-path", EventKind.TOOL_CALL, EventKind.TOOL_RESULT),
        ("self-protection", EventKind.TOOL_CALL, EventKind.COMPLETION),
        ("trust-exploit", EventKind.TOOL_RESULT, EventKind.TOOL_CALL),
        ("secret", EventKind.TOOL_CALL, EventKind.LIFECYCLE),
        ("of-an-operator", EventKind.PROMPT, EventKind.LIFECYCLE),
    ],
)
def test_a_category_says_which_kinds_it_is_about(category, included, excluded):
    assert included in kinds_of(category)
    assert excluded not in kinds_of(category)


def test_an_example_of_a_result_carries_its_text_as_the_result():
    event = Example(note="x", kind=EventKind.TOOL_RESULT, text="body").event()
    assert (event.result, event.text) == ("body", "")
