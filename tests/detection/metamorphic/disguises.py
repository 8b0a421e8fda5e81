"""Other ways to write a shell command, each with the same effect.

``SPELLINGS`` rewrite one word, ``STORES`` keep it in a variable first, ``SPACINGS`` separate two
words, ``PLACES`` rewrite a path, ``PREFIXES`` run a program through another one, ``TAILS`` and
``COMPANY`` write harmless things around a command, ``FRAMES`` put it into something that runs it.
:func:`disguises` draws some of them one after the other.

Words a shell would expand (``~``, ``$x``, globs, quoted text) are left as they stand: quoting those
changes what they mean.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence

from hypothesis import strategies as st

_QUOTED = r"'[^']*'|\"(?:\\.|[^\"\\])*\"|`[^`]*`|\\."
_PLAIN = "A-Za-z0-9_./:@%+,=-"
_WORD = re.compile(rf"{_QUOTED}|(?<![^\s;|&()<>])(?P<word>[{_PLAIN}]+)(?![^\s;|&()])", re.DOTALL)
_GAP = re.compile(rf"{_QUOTED}|(?<=[{_PLAIN}])(?P<gap> )(?=[{_PLAIN}])", re.DOTALL)
_OPERATOR = re.compile(rf"{_QUOTED}|(?P<operator>[;|&<>()\n`])", re.DOTALL)

_RESERVED = frozenset(
    (
        "if",
        "then",
        "else",
        "elif",
        "fi",
        "for",
        "while",
        "until",
        "do",
        "done",
        "case",
        "esac",
        "in",
        "function",
        "time",
    )
)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")
_PATH = re.compile(rf"{_QUOTED}|(?<![^\s<>])(?P<path>(?:/|~/)[A-Za-z0-9_./-]*)(?![^\s;|&()])", re.DOTALL)

Span = tuple[int, int]
Rewrite = Callable[[str], str]


def words(command: str) -> list[Span]:
    """Return the place of every word that means itself, so that it may be written in another way."""
    return [
        found.span("word")
        for found in _WORD.finditer(command)
        if found["word"] and found["word"] not in _RESERVED and not _ASSIGNMENT.match(found["word"])
    ]


def gaps(command: str) -> list[Span]:
    """Return the place of every blank between two such words."""
    return [found.span("gap") for found in _GAP.finditer(command) if found["gap"]]


def is_simple(command: str) -> bool:
    """Whether a command is one program and its words: no pipe, list, redirection or substitution."""
    return not any(found["operator"] for found in _OPERATOR.finditer(command))


def put(command: str, place: Span, text: str) -> str:
    """Return ``command`` with ``text`` in that place."""
    return command[: place[0]] + text + command[place[1] :]


def _inside(middle: str) -> Callable[[str, int], str]:
    """Return a spelling that writes something without effect somewhere inside the word."""
    return lambda word, at: word[: at % len(word)] + middle + word[at % len(word) :]


def _each(form: str) -> Callable[[str, int], str]:
    """Return a spelling that writes every character as an escape in ``$'…'``."""
    return lambda word, _at: "$'" + "".join(form.format(ord(char)) for char in word) + "'"


def _cut(word: str, at: int) -> tuple[str, str]:
    return word[: at % len(word)], word[at % len(word) :]


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


SPELLINGS: dict[str, Callable[[str, int], str]] = {
    "single quotes": lambda word, _at: f"'{word}'",
    "double quotes": lambda word, _at: f'"{word}"',
    "empty quotes inside": _inside("''"),
    "empty double quotes inside": _inside('""'),
    "first letter quoted": lambda word, _at: f"'{word[0]}'{word[1:]}",
    "last letter quoted": lambda word, _at: f'{word[:-1]}"{word[-1]}"',
    "two styles": lambda word, at: "'{}'\"{}\"".format(*_cut(word, at)),
    "one backslash": _inside("\\"),
    "backslashes": lambda word, _at: "".join("\\" + char for char in word),
    "hexadecimal": _each("\\x{:02x}"),
    "octal": _each("\\{:03o}"),
    "code points": _each("\\u{:04x}"),
    "partly hexadecimal": lambda word, at: (
        word[: at % len(word)] + _each("\\x{:x}")(word[at % len(word) :], 0)
    ),
    "translatable": lambda word, _at: f'$"{word}"',
    "line continued": _inside("\\\n"),
    "empty substitution inside": _inside("$(true)"),
    "nothing inside": _inside("${nothing_-}"),
    "default of an unset variable": lambda word, _at: f"${{nothing_:-{word}}}",
    "default in quotes": lambda word, _at: f'"${{nothing_-{word}}}"',
    "alternative of a set variable": lambda word, _at: f"${{HOME:+{word}}}",
    "printed": lambda word, _at: f"$(printf %s '{word}')",
    "printed, backquotes": lambda word, _at: f"`printf %s '{word}'`",
    "printed from behind": lambda word, _at: f"$(echo '{word[::-1]}' | rev)",
    "printed decoded": lambda word, _at: f"$(echo {_base64(word)} | base64 -d)",
    "printed translated": lambda word, _at: f"$(printf %s '{word.swapcase()}' | tr a-zA-Z A-Za-z)",
    "printed by cat": lambda word, _at: f"$(cat <<< '{word}')",
    "printed by sed": lambda word, at: "$(echo '{}#{}' | sed s/#//)".format(*_cut(word, at)),
}

STORES: dict[str, Callable[[str, int], tuple[str, str]]] = {
    "variable": lambda word, _at: (f"v={word}", "$v"),
    "variable in quotes": lambda word, _at: (f"v='{word}'", '"${v}"'),
    "two variables": lambda word, at: ("v='{}' w='{}'".format(*_cut(word, at)), "${v}${w}"),
    "one variable and letters": lambda word, at: (f"v='{_cut(word, at)[0]}'", f"${{v}}{_cut(word, at)[1]}"),
    "exported": lambda word, _at: (f"export v={word}", "$v"),
    "declared": lambda word, _at: (f"declare -r v={word}", "$v"),
    "printed into it": lambda word, _at: (f"printf -v v %s '{word}'", "$v"),
    "read": lambda word, _at: (f"read -r v <<< '{word}'", "$v"),
    "prefix removed": lambda word, _at: (f"v=xy{word}", "${v#xy}"),
    "suffix removed": lambda word, _at: (f"v={word}..", "${v%..}"),
    "sliced": lambda word, _at: (f"v=xy{word}", "${v:2}"),
    "replaced": lambda word, at: ("v='{}#{}'".format(*_cut(word, at)), "${v/'#'/}"),
    "array": lambda word, _at: (f"v=(x '{word}')", "${v[1]}"),
    "named array": lambda word, _at: (f"declare -A v=([k]='{word}')", "${v[k]}"),
    "positional": lambda word, _at: (f"set -- '{word}'", "$1"),
    "indirect": lambda word, _at: (f"v='{word}' w=v", "${!w}"),
    "appended": lambda word, at: ("v='{}'; v+='{}'".format(*_cut(word, at)), "$v"),
    "substituted": lambda word, _at: (f"v=$(printf %s '{word}')", "$v"),
}
"""What stands before the command, and what in the word's place."""

