"""OpenHands' ``hooks.json``: our groups in front of everybody else's, which stay as they are.

The events are the file's top-level keys, in snake_case or PascalCase; or they all lie below one key
``hooks``, beside which OpenHands reads nothing. It does not start with an event it does not know or one
that is there in two spellings, so such a file is refused. Ours stand in front because a hook before them
that adds context to a prompt takes the effect of our refusal away (measured on 1.16.0).

An entry is ours when its command is literally one we write. Source: ``spec/connectors.md`` §4, §8.7.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from defenseclaw.connectors.jsonedit import Document, Node, read_object
from defenseclaw.errors import ForeignContent

WRAPPER = "hooks"
KEYS = frozenset(
    {"pre_tool_use", "post_tool_use", "user_prompt_submit", "stop", "session_start", "session_end"}
)
"""Events OpenHands knows."""

Group = Mapping[str, Any]
"""``{"matcher": …, "hooks": [handler, …]}``."""


def read(content: bytes | None) -> Document:
    """Read a hooks file; an absent or empty file is an empty object.

    Raises:
        ForeignContent: OpenHands would not start with it, or its events are not lists of groups.
    """
    document = read_object(content)
    _events(document)
    return document


def is_used(document: Document) -> bool:
    """Whether any event has a group of anybody's."""
    return any(node.value for node in _events(document).values())


def missing(document: Document, wanted: Mapping[str, Sequence[Group]]) -> list[Group]:
    """Return the groups of ``wanted`` (event → ours) that do not stand in front as we write them."""
    events = _events(document)
    found = []
    for key, groups in wanted.items():
        there = events[key].value if key in events else []
        found += [group for place, group in enumerate(groups) if there[place : place + 1] != [group]]
    return found


def install(document: Document, wanted: Mapping[str, Sequence[Group]], owned: frozenset[str]) -> None:
    """Make our groups those of ``wanted``, in front, and no others; everybody else's stay as they are."""
    for key, node in _events(document).items():
        ours = [group for group in node.value if _has_owned(group, owned)]
        if ours != list(wanted.get(key, ())) or missing(document, {key: ours}):
            _remove_owned(document, key, owned)
    for key, groups in wanted.items():
        if key not in _events(document):
            document.add_member(_container(document), key, list(groups))
        elif missing(document, {key: groups}):
            for group in reversed(groups):
                document.put_item_first(_events(document)[key], group)


def uninstall(document: Document, owned: frozenset[str]) -> None:
    """Remove our entries, and what that empties; without any of ours change nothing."""
    held = [
        key
        for key, node in _events(document).items()
        if any(_has_owned(group, owned) for group in node.value)
    ]
    for key in held:
        _remove_owned(document, key, owned)
    if held and WRAPPER in document.root.value and not document.root.value[WRAPPER]:
        document.remove_member(document.root, WRAPPER)


def _container(document: Document) -> Node:
    return document.find(WRAPPER) or document.root


def _events(document: Document) -> dict[str, Node]:
    """Return snake_case event → its array of groups.

    Raises:
        ForeignContent: see :func:`read`.
    """
    container = _container(document)
    if not isinstance(container.value, dict):
        raise ForeignContent(f"`{WRAPPER}` is not an object")
    events: dict[str, Node] = {}
    for name in container.value:
        key = _snake(name)
        if key not in KEYS or key in events:
            twice = "is there in two spellings" if key in events else "is no event it knows"
            raise ForeignContent(f"OpenHands does not start with this file: `{name}` {twice}")
        node = container.get(name)
        if node is None or not isinstance(node.value, list) or not all(map(_is_group, node.value)):
            raise ForeignContent(f"`{name}` is not a list of groups of hooks")
        events[key] = node
    return events


def _spelled(document: Document, key: str) -> str:
    return next(name for name, _, _ in _container(document).members if _snake(name) == key)


def _snake(name: str) -> str:
    """``PreToolUse`` → ``pre_tool_use``, as OpenHands reads keys."""
    return name[:1].lower() + "".join(f"_{each.lower()}" if "A" <= each <= "Z" else each for each in name[1:])


def _is_group(group: object) -> bool:
    if not isinstance(group, dict):
        return False
    handlers = group.get("hooks", [])
    return isinstance(handlers, list) and all(isinstance(each, dict) for each in handlers)


def _has_owned(group: Group, owned: frozenset[str]) -> bool:
    return any(_is_owned(handler, owned) for handler in group.get("hooks", []))


def _is_owned(handler: Mapping[str, Any], owned: frozenset[str]) -> bool:
    return isinstance(handler.get("command"), str) and handler["command"] in owned


def _remove_owned(document: Document, key: str, owned: frozenset[str]) -> None:
    """Remove our handlers; a group, an event, emptied by that goes too."""
    while (place := _find_owned(_events(document)[key].value, owned)) is not None:
        groups = _events(document)[key]
        group, handler = place
        handlers = groups.items[group].get("hooks")
        assert handlers is not None  # noqa: S101  found there
        if len(handlers.items) > 1:
            document.remove_item(handlers, handler)
        elif len(groups.items) > 1:
            document.remove_item(groups, group)
        else:
            document.remove_member(_container(document), _spelled(document, key))
            return


def _find_owned(groups: Sequence[Group], owned: frozenset[str]) -> tuple[int, int] | None:
    for group_index, group in enumerate(groups):
        for handler_index, handler in enumerate(group.get("hooks", [])):
            if _is_owned(handler, owned):
                return group_index, handler_index
    return None
