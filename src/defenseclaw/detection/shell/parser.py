"""Shell source → tree, in one pass from left to right, in linear time and bounded depth.

Written by hand and not on a generated grammar because the input is hostile: error recovery of
table-driven parsers is quadratic on runs of stray tokens. Here an unexpected character costs one step:
it is noted, skipped, and the commands around it are kept.
Source: POSIX.1-2024 "Shell Command Language", Bash Reference Manual.
"""

from __future__ import annotations

import re

from defenseclaw.detection.shell.bounds import (
    MAX_ARITHMETIC,
    MAX_DEPTH,
    MAX_GLOB,
    MAX_NODES,
    MAX_REDIRECTIONS,
    MAX_SOURCE,
)
from defenseclaw.detection.shell.syntax import (
    Arithmetic,
    Assignment,
    Case,
    Compound,
    Compute,
    For,
    Function,
    Group,
    If,
    Literal,
    Node,
    Parameter,
    Part,
    Pipeline,
    ProcessSubstitution,
    Redirection,
    Sequence,
    Simple,
    Substitution,
    While,
    Word,
)

_END = r"(?=[ \t\n;|&)<>]|\Z)"
_SIMPLE = re.compile(r"[A-Za-z0-9_./:=+,@%^-]+" + _END).match
_PLAIN = re.compile(r"[^ \t\n\\'\"$`<>|&;()]+").match
_ESCAPED = re.compile(r"(?:\\[^\n])+").match
_BLANKS = re.compile(r"(?:[ \t]|\\\n)*").match
_DOUBLE = re.compile(r"[^\"\\$`]+").match
_HERE = re.compile(r"[^\\$`]+").match
_BRACED = re.compile(r"[^}/:\\'\"$`]+").match
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-]").match
_PARAMETER = re.compile(r"([#!]?)([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-])(?:\[([^\]\n}]{1,256})\])?").match
_OPERATOR = re.compile(r":[-=?+]|##?|%%?|//|/[#%]?|\^\^?|,,?|[@:=?+-]").match
_RESERVED = re.compile(r"(?:then|else|elif|fi|do|done|esac|in|\})" + _END).match
_OPENER = re.compile(
    r"(?:if|while|until|for|select|case|function|\{|\[\[|!|time|coproc)(?=[ \t\n(;]|\\\n|\Z)"
).match
_COMPOUND = re.compile(r"[ \t]*(?:\(|(?:\{|if|while|until|for|case|select|\[\[)(?=[ \t\n]))").match
_NAMED_COMPOUND = re.compile(r"[ \t]*[A-Za-z_][A-Za-z0-9_]*[ \t]+(?=\(|\{[ \t\n])").match
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\[([^\]\n]{0,256})\])?(\+?)=").match
_REDIRECTION = re.compile(
    r"(\d{1,9}|\{[A-Za-z_][A-Za-z0-9_]*\})?(<<<|<<-|<<|<>|<&|&>>|&>|>>|>\||>&|<(?!\()|>(?!\())"
).match
_FUNCTION_PARENS = re.compile(r"[ \t]*\([ \t]*\)").match
_TWO_WORDS = re.compile(r"(?<![\w.])[A-Za-z_][\w.]*[ \t]+(?:[\w$\"'~.]|[-/][A-Za-z])").search
_PAREN = re.compile(r"[()]")
_ANSI_C = re.compile(
    r"\\(?:([abeEfnrtv\\'\"?])|([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|c(.))",
    re.DOTALL,
)
_ANSI_C_END = re.compile(r"[^'\\]*(?:\\.[^'\\]*)*", re.DOTALL).match
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
_GLOB = re.compile(r"[*?\[]").search
_DECLARATIONS = frozenset({"export", "declare", "local", "readonly", "typeset"})

_THEN = frozenset({"then"})
_FI = frozenset({"elif", "else", "fi"})
_DO = frozenset({"do"})
_DONE = frozenset({"done"})
_BRACE = frozenset({"}"})
_ESAC = frozenset({"esac"})
_NOTHING: frozenset[str] = frozenset()


