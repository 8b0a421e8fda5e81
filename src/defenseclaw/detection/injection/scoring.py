"""From signals to a judgement.

The whole text is searched once for cues; around each group of cues a bounded passage is searched for
everything, signals that are only mentioned drop out, and what the rest adds up to decides. Work is linear in
the text: passages do not overlap by more than their margins and their number is bounded.
"""

# ruff: noqa: RUF001 - quotation marks and letters of other scripts are what is looked for
from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import islice
from typing import Final, Protocol

import re2

from defenseclaw.detection.injection.context import is_hidden, is_mentioned, is_notice
from defenseclaw.detection.injection.cues import cues
from defenseclaw.detection.injection.cues import prepare as prepare_cues
from defenseclaw.detection.injection.layout import Reading, readings
from defenseclaw.detection.injection.lexicon import LEAD, OPENING, PLACE
from defenseclaw.detection.injection.meanings import OWNER, means_something_else
from defenseclaw.detection.injection.signals import CANNOT_BE_SEEN, SAYS_IN_FULL, SIGNALS, Signal
from defenseclaw.detection.patterns import PatternOverload

CERTAIN: Final = 100
"""From here on a passage carries an instruction, in hundredths."""
LIKELY: Final = 80
"""From here on it probably does."""

MARGIN_BEFORE: Final = 350
MARGIN_AFTER: Final = 450
MAX_SPREAD: Final = 500
"""Characters between the first and the last cue of one passage."""
MAX_PASSAGES: Final = 256
MAX_PLACES: Final = 512
"""Places of one pattern in one text, and of one pattern in one passage, that are looked at."""

MAX_USES: Final = 8
"""Places of one signal in one passage that are weighed."""
REACH: Final = 260
"""Characters between what a passage is about and what belongs to it."""

_MEMORY: Final = 64 * 1024 * 1024
"""Bytes that the automaton of one pattern may take."""
_ANYTHING: Final = "(?s:.*)"
_GAP: Final = re.compile(r"(?<!\\)\[\^(?:\\.|[^\\\]])*\]\{\d+,\d+\}\??")
"""So many characters of all but a few."""


class Channel(StrEnum):
    """Whether orders are expected in a text."""

    DATA = "data"
    """A result, a file, a description: it informs and has nobody to command."""
    TALK = "talk"
    """A prompt or completion: orders are what it is made of."""


class Classifier(Protocol):
    """A local model that can be asked for a second opinion on a passage."""

    def __call__(self, passage: str, channel: Channel) -> int:
        """Return what speaks for an instruction beyond the signals, in hundredths from -100 to 100.

        It must not raise.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A stretch of text that speaks to the agent."""

    start: int
    end: int
    """Of the most telling phrase, in characters of the text."""
    score: int
    """Hundredths; at least :data:`LIKELY`."""
    places: dict[str, tuple[int, int]]
    """Where each reason was found, in characters of the text; the reasons are those of the signals."""

    @property
    def is_certain(self) -> bool:
        """Whether the score reaches :data:`CERTAIN`."""
        return self.score >= CERTAIN


