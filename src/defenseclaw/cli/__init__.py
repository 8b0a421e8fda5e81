"""The operator's command line. One module of :mod:`defenseclaw.cli.commands` per command, loaded when used.

Exit codes: 0 done; 1 refused, failed or a check failed; 2 wrong usage; 130 interrupted. Expected errors are
one line and a hint on stderr. Source: ``spec/cli-and-config.md`` §1.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from defenseclaw import __version__
from defenseclaw.cli import commands
from defenseclaw.cli.context import App
from defenseclaw.cli.output import print_error
from defenseclaw.errors import DefenseClawError

INTERRUPTED = 130


class Commands(click.Group):
    """Finds each command in the module of its name, and turns expected errors into exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the modules in the package; nothing is imported for it."""
        found = (name for folder in commands.__path__ for name in os.listdir(folder))
        return sorted(
            name.removesuffix(".py").replace("_", "-")
            for name in found
            if name.endswith(".py") and not name.startswith("_")
        )

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module and return its ``command``."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"{commands.__name__}.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def main(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - click's own signature
        """Run and leave with the exit code."""
        kwargs["standalone_mode"] = False
        try:
            code = super().main(*args, **kwargs)
        except click.Abort:
            code = INTERRUPTED
        except click.ClickException as error:
            error.show()
            code = error.exit_code
        except DefenseClawError as error:
            print_error(error.message, error.hint)
            code = error.exit_code
        except OSError as error:
            name = f": {error.filename}" if error.filename else ""
            print_error(f"{error.strerror or type(error).__name__}{name}")
            code = 1
        sys.exit(code if isinstance(code, int) else 0)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="defenseclaw")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Govern AI agents: every prompt, tool call and result is decided, recorded and explained.

    New here? Type `defenseclaw quickstart`.
    """
    ctx.obj = App.from_env(os.environ)


def main() -> None:
    """Entry point of ``defenseclaw``."""
    cli(prog_name="defenseclaw")
