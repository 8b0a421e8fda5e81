"""JSON hook files with a flat list of command entries per event: ours among everybody else's.

An entry is ours when its command is literally one we write. Source: ``spec/connectors.md`` §4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from defenseclaw.connectors.jsonedit import Document, Node, read_object
from defenseclaw.errors import ForeignContent

Owns = Callable[[object], bool]


def read(content: bytes | None, kind: type[Document] = Document) -> Document:
    """Read a hook file; an absent or empty file is an empty object.

    Args:
        content: The file, None where there is none.
        kind: How it is read; another one for agents that take comments.

    Raises:
        ForeignContent: not a JSON object, or its `hooks` are not lists of objects by event.
    """
    document = read_object(content, kind)
    _events(document)
    return document


def entries(document: Document, event: str) -> list[dict[str, Any]]:
    """Return the entries of an event, ours and others', in order; an event without any has none."""
    node = _events(document).get(event)
    return list(node.value) if node else []


def install(
    document: Document, wanted: Mapping[str, Mapping[str, Any]], key: str, owns: Owns, version: int | None
) -> None:
    """Make our entries those of ``wanted`` and no others; everybody else's stay where they are.

    Args:
        document: What to edit.
        wanted: Event → our entry.
        key: Field of an entry that holds its command.
        owns: Whether a command is ours.
        version: Written as ``version`` where the file names none; None for agents that have none.
    """
    if version is not None and document.root.get("version") is None:
        document.add_member(document.root, "version", version)
    for event in list(_events(document)):
        ours = [each for each in entries(document, event) if owns(each.get(key))]
        if ours != [wanted.get(event)]:
            _remove(document, event, key, owns)
    for event, entry in wanted.items():
        if not any(owns(each.get(key)) for each in entries(document, event)):
            _add(document, event, entry)


def uninstall(document: Document, key: str, owns: Owns) -> bool:
    """Remove our entries, and what that empties; return whether only a ``version`` is left."""
    held = any(owns(each.get(key)) for event in _events(document) for each in entries(document, event))
    for event in list(_events(document)):
        _remove(document, event, key, owns)
    if held and not document.root.value["hooks"]:
        document.remove_member(document.root, "hooks")
    return not set(document.root.value) - {"version"}


def _events(document: Document) -> dict[str, Node]:
    hooks = document.find("hooks")
    if hooks is None:
        return {}
    if not isinstance(hooks.value, dict):
        raise ForeignContent("`hooks` is not an object")
    events = {}
    for name in hooks.value:
        node = hooks.get(name)
        if node is None or not isinstance(node.value, list) or not _are_objects(node.value):
            raise ForeignContent(f"`hooks.{name}` is not a list of objects")
        events[name] = node
    return events


def _are_objects(values: list[Any]) -> bool:
    return all(isinstance(each, dict) for each in values)


def _add(document: Document, event: str, entry: Mapping[str, Any]) -> None:
    hooks = document.find("hooks")
    if hooks is None:
        document.add_member(document.root, "hooks", {event: [entry]})
    elif (node := hooks.get(event)) is None:
        document.add_member(hooks, event, [entry])
    else:
        document.add_item(node, entry)


def _remove(document: Document, event: str, key: str, owns: Owns) -> None:
    while True:
        found = entries(document, event)
        place = next((index for index, each in enumerate(found) if owns(each.get(key))), None)
        if place is None:
            return
        if len(found) > 1:
            document.remove_item(_events(document)[event], place)
            continue
        hooks = document.find("hooks")
        assert hooks is not None  # noqa: S101  holds the event
        document.remove_member(hooks, event)
