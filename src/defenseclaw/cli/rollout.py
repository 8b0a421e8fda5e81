"""Setup and removal of several agents in one go: one that refuses does not keep us out of the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from defenseclaw.cli import installing
from defenseclaw.cli.context import App
from defenseclaw.cli.installing import Installed, Wishes
from defenseclaw.cli.output import confirm
from defenseclaw.config.schema import Config
from defenseclaw.connectors.base import Connector, by_any_name, registry
from defenseclaw.errors import DefenseClawError


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one agent."""

    connector: Connector
    done: Installed | None = None
    error: DefenseClawError | None = None
    """Why it is not governed as asked; its files are as they were."""
    left_off: bool = False
    """The operator switched this one off; nobody but ``setup <agent>`` switches it on again."""

    @property
    def status(self) -> str:
        """``planned``, ``installed``, ``unchanged``, ``refused`` or ``switched off``."""
        if self.left_off:
            return "switched off"
        return self.done.status if self.done and not self.error else "refused"

    @property
    def reason(self) -> str:
        """Why it was refused or left out, with what helps; empty otherwise."""
        if self.left_off:
            return f"switched off in the configuration; `defenseclaw setup {self.connector.command_name}`"
        if self.error is None:
            return ""
        return f"{self.error.message} ({self.error.hint})" if self.error.hint else self.error.message


def detected(app: App, config: Config) -> list[Connector]:
    """Return the connectors whose agent is on this machine, by name."""
    host = app.host(config)
    return [connector for connector in registry().values() if connector.detect(host).found]


def install_all(
    app: App,
    connectors: Sequence[Connector] | None,
    wishes: Wishes,
    *,
    yes: bool,
    quiet: bool,
    dry_run: bool,
) -> list[Outcome]:
    """Plan every agent, show all plans, ask once, then install one after the other.

    Args:
        app: Where we are.
        connectors: Which; None: those whose agent is found here.
        wishes: What the operator chose for all of them; what is None stays as each of them has it.
        yes: Do not ask.
        quiet: Print nothing on stdout.
        dry_run: Stop after the plans.

    Raises:
        ConfigError: the configuration is invalid.
        DefenseClawError: not confirmed; nothing was changed.
    """
    config = installing.prepare(app)
    chosen = detected(app, config) if connectors is None else connectors
    proposed = [_proposed(app, config, each, wishes, named=connectors is not None) for each in chosen]
    plans = [each.done for each in proposed if each.done]
    if not quiet:
        for plan in plans:
            installing.show(plan)
    if dry_run:
        return proposed
    waiting = [plan.connector.title for plan in plans if plan.has_changes]
    if waiting:
        confirm(f"Install into {_listed(waiting)}?", yes=yes)
    return [_carried_out(app, each) for each in proposed]


def _proposed(app: App, config: Config, connector: Connector, wishes: Wishes, *, named: bool) -> Outcome:
    if not named and _is_switched_off(config, connector):
        return Outcome(connector=connector, left_off=True)
    try:
        return Outcome(connector=connector, done=installing.propose(app, connector, wishes, config))
    except DefenseClawError as error:
        return Outcome(connector=connector, error=error)


def _carried_out(app: App, proposed: Outcome) -> Outcome:
    if proposed.done is None:
        return proposed
    try:
        return replace(proposed, done=installing.carry_out(app, proposed.done))
    except DefenseClawError as error:
        return replace(proposed, error=error)


def _is_switched_off(config: Config, connector: Connector) -> bool:
    """Whether this very agent is off; the master switch is what a setup switches on again."""
    entries = config.guardrail.connectors.items()
    return any(not entry.enabled for name, entry in entries if by_any_name(name) is connector)


def _listed(titles: Iterable[str]) -> str:
    *most, last = titles
    return f"{', '.join(most)} and {last}" if most else last
