"""Rows that say which call of a program with sub-commands loses what.

A row is written as the command's words and options: ``kv destroy|delete`` (the words after the program),
``delete --all`` (only with one of the options named), ``yank !--undo`` (not with this one); ``*`` stands for
any one word. Rows compare normalised words, so options may stand anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from defenseclaw.detection.programs.base import Act

_ANY: Final = frozenset({"*"})
_PREVIEWS: Final = frozenset(
    {
        "--dry-run",
        "--dryrun",
        "--dry_run",
        "--dry",
        "--what-if",
        "--whatif",
        "--noop",
        "--simulate",
        "--check-only",
    }
)
_NOT_A_PREVIEW: Final = frozenset({"none", "false", "no", "0"})
_MAX_OFFSET: Final = 3
"""Words before the sub-command that may be values of options nobody told us of."""


@dataclass(frozen=True, slots=True)
class Call:
    """One row: what must stand in a call, and the traits it then has."""

    words: tuple[frozenset[str], ...]
    needs: frozenset[str]
    """One of these options, when there are any."""
    unless: frozenset[str]
    """None of these options."""
    traits: tuple[str, ...]

    def matches(self, act: Act, words: list[str], options: frozenset[str]) -> bool:
        """Whether a call has the words and options of this row."""
        if (self.needs and self.needs.isdisjoint(options)) or not self.unless.isdisjoint(options):
            return False
        most = min(_MAX_OFFSET, _leading_options(act)) if self.words else 0
        return any(self._stands_at(words, offset) for offset in range(most + 1))

    def _stands_at(self, words: list[str], offset: int) -> bool:
        if len(words) - offset < len(self.words):
            return False
        return all(
            wanted is _ANY or word in wanted for wanted, word in zip(self.words, words[offset:], strict=False)
        )


def calls(traits: str, *rows: str) -> tuple[Call, ...]:
    """Return the rows of one kind of loss; ``traits`` are words apart by spaces."""
    return tuple(_row(tuple(traits.split()), row) for row in rows)


def _row(traits: tuple[str, ...], row: str) -> Call:
    words: list[frozenset[str]] = []
    needs: set[str] = set()
    unless: set[str] = set()
    for part in row.split():
        if part.startswith("!"):
            unless.add(part[1:])
        elif part.startswith("-"):
            needs.add(part)
        else:
            words.append(_ANY if part == "*" else frozenset(part.split("|")))
    return Call(tuple(words), frozenset(needs), frozenset(unless), traits)


def options_of(act: Act) -> frozenset[str]:
    """Return every option of a call in every spelling that rows use: ``-f``, ``--force``, ``-purge``."""
    whole = {word.partition("=")[0] for word in act.words if len(word) > 1 and word[0] == "-"}
    return frozenset(whole.union(act.options))


def is_preview(act: Act) -> bool:
    """Whether an option of the call says that nothing is to happen."""
    for word in act.words:
        name, _, value = word.partition("=")
        if name in _PREVIEWS and value.lower() not in _NOT_A_PREVIEW:
            return True
    return False


def apply(act: Act, rows: tuple[Call, ...], operation: str = "delete") -> None:
    """Add the traits of every row that a call has, and the operation they come to."""
    words = [word.lower() for word in act.operands]
    options = options_of(act)
    for row in rows:
        if row.matches(act, words, options):
            act.does(operation)
            act.is_(*row.traits)


def _leading_options(act: Act) -> int:
    count = 0
    for word in act.words[: 2 * _MAX_OFFSET]:
        count += word.startswith("-")
    return count
