"""Edits of TOML files that people own: comments, order and everything not edited stay byte for byte.

The text is read twice: by ``tomllib`` for what it means, and by a scanner that remembers where tables, keys
and values stand. An edit replaces one stretch of the text and reads it anew. Files are small (8 MiB at
most). Source of the grammar: TOML 1.0.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from defenseclaw.errors import ForeignContent

Path = tuple[str, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_INDENT = re.compile(r"[ \t]*")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_DOT = re.compile(r"[ \t]*\.[ \t]*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}' r"|'''.*?'{3,5}" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'", re.DOTALL
)
_SCALAR = re.compile(r"[^,\]}#\r\n]+")
_REMARK = re.compile(r"^[ \t]*#[^\n]*(?:\n|\Z)", re.MULTILINE)
_REST_OF_LINE = re.compile(r"[^\n]*(?:\n|\Z)")


@dataclass(frozen=True, slots=True)
class Key:
    """One part of a dotted key and where it stands."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Value:
    """A value in the text, ``text[start:end]``."""

    start: int
    end: int
    items: tuple[Value, ...] = ()
    """Of an array."""
    members: tuple[tuple[Path, Value], ...] = ()
    """Of an inline table."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A ``key = value`` line or lines; ``end`` is behind its line break."""

    keys: tuple[Key, ...]
    value: Value
    start: int
    end: int

    @property
    def path(self) -> Path:
        """The names of the key."""
        return tuple(each.name for each in self.keys)


@dataclass(slots=True)
class Table:
    """A ``[table]`` or ``[[table]]`` with its entries; the first one of a document has no header."""

    keys: tuple[Key, ...]
    is_element: bool
    start: int
    end: int
    """Behind its last entry, or its header without entries: comments that follow are nobody's."""
    entries: list[Entry] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """The names of the header."""
        return tuple(each.name for each in self.keys)


Span = tuple[int, int]


