"""``defenseclaw audit``: verify and export the store."""

from __future__ import annotations

from dataclasses import asdict

import click

from defenseclaw.cli.context import App, pass_app
from defenseclaw.cli.output import print_json, printable


@click.group("audit")
def command() -> None:
    """Verify and export the audit store."""


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_app
def verify(app: App, as_json: bool) -> None:
    """Check that no row was changed, removed or inserted; exit 1 with the first one that was."""
    from defenseclaw.cli.history import verified

    report = verified(app.data.audit_db)
    if as_json:
        print_json(asdict(report))
    elif report.ok:
        click.echo(f"{report.rows} rows verified, signed head at #{report.head_seq}.")
    else:
        where = "" if report.first_bad_seq is None else f" at row #{report.first_bad_seq}"
        click.echo(f"NOT INTACT{where}: {printable(report.problem)} ({report.rows} rows verified before it)")
    if not report.ok:
        raise click.exceptions.Exit(1)


@command.command()
@click.option(
    "-o", "--output", default="-", show_default=True, help="File to create, owner-only; - for stdout."
)
@click.option("--limit", type=click.IntRange(min=0), default=0, help="First N rows; 0 for all.")
@click.option("--connector", default="", help="Only rows of this agent.")
@click.option("--include-activity", is_flag=True, help="Append operators' changes.")
@pass_app
def export(app: App, output: str, limit: int, connector: str, include_activity: bool) -> None:
    """Write the rows as JSON lines, oldest first."""
    from defenseclaw.audit.export import write_export
    from defenseclaw.cli.history import opened

    with opened(app.data.audit_db) as store:
        write_export(store, output, limit=limit, connector=connector, include_activity=include_activity)
