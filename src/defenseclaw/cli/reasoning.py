"""Judges one event without a gateway and tells the whole story: parse, facts, rules, decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import click
from msgspec.structs import replace

from defenseclaw.cli.context import App
from defenseclaw.cli.history import Recorded
from defenseclaw.cli.output import print_fields, print_heading, print_json, print_table, printable
from defenseclaw.cli.validation import load_pack, load_rules
from defenseclaw.config.load import posture, profile_of
from defenseclaw.connectors.base import registry
from defenseclaw.detection.engine import Detection
from defenseclaw.detection.facts import UNKNOWN, Command, Facts
from defenseclaw.detection.ruleset import RuleSet
from defenseclaw.inspection import host_context, judge
from defenseclaw.vocabulary import (
    JSON,
    Door,
    Event,
    EventKind,
    Finding,
    Posture,
    Verdict,
)

UNKNOWN_SHOWN = "<?>"
"""Stands for a part of a word that only running it would tell."""


SWITCHED_OFF = (
    "Inspection is switched off in the configuration: the gateway records such calls and lets them pass."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """An event with all that was concluded from it."""

    event: Event
    verdict: Verdict
    detection: Detection
    rules: RuleSet
    posture: Posture


def call_event(tool: str, args: JSON, cwd: str, connector: str) -> Event:
    """Return a tool call as an agent would report it."""
    return Event(
        kind=EventKind.TOOL_CALL,
        door=Door.CLI,
        name="explain",
        tool=tool,
        args=args,
        cwd=cwd,
        connector=connector,
    )


def text_event(text: str, kind: str, connector: str) -> Event:
    """Return a text as an agent would report it."""
    kind_ = EventKind(kind)
    if kind_ is EventKind.TOOL_RESULT:
        return Event(kind=kind_, door=Door.CLI, name="explain", tool="Read", result=text, connector=connector)
    return Event(kind=kind_, door=Door.CLI, name="explain", text=text, connector=connector)


def judged(app: App, event: Event, profile: str | None) -> Judged:
    """Judge ``event`` as the gateway would, on the files of this machine; records nothing.

    Raises:
        ConfigError: the configuration is invalid.
        PackError: the rule pack does not load.
    """
    config = app.config()
    chosen = posture(config, event.connector)
    if profile:
        chosen = replace(chosen, rule_pack=profile, profile=profile_of(profile))
    pack = load_pack(chosen.rule_pack)
    folders = [str(pack.folder)] if pack.folder is not None else []
    machine = host_context(app.host(config), registry().values(), (config.gateway.api_port,), folders)
    verdict, detection = judge(event, pack.rules, machine, chosen, suppressions=pack.suppressions)
    return Judged(event=event, verdict=verdict, detection=detection, rules=pack.rules, posture=chosen)


def as_json(answer: Judged) -> dict[str, Any]:
    """Return everything as one JSON object."""
    verdict, facts = answer.verdict, answer.detection.facts
    shown: dict[str, Any] = {
        "kind": str(answer.event.kind),
        "action": str(verdict.action),
        "raw_action": str(verdict.raw_action),
        "severity": str(verdict.severity),
        "mode": str(verdict.mode),
        "would_block": verdict.would_block,
        "enabled": answer.posture.enabled,
        "profile": str(answer.posture.profile),
        "rule_pack": answer.posture.rule_pack,
        "findings": [_finding(answer.rules, finding) for finding in verdict.findings],
        "trail": list(verdict.trail),
        "message": verdict.message,
    }
    if facts is not None:
        bindings = facts.bindings(answer.event.cwd)
        names = ("tool", "tool_class", "cwd", "parse", "commands", "paths", "network", "flows")
        shown["facts"] = {name: bindings[name] for name in names} | {"issues": list(facts.issues)}
    if verdict.replacement is not None:
        shown["replacement"] = verdict.replacement
    return shown


def show(answer: Judged) -> None:
    """Print the story from parse to action."""
    if answer.detection.facts is not None:
        _show_facts(answer.detection.facts)
    _show_findings(answer.rules, answer.verdict.findings)
    print_heading("Decision")
    for number, step in enumerate(answer.verdict.trail, 1):
        click.echo(f"  {number}. {printable(step)}")
    verdict = answer.verdict
    would = f" (would {verdict.raw_action})" if verdict.action is not verdict.raw_action else ""
    print_heading("Result")
    print_fields(
        [
            ("Action", f"{verdict.action}{would}"),
            ("Severity", verdict.severity),
            (
                "Mode",
                f"{verdict.mode}, profile {answer.posture.profile}, rule pack {answer.posture.rule_pack}",
            ),
        ]
    )
    if not answer.posture.enabled:
        click.echo(SWITCHED_OFF)


def show_recorded(app: App, recorded: Recorded, *, as_json: bool) -> None:
    """Print a recorded evaluation with what the rules say about it."""
    rules = load_rules(posture(app.config(), recorded.connector).rule_pack)
    advice = {finding["rule_id"]: rules.find(finding["rule_id"]) for finding in recorded.findings}
    if as_json:
        findings = [
            {**finding, "why": rule.why if rule else "", "fix": rule.fix if rule else ""}
            for finding in recorded.findings
            for rule in (advice[finding["rule_id"]],)
        ]
        print_json({"row": recorded.row, "findings": findings, "trail": recorded.trail})
        return
    _show_row(recorded.row)
    for finding in recorded.findings:
        rule = advice[finding["rule_id"]]
        print_heading(f"{finding['rule_id']}: {finding['title']} ({finding['severity']})")
        print_fields(
            _set(
                [
                    ("because", finding.get("description", "")),
                    ("why", rule.why if rule else ""),
                    ("fix", rule.fix if rule else finding.get("remediation", "")),
                ]
            )
        )
    if recorded.trail:
        print_heading("Decision")
        for number, step in enumerate(recorded.trail, 1):
            click.echo(f"  {number}. {printable(step)}")


_ROW_IDS = ("evaluation_id", "session_id", "request_id", "trace_id", "tool_id")


def _show_row(row: Mapping[str, Any]) -> None:
    """Print what was decided about what, then the ids that join it to other records."""
    told = row.get("structured") or {}
    action, raw = str(told.get("action", row["action"])), str(told.get("raw_action", ""))
    would = f" (would {raw})" if raw not in ("", action) else ""
    what = (row.get("agent_name") or row.get("connector"), row["target"], row.get("tool_name"))
    # A verdict's row has the id of its evaluation, which is told below.
    own = "" if row["id"] == row.get("evaluation_id") else f" {row['id']}"
    fields = [
        ("What", " ".join(str(each) for each in what if each)),
        ("When", row["timestamp"]),
        ("Verdict", f"{action}{would}, {told.get('severity', row['severity'])}"),
        ("Mode", str(told.get("mode", "?"))),
        ("Recorded as", f"{row['action']}{own}"),
    ]
    print_fields([*fields, *((name, row[name]) for name in _ROW_IDS if row.get(name))])


def _show_facts(facts: Facts) -> None:
    print_heading("Understood")
    issues = f" ({', '.join(facts.issues)})" if facts.issues else ""
    print_fields([("Tool", f"{facts.tool} ({facts.tool_class})"), ("Parse", f"{facts.parse}{issues}")])
    if facts.commands:
        print_table(
            ("#", "Command", "Effect", "Does", "Traits"), [_command_row(each) for each in facts.commands]
        )
    if facts.paths:
        print_table(
            ("#", "Path", "Access", "Class"),
            [
                (each.command, _known(each.normalized), each.access, _words(each.classes))
                for each in facts.paths
            ],
        )
    if facts.network:
        print_table(
            ("#", "Address", "Action", "Scope", "Class"),
            [
                (each.command, _known(each.url or each.host), each.action, each.scope, _words(each.classes))
                for each in facts.network
            ],
        )
    if facts.flows:
        print_table(
            ("From", "To", "Data flow"),
            [
                (each.from_command, each.to_command, " → ".join((each.source, *each.transforms, each.sink)))
                for each in facts.flows
            ],
        )


def _command_row(command: Command) -> tuple[object, ...]:
    where = [*command.wrappers]
    where += ["privileged"] if command.privileged else []
    where += [f"in {command.where}"] if command.where != "host" else []
    where += [command.context] if command.context != "top" else []
    note = f"  [{', '.join(where)}]" if where else ""
    return (
        command.id,
        _known(command.text) + note,
        command.effect,
        _words(command.operations),
        _words(command.traits),
    )


def _show_findings(rules: RuleSet, findings: Iterable[Finding]) -> None:
    print_heading("Findings")
    found = list(findings)
    if not found:
        click.echo("  none")
    for finding in found:
        advice = _finding(rules, finding)
        click.echo(f"  {finding.rule_id}  {finding.severity}  {printable(finding.title)}")
        for name in ("because", "why", "fix"):
            if advice[name]:
                click.echo(f"    {name + ':':<9}{printable(advice[name])}")


def _finding(rules: RuleSet, finding: Finding) -> dict[str, Any]:
    rule = rules.find(finding.rule_id)
    return {
        "rule_id": finding.rule_id,
        "title": finding.title,
        "category": finding.category,
        "severity": str(finding.severity),
        "confidence": finding.confidence,
        "tags": list(finding.tags),
        "because": finding.because,
        "why": rule.why if rule else "",
        "fix": rule.fix if rule else "",
    }


def _words(words: Iterable[str]) -> str:
    return " ".join(sorted(words))


def _known(text: str) -> str:
    return text.replace(UNKNOWN, UNKNOWN_SHOWN)


def _set(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [pair for pair in pairs if pair[1]]
