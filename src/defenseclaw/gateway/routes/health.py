"""``/health`` (alive), ``/ready`` (a verdict can be recorded) and ``/status`` (what is governed, and how).

Source: seed ``gateway-api`` "Health & status"; ``spec/gateway-api.md`` §9; ``DECISIONS.md`` "HTTP".
"""

from __future__ import annotations

import os
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, structs

from defenseclaw.errors import StoreUnavailable
from defenseclaw.gateway.routing import Call, Route
from defenseclaw.gateway.runstate import Subsystem
from defenseclaw.gateway.services import Services
from defenseclaw.vocabulary import Mode

_PROXIED = "llm_proxy"


class Provenance(Struct):
    """Which program with which configuration answers."""

    schema_version: int
    content_hash: str
    generation: int
    binary_version: str


class ConnectorHealth(Struct):
    """What one connector did since the gateway started."""

    name: str
    state: Literal["running", "disabled"]
    source: str
    since: str
    tool_inspection_mode: str
    subprocess_policy: str
    requests: int
    errors: int
    tool_inspections: int
    tool_blocks: int
    subprocess_blocks: int
    last_activity_at: str | UnsetType = UNSET


class Health(Struct):
    """The parts of the process."""

    status: Literal["ok", "degraded"]
    failing: list[str]
    """Names of the parts that do not work."""
    started_at: str
    uptime_ms: int
    gateway: Subsystem
    watcher: Subsystem
    config: Subsystem
    api: Subsystem
    guardrail: Subsystem
    telemetry: Subsystem
    ai_discovery: Subsystem
    application_protection: Subsystem
    sinks: Subsystem
    audit: Subsystem
    connector: ConnectorHealth | UnsetType = UNSET
    connectors: list[ConnectorHealth] | UnsetType = UNSET
    provenance: Provenance | UnsetType = UNSET


class Ready(Struct):
    """A verdict can be given and recorded."""

    status: Literal["ready"]


class ConnectorMode(Struct):
    """How one connector is governed; an element of ``connector_modes``."""

    connector: str
    mode: Literal["guardrail", "observability"]
    """Data path: ``guardrail`` through the proxy, ``observability`` through hooks."""
    policy_mode: Literal["observe", "action"]
    enforcement_surface: str
    telemetry: list[str]
    proxy_intercept: bool
    guardrail_mode: Literal["observe", "action"]
    hook_enforcement: bool
    hook_fail_mode: Literal["open", "closed"]
    enabled: bool


class Runtime(Struct):
    """Which process answers."""

    pid: int
    data_dir: str


class Status(Struct):
    """Everything ``defenseclaw status`` shows."""

    health: Health
    provenance: Provenance
    connector_mode: str
    """Mode of the primary connector, for clients older than ``connector_modes``; ``unconfigured``."""
    connector_modes: list[ConnectorMode]
    runtime: Runtime
    connector_mode_detail: ConnectorMode | UnsetType = UNSET


async def health(call: Call) -> Health:
    """Say that the process lives, and what in it does not work."""
    found = _health(call.services)
    found.provenance = _provenance(call.services)
    return found


async def ready(call: Call) -> Ready:
    """Say whether a verdict can be recorded."""
    await call.services.writer.probe()
    return Ready("ready")


async def status(call: Call) -> Status:
    """Say what is governed and how."""
    services = call.services
    modes = [_mode(services, name) for name in sorted(services.config.active_connectors())]
    primary = primary_connector(services)
    detail = next((mode for mode in modes if mode.connector == primary), None)
    return Status(
        health=_health(services),
        provenance=_provenance(services),
        connector_mode=detail.policy_mode if detail else "unconfigured",
        connector_modes=modes,
        connector_mode_detail=detail or UNSET,
        runtime=Runtime(os.getpid(), str(services.host.data_dir)),
    )


def primary_connector(services: Services) -> str:
    """Return the connector the operator named as primary, else the first by name; empty without any."""
    active = services.config.active_connectors()
    named = services.config.current.guardrail.connector.lower()
    return named if named in active else min(active, default="")


