"""A connector of somebody else: one module and an entry point, and every list has it."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.connectors.conftest import tree
from tests.connectors.scripted_contract import ScriptedContract
from tests.integration.machine import Machine

from defenseclaw.connectors import base, thirdparty
from defenseclaw.connectors.base import built_in, registry, third_party
from defenseclaw.errors import SetupError

ROOT = Path(__file__).parent.parent.parent
SOURCES = Path(__file__).parent / "twelfth"
LANTERN = {"lantern": "lantern_for_defenseclaw:CONNECTOR"}
THIRD_PARTIES = [("lantern", "plugin"), ("later", "plugin")]
CACHED = (registry, third_party)


def distribution(folder: Path, points: dict[str, str], name: str = "lantern-for-defenseclaw") -> Path:
    """Make ``folder`` what an installer leaves behind: the modules, and a ``dist-info`` that names them."""
    folder.mkdir(exist_ok=True)
    for source in SOURCES.glob("*.py"):
        (folder / source.name).write_bytes(source.read_bytes())
    info = folder / f"{name.replace('-', '_')}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    lines = [f"{point} = {value}" for point, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{thirdparty.GROUP}]", *lines, ""]))
    return folder


def forget():
    for each in CACHED:
        each.cache_clear()
    for name in ("lantern_for_defenseclaw", "broken_connectors"):
        sys.modules.pop(name, None)
    importlib.invalidate_caches()


@contextmanager
def on_path(folder: Path, points: dict[str, str]) -> Iterator[None]:
    """Put a distribution on this process's path; nothing of it is left afterwards."""
    sys.path.append(str(distribution(folder, points)))
    forget()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        forget()


@pytest.fixture(scope="class")
def installed(tmp_path_factory):
    with on_path(tmp_path_factory.mktemp("site"), LANTERN):
        yield registry()["lantern"]


class TestLantern(ScriptedContract):
    """The suite every built-in connector with a hook script is held to."""

    version = "3.1.4"
    too_old = "2.9.9"
    override = "LANTERN_HOME"
    moved = "hooks.json"
    foreign = ("", '{"version": 1, "hooks": {"asked": [{"run": "mine"}]}}')
    malformed = ("[]", '{"hooks": []}', "{broken")

    @pytest.fixture(autouse=True)
    def found_by_its_entry_point(self, installed):
        type(self).connector = installed

    def spoil(self, path):
        content = json.loads(path.read_text())
        content["hooks"]["before_call"][0]["timeout"] = 1
        path.write_text(json.dumps(content))
        return "before_call"


@pytest.mark.parametrize(
    ("what", "because"),
    [
        ("NOT_ONE", "is not an instance of"),
        ("A_CLASS", "is not an instance of"),
        ("TAKES_A_NAME", "codex is a name of Codex"),
        ("TAKES_AN_ALIAS", "claude_code is a name of Claude Code"),
        ("TAKES_A_ROUTE", "/api/v1/claude-code/hook is the route of Claude Code"),
        ("TAKES_A_CONTROL_ROUTE", "`hook_path` is not /api/v1/other/hook"),
        ("IS_A_COMMAND", "the name remove is reserved"),
        ("CLIMBS", "'../codex' is not a name"),
        ("WRITES_HEADERS", "`client` is not of the form"),
        ("FAILS_AT_ONCE", "cannot be loaded: ZeroDivisionError"),
        ("ENDS_THE_PROCESS", "cannot be loaded: SystemExit"),
        ("IS_NOT_THERE", "cannot be loaded: AttributeError"),
    ],
)
def test_a_connector_that_does_not_hold_is_left_out_and_named(tmp_path, what, because):
    with on_path(tmp_path / "site", {"bad": f"broken_connectors:{what}", **LANTERN}):
        found = third_party()
        assert set(registry()) == {*built_in(), "lantern"}
    (left,) = found.left_out
    assert (left.name, left.origin) == ("bad", "lantern-for-defenseclaw 1.2")
    assert because in left.reason
    assert set(registry()) == set(built_in())


def test_of_two_that_want_one_name_one_gets_it(tmp_path):
    points = {"a": "lantern_for_defenseclaw:CONNECTOR", "b": "broken_connectors:SAME_NAME"}
    with on_path(tmp_path / "site", points):
        found = third_party()
    assert (list(found.connectors), [each.name for each in found.left_out]) == (["lantern"], ["b"])
    assert "lantern is a name of Lantern" in found.left_out[0].reason


