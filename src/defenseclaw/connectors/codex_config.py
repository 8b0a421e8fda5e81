"""Codex's ``config.toml``: our hook groups among everybody else's, and the trust state that lets them run.

Codex runs a hook only when ``[hooks.state]`` holds the hash of exactly that hook under the place where it
stands (file, event, number of the group, number of the handler); without it the hook is skipped silently.
Hence whoever removes a group must give the groups behind it new keys. An entry is ours when its command is
literally one we write. Source: ``spec/connectors.md`` §8.2, measured on 0.169.0.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from defenseclaw.connectors.tomledit import Document, quoted
from defenseclaw.errors import ForeignContent

_PLACE = re.compile(r"(?P<event>[a-z_]+):(?P<group>\d{1,6}):(?P<handler>\d{1,6})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """One hook as we write it: a group with a single command handler."""

    event: str
    matcher: str
    """Empty: none."""
    command: str
    timeout_s: int

    def as_group(self) -> dict[str, Any]:
        """Return the group as Codex reads it."""
        handler = {"type": "command", "command": self.command, "timeout": self.timeout_s}
        return ({"matcher": self.matcher} if self.matcher else {}) | {"hooks": [handler]}

    def as_toml(self) -> str:
        """Return the group as text."""
        lines = [f"[[hooks.{self.event}]]"]
        if self.matcher:
            lines.append(f"matcher = {quoted(self.matcher)}")
        command = quoted(self.command)
        lines.append(f'hooks = [{{ type = "command", command = {command}, timeout = {self.timeout_s} }}]')
        return "\n".join(lines) + "\n"

    def trusted_hash(self) -> str:
        """Return what Codex compares before it runs the hook."""
        identity: dict[str, Any] = {
            "event_name": _snake(self.event),
            "hooks": [
                {"async": False, "command": self.command, "timeout": self.timeout_s, "type": "command"}
            ],
        }
        if self.matcher:
            identity["matcher"] = self.matcher
        text = json.dumps(identity, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def install(document: Document, path: Path, hooks: Sequence[Hook], owns: Callable[[object], bool]) -> None:
    """Make our groups those of ``hooks`` and no others, each trusted.

    Raises:
        ForeignContent: the hooks there have another shape than Codex's, or leave no room for ours.
    """
    wanted = {hook.event: hook for hook in hooks}
    _remove(document, path, owns, wanted)
    absent = [hook for hook in hooks if hook.as_group() not in _groups(document, hook.event)]
    _append(document, [hook.as_toml() for hook in absent])
    states = {}
    for hook in hooks:
        number = _groups(document, hook.event).index(hook.as_group())
        for key in _state_keys(path, hook.event, number, 0):
            if not _trusts(document, key, hook):
                document.cut_table(("hooks", "state", key))
                states[key] = hook.trusted_hash()
    _append(
        document, [f"[hooks.state.{quoted(key)}]\ntrusted_hash = {quoted(states[key])}\n" for key in states]
    )


def uninstall(document: Document, path: Path, owns: Callable[[object], bool]) -> None:
    """Remove our groups and their trust state; what stands behind them keeps its own.

    Raises:
        ForeignContent: somebody wrote one of ours anew in a way that cannot be taken out.
    """
    _remove(document, path, owns, {})
    for event, groups in _hooks(document).items():
        if any(owns(each.get("command")) for group in groups for each in _handlers(group)):
            raise ForeignContent(
                f"our entry in `hooks.{event}` cannot be taken out", hint="delete it by hand"
            )


def missing(document: Document, path: Path, hooks: Sequence[Hook]) -> list[str]:
    """Return the events whose group or trust is not there exactly as we write it."""
    found = []
    for hook in hooks:
        groups = _groups(document, hook.event)
        if hook.as_group() not in groups:
            found.append(hook.event)
            continue
        number = groups.index(hook.as_group())
        if not all(_trusts(document, key, hook) for key in _state_keys(path, hook.event, number, 0)):
            found.append(hook.event)
    return found


def is_off(config: Mapping[str, Any]) -> str:
    """Return the switch in a configuration that keeps hooks from running, empty when there is none."""
    features = config.get("features")
    for key in ("hooks", "codex_hooks"):
        if isinstance(features, Mapping) and features.get(key) is False:
            return f"features.{key}"
    return ""


def _append(document: Document, blocks: Sequence[str]) -> None:
    if not blocks:
        return
    try:
        document.append("\n".join(blocks))
    except ForeignContent as error:
        raise ForeignContent(
            "`hooks` is written inline, which leaves no room for ours",
            hint="write your hooks as [[hooks.<Event>]] tables and run again",
        ) from error


def _remove(
    document: Document, path: Path, owns: Callable[[object], bool], wanted: Mapping[str, Hook]
) -> None:
    for event in list(_hooks(document)):
        kept = False
        for number in reversed(range(len(_groups(document, event)))):
            group = _groups(document, event)[number]
            ours = [place for place, each in enumerate(_handlers(group)) if owns(each.get("command"))]
            if ours and event in wanted and group == wanted[event].as_group() and not kept:
                kept = True
            elif ours and len(ours) == len(_handlers(group)):
                _drop_group(document, path, event, number, len(ours))
            else:
                for place in reversed(ours):
                    _drop_handler(document, path, event, number, place)


def _drop_group(document: Document, path: Path, event: str, number: int, handlers: int) -> None:
    for place in range(handlers):
        for key in _state_keys(path, event, number, place):
            document.cut_table(("hooks", "state", key))
    document.cut_element(("hooks", event), number)
    _move(document, path, event, lambda group, place: (group - (group > number), place))


def _drop_handler(document: Document, path: Path, event: str, number: int, gone: int) -> None:
    for key in _state_keys(path, event, number, gone):
        document.cut_table(("hooks", "state", key))
    document.cut_member(("hooks", event), number, "hooks", gone)
    _move(
        document,
        path,
        event,
        lambda group, place: (group, place - (group == number and place > gone)),
    )


def _move(document: Document, path: Path, event: str, to: Callable[[int, int], tuple[int, int]]) -> None:
    """Give the trust of what moved up its new place; the lowest first, so that no two ever meet."""
    places = []
    for name in _config_names(path):
        for key in _state(document):
            match = _PLACE.fullmatch(key.removeprefix(f"{name}:"))
            if key.startswith(f"{name}:") and match and match["event"] == _snake(event):
                places.append((int(match["group"]), int(match["handler"]), name, key))
    for group, handler, name, key in sorted(places):
        now = to(group, handler)
        if now != (group, handler):
            document.rename(("hooks", "state", key), f"{name}:{_snake(event)}:{now[0]}:{now[1]}")


def _trusts(document: Document, key: str, hook: Hook) -> bool:
    state = _state(document).get(key)
    return (
        isinstance(state, Mapping)
        and state.get("trusted_hash") == hook.trusted_hash()
        and state.get("enabled") is not False
    )


def _state_keys(path: Path, event: str, group: int, handler: int) -> list[str]:
    return [f"{name}:{_snake(event)}:{group}:{handler}" for name in _config_names(path)]


def _config_names(path: Path) -> list[str]:
    """Codex names the file as it found it, with links resolved when ``CODEX_HOME`` named it."""
    return list(dict.fromkeys((str(path), str(path.resolve()))))


def _hooks(document: Document) -> dict[str, list[dict[str, Any]]]:
    """Return event → its groups.

    Raises:
        ForeignContent: another shape than Codex's.
    """
    hooks = document.value.get("hooks", {})
    if not isinstance(hooks, dict):
        raise ForeignContent("`hooks` is not a table")
    events = {event: groups for event, groups in hooks.items() if event != "state"}
    for event, groups in events.items():
        if not isinstance(groups, list) or not all(isinstance(each, dict) for each in groups):
            raise ForeignContent(f"`hooks.{event}` is not a list of tables")
        for group in groups:
            _handlers(group)
    return events


def _groups(document: Document, event: str) -> list[dict[str, Any]]:
    return _hooks(document).get(event, [])


def _handlers(group: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = group.get("hooks", [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ForeignContent("`hooks` of a hook group is not a list of tables")
    return found


def _state(document: Document) -> dict[str, Any]:
    state = document.value.get("hooks", {}).get("state", {})
    if not isinstance(state, dict):
        raise ForeignContent("`hooks.state` is not a table")
    return state


def _snake(event: str) -> str:
    return "_".join(_words(event)).lower()


def _words(event: str) -> Iterator[str]:
    yield from re.findall(r"[A-Z][a-z]*", event)
