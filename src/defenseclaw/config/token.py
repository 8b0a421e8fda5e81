"""The gateway token and the ``.env`` file that holds it.

Resolution order: seed ``gateway-api`` "Auth". File rules: ``spec/cli-and-config.md`` §4. No value of a token
appears in an error. What agents get instead of it is :mod:`defenseclaw.connectors.runtime`'s.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from defenseclaw.config.files import locked, read_bounded, replace_file
from defenseclaw.config.schema import Config
from defenseclaw.errors import ConfigError

CANONICAL = "DEFENSECLAW_GATEWAY_TOKEN"
LEGACY = "OPENCLAW_GATEWAY_TOKEN"

_ENV_MAX_BYTES = 256 * 1024
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Token:
    """The gateway token and where it came from."""

    value: str = field(repr=False)
    source: str
    """``NAME (environment)``, ``NAME (.env)`` or ``gateway.token``."""


def read_env(path: Path) -> dict[str, str]:
    """Return the ``KEY=value`` lines of a ``.env`` file; empty where there is none.

    Blank lines, ``#`` comments and lines that are not assignments are passed over, one pair of matching
    quotes around a value is dropped, nothing is expanded. The last of two equal keys wins.

    Raises:
        ConfigError: not a regular file, too large, or not UTF-8.
    """
    values: dict[str, str] = {}
    for line in _env_lines(path):
        assignment = _assignment(line)
        if assignment is not None:
            values[assignment[0]] = assignment[1]
    return values


def set_env(path: Path, name: str, value: str) -> bool:
    """Set one variable in a ``.env`` file, 0600, every other line kept; return whether it was set before.

    Raises:
        ConfigError: ``name`` is not a variable name, ``value`` cannot stand on one line, or the file
            cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f"`{name[:64]}` is not a variable name", hint="letters, digits and _")
    if not value.isprintable():
        raise ConfigError(f"the value of {name} holds line breaks or control characters")
    with locked(path):
        lines = _env_lines(path)
        kept = [line for line in lines if (_assignment(line) or ("",))[0] != name]
        kept.append(f"{name}={_quoted(value)}")
        replace_file(path, ("\n".join(kept) + "\n").encode())
    return len(kept) <= len(lines)


def resolve_token(config: Config, env_file: Path, env: Mapping[str, str]) -> Token | None:
    """Return the gateway token from the first of the seed's four places that has one.

    A name is looked up in the process environment first, then in ``.env``; an empty value counts as none.

    Raises:
        ConfigError: ``.env`` cannot be read.
    """
    dotenv = read_env(env_file)
    for name in dict.fromkeys((config.gateway.token_env, CANONICAL, LEGACY)):
        if name and env.get(name):
            return Token(env[name], f"{name} (environment)")
        if name and dotenv.get(name):
            return Token(dotenv[name], f"{name} (.env)")
    return Token(config.gateway.token, "gateway.token") if config.gateway.token else None


def ensure_token(config: Config, env_file: Path, env: Mapping[str, str]) -> Token:
    """Return the gateway token; mint one into ``.env`` where none resolves.

    Raises:
        ConfigError: ``.env`` cannot be read or written.
    """
    found = resolve_token(config, env_file, env)
    if found is None:
        set_env(env_file, CANONICAL, secrets.token_hex(32))
        found = resolve_token(config, env_file, env)
    if found is None:
        raise ConfigError("no gateway token can be stored", hint=f"defenseclaw keys set {CANONICAL}")
    return found


def _env_lines(path: Path) -> list[str]:
    content = read_bounded(path, _ENV_MAX_BYTES)
    try:
        return (content or b"").decode().splitlines()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 (byte {error.start})") from error


def _assignment(line: str) -> tuple[str, str] | None:
    name, equals, value = line.partition("=")
    name, value = name.strip(), value.strip()
    if not equals or not _NAME.fullmatch(name):
        return None
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    return name, value


def _quoted(value: str) -> str:
    """Return ``value`` so that :func:`_assignment` gives it back unchanged."""
    looks_quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "'\""
    return f'"{value}"' if value != value.strip() or looks_quoted else value
