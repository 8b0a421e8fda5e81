"""Puts a connector into an agent and takes it out again: the one way for setup, quickstart and uninstall.

detect → plan → show → confirm → back up, apply, verify → write the configuration. A failure at any step
leaves agent and configuration as they were. Source: ``DECISIONS.md`` "Agents and setup".
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click

from defenseclaw import daemon
from defenseclaw.cli.context import App
from defenseclaw.cli.output import confirm, print_table, print_warning
from defenseclaw.cli.validation import load_rules, validate_candidate
from defenseclaw.config import edit
from defenseclaw.config.load import configured_connectors, default_fail_mode, posture
from defenseclaw.config.schema import Config
from defenseclaw.config.token import ensure_token
from defenseclaw.connectors import disk, files, otlp, runtime
from defenseclaw.connectors.base import (
    Change,
    Connector,
    Host,
    Plan,
    SetupOptions,
    built_in,
    by_any_name,
    registry,
)
from defenseclaw.errors import DefenseClawError, SetupError
from defenseclaw.vocabulary import FailMode, Mode

LOCKS = (".setup.lock", "config.yaml.lock", ".env.lock")
KEPT = {
    "audit.db": "audit store",
    "config.yaml": "configuration",
    ".env": "gateway token and other credentials",
    "device.key": "key that proves the audit store genuine",
    "gateway.jsonl": "journal",
    "gateway.log": "log of the gateway",
    "logs": "failures of hooks",
    "doctor_cache": "last result of doctor",
    "hooks": "still called by an agent, or not ours",
    "connector_backups": "originals of files that could not be restored",
}
"""Beginning of a name in the data directory → what stays when DefenseClaw leaves the agents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the operator asked for; None means: as it is, or as it is inherited."""

    mode: str | None = None
    fail_mode: str | None = None
    block_message: str | None = None
    rule_pack: str | None = None
    human_approval: bool | None = None
    min_severity: str | None = None
    workspace: Path | None = None
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """The outcome of one setup."""

    connector: Connector
    plan: Plan
    steps: tuple[tuple[str, Change], ...]
    """Every planned change with what it means: ``create``, ``update``, ``delete`` or ``keep``."""
    wishes: Wishes
    mode: Mode
    fail_mode: FailMode
    applied: bool
    """False for a proposal and a dry run."""

    @property
    def status(self) -> str:
        """``planned``, ``installed`` or ``unchanged``."""
        if not self.applied:
            return "planned"
        return "installed" if self.has_changes else "unchanged"

    @property
    def has_changes(self) -> bool:
        """Whether a file is not yet as it was planned."""
        return any(verb != "keep" for verb, _ in self.steps)


def prepare(app: App) -> Config:
    """Create what is missing of data directory, configuration and token; return the configuration.

    Raises:
        ConfigError: the configuration is invalid, or a file cannot be written.
    """
    app.data.create()
    edit.ensure_default(app.data.config)
    config = app.config()
    ensure_token(config, app.data.env_file, app.env)
    return config


def connector_named(name: str) -> Connector:
    """Return the connector an operator means.

    Raises:
        SetupError: there is none of that name; the hint lists them.
    """
    connector = by_any_name(name)
    if connector is None:
        known = ", ".join(each.command_name for each in registry().values())
        raise SetupError(f"no connector is called {name}", hint=f"there are: {known}")
    return connector


def install(
    app: App, connector: Connector, wishes: Wishes, *, yes: bool, quiet: bool, dry_run: bool
) -> Installed:
    """Install ``connector``; ask first unless ``yes``.

    Args:
        app: Where we are.
        connector: What to install.
        wishes: What the operator chose.
        yes: Do not ask.
        quiet: Print nothing on stdout.
        dry_run: Stop after the plan.

    Raises:
        AgentNotFound: the agent is not here and ``force`` was not given.
        SetupError: refused or failed; nothing is left half done.
        ConfigError: the configuration is or would become invalid.
    """
    proposal = propose(app, connector, wishes, prepare(app))
    if not quiet:
        show(proposal)
    if dry_run:
        return proposal
    if proposal.has_changes:
        confirm(f"Install into {connector.title}?", yes=yes)
    return carry_out(app, proposal)


def propose(app: App, connector: Connector, wishes: Wishes, config: Config) -> Installed:
    """Plan a setup of ``connector``, say what there is to warn of, and change nothing.

    Raises:
        As :func:`install`.
    """
    if wishes.rule_pack:
        load_rules(wishes.rule_pack)
    if config.telemetry.native_otlp:
        otlp.refuse_unreceived()
    options = _options(config, connector, wishes)
    plan = connector.plan_setup(app.host(config), options)
    for warning in plan.warnings:
        print_warning(f"{connector.title}: {warning}" if connector.title not in warning else warning)
    if options.fail_mode is FailMode.CLOSED and not connector.supports_fail_closed:
        print_warning(f"{connector.title} cannot be stopped when the gateway is down; closed has gaps there")
    return Installed(
        connector=connector,
        plan=plan,
        steps=tuple((_verb(change), change) for change in plan.changes),
        wishes=wishes,
        mode=options.mode,
        fail_mode=options.fail_mode,
        applied=False,
    )


def carry_out(app: App, proposal: Installed) -> Installed:
    """Do what was proposed, and put it on record.

    Raises:
        As :func:`install`.
    """
    config = app.config()
    host = app.host(config)
    was = _state(host, config, proposal.connector)
    _apply(app, host, proposal.connector, proposal.plan, _edits(config, proposal.connector, proposal.wishes))
    _put_on_record(app, host, proposal.connector, was, proposal.steps)
    return replace(proposal, applied=True)


def refresh_runtime(app: App) -> list[str]:
    """Tell installed hooks and bridges the present fail mode and address; return what could not be told.

    A running gateway does it itself, with the address on which it really listens.
    """
    if daemon.PidFile(app.data.pid_file).running() is not None:
        return []
    config = app.config()
    host = app.host(config)
    problems = []
    for connector in registry().values():
        try:
            runtime.write_runtime(host, connector, posture(config, connector.name).fail_mode)
        except SetupError as error:
            problems.append(f"{connector.title}: {error.message}")
    return problems


def remove(host: Host, connector: Connector) -> Plan:
    """Take ``connector`` out of its agent; return what was done.

    Raises:
        SetupError: a file could not be cleaned; everything is as it was.
    """
    return files.restore(host, connector)


@dataclass(slots=True)
class Removal:
    """What came of taking several connectors out."""

    done: dict[str, Plan] = field(default_factory=dict)
    """Connector name → what was done."""
    failed: dict[str, DefenseClawError] = field(default_factory=dict)
    """Connector name → why it is still in its agent."""

    def restored(self, name: str) -> list[str]:
        """Return the files that were put back, cleaned or deleted."""
        return [str(change.path) for change in self.done[name].changes]

    def complain(self) -> None:
        """Return when all went well.

        Raises:
            SetupError: something is still in place; the message names every agent.
        """
        if self.failed:
            said = "; ".join(f"{name}: {error.message}" for name, error in self.failed.items())
            hints = [error.hint for error in self.failed.values() if error.hint]
            raise SetupError(f"not removed: {said}", hint="; ".join(dict.fromkeys(hints)))


def remove_all(host: Host, connectors: Iterable[Connector]) -> Removal:
    """Take all of ``connectors`` out; one that cannot be removed does not keep us in the others."""
    removal = Removal()
    for connector in connectors:
        try:
            removal.done[connector.name] = remove(host, connector)
        except DefenseClawError as error:
            removal.failed[connector.name] = error
    return removal


def forget(app: App, connectors: Iterable[Connector]) -> None:
    """Take connectors out of the configuration.

    Raises:
        ConfigError: the configuration is invalid as it stands.
    """
    config = app.config()
    gone = {connector.name for connector in connectors}
    edits: dict[str, object] = {}
    left = []
    for name in configured_connectors(config):
        known = by_any_name(name)
        if known is not None and known.name in gone:
            edits[f"guardrail.connectors.{_written_name(config, known)}"] = edit.UNSET
        else:
            left.append(name)
    if config.guardrail.connector and config.guardrail.connector not in left:
        edits["guardrail.connector"] = left[0] if left else edit.UNSET
    if edits:
        edit.set_values(app.data.config, edits)


def to_remove(app: App, config: Config) -> list[Connector]:
    """Return every connector that is configured or has left something on this machine."""
    host = app.host(config)
    named = {known.name for name in configured_connectors(config) if (known := by_any_name(name))}
    return [
        connector
        for connector in registry().values()
        if connector.name in named
        or (app.data.backups / connector.name).is_dir()
        or has_residue(host, connector)
    ]


def has_residue(host: Host, connector: Connector) -> bool:
    """Return whether a teardown would still find something of ours; unreadable files count.

    A connector of another distribution that cannot even plan counts by its backups alone.
    """
    try:
        plan = connector.plan_teardown(host)
        return any(_verb(change) != "keep" for change in plan.changes)
    except DefenseClawError:
        return connector.name in built_in()


def _options(config: Config, connector: Connector, wishes: Wishes) -> SetupOptions:
    present = posture(config, connector.name)
    mode = Mode(wishes.mode) if wishes.mode else present.mode
    own = config.guardrail.connectors.get(connector.name)
    chosen = wishes.fail_mode or (own and own.hook_fail_mode) or config.guardrail.hook_fail_mode
    return SetupOptions(
        mode=mode,
        fail_mode=FailMode(chosen) if chosen else default_fail_mode(mode),
        workspace=wishes.workspace,
        force=wishes.force,
        native_otlp=config.telemetry.native_otlp,
    )


def _edits(config: Config, connector: Connector, wishes: Wishes) -> dict[str, object]:
    """Return the keys to set."""
    at = f"guardrail.connectors.{_written_name(config, connector)}"
    own: dict[str, Any] = {
        "mode": wishes.mode,
        "hook_fail_mode": wishes.fail_mode,
        "block_message": wishes.block_message,
        "rule_pack_dir": wishes.rule_pack,
    }
    if wishes.human_approval is not None or wishes.min_severity is not None:
        inherited = posture(config, connector.name).approvals
        enabled = inherited.enabled if wishes.human_approval is None else wishes.human_approval
        own["hilt.enabled"] = enabled
        own["hilt.min_severity"] = wishes.min_severity or str(inherited.min_severity)
    edits: dict[str, object] = {f"{at}.enabled": True}
    edits.update({f"{at}.{name}": value for name, value in own.items() if value is not None})
    if not config.guardrail.enabled:
        edits["guardrail.enabled"] = True
    if not config.guardrail.connector:
        edits["guardrail.connector"] = connector.name
    return edits


def _written_name(config: Config, connector: Connector) -> str:
    """Return the key the file already uses for this connector, its name otherwise."""
    for name in config.guardrail.connectors:
        known = by_any_name(name)
        if known is not None and known.name == connector.name:
            return name
    return connector.name


def _apply(app: App, host: Host, connector: Connector, plan: Plan, edits: dict[str, object]) -> None:
    was_installed = bool(files.backups(host, connector.name))
    files.apply(host, connector, plan)
    try:
        edit.set_values(app.data.config, edits, validate=validate_candidate)
    except DefenseClawError:
        if not was_installed:
            files.restore(host, connector)
        raise


def _state(host: Host, config: Config, connector: Connector) -> dict[str, Any]:
    """Return what a setup changes about a connector, for the record."""
    chosen = posture(config, connector.name)
    named = {known.name for name in configured_connectors(config) if (known := by_any_name(name))}
    return {
        "installed": bool(files.backups(host, connector.name)),
        "enabled": chosen.enabled and connector.name in named,
        "mode": str(chosen.mode),
        "fail_mode": str(chosen.fail_mode),
        "rule_pack": chosen.rule_pack,
        "approvals": str(chosen.approvals.min_severity) if chosen.approvals.enabled else "off",
        "block_message": chosen.block_message,
    }


def _put_on_record(
    app: App, host: Host, connector: Connector, was: dict[str, Any], steps: Iterable[tuple[str, Change]]
) -> None:
    """Record a setup, unless it found everything in place."""
    from defenseclaw.cli.record import record

    changed = [str(change.path) for verb, change in steps if verb != "keep"]
    now = _state(host, app.config(), connector)
    if changed or now != was:
        record(
            app,
            "setup-hook-connector",
            target_type="connector",
            target=connector.name,
            connector=connector.name,
            before=was,
            after=now | {"files": changed},
        )


def _verb(change: Change) -> str:
    now = disk.look(change.path).content
    if now == change.content:
        return "keep"
    if change.content is None:
        return "delete"
    return "create" if now is None else "update"


def show(proposal: Installed) -> None:
    """Print what a setup would change."""
    rows = [(verb, str(change.path), change.why) for verb, change in proposal.steps if verb != "keep"]
    title = proposal.connector.title
    if rows:
        print_table(("", "File", "Why"), rows, title=f"Changes for {title}")
    else:
        click.echo(f"{title}: everything is in place already")


def tidy(app: App) -> None:
    """Delete what only helps commands take turns; nobody is left to take one."""
    for name in LOCKS:
        (app.data.root / name).unlink(missing_ok=True)
    lock = app.data.config.with_name(f"{app.data.config.name}.lock")
    lock.unlink(missing_ok=True)


def kept(app: App) -> list[tuple[Path, str]]:
    """Return what is left in the data directory and what it is, by name; folders once."""
    if not app.data.root.is_dir():
        return []
    return [(path, _meaning(path.name)) for path in sorted(app.data.root.iterdir())]


def _meaning(name: str) -> str:
    return next((meaning for beginning, meaning in KEPT.items() if name.startswith(beginning)), "not ours")


def delete_data(app: App) -> None:
    """Delete the data directory.

    Raises:
        SetupError: it does not look like ours, and so may hold what nobody wants deleted.
    """
    root = app.data.root
    home = Path(app.env.get("HOME") or Path.home())
    ours = any(place.exists() for place in (app.data.audit_db, app.data.hooks, app.data.env_file))
    if not ours or root.is_symlink() or home.resolve().is_relative_to(root.resolve()):
        raise SetupError(f"{root} does not look like a DefenseClaw data directory", hint="delete it by hand")
    shutil.rmtree(root)
