"""Changing the configuration through the API: edited in place, validated whole, taken up at once.

Source: seed ``gateway-api`` "Config" and "Guardrail control plane"; ``spec/gateway-api.md`` §12.4, §14.3.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from defenseclaw.audit.records import Batch
from defenseclaw.config.edit import set_values
from defenseclaw.config.files import replace_file
from defenseclaw.config.keys import find
from defenseclaw.errors import BadRequest, ConfigError, Conflict, Forbidden, StoreUnavailable
from defenseclaw.gateway.routing import Answer, Call, Route, as_json
from defenseclaw.gateway.services import Services

_SECRET_KEYS = frozenset({"gateway.token"})
_SEVERITIES = ("LOW", "MEDIUM", "HIGH", "CRITICAL")


class ConfigPatch(Struct):
    """One key of ``config.yaml`` and its new value."""

    path: str | None = None
    """Dotted, for example ``guardrail.mode``."""
    value: Any = None


class Patched(Struct):
    """The key that was changed."""

    status: Literal["patched"]
    path: str
    restart_requested: bool | UnsetType = UNSET


class GuardrailPatch(Struct):
    """Any of these; others are ignored."""

    mode: Annotated[Any, Meta(extra_json_schema={"enum": ["observe", "action"]})] = UNSET
    scanner_mode: Annotated[Any, Meta(extra_json_schema={"enum": ["local", "remote", "both"]})] = UNSET
    block_message: Annotated[Any, Meta(extra_json_schema={"type": "string"})] = UNSET
    connector: Annotated[Any, Meta(extra_json_schema={"type": "string", "pattern": "\\S"})] = UNSET
    hilt_enabled: Annotated[Any, Meta(extra_json_schema={"type": "boolean"})] = UNSET
    hilt_min_severity: Annotated[Any, Meta(extra_json_schema={"enum": list(_SEVERITIES)})] = UNSET


class GuardrailConfig(Struct, kw_only=True):
    """The guardrail's settings that can be changed while it runs."""

    mode: str
    scanner_mode: str
    block_message: str
    connector: str
    hilt_enabled: bool
    hilt_min_severity: str


class GuardrailUpdate(GuardrailConfig, kw_only=True):
    """The settings after a change."""

    status: Literal["updated", "restart_requested"]
    live: bool
    changed: list[str]


async def patch_key(call: Call) -> Patched:
    """Set one key."""
    body: ConfigPatch = call.body
    path = body.path or ""
    if path in _SECRET_KEYS:
        raise Forbidden("this key cannot be changed through the API")
    find(path)
    await _apply(call.services, {path: body.value})
    row = call.row("api-config-patch", target=path, details={"type": type(body.value).__name__})
    await call.services.inspector.record(Batch(row=row))
    return Patched("patched", path, True if _restarts(call.services) else UNSET)


async def guardrail_config(call: Call) -> GuardrailConfig:
    """Return the guardrail's settings."""
    return _settings(call.services)


async def patch_guardrail(call: Call) -> Answer:
    """Change some of the guardrail's settings."""
    wanted = _checked(call.body)
    if not wanted:
        raise BadRequest("no valid fields to update")
    services = call.services
    now = _settings(services)
    changed = {name: value for name, value in wanted.items() if getattr(now, name) != value}
    told = [name if name == "block_message" else f"{name}={_told(value)}" for name, value in changed.items()]
    restarts = _restarts(services)
    if "scanner_mode" in changed or ("connector" in changed and not restarts):
        return as_json(
            {
                "error": "guardrail config change requires gateway restart",
                "code": Conflict.code,
                "restart_required": ["guardrail", "guardrail.connectors"],
                "changed": told,
            },
            Conflict.http_status,
        )
    await _apply(services, {_FIELDS[name][0]: value for name, value in changed.items()})
    row = call.row("guardrail-config-reload", target="guardrail", details={"changed": ",".join(told)})
    await services.inspector.record(Batch(row=row))
    after = {name: getattr(now, name) for name in GuardrailConfig.__struct_fields__} | changed
    status: Literal["updated", "restart_requested"] = "restart_requested" if restarts else "updated"
    return as_json(
        GuardrailUpdate(status=status, live=not restarts, changed=told, **after), 202 if restarts else 200
    )


