"""What a program calls, imports and assigns: enough to tell a value that is fixed from one that comes in.

A name is *fixed* when everything it is given in this text is: a literal, a constant by convention
(``ALL_CAPS``), or put together from those. A parameter, a result of a call, or a name that this text never
assigns is not. A value is *foreign* when it is taken from a request that somebody else sends.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import Final, NamedTuple

from defenseclaw.detection.code.languages import Language
from defenseclaw.detection.code.source import Bracket, Literal, Source

MAX_EXPRESSION: Final = 2048
"""Characters of one expression that are looked at."""
MAX_PARTS: Final = 64
"""Strings and names of one expression that are looked at."""
MAX_DEPTH: Final = 8
"""Names behind names that are followed."""
_WINDOW: Final = 80


class Call(NamedTuple):
    """A call, or what looks like one."""

    name: str
    qualifier: str
    """What it is called on, separated by ``.`` only: ``os`` of ``os.system(…)``; ``?`` for an expression."""
    start: int
    """Place of what it is called on, or of the name."""
    bracket: Bracket

    @property
    def end(self) -> int:
        """Place behind the closing bracket."""
        return self.bracket.end + 1

    @property
    def dotted(self) -> str:
        """Qualifier and name."""
        return f"{self.qualifier}.{self.name}" if self.qualifier else self.name


class Argument(NamedTuple):
    """One argument of a call."""

    start: int
    end: int
    keyword: str = ""


_BACKWARDS: Final = re.compile(r"[\w$@.:>?\-]*")
_SEPARATORS: Final = re.compile(r"\?\.|->|::")
_DEFINES: Final = re.compile(r"(?:def|function|func|fn|fun|sub|class|void)\s+(?:\w+\.)?\Z")
_BODY_FOLLOWS: Final = re.compile(r"\s*+(?::[^;={}\n]{1,80})?\{")
_BRACED: Final = frozenset({Language.JAVASCRIPT, Language.JAVA, Language.PHP, Language.C})
_KEYWORD: Final = re.compile(r"\s*+([A-Za-z_]\w*+)\s*+(?:=(?![=>])|:(?!:))")
_NAME: Final = re.compile(r"(?<![\w$])[$@]{0,2}[A-Za-z_][\w$]*+")
_IS_KEYWORD: Final = re.compile(r"\s?=(?![=>~])")
_QUOTES: Final = frozenset("'\"`")
_NOT_NAMES: Final = frozenset((
    "and", "or", "not", "in", "is", "if", "else", "elif", "for", "while", "await", "async", "new",
    "return", "lambda", "typeof", "instanceof", "void", "yield", "True", "False", "None", "true", "false",
    "null", "undefined", "nil", "NULL", "nullptr", "int", "float", "bool", "str", "string", "String",
    "Number", "char", "const", "let", "var", "final", "static", "as", "of", "function", "def", "self",
    "this", "std", "unless", "then", "do", "end", "begin",
))  # fmt: skip
_FIXED_NAMES: Final = re.compile(
    r"[A-Z][A-Z0-9_]+\Z|__(?:file|name|dirname|filename|FILE|DIR|dir)__\Z|__dirname\Z|__filename\Z|len\Z|join\Z"
    r"|format\Z|range\Z|Path\Z|PurePath\Z|path\Z|os\Z|sys\Z|textwrap\Z|dedent\Z|strip\Z|import\Z|process\Z"
)
_ASSIGNED: Final = re.compile(
    r"\n[ \t]*+(?>(?:(?:const|let|var|final|static|export|private|public|String|CharSequence|my|auto|val)"
    r"[ \t]++){0,6})"
    r"([$@]?(?:self\.|this\.)?[A-Za-z_][\w$]*+)(?:[ \t]*+:(?![=:])[^=\n;(){}]{1,60})?[ \t]*+[+.]?:?=(?![=>~])"
)
_LOOP: Final = re.compile(
    r"for[ \t]++\(?(?:const[ \t]++|let[ \t]++|var[ \t]++)?([A-Za-z_]\w*+)[ \t]++(?:in|of)[ \t]"
    r"|for[ \t]*+\((?:const|let|var)[ \t]++([A-Za-z_]\w*+)[ \t]++of[ \t]"
)
_PARAMETERS: Final = re.compile(
    r"\b(?:def|function|func|fn|fun)\b[ \t]*+(?:\([^()\n]{0,80}\)[ \t]*+)?[\w.$!?]*+[ \t]*+\("
)
_ARROW: Final = re.compile(r"\)\s*+=>|(?<![\w$])([A-Za-z_$][\w$]*+)\s*+=>")
_STATEMENT_END: Final = re.compile(r"[\n;]|[(\[{]")
_LOOP_END: Final = re.compile(r"[:;\n)]|[(\[{]")
_GOES_ON: Final = re.compile(r"[-+.,\\&|?:%=(\[{]\s*\Z")
_CONTINUES: Final = re.compile(r"\s*+(?:[+.?|%]|&&)(?![+.])")
FOREIGN: Final = {
    Language.PYTHON: (
        r"\b(?:flask\.)?request\.(?:args|form|json|values|GET|POST|FILES|query_params|path_params|params|data"
        r"|get_json|cookies|headers|files|stream|body|match_info|query|rel_url|url)\b"
        r"|\bself\.get_(?:query_|body_)?argument\b|\bevent\[[\"'](?:queryStringParameters|body|pathParameters)"
    ),
    Language.JAVASCRIPT: (
        r"\b(?:req|request|ctx\.request|ctx)\.(?:query|body|params|headers|cookies|param)\b"
        r"|\bsearchParams\.get\b|\bevent\.(?:queryStringParameters|body|pathParameters)\b"
        r"|\b(?:window\.|document\.)?location\.(?:search|hash|href)\b"
    ),
    Language.GO: (
        r"\.URL\.Query\(\)|\.(?:Post)?FormValue\(|\bmux\.Vars\(|\b(?:c|ctx)\.(?:Query|Param|PostForm)\("
        r"|\.PathValue\("
    ),
    Language.JAVA: (r"\.get(?:Parameter|Header|QueryString|Cookies|InputStream|Reader)\("),
    Language.RUBY: (r"\b(?:params|cookies)\s{0,2}(?:\[|\.)|\brequest\.(?:body|query_string|params)\b"),
    Language.PHP: (r"\$_(?:GET|POST|REQUEST|COOKIE|FILES|SERVER)\b|php://input"),
}
"""What takes something out of a request, by language; also RE2."""
_FOREIGN: Final = {language: re.compile(pattern) for language, pattern in FOREIGN.items()}
_FILLED: Final = {
    Language.PYTHON: re.compile(r"\{\{|\{([^{}]{1,200})"),
    Language.JAVASCRIPT: re.compile(r"\$\{([^{}]{1,200})"),
    Language.RUBY: re.compile(r"#\{([^{}]{1,200})"),
    Language.PHP: re.compile(r"(?<!\\)\{?(\$[A-Za-z_]\w*(?:->\w+|\[[^\]\n]{1,80}\])?)"),
    Language.SHELL: re.compile(r"\$\{?(\w{1,80})"),
}


class Program:
    """A text as a program. Everything is computed when first asked for, each in one pass."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.language = source.language
        self._fixed: dict[str, bool] = {}
        self._foreign: dict[str, bool] = {}

    # ---- calls --------------------------------------------------------------------------------------

    def calls(self, named: re.Pattern[str]) -> Iterator[Call]:
        """Yield the calls whose name ``named`` finds; the pattern ends with the opening bracket."""
        code = self.source.code
        for found in named.finditer(code):
            start = found.start()
            if start and (code[start - 1].isalnum() or code[start - 1] in "_$"):
                continue
            bracket = self.source.brackets.get(found.end() - 1)
            if bracket is None:
                continue
            before = code[max(0, start - _WINDOW) : start].rstrip()
            if _DEFINES.search(code, max(0, start - _WINDOW), start) or self._is_definition(bracket, before):
                continue
            chain = _chain(before)
            name = found[0][:-1].rstrip()
            adjoins = code.endswith(chain, 0, start)
            yield Call(name, _qualifier(chain), start - len(chain) * adjoins, bracket)

    def _is_definition(self, bracket: Bracket, before: str) -> bool:
        """Whether this is a method's head: ``exec(command) {`` in a class."""
        if self.language not in _BRACED or before.endswith((".", ">", ":", "=", "(", ",", "return", "await")):
            return False
        return _BODY_FOLLOWS.match(self.source.code, bracket.end + 1) is not None

    def arguments(self, call: Call) -> list[Argument]:
        """Return the arguments of a call, at most :data:`MAX_PARTS`; blank ones left out."""
        code = self.source.code
        found: list[Argument] = []
        for start, end in call.bracket.parts():
            if len(found) == MAX_PARTS:
                break
            if not code[start : min(end, start + MAX_EXPRESSION)].strip():
                continue
            keyword = _KEYWORD.match(code, start, end) if self.language is not Language.JAVASCRIPT else None
            if keyword is not None:
                found.append(Argument(keyword.end(), end, keyword[1]))
            else:
                found.append(Argument(start, end))
        return found

    def text(self, start: int, end: int) -> str:
        """Return an expression as written, bounded."""
        return self.source.text[start : min(end, start + MAX_EXPRESSION)]

    def code(self, start: int, end: int) -> str:
        """Return an expression with the insides of its strings blank, bounded."""
        return self.source.code[start : min(end, start + MAX_EXPRESSION)]

    # ---- imports ------------------------------------------------------------------------------------

    @cached_property
    def imports(self) -> dict[str, str]:
        """What names that Python imports mean: ``{"sp": "subprocess", "run": "subprocess.run"}``."""
        known: dict[str, str] = {}
        for found in _PYTHON_IMPORT.finditer(self.source.code):
            module = found["module"]
            names = found["names"] or found["plain"]
            for part in names.replace("(", "").split(",")[:MAX_PARTS]:
                name, _, alias = part.strip().partition(" as ")
                if name.strip():
                    whole = f"{module}.{name.strip()}" if module else name.strip()
                    known[alias.strip() or (name.strip() if module else whole.partition(".")[0])] = (
                        whole if module or alias.strip() else whole.partition(".")[0]
                    )
        return known

    def resolved(self, call: Call) -> str:
        """Return the full dotted name of what a Python call calls: ``sp.run`` → ``subprocess.run``."""
        head, _, rest = call.dotted.partition(".")
        known = self.imports.get(head, head)
        return f"{known}.{rest}" if rest else known

    @cached_property
    def bases(self) -> dict[str, str]:
        """What the Python classes of this text derive from, as written."""
        return {found[1]: found[2] for found in _CLASS.finditer(self.source.code)}

    # ---- values -------------------------------------------------------------------------------------

    def is_fixed(self, start: int, end: int, depth: int = 0) -> bool:
        """Whether an expression has the same value on every run, as far as this text tells."""
        source = self.source
        for literal in source.literals_in(start, min(end, start + MAX_EXPRESSION))[:MAX_PARTS]:
            if literal.fills_in and not all(
                self._are_fixed(self.names(inner), depth) for inner in self.filled_in(literal)
            ):
                return False
        return self._are_fixed(self.names(self.code(start, end)), depth)

    def _are_fixed(self, names: list[str], depth: int) -> bool:
        return len(names) < MAX_PARTS and all(self.is_fixed_name(name, depth) for name in names)

    def is_fixed_name(self, name: str, depth: int = 0) -> bool:
        """Whether a name stands for one fixed value."""
        known = self._fixed.get(name)
        if known is not None:
            return known
        if depth >= MAX_DEPTH:
            return False
        self._fixed[name] = False
        values = self.assigned.get(name)
        if name in self.parameters:
            fixed = False
        elif values:
            fixed = all(self.is_fixed(start, end, depth + 1) for start, end in values[:MAX_PARTS])
        else:
            fixed = _FIXED_NAMES.match(name) is not None
        self._fixed[name] = fixed
        return fixed

    def is_foreign(self, start: int, end: int, depth: int = 0) -> bool:
        """Whether an expression takes something out of a request that somebody else sends."""
        pattern = _FOREIGN.get(self.language)
        if pattern is None:
            return False
        written = self.text(start, end)
        if pattern.search(written):
            return True
        names = [*self.names(self.code(start, end))]
        for literal in self.source.literals_in(start, min(end, start + MAX_EXPRESSION))[:MAX_PARTS]:
            names += [name for inner in self.filled_in(literal) for name in self.names(inner)]
        return any(self._is_foreign_name(name, depth) for name in names[:MAX_PARTS])

    def _is_foreign_name(self, name: str, depth: int) -> bool:
        known = self._foreign.get(name)
        if known is not None:
            return known
        if depth >= MAX_DEPTH:
            return False
        self._foreign[name] = False
        values = self.assigned.get(name, [])[:MAX_PARTS]
        self._foreign[name] = any(self.is_foreign(start, end, depth + 1) for start, end in values)
        return self._foreign[name]

    def fillings(self, literal: Literal) -> Iterator[re.Match[str]]:
        """Yield the expressions that a string fills in; group 1 is the expression."""
        pattern = _FILLED.get(self.language)
        if literal.fills_in and pattern is not None:
            end = min(literal.inner_end, literal.inner + MAX_EXPRESSION)
            found = pattern.finditer(self.source.text, literal.inner, end)
            yield from islice((each for each in found if each[1]), MAX_PARTS)

    def filled_in(self, literal: Literal) -> list[str]:
        """Return the expressions that a string fills in, as written."""
        return [each[1] for each in self.fillings(literal)]

    def are_fixed(self, written: str) -> bool:
        """Whether an expression, given as text without strings, is fixed."""
        return self._are_fixed(self.names(written), 0)

    def names(self, code: str) -> list[str]:
        """Return the names an expression begins with: ``a`` and ``c`` of ``a.b + c[0]``."""
        found: list[str] = []
        for each in _NAME.finditer(code):
            name, before, after = (
                each[0],
                code[max(0, each.start() - 2) : each.start()],
                code[each.end() : each.end() + 3],
            )
            if name in _NOT_NAMES or after[:1] in _QUOTES or before.endswith((".", "->", "::")):
                if name not in ("self", "this"):
                    continue
                name = _member(code, each)
            elif _IS_KEYWORD.match(after):
                continue
            found.append(name)
            if len(found) == MAX_PARTS:
                break
        return found

    @cached_property
    def assigned(self) -> dict[str, list[tuple[int, int]]]:
        """Places of the values that every name is given."""
        values: dict[str, list[tuple[int, int]]] = {}
        # With a line break in front every assignment begins with one, which is quick to search for.
        for found in _ASSIGNED.finditer("\n" + self.source.code):
            if self.language is Language.PYTHON and self._in_brackets(found.start(1) - 1):
                continue
            start = found.end() - 1
            values.setdefault(found[1], []).append((start, self.statement_end(start)))
        for found in _LOOP.finditer(self.source.code):
            end = self.statement_end(found.end(), _LOOP_END)
            values.setdefault(found[1] or found[2], []).append((found.end(), end))
        return values

    @cached_property
    def parameters(self) -> frozenset[str]:
        """Names that functions of this text take."""
        code, brackets = self.source.code, self.source.brackets
        names: set[str] = set()
        heads = [found.end() - 1 for found in _PARAMETERS.finditer(code)]
        closed = {bracket.end: start for start, bracket in brackets.items() if code[start] == "("}
        for found in _ARROW.finditer(code) if self.language is Language.JAVASCRIPT else ():
            if found[1]:
                names.add(found[1])
            elif found.start() in closed:
                heads.append(closed[found.start()])
        for head in heads:
            bracket = brackets.get(head)
            for start, end in bracket.parts() if bracket is not None else ():
                name = _NAME.search(code, start, min(end, start + 200))
                if name is not None:
                    names.add(name[0])
        return frozenset(names)

    @cached_property
    def _outermost(self) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        for start, bracket in sorted(self.source.brackets.items()):
            if not found or start > found[-1][1]:
                found.append((start, bracket.end))
        return found

    def _in_brackets(self, place: int) -> bool:
        index = bisect_right(self._outermost, (place, place)) - 1
        return index >= 0 and self._outermost[index][0] < place < self._outermost[index][1]

    def statement_end(self, start: int, ends: re.Pattern[str] = _STATEMENT_END) -> int:
        """Return where the statement around ``start`` ends, at most :data:`MAX_EXPRESSION` further."""
        code, brackets = self.source.code, self.source.brackets
        limit = min(len(code), start + MAX_EXPRESSION)
        at = start
        while (found := ends.search(code, at, limit)) is not None:
            mark, place = found[0], found.start()
            if mark in "([{":
                bracket = brackets.get(place)
                at = bracket.end + 1 if bracket is not None else place + 1
                if at >= limit:
                    return limit
            elif mark == "\n" and (
                _GOES_ON.search(code, max(start, place - _WINDOW), place)
                or _CONTINUES.match(code, place + 1, min(limit, place + _WINDOW))
            ):
                at = place + 1
            else:
                return place
        return limit


_PYTHON_IMPORT: Final = re.compile(
    r"^[ \t]*+(?:from[ \t]++(?P<module>[\w.]++)[ \t]++import[ \t]*+"
    r"(?P<names>\([^()]{0,2000}|[^\n#;]{1,500})|import[ \t]++(?P<plain>[^\n#;]{1,500}))",
    re.MULTILINE,
)
_CLASS: Final = re.compile(r"^[ \t]*+class[ \t]++(\w++)[ \t]*+\(([^()\n]{0,200})", re.MULTILINE)
_MEMBER: Final = re.compile(r"\s*+(?:\.|->)\s*+([A-Za-z_]\w*+)")


def _member(code: str, owner: re.Match[str]) -> str:
    found = _MEMBER.match(code, owner.end())
    return f"{owner[0]}.{found[1]}" if found else owner[0]


def _chain(before: str) -> str:
    """Return what a name is called on as written, from the text before it; empty for a name on its own."""
    if not before.endswith((".", "->", "::")):
        return ""
    chain = _BACKWARDS.match(before[::-1])
    return chain[0][::-1] if chain else ""


def _qualifier(chain: str) -> str:
    return (_SEPARATORS.sub(".", chain).strip(".:>-?") or "?") if chain else ""
