"""Which agents are on this machine, and what holds for each."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from defenseclaw.cli.context import App
from defenseclaw.config.load import configured_connectors, posture
from defenseclaw.config.schema import Config
from defenseclaw.connectors import files
from defenseclaw.connectors.base import Connector, Host, by_any_name, registry
from defenseclaw.errors import DefenseClawError


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """One connector as it stands here."""

    name: str
    title: str
    command: str
    """The word after ``defenseclaw setup``."""
    found: bool
    version: str
    config_path: str
    looked_for: tuple[str, ...]
    configured: bool
    """Named in ``config.yaml``."""
    installed: bool
    """Its hooks are in the agent, as far as our backup records say."""
    enabled: bool
    mode: str
    fail_mode: str
    problem: str = ""

    @property
    def found_words(self) -> str:
        """For a table."""
        return f"yes {self.version}".rstrip() if self.found else "no"

    @property
    def governed_words(self) -> str:
        """For a table."""
        if not self.configured:
            return "no"
        if not self.enabled:
            return "switched off"
        return f"{self.mode}, fail {self.fail_mode}" if self.installed else "configured, not installed"

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self)


def survey(app: App, config: Config | None = None) -> list[Agent]:
    """Return every connector of the registry, by name."""
    config = config if config is not None else app.config()
    host = app.host(config)
    configured = {known.name for name in configured_connectors(config) if (known := by_any_name(name))}
    return [_one(host, config, connector, connector.name in configured) for connector in registry().values()]


def _one(host: Host, config: Config, connector: Connector, configured: bool) -> Agent:
    detected = connector.detect(host)
    chosen = posture(config, connector.name)
    return Agent(
        name=connector.name,
        title=connector.title,
        command=connector.command_name,
        found=detected.found,
        version=detected.version,
        config_path=detected.config_path,
        looked_for=detected.looked_for,
        configured=configured,
        installed=_is_installed(host, connector),
        enabled=configured and chosen.enabled,
        mode=str(chosen.mode),
        fail_mode=str(chosen.fail_mode),
        problem=detected.problem,
    )


def _is_installed(host: Host, connector: Connector) -> bool:
    try:
        return bool(files.backups(host, connector.name))
    except DefenseClawError:
        return False
