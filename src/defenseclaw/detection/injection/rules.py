"""Which rules a passage makes hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Generic, Protocol, TypeVar

import re2

from defenseclaw.detection.injection.layout import in_one_line
from defenseclaw.detection.injection.scoring import Passage
from defenseclaw.errors import PackError
from defenseclaw.vocabulary import EventKind

MAX_WORDING_BYTES: Final = 2048


class HasSignals(Protocol):
    """What is needed of a rule here."""

    @property
    def id(self) -> str:
        """Its id."""
        ...

    @property
    def kinds(self) -> frozenset[EventKind]:
        """The kinds of event it is eligible for."""
        ...

    @property
    def signals(self) -> tuple[str, ...]:
        """The reasons it stands for."""
        ...

    @property
    def wording(self) -> str:
        """RE2 that narrows them, or nothing."""
        ...


AnyRule = TypeVar("AnyRule", bound=HasSignals)


class InstructionRules(Generic[AnyRule]):
    """The rules of a pack that name signals."""

    def __init__(self, rules: Sequence[AnyRule]) -> None:
        """Compile their wordings.

        Raises:
            PackError: A wording is too long or not RE2; the message starts with the rule's id.
        """
        self._worded = [(rule, _compiled(rule)) for rule in rules if rule.wording]
        self._plain = [rule for rule in rules if not rule.wording]

    def __len__(self) -> int:
        return len(self._worded) + len(self._plain)

    def holding(
        self, passage: Passage, text: str, kind: EventKind
    ) -> Iterator[tuple[AnyRule, tuple[int, int]]]:
        """Yield each rule that ``passage`` of ``text`` makes hold, and the place of its phrase.

        A rule without a wording stands back for the phrases that a rule with one has named.
        """
        named: set[str] = set()
        for rule, wording in self._worded:
            if kind not in rule.kinds:
                continue
            for reason in rule.signals:
                place = passage.places.get(reason)
                if place is not None and wording.search(in_one_line(text[place[0] : place[1]])):
                    named.add(reason)
                    yield rule, place
                    break
        for rule in self._plain:
            if kind not in rule.kinds:
                continue
            left = (each for each in rule.signals if each not in named)
            place = next((passage.places[each] for each in left if each in passage.places), None)
            if place is not None:
                yield rule, place


def _compiled(rule: HasSignals) -> re2._Regexp:
    if len(rule.wording.encode()) > MAX_WORDING_BYTES:
        raise PackError(f"{rule.id}: wording longer than {MAX_WORDING_BYTES} bytes")
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(rule.wording, options)
    except re2.error as error:
        reason = error.args[0] if error.args else "invalid"
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise PackError(f"{rule.id}: wording is not RE2: {text}") from error
