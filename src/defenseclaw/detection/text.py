"""What text of an event is scanned, and the other readings of that text.

:func:`subject` lays all strings of an event out as one text whose offsets map back to the strings;
:func:`views` yields the readings an attacker or an encoder may have hidden something in: escapes and
invisible characters undone, neighbouring list items read as one, encoded tokens decoded. Every span found
in a view maps back to the subject, so that one function can mask it there.

Everything is linear in the size of the input. Source: ``spec/guardrail.md`` §1.5; ``DECISIONS.md``
"Oversized, too deep, undecodable".
"""

from __future__ import annotations

import binascii
import html
import re
import unicodedata
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

import re2
from msgspec import Struct

from defenseclaw.vocabulary import JSON, Event, EventKind

MAX_NODES = 1_000_000
"""JSON values visited in one event; what lies behind is not scanned and :attr:`Subject.complete` is False."""

MAX_DEPTH = 128
"""Nesting visited; doors refuse more than 64, so this only guards values that came in another way."""

MAX_INFLATED = 1 << 20
"""Characters that all compressed tokens of one text may grow to."""

_AFTER_KEY = ":\n"
_AFTER_LEAF = "\n"


class Leaf(NamedTuple):
    """One string of an event and its place in the subject's text."""

    start: int
    end: int
    pointer: str
    """RFC 6901 pointer to the value; for a key, to the value it names."""
    is_key: bool = False
    in_list: bool = False
    """A string that follows another string directly in the same list."""


class Subject(Struct, kw_only=True):
    """All strings of an event as one text."""

    text: str
    """Leaves in document order; a key is followed by ``:`` and a line break, a value by a line break.
    Lone surrogates are replaced by U+FFFD, one for one, so that the text can be encoded."""
    leaves: tuple[Leaf, ...]
    complete: bool = True
    """False when the event exceeded :data:`MAX_NODES` or :data:`MAX_DEPTH`; the text is then a part of it."""
    utf8: bytes
    """The text encoded."""
    readings: list[View] = []
    """What :func:`views` found, since more than one lane asks for it."""


_Walked = tuple[str, str, bool, bool]
"""A string, its pointer, whether it is a key, whether it follows a string in a list."""


def _children(value: JSON, pointer: str) -> Iterator[tuple[str | None, JSON, str, bool]]:
    """Yield ``(key, child, pointer, follows a string)`` for each child of a container."""
    if isinstance(value, (dict, Mapping)):
        for key, child in value.items():
            name = str(key)
            yield name, child, f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}", False
    elif isinstance(value, Sequence):
        previous: JSON = None
        for index, child in enumerate(value):
            yield None, child, f"{pointer}/{index}", isinstance(previous, str)
            previous = child


class _Walk:
    """Document-order walk over the strings of a value, without recursion, bounded."""

    def __init__(self, value: JSON) -> None:
        self.value = value
        self.complete = True

    def __iter__(self) -> Iterator[_Walked]:
        if isinstance(self.value, str):
            yield self.value, "", False, False
            return
        stack = [_children(self.value, "")]
        nodes = 0
        while stack:
            entry = next(stack[-1], None)
            if entry is None:
                stack.pop()
                continue
            nodes += 1
            if nodes > MAX_NODES:
                self.complete = False
                return
            key, child, pointer, follows = entry
            if key is not None:
                yield key, pointer, True, False
            if isinstance(child, str):
                yield child, pointer, False, follows
            elif isinstance(child, Mapping | Sequence) and not isinstance(child, bytes | bytearray):
                if len(stack) >= MAX_DEPTH:
                    self.complete = False
                else:
                    stack.append(_children(child, pointer))


def strings_of(value: JSON) -> list[str]:
    """Return every string of a JSON value, keys included, in document order.

    Bounded by :data:`MAX_NODES` and :data:`MAX_DEPTH`.
    """
    return [text for text, *_ in _Walk(value)]


