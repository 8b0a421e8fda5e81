"""What ``doctor`` looks at: each check is a function of the run that returns rows, and never raises."""

from __future__ import annotations

import contextlib
import json
import shutil
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from defenseclaw import __version__
from defenseclaw.cli.agents import survey
from defenseclaw.cli.client import version_in
from defenseclaw.cli.context import App
from defenseclaw.cli.installing import has_residue
from defenseclaw.cli.validation import load_rules, rule_packs
from defenseclaw.config import document, files, keys
from defenseclaw.config.load import configured_connectors, load, posture
from defenseclaw.config.schema import Config
from defenseclaw.config.token import CANONICAL, resolve_token
from defenseclaw.connectors.base import Check, SetupOptions, by_any_name, registry
from defenseclaw.errors import DefenseClawError, Unavailable

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
        ("Audit store", lambda: _check_store(app)),
        ("Sidecar API", lambda: _check_gateway(app, config)),
        ("curl", lambda: _check_curl(app)),
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
            rules = load_rules(pack)
        except DefenseClawError as error:
            yield Check(status="fail", label=label, detail=error.message, mend="defenseclaw config validate")
        else:
            yield Check(status="pass", label=label, detail=f"{len(rules.rules)} rules")


def _check_permissions(app: App) -> Iterator[Check]:
    root = app.data.root
    if not root.is_dir():
        yield Check(
            status="fail", label="Data directory", detail=f"{root} does not exist", mend="defenseclaw init"
        )
        return
    open_to_others = [
        path
        for path in (root, app.data.config, app.data.env_file, app.data.audit_db, app.data.hooks)
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    for path in open_to_others:
        mode = "700" if path.is_dir() else "600"
        yield Check(
            status="fail",
            label="Data directory",
            detail=f"{path} is open to other users",
            mend=f"chmod {mode} {path}",
        )
    if not open_to_others:
        yield Check(status="pass", label="Data directory", detail=f"{root} is closed to other users")


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


def _check_gateway(app: App, config: Config) -> Iterator[Check]:
    gateway = app.gateway(config)
    try:
        health = gateway.send("GET", "/health")
    except Unavailable as error:
        yield Check(status="fail", label="Sidecar API", detail=error.message, mend=START)
        yield Check(status="skip", label="Gateway readiness", detail="the gateway does not answer")
        return
    if health.status != 200:
        yield Check(
            status="fail", label="Sidecar API", detail=f"/health answers {health.status}", mend=RESTART
        )
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
    found = shutil.which("curl", path=app.env.get("PATH"))
    if found:
        yield Check(status="pass", label="curl", detail=found)
    else:
        yield Check(
            status="fail",
            label="curl",
            detail="hook scripts need it and PATH has none",
            mend="install curl with the package manager of this system",
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
        yield from registry()[agent.name].check(host, options)
    for name in configured_connectors(config):
        if by_any_name(name) is None:
            yield Check(
                status="fail",
                label=f"Connector [{name}]",
                detail="no connector has this name",
                mend=f"defenseclaw config set {_key_naming(config, name)} --unset",
            )


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
    problem, summary = integrity(path)
    if problem:
        yield Check(status="fail", label="Audit store", detail=problem, mend="defenseclaw audit verify")
    else:
        yield Check(status="pass", label="Audit store", detail=summary)
