"""Changes single keys of a YAML text and leaves every other character where its owner put it.

The one place that knows how ruamel.yaml keeps comments: what follows a section (blank lines, comments) hangs
on the section's last leaf, and so has to move along when another leaf becomes the last one.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import CommentMark, YAMLError
from ruamel.yaml.tokens import CommentToken
from ruamel.yaml.util import load_yaml_guess_indent

from defenseclaw.config.document import UNSET
from defenseclaw.errors import ConfigError

_ENTRIES = "connectors"
"""Section whose entries mean something even when they are empty: they stay."""
_NEVER_FOLD = 1 << 16
_AFTER_VALUE = 2
"""Where a mapping keeps the comment that follows the value of a key; sequences keep theirs at 0."""


def edited(text: str, values: Mapping[str, object]) -> str | None:
    """Return ``text`` with the dotted ``values`` set or removed; None when that changes nothing.

    Args:
        text: One YAML mapping, or nothing but comments; lines end with a line feed.
        values: By dotted path. Missing sections are created, sections left empty are removed.

    Raises:
        ConfigError: not editable in place, or a value stands where a section is needed.
    """
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = _NEVER_FOLD
    try:
        _, indent, offset = load_yaml_guess_indent(text)
        tree = yaml.load(text)
    except YAMLError as error:
        raise ConfigError("the configuration cannot be edited in place", hint="edit it by hand") from error
    if indent is not None:
        yaml.indent(mapping=indent, sequence=indent, offset=offset or 0)
    kept = ""
    if tree is None:  # nothing but comments: they stay above the first key
        tree, kept = CommentedMap(), text
    changed = [_change(tree, dotted.split("."), value) for dotted, value in values.items()]
    if not any(changed):
        return None
    out = io.StringIO(kept)
    out.seek(0, io.SEEK_END)
    yaml.dump(tree, out)
    return out.getvalue()


def _change(root: CommentedMap, names: list[str], value: object) -> bool:
    section = root.get(names[0])
    around = section if isinstance(section, CommentedMap) and len(names) > 1 else root
    tail = _take_tail(around)
    try:
        return _remove(root, names) if value is UNSET else _assign(root, names, value)
    finally:
        _give_tail(around or root, tail)


def _assign(tree: CommentedMap, names: list[str], value: object) -> bool:
    *sections, leaf = names
    for name in sections:
        if tree.get(name) is None:
            tree[name] = CommentedMap()
        tree = _section(tree, name)
    if leaf in tree and type(tree[leaf]) is type(value) and tree[leaf] == value:
        return False
    tree[leaf] = value
    return True


def _remove(tree: CommentedMap, names: list[str], inside: str = "") -> bool:
    name, *rest = names
    if name not in tree:
        return False
    if not rest:
        del tree[name]
        return True
    inner = _section(tree, name)
    removed = _remove(inner, rest, inside=name)
    if removed and not inner and inside != _ENTRIES:
        del tree[name]
    return removed


def _section(tree: CommentedMap, name: str) -> CommentedMap:
    section = tree[name]
    if not isinstance(section, CommentedMap):
        raise ConfigError(f"`{name}` is a value, not a section", hint="edit the file by hand")
    return section


def _last(node: CommentedMap | CommentedSeq) -> tuple[CommentedMap | CommentedSeq, Any, int] | None:
    """Return the container of the last leaf in ``node``, the leaf's key, and where its comment is kept."""
    if not node:
        return None
    is_map = isinstance(node, CommentedMap)
    key: Any = list(node)[-1] if is_map else len(node) - 1
    value = node[key]
    if isinstance(value, CommentedMap | CommentedSeq) and value and not value.fa.flow_style():
        return _last(value)
    return node, key, _AFTER_VALUE if is_map else 0


def _take_tail(node: CommentedMap) -> str:
    """Cut off and return the lines that follow the last leaf; its end-of-line comment stays."""
    place = _last(node)
    slots = place[0].ca.items.get(place[1]) if place else None
    token = slots[place[2]] if place and slots and len(slots) > place[2] else None
    if token is None:
        return ""
    line, newline, tail = str(token.value).partition("\n")
    token.value = line + newline
    return tail


def _give_tail(node: CommentedMap, tail: str) -> None:
    place = _last(node)
    if not tail or place is None:
        return
    container, key, slot = place
    slots = container.ca.items.setdefault(key, [None] * 4)
    if slots[slot] is None:
        slots[slot] = CommentToken("\n", CommentMark(0), None)
    slots[slot].value += tail