def subject_of(value: JSON, *extra: str) -> Subject:
    """Return the subject of a JSON value; ``extra`` texts follow as leaves of their own (pointer ``#``)."""
    pieces: list[str] = []
    leaves: list[Leaf] = []
    position = 0
    walk = _Walk(value)
    for text, pointer, is_key, in_list in walk:
        end = position + len(text)
        leaves.append(Leaf(position, end, pointer, is_key, in_list))
        separator = _AFTER_KEY if is_key else _AFTER_LEAF
        pieces += (text, separator)
        position = end + len(separator)
    for text in extra:
        leaves.append(Leaf(position, position + len(text), "#"))
        pieces += (text, _AFTER_LEAF)
        position += len(text) + len(_AFTER_LEAF)
    # A text of one leaf stays what it is, without a line break its author did not write.
    joined = "".join(pieces[:-1] if len(leaves) == 1 and not leaves[0].is_key else pieces)
    whole, utf8 = _encoded(joined)
    return Subject(text=whole, leaves=tuple(leaves), complete=walk.complete, utf8=utf8)


def subject(event: Event) -> Subject:
    """Return what is scanned of an event.

    A tool call: its arguments; a tool result: ``result``; any other kind: ``text``. A call or result that
    carries text of its own (a message tool) has it scanned too.
    """
    if event.kind is EventKind.TOOL_CALL:
        value = event.args
    elif event.kind is EventKind.TOOL_RESULT:
        value = event.result
    else:
        return subject_of(event.text)
    if value is None:
        return subject_of(event.text)
    return subject_of(value, event.text) if event.text else subject_of(value)


_SURROGATES = re.compile("[\ud800-\udfff]")


def encodable(text: str) -> str:
    """Replace each lone surrogate by U+FFFD; everything behind (RE2, SQLite, JSON) needs valid UTF-8."""
    return _encoded(text)[0]


def _encoded(text: str) -> tuple[str, bytes]:
    """Return :func:`encodable` text with its UTF-8, which had to be made to know."""
    try:
        return text, text.encode()
    except UnicodeEncodeError:
        text = _SURROGATES.sub("\ufffd", text)
        return text, text.encode()


class View:
    """One reading of a subject's text.

    ``note`` is empty for the text itself, else ``normalized``, ``joined`` or ``encoded``.
    """

    __slots__ = ("_locate", "_utf8", "note", "text")

    def __init__(
        self,
        text: str,
        note: str,
        locate: Callable[[int, int], tuple[int, int]],
        utf8: bytes | None = None,
    ) -> None:
        self.text = text
        self.note = note
        self._locate = locate
        self._utf8 = utf8

    @property
    def utf8(self) -> bytes:
        """The text as it is searched; encoded once, since every search needs it."""
        if self._utf8 is None:
            self._utf8 = self.text.encode()
        return self._utf8

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Map ``[start, end)`` of this view to the smallest range of the subject's text that made it."""
        return self._locate(start, end)

    def __repr__(self) -> str:
        return f"<view {self.note or 'plain'} len={len(self.text)}>"


def views(scanned: Subject) -> Iterator[View]:
    """Yield the text itself, then each further reading that differs from it; at most four in all.

    Order: plain, normalized, joined, encoded. The normalized one leaves out what is far from everything that
    is written differently there. A rule that hits in an earlier view need not be looked for in a later one,
    but its span there may be masked too.
    """
    if not scanned.readings:
        scanned.readings.extend(_views(scanned))
    yield from scanned.readings


def _views(scanned: Subject) -> Iterator[View]:
    plain = View(scanned.text, "", lambda start, end: (start, end), scanned.utf8)
    yield plain
    normalized = _normalize(plain)
    if normalized is not None:
        yield normalized
    joined = _join_list_items(scanned)
    if joined is not None:
        yield joined
    encoded = _decode(plain, normalized)
    if encoded is not None:
        yield encoded


# Escapes and look-alikes ----------------------------------------------------------------------------------

