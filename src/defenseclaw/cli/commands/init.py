"""``defenseclaw init``."""

from __future__ import annotations

import click

from defenseclaw.cli.context import App, pass_app
from defenseclaw.cli.output import print_json


@click.command()
@click.option("--connector", help="Also install into this agent; `none` for none.")
@click.option("--profile", "--mode", "mode", type=click.Choice(["observe", "action"]), help="Mode to write.")
@click.option("--fail-mode", type=click.Choice(["open", "closed"]), help="When no decision can be had.")
@click.option(
    "--start-gateway/--no-start-gateway", default=False, help="Start the gateway and test through it."
)
@click.option("-y", "--yes", is_flag=True, help="For scripts; init never asks.")
@click.option("--non-interactive", is_flag=True, help="For scripts; init never asks.")
@click.option("--json-summary", "--json", "as_json", is_flag=True, help="Print JSON.")
@pass_app
def command(
    app: App,
    connector: str | None,
    mode: str | None,
    fail_mode: str | None,
    start_gateway: bool,
    yes: bool,
    non_interactive: bool,
    as_json: bool,
) -> None:
    """Create data directory, config.yaml and gateway token; keeps what exists."""
    from defenseclaw.cli.first_run import print_report, run

    report = run(
        app, mode=mode, fail_mode=fail_mode, connector=connector, skip_gateway=not start_gateway, force=False
    )
    if as_json:
        print_json(report.as_json())
    else:
        print_report(report)
    if report.status == "needs_attention":
        raise click.exceptions.Exit(1)
