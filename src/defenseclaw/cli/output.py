"""What people and programs read: tables, JSON, errors, questions.

Text that agents had a hand in never reaches the terminal raw: control and invisible characters are shown
as escapes. Colour follows ``NO_COLOR`` and whether the output is a terminal.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from defenseclaw.errors import DefenseClawError

if TYPE_CHECKING:
    from rich.console import Console

PIPED_WIDTH = 160
"""Columns where the output is no terminal, so that rows stay on one line for other programs."""

STYLES = {
    "CRITICAL": "bold red",
    "HIGH": "red",
    "MEDIUM": "yellow",
    "LOW": "cyan",
    "pass": "green",
    "allow": "green",
    "warn": "yellow",
    "alert": "yellow",
    "confirm": "yellow",
    "skip": "dim",
    "fail": "bold red",
    "block": "bold red",
}
"""Colour of a cell by its whole content."""


def printable(text: str) -> str:
    """Return ``text`` with control, formatting and other invisible characters as ``\\x..`` escapes."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def print_json(value: object) -> None:
    """Print one JSON value, indented, and nothing else."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def print_error(message: str, hint: str = "") -> None:
    """Print what happened and what to do about it, on stderr."""
    click.echo(f"error: {printable(message)}", err=True)
    if hint:
        click.echo(f"  hint: {printable(hint)}", err=True)


def print_warning(message: str) -> None:
    """Print one line on stderr."""
    click.echo(f"warning: {printable(message)}", err=True)


def console() -> Console:
    """Return a console on the present stdout."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else PIPED_WIDTH
    return Console(width=width, highlight=False, no_color="NO_COLOR" in os.environ or None)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> None:
    """Print rows under bold headings; the last column takes the room that is left."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column != columns[-1])
    for row in rows:
        cells = [printable("" if cell is None else str(cell)) for cell in row]
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in cells))
    console().print(table)


def print_heading(text: str) -> None:
    """Print an empty line and a heading."""
    click.echo()
    click.secho(printable(text), bold="NO_COLOR" not in os.environ)


def print_fields(pairs: Iterable[tuple[str, object]]) -> None:
    """Print ``name  value`` lines, the values aligned."""
    shown = [(name, printable(str(value))) for name, value in pairs]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        click.echo(f"{name:<{width}}  {value}")


def confirm(question: str, *, yes: bool) -> None:
    """Ask ``question [y/N]`` unless ``yes``; return only when the answer is yes.

    Raises:
        DefenseClawError: the answer was no, or there was nobody to ask.
    """
    if yes:
        return
    click.echo(f"{question} [y/N] ", nl=False, err=True)
    answer = sys.stdin.readline()
    if not answer:
        click.echo(err=True)
        raise DefenseClawError("not confirmed; nothing was changed", hint="add --yes to go ahead unasked")
    if answer.strip().lower() not in ("y", "yes"):
        raise DefenseClawError("not confirmed; nothing was changed")
