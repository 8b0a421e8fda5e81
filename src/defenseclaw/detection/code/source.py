"""Program text with its strings and comments told apart, whatever the language and however broken the text.

What a tool writes is often a fragment: a few lines of an edit, indented, with no beginning. A compiler's
parser refuses that (and is slow, and can be made to crash), so this is a tokenizer of our own: it knows
comments, strings, interpolations and brackets, and from those calls and their arguments are read. Every step
is one pass over the text; a string that is not closed ends with its line, so that a mistake stays local.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple

from defenseclaw.detection.code.languages import Language

MAX_NESTED_TEMPLATES: Final = 64
"""Depth of templates inside templates; deeper ones are read as plain strings."""


class Literal(NamedTuple):
    """One string of the program. Offsets are characters of the text."""

    start: int
    end: int
    """Behind the closing quote."""
    inner: int
    """Where the content begins."""
    inner_end: int
    fills_in: bool
    """A kind of string that fills in expressions (f-string, template, double quotes of Ruby and PHP)."""
    tag: str = ""
    """What stands right before the opening quote: Python's prefix, or the tag of a JavaScript template."""


# What repeats a group is atomic, not possessive: before Python 3.11.5 a possessive group keeps what an
# alternative took that did not match in the end (CPython issue 106052).
_LINE = r"(?P<comment>//[^\n]*+"
_BLOCK = r"/\*(?>(?:[^*]++|\*(?!/))*)(?:\*/)?"
_HASH = r"(?P<comment>#[^\n]*+"
_DOUBLE = r'"(?>(?:[^"\\\n]++|\\.)*)"?'
_SINGLE = r"'(?>(?:[^'\\\n]++|\\.)*)'?"
_LONG_DOUBLE = r'"(?>(?:[^"\\]++|\\.)*)"?'
_LONG_SINGLE = r"'(?>(?:[^'\\]++|\\.)*)'?"
_TRIPLE_DOUBLE = r'"""(?>(?:[^"\\]++|\\.|"(?!""))*)(?:""")?'
_TRIPLE_SINGLE = r"'''(?>(?:[^'\\]++|\\.|'(?!''))*)(?:''')?"
_CHARACTER = r"'(?:[^'\\\n]|\\[^\n]{1,9}?)'"


def _grammar(*alternatives: str) -> re.Pattern[str]:
    """Return what finds the next comment, string or other mark."""
    return re.compile("|".join(alternatives), re.DOTALL | re.MULTILINE)


_GRAMMARS: Final = {
    Language.PYTHON: _grammar(
        f"{_HASH})", f"(?P<string>{_TRIPLE_DOUBLE}|{_TRIPLE_SINGLE}|{_DOUBLE}|{_SINGLE})"
    ),
    Language.JAVASCRIPT: _grammar(
        f"{_LINE}|{_BLOCK})", f"(?P<string>{_DOUBLE}|{_SINGLE})", "(?P<template>`)", "(?P<slash>/)",
        "(?P<brace>[{}])",
    ),
    Language.GO: _grammar(f"{_LINE}|{_BLOCK})", rf"(?P<string>{_DOUBLE}|`[^`]*+`?|{_CHARACTER})"),
    Language.JAVA: _grammar(f"{_LINE}|{_BLOCK})", f"(?P<string>{_TRIPLE_DOUBLE}|{_DOUBLE}|{_CHARACTER})"),
    Language.C: _grammar(f"{_LINE}|{_BLOCK})", f"(?P<string>{_DOUBLE}|{_CHARACTER})"),
    Language.RUBY: _grammar(
        rf"{_HASH}|^=begin\b(?>(?:[^\n]++|\n(?!=end))*))",
        rf"(?P<string>{_LONG_DOUBLE}|{_LONG_SINGLE}|`(?>(?:[^`\\]++|\\.)*)`?)",
        r"(?P<heredoc><<[~-]?(?P<quote>[\"'`]?)(?P<word>[A-Z_]\w*+)(?P=quote))",
        r"(?P<slash>/)",
        r"(?P<other>\?[\"'#](?!\w)|\$[\"'`])",
    ),
    Language.PHP: _grammar(
        rf"{_LINE}|{_BLOCK}|#(?!\[)[^\n]*+|\?>(?>(?:[^<]++|<(?!\?(?:php\b|=)))*))",
        rf"(?P<string>{_LONG_DOUBLE}|{_LONG_SINGLE}|`(?>(?:[^`\\]++|\\.)*)`?)",
        r"(?P<heredoc><<<[ \t]*(?P<quote>[\"']?)(?P<word>[A-Za-z_]\w*+)(?P=quote))",
    ),
    Language.SHELL: _grammar(
        r"(?P<comment>(?:^|(?<=[\s;&|(]))#[^\n]*+)",
        rf"(?P<string>{_LONG_DOUBLE}|'[^']*+'?)",
        r"(?P<other>\\.)",
    ),
    Language.DATA: _grammar(
        r"(?P<comment>(?:^|(?<=\s))#[^\n]*+|<!--(?>(?:[^-]++|-(?!->))*)(?:-->)?)",
        f"(?P<string>{_DOUBLE}|{_SINGLE})",
    ),
}  # fmt: skip
_HTML: Final = re.compile(r"(?>(?:[^<]++|<(?!\?(?:php\b|=)))*)")
_TEMPLATE_PIECE: Final = re.compile(
    r"(?>(?:[^`\\$]++|\\.|\$(?!\{))*)(?:(?P<end>`)|(?P<fill>\$\{))?", re.DOTALL
)
_REGEX: Final = re.compile(
    r"/(?![/*])(?>(?:[^/\\\[\n]|\\[^\n]|\[(?>(?:[^\]\\\n]|\\[^\n]){0,200})\]){1,400})/[a-z]*+"
)
_REGEX_FOLLOWS: Final = frozenset("(,=:[!&|?{};+-*%<>~^\n")
_REGEX_WORDS: Final = re.compile(
    r"\b(?:return|typeof|case|in|of|do|else|void|delete|throw|new|and|or|not|if|unless|when|while|until|then)\Z"
)
_PYTHON_PREFIX: Final = re.compile(r"(?<![\w.])[rbuftRBUFT]{1,2}\Z")
_TAG: Final = re.compile(r"[\w$][\w$.]{0,39}\Z")
_TERMINATOR: Final = re.compile(r"^[ \t]*+([A-Za-z_]\w*+)(?=[ \t]*+[;,)]*+[ \t]*+$)", re.MULTILINE)
_BRACKETS: Final = re.compile(r"[()\[\]{},]")
_CLOSING: Final = {")": "(", "]": "[", "}": "{"}
_NO_DOCUMENT: Final = (sys.maxsize, 0)
_FILLED_DOUBLE: Final = frozenset({Language.RUBY, Language.PHP, Language.SHELL})


