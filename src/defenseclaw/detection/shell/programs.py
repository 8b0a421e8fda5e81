"""What programs do to an evaluation: builtins change the shell, others run more commands."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from defenseclaw.detection.facts import UNKNOWN
from defenseclaw.detection.shell import environment, filters
from defenseclaw.detection.shell.bounds import MAX_ASSIGNED, MAX_ASSIGNMENTS, MAX_NESTING, MAX_WORDS
from defenseclaw.detection.shell.finders import one_of
from defenseclaw.detection.shell.interpreters import (
    SHELLS,
    Program,
    other_program,
    script_language,
    shell_program,
)
from defenseclaw.detection.shell.literals import printed
from defenseclaw.detection.shell.parameters import glob_matches
from defenseclaw.detection.shell.render import quote
from defenseclaw.detection.shell.state import Draft, Pipe, Shell, Site
from defenseclaw.detection.shell.wrappers import HOME, Inner, wrapped

if TYPE_CHECKING:
    from defenseclaw.detection.shell.evaluator import Evaluator


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\+?)=(.*)\Z", re.DOTALL).match
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z").match
_ONE_TEXT = frozenset({"-c", "-e", "-r"})
"""Options of interpreters that ask for one text to be run, once."""
_AWK_SYSTEM = re.compile(
    r'(?:system\s*\(\s*|\|\s*&?\s*(?=")|(?=")(?="(?:[^"\\]|\\.){0,4096}"\s*\|\s*getline))"((?:[^"\\]|\\.){0,4096})"'
)
_CRON_TIME = re.compile(r"\s*(?:@\w+|(?:[\d*/,A-Za-z-]+\s+){4}[\d*/,A-Za-z-]+)\s+(.+)")
_SYSTEM_DIRECTORIES = frozenset(
    {
        "/bin",
        "/sbin",
        "/usr/bin",
        "/usr/sbin",
        "/usr/local/bin",
        "/usr/local/sbin",
        "/opt/homebrew/bin",
        "/snap/bin",
    }
)
_GLOB_TARGETS = _words(
    """
    rm bash sh dd cat nc curl wget python3 python perl ruby node chmod chown mkfs shred zsh dash ncat socat
    base64 sudo su env eval kill tee cp mv ln find xargs ssh scp openssl crontab systemctl docker kubectl head
    tail less more awk sed grep
    """
)
"""Programs a glob may stand for, the most harmful first: it is taken for the first that it matches."""
_TEXT_LANGUAGES = frozenset({"eval", "source", "."})
_PRINTERS = frozenset({"echo", "printf", "eval", "source", "."})
INERT = frozenset(("echo", "printf", "true", "false", ":", "test", "[", "[[", "sleep", "wait"))
"""Programs that by themselves change nothing and read no file."""
SILENT = frozenset(
    _words(
        """
        true false : test [ [[ cd pushd popd export declare local readonly typeset unset shift set trap
        alias unalias mkdir rmdir touch chmod chown rm mv ln sleep wait kill exit return break continue
        shopt umask let read
        """
    )
)
"""Programs that print nothing when all goes well."""


def base_name(word: str) -> str:
    """Return a program's lower-case base name, ``.exe`` stripped; empty when that part is unknown."""
    name = word.rpartition("/")[2] if "/" in word else word
    if UNKNOWN in name:
        return ""
    name = name.lower()
    if name.endswith(".exe"):
        name = name.rpartition("\\")[2][:-4]
    return name


def absolute(path: str, cwd: str) -> str:
    """Return a path absolute and without ``.`` and ``..``; empty when a part of it is unknown."""
    if not path or UNKNOWN in path or (path[0] != "/" and not cwd):
        return ""
    if path[0] != "/":
        path = cwd + "/" + path
        if len(path) > MAX_PATH:
            return ""
    out: list[str] = []
    for piece in path.split("/"):
        if piece == "..":
            del out[-1:]
        elif piece and piece != ".":
            out.append(piece)
    return "/" + "/".join(out)


def changes_shell(program: str) -> bool:
    """Return whether a program may change the shell it runs in, or files that are run later."""
    return program in BUILTINS or program in ("builtin", "command") or base_name(program) in SHELLS


def is_interpreter(program: str) -> bool:
    """Return whether a program runs text that reaches it."""
    return program in SHELLS or program in _TEXT_LANGUAGES or other_program(program, [program]) is not None


def program_by_glob(word: str) -> str:
    """Return what a glob in the place of a program most likely stands for; the word itself if nothing."""
    directory, slash, name = word.rpartition("/")
    if len(name) > 32 or len(directory) > 64 or not any(char in name for char in "*?["):
        return word
    for target in _GLOB_TARGETS:
        if glob_matches(name, target):
            return (
                "/bin/" if slash and any(char in directory for char in "*?[") else directory + slash
            ) + target
    return word


MAX_PATH = 4096
"""Characters of a path that a relative one comes to; no system opens a longer one."""
Builtin = Callable[["Programs", Draft, Shell, Site, "bytes | None"], "bytes | None"]


def _options(argv: list[str], values: str) -> tuple[dict[str, str], list[str]]:
    """Return the single-letter options of a builtin, with their values, and its operands."""
    found: dict[str, str] = {}
    at = 1
    while at < len(argv) and argv[at][:1] == "-" and len(argv[at]) > 1:
        word = argv[at]
        at += 1
        if word == "--":
            break
        for position, letter in enumerate(word[1:], 2):
            found[letter] = ""
            if letter in values:
                found[letter] = word[position:]
                if not word[position:] and at < len(argv):
                    found[letter] = argv[at]
                    at += 1
                break
    return found, argv[at:]


class Programs:
    """Runs single commands for an :class:`Evaluator`."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._ledger = evaluator.ledger
        self._decoded: tuple[bytes, str] = (b"", "")

    def execute(
        self, draft: Draft, shell: Shell, site: Site, stdin: bytes | None, stdin_path: str
    ) -> bytes | None:
        """Settle a command's program and evaluate what it runs; returns what it would print.

        Args:
            draft: The command, words and redirections filled in.
            shell: State of the shell it runs in; builtins change it.
            site: Where it stands.
            stdin: What is known to reach its standard input.
            stdin_path: Absolute path of the file that does, when its content is not known.
        """
        argv = draft.argv
        program = draft.program = base_name(argv[0])
        if stdin:
            self._ledger.stdin[draft.id] = self.text(stdin)
        if draft.origins and program in _PRINTERS:
            self._ledger.feed(frozenset().union(*draft.origins), draft)
        if not program:
            return self._unknown(draft, shell, site, stdin)
        if program in shell.aliases and argv[0] == program:
            return self._alias_use(draft, shell, site, stdin)
        if program in SHELLS:
            return self._shell(draft, shell, site, stdin, stdin_path)
        builtin = BUILTINS.get(program)
        if builtin is not None:
            return builtin(self, draft, shell, site, stdin)
        text = None if stdin is None else self.text(stdin)
        inners = wrapped(program, argv, text, self._evaluator.user)
        if inners is not None:
            return self._wrapper(draft, inners, shell, site, stdin, stdin_path)
        other = other_program(program, argv)
        if other is not None:
            return self._interpreter(draft, other, shell, site, stdin)
        if "/" in argv[0]:
            self._script(draft, shell, site, stdin)
            return None
        return self._print(draft, program, shell, stdin)

    def text(self, data: bytes) -> str:
        """Return bytes as text; the same bytes handed on and on are held once."""
        if data is not self._decoded[0]:
            self._decoded = (data, data.decode("utf-8", "replace"))
        return self._decoded[1]

    # --- helpers ------------------------------------------------------------------------------------

    def _inside(self, draft: Draft, site: Site, context: str = "") -> Site | None:
        """Return the place of commands that a command runs; None, and an issue, when nested too deeply."""
        if site.nesting >= MAX_NESTING:
            self._ledger.issues.add("depth_limit")
            return None
        inside = site.copy()
        inside.parent = draft.id
        inside.nesting += 1
        inside.wrappers = (*site.wrappers, draft.program) if draft.program else site.wrappers
        inside.redirects = ()
        inside.background = False
        inside.context = context or site.context
        if draft.number:
            inside.pipe = Pipe(draft.number, draft.key, site.pipe.inner if site.pipe is not None else [])
        self._ledger.nested = max(self._ledger.nested, inside.nesting)
        return inside

    def _print(self, draft: Draft, program: str, shell: Shell, stdin: bytes | None) -> bytes | None:
        argv = draft.argv
        if program in SILENT:
            return b""
        if program == "pwd":
            return f"{shell.cwd}\n".encode("utf-8", "replace") if shell.cwd else None
        if program == "tee":
            for word in argv[1:]:
                path = absolute(word, shell.cwd)
                if path and word[:1] != "-":
                    shell.files[path] = stdin
            return stdin
        if len(argv) > 1 and program not in ("echo", "printf"):
            known = self._named_content(argv[-1], shell)
            if known is not None:
                argv, stdin = argv[:-1], known
        if stdin and not self._evaluator.words.spend(4 * len(stdin)):
            return None
        return filters.imitate(program, argv, stdin)

    def _named_content(self, word: str, shell: Shell) -> bytes | None:
        """Return the known content of what a word names: a file written before, a process substitution."""
        if word in self._evaluator.processes:
            return self._evaluator.processes[word][0]
        return shell.files.get(absolute(word, shell.cwd)) if shell.files else None

    def _unknown(self, draft: Draft, shell: Shell, site: Site, stdin: bytes | None) -> bytes | None:
        """A command whose program is unknown may be empty or a wrapper: what follows may be what runs."""
        draft.effect = "uncertain"
        argv = draft.argv
        if argv[0] == UNKNOWN and len(argv) > 1 and argv[1][:1] not in ("-", "") and UNKNOWN not in argv[1]:
            inside = self._inside(draft, site)
            if inside is not None:
                inside.uncertain = True
                self._evaluator.run(argv[1:], draft.origins[1:], shell, inside, stdin)
        return None

    def run_assigned(self, assignments: tuple[str, ...], draft: Draft, shell: Shell, site: Site) -> None:
        """Evaluate the command lines that variables set for a command make it run."""
        for assignment in assignments:
            name, _, value = assignment.partition("=")
            if name in environment.RUN and value.strip(UNKNOWN + " \t\n"):
                inside = self._inside(draft, site, "deferred")
                if inside is not None:
                    inside.assignments = ()
                    self._evaluator.source(value, self._evaluator.fork(shell), inside, None)

    # --- interpreters and wrappers --------------------------------------------------------------------

    def _shell(
        self, draft: Draft, shell: Shell, site: Site, stdin: bytes | None, stdin_path: str
    ) -> bytes | None:
        program = shell_program(draft.argv)
        draft.language = "sh"
        if program.kind == "none":
            return None
        child = self._evaluator.fork(shell)
        child.name = program.parameters[0] if program.kind == "body" and program.parameters else draft.argv[0]
        child.parameters = list(program.parameters[program.kind == "body" :])
        if program.kind == "body":
            draft.code = program.text
            self._feed_word(draft, program.index)
            return self._text(draft, program.text, child, site, "nested", stdin)
        if program.kind == "stdin":
            return self._shell_stdin(draft, child, site, stdin, stdin_path)
        child.name = program.text
        self._feed_word(draft, program.index)
        self._file(draft, program.text, child, site, stdin)
        return None

    def _shell_stdin(
        self, draft: Draft, child: Shell, site: Site, stdin: bytes | None, stdin_path: str
    ) -> bytes | None:
        if stdin is not None:
            heredoc = any(each.access in ("heredoc", "herestring") for each in draft.redirects)
            draft.code = self.text(stdin)
            return self._text(draft, draft.code, child, site, "heredoc" if heredoc else "nested", None)
        if not stdin_path and site.pipe is not None:
            before = self._ledger.before(site.pipe)
            if before is not None and before.program == "cat" and len(before.argv) == 2:
                stdin_path = absolute(before.argv[1], before.cwd)
        if stdin_path:
            self._file(draft, stdin_path, child, site, None)
        return None

    def _text(
        self, draft: Draft, text: str, shell: Shell, site: Site, context: str, stdin: bytes | None
    ) -> bytes | None:
        """Evaluate source a command was given."""
        if not text.strip(UNKNOWN + " \t\n"):
            return None
        inside = self._inside(draft, site, context)
        return None if inside is None else self._evaluator.source(text, shell, inside, stdin)

    def _feed_word(self, draft: Draft, index: int) -> None:
        if index < len(draft.origins):
            self._ledger.feed(draft.origins[index], draft)

    def _file(self, draft: Draft, word: str, shell: Shell, site: Site, stdin: bytes | None) -> None:
        """Evaluate a file run as a shell script, if its content can be known."""
        content, ids = self._evaluator.processes.get(word, (None, frozenset()))
        if not ids:
            content = self._content(absolute(word, shell.cwd), shell)
        if content is None:
            return
        language = script_language(content)
        if language == "sh":
            self._text(draft, content.decode("utf-8", "replace"), shell, site, "script", stdin)

    def _content(self, path: str, shell: Shell) -> bytes | None:
        if not path:
            return None
        if path in shell.files:
            return shell.files[path]
        snapshot = self._evaluator.read(path)
        if snapshot is None or snapshot.kind != "file":
            return None
        if snapshot.truncated:
            self._ledger.issues.add("input_limit")
        return snapshot.content

    def _script(self, draft: Draft, shell: Shell, site: Site, stdin: bytes | None) -> None:
        """Evaluate a program named by its path, when that is a script."""
        path = absolute(draft.argv[0], shell.cwd)
        if not path or path.rpartition("/")[0] in _SYSTEM_DIRECTORIES:
            return
        content = self._content(path, shell)
        if content is None:
            return
        draft.language = script_language(content)
        text = content.decode("utf-8", "replace")
        if draft.language == "sh":
            child = self._evaluator.fork(shell)
            child.name, child.parameters = draft.argv[0], draft.argv[1:]
            self._text(draft, text, child, site, "script", stdin)
        elif draft.language:
            draft.code = text

    def _wrapper(
        self,
        draft: Draft,
        inners: list[Inner],
        shell: Shell,
        site: Site,
        stdin: bytes | None,
        stdin_path: str,
    ) -> bytes | None:
        out: bytes | None = None
        if not inners:
            return filters.imitate(draft.program, draft.argv, stdin)
        for inner in inners:
            inside = self._inside(draft, site, "" if inner.argv else "nested")
            if inside is None:
                return None
            inside.privileged = site.privileged or inner.privileged
            inside.where = inner.where if inner.where != "host" else site.where
            child = self._evaluator.fork(shell)
            child.variables.update(inner.environment)
            if inner.environment or inner.removed or draft.assignments:
                own = tuple(f"{name}={value[:MAX_ASSIGNED]}" for name, value in inner.environment)
                own = (*own, *inner.removed)[:MAX_ASSIGNMENTS]
                self.run_assigned(own, draft, child, site)
                inside.assignments = (*environment.inherited(draft.assignments), *own)
            if inner.where != "host":
                child.cwd = ""
            elif inner.directory == HOME:
                child.cwd = self._evaluator.home
            elif inner.directory:
                child.cwd = absolute(inner.directory, shell.cwd)
            if not inner.argv:
                if draft.origins:
                    self._ledger.feed(frozenset().union(*draft.origins), draft)
                out = self._evaluator.source(inner.source, child, inside, stdin)
                continue
            child.functions, child.aliases = {}, {}
            origins = draft.origins[inner.offset :] if inner.offset >= 0 else []
            if draft.origins and inner.offset < 0:
                origins = [frozenset().union(*draft.origins)] * len(inner.argv)
            out = self._evaluator.run(list(inner.argv), origins, child, inside, stdin, stdin_path)
            if draft.program == "builtin" or draft.program == "command":
                shell.cwd, shell.variables = child.cwd, child.variables
        return out if len(inners) == 1 else None

    def _interpreter(
        self, draft: Draft, program: Program, shell: Shell, site: Site, stdin: bytes | None
    ) -> bytes | None:
        draft.language = program.language
        if program.kind == "body":
            draft.code = program.text
            self._feed_word(draft, program.index)
            if program.language == "awk":
                self._awk(draft, shell, site)
            elif program.index == 2 and draft.argv[1] in _ONE_TEXT:
                shown = printed(program.text, program.language)
                return None if shown is None else shown.encode("utf-8", "replace")
        elif program.kind == "stdin" and stdin is not None:
            draft.code = self.text(stdin)
        elif program.kind == "file":
            self._feed_word(draft, program.index)
            known = self._named_content(program.text, shell)
            if known is not None:
                draft.code = self.text(known)
        return None

    def _awk(self, draft: Draft, shell: Shell, site: Site) -> None:
        for match in list(_AWK_SYSTEM.finditer(draft.code))[:16]:
            text = match.group(1).replace('\\"', '"').replace("\\\\", "\\")
            self._text(draft, text, self._evaluator.fork(shell), site, "nested", None)

    # --- builtins -------------------------------------------------------------------------------------

    def _alias_use(self, draft: Draft, shell: Shell, site: Site, stdin: bytes | None) -> bytes | None:
        value = shell.aliases[draft.program]
        child = self._evaluator.fork(shell)
        del child.aliases[draft.program]
        draft.dropped = True
        inside = site.copy()
        text = " ".join([value, *map(quote, draft.argv[1:])])
        return self._evaluator.source(text, child, inside, stdin)

    def _eval(self, draft: Draft, shell: Shell, site: Site, stdin: bytes | None) -> bytes | None:
        draft.language = "sh"
        draft.code = " ".join(draft.argv[1:])
        return self._text(draft, draft.code, shell, site, "nested", stdin)

    def _source(self, draft: Draft, shell: Shell, site: Site, stdin: bytes | None) -> bytes | None:
        draft.language = "sh"
        words = [word for word in draft.argv[1:] if word != "--"]
        if not words:
            return None
        if words[0] in ("/dev/stdin", "/dev/fd/0", "-"):
            return self._shell_stdin(draft, shell, site, stdin, "")
        caller = shell.parameters
        shell.parameters = words[1:] or caller
        self._file(draft, words[0], shell, site, stdin)
        shell.parameters = caller
        return None

    def _trap(self, draft: Draft, shell: Shell, site: Site, stdin: bytes | None) -> bytes | None:
        words = [word for word in draft.argv[1:] if word != "--"]
        if len(words) > 1 and words[0][:1] not in ("-", ""):
            self._text(draft, words[0], self._evaluator.fork(shell), site, "deferred", None)
        return b""

    def _alias(self, draft: Draft, shell: Shell, site: Site, stdin: bytes | None) -> bytes | None:
        for word in draft.argv[1:]:
            name, equals, value = word.partition("=")
            if equals and name:
                self._text(draft, value, self._evaluator.fork(shell), site, "deferred", None)
                shell.aliases[name] = value
        return b""

    def _cd(self, draft: Draft, shell: Shell, site: Site, stdin: bytes | None) -> bytes | None:
        words = [word for word in draft.argv[1:] if word not in ("-P", "-L", "-e", "-@", "--", "-n")]
        if draft.program == "popd":
            shell.cwd = shell.directories.pop() if shell.directories else ""
            return b""
        if draft.program == "pushd":
            shell.directories = [*shell.directories[-63:], shell.cwd]
        home = shell.variables.get("HOME", UNKNOWN)
        target = words[0] if words else home if isinstance(home, str) else UNKNOWN
        shell.cwd = "" if target == "-" or target[:1] == "+" else absolute(target, shell.cwd)
        return b""

    def _declare(self, draft: Draft, shell: Shell, site: Site, stdin: bytes | None) -> bytes | None:
        refers = any(word[:1] == "-" and "n" in word for word in draft.argv[1:]) and draft.program != "export"
        for index, word in enumerate(draft.argv):
            match = _ASSIGNMENT(word) if index else None
            if match is None:
                continue
            name, plus, value = match.groups()
            if name in environment.RUN:
                self.run_assigned((word,), draft, shell, site)
            if refers:
                shell.variables[f"&{name}"] = value
                continue
            name = shell.target(name)
            old = shell.variables.get(name, "")
            shell.variables[name] = (old if isinstance(old, str) else "") + value if plus else value
            if index < len(draft.origins) and draft.origins[index]:
                shell.origins[name] = draft.origins[index]
            else:
                shell.origins.pop(name, None)
        return b""

    def _unset(self, draft: Draft, shell: Shell, site: Site, stdin: bytes | None) -> bytes | None:
        for word in draft.argv[1:]:
            if word[:1] != "-":
                if word in shell.functions and "-v" not in draft.argv:
                    del shell.functions[word]
                shell.variables[word] = ""
                shell.origins.pop(word, None)
        return b""

    def _set(self, draft: Draft, shell: Shell, site: Site, stdin: bytes | None) -> bytes | None:
        words = draft.argv[1:]
        if "--" in words:
            shell.parameters = words[words.index("--") + 1 :]
        elif words and words[0][:1] not in ("-", "+"):
            shell.parameters = words
        return b""

    def _shift(self, draft: Draft, shell: Shell, site: Site, stdin: bytes | None) -> bytes | None:
        count = draft.argv[1] if len(draft.argv) > 1 else "1"
        shell.parameters = shell.parameters[int(count) if count.isdigit() and len(count) < 6 else 1 :]
        return b""

    def _read(self, draft: Draft, shell: Shell, site: Site, stdin: bytes | None) -> bytes | None:
        options, names = _options(draft.argv, "adinNptu")
        names = [name for name in names if _NAME(name)] or ["REPLY"]
        line: str | None = None
        if stdin is not None:
            end = options.get("d", "\n")[:1] or "\0"
            line = stdin.decode("utf-8", "replace").split(end, 1)[0]
            if "r" not in options:
                line = line.replace("\\", "")
            count = options.get("n") or options.get("N") or ""
            line = one_of(line[: int(count)] if count.isdigit() and len(count) < 7 else line)
        if "a" in options:
            words = [UNKNOWN] if line is None else self._evaluator.words.split(line, shell)
            self._set_read(draft, shell, options["a"], words[:MAX_WORDS])
            return b""
        if line is None:
            values = [UNKNOWN] * len(names)
        else:
            values = self._evaluator.words.split(line, shell, len(names))
            values += [""] * (len(names) - len(values))
        for name, value in zip(names, values, strict=False):
            self._set_read(draft, shell, name, value)
        return b""

    def _set_read(self, draft: Draft, shell: Shell, name: str, value: str | list[str]) -> None:
        """Set a variable from standard input, whoever it came from."""
        name = shell.target(name)
        shell.variables[name] = value
        feeders = self._ledger.feeders(draft)
        if feeders and UNKNOWN in value:
            shell.origins[name] = feeders
        else:
            shell.origins.pop(name, None)

    def _mapfile(self, draft: Draft, shell: Shell, site: Site, stdin: bytes | None) -> bytes | None:
        options, names = _options(draft.argv, "dnOsuCc")
        name = next((name for name in names if _NAME(name)), "MAPFILE")
        if stdin is None:
            self._set_read(draft, shell, name, [UNKNOWN])
            return b""
        end = options.get("d", "\n")[:1] or "\0"
        text = stdin.decode("utf-8", "replace")
        lines = text.removesuffix(end).split(end, MAX_WORDS)[:MAX_WORDS] if text else []
        skipped = options.get("s", "")
        lines = lines[int(skipped) if skipped.isdigit() and len(skipped) < 5 else 0 :]
        self._set_read(draft, shell, name, lines if "t" in options else [line + end for line in lines])
        return b""

    def _printf(self, draft: Draft, shell: Shell, site: Site, stdin: bytes | None) -> bytes | None:
        argv = draft.argv
        if argv[1:2] != ["-v"] or len(argv) < 4:
            return filters.imitate("printf", argv, stdin)
        out = filters.imitate("printf", ["printf", *argv[3:]], None)
        shell.variables[argv[2]] = UNKNOWN if out is None else out.decode("utf-8", "replace")
        return b""

    def _let(self, draft: Draft, shell: Shell, site: Site, stdin: bytes | None) -> bytes | None:
        for word in draft.argv[1:]:
            self._evaluator.words.assign_numbers(word, shell)
        return b""

    def _crontab(self, draft: Draft, shell: Shell, site: Site, stdin: bytes | None) -> bytes | None:
        if stdin is None:
            return None
        for line in self.text(stdin).split("\n", 64)[:64]:
            match = _CRON_TIME.match(line[:4096])
            if match is not None:
                self._text(draft, match[1], self._evaluator.fork(shell), site, "deferred", None)
        return None

    def _at(self, draft: Draft, shell: Shell, site: Site, stdin: bytes | None) -> bytes | None:
        if stdin is not None:
            text = self.text(stdin)
            self._text(draft, text, self._evaluator.fork(shell), site, "deferred", None)
        return None


BUILTINS: dict[str, Builtin] = {
    "eval": Programs._eval,
    "source": Programs._source,
    ".": Programs._source,
    "trap": Programs._trap,
    "alias": Programs._alias,
    "cd": Programs._cd,
    "chdir": Programs._cd,
    "pushd": Programs._cd,
    "popd": Programs._cd,
    "export": Programs._declare,
    "declare": Programs._declare,
    "local": Programs._declare,
    "readonly": Programs._declare,
    "typeset": Programs._declare,
    "unset": Programs._unset,
    "set": Programs._set,
    "shift": Programs._shift,
    "read": Programs._read,
    "mapfile": Programs._mapfile,
    "readarray": Programs._mapfile,
    "printf": Programs._printf,
    "let": Programs._let,
    "crontab": Programs._crontab,
    "at": Programs._at,
    "batch": Programs._at,
}
