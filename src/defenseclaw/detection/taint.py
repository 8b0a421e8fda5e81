"""Secret values that a result showed, recognised again in what leaves the machine.

A value is cut into pieces at characters that seldom stand inside a secret; of each piece a keyed fingerprint
is remembered, never the piece. What a later call sends is cut the same way, in every reading of it (decoded,
evaluated), and compared. A value that was split further, or encoded in a way that no reading undoes, is not
recognised: that secrets were shown at all is a flag of its own.

Source: ``DESIGN.md`` §7; ``spec/guardrail.md`` §8 "fingerprint_chain".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

from defenseclaw.detection.facts import Facts
from defenseclaw.detection.text import encodable, views

if TYPE_CHECKING:
    from defenseclaw.detection.engine import Detection

MIN_PIECE: Final = 10
"""Characters; shorter ones are found by chance."""
MAX_PIECE: Final = 512
"""Characters of a piece that are looked at."""
MAX_VALUES: Final = 32
"""Secret values of one result that are remembered."""
MAX_PIECES_OF_VALUE: Final = 4
MAX_PIECES: Final = 4096
"""Pieces of one call, as long as a remembered one, that are compared."""
MAX_CHARS: Final = 131072
"""Characters of all readings of a call that are cut."""

_CUTS: Final = r"\s\"'`=&?;,<>()\[\]{}|:\\"
_PIECE: Final = re.compile(rf"[^{_CUTS}]{{{MIN_PIECE},}}")
_FINER: Final = re.compile(rf"[^{_CUTS}/@.%#~!*^]{{{MIN_PIECE},}}")
_BORING: Final = re.compile(r"[a-z]+(?:[-_][a-z]+)*|[A-Z]+(?:_[A-Z]+)*|[0-9.-]{,15}")
"""Words, names of variables, dates and versions."""


class Tracer:
    """Follows the secrets of one event.

    Args:
        found: What was detected in it.
        fingerprint: Keyed fingerprint of a text.
    """

    def __init__(self, found: Detection, fingerprint: Callable[[str], str]) -> None:
        self._found = found
        self._fingerprint = fingerprint

    def shown(self) -> tuple[str, ...]:
        """Return the fingerprints of the secret values in a result."""
        text = self._found.scanned.text if self._found.scanned is not None else ""
        values = (text[span.start : span.end] for span in self._found.spans)
        return tuple(self._of(piece) for piece in to_remember(values))

    def sends_one_of(self, known: Iterable[str]) -> bool:
        """Whether a call carries a secret value with one of these fingerprints."""
        wanted = frozenset(known)
        sizes = frozenset(int(size) for size, _, _ in (each.partition("-") for each in wanted))
        return any(self._of(piece) in wanted for piece in carried(self._readings(), sizes))

    def _of(self, piece: str) -> str:
        """The length stands before the fingerprint, so that few pieces need one."""
        return f"{len(piece)}-{self._fingerprint(piece)}"

    def _readings(self) -> Iterator[str]:
        if self._found.facts is not None:
            yield from (command.text for command in self._found.facts.commands)
        if self._found.scanned is not None:
            yield from (view.text for view in views(self._found.scanned))


def pieces(text: str, sizes: frozenset[int] | None = None) -> Iterator[str]:
    """Yield what a secret value, or a text that may carry one, is cut into; words are left out.

    Args:
        text: Any length.
        sizes: Only pieces of these lengths; None for all.
    """
    for piece in _PIECE.findall(text):
        if _counts(piece, sizes):
            yield piece[:MAX_PIECE]
        for part in _FINER.findall(piece):
            if len(part) < len(piece) and _counts(part, sizes):
                yield part[:MAX_PIECE]


def _counts(piece: str, sizes: frozenset[int] | None) -> bool:
    size = min(len(piece), MAX_PIECE)
    return (sizes is None or size in sizes) and _BORING.fullmatch(piece) is None


def to_remember(values: Iterable[str]) -> list[str]:
    """Return the pieces of secret values, each once, at most :data:`MAX_PIECES_OF_VALUE` of a value."""
    found: dict[str, None] = {}
    for value in islice(values, MAX_VALUES):
        found.update(dict.fromkeys(islice(pieces(value), MAX_PIECES_OF_VALUE)))
    return list(found)


def carried(texts: Iterable[str], sizes: frozenset[int] | None = None) -> list[str]:
    """Return the pieces of what a call sends, each once; bounded.

    Args:
        texts: The readings of the call.
        sizes: As for :func:`pieces`.
    """
    found: dict[str, None] = {}
    left = MAX_CHARS
    for text in dict.fromkeys(texts):
        found.update(dict.fromkeys(islice(pieces(encodable(text[:left]), sizes), MAX_PIECES - len(found))))
        left -= len(text)
        if left <= 0 or len(found) >= MAX_PIECES:
            break
    return list(found)


def talks_outside(facts: Facts) -> bool:
    """Whether a call talks to an address outside; names that only resolve at home are inside."""
    return any(each.external and "private" not in each.classes for each in facts.network)
