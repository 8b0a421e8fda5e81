"""``defenseclaw config``: show, get, set, validate, path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from defenseclaw.cli.context import App, pass_app
from defenseclaw.cli.output import print_error, print_json, print_table, print_warning, printable
from defenseclaw.errors import ConfigError, DefenseClawError

if TYPE_CHECKING:
    from defenseclaw.config.schema import Config

MASK = "********"


@click.group("config")
def command() -> None:
    """Read and change config.yaml; comments and order are kept."""


@command.command()
@click.option("--format", "form", type=click.Choice(["yaml", "json"]), default="yaml", help="Default: yaml.")
@click.option("--json", "as_json", is_flag=True, help="Same as --format json.")
@click.option("--reveal", is_flag=True, help="Print secrets too.")
@pass_app
def show(app: App, form: str, as_json: bool, reveal: bool) -> None:
    """Print the whole configuration in force, defaults included; secrets are masked."""
    resolved = _resolved(app.config(), reveal=reveal)
    if as_json or form == "json":
        print_json(resolved)
        return
    import yaml

    click.echo(yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True), nl=False)


@command.command()
@click.argument("key")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--reveal", is_flag=True, help="Print secrets too.")
@pass_app
def get(app: App, key: str, as_json: bool, reveal: bool) -> None:
    """Print the value of KEY, for example guardrail.mode; a section prints as JSON."""
    value: Any = _resolved(app.config(), reveal=reveal)
    try:
        for name in key.split("."):
            value = value[name]
    except (KeyError, TypeError):
        _require_key(key)
        value = None
    if as_json or isinstance(value, dict | list):
        print_json(value)
    else:
        shown = (
            {True: "true", False: "false", None: ""}.get(value) if isinstance(value, bool | None) else value
        )
        click.echo(printable(str(shown)))


@command.command("set")
@click.argument("key")
@click.argument("value", required=False)
@click.option("--unset", is_flag=True, help="Remove KEY: back to its default, or to what it inherits.")
@pass_app
def set_(app: App, key: str, value: str | None, unset: bool) -> None:
    """Set KEY to VALUE, for example: config set guardrail.mode action. Lists are comma-separated."""
    from defenseclaw.cli.validation import validate_candidate
    from defenseclaw.config import edit, keys

    if unset == (value is not None):
        raise click.UsageError("give a VALUE or --unset")
    if key == "gateway.token" and value:
        raise ConfigError(
            "a token on the command line can be read by every process",
            hint="use `defenseclaw keys set DEFENSECLAW_GATEWAY_TOKEN`, which asks for it",
        )
    app.data.create()
    before = app.config()
    new = edit.UNSET if value is None else keys.parse_value(key, value)
    changed = edit.set_value(app.data.config, key, new, validate=validate_candidate)
    click.echo(f"{key}: {'saved' if changed else 'unchanged'} in {app.data.config}")
    if changed:
        from defenseclaw.cli.installing import refresh_runtime
        from defenseclaw.cli.record import record_config_change

        for problem in refresh_runtime(app):
            print_warning(problem)
        record_config_change(app, before)
        if _waits_for_restart(app, key):
            click.echo("The running gateway takes this up with `defenseclaw-gateway restart`.")


@command.command()
@click.option("-q", "--quiet", is_flag=True, help="Only the exit code.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_app
def validate(app: App, quiet: bool, as_json: bool) -> None:
    """Check config.yaml and the rule packs it names; exit 1 when it would be refused."""
    problem, hint, warnings = _problems(app)
    if as_json:
        print_json(
            {"ok": not problem, "config": str(app.data.config), "error": problem, "warnings": warnings}
        )
    elif not quiet:
        for warning in warnings:
            print_warning(warning)
        if problem:
            print_error(problem, hint)
        else:
            click.echo(f"{app.data.config}: valid")
    if problem:
        raise click.exceptions.Exit(1)


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_app
def path(app: App, as_json: bool) -> None:
    """Show where everything is kept and what of it exists."""
    data = app.data
    places = {
        "data_dir": data.root,
        "config": data.config,
        "dotenv": data.env_file,
        "audit_db": data.audit_db,
        "journal": data.journal,
        "log": data.log_file,
        "hooks": data.hooks,
        "backups": data.backups,
    }
    if as_json:
        print_json({name: {"path": str(place), "exists": place.exists()} for name, place in places.items()})
        return
    print_table(
        ("", "What", "Path"),
        [("✓" if place.exists() else "·", name, place) for name, place in places.items()],
    )


def _resolved(config: Config, *, reveal: bool) -> dict[str, Any]:
    """Return every key with its value in force, secrets masked unless revealed."""
    import msgspec

    def plain(value: Any) -> Any:  # noqa: ANN401 - any node of the configuration
        if isinstance(value, msgspec.Struct):
            return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
        if isinstance(value, dict):
            return {name: plain(item) for name, item in value.items()}
        return value

    resolved: dict[str, Any] = plain(config)
    if resolved["gateway"]["token"] and not reveal:
        resolved["gateway"]["token"] = MASK
    return resolved


def _waits_for_restart(app: App, key: str) -> bool:
    """Whether a gateway runs that will not take the change of this key up by itself."""
    from defenseclaw.config.load import RESTART_ONLY
    from defenseclaw.daemon import PidFile

    if PidFile(app.data.pid_file).running() is None:
        return False
    return key in RESTART_ONLY or app.config().gateway.config_reload.mode == "restart"


def _require_key(key: str) -> None:
    """Accept a key that exists but is not set.

    Raises:
        ConfigError: there is no such key.
    """
    from defenseclaw.config.keys import find

    find(key)


def _problems(app: App) -> tuple[str, str, list[str]]:
    """Return what refuses the file (empty for nothing), the hint, and what is merely odd."""
    from defenseclaw.cli.validation import validate_candidate
    from defenseclaw.config import document, files, keys, load

    path = app.data.config
    try:
        content = files.read_bounded(path, document.MAX_BYTES)
        if content is None:
            return f"{path} does not exist", "write it with `defenseclaw init`", []
        config = load.loads(content, origin=str(path))
        parsed = document.parse(content, str(path))
        warnings = [f"{name} is not a key here; it is ignored" for name in keys.unknown_keys(parsed.data)]
        if config.gateway.token:
            warnings.append("gateway.token holds a secret in plain text; prefer `defenseclaw keys set`")
        validate_candidate(config)
    except DefenseClawError as error:
        return error.message, error.hint, []
    return "", "", warnings
