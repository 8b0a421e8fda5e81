"""``/api/v1/inspect/*``: the verdict on one tool call, prompt, completion or tool result.

Source: seed ``gateway-api`` "Inspection" and "Verdict envelope"; ``spec/gateway-api.md`` §10.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from defenseclaw.audit.records import Batch
from defenseclaw.connectors.base import by_any_name
from defenseclaw.errors import BadJson, ConnectorMismatch, Overloaded, StoreUnavailable
from defenseclaw.gateway.correlation import agent_instance, cleaned
from defenseclaw.gateway.jsonbody import ANY, TooDeep
from defenseclaw.gateway.routing import Call, Parameter, Route
from defenseclaw.vocabulary import (
    JSON,
    Abilities,
    Action,
    Correlation,
    Door,
    Event,
    EventKind,
    Finding,
    Mode,
    Verdict,
)

ActionName = Literal["allow", "alert", "confirm", "block"]
ModeName = Literal["observe", "action"]
_ACTIONS: dict[Action, ActionName] = {action: action.value for action in Action}
_MODES: dict[Mode, ModeName] = {mode: mode.value for mode in Mode}

_KIND_OF_DIRECTION = {
    "prompt": EventKind.PROMPT,
    "tool_result": EventKind.TOOL_RESULT,
    "tool-response": EventKind.TOOL_RESULT,
}


class _Inspected(Struct, kw_only=True):
    session_id: str | None = None
    connector: str | None = None
    """Whose rule pack and posture apply; a connector's own token fixes it."""


class ToolRequest(_Inspected):
    """A tool call about to run, or a message about to be sent (``tool`` = ``message``)."""

    tool: str | None = None
    args: Any = None
    """Arguments; a JSON string that holds an object is read as that object."""
    content: str | None = None
    direction: str | None = None
    """Of a message: ``outbound``, ``prompt``, ``completion``, ``response``, ``tool_result``."""
    approval_surface: str | None = None
    """``native``: the caller can put the call to a person."""
    mcp_server_name: str | None = None
    cwd: str | None = None


class TextRequest(_Inspected):
    """A prompt on its way to a model, or a model's completion."""

    content: str | None = None
    model: str | None = None


class ToolResponseRequest(_Inspected):
    """A tool's output before the agent sees it."""

    tool: str | None = None
    output: Any = None
    exit_code: int | None = None
    args: Any = None
    mcp_server_name: str | None = None
    cwd: str | None = None


class DetailedFinding(Struct, omit_defaults=True):
    """One match of one rule."""

    rule_id: str
    title: str
    severity: str
    confidence: float
    evidence: str = ""
    """A keyed placeholder, or the raw text when the reveal header asked for it."""
    tags: tuple[str, ...] = ()


class VerdictBody(Struct, kw_only=True):
    """The verdict envelope of the seed."""

    action: ActionName
    raw_action: ActionName
    severity: str
    confidence: float
    reason: str = ""
    findings: list[str] = msgspec.field(default_factory=list)
    detailed_findings: list[DetailedFinding] = msgspec.field(default_factory=list)
    mode: ModeName
    would_block: bool = False
    approval_timeout_ms: int = 0
    """How long a native approval waits; 0 unless ``action`` is ``confirm``."""
    replacement: str | UnsetType = UNSET
    """The result with secrets masked, JSON text if it was not a string; absent when unchanged."""


async def inspect_tool(call: Call) -> VerdictBody:
    """Judge a tool call or an outgoing message."""
    body: ToolRequest = call.body
    message = _message_text(body) if (body.tool or "").lower() == "message" else ""
    args, faults = _arguments(body.args)
    outbound = (body.direction or "outbound").strip().lower() == "outbound"
    native = _asks_natively(call, body.approval_surface)
    abilities = Abilities(can_ask=native, confirmable=outbound or not message, can_replace=True)
    event = Event(
        kind=EventKind.TOOL_CALL,
        door=Door.INSPECT,
        name="tool",
        connector=_connector(call, body.connector),
        tool=body.tool or "",
        args=args,
        cwd=body.cwd or "",
        mcp_server=body.mcp_server_name or "",
        abilities=abilities,
        correlation=_correlation(call, body.session_id),
        faults=faults,
    )
    if message:
        event = _as_message(event, message, body.direction)
    elif (body.tool or "").lower() == "message" and not body.args:
        return _nothing_to_judge(call, event.connector)
    return await _judged(call, event)


