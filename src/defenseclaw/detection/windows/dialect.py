"""In which language a command line is written: that of the tool's name, or of what it looks like.

A tool named after a shell of Windows runs that shell. Of a tool with a general name (``run_command``) the
text decides, and only by two signs: most of them run a POSIX shell, where ``rmdir``, ``copy`` or ``set`` may
stand for something else. What a text looks like is its author's choice, so such a text is read as a POSIX
shell reads it too, and whatever either reading finds counts.

Bash is what agents call their shell on Windows as well, whichever it is. A text that begins with a program
only Windows has is read in both ways there, too.

Source: ``spec/guardrail.md`` §6.2.
"""

from __future__ import annotations

import re
from typing import Final

from defenseclaw.detection.windows.names import ALIASES, BUILTINS, CMDLETS, NATIVE

POWERSHELL: Final = "powershell"
CMD: Final = "cmd"
DIALECTS: Final = frozenset({POWERSHELL, CMD})

_POSIX_TOOLS: Final = frozenset(
    {"bash", "sh", "zsh", "dash", "ksh", "mksh", "fish", "execute_bash", "bash_tool", "local_shell"}
)
_NAMED: Final = {"powershell": POWERSHELL, "pwsh": POWERSHELL, "cmd": CMD}
_FIRST_WORD: Final = re.compile(r"[\s@(]{0,64}(?:[&.][ \t]{1,8})?([A-Za-z][\w.-]{0,63}|\$|\[)")
_LOOKED_AT: Final = 4096
_ASSIGNMENT: Final = re.compile(r"\s{0,64}\$(?:env:)?\w{1,64}[ \t]{1,8}\+?=|\s{0,64}\$env:\w", re.IGNORECASE)
_STATIC: Final = re.compile(r"\s{0,64}\[[\w.]{1,128}\]::\w")
_CMDLET_CASE: Final = re.compile(r"(?:[A-Z][a-z]+)+-[A-Z]\w*\Z")
_LATER: Final = re.compile(r"[;|&({]\s{0,8}([A-Za-z]{2,16}-[A-Za-z]{2,32})\b")
_POSIX_ONLY: Final = re.compile(r"\$\(|\$\{|(?:^|[\s;])(?:fi|done|esac)\b|/dev/null")
_DRIVE: Final = re.compile(r"(?:^|[\s\"'=(])(?:[A-Za-z]:[\\/]|\\\\\w|\.{1,2}\\\w)")
_PERCENT: Final = re.compile(r"%[A-Za-z_][\w()]{2,63}(?::[^%\n]{1,64})?%")
_SWITCH: Final = re.compile(r"[A-Za-z\s](?:/[A-Za-z?]){1,8}(?=[\s:/]|\Z)")
_LONG_SWITCH: Final = re.compile(r"\s/[A-Za-z]{1,16}(?=[\s:]|\Z)")
_PARAMETER: Final = re.compile(r"\s-(?:[A-Z][a-z]{2,}\w*|recurse|force|literalpath|path|uri|outfile)\b")


def dialects_of(tool: str, text: str) -> tuple[str, ...]:
    """Return the languages to read a command line in: ``powershell``, ``cmd``, empty for a POSIX shell.

    Args:
        tool: Lower-case name of a shell tool, words joined by underscores.
        text: The command line.
    """
    if tool in _POSIX_TOOLS:
        return _of_posix_tool(text)
    named = _NAMED.get(tool)
    if named is not None:
        return (named,)
    inferred = _inferred(text[:_LOOKED_AT])
    return ("", inferred) if inferred else _POSIX


_POSIX: Final = ("",)


def _of_posix_tool(text: str) -> tuple[str, ...]:
    found = _FIRST_WORD.match(text)
    if found is None:
        return _POSIX
    word = found[1].lower()
    if word not in _FOREIGN and word[-4:] != ".exe" and (len(word) > 1 or not _at_drive(text, found)):
        return _POSIX
    text = text[:_LOOKED_AT]
    inferred = _by_first_word(text)
    if not inferred and "'" not in text:
        # To cmd.exe, ``$`` and backslashes between double quotes stand for themselves.
        differs = "$" in text or "\\" in text if word in _LAUNCHERS else word.endswith(".exe")
        inferred = CMD if differs else ""
    return ("", inferred) if inferred and _POSIX_ONLY.search(text) is None else _POSIX


def _at_drive(text: str, found: re.Match[str]) -> bool:
    """Whether the first word is the letter of a drive, before a path with backslashes."""
    return text.startswith(":\\", found.end()) and found.end() - found.start(1) == 1


def _inferred(text: str) -> str:
    first = _by_first_word(text)
    if first or "-" not in text:
        return first
    later = any(found[1].lower() in CMDLETS for found in _LATER.finditer(text))
    return POWERSHELL if later else ""


def _by_first_word(text: str) -> str:
    found = _FIRST_WORD.match(text)
    if found is None:
        return ""
    word = found[1]
    if word in ("$", "["):
        begins = _ASSIGNMENT if word == "$" else _STATIC
        return POWERSHELL if begins.match(text) is not None else ""
    if _at_drive(text, found):
        return CMD
    lowered = word.lower().removesuffix(".exe")
    if lowered in CMDLETS or _CMDLET_CASE.match(word) is not None:
        return POWERSHELL
    if lowered in ("powershell", "pwsh", "cmd"):
        # Between its quotes stand backslashes as they are; a POSIX shell would take them away.
        return CMD if _DRIVE.search(text) is not None and "'" not in text else ""
    if lowered not in _TELLING or _POSIX_ONLY.search(text) is not None:
        return ""
    place = ("\\" in text or ":/" in text) and _DRIVE.search(text) is not None
    parameter = " -" in text and _PARAMETER.search(text) is not None
    if lowered in ALIASES and (parameter or (place and lowered not in BUILTINS)):
        return POWERSHELL
    if lowered in BUILTINS:
        named = "%" in text and _PERCENT.search(text) is not None
        switched = lowered in _SWITCHED and _SWITCH.search(text) is not None
        return CMD if place or named or switched else ""
    if lowered in NATIVE and ("\\" in text or _LONG_SWITCH.search(text) is not None or place):
        return CMD
    return ""


_TELLING: Final = frozenset(ALIASES) | BUILTINS | NATIVE
_LAUNCHERS: Final = frozenset({"powershell", "pwsh", "cmd", "powershell.exe", "pwsh.exe", "cmd.exe"})
_FOREIGN: Final = frozenset(
    {*NATIVE, *CMDLETS, "powershell", "pwsh", "cmd", "iex", "iwr", "irm", "copy", "xcopy", "attrib", "del"}
)
"""First words that no POSIX shell has a program for."""
_SWITCHED: Final = frozenset({"del", "erase", "rd", "rmdir", "copy", "xcopy", "move", "dir"})
"""Builtins whose ``/q`` is no directory of a POSIX machine."""
