"""What a tool call asks for: a command line, or paths, addresses and text of a structured tool.

Agents spell the same tool in many ways (``Read``, ``read_file``, ``fs.read``); the words of its name
and the keys of its arguments decide. A tool of unknown shape gets no guessed operation, but a value
under a key such as ``command`` or ``path`` is still taken for what the key says.

Source: ``spec/guardrail.md`` §1.1, §6.2; ``spec/defender.md`` §15.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Any, Final

import msgspec

from defenseclaw.detection.programs.base import PathUse, is_url, other_reading
from defenseclaw.detection.shell import environment
from defenseclaw.detection.text import encodable
from defenseclaw.detection.urls import OPAQUE
from defenseclaw.vocabulary import JSON

MAYBE: Final = "maybe"
"""Access of a value that looks like a path, under a key that says nothing: a read when it is sensitive."""
MAX_VALUES: Final = 512
"""Members of the arguments that are looked at."""
MAX_NESTING: Final = 8
MAX_VARIABLES: Final = 64
"""Environment variables of a call that are looked at."""
MAX_NAME: Final = 256
"""Characters of a tool's name that are looked at."""

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SHELL_TOOLS: Final = frozenset(
    [
        "bash",
        "sh",
        "zsh",
        "dash",
        "ksh",
        "mksh",
        "fish",
        "shell",
        "shell_command",
        "local_shell",
        "terminal",
        "run_command",
        "run_shell",
        "run_shell_command",
        "runshellcommand",
        "run_terminal_cmd",
        "run_terminal_command",
        "run_in_terminal",
        "runterminalcommand",
        "execute",
        "execute_command",
        "exec",
        "exec_command",
        "command",
        "subprocess",
        "system_run",
        "sys_os_shell",
        "sys_run",
        "powershell",
        "pwsh",
        "cmd",
        "execute_bash",
        "bash_tool",
        "container_exec",
        "unified_exec",
        "write_stdin",
        "process",
        "runcommands",
        "beforeshellexecution",
        "shell_exec",
        "code_terminal",
    ]
)
_SHIMS: Final = frozenset({"curl", "wget", "ssh", "nc", "pip", "npm"})
_COMMAND_KEYS: Final = (
    "command",
    "cmd",
    "script",
    "commandline",
    "command_line",
    "shell_command",
    "code",
    "input",
    "chars",
    "data",
)
_GENERIC_COMMAND_KEYS: Final = frozenset(
    {"command", "cmd", "script", "shell", "commandline", "shell_command"}
)
_PATH_KEYS: Final = frozenset(
    [
        "path",
        "file",
        "file_path",
        "filepath",
        "filename",
        "file_name",
        "notebook_path",
        "notebookpath",
        "target_file",
        "targetfile",
        "absolute_path",
        "absolutepath",
        "dir",
        "directory",
        "dir_path",
        "folder",
        "paths",
        "files",
        "file_paths",
        "filepaths",
        "relative_workspace_path",
        "uri_path",
        "source",
        "destination",
        "src",
        "dst",
        "dest",
        "old_path",
        "new_path",
        "from",
        "to",
        "root",
        "base_path",
    ]
)
_SOURCE_KEYS: Final = frozenset({"source", "src", "from", "old_path"})
_TARGET_KEYS: Final = frozenset({"destination", "dst", "dest", "to", "new_path"})
_URL_KEYS: Final = frozenset(
    [
        "url",
        "uri",
        "urls",
        "endpoint",
        "href",
        "target_url",
        "targeturl",
        "link",
        "address",
        "webhook",
        "webhook_url",
        "base_url",
    ]
)
_TEXT_KEYS: Final = (
    "content",
    "contents",
    "new_string",
    "new_str",
    "newstring",
    "text",
    "body",
    "file_text",
    "new_source",
    "insert_text",
    "data",
    "code_edit",
)
_ENVIRONMENT_KEYS: Final = ("env", "environment", "env_vars")
_VARIABLE: Final = re.compile(r"[A-Za-z_]\w{0,127}", re.ASCII)
_ADDRESS: Final = re.compile(
    rf"[\w-]{{1,63}}:\d{{1,5}}(?:[/?#]|\Z)|localhost\b|(?:{'|'.join(sorted(OPAQUE))}):", re.IGNORECASE
)
_CWD_KEYS: Final = ("cwd", "workdir", "working_directory", "workingdirectory", "dir_path", "work_dir")

