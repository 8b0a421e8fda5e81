"""What a call of a program loses for good, apart from what else it does.

:func:`add` looks a described call up in the tables of this package and adds traits of the group "what is
lost" of :data:`defenseclaw.detection.terms.TRAITS`. A dry run loses nothing. To add a program, add rows to
the table of its kind; the rows are those of :mod:`~defenseclaw.detection.programs.losses.calls`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from defenseclaw.detection.programs.base import Act, Describe
from defenseclaw.detection.programs.losses import cloud, containers, databases, files, requests, services
from defenseclaw.detection.programs.losses.calls import is_preview


def _merged(*tables: Mapping[str, Describe]) -> dict[str, tuple[Describe, ...]]:
    out: dict[str, tuple[Describe, ...]] = {}
    for table in tables:
        for program, describe in table.items():
            out[program] = (*out.get(program, ()), describe)
    return out


TABLE: Final = _merged(
    *files.TABLES, containers.TABLE, databases.TABLE, *services.TABLES, *cloud.TABLES, requests.TABLE
)
"""Lower-case base name → what says which of its calls lose something."""
_OWN_PREVIEW: Final = frozenset({"rsync"})
"""Programs whose row knows what a dry run of theirs is."""


def add(act: Act) -> None:
    """Add to ``act``, which its own table has described, what the call loses."""
    known = TABLE.get(act.program)
    if known is None or act.effect == "preview" or (is_preview(act) and act.program not in _OWN_PREVIEW):
        return
    for describe in known:
        describe(act)


def add_input(act: Act, text: str) -> None:
    """Add what statements that ``act`` reads from its standard input lose."""
    if text and act.program in databases.READERS:
        databases.read_statements(act, text)
