"""``/audit/event`` appends what a client did; ``/alerts`` lists what deserves attention.

Source: seed ``gateway-api`` "Audit"; ``spec/gateway-api.md`` §18.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from defenseclaw.audit.records import AuditRow, Batch
from defenseclaw.errors import BadRequest, Conflict, MissingField, StoreUnavailable
from defenseclaw.gateway.correlation import cleaned
from defenseclaw.gateway.routing import Call, Parameter, Route

DEFAULT_ALERTS = 50
MAX_ALERTS = 500

_SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFO", "WARN", "ERROR", "NONE")
_IDS = (
    "id",
    "run_id",
    "trace_id",
    "request_id",
    "session_id",
    "turn_id",
    "agent_id",
    "agent_name",
    "agent_instance_id",
    "policy_id",
    "destination_app",
    "tool_name",
    "tool_id",
    "sidecar_instance_id",
    "connector",
    "rule_pack_dir",
    "content_hash",
    "binary_version",
)


Count = Annotated[int, Meta(ge=0, le=2**53)]
"""What the store's columns and every JSON reader hold exactly."""


class AuditEventRequest(Struct):
    """One event; everything but ``action`` may be left out."""

    action: str | None = None
    id: str | None = None
    timestamp: str | None = None
    """RFC 3339; the present moment by default."""
    target: str | None = None
    actor: str | None = None
    details: str | None = None
    severity: str | None = None
    run_id: str | None = None
    trace_id: str | None = None
    request_id: str | None = None
    session_id: str | None = None
    turn_id: str | None = None
    agent_id: str | None = None
    agent_name: str | None = None
    agent_instance_id: str | None = None
    policy_id: str | None = None
    destination_app: str | None = None
    tool_name: str | None = None
    tool_id: str | None = None
    sidecar_instance_id: str | None = None
    connector: str | None = None
    rule_pack_dir: str | None = None
    content_hash: str | None = None
    binary_version: str | None = None
    schema_version: Count | None = None
    generation: Count | None = None
    step_idx: Count | None = None
    enforced: bool | None = None
    structured: dict[str, Any] | None = None


class Stored(Struct):
    """Where the event went."""

    status: Literal["stored"]
    id: str


class Alert(Struct):
    """One row that deserves attention."""

    id: str
    timestamp: str
    action: str
    target: str
    actor: str
    details: str
    severity: str
    run_id: str
    trace_id: str
    request_id: str
    structured: dict[str, Any] | None = None


async def append_event(call: Call) -> Stored:
    """Append one audit event."""
    row = _row(call, call.body)
    await call.services.inspector.record(Batch(row=row))
    return Stored("stored", row.id)


async def alerts(call: Call) -> list[Alert]:
    """List alerts, the newest first."""
    limit = _limit(call.query)
    rows = await asyncio.to_thread(call.services.store.alerts, limit)
    return [_alert(row) for _, row in rows]


def _row(call: Call, body: AuditEventRequest) -> AuditRow:
    row = call.row(
        call.services.scrub(_identity(body.action)),
        target=body.target or "",
        actor=body.actor or "",
        details=body.details or "",
        severity=_severity(body.severity),
        structured=body.structured,
    )
    scrub = call.services.scrub
    given: dict[str, Any] = {
        name: scrub(identity) for name in _IDS if (identity := _identity(getattr(body, name)))
    }
    for name in ("schema_version", "generation", "step_idx", "enforced"):
        if getattr(body, name) is not None:
            given[name] = getattr(body, name)
    if body.timestamp:
        given["timestamp"] = _timestamp(body.timestamp)
    return replace(row, **given)


def _identity(value: str | None) -> str:
    return cleaned(value.encode("utf-8", "replace")) if value else ""


def _severity(value: str | None) -> str:
    severity = (value or "INFO").upper()
    if severity not in _SEVERITIES:
        raise BadRequest(f"severity must be one of {', '.join(_SEVERITIES)}")
    return severity


def _timestamp(value: str) -> str:
    try:
        moment = msgspec.convert(value, datetime)
    except msgspec.ValidationError as error:
        raise BadRequest("timestamp must be RFC 3339") from error
    if moment.tzinfo is None:
        raise BadRequest("timestamp must be RFC 3339")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _limit(query: bytes) -> int:
    values = parse_qs(query.decode("latin-1"), keep_blank_values=True, max_num_fields=32).get("limit")
    text = values[-1] if values else str(DEFAULT_ALERTS)
    if not (text.isascii() and text.isdigit()) or int(text[:9]) == 0:
        raise BadRequest("limit must be a positive integer")
    return min(int(text[:9]), MAX_ALERTS)


def _alert(row: AuditRow) -> Alert:
    return Alert(
        id=row.id,
        timestamp=row.timestamp,
        action=row.action,
        target=row.target,
        actor=row.actor,
        details=row.details,
        severity=row.severity,
        run_id=row.run_id,
        trace_id=row.trace_id,
        request_id=row.request_id,
        structured=dict(row.structured) if row.structured is not None else None,
    )


ROUTES = (
    Route(
        method="POST",
        path="/audit/event",
        handler=append_event,
        summary="Append one event to the audit store.",
        tag="audit",
        request=AuditEventRequest,
        required=("action",),
        response=Stored,
        effects="One row with the action named; secrets in its free text are masked first.",
        errors=(BadRequest, MissingField, Conflict, StoreUnavailable),
    ),
    Route(
        method="GET",
        path="/alerts",
        handler=alerts,
        summary="List alerts, the newest first.",
        tag="audit",
        response=list[Alert],
        errors=(BadRequest, StoreUnavailable),
        parameters=(
            Parameter(
                name="limit",
                where="query",
                summary="How many at most; more than 500 is read as 500.",
                schema={"type": "integer", "minimum": 1, "default": DEFAULT_ALERTS},
            ),
        ),
    ),
)
