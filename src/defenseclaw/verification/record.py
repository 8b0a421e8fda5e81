"""Keeps what was proven, and says whether it still holds.

``<data>/verified/<connector>.json``, 0600. A result holds for the version of the agent, for our version, for
mode and fail mode, and for the files a setup wrote, whose digests are keyed: some of them hold a token.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from defenseclaw import __version__
from defenseclaw.audit.identity import read_identity
from defenseclaw.config.files import read_bounded, replace_file
from defenseclaw.config.paths import DIRECTORY_MODE
from defenseclaw.connectors import disk
from defenseclaw.errors import ConfigError, DefenseClawError
from defenseclaw.verification.verdicts import Finding, Outcome

MAX_BYTES = 256 * 1024
_SCHEMA = "defenseclaw.verified.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What one verification came to."""

    connector: str
    title: str
    outcome: Outcome
    agent_version: str
    at: str
    """UTC, RFC 3339."""
    mode: str
    fail_mode: str
    findings: tuple[Finding, ...] = ()
    causes: tuple[str, ...] = ()
    """What may be the reason where something was not enforced."""
    refused_hosts: tuple[str, ...] = ()
    """Where the agent wanted to go meanwhile, in vain."""
    project: str = ""
    """The folder it was run in, empty for a scratch one."""
    version: str = __version__
    files: Mapping[str, str] = field(default_factory=dict)
    """File a setup wrote → keyed digest of what it held."""

    def as_json(self) -> dict[str, Any]:
        """For ``--json`` and the file."""
        content = {key: value for key, value in asdict(self).items() if key != "files"}
        return content | {"schema": _SCHEMA}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of an agent now."""

    proof: Proof | None
    changed: str = ""
    """What changed since, as the end of "not verified since …"; empty while the proof holds."""

    def words(self, now: datetime) -> str:
        """For a table."""
        if self.proof is None:
            return "not verified"
        if self.changed:
            return f"not verified since {self.changed}"
        agent = f", agent {self.proof.agent_version}" if self.proof.agent_version else ""
        return f"verified {_ago(self.proof.at, now)}{agent}: {self.proof.outcome}"

    def as_json(self) -> dict[str, Any] | None:
        """For ``--json``: the outcome with when it was proven and whether it still holds."""
        if self.proof is None:
            return None
        return {
            "outcome": str(self.proof.outcome),
            "at": self.proof.at,
            "agent_version": self.proof.agent_version,
            "holds": not self.changed,
            "changed": self.changed,
        }


def place(data_dir: Path, connector: str) -> Path:
    """Return where the result of a connector is kept."""
    return data_dir / "verified" / f"{connector}.json"


def keep(data_dir: Path, proof: Proof) -> None:
    """Write a result, in place of the one before.

    Raises:
        ConfigError: it cannot be written.
    """
    path = place(data_dir, proof.connector)
    try:
        path.parent.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{path.parent} cannot be made: {error.strerror}") from error
    content = proof.as_json() | {"files": dict(proof.files)}
    replace_file(path, json.dumps(content, indent=2).encode() + b"\n")


def load(data_dir: Path, connector: str) -> Proof | None:
    """Return the result that is kept, None where there is none that can be read."""
    import msgspec

    try:
        content = read_bounded(place(data_dir, connector), MAX_BYTES)
        if content is None:
            return None
        proof = msgspec.json.decode(content, type=Proof)
        datetime.fromisoformat(proof.at).astimezone(UTC)
    except (ConfigError, ValueError, OverflowError, RecursionError):  # msgspec's are ValueErrors
        return None
    return proof


def digests(data_dir: Path, paths: Iterable[Path]) -> dict[str, str]:
    """Return the keyed digest of each file as it is now; ``missing`` where there is none.

    Raises:
        DefenseClawError: there is no installation key, or a file cannot be read.
    """
    identity = read_identity(data_dir)
    if identity is None:
        raise ConfigError("no installation key", hint="start the gateway: defenseclaw-gateway start")
    key = hmac.digest(identity.derive("redaction"), b"verified files", hashlib.sha256)
    found = {}
    for path in paths:
        content = disk.look(path).content
        found[str(path)] = (
            disk.MISSING if content is None else hmac.new(key, content, hashlib.sha256).hexdigest()
        )
    return found


def standing(data_dir: Path, connector: str, agent_version: str, mode: str, fail_mode: str) -> Standing:
    """Return what is known of an agent as it is now; reads files, starts nothing, never raises."""
    proof = load(data_dir, connector)
    if proof is None:
        return Standing(proof=None)
    return Standing(proof=proof, changed=_changed(data_dir, proof, agent_version, mode, fail_mode))


def _changed(data_dir: Path, proof: Proof, agent_version: str, mode: str, fail_mode: str) -> str:
    if proof.agent_version != agent_version:
        now = f" (was {proof.agent_version or 'unknown'}, is {agent_version or 'unknown'})"
        return f"the agent changed{now}"
    if proof.version != __version__:
        return f"DefenseClaw changed (was {proof.version}, is {__version__})"
    if (proof.mode, proof.fail_mode) != (mode, fail_mode):
        return f"the mode changed (was {proof.mode}, fail {proof.fail_mode})"
    try:
        now_held = digests(data_dir, map(Path, proof.files))
    except DefenseClawError:
        return "files of the setup cannot be read"
    differing = [path for path, digest in proof.files.items() if now_held[path] != digest]
    return f"{differing[0]} changed" if differing else ""


def _ago(at: str, now: datetime) -> str:
    seconds = int((now - datetime.fromisoformat(at).astimezone(UTC)).total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return "just now"