def test_entry_points_that_cannot_be_read_cost_third_parties_only(tmp_path):
    with on_path(tmp_path / "site", {}):
        (info,) = (tmp_path / "site").glob("*.dist-info")
        (info / "entry_points.txt").write_text(f"[{thirdparty.GROUP}]\nno equals sign\n")
        importlib.invalidate_caches()
        assert list(registry()) == list(built_in())
        (left,) = third_party().left_out
    assert "cannot be read" in left.reason


def test_one_that_fails_only_later_fails_alone(tmp_path, host):
    with on_path(tmp_path / "site", {"later": "broken_connectors:FAILS_LATER"}):
        later = registry()["later"]
        assert "ZeroDivisionError" in later.detect(host).problem
        (row,) = later.check(host, base.SetupOptions())
        assert (row.status, "ZeroDivisionError" in row.detail) == ("fail", True)
        with pytest.raises(SetupError, match="ZeroDivisionError"):
            later.plan_setup(host, base.SetupOptions())


class Elsewhere(Machine):
    """An installation beside which somebody put a distribution of connectors."""

    @property
    def env(self):
        return super().env | {"PYTHONPATH": str(self.root / "site")}

    def python(self, code: str):
        done = subprocess.run(
            [sys.executable, "-c", code], env=self.env, cwd=ROOT, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def elsewhere(tmp_path):
    machine = Elsewhere(tmp_path, agent_path=(tmp_path / "bin",))
    points = {"bad": "broken_connectors:ENDS_THE_PROCESS", "worse": "nowhere:CONNECTOR"}
    points |= {"later": "broken_connectors:FAILS_LATER"} | LANTERN
    distribution(tmp_path / "site", points)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "lantern"
    program.write_text("#!/bin/sh\necho 3.1.4\n")
    program.chmod(0o755)
    yield machine
    machine.close()


def test_it_is_set_up_judged_shown_and_removed_like_any_other(elsewhere):
    before = tree(elsewhere.home)
    elsewhere.init()
    listed = {each["name"]: each for each in elsewhere.cli_json("setup")}
    assert listed["lantern"]["found"] is True
    assert "ZeroDivisionError" in listed["later"]["problem"]
    elsewhere.cli("setup", "lamp", "--mode", "action", "--yes")
    elsewhere.start()

    script = elsewhere.data / "hooks" / "lantern-hook.sh"
    call = json.dumps({"event": "before_call", "args": {"command": "rm -rf /"}})
    asked = subprocess.run([script, "before_call"], input=call, capture_output=True, text=True, env={})
    assert json.loads(asked.stdout)["go"] is False
    (row,) = elsewhere.rows("SELECT connector FROM audit_events WHERE action = 'connector-hook'")
    assert row["connector"] == "lantern"

    (mode,) = elsewhere.get("/status")["connector_modes"]
    assert (mode["connector"], mode["policy_mode"]) == ("lantern", "action")
    entries = elsewhere.get("/v1/connectors")["connectors"]
    sources = [(each["name"], each["source"]) for each in entries]
    assert sources == [*((name, "built-in") for name in sorted(built_in())), *THIRD_PARTIES]
    assert "lantern" in elsewhere.cli("status").stdout.lower()

    rows = elsewhere.cli_json("doctor", code=None)["checks"]
    assert [row for row in rows if row["status"] == "fail"] == []
    assert {"Lantern", "Hook entries", "Connector [bad]", "Connector [worse]"} <= {
        row["label"] for row in rows
    }
    left_out = {row["label"]: row for row in rows if "left out" in row["detail"]}
    assert set(left_out) == {"Connector [bad]", "Connector [worse]"}
    assert {row["status"] for row in left_out.values()} == {"warn"}

    elsewhere.cli("setup", "remove", "lantern", "--yes")
    left = {name for name in tree(elsewhere.home) if not name.startswith(".defenseclaw")}
    assert left == set(before)
    assert not script.exists()


def test_its_facts_are_in_the_documentation_and_the_openapi_document(elsewhere):
    pages, routes = elsewhere.python(
        "import json; from docs.render import connectors; from defenseclaw.gateway.routing import all_routes;"
        "print(json.dumps([connectors.pages(), [route.path for route in all_routes()]]))"
    )
    text = pages["reference/connectors.md"]
    assert "## Lantern\n" in text
    assert "`POST /api/v1/lantern/hook`" in text
    assert "lantern.md" not in text, "its page is in its own distribution"
    assert "/api/v1/lantern/hook" in routes
