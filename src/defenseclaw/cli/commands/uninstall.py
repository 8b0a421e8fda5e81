"""``defenseclaw uninstall``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from defenseclaw.cli.context import App, pass_app
from defenseclaw.cli.output import confirm, print_json, print_warning

if TYPE_CHECKING:
    from defenseclaw.connectors.base import Connector


@click.command()
@click.option(
    "--all", "everything", is_flag=True, help="Delete the data directory too, audit store included."
)
@click.option("--dry-run", is_flag=True, help="Show what would happen.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_app
def command(app: App, everything: bool, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Stop the gateway and leave every agent; --all deletes the data too."""
    from defenseclaw import daemon
    from defenseclaw.cli import installing
    from defenseclaw.config.schema import Config
    from defenseclaw.errors import ConfigError

    try:
        config = app.config()
    except ConfigError as error:
        print_warning(f"{error.message}; going on with the defaults")
        config = Config()
    pid_file = daemon.PidFile(app.data.pid_file)
    connectors = installing.to_remove(app, config)
    steps = ["stop the gateway"] if pid_file.running() else []
    steps += [f"take DefenseClaw out of {connector.title}" for connector in connectors]
    steps += [f"delete {app.data.root}"] if everything and app.data.root.exists() else []
    if not as_json:
        for step in steps or ["nothing to do"]:
            click.echo(f"- {step}")
    if dry_run or not steps:
        if as_json:
            print_json({"steps": steps, "done": False})
        return
    confirm("Go ahead?", yes=yes)
    daemon.stop(pid_file)
    for connector in connectors:
        installing.remove(app.host(config), connector)
    if everything:
        installing.delete_data(app)
    elif app.data.config.exists():
        _forget(app, connectors)
    if as_json:
        print_json({"steps": steps, "done": True})
    else:
        click.echo("Done." if everything else f"Done. {app.data.root} is kept; --all deletes it.")


def _forget(app: App, connectors: list[Connector]) -> None:
    from defenseclaw.cli import installing
    from defenseclaw.errors import ConfigError

    try:
        installing.forget(app, connectors)
    except ConfigError as error:
        print_warning(f"{error.message}; it still names the removed connectors")
