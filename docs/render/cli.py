"""Every command of both programs, with the help it prints."""

from __future__ import annotations

from collections.abc import Iterator

import click

from docs.render.markdown import anchor, block, page

WIDTH = 100


def pages() -> dict[str, str]:
    """Return ``reference/cli.md``."""
    listed = list(contexts())
    index = "\n".join(
        f"- [`{each.command_path}`](#{anchor(each.command_path)}): "
        + each.command.get_short_help_str(limit=200).rstrip(".")
        for each in listed
    )
    sections = [f"## {each.command_path}\n\n{block(_help(each), 'text')}" for each in listed]
    return {
        "reference/cli.md": page(
            "Command line",
            "the commands themselves (`src/defenseclaw/cli/commands/`, `src/defenseclaw/main.py`)",
            "Exit codes: 0 done; 1 refused, failed or a check failed; 2 wrong usage; 130 interrupted. "
            "`--json`, where there is one, prints one JSON value and nothing else.",
            index,
            *sections,
        )
    }


def contexts() -> Iterator[click.Context]:
    """Yield a context for every command of ``defenseclaw`` and ``defenseclaw-gateway``, parents first."""
    from defenseclaw.cli import cli
    from defenseclaw.main import main

    yield from _below(_context(cli, "defenseclaw", None))
    yield from _below(_context(main, "defenseclaw-gateway", None))


def _below(context: click.Context) -> Iterator[click.Context]:
    yield context
    group = context.command
    if isinstance(group, click.Group):
        for name in group.list_commands(context):
            child = group.get_command(context, name)
            if child is not None and not child.hidden:
                yield from _below(_context(child, name, context))


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    settings = {**command.context_settings, "terminal_width": WIDTH}
    return click.Context(command, info_name=name, parent=parent, **settings)


def _help(context: click.Context) -> str:
    return "\n".join(line.rstrip() for line in context.get_help().splitlines())
