"""Findings and posture become a verdict. Pure: one table, then four small steps.

1. Severity of the findings against the profile's thresholds gives the raw action.
2. Lists, faults and the prompt clamp change the raw action.
3. The mode, and what the agent can do with an answer, give the effective action.
4. A masking finding decides whether the agent is shown a replacement.

Source: ``spec/guardrail.md`` §2 as ruled in ``DECISIONS.md`` "Verdicts"; seed ``gateway-api``
"Verdict envelope".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from msgspec.structs import replace as with_changes

from defenseclaw.vocabulary import (
    INTERNAL_FAULT,
    JSON,
    SHOWN_KINDS,
    Action,
    Event,
    EventKind,
    FailMode,
    Finding,
    Mode,
    Posture,
    Profile,
    Severity,
    Verdict,
)

THRESHOLDS: dict[Profile, tuple[Severity, Severity]] = {
    Profile.DEFAULT: (Severity.CRITICAL, Severity.MEDIUM),
    Profile.STRICT: (Severity.MEDIUM, Severity.LOW),
    Profile.PERMISSIVE: (Severity.CRITICAL, Severity.HIGH),
}
"""Per profile: least severity that blocks, least severity that alerts."""

SELF_PROTECTION = "SELF-PROTECT-"
"""Prefix of the rules an allow entry never covers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What the operator's block and allow lists say about this call."""

    verdict: str
    """``block``, ``allow`` or ``error`` (the lists could not be read)."""
    rule_id: str
    """``STATIC-BLOCK``, ``STATIC-ALLOW``, ``MCP-BLOCK`` or ``POLICY-LOOKUP-ERROR``."""
    entry: str = ""
    """The entry that matched, as the operator wrote it."""


def severity_of(findings: Sequence[Finding]) -> Severity:
    """Return the highest severity among ``findings``; NONE without any."""
    if not findings:
        return Severity.NONE
    return max((finding.severity for finding in findings), key=lambda each: each.rank)


def action_for(severity: Severity, posture: Posture, *, confirmable: bool) -> Action:
    """Return the raw action of one severity under the profile's thresholds and the approvals setting."""
    if severity is Severity.NONE:
        return Action.ALLOW
    block_at, alert_at = THRESHOLDS[posture.profile]
    if severity.rank >= block_at.rank:
        return Action.BLOCK
    if posture.approvals.enabled and confirmable and severity.rank >= posture.approvals.min_severity.rank:
        return Action.CONFIRM
    return Action.ALERT if severity.rank >= alert_at.rank else Action.ALLOW


def decide(
    event: Event,
    findings: Sequence[Finding],
    posture: Posture,
    *,
    evaluation_id: str,
    listed: Listed | None = None,
    masked: JSON = None,
    fix_for: Callable[[str], str] = lambda _rule_id: "",
    raw: Action | None = None,
) -> Verdict:
    """Return the verdict of one event.

    Args:
        event: What was inspected; its abilities shape the effective action.
        findings: What was found, the most severe first, then by rule id.
        posture: What the operator chose for the event's connector.
        evaluation_id: Join key of the rows this verdict becomes.
        listed: What the block and allow lists say, if anything.
        masked: The result with secret spans masked, in the result's own shape; None when nothing is to mask.
        fix_for: Returns a rule's one-sentence advice; empty when there is none.
        raw: The raw action where it is decided already; None has it follow from the rest.

    Source: ``spec/guardrail.md`` §2.2-§2.6, ``DECISIONS.md`` "Verdicts".
    """
    trail: list[str] = []
    if listed is not None and listed.verdict != "allow":
        findings = (_list_finding(listed), *findings)
    counted = [finding for finding in findings if not finding.detection_only]
    severity = severity_of(findings)
    if raw is None:
        raw = _raw_action(event, counted, posture, listed, trail)
    reason = _reason(findings)
    if event.abilities.clamp_prompt and raw.rank >= Action.CONFIRM.rank and severity is not Severity.CRITICAL:
        trail.append(f"prompt clamp: {raw} below CRITICAL becomes alert")
        reason = f"{reason}; policy-action={raw}"
        raw = Action.ALERT
    action, would_block = _effective(raw, event, posture, trail)
    replacement = _replacement(event, counted, posture, masked)
    if replacement is not None:
        trail.append("the agent is shown a replacement of the result")
        if raw is Action.BLOCK and posture.mode is Mode.ACTION:
            action, would_block = Action.BLOCK, False
    top = [finding.confidence for finding in findings if finding.severity is severity]
    verdict = Verdict(
        evaluation_id=evaluation_id,
        action=action,
        raw_action=raw,
        severity=severity,
        confidence=max(top, default=0.0),
        mode=posture.mode,
        findings=tuple(findings),
        reason=reason,
        would_block=would_block,
        replacement=replacement,
        trail=tuple(trail),
        enforced=action in (Action.BLOCK, Action.CONFIRM) or replacement is not None,
    )
    return with_changes(verdict, message=_message(verdict, posture, fix_for)) if findings else verdict


