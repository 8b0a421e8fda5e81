"""The short way for the commonest sources: plain words, ``&&``, ``;``, pipes, ``2>&1``.

Most of what agents run has nothing to expand: ``cd app && npm test 2>&1 | tail -20``. Such a source is cut
into commands directly. Whatever is not plain to the letter is left to the parser and the evaluator, which
define what is right: a property test holds the two against each other.
"""

from __future__ import annotations

import re
from typing import Final

from defenseclaw.detection.facts import Command, Redirect
from defenseclaw.detection.shell import filters
from defenseclaw.detection.shell.interpreters import INTERPRETERS, SHELLS, VERSIONED
from defenseclaw.detection.shell.programs import BUILTINS, SILENT, absolute, base_name
from defenseclaw.detection.shell.render import render
from defenseclaw.detection.shell.wrappers import WRAPPERS

MAX_PLAIN: Final = 8192
"""Characters of a source that is tried."""
MAX_PARTS: Final = 64
"""Commands of a source that is tried; far below every bound of the evaluator."""

_BARE = r"A-Za-z0-9_./:=+,@%^\-"
_BARE_BYTES: Final = bytes(code for code in range(128) if re.match(rf"[{_BARE} \t;&|>]", chr(code)))
_TOKEN = re.compile(
    rf"""(?:[{_BARE}]+|'[^'\n\0\ufffd]*'|"[^"$`\\!\n\0\ufffd]*"|&&|;|\||2>(?:&1|/dev/null))(?=[ \t;|&]|\Z)"""
    r"|[ \t]+"
)
_PROGRAM = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*\Z").match
_STDERR: Final = {
    "2>&1": Redirect(fd=2, access="dup", target="1"),
    "2>/dev/null": Redirect(fd=2, access="write", target="/dev/null"),
}
_SYNTAX: Final = (
    *("if", "then", "else", "elif", "fi", "do", "done", "esac", "in", "while", "until", "for", "select"),
    *("case", "function", "time", "coproc"),
)
_NOT_PLAIN: Final = frozenset(
    (
        *(name for name in BUILTINS if name != "cd"),
        *("builtin", "command", "true", "false", "test", "tee", "pwd"),
        *(*SHELLS, *INTERPRETERS, *WRAPPERS, *_SYNTAX),
    )
)
"""Programs that run something else, change the shell or print what is known: not for this way."""


def plain_commands(source: str, cwd: str, first_id: int) -> tuple[tuple[Command, ...], dict[int, str]] | None:
    """Return the commands of a plain source and their working directories; None when it is not plain.

    Args:
        source: Shell source.
        cwd: Absolute working directory, empty if unknown.
        first_id: Id of the first command.
    """
    parts = _parts(source) if len(source) <= MAX_PLAIN else None
    if parts is None or len(parts) > 2 * MAX_PARTS:
        return None
    quoted = "'" in source or '"' in source
    commands: list[Command] = []
    cwds: dict[int, str] = {}
    seen: set[tuple[str, tuple[str, ...]]] = set()
    pipelines = position = 0
    # Commands stand at even places, what joins them at odd ones.
    for at in range(0, len(parts), 2):
        words = parts[at]
        reads = at > 0 and parts[at - 1] == _PIPE
        writes = parts[at + 1 : at + 2] == [_PIPE]
        pipelines += writes and not reads
        position = position + 1 if reads else 0
        redirects = _taken_redirects(words)
        if not words or not _STDERR.keys().isdisjoint(words):
            return None
        name = words[0]
        changes = name == "cd" and len(words) == 2 and words[1][:1] not in _SPECIAL_DIRECTORIES
        if changes and (reads or writes or redirects):
            return None
        if not changes and not _is_plain(words, writes=writes):
            return None
        argv = tuple(words)
        if not (reads or writes or redirects or changes):
            # As the evaluator has it: repeated word for word, a command counts once.
            if (cwd, argv) in seen:
                continue
            seen.add((cwd, argv))
        number = first_id + len(commands)
        cwds[number] = cwd
        commands.append(
            Command(
                id=number,
                pipeline=pipelines if reads or writes else 0,
                position=position,
                program=base_name(name),
                executable=name,
                argv=argv,
                text=render(argv, redirects) if redirects or quoted else " ".join(words),
                redirects=redirects,
            )
        )
        if changes:
            cwd = absolute(words[1], cwd)
    return tuple(commands), cwds


_PIPE: Final = ["|"]
_SPECIAL_DIRECTORIES: Final = ("-", "+", "")


def _parts(source: str) -> list[list[str]] | None:
    """Return the words of every command, and what joins them in between; None when it is not plain."""
    if not source.encode("ascii", "replace").translate(None, _BARE_BYTES):
        # What is plain holds no line break, so they can stand between the pieces.
        pieces = source.replace("&&", "\n&&\n").replace(";", "\n;\n").replace("|", "\n|\n").split("\n")
        parts = [piece.split() for piece in pieces]
        for piece, words in zip(pieces[::2], parts[::2], strict=True):
            if (">" in piece or "&" in piece) and _has_operator(words):
                return None
    elif "'" in source or '"' in source:
        quoted = _quoted_parts(source)
        if quoted is None:
            return None
        parts = quoted
    else:
        return None
    if len(parts) > 1 and not parts[-1] and parts[-2] == [";"]:
        del parts[-2:]
    return parts


def _has_operator(words: list[str]) -> bool:
    """Return whether a word holds an operator, other than the two redirections that are plain."""
    return any((">" in word or "&" in word) and word not in _STDERR for word in words)


def _quoted_parts(source: str) -> list[list[str]] | None:
    parts: list[list[str]] = [[]]
    end = 0
    for token in _TOKEN.finditer(source):
        if token.start() != end:
            return None
        end = token.end()
        text = token.group()
        if text[0] in " \t":
            continue
        if text[0] in "&;|":
            parts += [[text], []]
        elif text[0] in "'\"":
            if text[1:-1] in _STDERR:
                return None
            parts[-1].append(text[1:-1])
        else:
            parts[-1].append(text)
    return parts if end == len(source) else None


def _taken_redirects(words: list[str]) -> tuple[Redirect, ...]:
    """Take the redirections off the end of a command's words."""
    redirects: tuple[Redirect, ...] = ()
    while words and words[-1] in _STDERR:
        redirects = (_STDERR[words.pop()], *redirects)
    return redirects


def _is_plain(words: list[str], *, writes: bool) -> bool:
    """Return whether a command needs nothing that only the evaluator knows."""
    if _PROGRAM(words[0]) is None:
        return False
    program = base_name(words[0])
    if program in _NOT_PLAIN or program == "cd" or VERSIONED(program) is not None:
        return False
    if writes and program in SILENT:
        return False
    return filters.imitate(program, words, None) is None
