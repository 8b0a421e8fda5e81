"""Antigravity's ``hooks.json``: named hooks, ours among everybody else's.

Every top-level key names a hook, which holds handlers by event: in groups with a matcher for tool events, as
a plain list for all others (a group there is taken for a handler without a command and never runs).
Antigravity reads strict JSON and drops the whole file for one value of the wrong type, without a word to the
user; a file that it would drop is refused here. A handler is ours when its command is literally one we write.

Source: ``spec/connectors.md`` §8.8, and what others measured on 1.1.25 and 1.2.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from defenseclaw.connectors.jsonedit import Document, Node, read_object
from defenseclaw.errors import ForeignContent

GROUPED = frozenset({"pretooluse", "posttooluse"})
"""Events whose handlers stand in groups with a matcher; names compare without case."""
PLAIN = frozenset({"preinvocation", "postinvocation", "stop", "sessionstart"})
MAX_TIMEOUT = 2**31

Owns = Callable[[object], bool]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a handler stands."""

    hook: str
    event: str
    index: int
    """Of the handler, or of its group."""
    inner: int | None = None
    """Of the handler in its group."""


def read(content: bytes | None) -> Document:
    """Read a hooks file; an absent or empty file is an empty object.

    Raises:
        ForeignContent: Antigravity would drop the file.
    """
    document = read_object(content)
    for name in document.root.value:
        hook = document.root.get(name)
        if hook is None or not isinstance(hook.value, dict):
            raise ForeignContent(f"{_quoted(name)} is not an object; Antigravity drops the whole file")
        _check_hook(name, hook.value)
    return document


def install(document: Document, wanted: Mapping[str, Mapping[str, Any]], owns: Owns) -> None:
    """Make our named hooks those of ``wanted`` and no others.

    Raises:
        ForeignContent: a hook of that name holds something that is not ours.
    """
    held = document.root.value
    for place in reversed(list(_owned(document, owns))):
        if held[place.hook] != wanted.get(place.hook):
            _remove(document, place)
    for name, hook in wanted.items():
        if name not in document.root.value:
            document.add_member(document.root, name, hook)
        elif document.root.value[name] != hook:
            raise ForeignContent(f"the hook {_quoted(name)} holds something that is not ours")


def uninstall(document: Document, owns: Owns) -> None:
    """Remove our handlers, and what that empties."""
    for place in reversed(list(_owned(document, owns))):
        _remove(document, place)


def holds_ours(document: Document, owns: Owns) -> bool:
    """Whether any handler is ours."""
    return any(True for _ in _owned(document, owns))


def _owned(document: Document, owns: Owns) -> Iterator[_Place]:
    for name, hook in document.root.value.items():
        for event, entries in hook.items():
            if event.lower() in PLAIN:
                for index, handler in enumerate(entries):
                    if owns(handler.get("command")):
                        yield _Place(name, event, index)
            elif event.lower() in GROUPED:
                for index, group in enumerate(entries):
                    for inner, handler in enumerate(group.get("hooks", ())):
                        if owns(handler.get("command")):
                            yield _Place(name, event, index, inner)


def _remove(document: Document, place: _Place) -> None:
    """Take out one handler; a group, an event, a hook emptied by that goes too. The last places first."""
    hook = _found(document, place.hook)
    entries = _found(document, place.hook, place.event)
    if place.inner is not None:
        handlers = _found(document, place.hook, place.event, place.index, "hooks")
        if len(handlers.items) > 1:
            document.remove_item(handlers, place.inner)
            return
    if len(entries.items) > 1:
        document.remove_item(entries, place.index)
    elif set(hook.value) - {place.event, "enabled"}:
        document.remove_member(hook, place.event)
    else:
        document.remove_member(document.root, place.hook)


def _found(document: Document, *path: str | int) -> Node:
    node = document.find(*path)
    assert node is not None  # noqa: S101  was there when it was looked for
    return node


def _check_hook(name: str, hook: Mapping[str, Any]) -> None:
    if not isinstance(hook.get("enabled", True), bool):
        raise _dropped(name, "`enabled` is neither true nor false")
    for event, entries in hook.items():
        if event.lower() not in GROUPED | PLAIN:
            continue
        if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
            raise _dropped(name, f"`{event}` is not a list of objects")
        if event.lower() in PLAIN:
            handlers = entries
        else:
            handlers = [handler for group in entries for handler in _handlers(name, group)]
        for handler in handlers:
            _check_handler(name, handler)


def _handlers(name: str, group: Mapping[str, Any]) -> list[Any]:
    found = group.get("hooks", [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise _dropped(name, "`hooks` of a group is not a list of objects")
    if not isinstance(group.get("matcher", ""), str):
        raise _dropped(name, "a `matcher` is not text")
    return found


def _check_handler(name: str, handler: Mapping[str, Any]) -> None:
    kind, timeout = handler.get("type", "command"), handler.get("timeout", 0)
    if kind not in ("command", "prompt"):
        raise _dropped(name, "a handler's `type` is neither command nor prompt")
    if isinstance(timeout, bool) or not isinstance(timeout, int) or not -MAX_TIMEOUT <= timeout < MAX_TIMEOUT:
        raise _dropped(name, "a `timeout` is not a whole number")


def _dropped(name: str, problem: str) -> ForeignContent:
    return ForeignContent(f"in the hook {_quoted(name)} {problem}; Antigravity drops the whole file")


def _quoted(name: str) -> str:
    shown = "".join(each if each.isprintable() else "?" for each in name[:64])
    return f"`{shown}`"
