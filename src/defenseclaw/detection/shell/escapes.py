"""Backslash escapes of ``$'...'``, ``echo -e`` and ``printf``."""

from __future__ import annotations

import re

_ANSI_C = re.compile(
    r"\\(?:([abeEfnrtv\\'\"?])|([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|c(.))",
    re.DOTALL,
)
_SIMPLE_ESCAPES = {
    "a": 7,
    "b": 8,
    "e": 27,
    "E": 27,
    "f": 12,
    "n": 10,
    "r": 13,
    "t": 9,
    "v": 11,
    "\\": 92,
    "'": 39,
    '"': 34,
    "?": 63,
}


def ansi_c(text: str) -> str:
    r"""Decode the inside of ``$'...'``, which ends at a NUL; bytes of ``\x`` and octal are read as UTF-8."""
    return unescape(text).decode("utf-8", "replace").partition("\0")[0]


def unescape(text: str) -> bytes:
    """Decode backslash escapes to the bytes that ``printf`` and ``echo -e`` print."""
    if "\\" not in text:
        return text.encode("utf-8", "replace")
    out = bytearray()
    last = 0
    for match in _ANSI_C.finditer(text):
        out += text[last : match.start()].encode("utf-8", "replace")
        last = match.end()
        simple, octal, byte, short, long, control = match.groups()
        if simple:
            out.append(_SIMPLE_ESCAPES[simple])
        elif octal:
            out.append(int(octal, 8) & 0xFF)
        elif byte:
            out.append(int(byte, 16))
        elif short or long:
            code = int(short or long, 16)
            out += (chr(code) if code < 0x110000 else "\ufffd").encode("utf-8", "replace")
        else:
            out += chr(ord(control) & 0x1F).encode()
    out += text[last:].encode("utf-8", "replace")
    return bytes(out)
