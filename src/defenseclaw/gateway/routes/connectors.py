"""``GET /v1/connectors``: every connector this gateway knows. Source: ``spec/gateway-api.md`` §9.3."""

from __future__ import annotations

from msgspec import Struct

from defenseclaw.connectors.base import Connector, built_in
from defenseclaw.gateway.routes.health import primary_connector
from defenseclaw.gateway.routing import Call, Route


class HookCapabilities(Struct):
    """What a connector's hooks can do."""

    can_block: bool
    can_ask_native: bool
    ask_events: list[str]
    block_events: list[str]
    replace_events: list[str]
    supports_fail_closed: bool
    scope: str


class ConnectorEntry(Struct):
    """One connector."""

    name: str
    description: str
    source: str
    """``built-in`` or ``plugin``."""
    tool_inspection_mode: str
    subprocess_policy: str
    """``none``: processes an agent starts are judged before they start, not confined."""
    llm_traffic_mode: str
    """``proxy`` or ``hooks-only``."""
    hook_path: str
    hook_capabilities: HookCapabilities


class Connectors(Struct):
    """All connectors, and the primary one or ``unknown``."""

    active: str
    connectors: list[ConnectorEntry]


async def connectors(call: Call) -> Connectors:
    """List every connector."""
    entries = [_entry(each) for each in call.services.connectors.values()]
    entries.sort(key=lambda entry: (entry.source != "built-in", entry.name))
    return Connectors(primary_connector(call.services) or "unknown", entries)


def _entry(connector: Connector) -> ConnectorEntry:
    return ConnectorEntry(
        name=connector.name,
        description=connector.description,
        source="built-in" if connector.name in built_in() else "plugin",
        tool_inspection_mode="both",
        subprocess_policy="none",
        llm_traffic_mode="proxy" if connector.enforcement_surface == "llm_proxy" else "hooks-only",
        hook_path=connector.hook_path,
        hook_capabilities=HookCapabilities(
            can_block=bool(connector.block_events),
            can_ask_native=bool(connector.ask_events),
            ask_events=sorted(connector.ask_events),
            block_events=sorted(connector.block_events),
            replace_events=sorted(connector.replace_events),
            supports_fail_closed=connector.supports_fail_closed,
            scope=connector.scope,
        ),
    )


ROUTES = (
    Route(
        method="GET",
        path="/v1/connectors",
        handler=connectors,
        summary="List every connector registered in the gateway.",
        tag="status",
        response=Connectors,
    ),
)
