"""cmd.exe command lines → the commands they would run, evaluated but never executed.

One pass over the characters: a line is cut at operators outside quotes, its variables are replaced when the
command is reached, as batch files do. A variable that nobody set is unknown.

Source: Microsoft's documentation of cmd, set, for, if and start.
"""

from __future__ import annotations

import re
from typing import Final

from defenseclaw.detection.facts import UNKNOWN, Redirect
from defenseclaw.detection.shell.environment import OWN
from defenseclaw.detection.windows.bounds import MAX_DEPTH, MAX_SOURCE, MAX_TEXT, MAX_TURNS
from defenseclaw.detection.windows.ledger import Draft, Ledger, Site
from defenseclaw.detection.windows.names import BUILTINS, SYSTEM_VARIABLES, home_variables
from defenseclaw.detection.windows.powershell import joined

_VARIABLE: Final = re.compile(
    r"%([^%\n:=\s][^%\n:=]{0,63})(?::([^%\n]{1,128}))?%|!([A-Za-z_][\w()]{0,63})(?::([^!\n]{1,128}))?!"
)
_SLICE: Final = re.compile(r"~(-?\d{1,6})(?:,(-?\d{1,6}))?\Z")
_LOOP_VARIABLE: Final = re.compile(r"%%?(?:~[a-z]{0,8})?([A-Za-z])(?![\w%])")
_PARAMETER: Final = re.compile(r"%(?:~[a-z]{0,8})?[0-9*](?![\w%]*%)")
_SET: Final = re.compile(
    r"\s*(?:\"(?P<q>[^=\"]{1,128})=(?P<qv>[^\"]*)\"?|(?P<n>[^=\"]{1,128})=(?P<v>.*))", re.S
)
_IF: Final = re.compile(
    r"\s*(?:/i\s+)?(?:not\s+)?(?:exist\s+(?:\"[^\"]*\"|\S+)|defined\s+\S+|errorlevel\s+\d+|"
    r"(?:\"[^\"]*\"|[^\s=]+)\s*(?:==|\s(?:equ|neq|lss|leq|gtr|geq)\s)\s*(?:\"[^\"]*\"|\S+))\s*", re.I,
)  # fmt: skip
_FOR: Final = re.compile(r"\s*(?:/[a-z]\s+(?:\"[^\"]*\"\s+|[^\s%(]+\s+)?)*%%?([A-Za-z])\s+in\s*", re.I)
_SWITCHES: Final = re.compile(r"(?:/[A-Za-z?](?::[^\s/\"]*)?)+\Z")
_GLUED: Final = re.compile(r"([A-Za-z]{2,8})((?:[/.\\(,;=:]).*)", re.S)
_ELSE: Final = re.compile(r"\s\)?else\s|\)else\s", re.I)
_KEYWORD: Final = re.compile(r"(?:rem|if|else|for|set)(?=[\s(/.]|\Z)", re.I).match
_DO: Final = re.compile(r"\s*do\b", re.I)
_COUNTS: Final = re.compile(r"\s*/l", re.I).match
_READS: Final = re.compile(r"\s*/f", re.I).match
_ASKS: Final = re.compile(r"\s*/([ap])\b", re.I).match
_ESCAPED: Final = re.compile(r"\^(.)", re.S)
_BODY: Final = re.compile(r"\s/([ckr])\s*", re.I).search
_NAMES: Final = {
    "type": "get-content", "erase": "del", "rmdir": "rd", "ren": "rename-item", "rename": "rename-item",
    "chdir": "cd", "find": "findstr",
}  # fmt: skip
_RUNNABLE: Final = (".exe", ".com", ".bat", ".cmd", ".scr", ".vbs", ".js")
_PASSED_ON: Final = frozenset({"call", "start"})


