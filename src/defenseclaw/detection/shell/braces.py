"""Brace expansion: ``{a,b}`` and ``{1..5}`` over the parts of a word."""

from __future__ import annotations

import re
from typing import TypeAlias

from defenseclaw.detection.shell.bounds import MAX_WORDS
from defenseclaw.detection.shell.syntax import Literal, Part

_SPECIAL = re.compile(r"[{},]")
_RANGE = re.compile(r"(?:(-?\d{1,9})\.\.(-?\d{1,9})|([A-Za-z])\.\.([A-Za-z]))(?:\.\.(-?\d{1,6}))?\Z")
_MAX_DEPTH = 16

_Unit: TypeAlias = "Part | str"
"""A part, or one of the marks ``{``, ``,`` and ``}``."""


def expand_braces(parts: list[Part]) -> tuple[list[list[Part]], bool]:
    """Return the words a word stands for, and whether the bound of 4096 words or 16 levels cut some off."""
    units = _units(parts)
    if len(units) > MAX_WORDS:
        return [parts], True
    closes, commas = _pairs(units)
    if not closes:
        return [parts], False
    builder = _Builder(units, closes, commas)
    return builder.build(0, len(units), 0), builder.cut


def _units(parts: list[Part]) -> list[_Unit]:
    units: list[_Unit] = []
    for part in parts:
        if not isinstance(part, Literal) or part.quoted:
            units.append(part)
            continue
        last = 0
        for match in _SPECIAL.finditer(part.text):
            if match.start() > last:
                units.append(Literal(part.text[last : match.start()], False))
            units.append(match.group())
            last = match.end()
        if last < len(part.text):
            units.append(Literal(part.text[last:], False))
    return units


def _pairs(units: list[_Unit]) -> tuple[dict[int, int], dict[int, list[int]]]:
    """Match braces; keep those with a comma of their own or a range inside."""
    closes: dict[int, int] = {}
    commas: dict[int, list[int]] = {}
    open_: list[int] = []
    seen: list[list[int]] = []
    for at, unit in enumerate(units):
        if unit == "{":
            open_.append(at)
            seen.append([])
        elif unit == "," and seen:
            seen[-1].append(at)
        elif unit == "}" and open_:
            start, own = open_.pop(), seen.pop()
            inner = units[start + 1] if at == start + 2 else None
            if own or (isinstance(inner, Literal) and not inner.quoted and _RANGE.match(inner.text)):
                closes[start] = at
                commas[start] = own
    return closes, commas


class _Builder:
    def __init__(self, units: list[_Unit], closes: dict[int, int], commas: dict[int, list[int]]) -> None:
        self._units = units
        self._closes = closes
        self._commas = commas
        self._room = 64 * MAX_WORDS
        self.cut = False

    def build(self, start: int, end: int, depth: int) -> list[list[Part]]:
        words: list[list[Part]] = [[]]
        at = start
        while at < end:
            unit = self._units[at]
            close = self._closes.get(at)
            if close is None or depth >= _MAX_DEPTH:
                self.cut = self.cut or close is not None
                piece = Literal(unit, False) if isinstance(unit, str) else unit
                self._room -= len(words)
                if self._room < 0:
                    self.cut = True
                    return words
                for word in words:
                    word.append(piece)
                at += 1
                continue
            words = self._product(words, self._alternatives(at, close, depth))
            at = close + 1
        return words

    def _alternatives(self, start: int, close: int, depth: int) -> list[list[Part]]:
        commas = self._commas[start]
        if not commas:
            inner = self._units[start + 1]
            text = inner.text if isinstance(inner, Literal) else ""
            return [[Literal(text, False)] for text in self._range(text)]
        out: list[list[Part]] = []
        at = start + 1
        for comma in [*commas, close]:
            out += self.build(at, comma, depth + 1)
            at = comma + 1
            if len(out) > MAX_WORDS:
                self.cut = True
                return out[:MAX_WORDS]
        return out

    def _range(self, text: str) -> list[str]:
        match = _RANGE.match(text)
        if match is None:
            return [text]
        low, high, first, last, step = match.groups()
        start, stop = (int(low), int(high)) if low is not None else (ord(first), ord(last))
        stride = abs(int(step)) if step else 1
        stride = stride or 1
        numbers = range(start, stop + 1, stride) if start <= stop else range(start, stop - 1, -stride)
        if len(numbers) > MAX_WORDS:
            self.cut = True
            numbers = numbers[:MAX_WORDS]
        if low is None:
            return [chr(number) for number in numbers]
        padded = any(len(bound.lstrip("-")) > 1 and bound.lstrip("-")[0] == "0" for bound in (low, high))
        width = max(len(low), len(high)) if padded else 0
        return [str(number).zfill(width) for number in numbers]

    def _product(self, words: list[list[Part]], endings: list[list[Part]]) -> list[list[Part]]:
        out: list[list[Part]] = []
        for word in words:
            for ending in endings:
                self._room -= len(word) + len(ending)
                if len(out) >= MAX_WORDS or self._room < 0:
                    self.cut = True
                    return out or words
                out.append(word + ending)
        return out
