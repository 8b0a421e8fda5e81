"""Agents' own telemetry, sent to our OTLP routes with a token that opens nothing else.

Off unless ``telemetry.native_otlp`` is on, and that cannot be switched on before the gateway receives: no
agent is ever pointed at an address where nobody listens. An agent that has telemetry settings of its
operator's keeps them. Claude Code and Codex send the token in a header to ``/v1/<signal>``, Gemini CLI, which
cannot set headers, in the path ``/otlp/geminicli/<token>/v1/<signal>``.
Source: seed ``gateway-api`` "OTLP receiver"; ``spec/connectors.md`` §2.2, §8.1, §8.2, §8.5.
"""

from __future__ import annotations

import re
from pathlib import Path

from msgspec.structs import replace

from defenseclaw.connectors import disk, files, runtime
from defenseclaw.connectors.base import Change, Host, Plan
from defenseclaw.errors import SetupError

KEY = "telemetry.native_otlp"
SIGNALS = ("logs", "metrics", "traces")
ROUTES = tuple(f"/v1/{signal}" for signal in SIGNALS)
RECEIVED = False
"""Whether the gateway has ``ROUTES``; a test holds it against the routes that there are."""

_TOKEN = re.compile(rb"(?:Bearer |/otlp/[a-z]+/)([0-9a-f]{64})(?![0-9a-f])")


def refuse_unreceived() -> None:
    """Return when the gateway receives telemetry.

    Raises:
        SetupError: it does not.
    """
    if not RECEIVED:
        raise SetupError(
            f"{KEY} is on, but this gateway has no route that receives telemetry",
            hint=f"defenseclaw config set {KEY} false",
        )


def token_path(host: Host, connector: str) -> Path:
    """Return where the telemetry token of ``connector`` lives."""
    return runtime.hooks_dir(host) / f".otlp-{connector}.token"


def setup_token(host: Host, connector: str) -> str:
    """Return the token a setup shall leave: the valid one that is there, else a new one."""
    try:
        path = token_path(host, connector)
        return runtime.read_token_file(path, connector, "telemetry token") or runtime.mint_token()
    except SetupError:
        return runtime.mint_token()


def address(host: Host) -> str:
    """Return the URL of the gateway as agents dial it."""
    return f"http://{runtime.dial_address(host.api_address)}"


def original(host: Host, connector: str, logical: str) -> bytes | None:
    """Return a settings file as it was before us, None when there is no record of it."""
    kept = [each for each in files.backups(host, connector) if each.logical_name == logical]
    return (kept[0].pristine or b"") if kept else None


def completed(plan: Plan, host: Host, connector: str, settings: Path, *, wanted: bool) -> Plan:
    """Return a setup's plan with the token file that its settings need.

    Args:
        plan: With the settings as they shall be.
        host: The machine.
        connector: Its name.
        settings: The file that holds the agent's telemetry settings.
        wanted: Whether telemetry is switched on; where the settings then hold no token of ours, the operator
            has telemetry of his own.
    """
    (change,) = (each for each in plan.changes if each.path == settings)
    found = _TOKEN.search(change.content or b"") if wanted else None
    path = token_path(host, connector)
    if found is None:
        gone = Change(path=path, content=None, why="no telemetry is sent")
        said = f"{settings} has telemetry settings of its own, which stay; none is sent to the gateway"
        changes = (*plan.changes, gone) if path.exists() else plan.changes
        return replace(plan, changes=changes, warnings=(*plan.warnings, said) if wanted else plan.warnings)
    token = Change(path=path, content=found[1] + b"\n", why="token that opens the telemetry routes only")
    warnings = plan.warnings
    if disk.look(settings).content is not None and disk.look(settings).mode & 0o044:
        warnings += (f"{settings} will hold a token that others can read; chmod 600 it",)
    return replace(plan, changes=(token, *plan.changes), warnings=warnings)


def removal(host: Host, connector: str) -> Change:
    """Return the deletion of the token, which comes after that of the settings that name it."""
    return Change(path=token_path(host, connector), content=None, why="no longer needed")


def channels(host: Host, connector: str, *others: str) -> tuple[str, ...]:
    """Return the signals we configured: ``hook``, ``otel`` when there is a token for it, and ``others``."""
    return ("hook", *(("otel",) if token_path(host, connector).exists() else ()), *others)