_INVISIBLE = (
    r"\x{ad}\x{34f}\x{61c}\x{115f}\x{1160}\x{17b4}\x{17b5}\x{180e}\x{200b}-\x{200f}\x{202a}-\x{202e}"
    r"\x{2060}-\x{206f}\x{3164}\x{fe00}-\x{fe0f}\x{feff}\x{ffa0}\x{fff9}-\x{fffb}\x{e0000}-\x{e0fff}"
)
# Blocks whose characters have an ASCII compatibility form worth reading: full-width, mathematical, enclosed,
# letter-like, raised and lowered, Roman, ligatures, small forms, odd spaces. Typographic ones that turn up in
# honest prose and hide nothing (ellipsis, trade mark, fractions, the full-width punctuation of Chinese and
# Japanese) stay out.
_LOOK_ALIKE = (
    r"\x{a0}\x{aa}\x{b2}\x{b3}\x{b9}\x{ba}\x{17f}\x{2b0}-\x{2b8}\x{1d2c}-\x{1d6a}\x{2000}-\x{200a}\x{202f}"
    r"\x{205f}\x{2070}-\x{209c}\x{2100}-\x{2121}\x{2123}-\x{214f}\x{2160}-\x{217f}\x{2460}-\x{24ea}\x{3000}"
    r"\x{fb00}-\x{fb06}\x{fe50}-\x{fe6b}\x{ff02}-\x{ff07}\x{ff0a}\x{ff0b}\x{ff0d}-\x{ff19}\x{ff1c}-\x{ff1e}"
    r"\x{ff20}-\x{ff5e}\x{1d400}-\x{1d7ff}\x{1f100}-\x{1f1ff}"
    r"\x{1fbf0}-\x{1fbf9}"
)
_AFTER_AMPERSAND = r"(?:#[0-9]{2,3}|#[xX][0-9a-fA-F]{2}|quot|amp|apos);"
_SURROGATE_PAIR = r"[dD][89abAB][0-9a-fA-F]{2}\\{1,8}u[dD][c-fC-F][0-9a-fA-F]{2}"
_CODE_POINT = rf"{_SURROGATE_PAIR}|0026{_AFTER_AMPERSAND}|[0-9a-fA-F]{{4}}"
_AFTER_BACKSLASH = rf"""\\{{0,7}}(?:[nrt"'/]|u(?:{_CODE_POINT})|x[0-9a-fA-F]{{2}})"""
_AFTER_PERCENT = r"(?:25){0,4}(?:0[9aAdD]|[2-7][0-9a-fA-F])"


def _as_python(ranges: str) -> str:
    """Rewrite RE2's code point escapes the way :mod:`re` spells them."""
    return re.sub(r"\\x\{([0-9a-f]+)\}", lambda found: rf"\U{int(found[1], 16):08x}", ranges)


_UNICODE = _INVISIBLE + _LOOK_ALIKE
_UNICODE_GATE = re2.compile(f"[{_UNICODE}]")
"""Finds out at RE2's speed whether any character is to be folded."""
_NON_ASCII = "unicode"
_ESCAPES = {"\\": _AFTER_BACKSLASH, "%": _AFTER_PERCENT, "&": _AFTER_AMPERSAND}
_ESCAPE_GATES = {kind: re2.compile(re.escape(kind) + after) for kind, after in _ESCAPES.items()}
"""Find out whether there is an escape: RE2 skips to the one character it begins with at memory's speed."""
_ASCII_BYTES = bytes(range(128))


