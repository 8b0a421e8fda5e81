"""The two keys of ours in OmniGent's ``config.yaml``: put in, taken out, everything else byte for byte.

OmniGent rewrites this file itself, and people edit it, so that an edited file is the normal case.
Source: ``spec/omnigent.md`` §3, §10.6, §11.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from defenseclaw.connectors.yamledit import Plain, YamlDocument, edited, plain
from defenseclaw.errors import ForeignContent

MODULE = "defenseclaw_omnigent_policy"
HANDLER = f"{MODULE}.defenseclaw_policy"
POLICY = "defenseclaw_guardrail"
_STR = "tag:yaml.org,2002:str"
_BY_HAND = (
    f"add by hand: `policy_modules: [{MODULE}]` and under `policies:` an entry `{POLICY}:` with "
    f"`type: function` and `handler: {HANDLER}`"
)


def registered(path: Path, content: bytes) -> bytes:
    """Return OmniGent's configuration with our two entries; the same bytes when they are there.

    Raises:
        ForeignContent: something else stands where they belong, or the layout allows no safe edit.
    """
    return _edit(path, content, _register, _with_entries)


def unregistered(path: Path, content: bytes) -> bytes:
    """Return OmniGent's configuration without our two entries; the same bytes when there are none."""
    return _edit(path, content, _unregister, _without_entries)


def is_gated(content: bytes) -> bool:
    """Whether an operator's ``condition:`` on our entry may silently switch it off."""
    try:
        return YamlDocument(content).get("policies", POLICY, "condition") is not None
    except ForeignContent:
        return False


def _edit(
    path: Path, content: bytes, change: Callable[[YamlDocument], None], want: Callable[[Plain], Plain]
) -> bytes:
    try:
        return edited(content, change, want)
    except ForeignContent as error:
        raise ForeignContent(f"{path}: {error.message}", hint=error.hint or _BY_HAND) from error


def _register(document: YamlDocument) -> None:
    _register_module(document)
    policies = document.get("policies")
    entry = document.get("policies", POLICY)
    lines = ("type: function", f"handler: {HANDLER}")
    flow = f"{{type: function, handler: {HANDLER}}}"
    if policies is None:
        whole = (f"{POLICY}:", *(f"  {each}" for each in lines))
        document.add_member(document.root, "policies", whole, f"{{{POLICY}: {flow}}}")
    elif _is_null(policies):
        document.replace_scalar(policies, f"{{{POLICY}: {flow}}}")
    elif not isinstance(policies, yaml.MappingNode):
        raise ForeignContent("`policies` is expected to be a mapping")
    elif entry is None:
        document.add_member(policies, POLICY, lines, flow)
    elif _handler_of(document) != HANDLER:
        raise ForeignContent(f"`policies.{POLICY}` has another handler; it is not managed by DefenseClaw")
    elif isinstance(entry, yaml.MappingNode):
        kind = document.get("policies", POLICY, "type")
        if kind is None:
            document.add_member(entry, "type", (" function",), "function")
        elif kind.value != "function":
            raise ForeignContent(f"`policies.{POLICY}` has another type; it is not managed by DefenseClaw")


def _register_module(document: YamlDocument) -> None:
    modules = document.get("policy_modules")
    if modules is None:
        document.add_member(document.root, "policy_modules", (f"- {MODULE}",), f"[{MODULE}]")
    elif _is_null(modules):
        document.replace_scalar(modules, f"[{MODULE}]")
    elif isinstance(modules, yaml.ScalarNode) and modules.tag == _STR:
        items = [document.source_of(modules)] if modules.value != MODULE else []
        document.replace_scalar(modules, f"[{', '.join([*items, MODULE])}]")
    elif not isinstance(modules, yaml.SequenceNode):
        raise ForeignContent("`policy_modules` is expected to be a list")
    elif MODULE not in _scalars(modules):
        document.add_item(modules, MODULE)


def _unregister(document: YamlDocument) -> None:
    if _handler_of(document) == HANDLER:
        policies = document.get("policies")
        if isinstance(policies, yaml.MappingNode) and len(policies.value) == 1 and document.root is not None:
            document.remove_member(document.root, "policies")
        elif isinstance(policies, yaml.MappingNode):
            document.remove_member(policies, POLICY)
    modules = document.get("policy_modules")
    if isinstance(modules, yaml.ScalarNode) and modules.value == MODULE and document.root is not None:
        document.remove_member(document.root, "policy_modules")
    while isinstance(modules, yaml.SequenceNode) and MODULE in _scalars(modules):
        if len(modules.value) == 1 and document.root is not None:
            document.remove_member(document.root, "policy_modules")
        else:
            document.remove_item(modules, _scalars(modules).index(MODULE))
        modules = document.get("policy_modules")


def _with_entries(before: Plain) -> Plain:
    """What the configuration shall mean afterwards, derived from what it meant before."""
    pairs = list(before[1])
    ours = ("map", [((_STR, "type"), (_STR, "function")), ((_STR, "handler"), (_STR, HANDLER))])
    modules = _value(pairs, "policy_modules")
    items = modules if isinstance(modules, list) else ([modules] if modules and modules[0] == _STR else [])
    if (_STR, MODULE) not in items:
        items = [*items, (_STR, MODULE)]
    pairs = _put(pairs, "policy_modules", items)
    policies = _value(pairs, "policies")
    entries = list(policies[1]) if policies and policies[0] == "map" else []
    entry = _value(entries, POLICY)
    if entry is None:
        entries = _put(entries, POLICY, ours)
    elif entry[0] == "map" and _value(entry[1], "type") is None:
        entries = _put(entries, POLICY, ("map", _put(entry[1], "type", (_STR, "function"))))
    return ("map", _put(pairs, "policies", ("map", entries)))


def _without_entries(before: Plain) -> Plain:
    pairs = list(before[1])
    policies = _value(pairs, "policies")
    if policies and policies[0] == "map" and _plain_handler(_value(policies[1], POLICY)) == HANDLER:
        entries = [pair for pair in policies[1] if pair[0] != (_STR, POLICY)]
        pairs = _put(pairs, "policies", ("map", entries) if entries else None)
    modules = _value(pairs, "policy_modules")
    items = modules if isinstance(modules, list) else ([modules] if modules else [])
    if (_STR, MODULE) in items:
        kept = [each for each in items if each != (_STR, MODULE)]
        pairs = _put(pairs, "policy_modules", kept or None)
    return ("map", pairs)


def _value(pairs: list[Any], key: str) -> Plain:
    return next((value for name, value in pairs if name == (_STR, key)), None)


def _put(pairs: list[Any], key: str, value: Plain) -> list[Any]:
    """Replace or append; None removes."""
    if value is None:
        return [pair for pair in pairs if pair[0] != (_STR, key)]
    if any(name == (_STR, key) for name, _ in pairs):
        return [(name, value if name == (_STR, key) else old) for name, old in pairs]
    return [*pairs, ((_STR, key), value)]


def _plain_handler(entry: Plain) -> str:
    if not entry or entry[0] != "map":
        return ""
    for key in ("handler", "function"):
        found = _value(entry[1], key)
        if found and found[0] == "map":
            found = _value(found[1], "path")
        if found and found[0] == _STR:
            return str(found[1])
    return ""


def _handler_of(document: YamlDocument) -> str:
    entry = document.get("policies", POLICY)
    return _plain_handler(plain(entry)) if entry is not None else ""


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _scalars(node: yaml.SequenceNode) -> list[str]:
    return [each.value if isinstance(each, yaml.ScalarNode) else "" for each in node.value]