class CommandShell:
    """Evaluates one source, and what that source runs as source."""

    def __init__(self, ledger: Ledger, cwd: str, home: str) -> None:
        self.ledger = ledger
        self.cwd = cwd
        self.home = home
        self.variables = {**SYSTEM_VARIABLES, **home_variables(home)}
        self._named: set[str] = set()

    def run_source(self, text: str, site: Site) -> None:
        """Evaluate source."""
        if len(text) > MAX_SOURCE:
            self.ledger.issues.add("input_limit")
            text = text[:MAX_SOURCE]
        text = text.replace("^\r\n", "").replace("^\n", "")
        self._run(text, site)

    def _run(self, text: str, site: Site) -> None:
        """Evaluate a command line, or the inside of a pair of brackets."""
        if site.depth >= MAX_DEPTH:
            self.ledger.issues.add("depth_limit")
            return
        self.ledger.step(len(text))
        pipeline: list[str] = []
        for piece, joint in _cut(text):
            pipeline.append(piece)
            if joint != "|":
                self._pipeline(pipeline, site)
                pipeline = []

    def _pipeline(self, pieces: list[str], site: Site) -> None:
        if len(pieces) == 1:
            self._piece(pieces[0], site)
            return
        number = self.ledger.pipeline()
        last = ""
        for at, piece in enumerate(pieces):
            here = Site(site.parent, site.context, site.wrappers, site.where, site.depth, number, at)
            before = len(self.ledger.drafts)
            self._piece(piece, here)
            made = self.ledger.since(before)
            if made and last:
                self.ledger.stdin[made[0].id] = last
            last = self.ledger.outputs.get(made[-1].id, "") if made else ""

    def _piece(self, piece: str, site: Site) -> None:
        """Evaluate one command or one pair of brackets."""
        self.ledger.step()
        piece = piece.strip().lstrip("@,;= \t")
        if not piece or piece[0] == ":":
            return
        if piece[0] == "(":
            body, _ = _bracketed(piece)
            self._run(body, _deeper(site))
            return
        word = _KEYWORD(piece)
        if word is None:
            self._command(piece, site)
            return
        name = word[0].lower()
        if name == "rem":
            return
        if name == "if":
            self._if(piece[2:], site)
        elif name == "else":
            self._piece(piece[4:], _deeper(site))
        elif name == "for":
            self._for(piece[3:], site)
        elif name == "set":
            self._set(piece[3:], site)
        else:
            self._command(piece, site)

    def _if(self, rest: str, site: Site) -> None:
        found = _IF.match(rest)
        after = rest[found.end() :] if found is not None else rest
        if after.startswith("("):
            body, end = _bracketed(after)
            self._run(body, _deeper(site))
            self._piece(after[end:], _deeper(site))
            return
        before, _, otherwise = _at_else(after)
        self._piece(before, _deeper(site))
        if otherwise:
            self._piece(otherwise, _deeper(site))

    def _for(self, rest: str, site: Site) -> None:
        found = _FOR.match(rest)
        if found is None or not rest.startswith("(", found.end()):
            return
        items, end = _bracketed(rest[found.end() :])
        body = _DO.sub("", rest[found.end() + end :], count=1).strip()
        numbers = _COUNTS(rest) is not None
        reads = _READS(rest) is not None
        quoted = items.strip()
        if reads and quoted[:1] in ("'", "`"):
            before = len(self.ledger.drafts)
            self._run(quoted.strip("'`"), _deeper(site))
            made = [draft for draft in self.ledger.since(before) if not draft.pipeline]
            shown = self.ledger.outputs.get(made[-1].id) if made else None
            turns = [shown] if shown else [UNKNOWN]
        elif numbers or (reads and not quoted.startswith('"')):
            turns = [UNKNOWN]
        else:
            turns = self._expanded(items).replace(",", " ").split() or [UNKNOWN]
        for turn in turns[:MAX_TURNS]:
            inner = _with_loop_variable(body, found[1], turn)
            self._run(inner, _deeper(site))

    def _set(self, rest: str, site: Site) -> None:
        asks = _ASKS(rest)
        found = _SET.match(self._expanded(rest[asks.end() :] if asks else rest))
        if found is None:
            if not rest.strip():
                self.ledger.add(site, "set", ("set",), self.cwd)
            return
        name = (found["q"] or found["n"] or "").strip().lower()
        value = found["qv"] if found["q"] else _unescaped(found["v"] or "")
        self.variables[name] = UNKNOWN if asks else value[:MAX_TEXT]
        if name.upper().startswith(OWN):
            self.ledger.add(site, "set", ("set", f"{name.upper()}={value}"), self.cwd)

    # ---- words --------------------------------------------------------------------------------------

    def _expanded(self, text: str) -> str:
        """Replace variables; a value may hold operators only where it stood in quotes."""
        if "%" not in text and "!" not in text:
            return text

        def value(match: re.Match[str]) -> str:
            name, change = match[1] or match[3], match[2] or match[4]
            found = self.variables.get(name.strip().lower())
            if found is None:
                return match[0] if match[3] else UNKNOWN
            self.ledger.step(len(found))
            return _changed(found, change) if change else found

        return _PARAMETER.sub(UNKNOWN, _VARIABLE.sub(value, text))[:MAX_TEXT]

    def _command(self, piece: str, site: Site) -> None:
        expanded = self._expanded(piece)
        if expanded != piece and _OPERATORS.search(expanded) and not _OPERATORS.search(piece):
            # The value of a variable holds more than one command.
            self._run(expanded, _deeper(site))
            return
        words, redirects = _words(expanded)
        words = _unglued(words)
        if not words:
            return
        name = words[0].replace("\\", "/").rpartition("/")[2].lower()
        if name.endswith((".exe", ".com")):
            name = name[:-4]
        if name in BUILTINS and "/" in expanded:
            words = [words[0], *(part for word in words[1:] for part in _switches(word))]
        program = "" if UNKNOWN in name else _NAMES.get(name, name)
        if program in _PASSED_ON:
            titled = program == "start" and expanded[5:].lstrip().startswith('"')
            self._passed_on(program, words, site, redirects, titled=titled)
            return
        draft = self.ledger.add(site, program, words, self.cwd)
        draft.redirects = redirects
        if "/" not in draft.executable and words[0].lower() in self._named:
            # What an earlier command made here is found before any program of that name.
            draft.executable = f"./{words[0]}"
        if "." in expanded:
            self._named.update(word.lower() for word in words[1:] if word.lower().endswith(_RUNNABLE))
        self._effect(draft, expanded)

    def _effect(self, draft: Draft, written: str) -> None:
        if draft.program in ("cd", "pushd"):
            places = [word for word in draft.argv[1:] if word.lower() != "/d"]
            if places:
                self.cwd = joined(self.cwd, places[0], self.home)
        elif draft.program == "echo":
            self.ledger.outputs[draft.id] = " ".join(draft.argv[1:])
        elif draft.program == "cmd":
            draft.argv = _whole_body(draft.argv, written)

    def _passed_on(
        self, program: str, words: list[str], site: Site, redirects: tuple[Redirect, ...], *, titled: bool
    ) -> None:
        """Evaluate ``call`` and ``start``: what follows their options is a command of its own."""
        rest = words[1:]
        if titled:
            rest = rest[1:]
        while rest and rest[0].startswith("/") and program == "start":
            rest = rest[2:] if rest[0].lower() in ("/d", "/node", "/affinity") and len(rest) > 1 else rest[1:]
        if not rest or rest[0].startswith(":"):
            return
        draft = self.ledger.add(site, program, words, self.cwd)
        draft.redirects = redirects
        inside = site.inside(draft, draft.context)
        name = rest[0].replace("\\", "/").rpartition("/")[2].lower().removesuffix(".exe")
        self.ledger.add(inside, _NAMES.get(name, name), rest, self.cwd)