@lru_cache(maxsize=16)
def _foldable(kinds: tuple[str, ...]) -> re.Pattern[str]:
    """Return what finds the escapes that begin with each of ``kinds``, and foldable characters.

    What a unit begins with stands first and outside: :mod:`re` skips to a first character several times
    faster than it tries alternatives at every place, and to one known character faster than to a set.
    The unit as a whole is a group, so that splitting a text at the units returns them as well.
    """
    if len(kinds) == 1:
        (kind,) = kinds
        unit = f"[{_UNICODE}]{{1,64}}" if kind == _NON_ASCII else re.escape(kind) + _ESCAPES[kind]
        return re.compile(_as_python(f"({unit})"))
    escapes = "".join(re.escape(kind) for kind in kinds if kind != _NON_ASCII)
    tails = [rf"(?<={re.escape(kind)}){_ESCAPES[kind]}" for kind in kinds if kind != _NON_ASCII]
    if _NON_ASCII not in kinds:
        return re.compile(f"([{escapes}](?:{'|'.join(tails)}))")
    tails.append(rf"(?<![{escapes}])[{_UNICODE}]{{0,63}}")
    return re.compile(_as_python(f"([{escapes}{_UNICODE}](?:{'|'.join(tails)}))"))


def _kinds_in(text: str, utf8: bytes) -> tuple[str, ...]:
    """Return with what the units begin that are to be folded in ``text``."""
    # Many a command holds ``&&``; what an entity begins with ends in a semicolon.
    kinds = [
        kind
        for kind, gate in _ESCAPE_GATES.items()
        if kind in text and (kind != "&" or ";" in text) and gate.search(utf8) is not None
    ]
    if len(utf8) != len(text) and _holds_unicode(utf8):
        kinds.append(_NON_ASCII)
    return tuple(kinds)


def _holds_unicode(utf8: bytes) -> bool:
    return _UNICODE_GATE.search(utf8.translate(None, _ASCII_BYTES)) is not None


_INVISIBLE_RUN = re.compile(_as_python(f"[{_INVISIBLE}]+"))
_WHITESPACE_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_ONE_ESCAPE = len("uffff")


def _pair(escapes: str) -> str:
    """Return the character that two escapes stand for: a high surrogate and a low one."""
    high, low = int(escapes[1:_ONE_ESCAPE], 16), int(escapes[-4:], 16)
    return chr(0x10000 + ((high & 0x3FF) << 10) + (low & 0x3FF))


@lru_cache(maxsize=4096)
def _folded(unit: str) -> str:
    """Return what one match of :func:`_foldable` stands for."""
    first = unit[0]
    if first == "%":
        return chr(int(unit[-2:], 16))
    if first == "&":
        return html.unescape(unit)
    if first != "\\":
        return unicodedata.normalize("NFKC", _INVISIBLE_RUN.sub("", unit))
    tail = unit.lstrip("\\")
    if tail[0] not in "ux":
        return _WHITESPACE_ESCAPES.get(tail, tail)
    if tail[-1] == ";":
        return html.unescape("&" + tail[_ONE_ESCAPE:])
    character = _pair(tail) if len(tail) > _ONE_ESCAPE else encodable(chr(int(tail[1:], 16)))
    return unicodedata.normalize("NFKC", _INVISIBLE_RUN.sub("", character))


def fold(text: str, utf8: bytes | None = None) -> View | None:
    """Return ``text`` with escapes and percent-encoding undone and look-alike characters folded to ASCII.

    Invisible characters disappear. None when there is nothing to fold, which costs little to find out.

    Args:
        text: Without lone surrogates.
        utf8: The same text encoded, if the caller has it.
    """
    kinds = _kinds_in(text, text.encode() if utf8 is None else utf8)
    if not kinds:
        return None
    foldable = _foldable(kinds)
    pieces = foldable.split(text)
    pieces[1::2] = map(_folded, pieces[1::2])
    return View("".join(pieces), "normalized", _FoldedOffsets(text, foldable))


STRETCH: Final = 1024
"""Characters in which something foldable is looked for at a time; as many on each side are read anew."""
_CUT: Final = "\n~ "
"""Stands between two stretches, so that neither a token nor a sentence seems to begin where one was cut."""


