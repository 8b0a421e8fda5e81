from __future__ import annotations

import pytest
from msgspec.structs import replace

from defenseclaw.policy.decision import Listed, decide, unrecorded, unworded
from defenseclaw.vocabulary import (
    Abilities,
    Action,
    Approvals,
    Door,
    Event,
    EventKind,
    FailMode,
    Finding,
    Mode,
    Posture,
    Profile,
    Severity,
)


def finding(severity: str = "CRITICAL", rule_id: str = "CMD-RM-RF", **more) -> Finding:
    return Finding(
        rule_id=rule_id,
        title="A title",
        category="command",
        severity=Severity(severity),
        confidence=0.9,
        **more,
    )


def event(kind: str = "tool_call", **abilities) -> Event:
    return Event(
        kind=EventKind(kind), door=Door.HOOK, connector="claudecode", abilities=Abilities(**abilities)
    )


def posture(mode: str = "action", profile: str = "default", **more) -> Posture:
    return Posture(mode=Mode(mode), profile=Profile(profile), **more)


ASKING = Approvals(enabled=True)


@pytest.mark.parametrize(
    ("profile", "severity", "action"),
    [
        # default: block at CRITICAL, alert at MEDIUM
        ("default", "CRITICAL", "block"),
        ("default", "HIGH", "alert"),
        ("default", "MEDIUM", "alert"),
        ("default", "LOW", "allow"),
        # strict: block at MEDIUM, alert at LOW
        ("strict", "HIGH", "block"),
        ("strict", "MEDIUM", "block"),
        ("strict", "LOW", "alert"),
        # permissive: block at CRITICAL, alert at HIGH
        ("permissive", "CRITICAL", "block"),
        ("permissive", "HIGH", "alert"),
        ("permissive", "MEDIUM", "allow"),
        ("permissive", "LOW", "allow"),
    ],
)
def test_severity_and_profile_give_the_action(profile: str, severity: str, action: str) -> None:
    verdict = decide(event(), [finding(severity)], posture(profile=profile), evaluation_id="e")
    assert (verdict.raw_action, verdict.action) == (action, action)


@pytest.mark.parametrize(
    ("severity", "approvals", "abilities", "raw", "action", "would_block"),
    [
        # approvals on: HIGH asks where the agent can, CRITICAL is never put to a person
        ("HIGH", ASKING, {"can_ask": True}, "confirm", "confirm", False),
        ("CRITICAL", ASKING, {"can_ask": True}, "block", "block", False),
        ("MEDIUM", ASKING, {"can_ask": True}, "alert", "alert", False),
        (
            "MEDIUM",
            Approvals(enabled=True, min_severity=Severity.MEDIUM),
            {"can_ask": True},
            "confirm",
            "confirm",
            False,
        ),
        # nobody to ask: block before the action, alert after it
        ("HIGH", ASKING, {}, "confirm", "block", True),
        ("HIGH", ASKING, {"unasked": Action.ALERT}, "confirm", "alert", False),
        ("HIGH", ASKING, {"confirmable": False}, "alert", "alert", False),
        # the agent cannot stop this event
        ("CRITICAL", ASKING, {"can_block": False}, "block", "allow", True),
        ("HIGH", ASKING, {"can_block": False}, "confirm", "alert", False),
    ],
)
def test_abilities_shape_the_effective_action(
    severity, approvals, abilities, raw, action, would_block
) -> None:
    verdict = decide(event(**abilities), [finding(severity)], posture(approvals=approvals), evaluation_id="e")
    assert (verdict.raw_action, verdict.action, verdict.would_block) == (raw, action, would_block)


@pytest.mark.parametrize(("severity", "would_block"), [("CRITICAL", True), ("HIGH", False), ("LOW", False)])
def test_observe_lets_everything_pass_and_keeps_the_trace(severity: str, would_block: bool) -> None:
    verdict = decide(event(), [finding(severity)], posture("observe"), evaluation_id="e")
    assert (verdict.action, verdict.would_block, verdict.enforced) == ("allow", would_block, False)


def test_the_prompt_clamp_turns_less_than_critical_into_alert() -> None:
    clamped = event("prompt", clamp_prompt=True, confirmable=False)
    verdict = decide(clamped, [finding("HIGH")], posture(profile="strict"), evaluation_id="e")
    assert (verdict.raw_action, verdict.reason) == (
        "alert",
        "matched: CMD-RM-RF:A title; policy-action=block",
    )
    assert decide(clamped, [finding()], posture(profile="strict"), evaluation_id="e").raw_action == "block"


def test_detection_only_findings_are_reported_without_weight() -> None:
    weak, strong = finding("LOW", "A"), finding("CRITICAL", "B", detection_only=True)
    verdict = decide(event(), [strong, weak], posture(), evaluation_id="e")
    assert verdict.action == "allow"
    assert verdict.rule_ids == ("B", "A")
    assert verdict.severity == "CRITICAL"


@pytest.mark.parametrize(
    ("listed", "findings", "action", "ids"),
    [
        (Listed(verdict="block", rule_id="STATIC-BLOCK", entry="Bash"), [], "block", ["STATIC-BLOCK"]),
        (Listed(verdict="error", rule_id="POLICY-LOOKUP-ERROR"), [], "block", ["POLICY-LOOKUP-ERROR"]),
        # an allow changes the action, never the findings
        (
            Listed(verdict="allow", rule_id="STATIC-ALLOW", entry="Bash"),
            [finding()],
            "allow",
            ["CMD-RM-RF:A title"],
        ),
        # and never covers self-protection
        (
            Listed(verdict="allow", rule_id="STATIC-ALLOW", entry="Bash"),
            [finding(rule_id="SELF-PROTECT-TOKEN")],
            "block",
            ["SELF-PROTECT-TOKEN:A title"],
        ),
    ],
)
def test_lists(listed: Listed, findings: list[Finding], action: str, ids: list[str]) -> None:
    verdict = decide(event(), findings, posture(), evaluation_id="e", listed=listed)
    assert (verdict.raw_action, verdict.finding_strings) == (action, ids)


