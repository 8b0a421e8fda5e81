"""Suppressions: what they cover, when they end, what they never touch."""

from __future__ import annotations

import pytest

from defenseclaw.policy.suppression import NONE, Suppression, Suppressions, is_suppressible
from defenseclaw.vocabulary import Door, Event, EventKind, Finding, Severity

NOW = "2031-01-01T00:00:00.000000Z"
CALL = Event(kind=EventKind.TOOL_CALL, door=Door.HOOK, connector="claudecode", tool="Bash")


def entry(**changes):
    usual = {
        "id": "farm",
        "rules": ("CMD-SUDO",),
        "reason": "It is so",
        "until": "2031-06-30",
        "ends_at": "2031-07-01T00:00:00.000000Z",
    }
    return Suppression(**{**usual, **changes})


def finding(rule_id="CMD-SUDO", **changes):
    usual = {
        "title": "t",
        "category": "command",
        "severity": Severity.HIGH,
        "confidence": 0.9,
        "because": "sudo",
    }
    return Finding(rule_id=rule_id, **{**usual, **changes})


def applied(suppression, event=CALL, found=None, now=NOW, touched=None):
    findings = [finding()] if found is None else found
    return Suppressions([suppression]).apply(event, findings, now, lambda: touched)


def test_a_suppressed_finding_stays_without_weight_and_says_why():
    (found,), trail = applied(entry(), found=[finding(masks=True)])
    assert found.detection_only
    assert not found.masks
    assert found.because == "sudo; suppressed by farm"
    assert (found.severity, found.confidence) == (Severity.HIGH, 0.9)
    assert trail == ("CMD-SUDO: suppressed by farm until 2031-06-30: It is so",)


def test_other_findings_are_left_as_they_are():
    other = finding("CMD-EVAL")
    (kept, suppressed), trail = applied(entry(), found=[other, finding()])
    assert kept is other
    assert suppressed.detection_only
    assert len(trail) == 1


@pytest.mark.parametrize(
    ("now", "holds"),
    [
        ("2031-06-30T23:59:59.999999Z", True),
        ("2031-07-01T00:00:00.000000Z", False),
        ("2031-07-01T00:00:00.000001Z", False),
        ("2040-01-01T00:00:00.000000Z", False),
        ("1999-01-01T00:00:00.000000Z", True),
    ],
)
def test_it_ends_at_its_moment(now, holds):
    (found,), trail = applied(entry(), now=now)
    assert found.detection_only is holds
    assert bool(trail) is holds
    assert (Suppressions([entry()]).expired(now) == ()) is holds


def test_the_first_one_that_covers_is_named():
    entries = [
        entry(id="ended", ends_at="2030-01-01T00:00:00.000000Z"),
        entry(id="other", tool="Read"),
        entry(),
    ]
    _, trail = Suppressions(entries).apply(CALL, [finding()], NOW, lambda: None)
    assert trail[0].startswith("CMD-SUDO: suppressed by farm")


@pytest.mark.parametrize(
    ("scope", "event", "covered"),
    [
        ({"connector": "claudecode"}, {}, True),
        ({"connector": "Claude-Code"}, {}, True),
        ({"connector": "codex"}, {}, False),
        ({"connector": "claudecode"}, {"connector": ""}, False),
        ({"tool": "Bash"}, {}, True),
        ({"tool": "bash"}, {}, False),
        ({"tool": "Bas"}, {}, False),
        ({"tool": "mcp__x__*"}, {"tool": "mcp__x__run"}, True),
        ({"tool": "mcp__x__*"}, {"tool": "mcp__xy__run"}, False),
        ({"tool": "Bash"}, {"kind": EventKind.PROMPT, "tool": ""}, False),
        ({"connector": "claudecode", "tool": "Read"}, {}, False),
    ],
)
def test_connector_and_tool_narrow_it(scope, event, covered):
    usual = {"kind": EventKind.TOOL_CALL, "door": Door.HOOK, "connector": "claudecode", "tool": "Bash"}
    (found,), _ = applied(entry(**scope), Event(**{**usual, **event}))
    assert found.detection_only is covered


@pytest.mark.parametrize(
    ("touched", "covered"),
    [
        (["/srv/farm"], True),
        (["/srv/farm/a/b", "/srv/farm/c"], True),
        (["/srv/farm/a", "/etc/passwd"], False),
        (["/srv/farmer"], False),
        (["/srv"], False),
        (["/"], False),
        ([], False),
        (None, False),
    ],
)
def test_a_path_covers_only_what_touches_nothing_else(touched, covered):
    (found,), _ = applied(entry(path="/srv/farm"), touched=touched)
    assert found.detection_only is covered


def test_what_is_touched_is_asked_for_only_when_all_else_fits():
    def never():
        raise AssertionError

    scoped = Suppressions([entry(path="/srv", tool="Read"), entry(path="/srv", rules=("CMD-EVAL",))])
    _, trail = scoped.apply(CALL, [finding()], NOW, never)
    assert trail == ()


@pytest.mark.parametrize(
    "rule_id", ["SELF-PROTECT-DATA", "SELF-PROTECT-CLI", "INPUT-BOUND", "INTERNAL-FAULT"]
)
def test_what_guards_the_guard_is_never_suppressed(rule_id):
    assert not is_suppressible(rule_id)
    (found,), trail = applied(entry(rules=(rule_id,)), found=[finding(rule_id)])
    assert not found.detection_only
    assert trail == ()


def test_none_is_empty():
    assert not NONE
    assert NONE.apply(CALL, [finding()], NOW, lambda: None)[1] == ()
