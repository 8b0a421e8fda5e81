"""Shell words and what stands inside them: quotes, expansions, here-documents.

The part of the parser that reads characters. Statements are read by its subclass, since a substitution
inside a word holds statements again.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import Self

from defenseclaw.detection.shell.bounds import (
    MAX_ARITHMETIC,
    MAX_DEPTH,
    MAX_GLOB,
    MAX_NODES,
    MAX_SOURCE,
)
from defenseclaw.detection.shell.escapes import ansi_c
from defenseclaw.detection.shell.syntax import (
    Arithmetic,
    Literal,
    Parameter,
    Part,
    ProcessSubstitution,
    Redirection,
    Sequence,
    Substitution,
    Word,
)

END = r"(?=[ \t\n;|&)<>]|\Z)"
_SIMPLE = re.compile(r"[A-Za-z0-9_./:=+,@%^-]+" + END).match
_PLAIN = re.compile(r"[^ \t\n\\'\"$`<>|&;()]+").match
_ESCAPED = re.compile(r"(?:\\[^\n])+").match
_BLANKS = re.compile(r"(?:[ \t]|\\\n)*").match
_DOUBLE = re.compile(r"[^\"\\$`]+").match
_HERE = re.compile(r"[^\\$`]+").match
_BRACED = re.compile(r"[^}/:\\'\"$`]+").match
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-]").match
_PARAMETER = re.compile(r"([#!]?)([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-])(?:\[([^\]\n}]{1,256})\])?").match
_OPERATOR = re.compile(r":[-=?+]|##?|%%?|//|/[#%]?|\^\^?|,,?|[@:=?+-]").match
_PAREN = re.compile(r"[()]")
_ANSI_C_END = re.compile(r"[^'\\]*(?:\\.[^'\\]*)*", re.DOTALL).match
_GLOB = re.compile(r"[*?\[]").search


def blanks(source: str, at: int) -> int:
    """Return the position after blanks and line continuations."""
    match = _BLANKS(source, at)
    return at if match is None else match.end()


class Reader(ABC):
    """A source being read: position, words, bounds; ``issues`` is what could not be taken in.

    ``nodes`` counts what was parsed in the whole evaluation so far.
    """

    def __init__(self, source: str, *, depth: int = 0, nodes: int = 0) -> None:
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
        self.nodes = nodes
        self._parens = 0
        self._no_glob_before = 0
        self._pending: list[tuple[Redirection, str, bool, bool]] = []

    def text(self) -> Word:
        """Return the source as the body of a here-document: expansions, no quotes."""
        parts: list[Part] = []
        self._quoted(parts, "")
        return _word(parts)

    @abstractmethod
    def parse(self) -> Sequence:
        """Return all statements of the source."""

    @abstractmethod
    def _statements(self) -> Sequence:
        """Read statements up to an unmatched closing parenthesis or the end."""

    def _nested(self) -> Sequence | None:
        """Parse up to the closing parenthesis and step over it."""
        if not self._enter():
            return None
        self._parens += 1
        body = self._statements()
        self._parens -= 1
        self._depth -= 1
        if self._at < self._length and self._source[self._at] == ")":
            self._at += 1
        else:
            self.issues.add("invalid_syntax")
        return body

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
            elif char in "'\"" and not self._count():
                at = length
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
            if char == "\\" and self._count():
                following = source[at + 1 : at + 2]
                if following == "\n":
                    pass
                elif following in ("$", "`", "\\") or (end and following == end):
                    parts.append(Literal(following, True))
                else:
                    parts.append(Literal("\\" + following, True))
                self._at = at + 2
            elif char != "\\":
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
            name = NAME(source, at + 1)
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
                end = blanks(source, at)
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

    def _sub(self, text: str) -> Self:
        return type(self)(text, depth=self._depth, nodes=self.nodes)

    def _join(self, inner: Self) -> None:
        self.nodes = inner.nodes
        self.issues |= inner.issues

    def _count(self) -> bool:
        """Count one statement, word or expansion; at the bound the rest of the source is left unread."""
        self.nodes += 1
        if self.nodes <= MAX_NODES:
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

    def _find(self, char: str, at: int) -> int:
        end = self._source.find(char, at)
        if end < 0:
            self.issues.add("invalid_syntax")
            return self._length
        return end

    def _fault(self) -> None:
        self.issues.add("invalid_syntax")
        if self._count():
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
            if "{" in text or text.startswith("~") or "=~" in text or ":~" in text:
                fixed = False
            glob = glob or _GLOB(text) is not None
        texts.append(text)
    return Word(parts, "".join(texts) if fixed else None, False, glob)
