"""Where a request goes and which file is opened, when somebody else decides it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from defenseclaw.detection.code.issues import Issue
from defenseclaw.detection.code.languages import Language
from defenseclaw.detection.code.program import MAX_EXPRESSION, MAX_PARTS, Argument, Call, Program

_METHODS: Final = r"(?:get|post|put|delete|patch|head|options|request|stream)"
_REQUESTS: Final = {
    Language.PYTHON: re.compile(rf"(?:{_METHODS}|urlopen|urlretrieve)\s*+\("),
    Language.JAVASCRIPT: re.compile(rf"(?:fetch|axios|got|{_METHODS})\s*+\("),
    Language.GO: re.compile(r"(?:Get|Post|PostForm|Head|NewRequest|NewRequestWithContext)\s*+\("),
}
_PYTHON_CLIENTS: Final = frozenset(("requests", "httpx", "urllib.request", "urllib2", "urllib"))
_NODE_CLIENTS: Final = frozenset(("axios", "got", "needle", "superagent", "http", "https"))
_FIXED_HOST: Final = re.compile(
    r"\s*(?:https?:)?//[^/\s{}$#%'\"]+[/?#]|\s*(?:\.{0,2}/(?!/)|#|\?|data:|blob:|file:)"
)
_OWN_ADDRESS: Final = re.compile(
    r"(?i)\A(?:(?:self|this|settings|config|conf|app|cls|cfg|options|opts)[._]\w*(?:\.\w+)*|\w*(?:base|host|root"
    r"|endpoint|server|origin|api|service|gateway|webhook|registry|domain)_?(?:ur[li]|host|name|address|path)?)\Z"
)
_FIRST: Final = re.compile(r"\s*+([A-Za-z_$@][\w$.]*+)")

_FILES: Final = {
    Language.PYTHON: re.compile(
        r"(?:open|join|send_file|send_from_directory|Path|PurePath|FileResponse|read_text|joinpath|remove|unlink"
        r"|rmtree|copy|copyfile|move|listdir|read_csv)\s*+\("
    ),
    Language.JAVASCRIPT: re.compile(
        r"(?:join|resolve|readFile(?:Sync)?|writeFile(?:Sync)?|createReadStream|createWriteStream|unlink(?:Sync)?"
        r"|rm(?:Sync)?|readdir(?:Sync)?|sendFile|sendfile|download|open(?:Sync)?)\s*+\("
    ),
    Language.GO: re.compile(
        r"(?:Open|OpenFile|ReadFile|WriteFile|Create|Remove|RemoveAll|Join|ServeFile)\s*+\("
    ),
    Language.JAVA: re.compile(
        r"(?:File|FileReader|FileInputStream|FileOutputStream|get|of|resolve|newInputStream)\s*+\("
    ),
    Language.RUBY: re.compile(r"(?:open|read|write|join|send_file|readlines|delete|new|expand_path)\s*+\("),
    Language.PHP: re.compile(
        r"(?:fopen|file_get_contents|file_put_contents|readfile|include(?:_once)?|require(?:_once)?|unlink|file)\s*+\("
    ),
    Language.C: re.compile(r"(?:fopen|open|ifstream|ofstream|OpenRead|ReadAllText|Combine|create)\s*+\("),
}  # fmt: skip
LANGUAGES: Final = tuple(_FILES)
"""Languages in which file operations are known."""
_FILE_OWNERS: Final = {
    Language.PYTHON: frozenset(
        (
            "",
            "os",
            "os.path",
            "io",
            "pathlib",
            "flask",
            "shutil",
            "codecs",
            "pd",
            "pandas",
            "Path",
            "path",
            "osp",
        )
    ),
    Language.JAVASCRIPT: frozenset(
        (
            "",
            "path",
            "fs",
            "fsp",
            "fs.promises",
            "fsPromises",
            "res",
            "response",
            "posix",
            "path.posix",
            "Deno",
            "Bun",
        )
    ),
    Language.GO: frozenset(("os", "ioutil", "filepath", "path", "http")),
    Language.JAVA: frozenset(("", "Paths", "Path", "Files", "Path.of")),
    Language.RUBY: frozenset(("", "File", "IO", "Pathname", "FileUtils", "Dir", "Rails.root")),
    Language.PHP: frozenset(("",)),
    Language.C: frozenset(("", "std", "File", "Path", "fs", "std.fs")),
}
_SEVERAL: Final = frozenset((
    "join", "resolve", "Join", "joinpath", "expand_path", "Combine", "Path", "PurePath", "File",
    "send_from_directory", "get", "of", "copy", "copyfile", "move", "ServeFile",
))  # fmt: skip
"""Calls of which every argument is a part of a path, or a path; of others only the first is."""
_PATH_CHARS: Final = 512
_CLIMBS: Final = re.compile(r"(?:\A|[\\/])\.\.(?:[\\/]|\Z)")
_ATTACKS: Final = re.compile(
    r"(?i)(?:\.\.[\\/]{1,2}){1,}(?:etc|proc|root|home|var|usr|boot|sys|windows|winnt|users)(?:[\\/]|\Z)"
)
_CLEANED: Final = re.compile(
    r"(?i)secure_?filename|\bbasename\b|safe_?join|realpath|normalize|\bfilepath\.Clean\b|sanitize|is_relative_to"
    r"|\bBase\(|getFileName|valid"
)


def open_addresses(program: Program) -> Iterator[Issue]:
    """Find HTTP requests to an address that is not fixed.

    Certain where the address is taken from somebody's request; an address in a variable is mostly the
    program's own.
    """
    for call in program.calls(_REQUESTS[program.language]):
        url = _url(program, call)
        if url is None or _has_fixed_host(program, url.start, url.end):
            continue
        foreign = program.is_foreign(url.start, url.end)
        because = (
            "a request goes where another request says"
            if foreign
            else "the address of a request is not fixed"
        )
        yield Issue(call.start, call.end, because, foreign)


def _url(program: Program, call: Call) -> Argument | None:
    """Return the address among the arguments of an HTTP call; None for other calls."""
    arguments = program.arguments(call)
    position = 0
    if program.language is Language.PYTHON:
        owner, _, name = program.resolved(call).rpartition(".")
        if not (owner in _PYTHON_CLIENTS or (not owner and name in ("urlopen", "urlretrieve"))):
            return None
        position = 1 if name in ("request", "stream") else 0
    elif program.language is Language.JAVASCRIPT:
        is_global = call.qualifier in ("", "window", "globalThis", "self") and call.name in (
            "fetch",
            "axios",
            "got",
        )
        if not is_global and call.qualifier not in _NODE_CLIENTS:
            return None
    else:
        if call.qualifier != "http":
            return None
        position = {"NewRequest": 1, "NewRequestWithContext": 2}.get(call.name, 0)
    named = next((each for each in arguments if each.keyword == "url"), None)
    plain = [each for each in arguments if not each.keyword]
    return named or (plain[position] if len(plain) > position else None)


def _has_fixed_host(program: Program, start: int, end: int, depth: int = 0) -> bool:
    """Whether the host of an address is settled, whatever is filled in behind it."""
    source = program.source
    if program.is_fixed(start, end):
        return True
    code = program.code(start, end)
    offset = start + len(code) - len(code.lstrip())
    first = source.literals_in(start, end)[:1]
    if first and first[0].start - offset <= len(first[0].tag):
        literal = first[0]
        if _FIXED_HOST.match(source.inner(literal)):
            return True
        filled = program.filled_in(literal)
        begins = source.inner(literal).lstrip()[:2]
        return bool(filled) and begins[:1] in "{$#" and _is_own(program, filled[0], depth)
    if code.lstrip()[:1] in "{[":
        return True
    name = _FIRST.match(code)
    return name is not None and _is_own(program, name[1], depth)


def _is_own(program: Program, name: str, depth: int) -> bool:
    """Whether an expression that an address begins with is the program's own setting."""
    name = name.strip()
    head = name.partition(".")[0]
    values = program.assigned.get(name, [])
    if values and depth < 3:
        return all(_has_fixed_host(program, *value, depth + 1) for value in values[:MAX_PARTS])
    return program.is_fixed_name(head) or _OWN_ADDRESS.match(name) is not None


