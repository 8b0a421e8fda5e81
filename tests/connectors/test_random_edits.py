"""Whoever edits an agent's file between setup and teardown: theirs survives, ours goes, nothing is left."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st
from tests.connectors.conftest import NASTY, tree
from tests.connectors.operator_edits import (
    Format,
    Kind,
    Ours,
    as_written_before,
    decorated,
    edit,
    remarks,
)
from tests.integration.machine import SIZE

from defenseclaw.connectors import files
from defenseclaw.connectors.base import Connector, Host, SetupOptions, built_in, registry
from defenseclaw.errors import ForeignContent
from defenseclaw.vocabulary import FailMode, Mode

EXAMPLES = 8 * SIZE
PHASES = (Phase.generate,)
"""Each example writes many files for good: no minutes are spent on making one that fails smaller."""
JSON, JSONC = Format("json"), Format("jsonc", "//")
TOML, YAML = Format("toml", "#"), Format("yaml", "#")


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent's settings file as its operator has it."""

    kind: Kind
    theirs: str
    path: tuple[str, ...]
    places: frozenset[tuple[str, ...]] = frozenset()
    items: frozenset[tuple[tuple[str, ...], str]] = frozenset()
    apart: frozenset[tuple[str, ...]] = frozenset()
    home: str = NASTY
    may_refuse: bool = False
    """Whether a second setup may find no room for us after an edit."""


GROUPS = """{
  "model": "large",
  "hooks": {
    "%s": [ {"matcher": "mine", "hooks": [{"type": "command", "command": "operator-tool 1"}]} ],
    "SomethingElse": [ {"hooks": [{"type": "command", "command": "operator-tool 2", "timeout": 3}]} ]
  },
  "env": {"MINE": "1", "LIST": ["a", "b"]}
}"""

AGENTS = {
    "claudecode": Agent(Kind(JSON), GROUPS % "PreToolUse", (".claude", "settings.json")),
    "geminicli": Agent(Kind(JSONC), GROUPS % "BeforeTool", (".gemini", "settings.json")),
    "codex": Agent(
        Kind(TOML),
        '# mine\nmodel = "large"\nnotify = ["operator-tool", "0"]\n\n[[hooks.PreToolUse]]\nmatcher = "mine"\n'
        'hooks = [{ type = "command", command = "operator-tool 1" }] # theirs\n\n[profiles.a]\nmodel = "b"\n',
        (".codex", "config.toml"),
        apart=frozenset({("hooks", "state"), ("notify",)}),
    ),
    "cursor": Agent(
        Kind(JSONC),
        '{"version": 1, "hooks": {"preToolUse": [{"command": "operator-tool 1"}, {"command": "other"}]}}',
        (".cursor", "hooks.json"),
    ),
    "windsurf": Agent(
        Kind(JSONC),
        '{ "hooks": { "pre_run_command": [ { "command": "operator-tool 1", "show_output": true } ] } }',
        (".codeium", "windsurf", "hooks.json"),
    ),
    "copilot": Agent(
        Kind(JSON),
        '{"version": 1, "hooks": {"preToolUse": [{"type": "command", "bash": "operator-tool 1"}]}}',
        (".copilot", "hooks", "defenseclaw.json"),
    ),
    "openhands": Agent(
        Kind(JSON, new_key=None),
        '{"pre_tool_use": [{"matcher": "*", "hooks": [{"command": "operator-tool 1"}]}]}',
        (".openhands", "hooks.json"),
    ),
    "antigravity": Agent(
        Kind(JSON, new_key=lambda number: {"enabled": bool(number % 2)}),
        '{"mine": {"PreToolUse": [{"matcher": "x", "hooks": [{"command": "operator-tool 1"}]}]}}',
        (".gemini", "config", "hooks.json"),
        home="home",  # it starts no script in a directory that needs quoting, and setup says so
        may_refuse=True,
    ),
    "hermes": Agent(
        Kind(YAML),
        "# mine\nmodel: large\nplugins:\n  enabled:\n    - other # theirs\n  disabled: [third]\nlast: 1\n",
        (".hermes", "config.yaml"),
        items=frozenset({(("plugins", "enabled"), "defenseclaw")}),
    ),
    "omnigent": Agent(
        Kind(YAML),
        "# mine\npolicy_modules: [other]\npolicies:\n  other:\n    type: function\n    handler: other.check\n"
        "last: 1\n",
        (".omnigent", "config.yaml"),
        places=frozenset({("policies", "defenseclaw_guardrail")}),
        items=frozenset({(("policy_modules",), "defenseclaw_omnigent_policy")}),
    ),
}
"""``opencode`` has no entry in a file of others; see the end of this file."""