class Document:
    """A TOML text under edit."""

    def __init__(self, content: bytes) -> None:
        """Read ``content`` (UTF-8, a byte-order mark is kept).

        Raises:
            ForeignContent: not UTF-8 or not TOML 1.0.
        """
        try:
            decoded = content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ForeignContent("the file is not UTF-8") from error
        self._mark = "\ufeff" if decoded.startswith("\ufeff") else ""
        self._read(decoded.removeprefix("\ufeff"))

    def encode(self) -> bytes:
        """Return the text as bytes."""
        return (self._mark + self.text).encode()

    def _read(self, text: str) -> None:
        try:
            self.value: dict[str, Any] = tomllib.loads(text)
            self.tables = tuple(_tables(text))
        except tomllib.TOMLDecodeError as error:
            raise ForeignContent(f"the file is not valid TOML ({_place(error)})") from error
        except RecursionError as error:
            raise ForeignContent("the file is nested too deep") from error
        self.text = text

    def append(self, block: str) -> None:
        """Add tables at the end, one empty line before them.

        Raises:
            ForeignContent: what is there leaves no room for them (an inline table of that name).
        """
        newline = "\r\n" if "\r\n" in self.text else "\n"
        start = self.text
        if start and not start.endswith("\n"):
            start += newline
        if start:
            start += newline
        self._read(start + block.replace("\n", newline))

    def literal(self, key: str) -> str | None:
        """Return the value of a top-level key as it is written, None when there is none."""
        entry = self._top_level(key)
        return self.text[entry.value.start : entry.value.end] if entry else None

    def put(self, key: str, literal: str) -> None:
        """Give a top-level key a value; one that is there keeps its place and its comment.

        Raises:
            ForeignContent: the key is there as a table.
        """
        entry = self._top_level(key)
        if entry is not None:
            self._read(self.text[: entry.value.start] + literal + self.text[entry.value.end :])
            return
        newline = "\r\n" if "\r\n" in self.text else "\n"
        before, after = self.text[: self.tables[0].end], self.text[self.tables[0].end :]
        if before and not before.endswith("\n"):
            before += newline
        self._read(f"{before}{key} = {literal}{newline}{after}")

    def _top_level(self, key: str) -> Entry | None:
        return next((each for each in self.tables[0].entries if each.path == (key,)), None)

    def cut_element(self, path: Path, index: int) -> None:
        """Remove element ``index`` of the array at ``path``, however it is written; absent is fine."""
        self._cut(self._element(path, index))

    def cut_member(self, path: Path, index: int, key: str, inner: int) -> None:
        """Remove element ``inner`` of the array ``key`` inside element ``index`` of the array at ``path``."""
        tables = [each for each in self.tables if each.path == path and each.is_element]
        if not tables:
            self._cut(_inner_item(self._item(path, index), key, inner))
            return
        group = self._group(path, index)
        nested = [each for each in group if each.path == (*path, key) and each.is_element]
        if nested:
            self._cut([(nested[inner].start, nested[inner].end)])
            return
        for entry in group[0].entries:
            if entry.path == (key,):
                self._cut(_item_span(entry.value, inner))
                return

    def cut_table(self, path: Path) -> None:
        """Remove the table at ``path`` with all that is said of it; absent is fine."""
        spans: list[Span] = []
        for table in self.tables:
            if table.path[: len(path)] == path and table.keys:
                spans.append((table.start, table.end))
                continue
            for entry in table.entries:
                if (table.path + entry.path)[: len(path)] == path:
                    spans.append((entry.start, entry.end))
        self._cut(spans)

    def rename(self, path: Path, name: str) -> None:
        """Give the last part of ``path`` another name wherever it is written."""
        spots = {  # a header's keys come once for the header and once for each of its entries
            keys[len(path) - 1]
            for keys in self._all_keys()
            if tuple(each.name for each in keys[: len(path)]) == path
        }
        text = self.text
        for key in sorted(spots, key=lambda each: each.start, reverse=True):
            text = text[: key.start] + quoted(name) + text[key.end :]
        self._read(text)

    def _all_keys(self) -> Iterator[tuple[Key, ...]]:
        for table in self.tables:
            yield table.keys
            for entry in table.entries:
                # A header's own keys are yielded above; here they only lead to the entry's.
                if entry.keys:
                    yield (*table.keys, *entry.keys)

    def _element(self, path: Path, index: int) -> list[Span]:
        if any(each.path == path and each.is_element for each in self.tables):
            return [(each.start, each.end) for each in self._group(path, index)]
        array = self._value_at(path)
        return _item_span(array, index) if array else []

    def _group(self, path: Path, index: int) -> list[Table]:
        """Return the table of an element and the tables below it."""
        starts = [place for place, each in enumerate(self.tables) if each.path == path and each.is_element]
        after = [*starts[index + 1 :], len(self.tables)][0]
        first = starts[index]
        below = [each for each in self.tables[first + 1 : after] if each.path[: len(path)] == path]
        return [self.tables[first], *below]

    def _item(self, path: Path, index: int) -> Value | None:
        array = self._value_at(path)
        return array.items[index] if array and index < len(array.items) else None

    def _value_at(self, path: Path) -> Value | None:
        """Return the value at ``path``, inside inline tables too."""
        for table in self.tables:
            for entry in table.entries:
                names = table.path + entry.path
                if path[: len(names)] == names and (found := _inside(entry.value, path[len(names) :])):
                    return found
        return None

    def _cut(self, spans: list[Span]) -> None:
        text = self.text
        for start, end in sorted(set(spans), reverse=True):
            before, kept = text[:start], ""
            if re.search(r"(?:\A|\n)[ \t]*\Z", before):
                before = re.sub(r"(?<=\n)[ \t]*\r?\n\Z", "", before)  # the empty line `append` put there
                kept = "".join(_REMARK.findall(text, start, end))  # somebody's words
            text = before + kept + text[end:]
        if text != self.text:
            self._read(text)


