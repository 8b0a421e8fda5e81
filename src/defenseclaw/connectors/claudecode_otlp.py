"""Claude Code's telemetry: variables in the ``env`` of its settings. Source: ``spec/connectors.md`` §8.1."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from defenseclaw.connectors.jsonedit import Document
from defenseclaw.connectors.otlp import SIGNALS

_SOURCE = "x-defenseclaw-source=claudecode"
_ADDRESS = re.compile(r"http://[^/\s]+(?:/v1/[a-z]+)?")
_HEADERS = re.compile(rf"authorization=Bearer [0-9a-f]{{64}},[^\s,]+,{_SOURCE}")


def variables(address: str, token: str) -> dict[str, str]:
    """Return what Claude Code sends telemetry by; header values are taken literally."""
    found = {
        "CLAUDE_CODE_ENABLE_TELEMETRY": "1",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_LOG_USER_PROMPTS": "1",
        "OTEL_SERVICE_NAME": "claudecode",
        "OTEL_RESOURCE_ATTRIBUTES": "defenseclaw.connector=claudecode,service.name=claudecode",
    }
    headers = f"authorization=Bearer {token},x-defenseclaw-client=claudecode-otel/1.0,{_SOURCE}"
    for name, path in (("", ""), *((f"{signal.upper()}_", f"/v1/{signal}") for signal in SIGNALS)):
        found[f"OTEL_EXPORTER_OTLP_{name}PROTOCOL"] = "http/json"
        found[f"OTEL_EXPORTER_OTLP_{name}ENDPOINT"] = f"{address}{path}"
        found[f"OTEL_EXPORTER_OTLP_{name}HEADERS"] = headers
    return found


def install(document: Document, address: str, token: str, original: bytes) -> None:
    """Write our variables, unless one of them is there with a value of somebody else's.

    Args:
        document: The settings.
        address: URL of the gateway.
        token: Opens the telemetry routes.
        original: The settings before our first setup; what they hold is not ours.
    """
    wanted = variables(address, token)
    if wanted.items() <= _environment(document).items():
        return
    uninstall(document, original)
    held = _environment(document)
    if any(held.get(name, value) != value for name, value in wanted.items()):
        return
    missing = {name: value for name, value in wanted.items() if name not in held}
    if document.find("env") is None:
        document.add_member(document.root, "env", dict(missing))
        return
    for name, value in missing.items():
        environment = document.find("env")
        if environment is None or not isinstance(environment.value, dict):
            return
        document.add_member(environment, name, value)


def uninstall(document: Document, original: bytes) -> None:
    """Remove the variables that still say what we wrote and were not there before us."""
    held = _environment(document)
    if not any(_HEADERS.fullmatch(str(value)) for value in held.values()):
        return
    before = _environment(Document(original)) if original.strip() else {}
    ours = variables("", "")
    for name, value in held.items():
        if name in ours and name not in before and _is_ours(name, value, ours[name]):
            environment = document.find("env")
            assert environment is not None  # noqa: S101  held them
            document.remove_member(environment, name)
    if not _environment(document):
        document.remove_member(document.root, "env")


def _is_ours(name: str, value: object, constant: str) -> bool:
    """Whether a value is of the form we write, whatever the address and the token were."""
    if name.endswith("ENDPOINT"):
        return _ADDRESS.fullmatch(str(value)) is not None
    if name.endswith("HEADERS"):
        return _HEADERS.fullmatch(str(value)) is not None
    return value == constant


def _environment(document: Document) -> Mapping[str, Any]:
    node = document.find("env")
    return node.value if node is not None and isinstance(node.value, dict) else {}
