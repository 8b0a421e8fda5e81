"""What ``find`` would find, as patterns: its start points joined with what it asks of names.

``**`` stands for any number of directories, hidden ones included. All that lies below a place, found one by
one, is :data:`ALL_BELOW` after it: what reads such a list must tell it from one unknown entry.
"""

from __future__ import annotations

from collections.abc import Sequence

from defenseclaw.detection.facts import UNKNOWN

MAX_ROOTS = 8
ALL_BELOW = f"/./{UNKNOWN}"
ONE_BELOW = f"/{UNKNOWN}"
SELECTS = frozenset(
    [
        *("-name", "-iname", "-path", "-ipath", "-wholename", "-iwholename", "-regex", "-iregex", "-lname"),
        *("-mtime", "-mmin", "-ctime", "-cmin", "-atime", "-amin", "-newer", "-newermt", "-size", "-empty"),
        *("-user", "-uid", "-group", "-gid", "-nouser", "-nogroup", "-perm", "-inum", "-samefile", "-links"),
    ]
)
"""Tests that choose among files; without one of them ``find`` finds everything."""
_NAMES = ("-name", "-iname")
_PATHS = ("-path", "-ipath", "-wholename", "-iwholename")


def roots(argv: Sequence[str]) -> list[str]:
    """Return the start points of a ``find`` command, the current directory when it names none."""
    found: list[str] = []
    for word in argv[1:]:
        if word[:1] in ("-", "(", "!", ","):
            if word in ("-H", "-L", "-P"):
                continue
            break
        found.append(word)
    return found[:MAX_ROOTS] or ["."]


def is_filtered(argv: Sequence[str]) -> bool:
    """Return whether ``find`` asks for names other than all."""
    return any(value.strip("*?/.") for value in _values(argv, (*_NAMES, *_PATHS)))


def found_paths(argv: Sequence[str]) -> list[str]:
    """Return one pattern for each start point, or for each of them and each name asked for."""
    names, wholes = _values(argv, _NAMES), _values(argv, _PATHS)
    flat = _values(argv, ("-maxdepth",)) == ["1"]
    out: list[str] = []
    for root in roots(argv):
        base = root.rstrip("/")
        if names or wholes:
            joint = "/" if flat else "/**/"
            out += [base + joint + tail for tail in _tails(names, wholes)]
        else:
            out.append(f"{base}/{UNKNOWN}")
    return out


def printed_paths(argv: Sequence[str]) -> list[str]:
    """Return what ``find`` prints: as :func:`found_paths`, but that of everything is told as such."""
    if SELECTS.isdisjoint(argv):
        return [root.rstrip("/") + ALL_BELOW for root in roots(argv)]
    return found_paths(argv)


def searched(word: str) -> str:
    """Return the place below which a word names everything; empty when it does not."""
    return word.removesuffix(ALL_BELOW) or "/" if word.endswith(ALL_BELOW) else ""


def one_of(text: str) -> str:
    """Return found paths as those of single files, for what looks at each by itself or chooses among them."""
    return text.replace(ALL_BELOW, ONE_BELOW) if UNKNOWN in text else text


def _tails(names: list[str], wholes: list[str]) -> list[str]:
    """Return what may stand below a start point: a whole path's end, followed by a name if both are given."""
    ends = [whole.lstrip("*").lstrip("/") if whole.startswith("*/") else whole for whole in wholes]
    if not ends:
        return names
    if not names:
        return ends
    return [
        f"{end.rstrip('/*') + ('*' if end.endswith('*') else '')}/**/{name}" for end in ends for name in names
    ]


def _values(argv: Sequence[str], options: Sequence[str]) -> list[str]:
    """Return the values of tests that are not negated."""
    return [
        argv[at + 1]
        for at in range(1, len(argv) - 1)
        if argv[at] in options and argv[at - 1] not in ("!", "-not")
    ][:MAX_ROOTS]
