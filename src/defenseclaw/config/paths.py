"""Where our own files live. Source: ``spec/cli-and-config.md`` §1 and §4."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from defenseclaw.errors import ConfigError

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600


@dataclass(frozen=True, slots=True)
class DataDir:
    """The data directory and the names of the files in it. Nothing is created before :meth:`create`."""

    root: Path
    config: Path
    """``config.yaml``, wherever the operator keeps it."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> DataDir:
        """Return the directory that ``DEFENSECLAW_HOME`` and ``DEFENSECLAW_CONFIG`` choose, absolute.

        Raises:
            ConfigError: neither ``DEFENSECLAW_HOME`` nor ``HOME`` names a place.
        """
        named = env.get("DEFENSECLAW_HOME", "")
        home = env.get("HOME", "")
        if not named and not home:
            raise ConfigError("no home directory", hint="set HOME or DEFENSECLAW_HOME")
        root = _absolute(named, home) if named else Path(home, ".defenseclaw").absolute()
        config = env.get("DEFENSECLAW_CONFIG", "")
        return cls(root, _absolute(config, home) if config else root / "config.yaml")

    @property
    def env_file(self) -> Path:
        """``KEY=value`` lines: the gateway token and other credentials."""
        return self.root / ".env"

    @property
    def audit_db(self) -> Path:
        """The audit store."""
        return self.root / "audit.db"

    @property
    def journal(self) -> Path:
        """Structured log, one JSON object a line."""
        return self.root / "gateway.jsonl"

    @property
    def log_file(self) -> Path:
        """Output of the gateway when it runs in the background."""
        return self.root / "gateway.log"

    @property
    def pid_file(self) -> Path:
        """Process id of the running gateway."""
        return self.root / "gateway.pid"

    @property
    def hooks(self) -> Path:
        """Generated hook scripts, bridges and scoped tokens."""
        return self.root / "hooks"

    @property
    def backups(self) -> Path:
        """Pristine copies of agents' files, by connector."""
        return self.root / "connector_backups"

    @property
    def hook_failures(self) -> Path:
        """What hooks and bridges could not get decided, one JSON object a line."""
        return self.root / "logs" / "hook-failures.jsonl"

    @property
    def doctor_cache(self) -> Path:
        """Last result of ``doctor``."""
        return self.root / "doctor_cache.json"

    def create(self) -> None:
        """Create what is missing, 0700, and close an existing root to other users.

        Raises:
            ConfigError: the root is not a directory, or belongs to somebody else.
        """
        try:
            self.root.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            found = self.root.stat()
            if found.st_uid != os.geteuid():
                raise ConfigError(
                    f"data directory {self.root} belongs to another user",
                    hint="set DEFENSECLAW_HOME to a directory of your own",
                )
            if stat.S_IMODE(found.st_mode) != DIRECTORY_MODE:
                self.root.chmod(DIRECTORY_MODE)
            self.hooks.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
            self.config.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"data directory {self.root} cannot be used: {error.strerror}",
                hint="set DEFENSECLAW_HOME to a directory of your own",
            ) from error


def _absolute(path: str, home: str) -> Path:
    if home and (path == "~" or path.startswith("~/")):
        path = home + path[1:]
    return Path(path).absolute()
