"""Programs that run program text: where that text stands among their words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

SHELLS = frozenset(
    {"sh", "bash", "zsh", "dash", "ksh", "ash", "mksh", "rbash", "lksh", "fish", "yash", "ksh93", "bash5"}
)
"""Programs whose text is shell source. fish is read as if it were: its simple commands look the same."""

_SHELL_VALUES = frozenset({"--rcfile", "--init-file"})
_STDIN_PATHS = frozenset({"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})
VERSIONED = re.compile(r"(python|pypy|perl|ruby|php|lua|node|tclsh)[\d.]*\Z").match


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What an interpreter is asked to run."""

    kind: str
    """``body`` (text among the words), ``file``, ``stdin`` or ``none`` (a check, a version …)."""
    language: str = "sh"
    text: str = ""
    """The body, or the path of the file."""
    index: int = 0
    """Which word holds it."""
    parameters: tuple[str, ...] = ()
    """Words handed to the program; for a body the first is its name."""


_NONE = Program(kind="none")


def shell_program(argv: Sequence[str]) -> Program:
    """Return what a shell invoked with these words runs."""
    at = 1
    commands = stdin = False
    while at < len(argv):
        word = argv[at]
        if word == "--":
            at += 1
            break
        if word == "-":
            at += 1
            stdin = stdin or not commands
            break
        if word[:2] == "--":
            if word in ("--version", "--help"):
                return _NONE
            if word.startswith("--command="):
                return Program(kind="body", text=word[10:], index=at, parameters=tuple(argv[at + 1 :]))
            commands = commands or word == "--command"
            at += 2 if word in _SHELL_VALUES else 1
            continue
        if word[:1] not in "-+" or not word:
            break
        if word[0] == "-":
            if "n" in word:
                return _NONE
            commands = commands or "c" in word
            stdin = stdin or "s" in word
        at += 1 + sum(letter in "oO" for letter in word[1:])
    operands = tuple(argv[at:])
    if commands:
        if not operands:
            return _NONE
        return Program(kind="body", text=operands[0], index=at, parameters=operands[1:])
    if stdin or not operands:
        return Program(kind="stdin", parameters=operands)
    if operands[0] in _STDIN_PATHS:
        return Program(kind="stdin", parameters=operands[1:])
    return Program(kind="file", text=operands[0], index=at, parameters=operands[1:])


@dataclass(frozen=True, slots=True)
class _Inline:
    """How an interpreter of another language takes its program."""

    language: str
    options: frozenset[str]
    """Options whose value is program text; single letters may end a cluster."""
    values: str = ""
    """Other letters that take a value."""
    subcommands: frozenset[str] = frozenset()
    """Words after the program name that ask for inline text, as in ``deno eval``."""
    long_values: frozenset[str] = frozenset()
    stdin: bool = True
    """Reads a program from standard input when no file is named."""


_INLINE: dict[str, _Inline] = {
    "python": _Inline("python", frozenset({"-c"}), "WXQm"),
    "perl": _Inline("perl", frozenset({"-e", "-E"}), "IMmCdDFx"),
    "ruby": _Inline("ruby", frozenset({"-e"}), "CEFIKrTWx"),
    "node": _Inline(
        "node",
        frozenset({"-e", "-p", "-pe", "--eval", "--print"}),
        "rC",
        long_values=frozenset({"--require", "--import", "--loader", "--conditions"}),
    ),
    "deno": _Inline("node", frozenset(), "", frozenset({"eval"}), stdin=False),
    "bun": _Inline("node", frozenset({"-e", "--eval", "-p", "--print"}), "r", stdin=False),
    "php": _Inline("php", frozenset({"-r", "--run", "-B", "-R", "-E"}), "cdfz"),
    "lua": _Inline("lua", frozenset({"-e"}), "l"),
    "osascript": _Inline("applescript", frozenset({"-e"}), "ls"),
    "tclsh": _Inline("tcl", frozenset()),
    "rscript": _Inline("r", frozenset({"-e"}), stdin=False),
    "groovy": _Inline("groovy", frozenset({"-e"}), stdin=False),
    "elixir": _Inline("elixir", frozenset({"-e", "--eval"}), stdin=False),
    "julia": _Inline("julia", frozenset({"-e", "--eval", "-E"})),
    "jjs": _Inline("node", frozenset()),
    "jrunscript": _Inline("node", frozenset({"-e"}), "lf"),
    "irb": _Inline("ruby", frozenset({"-e"}), "rI"),
    "pwsh": _Inline("powershell", frozenset({"-c", "-command", "-Command"}), stdin=False),
    "powershell": _Inline("powershell", frozenset({"-c", "-command", "-Command"}), stdin=False),
}
_ALIASES = {"pypy": "python", "nodejs": "node", "luajit": "lua", "r": "rscript"}
_AWKS = frozenset({"awk", "gawk", "mawk", "nawk"})
INTERPRETERS = frozenset(_INLINE) | frozenset(_ALIASES) | _AWKS
"""Names of interpreters of other languages; versions may follow them (:data:`VERSIONED`)."""
_AWK_VALUES = "Fvflio"


