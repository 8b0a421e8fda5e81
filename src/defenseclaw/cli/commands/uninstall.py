"""``defenseclaw uninstall``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from defenseclaw.cli.context import App, pass_app
from defenseclaw.cli.output import confirm, print_json, print_warning, printable

if TYPE_CHECKING:
    from defenseclaw.cli.installing import Removal
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
    stopped = daemon.stop(pid_file)
    removal = installing.remove_all(app.host(config), connectors)
    _record(app, removal, stopped=stopped, everything=everything)
    removal.complain()
    if everything:
        installing.delete_data(app)
    else:
        if app.data.config.exists():
            _forget(app, connectors)
        installing.tidy(app)
    if as_json:
        kept = [str(path) for path, _ in installing.kept(app)]
        print_json({"steps": steps, "done": True, "kept": kept})
    else:
        _say(app, removal)


def _record(app: App, removal: Removal, *, stopped: bool, everything: bool) -> None:
    """Record it before the data goes; a store that is not there is not made for it."""
    from defenseclaw.cli.record import record

    if app.data.audit_db.exists():
        record(
            app,
            "uninstall",
            target_type="installation",
            target=str(app.data.root),
            before={"connectors": sorted({*removal.done, *removal.failed}), "gateway_running": stopped},
            after={
                "removed": {name: removal.restored(name) for name in removal.done},
                "not_removed": sorted(removal.failed),
                "data_deleted": everything and not removal.failed,
            },
        )


def _say(app: App, removal: Removal) -> None:
    from defenseclaw.cli import installing

    for name, done in removal.done.items():
        if done.changes and done.restart_hint:
            click.echo(f"{name}: {done.restart_hint}")
    kept = installing.kept(app)
    click.echo("Done." if not kept else f"Done. Kept in {app.data.root} (--all deletes it):")
    for path, meaning in kept:
        click.echo(f"  {printable(path.name):<24}  {meaning}")


def _forget(app: App, connectors: list[Connector]) -> None:
    from defenseclaw.cli import installing
    from defenseclaw.errors import ConfigError

    try:
        installing.forget(app, connectors)
    except ConfigError as error:
        print_warning(f"{error.message}; it still names the removed connectors")
