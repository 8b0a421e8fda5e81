"""Events and verdicts become rows. The only place that decides what of an event is written down.

Never content: no text, arguments, results or evidence; of evidence only a keyed placeholder. What an agent
chose itself (session id, tool name, directory …) is an attacker's text: it passes the caller's ``clean``
(masks secrets), loses control characters and is bounded. Source: ``spec/observability-and-audit.md`` §4,
``spec/gateway-api.md`` §10.7, ``DECISIONS.md`` "Raw evidence".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any, Final

from defenseclaw.audit.canonical import encode
from defenseclaw.audit.identity import time_ordered_id
from defenseclaw.audit.records import AuditRow, Batch, FindingRow, ProcessIdentity, ScanRow, SessionState
from defenseclaw.vocabulary import (
    INTERNAL_FAULT,
    Action,
    Correlation,
    Door,
    Event,
    EventKind,
    Finding,
    Severity,
    Verdict,
)

HOOK_SCHEMA = "defenseclaw.hook.v1"
INSPECT_SCHEMA = "defenseclaw.inspect.v1"
ACTIVITY_SCHEMA = "defenseclaw.activity.v1"

Clean = Callable[[str], str]
FixFor = Callable[[str], str]
"""Rule id → what to do instead, one sentence or empty."""

MAX_FINDINGS = 128
MAX_TRAIL = 32
_NAME, _ID, _REASON, _CONNECTOR, _EVENT = 256, 256, 4096, 64, 128
_EXTRA_PAIRS, _EXTRA_VALUE, _EXTRA_TOTAL = 64, 4096, 8192

_TARGET_TYPES = {
    EventKind.PROMPT: "prompt",
    EventKind.TOOL_CALL: "tool_call",
    EventKind.TOOL_RESULT: "tool_response",
    EventKind.COMPLETION: "completion",
    EventKind.FILE: "file",
}
_INSPECT_TARGETS = {"request": "pre-request", "response": "post-response"}

# Control characters but TAB, line and paragraph separators, direction marks, and halves of surrogate pairs,
# which no encoding can store.
_UNSAFE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_NEEDS_QUOTES = re.compile(r'[\s"=\\]')
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SHORTEST_SECRET = 8


def tidy(text: str, limit: int) -> str:
    """Return ``text`` on one line, at most ``limit`` characters, safe for a log and a terminal."""
    if len(text) > limit:
        text = f"{text[: limit - 1]}…"
    return text if text.isprintable() else _UNSAFE.sub(" ", text)


def batch_for(
    event: Event,
    verdict: Verdict,
    *,
    process: ProcessIdentity,
    placeholder: Callable[[str], str],
    clean: Clean,
    elapsed_ms: float,
    now: str,
    state: SessionState | None,
    rule_pack: str,
    fix_for: FixFor,
) -> Batch:
    """Return what one verdict writes: its row, its scan with findings if any, the session's new state.

    Args:
        event: what was judged.
        verdict: the answer.
        process: what all rows of this gateway share.
        placeholder: raw evidence → keyed placeholder.
        clean: masks secrets in text that an agent chose.
        elapsed_ms: what judging took, without the wait for the session and without the commit.
        now: UTC, RFC 3339, microseconds, ``Z``.
        state: the session's new state, already free of content; None without a session.
        rule_pack: name or directory of the pack.
        fix_for: rule id → what to do instead.
    """
    names = _Names(event, clean)
    row = _hook_row if event.door is Door.HOOK else _inspect_row
    return Batch(
        row=row(event, verdict, names, process, round(elapsed_ms), now, tidy(rule_pack, _REASON)),
        scan=_scan(event, verdict, names, placeholder, elapsed_ms, fix_for) if verdict.findings else None,
        state=state,
    )


def rejected(
    *,
    connector: str,
    event_name: str,
    problem: str,
    process: ProcessIdentity,
    now: str,
    body_bytes: int = 0,
    clean: Clean = str,
    correlation: Correlation | None = None,
) -> Batch:
    """Return what a hook call writes that was authenticated but could not be read.

    Args:
        connector: its name, from the route.
        event_name: as far as it is known.
        problem: in our own words, for example ``invalid_json``, ``missing_event``.
        process: what all rows of this gateway share.
        now: as in :func:`batch_for`.
        body_bytes: size of the body; 0 when unknown.
        clean: masks secrets in text that an agent chose.
        correlation: ids from the headers.
    """
    guard = _Guard(clean)
    envelope: dict[str, Any] = {
        "schema": HOOK_SCHEMA,
        "timestamp": now,
        "connector": guard(connector, _CONNECTOR) or "unknown",
        "event": guard(event_name, _EVENT) or "unknown",
        "result": "rejected",
        "severity": "WARN",
        "reason": tidy(problem, _REASON),
        "would_block": False,
        "elapsed_ms": 0,
        "body_bytes": body_bytes,
        "raw_origin": "hook",
    }
    row = AuditRow(
        action="connector-hook",
        target=envelope["event"],
        details=_hook_details(envelope),
        structured=envelope,
        severity="WARN",
        connector=guard(connector, _CONNECTOR),
        **_identity(guard, correlation or Correlation(), connector),
        **_provenance(process, now),
    )
    return Batch(row=row)


def plain(
    action: str,
    *,
    process: ProcessIdentity,
    now: str,
    clean: Clean = str,
    target: str = "",
    actor: str = "defenseclaw",
    details: str | Mapping[str, object] = "",
    severity: str = "INFO",
    connector: str = "",
    correlation: Correlation | None = None,
    structured: Mapping[str, Any] | None = None,
) -> AuditRow:
    """Return a row that no verdict stands behind: enforcement, lifecycle, authentication, reveal.

    Args:
        action: of the families in the specification, or a caller's own word.
        details: text, or pairs that become ``key=value`` text.
        structured: JSON object; its strings are cleaned and bounded as well.
    """
    guard = _Guard(clean)
    text = details if isinstance(details, str) else _tail((key, value) for key, value in details.items())
    return AuditRow(
        action=tidy(action, _EVENT),
        target=guard(target, _REASON),
        actor=guard(actor, _NAME) or "defenseclaw",
        details=guard(text, 4 * _REASON),
        structured=_cleaned(structured, guard) if structured is not None else None,
        severity=tidy(severity, 16),
        connector=guard(connector, _CONNECTOR),
        **_identity(guard, correlation or Correlation(), connector),
        **_provenance(process, now),
    )


def activity(
    action: str,
    *,
    process: ProcessIdentity,
    now: str,
    target_type: str,
    target_id: str,
    actor: str = "cli:operator",
    reason: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    version_from: str = "",
    version_to: str = "",
    clean: Clean = str,
    correlation: Correlation | None = None,
) -> AuditRow:
    """Return the row of an operator's change.

    Args:
        before: the state that was; never a secret itself, only for example whether there was one.
        after: the state that is.
    """
    structured = {
        "schema": ACTIVITY_SCHEMA,
        "target_type": target_type,
        "target_id": target_id,
        "reason": reason,
        "before": before or {},
        "after": after or {},
        "diff": list(_diff(before or {}, after or {}, "")),
        "version_from": version_from,
        "version_to": version_to,
    }
    return plain(
        action,
        process=process,
        now=now,
        clean=clean,
        target=target_id,
        actor=actor,
        details={"target_type": target_type, "reason": reason},
        correlation=correlation,
        structured=structured,
    )


# ---- what an agent chose -------------------------------------------------------------------------


class _Guard:
    """Makes an untrusted string fit for a row."""

    __slots__ = ("_clean",)

    def __init__(self, clean: Clean) -> None:
        self._clean = clean

    def __call__(self, text: str, limit: int) -> str:
        if not text:
            return text
        if len(text) >= _SHORTEST_SECRET and not _UUID.fullmatch(text):
            # Bounded before it is searched, with room so that a secret at the edge is still seen whole.
            text = self._clean(text[: limit + 1024])
        return tidy(text, limit)


class _Names:
    """The identity strings of an event, fit for rows."""

    __slots__ = ("connector", "event", "extra", "identity", "tool")

    def __init__(self, event: Event, clean: Clean) -> None:
        guard = _Guard(clean)
        self.connector = guard(event.connector, _CONNECTOR)
        self.event = guard(event.name, _EVENT) or "unknown"
        self.tool = guard(event.tool, _NAME)
        self.identity = _identity(guard, event.correlation, event.connector)
        self.extra = _extra(event, guard)


_IDENTITY: Final = {
    "request_id": _ID,
    "trace_id": _ID,
    "session_id": _ID,
    "turn_id": _ID,
    "agent_id": _NAME,
    "agent_name": _NAME,
    "agent_instance_id": _ID,
    "policy_id": _EVENT,
    "destination_app": _EVENT,
    "tool_id": _ID,
}
"""Columns that say who called → most characters of them."""
_NOBODY: Final = dict.fromkeys(_IDENTITY, "")
_identity_of: Final = attrgetter(*("tool_call_id" if name == "tool_id" else name for name in _IDENTITY))


def _identity(guard: _Guard, correlation: Correlation, connector: str) -> dict[str, Any]:
    identity = dict(_NOBODY)
    for name, text in zip(_IDENTITY, _identity_of(correlation), strict=True):
        if text:
            identity[name] = guard(text, _IDENTITY[name])
    if connector and not correlation.agent_name:
        identity["agent_name"] = guard(connector, _NAME)
    return identity


def _extra(event: Event, guard: _Guard) -> dict[str, str]:
    pairs = dict(event.extra)
    for key, value in (("cwd", event.cwd), ("mcp_server", event.mcp_server), ("model", event.model)):
        if value:
            pairs.setdefault(key, value)
    if event.faults:
        pairs["faults"] = ",".join(event.faults)
    if not pairs:
        return {}
    out: dict[str, str] = {}
    room = _EXTRA_TOTAL
    for key in sorted(pairs)[:_EXTRA_PAIRS]:
        value = guard(str(pairs[key]), min(_EXTRA_VALUE, room))
        out[guard(key, _CONNECTOR)] = value
        room -= len(value)
        if room <= 1:
            break
    return out


def _cleaned(value: Any, guard: _Guard, depth: int = 8) -> Any:  # noqa: ANN401  JSON of any shape
    if isinstance(value, str):
        return guard(value, _REASON)
    if depth == 0:
        return None
    if isinstance(value, Mapping):
        return {
            guard(str(key), _NAME): _cleaned(item, guard, depth - 1)
            for key, item in list(value.items())[:256]
        }
    if isinstance(value, list | tuple):
        return [_cleaned(item, guard, depth - 1) for item in value[:256]]
    return value if value is None or isinstance(value, bool | int | float) else tidy(str(value), _REASON)


# ---- rows ----------------------------------------------------------------------------------------


def _hook_row(
    event: Event,
    verdict: Verdict,
    names: _Names,
    process: ProcessIdentity,
    elapsed_ms: int,
    now: str,
    rule_pack: str,
) -> AuditRow:
    severity = _row_severity(verdict)
    envelope: dict[str, Any] = {
        "schema": HOOK_SCHEMA,
        "timestamp": now,
        "connector": names.connector or "unknown",
        "event": names.event,
        "result": _result(event, verdict),
        "action": verdict.action.value,
        "raw_action": verdict.raw_action.value,
        "severity": verdict.severity.value,
        "mode": verdict.mode.value,
        "would_block": verdict.would_block,
        "elapsed_ms": elapsed_ms,
        "raw_origin": "hook",
        "evaluation_id": verdict.evaluation_id,
        "rule_ids": list(verdict.rule_ids),
        "enforced": verdict.enforced,
        "rule_pack_dir": rule_pack,
    }
    if verdict.reason:
        envelope["reason"] = tidy(verdict.reason, _REASON)
    if verdict.step_idx > 0:
        envelope["step_idx"] = verdict.step_idx
    if names.extra:
        envelope["extra"] = names.extra
    details = _hook_details(envelope)
    if verdict.trail:  # only here: the mirror in details keeps the fields that older parsers know
        envelope["trail"] = _trail(verdict)
    return AuditRow(
        action="connector-hook",
        target=names.event,
        details=details,
        structured=envelope,
        severity=severity,
        tool_name=names.tool,
        connector=names.connector,
        evaluation_id=verdict.evaluation_id,
        step_idx=verdict.step_idx or None,
        enforced=verdict.enforced,
        rule_pack_dir=rule_pack,
        **names.identity,
        **_provenance(process, now, verdict.evaluation_id),
    )


def _inspect_row(
    event: Event,
    verdict: Verdict,
    names: _Names,
    process: ProcessIdentity,
    elapsed_ms: int,
    now: str,
    rule_pack: str,
) -> AuditRow:
    reason = tidy(verdict.reason, _REASON)
    # str() of a StrEnum is its value, without the detour that the attribute takes.
    action, raw_action = str(verdict.action), str(verdict.raw_action)
    severity, mode = str(verdict.severity), str(verdict.mode)
    rule_ids = list(verdict.rule_ids)
    envelope: dict[str, Any] = {
        "schema": INSPECT_SCHEMA,
        "timestamp": now,
        "route": names.event,
        "kind": str(event.kind),
        "action": action,
        "raw_action": raw_action,
        "severity": severity,
        "confidence": verdict.confidence,
        "mode": mode,
        "reason": reason,
        "would_block": verdict.would_block,
        "elapsed_ms": elapsed_ms,
        "evaluation_id": verdict.evaluation_id,
        "rule_ids": rule_ids,
        "enforced": verdict.enforced,
        "rule_pack_dir": rule_pack,
    }
    if names.extra:
        envelope["extra"] = names.extra
    if verdict.trail:
        envelope["trail"] = _trail(verdict)
    told: list[tuple[str, object]] = [
        (name, names.extra[name]) for name in ("model", "exit_code") if name in names.extra
    ]
    told.append(("request_id", names.identity["request_id"]))
    # Only what came from elsewhere may need quotes.
    details = (
        f"severity={severity} confidence={verdict.confidence:.2f}"
        + (f" reason={_token(reason)}" if reason else "")
        + f" elapsed={elapsed_ms}ms mode={mode} would_block={'true' if verdict.would_block else 'false'}"
        + f" raw_action={raw_action} {_tail(told)}".rstrip()
        + f" evaluation_id={verdict.evaluation_id}"
        + (f" rule_ids={_token(','.join(rule_ids))}" if rule_ids else "")
    )
    return AuditRow(
        action=f"inspect-{names.event}-{action}",
        target=_INSPECT_TARGETS.get(event.name) or names.tool or names.event,
        details=details,
        structured=envelope,
        severity=_row_severity(verdict),
        tool_name=names.tool,
        connector=names.connector,
        evaluation_id=verdict.evaluation_id,
        step_idx=verdict.step_idx or None,
        enforced=verdict.enforced,
        rule_pack_dir=rule_pack,
        **names.identity,
        **_provenance(process, now, verdict.evaluation_id),
    )


def _provenance(process: ProcessIdentity, now: str, row_id: str = "") -> dict[str, Any]:
    return {
        "id": row_id or time_ordered_id(),
        "timestamp": now,
        "run_id": process.run_id,
        "sidecar_instance_id": process.sidecar_instance_id,
        "schema_version": process.schema_version,
        "content_hash": process.content_hash,
        "generation": process.generation,
        "binary_version": process.binary_version,
    }


def _row_severity(verdict: Verdict) -> str:
    """Return the finding's severity when the event would not simply pass, so that alerts find it."""
    if verdict.raw_action is Action.ALLOW or verdict.severity is Severity.NONE:
        return "INFO"
    return verdict.severity.value