def other_program(program: str, argv: Sequence[str]) -> Program | None:
    """Return what a non-shell interpreter runs; None when the program is no interpreter."""
    if program in _AWKS:
        return _awk(argv)
    match = VERSIONED(program)
    name = match[1] if match is not None else program
    inline = _INLINE.get(_ALIASES.get(name, name))
    if inline is None:
        return None
    at = 1
    while at < len(argv):
        word = argv[at]
        if word in inline.subcommands:
            at = next((i for i in range(at + 1, len(argv)) if argv[i][:1] != "-"), len(argv))
            return _body(inline, argv, at)
        if word in ("-", "/dev/stdin"):
            return Program(kind="stdin", language=inline.language, parameters=tuple(argv[at + 1 :]))
        if word[:1] != "-" or word == "--":
            at += word == "--"
            break
        if word[:2] == "--" or word in inline.options:
            name, equals, value = word.partition("=")
            if name in inline.options:
                if equals:
                    return Program(kind="body", language=inline.language, text=value, index=at)
                return _body(inline, argv, at + 1)
            at += 2 if word in inline.long_values else 1
            continue
        step = _cluster(inline, word)
        if step == "body":
            return _body(inline, argv, at + 1)
        if step.startswith("="):
            return Program(kind="body", language=inline.language, text=step[1:], index=at)
        if step == "module":
            return Program(kind="none", language=inline.language)
        at += 2 if step == "value" else 1
    if at < len(argv):
        return Program(
            kind="file", language=inline.language, text=argv[at], index=at, parameters=tuple(argv[at + 1 :])
        )
    if any(word in ("--version", "-V", "--help", "-h") for word in argv[1:]) or not inline.stdin:
        return Program(kind="none", language=inline.language)
    return Program(kind="stdin", language=inline.language)


def _cluster(inline: _Inline, word: str) -> str:
    """Classify a cluster of short options: ``flags``, ``value``, ``module``, ``body`` or ``=text``."""
    for position in range(1, len(word)):
        letter = word[position]
        rest = word[position + 1 :]
        if "-" + letter in inline.options:
            return "=" + rest if rest else "body"
        if letter == "m" and inline.language == "python":
            return "module"
        if letter in inline.values:
            return "flags" if rest else "value"
    return "flags"


def _body(inline: _Inline, argv: Sequence[str], at: int) -> Program:
    if at >= len(argv):
        return Program(kind="none", language=inline.language)
    return Program(
        kind="body", language=inline.language, text=argv[at], index=at, parameters=tuple(argv[at + 1 :])
    )


def _awk(argv: Sequence[str]) -> Program:
    at = 1
    while at < len(argv):
        word = argv[at]
        if word == "--":
            at += 1
            break
        if word[:1] != "-" or word == "-":
            break
        if word[:2] == "--":
            if word.startswith("--file"):
                return Program(kind="none", language="awk")
        elif word[1] in _AWK_VALUES:
            if word[1] == "f":
                return Program(kind="none", language="awk")
            at += not word[2:]
        at += 1
    if at >= len(argv):
        return Program(kind="none", language="awk")
    return Program(kind="body", language="awk", text=argv[at], index=at, parameters=tuple(argv[at + 1 :]))


_LANGUAGES = {
    **dict.fromkeys(("python", "pypy"), "python"),
    **dict.fromkeys(("node", "nodejs", "deno", "bun"), "node"),
    **dict.fromkeys(("awk", "gawk", "mawk", "nawk"), "awk"),
    "osascript": "applescript",
    "tclsh": "tcl",
    "pwsh": "powershell",
}


def script_language(content: bytes) -> str:
    """Return the language of a script by its first line: ``sh`` also without one, empty for binaries."""
    head = content[:256]
    if b"\0" in head or head[:4] == b"\x7fELF":
        return ""
    if not head.startswith(b"#!"):
        return "sh"
    words = head[2:].split(b"\n", 1)[0].decode("utf-8", "replace").split()
    names = [word.rpartition("/")[2] for word in words]
    if names[:1] == ["env"]:
        names = [name for name in names[1:] if name[:1] != "-" and "=" not in name]
    if not names:
        return "sh"
    match = VERSIONED(names[0])
    name = match[1] if match is not None else names[0]
    return "sh" if name in SHELLS else _LANGUAGES.get(name, name)