def _normalize(plain: View) -> View | None:
    """Return what :func:`fold` makes of the stretches around foldable characters; None without any."""
    text = plain.text
    kinds = _kinds_in(text, plain.utf8)
    if not kinds:
        return None
    stretches = _stretches(text, kinds)
    if stretches == [(0, len(text))]:
        return fold(text, plain.utf8)
    folded = [(start, fold(text[start:end])) for start, end in stretches]
    read = [(start, each) for start, each in folded if each is not None]
    begins = [0]
    for _, each in read:
        begins.append(begins[-1] + len(each.text) + len(_CUT))

    def locate(start: int, end: int) -> tuple[int, int]:
        first = min(bisect_right(begins, start), len(read)) - 1
        last = max(first, min(bisect_right(begins, max(start, end - 1)), len(read)) - 1)
        (base, one), (end_base, other) = read[first], read[last]
        begin = min(start - begins[first], len(one.text))
        finish = min(end - begins[last], len(other.text))
        return base + one.original(begin, begin + 1)[0], end_base + other.original(finish - 1, finish)[1]

    return View(_CUT.join(each.text for _, each in read), "normalized", locate) if read else None


def _stretches(text: str, kinds: tuple[str, ...]) -> list[tuple[int, int]]:
    """Return ``(start, end)`` of all that is near something foldable, cut where white space allows."""
    found: list[tuple[int, int]] = []
    for start in range(0, len(text), STRETCH):
        if not _holds_any(kinds, text, start, start + STRETCH + _LONGEST_UNIT):
            continue
        low, high = max(0, start - STRETCH), min(len(text), start + 2 * STRETCH)
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], high)
        else:
            space = max(text.rfind("\n", low, low + _LONGEST_WORD), text.rfind(" ", low, low + _LONGEST_WORD))
            found.append((space + 1 if low and space >= 0 else low, high))
    return found


def _holds_any(kinds: tuple[str, ...], text: str, start: int, end: int) -> bool:
    """Whether a unit stands in ``text[start:end]``; mostly not even what one begins with does."""
    for kind in kinds:
        if kind == _NON_ASCII:
            stretch = text[start:end]
            if not stretch.isascii() and _holds_unicode(stretch.encode()):
                return True
        elif text.find(kind, start, end) >= 0 and _foldable((kind,)).search(text, start, end) is not None:
            return True
    return False


_LONGEST_UNIT: Final = 64
_LONGEST_WORD: Final = 256


class _FoldedOffsets:
    """Maps offsets of folded text back; the map is only built when something was found there."""

    __slots__ = ("_ends", "_foldable", "_starts", "_text", "_view_starts")

    def __init__(self, text: str, foldable: re.Pattern[str]) -> None:
        self._text = text
        self._foldable = foldable
        self._view_starts: list[int] = []
        self._starts: list[int] = []
        self._ends: list[int] = []

    def _build(self) -> None:
        """Cut the text into verbatim stretches and folded units, each with its offset in the view."""
        view = position = 0
        for found in self._foldable.finditer(self._text):
            start, end = found.span()
            self._add(view, position, start)
            view += start - position
            self._add(view, start, end)
            view += len(_folded(found[0]))
            position = end
        self._add(view, position, len(self._text))

    def _add(self, view: int, start: int, end: int) -> None:
        self._view_starts.append(view)
        self._starts.append(start)
        self._ends.append(end)

    def _index(self, offset: int) -> int:
        # Of stretches that begin at one view offset (folded to nothing) the last one holds the character.
        return bisect_right(self._view_starts, offset) - 1

    def _is_verbatim(self, index: int) -> bool:
        return index % 2 == 0

    def __call__(self, start: int, end: int) -> tuple[int, int]:
        if not self._view_starts:
            self._build()
        first, last = self._index(start), self._index(max(start, end - 1))
        begin = self._starts[first]
        finish = self._ends[last]
        if self._is_verbatim(first):
            begin += start - self._view_starts[first]
        if self._is_verbatim(last):
            finish = self._starts[last] + max(start, end - 1) - self._view_starts[last] + 1
        return begin, finish


# Texts made of pieces -------------------------------------------------------------------------------------


