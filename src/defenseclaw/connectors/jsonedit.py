"""Edits of JSON files that people own: everything not edited stays byte for byte.

The text is read into values that remember where they stand; an edit replaces one stretch of the text.
Indentation, line ends, byte-order mark, key order and unknown keys survive because nothing is written out
again. Files are small (8 MiB at most); each edit reads the text anew.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from defenseclaw.errors import ForeignContent
from defenseclaw.vocabulary import JSON

MAX_DEPTH = 100
_SPACE = re.compile(r"[ \t\r\n]*")
_SCALAR = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*"')


@dataclass(frozen=True, slots=True)
class Node:
    """A value in the text, ``text[start:end]``."""

    start: int
    end: int
    value: Any
    """The decoded value; objects and arrays: dict or list of plain values."""
    members: tuple[tuple[str, int, Node], ...] = ()
    """Of an object: key, where its quote stands, value."""
    items: tuple[Node, ...] = ()
    """Of an array."""

    def get(self, key: str) -> Node | None:
        """Return the member called ``key``.

        Raises:
            ForeignContent: the key stands there more than once.
        """
        found = [value for name, _, value in self.members if name == key]
        if len(found) > 1:
            raise ForeignContent(f"the key {key!r} is there more than once")
        return found[0] if found else None


class Document:
    """A JSON text under edit."""

    def __init__(self, content: bytes) -> None:
        """Read ``content`` (UTF-8, a byte-order mark is kept).

        Raises:
            ForeignContent: not one JSON value, not UTF-8, or nested deeper than 100.
        """
        try:
            decoded = content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ForeignContent("the file is not UTF-8") from error
        self._mark = "\ufeff" if decoded.startswith("\ufeff") else ""
        self._text = decoded.removeprefix("\ufeff")
        self.root = self._read(self._text)

    def encode(self) -> bytes:
        """Return the text as bytes."""
        return (self._mark + self._text).encode()

    def find(self, *path: str | int) -> Node | None:
        """Return the value at ``path`` (keys and indexes), None when there is none."""
        node: Node | None = self.root
        for step in path:
            if node is None:
                return None
            if isinstance(step, int):
                node = node.items[step] if step < len(node.items) else None
            else:
                node = node.get(step)
        return node

    def add_member(self, container: Node, key: str, value: JSON) -> None:
        """Insert ``key: value`` as the last member of an object."""
        last = container.members[-1] if container.members else None
        self._insert(container, last[1] if last else None, last[2].end if last else None, value, key)

    def add_item(self, container: Node, value: JSON) -> None:
        """Append ``value`` to an array."""
        last = container.items[-1] if container.items else None
        self._insert(container, last.start if last else None, last.end if last else None, value, None)

    def put_item_first(self, container: Node, value: JSON) -> None:
        """Insert ``value`` before the elements of an array."""
        if not container.items:
            self.add_item(container, value)
            return
        start = container.items[0].start
        unit, newline = self._style()
        lead = self._text[self._text.rfind("\n", 0, start) + 1 : start]
        if lead.strip(" \t") or "\n" not in self._text[container.start : start]:
            self._replace(start, start, f"{json.dumps(value, ensure_ascii=False)}, ")
        else:
            self._replace(start, start, f"{_render(value, unit, lead, newline)},{newline}{lead}")

    def remove_member(self, container: Node, key: str) -> None:
        """Remove the member called ``key`` with its comma."""
        starts = [start for _, start, _ in container.members]
        ends = [node.end for _, _, node in container.members]
        self._cut(container, starts, ends, [name for name, _, _ in container.members].index(key))

    def remove_item(self, container: Node, index: int) -> None:
        """Remove one element with its comma."""
        starts = [node.start for node in container.items]
        ends = [node.end for node in container.items]
        self._cut(container, starts, ends, index)

    def _read(self, text: str) -> Node:
        return _parse(text)

    def _replace(self, start: int, end: int, text: str) -> None:
        self._text = self._text[:start] + text + self._text[end:]
        self.root = self._read(self._text)

    def _cut(self, container: Node, starts: list[int], ends: list[int], index: int) -> None:
        if len(starts) == 1:
            self._replace(container.start + 1, container.end - 1, "")
        elif index == 0:
            self._replace(starts[0], starts[1], "")
        else:
            self._replace(ends[index - 1], ends[index], "")

    def _insert(
        self, container: Node, last_start: int | None, last_end: int | None, value: JSON, key: str | None
    ) -> None:
        unit, newline = self._style()
        prefix = f"{json.dumps(key, ensure_ascii=False)}: " if key is not None else ""
        if last_start is not None and last_end is not None:
            lead = self._text[self._text.rfind("\n", 0, last_start) + 1 : last_start]
            if lead.strip(" \t") or "\n" not in self._text[container.start : last_start]:
                self._replace(last_end, last_end, f", {prefix}{json.dumps(value, ensure_ascii=False)}")
                return
            self._replace(
                last_end, last_end, f",{newline}{lead}{prefix}{_render(value, unit, lead, newline)}"
            )
            return
        outer = self._indent_at(container.start)
        inner = outer + unit
        body = f"{newline}{inner}{prefix}{_render(value, unit, inner, newline)}{newline}{outer}"
        self._replace(container.start + 1, container.end - 1, body)

    def _indent_at(self, position: int) -> str:
        line = self._text[self._text.rfind("\n", 0, position) + 1 : position]
        return line[: len(line) - len(line.lstrip(" \t"))]

    def _style(self) -> tuple[str, str]:
        newline = "\r\n" if "\r\n" in self._text else "\n"
        match = re.search(r"\n([ \t]+)\S", self._text)
        return (match[1] if match else "  "), newline


def read_object(content: bytes | None, kind: type[Document] = Document) -> Document:
    """Read a file that holds one JSON object; an absent or empty file is an empty object.

    Args:
        content: The file, None where there is none.
        kind: How it is read; another one for agents that take comments.

    Raises:
        ForeignContent: it holds anything else.
    """
    document = kind(content if content and content.strip() else b"{}\n")
    if not isinstance(document.root.value, dict):
        raise ForeignContent("the file holds something else than a JSON object")
    return document


def _render(value: JSON, unit: str, indent: str, newline: str) -> str:
    lines = json.dumps(value, ensure_ascii=False, indent=unit).split("\n")
    return f"{newline}{indent}".join(lines)


def _parse(text: str) -> Node:
    node = _value(text, _skip(text, 0), 0)
    if _skip(text, node.end) != len(text):
        raise ForeignContent("the file holds more than one JSON value")
    return node


def _value(text: str, at: int, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise ForeignContent("the file is nested too deep")
    if text[at : at + 1] == "{":
        return _object(text, at, depth)
    if text[at : at + 1] == "[":
        return _array(text, at, depth)
    match = _STRING.match(text, at) or _SCALAR.match(text, at)
    if match is None:
        raise _malformed(text, at)
    try:
        return Node(at, match.end(), json.loads(match[0]))
    except ValueError as error:  # a number of thousands of digits
        raise _malformed(text, at) from error


def _object(text: str, start: int, depth: int) -> Node:
    members: list[tuple[str, int, Node]] = []
    at = _skip(text, start + 1)
    while text[at : at + 1] != "}":
        if members:
            at = _expect(text, at, ",")
        key = _STRING.match(text, at)
        if key is None:
            raise _malformed(text, at)
        value = _value(text, _expect(text, _skip(text, key.end()), ":"), depth + 1)
        members.append((json.loads(key[0]), at, value))
        at = _skip(text, value.end)
    return Node(start, at + 1, {key: node.value for key, _, node in members}, members=tuple(members))


def _array(text: str, start: int, depth: int) -> Node:
    items: list[Node] = []
    at = _skip(text, start + 1)
    while text[at : at + 1] != "]":
        if items:
            at = _expect(text, at, ",")
        items.append(_value(text, at, depth + 1))
        at = _skip(text, items[-1].end)
    return Node(start, at + 1, [node.value for node in items], items=tuple(items))


def _expect(text: str, at: int, character: str) -> int:
    if text[at : at + 1] != character:
        raise _malformed(text, at)
    return _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _malformed(text: str, at: int) -> ForeignContent:
    line = text.count("\n", 0, at) + 1
    return ForeignContent(f"the file is not valid JSON (line {line})")