def _result(event: Event, verdict: Verdict) -> str:
    if event.faults:
        return "rejected"
    return "panic" if INTERNAL_FAULT in verdict.rule_ids else "ok"


def _trail(verdict: Verdict) -> list[str]:
    return [tidy(step, _NAME) for step in verdict.trail[:MAX_TRAIL]]


# ---- scans ---------------------------------------------------------------------------------------


def _scan(
    event: Event,
    verdict: Verdict,
    names: _Names,
    placeholder: Callable[[str], str],
    elapsed_ms: float,
    fix_for: FixFor,
) -> ScanRow:
    hook = event.door is Door.HOOK
    tool = f":{names.tool}" if names.tool else ""
    return ScanRow(
        id=time_ordered_id(),
        scanner="hook-rules" if hook else "inspect-http",
        target=f"{names.connector}:{names.event}" if hook else f"/api/v1/inspect/{names.event}{tool}",
        target_type=_TARGET_TYPES.get(event.kind, "inspect"),
        max_severity=verdict.severity.value,
        verdict="block" if verdict.raw_action is Action.BLOCK else "warn",
        duration_ms=round(elapsed_ms),
        findings=tuple(_finding(each, placeholder, fix_for) for each in verdict.findings[:MAX_FINDINGS]),
    )


def _finding(finding: Finding, placeholder: Callable[[str], str], fix_for: FixFor) -> FindingRow:
    evidence = placeholder(finding.evidence.reveal()) if finding.evidence else ""
    return FindingRow(
        id=time_ordered_id(),
        rule_id=tidy(finding.rule_id, _EVENT),
        category=tidy(finding.category, _EVENT),
        severity=finding.severity.value,
        title=tidy(finding.title, _NAME),
        description=tidy(f"{finding.because} {evidence}".strip(), _REASON),
        remediation=tidy(fix_for(finding.rule_id), _REASON),
        tags=tuple(tidy(tag, _CONNECTOR) for tag in finding.tags[:32]),
        confidence=finding.confidence,
    )


