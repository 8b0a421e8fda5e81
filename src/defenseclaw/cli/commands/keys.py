"""``defenseclaw keys``: credentials in the owner-only ``.env`` of the data directory."""

from __future__ import annotations

import sys

import click

from defenseclaw.cli.context import App, pass_app
from defenseclaw.cli.output import print_json, print_table, print_warning
from defenseclaw.errors import ConfigError

KNOWN = {
    "DEFENSECLAW_GATEWAY_TOKEN": "Opens the gateway's HTTP API.",
    "OPENCLAW_GATEWAY_TOKEN": "The same under its older name.",
    "DEFENSECLAW_LLM_KEY": "Key of the model that judges, see `guardrail.judge`.",
}
TOKENS = ("DEFENSECLAW_GATEWAY_TOKEN", "OPENCLAW_GATEWAY_TOKEN")
MIN_TOKEN_CHARS = 16


@click.group("keys")
def command() -> None:
    """Store credentials in ~/.defenseclaw/.env (owner-only)."""


@command.command("set")
@click.argument("name")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the value from standard input.")
@click.option("--value", help="The value; every process of this machine can read it while this runs.")
@pass_app
def set_(app: App, name: str, from_stdin: bool, value: str | None) -> None:
    """Store NAME; asks for the value without showing it."""
    from defenseclaw.cli.record import record
    from defenseclaw.config.token import read_env, set_env

    if from_stdin and value is not None:
        raise click.UsageError("--stdin and --value exclude each other")
    if value is not None:
        print_warning(
            "a value on the command line is visible in the process list; prefer the prompt or --stdin"
        )
    elif from_stdin:
        value = sys.stdin.readline().rstrip("\r\n")
    else:
        value = click.prompt(f"Value of {name}", hide_input=True, default="", show_default=False, err=True)
    if not value:
        raise ConfigError(f"no value for {name}", hint="nothing was stored")
    if name in TOKENS and len(value) < MIN_TOKEN_CHARS:
        raise ConfigError(f"{name} is shorter than {MIN_TOKEN_CHARS} characters", hint="nothing was stored")
    app.data.create()
    had_value = bool(read_env(app.data.env_file).get(name))
    replaced = set_env(app.data.env_file, name, value)
    if name not in KNOWN and name not in _named(app):
        print_warning(f"{name} is not a name DefenseClaw reads; stored all the same")
    if app.env.get(name) not in (None, "", value):
        print_warning(f"{name} is set in this environment too, and the environment wins")
    click.echo(f"{name} {'replaced' if replaced else 'stored'} ({masked(value)}) in {app.data.env_file}")
    record(
        app,
        "config-update",
        target_type="credential",
        target=f"dotenv:{name}",
        before={"had_value": had_value},
        after={"had_value": True},
    )


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_app
def list_(app: App, as_json: bool) -> None:
    """Show which credentials are set and where they come from; never their values."""
    from defenseclaw.config.token import read_env

    stored = read_env(app.data.env_file)
    rows = [
        {"env_name": name, "description": KNOWN.get(name, ""), "source": _source(app, stored, name)}
        for name in dict.fromkeys((*KNOWN, *stored))
    ]
    if as_json:
        print_json([{**row, "set": row["source"] != "unset"} for row in rows])
    else:
        print_table(
            ("Name", "Source", "For"), [(row["env_name"], row["source"], row["description"]) for row in rows]
        )


def masked(value: str) -> str:
    """Return first and last characters of a long value, stars for a short one."""
    return f"{value[:4]}…{value[-4:]}" if len(value) >= 24 else "*" * 8


def _named(app: App) -> set[str]:
    """Return the names under which the configuration looks for credentials; none if it does not load."""
    try:
        config = app.config()
    except ConfigError:
        return set()
    return {config.gateway.token_env, config.llm.api_key_env, config.guardrail.judge.llm.api_key_env}


def _source(app: App, stored: dict[str, str], name: str) -> str:
    if app.env.get(name):
        return "env"
    return "dotenv" if stored.get(name) else "unset"
