"""What ``find`` would find, as patterns: its start points joined with what it asks of names.

``**`` stands for any number of directories, hidden ones included.
"""

from __future__ import annotations

from collections.abc import Sequence

from defenseclaw.detection.facts import UNKNOWN

MAX_ROOTS = 8
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