class _Patterns:
    """The patterns of some signals.

    Literals that a pattern cannot do without say which ones are worth trying: one automaton for all of them
    would be built anew by every text, since they span sentences. A pattern is compiled when it is first worth
    trying, or by :func:`warm_up`: all of them take as long as the rest of a rule pack.
    """

    def __init__(self, signals: Iterable[Signal]) -> None:
        self._filter = re2.Filter()
        self._signals: list[Signal] = []
        self.sources: list[str] = []
        for signal in signals:
            for source in signal.patterns:
                self._filter.Add(_outline(source), _options())
                self._signals.append(signal)
                self.sources.append(source)
        self._filter.Compile()
        self._cores = {channel: self._weighty(channel, core=True) for channel in Channel}
        self._others = {channel: self._weighty(channel, core=False) for channel in Channel}

    def _weighty(self, channel: Channel, *, core: bool) -> frozenset[int]:
        """Return the numbers of the patterns that count in a channel, of cores or of other signals."""
        signals = enumerate(self._signals)
        return frozenset(
            number for number, each in signals if _weight(each, channel) and _may_be_core(each) is core
        )

    def possible(self, utf8: bytes, channel: Channel) -> tuple[list[int], list[int]]:
        """Return the numbers of the patterns that may occur: those a passage can be about, and the others."""
        numbers = self._filter.Match(utf8, potential=True) or ()
        return sorted(self._cores[channel].intersection(numbers)), sorted(
            self._others[channel].intersection(numbers)
        )

    def places(self, number: int, text: str, utf8: bytes) -> tuple[Signal, Iterator[tuple[int, int]]]:
        """Return the signal of a pattern and its places, at most :data:`MAX_PLACES`, in characters."""
        pattern = _compiled(self.sources[number])
        found = (each.span() for each in islice(pattern.finditer(utf8), MAX_PLACES))
        is_ascii = len(utf8) == len(text)
        return self._signals[number], found if is_ascii else (_in_characters(utf8, *span) for span in found)


def _in_characters(utf8: bytes, start: int, end: int) -> tuple[int, int]:
    begin = len(utf8[:start].decode())
    return begin, begin + len(utf8[start:end].decode())


def _options() -> re2.Options:
    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    return options


def _outline(source: str) -> str:
    """Return a pattern whose literals any match of ``source`` has, and that is quicker to compile.

    What stands before an imperative may be next to nothing, and a gap may be anything: neither has a literal
    that is needed. The filter looks for literals in either case by itself; a pattern in either case would
    fall apart into single letters, as ``s`` and ``k`` have a third form.
    """
    return _GAP.sub(_ANYTHING, source.replace(LEAD, _ANYTHING).replace(OPENING, _ANYTHING))


@cache
def _compiled(source: str) -> re2._Regexp:
    return re2.compile(f"(?i){source}", _options())


@cache
def _all() -> _Patterns:
    return _Patterns(SIGNALS)


def warm_up() -> Iterator[None]:
    """Build, one part at each step, what the first texts would wait for.

    First what says which patterns are worth trying, which any text needs (0.1 s in all), then the patterns
    themselves, which a suspicious one needs (as much again).
    """
    prepare_cues()
    yield
    for source in _all().sources:
        yield
        _compiled(source)


def _weight(signal: Signal, channel: Channel) -> int:
    return signal.data if channel is Channel.DATA else signal.talk


def passages(
    text: str,
    channel: Channel,
    *,
    utf8: bytes | None = None,
    unseen: bool = False,
    classifier: Classifier | None = None,
) -> Iterator[Passage]:
    """Yield the passages of ``text`` that carry an instruction to the agent, in order.

    Args:
        text: One reading of an event's text, without lone surrogates.
        channel: Whether orders are expected in it.
        utf8: The same text encoded, if the caller has it.
        unseen: The whole text was hidden from people (tag characters, an encoded block).
        classifier: A second opinion, asked only for passages with a signal.

    Raises:
        PatternOverload: There were more signals than are looked at, and none of those seen was certain.
    """
    spots = list(cues(text, text.encode() if utf8 is None else utf8))
    overload = certain = False
    for count, (low, high) in enumerate(_windows(spots, len(text))):
        if count >= MAX_PASSAGES:
            overload = True
            break
        passage = _judge(text, low, high, channel, unseen, classifier)
        if passage is not None:
            certain |= passage.is_certain
            yield passage
    if overload and not certain:
        raise PatternOverload


def _windows(spots: list[tuple[int, int]], length: int) -> Iterator[tuple[int, int]]:
    first = last = -1
    for start, end in spots:
        if first >= 0 and start - first > MAX_SPREAD:
            yield max(0, first - MARGIN_BEFORE), min(length, last + MARGIN_AFTER)
            first = -1
        if first < 0:
            first = start
            last = end
        last = max(last, min(end, first + MAX_SPREAD + MARGIN_AFTER))
    if first >= 0:
        yield max(0, first - MARGIN_BEFORE), min(length, last + MARGIN_AFTER)


