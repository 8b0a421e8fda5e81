"""Words → fields: every expansion of the shell except globbing.

What cannot be known is :data:`UNKNOWN` inside the result. Variables the source does not set are unknown,
except the few every shell has; positional parameters are those of the call, none at top level.
Source: POSIX.1-2024 "Word Expansions", Bash Reference Manual "Shell Expansions".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from defenseclaw.detection.facts import UNKNOWN
from defenseclaw.detection.shell import parameters
from defenseclaw.detection.shell.arithmetic import arithmetic
from defenseclaw.detection.shell.bounds import MAX_EXPANDED, MAX_WORDS
from defenseclaw.detection.shell.braces import expand_braces
from defenseclaw.detection.shell.state import Shell, Site
from defenseclaw.detection.shell.syntax import (
    Arithmetic,
    Literal,
    Parameter,
    Part,
    ProcessSubstitution,
    Sequence,
    Substitution,
    Word,
)

_BLANKS = " \t\n"
_UNSET_SPECIAL = frozenset("?$!-")
_ASSIGNED = re.compile(
    r"([A-Za-z_]\w*)\s*(?:<<|>>|[-+*/%&|^])?=(?!=)|([A-Za-z_]\w*)(?:\+\+|--)|(?:\+\+|--)([A-Za-z_]\w*)"
)
_COUNTED = re.compile(r"\s*(?:(\+\+|--)(?=\w))?([A-Za-z_]\w*)((?(1)|(?:\+\+|--)))\s*\Z").match
_PLAIN_ASSIGNMENT = re.compile(r"\s*([A-Za-z_]\w*)\s*(<<|>>|[-+*/%&|^])?=(?!=)\s*([^=]+)\Z").match
_NAMED = re.compile(r"[A-Za-z_]\w*\+?=").match

SOMETHING = UNKNOWN + "?"
"""Stands for what is not known but surely not empty."""

WORD_COST = 256
"""Room a word takes besides its characters, so that many empty ones are bounded too."""

Runner = Callable[[Sequence, Shell, Site], tuple[str | None, frozenset[int]]]
"""Runs a substitution: its text (None: unknown) and the ids of its commands."""
Opener = Callable[[ProcessSubstitution, Shell, Site], tuple[str, frozenset[int]]]
"""Runs a process substitution: the path that stands for it and the ids of its commands."""


class Expander:
    """Expands words; collects on the way which commands' output went into them."""

    def __init__(self, run: Runner, open_process: Opener, report: Callable[[str], None]) -> None:
        self._run = run
        self._open = open_process
        self._report = report
        self._room = MAX_EXPANDED
        self.touched: set[int] = set()
        """Commands whose output is part of what was expanded since this was last emptied."""
        self.readers: set[int] = set()
        """Commands inside ``<(...)`` among them: what they print is read, whoever the reader is."""
        self.writers: set[int] = set()
        """Commands inside ``>(...)``."""

    def spend(self, amount: int) -> bool:
        """Take characters from the evaluation's room; False, and an issue, when none is left."""
        self._room -= amount
        if self._room < 0:
            self._report("fact_limit")
            return False
        return True

    def fields(self, word: Word, shell: Shell, site: Site) -> list[str]:
        """Return the fields a word expands to, in order."""
        if word.literal is not None:
            return [word.literal]
        parts = word.parts
        if any(isinstance(part, Literal) and not part.quoted and "{" in part.text for part in parts):
            words, cut = expand_braces(parts)
            if cut:
                self._report("fact_limit")
        else:
            words = [parts]
        out: list[str] = []
        for each in words:
            self._split(each, shell, site, out)
            if len(out) > MAX_WORDS:
                self._report("fact_limit")
                del out[MAX_WORDS:]
                break
        return out

    def text(self, word: Word, shell: Shell, site: Site) -> str:
        """Return a word's text without splitting, as in assignments, here-documents and redirections."""
        if word.literal is not None:
            return word.literal
        texts: list[str] = []
        for index, part in enumerate(word.parts):
            if isinstance(part, Literal):
                texts.append(self._literal(part, index, word.parts, shell))
            else:
                value = self._value(part, shell, site)
                texts.append(" ".join(value) if isinstance(value, list) else value)
        text = "".join(texts)
        return text if self.spend(len(text)) else UNKNOWN

    def compute(self, word: Word, shell: Shell, site: Site) -> None:
        """Run ``((...))`` for its effects: what it assigns becomes unknown."""
        self.assign_numbers(self.text(word, shell, site), shell)

    def assign_numbers(self, text: str, shell: Shell) -> None:
        """Carry out the assignments of an arithmetic expression; what is no plain one becomes unknown."""
        for part in text[:4096].split(","):
            counted = _COUNTED(part)
            plain = _PLAIN_ASSIGNMENT(part)
            if counted is not None:
                name = counted[2]
                value = self._number(f"{name}{counted[1][0] if counted[1] else counted[3][0]}1", shell)
                shell.variables[name] = value
            elif plain is not None:
                name, operator, right = plain.groups()
                shell.variables[name] = self._number(
                    f"{name}{operator}({right})" if operator else right, shell
                )
            else:
                for match in _ASSIGNED.finditer(part):
                    shell.variables[match[1] or match[2] or match[3]] = UNKNOWN

    def _split(self, parts: list[Part], shell: Shell, site: Site, out: list[str]) -> None:
        current: list[str] | None = None
        separators = ""
        nothing = False
        for index, part in enumerate(parts):
            if isinstance(part, Literal):
                text = self._literal(part, index, parts, shell)
                if text or part.quoted:
                    current = _push(current, text)
                continue
            value = self._value(part, shell, site)
            quoted = not isinstance(part, Parameter | Substitution) or part.quoted
            if isinstance(value, list):
                if quoted and not value:
                    nothing = True
                for position, item in enumerate(value):
                    if position and current is not None:
                        out.append("".join(current))
                        current = None
                    if quoted:
                        current = _push(current, item)
                    elif item:
                        separators = separators or self._separators(shell)
                        current = self._split_value(item, separators, current, out)
                continue
            if quoted:
                current = _push(current, value)
                continue
            separators = separators or self._separators(shell)
            current = self._split_value(value, separators, current, out)
            if len(out) > MAX_WORDS:
                return
        if current is not None:
            text = "".join(current)
            if text or not nothing:
                out.append(text if self.spend(len(text) + WORD_COST) else UNKNOWN)

    @staticmethod
    def _split_value(
        value: str, separators: str, current: list[str] | None, out: list[str]
    ) -> list[str] | None:
        if not separators:
            return _push(current, value) if value else current
        at = 0
        for match in _delimiters(separators).finditer(value):
            if match.start() > at:
                current = _push(current, value[at : match.start()])
            at = match.end()
            if current is not None:
                out.append("".join(current))
                current = None
            elif match[1] is not None:
                # Only a separator that is no blank makes an empty field.
                out.append("")
            if len(out) > MAX_WORDS:
                return current
        return _push(current, value[at:]) if at < len(value) else current

    def split(self, line: str, shell: Shell, most: int = 0) -> list[str]:
        """Split a line as ``read`` does: into at most ``most`` fields (0: any number), by ``IFS``."""
        separators = self._separators(shell)
        line = line.strip("".join(char for char in separators if char in _BLANKS))
        if not line or not separators or most == 1:
            return [line] if line else []
        out: list[str] = []
        at = 0
        for match in _delimiters(separators).finditer(line):
            if len(out) + 1 >= (most or MAX_WORDS):
                break
            out.append(line[at : match.start()])
            at = match.end()
        if most or at < len(line):
            out.append(line[at:])
        return out

    @staticmethod
    def _separators(shell: Shell) -> str:
        ifs = shell.variables.get("IFS", " \t\n")
        text = ifs if isinstance(ifs, str) else " \t\n"
        return " \t\n" if UNKNOWN in text else text[:16]

    def _literal(self, part: Literal, index: int, parts: list[Part], shell: Shell) -> str:
        text = part.text
        if index or part.quoted or "~" not in text:
            return text
        named = _NAMED(text)
        if named is not None:
            # A word that looks like an assignment has tildes after its first "=" and after each ":".
            pieces = text[named.end() :].split(":")
            last = len(pieces) - 1
            alone = len(parts) == 1
            values = [self._tilde(each, shell, whole=at < last or alone) for at, each in enumerate(pieces)]
            return named.group() + ":".join(values)
        return self._tilde(text, shell, whole=len(parts) == 1)

    @staticmethod
    def _tilde(text: str, shell: Shell, *, whole: bool) -> str:
        """Expand a leading tilde; ``whole`` says that nothing follows the text in its word."""
        if not text.startswith("~"):
            return text
        name, slash, rest = text.partition("/")
        if not slash and not whole:
            return text
        home = shell.variables.get("HOME", UNKNOWN)
        home = home if isinstance(home, str) else UNKNOWN
        if name == "~" or (name[1:] and name[1:] == home.rpartition("/")[2]):
            return home + slash + rest
        if name == "~+":
            return (shell.cwd or UNKNOWN) + slash + rest
        return text

    # --- values -----------------------------------------------------------------------------------

    def _value(self, part: Part, shell: Shell, site: Site) -> str | list[str]:
        if isinstance(part, Parameter):
            return self._parameter(part, shell, site)
        if isinstance(part, Substitution):
            text, ids = self._run(part.body, shell, site)
            self.touched |= ids
            return UNKNOWN if text is None else text
        if isinstance(part, Arithmetic):
            return self._number(self.text(part.expression, shell, site), shell)
        if isinstance(part, ProcessSubstitution):
            path, ids = self._open(part, shell, site)
            (self.writers if part.output else self.readers).update(ids)
            return path
        return part.text

    def _number(self, text: str, shell: Shell) -> str:
        value = arithmetic(text, lambda name: self._scalar(name, shell))
        return UNKNOWN if value is None else str(value)

    def _scalar(self, name: str, shell: Shell) -> str:
        value = self._lookup(name, shell)
        return (value[0] if value else "") if isinstance(value, list) else UNKNOWN if value is None else value

    def _lookup(self, name: str, shell: Shell) -> str | list[str] | None:
        """Return a variable's value; None when this source does not set it."""
        name = shell.target(name)
        if name in shell.origins:
            self.touched |= shell.origins[name]
        value = shell.variables.get(name)
        if value is not None:
            return value
        if name == "PWD":
            return shell.cwd or UNKNOWN
        if name in ("@", "*"):
            return shell.parameters
        if name == "#":
            return str(len(shell.parameters))
        if name.isdigit():
            position = int(name) if len(name) < 6 else 99999
            if position == 0:
                return shell.name or UNKNOWN
            return shell.parameters[position - 1] if position <= len(shell.parameters) else ""
        return UNKNOWN if name in _UNSET_SPECIAL else None

    def _parameter(self, part: Parameter, shell: Shell, site: Site) -> str | list[str]:
        value = self._lookup(part.name, shell)
        if part.prefix == "!":
            value = self._indirect(part, value, shell)
        if part.index is not None:
            keyed = shell.variables.get(f"{part.name}[{self.key(part.index, shell)}]")
            value = self._element(value, part.index, shell) if keyed is None else keyed
        elif isinstance(value, list) and part.name not in "@*":
            value = value[0] if value else ""
        if part.prefix == "#":
            return str(len(value)) if value is not None and UNKNOWN not in value else UNKNOWN
        if part.operator:
            value = self._operate(part, value, shell, site)
        if value is None:
            return UNKNOWN
        joined = part.name == "*" or part.index == "*"
        if joined and part.quoted and isinstance(value, list):
            return self._separators(shell)[:1].join(value)
        return value

    def _indirect(
        self, part: Parameter, value: str | list[str] | None, shell: Shell
    ) -> str | list[str] | None:
        if part.index in ("@", "*") or not isinstance(value, str) or not value.isidentifier():
            return None
        return self._lookup(value, shell)

    def key(self, index: str, shell: Shell) -> str:
        """Return the subscript that ``index`` stands for, as far as it is a plain word or one variable."""
        text = index.strip("'\"")
        if text[:1] == "$":
            text = self._scalar(text.strip("${}"), shell)
        elif text.isidentifier():
            known = shell.variables.get(text)
            text = known if isinstance(known, str) and known.isdigit() else text
        return text

    def _element(self, value: str | list[str] | None, index: str, shell: Shell) -> str | list[str] | None:
        if value is None or value == UNKNOWN:
            return None
        items = value if isinstance(value, list) else [value]
        if index in ("@", "*"):
            return items
        at = arithmetic(index, lambda name: self._scalar(name, shell))
        if at is None:
            return None
        return items[at] if -len(items) <= at < len(items) else ""

    def _operate(
        self, part: Parameter, value: str | list[str] | None, shell: Shell, site: Site
    ) -> str | list[str] | None:
        operator = part.operator
        first = part.first or Word([], "")
        if operator[-1] in "-=+?" and operator[0] in ":-=+?":
            return self._default(part, value, shell, site)
        if isinstance(value, list):
            if operator == ":":
                return self._slice_list(part, value, shell, site)
            items = [self._operate(part, item, shell, site) for item in value[:MAX_WORDS]]
            return [item if isinstance(item, str) else UNKNOWN for item in items]
        if operator == ":":
            return self._slice(part, value, shell, site)
        if value is None or UNKNOWN in value:
            return None
        if operator[0] in "#%":
            pattern = self.text(first, shell, site)
            if UNKNOWN in pattern or not self.spend(len(value) + min(len(value), 256) ** 2 // 4):
                return None
            return parameters.trim(value, pattern, operator)
        if operator[0] == "/":
            pattern = self.text(first, shell, site)
            replacement = self.text(part.second, shell, site) if part.second is not None else ""
            if UNKNOWN in pattern or not self.spend(len(value) + min(len(value), 256) ** 2 // 4):
                return None
            return parameters.replace(value, pattern, replacement, operator)
        if operator[0] in "^,":
            return parameters.change_case(value, operator)
        return value

    def _default(
        self, part: Parameter, value: str | list[str] | None, shell: Shell, site: Site
    ) -> str | list[str] | None:
        kind = part.operator[-1]
        is_set = value is not None and (part.operator[0] != ":" or bool(value))
        if kind == "+":
            return self.text(part.first, shell, site) if is_set and part.first is not None else ""
        if is_set or part.first is None:
            return value
        if kind == "?":
            # The shell stops here when there is nothing: what follows sees a value.
            shell.variables[part.name] = SOMETHING
            return SOMETHING
        default = self.text(part.first, shell, site)
        if kind == "=":
            shell.variables[part.name] = default
        return default

    def _slice(self, part: Parameter, value: str | None, shell: Shell, site: Site) -> str | None:
        start, length = self._bounds(part, shell, site)
        if start is None or (part.second is not None and length is None):
            return None
        if value is None or UNKNOWN in value:
            # PATH always begins with a slash; taking that slash is a common way to hide one.
            return "/" if part.name in ("PATH", "PWD", "OLDPWD") and (start, length) == (0, 1) else None
        return parameters.cut(value, start, length)

    def _slice_list(self, part: Parameter, value: list[str], shell: Shell, site: Site) -> list[str] | None:
        start, length = self._bounds(part, shell, site)
        if start is None or (part.second is not None and length is None):
            return None
        if part.name in "@*":
            value = [shell.name or UNKNOWN, *value]
        stop = None if length is None else start + length
        return value[start:stop] if start >= 0 else value[start:][:length]

    def _bounds(self, part: Parameter, shell: Shell, site: Site) -> tuple[int | None, int | None]:
        def scalar(name: str) -> str:
            return self._scalar(name, shell)

        start = arithmetic(self.text(part.first or Word([], "0"), shell, site), scalar)
        length = arithmetic(self.text(part.second, shell, site), scalar) if part.second is not None else None
        return start, length


@lru_cache(maxsize=64)
def _delimiters(separators: str) -> re.Pattern[str]:
    """Return what stands between fields: blanks, or one other separator (group 1) with blanks around it."""
    soft = re.escape("".join(char for char in separators if char in _BLANKS))
    hard = re.escape("".join(char for char in separators if char not in _BLANKS))
    if not hard:
        return re.compile(f"()(?!)|[{soft}]+")
    return re.compile(f"([{soft}]*[{hard}][{soft}]*)|[{soft}]+" if soft else f"([{hard}])")


def _push(current: list[str] | None, text: str) -> list[str]:
    if current is None:
        return [text]
    current.append(text)
    return current
