"""SQL that values are written into instead of being passed beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from defenseclaw.detection.code.issues import Issue
from defenseclaw.detection.code.languages import Language
from defenseclaw.detection.code.program import MAX_EXPRESSION, MAX_PARTS, Program
from defenseclaw.detection.code.source import Literal

_CALLS: Final = re.compile(
    r"(?:execute(?:many|script|Query|Update|LargeUpdate|_sql)?|query(?:One|Many|ForObject|ForList|ForMap)?|raw"
    r"|read_sql(?:_query)?|\$(?:queryRawUnsafe|executeRawUnsafe)|prepareStatement|create(?:Native)?Query"
    r"|mysqli_query|pg_query|sqlite_query|exec|exec_query|select_all|find_by_sql|prepare|(?:Query|QueryRow|Exec|Prepare)(?:Context)?)\s*+\("
)
BEGINS: Final = (
    r"\s*\(?\s*(?:select\s|insert\s+(?:ignore\s+)?into\b|replace\s+into\b|update\s+(?:\S{1,80}\s+set\b|[\"'`{$#])"
    r"|update\s+\Z|delete\s+from\b|merge\s+into\b|(?:drop|alter|create|truncate)\s+(?:or\s+replace\s+)?(?:table|view"
    r"|index|database|schema|user|role|function|trigger|temp|temporary|unique|materialized)\b|with\s+\w+\s+as\b)"
)
"""How a statement begins; also RE2."""
# RE2 needs no possessive repeats; re does, or two runs of blanks share one in every way there is.
_SQL: Final = re.compile("(?i)" + BEGINS.replace(r"\s*", r"\s*+"))
_VALUE_FOLLOWS: Final = re.compile(
    r"(?is)(?:[=<>]|\blike\b|\bilike\b|\bbetween\b|\band\b|\bin\s*\(|\bvalues\s*\((?:[^()]{0,400},)?)"
    r"\s*(?P<quote>['\"%]{0,3})\Z|(?<=[\s(,=])['\"]%?\Z"
)
_SLOT: Final = re.compile(r"%(?:\(\w+\))?s|%d|\{[^{}]{0,80}\}")
_HARMLESS: Final = re.compile(
    r"(?i)quote|escape|identifier|\bint\(|\bfloat\(|\blen\(|parse(?:Int|Float)\(|\bNumber\(|\(int\)|intval\(|\bsql\."
    r"|[\"'](?:\?|%s|\$)[\"']|\bjoin\("
    r"|\A[\W_]*+\w*(?:place_?holder|question_?mark|qmark|\bmarks?\b|\bbinds?\b|\bparams?\b)\w*\W*\Z"
)
"""What makes an expression safe to write in: numbers, quoting, and the marks that parameters are put for."""
_OPERATOR: Final = {
    Language.PYTHON: re.compile(r"\s*+(?P<mark>%|\+|\.\s*+format\s*+\()"),
    Language.JAVASCRIPT: re.compile(r"\s*+(?P<mark>\+|\.\s*+concat\s*+\()"),
    Language.JAVA: re.compile(r"\s*+(?P<mark>\+|\.\s*+(?:concat|formatted)\s*+\(|,)"),
    Language.GO: re.compile(r"\s*+(?P<mark>\+|,)"),
    Language.RUBY: re.compile(r"\s*+(?P<mark>%|\+|<<)"),
    Language.PHP: re.compile(r"\s*+(?P<mark>\.)"),
}
LANGUAGES: Final = tuple(_OPERATOR)
"""Languages in which it is known how values are written into a string."""
_TAGGED: Final = re.compile(r"(?i)\bsql|\bprisma|\bgql|\bknex|\bSQL")


class _Filling(NamedTuple):
    """An expression that is written into SQL."""

    before: str
    """The SQL before it."""
    start: int
    end: int
    written: str


def built_queries(program: Program) -> Iterator[Issue]:
    """Find statements handed to a database that values are written into.

    Certain where the value stands where a parameter could (``= '{name}'``); a name of a table or column has
    to be written in, and is mostly the program's own.
    """
    seen: set[tuple[int, int]] = set()
    for call in program.calls(_CALLS):
        arguments = program.arguments(call)
        if not arguments or not (call.qualifier or call.name in _BARE):
            continue
        for argument in arguments[:2]:
            place = _statement(program, argument.start, argument.end)
            if place in seen:
                continue
            seen.add(place)
            fillings = list(_fillings(program, *place))
            if fillings:
                certain = any(_is_value(each) for each in fillings)
                because = (
                    "a value is written into SQL" if certain else "a name or condition is written into SQL"
                )
                yield Issue(call.start, call.end, because, certain)
                break


_BARE: Final = frozenset(("mysqli_query", "pg_query", "sqlite_query", "execute", "query", "read_sql"))


def _statement(program: Program, start: int, end: int) -> tuple[int, int]:
    """Return where the SQL of an argument is written: there, or where its variable was last given a value."""
    names = program.code(start, end).strip()
    values = program.assigned.get(names, []) if re.fullmatch(r"[$@]?[\w.]{1,80}", names) else []
    before = [place for place in values if place[0] < start]
    return before[-1] if before else (start, end)


def _fillings(program: Program, start: int, end: int) -> Iterator[_Filling]:
    """Yield what is written into the SQL of an expression and is not fixed."""
    source = program.source
    limit = min(end, start + MAX_EXPRESSION)
    sql = ""
    for literal in source.literals_in(start, limit)[:MAX_PARTS]:
        inner = source.inner(literal)[:MAX_EXPRESSION]
        if not sql and not _SQL.match(inner):
            continue
        if literal.tag and program.language is Language.JAVASCRIPT and _TAGGED.search(literal.tag):
            continue
        yield from _filled(program, literal, sql)
        sql = (sql + inner)[-MAX_EXPRESSION:]
        yield from _joined(program, literal, sql, limit)


def _filled(program: Program, literal: Literal, sql: str) -> Iterator[_Filling]:
    """Yield the expressions inside an f-string, template or interpolated string."""
    source = program.source
    for found in program.fillings(literal):
        written = found[1]
        if not _HARMLESS.search(written) and not program.are_fixed(written):
            before = (sql + source.text[literal.inner : found.start()])[-MAX_EXPRESSION:]
            yield _Filling(before, found.start(1), found.end(1), written)


def _joined(program: Program, literal: Literal, sql: str, limit: int) -> Iterator[_Filling]:
    """Yield what ``+``, ``%``, ``.format`` and their kin put behind or into a plain string."""
    code = program.source.code
    operator = _OPERATOR[program.language].match(code, literal.end, limit)
    if operator is None:
        return
    mark, start = operator["mark"], operator.end()
    written = program.text(start, limit)
    if mark == ",":
        before = code[max(0, literal.start - 40) : literal.start].rstrip()
        if not before.endswith(("format(", "Sprintf(")) or not _SLOT.search(sql):
            return
    if program.is_fixed(start, limit) or _HARMLESS.search(written):
        return
    if mark in ("+", ".", "<<") or mark.endswith("concat("):
        yield _Filling(sql, start, limit, written)
    else:
        for slot in list(_SLOT.finditer(sql))[:MAX_PARTS]:
            yield _Filling(sql[: slot.start()], start, limit, written)


def _is_value(filling: _Filling) -> bool:
    return _VALUE_FOLLOWS.search(filling.before[-480:]) is not None