def unworded(
    verdict: Verdict,
    fault: Finding,
    event: Event,
    posture: Posture,
    *,
    evaluation_id: str,
    fix_for: Callable[[str], str] = lambda _rule_id: "",
) -> Verdict:
    """Return what takes the place of ``verdict`` when its answer could not be put into the agent's words.

    A fault of ours, so the fail mode says what it comes to at least: closed blocks, open alerts. What lists
    and suppressions decided stays decided, and what is masked stays masked: nothing is weakened.

    Args:
        verdict: What was decided.
        fault: The finding that says what failed.
        event: As in :func:`decide`.
        posture: As in :func:`decide`.
        evaluation_id: Of the verdict that is returned.
        fix_for: As in :func:`decide`.
    """
    floor = Action.BLOCK if posture.fail_mode is FailMode.CLOSED else Action.ALERT
    again = decide(
        event,
        (*verdict.findings, fault),
        posture,
        evaluation_id=evaluation_id,
        masked=verdict.replacement,
        fix_for=fix_for,
        raw=max(verdict.raw_action, floor, key=lambda each: each.rank),
    )
    why = (
        f"evaluation {verdict.evaluation_id[:8]} decided {verdict.raw_action}, which could not be worded",
        f"fail mode {posture.fail_mode}: at least {floor}",
    )
    return with_changes(again, step_idx=verdict.step_idx, trail=(*why, *again.trail))


def unrecorded(verdict: Verdict, posture: Posture) -> Verdict:
    """Return what is answered when ``verdict`` could not be recorded.

    Fail mode closed blocks. Open raises an allow to an alert marked unrecorded, and never weakens a verdict:
    the one exception to "recorded before answered". Source: ``DECISIONS.md`` "Store".
    """
    why = "the audit store cannot record this"
    if posture.fail_mode is FailMode.CLOSED:
        return with_changes(
            verdict,
            action=Action.BLOCK,
            raw_action=Action.BLOCK,
            enforced=True,
            recorded=False,
            reason=_joined(verdict.reason, why),
            message=f"[DefenseClaw] Blocked: {why}. Ask your administrator to run `defenseclaw doctor`.",
            trail=(*verdict.trail, "not recorded, fail mode closed: block"),
        )
    return with_changes(
        verdict,
        action=max(verdict.action, Action.ALERT, key=lambda each: each.rank),
        recorded=False,
        reason=_joined(verdict.reason, why),
        trail=(*verdict.trail, "not recorded, fail mode open: at least alert"),
    )


