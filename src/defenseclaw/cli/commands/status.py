"""``defenseclaw status``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from defenseclaw.cli.context import App, pass_app
from defenseclaw.cli.output import print_fields, print_json, print_table

if TYPE_CHECKING:
    from defenseclaw.cli.agents import Agent
    from defenseclaw.config.schema import Config
    from defenseclaw.verification.record import Standing


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_app
def command(app: App, as_json: bool) -> None:
    """Show gateway, agents, modes and activity. Works with the gateway down."""
    from defenseclaw.cli.agents import survey

    config = app.config()
    agents = survey(app, config)
    standings = {agent.name: _standing(app, agent) for agent in agents if agent.enabled}
    report = {
        "environment": config.environment,
        "deployment_mode": "local",
        "scope": "user",
        "data_dir": str(app.data.root),
        "config": str(app.data.config),
        "audit_db": str(app.data.audit_db),
        "guardrail": {"enabled": config.guardrail.enabled, "mode": config.guardrail.mode},
        "sandbox": {"available": False},
        "scanners": dict.fromkeys(("skill-scanner", "mcp-scanner", "codeguard"), "not_found"),
        "enforcement": _enforcement(app),
        "sidecar": _sidecar(app, config),
        "activity": _activity(app),
        "connectors": [
            {
                "name": agent.name,
                "friendly": agent.title,
                "mode": agent.mode,
                "fail_mode": agent.fail_mode,
                "enabled": agent.enabled,
                "installed": agent.installed,
                "found": agent.found,
                "version": agent.version,
                "source": "config" if agent.configured else "detected",
                "verified": standings[agent.name].as_json() if agent.name in standings else None,
            }
            for agent in agents
            if agent.configured or agent.found
        ],
    }
    if as_json:
        print_json(report)
        return
    _print_summary(report)
    shown = [
        (agent.title, agent.found_words, agent.governed_words, _proven(standings.get(agent.name)))
        for agent in agents
        if agent.configured or agent.found
    ]
    if shown:
        print_table(("Agent", "Found", "Governed", "Proven"), shown)
    else:
        click.echo("\nNo agent found here. `defenseclaw setup` shows what is looked for.")


def _standing(app: App, agent: Agent) -> Standing:
    from defenseclaw.verification.record import standing

    return standing(app.data.root, agent.name, agent.version, agent.mode, agent.fail_mode)


def _proven(standing: Standing | None) -> str:
    from datetime import UTC, datetime

    return standing.words(datetime.now(UTC)) if standing is not None else ""


def _print_summary(report: dict[str, Any]) -> None:
    sidecar, activity, guardrail = report["sidecar"], report["activity"], report["guardrail"]
    gateway = f"not running ({sidecar.get('hint')})"
    if sidecar["running"]:
        gateway = f"{sidecar['status']} at {sidecar['url']}, version {sidecar['version']}"
    print_fields(
        [
            ("Gateway", gateway),
            *((f"  {name}", problem) for name, problem in sidecar.get("problems", {}).items()),
            ("Guardrail", guardrail["mode"] if guardrail["enabled"] else "switched off"),
            ("Configuration", report["config"]),
            ("Audit store", f"{activity['events']} events, {activity['active_alerts']} alerts"),
        ]
    )


def _sidecar(app: App, config: Config) -> dict[str, Any]:
    from defenseclaw.cli.client import version_in
    from defenseclaw.errors import DefenseClawError

    gateway = app.gateway(config)
    try:
        body = gateway.get("/health")
    except DefenseClawError as error:
        return {"running": False, "url": gateway.url, "hint": error.hint or error.message}
    return {
        "running": True,
        "url": gateway.url,
        "status": str(body.get("status") or "unknown"),
        "version": version_in(body) or "unknown",
        "uptime_ms": body.get("uptime_ms"),
        "problems": _problems(body),
    }


def _problems(health: dict[str, Any]) -> dict[str, str]:
    """Return what the parts that do not work say, by name."""
    parts = {name: health.get(name) for name in health.get("failing") or ()}
    return {
        name: str(part.get("last_error") or "does not work")
        for name, part in parts.items()
        if isinstance(part, dict)
    }


def _enforcement(app: App) -> dict[str, int]:
    """Count the entries of the block and allow lists."""
    from defenseclaw.cli.history import listed

    entries = listed(app.data.audit_db)
    return {
        f"{install}ed_{kind}s": entries[kind, install]
        for install in ("block", "allow")
        for kind in ("skill", "plugin", "mcp", "tool")
    }


def _activity(app: App) -> dict[str, Any]:
    from defenseclaw.cli.history import activity

    return activity(app.data.audit_db)
