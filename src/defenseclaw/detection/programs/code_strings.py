"""Program text with its constant strings put together, so that a path or command in pieces is seen whole.

Folds what scripts write most: ``os.path.join(home, ".x", "y")``, ``Path.home() / ".x"``, ``"a" + "b"``,
``f"{home}/.x"``, ``${os.homedir()}/.x``, simple variables, base64, hex and reversed constants. Text only:
nothing is run, and what is no constant stays as it is.

Source: ``spec/guardrail.md`` §6.6 (interpreters of other languages).
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from typing import Final

MAX_NAMES: Final = 64
"""Variables that are followed."""
MAX_ROUNDS: Final = 12
"""Times that neighbours are joined: each time halves how many pieces a string has."""
_MAX_STRING: Final = 4_096

_GAP: Final = r"\s{0,32}"
STRING: Final = r"(?<!\\)(?:\"(?:[^\"\\\n]|\\.){0,4096}\"|'(?:[^'\\\n]|\\.){0,4096}')"
_HOME: Final = re.compile(
    r"(?:pathlib\.)?\bPath\.home\(\)"
    r"|os\.path\.expanduser\(\s{0,32}[rbu]?['\"]~['\"]\s{0,32}\)"
    r"|(?:os\.)?\benviron(?:\.get)?\s{0,32}[\[(]\s{0,32}['\"]HOME['\"][^\])\n]{0,80}[\])]"
    r"|(?:os\.|System\.)?\bgetenv\(\s{0,32}['\"]HOME['\"][^)\n]{0,80}\)"
    r"|process\.env(?:\.HOME\b|\[\s{0,32}['\"]HOME['\"]\s{0,32}\])"
    r"|(?:require\(\s{0,32}['\"](?:node:)?os['\"]\s{0,32}\)|\bos)?\.?\bhomedir\(\)"
    r"|\bDir\.home\b(?:\(\))?"
    r"|\$?\bENV(?:\[\s{0,32}['\"]HOME['\"]\s{0,32}\]|\{\s{0,32}['\"]?HOME['\"]?\s{0,32}\}|\.fetch\(\s{0,32}['\"]HOME['\"]\s{0,32}\))"
    r"|\$_(?:SERVER|ENV)\[\s{0,32}['\"]HOME['\"]\s{0,32}\]"
    r"|\bENVIRON\[\s{0,32}['\"]HOME['\"]\s{0,32}\]"
    r"|\bNSHomeDirectory\(\)"
)
_HOLE: Final = re.compile(r"[#$]?\{\s{0,32}(?:~|\$?([A-Za-z_]\w*))\s{0,32}\}")
_DOLLAR: Final = re.compile(r"\$([A-Za-z_]\w*)")
_PREFIX: Final = re.compile(rf"({STRING})|(?<![\w'\"])(?:[rR][bBfF]?|[bBfFuU][rR]?)(?=['\"])")
"""Whole strings too, so that what ends in one is not taken for the prefix of the next."""
_SUM: Final = re.compile(
    rf"({STRING}){_GAP}(\+|\.\.?(?={_GAP}['\"])|/(?![/*])|(?<=['\"])[ \t]+(?=['\"])){_GAP}({STRING})"
    rf"|{STRING}"
)
"""Strings alone too, so that quotes inside of one are not taken for strings."""
_JOIN: Final = re.compile(
    rf"\b(?:join|joinpath|resolve)\({_GAP}({STRING}(?:{_GAP},{_GAP}{STRING})*){_GAP},?{_GAP}\)"
)
_CAST: Final = re.compile(
    r"\b(?:pathlib\.)?(?:Path|PurePath|PosixPath|str|String|os\.fspath|os\.path\.(?:expanduser|abspath|realpath|"
    rf"normpath)|path\.(?:resolve|normalize)|File\.expand_path|Pathname\.new|fs\.realpathSync)\({_GAP}({STRING}){_GAP}\)"
)
_DECODED: Final = re.compile(
    rf"(?:\b(?:base64\.)?(?:standard_|urlsafe_)?b64decode|\batob|\bBuffer\.from|\bdecode_base64|\bbase64_decode)"
    rf"\({_GAP}({STRING}){_GAP}(?:,{_GAP}['\"]base64['\"]{_GAP})?\)(?:\.(?:decode|toString)\([^)\n]{{0,20}}\))?"
)
_HEX: Final = re.compile(
    rf"\b(?:bytes\.fromhex|(?:binascii\.)?unhexlify)\({_GAP}({STRING}){_GAP}\)(?:\.decode\([^)\n]{{0,20}}\))?"
)
_REVERSED: Final = re.compile(
    rf"({STRING}){_GAP}\[{_GAP}::{_GAP}-1{_GAP}\]|\b(?:strrev|reverse)\({_GAP}({STRING}){_GAP}\)"
)
_ASSIGNED: Final = re.compile(
    rf"(?:^|[;\n{{(,]|\b(?:my|our|local|const|let|var)\s)[ \t]{{0,64}}[$@]?([A-Za-z_]\w*)"
    rf"[ \t]{{0,64}}:?=[ \t]{{0,64}}({STRING}|\d{{1,9}})[ \t]{{0,64}}(?=[;\n,)}}]|\Z)"
)
_NAME: Final = re.compile(r"(?<![\w.$'\"])[$]?([A-Za-z_]\w*)\b(?!\s{0,32}(?:[-+*/.|]?=(?!=)|\())")
_PARTS: Final = re.compile(STRING)
_UNESCAPED_QUOTE: Final = re.compile(r"(?<!\\)\"")
_FOLDABLE: Final = re.compile(
    r"['\"]\s{0,32}(?:[+/.{\[]|['\"])|[+/.]\s{0,32}['\"]|\bjoin|b64|atob|base64|fromhex|unhexlify|\bHOME\b|home|Path|[$#{]\{?\w+\}"
)


def fold(code: str) -> str:
    """Return ``code`` with constant strings folded; meaning is kept only for reading the strings in it.

    Linear in the length of ``code`` for a bounded number of rounds.
    """
    if _FOLDABLE.search(code) is None:
        return code
    if "`" in code:
        code = re.sub(r"`([^`\"\n\\]{1,512})`", r'"\1"', code) if "${" in code else code
    code = _HOME.sub(_home, code)
    code = _PREFIX.sub(lambda found: found[1] or "", code)
    code = _fill(code, {})
    known: dict[str, str] = {}
    for _ in range(3):
        code = _join_all(code)
        found = dict(known)
        for match in _ASSIGNED.finditer(code):
            if len(found) < MAX_NAMES and len(match[2]) <= _MAX_STRING:
                found[match[1]] = match[2].strip("\"'")
        if found == known:
            break
        known = found
        code = _fill(_substitute(code, known), known)
    return _join_all(code)


def _home(match: re.Match[str]) -> str:
    """Return ``~``, in quotes unless it stands inside a string already."""
    before, after = (
        match.string[match.start() - 1 : match.start()],
        match.string[match.end() : match.end() + 1],
    )
    inside = before == "{" and after == "}"
    in_perl_string = match[0].startswith("$ENV{") and after == "/"
    return "~" if inside or in_perl_string else '"~"'


def _fill(code: str, known: dict[str, str]) -> str:
    """Put known values into the holes of interpolated strings."""

    def hole(match: re.Match[str]) -> str:
        if match[1] is None:
            return "~"
        return known.get(match[1], match[0])

    def string(match: re.Match[str]) -> str:
        text = match[0]
        if "{" in text:
            text = _HOLE.sub(hole, text)
        if "$" in text and text[0] == '"':
            text = _DOLLAR.sub(lambda name: known.get(name[1], name[0]), text)
        return text if len(text) <= 2 * _MAX_STRING else match[0]

    return _PARTS.sub(string, code)


def _substitute(code: str, known: dict[str, str]) -> str:
    """Put known values in the place of variables, outside of strings."""

    def value(match: re.Match[str]) -> str:
        text = known.get(match[1])
        return match[0] if text is None else f'"{text}"' if '"' not in text else f"'{text}'"

    out: list[str] = []
    size = 0
    for text, quoted in _segments(code):
        piece = text if quoted else _NAME.sub(value, text)
        size += len(piece)
        if size > 4 * len(code) + _MAX_STRING:
            return code
        out.append(piece)
    return "".join(out)


def _segments(code: str) -> Iterator[tuple[str, bool]]:
    last = 0
    for match in _PARTS.finditer(code):
        yield code[last : match.start()], False
        yield match[0], True
        last = match.end()
    yield code[last:], False


def _join_all(code: str) -> str:
    steps: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
        (_CAST, lambda match: match[1]),
        (_DECODED, lambda match: _decoded(match, _base64)),
        (_HEX, lambda match: _decoded(match, bytes.fromhex)),
        (_REVERSED, lambda match: _literal((match[1] or match[2])[1:-1][::-1])),
        (_SUM, _sum),
        (_JOIN, lambda match: _literal("/".join(each[0][1:-1] for each in _PARTS.finditer(match[1])))),
    )
    for _ in range(MAX_ROUNDS):
        before = code
        for pattern, replacement in steps:
            code = pattern.sub(replacement, code)
        if code == before:
            break
    return code


def _sum(match: re.Match[str]) -> str:
    if match[1] is None:
        return match[0]
    left, operator, right = match[1][1:-1], match[2], match[3][1:-1]
    if len(left) + len(right) > _MAX_STRING:
        return match[0]
    return _literal(f"{left.rstrip('/')}/{right}" if operator == "/" else left + right)


def _base64(text: str) -> bytes:
    return b64decode(text + "=" * (-len(text) % 4), validate=True)


def _decoded(match: re.Match[str], decode: Callable[[str], bytes]) -> str:
    try:
        text = decode(match[1][1:-1]).decode()
    except ValueError:
        return match[0]
    return _literal(text) if text.isprintable() else match[0]


def _literal(text: str) -> str:
    if '"' not in text:
        return f'"{text}"'
    return f"'{text}'" if "'" not in text else '"' + _UNESCAPED_QUOTE.sub(r"\"", text) + '"'
