"""From ``config.yaml`` to a typed, validated :class:`Config`, and the holder that keeps the last good one.

A configuration is taken whole or not at all. Source: ``spec/cli-and-config.md`` §5 and §9, as ruled in
``DECISIONS.md``.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from defenseclaw.config import document
from defenseclaw.config.files import read_bounded
from defenseclaw.config.schema import Config, ConnectorGuardrail
from defenseclaw.errors import ConfigError, DefenseClawError
from defenseclaw.vocabulary import Approvals, FailMode, Mode, Posture, Profile, Severity

Validator = Callable[[Config], None]
"""Raises a :class:`DefenseClawError` for a configuration that is well formed but cannot be used."""

RESTART_ONLY = frozenset(
    {"gateway.api_bind", "gateway.api_port", "gateway.max_pending", "audit.durability", "audit.jsonl"}
)
"""Keys a running gateway cannot take up: its listener and its store are built from them."""

_POSTURES_CACHED = 64
_FREE_KEY = "[...]"
_AT = re.compile(r" - at `(key` in `)?\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>\d+)\]|(?P<free>\[\.\.\.\])")


def load(path: Path) -> Config:
    """Return the configuration in ``path``; the defaults where there is no file.

    Raises:
        ConfigError: the file is unreadable, is not one YAML mapping, or holds a value of the wrong type;
            the message names file, line and dotted key.
    """
    content = read_bounded(path, document.MAX_BYTES)
    return Config() if content is None else loads(content, origin=str(path))


def loads(content: bytes, *, origin: str = "config.yaml") -> Config:
    """Return the configuration in ``content``; errors as in :func:`load`."""
    parsed = document.parse(content, origin)
    try:
        return msgspec.convert(parsed.data, Config)
    except msgspec.ValidationError as error:
        raise _explained(error, parsed, origin) from error


def content_hash(config: Config) -> str:
    """Return the SHA-256 of the canonical JSON of ``config``, 64 hex digits.

    A plaintext token does not go in: nothing may be derived from a secret without a key.
    """
    builtins = msgspec.to_builtins(config)
    gateway = builtins.get("gateway", {})
    if gateway.get("token"):
        gateway["token"] = True
    return hashlib.sha256(msgspec.json.encode(builtins, order="deterministic")).hexdigest()


def changed_keys(old: Config, new: Config) -> tuple[str, ...]:
    """Return the dotted paths whose values differ, sorted."""
    before, after = _flat(old), _flat(new)
    return tuple(sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key)))


def posture(config: Config, connector: str) -> Posture:
    """Return what the operator chose for ``connector``; what its entry leaves out is inherited.

    The fail mode is ``open`` in observe and ``closed`` in action unless it was chosen. Unknown and empty
    names get the posture of ``guardrail`` itself. Source: ``DECISIONS.md`` "Agents and setup".
    """
    shared = config.guardrail
    own = _entry(config, connector) or ConnectorGuardrail()
    mode = Mode(own.mode or shared.mode)
    fail_mode = own.hook_fail_mode or shared.hook_fail_mode
    pack = own.rule_pack_dir or shared.rule_pack_dir
    hilt = own.hilt or shared.hilt
    return Posture(
        mode=mode,
        profile=profile_of(pack),
        fail_mode=FailMode(fail_mode) if fail_mode else default_fail_mode(mode),
        approvals=Approvals(enabled=hilt.enabled, min_severity=Severity(hilt.min_severity)),
        block_message=own.block_message or shared.block_message,
        enabled=shared.enabled and own.enabled,
        rule_pack=pack,
    )


def default_fail_mode(mode: Mode) -> FailMode:
    """Return the fail mode of an operator who chose none."""
    return FailMode.CLOSED if mode is Mode.ACTION else FailMode.OPEN


def profile_of(rule_pack: str) -> Profile:
    """Return the profile a pack's directory is named after; any other name means the default one."""
    name = os.path.basename(rule_pack.rstrip("/")).lower()
    return Profile(name) if name in frozenset(Profile) else Profile.DEFAULT


def configured_connectors(config: Config) -> tuple[str, ...]:
    """Return every connector the file names, enabled or not, the primary one first."""
    named = [config.guardrail.connector.lower(), *(name.lower() for name in config.guardrail.connectors)]
    unique: dict[str, str] = {}
    for name in named:
        if name and name != "none":
            unique.setdefault(_fold(name), name)
    return tuple(unique.values())


def active_connectors(config: Config) -> tuple[str, ...]:
    """Return the connectors that are governed: configured, enabled, and the master switch is on."""
    return tuple(name for name in configured_connectors(config) if posture(config, name).enabled)


