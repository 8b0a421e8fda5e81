"""What ``doctor`` looks at: each check is a function of the run that returns rows, and never raises."""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import socket
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from defenseclaw import __version__, daemon
from defenseclaw.cli.agents import Agent, survey
from defenseclaw.cli.client import version_in
from defenseclaw.cli.context import App
from defenseclaw.cli.installing import has_residue
from defenseclaw.cli.validation import load_pack, rule_packs
from defenseclaw.config import document, files, keys
from defenseclaw.config.load import configured_connectors, load, posture
from defenseclaw.config.schema import Config
from defenseclaw.config.token import CANONICAL, resolve_token
from defenseclaw.connectors import files as backups
from defenseclaw.connectors import hookscript
from defenseclaw.connectors.base import (
    Check,
    Connector,
    Host,
    SetupOptions,
    by_any_name,
    registry,
    third_party,
)
from defenseclaw.errors import DefenseClawError, Unavailable
from defenseclaw.inspection import utc_now
from defenseclaw.packs import Pack
from defenseclaw.verification.record import standing

START = "defenseclaw-gateway start"
RESTART = "defenseclaw-gateway restart"
FAILURES_READ_BYTES = 64 * 1024
"""How much of the end of the failure log is looked at."""


def run_checks(app: App) -> list[Check]:
    """Return all rows in order. A check that breaks is a failed row, never an exception."""
    config, problem = _configuration(app)
    rows = _guarded("Configuration", lambda: _check_configuration(app, problem))
    for label, check in (
        ("Rule pack", lambda: _check_packs(config)),
        ("Data directory", lambda: _check_permissions(app)),
        ("Gateway token", lambda: _check_token(app, config)),
        ("LLM judge", lambda: _check_judge(app, config)),
        ("Audit store", lambda: _check_store(app)),
        ("Sidecar API", lambda: _check_gateway(app, config)),
        ("curl", lambda: _check_curl(app)),
        ("Hooks", lambda: _check_switch(app)),
        ("Connectors", _check_third_party),
        ("Agents", lambda: _check_agents(app, config)),
        ("Connector residue", lambda: _check_residue(app, config)),
        ("Hook failures", lambda: _check_failures(app)),
    ):
        rows += _guarded(label, check)
    return rows


def _guarded(label: str, check: Callable[[], Iterator[Check]]) -> list[Check]:
    rows: list[Check] = []
    try:
        rows.extend(check())
    except DefenseClawError as error:
        rows.append(Check(status="fail", label=label, detail=error.message, mend=error.hint))
    except OSError as error:
        rows.append(Check(status="fail", label=label, detail=f"{error.filename}: {error.strerror}"))
    return rows


def _configuration(app: App) -> tuple[Config, DefenseClawError | None]:
    try:
        return load(app.data.config), None
    except DefenseClawError as error:
        return Config(), error


def _check_configuration(app: App, problem: DefenseClawError | None) -> Iterator[Check]:
    path = app.data.config
    if problem is not None:
        mend = f"edit {path}, then `defenseclaw config validate`"
        yield Check(status="fail", label="Configuration", detail=problem.message, mend=mend)
        return
    content = files.read_bounded(path, document.MAX_BYTES)
    if content is None:
        yield Check(
            status="warn",
            label="Configuration",
            detail=f"{path} does not exist; defaults hold",
            mend="defenseclaw init",
        )
        return
    unknown = keys.unknown_keys(document.parse(content, str(path)).data)
    if unknown:
        listed = ", ".join(unknown[:5])
        yield Check(
            status="warn",
            label="Configuration",
            detail=f"unknown keys are ignored: {listed}",
            mend=f"edit {path}",
        )
    else:
        yield Check(status="pass", label="Configuration", detail=str(path))


def _check_packs(config: Config) -> Iterator[Check]:
    for pack in rule_packs(config):
        label = f"Rule pack [{pack}]"
        try:
            loaded = load_pack(pack)
        except DefenseClawError as error:
            mend = " && ".join(_without_pack(config, pack))
            yield Check(status="fail", label=label, detail=error.message, mend=mend)
        else:
            yield Check(status="pass", label=label, detail=_contents(loaded))
            for entry in loaded.suppressions.expired(utc_now()):
                detail = f"suppression {entry.id} ended {entry.until}: its findings count again"
                mend = f"take it out of {loaded.folder}/{entry.place}, or give it another end"
                yield Check(status="warn", label=label, detail=detail, mend=mend)
            yield from _check_writers(label, loaded)