class _Piece(NamedTuple):
    """A stretch of a composed view and where it comes from."""

    text: str
    start: int
    end: int
    verbatim: bool
    """Offsets inside the piece count; otherwise any part of it stands for the whole source range."""


def _compose(pieces: Sequence[_Piece], separator: str, note: str) -> View:
    starts: list[int] = []
    position = 0
    for piece in pieces:
        starts.append(position)
        position += len(piece.text) + len(separator)

    def locate(start: int, end: int) -> tuple[int, int]:
        first = max(0, bisect_right(starts, start) - 1)
        last = max(first, bisect_right(starts, max(start, end - 1)) - 1)
        begin, finish = pieces[first].start, pieces[last].end
        if pieces[first].verbatim:
            begin += min(start - starts[first], len(pieces[first].text))
        if pieces[last].verbatim:
            finish = min(finish, pieces[last].start + end - starts[last])
        return begin, finish

    return View(separator.join(piece.text for piece in pieces), note, locate)


_SEAM_CHARS = 256
"""Characters on each side of a seam between two list items that are read together."""


def _join_list_items(scanned: Subject) -> View | None:
    """Read neighbouring strings of a list as one text: a token cut in two is still a token.

    Each run of items is read whole, and each pair of it by itself, because an item before the token
    (``curl``) would take away the word boundary it starts at.
    """
    pieces: list[_Piece] = []
    for items in _touching_items(scanned):
        pieces += (_verbatim(scanned, leaf.start, leaf.end) for leaf in items)
        pieces.append(_Piece("\n", items[-1].end, items[-1].end, True))
        if len(items) == 2:
            continue
        for left, right in pairwise(items):
            pieces.append(_verbatim(scanned, max(left.start, left.end - _SEAM_CHARS), left.end))
            pieces.append(_verbatim(scanned, right.start, min(right.end, right.start + _SEAM_CHARS)))
            pieces.append(_Piece("\n", right.end, right.end, True))
    return _compose(pieces, "", "joined") if pieces else None


def _verbatim(scanned: Subject, start: int, end: int) -> _Piece:
    return _Piece(scanned.text[start:end], start, end, True)


def _touching_items(scanned: Subject) -> Iterator[list[Leaf]]:
    """Yield each longest run of two or more list items without white space or non-ASCII where they meet."""
    items: list[Leaf] = []
    for leaf in scanned.leaves:
        if leaf.in_list and items and _touch(scanned.text, items[-1], leaf):
            items.append(leaf)
            continue
        if len(items) > 1:
            yield items
        items = [leaf]
    if len(items) > 1:
        yield items


def _touch(text: str, left: Leaf, right: Leaf) -> bool:
    seam = (
        text[max(left.start, left.end - 1) : left.end] + text[right.start : min(right.end, right.start + 1)]
    )
    return len(seam) == 2 and seam.isascii() and not any(char.isspace() for char in seam)


# Encoded tokens -------------------------------------------------------------------------------------------

_TOKEN_BYTES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-"
_SHORTEST_TOKEN = 24
"""Long enough for the shortest secret."""
_SHORT = 4096
"""Bytes up to which looking for a run of that length is faster than the search."""
_WRAPPED_AT = range(60, 77)
"""Base64 wrapped at 60 to 76 columns is one token."""
_HEX = re.compile(rb"(?:0x)?((?:[0-9a-fA-F]{2}){20,})\Z")
_SHORTEST_READABLE = 16
_MARK = b"x"
_AS_TOKEN = bytes(_MARK[0] if byte in _TOKEN_BYTES else 32 for byte in range(256))
_AS_READABLE = bytes(_MARK[0] if byte in b"\t\n\r" or 32 <= byte < 127 else 0 for byte in range(256))
_TAG_BYTES = b"\xf3\xa0"
"""What every tag character begins with in UTF-8."""
_ESCAPED_TAG = re2.compile(r"\\u[dD][bB]40")
_TAGS = re.compile("[\U000e0020-\U000e007e]{8,}")
_ESCAPED_TAGS = re.compile(r"(?i)(?:\\{1,8}udb40\\{1,8}udc(?:[2-6][0-9a-f]|7[0-9a-e])){8,}")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def _decode(plain: View, normalized: View | None) -> View | None:
    """Return the readable contents of all encoded tokens, one per line, decoded twice.

    A token may hold escapes, so it is looked for in both readings; text in tag characters only in ``plain``,
    since folding drops those.
    """
    budget = [MAX_INFLATED]
    pieces = [_Piece(content, start, end, False) for start, end, content in _tagged(plain)]
    known: set[tuple[int, int]] = set()
    for base in (plain, normalized) if normalized else (plain,):
        for start, end, content in _decoded_tokens(base.utf8, budget):
            source = base.original(start, end)
            if source not in known:
                known.add(source)
                pieces += _readings_of(content, source, budget)
    return _compose(pieces, "\n", "encoded") if pieces else None


