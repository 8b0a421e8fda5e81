"""The canonical one-line spelling of a command: equal meaning, equal text."""

from __future__ import annotations

import re
from collections.abc import Iterable

from defenseclaw.detection.facts import Redirect

_SAFE = re.compile("(?!#)[A-Za-z0-9_./:=+,@%^{}\\[\\]*?~!#\ufffd-]+\\Z").match
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\x85]")
_NAMED = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "'": "\\'", "\\": "\\\\"}
_ARROWS = {"read": "<", "write": ">", "append": ">>", "heredoc": "<<", "herestring": "<<<", "dup": ">&"}


def quote(word: str) -> str:
    """Return a word with quotes where it holds blanks, quotes or operators; always one line.

    Globs, braces and tildes stay bare: an evaluated word no longer tells whether they were quoted.
    """
    if _SAFE(word):
        return word
    if _CONTROL.search(word) is None:
        return "'" + word.replace("'", "'\\''") + "'"
    return "$'" + re.sub(r"[\x00-\x1f\x7f\u2028\u2029\x85'\\]", _escape, word) + "'"


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    return _NAMED.get(char) or (f"\\x{ord(char):02x}" if ord(char) < 0x80 else f"\\u{ord(char):04x}")


def render(argv: Iterable[str], redirects: Iterable[Redirect]) -> str:
    """Return words and redirections as one line.

    A here-document shows only its arrow: its text is data, and patterns over commands must not see it.
    """
    pieces = [word if _SAFE(word) else quote(word) for word in argv]
    for redirect in redirects:
        arrow = _ARROWS[redirect.access]
        if redirect.access == "heredoc":
            pieces.append("<<EOF")
        elif redirect.access == "dup":
            arrow = "<&" if redirect.fd == 0 else ">&"
            pieces.append(f"{'' if redirect.fd in (0, 1) else redirect.fd}{arrow}{redirect.target}")
        elif redirect.fd == -1:
            pieces.append(f"&{arrow} {quote(redirect.target)}")
        else:
            plain = 0 if redirect.access in ("read", "herestring") else 1
            pieces.append(f"{'' if redirect.fd == plain else redirect.fd}{arrow} {quote(redirect.target)}")
    return " ".join(pieces)