async def inspect_request(call: Call) -> VerdictBody:
    """Judge a prompt."""
    abilities = Abilities(confirmable=False, clamp_prompt=True)
    return await _inspect_text(call, EventKind.PROMPT, "request", abilities)


async def inspect_response(call: Call) -> VerdictBody:
    """Judge a completion."""
    abilities = Abilities(confirmable=False, can_replace=True)
    return await _inspect_text(call, EventKind.COMPLETION, "response", abilities)


async def inspect_tool_response(call: Call) -> VerdictBody:
    """Judge a tool's output."""
    body: ToolResponseRequest = call.body
    args, faults = _arguments(body.args)
    event = Event(
        kind=EventKind.TOOL_RESULT,
        door=Door.INSPECT,
        name="tool-response",
        connector=_connector(call, body.connector),
        tool=body.tool or "",
        args=args,
        result=body.output,
        cwd=body.cwd or "",
        mcp_server=body.mcp_server_name or "",
        abilities=Abilities(confirmable=False, can_replace=True),
        correlation=_correlation(call, body.session_id),
        faults=faults,
        extra={} if body.exit_code is None else {"exit_code": str(body.exit_code)},
    )
    return await _judged(call, event)


async def _inspect_text(call: Call, kind: EventKind, name: str, abilities: Abilities) -> VerdictBody:
    body: TextRequest = call.body
    connector = _connector(call, body.connector)
    if not body.content:
        return _nothing_to_judge(call, connector)
    event = Event(
        kind=kind,
        door=Door.INSPECT,
        name=name,
        connector=connector,
        text=body.content,
        model=cleaned((body.model or "").encode("utf-8", "replace")),
        abilities=abilities,
        correlation=_correlation(call, body.session_id),
    )
    return await _judged(call, event)


async def _judged(call: Call, event: Event) -> VerdictBody:
    verdict = await call.services.inspector.inspect(event)
    call.correlation = event.correlation
    reveal = call.headers.get(b"x-defenseclaw-reveal-pii") == b"1"
    if reveal:
        await call.services.inspector.record(_reveal_batch(call, event, verdict))
    return _rendered(call, verdict, reveal=reveal)


def _rendered(call: Call, verdict: Verdict, *, reveal: bool) -> VerdictBody:
    waits = verdict.action is Action.CONFIRM
    return VerdictBody(
        action=_ACTIONS[verdict.action],
        raw_action=_ACTIONS[verdict.raw_action],
        severity=str(verdict.severity),
        confidence=verdict.confidence,
        reason=verdict.reason,
        findings=verdict.finding_strings,
        detailed_findings=[_detailed(call, finding, reveal=reveal) for finding in verdict.findings],
        mode=_MODES[verdict.mode],
        would_block=verdict.would_block,
        approval_timeout_ms=call.services.config.current.gateway.approval_timeout_s * 1000 if waits else 0,
        replacement=UNSET if verdict.replacement is None else replacement_text(verdict.replacement),
    )


def replacement_text(replacement: JSON) -> str:
    """Return a replaced result as the wire carries it: itself if it is text, else as JSON."""
    return replacement if isinstance(replacement, str) else msgspec.json.encode(replacement).decode()


def _detailed(call: Call, finding: Finding, *, reveal: bool) -> DetailedFinding:
    evidence = finding.evidence.reveal()
    if evidence and not reveal:
        evidence = call.services.inspector.evidence_placeholder(evidence)
    return DetailedFinding(
        finding.rule_id, finding.title, finding.severity.value, finding.confidence, evidence, finding.tags
    )


def _nothing_to_judge(call: Call, connector: str) -> VerdictBody:
    mode = call.services.config.posture(connector).mode
    return VerdictBody(action="allow", raw_action="allow", severity="NONE", confidence=0.0, mode=mode.value)