def quoted(text: str) -> str:
    """Return ``text`` as a TOML basic string."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _place(error: tomllib.TOMLDecodeError) -> str:
    """Only where, never what: the line may hold a secret."""
    found = re.search(r"at line \d+", str(error))
    return found[0] if found else "at its end"


def _tables(text: str) -> Iterator[Table]:
    table = Table((), False, 0, 0)
    at = _blank(text, 0)
    while at < len(text):
        start = text.rfind("\n", 0, at) + 1
        if text[at] == "[":
            yield table
            double = text.startswith("[[", at)
            keys, at = _keys(text, at + (2 if double else 1))
            end = _line_end(text, at)
            table = Table(keys, double, start, end)
        else:
            keys, at = _keys(text, at)
            value = _value(text, _indent(text, text.index("=", at) + 1))
            end = _line_end(text, value.end)
            table.entries.append(Entry(keys, value, start, end))
            table.end = end
        at = _blank(text, end)
    yield table


def _keys(text: str, at: int) -> tuple[tuple[Key, ...], int]:
    keys: list[Key] = []
    at = _indent(text, at)
    while True:
        match = _KEY.match(text, at)
        if match is None:
            raise ForeignContent("the file holds a key that cannot be read")
        token = match[0]
        name = next(iter(tomllib.loads(f"{token} = 1"))) if token[0] in "\"'" else token
        keys.append(Key(name, match.start(), match.end()))
        dot = _DOT.match(text, match.end())
        if dot is None:
            return tuple(keys), match.end()
        at = dot.end()


def _value(text: str, at: int) -> Value:
    if text[at] == "[":
        return _array(text, at)
    if text[at] == "{":
        return _inline_table(text, at)
    string = _STRING.match(text, at)
    if string is not None:
        return Value(at, string.end())
    scalar = _SCALAR.match(text, at)
    if scalar is None:
        raise ForeignContent("the file holds a value that cannot be read")
    return Value(at, at + len(scalar[0].rstrip()))


def _array(text: str, start: int) -> Value:
    items: list[Value] = []
    at = _blank(text, start + 1)
    while text[at] != "]":
        items.append(_value(text, at))
        at = _blank(text, items[-1].end)
        if text[at] == ",":
            at = _blank(text, at + 1)
    return Value(start, at + 1, items=tuple(items))


def _inline_table(text: str, start: int) -> Value:
    members: list[tuple[Path, Value]] = []
    at = _blank(text, start + 1)
    while text[at] != "}":
        keys, at = _keys(text, at)
        value = _value(text, _indent(text, text.index("=", at) + 1))
        members.append((tuple(each.name for each in keys), value))
        at = _blank(text, value.end)
        if text[at] == ",":
            at = _blank(text, at + 1)
    return Value(start, at + 1, members=tuple(members))


def _inside(value: Value, path: Path) -> Value | None:
    if not path:
        return value
    for names, member in value.members:
        if path[: len(names)] == names and (found := _inside(member, path[len(names) :])):
            return found
    return None


def _inner_item(value: Value | None, key: str, index: int) -> list[Span]:
    array = _inside(value, (key,)) if value else None
    return _item_span(array, index) if array else []


def _item_span(array: Value, index: int) -> list[Span]:
    """Return the stretch of one item with one comma."""
    if index >= len(array.items):
        return []
    if len(array.items) == 1:
        return [(array.start + 1, array.end - 1)]
    if index == 0:
        return [(array.items[0].start, array.items[1].start)]
    return [(array.items[index - 1].end, array.items[index].end)]


def _blank(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return match.end() if match else at


def _indent(text: str, at: int) -> int:
    match = _INDENT.match(text, at)
    return match.end() if match else at


def _line_end(text: str, at: int) -> int:
    match = _REST_OF_LINE.match(text, at)
    return match.end() if match else at
