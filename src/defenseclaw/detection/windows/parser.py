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
_BLANK: Final = re.compile(r"(?:[ \t\f\v\u00a0]|`\r?\n)*")
_SPACE: Final = re.compile(r"(?:[\s;\u00a0]|`\r?\n)*")
_NAME: Final = re.compile(
    r"(?:(?:env|global|script|local|private|using|variable|function|alias):)?[\w?]+", re.I
)
_MAY_SKIP: Final = frozenset(" \t\f\v\u00a0`<")
_MAY_REDIRECT: Final = frozenset("123456*>")
_SPECIAL: Final = frozenset("$?^")
_MEMBER: Final = re.compile(r"[A-Za-z_]\w*")
_TYPE: Final = re.compile(r"\[\s{0,16}([A-Za-z_][\w.+,` ]{0,128}(?:\[[\w.,\[\] ]{0,128}\])?)\s{0,16}\]")
_NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F]+|\d+(?:\.(?!\.)\d+)?(?:[eE][+-]?\d+)?(?:[kmgtKMGT][bB])?")
_ASSIGN: Final = re.compile(r"(?:\?\?|[-+*/%])?=(?!=)")
_REDIRECT: Final = re.compile(r"([1-6*]?)>(>?)(?:&([12]))?")
_WORD_END: Final = frozenset(" \t\r\n\f\v\u00a0;|&(){}<>,")
_PLAIN: Final = re.compile(r"[\w./\\:=+*?~^%@!\[\]-]+")
_QUOTED: Final = re.compile(f"[^`${DOUBLE}]+")
_QUOTE: Final = re.compile(f"[{SINGLE}]")
_OPERATOR: Final = re.compile(r"[A-Za-z]+")
_KEYWORD: Final = re.compile(r"[A-Za-z]+(?![\w.:\\/*?-])")
_HERE_START: Final = re.compile(r"@([\"'\u2018-\u201e])[ \t]*\r?\n")
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_JUMPS: Final = frozenset({"return", "throw", "exit"})
_SKIPPED: Final = frozenset({"else", "do", "try", "finally", "begin", "process", "end", "default", "clean"})
_CONDITIONS: Final = frozenset({"if", "elseif", "while", "until", "switch", "for", "param"})
_LEVELS: Final = {
    ",": 9, "..": 8, "f": 7, "*": 6, "/": 6, "%": 6, "+": 5, "-": 5,
    "and": 2, "or": 2, "xor": 2, "??": 2, "?": 1,
}  # fmt: skip
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
            if self.at >= len(text) or text[self.at] in ")}":
                return out
            if text[self.at] in "&|" and text[self.at : self.at + 2] in ("&&", "||"):
                self.at += 2
                continue
            before = self.at
            out += self._statement()
            if self.at == before:
                self.at += 1
            if closer and self.at < len(text) and text[self.at] == closer:
                return out

    def _skip_space(self) -> None:
        text = self.text
        while True:
            self.at = _SPACE.match(text, self.at).end()  # type: ignore[union-attr]
            if text.startswith("#", self.at):
                self._skip_line()
            elif text.startswith("<#", self.at):
                self._skip_comment()
            else:
                return

    def _skip_blank(self) -> None:
        text = self.text
        if self.at < len(text) and text[self.at] not in _MAY_SKIP:
            return
        while True:
            self.at = _BLANK.match(text, self.at).end()  # type: ignore[union-attr]
            if text.startswith("<#", self.at):
                self._skip_comment()
            else:
                return

    def _skip_line(self) -> None:
        end = self.text.find("\n", self.at)
        self.at = len(self.text) if end < 0 else end

    def _skip_comment(self) -> None:
        end = self.text.find("#>", self.at + 2)
        self.at = len(self.text) if end < 0 else end + 2

    def _statement(self) -> list[Statement]:
        found = _KEYWORD.match(self.text, self.at)
        if found is not None:
            parsed = self._keyword(found[0].lower(), found.end())
            if parsed is not None:
                return parsed
        if self.text.startswith("{", self.at):
            return [Inline(self._block())]
        return [self._pipeline()]

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
        start = self.at
        while self.at < len(self.text) and self.text[self.at] not in " \t\r\n({":
            self.at += 1
        name = self.text[start : self.at].lower()
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

    def _pipeline(self) -> Statement:
        out = Pipeline()
        while True:
            self._skip_space() if out.stages else self._skip_blank()
            if self.at >= len(self.text):
                return out
            if self._is_value():
                value = self._expression(0)
                assigned = self._assignment(value) if not out.stages else None
                if assigned is not None:
                    return assigned
                out.stages.append(value)
                self._skip_blank()
                while (redirection := self._redirection()) is not None:
                    out.redirections.append(redirection)
                    self._skip_blank()
            else:
                out.stages.append(self._command())
            self._skip_blank()
            if self.text.startswith("|", self.at) and not self.text.startswith("||", self.at):
                self.at += 1
                continue
            if self.text.startswith("&", self.at) and not self.text.startswith("&&", self.at):
                self.at += 1
            return out

    def _is_value(self) -> bool:
        char = self.text[self.at]
        if char in "$([{'\"@!" or char in SINGLE or char in DOUBLE:
            return True
        if char in DASHES or char == "+":
            return True
        return (
            char.isdigit()
            and (match := _NUMBER.match(self.text, self.at)) is not None
            and (match.end() >= len(self.text) or self.text[match.end()] in " \t\r\n;|)}.,+-*/%[]")
        )

    def _assignment(self, target: Node) -> Statement | None:
        self._skip_blank()
        found = _ASSIGN.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        self._skip_space()
        if self.at >= len(self.text):
            return Assignment(target, found[0], Inline(Block((), self.at, self.at)))
        value = [self._pipeline()] if self.text[self.at] == "{" else self._statement()
        if len(value) == 1:
            return Assignment(target, found[0], value[0])
        return Assignment(target, found[0], Inline(Block(tuple(value), self.at, self.at)))

    # ---- commands -----------------------------------------------------------------------------------

    def _command(self) -> Invocation:
        out = Invocation()
        text = self.text
        if text[self.at] == "&" or (text[self.at] == "." and text[self.at + 1 : self.at + 2] in _DOT_ENDS):
            out.operator = text[self.at]
            self.at += 1
            self._skip_blank()
        while self.at < len(text):
            self._skip_blank()
            if self.at >= len(text) or text[self.at] in "\r\n;|&)}":
                break
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
            start = self.at
            self._skip_blank()
            if not self.text.startswith(",", self.at):
                self.at = start
                return items[0] if len(items) == 1 else List(tuple(items))
            self.at += 1
            self._skip_space()
            before = self.at
            if self.at >= len(self.text) or self.text[self.at] in ")}|":
                return List(tuple(items))
            items.append(self._word())
            if self.at == before:
                return List(tuple(items))

    def _verbatim(self, out: Invocation) -> None:
        self.at += 3
        start = self.at
        while self.at < len(self.text) and self.text[self.at] not in "\r\n|":
            self.at += 1
        out.words += [Text((word,), bare=True) for word in self.text[start : self.at].split()]

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
        return self._text_word()

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
            return "", 0, 0
        char = text[at]
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
                return "", 0, 0
            if text[at + 1 : at + 2] in ("-", "="):
                return "", 0, 0
            return "-", _LEVELS["-"], 1
        pair = text[at : at + 2]
        if pair in ("..", "??"):
            return (pair, _LEVELS[pair], 2) if text[at + 2 : at + 3] != "=" else ("", 0, 0)
        if char in ",+*/%" and text[at + 1 : at + 2] != "=" and pair != "++":
            return char, _LEVELS[char], 1
        return ("?", 1, 1) if pair == "? " else ("", 0, 0)

    def _unary(self) -> Node:
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
        while self.at < len(text) and text[self.at] not in _WORD_END and text[self.at] not in "]=":
            self.at += 1
        if self.at == start and self.at < len(text) and text[self.at] not in ")}]":
            self.at += 1
        return Text((text[start : self.at],), bare=True)

    def _postfix(self, value: Node) -> Node:
        text = self.text
        while self.at < len(text):
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
            name: Node = Text((found[0],))
        elif self.at < len(text):
            name = self._primary()
        else:
            name = Text(())
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
            name = found[0].lower()
            for scope in ("global:", "script:", "local:", "private:", "using:", "variable:"):
                name = name.removeprefix(scope)
            return Variable(name)
        if self.text[self.at + 1 : self.at + 2] in _SPECIAL and self.at + 1 < len(self.text):
            self.at += 2
            return Variable(self.text[self.at - 1])
        self.at += 1
        return None


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
