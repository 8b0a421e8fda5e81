"""One strict JSON value out of the bytes of a body, in linear time whatever they hold.

UTF-8 only, one value, at most 64 levels and a million values, no NaN, the last of two equal keys wins.
A lone surrogate (``"\\ud83d"``, which JavaScript and Python write for text cut inside a character) becomes
U+FFFD. Source: ``DECISIONS.md`` "JSON".
"""

from __future__ import annotations

import re
from itertools import accumulate
from typing import Any, Generic, TypeVar

import msgspec

from defenseclaw.errors import BadJson

MAX_DEPTH = 64
MAX_VALUES = 1_000_000

_NOT_STRUCTURE = bytes(set(range(256)) - set(b'[]{}",'))
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_ESCAPES = re.compile(
    rb"\\(?:(?P<pair>u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_PIECE = 65536

T = TypeVar("T")


class TooDeep(BadJson):
    """More levels or more values than any agent sends."""


class Reader(Generic[T]):
    """Decodes bodies into one type.

    Args:
        shape: A msgspec type; a ``null`` body is read as an empty object.
    """

    def __init__(self, shape: type[T]) -> None:
        self._decoder = msgspec.json.Decoder(shape)

    def read(self, body: bytes) -> T:
        """Return the value in ``body``.

        Raises:
            TooDeep: it nests deeper than 64 or holds more than a million values.
            BadJson: it is not one JSON value in UTF-8, or not of the expected shape.
        """
        check_bounds(body)
        try:
            body.decode()
            return self._decoder.decode(b"{}" if body.strip() == b"null" else body)
        except msgspec.ValidationError as error:
            raise BadJson from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            if b"\\u" not in body or isinstance(error, RecursionError):
                raise BadJson from error
        return self._read_mended(body)

    def _read_mended(self, body: bytes) -> T:
        try:
            return self._decoder.decode(_ESCAPES.sub(_mended, body))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadJson from error


def check_bounds(body: bytes) -> None:
    """Refuse what nests too deep or holds too much, before anything is built of it.

    Raises:
        TooDeep: deeper than 64 levels or more than a million values.
    """
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH and body.count(b",") < MAX_VALUES:
        return
    structure = _outside_strings(body)
    steps = structure.replace(b",", b"")
    commas, opened = len(structure) - len(steps), len(steps) // 2
    if commas + opened > MAX_VALUES:
        raise TooDeep("JSON holds too many values")
    if max(accumulate(memoryview(steps.translate(_STEPS)).cast("b")), default=0) > MAX_DEPTH:
        raise TooDeep("JSON nests too deep")


def _outside_strings(body: bytes) -> bytes:
    """Return the brackets and commas that are not inside a string, in order.

    What is wrong outside strings does not matter here: the decoder refuses it.
    """
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = body.translate(None, _NOT_STRUCTURE)
    kept: list[bytes] = []
    inside = 0
    for start in range(0, len(marks), _PIECE):
        parts = marks[start : start + _PIECE].split(b'"')
        kept.extend(parts[inside::2])
        inside = (inside + len(parts) - 1) % 2
    return b"".join(kept)


def _mended(match: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if match["lone"] else match[0]


ANY: Reader[Any] = Reader(Any)
"""Reads a value of any shape."""