def _check_writers(label: str, pack: Pack) -> Iterator[Check]:
    """Yield a row when others than its owner may change a pack: who changes it changes what is found."""
    if pack.folder is None:
        return
    places = (pack.folder, *sorted(pack.folder.rglob("*")))
    open_to_others = [path for path in places if not path.is_symlink() and path.stat().st_mode & 0o022]
    if open_to_others:
        yield Check(
            status="warn",
            label=label,
            detail=f"other users may change {open_to_others[0]}",
            mend=f"chmod -R go-w {shlex.quote(str(pack.folder))}",
        )


def _contents(pack: Pack) -> str:
    counted = [f"{len(pack.rules)} rules"]
    if pack.folder is not None:
        counted += [f"{len(pack.own)} of them in {pack.folder}"]
    if pack.suppressions:
        counted += [f"{len(pack.suppressions)} suppressions"]
    return ", ".join(counted)


def _without_pack(config: Config, pack: str) -> Iterator[str]:
    """Yield what takes ``pack`` out of use wherever it is named."""
    for name, own in config.guardrail.connectors.items():
        if own.rule_pack_dir == pack:
            yield f"defenseclaw config set guardrail.connectors.{name}.rule_pack_dir --unset"
    if config.guardrail.rule_pack_dir == pack:
        yield "defenseclaw config set guardrail.rule_pack_dir default"


def _check_permissions(app: App) -> Iterator[Check]:
    root = app.data.root
    if not root.is_dir():
        yield Check(
            status="fail", label="Data directory", detail=f"{root} does not exist", mend="defenseclaw init"
        )
        return
    exposed = [path for path in (root, *sorted(root.rglob("*"))) if _is_exposed(path)]
    if exposed:
        shown = ", ".join(map(str, exposed[:3])) + (f" and {len(exposed) - 3} more" if exposed[3:] else "")
        yield Check(
            status="fail",
            label="Data directory",
            detail=f"open to other users: {shown}",
            mend=f"chmod -R go-rwx {shlex.quote(str(root))}",
        )
    else:
        yield Check(status="pass", label="Data directory", detail=f"{root} is closed to other users")


