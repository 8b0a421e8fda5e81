"""Reading hook payloads that agents send: hostile, of any shape, already decoded from JSON.

Source: ``spec/gateway-api.md`` §20.2.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from defenseclaw.connectors.base import HookCall
from defenseclaw.errors import BadJson, MissingField
from defenseclaw.vocabulary import JSON, Correlation

MAX_IDENTITY = 128
"""Characters of an id or name that are kept."""
MAX_PATH = 4096

EVENT_KEYS = (
    "hook_event_name",
    "hookEventName",
    "event_type",
    "eventType",
    "event_name",
    "eventName",
    "agent_action_name",
)
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


def correlation(
    call: HookCall, *, name: str, title: str, turn: tuple[str, ...] = ("turn_id",)
) -> Correlation:
    """Return the ids of a snake_case payload; what it does not carry comes from the headers.

    Args:
        call: What arrived.
        name: The connector, which stands for an agent type nobody names.
        title: The agent, which stands for an agent name nobody names.
        turn: Keys of the turn id, the first non-empty wins.
    """
    body, known = call.payload, call.correlation
    return replace(
        known,
        session_id=identity(body.get("session_id")) or known.session_id,
        turn_id=identity(first(body, *turn)) or known.turn_id,
        tool_call_id=identity(body.get("tool_use_id")) or known.tool_call_id,
        agent_id=identity(body.get("agent_id")) or known.agent_id,
        agent_name=known.agent_name or title,
        agent_type=identity(body.get("agent_type")) or known.agent_type or name,
    )


def _inferred(payload: Mapping[str, Any]) -> str:
    if first(payload, *_RESULT_KEYS) is not None:
        return "PostToolUse"
    if any(key in payload for key in _TOOL_KEYS):
        return "PreToolUse"
    return "UserPromptSubmit" if any(key in payload for key in _PROMPT_KEYS) else ""
