"""``/api/v1/codex/notify``: Codex says that a turn is over. Recorded, never judged; the answer is ``{}``.

Source: seed ``gateway-api``, ``spec/gateway-api.md`` §21, ``spec/observability-and-audit.md`` §6.3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from defenseclaw.audit.records import Batch
from defenseclaw.connectors import codex_notify, payload
from defenseclaw.connectors.codex import Codex
from defenseclaw.errors import BadJson, BodyTooLarge, StoreUnavailable
from defenseclaw.gateway.bodies import API_BODY
from defenseclaw.gateway.correlation import agent_instance
from defenseclaw.gateway.jsonbody import Reader
from defenseclaw.gateway.routing import Answer, Call, Route

CONNECTOR = Codex.name
SCHEMA = "defenseclaw.notify.v1"
ACTION = "codex.notify"
MALFORMED = "codex.notify.malformed"
_TYPE_CHARS = 64
_PAYLOAD: Reader[dict[str, Any]] = Reader(dict[str, Any])
_UNFIT = re.compile(r"[^a-z0-9_.-]")


class Nothing(Struct):
    """An empty object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What is kept of a notification; no text of prompt or answer."""

    type: str
    """``agent-turn-complete`` so far; empty when none was named."""
    thread_id: str = ""
    """The session, as hooks call it."""
    turn_id: str = ""
    model: str = ""
    status: str = ""
    finish_reason: str = ""
    prompts: int = 0
    """Messages of the person in this turn."""
    answered: bool = False
    """Whether the agent said something in the end."""


def notice_of(body: Mapping[str, Any]) -> Notice:
    """Return what is kept of a notification, whatever spelling its keys have."""
    prompts = payload.first(body, "input-messages", "input_messages", "prompts")
    reasons = payload.first(body, "finish-reason", "finish_reason", "finish-reasons", "finish_reasons")
    answer = payload.first(body, "last-assistant-message", "response", "response_content")
    return Notice(
        type=payload.identity(body.get("type")),
        thread_id=payload.identity(payload.first(body, "thread-id", "thread_id", "threadID")),
        turn_id=payload.identity(payload.first(body, "turn-id", "turn_id", "turnID")),
        model=payload.identity(payload.first(body, "model", "request_model", "response_model")),
        status=payload.identity(body.get("status")),
        finish_reason=payload.identity(reasons[-1] if isinstance(reasons, list) else reasons),
        prompts=len(prompts) if isinstance(prompts, list) else 0,
        answered=bool(answer),
    )


def action_of(kind: str) -> str:
    """Return the action of the row: ``codex.notify.<type>``, without a type ``codex.notify``."""
    fit = _UNFIT.sub("-", kind.lower())[:_TYPE_CHARS]
    return f"{ACTION}.{fit}" if fit else ACTION


async def notify(call: Call) -> Answer:
    """Put on record that a turn is over."""
    body = await call.read(API_BODY)
    scrub, placeholder = call.services.scrub, call.services.inspector.evidence_placeholder
    details: dict[str, object] = {
        "result": "ok",
        "body_len": len(body),
        "body": placeholder(body.decode("utf-8", "replace")),
    }
    action, severity = MALFORMED, "WARN"
    try:
        notice = notice_of(_PAYLOAD.read(body))
    except BadJson:
        details["result"] = "malformed"
    else:
        action, severity = action_of(scrub(notice.type)), "INFO"
        details |= asdict(notice)
        _identify(call, notice)
    row = call.row(
        action,
        target="codex.session",
        actor=CONNECTOR,
        connector=CONNECTOR,
        severity=severity,
        details=details,
        structured={"schema": SCHEMA, **details},
    )
    await call.services.inspector.record(Batch(row=row))
    return Answer(b"{}")


def _identify(call: Call, notice: Notice) -> None:
    known = call.correlation
    session = notice.thread_id or notice.turn_id or known.session_id
    call.correlation = replace(
        known,
        session_id=session,
        turn_id=notice.turn_id or known.turn_id,
        agent_name=known.agent_name or Codex.title,
        agent_type=known.agent_type or CONNECTOR,
        agent_instance_id=agent_instance(call.services.identity().sidecar_instance_id, session),
    )


ROUTES = (
    Route(
        method="POST",
        path=codex_notify.ROUTE,
        handler=notify,
        summary="Record that a turn of Codex is over; nothing is judged.",
        tag="hooks",
        response=Nothing,
        effects="One `codex.notify.<type>` row, `codex.notify.malformed` for a body that is no JSON object.",
        errors=(BodyTooLarge, StoreUnavailable),
        scope=CONNECTOR,
    ),
)
