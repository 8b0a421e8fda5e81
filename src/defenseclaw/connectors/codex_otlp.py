"""Codex's telemetry: ``[otel]`` in its configuration. Source: ``spec/connectors.md`` §8.2."""

from __future__ import annotations

from typing import Any

from defenseclaw.connectors.otlp import SIGNALS
from defenseclaw.connectors.tomledit import Document, quoted

TABLE = "otel"
_EXPORTERS = {"logs": "exporter", "metrics": "metrics_exporter", "traces": "trace_exporter"}
_PROMPTS = "log_user_prompt"


def block(address: str, token: str) -> str:
    """Return the table as text."""
    headers = (
        f'{{ authorization = {quoted(f"Bearer {token}")}, x-defenseclaw-source = "codex", '
        'x-defenseclaw-client = "codex-otel/1.0" }'
    )
    lines = [
        f"{_EXPORTERS[signal]} = {{ otlp-http = {{ endpoint = {quoted(f'{address}/v1/{signal}')}, "
        f'protocol = "json", headers = {headers} }} }}'
        for signal in SIGNALS
    ]
    return "\n".join([f"[{TABLE}]", f"{_PROMPTS} = true", *lines]) + "\n"


def install(document: Document, address: str, token: str) -> None:
    """Write our table, unless there is one of somebody else's."""
    wanted = block(address, token)
    if document.value.get(TABLE) == Document(wanted.encode()).value[TABLE]:
        return
    uninstall(document)
    if TABLE not in document.value:
        document.append(wanted)


def uninstall(document: Document) -> None:
    """Remove the exporters that send to us; what else somebody put into the table stays."""
    ours = [key for key in _EXPORTERS.values() if _is_ours(_table(document).get(key))]
    if not ours:
        return
    if _table(document).get(_PROMPTS) is True:
        ours.append(_PROMPTS)
    if set(_table(document)) == set(ours):
        document.cut_table((TABLE,))
        return
    for key in ours:
        document.cut_table((TABLE, key))


def _table(document: Document) -> dict[str, Any]:
    table = document.value.get(TABLE)
    return table if isinstance(table, dict) else {}


def _is_ours(exporter: object) -> bool:
    http = exporter.get("otlp-http") if isinstance(exporter, dict) else None
    headers = http.get("headers") if isinstance(http, dict) else None
    return isinstance(headers, dict) and headers.get("x-defenseclaw-source") == "codex"
