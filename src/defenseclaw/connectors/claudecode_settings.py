"""Claude Code's ``settings.json``: our hook entries among everybody else's, which stay where they are.

An entry is ours when its command is literally one we write. Source: ``spec/connectors.md`` §4.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from defenseclaw.connectors import disk
from defenseclaw.connectors.jsonedit import Document, Node, read_object
from defenseclaw.errors import ForeignContent, SetupError


def read_settings(content: bytes | None) -> Document:
    """Read settings; an absent or empty file is an empty object.

    Raises:
        ForeignContent: not a JSON object, or its `hooks` have another shape than Claude Code's.
    """
    document = read_object(content)
    _hooks(document)
    return document


def is_on(document: Document, key: str) -> bool:
    """Whether a top-level switch is literally true."""
    node = document.find(key)
    return node is not None and node.value is True


def is_on_in_file(path: Path, key: str) -> bool:
    """Whether a switch is on in another settings file; one that cannot be read switches nothing."""
    try:
        content = disk.look(path).content
        return content is not None and is_on(Document(content), key)
    except SetupError:
        return False


def missing_events(document: Document, wanted: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the events of ``wanted`` whose group is not there exactly as we write it."""
    return [event for event, group in wanted.items() if group not in _groups(document, event)]


def set_hooks(document: Document, wanted: Mapping[str, Mapping[str, Any]], owned: frozenset[str]) -> None:
    """Make our entries those of ``wanted`` and no others; everybody else's stay where they are."""
    for event in list(_hooks(document)):
        groups = _hooks(document)[event].value
        mine = [group for group in groups if _has_owned(group, owned)]
        if mine != [wanted.get(event)]:
            _remove_owned(document, event, owned)
    for event, group in wanted.items():
        if not any(_has_owned(each, owned) for each in _groups(document, event)):
            _add_group(document, event, group)


def unset_hooks(document: Document, owned: frozenset[str]) -> None:
    """Remove our entries, and `hooks` itself when that empties it; without any of ours change nothing."""
    if any(_has_owned(group, owned) for event in _hooks(document) for group in _groups(document, event)):
        set_hooks(document, {}, owned)
        if not document.root.value["hooks"]:
            document.remove_member(document.root, "hooks")


def _hooks(document: Document) -> dict[str, Node]:
    """Return event → its array of matcher groups.

    Raises:
        ForeignContent: `hooks`, an event or a group has another shape than Claude Code's.
    """
    hooks = document.find("hooks")
    if hooks is None:
        return {}
    if not isinstance(hooks.value, dict):
        raise ForeignContent("`hooks` in the settings is not an object")
    events = {}
    for name in hooks.value:
        node = hooks.get(name)
        if node is None or not isinstance(node.value, list):
            raise ForeignContent(f"`hooks.{name}` in the settings is not a list")
        events[name] = node
    return events


def _add_group(document: Document, event: str, group: Mapping[str, Any]) -> None:
    hooks = document.find("hooks")
    if hooks is None:
        document.add_member(document.root, "hooks", {event: [group]})
    elif (groups := hooks.get(event)) is None:
        document.add_member(hooks, event, [group])
    else:
        document.add_item(groups, group)


def _remove_owned(document: Document, event: str, owned: frozenset[str]) -> None:
    """Remove our handlers; a group, an event, emptied by that goes too."""
    while (place := _find_owned(document, event, owned)) is not None:
        group, handler = place
        groups = _hooks(document)[event]
        handlers = groups.items[group].get("hooks")
        assert handlers is not None  # noqa: S101  found there
        if len(handlers.items) > 1:
            document.remove_item(handlers, handler)
        elif len(groups.items) > 1:
            document.remove_item(groups, group)
        else:
            hooks = document.find("hooks")
            assert hooks is not None  # noqa: S101  holds the event
            document.remove_member(hooks, event)
            return


def _find_owned(document: Document, event: str, owned: frozenset[str]) -> tuple[int, int] | None:
    for group_index, group in enumerate(_groups(document, event)):
        for handler_index, handler in enumerate(_handlers(group)):
            if _is_owned(handler, owned):
                return group_index, handler_index
    return None


def _groups(document: Document, event: str) -> list[Any]:
    node = _hooks(document).get(event)
    return node.value if node else []


def _handlers(group: object) -> list[Any]:
    found = group.get("hooks") if isinstance(group, dict) else None
    return found if isinstance(found, list) else []


def _has_owned(group: object, owned: frozenset[str]) -> bool:
    return any(_is_owned(handler, owned) for handler in _handlers(group))


def _is_owned(handler: object, owned: frozenset[str]) -> bool:
    return (
        isinstance(handler, dict) and isinstance(handler.get("command"), str) and handler["command"] in owned
    )
