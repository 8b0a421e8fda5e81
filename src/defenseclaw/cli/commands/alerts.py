"""``defenseclaw alerts``."""

from __future__ import annotations

from typing import Any

import click

from defenseclaw.cli.context import App, pass_app
from defenseclaw.cli.output import print_fields, print_json, print_table
from defenseclaw.errors import NotFound

SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW")


@click.group("alerts", invoke_without_command=True)
@click.option(
    "-n", "--limit", type=click.IntRange(1, 10_000), default=25, show_default=True, help="At most this many."
)
@click.option("--connector", default="", help="Only those of this agent.")
@click.option("--acknowledged", is_flag=True, help="Acknowledged ones too.")
@click.option("--show", type=click.IntRange(min=1), metavar="N", help="Show alert number N in full.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; every alert by itself.")
@click.pass_context
def command(
    ctx: click.Context, limit: int, connector: str, acknowledged: bool, show: int | None, as_json: bool
) -> None:
    """List recent alerts, newest first. One call that several hooks reported is one line."""
    if ctx.invoked_subcommand is not None:
        return
    from defenseclaw.cli import history

    app: App = ctx.obj
    rows = history.alerts(app.data.audit_db, max(limit, show or 0), _name(connector), acknowledged)
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
        _list(rows)


@command.command("acknowledge")
@click.option(
    "--severity",
    type=click.Choice([*SEVERITIES, "all"], case_sensitive=False),
    help="Only those this severe.",
)
@click.option("--connector", default="", help="Only those of this agent.")
@click.option("--all", "everything", is_flag=True, help="All alerts.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_app
def acknowledge(app: App, severity: str | None, connector: str, everything: bool, as_json: bool) -> None:
    """Take alerts off the list. They stay on record; `alerts --acknowledged` shows them."""
    from defenseclaw.cli import history

    if not (severity or connector or everything):
        raise click.UsageError("say which: --severity, --connector or --all")
    if everything and (severity or connector):
        raise click.UsageError("--all excludes --severity and --connector")
    severities = () if severity in (None, "all") else (severity,)
    count = history.acknowledge(app, severities, _name(connector))
    if as_json:
        print_json({"acknowledged": count})
    else:
        click.echo(f"{count} alerts acknowledged." if count else "There was nothing to acknowledge.")


def brief(row: dict[str, Any]) -> str:
    """Return one line: the rules when the row names them, else the beginning of its details."""
    structured = row.get("structured") or {}
    rules = structured.get("rule_ids")
    if isinstance(rules, list) and rules:
        return f"{', '.join(str(rule) for rule in rules)}  {str(row.get('evaluation_id', ''))[:8]}".rstrip()
    details = str(row.get("details", ""))
    return details if len(details) <= 100 else f"{details[:99]}…"


def _list(rows: list[dict[str, Any]]) -> None:
    from defenseclaw.cli import history

    lines = []
    for group in history.grouped(rows):
        number, row = group[0]
        targets = dict.fromkeys(str(each.get("target", "")) for _, each in reversed(group))
        acknowledged = " (acknowledged)" if row.get("acknowledged") else ""
        lines.append(
            (
                number,
                row["severity"],
                str(row["timestamp"])[:19].replace("T", " "),
                row.get("connector"),
                row["action"],
                " + ".join(targets),
                len(group),
                brief(row) + acknowledged,
            )
        )
    print_table(("#", "Severity", "Time", "Agent", "Action", "Target", "Rows", "Details"), lines)
    click.echo("`defenseclaw alerts --show N` and `defenseclaw explain <evaluation id>` say more.")


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
