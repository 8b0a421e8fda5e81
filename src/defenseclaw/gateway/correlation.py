"""Ids a caller sends in headers: cleaned, cut, never refused. Source: ``spec/gateway-api.md`` §7."""

from __future__ import annotations

import re
import uuid

from defenseclaw.audit.identity import random_id
from defenseclaw.config.schema import Agent
from defenseclaw.gateway.auth import Headers
from defenseclaw.vocabulary import Correlation

MAX_BYTES = 128

_REQUEST_ID = (b"x-defenseclaw-request-id", b"x-request-id", b"x-correlation-id")
_USER_ID = (b"x-defenseclaw-user-id", b"x-user-id", b"x-user")
_SESSION_ID = b"x-defenseclaw-session-id"
_AGENT_ID = b"x-defenseclaw-agent-id"
_AGENT_NAME = b"x-defenseclaw-agent-name"
_AGENT_INSTANCE_ID = b"x-defenseclaw-agent-instance-id"
_POLICY_ID = b"x-defenseclaw-policy-id"
_DESTINATION_APP = b"x-defenseclaw-destination-app"
_IDS = frozenset(
    (
        *(*_REQUEST_ID, *_USER_ID, _SESSION_ID),
        *(_AGENT_ID, _AGENT_NAME, _AGENT_INSTANCE_ID, _POLICY_ID, _DESTINATION_APP),
    )
)
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
_TRACE_ID = re.compile(rb"(?!0{32})[0-9a-f]{32}")


def cleaned(value: bytes) -> str:
    """Return an id without control characters and outer blanks, at most 128 bytes of UTF-8."""
    text = value.decode("utf-8", "replace")
    if not text.isprintable():
        text = "".join(character for character in text if character.isprintable())
    text = text.strip()
    if len(value) <= MAX_BYTES and text.isascii():
        return text
    return text.encode()[:MAX_BYTES].decode("utf-8", "ignore")


def request_id(headers: Headers) -> str:
    """Return the caller's id of this request, or a new UUID."""
    return _first(_sent(headers), _REQUEST_ID) or random_id()


def correlation(headers: Headers, *, loopback: bool, instance: str, agent: Agent) -> Correlation:
    """Return all ids a request carries; who the user is and the trace are believed on loopback only.

    Args:
        headers: By lower-case name.
        loopback: The peer is this machine.
        instance: Id of this gateway process; agent instances are derived from it.
        agent: Identity of agents that name none.
    """
    sent = _sent(headers)
    session = sent.get(_SESSION_ID, "")
    return Correlation(
        request_id=_first(sent, _REQUEST_ID) or random_id(),
        session_id=session,
        trace_id=_trace_id(headers) if loopback else "",
        agent_id=sent.get(_AGENT_ID) or (agent.id and cleaned(agent.id.encode())),
        agent_name=sent.get(_AGENT_NAME) or (agent.name and cleaned(agent.name.encode())),
        agent_instance_id=sent.get(_AGENT_INSTANCE_ID) or agent_instance(instance, session),
        policy_id=sent.get(_POLICY_ID, ""),
        destination_app=sent.get(_DESTINATION_APP, ""),
        user_id=_first(sent, _USER_ID) if loopback else "",
    )


def agent_instance(instance: str, session: str) -> str:
    """Return the stable id of the agent behind one session of this process; empty without a session."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{instance}/{session}")) if session else ""


def _trace_id(headers: Headers) -> str:
    match = _TRACEPARENT.fullmatch(headers.get(b"traceparent", b""))
    if match is not None:
        return match[1].decode()
    plain = headers.get(b"x-defenseclaw-trace-id", b"")
    return plain.decode() if _TRACE_ID.fullmatch(plain) else ""


def _sent(headers: Headers) -> dict[bytes, str]:
    """Return the ids among the headers, cleaned; most requests carry one or two."""
    return {name: cleaned(headers[name]) for name in _IDS & headers.keys()}


def _first(sent: dict[bytes, str], names: tuple[bytes, ...]) -> str:
    for name in names:
        value = sent.get(name)
        if value:
            return value
    return ""
