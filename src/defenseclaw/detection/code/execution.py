"""Commands and program text that are put together while the program runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from defenseclaw.detection.code.issues import Issue
from defenseclaw.detection.code.languages import Language
from defenseclaw.detection.code.program import Argument, Call, Program

MAX_IMPORTS: Final = 16
"""Imports of the same module in one text that are looked at."""

_PYTHON_SHELLS: Final = frozenset(
    ("os.system", "os.popen", "commands.getoutput", "subprocess.getoutput", "subprocess.getstatusoutput")
)
_PYTHON_CODE: Final = frozenset(("eval", "exec", "builtins.eval", "builtins.exec"))
_SUBPROCESS: Final = frozenset(
    f"subprocess.{name}" for name in ("run", "call", "Popen", "check_call", "check_output")
)
_UNIMPORTED: Final = frozenset(("Popen", "check_call", "check_output"))
"""Names that mean the subprocess module also in a fragment without its imports."""
_PHP_SHELLS: Final = frozenset(("exec", "system", "shell_exec", "passthru", "popen", "proc_open"))
_RUBY_OWNERS: Final = frozenset(("", "Kernel", "IO", "Open3", "Process"))
_NODE_SHELLS: Final = frozenset(("exec", "execSync"))

_CALLS: Final = {
    Language.PYTHON: re.compile(
        r"(?:system|popen|getoutput|getstatusoutput|eval|exec|call)\s*+\("
    ),
    Language.JAVASCRIPT: re.compile(r"(?:eval|exec|execSync|execAsync|execPromise)\s*+\("),
    Language.RUBY: re.compile(r"(?:system|exec|spawn|eval|popen|capture2e?|capture3)(?:\s*+\(|(?=[ \t]))"),
    Language.PHP: re.compile(r"(?:eval|exec|system|shell_exec|passthru|popen|proc_open)\s*+\("),
}  # fmt: skip
_SHELL_CALLS: Final = re.compile(r"(?:run|call|Popen|check_call|check_output|create_subprocess_shell)\s*+\(")
_QUOTED: Final = re.compile(
    r"\b(?:shlex\.(?:quote|join)|quote|pipes\.quote|list2cmdline|escapeshell(?:arg|cmd)|shellescape|shelljoin"
    r"|Shellwords\.\w+|shell_?[eE]scape|shellQuote|shell_quote|escapeShellArg)\b"
)
_TRUE: Final = re.compile(r"\s*+(?:True|1)\s*+\Z")
_CHILD_PROCESS: Final = re.compile(r"['\"](?:node:)?child_process['\"]")
_BOUND_NAMES: Final = re.compile(
    r"(?:(?:const|let|var|import)\s+(?:\*\s*as\s+)?(?P<whole>[\w$]+)|\{(?P<names>[^{}]{1,400})\})"
    r"\s*(?:=\s*(?:await\s+)?(?:require|import)\s*\(|from)\s*\Z"
)
_PROMISED: Final = re.compile(
    r"(?:const|let|var)\s+([\w$]+)\s*=\s*(?:[\w$]+\.)?promisify\s*\(\s*([\w$.]+)\s*\)"
)
_DEFINED: Final = re.compile(
    r"(?:\b(?:function|def)\s+(?:self\.)?|\b(?:const|let|var)\s+)(eval|exec|execSync|system)\b"
)
_LOOKS_LIKE_COMMAND: Final = re.compile(r"[a-z][\w./-]*\s+\S")


def built_commands(program: Program) -> Iterator[Issue]:
    """Find shell commands and program text that are not fixed: ``os.system``, ``eval``, ``exec`` …"""
    finder = _FINDERS[program.language]
    yield from finder(program)


def shell_true(program: Program) -> Iterator[Issue]:
    """Find ``subprocess`` calls that hand a command which is not fixed to a shell."""
    for call in program.calls(_SHELL_CALLS):
        if _is_shell_call(program, call):
            command = _command(program.arguments(call))
            if command is not None and _is_open(program, command):
                yield Issue(call.start, call.end, "a command that is not fixed goes through a shell")


def _python(program: Program) -> Iterator[Issue]:
    defined = _defined(program)
    for call in program.calls(_CALLS[Language.PYTHON]):
        name = program.resolved(call)
        arguments = program.arguments(call)
        if not arguments or call.dotted in defined:
            continue
        if name in _PYTHON_SHELLS and _is_open(program, arguments[0]):
            yield Issue(call.start, call.end, "a shell command that is not fixed")
        elif name in _PYTHON_CODE and not program.is_fixed(*arguments[0][:2]):
            # with a namespace of its own it is a template engine or a plug-in loader rather than a short cut
            certain = len(arguments) == 1 or program.is_foreign(*arguments[0][:2])
            yield Issue(call.start, call.end, "program text that is not fixed is run", certain)
        elif name == "subprocess.call" and _is_shell_call(program, call) and _is_open(program, arguments[0]):
            yield Issue(call.start, call.end, "a shell command that is not fixed")


def _is_shell_call(program: Program, call: Call) -> bool:
    name = program.resolved(call)
    if name in ("asyncio.create_subprocess_shell", "create_subprocess_shell"):
        return True
    if name not in _SUBPROCESS and name not in _UNIMPORTED:
        return False
    return any(
        each.keyword == "shell" and _TRUE.match(program.source.code, each.start, each.end)
        for each in program.arguments(call)
    )


def _command(arguments: list[Argument]) -> Argument | None:
    first = arguments[0] if arguments and not arguments[0].keyword else None
    return first or next((each for each in arguments if each.keyword in ("args", "cmd")), None)


def _is_open(program: Program, command: Argument) -> bool:
    """Whether a command holds something that is neither fixed nor quoted for the shell."""
    return not program.is_fixed(command.start, command.end) and not _QUOTED.search(
        program.text(command.start, command.end)
    )


def _defined(program: Program) -> frozenset[str]:
    return frozenset(found[1] for found in _DEFINED.finditer(program.source.code))


def _javascript(program: Program) -> Iterator[Issue]:
    defined = _defined(program)
    modules, functions = _child_process(program)
    for call in program.calls(_calls_of(functions)):
        arguments = program.arguments(call)
        if not arguments:
            continue
        command = arguments[0]
        if call.name == "eval":
            is_global = call.qualifier in ("", "window", "globalThis", "global")
            if is_global and "eval" not in defined and not program.is_fixed(command.start, command.end):
                yield Issue(call.start, call.end, "program text that is not fixed is run")
        elif _runs_shell(program, call, modules, functions, command, defined) and _is_open(program, command):
            yield Issue(call.start, call.end, "a shell command that is not fixed")


def _runs_shell(
    program: Program,
    call: Call,
    modules: frozenset[str],
    functions: frozenset[str],
    command: Argument,
    defined: frozenset[str],
) -> bool:
    if call.qualifier:
        return call.qualifier in modules and call.name in _NODE_SHELLS
    if call.name in functions:
        return True
    if call.name in defined or modules - _CONVENTIONAL or functions:
        return False
    # A fragment without its imports: only what reads like a command line can be told from other calls.
    literals = program.source.literals_in(command.start, command.end)
    return any(_LOOKS_LIKE_COMMAND.match(program.source.inner(each).lstrip()) for each in literals[:4])


def _calls_of(functions: frozenset[str]) -> re.Pattern[str]:
    """Return the pattern of calls to look at, with the names that this text gives to Node's functions."""
    if not functions:
        return _CALLS[Language.JAVASCRIPT]
    names = "|".join(map(re.escape, sorted(functions)))
    return re.compile(rf"(?:eval|exec|execSync|execAsync|execPromise|{names})\s*+\(")


