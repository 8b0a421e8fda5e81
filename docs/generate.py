"""Renders the references from the source: ``python -m docs.generate``, with ``--check`` only compares.

Whole folders are rendered (``reference/``, ``rules/``), so a page whose source is gone goes too.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from docs.render import api, cli, configuration, connectors, errors, facts, rules

DOCS = Path(__file__).resolve().parent
FOLDERS = ("reference", "rules")


def rendered() -> dict[str, str]:
    """Return every generated page by its path below ``docs/``."""
    pages: dict[str, str] = {}
    for module in (api, cli, configuration, connectors, errors, facts, rules):
        pages.update(module.pages())
    return pages


def stale(pages: dict[str, str], root: Path = DOCS) -> list[str]:
    """Return the paths that are missing, differ from ``pages``, or should not be there, sorted."""
    present = {str(path.relative_to(root)) for folder in FOLDERS for path in (root / folder).glob("*")}
    wrong = [name for name, text in pages.items() if not _holds(root / name, text)]
    return sorted({*wrong, *(present - pages.keys())})


def write(pages: dict[str, str], root: Path = DOCS) -> list[str]:
    """Make the folders hold ``pages`` and nothing else; return what was changed."""
    changed = stale(pages, root)
    for name in changed:
        path = root / name
        if name in pages:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(pages[name].encode())
        else:
            path.unlink()
    return changed


def main(arguments: list[str] | None = None) -> int:
    """Write or check; return the exit code."""
    parser = argparse.ArgumentParser(prog="docs.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail naming what is not current")
    pages = rendered()
    if parser.parse_args(arguments).check:
        wrong = stale(pages)
        for name in wrong:
            print(f"docs/{name} is not current: make docs", file=sys.stderr)
        return 1 if wrong else 0
    for name in write(pages):
        print(f"docs/{name}")
    return 0


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


if __name__ == "__main__":
    sys.exit(main())