class Scene:
    """One agent on one scratch machine."""

    def __init__(self, root: Path, name: str, theirs: bytes | None, omnigent_bin: Path) -> None:
        self.connector: Connector = registry()[name]
        self.agent = AGENTS[name]
        home = root / self.agent.home
        home.mkdir()
        path = f"{omnigent_bin}:/usr/bin:/bin" if name == "omnigent" else str(root / "bin")
        self.host = Host(home=home, data_dir=home / ".defenseclaw", env={"PATH": path, "HOME": str(home)})
        self.bin = root / "bin"
        self.bin.mkdir()
        self.release("9.0.0")
        self.path = home.joinpath(*self.agent.path)
        agent = self.agent
        self.ours = Ours("/.defenseclaw/", agent.places, agent.items, frozenset({"version"}), agent.apart)
        if theirs is not None:
            self.path.parent.mkdir(parents=True)
            self.path.write_bytes(theirs)
        self.before = tree(home)

    def release(self, version: str) -> None:
        """Put a version of the agent on the machine."""
        for name in getattr(self.connector, "executables", ("claude",)):
            program = self.bin / name
            program.write_text(f"#!/bin/sh\necho {version}\n")
            program.chmod(0o755)

    @property
    def content(self) -> bytes:
        return self.path.read_bytes() if self.path.exists() else b""

    def value(self) -> Any:
        return self.agent.kind.format.parse(self.content)

    def theirs(self) -> tuple[list[Any], list[str]]:
        """What is not ours: values and comments, in order."""
        return self.ours.others(self.value()), remarks(self.content)

    def setup(self, draw: Any) -> None:
        mode = draw(st.sampled_from(list(Mode)))
        options = SetupOptions(mode=mode, fail_mode=draw(st.sampled_from(list(FailMode))))
        before, content = self.theirs(), self.content
        try:
            files.apply(self.host, self.connector, self.connector.plan_setup(self.host, options))
        except ForeignContent:
            assert self.agent.may_refuse
            assert self.content == content
            event("a second setup is refused")
            return
        assert self.theirs() == before
        assert self.ours.holds(self.value())

    def rewrite(self, value: Any, draw: Any) -> None:
        form = self.agent.kind.format
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(decorated(form.dump(value, draw), form, draw))

    def step(self, draw: Any) -> None:
        what = draw(st.sampled_from(["edit", "edit", "edit", "setup", "upgrade", "older", "delete"]))
        event(what)
        if what == "edit":
            self.rewrite(edit(self.value(), self.agent.kind, self.ours, draw), draw)
        elif what == "setup":
            self.setup(draw)
        elif what == "upgrade":
            self.release(draw(st.sampled_from(["9.0.1", "10.4.0", "12.0.0"])))
            self.rewrite(self.value(), draw)
        elif what == "older":
            self.rewrite(as_written_before(self.value(), self.ours), draw)
            for script in (self.host.data_dir / "hooks").glob("*.sh"):
                script.write_text("#!/bin/sh\n# an older one\nexit 0\n")
        elif self.path.exists():
            self.path.unlink()

    def teardown(self) -> None:
        before, existed = self.theirs(), self.path.exists()
        files.restore(self.host, self.connector)
        assert self.theirs() == before
        assert b".defenseclaw" not in self.content
        assert not self.ours.holds(self.value())
        if any(before):
            assert self.path.exists() is existed
        here = str(self.path.relative_to(self.host.home))
        left = {
            name for name in tree(self.host.home) if name not in self.before and not here.startswith(name)
        }
        assert left <= {".defenseclaw", ".defenseclaw/.setup.lock"}


@pytest.fixture(scope="module")
def omnigent_bin(omnigent_env):
    return omnigent_env / "bin"


def test_every_connector_is_here():
    assert {*AGENTS, "opencode"} == set(built_in())


@pytest.mark.parametrize("name", sorted(AGENTS))
def test_what_others_wrote_survives_and_ours_is_gone(name, omnigent_bin):
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
    @given(data=st.data())
    def holds(data):
        with tempfile.TemporaryDirectory() as root:
            theirs = data.draw(st.sampled_from([AGENTS[name].theirs.encode(), None, b""]))
            scene = Scene(Path(root), name, theirs, omnigent_bin)
            scene.setup(data.draw)
            for _ in range(data.draw(st.integers(0, 5))):
                scene.step(data.draw)
            scene.teardown()

    holds()