def climbing_paths(program: Program) -> Iterator[Issue]:
    """Find files that are chosen by somebody's request, or by ``..`` together with what is not fixed."""
    for call in program.calls(_FILES[program.language]):
        if call.qualifier not in _FILE_OWNERS[program.language] and not (
            call.name in ("read_text", "joinpath", "resolve") and program.language is Language.PYTHON
        ):
            continue
        issue = _climbing(program, call)
        if issue is not None:
            yield issue


def _climbing(program: Program, call: Call) -> Issue | None:
    source = program.source
    place = (call.start, call.end)
    arguments = program.arguments(call)
    if not arguments:
        return None
    last = arguments[-1] if call.name in _SEVERAL else arguments[0]
    start, end = arguments[0].start, last.end
    literals = source.literals_in(start, min(end, start + MAX_EXPRESSION))[:MAX_PARTS]
    inners = [source.inner(each)[:_PATH_CHARS] for each in literals]
    if any(_ATTACKS.search(each) for each in inners):
        return Issue(*place, "a path climbs out of its folder into a system folder")
    if _CLEANED.search(program.text(start, end)):
        return None
    if program.is_foreign(start, end):
        return Issue(*place, "a file is chosen by somebody's request")
    if any(_CLIMBS.search(each) for each in inners) and not program.is_fixed(start, end):
        return Issue(*place, "a path holds .. beside what is not fixed", certain=False)
    return None