# ---- key=value text ------------------------------------------------------------------------------

_HOOK_TAIL = (
    *("result", "action", "raw_action", "severity", "mode", "reason", "would_block", "elapsed_ms"),
    *("body_bytes", "raw_origin", "raw_event_ids", "raw_payload"),
)


def _hook_details(envelope: Mapping[str, Any]) -> str:
    """Return the text that parsers older than ``structured`` read, with the envelope quoted at its end."""
    pairs = [(name, envelope[name]) for name in _HOOK_TAIL if name in envelope]
    pairs.extend(envelope.get("extra", {}).items())
    mirror = encode(encode(envelope).decode()).decode()
    return f"connector={_token(envelope['connector'])} {_tail(pairs)} details_json={mirror}"


def _tail(pairs: Iterable[tuple[str, object]]) -> str:
    return " ".join(f"{key}={_token(value)}" for key, value in pairs if value != "")


def _token(value: object) -> str:
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    return text if text.isalnum() or not _NEEDS_QUOTES.search(text) else encode(text).decode()


def _diff(before: Mapping[str, Any], after: Mapping[str, Any], path: str) -> Iterable[dict[str, Any]]:
    for key in sorted({*before, *after}):
        here = f"{path}/{key}"
        if key not in before:
            yield {"path": here, "op": "add", "after": after[key]}
        elif key not in after:
            yield {"path": here, "op": "remove", "before": before[key]}
        elif isinstance(before[key], Mapping) and isinstance(after[key], Mapping):
            yield from _diff(before[key], after[key], here)
        elif before[key] != after[key]:
            yield {"path": here, "op": "replace", "before": before[key], "after": after[key]}