_CLASS_WORDS: Final[dict[str, str]] = {
    "read": "read",
    "view": "read",
    "open": "read",
    "cat": "read",
    "get": "read",
    "load": "read",
    "head": "read",
    "tail": "read",
    "write": "write",
    "create": "write",
    "save": "write",
    "put": "write",
    "new": "write",
    "overwrite": "write",
    "edit": "edit",
    "multiedit": "edit",
    "multi": "edit",
    "replace": "edit",
    "str": "edit",
    "insert": "edit",
    "modify": "edit",
    "update": "edit",
    "applydiff": "patch",
    "patch": "patch",
    "diff": "patch",
    "applypatch": "patch",
    "append": "append",
    "delete": "delete",
    "remove": "delete",
    "unlink": "delete",
    "rm": "delete",
    "list": "list",
    "ls": "list",
    "dir": "list",
    "tree": "list",
    "stat": "list",
    "search": "search",
    "grep": "search",
    "glob": "search",
    "find": "search",
    "ripgrep": "search",
    "copy": "copy",
    "cp": "copy",
    "move": "move",
    "rename": "move",
    "mv": "move",
    "fetch": "fetch",
    "download": "fetch",
    "webfetch": "fetch",
    "browse": "fetch",
    "navigate": "fetch",
    "crawl": "fetch",
    "scrape": "fetch",
    "upload": "upload",
    "post": "upload",
    "send": "upload",
}
_CLASS_ORDER: Final = (
    "patch",
    "append",
    "edit",
    "delete",
    "upload",
    "fetch",
    "move",
    "copy",
    "search",
    "list",
    "write",
    "read",
)
_FILE_WORDS: Final = frozenset(
    [
        "file",
        "files",
        "fs",
        "directory",
        "dir",
        "folder",
        "notebook",
        "text",
        "document",
        "image",
        "pdf",
        "path",
        "nb",
    ]
)
_WEB_WORDS: Final = frozenset(["web", "http", "https", "url", "request", "website", "page", "browser"])
_ACCESS: Final = {
    "read": "read",
    "write": "write",
    "edit": "write",
    "patch": "write",
    "append": "append",
    "delete": "delete",
    "list": "list",
    "search": "search",
    "fetch": "write",
    "upload": "read",
    "copy": "copy_from",
    "move": "move",
}
_ACTIONS: Final = {"fetch": "download", "upload": "upload"}
_PATCH_HEADER: Final = re.compile(
    r"^\*\*\* (Add|Update|Delete) File: (.+)$|^\*\*\* Move to: (.+)$|^(---|\+\+\+) (?:[ab]/)?(\S+)",
    re.MULTILINE,
)
_FULL_PATH: Final = re.compile(r"(?:/|~/|file:)[^\s]{1,1024}\Z").match
_CODE_TOOLS: Final = frozenset(
    [
        "python",
        "ipython",
        "python3",
        "execute_python",
        "run_python",
        "python_exec",
        "python_repl",
        "code_interpreter",
        "code_execution",
        "execute_code",
        "run_code",
        "jupyter",
        "jupyter_execute",
        "execute_cell",
        "node",
        "javascript",
        "run_javascript",
        "execute_javascript",
        "ruby",
        "perl",
    ]
)
_CODE_PROGRAMS: Final = {
    "javascript": "node -e", "js": "node -e", "typescript": "node -e", "node": "node -e", "ruby": "ruby -e",
    "perl": "perl -e", "php": "php -r", "python": "python3 -c", "py": "python3 -c",
}  # fmt: skip
_CODE_KEYS: Final = ("code", "source", "script", "input", "content")
_BODY_METHODS: Final = frozenset({"POST", "PUT", "PATCH"})


