"""The whole way, with an agent that is made up but runs, asks and records for real."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from defenseclaw.audit.store import Store
from defenseclaw.connectors.base import Check, Connector, Detected, Host, Plan, SetupOptions
from defenseclaw.connectors.canary import Canary, Launch, Stage, ToolUse
from defenseclaw.verification.record import Proof
from defenseclaw.verification.run import CannotVerify, Order, verify
from defenseclaw.verification.verdicts import Outcome, Subject
from defenseclaw.vocabulary import EventKind, Mode, Posture

SCRIPT = Path(__file__).with_name("acting_agent.py")
EVERYTHING = set(Subject)


class ActingCanary(Canary):
    before_call, after_call, on_prompt = "before", "after", "prompt"
    timeout_s = 30.0

    def __init__(self, behaviour: Path) -> None:
        self.behaviour = behaviour
        self.stages: list[Stage] = []

    def hindrance(self, host: Host, stage: Stage) -> str:
        return str(json.loads(self.behaviour.read_text()).get("hindrance", ""))

    def launch(self, host: Host, stage: Stage, prompt: str) -> Launch:
        self.stages.append(stage)
        arguments = (sys.executable, str(SCRIPT), stage.model_url, stage.key, prompt, str(self.behaviour))
        return Launch(arguments=arguments, env={"PYTHONPATH": ":".join(filter(None, sys.path))})

    def shell(self, command: str) -> ToolUse:
        return ToolUse(tools=("shell",), arguments={"command": command})

    def delegate(self, task: str) -> ToolUse:
        return ToolUse(tools=("delegate",), arguments={"task": task})

    def traces(self, host: Host, stage: Stage) -> Iterator[Path]:
        yield host.home / "sessions" / stage.session_id


class Acting(Connector):
    """A connector of which only what a verification asks for is there."""

    name, title, description, hook_path, client = "acting", "Acting", "", "/x", "x"

    def __init__(self, canary: Canary | None, amiss: tuple[Check, ...] = ()) -> None:
        self.canary = canary
        self.amiss = amiss
        self.found = True

    def detect(self, host: Host) -> Detected:
        return Detected(found=self.found, executable=sys.executable, version="1.2.3")

    def plan_setup(self, host: Host, options: SetupOptions) -> Plan:
        return Plan()

    def check(self, host: Host, options: SetupOptions) -> tuple[Check, ...]:
        return self.amiss

    def kind_of(self, event_name: str) -> EventKind:
        raise NotImplementedError

    decode = encode = plan_teardown = protected_paths = kind_of  # type: ignore[assignment]


@dataclass
class Scene:
    root: Path
    behaviour: dict[str, Any] = field(
        default_factory=lambda: {"guard": "deny", "tools": ["shell", "delegate"]}
    )
    amiss: tuple[Check, ...] = ()

    def __post_init__(self) -> None:
        self.host = Host(home=self.root, data_dir=self.root / "data", env={"PATH": "/usr/bin:/bin"})
        self.host.data_dir.mkdir(mode=0o700)
        Store.open(self.host.data_dir / "audit.db").close()
        self.file = self.root / "behaviour.json"
        self.canary = ActingCanary(self.file)
        self.connector = Acting(self.canary)
        self.shown: list[str] = []

    def verify(self, mode: Mode = Mode.ACTION, project: Path | None = None) -> Proof:
        self.file.write_text(json.dumps({**self.behaviour, "data": str(self.host.data_dir)}))
        self.connector.amiss = self.amiss
        return verify(
            Order(
                connector=self.connector,
                host=self.host,
                posture=Posture(mode=mode),
                audit_db=self.host.data_dir / "audit.db",
                failure_log=self.host.data_dir / "failures.jsonl",
                project=project,
                show=self.shown.append,
            )
        )


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def outcomes(proof: Proof) -> dict[Subject, Outcome]:
    return {each.subject: each.outcome for each in proof.findings}


def test_what_is_denied_and_on_record_is_enforced(scene: Scene):
    proof = scene.verify()
    assert outcomes(proof) == dict.fromkeys(EVERYTHING, Outcome.ENFORCED)
    assert (proof.outcome, proof.causes, proof.agent_version) == (Outcome.ENFORCED, (), "1.2.3")


@pytest.mark.parametrize(
    ("guard", "mode", "outcome"),
    [
        ("observe", Mode.OBSERVE, Outcome.OBSERVED),
        # what was to be stopped was only watched
        ("observe", Mode.ACTION, Outcome.NOT_ENFORCED),
        # nobody asked us
        ("pass", Mode.ACTION, Outcome.NOT_ENFORCED),
        ("pass", Mode.OBSERVE, Outcome.NOT_ENFORCED),
        # somebody else refuses everything: not by our decision
        ("refuse", Mode.ACTION, Outcome.NOT_ENFORCED),
    ],
)
def test_every_attempt_is_told_for_what_it_is(scene: Scene, guard: str, mode: Mode, outcome: Outcome):
    scene.behaviour["guard"] = guard
    proof = scene.verify(mode)
    assert proof.outcome is outcome
    assert outcomes(proof)[Subject.CALL] is outcome


def test_an_agent_without_sub_agents_is_not_held_to_them(scene: Scene):
    scene.behaviour["tools"] = ["shell"]
    proof = scene.verify()
    assert outcomes(proof)[Subject.SUBAGENT_CALL] is Outcome.NOT_OFFERED
    assert proof.outcome is Outcome.ENFORCED


def test_an_agent_that_never_comes_to_it_proves_nothing(scene: Scene):
    scene.behaviour["tools"] = []
    proof = scene.verify()
    assert proof.outcome is Outcome.UNPROVEN


def test_an_agent_that_breaks_is_unproven_and_says_so(scene: Scene):
    del scene.behaviour["tools"]
    proof = scene.verify()
    assert proof.outcome is Outcome.UNPROVEN
    assert proof.causes == ("the agent never called the model; it ended with exit code 1",)
    assert "KeyError" in scene.shown[0]


def test_an_agent_whose_hook_is_not_ours_is_not_enforced(scene: Scene):
    scene.behaviour["tools"] = []
    scene.amiss = (Check(status="fail", label="Hook script", detail="was changed"),)
    proof = scene.verify()
    assert proof.outcome is Outcome.NOT_ENFORCED
    assert "Hook script: was changed" in proof.causes


def test_a_hook_that_could_not_ask_is_not_enforced(scene: Scene):
    scene.behaviour["tools"] = []
    failure = {
        "ts": "2999-01-01T00:00:00Z",
        "connector": "acting",
        "reason": "gateway refused the hook token",
    }
    (scene.host.data_dir / "failures.jsonl").write_text(json.dumps(failure) + "\n")
    proof = scene.verify()
    assert proof.outcome is Outcome.NOT_ENFORCED
    assert "hook: gateway refused the hook token" in proof.causes


def test_nothing_is_left_but_what_others_left(scene: Scene, monkeypatch: pytest.MonkeyPatch):
    temporary = scene.host.home / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    other = scene.host.home / "sessions" / "of-somebody"
    other.mkdir(parents=True)
    proof = scene.verify()
    assert proof.outcome is Outcome.ENFORCED
    assert not any(stage.scratch.exists() for stage in scene.canary.stages)
    assert {stage.scratch.parent for stage in scene.canary.stages} == {temporary}
    assert list(temporary.iterdir()) == []
    assert other.exists()


def test_traces_of_the_sessions_are_removed(scene: Scene, monkeypatch: pytest.MonkeyPatch):
    launch = scene.canary.launch

    def leaving(host: Host, stage: Stage, prompt: str) -> Launch:
        (host.home / "sessions" / stage.session_id).mkdir(parents=True)
        return launch(host, stage, prompt)

    monkeypatch.setattr(scene.canary, "launch", leaving)
    scene.verify()
    assert len({stage.session_id for stage in scene.canary.stages}) == 2
    assert list((scene.host.home / "sessions").iterdir()) == []


def test_a_project_of_the_operator_is_where_the_agent_runs(scene: Scene, tmp_path: Path):
    project = tmp_path / "a project"
    project.mkdir()
    proof = scene.verify(project=project)
    assert {stage.project for stage in scene.canary.stages} == {project}
    assert (proof.project, list(project.iterdir())) == (str(project), [])


def test_what_cannot_be_verified_says_why(scene: Scene):
    scene.behaviour["hindrance"] = "its endpoint is fixed"
    with pytest.raises(CannotVerify, match="Acting cannot be verified here: its endpoint is fixed"):
        scene.verify()
    scene.connector.found = False
    with pytest.raises(CannotVerify, match="not installed"):
        scene.verify()
    scene.connector.canary = None
    with pytest.raises(CannotVerify, match="cannot be run headless"):
        scene.verify()