def _with_loop_variable(body: str, name: str, value: str) -> str:
    return _LOOP_VARIABLE.sub(lambda match: value if match[1] == name else match[0], body)


_OPERATORS: Final = re.compile(r"[&|]")


def _deeper(site: Site) -> Site:
    return Site(
        site.parent, site.context, site.wrappers, site.where, site.depth + 1, site.pipeline, site.position
    )


def _cut(text: str) -> list[tuple[str, str]]:
    """Cut a source at its operators: (command, what follows it), outside quotes and brackets."""
    out: list[tuple[str, str]] = []
    start = at = depth = 0
    quoted = False
    while (found := (_QUOTED_MARK if quoted else _MARK)(text, at)) is not None:
        char, at = found[0], found.end()
        if char == "^":
            at += 1
        elif char == '"':
            quoted = not quoted
        elif char == "\n":
            quoted = False
            if depth == 0:
                out.append((text[start : at - 1], "\n"))
                start = at
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= depth > 0
        elif depth == 0 and not (char == "&" and text[at - 2 : at - 1] in _ARROWS):
            joint = char * 2 if text.startswith(char, at) else char
            out.append((text[start : at - 1], joint))
            start = at = at - 1 + len(joint)
    out.append((text[start:], ""))
    return out


_MARK: Final = re.compile(r'[\^"\n()&|]').search
_QUOTED_MARK: Final = re.compile(r'["\n]').search
_ARROWS: Final = frozenset("<>")


def _bracketed(text: str) -> tuple[str, int]:
    """Return what stands between a bracket and the one that closes it, and where that ends."""
    at = depth = 0
    while (found := _BRACKET(text, at)) is not None:
        char, at = found[0], found.end()
        if char == "^":
            at += 1
        elif char == '"':
            closing = text.find('"', at)
            at = len(text) if closing < 0 else closing + 1
        elif char == "(":
            depth += 1
        else:
            depth -= 1
            if depth == 0:
                return text[1 : at - 1], at
    return text[1:], len(text)