def _judge(
    text: str, low: int, high: int, channel: Channel, unseen: bool, classifier: Classifier | None
) -> Passage | None:
    """Return the most telling passage of ``text[low:high]`` in any of its readings."""
    best: Passage | None = None
    for reading in readings(text, low, high):
        passage = _judge_reading(reading, low > 0, channel, unseen, classifier)
        if passage is not None and (best is None or passage.score > best.score):
            best = passage
        if best is not None and best.is_certain:
            break
    return best


def _judge_reading(
    reading: Reading, is_cut: bool, channel: Channel, unseen: bool, classifier: Classifier | None
) -> Passage | None:
    # A cut is no beginning: what follows it must not look like the start of a sentence.
    prefix = "~ " if is_cut else ""
    window = prefix + reading.text
    used = _used(window, channel)
    best: tuple[int, tuple[int, int], dict[str, tuple[int, int]]] | None = None
    opinion: int | None = None
    for core, place in _cores(window, used):
        places = {core: place} | _nearby(window, used, place)
        score = _sum(places, channel)
        if _TIED in places and _is_habit(window, *places[_TIED]):
            score -= _MERE_HABIT
        if OWNER in places and _is_specific(window, *places[OWNER]):
            score += 40
            places[SAYS_IN_FULL] = places[OWNER]
        if unseen or is_hidden(window, place[0]):
            # Comments and hidden elements are ordinary in pages; an order to nobody in one is a remark.
            remark = _MORE_THAN_A_NOTICE if is_notice(window, *place) else _MORE_THAN_A_REMARK
            score += 45 if unseen or score >= remark else 25
            places[CANNOT_BE_SEEN] = place
        if classifier is not None:
            opinion = classifier(window, channel) if opinion is None else opinion
            score += max(-100, min(100, opinion))
        if score >= LIKELY and (best is None or score > best[0]):
            best = score, place, places
    if best is None:
        return None

    def original(place: tuple[int, int]) -> tuple[int, int]:
        start, end = (max(0, each - len(prefix)) for each in place)
        return reading.original(start), reading.original(max(start, end - 1)) + 1

    score, place, places = best
    start, end = original(place)
    return Passage(
        start=start,
        end=end,
        score=score,
        places={reason: original(each) for reason, each in places.items()},
    )


def _used(window: str, channel: Channel) -> dict[str, list[tuple[int, int]]]:
    """Return the places of each signal that is used, not mentioned; at most :data:`MAX_USES` of one.

    Nothing when there is nothing that a passage can be about.
    """
    used: dict[str, list[tuple[int, int]]] = {}
    utf8 = window.encode()
    for numbers in _all().possible(utf8, channel):
        for number in numbers:
            signal, places = _all().places(number, window, utf8)
            known = used.setdefault(signal.reason, [])
            for start, end in places:
                if len(known) >= MAX_USES:
                    break
                if is_mentioned(window, start, end):
                    continue
                in_talk = channel is Channel.TALK
                if not means_something_else(signal.reason, window, start, end, in_talk=in_talk):
                    known.append((start, end))
        if not any(used.values()):
            return {}
    return {reason: sorted(known) for reason, known in used.items() if known}


def _may_be_core(signal: Signal) -> bool:
    return signal.claim or signal.deed or signal.reason == _TIED