_CONVENTIONAL: Final = frozenset(("child_process", "childProcess", "cp"))


def _child_process(program: Program) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names that Node's ``child_process`` goes by here, and those of its functions ``exec``."""
    modules = set(_CONVENTIONAL)
    functions: set[str] = set()
    text = program.source.text
    for found in islice(_CHILD_PROCESS.finditer(text), MAX_IMPORTS):
        bound = _BOUND_NAMES.search(text[max(0, found.start() - 480) : found.start()])
        if bound is None:
            continue
        if bound["whole"]:
            modules.add(bound["whole"])
        for part in (bound["names"] or "").split(","):
            name, _, alias = part.replace(":", " as ").partition(" as ")
            if name.strip() in _NODE_SHELLS:
                functions.add(alias.strip() or name.strip())
    for found in _PROMISED.finditer(text):
        if found[2] in functions or found[2].rpartition(".")[2] in _NODE_SHELLS:
            functions.add(found[1])
    return frozenset(modules), frozenset(functions)


def _ruby(program: Program) -> Iterator[Issue]:
    source = program.source
    for literal in source.literals:
        written = source.inner(literal)
        if source.text[literal.start] == "`" and "#{" in written and not _QUOTED.search(written):
            yield Issue(literal.start, literal.end, "a shell command that is not fixed")
    defined = _defined(program)
    for found in _CALLS[Language.RUBY].finditer(source.code):
        issue = _ruby_call(program, found, defined)
        if issue is not None:
            yield issue


