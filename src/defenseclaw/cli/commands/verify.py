"""``defenseclaw verify``."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from defenseclaw.cli.context import App, pass_app
from defenseclaw.cli.output import print_json, print_table, printable

if TYPE_CHECKING:
    from defenseclaw.config.schema import Config
    from defenseclaw.connectors.base import Connector
    from defenseclaw.verification.record import Proof


@click.command()
@click.argument("connector", required=False)
@click.option(
    "--project",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Run the agent in this folder, with its project's own settings; default: a scratch one.",
)
@click.option("--show-output", is_flag=True, help="Show on stderr what the agent printed.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_app
def command(app: App, connector: str | None, project: Path | None, show_output: bool, as_json: bool) -> None:
    """Prove that an agent is really governed, with a canary through the agent itself.

    Runs the agent once, with its real configuration but a stand-in for its model on this machine, and has it
    try something harmless that the policy denies. Exit 1 when anything was not enforced or not proven.
    """
    from defenseclaw.verification.run import CannotVerify

    config = app.config()
    _need_gateway(app, config)
    named = connector is not None
    chosen = [_named(app, config, connector)] if connector is not None else _governed(config)
    proofs: list[Proof] = []
    skipped: dict[str, str] = {}
    for each in chosen:
        if not as_json:
            click.echo(f"Verifying {each.title} …", err=True)
        try:
            with _ended_like_an_interrupt():
                proofs.append(_verify(app, config, each, project, show_output))
        except CannotVerify as error:
            if named:
                raise
            skipped[each.name] = error.message
    if as_json:
        print_json({"verified": [proof.as_json() for proof in proofs], "skipped": skipped})
    else:
        _print(proofs, skipped)
    if any(str(proof.outcome) not in ("enforced", "observed") for proof in proofs):
        raise click.exceptions.Exit(1)


@contextmanager
def _ended_like_an_interrupt() -> Iterator[None]:
    """Let SIGTERM unwind as Ctrl-C does, so that the agent and the scratch directory do not stay behind."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _need_gateway(app: App, config: Config) -> None:
    """Without a gateway nothing can be enforced, and there is nothing to find out."""
    from defenseclaw import daemon
    from defenseclaw.errors import Unavailable

    if not daemon.is_answering(app.address(config)):
        raise Unavailable(
            "the gateway is not running, so nothing is enforced", hint="defenseclaw-gateway start"
        )


def _named(app: App, config: Config, name: str) -> Connector:
    from defenseclaw.connectors.base import by_any_name, registry

    found = by_any_name(name)
    if found is None:
        known = ", ".join(each.command_name for each in registry().values())
        raise click.BadParameter(f"{name!r} is no agent we know: {known}")
    if found not in _governed(config):
        from defenseclaw.errors import SetupError

        raise SetupError(
            f"{found.title} is not governed here", hint=f"defenseclaw setup {found.command_name}"
        )
    return found


def _governed(config: Config) -> list[Connector]:
    from defenseclaw.config.load import active_connectors
    from defenseclaw.connectors.base import by_any_name
    from defenseclaw.errors import SetupError

    found = [known for name in active_connectors(config) if (known := by_any_name(name)) is not None]
    if not found:
        raise SetupError("no agent is governed here", hint="defenseclaw setup")
    return found


def _verify(app: App, config: Config, connector: Connector, project: Path | None, show: bool) -> Proof:
    from defenseclaw.cli.record import record
    from defenseclaw.config.load import posture
    from defenseclaw.verification import record as kept
    from defenseclaw.verification.run import Order, verify

    order = Order(
        connector=connector,
        host=app.host(config),
        posture=posture(config, connector.name),
        audit_db=app.data.audit_db,
        failure_log=app.data.hook_failures,
        project=project.absolute() if project is not None else None,
        **({"show": lambda text: click.echo(printable_lines(text), err=True)} if show else {}),
    )
    proof = verify(order)
    kept.keep(app.data.root, proof)
    record(
        app,
        "agent-verify",
        target_type="connector",
        target=connector.name,
        after={"outcome": str(proof.outcome), "agent_version": proof.agent_version, "mode": proof.mode},
        connector=connector.name,
    )
    return proof


def printable_lines(text: str) -> str:
    """Return what an agent printed, line by line, fit for a terminal."""
    return "\n".join(printable(line) for line in text.splitlines())


def _print(proofs: list[Proof], skipped: dict[str, str]) -> None:
    for proof in proofs:
        version = f" {proof.agent_version}" if proof.agent_version else ""
        rows: list[tuple[Any, ...]] = [
            (each.subject, each.event, each.outcome, each.detail) for each in proof.findings
        ]
        click.echo(f"\n{proof.title}{version} ({proof.mode}, fail {proof.fail_mode}): {proof.outcome}")
        print_table(("What", "Event", "Outcome", "Detail"), rows)
        for cause in proof.causes:
            click.echo(f"  {printable(cause)}")
        if proof.causes:
            click.echo(
                "  `defenseclaw doctor` says what mends it; "
                f"`defenseclaw setup {proof.connector}` sets it up anew"
            )
        if proof.refused_hosts:
            click.echo(f"  kept from reaching: {', '.join(map(printable, proof.refused_hosts))}")
    for name, why in skipped.items():
        click.echo(f"{name}: {why}")
