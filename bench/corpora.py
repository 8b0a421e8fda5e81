"""The labelled rows that detection is measured on, and the events each row is judged as.

Rows are data for measuring: nothing here executes, keeps or repeats them.
"""

from __future__ import annotations

import gzip
import json
import re
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from defenseclaw.vocabulary import Door, Event, EventKind

HOME = "/home/someone"
CWD = f"{HOME}/project"
SITE_PACKAGES = "site-packages"
"""Name of the rows that need no data set: every text file of the installed dependencies."""

FENCED = "fenced_shell"
"""Name of the shell blocks in the documents of benign rows: what people tell agents to run."""
_DOCUMENTS = ("skills_benign", "text_agent_instructions_benign", SITE_PACKAGES)
_DOCUMENT_NAMES = (".md", ".mdx", ".rst", "METADATA")
_FENCE = re.compile(
    r"^[ \t]*(?P<fence>`{3,}|~{3,})[ \t]*(?:bash|sh|shell|zsh|console|shell-session|terminal)\b[^\n]*\n"
    r"(?P<body>.*?)^[ \t]*(?P=fence)",
    re.DOTALL | re.MULTILINE | re.IGNORECASE,
)

OPTIONAL_AREAS = ("backup", "cicd", "messaging", "platform", "remote", "search", "secrets", "storage")
"""Product areas of ``cmd_dcg``; every other kind there is about file systems, git, disks or containers."""


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled row."""

    file: str
    """Name of its file, without endings."""
    id: str
    kind: str
    malicious: bool
    texts: tuple[tuple[str, str], ...]
    """(path or empty, content); more than one only for rows made of files."""

    @property
    def part(self) -> str:
        """The part of its file that has a target of its own; empty where the file is one whole."""
        if self.file == "cmd_dcg" and self.malicious:
            area = self.kind.partition(":")[2].partition(".")[0]
            return "optional areas" if area in OPTIONAL_AREAS else "core"
        if self.file == "pi_injecagent" and self.malicious:
            return "enhanced" if ":enhanced:" in self.kind else "base"
        return ""


class UnknownFamilyError(ValueError):
    """A file name that says nothing about the kind of event its rows are."""


def read(folder: Path) -> Iterator[Row]:
    """Yield the rows of every ``*.jsonl.gz`` below ``folder``, by file name.

    Raises:
        ValueError: a line is not a row; the message names file and line.
    """
    for path in sorted(folder.glob("*.jsonl.gz")):
        file = path.name.removesuffix(".jsonl.gz")
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    yield row_of(file, json.loads(line))
                except (KeyError, TypeError, ValueError) as error:
                    raise ValueError(f"{path.name}:{number}: not a row: {error!r}") from error


def row_of(file: str, values: dict[str, object]) -> Row:
    """Return the row of one decoded line.

    Raises:
        KeyError: a field is missing.
        ValueError: the label is neither malicious nor benign.
    """
    label = values["label"]
    if label not in ("malicious", "benign"):
        raise ValueError(f"label {label!r}")
    files = values.get("files")
    if isinstance(files, dict):
        texts = tuple((str(path), str(content)) for path, content in sorted(files.items()))
    else:
        texts = (("", str(values["command"] if "command" in values else values["text"])),)
    return Row(file, str(values["id"]), str(values["kind"]), label == "malicious", texts)


def installed_files(folder: Path | None = None) -> Iterator[Row]:
    """Yield every text file of the environment's installed packages, or of ``folder``, as a benign row."""
    root = folder or Path(sysconfig.get_path("purelib"))
    for path in sorted(root.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and (text := _text(path)):
            name = path.relative_to(root).as_posix()
            yield Row(SITE_PACKAGES, name, path.suffix or "no suffix", False, ((str(path), text),))


def fenced_commands(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield each shell block in the documents among ``rows`` as a benign row of its own.

    Of a transcript only what was typed after ``$`` is kept.
    """
    for row in rows:
        if row.file not in _DOCUMENTS:
            continue
        for path, text in row.texts:
            if not path or path.endswith(_DOCUMENT_NAMES):
                for number, block in enumerate(_FENCE.finditer(text), 1):
                    name = f"{row.id}#{path}#{number}"
                    yield Row(FENCED, name, row.file, False, (("", _typed(block["body"])),))


def _typed(block: str) -> str:
    lines = [line.strip() for line in block.splitlines()]
    typed = [line[2:] for line in lines if line.startswith("$ ")]
    return "\n".join(typed) if typed else block


def _text(path: Path) -> str:
    """Return a file's text; empty for what is not UTF-8 text."""
    content = path.read_bytes()
    if b"\0" in content:
        return ""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return ""


def readings(row: Row) -> Iterator[tuple[str, tuple[Event, ...]]]:
    """Yield how a row is judged: the name of the reading, and its events (one alarm is enough).

    Raises:
        UnknownFamilyError: The file's name has no known beginning.
    """
    family = row.file.partition("_")[0]
    text = row.texts[0][1]
    match family:
        case "cmd" | "fenced":
            yield "shell command", (shell(text),)
        case "pi" if row.kind.startswith("tool-output"):
            yield "as its kind", (tool_result(text),)
        case "pi":
            yield "as its kind", (prompt(text),)
        case "prompt":
            yield "prompt", (prompt(text),)
        case "sec":
            yield "completion", (Event(kind=EventKind.COMPLETION, door=Door.CLI, text=text, cwd=CWD),)
            yield "file write", (write(text),)
        case "text":
            yield "tool result", (tool_result(text),)
            yield "prompt", (prompt(text),)
        case "skills" | "site-packages":
            yield "tool result", tuple(tool_result(each, path) for path, each in row.texts)
        case _:
            raise UnknownFamilyError(row.file)


def shell(command: str) -> Event:
    return Event(kind=EventKind.TOOL_CALL, door=Door.CLI, tool="Bash", args={"command": command}, cwd=CWD)


def write(content: str) -> Event:
    args = {"file_path": f"{CWD}/settings.conf", "content": content}
    return Event(kind=EventKind.TOOL_CALL, door=Door.CLI, tool="Write", args=args, cwd=CWD)


def prompt(text: str) -> Event:
    return Event(kind=EventKind.PROMPT, door=Door.CLI, text=text, cwd=CWD)


def tool_result(text: str, path: str = "") -> Event:
    """What a tool gave back; with ``path``, what reading that file gave back."""
    tool, args = ("Read", {"file_path": path}) if path else ("Tool", None)
    return Event(kind=EventKind.TOOL_RESULT, door=Door.CLI, tool=tool, args=args, result=text, cwd=CWD)
