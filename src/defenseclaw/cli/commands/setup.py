"""``defenseclaw setup``: one command per agent of the registry, ``remove`` and ``guardrail``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from defenseclaw.cli.context import App, pass_app
from defenseclaw.cli.output import confirm, print_fields, print_json, print_table, printable

if TYPE_CHECKING:
    from defenseclaw.cli.installing import Installed
    from defenseclaw.connectors.base import Connector

SEVERITIES = ("LOW", "MEDIUM", "HIGH", "CRITICAL")


class Agents(click.Group):
    """The commands below, and one for each connector under any of its names."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return agents first, then the rest."""
        from defenseclaw.connectors.base import registry

        return [connector.command_name for connector in registry().values()] + super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command, generated for an agent."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        from defenseclaw.connectors.base import by_any_name

        connector = by_any_name(cmd_name)
        return _agent_command(connector) if connector else None


@click.group("setup", cls=Agents, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Govern an agent: `setup claude-code`. Without an agent, lists those found here."""
    if ctx.invoked_subcommand is None:
        _list_agents(ctx.obj, as_json=as_json)


@command.command("remove")
@click.argument("name")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_app
def remove(app: App, name: str, yes: bool, as_json: bool) -> None:
    """Take DefenseClaw out of agent NAME; files nobody edited since are restored byte for byte."""
    from defenseclaw.cli import installing
    from defenseclaw.cli.record import record

    connector = installing.connector_named(name)
    config = app.config()
    confirm(f"Remove DefenseClaw from {connector.title}?", yes=yes)
    done = installing.remove(app.host(config), connector)
    installing.forget(app, [connector])
    restored = [str(change.path) for change in done.changes]
    if restored:
        record(
            app,
            "setup-remove",
            target_type="connector",
            target=connector.name,
            connector=connector.name,
            before={"installed": True},
            after={"installed": False, "files": restored},
        )
    if as_json:
        print_json({"connector": connector.name, "status": "removed", "restored": restored})
        return
    for change in done.changes:
        click.echo(f"{'restored' if change.path.exists() else 'deleted '}  {printable(str(change.path))}")
    click.echo(f"{connector.title} is {'no longer' if restored else 'not'} governed.")
    for note in (*done.notes, done.restart_hint if restored else ""):
        if note:
            click.echo(note)


@command.command("guardrail")
@click.option("--disable", is_flag=True, help="Take every agent out and switch inspection off.")
@click.option("-y", "--yes", is_flag=True, help="For scripts; this never asks.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_app
def guardrail(app: App, disable: bool, yes: bool, as_json: bool) -> None:
    """Switch everything off with --disable; audit store and configuration stay."""
    from defenseclaw.cli import installing
    from defenseclaw.cli.record import record
    from defenseclaw.config import edit
    from defenseclaw.config.schema import Config
    from defenseclaw.errors import ConfigError

    if not disable:
        raise click.UsageError("--disable is what this command does; `config set` changes everything else")
    try:
        config = app.config()
    except ConfigError:
        config = Config()  # a broken file must not keep us in the agents; the edit below reports it
    was = config.guardrail.enabled
    removal = installing.remove_all(app.host(config), installing.to_remove(app, config))
    restored = {name: removal.restored(name) for name in removal.done}
    try:
        edit.set_value(app.data.config, "guardrail.enabled", False)
    finally:
        if was or any(restored.values()):
            record(
                app,
                "guardrail-disable",
                target_type="guardrail",
                target="guardrail",
                before={"enabled": was},
                after={"enabled": False, "files": restored, "not_removed": sorted(removal.failed)},
            )
    removal.complain()
    if as_json:
        print_json({"guardrail_enabled": False, "restored": restored})
        return
    for name, done in removal.done.items():
        paths = restored[name]
        click.echo(f"{name}: {f'{len(paths)} files restored or deleted' if paths else 'nothing to restore'}")
        if paths and done.restart_hint:
            click.echo(f"  {done.restart_hint}")
    click.echo("Inspection is off. `defenseclaw setup <agent>` switches it on again.")


def _agent_command(connector: Connector) -> click.Command:
    help_text = f"Govern {connector.title}: {connector.description}"
    options: list[click.Parameter] = [
        click.Option(
            ["--mode"], type=click.Choice(["observe", "action"]), help="observe records, action enforces."
        ),
        click.Option(
            ["--fail-mode"],
            type=click.Choice(["open", "closed"]),
            help="When no decision can be had. Default: open in observe, closed in action.",
        ),
        click.Option(["--rule-pack", "--rule-pack-dir"], help="default, strict, permissive or a folder."),
        click.Option(["--block-message"], help="Text the agent is shown on a block."),
        click.Option(
            ["--human-approval/--no-human-approval"],
            default=None,
            help="Ask a person before severe calls pass.",
        ),
        click.Option(
            ["--hilt-min-severity"], type=click.Choice(SEVERITIES), help="Least severity that asks."
        ),
        click.Option(
            ["--workspace"],
            type=click.Path(file_okay=False, exists=True, path_type=Path),
            help="Install into this project only.",
        ),
        click.Option(["-y", "--yes"], is_flag=True, help="Do not ask."),
        click.Option(["--force"], is_flag=True, help="Install although the agent was not found."),
        click.Option(["--dry-run"], is_flag=True, help="Show what would change."),
        click.Option(["--json", "as_json"], is_flag=True, help="Print JSON."),
    ]

    @pass_app
    def run(app: App, /, **given: Any) -> None:  # noqa: ANN401 - click's own values
        _setup(app, connector, given)

    return click.Command(connector.command_name, callback=run, params=options, help=help_text)


def _setup(app: App, connector: Connector, given: dict[str, Any]) -> None:
    from defenseclaw.cli.installing import Wishes, install

    wishes = Wishes(
        mode=given["mode"],
        fail_mode=given["fail_mode"],
        block_message=given["block_message"],
        rule_pack=given["rule_pack"],
        human_approval=given["human_approval"],
        min_severity=given["hilt_min_severity"],
        workspace=given["workspace"].absolute() if given["workspace"] else None,
        force=given["force"],
    )
    done = install(app, connector, wishes, yes=given["yes"], quiet=given["as_json"], dry_run=given["dry_run"])
    if given["as_json"]:
        print_json(_report(app, done))
    else:
        _print_report(app, done)


def _report(app: App, done: Installed) -> dict[str, Any]:
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
        "gateway_running": _gateway_answers(app),
    }


def _print_report(app: App, done: Installed) -> None:
    if not done.applied:
        click.echo("Dry run: nothing was changed.")
        return
    running = _gateway_answers(app)
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
            ("Gateway", "running" if running else "not running; start it with `defenseclaw-gateway start`"),
        ]
    )
    if done.fail_mode == "closed" and running:
        click.echo("If it ever stops, `defenseclaw-gateway start` brings it back.")
    for note in (*done.plan.notes, done.plan.restart_hint):
        if note:
            click.echo(note)


def _list_agents(app: App, *, as_json: bool) -> None:
    from defenseclaw.cli.agents import survey

    found = survey(app)
    if as_json:
        print_json([agent.as_json() for agent in found])
        return
    print_table(
        ("Agent", "Found", "Governed", "Type"),
        [
            (agent.title, agent.found_words, agent.governed_words, f"defenseclaw setup {agent.command}")
            for agent in found
        ],
    )


def _gateway_answers(app: App) -> bool:
    from defenseclaw import daemon

    return daemon.is_answering(app.address(app.config()))
