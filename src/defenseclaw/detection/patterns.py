"""All patterns of a pack in one pass over a text.

One RE2 set says which patterns may occur; only those are searched again for their places. RE2 is linear in
the text whatever the pattern. A set whose automaton exceeds its memory answers "nothing found"; a pattern
that always matches stands in every set to tell that failure from a clean text.

The set does not count far: to know that a word has 32 characters its automaton needs a state for each of
them, times what else may be going on there, and building states is what a text costs that was never seen
before.

Source: ``DESIGN.md`` §4 "Patterns".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

import re2

from defenseclaw.errors import PackError

MAX_PATTERN_BYTES: Final = 2048
SET_MEMORY_BYTES: Final = 64 * 1024 * 1024
MAX_CANDIDATES: Final = 10_000
"""Places of one pattern in one text that are looked at; more is a finding of its own."""


class PatternOverload(Exception):
    """The text could not be searched to its end."""


class PatternSet:
    """The patterns of one subject, numbered in the order given."""

    def __init__(self, patterns: Sequence[tuple[str, str]]) -> None:
        """Compile ``(rule id, pattern)`` pairs; a rule may have several.

        Raises:
            PackError: A pattern is too long or not RE2; the message starts with the rule's id.
        """
        self._rule_ids = [rule_id for rule_id, _ in patterns]
        self._patterns = [_compiled(rule_id, source) for rule_id, source in patterns]
        self._groups = [each.groupindex.get("value", 0) for each in self._patterns]
        self._set = re2.Set.SearchSet(_options())
        for _, source in patterns:
            self._set.Add(_uncounted(source))
        # At the end of the text alone: a state that matches is counted anew at every byte.
        self._sentinel = self._set.Add(r"\z")
        try:
            self._set.Compile()
        except re2.error as error:
            raise PackError("the patterns together need too much memory") from error

    def __len__(self) -> int:
        return len(self._patterns)

    def matching(self, text: str | bytes) -> dict[str, list[int]]:
        """Return, per rule that may occur in ``text``, the numbers of its patterns; :meth:`spans` decides.

        Args:
            text: Any length; without lone surrogates, or as UTF-8.

        Raises:
            PatternOverload: The automaton ran out of memory.
        """
        if not self._patterns:
            return {}
        numbers = self._set.Match(text) or []
        if self._sentinel not in numbers:
            raise PatternOverload
        if len(numbers) == 1:
            return {}
        found: dict[str, list[int]] = {}
        for number in sorted(numbers):
            if number != self._sentinel:
                found.setdefault(self._rule_ids[number], []).append(number)
        return found

    def spans(self, number: int, text: str, utf8: bytes | None = None) -> Iterator[tuple[int, int]]:
        """Yield every place of one pattern, in characters, not overlapping, in order.

        A pattern with a group named ``value`` yields the place of that group.

        Args:
            number: Of the pattern.
            text: Without lone surrogates.
            utf8: The same text encoded, if the caller has it.

        Raises:
            PatternOverload: There are more than :data:`MAX_CANDIDATES` places.
        """
        encoded = text.encode() if utf8 is None else utf8
        is_ascii = len(encoded) == len(text)
        at = characters = 0
        pattern, group = self._patterns[number], self._groups[number]
        for count, match in enumerate(pattern.finditer(encoded)):
            if count >= MAX_CANDIDATES:
                raise PatternOverload
            start, end = match.span(group)
            if is_ascii:
                yield start, end
            else:
                characters += len(encoded[at:start].decode())
                at = start
                yield characters, characters + len(encoded[start:end].decode())


_COUNTED: Final = 25
"""Repetitions up to which the set counts."""
_REPEAT: Final = re.compile(
    r"\\[xp]\{[^}]*\}|\\.|\[\^?\]?(?:\[:\^?\w+:\]|\\[xp]\{[^}]*\}|\\.|[^\]\\])*\]"
    r"|\{(?P<least>\d+)(?:(?P<range>,)(?P<most>\d*))?\}",
    re.DOTALL,
)
"""A counted repetition; escapes and classes of characters, which hold braces of their own, are skipped."""


def _uncounted(source: str) -> str:
    """Return a pattern that occurs wherever ``source`` does and does not count beyond :data:`_COUNTED`."""
    return _REPEAT.sub(_without_count, source)


def _without_count(found: re.Match[str]) -> str:
    if found["least"] is None:
        return found[0]
    least = int(found["least"])
    most = least if found["range"] is None else int(found["most"] or _COUNTED + 1)
    if most <= _COUNTED:
        return found[0]
    if least > _COUNTED:
        return "+"
    return {0: "*", 1: "+"}.get(least, f"{{{least},}}")


def _options() -> re2.Options:
    options = re2.Options()
    options.max_mem = SET_MEMORY_BYTES
    options.log_errors = False
    return options


def _compiled(rule_id: str, source: str) -> re2._Regexp:
    if len(source.encode()) > MAX_PATTERN_BYTES:
        raise PackError(f"{rule_id}: pattern longer than {MAX_PATTERN_BYTES} bytes")
    try:
        pattern = re2.compile(source, _options())
    except re2.error as error:
        reason = error.args[0] if error.args else "invalid"
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise PackError(f"{rule_id}: pattern is not RE2: {text}") from error
    if pattern.fullmatch("") is not None:
        raise PackError(f"{rule_id}: pattern matches the empty text")
    return pattern