def _is_exposed(path: Path) -> bool:
    """Whether others may read, change or enter it; what vanished meanwhile is not there to expose."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    return not stat.S_ISLNK(found.st_mode) and bool(stat.S_IMODE(found.st_mode) & 0o077)


def _check_token(app: App, config: Config) -> Iterator[Check]:
    token = resolve_token(config, app.data.env_file, app.env)
    if token is None:
        yield Check(status="fail", label="Gateway token", detail="none is set", mend="defenseclaw init")
    elif token.source == "gateway.token":
        yield Check(
            status="warn",
            label="Gateway token",
            detail=f"in plain text in {app.data.config}",
            mend=f"defenseclaw keys set {CANONICAL}, then defenseclaw config set gateway.token --unset",
        )
    else:
        yield Check(status="pass", label="Gateway token", detail=token.source)


def _check_judge(app: App, config: Config) -> Iterator[Check]:
    """Say whether the judge can be asked as configured; nothing while it is off."""
    judge = config.guardrail.judge
    if not judge.enabled:
        return
    from defenseclaw.second_opinion import settings_of

    settings = settings_of(config, app.data.env_file, app.env)
    asked = f"{settings.format}/{settings.models[0].name} at {settings.address.authority}"
    if judge.hook_connectors:
        detail = f"{asked}, for {', '.join(judge.hook_connectors)}"
        yield Check(status="pass", label="LLM judge", detail=detail)
    else:
        yield Check(
            status="warn",
            label="LLM judge",
            detail=f"{asked}, but for no agent: `guardrail.judge.hook_connectors` is empty",
            mend='defenseclaw config set guardrail.judge.hook_connectors "*"',
        )


def _check_gateway(app: App, config: Config) -> Iterator[Check]:
    gateway = app.gateway(config)
    try:
        health = gateway.send("GET", "/health")
    except Unavailable as error:
        yield _no_gateway(app, config, error.message)
        yield Check(status="skip", label="Gateway readiness", detail="the gateway does not answer")
        return
    if health.status != 200 or "provenance" not in health.body:
        detail = f"what answers at {gateway.url} is not a DefenseClaw gateway"
        yield _no_gateway(app, config, detail)
        return
    running = version_in(health.body)
    if running and running != __version__:
        yield Check(
            status="warn",
            label="Sidecar API",
            detail=f"{gateway.url} runs {running}, installed is {__version__}",
            mend=RESTART,
        )
    else:
        yield Check(status="pass", label="Sidecar API", detail=f"{gateway.url} {running}".rstrip())
    yield _readiness(app, config)


def _no_gateway(app: App, config: Config, detail: str) -> Check:
    """Return the row that tells a gateway that hangs, one that is down, and somebody else on its port."""
    host, port = app.address(config)
    if daemon.PidFile(app.data.pid_file).running() is not None:
        mend = RESTART
    elif not _is_taken(host, port):
        mend = START
    else:
        detail = f"port {port} is taken by another program: {detail}"
        mend = f"defenseclaw config set gateway.api_port {_free_port(host, port)} && {START}"
    return Check(status="fail", label="Sidecar API", detail=detail, mend=mend)


def _is_taken(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def _free_port(host: str, taken: int) -> int:
    """Return a port near ``taken`` on which nothing listens."""
    near = (port for port in range(taken + 1, min(taken + 100, 65536)) if not _is_taken(host, port))
    return next(near, 18970)


def _readiness(app: App, config: Config) -> Check:
    ready = app.gateway(config).send("GET", "/ready")
    if ready.status == 200:
        return Check(status="pass", label="Gateway readiness", detail="verdicts are recorded")
    if ready.status == 401:
        return Check(
            status="fail",
            label="Gateway readiness",
            detail="the running gateway does not take our token",
            mend=RESTART,
        )
    said = str(ready.body.get("error") or ready.body.get("status") or f"HTTP {ready.status}")
    return Check(
        status="fail",
        label="Gateway readiness",
        detail=said,
        mend=f"read {app.data.log_file}, then {RESTART}",
    )


def _check_curl(app: App) -> Iterator[Check]:
    found = hookscript.find_curl()
    if found:
        yield Check(status="pass", label="curl", detail=found)
        return
    managers = {"apt-get": "apt-get install curl", "dnf": "dnf install curl", "apk": "apk add curl"}
    install = next(
        (f"sudo {how}" for tool, how in managers.items() if shutil.which(tool, path=app.env.get("PATH"))),
        "install curl with the package manager of this system",
    )
    places = ", ".join(hookscript.CURL_PATHS)
    yield Check(status="fail", label="curl", detail=f"hook scripts need it; not at {places}", mend=install)


def _check_switch(app: App) -> Iterator[Check]:
    switch = app.data.root / ".disabled"
    if switch.exists():
        yield Check(
            status="fail",
            label="Hooks",
            detail=f"{switch} switches every hook off: agents are not governed and nothing is recorded",
            mend=f"rm {shlex.quote(str(switch))}",
        )


def _check_third_party() -> Iterator[Check]:
    """Name the connectors of other distributions, and those that are left out."""
    found = third_party()
    for name, origin in found.origins.items():
        yield Check(status="pass", label=f"Connector [{name}]", detail=f"from {origin}")
    for each in found.left_out:
        yield Check(
            status="warn",
            label=f"Connector [{each.name}]",
            detail=f"of {each.origin} is left out: {each.reason}",
            mend=f"update or uninstall {each.origin}",
        )


def _check_agents(app: App, config: Config) -> Iterator[Check]:
    host = app.host(config)
    for agent in survey(app, config):
        if not agent.configured:
            detail = f"found{f' ({agent.version})' if agent.version else ''}, not governed"
            if agent.found:
                yield Check(
                    status="skip",
                    label=agent.title,
                    detail=detail,
                    mend=f"defenseclaw setup {agent.command}",
                )
            continue
        if not agent.enabled:
            yield Check(status="skip", label=agent.title, detail="switched off in the configuration")
            continue
        chosen = posture(config, agent.name)
        options = SetupOptions(mode=chosen.mode, fail_mode=chosen.fail_mode)
        yield Check(
            status="pass", label=f"Mode [{agent.name}]", detail=f"{chosen.mode}, fail {chosen.fail_mode}"
        )
        connector = registry()[agent.name]
        yield from connector.check(host, options)
        yield _check_backups(host, connector)
        if connector.canary is not None and agent.found:
            yield _check_proof(app, agent)
    for name in configured_connectors(config):
        if by_any_name(name) is None:
            yield Check(
                status="fail",
                label=f"Connector [{name}]",
                detail="no connector has this name",
                mend=f"defenseclaw config set {_key_naming(config, name)} --unset",
            )


def _check_backups(host: Host, connector: Connector) -> Check:
    """Return whether a removal could put the agent's files back as they were."""
    label, mend = f"Originals [{connector.name}]", f"defenseclaw setup {connector.command_name}"
    folder = backups.folder(host, connector.name)
    try:
        kept = backups.backups(host, connector.name)
    except DefenseClawError as error:
        mend = f"rm -r {shlex.quote(str(folder))} && {mend}"
        return Check(status="fail", label=label, detail=error.message, mend=mend)
    if not kept:
        detail = f"none are kept in {folder}; a removal would only clean the agent's files"
        return Check(status="warn", label=label, detail=detail, mend=mend)
    return Check(status="pass", label=label, detail=f"{len(kept)} kept in {folder}")