SPACINGS: dict[str, str] = {
    "blanks": "   ",
    "tab": "\t",
    "continued line": " \\\n  ",
    "IFS": "${IFS}",
    "IFS and nothing": "$IFS$9",
    "half an IFS": " ${IFS}",
    "empty substitution": " $(true) ",
    "redirection between": "\t2>'/dev/null' ",
}

PLACES: dict[str, Rewrite] = {
    "doubled slashes": lambda path: path.replace("/", "//"),
    "dots": lambda path: path.replace("/", "/./"),
    "up and down": lambda path: path.replace("/", "/x/../", 1),
    "up and down at the end": lambda path: "{0}/x/../{2}".format(*path.rpartition("/")),
    "from the root's parent": lambda path: path.replace("/", "/../", 1) if path[0] == "/" else path,
    "HOME": lambda path: path.replace("~", "$HOME"),
    "HOME in quotes": lambda path: path.replace("~", '"${HOME}"'),
    "HOME with a default": lambda path: path.replace("~", "${HOME:-/root}"),
    "home written out": lambda path: path.replace("~", "/home/dev"),
    "home by name": lambda path: path.replace("~", "~dev"),
    "tilde": lambda path: path.replace("/home/dev/", "~/"),
    "from the working directory": lambda path: path.replace("~", "..").replace("/home/dev/", "../"),
    "by the working directory": lambda path: path.replace("~", "$PWD/.."),
    "by a process's root": lambda path: f"/proc/self/root{path}" if path[0] == "/" else path,
}
"""Other names of the same place; the working directory is /home/dev/project."""