@pytest.mark.parametrize(
    ("kind", "fail_mode", "mode", "action"),
    [
        # a call we cannot read is denied whatever the fail mode; other events follow it
        ("tool_call", "open", "action", "block"),
        ("tool_call", "closed", "action", "block"),
        ("prompt", "open", "action", "alert"),
        ("prompt", "closed", "action", "block"),
        ("tool_call", "closed", "observe", "allow"),
    ],
)
def test_unreadable_events(kind: str, fail_mode: str, mode: str, action: str) -> None:
    unreadable = replace(event(kind), faults=("too_large",))
    bound = finding("HIGH" if kind == "tool_call" else "MEDIUM", "INPUT-BOUND")
    verdict = decide(unreadable, [bound], posture(mode, fail_mode=FailMode(fail_mode)), evaluation_id="e")
    assert verdict.action == action


@pytest.mark.parametrize(("fail_mode", "action"), [("open", "alert"), ("closed", "block")])
def test_a_failed_evaluator_follows_the_fail_mode(fail_mode: str, action: str) -> None:
    fault = finding("HIGH", "INTERNAL-FAULT")
    verdict = decide(event(), [fault], posture(fail_mode=FailMode(fail_mode)), evaluation_id="e")
    assert verdict.action == action


@pytest.mark.parametrize(
    ("severity", "kind", "mode", "able", "replaced"),
    [
        ("CRITICAL", "tool_result", "action", True, True),
        ("HIGH", "tool_result", "action", True, True),
        ("HIGH", "completion", "action", True, True),
        ("MEDIUM", "tool_result", "action", True, False),
        ("CRITICAL", "prompt", "action", True, False),
        ("CRITICAL", "tool_result", "observe", True, False),
        ("CRITICAL", "tool_result", "action", False, False),
    ],
)
def test_replacement(severity: str, kind: str, mode: str, able: bool, replaced: bool) -> None:
    secret = finding(severity, "SEC-GITHUB-TOKEN", masks=True)
    verdict = decide(
        event(kind, can_replace=able, can_block=False),
        [secret],
        posture(mode),
        evaluation_id="e",
        masked={"stdout": "<redacted len=40>"},
    )
    assert (verdict.replacement is not None) is replaced
    if replaced and severity == "CRITICAL":
        assert (verdict.action, verdict.enforced, verdict.would_block) == ("block", True, False)


@pytest.mark.parametrize(
    ("fail_mode", "findings", "action"),
    [
        ("closed", [], "block"),
        ("open", [], "alert"),
        # a stronger verdict is never weakened
        ("open", [finding()], "block"),
    ],
)
def test_what_cannot_be_recorded(fail_mode: str, findings: list[Finding], action: str) -> None:
    here = posture(fail_mode=FailMode(fail_mode))
    verdict = unrecorded(decide(event(), findings, here, evaluation_id="e"), here)
    assert (verdict.action, verdict.recorded) == (action, False)


FAULT = finding("HIGH", "INTERNAL-FAULT")


@pytest.mark.parametrize(
    ("fail_mode", "findings", "listed", "mode", "raw", "action"),
    [
        # the fail mode says what it comes to at least
        ("closed", [], None, "action", "block", "block"),
        ("open", [], None, "action", "alert", "alert"),
        ("closed", [], None, "observe", "block", "allow"),
        # what was decided is kept, whatever it was decided by
        ("open", [finding()], None, "action", "block", "block"),
        (
            "open",
            [],
            Listed(verdict="block", rule_id="STATIC-BLOCK", entry="Bash"),
            "action",
            "block",
            "block",
        ),
        ("open", [finding("HIGH")], None, "action", "confirm", "confirm"),
        ("open", [finding()], Listed(verdict="allow", rule_id="STATIC-ALLOW"), "action", "alert", "alert"),
    ],
)
def test_what_cannot_be_worded(fail_mode, findings, listed, mode, raw, action) -> None:
    here = posture(mode, fail_mode=FailMode(fail_mode), approvals=ASKING)
    asked = event(can_ask=True)
    first = decide(asked, findings, here, evaluation_id="first", listed=listed)
    again = unworded(first, FAULT, asked, here, evaluation_id="again")
    assert (again.raw_action, again.action, again.evaluation_id) == (raw, action, "again")
    assert again.finding_strings == [*first.finding_strings, "INTERNAL-FAULT:A title"]
    assert again.would_block is (mode == "observe")


def test_what_cannot_be_worded_keeps_its_replacement() -> None:
    result = event("tool_result", can_replace=True)
    secret = finding("HIGH", "SEC-GITHUB-TOKEN", masks=True)
    first = decide(result, [secret], posture(), evaluation_id="first", masked="<redacted len=40>")
    again = unworded(first, FAULT, result, posture(), evaluation_id="again")
    assert (again.replacement, again.enforced) == ("<redacted len=40>", True)


def test_a_message_names_the_rule_and_the_way_out_but_no_content() -> None:
    verdict = decide(
        event(),
        [finding()],
        posture(),
        evaluation_id="0123456789",
        fix_for=lambda _: "Name the folder you mean.",
    )
    assert verdict.message == (
        "[DefenseClaw] Blocked: A title (CMD-RM-RF). Name the folder you mean. "
        "Details: defenseclaw explain 01234567"
    )
    own = decide(event(), [finding()], posture(block_message="Ask security."), evaluation_id="e")
    assert own.message == "[DefenseClaw] Ask security."
