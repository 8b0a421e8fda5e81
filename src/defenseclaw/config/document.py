"""``config.yaml`` as text: one bounded YAML document that knows the line of each of its keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, cast

import yaml

from defenseclaw.errors import ConfigError
from defenseclaw.vocabulary import JSON

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
UNSET: Final = object()
"""As the value of a key in an edit: remove the key."""

try:
    _Loader: Any = yaml.CSafeLoader
except AttributeError:  # PyYAML built without libyaml
    _Loader = yaml.SafeLoader


@dataclass(frozen=True, slots=True)
class Document:
    """A decoded document."""

    data: dict[str, Any]
    """Without keys whose value is null or the empty string: both mean "not set"."""
    root: yaml.MappingNode | None
    """The same with positions; None for an empty file."""

    def line_of(self, keys: tuple[str | int, ...]) -> int:
        """Return the 1-based line of the deepest part of ``keys`` that exists; 0 for an empty file."""
        node: yaml.Node | None = self.root
        line = node.start_mark.line + 1 if node is not None else 0
        for key in keys:
            node, found = _child(node, key)
            if found is None:
                break
            line = found.start_mark.line + 1
        return line


def parse(content: bytes, origin: str) -> Document:
    """Decode one mapping.

    Args:
        content: The file's bytes, UTF-8.
        origin: Path for messages.

    Raises:
        ConfigError: too large, not UTF-8, not YAML, several documents, anchors, a duplicate or non-text
            key, nested deeper than 32, or not a mapping. The message names the line, never the content.
    """
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{origin} is larger than {MAX_BYTES} bytes")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{origin} is not UTF-8 (byte {error.start})") from error
    try:
        _check_shape(text, origin)
        return _compose(text, origin)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{origin}:{mark.line + 1}" if mark else origin
        raise ConfigError(f"{where}: not valid YAML: {error.problem or 'syntax'}") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that no calendar has
        raise ConfigError(f"{origin}: not valid YAML") from error


def _check_shape(text: str, origin: str) -> None:
    """Refuse what must not reach the recursive composer: depth, aliases, further documents."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=_Loader):
        where = f"{origin}:{event.start_mark.line + 1}" if event.start_mark else origin
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise ConfigError(f"{where}: nested deeper than {MAX_DEPTH}")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            raise ConfigError(f"{where}: anchors and aliases are not supported", hint="write the value out")
        elif isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise ConfigError(f"{where}: more than one document", hint="remove the `---` separator")


def _compose(text: str, origin: str) -> Document:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return Document({}, None)
        if not isinstance(node, yaml.MappingNode):
            if node.tag == "tag:yaml.org,2002:null":
                return Document({}, None)
            raise ConfigError(f"{origin}: the top level must be a mapping of sections")
        _check_keys(node, origin)
        data = loader.construct_document(node)
    finally:
        loader.dispose()
    return Document(cast(dict[str, Any], _without_unset(data)), node)


def _check_keys(node: yaml.Node, origin: str) -> None:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check_keys(item, origin)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in node.value:
        where = f"{origin}:{key.start_mark.line + 1}"
        if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
            raise ConfigError(f"{where}: a key must be plain text", hint="put the key in quotes")
        if key.value in seen:
            raise ConfigError(f"{where}: duplicate key `{key.value}`", hint="remove one of the two")
        seen.add(key.value)
        _check_keys(value, origin)


def _without_unset(value: JSON) -> JSON:
    if isinstance(value, dict):
        return {key: _without_unset(item) for key, item in value.items() if item is not None and item != ""}
    if isinstance(value, list):
        return [_without_unset(item) for item in value]
    return value


def _child(node: yaml.Node | None, key: str | int) -> tuple[yaml.Node | None, yaml.Node | None]:
    """Return the value under ``key`` and the node whose line names it."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == key:
                return value, name
    elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key], node.value[key]
    return None, None
