"""``/api/v1/<agent>/hook``: one route per connector that has one, found in the registry.

By default the answer is the seed's envelope; ``X-DefenseClaw-Answer: native`` asks for what the agent's hook
process prints. Source: seed ``gateway-api`` "Connector hook responses", ``spec/gateway-api.md`` §20,
``DECISIONS.md`` "What a hook script does".
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from defenseclaw.connectors.base import Connector, HookCall, NativeAnswer, registry
from defenseclaw.errors import (
    BadJson,
    BodyTooLarge,
    DefenseClawError,
    MissingField,
    Overloaded,
    StoreUnavailable,
)
from defenseclaw.gateway.bodies import HOOK_BODY
from defenseclaw.gateway.correlation import agent_instance
from defenseclaw.gateway.jsonbody import Reader, TooDeep
from defenseclaw.gateway.routes.inspect import replacement_text
from defenseclaw.gateway.routing import JSON_TYPE, Answer, Call, Parameter, Route, as_json, refusal
from defenseclaw.vocabulary import Action, Event, Verdict

log = logging.getLogger(__name__)

_PAYLOAD: Reader[dict[str, Any]] = Reader(dict[str, Any])
_FAULTS: tuple[tuple[type[DefenseClawError], str], ...] = (
    (BodyTooLarge, "too_large"),
    (TooDeep, "too_deep"),
    (BadJson, "undecodable"),
)


class HookEnvelope(Struct, kw_only=True):
    """The answer to a hook without ``X-DefenseClaw-Answer: native``.

    Connectors with an answer of their own add it under the name their agent's hook reads
    (``claude_code_output``).
    """

    action: Literal["allow", "alert", "confirm", "block"]
    raw_action: Literal["allow", "alert", "confirm", "block"]
    severity: str
    mode: Literal["observe", "action"]
    would_block: bool
    reason: str
    findings: list[str]
    evaluation_id: str
    rule_ids: list[str]
    additional_context: str | UnsetType = UNSET
    """What was seen, one sentence; absent when nothing was."""
    replacement: str | UnsetType = UNSET
    """The result with secrets masked, JSON text if it was not a string; absent when unchanged."""


async def serve(call: Call, connector: Connector) -> Answer:
    """Judge one hook call and answer it in the agent's language or in the seed's envelope.

    An answer that cannot be worded gives way to that of :meth:`Inspector.unanswerable`. Where that cannot be
    worded either, the answer is an error, and on record: hook scripts and bridges take anything but a good
    answer as a failure, and give the agent the plain answer of their fail mode.
    """
    inspector = call.services.inspector
    event = await _event(call, connector)
    verdict = await inspector.inspect(event)
    call.correlation = event.correlation
    answer = _worded(call, connector, event, verdict)
    if answer is None:
        verdict = await inspector.unanswerable(event, verdict)
        answer = _worded(call, connector, event, verdict)
    if answer is None:
        await inspector.reject(connector.name, event.name, "unanswerable", 0, event.correlation)
        return refusal(DefenseClawError())
    return answer


def _worded(call: Call, connector: Connector, event: Event, verdict: Verdict) -> Answer | None:
    """Return the answer; None when it cannot be put into words.

    Whatever a verdict trips over here must not let the event pass, so no error leaves it.
    """
    try:
        answer = connector.encode(event, verdict)
        if call.header(b"x-defenseclaw-answer").lower() == "native":
            return _native(verdict, answer)
        return _envelope(call, connector, verdict, answer)
    except Exception as error:
        log.error("%s cannot word a verdict: %s", connector.name, type(error).__name__)
        return None


async def _event(call: Call, connector: Connector) -> Event:
    """Return the event of a hook call; what could not be taken in becomes a fault of it.

    Without ``X-DefenseClaw-Hook-Event`` nobody knows how to answer in the agent's language: then it is an
    error, and recorded as a rejected call.
    """
    hook = HookCall(header_event=call.header(b"x-defenseclaw-hook-event"), correlation=call.correlation)
    size = 0
    try:
        body = await call.read(HOOK_BODY)
        size = len(body)
        event = _decoded(connector, replace(hook, payload=_PAYLOAD.read(body)))
    except (BodyTooLarge, BadJson, MissingField) as error:
        fault = next((name for kind, name in _FAULTS if isinstance(error, kind)), "")
        if not fault or not hook.header_event:
            await call.services.inspector.reject(
                connector.name, hook.header_event, error.code, size, call.correlation
            )
            raise
        event = connector.decode(replace(hook, faults=(fault,)))
    return _with_instance(event, call)


def _decoded(connector: Connector, hook: HookCall) -> Event:
    try:
        return connector.decode(hook)
    except DefenseClawError:
        raise
    except Exception as error:
        # A payload of a shape nobody foresaw must not decide for the agent that nothing is wrong.
        log.error(
            "%s cannot decode a %r payload: %s", connector.name, hook.header_event, type(error).__name__
        )
        raise BadJson from error


def _with_instance(event: Event, call: Call) -> Event:
    """Return the event with the id of its agent instance, which hangs on the payload's session."""
    known = event.correlation
    if known.agent_instance_id and known.session_id == call.correlation.session_id:
        return event
    instance = agent_instance(call.services.identity().sidecar_instance_id, known.session_id)
    return replace(event, correlation=replace(known, agent_instance_id=instance))