def _ruby_call(program: Program, found: re.Match[str], defined: frozenset[str]) -> Issue | None:
    source = program.source
    code, start = source.code, found.start()
    name = found[0].rstrip("( \t\n")
    before = code[max(0, start - 40) : start]
    if (before and (before[-1].isalnum() or before[-1] in "_$:@")) or name in defined:
        return None
    owner = re.search(r"(\w*)\.\Z", before)
    if before.endswith(".") and (owner is None or owner[1] not in _RUBY_OWNERS):
        return None
    bracket = source.brackets.get(found.end() - 1) if found[0].endswith("(") else None
    if found[0].endswith("(") and bracket is None:
        return None
    first, end, alone = _ruby_argument(program, found.end(), bracket.end if bracket else -1)
    if not code[first:end].strip() or program.is_fixed(first, end):
        return None
    if name == "eval":
        return Issue(start, end, "program text that is not fixed is run")
    written = program.text(first, end)
    filled = any(program.filled_in(each) for each in source.literals_in(first, end))
    built = filled or "+" in program.code(first, end)
    if not alone or not built or _QUOTED.search(written):
        return None
    return Issue(start, end, "a shell command that is not fixed")


def _ruby_argument(program: Program, start: int, closing: int) -> tuple[int, int, bool]:
    """Return the first argument's place and whether it is the only one; options do not count."""
    code = program.source.code
    limit = closing if closing >= 0 else program.statement_end(start)
    comma = code.find(",", start, limit)
    if comma < 0:
        return start, limit, True
    return start, comma, re.match(r"\s*(?:\w+:|:\w+\s*=>|&)", code[comma + 1 : limit]) is not None


def _php(program: Program) -> Iterator[Issue]:
    source = program.source
    for literal in source.literals:
        if source.text[literal.start] == "`" and re.search(r"\$\w", source.inner(literal)):
            yield Issue(literal.start, literal.end, "a shell command that is not fixed")
    for call in program.calls(_CALLS[Language.PHP]):
        arguments = program.arguments(call)
        if call.qualifier or not arguments or program.is_fixed(*arguments[0][:2]):
            continue
        if call.name == "eval":
            yield Issue(call.start, call.end, "program text that is not fixed is run")
        elif call.name in _PHP_SHELLS and _is_open(program, arguments[0]):
            yield Issue(call.start, call.end, "a shell command that is not fixed")


_FINDERS: Final = {
    Language.PYTHON: _python,
    Language.JAVASCRIPT: _javascript,
    Language.RUBY: _ruby,
    Language.PHP: _php,
}