async def _apply(services: Services, values: Mapping[str, object]) -> None:
    """Write the values and have them taken up; an edit that is refused then is undone.

    Raises:
        ConfigError: the result is not a valid configuration. The file is as it was.
    """
    path = services.config.path
    before = await asyncio.to_thread(lambda: path.read_bytes() if path.exists() else b"")
    if not await asyncio.to_thread(set_values, path, values):
        return
    await services.reload_config()
    problem = services.config.last_error
    if problem:
        await asyncio.to_thread(replace_file, path, before)
        await services.reload_config()
        raise ConfigError(problem)


def _settings(services: Services) -> GuardrailConfig:
    guardrail = services.config.current.guardrail
    return GuardrailConfig(
        mode=guardrail.mode,
        scanner_mode="local",
        block_message=guardrail.block_message,
        connector=guardrail.connector,
        hilt_enabled=guardrail.hilt.enabled,
        hilt_min_severity=guardrail.hilt.min_severity,
    )


def _restarts(services: Services) -> bool:
    return services.config.current.gateway.config_reload.mode == "restart"


def _checked(body: GuardrailPatch) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    for name, (_, normal, problem) in _FIELDS.items():
        given = getattr(body, name)
        if given is UNSET or given is None:
            continue
        value = normal(given)
        if value is None:
            raise BadRequest(problem)
        wanted[name] = value
    return wanted


def _told(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _one_of(*choices: str) -> Callable[[object], object]:
    return lambda value: value if value in choices else None


def _severity(value: object) -> object:
    upper = value.strip().upper() if isinstance(value, str) else ""
    return upper if upper in _SEVERITIES else None


def _name(value: object) -> object:
    return value.strip().lower() or None if isinstance(value, str) else None


_FIELDS: dict[str, tuple[str, Callable[[object], object], str]] = {
    "mode": ("guardrail.mode", _one_of("observe", "action"), "mode must be observe or action"),
    "scanner_mode": (
        "guardrail.scanner_mode",
        _one_of("local", "remote", "both"),
        "scanner_mode must be local, remote, or both",
    ),
    "block_message": (
        "guardrail.block_message",
        lambda value: value if isinstance(value, str) else None,
        "block_message must be a string",
    ),
    "connector": ("guardrail.connector", _name, "connector must be a non-empty string"),
    "hilt_enabled": (
        "guardrail.hilt.enabled",
        lambda value: value if isinstance(value, bool) else None,
        "hilt_enabled must be a boolean",
    ),
    "hilt_min_severity": (
        "guardrail.hilt.min_severity",
        _severity,
        "hilt_min_severity must be LOW, MEDIUM, HIGH or CRITICAL",
    ),
}
"""By field of the API: key in the file, normal form or None, what to say when it has none."""

_ERRORS = (BadRequest, ConfigError, StoreUnavailable)

ROUTES = (
    Route(
        method="POST",
        path="/config/patch",
        handler=patch_key,
        summary="Set one key of the configuration.",
        tag="config",
        request=ConfigPatch,
        required=("path",),
        response=Patched,
        effects="Edits `config.yaml` in place, comments kept; one `api-config-patch` row without the value.",
        errors=(*_ERRORS, Forbidden),
    ),
    Route(
        method="GET",
        path="/v1/guardrail/config",
        handler=guardrail_config,
        summary="Return the guardrail settings in force.",
        tag="config",
        response=GuardrailConfig,
    ),
    Route(
        method="PATCH",
        path="/v1/guardrail/config",
        handler=patch_guardrail,
        summary="Change guardrail settings; 202 when a restart was asked for, 409 when one is needed.",
        tag="config",
        request=GuardrailPatch,
        response=GuardrailUpdate,
        accepted=True,
        effects="Edits `config.yaml` in place; one `guardrail-config-reload` row.",
        errors=(*_ERRORS, Conflict),
    ),
)