@dataclass(slots=True)
class Call:
    """A tool call taken apart."""

    tool_class: str = "other"
    shell: list[str] = field(default_factory=list)
    """Command lines for a shell, in order."""
    paths: list[PathUse] = field(default_factory=list)
    addresses: list[tuple[str, str]] = field(default_factory=list)
    """(action, URL)."""
    written: list[tuple[str, str]] = field(default_factory=list)
    """(path as given, text)."""
    cwd: str = ""
    """Working directory that the arguments name."""
    limited: bool = False


def take_apart(tool: str, args: JSON) -> Call:
    """Return what the call asks for.

    Args:
        tool: Name as the agent spells it; ``mcp__server__tool`` counts as ``tool``.
        args: Its arguments; a string holding a JSON object counts as the object, any other string as
            the command of a shell tool or the patch of a patch tool.
    """
    call = Call()
    tool = tool[:MAX_NAME]
    name = base_name(tool)
    arguments = _as_object(args)
    if is_shell_tool(tool):
        call.tool_class = "shell"
        _take_shell(call, arguments, args)
        return call
    if name in _SHIMS and isinstance(arguments.get("argv"), list):
        call.tool_class = "shell"
        call.shell.append(_join(arguments["argv"]))
        return call
    if name in _CODE_TOOLS and _take_code(call, name, arguments):
        call.tool_class = "shell"
        return call
    words = frozenset(word.lower() for word in _WORD.findall(tool.rpartition("__")[2] or tool))
    call.tool_class = _class_of(name, words)
    if call.tool_class == "patch":
        _take_patch(call, arguments, args)
    _take_values(call, arguments, words)
    return call


def _take_code(call: Call, name: str, arguments: dict[str, Any]) -> bool:
    """Take the text of a tool that runs program text as the inline text of its interpreter."""
    code = next((arguments[key] for key in _CODE_KEYS if isinstance(arguments.get(key), str)), None)
    if code is None:
        return False
    language = str(arguments.get("language") or arguments.get("lang") or name).lower()
    if language in ("bash", "sh", "shell", "zsh"):
        call.shell.append(code)
        return True
    program = next((run for word, run in _CODE_PROGRAMS.items() if word in language), "python3 -c")
    call.shell.append(f"{program} {_quote(code)}")
    return True


def is_shell_tool(tool: str) -> bool:
    """Whether the tool runs a command line."""
    return base_name(tool[:MAX_NAME]) in _SHELL_TOOLS


@lru_cache(maxsize=512)
def base_name(tool: str) -> str:
    """Return a tool's name as tables have it: without its server, lower case, words joined by ``_``."""
    name = tool.rpartition("__")[2] or tool
    name = re.sub(r"[-.:/\s]+", "_", name.strip()).lower()
    name = name.removeprefix("functions_").removeprefix("tools_").removeprefix("default_api_")
    return name if name in _SHELL_TOOLS else name.removesuffix("_tool")


def _as_object(args: JSON) -> dict[str, Any]:
    if isinstance(args, str) and args.lstrip()[:1] == "{":
        try:
            args = msgspec.json.decode(args.encode())
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return {}
    return dict(args) if isinstance(args, (dict, Mapping)) else {}


def _take_shell(call: Call, arguments: dict[str, Any], args: JSON) -> None:
    lowered = {str(key).lower(): value for key, value in arguments.items()}
    _take_command_line(call, lowered, arguments, args)
    if call.shell and (variables := _variables(lowered)):
        call.shell = [variables + text for text in call.shell]


def _variables(lowered: Mapping[str, Any]) -> str:
    """Return the assignments that say what the call puts into the environment of its command line."""
    named = [lowered[key] for key in _ENVIRONMENT_KEYS if key in lowered]
    given: Mapping[Any, Any] = next((each for each in named if isinstance(each, Mapping)), {})
    if not given:
        return ""
    return "".join(
        # What other programs run from a variable they only run when it is handed on to them.
        f"{'export ' if name in environment.RUN else ''}{name}={_quote(value)}; "
        for name, value in islice(given.items(), MAX_VARIABLES)
        if isinstance(name, str) and isinstance(value, str) and _VARIABLE.fullmatch(name)
    )


