"""PowerShell source → statements. Every character is read once; brackets may nest to a bound.

What is not PowerShell is read as far as it makes sense: an unclosed quote or bracket ends with the source.

Source: PowerShell language specification, chapter 2 (lexical structure) and 15 (grammar).
"""

from __future__ import annotations

import re
from typing import Final

from defenseclaw.detection.windows.bounds import MAX_DEPTH
from defenseclaw.detection.windows.syntax import (
    Assignment,
    Binary,
    Block,
    Cast,
    Function,
    Group,
    Index,
    Inline,
    Invocation,
    List,
    Loop,
    Member,
    Node,
    Parameters,
    Pipeline,
    Redirection,
    Script,
    Statement,
    Table,
    Text,
    Type,
    Unary,
    Variable,
)

SINGLE: Final = "'\u2018\u2019\u201a\u201b"
DOUBLE: Final = '"\u201c\u201d\u201e'
DASHES: Final = "-\u2013\u2014\u2015"
_COMMENT: Final = r"<#(?>(?:[^#]++|#(?!>))*)(?:#>|\Z)"
_BLANK: Final = re.compile(rf"(?>(?:[ \t\f\v\u00a0]++|`\r?\n|{_COMMENT})*)").match
_SPACE: Final = re.compile(rf"(?>(?:[\s;\u00a0]++|`\r?\n|#[^\n]*+|{_COMMENT})*)").match
_SCOPED: Final = r"(?:(?:env|global|script|local|private|using|variable|function|alias):)?[\w?]+"
_NAME: Final = re.compile(_SCOPED, re.I)
_SCOPES: Final = ("global:", "script:", "local:", "private:", "using:", "variable:")
_MAY_SKIP: Final = frozenset(" \t\f\v\u00a0`<")
_NO_SPACE: Final = frozenset(map(chr, range(0x21, 0x7F))) - frozenset("`;#<")
_MAY_REDIRECT: Final = frozenset("123456*>")
_SPECIAL: Final = frozenset("$?^")
_MEMBER: Final = re.compile(r"[A-Za-z_]\w*")
_POSTFIX_START: Final = frozenset(":.?[+-")
_TYPE: Final = re.compile(r"\[\s{0,16}([A-Za-z_][\w.+,` ]{0,128}(?:\[[\w.,\[\] ]{0,128}\])?)\s{0,16}\]")
_NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F]+|\d+(?:\.(?!\.)\d+)?(?:[eE][+-]?\d+)?(?:[kmgtKMGT][bB])?")
_VALUE_START: Final = frozenset("$([{'\"@!+" + SINGLE + DOUBLE + DASHES)
_ASSIGN: Final = re.compile(r"(?:\?\?|[-+*/%])?=(?!=)")
_JOINTS: Final = frozenset("|&")
_MAY_ASSIGN: Final = frozenset("=?-+*/%")
_REDIRECT: Final = re.compile(r"([1-6*]?)>(>?)(?:&([12]))?")
_COMMAND_END: Final = frozenset("\r\n;|&)}")
_STATEMENT_END: Final = frozenset(("", *"\r\n;)}"))
_NO_RUN: Final = _COMMAND_END | frozenset("$'\"({#@>`,")
_MAY_STAND_ALONE: Final = frozenset("$'\"0123456789")
_WORD_END: Final = frozenset(" \t\r\n\f\v\u00a0;|&(){}<>,")
_BARE_OPERAND: Final = re.compile(r"[^ \t\r\n\f\v\u00a0;|&(){}<>,\]=]*").match
_FUNCTION_NAME: Final = re.compile(r"[^ \t\r\n({]*").match
_KEY: Final = re.compile(r"([A-Za-z]\w*)[ \t]*(?==)").match
_VERBATIM: Final = re.compile(r"[^\r\n|]*").match
_PLAIN: Final = re.compile(r"[\w./\\:=+*?~^%@!\[\]-]+")
_RUN_WORDS: Final = (
    # Words without anything to expand, and no list of them: what follows the blanks is no comma.
    r"(?>(?:(?!--%)[\w./\\:=+*?~^%!\[\]-][\w./\\:=+*?~^%@!\[\]-]*+"
    r"(?:[ \t]++(?![,`<\f\v\u00a0])|(?=[\r\n;|&)}]|\Z)))+)"
)
_RUN: Final = re.compile(_RUN_WORDS).match
_GIVEN: Final = re.compile(r"[ \t]-[A-Za-z]+:").search
_ALONE: Final = (
    rf"(?:\$({_SCOPED})((?>(?:\.[A-Za-z_][A-Za-z0-9_]*+)*))|'[^{SINGLE}]*+'|\"[^`${DOUBLE}]*+\"|([0-9]++))"
)
_SETS: Final = re.compile(rf"\$({_SCOPED})[ \t]*=(?!=)", re.I).match
_LONE_WORD: Final = re.compile(rf"{_ALONE}(?=[ \t\r\n;|&)}}]|\Z)", re.I).match
_LONE_OPERAND: Final = re.compile(rf"{_ALONE}(?=[ \t\r\n;|&)}},\]=]|\Z)", re.I).match
_QUOTED: Final = re.compile(f"[^`${DOUBLE}]+")
_QUOTE: Final = re.compile(f"[{SINGLE}]")
_OPERATOR: Final = re.compile(r"[A-Za-z]+")
_KEYWORD: Final = re.compile(r"[A-Za-z]+(?![\w.:\\/*?-])").match
_HERE_START: Final = re.compile(r"@([\"'\u2018-\u201e])[ \t]*\r?\n")
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_JUMPS: Final = frozenset({"return", "throw", "exit"})
_SKIPPED: Final = frozenset({"else", "do", "try", "finally", "begin", "process", "end", "default", "clean"})
_CONDITIONS: Final = frozenset({"if", "elseif", "while", "until", "switch", "for", "param"})
_KEYWORDS: Final = frozenset(
    {"break", "continue", "foreach", "function", "filter", "workflow", "catch", "trap"}
    | _JUMPS
    | _SKIPPED
    | _CONDITIONS
)
_STATEMENT: Final = re.compile(
    rf"(?!(?:(?i:{'|'.join(sorted(_KEYWORDS))}))(?![\w.:\\/*?-])){_RUN_WORDS}"
).match
_LEVELS: Final = {
    ",": 9, "..": 8, "f": 7, "*": 6, "/": 6, "%": 6, "+": 5, "-": 5,
    "and": 2, "or": 2, "xor": 2, "??": 2, "?": 1,
}  # fmt: skip
_NO_OPERATOR: Final = ("", 0, 0)
_MAY_OPERATE: Final = frozenset(",+*/%.?" + DASHES)
_COMPARISONS: Final = frozenset(
    [
        "eq",
        "ne",
        "gt",
        "lt",
        "ge",
        "le",
        "like",
        "notlike",
        "match",
        "notmatch",
        "contains",
        "notcontains",
        "in",
        "notin",
        "is",
        "isnot",
        "as",
        "join",
        "split",
        "replace",
        "band",
        "bor",
        "bxor",
        "shl",
        "shr",
    ]
)
_BITS: Final = 4
_COMPARES: Final = 3


