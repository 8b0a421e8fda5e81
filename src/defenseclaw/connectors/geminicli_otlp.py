"""Gemini CLI's telemetry: ``telemetry`` in its settings. Source: ``spec/connectors.md`` §8.5."""

from __future__ import annotations

import re
from typing import Any

from defenseclaw.connectors.jsonedit import Document
from defenseclaw.vocabulary import JSON

MEMBER = "telemetry"
_ENDPOINT = "otlpEndpoint"
_OURS = re.compile(r"http://[^/\s]+/otlp/geminicli/[0-9a-f]{64}")


def section(address: str, token: str) -> dict[str, JSON]:
    """Return the object: it cannot set headers, so that the token is part of the address."""
    return {
        "enabled": True,
        "target": "local",
        "useCollector": True,
        "otlpProtocol": "http",
        "logPrompts": True,
        _ENDPOINT: f"{address}/otlp/geminicli/{token}",
    }


def install(document: Document, address: str, token: str) -> None:
    """Write our section, unless there is one of somebody else's."""
    wanted = section(address, token)
    if document.root.value.get(MEMBER) == wanted:
        return
    uninstall(document)
    if MEMBER not in document.root.value:
        document.add_member(document.root, MEMBER, wanted)


def uninstall(document: Document) -> None:
    """Remove what still says what we wrote; what somebody changed or added since stays."""
    held: Any = document.root.value.get(MEMBER)
    if not isinstance(held, dict) or not _OURS.fullmatch(str(held.get(_ENDPOINT))):
        return
    ours = section("", "") | {_ENDPOINT: held[_ENDPOINT]}
    if held.items() <= ours.items():
        document.remove_member(document.root, MEMBER)
        return
    for key, value in held.items():
        node = document.find(MEMBER)
        if node is not None and key in ours and value == ours[key]:
            document.remove_member(node, key)