PREFIXES: dict[str, str] = {
    "env": "env {}",
    "env with a variable": "env LANG=C {}",
    "env path": "/usr/bin/env {}",
    "nohup": "nohup {}",
    "timeout": "timeout 5 {}",
    "timeout with options": "timeout -k 1 --signal=KILL 5m {}",
    "nice": "nice -n 10 {}",
    "nice without number": "nice {}",
    "ionice": "ionice -c3 {}",
    "stdbuf": "stdbuf -oL {}",
    "setsid": "setsid {}",
    "sudo": "sudo {}",
    "sudo as": "sudo -n -u root {}",
    "doas": "doas {}",
    "strace": "strace -f {}",
    "flock": "flock /tmp/lock {}",
    "chrt": "chrt -b 0 {}",
    "watch": "watch -n 60 {quoted}",
    "script": "script -qc {quoted} /dev/null",
    "xargs": "echo x | xargs -I_x_ {}",
    "find": "find . -maxdepth 0 -exec {} \\;",
    "assignment": "LANG=C {}",
    "command": "command {}",
    "exec": "exec {}",
    "time": "time {}",
    "not": "! {}",
}
OUTERMOST = ("xargs", "find", "assignment", "command", "exec", "time", "not")
"""Prefixes that are no programs, or read the rest in a way of their own: nothing can stand before them."""

TAILS: dict[str, str] = {
    "comment": "{} # done",
    "blanks": "   {}   ",
    "errors joined": "{} 2>&1",
    "errors away": "{} 2>/dev/null",
    "true behind": "{}; true",
    "true or": "{} || true",
    "echo behind": "{} && echo done",
    "piped on": "{} | tail -n 5",
    "carriage return": "{}; true\r",
}
COMPANY: dict[str, str] = {
    "comment before": "# prepare the release\n{}",
    "comment behind": "{}\n# done",
    "blank lines": "\n\n{}\n\n",
    "options before": "set -euo pipefail; {}",
    "cd before": "cd /home/dev/project && {}",
    "build before": "npm run build && {}",
    "build behind": "{}\nnpm run build",
    "many before": "echo one; ls -la; git status --short; pytest -q\n{}",
    "assignment before": "LEVEL=3\n{}",
    "echo before": "echo 'cleaning up'; {}",
    "long comment": "# " + "nothing to see here " * 40 + "\n{}",
    "shebang": "#!/bin/bash\n{}",
    "a file before": "cat > notes.md <<'NOTES'\nnothing to see here\nNOTES\n{}",
}

FRAMES: dict[str, str] = {
    "bash -c": "bash -c {quoted}",
    "sh -c": "sh -c {quoted}",
    "bash -lc": "bash -lc {quoted}",
    "bash with options": "/bin/bash --norc -e -o pipefail -c {quoted} name",
    "zsh": "zsh -c {quoted}",
    "twice": "sh -c {twice}",
    "sudo shell": "sudo sh -c {quoted}",
    "su": "su root -c {quoted}",
    "env shell": "env A=b bash -c {quoted}",
    "eval": "eval {quoted}",
    "eval with double quotes": "eval {double}",
    "subshell": "( {}\n)",
    "group": "{{ {}\n}}",
    "if": "if true; then {}\nfi",
    "else": "if false; then :; else {}\nfi",
    "condition": "if {}\nthen :; fi",
    "for": "for i in 1; do {}\ndone",
    "while": "while true; do {}\nbreak; done",
    "until": "until false; do {}\nbreak; done",
    "case": "case x in *) {}\n;; esac",
    "function": "f{end}() {{ {}\n}}; f{end}",
    "function keyword": "function f{end} {{\n{}\n}}\nf{end}",
    "shell in a variable": "s=bash; $s -c {quoted}",
    "here-document": "bash <<'{end}'\n{}\n{end}",
    "open here-document": "sh -s <<{end}\n{escaped}\n{end}",
    "here-string": "bash <<< {quoted}",
    "printed into bash": "printf '%s\\n' {quoted} | bash -s",
    "cat into sh": "cat <<'{end}' | sh\n{}\n{end}",
    "sourced": "source /dev/stdin <<< {quoted}",
    "process substitution": "bash <(printf %s {quoted})",
    "substitution": 'x=$({}\n); echo "$x"',
    "printed substitution": 'echo "$({}\n)"',
    "background": "{{ {}\n}} &",
    "background and wait": "( {}\n) & wait",
    "trap": "trap {quoted} EXIT",
    "script written and run": "cat > /tmp/step.sh <<'{end}'\n{}\n{end}\nbash /tmp/step.sh",
    "and": "true && {{ {}\n}}",
    "or": "false || {{ {}\n}}",
    "pipe": "{{ {}\n}} | cat",
    "reading from": "true | {{ {}\n}}",
    "python": "python3 -c {python}",
    "perl": "perl -e {perl}",
    "node": "node -e {node}",
}
CODED: dict[str, str] = {
    "echoed into sh": "echo {quoted} | sh",
    "base64": "echo {base64} | base64 -d | sh",
    "base64 evaluated": 'eval "$(echo {base64} | base64 --decode)"',
    "base64 of a here-string": 'bash -c "$(base64 -d <<< {base64})"',
    "hexadecimal": "echo {hex} | xxd -r -p | bash",
}
"""Run the command as well, and are worth a finding whatever they run."""
DISTANT: dict[str, str] = {
    "ssh": "ssh deploy@web.example.net {quoted}",
    "ssh with options": "ssh -o StrictHostKeyChecking=no -p 2222 web.example.net {quoted}",
    "docker exec": "docker exec web sh -c {quoted}",
    "docker run": "docker run --rm alpine sh -c {quoted}",
    "kubectl exec": "kubectl exec web-0 -- sh -c {quoted}",
}
"""Run the command elsewhere, where this machine's files do not exist."""


