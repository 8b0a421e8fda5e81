"""What ``defenseclaw setup`` says about one agent or several, for people and for programs."""

from __future__ import annotations

from typing import Any

import click

from defenseclaw.cli.context import App
from defenseclaw.cli.installing import Installed
from defenseclaw.cli.output import print_fields, print_table
from defenseclaw.cli.rollout import Outcome

_NOT_RUNNING = "not running; start it with `defenseclaw-gateway start`"


def gateway_answers(app: App) -> bool:
    """Return whether a gateway is there for what was installed."""
    from defenseclaw import daemon

    return daemon.is_answering(app.address(app.config()))


def of_one(app: App, done: Installed) -> dict[str, Any]:
    """Return one setup as JSON."""
    return _facts(done) | {"gateway_running": gateway_answers(app)}


def of_all(app: App, outcomes: list[Outcome]) -> dict[str, Any]:
    """Return a setup of several as JSON: one entry per agent and what came of them."""
    return {
        "agents": [_entry(each) for each in outcomes],
        "refused": [each.connector.name for each in outcomes if each.error],
        "gateway_running": gateway_answers(app),
    }


def print_one(app: App, done: Installed) -> None:
    """Say what holds for an agent now."""
    if not done.applied:
        click.echo("Dry run: nothing was changed.")
        return
    running = gateway_answers(app)
    title = done.connector.title
    enforced = (
        "blocks, asks and masks" if done.mode == "action" else "records and reports; nothing is blocked"
    )
    refused = f"{title} is refused tool calls" if done.fail_mode == "closed" else f"{title} goes on unchecked"
    print_fields(
        [
            ("Agent", f"{title} ({done.status})"),
            ("Mode", f"{done.mode}: {enforced}"),
            ("Fail mode", f"{done.fail_mode}: while the gateway is down, {refused}"),
            ("Gateway", "running" if running else _NOT_RUNNING),
        ]
    )
    if done.fail_mode == "closed" and running:
        click.echo("If it ever stops, `defenseclaw-gateway start` brings it back.")
    for note in (*done.plan.notes, done.plan.restart_hint):
        if note:
            click.echo(note)


def print_all(app: App, outcomes: list[Outcome], *, dry_run: bool) -> None:
    """Say what holds for each agent now."""
    if not outcomes:
        click.echo("No agent found here; `defenseclaw setup` shows what is looked for.")
        return
    rows = [(each.connector.title, each.status, _words(each)) for each in outcomes]
    print_table(("Agent", "Outcome", "What holds"), rows)
    if dry_run:
        click.echo("Dry run: nothing was changed.")
        return
    click.echo(f"Gateway: {'running' if gateway_answers(app) else _NOT_RUNNING}")
    notes = [
        note
        for each in outcomes
        if each.done and each.done.applied
        for note in (*each.done.plan.notes, each.done.plan.restart_hint)
    ]
    for note in dict.fromkeys(filter(None, notes)):
        click.echo(note)


def _words(outcome: Outcome) -> str:
    if outcome.reason or outcome.done is None:
        return outcome.reason
    return f"{outcome.done.mode}, fail {outcome.done.fail_mode}"


def _entry(outcome: Outcome) -> dict[str, Any]:
    said = {
        "connector": outcome.connector.name,
        "status": outcome.status,
        "reason": outcome.error.message if outcome.error else outcome.reason,
        "hint": outcome.error.hint if outcome.error else "",
    }
    return (_facts(outcome.done) if outcome.done else {}) | said


def _facts(done: Installed) -> dict[str, Any]:
    return {
        "connector": done.connector.name,
        "status": done.status,
        "mode": str(done.mode),
        "fail_mode": str(done.fail_mode),
        "changes": [
            {"action": verb, "path": str(change.path), "why": change.why} for verb, change in done.steps
        ],
        "notes": list(done.plan.notes),
        "warnings": list(done.plan.warnings),
        "restart_hint": done.plan.restart_hint,
    }