def _cores(window: str, used: dict[str, list[tuple[int, int]]]) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield the claims and deeds, each of which may be what a passage is about."""
    for reason, known in used.items():
        signal = _BY_REASON[reason]
        if not _may_be_core(signal):
            continue
        for place in known:
            is_frame = reason == _TIED
            if not is_frame or (_ADDRESSED in used and _is_obstacle(window, *place)):
                yield reason, place


def _nearby(
    window: str, used: dict[str, list[tuple[int, int]]], core: tuple[int, int]
) -> dict[str, tuple[int, int]]:
    """Return the nearest place of each signal that is close enough to have to do with the core."""
    near: dict[str, tuple[int, int]] = {}
    for reason, known in used.items():
        place = min(known, key=lambda each: _distance(each, core))
        if _distance(place, core) > REACH:
            continue
        if reason == _TIED and _is_habit(window, *place):
            between = window[min(place[1], core[1]) : max(place[0], core[0]) + 2]
            if _ITEM.search(between):
                continue
        near[reason] = place
    return near


def _distance(one: tuple[int, int], other: tuple[int, int]) -> int:
    return max(0, max(one[0], other[0]) - min(one[1], other[1]))


_BY_REASON: Final = {each.reason: each for each in SIGNALS}
_MORE_THAN_A_REMARK: Final = 40
_MORE_THAN_A_NOTICE: Final = 55
"""The same where contributors are told whom to write to."""
_OBSTACLE: Final = re.compile(
    r"(?i)\b(?:can(?:not|'t)?|could|may|able|gave|given|assigned|asked|complete[d]?|until|order|continue"
    r"|proceed|resume|go on|possible|solved?|summari\w+|translating|parsing|indexing)\b"
)
"""Makes a deed the condition of the agent's task."""
_HABIT: Final = re.compile(
    r"(?i)(?:before|after|prior to)\s+(?:you\s+)?(?:start|begin|finish|complet|do)\w*"
    r"\s+(?:\w+\s+){0,2}?tasks?|.*\btools?"
)
"""What whoever works on tasks or with a tool does at each of them."""
_MERE_HABIT: Final = 25
"""What is taken off for that."""


def _is_obstacle(window: str, start: int, end: int) -> bool:
    return _OBSTACLE.search(window[start:end]) is not None


def _is_habit(window: str, start: int, end: int) -> bool:
    return _HABIT.fullmatch(window[start:end].strip()) is not None and not _is_obstacle(window, start, end)


_ITEM: Final = re.compile(r"\n\s*(?:[-*+•]|\d{1,2}[.)]|#+)\s")
_TIED: Final = "ties a deed to the agent's task"
_ADDRESSED: Final = "speaks to the model"
"""Together with the one before it is a frame so elaborate that what it wants need not be said."""
_ALTERNATIVES: Final = (
    frozenset(
        {
            "overrides earlier instructions",
            "overrides earlier instructions, in another language",
            "sets earlier context aside",
            "wants everything forgotten",
        }
    ),
    frozenset(
        {
            "takes on a role without limits",
            "says that there are no limits",
            "changes the role for good",
        }
    ),
    frozenset({"speaks to the model", "says what an agent has to do"}),
    frozenset({"imitates the frame of a conversation", "imitates a turn of the conversation"}),
    frozenset(each.reason for each in SIGNALS if each.deed),
)  # fmt: skip
"""Signals that say one thing in several ways: only the heaviest of a group counts."""


def _sum(reasons: Iterable[str], channel: Channel) -> int:
    weights = {reason: _weight(_BY_REASON[reason], channel) for reason in reasons}
    for group in _ALTERNATIVES:
        members = sorted((reason for reason in group if reason in weights), key=lambda each: -weights[each])
        for reason in members[1:]:
            del weights[reason]
    return sum(weights.values())


_SPECIFIC: Final = re2.compile(
    rf"(?:{PLACE}|[$€£¥]\s?\d|\b\d+[\d.,:]*|[\"“'‘«][^\"”'’»]{{2,}}[\"”'’»]|[a-z,] [A-Z][a-z]+"
    r"|(?i:\ball (?:of )?my\b|\bentire\b|\bpermanent\w*\b|\bevery\b|\bnamed?\b|\band then\b))"
)
_SENTENCE_END: Final = re2.compile(r"[.!?](?:\s|$)|\n")


def _is_specific(window: str, start: int, end: int) -> bool:
    """Whether an order in the owner's voice names what an interface's label or a heading would not."""
    sentence = window[start : end + 200]
    stop = _SENTENCE_END.search(sentence[end - start :])
    return _SPECIFIC.search(sentence[: end - start + stop.start()] if stop else sentence) is not None
