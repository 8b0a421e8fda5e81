"""The first run: prepare, start, install where told to, and prove through the real HTTP door that it works.

Report: ``spec/cli-and-config.md`` §2.1, with ``self_test`` besides.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import click

from defenseclaw import daemon
from defenseclaw.cli import history, installing
from defenseclaw.cli.agents import Agent, survey
from defenseclaw.cli.client import Gateway
from defenseclaw.cli.context import App
from defenseclaw.cli.output import print_table
from defenseclaw.cli.record import record_config_change
from defenseclaw.config import edit
from defenseclaw.config.load import posture
from defenseclaw.config.schema import Config
from defenseclaw.errors import DefenseClawError

START = "defenseclaw-gateway start"
HARMLESS = "ls -la"
DANGEROUS = "rm -rf /"
_TOOL = "Bash"
_MEANING = {
    "observe": "Everything is recorded, nothing is blocked.",
    "action": "Dangerous calls are blocked.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One row of the report."""

    name: str
    status: str
    """``pass``, ``warn``, ``fail`` or ``skip``."""
    detail: str
    next_command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One call of the self-test with its verdict and the row that records it."""

    command: str
    action: str
    raw_action: str
    would_block: bool
    severity: str
    rules: tuple[str, ...]
    evaluation_id: str
    """Of its audit row, for ``defenseclaw explain``; empty when there is none."""

    @property
    def words(self) -> str:
        """For a table."""
        return self.action if self.action == self.raw_action else f"{self.action} (would {self.raw_action})"


@dataclass(slots=True, kw_only=True)
class Report:
    """What happened."""

    config_file: str
    data_dir: str
    connector: str = ""
    mode: str = "observe"
    steps: list[Step] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)
    agents: list[tuple[str, str, str]] = field(default_factory=list)
    next_commands: list[str] = field(default_factory=list)

    @property
    def status(self) -> str:
        """``ready``, ``partial`` (a warning) or ``needs_attention`` (a failure)."""
        found = {step.status for step in self.steps}
        if "fail" in found:
            return "needs_attention"
        return "partial" if "warn" in found else "ready"

    def as_json(self) -> dict[str, Any]:
        """Return the report in the shape of the spec."""
        rows = [asdict(step) for step in self.steps]
        testing = ("Self-test", "Agents")
        return {
            "status": self.status,
            "config_file": self.config_file,
            "data_dir": self.data_dir,
            "connector": self.connector,
            "profile": self.mode,
            "setup": [row for row in rows if row["name"] not in testing],
            "readiness": [row for row in rows if row["name"] in testing],
            "self_test": [asdict(probe) for probe in self.probes],
            "next_commands": self.next_commands,
        }


def run(
    app: App,
    *,
    mode: str | None,
    fail_mode: str | None,
    connector: str | None,
    skip_gateway: bool,
    force: bool,
) -> Report:
    """Do all steps; a failed one is a row of the report and ends those that need it."""
    report = Report(config_file=str(app.data.config), data_dir=str(app.data.root))
    if not _did(report, "Config", lambda: _prepare(app, mode, fail_mode)):
        return report
    if connector and connector != "none":
        wishes = installing.Wishes(mode=mode, fail_mode=fail_mode, force=force)
        _did(report, "Connector", lambda: _install(app, report, connector, wishes))
    config = app.config()
    report.mode = str(posture(config, report.connector).mode)
    if skip_gateway:
        detail = "not asked to start it"
        report.steps.append(Step(name="Sidecar", status="skip", detail=detail, next_command=START))
        report.next_commands.append(START)
    elif _did(report, "Sidecar", lambda: _start(app, config)):
        _did(report, "Self-test", lambda: _self_test(app, config, report))
    _did(report, "Agents", lambda: _agents(app, config, report))
    return report


def _did(report: Report, name: str, step: Callable[[], str]) -> bool:
    try:
        report.steps.append(Step(name=name, status="pass", detail=step()))
    except DefenseClawError as error:
        mends = error.hint if error.hint.startswith("defenseclaw") else ""
        detail = error.message if mends or not error.hint else f"{error.message} ({error.hint})"
        report.steps.append(Step(name=name, status="fail", detail=detail, next_command=mends))
        report.next_commands += [mends] if mends else []
        return False
    return True


def _prepare(app: App, mode: str | None, fail_mode: str | None) -> str:
    before = installing.prepare(app)
    chosen = {"guardrail.mode": mode, "guardrail.hook_fail_mode": fail_mode}
    edit.set_values(app.data.config, {key: value for key, value in chosen.items() if value is not None})
    installing.refresh_runtime(app)
    record_config_change(app, before)
    return str(app.data.config)


def _install(app: App, report: Report, name: str, wishes: installing.Wishes) -> str:
    connector = installing.connector_named(name)
    done = installing.install(app, connector, wishes, yes=True, quiet=True, dry_run=False)
    report.connector = connector.name
    said = f"{connector.title}: {done.status}, {done.mode}, fail {done.fail_mode}"
    return f"{said}. {done.plan.restart_hint}" if done.plan.restart_hint else said


def _start(app: App, config: Config) -> str:
    address = app.address(config)
    gateway = app.gateway(config)
    if daemon.is_answering(address):
        gateway.checked("GET", "/ready")
        return f"already running at {gateway.url}"
    try:
        pid = daemon.start(app.data.root, address=address)
    except RuntimeError as error:
        raise DefenseClawError(str(error), hint="defenseclaw doctor") from error
    return f"started at {gateway.url}, process {pid}"


def _self_test(app: App, config: Config, report: Report) -> str:
    if not config.guardrail.enabled:
        raise DefenseClawError(
            "inspection is switched off", hint="defenseclaw config set guardrail.enabled true"
        )
    gateway = app.gateway(config)
    harmless = _probe(app, gateway, HARMLESS)
    dangerous = _probe(app, gateway, DANGEROUS)
    report.probes = [harmless, dangerous]
    if harmless.raw_action != "allow":
        raise DefenseClawError(f"`{HARMLESS}` was not allowed", hint="defenseclaw explain 'ls -la'")
    if dangerous.raw_action != "block" or (report.mode == "action" and dangerous.action != "block"):
        raise DefenseClawError(f"`{DANGEROUS}` was not caught", hint="defenseclaw explain 'rm -rf /'")
    if not (harmless.evaluation_id and dangerous.evaluation_id):
        raise DefenseClawError("a verdict has no audit row", hint="defenseclaw audit verify")
    return "a harmless call was allowed, a dangerous one was caught, both are on record"


def _probe(app: App, gateway: Gateway, command: str) -> Probe:
    """Have one call judged. Nothing runs: the gateway only ever reads it."""
    request_id = str(uuid.uuid4())
    body = gateway.checked(
        "POST",
        "/api/v1/inspect/tool",
        {"tool": _TOOL, "args": {"command": command}},
        headers={"X-DefenseClaw-Request-Id": request_id},
    )
    return Probe(
        command=command,
        action=str(body.get("action", "")),
        raw_action=str(body.get("raw_action", "")),
        would_block=bool(body.get("would_block")),
        severity=str(body.get("severity", "")),
        rules=tuple(str(found).partition(":")[0] for found in body.get("findings") or ()),
        evaluation_id=history.evaluation_of_request(app.data.audit_db, request_id),
    )


def _agents(app: App, config: Config, report: Report) -> str:
    found = [agent for agent in survey(app, config) if agent.found or agent.configured]
    report.agents = [(agent.title, agent.found_words, agent.governed_words) for agent in found]
    report.next_commands += [
        f"defenseclaw setup {agent.command}{_wish(report)}" for agent in found if not agent.configured
    ]
    return _summary(found)


def _wish(report: Report) -> str:
    return " --mode action" if report.mode == "action" else ""


def _summary(found: list[Agent]) -> str:
    if not found:
        return "none found here; `defenseclaw setup` shows what is looked for"
    governed = [agent.title for agent in found if agent.enabled and agent.installed]
    names = ", ".join(agent.title for agent in found)
    return f"found: {names}; governed: {', '.join(governed) or 'none yet'}"


def print_report(report: Report) -> None:
    """Print the report for people."""
    print_table(("", "Step", "Detail"), [(step.status, step.name, step.detail) for step in report.steps])
    if report.probes:
        print_table(
            ("Self-test", "Verdict", "Severity", "Rules", "On record as"),
            [
                (probe.command, probe.words, probe.severity, ", ".join(probe.rules), probe.evaluation_id)
                for probe in report.probes
            ],
        )
    if report.agents:
        print_table(("Agent", "Found", "Governed"), report.agents)
    click.echo(f"Mode: {report.mode}. " + _MEANING[report.mode])
    for line in report.next_commands:
        click.echo(f"Next: {line}")
