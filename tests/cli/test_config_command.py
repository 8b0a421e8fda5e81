from __future__ import annotations

import json
import stat

import pytest
import yaml
from tests.cli.conftest import Machine

SECRET = "plain-secret-token-0123456789"


def test_show_prints_everything_in_force(machine: Machine):
    machine.run("init")
    machine.config.write_text("guardrail: {mode: action}\n")
    shown = yaml.safe_load(machine.run("config", "show").stdout)
    assert (shown["guardrail"]["mode"], shown["gateway"]["api_port"]) == ("action", 18970)
    assert machine.json("config", "show") == shown
    assert json.loads(machine.run("config", "show", "--format", "json").stdout) == shown


@pytest.mark.parametrize(
    "arguments", [["show"], ["show", "--json"], ["get", "gateway.token"], ["get", "gateway"]]
)
def test_secrets_are_masked_unless_revealed(machine: Machine, arguments: list[str]):
    machine.run("init")
    machine.config.write_text(f"gateway: {{token: {SECRET}}}\n")
    assert SECRET not in machine.run("config", *arguments).output
    assert SECRET in machine.run("config", *arguments, "--reveal").stdout


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("guardrail.mode", "action", "action"),
        ("guardrail.enabled", "off", "false"),
        ("gateway.api_port", "19000", "19000"),
        ("gateway.allowed_hosts", "a.example,b.example", '[\n  "a.example",\n  "b.example"\n]'),
        ("guardrail.connectors.omnigent.hook_fail_mode", "closed", "closed"),
    ],
)
def test_set_then_get(machine: Machine, key: str, value: str, shown: str):
    assert "saved" in machine.run("config", "set", key, value).stdout
    assert "unchanged" in machine.run("config", "set", key, value).stdout
    assert machine.run("config", "get", key).stdout == f"{shown}\n"


def test_set_keeps_comments_and_closes_the_file(machine: Machine):
    machine.run("init")
    before = machine.config.read_text()
    machine.run("config", "set", "guardrail.mode", "action")
    assert machine.config.read_text() == before.replace("mode: observe", "mode: action")
    assert stat.S_IMODE(machine.config.stat().st_mode) == 0o600


def test_unset_inherits_again(machine: Machine):
    machine.run("config", "set", "guardrail.connectors.omnigent.mode", "action")
    machine.run("config", "set", "guardrail.connectors.omnigent.mode", "--unset")
    assert machine.run("config", "get", "guardrail.connectors.omnigent.mode").stdout == "\n"


def test_unset_removes_whole_sections_and_misspelled_keys(machine: Machine):
    machine.run("init")
    machine.config.write_text("guardrail: {moed: action, connectors: {gone: {mode: action}}}\n")
    machine.run("config", "set", "guardrail.connectors.gone", "--unset")
    machine.run("config", "set", "guardrail.moed", "--unset")
    assert machine.config.read_text() == "{}\n"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["set", "guardrail.mode", "block"], 1, "takes action, observe"),
        (["set", "guardrail.moed", "action"], 1, "is not a configuration key"),
        (["set", "guardrail", "x"], 1, "is a section"),
        (["set", "guardrail.rule_pack_dir", "nowhere"], 1, "unknown rule pack"),
        (["set", "gateway.token", SECRET], 1, "can be read by every process"),
        (["set", "guardrail.mode"], 2, "VALUE or --unset"),
        (["set", "guardrail.mode", "action", "--unset"], 2, "VALUE or --unset"),
        (["get", "guardrail.connectors.none.mode.x"], 1, "is not a configuration key"),
    ],
)
def test_refuses_and_writes_nothing(machine: Machine, arguments: list[str], code: int, says: str):
    machine.run("init")
    before = machine.config.read_bytes()
    refused = machine.run("config", *arguments, code=code).stderr
    assert says in refused
    assert SECRET not in refused
    assert machine.config.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("guardrail: {mode: action}\n", 0, "valid"),
        ("guardrail: {moed: action}\n", 0, "guardrail.moed is not a key here"),
        (f"gateway: {{token: {SECRET}}}\n", 0, "holds a secret in plain text"),
        ("guardrail: {mode: block}\n", 1, ":1: guardrail.mode"),
        ("guardrail: {rule_pack_dir: nowhere}\n", 1, "unknown rule pack"),
        ("a: 1\na: 2\n", 1, ":2: duplicate key"),
    ],
)
def test_validate(machine: Machine, text: str, code: int, says: str):
    machine.run("init")
    machine.config.write_text(text)
    assert says in machine.run("config", "validate", code=code).output
    assert machine.run("config", "validate", "--quiet", code=code).output == ""
    report = machine.json("config", "validate", code=code)
    assert report["ok"] is (code == 0)


def test_a_missing_file_is_not_valid(machine: Machine):
    assert "defenseclaw init" in machine.run("config", "validate", code=1).stderr


def test_path_says_what_is_there(machine: Machine):
    machine.run("init")
    places = machine.json("config", "path")
    assert places["config"] == {"path": str(machine.config), "exists": True}
    assert places["audit_db"]["exists"] is False
    assert str(machine.config) in machine.run("config", "path").stdout
