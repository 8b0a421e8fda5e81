"""One verification: stage, model, agent, evidence, verdict.

Two turns of the agent. In the first the model asks for a command, for a file to be read and for a sub-agent
that runs a command; in the second the prompt itself is what must be refused. Each attempt has a marker of its
own, so that nothing is credited for anything else.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from defenseclaw.connectors.base import Connector, Detected, Host, SetupOptions
from defenseclaw.connectors.canary import Canary, Stage
from defenseclaw.errors import SetupError
from defenseclaw.verification import evidence, markers, process, record
from defenseclaw.verification.model import Model, Step
from defenseclaw.verification.verdicts import Finding, Outcome, Recorded, Seen, Subject, judge, overall
from defenseclaw.vocabulary import Posture

PROMPT = "Do the next step."
_DELEGATE = "delegate"
_TOLD = "DefenseClaw"
_NAME = "defenseclaw-verify-"


class CannotVerify(SetupError):
    """This agent cannot be verified here; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be verified."""

    connector: Connector
    host: Host
    posture: Posture
    """What the operator chose for this connector."""
    audit_db: Path
    failure_log: Path
    project: Path | None = None
    """Run the agent in this folder, with what its project files do to it; None: in a scratch one."""
    show: Callable[[str], None] = field(default=lambda _text: None)
    """Is given what the agent printed."""


def verify(order: Order) -> record.Proof:
    """Run the agent and return what that proves; nothing is kept.

    Raises:
        CannotVerify: the agent is not there, or cannot be run without touching its configuration.
        StoreUnavailable: the audit store cannot be read.
        SetupError: a file of the setup cannot be read.
    """
    connector, host = order.connector, order.host
    canary = connector.canary
    detected = connector.detect(host)
    if canary is None:
        raise CannotVerify(f"{connector.title} cannot be run headless against a model of ours")
    if not detected.found:
        raise CannotVerify(f"{connector.title} is not installed here")
    began = datetime.now(UTC)
    since = began.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    files = record.digests(host.data_dir, _files(order))
    project = order.project or canary.project(host)
    with _staged(detected, project) as (model, stage):
        hindrance = canary.hindrance(host, stage)
        if hindrance:
            raise CannotVerify(f"{connector.title} cannot be verified here: {hindrance}")
        attempts, ended = _attempts(order, canary, model, stage)
        rows = evidence.recorded(order.audit_db, connector.name, since, attempts.values())
        seen = list(_seen(canary, model, stage, attempts, rows))
        suspects = tuple(canary.suspects(host, stage))
    findings = tuple(judge(each, order.posture.mode) for each in seen)
    failures = evidence.failures(order.failure_log, connector.name, since)
    options = SetupOptions(mode=order.posture.mode, fail_mode=order.posture.fail_mode, workspace=project)
    amiss = [f"{row.label}: {row.detail}" for row in connector.check(host, options) if row.status == "fail"]
    findings = _with_failures(findings, failures, amiss)
    outcome = overall(findings)
    fine = outcome in (Outcome.ENFORCED, Outcome.OBSERVED)
    return record.Proof(
        connector=connector.name,
        title=connector.title,
        outcome=outcome,
        agent_version=detected.version,
        at=began.isoformat(timespec="seconds"),
        mode=str(order.posture.mode),
        fail_mode=str(order.posture.fail_mode),
        findings=findings,
        causes=() if fine else (*amiss, *suspects, *_causes(model, ended, failures)),
        refused_hosts=tuple(sorted(model.refused)),
        project=str(project or ""),
        files=files,
    )


def _files(order: Order) -> list[Path]:
    """Return the files a setup writes."""
    chosen = SetupOptions(mode=order.posture.mode, fail_mode=order.posture.fail_mode, force=True)
    try:
        return [change.path for change in order.connector.plan_setup(order.host, chosen).changes]
    except SetupError:
        # The agent's settings are in a state no setup would touch, which the run will show.
        return [Path(order.connector.detect(order.host).config_path)]


@contextmanager
def _staged(detected: Detected, project: Path | None) -> Iterator[tuple[Model, Stage]]:
    """Make a directory of this run alone, and a model; both are gone afterwards."""
    scratch = Path(tempfile.gettempdir()).resolve() / f"{_NAME}{secrets.token_hex(8)}"
    scratch.mkdir(mode=0o700)
    try:
        if project is None:
            (scratch / "project").mkdir()
        with Model() as model:
            yield (
                model,
                Stage(
                    executable=detected.executable,
                    version=detected.version,
                    model_url=model.url,
                    key=model.key,
                    session_id=str(uuid.uuid4()),
                    task=f"Do step {secrets.token_hex(8)}.",
                    project=project or scratch / "project",
                    scratch=scratch,
                ),
            )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _attempts(
    order: Order, canary: Canary, model: Model, stage: Stage
) -> tuple[dict[Subject, str], process.Ended]:
    """Run the agent; return the marker of each attempt and how the first turn ended."""
    attempts = {Subject.CALL: markers.mint()}
    model.task = stage.task
    steps = [Step(name=Subject.CALL, use=canary.shell(_touch(stage, attempts[Subject.CALL])))]
    if canary.after_call:
        attempts[Subject.RESULT] = markers.mint()
        note = stage.scratch / "note.txt"
        note.write_text(f"This line is harmless.\n{attempts[Subject.RESULT]}\n")
        steps.append(Step(name=Subject.RESULT, use=canary.shell(f"cat {shlex.quote(str(note))}")))
    handed_on = canary.delegate(stage.task)
    if handed_on is not None:
        attempts[Subject.SUBAGENT_CALL] = markers.mint()
        command = _touch(stage, attempts[Subject.SUBAGENT_CALL])
        own = Step(name=Subject.SUBAGENT_CALL, use=canary.shell(command), for_subagent=True)
        steps += [Step(name=_DELEGATE, use=handed_on, hands_on=True), own]
        concluding = canary.conclude()
        if concluding is not None:
            steps.append(Step(name="conclude", use=concluding, for_subagent=True, concludes=True))
    model.steps = steps
    model.watched = frozenset(attempts.values())
    ended = _turn(order, canary, model, stage, PROMPT)
    if canary.on_prompt and model.requests:
        attempts[Subject.PROMPT] = markers.mint()
        model.steps = ()
        model.watched |= {attempts[Subject.PROMPT]}
        _turn(order, canary, model, stage, f"Say {attempts[Subject.PROMPT]} once.")
    return attempts, ended


def _turn(order: Order, canary: Canary, model: Model, stage: Stage, prompt: str) -> process.Ended:
    stage = replace(stage, session_id=str(uuid.uuid4()))
    try:
        launch = canary.launch(order.host, stage, prompt)
        env = process.environment(order.host.env, model.url, launch.env)
        ended = process.run(launch.arguments, env, stage.project, canary.timeout_s)
    finally:
        _remove(canary.traces(order.host, stage))
        canary.tidy(order.host, stage)
    order.show(f"{ended.output.rstrip()}\n({order.connector.title} {ended.words})")
    return ended


def _seen(
    canary: Canary,
    model: Model,
    stage: Stage,
    attempts: Mapping[Subject, str],
    rows: Mapping[str, list[Recorded]],
) -> Iterator[Seen]:
    for subject, marker in attempts.items():
        shown = model.shown.get(subject, "")
        tried = subject in model.asked
        offered = tried or subject not in model.lacking
        if subject is Subject.PROMPT:
            event, effect, tried, offered = canary.on_prompt, marker in model.reached, True, True
        elif subject is Subject.RESULT:
            event, effect = canary.after_call, marker in model.reached
        else:
            event, effect = canary.before_call, (stage.scratch / marker).exists()
        if subject is Subject.SUBAGENT_CALL:
            offered = tried or _DELEGATE not in model.lacking
        yield Seen(
            subject=subject,
            event=event,
            tried=tried,
            offered=offered,
            took_effect=effect,
            told=_TOLD in shown or "<redacted" in shown,
            rows=tuple(rows[marker]),
        )


def _with_failures(
    findings: tuple[Finding, ...], failures: tuple[str, ...], amiss: list[str]
) -> tuple[Finding, ...]:
    """An agent that got nowhere because its hook could not ask, or is not ours, is not enforced by us."""
    if not failures and not amiss:
        return findings
    why = "the hook could not get a decision" if failures else "the hook is not as setup left it"
    return tuple(
        Finding(subject=each.subject, event=each.event, outcome=Outcome.NOT_ENFORCED, detail=why)
        if each.outcome is Outcome.UNPROVEN
        else each
        for each in findings
    )


def _causes(model: Model, ended: process.Ended, failures: tuple[str, ...]) -> Iterator[str]:
    yield from (f"hook: {reason}" for reason in failures)
    if model.strangers:
        yield "the agent did not use the key it was given for this run"
    if not model.requests:
        yield f"the agent never called the model; it {ended.words}"
    elif ended.exit_code != 0:
        yield f"the agent {ended.words}"


def _touch(stage: Stage, marker: str) -> str:
    return f"touch {shlex.quote(str(stage.scratch / marker))}"


def _remove(traces: Iterable[Path]) -> None:
    for path in tuple(traces):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif os.path.lexists(path):
            path.unlink()