def _take_command_line(call: Call, lowered: dict[str, Any], arguments: dict[str, Any], args: JSON) -> None:
    for key in _CWD_KEYS:
        if isinstance(lowered.get(key), str):
            call.cwd = lowered[key]
            break
    for key in _COMMAND_KEYS:
        value = lowered.get(key)
        if isinstance(value, str) and value:
            call.shell.append(_with_arguments(value, lowered))
            return
        if isinstance(value, Sequence) and not isinstance(value, str) and value:
            call.shell.append(_join(value))
            return
    for key in ("argv", "args", "commands"):
        value = lowered.get(key)
        if isinstance(value, Sequence) and not isinstance(value, str):
            if key == "commands":
                call.shell.extend(text for text in value if isinstance(text, str))
            else:
                call.shell.append(_join(value))
            return
    action = lowered.get("action")
    if isinstance(action, Mapping):
        _take_shell(call, dict(action), None)
    elif isinstance(args, str) and not arguments:
        call.shell.append(args)
    elif not arguments and isinstance(args, Sequence) and not isinstance(args, str):
        call.shell.append(_join(args))


def _with_arguments(command: str, lowered: Mapping[str, Any]) -> str:
    """Join ``{"command": "rm", "args": ["-rf", "/"]}``."""
    rest = lowered.get("args") or lowered.get("argv") or lowered.get("arguments")
    if rest and isinstance(rest, Sequence) and not isinstance(rest, str):
        return f"{command} {_join(rest)}"
    return command


def _join(words: Sequence[Any]) -> str:
    return " ".join(_quote(str(word)) for word in words[:MAX_VALUES])


def _quote(word: str) -> str:
    if word and re.fullmatch(r"[\w@%+=:,./-]+", word):
        return word
    return "'" + word.replace("'", "'\\''") + "'"


def _class_of(name: str, words: frozenset[str]) -> str:
    if name in ("str_replace_editor", "str_replace_based_edit_tool", "file_editor", "notebookedit"):
        return "edit"
    found = {_CLASS_WORDS[word] for word in words if word in _CLASS_WORDS}
    if not found:
        return "other"
    if words & _WEB_WORDS and not words & _FILE_WORDS:
        if found & {"upload"}:
            return "upload"
        if found & {"read", "fetch"}:
            return "fetch"
    # ``get_weather`` and ``create_issue`` touch no file; two-word tools that do are known by name.
    if (
        len(words) > 1
        and name not in _KNOWN
        and not words & (_FILE_WORDS | _WEB_WORDS)
        and found <= {"read", "write", "edit", "list", "search", "upload"}
    ):
        return "other"
    return next(each for each in _CLASS_ORDER if each in found)


_KNOWN: Final = frozenset(
    [
        "multi_edit",
        "multiedit",
        "notebook_edit",
        "apply_patch",
        "apply_diff",
        "fs_write",
        "fs_edit",
        "fs_read",
        "str_replace",
        "search_replace",
        "grep_search",
        "codebase_search",
        "glob_search",
        "list_dir",
        "view_file",
        "replace_in_file",
        "multi_replace",
        "read_many_files",
        "edit_notebook",
        "todo_write",
    ]
)


def _take_patch(call: Call, arguments: dict[str, Any], args: JSON) -> None:
    texts = [
        value
        for key, value in arguments.items()
        if key.lower() in ("input", "patch", "diff", "content") and isinstance(value, str)
    ]
    if isinstance(args, str) and not arguments:
        texts.append(args)
    for text in texts:
        for match in _PATCH_HEADER.finditer(text):
            if match[3]:
                call.paths.append(PathUse("write", match[3].strip()))
            elif match[5]:
                if match[5] != "/dev/null":
                    call.paths.append(PathUse("write" if match[4] == "+++" else "metadata", match[5]))
            else:
                call.paths.append(PathUse("delete" if match[1] == "Delete" else "write", match[2].strip()))
        first = next((use.value for use in call.paths if use.access == "write"), "")
        call.written += ((target, added) for target, added in _added(text, first).items() if target)


