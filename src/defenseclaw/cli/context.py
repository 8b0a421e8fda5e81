"""What every command needs: where things are, the configuration, the machine, the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from defenseclaw.cli.client import Gateway
    from defenseclaw.config.paths import DataDir
    from defenseclaw.config.schema import Config
    from defenseclaw.connectors.base import Host


@dataclass(frozen=True)
class App:
    """One run of the command line. Everything is looked up when first asked for."""

    env: Mapping[str, str]

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> App:
        """Return the run that the environment describes."""
        return cls(dict(env))

    @cached_property
    def data(self) -> DataDir:
        """The data directory; it need not exist."""
        from defenseclaw.config.paths import DataDir

        return DataDir.from_env(self.env)

    def config(self) -> Config:
        """Return the configuration as it is on disk now.

        Raises:
            ConfigError: it is invalid.
        """
        from defenseclaw.config.load import load

        return load(self.data.config)

    def address(self, config: Config) -> tuple[str, int]:
        """Return host and port under which this machine reaches the gateway."""
        host = config.gateway.api_bind
        reachable = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104
        return reachable, config.gateway.api_port

    def host(self, config: Config) -> Host:
        """Return the machine as connectors see it."""
        from defenseclaw.connectors.base import Host

        name, port = self.address(config)
        shown = f"[{name}]" if ":" in name else name
        return Host(
            home=Path(self.env.get("HOME") or Path.home()),
            data_dir=self.data.root,
            env=self.env,
            api_address=f"{shown}:{port}",
        )

    def gateway(self, config: Config) -> Gateway:
        """Return a client of the gateway; with the token, when one resolves."""
        from defenseclaw.cli.client import Gateway
        from defenseclaw.config.token import resolve_token

        token = resolve_token(config, self.data.env_file, self.env)
        return Gateway(self.address(config), token.value if token else "")


pass_app = click.make_pass_decorator(App)
"""Hands a command its :class:`App` as first argument."""
