"""How the lines of a text were broken, and the text without it.

Wrapping, indenting, widening blanks and marking every line as a quotation or a comment change nothing for
who reads on. Whether a line goes on in the next one cannot be told from the lines, so a text has two
readings: as its lines stand, and with every line joined that may be the rest of the one before it.
Paragraphs, headings, lists, tables and fences stay what they are in both.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

BLANKS: Final = r"\s[\s>#*/;-]*"
"""What may stand between two words of one sentence: RE2 for more than :func:`readings` takes for a blank."""

_MARKS: Final = r"(?:>|#+|//+|(?:\*|--|;+)(?=[ \t\r\n]|\Z))"
"""What quotations and comments begin their lines with."""
_LEAD: Final = re.compile(rf"[ \t]*(?:/\*+[ \t]*|(?:{_MARKS}[ \t]*){{0,8}})")
_FIRST_OF_MARKS: Final = frozenset(">#/*-;")
_MARKS_INSIDE: Final = re.compile(rf"[\"'>;][ \t]*(/\*+[ \t]|(?:{_MARKS}[ \t]*){{1,8}})")
_WIDE: Final = re.compile(r"[ \t]{2,}|\t")
_STANDS_ALONE: Final = re.compile(
    r"[-+•·●▪◦][ \t]|--?[A-Za-z]|[|\r\n]|\d{1,3}[.)][ \t]|```|~~~|<!--|-->|\[//\]|[=~_-]{3}"
    r"|(?:Author|AuthorDate|Commit|CommitDate|Date|Merge|From|To|Cc|Subject):\s"
)
"""What a line begins with that is not the rest of the line before."""
_ENTRY: Final = re.compile(r"[\w./()-]{1,40}:[ \t]")
"""What a line begins with that is one of many entries, if the line before begins like this too."""
_LONGEST_ENTRY: Final = 41
"""Characters in which the colon of an entry stands."""
_LONGEST_COMMENT: Final = 4096
_ANY_BLANKS: Final = re.compile(BLANKS)


def in_one_line(phrase: str) -> str:
    """Return a phrase with one blank between its words, whatever they were parted by."""
    return _ANY_BLANKS.sub(" ", phrase)


_Joint = tuple[int, int, str]
"""Start and end of a stretch of the text that is written differently in a reading, and how."""


class Reading:
    """A stretch of a text in which some blanks and line breaks are one blank."""

    __slots__ = ("_begins", "_sources", "text")

    def __init__(self, text: str, low: int, high: int, joints: list[_Joint]) -> None:
        pieces: list[str] = []
        self._begins = [0]
        self._sources = [low]
        at = low
        length = 0
        for start, end, instead in joints:
            pieces += (text[at:start], instead)
            length += start - at + len(instead)
            at = end
            self._begins.append(length)
            self._sources.append(end)
        pieces.append(text[at:high])
        self.text = "".join(pieces)

    def original(self, place: int) -> int:
        """Return where the character at ``place`` stands in the whole text."""
        piece = bisect_right(self._begins, place) - 1
        return self._sources[piece] + place - self._begins[piece]


_Line = tuple[int, int, int, str]
"""A line of the text: its start, where what follows its indentation and marks begins (its words), where its
last character stands that is no blank (at least the words), and its marks."""


def readings(text: str, low: int, high: int) -> Iterator[Reading]:
    """Yield ``text[low:high]`` with single blanks, and, where that differs, with its lines joined as well."""
    apart: list[_Joint] = []
    joined: list[_Joint] = []
    before: _Line | None = None
    has_tab = text.find("\t", low, high) >= 0
    for line in _lines(text, low, high):
        start, words, end, marks = line
        if before is not None:
            before_end = before[2]
            is_plain = before_end + 1 == start and text[before_end] == "\n"
            if not is_plain:
                apart.append((before_end, start, "\n"))
            if _goes_on(text, before, line):
                joined.append((before_end, words, " "))
            elif not is_plain:
                joined.append((before_end, start, "\n"))
        elif words > start == 0 and not marks:
            apart.append((0, words, ""))
            joined.append((0, words, ""))
        if text.find("  ", words, end) >= 0 or (has_tab and text.find("\t", words, end) >= 0):
            wide = [(*found.span(), " ") for found in _WIDE.finditer(text, words, end)]
            apart += wide
            joined += wide
        before = line
    yield Reading(text, low, high, apart)
    if joined != apart:
        yield Reading(text, low, high, joined)


def _lines(text: str, low: int, high: int) -> Iterator[_Line]:
    at = low
    for line in text[low:high].splitlines(keepends=True):
        unindented = line.lstrip(" \t")
        size = len(line) - len(unindented)
        marks = ""
        if unindented[:1] in _FIRST_OF_MARKS and (lead := _LEAD.match(line)) and lead.end() > size:
            size = lead.end()
            marks = _marks(line[:size])
        yield at, at + size, at + max(size, len(line.rstrip())), marks
        at += len(line)


def _goes_on(text: str, before: _Line, line: _Line) -> bool:
    """Whether ``line`` may be the rest of the line before it."""
    start, words, end, marks = line
    _, before_words, before_end, before_marks = before
    if words == end or before_words == before_end or text[before_end - 1] == ":":
        return False
    if marks != before_marks and not _belong_together(text, before, marks):
        return False
    if marks == "*" and not _in_comment(text, start):
        return False  # the item of a list
    if _STANDS_ALONE.match(text, words) is not None:
        return False
    # few lines hold a colon, which is sooner seen than that there is no entry
    if text.find(":", words, words + _LONGEST_ENTRY) < 0:
        return True
    return _ENTRY.match(text, words) is None or _ENTRY.match(text, before_words) is None


def _belong_together(text: str, before: _Line, marks: str) -> bool:
    """Whether a line with these marks may go on a quotation, a comment or an item of a line with others."""
    _, words, end, before_marks = before
    if not marks:
        return before_marks in (">", "*")
    # the first line of a string or an element begins behind its quotation mark or its tag
    inside = _MARKS_INSIDE.finditer(text, words, end)
    return not before_marks and any(_marks(found[1]) == marks for found in inside)


def _marks(lead: str) -> str:
    return "*" if "/*" in lead else "".join(lead.split())


def _in_comment(text: str, at: int) -> bool:
    low = max(0, at - _LONGEST_COMMENT)
    opened = text.rfind("/*", low, at)
    is_path = opened > 0 and (text[opened - 1].isalnum() or text[opened - 1] in "*._-")
    return opened > text.rfind("*/", low, at) and not is_path