def _added(patch: str, target: str) -> dict[str, str]:
    """Return the lines a patch adds, by file; those before any header count as ``target``'s."""
    lines: dict[str, list[str]] = {}
    for line in patch.splitlines():
        header = _PATCH_HEADER.match(line)
        if header is not None:
            target = (header[3] or header[2] or header[5] or target).strip()
        elif line.startswith("+"):
            lines.setdefault(target, []).append(line[1:])
    return {name: "\n".join(added) for name, added in lines.items()}


def _take_values(call: Call, arguments: dict[str, Any], words: frozenset[str]) -> None:
    access = _ACCESS.get(call.tool_class, "")
    if not access:
        access = (
            "write" if words & {"write", "create", "save", "edit", "update", "delete", "remove"} else "read"
        )
    if call.tool_class == "edit" and str(arguments.get("command", "")) == "view":
        call.tool_class, access = "read", "read"
    method = str(arguments.get("method", "")).upper()
    action = "upload" if method in _BODY_METHODS else _ACTIONS.get(call.tool_class, "connect")
    for count, (key, value) in enumerate(_leaves(arguments)):
        if count == MAX_VALUES:
            call.limited = True
            break
        if key in _URL_KEYS and (is_url(value) or "." in value or _ADDRESS.match(value)):
            if value[:5].lower() == "file:":
                # What is fetched from there is read, whatever becomes of it.
                call.paths.append(PathUse("read" if call.tool_class == "fetch" else access, value))
            else:
                call.addresses += ((action, each) for each in (value, other_reading(value)) if each)
        elif key in _PATH_KEYS and (not is_url(value) or value.startswith("file:")):
            call.paths.append(PathUse(_keyed_access(key, access, call.tool_class), value))
        elif key in _PATH_KEYS or (is_url(value) and key not in _TEXT_KEYS and " " not in value):
            call.addresses.append((action, value))
        elif key in _GENERIC_COMMAND_KEYS and call.tool_class == "other":
            call.shell.append(value)
        elif key == "pattern" and call.tool_class == "search" and value.startswith(("/", "~", ".")):
            call.paths.append(PathUse("search", value))
        elif key not in _TEXT_KEYS and _FULL_PATH(value) is not None:
            call.paths.append(PathUse(MAYBE, value))
    globs = arguments.get("glob") or arguments.get("include")
    if call.tool_class == "search" and isinstance(globs, str):
        start = arguments.get("path")
        start = start if isinstance(start, str) else "."
        call.paths.append(PathUse("search", f"{start.rstrip('/')}/**/{globs.rpartition('/')[2]}"))
    if call.tool_class in ("write", "edit", "append", "patch") or words & {"write", "edit", "create"}:
        _take_written(call, arguments)


def _keyed_access(key: str, access: str, tool_class: str) -> str:
    if key in _TARGET_KEYS:
        return "copy_to" if tool_class in ("copy", "move") else "write" if tool_class == "other" else access
    if key in _SOURCE_KEYS:
        return access if tool_class in ("copy", "move") else "read"
    return access


def _take_written(call: Call, arguments: dict[str, Any]) -> None:
    target = next((use.value for use in call.paths if use.access in ("write", "append")), "")
    for key, value in _leaves(arguments):
        if key in _TEXT_KEYS and value:
            call.written.append((target, value))


def _leaves(value: object, key: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield (lower-case key, text) of every string, in order."""
    if isinstance(value, str):
        if value:
            yield key, encodable(value)
    elif depth >= MAX_NESTING:
        return
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _leaves(item, str(name).lower().replace("-", "_"), depth + 1)
    elif isinstance(value, Sequence):
        if key in _GENERIC_COMMAND_KEYS and value and all(isinstance(item, str) for item in value):
            # The words of one command line.
            yield key, encodable(_join(value))
            return
        for item in value:
            yield from _leaves(item, key, depth + 1)
