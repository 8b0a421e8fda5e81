"""``/enforce/*``: the block and allow lists.

Seed ``gateway-api`` "Enforcement logging": every change is on record. ``DECISIONS.md``: it also sets the
list entry, which the next inspection heeds.
"""

from __future__ import annotations

import asyncio
from typing import Literal

from msgspec import Struct

from defenseclaw.audit.records import Batch, ListChange
from defenseclaw.errors import BadRequest, MissingField, StoreUnavailable
from defenseclaw.gateway.routing import Call, Handler, Route

ListName = Literal["block", "allow"]
TARGET_TYPES = ("tool", "mcp", "skill", "plugin")
_REASON_CHARS = 120


class ListRequest(Struct):
    """Which entry to change."""

    target_type: str | None = None
    """``tool``, ``mcp``, ``skill`` or ``plugin``."""
    target_name: str | None = None
    """Name as inspections see it; ``@connector/name`` for one connector only."""
    reason: str | None = None


class ListStatus(Struct):
    """What was done."""

    status: Literal["blocked", "unblocked", "allowed"]


class ListEntry(Struct):
    """One entry of a list."""

    id: str
    target_type: str
    target_name: str
    reason: str
    updated_at: str


async def block(call: Call) -> ListStatus:
    """Put an entry on the block list."""
    await _change(call, "block", "api-enforce-block", "blocked via REST API")
    return ListStatus("blocked")


async def unblock(call: Call) -> ListStatus:
    """Take an entry off either list; one that is not there is fine."""
    await _change(call, "", "api-enforce-unblock", "unblocked via REST API")
    return ListStatus("unblocked")


async def allow(call: Call) -> ListStatus:
    """Put an entry on the allow list."""
    await _change(call, "allow", "api-enforce-allow", "allowed via REST API")
    return ListStatus("allowed")


async def _change(call: Call, install: str, action: str, default_reason: str) -> None:
    body: ListRequest = call.body
    kind, name = (body.target_type or "").strip().lower(), (body.target_name or "").strip()
    if not kind or not name:
        raise MissingField("target_type and target_name are required")
    if kind not in TARGET_TYPES:
        raise BadRequest("target_type must be tool, mcp, skill or plugin")
    if len(name) > 512 or not name.isprintable():
        raise BadRequest("target_name must be at most 512 printable characters")
    reason = call.services.scrub((body.reason or "").strip() or default_reason)[:_REASON_CHARS]
    row = call.row(action, target=name, details={"type": kind, "reason": reason})
    change = ListChange(target_type=kind, target_name=name, install=install, reason=reason)
    await call.services.inspector.record(Batch(row=row, lists=(change,)))


def _listing(install: ListName) -> Handler:
    async def handle(call: Call) -> list[ListEntry]:
        entries = await asyncio.to_thread(call.services.store.entries, install)
        return [
            ListEntry(each.id, each.target_type, each.target_name, each.reason, each.updated_at)
            for each in entries
        ]

    return handle


def _change_route(method: str, path: str, handler: Handler, summary: str, row: str) -> Route:
    return Route(
        method=method,
        path=path,
        handler=handler,
        summary=summary,
        tag="enforcement",
        request=ListRequest,
        required=("target_type", "target_name"),
        response=ListStatus,
        effects=f"One `{row}` row; the next inspection heeds the entry.",
        errors=(BadRequest, MissingField, StoreUnavailable),
    )


def _list_route(method: str, install: ListName) -> Route:
    return Route(
        method=method,
        path=f"/enforce/{install}ed",
        handler=_listing(install),
        summary=f"List the entries of the {install} list; a body is ignored.",
        tag="enforcement",
        response=list[ListEntry],
        errors=(StoreUnavailable,),
    )


ROUTES = (
    _change_route("POST", "/enforce/block", block, "Put an entry on the block list.", "api-enforce-block"),
    _change_route("DELETE", "/enforce/block", unblock, "Take an entry off its list.", "api-enforce-unblock"),
    _change_route("POST", "/enforce/allow", allow, "Put an entry on the allow list.", "api-enforce-allow"),
    _list_route("GET", "block"),
    _list_route("POST", "block"),
    _list_route("GET", "allow"),
    _list_route("POST", "allow"),
)
