"""Rows that say which call of a program with sub-commands loses what.

A row is written as the command's words and options: ``kv destroy|delete`` (the words after the program),
``delete --all`` (only with one of the options named), ``yank !--undo`` (not with this one); ``*`` stands for
any one word. Rows compare normalised words, so options may stand anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
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
_PREVIEW_STARTS: Final = frozenset(name[:4] for name in _PREVIEWS)
_NOT_A_PREVIEW: Final = frozenset({"none", "false", "no", "0"})
_MAX_OFFSET: Final = 3
"""Words before the sub-command that may be values of options nobody told us of."""
_MAX_WORDS: Final = 16
"""Words of a call that are compared; no row has as many."""


@dataclass(frozen=True, slots=True)
class Call:
    """One row: what must stand in a call, and the traits it then has."""

    words: tuple[frozenset[str], ...]
    needs: frozenset[str]
    """One of these options, when there are any."""
    unless: frozenset[str]
    """None of these options."""
    traits: tuple[str, ...]

    def stands_in(self, words: list[str], leading: int) -> bool:
        """Whether the words of this row stand in a call, after at most ``leading`` others."""
        wanted = self.words
        for offset in range(min(leading, len(words) - len(wanted)) + 1 if wanted else 1):
            for each, word in zip(wanted, words[offset:] if offset else words, strict=False):
                if each is not _ANY and word not in each:
                    break
            else:
                return len(words) - offset >= len(wanted)
        return False

    def holds_with(self, options: frozenset[str]) -> bool:
        """Whether a call's options are those that this row asks for."""
        return not (self.needs and self.needs.isdisjoint(options)) and self.unless.isdisjoint(options)


@cache
def calls(traits: str, *rows: str) -> tuple[Call, ...]:
    """Return the rows of one kind of loss; ``traits`` are words apart by spaces.

    For rows written in the source only: they are read once and kept.
    """
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
    assert len(words) + _MAX_OFFSET <= _MAX_WORDS, row  # noqa: S101  a row of ours
    return Call(tuple(words), frozenset(needs), frozenset(unless), traits)


def options_of(act: Act) -> frozenset[str]:
    """Return every option of a call in every spelling that rows use: ``-f``, ``--force``, ``-purge``."""
    whole = {word.partition("=")[0] for word in act.words if len(word) > 1 and word[0] == "-"}
    return frozenset(whole.union(act.options))


def is_preview(act: Act) -> bool:
    """Whether an option of the call says that nothing is to happen."""
    for word in [word for word in act.words if word[:4] in _PREVIEW_STARTS]:
        name, _, value = word.partition("=")
        if name in _PREVIEWS and value.lower() not in _NOT_A_PREVIEW:
            return True
    return False


def apply(act: Act, rows: tuple[Call, ...], operation: str = "delete") -> None:
    """Add the traits of every row that a call has, and the operation they come to."""
    words = [word.lower() for word in act.operands[:_MAX_WORDS]]
    leading = min(_MAX_OFFSET, _leading_options(act))
    options: frozenset[str] | None = None
    for row in rows:
        if row.stands_in(words, leading):
            options = options_of(act) if options is None else options
            if row.holds_with(options):
                act.does(operation)
                act.is_(*row.traits)


def _leading_options(act: Act) -> int:
    count = 0
    for word in act.words[: 2 * _MAX_OFFSET]:
        if word == "--":
            break
        count += word.startswith("-")
    return count
