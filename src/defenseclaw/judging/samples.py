"""The part of an event that a judge sees: secrets out first, then bounded.

Source: ``spec/guardrail.md`` §12.2; issue "Detection worth trusting" item 5 (no sink gets a secret).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from defenseclaw.detection.redaction import mask_text

REDACTED: Final = "<redacted>"
"""Without length or hash: what leaves the machine need not be comparable."""
_MARGIN: Final = 4096
"""Characters beyond a cut in which a secret is still recognised whole."""

Finder = Callable[[str], Iterable[tuple[int, int]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What is sent of an event."""

    text: str = field(repr=False)
    is_whole: bool
    """Nothing but secrets was left out."""


def sample_of(
    text: str, spans: Iterable[tuple[int, int]], find: Finder, *, known: Iterable[str] = (), limit: int
) -> Sample:
    """Return the sample of a text.

    Args:
        text: All of the event's text.
        spans: Secrets and personal data that detection found in it, in characters.
        find: Finds secrets once more, in what is about to be sent.
        known: Secrets of this installation; each is taken out wherever it stands.
        limit: Characters of the result: two thirds from the beginning, one third from the end.
    """
    masked = mask_text(text, spans, _redact)
    if len(masked) <= limit:
        return Sample(text=mask_text(masked, _secrets(masked, find, known), _redact), is_whole=True)
    tail = limit // 3
    head = limit - tail
    first = masked[: head + _MARGIN]
    last = masked[-tail - _MARGIN :]
    lead = len(last) - tail
    # What is cut away is looked at and then left out, so that half a secret is known for one.
    shown_first = mask_text(first[:head], _secrets(first, find, known), _redact)
    beyond = ((start - lead, end - lead) for start, end in _secrets(last, find, known))
    shown_last = mask_text(last[lead:], beyond, _redact)
    left_out = len(masked) - limit
    return Sample(text=f"{shown_first}\n[{left_out} characters left out]\n{shown_last}", is_whole=False)


def _secrets(text: str, find: Finder, known: Iterable[str]) -> list[tuple[int, int]]:
    spans = list(find(text))
    for secret in known:
        start = text.find(secret)
        while start >= 0:
            spans.append((start, start + len(secret)))
            start = text.find(secret, start + len(secret))
    return spans


def _redact(_secret: str) -> str:
    return REDACTED
