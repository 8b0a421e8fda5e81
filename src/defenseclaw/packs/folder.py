"""What lies in an operator's pack: found, bounded and read, nothing of it understood yet.

::

    <pack>/
      <category>/<rule-id>.yaml   rules
      profiles/all.yaml           changes of packaged rules in every profile
      profiles/<profile>.yaml     changes in one profile
      suppressions.yaml

YAML anywhere else is an error, since its author expects it to count; other files and hidden ones are not
looked at. Links are errors: what is judged must be what lies here. Source: ``spec/guardrail.md`` §5.1, §5.5.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from defenseclaw.errors import PackError
from defenseclaw.packs import document
from defenseclaw.packs.document import shown
from defenseclaw.vocabulary import Profile

MAX_ENTRIES: Final = 4096
"""Files and folders, of whatever kind."""
MAX_FILES: Final = 1024
"""YAML files."""
MAX_TOTAL_BYTES: Final = 4 * 1024 * 1024
SUPPRESSIONS: Final = "suppressions.yaml"
PROFILES: Final = "profiles"
ALL_PROFILES: Final = "all"
STEPS: Final = "steps"

_TOO_DEEP: Final = "rules lie in <category>/, not deeper"
_CATEGORY: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_OVERLAYS: Final = frozenset(f"{name}.yaml" for name in (ALL_PROFILES, *Profile))

Fingerprint = tuple[tuple[str, int, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Found:
    """One YAML file."""

    path: Path
    label: str
    """Relative to the pack."""

    @property
    def folder(self) -> str:
        """Name of the folder it lies in; empty at the top."""
        return self.label.rpartition("/")[0]


def files_in(root: Path) -> tuple[list[Found], list[PackError]]:
    """Return the YAML files of a pack, by label, and what must not lie in it.

    Raises:
        PackError: ``root`` is no folder that can be read, or holds too much.
    """
    found: list[Found] = []
    problems: list[PackError] = []
    for count, (entry, label) in enumerate(_walk(root)):
        if count >= MAX_ENTRIES:
            raise PackError(f"more than {MAX_ENTRIES} files and folders")
        problem = _misplaced(entry, label)
        if problem:
            problems.append(PackError(f"{shown(label)}: {problem}"))
        elif _is_yaml(entry.name) and not entry.is_dir(follow_symlinks=False):
            found.append(Found(Path(entry.path), label))
    if len(found) > MAX_FILES:
        raise PackError(f"more than {MAX_FILES} YAML files")
    if not found and not problems:
        raise PackError("holds no rules, no profiles and no suppressions", hint="see `docs/writing-rules.md`")
    return sorted(found, key=lambda each: each.label), problems


def read(file: Found) -> bytes:
    """Return the content of a regular file, at most one byte more than may be.

    Raises:
        PackError: It is no regular file, or cannot be read.
    """
    try:
        descriptor = os.open(file.path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise PackError(f"{shown(file.label)}: cannot be read: {error.strerror}") from error
    with open(descriptor, "rb") as source:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise PackError(f"{shown(file.label)}: is not a regular file")
        return source.read(document.MAX_FILE_BYTES + 1)


def fingerprint(root: Path) -> Fingerprint:
    """Return what differs after any change of a pack's files; empty when it cannot be looked at."""
    states: list[tuple[str, int, int, int, int]] = []
    try:
        for entry, label in _walk(root):
            if len(states) > MAX_ENTRIES:
                break
            found = entry.stat(follow_symlinks=False)
            states.append((label, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns))
    except (OSError, PackError):
        return ()
    return tuple(sorted(states))


def _walk(root: Path) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Yield everything that is not hidden, in folders that could hold rules and in those below the top."""
    for entry in _entries(root, "the folder"):
        yield entry, entry.name
        if entry.is_dir(follow_symlinks=False):
            for inner in _entries(Path(entry.path), shown(entry.name)):
                yield inner, f"{entry.name}/{inner.name}"


def _entries(folder: Path, label: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from (entry for entry in entries if not entry.name.startswith("."))
    except OSError as error:
        raise PackError(f"{label} cannot be read: {error.strerror}") from error


def _misplaced(entry: os.DirEntry[str], label: str) -> str:
    """Return what is wrong with something where it lies; empty for nothing."""
    folder = label.rpartition("/")[0]
    if entry.is_symlink():
        return "is a symbolic link"
    if entry.is_dir(follow_symlinks=False):
        if (not folder and _CATEGORY.fullmatch(entry.name)) or not _holds_yaml(Path(entry.path)):
            return ""
        return _TOO_DEEP if folder else "a category has small letters, digits and '-'"
    if not _is_yaml(entry.name):
        return ""
    if not entry.name.endswith(".yaml"):
        return "must end in .yaml"
    if folder == PROFILES and entry.name not in _OVERLAYS:
        return f"profiles are {', '.join(sorted(_OVERLAYS))}"
    if folder == STEPS:
        return "steps of chains come with the program"
    if not folder and entry.name != SUPPRESSIONS:
        return f"rules lie in <category>/<rule-id>.yaml; at the top only {SUPPRESSIONS}"
    return ""


def _holds_yaml(folder: Path) -> bool:
    return any(_is_yaml(entry.name) for entry in _entries(folder, shown(folder.name)))


def _is_yaml(name: str) -> bool:
    return name.lower().endswith((".yaml", ".yml"))