def ansi_c(text: str) -> str:
    r"""Decode the escapes of ``$'...'``; bytes given by ``\x`` and octal are read as UTF-8."""
    if "\\" not in text:
        return text
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
    return out.split(b"\0", 1)[0].decode("utf-8", "replace")


class Parser:
    """One source being parsed; :meth:`parse` is the entry, ``issues`` what could not be taken in."""

    def __init__(self, source: str, *, depth: int = 0) -> None:
        if len(source) > MAX_SOURCE:
            source = source[:MAX_SOURCE]
            self.issues = {"input_limit"}
        else:
            self.issues = set()
        if "\r" in source:
            source = source.replace("\r\n", "\n")
        if "\0" in source:
            source = source.replace("\0", "")
        self._source = source
        self._length = len(source)
        self._at = 0
        self._depth = depth
        self._nodes = 0
        self._parens = 0
        self._no_glob_before = 0
        self._pending: list[tuple[Redirection, str, bool, bool]] = []

    def parse(self) -> Sequence:
        """Return all statements of the source."""
        return self._sequence(_NOTHING)

    def text(self) -> Word:
        """Return the source as the body of a here-document: expansions, no quotes."""
        parts: list[Part] = []
        self._quoted(parts, "")
        return _word(parts)

    # --- statements -----------------------------------------------------------------------------

    def _sequence(self, until: frozenset[str], *, case: bool = False) -> Sequence:
        items: list[tuple[Node, str]] = []
        source = self._source
        while True:
            self._space()
            at = self._at
            if at >= self._length:
                break
            char = source[at]
            if char == ")":
                if self._parens:
                    break
                self._fault()
                continue
            if char in ";&|":
                if case and source.startswith((";;", ";&"), at):
                    break
                if char == "&" and source.startswith("&>", at):
                    pass
                else:
                    self._fault()
                    continue
            reserved = _RESERVED(source, at)
            if reserved is not None and reserved.group() != "in":
                if reserved.group() in until:
                    break
                self.issues.add("invalid_syntax")
                self._at = reserved.end()
                continue
            node = self._pipeline()
            if node is None:
                if self._at == at:
                    self._fault()
                continue
            items.append((node, self._separator()))
        return Sequence(items)

    def _separator(self) -> str:
        at = _BLANKS(self._source, self._at).end()  # type: ignore[union-attr]
        two = self._source[at : at + 2]
        if two in ("&&", "||"):
            self._at = at + 2
            return two
        if two[:1] == "&" and two != "&>":
            self._at = at + 1
            return "&"
        if two[:1] == ";" and two not in (";;", ";&"):
            self._at = at + 1
            return ";"
        self._at = at
        return ";"

    def _pipeline(self) -> Node | None:
        first = self._command()
        if first is None:
            return None
        stages: list[Node] | None = None
        source = self._source
        while True:
            at = _BLANKS(source, self._at).end()  # type: ignore[union-attr]
            if at >= self._length or source[at] != "|" or source.startswith("||", at):
                break
            self._at = at + (2 if source.startswith("|&", at) else 1)
            self._space()
            stage = self._command()
            if stage is None:
                self.issues.add("invalid_syntax")
                break
            if stages is None:
                stages = [first]
            stages.append(stage)
        return first if stages is None else Pipeline(stages)

    def _command(self) -> Node | None:
        source = self._source
        while True:
            at = self._at
            if at >= self._length or not self._count():
                return None
            if source[at] == "(":
                return self._parenthesis()
            opener = _OPENER(source, at)
            if opener is None:
                return self._simple()
            word = opener.group()
            if word in ("time", "coproc"):
                after = _COMPOUND(source, opener.end())
                if after is None and word == "coproc":
                    named = _NAMED_COMPOUND(source, opener.end())
                    self._at = named.end() if named is not None else opener.end()
                elif after is None:
                    return self._simple()
                else:
                    self._at = opener.end()
            elif word == "!":
                self._at = opener.end()
            else:
                self._at = opener.end()
                return self._compound(word)
            self._at = _BLANKS(source, self._at).end()  # type: ignore[union-attr]

    def _compound(self, word: str) -> Node | None:
        if not self._enter():
            return None
        node: Compound | Simple
        if word == "{":
            node = Group(self._sequence(_BRACE), False)
            self._expect("}")
        elif word == "if":
            node = self._if()
        elif word in ("while", "until"):
            condition = self._sequence(_DO)
            self._expect("do")
            node = While(condition, self._sequence(_DONE))
            self._expect("done")
        elif word in ("for", "select"):
            node = self._for()
        elif word == "case":
            node = self._case()
        elif word == "[[":
            node = self._test()
        else:
            self._depth -= 1
            return self._function(None)
        self._depth -= 1
        self._redirections(node.redirections)
        return node

    def _parenthesis(self) -> Node | None:
        at = self._at
        end = self._arithmetic_end(at + 2) if self._source.startswith("((", at) else -1
        # Shells without arithmetic commands run what stands in there; no expression has two words in a row.
        if end >= 0 and _TWO_WORDS(self._source, at, end) is None:
            node: Compute | Group = Compute(self._inner_text(self._source[at + 2 : end]))
            self._at = end + 2
        else:
            self._at = at + 1
            body = self._nested()
            if body is None:
                return None
            node = Group(body, True)
        self._redirections(node.redirections)
        return node

    def _nested(self) -> Sequence | None:
        """Parse up to the closing parenthesis and step over it."""
        if not self._enter():
            return None
        self._parens += 1
        body = self._sequence(_NOTHING)
        self._parens -= 1
        self._depth -= 1
        if self._at < self._length and self._source[self._at] == ")":
            self._at += 1
        else:
            self.issues.add("invalid_syntax")
        return body

    def _if(self) -> If:
        node = If([self._sequence(_THEN)], [])
        self._expect("then")
        node.bodies.append(self._sequence(_FI))
        while self._accept("elif"):
            node.conditions.append(self._sequence(_THEN))
            self._expect("then")
            node.bodies.append(self._sequence(_FI))
        if self._accept("else"):
            node.bodies.append(self._sequence(_FI))
        self._expect("fi")
        return node

    def _for(self) -> For:
        source = self._source
        self._at = _BLANKS(source, self._at).end()  # type: ignore[union-attr]
        node = For("", None, Sequence([]))
        if source.startswith("((", self._at):
            end = self._arithmetic_end(self._at + 2)
            self._at = end + 2 if end >= 0 else self._at + 2
        else:
            name = _NAME(source, self._at)
            if name is None:
                self.issues.add("invalid_syntax")
            else:
                node.variable = name.group()
                self._at = name.end()
            self._space()
            if self._accept("in"):
                node.words = self._words()
        self._space()
        if source.startswith(";", self._at):
            self._at += 1
            self._space()
        if source.startswith("{", self._at):
            self._at += 1
            node.body = self._sequence(_BRACE)
            self._expect("}")
        else:
            self._expect("do")
            node.body = self._sequence(_DONE)
            self._expect("done")
        return node

    def _case(self) -> Case:
        source = self._source
        self._at = _BLANKS(source, self._at).end()  # type: ignore[union-attr]
        node = Case(self._word() or Word([], ""), [])
        self._space()
        self._expect("in")
        while True:
            self._space()
            if self._at >= self._length or self._accept("esac"):
                break
            start = self._at
            if source[self._at] == "(":
                self._at += 1
            patterns = self._patterns()
            node.arms.append((patterns, self._sequence(_ESAC, case=True)))
            for end in (";;&", ";;", ";&"):
                if source.startswith(end, self._at):
                    self._at += len(end)
                    break
            if self._at == start:
                self.issues.add("invalid_syntax")
                break
        return node

    def _patterns(self) -> list[Word]:
        patterns: list[Word] = []
        while True:
            self._at = _BLANKS(self._source, self._at).end()  # type: ignore[union-attr]
            word = self._word()
            if word is not None:
                patterns.append(word)
            self._at = _BLANKS(self._source, self._at).end()  # type: ignore[union-attr]
            if self._source.startswith("|", self._at):
                self._at += 1
            elif self._source.startswith(")", self._at):
                self._at += 1
                return patterns
            else:
                self.issues.add("invalid_syntax")
                return patterns

    def _words(self) -> list[Word]:
        words: list[Word] = []
        while True:
            self._at = _BLANKS(self._source, self._at).end()  # type: ignore[union-attr]
            word = self._word()
            if word is None:
                return words
            words.append(word)

    def _test(self) -> Simple:
        """Parse ``[[ ... ]]`` as a command whose operators are words."""
        words = [Word([], "[[")]
        source = self._source
        while True:
            self._space()
            at = self._at
            if at >= self._length:
                self.issues.add("invalid_syntax")
                break
            if source.startswith("]]", at):
                self._at = at + 2
                break
            word = self._word()
            if word is None:
                width = 2 if source.startswith(("&&", "||"), at) else 1
                word = Word([], source[at : at + width])
                self._at = at + width
            words.append(word)
        words.append(Word([], "]]"))
        return Simple(words)

    def _function(self, name: Word | None) -> Node | None:
        if name is None:
            self._at = _BLANKS(self._source, self._at).end()  # type: ignore[union-attr]
            name = self._word()
        parens = _FUNCTION_PARENS(self._source, self._at)
        if parens is not None:
            self._at = parens.end()
        self._space()
        if name is None or not self._enter():
            self.issues.add("invalid_syntax")
            return None
        body = self._command()
        self._depth -= 1
        if body is None:
            self.issues.add("invalid_syntax")
            return None
        return Function(name.literal or "", body)

    # --- simple commands ------------------------------------------------------------------------

    def _simple(self) -> Node | None:
        source, length = self._source, self._length
        node = Simple([])
        words = node.words
        declares = False
        while True:
            at = _BLANKS(source, self._at).end()  # type: ignore[union-attr]
            self._at = at
            if at >= length:
                break
            char = source[at]
            if char in "\n;|)#":
                break
            if char in "<>&{0123456789" and self._redirection(node.redirections):
                continue
            if char == "&":
                break
            if char == "(":
                if len(words) == 1 and not node.assignments and _FUNCTION_PARENS(source, at) is not None:
                    return self._function(words[0])
                self._fault()
                continue
            if (not words or declares) and self._assignment(node, declares):
                continue
            word = self._word()
            if word is None:
                self._fault()
                continue
            words.append(word)
            if len(words) == 1:
                declares = word.literal in _DECLARATIONS
        if words or node.assignments or node.redirections:
            return node
        return None

    def _assignment(self, node: Simple, declares: bool) -> bool:
        match = _ASSIGNMENT(self._source, self._at)
        if match is None:
            return False
        is_array = self._source.startswith("(", match.end())
        if declares and not is_array:
            return False
        self._at = match.end()
        assignment = Assignment(match.group(1), bool(match.group(3)), match.group(2))
        if is_array:
            self._at += 1
            assignment.items = self._array()
        else:
            assignment.value = self._word() or Word([], "")
        node.assignments.append(assignment)
        return True

    def _array(self) -> list[Word]:
        items: list[Word] = []
        while True:
            self._space()
            if self._source.startswith(")", self._at):
                self._at += 1
                return items
            before = self._at
            word = self._word()
            if word is None:
                self.issues.add("invalid_syntax")
                if self._at >= self._length or self._source[self._at] in ";&|<>":
                    return items
                self._at = before + 1
                continue
            items.append(word)

    def _redirections(self, into: list[Redirection]) -> None:
        while True:
            self._at = _BLANKS(self._source, self._at).end()  # type: ignore[union-attr]
            if not self._redirection(into):
                return

    def _redirection(self, into: list[Redirection]) -> bool:
        match = _REDIRECTION(self._source, self._at)
        if match is None:
            return False
        descriptor, operator = match.groups()
        self._at = _BLANKS(self._source, match.end()).end()  # type: ignore[union-attr]
        target = self._word()
        if target is None:
            self.issues.add("invalid_syntax")
            return True
        fd = -1 if descriptor is None else int(descriptor) if descriptor.isdigit() else 10
        redirection = Redirection(fd, operator, target)
        if operator in ("<<", "<<-"):
            redirection.body = Word([], "")
            self._pending.append((redirection, target.literal or "", target.quoted, operator == "<<-"))
        if len(into) < MAX_REDIRECTIONS:
            into.append(redirection)
        else:
            self.issues.add("fact_limit")
        return True

    # --- words ----------------------------------------------------------------------------------

    def _word(self) -> Word | None:
        source = self._source
        if not self._count():
            return None
        at = self._at
        simple = _SIMPLE(source, at)
        if simple is not None:
            self._at = simple.end()
            return Word([], simple.group())
        parts: list[Part] = []
        length = self._length
        quoted = False
        while at < length:
            plain = _PLAIN(source, at)
            if plain is not None:
                at = plain.end()
                if at < length and source[at] == "(" and source[at - 1] in "?*+@!":
                    at = self._extended_glob(at)
                parts.append(Literal(source[plain.start() : at], False))
                continue
            char = source[at]
            if char == "\\":
                quoted = True
                escaped = _ESCAPED(source, at)
                if escaped is not None:
                    parts.append(Literal(escaped.group()[1::2], True))
                    at = escaped.end()
                else:
                    at += 2
            elif char == "'":
                quoted = True
                end = self._find("'", at + 1)
                parts.append(Literal(source[at + 1 : end], True))
                at = end + 1
            elif char == '"':
                quoted = True
                self._at = at + 1
                parts.append(Literal("", True))
                self._quoted(parts, '"')
                at = self._at
            elif char in "$`":
                quoted = quoted or source.startswith(("$'", '$"'), at)
                self._at = at
                self._expansion(parts, quoted=False)
                at = self._at
            elif char in "<>" and source.startswith("(", at + 1):
                self._at = at + 2
                body = self._nested()
                if body is not None:
                    parts.append(ProcessSubstitution(body, char == ">"))
                at = self._at
            else:
                break
        if at == self._at and not parts:
            return None
        self._at = min(at, length)
        word = _word(parts)
        word.quoted = quoted
        return word

    def _extended_glob(self, at: int) -> int:
        """Return the end of an extended glob's parenthesis, or ``at`` when it does not close nearby."""
        if at < self._no_glob_before:
            return at
        depth = 0
        for match in _PAREN.finditer(self._source, at, at + MAX_GLOB):
            depth += 1 if match.group() == "(" else -1
            if depth == 0:
                return match.end()
        self._no_glob_before = at + MAX_GLOB
        return at

    def _quoted(self, parts: list[Part], end: str) -> None:
        """Read the inside of double quotes (``end`` is ``"``), or all (``end`` empty)."""
        source, length = self._source, self._length
        run = _DOUBLE if end else _HERE
        while self._at < length:
            at = self._at
            match = run(source, at)
            if match is not None:
                parts.append(Literal(match.group(), True))
                self._at = match.end()
                continue
            char = source[at]
            if char == '"':
                self._at = at + 1
                return
            if char == "\\":
                following = source[at + 1 : at + 2]
                if following == "\n":
                    pass
                elif following in ("$", "`", "\\") or (end and following == end):
                    parts.append(Literal(following, True))
                else:
                    parts.append(Literal("\\" + following, True))
                self._at = at + 2
            else:
                self._expansion(parts, quoted=True)
        if end:
            self.issues.add("invalid_syntax")

    def _expansion(self, parts: list[Part], *, quoted: bool) -> None:
        """Read what starts with ``$`` or a backtick."""
        if not self._count():
            return
        source, at = self._source, self._at
        if source[at] == "`":
            self._backticks(parts, quoted)
            return
        following = source[at + 1 : at + 2]
        if following == "(":
            self._parenthesised(parts, quoted)
        elif following == "{":
            self._parameter(parts, quoted)
        elif following == "'" and not quoted:
            body = _ANSI_C_END(source, at + 2)
            end = body.end() if body is not None else self._length
            if end >= self._length:
                self.issues.add("invalid_syntax")
            parts.append(Literal(ansi_c(source[at + 2 : end]), True))
            self._at = end + 1
        elif following == '"' and not quoted:
            self._at = at + 2
            parts.append(Literal("", True))
            self._quoted(parts, '"')
        else:
            name = _NAME(source, at + 1)
            if name is None:
                parts.append(Literal("$", True))
                self._at = at + 1
            else:
                parts.append(Parameter(name.group(), quoted))
                self._at = name.end()

    def _parenthesised(self, parts: list[Part], quoted: bool) -> None:
        source, at = self._source, self._at
        end = self._arithmetic_end(at + 3) if source.startswith("((", at + 1) else -1
        if end >= 0:
            parts.append(Arithmetic(self._inner_text(source[at + 3 : end])))
            self._at = end + 2
            return
        self._at = at + 2
        body = self._nested()
        if body is not None:
            parts.append(Substitution(body, quoted))

    def _backticks(self, parts: list[Part], quoted: bool) -> None:
        source = self._source
        at = self._at + 1
        end = at
        escapes = False
        while True:
            end = self._find("`", end)
            backslashes = 0
            while end - 1 - backslashes >= at and source[end - 1 - backslashes] == "\\":
                backslashes += 1
            if backslashes % 2 == 0 or end >= self._length:
                break
            escapes = True
            end += 1
        text = source[at:end]
        if escapes or "\\" in text:
            text = re.sub(r'\\([$`\\"])' if quoted else r"\\([$`\\])", r"\1", text)
        self._at = min(end + 1, self._length)
        if not self._enter():
            return
        inner = self._sub(text)
        parts.append(Substitution(inner.parse(), quoted))
        self._join(inner)
        self._depth -= 1

    def _parameter(self, parts: list[Part], quoted: bool) -> None:
        source, start = self._source, self._at
        match = _PARAMETER(source, start + 2)
        if match is None:
            self.issues.add("invalid_syntax")
            parts.append(Literal("${", True))
            self._at = start + 2
            return
        prefix, name, index = match.groups()
        self._at = match.end()
        if prefix == "#" and name in "-?#" and not source.startswith("}", self._at):
            # ${#-word}: the parameter is "#", what follows its operator.
            prefix, name, index = "", "#", None
            self._at = start + 3
        node = Parameter(name, quoted, prefix, index)
        operator = _OPERATOR(source, self._at)
        if operator is not None:
            if not self._enter():
                return
            node.operator = operator.group()
            self._at = operator.end()
            separator = "/" if node.operator[0] == "/" else ":" if node.operator == ":" else ""
            node.first = self._argument(separator, quoted)
            if separator and source.startswith(separator, self._at):
                self._at += 1
                node.second = self._argument("", quoted)
            self._depth -= 1
        if source.startswith("}", self._at):
            self._at += 1
        else:
            self.issues.add("invalid_syntax")
        parts.append(node)

    def _argument(self, separator: str, quoted: bool) -> Word:
        """Read a word inside ``${...}`` up to ``}`` or the separator."""
        source, length = self._source, self._length
        parts: list[Part] = []
        while self._at < length:
            at = self._at
            match = _BRACED(source, at)
            if match is not None:
                parts.append(Literal(match.group(), quoted))
                self._at = match.end()
                continue
            char = source[at]
            if char == "}" or char == separator:
                break
            if char == "\\":
                parts.append(Literal(source[at + 1 : at + 2], True))
                self._at = at + 2
            elif char == "'" and not quoted:
                end = self._find("'", at + 1)
                parts.append(Literal(source[at + 1 : end], True))
                self._at = end + 1
            elif char == '"':
                self._at = at + 1
                parts.append(Literal("", True))
                self._quoted(parts, '"')
            elif char in "$`":
                self._expansion(parts, quoted=quoted)
            else:
                parts.append(Literal(char, quoted))
                self._at = at + 1
        return _word(parts)

    # --- helpers --------------------------------------------------------------------------------

    def _space(self) -> None:
        """Step over blanks, newlines (reading the here-documents they end) and comments."""
        source, length = self._source, self._length
        at = self._at
        while at < length:
            char = source[at]
            if char in " \t\\":
                end = _BLANKS(source, at).end()  # type: ignore[union-attr]
                if end == at:
                    break
                at = end
            elif char == "\n":
                at += 1
                if self._pending:
                    self._at = at
                    self._here_documents()
                    at = self._at
            elif char == "#":
                end = source.find("\n", at)
                at = length if end < 0 else end
            else:
                break
        self._at = min(at, length)

    def _here_documents(self) -> None:
        pending, self._pending = self._pending, []
        for redirection, delimiter, quoted, strip_tabs in pending:
            text = self._here_document(delimiter, strip_tabs)
            if quoted or not ("$" in text or "`" in text or "\\" in text):
                redirection.body = Word([], text)
            else:
                redirection.body = self._inner_text(text)

    def _here_document(self, delimiter: str, strip_tabs: bool) -> str:
        source = self._source
        lines: list[str] = []
        while self._at < self._length:
            end = source.find("\n", self._at)
            end = self._length if end < 0 else end
            line = source[self._at : end]
            if strip_tabs:
                line = line.lstrip("\t")
            if line == delimiter:
                self._at = min(end + 1, self._length)
                break
            if self._parens and delimiter and line.startswith(delimiter + ")"):
                self._at = end - len(line) + len(delimiter)
                break
            lines.append(line)
            self._at = min(end + 1, self._length)
        else:
            self.issues.add("invalid_syntax")
        return "\n".join(lines) + "\n" if lines else ""

    def _arithmetic_end(self, at: int) -> int:
        """Return where ``))`` closes the arithmetic that starts at ``at``, or -1 when it is none."""
        depth = 2
        closed = -1
        for match in _PAREN.finditer(self._source, at, min(self._length, at + MAX_ARITHMETIC)):
            if closed >= 0:
                return closed if match.group() == ")" and match.start() == closed + 1 else -1
            depth += 1 if match.group() == "(" else -1
            if depth == 1:
                closed = match.start()
        return -1

    def _inner_text(self, text: str) -> Word:
        if not self._enter():
            return Word([], text)
        inner = self._sub(text)
        word = inner.text()
        self._join(inner)
        self._depth -= 1
        return word

    def _sub(self, text: str) -> Parser:
        inner = Parser(text, depth=self._depth)
        inner._nodes = self._nodes
        return inner

    def _join(self, inner: Parser) -> None:
        self._nodes = inner._nodes
        self.issues |= inner.issues

    def _count(self) -> bool:
        """Count one statement, word or expansion; at the bound the rest of the source is left unread."""
        self._nodes += 1
        if self._nodes <= MAX_NODES:
            return True
        self.issues.add("fact_limit")
        self._at = self._length
        return False

    def _enter(self) -> bool:
        """Go one level deeper; at the bound the rest of the source is left unread."""
        if self._depth >= MAX_DEPTH:
            self.issues.add("depth_limit")
            self._at = self._length
            return False
        self._depth += 1
        return True

    def _accept(self, word: str) -> bool:
        match = _RESERVED(self._source, self._at)
        if match is None or match.group() != word:
            return False
        self._at = match.end()
        return True

    def _expect(self, word: str) -> None:
        self._space()
        if not self._accept(word):
            self.issues.add("invalid_syntax")

    def _find(self, char: str, at: int) -> int:
        end = self._source.find(char, at)
        if end < 0:
            self.issues.add("invalid_syntax")
            return self._length
        return end

    def _fault(self) -> None:
        self.issues.add("invalid_syntax")
        self._at += 1


def _word(parts: list[Part]) -> Word:
    """Return the word, evaluated already when it holds no expansion."""
    texts: list[str] = []
    glob = False
    fixed = True
    for part in parts:
        if not isinstance(part, Literal):
            fixed = False
            continue
        text = part.text
        if not part.quoted:
            if "{" in text or text.startswith("~"):
                fixed = False
            glob = glob or _GLOB(text) is not None
        texts.append(text)
    return Word(parts, "".join(texts) if fixed else None, False, glob)
