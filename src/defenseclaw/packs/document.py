"""One YAML document, decoded without coercion; every error names file, line and rule.

Files of operators are hostile until proven otherwise: nesting, aliases and size are judged on the stream of
events, before anything recursive sees the document. Source: ``spec/guardrail.md`` §5.3, §5.5.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

import yaml

from defenseclaw.errors import PackError

MAX_FILE_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 16
"""Levels of lists and mappings inside each other."""
MAX_NODES: Final = 20_000
"""Values, keys, lists and mappings of one file."""

_Value = TypeVar("_Value")
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG: Final = "tag:yaml.org,2002:"
_RULE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_DECIMAL: Final = re.compile(r"[-+]?[0-9]{1,32}(\.[0-9]{0,32})?([eE][-+]?[0-9]{1,3})?")
_LISTED: Final = 12


def is_rule_id(text: str) -> bool:
    """Whether ``text`` may be the id of a rule: letters, digits, ``.``, ``_``, ``-``, at most 128."""
    return _RULE_ID.fullmatch(text) is not None


def shown(text: str) -> str:
    """Return what a file is called, in characters that any log, terminal and JSON text takes."""
    return "".join(char if char.isprintable() else "?" for char in text)[:256]


class Document:
    """A mapping and the places of everything in it.

    Args:
        content: The file's bytes.
        label: What messages call the file.
        category: The folder it lies in; empty for what is no rule.
        trusted: It is ours: what only guards against hostile files is left out.

    Raises:
        PackError: It is not one YAML mapping within the bounds.
    """

    def __init__(self, content: bytes, label: str, *, category: str = "", trusted: bool = False) -> None:
        self.label = shown(label)
        self.category = category
        self.stem = label.rpartition("/")[2].removesuffix(".yaml")
        self.rule_id = ""
        self.root = self._mapping_node(self._compose(content, trusted=trusted))

    def place(self, node: yaml.Node) -> str:
        """Return ``file:line``."""
        return f"{self.label}:{node.start_mark.line + 1}"

    def error(self, node: yaml.Node | None, what: str) -> PackError:
        """Return the error that something about ``node`` is; about the file as a whole without one."""
        line = f":{node.start_mark.line + 1}" if node is not None and node.start_mark else ""
        rule = f" {self.rule_id}:" if self.rule_id else ""
        return PackError(f"{self.label}{line}:{rule} {what}")

    def _compose(self, content: bytes, *, trusted: bool) -> yaml.Node:
        if len(content) > MAX_FILE_BYTES:
            raise self.error(None, f"larger than {MAX_FILE_BYTES} bytes")
        try:
            text = content.decode()
            if not trusted:
                self._check_shape(text)
            root = yaml.compose(text, Loader=_LOADER)
        except UnicodeDecodeError as error:
            raise self.error(None, f"is not UTF-8 (line {_line_at(content, error.start)})") from error
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f" (line {mark.line + 1})" if mark else ""
            raise self.error(None, f"is not one YAML document{line}") from error
        if root is None:
            raise self.error(None, "is empty")
        return root

    def _check_shape(self, text: str) -> None:
        depth = nodes = 0
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            elif isinstance(event, yaml.NodeEvent):
                line = f"(line {event.start_mark.line + 1})" if event.start_mark else ""
                if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
                    raise self.error(None, f"anchors and aliases are not allowed {line}")
                nodes += 1
                depth += isinstance(event, yaml.CollectionStartEvent)
                if depth > MAX_DEPTH:
                    raise self.error(None, f"nested deeper than {MAX_DEPTH} {line}")
                if nodes > MAX_NODES:
                    raise self.error(None, f"more than {MAX_NODES} values {line}")

    def _mapping_node(self, node: yaml.Node) -> yaml.MappingNode:
        if not isinstance(node, yaml.MappingNode):
            raise self.error(node, "a mapping is needed")
        return node

    def mapping(self, node: yaml.Node, allowed: frozenset[str] | None = None) -> dict[str, yaml.Node]:
        """Return the nodes of a mapping by key; refuse unknown and repeated keys."""
        found: dict[str, yaml.Node] = {}
        for key_node, value_node in self._mapping_node(node).value:
            # as written: YAML 1.1 takes the key `on` for a truth value
            if not isinstance(key_node, yaml.ScalarNode):
                raise self.error(key_node, "a key must be a string")
            key = str(key_node.value)
            if allowed is not None and key not in allowed:
                raise self.error(key_node, f"unknown key {_quoted(key)}{_meant(key, allowed)}")
            if key in found:
                raise self.error(key_node, f"key {_quoted(key)} stands twice")
            found[key] = value_node
        return found

    def required(self, nodes: Mapping[str, yaml.Node], node: yaml.Node, names: frozenset[str]) -> None:
        """Refuse a mapping ``node`` that lacks one of ``names``."""
        missing = sorted(names - nodes.keys())
        if missing:
            raise self.error(node, f"missing: {', '.join(missing)}")

    def text(self, node: yaml.Node, limit: int = MAX_FILE_BYTES) -> str:
        """Return a string that is not blank, of at most ``limit`` characters."""
        if not isinstance(node, yaml.ScalarNode) or node.tag != f"{_TAG}str":
            raise self.error(node, "a string is needed")
        text = str(node.value)
        if not text.strip():
            raise self.error(node, "must not be blank")
        if len(text) > limit:
            raise self.error(node, f"longer than {limit} characters")
        return text

    def line(self, node: yaml.Node, limit: int) -> str:
        """Return a string of one line that can be shown anywhere."""
        text = self.text(node, limit)
        if not text.isprintable():
            raise self.error(node, "must be one line of printable characters")
        return text

    def texts(self, node: yaml.Node) -> tuple[str, ...]:
        """Return a list of different strings, at least one."""
        texts = tuple(self.text(each) for each in self.items(node))
        if len(set(texts)) != len(texts):
            raise self.error(node, "an entry stands twice")
        return texts

    def items(self, node: yaml.Node) -> list[yaml.Node]:
        """Return the nodes of a list, at least one."""
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            raise self.error(node, "a list with at least one entry is needed")
        return list(node.value)

    def fraction(self, node: yaml.Node) -> float:
        """Return a number from 0 to 1."""
        if not isinstance(node, yaml.ScalarNode) or node.tag not in (f"{_TAG}float", f"{_TAG}int"):
            raise self.error(node, "a number is needed")
        if _DECIMAL.fullmatch(node.value) is None:
            raise self.error(node, "a plain decimal number is needed")
        number = float(node.value)
        if not 0 <= number <= 1:
            raise self.error(node, "must lie between 0 and 1")
        return number

    def boolean(self, node: yaml.Node) -> bool:
        """Return ``true`` or ``false``, written so and not quoted."""
        if not isinstance(node, yaml.ScalarNode) or node.tag != f"{_TAG}bool":
            raise self.error(node, "true or false is needed")
        if node.value not in ("true", "false"):
            raise self.error(node, "true or false is needed")
        return bool(node.value == "true")

    def one_of(self, node: yaml.Node, values: Mapping[str, _Value]) -> _Value:
        """Return what one of the words ``values`` stands for."""
        text = self.text(node)
        if text not in values:
            known = list(values)
            more = ", …" if known[_LISTED:] else ""
            raise self.error(node, f"{_quoted(text)} is not one of {', '.join(known[:_LISTED])}{more}")
        return values[text]

    def plain(self, node: yaml.Node) -> Any:  # noqa: ANN401 - JSON of any shape
        """Return the value of any node as JSON has it; refuse what JSON has no word for."""
        if isinstance(node, yaml.MappingNode):
            return {key: self.plain(value) for key, value in self.mapping(node).items()}
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(each) for each in node.value]
        kind, value = node.tag.removeprefix(_TAG), str(node.value)
        if kind == "str":
            return value
        if kind == "null":
            return None
        if kind == "bool" and value in ("true", "false"):
            return value == "true"
        if kind == "int" and _INTEGER.fullmatch(value):
            return int(value)
        if kind == "float" and _DECIMAL.fullmatch(value) and math.isfinite(float(value)):
            return float(value)
        raise self.error(node, f"{_quoted(value)} is no JSON value; put text in quotes")


def _meant(key: str, allowed: Iterable[str]) -> str:
    near = difflib.get_close_matches(key[:64], allowed, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(sorted(allowed))}"


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 64 else f"{text[:63]}…")


def _line_at(content: bytes, offset: int) -> int:
    return content.count(b"\n", 0, offset) + 1