class Parser:
    """Parses one source; :attr:`issues` says what went wrong."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0
        self.issues: set[str] = set()

    def parse(self) -> Script:
        """Return the statements of the whole source."""
        out: list[Statement] = []
        while self.at < len(self.text):
            before = self.at
            out += self._statements("")
            if self.at == before or self.at < len(self.text):
                # A bracket that closes nothing.
                self.issues.add("invalid_syntax")
                self.at = max(self.at, before) + 1
        return tuple(out)

    # ---- statements ---------------------------------------------------------------------------------

    def _statements(self, closer: str) -> list[Statement]:
        """Parse up to a closing bracket, which is left standing."""
        out: list[Statement] = []
        text = self.text
        while True:
            self._skip_space()
            if self.at >= len(text) or (char := text[self.at]) in ")}":
                return out
            if char in "&|" and text[self.at : self.at + 2] in ("&&", "||"):
                self.at += 2
                continue
            before = self.at
            out += self._statement()
            if self.at == before:
                self.at += 1
            if closer and self.at < len(text) and text[self.at] == closer:
                return out

    def _skip_space(self) -> None:
        text, at = self.text, self.at
        if at < len(text) and text[at] not in _NO_SPACE:
            self.at = _SPACE(text, at).end()  # type: ignore[union-attr]

    def _skip_blank(self) -> None:
        text, at = self.text, self.at
        if at < len(text) and text[at] in _MAY_SKIP:
            self.at = _BLANK(text, at).end()  # type: ignore[union-attr]

    def _skip_line(self) -> None:
        end = self.text.find("\n", self.at)
        self.at = len(self.text) if end < 0 else end

    def _statement(self) -> list[Statement]:
        text, at = self.text, self.at
        char = text[at]
        if char == "$":
            sets = _SETS(text, at)
            if sets is not None:
                self.at = sets.end()
                return [self._assigned(_named(sets[1]), "=")]
        elif char == "{":
            return [Inline(self._block())]
        elif char.isalpha():
            run = _STATEMENT(text, at)
            if run is not None and text[run.end() : run.end() + 1] in _STATEMENT_END:
                return [Pipeline([Invocation(*self._literal_words(run))])]
            found = _KEYWORD(text, at)
            if found is not None and (word := found[0].lower()) in _KEYWORDS:
                parsed = self._keyword(word, found.end())
                if parsed is not None:
                    return parsed
        return [self._pipeline()]

    def _literal_words(self, run: re.Match[str]) -> tuple[list[Node | str], list[str]]:
        """Take in words without anything to expand: all of them, and again if they stay as they are."""
        self.at = run.end()
        words = run[0].split()
        return [*words], words if ":" not in run[0] or _GIVEN(run[0]) is None else []

    def _keyword(self, word: str, end: int) -> list[Statement] | None:
        start = self.at
        if word in _JUMPS:
            self.at = end
            self._skip_blank()
            return [] if self._at_end() else [self._pipeline()]
        if word in ("break", "continue"):
            self.at = end
            return []
        if word == "foreach":
            self.at = end
            return self._foreach(start)
        if word in ("function", "filter", "workflow"):
            self.at = end
            return self._function()
        if word in _CONDITIONS:
            self.at = end
            self._skip_space()
            if not self.text.startswith("(", self.at):
                self.at = start
                return None
            group = self._group()
            return [_parameters(group)] if word == "param" else [Pipeline([group])]
        if word in _SKIPPED or word in ("catch", "trap"):
            self.at = end
            self._skip_space()
            if word in ("catch", "trap"):
                while (type_name := _TYPE.match(self.text, self.at)) is not None:
                    self.at = type_name.end()
                    self._skip_space()
            if self.text.startswith("{", self.at):
                return [Inline(self._block())]
            if word == "else":
                return []
            self.at = start
        return None

    def _foreach(self, start: int) -> list[Statement] | None:
        self._skip_space()
        if not self.text.startswith("(", self.at):
            self.at = start
            return None
        self.at += 1
        self._skip_space()
        variable = self._variable() if self.text.startswith("$", self.at) else None
        self._skip_space()
        if self.text[self.at : self.at + 2].lower() == "in":
            self.at += 2
        values = self._enclosed(")")
        self._skip_space()
        if not isinstance(variable, Variable) or not self.text.startswith("{", self.at):
            return [Inline(Block(values, start, self.at))]
        return [Loop(variable.name, values, self._block())]

    def _function(self) -> list[Statement]:
        self._skip_blank()
        found = _FUNCTION_NAME(self.text, self.at)
        self.at = found.end()  # type: ignore[union-attr]
        name = found[0].lower()  # type: ignore[index]
        self._skip_space()
        taken: tuple[Statement, ...] = ()
        if self.text.startswith("(", self.at):
            taken = (_parameters(self._group()),)
            self._skip_space()
        if self.text.startswith("{", self.at):
            block = self._block()
            return [Function(name, Block((*taken, *block.script), block.start, block.end))]
        return []

    def _at_end(self) -> bool:
        return self.at >= len(self.text) or self.text[self.at] in "\r\n;)}|&"

    def _taken(self, found: re.Match[str]) -> Node:
        """Take in a variable, its members, a text in quotes without anything to expand, or a number."""
        self.at = found.end()
        if found.lastindex is None:
            return Text((found[0][1:-1],))
        if found.lastindex == 3:
            return Text((found[3],), bare=True)
        value: Node = _named(found[1])
        for name in found[2].split(".")[1:]:
            value = Member(value, name.lower())
        return value

    def _pipeline(self) -> Statement:
        out = Pipeline()
        text = self.text
        self._skip_blank()
        while self.at < len(text):
            if self._is_value():
                value = self._expression(0)
                assigned = self._assignment(value) if not out.stages else None
                if assigned is not None:
                    return assigned
                out.stages.append(value)
                while (redirection := self._redirection()) is not None:
                    out.redirections.append(redirection)
                    self._skip_blank()
            else:
                out.stages.append(self._command())
                self._skip_blank()
            char = text[self.at : self.at + 1]
            if char not in _JOINTS or text[self.at : self.at + 2] in ("||", "&&"):
                return out
            self.at += 1
            if char == "&":
                return out
            self._skip_space()
        return out

    def _is_value(self) -> bool:
        char = self.text[self.at]
        if char in _VALUE_START:
            return True
        return (
            char.isdigit()
            and (match := _NUMBER.match(self.text, self.at)) is not None
            and (match.end() >= len(self.text) or self.text[match.end()] in " \t\r\n;|)}.,+-*/%[]")
        )

    def _assignment(self, target: Node) -> Statement | None:
        if self.text[self.at : self.at + 1] not in _MAY_ASSIGN:
            return None
        found = _ASSIGN.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return self._assigned(target, found[0])

    def _assigned(self, target: Node, operator: str) -> Statement:
        """Parse what follows the operator of an assignment."""
        self._skip_space()
        if self.at >= len(self.text):
            return Assignment(target, operator, Inline(Block((), self.at, self.at)))
        value = [self._pipeline()] if self.text[self.at] == "{" else self._statement()
        if len(value) == 1:
            return Assignment(target, operator, value[0])
        return Assignment(target, operator, Inline(Block(tuple(value), self.at, self.at)))

    # ---- commands -----------------------------------------------------------------------------------

    def _command(self) -> Invocation:
        out = Invocation()
        text = self.text
        if text[self.at] == "&" or (text[self.at] == "." and text[self.at + 1 : self.at + 2] in _DOT_ENDS):
            self.at += 1
        while self.at < len(text):
            self._skip_blank()
            if self.at < len(text) and text[self.at] not in _NO_RUN:
                run = _RUN(text, self.at)
                if run is not None:
                    words, literal = self._literal_words(run)
                    out.literal = literal if not out.words else []
                    out.words += words
            if self.at >= len(text) or text[self.at] in _COMMAND_END:
                return out
            out.literal = []
            if text[self.at] == "#":
                self._skip_line()
                break
            redirection = self._redirection()
            if redirection is not None:
                out.redirections.append(redirection)
                continue
            if text.startswith("--%", self.at):
                self._verbatim(out)
                break
            before = self.at
            word = self._word()
            if self.at == before:
                self.at += 1
                continue
            out.words.append(self._listed(word))
        return out

    def _listed(self, word: Node) -> Node:
        """Take in ``, more`` after a word."""
        items = [word]
        while True:
            self._skip_blank()
            if not self.text.startswith(",", self.at):
                return word if len(items) == 1 else List(tuple(items))
            self.at += 1
            self._skip_space()
            before = self.at
            if self.at >= len(self.text) or self.text[self.at] in ")}|":
                return List(tuple(items))
            items.append(self._word())
            if self.at == before:
                return List(tuple(items))

    def _verbatim(self, out: Invocation) -> None:
        found = _VERBATIM(self.text, self.at + 3)
        self.at = found.end()  # type: ignore[union-attr]
        out.words += found[0].split()  # type: ignore[index]

    def _redirection(self) -> Redirection | None:
        if self.text[self.at : self.at + 1] not in _MAY_REDIRECT:
            return None
        found = _REDIRECT.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        stream = -1 if found[1] == "*" else int(found[1] or 1)
        if found[3]:
            return Redirection("dup", stream, None)
        self._skip_blank()
        return Redirection("append" if found[2] else "write", stream, self._word())

    def _word(self) -> Node:
        """Parse one word of a command."""
        text = self.text
        if self.at >= len(text):
            return Text(())
        char = text[self.at]
        if char == "{":
            return self._block()
        if char == "(":
            return self._postfix(self._group())
        if char == "@":
            special = self._at_sign()
            if special is not None:
                return special
        alone = _LONE_WORD(text, self.at) if char in _MAY_STAND_ALONE else None
        return self._text_word() if alone is None else self._taken(alone)

    def _text_word(self) -> Node:
        text = self.text
        parts: list[str | Node] = []
        pending: list[str] = []
        bare = text[self.at] not in SINGLE and text[self.at] not in DOUBLE
        start = self.at
        while self.at < len(text):
            char = text[self.at]
            if char in _WORD_END:
                if char == "(" and parts and not pending and self.at > start:
                    # ``$x(…)`` and ``"…"(…)`` begin a new word.
                    break
                break
            if char == "`":
                if self.at + 1 >= len(text) or text[self.at + 1] in "\r\n":
                    break
                following = text[self.at + 1]
                pending.append(_ESCAPES.get(following, following))
                self.at += 2
            elif char in SINGLE:
                pending.append(self._single())
            elif char in DOUBLE:
                self._flush(parts, pending)
                parts += self._double()
            elif char == "$":
                expanded = self._dollar()
                if expanded is None:
                    pending.append("$")
                    continue
                self._flush(parts, pending)
                alone = not parts
                value = self._postfix(expanded) if alone else expanded
                parts.append(value)
                if alone and (self.at >= len(text) or text[self.at] in _WORD_END):
                    return value
            elif (run := _PLAIN.match(text, self.at)) is not None:
                pending.append(run[0])
                self.at = run.end()
            else:
                pending.append(char if char not in DASHES or pending or parts else "-")
                self.at += 1
        self._flush(parts, pending)
        return Text(tuple(parts), bare)

    @staticmethod
    def _flush(parts: list[str | Node], pending: list[str]) -> None:
        if pending:
            parts.append("".join(pending))
            pending.clear()

    # ---- expressions --------------------------------------------------------------------------------

    def _expression(self, least: int) -> Node:
        """Parse operators that bind at least as tightly as ``least``."""
        left = self._unary()
        while True:
            self._skip_blank()
            operator, level, length = self._operator()
            if not operator or level < least or level == 0:
                return left
            self.at += length
            self._skip_space()
            if operator == ",":
                left = self._list(left)
            elif operator == "?":
                left = self._conditional(left)
            else:
                left = Binary(operator, left, self._expression(level + 1))

    def _list(self, first: Node) -> Node:
        items = [first]
        while True:
            if self.at >= len(self.text) or self.text[self.at] in ")}]":
                break
            items.append(self._expression(_LEVELS[","] + 1))
            self._skip_blank()
            if not self.text.startswith(",", self.at):
                break
            self.at += 1
            self._skip_space()
        return List(tuple(items))

    def _conditional(self, test: Node) -> Node:
        first = self._expression(2)
        self._skip_space()
        if self.text.startswith(":", self.at):
            self.at += 1
            self._skip_space()
            return List((first, self._expression(2)))
        return Binary("?", test, first)

    def _operator(self) -> tuple[str, int, int]:
        text, at = self.text, self.at
        if at >= len(text):
            return _NO_OPERATOR
        char = text[at]
        if char not in _MAY_OPERATE:
            return _NO_OPERATOR
        if char in DASHES:
            found = _OPERATOR.match(text, at + 1)
            if found is not None:
                name = found[0].lower()
                plain = name[1:] if name[0] in "ic" and name[1:] in _COMPARISONS else name
                if plain in ("bxor", "band", "bor"):
                    return plain, _BITS, found.end() - at
                if plain in _COMPARISONS:
                    return plain, _COMPARES, found.end() - at
                if plain in _LEVELS:
                    return plain, _LEVELS[plain], found.end() - at
                return _NO_OPERATOR
            if text[at + 1 : at + 2] in ("-", "="):
                return _NO_OPERATOR
            return "-", _LEVELS["-"], 1
        pair = text[at : at + 2]
        if pair in ("..", "??"):
            return (pair, _LEVELS[pair], 2) if text[at + 2 : at + 3] != "=" else _NO_OPERATOR
        if char in ",+*/%" and text[at + 1 : at + 2] != "=" and pair != "++":
            return char, _LEVELS[char], 1
        return ("?", 1, 1) if pair == "? " else _NO_OPERATOR

    def _unary(self) -> Node:
        self._skip_blank()
        if self.text[self.at : self.at + 1] in _MAY_STAND_ALONE:
            alone = _LONE_OPERAND(self.text, self.at)
            if alone is not None:
                return self._taken(alone)
        if self.depth >= MAX_DEPTH:
            self.issues.add("depth_limit")
            self.at = len(self.text)
            return Text(())
        self.depth += 1
        try:
            return self._unary_here()
        finally:
            self.depth -= 1

    def _unary_here(self) -> Node:
        text = self.text
        self._skip_blank()
        if self.at >= len(text):
            return Text(())
        char = text[self.at]
        if char in "!+" or char in DASHES:
            found = _OPERATOR.match(text, self.at + 1) if char in DASHES else None
            name = found[0].lower() if found is not None else char
            self.at = found.end() if found is not None else self.at + 1
            if text.startswith(char, self.at) and char in "+-":
                self.at += 1
            self._skip_space()
            plain = name[1:] if name[:1] in ("i", "c") and name[1:] in ("join", "split") else name
            return Unary("-" if plain in DASHES else plain, self._unary())
        if char == ",":
            self.at += 1
            self._skip_space()
            return List((self._unary(),))
        if char == "[":
            found = _TYPE.match(text, self.at)
            if found is None:
                self.at += 1
                return Text(("[",))
            self.at = found.end()
            name = found[1].strip().lower().removeprefix("system.")
            if text.startswith("::", self.at):
                return self._postfix(Type(name))
            self._skip_blank()
            if self._begins_value():
                return Cast(name, self._unary())
            return self._postfix(Type(name))
        return self._postfix(self._primary())

    def _begins_value(self) -> bool:
        if self.at >= len(self.text):
            return False
        char = self.text[self.at]
        return char in "$([{'\"@" or char in SINGLE or char in DOUBLE or char.isdigit()

    def _primary(self) -> Node:
        text = self.text
        char = text[self.at]
        if char in SINGLE:
            return Text((self._single(),))
        if char in DOUBLE:
            return Text(tuple(self._double()))
        if char == "$":
            found = self._dollar()
            if found is not None:
                return found
            return Text(("$",))
        if char == "(":
            return self._group()
        if char == "{":
            return self._block()
        if char == "@":
            special = self._at_sign()
            if special is not None:
                return special
            self.at += 1
            return Text(("@",))
        number = _NUMBER.match(text, self.at)
        if number is not None:
            self.at = number.end()
            return Text((number[0],), bare=True)
        start = self.at
        self.at = _BARE_OPERAND(text, start).end()  # type: ignore[union-attr]
        if self.at == start and self.at < len(text) and text[self.at] not in ")}]":
            self.at += 1
        return Text((text[start : self.at],), bare=True)

    def _postfix(self, value: Node) -> Node:
        text = self.text
        while self.at < len(text):
            if text[self.at] not in _POSTFIX_START:
                return value
            if text.startswith("::", self.at):
                self.at += 2
                value = self._member(value)
            elif text[self.at] == "." and self._names_member():
                self.at += 1
                value = self._member(value)
            elif text.startswith("?.", self.at):
                self.at += 2
                value = self._member(value)
            elif text[self.at] == "[":
                self.at += 1
                self._skip_space()
                key = self._expression(0) if not text.startswith("]", self.at) else Text(())
                self._skip_space()
                if text.startswith("]", self.at):
                    self.at += 1
                value = Index(value, key)
            elif text[self.at : self.at + 2] in ("++", "--"):
                self.at += 2
            else:
                return value
        return value

    def _names_member(self) -> bool:
        following = self.text[self.at + 1 : self.at + 2]
        return bool(following) and (following in "$('\"" or following == "_" or following.isalpha())

    def _member(self, target: Node) -> Node:
        text = self.text
        found = _MEMBER.match(text, self.at)
        if found is not None:
            self.at = found.end()
            name: Node | str = found[0].lower()
        elif self.at < len(text):
            name = self._primary()
        else:
            name = ""
        if not text.startswith("(", self.at):
            return Member(target, name)
        self.at += 1
        arguments: list[Node] = []
        while True:
            self._skip_space()
            if self.at >= len(text) or text[self.at] == ")":
                self.at += 1
                break
            before = self.at
            arguments.append(self._expression(_LEVELS[","] + 1) if self._no_operator() else Text(()))
            # Operators of lower rank than the comma hold inside an argument.
            arguments[-1] = self._rest_of_argument(arguments[-1])
            self._skip_space()
            if text.startswith(",", self.at) or self.at == before:
                self.at += 1
        return Member(target, name, tuple(arguments))

    def _no_operator(self) -> bool:
        return self.text[self.at] not in ",)"

    def _rest_of_argument(self, left: Node) -> Node:
        while True:
            self._skip_blank()
            operator, level, length = self._operator()
            if not operator or operator == "," or level == 0:
                return left
            self.at += length
            self._skip_space()
            left = Binary(operator, left, self._expression(_LEVELS[","] + 1))

    # ---- brackets and quotes ------------------------------------------------------------------------

    def _enclosed(self, closer: str) -> Script:
        """Parse statements up to ``closer`` and take that too."""
        if self.depth >= MAX_DEPTH:
            self.issues.add("depth_limit")
            self.at = len(self.text)
            return ()
        self.depth += 1
        try:
            out: list[Statement] = []
            while True:
                out += self._statements(closer)
                if self.at >= len(self.text):
                    self.issues.add("invalid_syntax")
                    return tuple(out)
                self.at += 1
                if self.text[self.at - 1] == closer:
                    return tuple(out)
                self.issues.add("invalid_syntax")
        finally:
            self.depth -= 1

    def _group(self) -> Group:
        self.at += 1
        return Group(self._enclosed(")"))

    def _block(self) -> Block:
        self.at += 1
        start = self.at
        script = self._enclosed("}")
        return Block(script, start, max(start, self.at - 1))

    def _at_sign(self) -> Node | None:
        text = self.text
        here = _HERE_START.match(text, self.at)
        if here is not None:
            return self._here_text(here)
        following = text[self.at + 1 : self.at + 2]
        if following == "(":
            self.at += 2
            return Group(self._enclosed(")"), array=True)
        if following == "{":
            self.at += 2
            return self._table()
        found = _NAME.match(text, self.at + 1)
        if found is not None:
            self.at = found.end()
            return Variable(found[0].lower(), splat=True)
        return None

    def _here_text(self, here: re.Match[str]) -> Node:
        quote = here[1]
        kind = SINGLE if quote in SINGLE else DOUBLE
        end = self.text.find(f"\n{quote}@", here.end() - 1)
        start = here.end()
        body = self.text[start : len(self.text) if end < 0 else end]
        self.at = len(self.text) if end < 0 else end + 3
        if kind == SINGLE:
            return Text((body,))
        inner = Parser(body)
        inner.depth = self.depth + 1
        parts = inner.expandable(None)
        self.issues |= inner.issues
        return Text(tuple(parts))

    def _table(self) -> Node:
        items: list[tuple[Node, Node]] = []
        text = self.text
        while True:
            self._skip_space()
            if self.at >= len(text) or text[self.at] == "}":
                self.at += 1
                return Table(tuple(items))
            before = self.at
            named = _KEY(text, before)
            if named is not None:
                self.at = named.end()
                key: Node = Text((named[1],), bare=True)
            else:
                key = self._unary()
                self._skip_space()
            if text.startswith("=", self.at):
                self.at += 1
                self._skip_space()
                parsed = self._statement() if self.at < len(text) else []
                items.append((key, Group(tuple(parsed))))
            if self.at == before:
                self.at += 1

    def _single(self) -> str:
        text = self.text
        self.at += 1
        pieces: list[str] = []
        start = self.at
        while (found := _QUOTE.search(text, self.at)) is not None:
            self.at = found.start()
            if text[self.at] in SINGLE:
                if text[self.at + 1 : self.at + 2] and text[self.at + 1] in SINGLE:
                    pieces.append(text[start : self.at + 1])
                    self.at += 2
                    start = self.at
                    continue
                break
        else:
            self.at = len(text)
            self.issues.add("invalid_syntax")
        pieces.append(text[start : self.at])
        self.at += 1
        return "".join(pieces)

    def _double(self) -> list[str | Node]:
        self.at += 1
        return self.expandable(DOUBLE)

    def expandable(self, closers: str | None) -> list[str | Node]:
        """Parse text in which variables count, up to a quote, or up to the end of the source."""
        text = self.text
        parts: list[str | Node] = []
        pending: list[str] = []
        while self.at < len(text):
            char = text[self.at]
            if closers is not None and char in closers:
                if text[self.at + 1 : self.at + 2] and text[self.at + 1] in closers:
                    pending.append('"')
                    self.at += 2
                    continue
                self.at += 1
                break
            if char == "`" and self.at + 1 < len(text):
                following = text[self.at + 1]
                pending.append(_ESCAPES.get(following, following))
                self.at += 2
            elif char == "$":
                value = self._dollar()
                if value is None:
                    pending.append("$")
                else:
                    self._flush(parts, pending)
                    parts.append(value)
            elif (run := _QUOTED.match(text, self.at)) is not None:
                pending.append(run[0])
                self.at = run.end()
            else:
                pending.append(char)
                self.at += 1
        else:
            if closers is not None:
                self.issues.add("invalid_syntax")
        self._flush(parts, pending)
        return parts

    def _dollar(self) -> Node | None:
        """Parse what a dollar sign begins; None, one character on, when that is nothing."""
        text = self.text
        following = text[self.at + 1 : self.at + 2]
        if following == "(":
            self.at += 2
            return Group(self._enclosed(")"))
        if following == "{":
            end = text.find("}", self.at)
            name = text[self.at + 2 : end if end >= 0 else len(text)]
            self.at = len(text) if end < 0 else end + 1
            return Variable(name.replace("`", "").lower())
        return self._variable()

    def _variable(self) -> Node | None:
        found = _NAME.match(self.text, self.at + 1)
        if found is not None:
            self.at = found.end()
            return _named(found[0])
        if self.text[self.at + 1 : self.at + 2] in _SPECIAL and self.at + 1 < len(self.text):
            self.at += 2
            return Variable(self.text[self.at - 1])
        self.at += 1
        return None


def _named(written: str) -> Variable:
    """Return the variable of a name, but for its scope."""
    name = written.lower()
    if ":" in name:
        for scope in _SCOPES:
            name = name.removeprefix(scope)
    return Variable(name)


def _parameters(group: Group) -> Parameters:
    """Return the variables that a list of parameters declares."""
    names: list[str] = []
    for statement in group.script:
        node: object = statement.target if isinstance(statement, Assignment) else None
        if isinstance(statement, Pipeline) and statement.stages:
            node = statement.stages[0]
        for each in node.items if isinstance(node, List) else (node,):
            while isinstance(each, Cast):
                each = each.value
            if isinstance(each, Variable):
                names.append(each.name)
    return Parameters(tuple(names))


_DOT_ENDS: Final = (" ", "\t", "'", '"', "$", "(", "{")
