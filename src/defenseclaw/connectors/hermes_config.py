"""The one entry of ours in Hermes' ``config.yaml``: ``plugins.enabled`` lists our plugin.

Hermes loads a plugin of its user only when that list names it, and never one that ``plugins.disabled`` names.
People edit this file and Hermes rewrites it, so everything else stays byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

from defenseclaw.connectors.yamledit import Plain, YamlDocument, edited
from defenseclaw.errors import ForeignContent

PLUGIN = "defenseclaw"
"""Name of the plugin, of its directory and of its entry."""
_STR = "tag:yaml.org,2002:str"
_NULL = "tag:yaml.org,2002:null"
_ITEM = (_STR, PLUGIN)
_BY_HAND = f"add by hand: under `plugins:` a list `enabled:` with `{PLUGIN}` in it"


def enabled(content: bytes) -> bytes:
    """Return the configuration with our plugin enabled; the same bytes when it is.

    Raises:
        ForeignContent: ``plugins`` or ``plugins.enabled`` have another shape than Hermes', or the layout
            allows no safe edit.
    """
    return _edited(content, _enable, _with_entry)


def without(content: bytes) -> bytes:
    """Return the configuration without our entry and what that empties; the same bytes when there is none."""
    return _edited(content, _remove, _without_entry)


def is_enabled(content: bytes) -> bool:
    """Whether the configuration enables our plugin.

    Raises:
        ForeignContent: it has another shape than Hermes'.
    """
    return PLUGIN in _listed(YamlDocument(content), "enabled")


def is_disabled(content: bytes) -> bool:
    """Whether ``plugins.disabled`` names our plugin; that wins over every other setting."""
    return PLUGIN in _listed(YamlDocument(content), "disabled")


def replaces_enabled(content: bytes) -> bool:
    """Whether the configuration has a ``plugins.enabled`` of its own."""
    return YamlDocument(content).get("plugins", "enabled") is not None


def is_empty(content: bytes) -> bool:
    """Whether nothing is set in the configuration."""
    root = YamlDocument(content).root
    return (root is None or not root.value) and not content.strip().removeprefix(b"{}")


def _edited(content: bytes, change: Callable[[YamlDocument], None], want: Callable[[Plain], Plain]) -> bytes:
    try:
        return edited(content, change, want)
    except ForeignContent as error:
        raise ForeignContent(error.message, hint=error.hint or _BY_HAND) from error


def _enable(document: YamlDocument) -> None:
    plugins = document.get("plugins")
    names = document.get("plugins", "enabled")
    flow = f"[{PLUGIN}]"
    if plugins is None:
        lines = ("enabled:", f"  - {PLUGIN}")
        document.add_member(document.root, "plugins", lines, f"{{enabled: {flow}}}")
    elif _is_null(plugins):
        document.replace_scalar(plugins, f"{{enabled: {flow}}}")
    elif not isinstance(plugins, yaml.MappingNode):
        raise ForeignContent("`plugins` is expected to be a mapping")
    elif names is None and not plugins.value:
        document.replace_scalar(plugins, f"{{enabled: {flow}}}")
    elif names is None:
        document.add_member(plugins, "enabled", (f"- {PLUGIN}",), flow)
    elif _is_null(names) or (isinstance(names, yaml.SequenceNode) and not names.value):
        document.replace_scalar(names, flow)
    elif not isinstance(names, yaml.SequenceNode):
        raise ForeignContent("`plugins.enabled` is expected to be a list")
    elif PLUGIN not in _scalars(names):
        document.add_item(names, PLUGIN)


def _remove(document: YamlDocument) -> None:
    while PLUGIN in _listed(document, "enabled"):
        plugins = document.get("plugins")
        names = document.get("plugins", "enabled")
        if not isinstance(plugins, yaml.MappingNode) or not isinstance(names, yaml.SequenceNode):
            return
        if len(names.value) > 1:
            document.remove_item(names, _scalars(names).index(PLUGIN))
        elif len(plugins.value) > 1 or document.root is None:
            document.remove_member(plugins, "enabled")
        else:
            document.remove_member(document.root, "plugins")


def _with_entry(before: Plain) -> Plain:
    """What the configuration shall mean afterwards, derived from what it meant before."""
    pairs = list(before[1])
    plugins = _value(pairs, "plugins")
    inner = list(plugins[1]) if plugins and plugins[0] == "map" else []
    names = _value(inner, "enabled")
    items = names if isinstance(names, list) else []
    if _ITEM not in items:
        items = [*items, _ITEM]
    return ("map", _put(pairs, "plugins", ("map", _put(inner, "enabled", items))))


def _without_entry(before: Plain) -> Plain:
    pairs = list(before[1])
    plugins = _value(pairs, "plugins")
    names = _value(plugins[1], "enabled") if plugins and plugins[0] == "map" else None
    if not isinstance(names, list) or _ITEM not in names:
        return before
    inner = _put(plugins[1], "enabled", [each for each in names if each != _ITEM] or None)
    return ("map", _put(pairs, "plugins", ("map", inner) if inner else None))


def _value(pairs: list[Any], key: str) -> Plain:
    return next((value for name, value in pairs if name == (_STR, key)), None)


def _put(pairs: list[Any], key: str, value: Plain) -> list[Any]:
    """Replace or append; None removes."""
    if value is None:
        return [pair for pair in pairs if pair[0] != (_STR, key)]
    if _value(pairs, key) is not None:
        return [(name, value if name == (_STR, key) else old) for name, old in pairs]
    return [*pairs, ((_STR, key), value)]


def _listed(document: YamlDocument, key: str) -> list[str]:
    names = document.get("plugins", key)
    return _scalars(names) if isinstance(names, yaml.SequenceNode) else []


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == _NULL


def _scalars(node: yaml.SequenceNode) -> list[str]:
    return [each.value if isinstance(each, yaml.ScalarNode) else "" for each in node.value]