def _native(verdict: Verdict, answer: NativeAnswer) -> Answer:
    return Answer(
        answer.stdout,
        200,
        (
            (b"x-defenseclaw-exit-code", str(answer.exit_code).encode()),
            (b"x-defenseclaw-stderr", base64.b64encode(answer.stderr.encode("utf-8", "replace"))),
            (b"x-defenseclaw-evaluation-id", verdict.evaluation_id.encode()),
            (b"x-defenseclaw-rule-ids", ",".join(verdict.rule_ids).encode("ascii", "replace")),
        ),
        JSON_TYPE if answer.stdout.lstrip()[:1] in (b"{", b"[") else b"text/plain; charset=utf-8",
    )


def _envelope(call: Call, connector: Connector, verdict: Verdict, answer: NativeAnswer) -> Answer:
    envelope = HookEnvelope(
        action=verdict.action.value,
        raw_action=verdict.raw_action.value,
        severity=verdict.severity.value,
        mode=verdict.mode.value,
        would_block=verdict.would_block,
        reason=_reason(call, connector, verdict),
        findings=verdict.finding_strings,
        evaluation_id=verdict.evaluation_id,
        rule_ids=list(verdict.rule_ids),
        additional_context=_context(connector, verdict),
        replacement=UNSET if verdict.replacement is None else replacement_text(verdict.replacement),
    )
    if not answer.output_field or answer.output is None:
        return as_json(envelope)
    fields = {
        name: value for name in envelope.__struct_fields__ if (value := getattr(envelope, name)) is not UNSET
    }
    return as_json({**fields, answer.output_field: answer.output})


def _reason(call: Call, connector: Connector, verdict: Verdict) -> str:
    """Return the rules that matched, or on a block the operator's own words where there are any."""
    if verdict.action is Action.BLOCK:
        return call.services.config.posture(connector.name).block_message or verdict.reason
    return verdict.reason


def _context(connector: Connector, verdict: Verdict) -> str | UnsetType:
    if verdict.raw_action is Action.ALLOW:
        return UNSET
    seen = "would block in action mode" if verdict.would_block else "observed"
    return f"DefenseClaw {seen}: {verdict.severity.value} {connector.name} hook finding: {verdict.reason}"


def _handler(connector: Connector) -> Callable[[Call], Awaitable[Answer]]:
    async def handle(call: Call) -> Answer:
        return await serve(call, connector)

    return handle


_PARAMETERS = (
    Parameter(
        name="X-DefenseClaw-Hook-Event",
        where="header",
        summary="The agent's name of the event; used when the payload names none or cannot be read.",
    ),
    Parameter(
        name="X-DefenseClaw-Answer",
        where="header",
        summary="`native`: the body is what the agent's hook prints, the exit code is in a header.",
    ),
)


def route_of(connector: Connector) -> Route:
    """Return the hook route of one connector."""
    return Route(
        method="POST",
        path=connector.hook_path,
        handler=_handler(connector),
        summary=f"Judge one event of {connector.title}.",
        tag="hooks",
        response=HookEnvelope,
        effects="One `connector-hook` row, and a scan row when there are findings, before the answer.",
        errors=(BadJson, MissingField, BodyTooLarge, Overloaded, StoreUnavailable),
        parameters=_PARAMETERS,
        body_bytes=HOOK_BODY,
        rate_limited=True,
    )


ROUTES = tuple(route_of(connector) for connector in registry().values() if connector.hook_path)