def _raw_action(
    event: Event, counted: Sequence[Finding], posture: Posture, listed: Listed | None, trail: list[str]
) -> Action:
    if listed is not None and listed.verdict != "allow":
        trail.append(f"{listed.rule_id}: the block list names {listed.entry or 'this call'}: block")
        return Action.BLOCK
    severity = severity_of(counted)
    raw = action_for(severity, posture, confirmable=event.abilities.confirmable)
    trail.append(f"severity {severity} in profile {posture.profile}: {raw}")
    if event.faults:
        closed = event.kind is EventKind.TOOL_CALL or posture.fail_mode is FailMode.CLOSED
        floor = Action.BLOCK if closed else Action.ALERT
        trail.append(f"the {event.kind} could not be read ({', '.join(event.faults)}): at least {floor}")
        raw = max(raw, floor, key=lambda each: each.rank)
    if any(finding.rule_id == INTERNAL_FAULT for finding in counted):
        floor = Action.BLOCK if posture.fail_mode is FailMode.CLOSED else Action.ALERT
        trail.append(f"an evaluator failed, fail mode {posture.fail_mode}: at least {floor}")
        raw = max(raw, floor, key=lambda each: each.rank)
    if listed is not None and raw is not Action.ALLOW:
        if any(finding.rule_id.startswith(SELF_PROTECTION) for finding in counted):
            trail.append(f"{listed.rule_id}: an allow entry never covers self-protection")
        else:
            trail.append(f"{listed.rule_id}: the allow list names {listed.entry}: allow")
            raw = Action.ALLOW
    return raw


def _effective(raw: Action, event: Event, posture: Posture, trail: list[str]) -> tuple[Action, bool]:
    """Return the effective action and whether a block was only recorded."""
    if raw is Action.ALLOW:
        return Action.ALLOW, False
    if posture.mode is Mode.OBSERVE:
        trail.append(f"mode observe: {raw} is recorded, the agent goes on")
        return Action.ALLOW, raw is Action.BLOCK
    able = event.abilities
    if raw is Action.CONFIRM:
        if able.can_ask:
            trail.append("the agent asks a person")
            return Action.CONFIRM, False
        trail.append(f"nobody can be asked here: {able.unasked}")
        if able.unasked is Action.BLOCK and able.can_block:
            return Action.BLOCK, True
        return Action.ALERT, False
    if raw is Action.BLOCK and not able.can_block:
        trail.append("the agent offers no way to stop this event: recorded only")
        return Action.ALLOW, True
    trail.append(f"mode action: {raw}")
    return raw, False


def _replacement(event: Event, counted: Sequence[Finding], posture: Posture, masked: JSON) -> JSON:
    if masked is None or posture.mode is not Mode.ACTION or event.kind not in SHOWN_KINDS:
        return None
    if not event.abilities.can_replace:
        return None
    severe = any(finding.masks and finding.severity.rank >= Severity.HIGH.rank for finding in counted)
    return masked if severe else None


def _list_finding(listed: Listed) -> Finding:
    return Finding(
        rule_id=listed.rule_id,
        title="",
        category="list",
        severity=Severity.HIGH,
        confidence=1.0,
        because="the operator's block list names this call"
        if listed.verdict == "block"
        else "the operator's lists could not be read",
    )


def _reason(findings: Sequence[Finding]) -> str:
    if not findings:
        return ""
    named = [
        f"{finding.rule_id}:{finding.title}" if finding.title else finding.rule_id for finding in findings[:5]
    ]
    return "matched: " + ", ".join(named)


def _message(verdict: Verdict, posture: Posture, fix_for: Callable[[str], str]) -> str:
    if posture.block_message and verdict.action is Action.BLOCK:
        return f"[DefenseClaw] {posture.block_message}"
    worst = max(verdict.findings, key=lambda finding: finding.severity.rank)
    named = f"{worst.title} ({worst.rule_id})" if worst.title else worst.rule_id
    verb = {
        Action.BLOCK: "Blocked",
        Action.CONFIRM: "Needs approval",
        Action.ALERT: "Noticed",
        Action.ALLOW: "Would block in action mode" if verdict.would_block else "Noticed",
    }[verdict.action]
    if verdict.replacement is not None:
        verb = "Masked"
    fix = fix_for(worst.rule_id)
    advice = f" {fix}" if fix else ""
    return f"[DefenseClaw] {verb}: {named}.{advice} Details: defenseclaw explain {verdict.evaluation_id[:8]}"


def _joined(reason: str, more: str) -> str:
    return f"{reason}; {more}" if reason else more
