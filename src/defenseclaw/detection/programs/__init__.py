"""What programs do: one module per family, each a table of programs.

:func:`describe` finds the program of a command in the merged table and lets it say what the call means.
To add a program, add a row to the family it belongs to.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from defenseclaw.detection.programs import (
    agents,
    containers,
    encoders,
    files,
    interpreters,
    losses,
    network,
    packages,
    secrets,
    system,
    techniques,
    vcs,
    windows,
)
from defenseclaw.detection.programs.base import PLAIN, Act, Program, is_pathlike, is_url, parse

MAYBE: Final = "maybe"
"""Access of an unknown program's operand: a read when the path is sensitive, else only named."""

_KEY_OPTIONS: Final = ("key", "identity", "cert", "pem")


def _unknown(act: Act) -> None:
    """Describe a program that no table knows: what looks like a path or URL is taken as one."""
    keys = {value for option, value in pairwise(act.words) if _names_key(option)}
    for word in act.operands:
        if is_url(word):
            act.talk("connect", word)
        elif is_pathlike(word):
            act.touch("metadata" if word in keys else MAYBE, [word], "stdout")
    for name, values in act.values.items():
        for value in values:
            if is_url(value):
                act.talk("connect", value)
            elif is_pathlike(value):
                act.touch("metadata" if _names_key(name) else MAYBE, [value])


def _names_key(option: str) -> bool:
    """Whether an option says which key to use, as the clients of many services have it."""
    return option.startswith("-") and any(part in option for part in _KEY_OPTIONS)


UNKNOWN_PROGRAM: Final = Program(PLAIN, _unknown)

# Later families win where two know a name.
TABLE: Final[dict[str, Program]] = {
    **windows.PROGRAMS,
    **secrets.PROGRAMS,
    **packages.PROGRAMS,
    **encoders.PROGRAMS,
    **system.PROGRAMS,
    **containers.PROGRAMS,
    **vcs.PROGRAMS,
    **interpreters.PROGRAMS,
    **network.PROGRAMS,
    **agents.PROGRAMS,
    **files.PROGRAMS,
}
"""Lower-case base name → program."""


def look_up(program: str) -> Program:
    """Return the row of a program; versions in names are ignored (``python3.12``)."""
    found = TABLE.get(program)
    if found is None and program[-1:].isdigit():
        found = TABLE.get(program.rstrip("0123456789.-"))
    return found or UNKNOWN_PROGRAM


def describe(program: str, argv: tuple[str, ...]) -> Act:
    """Return what one command does.

    Args:
        program: Lower-case base name of the executable.
        argv: Evaluated words, the executable first.

    A launcher (``npx pkg``, ``uvx pkg``, ``python -m pkg``) does what it does and what the program it
    launches does.
    """
    act = _describe(program, argv[1:])
    inner = packages.launched(program, argv)
    if inner and inner[0] != program:
        _absorb(
            act,
            _describe(inner[0].lower(), inner[1:]),
            known=look_up(inner[0].lower()) is not UNKNOWN_PROGRAM,
        )
    return act


def _describe(program: str, words: tuple[str, ...]) -> Act:
    row = look_up(program)
    act = Act(program, words)
    parse(act, row.grammar)
    if row.previews and not row.previews.isdisjoint(act.options):
        act.preview()
    else:
        row.describe(act)
        losses.add(act)
        techniques.add(act)
    return act


def _absorb(act: Act, inner: Act, *, known: bool) -> None:
    act.traits |= inner.traits
    act.operations |= inner.operations
    act.paths.extend(inner.paths)
    act.addresses.extend(inner.addresses)
    act.emits.extend(inner.emits)
    act.nested.extend(inner.nested)
    if known:
        act.stdin, act.args, act.transform = inner.stdin, inner.args, inner.transform
        act.code, act.language = inner.code or act.code, inner.language or act.language
