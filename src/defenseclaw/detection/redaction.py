"""Secrets and personal data become placeholders that can be compared but not reversed.

A placeholder carries the length and eight hex digits of an HMAC-SHA-256 under the installation's key: equal
secrets look equal on one machine, and nobody without the key can test a guess.

Source: ``spec/guardrail.md`` §11; ``DECISIONS.md`` "Placeholders for secrets", "Replacement of results".
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from defenseclaw.detection.text import MAX_DEPTH, MAX_NODES, Leaf, Subject, encodable
from defenseclaw.vocabulary import JSON

Placeholder = Callable[[str], str]
"""Turns a text into the placeholder that stands for it."""

Finder = Callable[[str], Iterable[tuple[int, int]]]
"""Finds the secrets of a text: ``[start, end)`` in characters, any order, overlaps allowed."""

MIN_HASHED_BYTES: Final = 5
"""Shorter texts get no hash: there are too few of them to hide which one it was."""

MIN_PREFIXED_BYTES: Final = 10

_MAX_PLACEHOLDER_CHARS = 96
_EXACT = re.compile(
    r"<empty>"
    r"|<redacted len=(?:[1-9][0-9]{0,9})(?: sha=[0-9a-f]{8})?(?: prefix=\"[^\"<>\s]\")?>"
    r"|<redacted-evidence len=(?:[1-9][0-9]{0,9})(?: match=\[[0-9]{1,10}:[0-9]{1,10}\])?"
    r"(?: sha=[0-9a-f]{8})?>"
)


def is_placeholder(text: str) -> bool:
    """Whether ``text`` is exactly one placeholder, with nothing around it."""
    return len(text) <= _MAX_PLACEHOLDER_CHARS and _EXACT.fullmatch(text) is not None


def _digest(key: bytes, text: str) -> tuple[int, str]:
    raw = encodable(text).encode()
    return len(raw), hmac.new(key, raw, hashlib.sha256).hexdigest()[:8]


def make_placeholder(key: bytes) -> Placeholder:
    """Return the function that renders ``<redacted len=N sha=HHHHHHHH>`` under ``key``.

    ``len`` counts UTF-8 bytes. The empty text becomes ``<empty>``; fewer than five bytes carry no hash; what
    is a placeholder already comes back unchanged.

    Raises:
        ValueError: The key is empty.
    """
    return _maker(key, "redacted")


def make_evidence_placeholder(key: bytes) -> Placeholder:
    """Return the function that renders ``<redacted-evidence len=N sha=HHHHHHHH>``; else as above."""
    return _maker(key, "redacted-evidence")


def make_entity_placeholder(key: bytes) -> Placeholder:
    """As :func:`make_placeholder`, with ``prefix="x"`` (the first character) from ten bytes on.

    For names and addresses whose kind helps the reader; never for secrets or message content.
    """
    plain = make_placeholder(key)

    def placeholder(text: str) -> str:
        rendered = plain(text)
        first = text[:1]
        if rendered == text or len(encodable(text).encode()) < MIN_PREFIXED_BYTES:
            return rendered
        return f'{rendered[:-1]} prefix="{first}">' if first.isalnum() else rendered

    return placeholder


def _maker(key: bytes, word: str) -> Placeholder:
    if not key:
        raise ValueError("a placeholder needs a key")

    def placeholder(text: str) -> str:
        if not text:
            return "<empty>"
        if is_placeholder(text):
            return text
        size, digest = _digest(key, text)
        return f"<{word} len={size}>" if size < MIN_HASHED_BYTES else f"<{word} len={size} sha={digest}>"

    return placeholder


def merge_spans(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans sorted, overlapping and touching ones joined, empty ones dropped."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def mask_text(text: str, spans: Iterable[tuple[int, int]], placeholder: Placeholder) -> str:
    """Replace each span of ``text`` by its placeholder; spans that reach beyond the text are clipped."""
    pieces: list[str] = []
    position = 0
    for start, end in merge_spans(spans):
        start, end = max(start, 0), min(end, len(text))
        if start >= end:
            continue
        pieces += (text[position:start], placeholder(text[start:end]))
        position = end
    return "".join([*pieces, text[position:]])


def mask(value: JSON, scanned: Subject, spans: Iterable[tuple[int, int]], placeholder: Placeholder) -> JSON:
    """Return ``value`` in the same shape with every span replaced inside the strings it touches.

    Args:
        value: What ``scanned`` was made of.
        scanned: The subject of ``value``; its leaves say which part of its text is which string.
        spans: Ranges of ``scanned.text``, in any order; one may cross several strings.
        placeholder: From :func:`make_placeholder`.

    Returns:
        A new value; parts without a span are shared with ``value``. What was not scanned because it exceeds
        a bound is replaced whole, since nobody knows what it holds.
    """
    changed = _masked_leaves(scanned.leaves, scanned.text, merge_spans(spans), placeholder)
    if not changed and scanned.complete:
        return value
    return _Rebuild(value, changed, placeholder).result()


def _masked_leaves(
    leaves: Sequence[Leaf], text: str, spans: list[tuple[int, int]], placeholder: Placeholder
) -> dict[int, str]:
    """Return the new text of each leaf that a span touches, by its number in document order."""
    changed: dict[int, str] = {}
    remaining = iter(spans)
    span = next(remaining, None)
    for number, leaf in enumerate(leaves):
        inside: list[tuple[int, int]] = []
        while span is not None and span[0] < leaf.end:
            if span[1] > leaf.start:
                inside.append((span[0] - leaf.start, span[1] - leaf.start))
            if span[1] > leaf.end:
                break
            span = next(remaining, None)
        if inside:
            changed[number] = mask_text(text[leaf.start : leaf.end], inside, placeholder)
    return changed


class _Rebuild:
    """Walks a value in the order :mod:`defenseclaw.detection.text` does and puts changed strings in."""

    def __init__(self, value: JSON, changed: Mapping[int, str], placeholder: Placeholder) -> None:
        self._value = value
        self._changed = changed
        self._placeholder = placeholder
        self._leaf = 0
        self._nodes = 0

    def result(self) -> JSON:
        return self._visit(self._value, 0)

    def _string(self, text: str) -> str:
        number = self._leaf
        self._leaf += 1
        return self._changed.get(number, text)

    def _visit(self, value: JSON, depth: int) -> JSON:
        if isinstance(value, str):
            return self._string(value)
        if isinstance(value, Mapping):
            return self._mapping(value, depth) if depth < MAX_DEPTH else "<omitted>"
        if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
            return self._sequence(value, depth) if depth < MAX_DEPTH else "<omitted>"
        return value

    def _mapping(self, value: Mapping[str, JSON], depth: int) -> JSON:
        rebuilt: dict[str, JSON] = {}
        for key, child in value.items():
            if self._is_beyond():
                break
            name = self._string(str(key))
            while name in rebuilt:
                name += "'"
            rebuilt[name] = self._visit(child, depth + 1)
        return rebuilt

    def _sequence(self, value: Sequence[JSON], depth: int) -> JSON:
        rebuilt: list[JSON] = []
        for child in value:
            if self._is_beyond():
                break
            rebuilt.append(self._visit(child, depth + 1))
        return rebuilt

    def _is_beyond(self) -> bool:
        self._nodes += 1
        return self._nodes > MAX_NODES


def notice(rule_ids: Iterable[str]) -> str:
    """Return the line that takes the place of a text that carries instructions.

    Args:
        rule_ids: Ids of the findings, ours and free of content; at most five are named.
    """
    named = ", ".join(list(dict.fromkeys(rule_ids))[:5])
    return f"[DefenseClaw removed this content: it holds instructions that are not yours to follow ({named})]"


_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]{0,39}")
_SHAPE_KEYS: Final = frozenset(("type", "mediaType"))
"""Keys whose values say what a result is made of; without them the agent could not read it."""


def withhold(value: JSON, message: str) -> JSON:
    """Return ``value`` in its own shape with ``message`` in place of its first text and nothing else in it.

    Args:
        value: A result in the agent's own shape, or a text.
        message: One line; stands alone when ``value`` holds no text.

    Returns:
        Mappings keep keys that are names, lists their length, and true and false stay; other texts become
        empty, numbers 0, keys that could say something numbers, and what is nested deeper than
        :data:`MAX_DEPTH` null.
    """
    if value is None or isinstance(value, str):
        return message
    withheld = _Withheld(message)
    shape = withheld.visit(value, 0)
    return shape if withheld.is_shown else message


class _Withheld:
    """Walks a value and leaves its shape."""

    def __init__(self, message: str) -> None:
        self._message = message
        self.is_shown = False

    def visit(self, value: JSON, depth: int) -> JSON:
        if isinstance(value, str):
            first, self.is_shown = not self.is_shown, True
            return self._message if first else ""
        if isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return 0
        if depth >= MAX_DEPTH:
            return None
        if isinstance(value, Mapping):
            return {
                self._key(number, str(key)): self._child(key, child, depth)
                for number, (key, child) in enumerate(value.items())
            }
        if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
            return [self.visit(child, depth + 1) for child in value]
        return None

    def _key(self, number: int, key: str) -> str:
        return key if _NAME.fullmatch(key) else str(number)

    def _child(self, key: str, child: JSON, depth: int) -> JSON:
        if key in _SHAPE_KEYS and isinstance(child, str) and _NAME.fullmatch(child):
            return child
        return self.visit(child, depth + 1)


_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def clean_text(text: str, placeholder: Placeholder, *, find: Finder | None = None, limit: int = 512) -> str:
    """Make a text from outside fit for a log line, an audit row or a terminal.

    Control characters except tab, line separators, direction overrides and other invisible characters become
    spaces; secrets become placeholders; what exceeds ``limit`` is cut and marked with an ellipsis.

    Args:
        text: Anything a caller or an agent sent.
        placeholder: From :func:`make_placeholder`.
        find: Finds secrets; None when the text cannot hold any.
        limit: Characters of the result, at least 1.
    """
    # Secrets go first and from the whole text: an escape inside one or a cut through one would hide it.
    masked = mask_text(text, find(text), placeholder) if find is not None else text
    cut = masked if len(masked) <= limit else masked[: limit - 1] + "…"
    if cut.isascii() and cut.isprintable():
        return cut
    return "".join(
        " " if char != "\t" and unicodedata.category(char) in _UNSAFE_CATEGORIES else char for char in cut
    )