class ConfigHolder:
    """The running configuration: replaced whole by a valid file, untouched by an invalid one.

    Args:
        path: ``config.yaml``.
        validate: Called with every candidate before it is taken up, for what only others can judge
            (whether the rule packs it names load).

    Raises:
        DefenseClawError: the file is invalid already; there is no last good one to keep.
    """

    def __init__(self, path: Path, validate: Validator | None = None) -> None:
        self.path = path
        self._validate = validate
        self._current = self._read()
        self._says_something = self._size() > 0
        self._running = self._current
        self._postures: dict[str, Posture] = {}
        self.generation = 1
        self.last_error = ""
        self.changed: tuple[str, ...] = ()
        """Dotted keys the last successful reload changed."""
        self.restart_required: tuple[str, ...] = ()
        """Dotted keys whose new value waits for a restart."""

    @property
    def current(self) -> Config:
        """The last good configuration."""
        return self._current

    @property
    def content_hash(self) -> str:
        """Hash of the current configuration, see :func:`content_hash`."""
        return content_hash(self._current)

    def reload(self) -> bool:
        """Read the file again; return whether the running configuration changed.

        An invalid file changes nothing but ``last_error``; so does one that is gone, or empty as one is that
        could not be written to its end, since the defaults would quietly end enforcement. With
        ``gateway.config_reload.mode: restart`` a valid one only fills ``restart_required``.
        """
        try:
            before = self._size()
            candidate = self._read()
            size = min(before, self._size())
            if size <= 0 and self._says_something:
                problem = "gone" if size < 0 else "empty"
                raise ConfigError(f"the configuration file is {problem}", hint="restore it")
            self._says_something = size > 0
        except DefenseClawError as error:
            self.last_error = error.message
            return False
        self.last_error = ""
        waiting = changed_keys(self._running, candidate)
        if candidate.gateway.config_reload.mode == "restart":
            self.restart_required = waiting
            return False
        self.restart_required = tuple(key for key in waiting if key in RESTART_ONLY)
        changed = changed_keys(self._current, candidate)
        if not changed:
            return False
        self._current, self.changed = candidate, changed
        self._postures = {}
        self.generation += 1
        return True

    def posture(self, connector: str) -> Posture:
        """Return the posture of ``connector``, see :func:`posture`."""
        postures = self._postures
        known = postures.get(connector)
        if known is None:
            if len(postures) >= _POSTURES_CACHED:  # a caller may name any connector
                postures.clear()
            known = postures[connector] = posture(self._current, connector)
        return known

    def active_connectors(self) -> tuple[str, ...]:
        """Return the names of governed connectors, see :func:`active_connectors`."""
        return active_connectors(self._current)

    def is_active(self, connector: str) -> bool:
        """Return whether ``connector`` is governed; case, ``-`` and ``_`` do not matter."""
        return _fold(connector) in {_fold(name) for name in self.active_connectors()}

    def _size(self) -> int:
        """Return the bytes of the file, -1 when there is none."""
        try:
            return self.path.stat().st_size
        except OSError:
            return -1

    def _read(self) -> Config:
        candidate = load(self.path)
        if self._validate is not None:
            self._validate(candidate)
        return candidate


def _entry(config: Config, connector: str) -> ConnectorGuardrail | None:
    entries = config.guardrail.connectors
    if connector in entries:
        return entries[connector]
    wanted = _fold(connector)
    return next((entry for name, entry in entries.items() if _fold(name) == wanted), None)


def _fold(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def _flat(config: Config) -> dict[str, Any]:
    """Return leaves by dotted path; a connector's presence counts, whatever its entry holds."""
    out: dict[str, Any] = {}
    stack: list[tuple[str, Any]] = [("", msgspec.to_builtins(config))]
    while stack:
        at, value = stack.pop()
        if isinstance(value, dict) and (value or not at.startswith("guardrail.connectors.")):
            stack.extend((f"{at}.{name}" if at else name, item) for name, item in value.items())
        else:
            out[at] = value
    return out


def _explained(error: msgspec.ValidationError, parsed: document.Document, origin: str) -> ConfigError:
    """Return the error with the dotted key and the line of the offending value."""
    text = str(error)
    match = _AT.search(text)
    problem = text[: match.start()] if match else text
    if problem.startswith("Invalid enum value"):
        # The value stays out: a secret in the wrong place must not get into a log or to ``/health``.
        problem = "not one of the values it takes"
    keys = _keys(match["path"] if match else "", parsed.data)
    line = parsed.line_of(keys)
    where = f"{origin}:{line}" if line else origin
    dotted = ".".join(str(key) for key in keys)
    return ConfigError(
        f"{where}: {dotted or 'top level'}: {problem[:1].lower()}{problem[1:]}", hint=_hint(problem, dotted)
    )


def _hint(problem: str, dotted: str) -> str:
    from defenseclaw.config.keys import find

    try:
        return f"{dotted} takes {find(dotted).type}"
    except ConfigError:
        return "put the value in quotes" if problem.startswith("Expected `str`") else ""


def _keys(path: str, data: dict[str, Any]) -> tuple[str | int, ...]:
    """Return the path as keys; a ``[...]`` is a mapping's free key, found by trying each alone."""
    keys: list[str | int] = []
    for step in _STEP.finditer(path):
        if step["free"]:
            keys.append(_offender(data, keys))
        else:
            keys.append(step["name"] or int(step["index"]))
    return tuple(keys)


def _offender(data: dict[str, Any], keys: list[str | int]) -> str:
    mapping: Any = data
    for key in keys:
        mapping = mapping[key]
    for name, value in mapping.items():
        probe: Any = {name: value}
        for key in reversed(keys):
            probe = {key: probe}
        try:
            msgspec.convert(probe, Config)
        except msgspec.ValidationError:
            return str(name)
    return _FREE_KEY