def _readings_of(content: str, source: tuple[int, int], budget: list[int]) -> Iterator[_Piece]:
    """Yield what a token holds: as it is, with escapes undone, and what tokens inside it hold."""
    yield _Piece(content, *source, False)
    utf8 = content.encode()
    inner = fold(content, utf8)
    if inner is not None:
        yield _Piece(inner.text, *source, False)
    for _, _, nested in _decoded_tokens(utf8, budget):
        yield _Piece(nested, *source, False)


def _decoded_tokens(utf8: bytes, budget: list[int]) -> Iterator[tuple[int, int, str]]:
    """Yield ``(start, end, content)``, in characters, for each token that decodes to something readable."""
    at = characters = 0
    for start, end in _tokens(utf8):
        content = _decode_token(utf8[start:end], budget)
        if content is not None:
            characters += len(utf8[at:start].decode())
            at = start
            yield characters, characters + end - start, content


_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def _digits(allowed: Callable[[int], bool]) -> str:
    """Return the class of base64 digits whose value is ``allowed``, in both alphabets."""
    return "[" + "".join(re.escape(char) for value, char in enumerate(_ALPHABET) if allowed(value)) + "_-]"


_FIRST: Final = _digits(lambda value: 8 <= value < 32 or value in (2, 3))
_SECOND: Final = _digits(lambda value: value & 15 in (0, 2, 3, 4, 5, 6, 7))
_THIRD: Final = _digits(lambda value: not value & 2)
_ANY: Final = "[A-Za-z0-9+/_-]"
_WORTH_DECODING: Final = re2.compile(
    # three readable bytes at a time, in base64 and in hexadecimal
    f"(?:{_FIRST}{_SECOND}{_THIRD}{_ANY}){{5}}|(?:[2-7][0-9a-fA-F]|0[9aAdD]){{16}}"
    # every other byte is zero: UTF-16
    f"|(?:{_ANY}[AQgw][A-D]{_ANY}A[A-P]{_ANY}A){{2}}|(?:[2-7][0-9a-fA-F]00){{6}}"
    # begins as compressed data does
    "|(?:^|[^A-Za-z0-9+/_-])(?:H4sI|eJ[w-z]|eA[E-H]|eN[o-r]|1[fF]8[bB]|78(?:9[cC]|01|[dD][aA]))"
)
"""What something readable looks like in an encoding; digests and random tokens hold hardly any of it."""


def _tokens(utf8: bytes) -> Iterator[tuple[int, int]]:
    """Yield ``(start, end)``, in bytes, of each longest run of 24 or more characters that is worth decoding.

    Two padding characters behind it belong to it, and so do the neighbouring lines of wrapped base64.
    """
    if len(utf8) <= _SHORT and _MARK * _SHORTEST_TOKEN not in utf8.translate(_AS_TOKEN):
        return
    end = 0
    marked = b""
    for found in _WORTH_DECODING.finditer(utf8):
        marked = marked or utf8.translate(_AS_TOKEN)
        if found.end() <= end:
            continue
        start = marked.rfind(b" ", end, found.end() - 1) + 1 or end
        finish = _end_of(marked, start)
        if finish - start < _SHORTEST_TOKEN:
            continue
        start = _first_line(utf8, marked, start, end)
        end = _last_line(utf8, marked, finish)
        yield start, end


