"""Small pieces of Markdown, safe for any text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

NOTICE = "<!-- Rendered by `make docs`; edit the source it names, not this page. -->"


def page(title: str, source: str, *parts: str) -> str:
    """Return a whole page: notice, title, where it comes from, and the parts, one empty line between them."""
    return "\n\n".join([NOTICE, f"# {title}", f"Rendered from {source}.", *filter(None, parts)]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; line breaks and bars in cells are made harmless."""
    lines = [_row(head), "|" + "---|" * len(head), *map(_row, rows)]
    return "\n".join(lines)


def code(text: str) -> str:
    """Return one line of literal text; empty for empty text."""
    if not text:
        return ""
    fence = "`" * (_longest_run(text) + 1)
    padding = " " if text.startswith(("`", " ")) or text.endswith(("`", " ")) else ""
    return f"{fence}{padding}{text}{padding}{fence}"


def block(text: str, language: str = "") -> str:
    """Return literal text of any number of lines."""
    fence = "`" * max(3, _longest_run(text) + 1)
    body = text.removesuffix("\n")
    return f"{fence}{language}\n{body}\n{fence}"


def words(text: str) -> str:
    """Return a docstring as Markdown: one paragraph, literals in single backticks."""
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text)
    return " ".join(text.replace("``", "`").split())


def first_sentence(text: str | None) -> str:
    """Return the first paragraph of a docstring as one line."""
    return words((text or "").strip().partition("\n\n")[0])


def anchor(heading: str) -> str:
    """Return the fragment under which a heading is reached."""
    kept = re.sub(r"[^\w\- ]", "", heading.lower())
    return kept.replace(" ", "-")


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", r"\|") for cell in cells) + " |"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)
