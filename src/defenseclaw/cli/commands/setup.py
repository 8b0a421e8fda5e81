"""``defenseclaw setup``: one command per agent of the registry, all at once, ``remove`` and ``guardrail``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from defenseclaw.cli.context import App, pass_app
from defenseclaw.cli.output import confirm, print_json, print_table, printable

if TYPE_CHECKING:
    from defenseclaw.cli.installing import Wishes
    from defenseclaw.connectors.base import Connector, Plan

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


def _choices() -> list[click.Parameter]:
    """Return the options that say how agents shall be governed."""
    return [
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
        click.Option(["-y", "--yes"], is_flag=True, help="Do not ask."),
        click.Option(["--dry-run"], is_flag=True, help="Show what would change."),
        click.Option(["--json", "as_json"], is_flag=True, help="Print JSON."),
    ]


@click.group("setup", cls=Agents, invoke_without_command=True, params=_choices())
@click.option("--all", "--detected", "everyone", is_flag=True, help="Govern every agent found here.")
@click.option("-c", "--connector", "names", multiple=True, help="Govern this agent; may be repeated.")
@click.pass_context
def command(ctx: click.Context, /, everyone: bool, names: tuple[str, ...], **given: Any) -> None:  # noqa: ANN401
    """Govern an agent: `setup claude-code`; all that are found: `--all`. Without either, lists them."""
    several = everyone or bool(names)
    if ctx.invoked_subcommand is not None:
        if several:
            raise click.UsageError("either one agent by its command, or --all or --connector")
    elif several and not (everyone and names):
        _setup_several(ctx.obj, None if everyone else names, given)
    elif several or any(value for name, value in given.items() if name != "as_json"):
        raise click.UsageError("which agents: one by its command, --all, or --connector NAME")
    else:
        _list_agents(ctx.obj, as_json=given["as_json"])


@command.command("remove")
@click.argument("name", required=False)
@click.option("--all", "everyone", is_flag=True, help="Take it out of every agent.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_app
def remove(app: App, name: str | None, everyone: bool, yes: bool, as_json: bool) -> None:
    """Take DefenseClaw out of agent NAME; files nobody edited since are restored byte for byte."""
    from defenseclaw.cli import installing

    if everyone == bool(name):
        raise click.UsageError("name one agent, or say --all")
    if everyone:
        _remove_all(app, yes=yes, as_json=as_json)
        return
    connector = installing.connector_named(name or "")
    config = app.config()
    confirm(f"Remove DefenseClaw from {connector.title}?", yes=yes)
    done = installing.remove(app.host(config), connector)
    installing.forget(app, [connector])
    _record_removal(app, connector, done)
    restored = [str(change.path) for change in done.changes]
    if as_json:
        print_json({"connector": connector.name, "status": "removed", "restored": restored})
    else:
        _print_removal(connector, done)


def _remove_all(app: App, *, yes: bool, as_json: bool) -> None:
    from defenseclaw.cli import installing
    from defenseclaw.connectors.base import registry

    config = app.config()
    wanted = installing.to_remove(app, config)
    if wanted:
        confirm(f"Remove DefenseClaw from {', '.join(each.title for each in wanted)}?", yes=yes)
    removal = installing.remove_all(app.host(config), wanted)
    gone = [registry()[name] for name in removal.done]
    installing.forget(app, gone)
    for connector in gone:
        _record_removal(app, connector, removal.done[connector.name])
    if as_json:
        said = {name: removal.restored(name) for name in removal.done}
        failed = {name: error.message for name, error in removal.failed.items()}
        print_json({"restored": said, "not_removed": failed})
        if failed:
            raise click.exceptions.Exit(1)
        return
    for connector in gone:
        _print_removal(connector, removal.done[connector.name])
    if not wanted:
        click.echo("No agent is governed.")
    removal.complain()


def _record_removal(app: App, connector: Connector, done: Plan) -> None:
    from defenseclaw.cli.record import record

    if done.changes:
        record(
            app,
            "setup-remove",
            target_type="connector",
            target=connector.name,
            connector=connector.name,
            before={"installed": True},
            after={"installed": False, "files": [str(change.path) for change in done.changes]},
        )


def _print_removal(connector: Connector, done: Plan) -> None:
    for change in done.changes:
        click.echo(f"{'restored' if change.path.exists() else 'deleted '}  {printable(str(change.path))}")
    click.echo(f"{connector.title} is {'no longer' if done.changes else 'not'} governed.")
    for note in (*done.notes, done.restart_hint if done.changes else ""):
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
    options = [
        *_choices(),
        click.Option(
            ["--workspace"],
            type=click.Path(file_okay=False, exists=True, path_type=Path),
            help="Install into this project only.",
        ),
        click.Option(["--force"], is_flag=True, help="Install although the agent was not found."),
    ]

    @pass_app
    def run(app: App, /, **given: Any) -> None:  # noqa: ANN401 - click's own values
        _setup(app, connector, given)

    return click.Command(connector.command_name, callback=run, params=options, help=help_text)


def _setup(app: App, connector: Connector, given: dict[str, Any]) -> None:
    from defenseclaw.cli import setup_report
    from defenseclaw.cli.installing import install

    workspace = given["workspace"].absolute() if given["workspace"] else None
    wishes = replace(_wishes(given), workspace=workspace, force=given["force"])
    done = install(app, connector, wishes, yes=given["yes"], quiet=given["as_json"], dry_run=given["dry_run"])
    if given["as_json"]:
        print_json(setup_report.of_one(app, done))
    else:
        setup_report.print_one(app, done)


def _setup_several(app: App, names: tuple[str, ...] | None, given: dict[str, Any]) -> None:
    """Set up the agents named, None: those found; exit 1 when one of them refused."""
    from defenseclaw.cli import installing, rollout, setup_report

    named = None if names is None else list(dict.fromkeys(map(installing.connector_named, names)))
    as_json, dry_run = given["as_json"], given["dry_run"]
    outcomes = rollout.install_all(
        app, named, _wishes(given), yes=given["yes"], quiet=as_json, dry_run=dry_run
    )
    if as_json:
        print_json(setup_report.of_all(app, outcomes))
    else:
        setup_report.print_all(app, outcomes, dry_run=dry_run)
    if any(outcome.error for outcome in outcomes):
        raise click.exceptions.Exit(1)


def _wishes(given: dict[str, Any]) -> Wishes:
    from defenseclaw.cli.installing import Wishes

    return Wishes(
        mode=given["mode"],
        fail_mode=given["fail_mode"],
        block_message=given["block_message"],
        rule_pack=given["rule_pack"],
        human_approval=given["human_approval"],
        min_severity=given["hilt_min_severity"],
    )


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
