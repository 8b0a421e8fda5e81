"""String literals of other languages: what their escapes stand for, and programs that only print some.

Read so far as needed to see a command or path in them; nothing is run.

Source: the language references of Python, JavaScript, Perl, Ruby, PHP and Lua, chapters on strings.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

MAX_PRINTED: Final = 16_384
"""Characters of a program that is looked at for what it prints."""

_ESCAPE: Final = re.compile(
    r"\\(?:(?P<line>\r?\n)|[xu]\{\s{0,8}(?P<braced>[0-9A-Fa-f]{1,6})\s{0,8}\}|o\{(?P<octals>[0-7]{1,6})\}|"
    r"x(?P<byte>[0-9A-Fa-f]{1,2})|u(?P<short>[0-9A-Fa-f]{4})|U(?P<long>[0-9A-Fa-f]{8})|"
    r"N\{(?:U\+(?P<point>[0-9A-Fa-f]{1,6})|(?P<name>[A-Za-z0-9 -]{1,64}))\}|"
    r"(?P<digits>[0-9]{1,3})|(?P<letter>.))",
    re.DOTALL,
)
_NAMED: Final = {"n": "\n", "r": "\r", "t": "\t"}
_KEPT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", '"': '\\"', "'": "\\'", "`": "\\`"}
"""Characters that stay escaped in program text: unescaped they would end a string, or the line."""
_LINES_GO_ON: Final = frozenset({"python", "node", "ruby"})
"""Languages in which a backslash at the end of a line joins it with the next."""


def unescaped(code: str, language: str) -> str:
    r"""Return program text with the characters that are written by number or name (``\x20``) as themselves.

    What would end a string stays escaped. Where a language leaves an escape as it is, in single quotes or a
    pattern, it is replaced too: the text is only read.
    """
    if "\\" not in code:
        return code

    def plain(match: re.Match[str]) -> str:
        if match["line"] is not None:
            return "" if language in _LINES_GO_ON else match[0]
        if language == "ruby" and match["letter"] == "s":
            return " "
        char = _character(match, language)
        if not char:
            return match[0]
        return _KEPT.get(char) or (char if char.isprintable() else match[0])

    return _ESCAPE.sub(plain, code)


def _character(match: re.Match[str], language: str) -> str:
    """Return the character that is written by number or name; empty for any other escape."""
    if match["letter"] is not None:
        return ""
    if match["name"] is not None:
        try:
            return unicodedata.lookup(match["name"])
        except KeyError:
            return ""
    digits, base = next(
        (text, base)
        for text, base in (
            *((match[name], 16) for name in ("braced", "byte", "short", "long", "point")),
            (match["octals"], 8),
            (match["digits"], 10 if language == "lua" else 8),
        )
        if text is not None
    )
    try:
        number = int(digits, base)
    except ValueError:
        # A digit that is none in base 8.
        return ""
    return chr(number) if 0 < number < 0x110000 and not 0xD800 <= number < 0xE000 else ""


def plain_text(inside: str) -> str:
    """Return what a string literal stands for, given what stands between its quotes."""
    if "\\" not in inside:
        return inside
    return re.sub(r"\\(.)", lambda match: _NAMED.get(match[1], match[1]), inside, flags=re.DOTALL)


# ---- programs that only print -------------------------------------------------------------------------

_PLAIN: Final = r"\"(?>(?:[^\"\\\n]++|\\.)*)\"|'(?>(?:[^'\\\n]++|\\.)*)'"
_UNFILLED: Final = r"\"(?>(?:[^\"\\\n$@#]++|\\.)*)\"|'(?>(?:[^'\\\n]++|\\.)*)'"
"""In double quotes, nothing of a variable's or an expression's value."""
_TEMPLATE: Final = rf"{_PLAIN}|`(?>(?:[^`\\$]++|\\.)*)`"
_KEYWORDS: Final = (
    rf"(?>(?:\s*,\s*(?:end|sep|flush|file)\s*=\s*(?:{_PLAIN}|True|False|sys\.std(?:out|err)))*)"
)


def _statement(
    calls: str, literal: str, bracket: str, prefix: str = "", keywords: str = ""
) -> re.Pattern[str]:
    """Return the pattern of one statement that prints literals, in brackets if ``bracket`` matches one."""
    one = rf"{prefix}(?:{literal})"
    return re.compile(
        rf"\s*+(?P<call>{calls})\s*+{bracket}\s*+(?P<texts>{one}(?>(?:\s*,\s*{one})*))"
        rf"(?P<keywords>{keywords})\s*,?\s*(?(open)\))[ \t]*(?:[;\n]\s*+|\Z)",
        re.DOTALL,
    )


_STATEMENTS: Final = {
    "python": _statement(r"print|sys\.std(?:out|err)\.write", _PLAIN, r"(?P<open>\()", "[rRuU]?", _KEYWORDS),
    "node": _statement(
        r"console\.(?:log|info|error|warn)|process\.std(?:out|err)\.write", _TEMPLATE, r"(?P<open>\()"
    ),
    "perl": _statement(r"(?:print|say)(?:\s+STD(?:OUT|ERR))?", _UNFILLED, r"(?P<open>\()?"),
    "ruby": _statement(
        r"(?:\$std(?:out|err)\.|STD(?:OUT|ERR)\.)?(?:puts|print)|warn", _UNFILLED, r"(?P<open>\()?"
    ),
    "php": _statement(r"echo|print", _UNFILLED, r"(?P<open>\()?"),
    "lua": _statement(r"print|io\.(?:write|stderr:write)", _PLAIN, r"(?P<open>\()?"),
}
_MODULES: Final = r"(?:sys|os|json|re|subprocess|shutil|textwrap|urllib(?:\.request)?|requests|socket)"
_IMPORT: Final = re.compile(rf"\s*+import\s+{_MODULES}(?>(?:\s*,\s*{_MODULES})*)[ \t]*(?:[;\n]\s*+|\Z)")
_STRING: Final = re.compile(_TEMPLATE, re.DOTALL)
_APART: Final = frozenset({"python", "node", "lua"})
"""Languages whose ``print`` puts its texts apart and ends the line."""


def printed(code: str, language: str) -> str | None:
    """Return what a program prints to standard output; None when it may do anything else.

    Only programs of nothing but statements that print constant strings are recognized; in Python, imports of
    well-known modules may stand before them.
    """
    statement = _STATEMENTS.get(language)
    if statement is None or len(code) > MAX_PRINTED:
        return None
    at = 0
    while language == "python" and (found := _IMPORT.match(code, at)) is not None:
        at = found.end()
    out: list[str] = []
    while at < len(code):
        found = statement.match(code, at)
        if found is None:
            return None
        at = found.end()
        out.append(_line(found, language))
    return "".join(out)


def _line(found: re.Match[str], language: str) -> str:
    call = found["call"]
    if "err" in call.lower() or "stderr" in found["keywords"] or call.endswith("warn"):
        return ""
    pieces = [plain_text(unescaped(each[0][1:-1], language)) for each in _STRING.finditer(found["texts"])]
    if call.endswith("puts"):
        return "".join(f"{piece}\n" for piece in pieces)
    if call == "say" or (language in _APART and "write" not in call):
        return (" " if language in _APART else "").join(pieces) + "\n"
    return "".join(pieces)