def _reveal_batch(call: Call, event: Event, verdict: Verdict) -> Batch:
    row = call.row(
        "inspect-reveal",
        target=event.tool or event.name,
        details={"route": event.name, "remote": call.peer, "reason": verdict.reason},
        severity=verdict.severity.value if verdict.findings else "INFO",
        connector=event.connector,
    )
    return Batch(row=replace(row, evaluation_id=verdict.evaluation_id, tool_name=row.target))


def _message_text(body: ToolRequest) -> str:
    if body.content:
        return body.content
    args = body.args if isinstance(body.args, Mapping) else {}
    return next(
        (value for key in ("content", "body") if isinstance(value := args.get(key), str) and value), ""
    )


def _as_message(event: Event, text: str, direction: str | None) -> Event:
    kind = _KIND_OF_DIRECTION.get((direction or "").strip().lower(), EventKind.COMPLETION)
    if kind is EventKind.TOOL_RESULT:
        return replace(event, kind=kind, result=text, args=None)
    return replace(event, kind=kind, text=text, args=None)


def _arguments(args: JSON) -> tuple[JSON, tuple[str, ...]]:
    """Return the arguments as an object where they are one, also one written down as a string."""
    if not isinstance(args, str) or not args.lstrip().startswith("{"):
        return args, ()
    try:
        decoded: JSON = ANY.read(args.encode("utf-8", "replace"))
    except TooDeep:
        return args, ("too_deep",)
    except BadJson:
        return args, ()
    return decoded, ()


def _connector(call: Call, named: str | None) -> str:
    """Return whose posture applies.

    Raises:
        ConnectorMismatch: the body names another connector than the token belongs to.
    """
    wanted = cleaned((named or "").encode("utf-8", "replace")).lower()
    known = by_any_name(wanted, call.services.connectors.values()) if wanted else None
    name = known.name if known is not None else wanted
    if call.caller.connector and name and name != call.caller.connector:
        raise ConnectorMismatch
    return call.caller.connector or name


def _correlation(call: Call, session_id: str | None) -> Correlation:
    session = cleaned((session_id or "").encode("utf-8", "replace"))
    if not session or session == call.correlation.session_id:
        return call.correlation
    instance = agent_instance(call.services.identity().sidecar_instance_id, session)
    return replace(call.correlation, session_id=session, agent_instance_id=instance)


def _asks_natively(call: Call, surface: str | None) -> bool:
    """Return whether the caller can show a person this call; only the OpenClaw plugin can."""
    primary = call.services.config.current.guardrail.connector.lower()
    return primary == "openclaw" and (surface or "").strip().lower() == "native"


_PARAMETERS = (
    Parameter(
        name="X-DefenseClaw-Reveal-PII",
        where="header",
        summary="Exactly `1`: raw evidence of this very call in the answer; recorded as `inspect-reveal`.",
    ),
    Parameter(
        name="X-DefenseClaw-Connector",
        where="header",
        summary="With a connector's own token: the connector it belongs to.",
    ),
)


def _route(path: str, handler: Any, summary: str, request: type[Struct], *required: str) -> Route:  # noqa: ANN401
    return Route(
        method="POST",
        path=f"/api/v1/inspect/{path}",
        handler=handler,
        summary=summary,
        tag="inspection",
        request=request,
        required=required,
        response=VerdictBody,
        effects=f"One `inspect-{path}-<action>` row, and a scan row when there are findings, first.",
        errors=(ConnectorMismatch, Overloaded, StoreUnavailable),
        parameters=_PARAMETERS,
        rate_limited=True,
    )


ROUTES = (
    _route("tool", inspect_tool, "Judge a tool call before it runs.", ToolRequest, "tool"),
    _route("request", inspect_request, "Judge a prompt before a model sees it.", TextRequest),
    _route("response", inspect_response, "Judge a completion before the user sees it.", TextRequest),
    _route(
        "tool-response",
        inspect_tool_response,
        "Judge a tool's output before the agent sees it.",
        ToolResponseRequest,
        "tool",
    ),
)