def first(strategy):
    """Draw without chance."""
    return strategy.elements[0]


def codex_state(scene):
    """What Codex holds beside its hooks: its ``notify``, and which of the operator's groups are trusted."""
    value = scene.value()
    hooks = value.get("hooks", {})
    state = hooks.get("state", {})
    trusted = {}
    for name, groups in hooks.items():
        for number, group in enumerate(groups if name != "state" else ()):
            key = f"{scene.path}:{re.sub('(?<!^)(?=[A-Z])', '_', name).lower()}:{number}:0"
            command = group["hooks"][0]["command"]
            if key in state and not scene.ours.command(command):
                trusted[name, command] = state[key]["trusted_hash"]
    return value.get("notify"), trusted


@pytest.mark.parametrize("above", [0, 1, 2])
@pytest.mark.parametrize("again", [False, True], ids=["once", "set up again"])
def test_codex_goes_on_trusting_what_it_trusted_and_calls_its_own_notify(tmp_path, above, again):
    """The operator trusts hooks in front of ours and behind them, which change places when ours go."""
    theirs = AGENTS["codex"].theirs.encode()
    scene = Scene(tmp_path, "codex", theirs, tmp_path)
    scene.setup(first)
    value = scene.value()
    groups = value["hooks"]["PreToolUse"]
    state = value["hooks"]["state"]
    for number in range(3):
        place = number if number < above else len(groups)
        mine = {"matcher": "m", "hooks": [{"type": "command", "command": f"operator-tool {number}"}]}
        groups.insert(place, mine)
    found = {}
    ours = next(each for each in state if ":pre_tool_use:" in each)
    held = state.pop(ours)
    for number, group in enumerate(groups):
        key = f"{scene.path}:pre_tool_use:{number}:0"
        command = group["hooks"][0]["command"]
        state[key] = held if scene.ours.command(command) else {"trusted_hash": f"sha256:{command}"}
        found["PreToolUse", command] = state[key]["trusted_hash"]
    found = {key: each for key, each in found.items() if not scene.ours.command(key[1])}
    scene.path.write_text(TOML.dump(value, None))
    if again:
        scene.setup(first)
    assert codex_state(scene)[1] == found
    scene.teardown()
    assert codex_state(scene) == (["operator-tool", "0"], found)
    assert held["trusted_hash"] not in scene.content.decode()


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
@given(data=st.data())
def test_opencodes_plugin_is_ours_and_what_others_made_of_it_is_kept_aside(data):
    opencode = registry()["opencode"]
    with tempfile.TemporaryDirectory() as root:
        home, programs = Path(root, NASTY), Path(root, "bin")
        host = Host(home=home, data_dir=home / ".defenseclaw", env={"PATH": str(programs)})
        programs.mkdir()
        plugins = home / ".config" / "opencode" / "plugins"
        plugins.mkdir(parents=True)
        (plugins / "theirs.js").write_text("export const Theirs = async () => ({})\n")
        before = tree(home)
        ours = plugins / "defenseclaw.js"
        edited = b""
        for version in data.draw(
            st.lists(st.sampled_from(["1.18.33", "1.19.0", "2.0.0"]), min_size=1, max_size=3)
        ):
            (programs / "opencode").write_text(f"#!/bin/sh\necho {version}\n")
            (programs / "opencode").chmod(0o755)
            mode = data.draw(st.sampled_from(list(Mode)))
            files.apply(host, opencode, opencode.plan_setup(host, SetupOptions(mode=mode)))
            edited = b""
            if data.draw(st.booleans()):
                lines = ours.read_bytes().splitlines(keepends=True)
                lines.insert(data.draw(st.integers(1, len(lines))), b"// remark\n")
                edited = b"".join(lines)
                ours.write_bytes(edited)
        files.restore(host, opencode)
        left = {name: each for name, each in tree(home).items() if name not in before}
        kept = {name: each[1] for name, each in left.items() if not name.startswith(".defenseclaw")}
        assert kept == ({".config/opencode/plugins/defenseclaw.js.edited": edited} if edited else {})
        assert set(left) - set(kept) <= {".defenseclaw", ".defenseclaw/.setup.lock"}
        assert {name: each for name, each in tree(home).items() if name in before} == before
