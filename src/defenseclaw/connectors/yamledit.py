"""Edits of YAML files that people own: everything not edited stays byte for byte.

PyYAML tells where each value stands; an edit inserts or cuts one stretch of the text. Nothing is loaded
and dumped, since that would rewrite ``on:`` as ``true:`` and lose comments, quotes and order. After every
edit the text is read again and must mean what was intended; if it does not (anchors, odd layouts), the
edit is refused and the file stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import yaml

from defenseclaw.errors import ForeignContent

_REMARK = re.compile(r"^[ \t]*#[^\n]*(?:\n|\Z)", re.MULTILINE)
MAX_CHARACTERS = 1024 * 1024
Plain = Any
"""A node as plain values: a (tag, text) pair, a list, or a list of (key, value) pairs under "map"."""


class YamlDocument:
    """A YAML text under edit; its root is a mapping or nothing."""

    def __init__(self, content: bytes) -> None:
        """Read ``content`` (UTF-8, a byte-order mark is kept).

        Raises:
            ForeignContent: not UTF-8, not one YAML document, or not a mapping.
        """
        try:
            decoded = content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ForeignContent("the file is not UTF-8") from error
        if len(decoded) > MAX_CHARACTERS:
            raise ForeignContent("the file is too large to edit")
        self._mark = "\ufeff" if decoded.startswith("\ufeff") else ""
        self.text = decoded.removeprefix("\ufeff")
        self._newline = "\r\n" if "\r\n" in self.text else "\n"
        self.root = _compose(self.text)

    def encode(self) -> bytes:
        """Return the text as bytes."""
        return (self._mark + self.text).encode()

    def get(self, *path: str) -> yaml.Node | None:
        """Return the value at ``path``, None when there is none.

        Raises:
            ForeignContent: a key stands there twice, or only through an anchor that others share.
        """
        node: yaml.Node | None = self.root
        for key in path:
            if not isinstance(node, yaml.MappingNode):
                return None
            node = self._member(node, key)
        return node

    def add_member(
        self, container: yaml.MappingNode | None, key: str, lines: Sequence[str], flow: str
    ) -> None:
        """Insert ``key`` last into a mapping, None for an empty document.

        Args:
            container: The mapping.
            key: Plain scalar.
            lines: The value in block style, one string per line, indented from 0; a single line that
                starts with a blank is put behind the key.
            flow: The value in flow style, used inside ``{}``.
        """
        if container is None:
            self._append_block(len(self.text), "", key, lines)
        elif container.flow_style:
            self._into_flow(container, f"{key}: {flow}")
        else:
            column = container.value[0][0].start_mark.column
            self._append_block(self._end_of(container), " " * column, key, lines)

    def add_item(self, container: yaml.SequenceNode, item: str) -> None:
        """Append a plain scalar to a list."""
        if container.flow_style:
            self._into_flow(container, item)
            return
        dash = self.text.rfind("-", 0, container.value[0].start_mark.index)
        lead = self.text[self.text.rfind("\n", 0, dash) + 1 : dash]
        self._insert_lines(self._end_of(container), [f"{lead}- {item}"])

    def replace_scalar(self, node: yaml.Node, text: str) -> None:
        """Put ``text`` where a scalar stands; for an empty one behind its colon."""
        start, end = node.start_mark.index, node.end_mark.index
        lead = " " if start == end and not self.text[:start].endswith(" ") else ""
        self._replace(start, end, lead + text)

    def source_of(self, node: yaml.Node) -> str:
        """Return the text of a scalar as it stands there, quotes and all."""
        return self.text[node.start_mark.index : node.end_mark.index]

    def remove_member(self, container: yaml.MappingNode, key: str) -> None:
        """Remove a key with its value, and nothing else."""
        index = [name.value for name, _ in container.value].index(key)
        name, value = container.value[index]
        if container.flow_style:
            spans = [(each.start_mark.index, value.end_mark.index) for each, value in container.value]
            self._cut_flow(container, spans, index)
        else:
            self._cut_lines(name.start_mark.index, self._end_of(value, name))

    def remove_item(self, container: yaml.SequenceNode, index: int) -> None:
        """Remove one element of a list, and nothing else."""
        node = container.value[index]
        if container.flow_style:
            spans = [(each.start_mark.index, each.end_mark.index) for each in container.value]
            self._cut_flow(container, spans, index)
        else:
            self._cut_lines(node.start_mark.index, self._end_of(node))

    def _member(self, container: yaml.MappingNode, key: str) -> yaml.Node | None:
        found = [(name, value) for name, value in container.value if name.value == key]
        if len(found) > 1:
            raise ForeignContent(f"the key {key!r} is there more than once")
        if not found:
            return None
        name, value = found[0]
        start: int = value.start_mark.index
        if start < name.end_mark.index or self.text[start : start + 1] in ("&", "*", "!"):
            raise ForeignContent(f"the value of {key!r} is shared through an anchor or has a tag")
        node: yaml.Node = value
        return node

    def _append_block(self, at: int, indent: str, key: str, lines: Sequence[str]) -> None:
        if len(lines) == 1 and lines[0].startswith(" "):
            self._insert_lines(at, [f"{indent}{key}:{lines[0]}"])
        else:
            self._insert_lines(at, [f"{indent}{key}:", *(f"{indent}  {each}" for each in lines)])

    def _insert_lines(self, at: int, lines: Sequence[str]) -> None:
        """Insert whole lines behind the line that holds position ``at``."""
        end = self.text.find("\n", at)
        if at and self.text[at - 1] == "\n":
            end = at - 1
        block = self._newline.join(lines)
        if end >= 0:
            self._replace(end + 1, end + 1, block + self._newline)
        elif self.text:
            self._replace(len(self.text), len(self.text), self._newline + block)
        else:
            self._replace(0, 0, block + self._newline)

    def _into_flow(self, container: yaml.Node, item: str) -> None:
        """Insert before the closing bracket, on the line of what stands before it."""
        inside = self.text[container.start_mark.index + 1 : container.end_mark.index - 1].rstrip()
        at = container.start_mark.index + 1 + len(inside)
        lead = "" if not inside else (" " if inside.endswith(",") else ", ")
        self._replace(at, at, lead + item)

    def _cut_flow(self, container: yaml.Node, spans: Sequence[tuple[int, int]], index: int) -> None:
        start, end = spans[index]
        if len(spans) == 1:
            self._replace(container.start_mark.index + 1, container.end_mark.index - 1, "")
        elif index == 0:
            self._replace(start, spans[1][0], "")
        else:
            self._replace(self.text.rfind(",", 0, start), end, "")

    def _cut_lines(self, start: int, end: int) -> None:
        first = self.text.rfind("\n", 0, start) + 1
        newline = self.text.find("\n", end)
        if end and self.text[end - 1] == "\n" and end > start:
            newline = end - 1
        stop = newline + 1 if newline >= 0 else len(self.text)
        remarks = "".join(_REMARK.findall(self.text, first, stop))  # somebody's words
        if newline >= 0 or remarks:
            self._replace(first, stop, remarks)
        else:  # the last line had no line end; the one before it gets none either
            kept = self.text[:first].removesuffix("\n").removesuffix("\r")
            self._replace(len(kept), len(self.text), "")

    def _end_of(self, node: yaml.Node, key: yaml.Node | None = None) -> int:
        """Where the last character of a value stands; block collections claim the comments behind them."""
        if key is not None and node.start_mark.index < key.start_mark.index:
            return int(key.end_mark.index)  # an alias: the value stands elsewhere, the name on this line
        if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
            last = node.value[-1]
            if isinstance(last, tuple):
                return self._end_of(last[1], last[0])
            if last.start_mark.index < node.value[0].start_mark.index or last in node.value[:-1]:
                raise ForeignContent("the last element of a list is an alias")
            return self._end_of(last)
        return int(node.end_mark.index)

    def _replace(self, start: int, end: int, text: str) -> None:
        self.text = self.text[:start] + text + self.text[end:]
        self.root = _compose(self.text)


def plain(node: yaml.Node | None) -> Plain:
    """Return what a node means, comparable: shared anchors are told by where they first stand."""
    seen: dict[int, int] = {}

    def render(each: yaml.Node) -> Plain:
        if isinstance(each, yaml.ScalarNode):
            return (each.tag, each.value)
        if id(each) in seen:
            return ("shared", seen[id(each)])
        seen[id(each)] = len(seen)
        if isinstance(each, yaml.SequenceNode):
            return [render(item) for item in each.value]
        return ("map", [(render(name), render(value)) for name, value in each.value])

    return ("map", []) if node is None else render(node)


def edited(content: bytes, edit: Callable[[YamlDocument], None], want: Callable[[Plain], Plain]) -> bytes:
    """Return ``content`` after ``edit``, proved to mean exactly ``want(what it meant)``.

    Raises:
        ForeignContent: the layout does not allow a safe edit.
    """
    document = YamlDocument(content)
    before = plain(document.root)
    edit(document)
    if plain(document.root) != want(before):
        raise ForeignContent("the layout of the file does not allow a safe edit")
    return document.encode()


def _compose(text: str) -> yaml.MappingNode | None:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ForeignContent("the file is not one valid YAML document") from error
    if node is None or (isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null") and not node.value):
        return None
    if not isinstance(node, yaml.MappingNode):
        raise ForeignContent("the file is not a mapping")
    return node
