"""``defenseclaw doctor``."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from defenseclaw.cli.context import App, pass_app
from defenseclaw.cli.output import print_json, print_table

if TYPE_CHECKING:
    from defenseclaw.connectors.base import Check


@click.command()
@click.option("--json", "--json-output", "as_json", is_flag=True, help="Print JSON.")
@pass_app
def command(app: App, as_json: bool) -> None:
    """Check that everything works; names what mends the rest. Exit 1 on a failure."""
    from defenseclaw.cli.checks import run_checks

    rows = run_checks(app)
    report = _report(rows)
    _keep(app, report)
    if as_json:
        print_json(report)
    else:
        _print(rows, report)
    if report["failed"]:
        raise click.exceptions.Exit(1)


def _report(rows: list[Check]) -> dict[str, Any]:
    counts = Counter(row.status for row in rows)
    return {
        "passed": counts["pass"],
        "failed": counts["fail"],
        "warned": counts["warn"],
        "skipped": counts["skip"],
        "checks": [
            {"status": row.status, "label": row.label, "detail": row.detail, "mend": row.mend} for row in rows
        ],
    }


def _print(rows: list[Check], report: dict[str, Any]) -> None:
    print_table(("", "Check", "Detail"), [(row.status, row.label, row.detail) for row in rows])
    mending = [row for row in rows if row.mend and row.status in ("fail", "warn")]
    for row in mending:
        click.echo(f"{row.status}: {row.label}: {row.mend}")
    counts = ", ".join(f"{report[name]} {name}" for name in ("passed", "failed", "warned", "skipped"))
    click.echo(("\n" if mending else "") + counts)


def _keep(app: App, report: dict[str, Any]) -> None:
    """Leave the result for the dashboard; where there is no data directory, there is no dashboard."""
    from datetime import UTC, datetime

    from defenseclaw.config.files import replace_file
    from defenseclaw.errors import ConfigError

    if not app.data.root.is_dir():
        return
    content = {**report, "captured_at": datetime.now(UTC).isoformat()}
    try:
        replace_file(app.data.doctor_cache, json.dumps(content).encode())
    except ConfigError:
        return  # the permission check already says that the directory cannot be written