def _health(services: Services) -> Health:
    parts = dict(services.run_state.parts)
    parts["audit"] = _audit_part(services)
    parts["config"] = _config_part(services, parts["config"])
    parts["guardrail"] = _guardrail_part(services, parts["guardrail"])
    failing = sorted(name for name, part in parts.items() if part.state == "error")
    connectors = [_connector(services, name) for name in sorted(services.config.active_connectors())]
    primary = primary_connector(services)
    return Health(
        status="degraded" if failing else "ok",
        failing=failing,
        started_at=services.run_state.started_at,
        uptime_ms=services.run_state.uptime_ms,
        connector=next((each for each in connectors if each.name == primary), UNSET),
        connectors=connectors or UNSET,
        gateway=parts["gateway"],
        watcher=parts["watcher"],
        config=parts["config"],
        api=parts["api"],
        guardrail=parts["guardrail"],
        telemetry=parts["telemetry"],
        ai_discovery=parts["ai_discovery"],
        application_protection=parts["application_protection"],
        sinks=parts["sinks"],
        audit=parts["audit"],
    )


def _audit_part(services: Services) -> Subsystem:
    since = services.run_state.started_at
    details: dict[str, Any] = {
        "pending": services.inspector.pending,
        "overloads": services.inspector.overloads,
    }
    if services.writer.healthy:
        return Subsystem("running", since, details=details)
    return Subsystem("error", since, services.writer.last_error or "verdicts cannot be recorded", details)


def _config_part(services: Services, known: Subsystem) -> Subsystem:
    if services.config.last_error:
        return Subsystem("error", known.since, services.config.last_error, known.details)
    return known


def _guardrail_part(services: Services, known: Subsystem) -> Subsystem:
    judges = services.inspector.judges
    if judges is None:
        return known
    return structs.replace(known, details={**known.details, "judge_counters": judges.health()})


def _connector(services: Services, name: str) -> ConnectorHealth:
    counters = services.inspector.counters.get(name)
    return ConnectorHealth(
        name=name,
        state="running",
        source="manual",
        since=services.run_state.started_at,
        tool_inspection_mode="both",
        subprocess_policy="none",
        requests=counters.requests if counters else 0,
        errors=counters.errors if counters else 0,
        tool_inspections=counters.tool_inspections if counters else 0,
        tool_blocks=counters.tool_blocks if counters else 0,
        subprocess_blocks=0,
        last_activity_at=counters.last_activity_at if counters else UNSET,
    )


def _mode(services: Services, name: str) -> ConnectorMode:
    posture = services.config.posture(name)
    connector = services.connectors.get(name)
    surface = connector.enforcement_surface if connector else "agent_lifecycle_hooks"
    proxied = surface == _PROXIED
    return ConnectorMode(
        connector=name,
        mode="guardrail" if proxied else "observability",
        policy_mode=posture.mode.value,
        enforcement_surface=surface,
        telemetry=list(services.telemetry(name)),
        proxy_intercept=proxied,
        guardrail_mode=posture.mode.value,
        hook_enforcement=not proxied and posture.mode is Mode.ACTION,
        hook_fail_mode=posture.fail_mode.value,
        enabled=posture.enabled,
    )


def _provenance(services: Services) -> Provenance:
    identity = services.identity()
    return Provenance(
        identity.schema_version, identity.content_hash, identity.generation, identity.binary_version
    )


ROUTES = (
    Route(
        method="GET",
        path="/health",
        handler=health,
        summary="Say that the gateway lives; always 200 while it serves.",
        tag="status",
        response=Health,
        public=True,
    ),
    Route(
        method="GET",
        path="/ready",
        handler=ready,
        summary="Say whether verdicts can be recorded; 503 when they cannot.",
        tag="status",
        response=Ready,
        errors=(StoreUnavailable,),
    ),
    Route(
        method="GET",
        path="/status",
        handler=status,
        summary="Say which connectors are governed, and how.",
        tag="status",
        response=Status,
    ),
)
