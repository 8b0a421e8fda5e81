"""Every command of both programs, with the help it prints."""

from __future__ import annotations

from collections.abc import Iterator

import click

from docs.render.markdown import anchor, block, page

WIDTH = 100


def pages() -> dict[str, str]:
    """Return ``reference/cli.md``."""
    listed = list(commands())
    index = "\n".join(
        f"- [`{name}`](#{anchor(name)}): {command.get_short_help_str(limit=200)}" for name, command in listed
    )
    sections = [f"## {name}\n\n{block(_help(name, command), 'text')}" for name, command in listed]
    codes = "Exit codes: 0 done; 1 refused, failed or a check failed; 2 wrong usage; 130 interrupted."
    return {
        "reference/cli.md": page(
            "Command line", "the commands themselves (`src/defenseclaw/cli/commands/`, `main.py`)",
            f"{codes} `--json`, where there is one, prints one JSON value and nothing else.",
            index, *sections,
        )
    }  # fmt: skip


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command of ``defenseclaw`` and ``defenseclaw-gateway`` under its full name."""
    from defenseclaw.cli import cli
    from defenseclaw.main import main

    yield from _below("defenseclaw", cli)
    yield from _below("defenseclaw-gateway", main)


def _below(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=name)
        for each in command.list_commands(context):
            child = command.get_command(context, each)
            if child is not None and not child.hidden:
                yield from _below(f"{name} {each}", child)


def _help(name: str, command: click.Command) -> str:
    context = click.Context(
        command, info_name=name, terminal_width=WIDTH, help_option_names=["-h", "--help"]
    )
    return "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