@dataclass(slots=True)
class _Template:
    """A template string that is being read."""

    start: int
    braces: int = 0
    """Open braces of the expression being filled in."""
    pieces: list[tuple[int, int]] = field(default_factory=list)


class Source:
    """One text, tokenized. Everything but ``text`` is computed when first asked for."""

    def __init__(self, text: str, language: Language, path: str = "") -> None:
        self.text = text
        self.language = language
        self.path = path
        self._literals: list[Literal] = []
        self._hidden: list[tuple[int, int]] = []
        """What is no code: the insides of strings, and comments."""
        self._document = _NO_DOCUMENT
        """Where the here-document begins and ends whose marker was read last."""

    @cached_property
    def code(self) -> str:
        """The text with comments and the insides of strings as spaces; every offset stays the same."""
        self._read()
        pieces: list[str] = []
        at = 0
        for start, end in sorted(self._hidden):
            if start >= at:
                pieces += (self.text[at:start], " " * (end - start))
                at = end
        pieces.append(self.text[at:])
        return "".join(pieces)

    @cached_property
    def literals(self) -> list[Literal]:
        """All strings, by start."""
        _ = self.code
        return sorted(self._literals)

    @cached_property
    def _starts(self) -> list[int]:
        return [each.start for each in self.literals]

    def literals_in(self, start: int, end: int) -> list[Literal]:
        """Return the strings that begin in ``start .. end``."""
        return self.literals[bisect_left(self._starts, start) : bisect_left(self._starts, end)]

    @cached_property
    def _line_ends(self) -> list[int]:
        return [found.start() for found in re.finditer("\n", self.text)]

    def line(self, offset: int) -> int:
        """Return the number of the line of an offset, from 1."""
        return bisect_left(self._line_ends, offset) + 1

    @cached_property
    def brackets(self) -> dict[int, Bracket]:
        """Closing place and commas of every bracket that is closed, by the place of the opening one."""
        closed: dict[int, Bracket] = {}
        stack: list[tuple[int, str, list[int]]] = []
        for found in _BRACKETS.finditer(self.code):
            mark, place = found[0], found.start()
            if mark == ",":
                if stack:
                    stack[-1][2].append(place)
            elif mark not in _CLOSING:
                stack.append((place, mark, []))
            elif stack and stack[-1][1] == _CLOSING[mark]:
                start, _, commas = stack.pop()
                closed[start] = Bracket(start, place, tuple(commas))
            # a bracket that closes nothing is a fragment's: what it belongs to is not here
        return closed

    def inner(self, literal: Literal) -> str:
        """Return what stands between a string's quotes."""
        return self.text[literal.inner : literal.inner_end]

    # ---- reading ------------------------------------------------------------------------------------

    def _read(self) -> None:
        text, grammar = self.text, _GRAMMARS[self.language]
        templates: list[_Template] = []
        at = self._skip_html()
        while (found := grammar.search(text, at)) is not None:
            kind, start = found.lastgroup, found.start()
            if self._document[0] <= start:
                at, self._document = max(at, self._document[1]), _NO_DOCUMENT
                continue
            at = found.end()
            if kind == "comment":
                self._hidden.append((start, at))
            elif kind == "string":
                self._add_string(start, at)
            elif kind == "template":
                if len(templates) < MAX_NESTED_TEMPLATES:
                    at = self._read_template(_Template(start), at, templates)
            elif kind == "brace":
                at = self._at_brace(found[0], start, at, templates)
            elif kind == "slash":
                at = self._at_slash(start, at)
            elif kind == "other":
                continue
            else:
                self._at_heredoc(found)
        for template in templates:
            self._close_template(template, len(text))

    def _skip_html(self) -> int:
        """Return where PHP begins: a fragment without any marker is PHP throughout."""
        if self.language is not Language.PHP or "<?" not in self.text:
            return 0
        found = _HTML.match(self.text)
        end = found.end() if found else 0
        if end == len(self.text):
            return 0
        self._hidden.append((0, end))
        return end

    def _add_string(self, start: int, end: int) -> None:
        text, language = self.text, self.language
        quote = text[start]
        width = 3 if language in _TRIPLED and text.startswith(quote * 3, start) else 1
        inner = start + width
        inner_end = (
            end - width if end - start >= 2 * width and text.endswith(quote * width, start, end) else end
        )
        tag = ""
        fills_in = quote != "'" and language in _FILLED_DOUBLE
        if start and language is Language.PYTHON and text[start - 1].isalpha():
            prefix = _PYTHON_PREFIX.search(text, max(0, start - 3), start)
            tag = prefix[0].lower() if prefix else ""
            fills_in = "f" in tag or "t" in tag
        self._literals.append(Literal(start, end, inner, inner_end, fills_in, tag))
        if inner < inner_end:
            self._hidden.append((inner, inner_end))

    def _read_template(self, template: _Template, at: int, templates: list[_Template]) -> int:
        found = _TEMPLATE_PIECE.match(self.text, at)
        end = found.end() if found else at
        if found is not None and found["fill"] is not None:
            template.pieces.append((at, end - 2))
            template.braces = 0
            templates.append(template)
        else:
            closed = found is not None and found["end"] is not None
            template.pieces.append((at, end - closed))
            self._close_template(template, end, closed=closed)
        return end

    def _at_brace(self, brace: str, start: int, at: int, templates: list[_Template]) -> int:
        if not templates:
            return at
        if brace == "{":
            templates[-1].braces += 1
        elif templates[-1].braces:
            templates[-1].braces -= 1
        else:
            return self._read_template(templates.pop(), at, templates)
        return at

    def _close_template(self, template: _Template, end: int, *, closed: bool = False) -> None:
        tag = _TAG.search(self.text, max(0, template.start - 40), template.start)
        self._hidden.extend(template.pieces)
        self._literals.append(
            Literal(
                template.start,
                end,
                template.start + 1,
                max(template.start + 1, end - closed),
                len(template.pieces) > 1,
                tag[0] if tag else "",
            )
        )

    def _at_slash(self, start: int, at: int) -> int:
        """Skip a regular expression, so that quotes in it open no strings."""
        before = start - 1
        while before >= 0 and self.text[before] in " \t":
            before -= 1
        follows = before < 0 or self.text[before] in _REGEX_FOLLOWS
        if not follows and not _REGEX_WORDS.search(self.text, max(0, before - 9), before + 1):
            return at
        found = _REGEX.match(self.text, start)
        if found is None:
            return at
        self._hidden.append((start + 1, found.end()))
        return found.end()

    @cached_property
    def _terminators(self) -> dict[str, list[int]]:
        """Places of lines that consist of one word, by word: where here-documents may end."""
        places: dict[str, list[int]] = {}
        for found in _TERMINATOR.finditer(self.text):
            places.setdefault(found[1], []).append(found.start())
        return places

    def _at_heredoc(self, found: re.Match[str]) -> None:
        """Read a here-document as a string that stands where its marker is."""
        marked = found.end()
        body = self.text.find("\n", marked) + 1
        ends = self._terminators.get(found["word"], [])
        index = bisect_left(ends, body)
        if not body or index == len(ends):
            return
        self._literals.append(Literal(found.start(), marked, body, ends[index], found["quote"] != "'"))
        self._hidden += [(found.start("word"), found.end("word")), (body, ends[index])]
        self._document = (body, ends[index])


class Bracket(NamedTuple):
    """A pair of brackets."""

    start: int
    end: int
    """Place of the closing one."""
    commas: tuple[int, ...]

    def parts(self) -> Iterator[tuple[int, int]]:
        """Yield the places between the commas."""
        start = self.start + 1
        for comma in self.commas:
            yield start, comma
            start = comma + 1
        yield start, self.end


_TRIPLED: Final = frozenset({Language.PYTHON, Language.JAVA})
