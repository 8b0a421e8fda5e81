"""``defenseclaw scan``: insecure code, found in this process; no gateway needed."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import click

from defenseclaw.cli.context import App, pass_app
from defenseclaw.cli.output import print_json, print_table, print_warning

if TYPE_CHECKING:
    from defenseclaw import scanning

LEVELS = ("LOW", "MEDIUM", "HIGH", "CRITICAL")
"""Every severity but NONE; spelled out, since help would wait for the module that defines them."""


@click.group("scan")
def command() -> None:
    """Find insecure code."""


@command.command("code")
@click.argument("path", required=False)
@click.option("--language", help="Language of the code when PATH is -, such as python or ts.")
@click.option(
    "--profile", "--rule-pack", "profile", help="default, strict or permissive, or a pack's folder."
)
@click.option(
    "--fail-on",
    type=click.Choice(LEVELS, case_sensitive=False),
    help="Exit 1 when a finding that counts is at least this severe.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--schema", is_flag=True, help="Print the JSON schema of --json and do nothing else.")
@pass_app
def code(
    app: App,
    path: str | None,
    language: str | None,
    profile: str | None,
    fail_on: str | None,
    as_json: bool,
    schema: bool,
) -> int:
    """Find insecure code in PATH, a file or a folder; - reads the code from stdin.

    The rules are those that judge what agents write. Nothing is run and nothing is changed.
    """
    from defenseclaw import scanning
    from defenseclaw.vocabulary import Severity

    if schema:
        print_json(scanning.result_schema())
        return 0
    if path is None:
        raise click.UsageError("give a file or a folder, or - for stdin")
    scan, answer = _scanned(app, path, language, profile)
    if as_json:
        from msgspec import to_builtins

        print_json(to_builtins(answer))
    else:
        _show(answer)
    if scan.bounds and not as_json:
        print_warning(f"not everything was read: {', '.join(sorted(scan.bounds))}")
    counting = [hit.finding.severity.rank for hit in scan.hits if not hit.finding.detection_only]
    return int(fail_on is not None and max(counting, default=0) >= Severity(fail_on.upper()).rank)


def _scanned(
    app: App, path: str, language: str | None, profile: str | None
) -> tuple[scanning.Scan, scanning.ScanResult]:
    from defenseclaw import scanning
    from defenseclaw.cli.validation import load_rules
    from defenseclaw.connectors.base import registry
    from defenseclaw.detection.code import language_named
    from defenseclaw.inspection import fix_of, host_context, utc_now

    known = language_named(language) if language else None
    if language and known is None:
        raise click.UsageError(f"no language is called {language!r} here")
    config = app.config()
    rules = load_rules(profile or config.guardrail.rule_pack_dir)
    machine = host_context(app.host(config), registry().values(), (config.gateway.api_port,))
    scanner = scanning.Scanner(rules, machine)
    began, clock = utc_now(), time.perf_counter_ns()
    if path == "-":
        scan = scanner.scan_text(sys.stdin.buffer.read().decode("utf-8", "replace"), "", known)
    else:
        scan = scanner.scan_path(os.path.abspath(path))
    answer = scanning.result(
        scan,
        timestamp=began,
        duration_ns=time.perf_counter_ns() - clock,
        fix_for=lambda rule_id: fix_of(rules, rule_id),
    )
    return scan, answer


def _show(answer: scanning.ScanResult) -> None:
    if not answer.findings:
        click.echo(f"Findings: none. Files: {answer.files}.")
        return
    rows = [
        (
            "note" if each.detection_only else each.severity,
            each.rule_id,
            each.location,
            each.description.partition(": ")[2] or each.description,
        )
        for each in answer.findings
    ]
    print_table(("Severity", "Rule", "Where", "What"), rows)
    click.echo(
        f"Findings: {len(rows)}. Files: {answer.files}. A note is often meant well and counts for nothing."
    )
