"""``defenseclaw quickstart``."""

from __future__ import annotations

import click

from defenseclaw.cli.context import App, pass_app
from defenseclaw.cli.output import print_json


@click.command()
@click.option("--mode", type=click.Choice(["observe", "action"]), help="observe records, action enforces.")
@click.option("--fail-mode", type=click.Choice(["open", "closed"]), help="When no decision can be had.")
@click.option("--connector", "--agent", help="Also install into this agent.")
@click.option("--skip-gateway", is_flag=True, help="Neither start the gateway nor test through it.")
@click.option("--force", is_flag=True, help="With --connector: install although the agent was not found.")
@click.option("-y", "--yes", is_flag=True, help="For scripts; quickstart never asks.")
@click.option("--non-interactive", is_flag=True, help="For scripts; quickstart never asks.")
@click.option("--json-summary", "--json", "as_json", is_flag=True, help="Print JSON.")
@pass_app
def command(
    app: App,
    mode: str | None,
    fail_mode: str | None,
    connector: str | None,
    skip_gateway: bool,
    force: bool,
    yes: bool,
    non_interactive: bool,
    as_json: bool,
) -> None:
    """Start here: configure, start the gateway, find agents, prove it works."""
    from defenseclaw.cli.first_run import print_report, run

    report = run(
        app, mode=mode, fail_mode=fail_mode, connector=connector, skip_gateway=skip_gateway, force=force
    )
    if as_json:
        print_json(report.as_json())
    else:
        print_report(report)
    if report.status == "needs_attention":
        raise click.exceptions.Exit(1)
