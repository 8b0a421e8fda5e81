"""``defenseclaw version``."""

from __future__ import annotations

import click

from defenseclaw import __version__
from defenseclaw.cli.context import App, pass_app
from defenseclaw.cli.output import print_fields, print_json
from defenseclaw.errors import DefenseClawError


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--no-drift-exit", is_flag=True, help="Exit 0 also when the running gateway is another version."
)
@pass_app
def command(app: App, as_json: bool, no_drift_exit: bool) -> None:
    """Show the versions here and of the gateway; exit 1 when they differ."""
    running = _running_version(app)
    drift = (
        [f"gateway runs {running}, installed is {__version__}"] if running not in ("", __version__) else []
    )
    if as_json:
        components = [
            {"name": "cli", "version": __version__, "status": "ok"},
            {"name": "gateway", "version": running, "status": _status(running)},
        ]
        print_json({"components": components, "drift": drift, "ok": not drift})
    else:
        print_fields([("defenseclaw", __version__), ("gateway", running or "not running")])
        for line in drift:
            click.echo(f"{line}: restart it with `defenseclaw-gateway restart`")
    if drift and not no_drift_exit:
        raise click.exceptions.Exit(1)


def _running_version(app: App) -> str:
    """Return the version the gateway reports, empty where none answers."""
    from defenseclaw.cli.client import version_in

    try:
        return version_in(app.gateway(app.config()).get("/health"))
    except DefenseClawError:
        return ""


def _status(running: str) -> str:
    if not running:
        return "not running"
    return "ok" if running == __version__ else "drift"