def _end_of(marked: bytes, start: int) -> int:
    end = marked.find(b" ", start)
    return end if end >= 0 else len(marked)


def _first_line(utf8: bytes, marked: bytes, start: int, lowest: int) -> int:
    """Return where the first of the wrapped lines begins that end right before ``start``."""
    while True:
        line_end = start - (2 if utf8.startswith(b"\r\n", start - 2) else 1)
        if line_end <= lowest or utf8[line_end:start] not in (b"\n", b"\r\n"):
            return start
        line = marked.rfind(b" ", lowest, line_end) + 1 or lowest
        if line_end - line not in _WRAPPED_AT:
            return start
        start = line


def _last_line(utf8: bytes, marked: bytes, end: int) -> int:
    """Return where the last of the wrapped lines ends, with its padding, of which one ends at ``end``."""
    line = marked.rfind(b" ", 0, end) + 1
    while end - line in _WRAPPED_AT:
        following = end + (2 if utf8.startswith(b"\r\n", end) else 1)
        if utf8[end:following] not in (b"\n", b"\r\n") or not marked.startswith(
            _MARK * _SHORTEST_TOKEN, following
        ):
            break
        line, end = following, _end_of(marked, following)
    padding = utf8[end : end + 2]
    return end + len(padding) - len(padding.lstrip(b"="))


def _tagged(plain: View) -> Iterator[tuple[int, int, str]]:
    """Yield what is written in Unicode tag characters, which no screen shows and every model reads."""
    # One byte is found several times faster than two, and most texts do not hold it.
    if _TAG_BYTES[0] in plain.utf8 and _TAG_BYTES in plain.utf8:
        for tags in _TAGS.finditer(plain.text):
            yield tags.start(), tags.end(), "".join(chr(ord(char) - 0xE0000) for char in tags[0])
    if b"\\" in plain.utf8 and _ESCAPED_TAG.search(plain.utf8):
        for tags in _ESCAPED_TAGS.finditer(plain.text):
            pairs = tags[0].lower().split("udb40")[1:]
            yield tags.start(), tags.end(), "".join(chr(int(pair.rstrip("\\")[-2:], 16)) for pair in pairs)


def _decode_token(token: bytes, budget: list[int]) -> str | None:
    as_hex = _HEX.match(token)
    if as_hex:
        return _readable(binascii.unhexlify(as_hex[1]), budget)
    # Base64 of anything worth reading mixes cases; snake_case names, paths and digests do not.
    if token.islower() or token.isupper():
        return None
    compact = token.translate(_URL_SAFE, b"\r\n=")
    compact = compact[: len(compact) - (len(compact) % 4 == 1)]
    try:
        raw = binascii.a2b_base64(compact + b"=" * (-len(compact) % 4))
    except binascii.Error:
        return None
    return _readable(raw, budget)


def _readable(raw: bytes, budget: list[int]) -> str | None:
    """Return bytes as text if any of it can be read, inflating gzip and zlib within ``budget``."""
    if raw[:2] in (b"\x1f\x8b", b"\x78\x9c", b"\x78\x01", b"\x78\xda"):
        raw = _inflate(raw, budget)
    if raw.isascii() and b"\0" not in raw:
        return raw.decode("ascii")
    if raw.count(0) * 3 > len(raw):
        return raw.decode("utf-16-le", "replace")
    if _MARK * _SHORTEST_READABLE not in raw.translate(_AS_READABLE):
        return None
    return raw.decode("utf-8", "replace")


def _inflate(raw: bytes, budget: list[int]) -> bytes:
    try:
        inflated = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(raw, max(1, budget[0]))
    except zlib.error:
        return raw
    budget[0] -= len(inflated)
    return inflated