_BRACKET: Final = re.compile(r'[\^"()]').search


def _at_else(text: str) -> tuple[str, str, str]:
    found = _ELSE.search(text)
    return (text[: found.start()], "else", text[found.end() :]) if found else (text, "", "")


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(r"\1", text) if "^" in text else text


def _changed(value: str, change: str) -> str:
    """Return ``%name:change%``: a part of the value, or the value with a text replaced."""
    found = _SLICE.match(change)
    if found is not None:
        first = int(found[1])
        begin = first if first >= 0 else max(0, len(value) + first)
        if found[2] is None:
            return value[begin:]
        count = int(found[2])
        return value[begin : begin + count] if count >= 0 else value[begin:count]
    old, equals, new = change.partition("=")
    if not equals or not old or UNKNOWN in value:
        return value
    replaced = re.sub(re.escape(old), lambda _: new, value, flags=re.I)
    return replaced if len(replaced) <= MAX_TEXT else UNKNOWN


def _words(text: str) -> tuple[list[str], tuple[Redirect, ...]]:
    """Return the words of one command, quotes and carets taken away, and its redirections."""
    if _NOT_PLAIN(text) is None:
        return _PLAIN_WORD(text), ()
    words: list[str] = []
    redirects: list[Redirect] = []
    current: list[str] | None = None
    waiting: tuple[int, str] | None = None

    def finish() -> None:
        nonlocal current, waiting
        if current is None:
            return
        word = "".join(current)
        current = None
        if waiting is None:
            words.append(word)
            return
        target = "/dev/null" if word.lower() == "nul" else word
        redirects.append(Redirect(fd=waiting[0], access=waiting[1], target=target, expands=UNKNOWN in target))
        waiting = None

    for token in _TOKEN(text):
        kind = token.lastgroup
        if kind == "blank":
            finish()
        elif kind in _TEXTS:
            current = [] if current is None else current
            current.append(token[kind])
        else:
            arrow = token["arrow"]
            stream = 0 if arrow[0] == "<" else 1
            if current is not None and "".join(current) in _STREAMS:
                stream, current = int("".join(current)), None
            finish()
            if kind == "copied":
                redirects.append(Redirect(fd=stream, access="dup", target=token["copied"]))
            else:
                waiting = (stream, _ACCESS.get(arrow, "read"))
    finish()
    return words, tuple(redirects)


_NOT_PLAIN: Final = re.compile(r'[\^"<>]').search
_PLAIN_WORD: Final = re.compile(r"[^ \t\r\n\f\v\u00a0,;]+").findall
_TOKEN: Final = re.compile(
    r'(?P<blank>[ \t\r\n\f\v\u00a0,;]+)|(?P<text>[^ \t\r\n\f\v\u00a0,;\^"<>]+)|"(?P<quoted>[^"]*)"?|'
    r"(?P<arrow>[<>]>?)(?:&(?P<copied>.?))?|\^(?P<escaped>.)|(?P<caret>\^)",
    re.S,
).finditer
_TEXTS: Final = frozenset({"text", "quoted", "escaped", "caret"})
_STREAMS: Final = frozenset("0123456789")
_ACCESS: Final = {">": "write", ">>": "append"}


def _unglued(words: list[str]) -> list[str]:
    """Take a builtin apart from what stands right after it (``rd/s``, ``cd\\``, ``echo.x``)."""
    if not words:
        return words
    found = _GLUED.match(words[0])
    if found is not None and found[1].lower() in BUILTINS:
        rest = found[2] if found[2][0] in "/\\." else found[2][1:]
        return [found[1], *([rest] if rest else []), *words[1:]]
    return words


def _switches(word: str) -> list[str]:
    """Take switches apart that are written as one (``/s/q``)."""
    if _SWITCHES.match(word) is None:
        return [word]
    return [f"/{part}" for part in word.split("/") if part]


def _whole_body(argv: tuple[str, ...], written: str) -> tuple[str, ...]:
    """Give ``cmd /c`` its command line as it was written, quotes included."""
    found = _BODY(written)
    if found is None:
        return argv
    body = written[found.end() :].strip()
    if len(body) > 1 and body[0] == '"' and body[-1] == '"':
        body = body[1:-1]
    options = tuple(written[: found.start()].split()[1:9])
    return (argv[0], *options, f"/{found[1].lower()}", body)
