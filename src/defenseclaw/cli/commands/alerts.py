"""``defenseclaw alerts``."""

from __future__ import annotations

from typing import Any

import click

from defenseclaw.cli.context import App, pass_app
from defenseclaw.cli.output import print_fields, print_json, print_table
from defenseclaw.errors import NotFound


@click.command()
@click.option(
    "-n", "--limit", type=click.IntRange(1, 10_000), default=25, show_default=True, help="At most this many."
)
@click.option("--connector", default="", help="Only those of this agent.")
@click.option("--show", type=click.IntRange(min=1), metavar="N", help="Show alert number N in full.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_app
def command(app: App, limit: int, connector: str, show: int | None, as_json: bool) -> None:
    """List recent alerts, newest first."""
    from defenseclaw.cli import history

    rows = history.alerts(app.data.audit_db, max(limit, show or 0), _name(connector))
    if show is not None:
        if show > len(rows):
            known = f"1-{len(rows)}" if rows else "there are none"
            raise NotFound(f"alert #{show} not found ({known})")
        _show(rows[show - 1], as_json=as_json)
    elif as_json:
        print_json(rows)
    elif not rows:
        click.echo("No alerts.")
    else:
        print_table(
            ("#", "Severity", "Time", "Agent", "Action", "Target", "Details"),
            [
                (
                    number,
                    row["severity"],
                    _time(row),
                    row.get("connector"),
                    row["action"],
                    row.get("target"),
                    brief(row),
                )
                for number, row in enumerate(rows, 1)
            ],
        )
        click.echo("`defenseclaw alerts --show N` and `defenseclaw explain <evaluation id>` say more.")


def brief(row: dict[str, Any]) -> str:
    """Return one line: the rules when the row names them, else the beginning of its details."""
    structured = row.get("structured") or {}
    rules = structured.get("rule_ids")
    if isinstance(rules, list) and rules:
        return f"{', '.join(str(rule) for rule in rules)}  {str(row.get('evaluation_id', ''))[:8]}".rstrip()
    details = str(row.get("details", ""))
    return details if len(details) <= 100 else f"{details[:99]}…"


def _show(row: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(row)
        return
    print_fields(
        [
            ("Severity", row["severity"]),
            ("Timestamp", row["timestamp"]),
            ("Action", row["action"]),
            ("Target", row.get("target", "")),
            ("Agent", row.get("connector", "")),
            ("Evaluation", row.get("evaluation_id", "")),
            ("Details", row.get("details", "")),
        ]
    )


def _name(connector: str) -> str:
    if not connector:
        return ""
    from defenseclaw.connectors.base import by_any_name

    known = by_any_name(connector)
    return known.name if known else connector


def _time(row: dict[str, Any]) -> str:
    return str(row["timestamp"])[:19].replace("T", " ")
