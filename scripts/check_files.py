"""Checks text files as they are committed: one newline at the end, no blanks before it, sound YAML and JSON.

Arguments: paths. Prints what is wrong with each and exits 1 when anything is. Used by pre-commit.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

_CONFLICT = (b"<<<<<<< ", b">>>>>>> ")


def problems(path: Path) -> Iterator[str]:
    """Yield what is wrong with one file; binary and empty files are let be."""
    content = path.read_bytes()
    if not content or b"\0" in content:
        return
    lines = content.split(b"\n")
    if lines[-1]:
        yield "no newline at the end"
    elif len(lines) > 2 and not lines[-2].strip():
        yield "blank lines at the end"
    for number, line in enumerate(lines, 1):
        if line != line.rstrip():
            yield f"{number}: blanks or a carriage return at the end of the line"
        if line.startswith(_CONFLICT):
            yield f"{number}: a merge conflict"
    yield from _unsound(path, content)


def _unsound(path: Path, content: bytes) -> Iterator[str]:
    try:
        if path.suffix in (".yaml", ".yml"):
            yaml.compose(content, Loader=yaml.SafeLoader)
        elif path.suffix == ".json":
            json.loads(content)
    except (yaml.YAMLError, ValueError) as error:
        yield f"does not parse: {str(error).splitlines()[0]}"


def main(paths: list[str]) -> int:
    """Check every path; return the exit code."""
    found = [f"{name}: {problem}" for name in paths for problem in problems(Path(name))]
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