def fill(form: str, command: str) -> str:
    """Put a command into ``form``."""
    quoted = shlex.quote(command)
    doubled = re.sub(r'([\\"$`])', r"\\\1", command)
    return form.format(
        command,
        quoted=quoted,
        twice=shlex.quote(f"sh -c {quoted}"),
        double=f'"{doubled}"',
        escaped=re.sub(r"([\\$`])", r"\\\1", command),
        end=f"END{len(command)}",
        base64=_base64(command),
        hex=command.encode().hex(),
        python=shlex.quote(f"import os; os.system({command!r})"),
        perl=shlex.quote('system("' + re.sub(r'([\\"$@`])', r"\\\1", command) + '")'),
        node=shlex.quote(f"require('child_process').execSync({json.dumps(command)})"),
    )


def paths(command: str) -> list[Span]:
    """Return the place of every path that is a word of its own and begins at the root or at home."""
    return [
        found.span("path") for found in _PATH.finditer(command) if found["path"] not in (None, "/dev/null")
    ]


def _somewhere(draw: st.DrawFn, spans: list[Span]) -> Span:
    return draw(st.sampled_from(spans))


def _respelled(draw: st.DrawFn, command: str) -> str:
    place = _somewhere(draw, words(command))
    spelling = draw(st.sampled_from(sorted(SPELLINGS)))
    return put(command, place, SPELLINGS[spelling](command[slice(*place)], draw(st.integers(0, 9))))


def _stored(draw: st.DrawFn, command: str) -> str:
    place = _somewhere(draw, words(command))
    store = draw(st.sampled_from(sorted(STORES)))
    before, instead = STORES[store](command[slice(*place)], draw(st.integers(0, 9)))
    return before + draw(st.sampled_from(("; ", "\n", " && "))) + put(command, place, instead)


def _spaced(draw: st.DrawFn, command: str) -> str:
    return put(command, _somewhere(draw, gaps(command)), SPACINGS[draw(st.sampled_from(sorted(SPACINGS)))])


def _placed(draw: st.DrawFn, command: str) -> str:
    place = _somewhere(draw, paths(command))
    return put(command, place, PLACES[draw(st.sampled_from(sorted(PLACES)))](command[slice(*place)]))


def _prefixed(draw: st.DrawFn, prefixes: Mapping[str, str], command: str) -> str:
    inner = draw(st.sampled_from(sorted(prefixes)))
    command = fill(prefixes[inner], command)
    return command if inner in OUTERMOST or draw(st.booleans()) else _in_one(draw, prefixes, command)


def _in_one(draw: st.DrawFn, forms: Mapping[str, str], command: str) -> str:
    fitting = [name for name in sorted(forms) if _is_literal(command) or not _FOREIGN.search(forms[name])]
    return fill(forms[draw(st.sampled_from(fitting))], command)


_FOREIGN = re.compile(r"\{(?:python|perl|node)\}")


def _is_literal(command: str) -> bool:
    """Whether a command stands in a string of every language as it is, without an escape."""
    return not any(char in command for char in '\\\n\t\r$@"`')


@st.composite
def disguises(
    draw: st.DrawFn, commands: Sequence[str], frames: Mapping[str, str], prefixes: Mapping[str, str]
) -> tuple[str, str]:
    """Draw one of ``commands`` and one with the same effect, in ``frames`` and behind ``prefixes``."""
    plain = command = draw(st.sampled_from(commands))
    if paths(command) and draw(st.booleans()):
        command = _placed(draw, command)
    for change in draw(st.lists(st.sampled_from((_respelled, _spaced)), max_size=3)):
        if (words if change is _respelled else gaps)(command):
            command = change(draw, command)
    if words(command) and draw(st.booleans()):
        command = _stored(draw, command)
    if is_simple(command) and draw(st.booleans()):
        command = _prefixed(draw, prefixes, command)
    if "\n" not in command and draw(st.booleans()):
        command = _in_one(draw, TAILS, command)
    for forms in draw(st.lists(st.sampled_from((COMPANY, frames)), max_size=3)):
        command = _in_one(draw, forms, command)
    return plain, command
