"""Reading hook payloads that agents send: hostile, of any shape, already decoded from JSON.

Source: ``spec/gateway-api.md`` §20.2.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from defenseclaw.connectors.base import Connector, HookCall
from defenseclaw.errors import BadJson, MissingField
from defenseclaw.vocabulary import JSON, Abilities, Correlation, Door, Event

MAX_IDENTITY = 128
"""Characters of an id or name that are kept."""
MAX_PATH = 4096
"""Characters of a path; a longer one is no working directory."""

EVENT_KEYS = (
    "hook_event_name",
    "hookEventName",
    "event_type",
    "eventType",
    "event_name",
    "eventName",
    "agent_action_name",
)
"""Under which agents name their events, in order of precedence."""
_TOOL_KEYS = ("toolName", "tool_name", "toolArgs", "tool_args", "tool_input")
_PROMPT_KEYS = ("prompt", "user_prompt", "initialPrompt", "initial_prompt")
_RESULT_KEYS = ("toolResult", "tool_result", "tool_response", "result")


def event_name(call: HookCall, *, keys: tuple[str, ...] = EVENT_KEYS) -> str:
    """Return the event's name: the payload's own, else the header's, else inferred from what it carries.

    Raises:
        MissingField: none of the three names it.
    """
    name = identity(first(call.payload, *keys)) or identity(call.header_event) or _inferred(call.payload)
    if not name:
        raise MissingField("hook event name is required")
    return name


def first(payload: Mapping[str, Any], *keys: str) -> JSON:
    """Return the value of the first key that holds something; None when none does."""
    for key in keys:
        value: JSON = payload.get(key)
        if value is not None and value not in ("", [], {}):
            return value
    return None


def text(value: JSON) -> str:
    """Return ``value`` as text: strings as they are, None as nothing, all else as compact JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def identity(value: JSON) -> str:
    """Return an id or name: trimmed, without control characters, at most 128 characters."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    raw = str(value)[: 4 * MAX_IDENTITY]
    return "".join(each for each in raw if each.isprintable()).strip()[:MAX_IDENTITY]


def working_directory(value: JSON) -> str:
    """Return an absolute path in normal form, empty for anything else. Judged by its letters alone: the
    claim is untrusted and nothing is opened.
    """
    if not isinstance(value, str) or not value.startswith("/") or len(value) > MAX_PATH:
        return ""
    if any(ord(each) < 0x20 or ord(each) == 0x7F for each in value):
        return ""
    return "/" + posixpath.normpath(value).lstrip("/")


def arguments(payload: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the object under ``key``; absent is empty.

    Raises:
        BadJson: it is there and not an object.
    """
    value = payload.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise BadJson(f"{key} must be an object")
    return value


def flag(payload: Mapping[str, Any], key: str) -> bool:
    """Return whether ``key`` is literally true."""
    return payload.get(key) is True


def mcp_server(tool: str) -> str:
    """Return the server in ``mcp__<server>__<tool>``, empty for other tool names."""
    parts = tool.split("__", 2)
    return parts[1] if len(parts) == 3 and parts[0] == "mcp" else ""


def spelt(event: str, spellings: Mapping[str, str]) -> str:
    """Return an event's name as we write it; one that is not known stays as it is.

    Args:
        event: As it arrived, in camelCase, snake_case or whatever else.
        spellings: Name in lower case without separators → name.
    """
    return spellings.get(event.replace("_", "").replace("-", "").replace(".", "").lower(), event)


def first_item(value: JSON) -> JSON:
    """Return the first item of a list; None for an empty one and for anything else."""
    return value[0] if isinstance(value, list) and value else None


class IdKeys(Struct, frozen=True, kw_only=True):
    """Under which keys an agent's payload holds its ids; of several the first that holds something counts."""

    session: tuple[str, ...] = ()
    turn: tuple[str, ...] = ()
    tool_call: tuple[str, ...] = ()
    agent_id: tuple[str, ...] = ()
    agent_name: tuple[str, ...] = ()
    agent_type: tuple[str, ...] = ()


CLAUDE_CODE_IDS = IdKeys(
    session=("session_id",),
    turn=("turn_id",),
    tool_call=("tool_use_id",),
    agent_id=("agent_id",),
    agent_type=("agent_type",),
)
"""As Claude Code calls them, and the agents that took its hooks for a model."""


def event(
    call: HookCall,
    connector: Connector,
    name: str,
    *,
    cwd: str | None = None,
    mcp_server: str = "",
    model: JSON = None,
    abilities: Abilities | None = None,
    ids: IdKeys = CLAUDE_CODE_IDS,
    extra: Mapping[str, str] | None = None,
) -> Event:
    """Return a hook's event with what every kind of event has; what it says is for the connector to add.

    Args:
        call: What arrived.
        connector: Whose hook it is.
        name: The event's own name.
        cwd: Working directory in normal form; None: the payload's ``cwd``.
        mcp_server: Name of the MCP server whose tool it is about.
        model: Name of the model as it arrived.
        abilities: None: what the connector says of this event whatever its payload.
        ids: Where the payload holds its ids.
        extra: Dimensions for the audit row, see :func:`dimensions`.
    """
    kind = connector.kind_of(name)
    return Event(
        kind=kind,
        door=Door.HOOK,
        name=name,
        connector=connector.name,
        cwd=working_directory(call.payload.get("cwd")) if cwd is None else cwd,
        mcp_server=mcp_server,
        model=identity(model),
        abilities=connector.abilities(name, kind) if abilities is None else abilities,
        correlation=correlation(call, connector, ids),
        faults=call.faults,
        extra=extra or {},
    )


def correlation(call: HookCall, connector: Connector, keys: IdKeys) -> Correlation:
    """Return the ids of a payload; what it does not carry comes from the headers.

    An agent that nobody names is called by the connector's title, a type that nobody names by its name.
    """
    body, known = call.payload, call.correlation
    return replace(
        known,
        session_id=identity(first(body, *keys.session)) or known.session_id,
        turn_id=identity(first(body, *keys.turn)) or known.turn_id,
        tool_call_id=identity(first(body, *keys.tool_call)) or known.tool_call_id,
        agent_id=identity(first(body, *keys.agent_id)) or known.agent_id,
        agent_name=identity(first(body, *keys.agent_name)) or known.agent_name or connector.title,
        agent_type=identity(first(body, *keys.agent_type)) or known.agent_type or connector.name,
    )


def dimensions(body: Mapping[str, Any], keys: Iterable[str] | Mapping[str, str]) -> dict[str, str]:
    """Return what a payload holds of dimensions for the audit row, by their names; empty values are left out.

    Args:
        body: The payload or a part of it.
        keys: Its keys; a mapping gives each the name of the dimension, and the last of several keys wins.
    """
    named = keys.items() if isinstance(keys, Mapping) else ((key, key) for key in keys)
    return {to: found for key, to in named if body.get(key) and (found := identity(body[key]))}


def _inferred(payload: Mapping[str, Any]) -> str:
    if first(payload, *_RESULT_KEYS) is not None:
        return "PostToolUse"
    if any(key in payload for key in _TOOL_KEYS):
        return "PreToolUse"
    return "UserPromptSubmit" if any(key in payload for key in _PROMPT_KEYS) else ""