def _check_proof(app: App, agent: Agent) -> Check:
    """Return what a verification proved, as far as it still holds."""
    label, mend = f"Proven [{agent.name}]", f"defenseclaw verify {agent.command}"
    known = standing(app.data.root, agent.name, agent.version, agent.mode, agent.fail_mode)
    words = known.words(datetime.now(UTC))
    if known.proof is None:
        return Check(status="skip", label=label, detail=words, mend=mend)
    if known.changed:
        return Check(status="warn", label=label, detail=words, mend=mend)
    status = {"enforced": "pass", "observed": "pass", "not enforced": "fail"}.get(known.proof.outcome, "warn")
    return Check(status=status, label=label, detail=words, mend="" if status == "pass" else mend)


def _key_naming(config: Config, name: str) -> str:
    if config.guardrail.connector.lower() == name:
        return "guardrail.connector"
    written = next((each for each in config.guardrail.connectors if each.lower() == name), name)
    return f"guardrail.connectors.{written}"


def _check_residue(app: App, config: Config) -> Iterator[Check]:
    host = app.host(config)
    configured = {known.name for name in configured_connectors(config) if (known := by_any_name(name))}
    left = [
        connector
        for connector in registry().values()
        if connector.name not in configured
        and ((app.data.backups / connector.name).is_dir() or has_residue(host, connector))
    ]
    for connector in left:
        yield Check(
            status="fail",
            label="Connector residue",
            detail=f"{connector.title} still carries our entries but is not configured",
            mend=f"defenseclaw setup remove {connector.command_name}",
        )
    if not left:
        yield Check(status="pass", label="Connector residue", detail="none")


def _check_failures(app: App) -> Iterator[Check]:
    path = app.data.hook_failures
    since = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    recent = [each for each in _last_failures(path) if str(each.get("ts", "")) >= since]
    if not recent:
        yield Check(status="pass", label="Hook failures", detail="none in the last 24 hours")
        return
    last = recent[-1]
    yield Check(
        status="warn",
        label="Hook failures",
        detail=f"{len(recent)} in the last 24 hours; last: {last.get('connector')}, {last.get('reason')}",
        mend=f"read {path}",
    )


def _last_failures(path: Path) -> list[dict[str, Any]]:
    """Return the decodable lines at the end of the log."""
    if not path.is_file():
        return []
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - FAILURES_READ_BYTES))
        lines = log.read(FAILURES_READ_BYTES).splitlines()
    found = []
    for line in lines:
        with contextlib.suppress(ValueError, RecursionError):
            decoded = json.loads(line)
            if isinstance(decoded, dict):
                found.append(decoded)
    return found


def _check_store(app: App) -> Iterator[Check]:
    from defenseclaw.cli.history import integrity

    path: Path = app.data.audit_db
    if not path.exists():
        yield Check(
            status="skip",
            label="Audit store",
            detail="nothing recorded yet; the gateway creates it",
            mend=START,
        )
        return
    try:
        problem, summary = integrity(path)
    except DefenseClawError as error:
        problem, summary = error.message, ""
    if problem:
        yield Check(status="fail", label="Audit store", detail=problem, mend=_new_store(app))
    else:
        yield Check(status="pass", label="Audit store", detail=summary)


def _new_store(app: App) -> str:
    """Return what puts a damaged store aside, for whoever looks into it, and begins a new one."""
    aside = shlex.quote(str(app.data.root / f"damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}"))
    store = shlex.quote(str(app.data.audit_db))
    moved = f"mkdir -m 700 {aside} && mv {store}* {aside}"
    return f"defenseclaw-gateway stop && {moved} && {START}"
