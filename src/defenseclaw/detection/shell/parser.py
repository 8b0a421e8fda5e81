"""Shell source → tree, in one pass from left to right, in linear time and bounded depth.

Written by hand and not on a generated grammar because the input is hostile: error recovery of
table-driven parsers is quadratic on runs of stray tokens. Here an unexpected character costs one step:
it is noted, skipped, and the commands around it are kept.
Source: POSIX.1-2024 "Shell Command Language", Bash Reference Manual.
"""

from __future__ import annotations

import re

from defenseclaw.detection.shell.bounds import MAX_NODES, MAX_REDIRECTIONS, MAX_WORDS
from defenseclaw.detection.shell.reader import END, NAME, Reader, blanks
from defenseclaw.detection.shell.syntax import (
    Assignment,
    Case,
    Compound,
    Compute,
    For,
    Function,
    Group,
    If,
    Node,
    Pipeline,
    Redirection,
    Sequence,
    Simple,
    While,
    Word,
)

_RESERVED = re.compile(r"(?:then|else|elif|fi|do|done|esac|in|\})" + END).match
_OPENER = re.compile(
    r"(?:if|while|until|for|select|case|function|\{|\[\[|!|time|coproc)(?=[ \t\n(;]|\\\n|\Z)"
).match
_COMPOUND = re.compile(r"[ \t]*(?:\(|(?:\{|if|while|until|for|case|select|\[\[)(?=[ \t\n]))").match
_NAMED_COMPOUND = re.compile(r"[ \t]*[A-Za-z_][A-Za-z0-9_]*[ \t]+(?=\(|\{[ \t\n])").match
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\[([^\]\n]{0,256})\])?(\+?)=").match
_REDIRECTION = re.compile(
    r"(\d{1,9}|\{[A-Za-z_][A-Za-z0-9_]*\})?(<<<|<<-|<<|<>|<&|&>>|&>|>>|>\||>&|<(?!\()|>(?!\())"
).match
_SIMPLE_WORDS = re.compile(r"(?:[ \t]+[A-Za-z0-9_./:=+,@%^-]+(?=[ \t\n;|)]|\Z))+").match
"""Words that stand for themselves and of which none can begin a redirection."""
_FUNCTION_PARENS = re.compile(r"[ \t]*\([ \t]*\)").match
_TWO_WORDS = re.compile(r"(?<![\w.])[A-Za-z_][\w.]*[ \t]+(?:[\w$\"'~.]|[-/][A-Za-z])").search
_DECLARATIONS = frozenset({"export", "declare", "local", "readonly", "typeset"})

_THEN = frozenset({"then"})
_FI = frozenset({"elif", "else", "fi"})
_DO = frozenset({"do"})
_DONE = frozenset({"done"})
_BRACE = frozenset({"}"})
_ESAC = frozenset({"esac"})
_NOTHING: frozenset[str] = frozenset()


class Parser(Reader):
    """One source being parsed; :meth:`parse` is the entry."""

    def parse(self) -> Sequence:
        """Return all statements of the source."""
        return self._sequence(_NOTHING)

    def _statements(self) -> Sequence:
        return self._sequence(_NOTHING)

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
        at = blanks(self._source, self._at)
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
            at = blanks(source, self._at)
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
            self._at = blanks(source, self._at)

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
        self._at = blanks(source, self._at)
        node = For("", None, Sequence([]))
        if source.startswith("((", self._at):
            end = self._arithmetic_end(self._at + 2)
            self._at = end + 2 if end >= 0 else self._at + 2
        else:
            name = NAME(source, self._at)
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
        self._at = blanks(source, self._at)
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
            self._at = blanks(self._source, self._at)
            word = self._word()
            if word is not None:
                patterns.append(word)
            self._at = blanks(self._source, self._at)
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
            self._at = blanks(self._source, self._at)
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
            if word is None and self._at >= self._length:
                break
            if word is None:
                width = 2 if source.startswith(("&&", "||"), at) else 1
                word = Word([], source[at : at + width])
                self._at = at + width
            words.append(word)
        words.append(Word([], "]]"))
        return Simple(words)

    def _function(self, name: Word | None) -> Node | None:
        if name is None:
            self._at = blanks(self._source, self._at)
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
            if words and not declares:
                self._simple_words(words)
            at = blanks(source, self._at)
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

    def _simple_words(self, into: list[Word]) -> None:
        """Take in all that follows of the commonest kind at once."""
        match = _SIMPLE_WORDS(self._source, self._at)
        if match is None:
            return
        self._at = match.end()
        # What one command cannot be given is not worth keeping, or counting.
        texts = match.group().split(None, MAX_WORDS)
        room = max(0, min(MAX_WORDS - len(into), MAX_NODES - self.nodes))
        if len(texts) > room:
            self.issues.add("fact_limit")
            del texts[room:]
        self.nodes += len(texts)
        into.extend([Word([], text) for text in texts])

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
            self._at = blanks(self._source, self._at)
            if not self._redirection(into):
                return

    def _redirection(self, into: list[Redirection]) -> bool:
        match = _REDIRECTION(self._source, self._at)
        if match is None:
            return False
        descriptor, operator = match.groups()
        self._at = blanks(self._source, match.end())
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
