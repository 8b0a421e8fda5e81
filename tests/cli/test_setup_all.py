"""Several agents at once: set up, refused, switched off, shown, removed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.cli.conftest import Machine

from defenseclaw.config.load import load, posture
from defenseclaw.vocabulary import FailMode, Mode

VERSIONS = {
    "claude": "2.1.200 (Claude Code)",
    "codex": "codex-cli 0.169.0",
    "gemini": "0.61.0",
    "agy": "1.2.0",
    "windsurf": "1.12.41",
}
NAMES = {"claude": "claudecode", "codex": "codex", "gemini": "geminicli", "agy": "antigravity"}


@pytest.fixture
def several(machine: Machine) -> Machine:
    """A machine with four agents that nobody has started yet."""
    for program in NAMES:
        put(machine, program, f'echo "{VERSIONS[program]}"')
    return machine


def put(machine: Machine, program: str, body: str) -> None:
    path = machine.bin / program
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def governed(machine: Machine) -> dict[str, tuple[Mode, FailMode]]:
    config = load(machine.config)
    found = {name: posture(config, name) for name in config.guardrail.connectors}
    return {name: (each.mode, each.fail_mode) for name, each in found.items() if each.enabled}


def outcomes(report: dict) -> dict[str, str]:
    return {each["connector"]: each["status"] for each in report["agents"]}


def everything(root: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in root.rglob("*")
    }


def test_every_agent_found_is_set_up_and_nothing_is_left_when_all_are_removed(several: Machine):
    several.run("init")
    before = {name for name in everything(several.home) if not name.startswith(".defenseclaw")}
    report = several.json("setup", "--all", "--yes")
    assert outcomes(report) == dict.fromkeys(NAMES.values(), "installed")
    assert report["refused"] == []
    assert set(governed(several)) == set(NAMES.values())
    assert load(several.config).guardrail.connector == "antigravity"

    removed = several.json("setup", "remove", "--all", "--yes")
    assert set(removed["restored"]) == set(NAMES.values())
    assert removed["not_removed"] == {}
    after = everything(several.home)
    assert {name for name in after if not name.startswith(".defenseclaw")} == before
    assert not {".defenseclaw/hooks", ".defenseclaw/connector_backups"} & set(after)
    assert governed(several) == {}


@pytest.mark.parametrize("order", [("gemini-cli", "antigravity"), ("antigravity", "gemini-cli")])
def test_a_directory_two_agents_share_goes_with_the_last_of_them(several: Machine, order: tuple[str, str]):
    several.run("setup", "-c", "gemini-cli", "-c", "antigravity", "--yes")
    for name in order:
        assert (several.home / ".gemini").is_dir()
        several.run("setup", "remove", name, "--yes")
    assert not (several.home / ".gemini").exists()


def test_each_keeps_what_was_chosen_for_it(several: Machine):
    several.run(
        "setup", "codex", "--mode", "action", "--fail-mode", "open", "--block-message", "Ask", "--yes"
    )
    several.run("setup", "--all", "--fail-mode", "closed", "--yes")
    assert governed(several)["codex"] == (Mode.ACTION, FailMode.CLOSED)
    assert governed(several)["claudecode"] == (Mode.OBSERVE, FailMode.CLOSED)
    assert posture(load(several.config), "codex").block_message == "Ask"


def test_one_that_refuses_does_not_keep_us_out_of_the_others(several: Machine):
    put(several, "windsurf", "echo 1.0.0")
    (several.home / ".codex").mkdir()
    (several.home / ".codex" / "config.toml").write_text("[features]\nhooks = false\n")
    shown = several.run("setup", "--all", "--mode", "action", "--yes", code=1)
    assert "Changes for Claude Code" in shown.stdout
    report = several.json("setup", "--all", "--mode", "action", "--yes", code=1)
    assert outcomes(report) == {
        "antigravity": "unchanged",
        "claudecode": "unchanged",
        "codex": "refused",
        "geminicli": "unchanged",
        "windsurf": "refused",
    }
    refused = {each["connector"]: each for each in report["agents"] if each["status"] == "refused"}
    assert "features.hooks" in refused["codex"]["reason"]
    assert "1.12.41" in refused["windsurf"]["reason"]
    assert report["refused"] == ["codex", "windsurf"]
    assert set(governed(several)) == {"antigravity", "claudecode", "geminicli"}


def test_one_that_fails_while_it_is_installed_is_taken_back_alone(several: Machine, monkeypatch):
    from defenseclaw.connectors import codex
    from defenseclaw.errors import SetupError

    def refuse(*_: object) -> None:
        raise SetupError("Codex would not load it")

    monkeypatch.setattr(codex.Codex, "verify", refuse)
    report = several.json("setup", "--all", "--yes", code=1)
    assert outcomes(report)["codex"] == "refused"
    assert not (several.home / ".codex").exists()
    assert set(governed(several)) == {"antigravity", "claudecode", "geminicli"}


def test_asks_once_for_all_and_takes_no_for_an_answer(several: Machine):
    before = several.files()
    asked = several.run("setup", "--all", stdin="n\n", code=1)
    assert asked.stderr.count("[y/N]") == 1
    assert "Antigravity, Claude Code, Codex and Gemini CLI" in " ".join(asked.stderr.split())
    assert several.files() == before
    assert governed(several) == {}
    several.run("setup", "--all", stdin="y\n")
    assert set(governed(several)) == set(NAMES.values())


def test_a_dry_run_shows_every_plan_and_changes_nothing(several: Machine):
    before = several.files()
    shown = several.run("setup", "--all", "--dry-run").stdout
    assert shown.count("Changes for") == len(NAMES)
    assert "nothing was changed" in shown
    report = several.json("setup", "--all", "--dry-run")
    assert set(outcomes(report).values()) == {"planned"}
    assert all(each["changes"] for each in report["agents"])
    assert several.files() == before
    assert governed(several) == {}


def test_what_the_operator_switched_off_stays_off_until_it_is_named(several: Machine):
    several.run("setup", "codex", "--yes")
    several.run("config", "set", "guardrail.connectors.codex.enabled", "false")
    report = several.json("setup", "--all", "--yes")
    assert outcomes(report)["codex"] == "switched off"
    assert "codex" not in governed(several)
    assert outcomes(several.json("setup", "-c", "codex", "--yes")) == {"codex": "unchanged"}
    assert "codex" in governed(several)


def test_disabled_as_a_whole_all_come_back_at_once(several: Machine):
    several.run("setup", "--all", "--mode", "action", "--yes")
    before = governed(several)
    several.run("setup", "guardrail", "--disable")
    assert several.files() == {}
    assert governed(several) == {}
    several.run("setup", "--all", "--yes")
    assert governed(several) == before


def test_an_agent_that_is_named_must_be_there(several: Machine):
    report = several.json("setup", "-c", "cursor", "-c", "codex", "--yes", code=1)
    assert outcomes(report) == {"cursor": "refused", "codex": "installed"}
    assert str(several.bin) in report["agents"][0]["hint"]


def test_nothing_found_is_nothing_to_do(machine: Machine):
    assert "No agent found" in machine.run("setup", "--all", "--yes").stdout
    assert machine.json("setup", "--all", "--yes")["agents"] == []
    assert "No agent is governed" in machine.run("setup", "remove", "--all").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("--mode", "action"),
        ("--all", "-c", "codex"),
        ("--all", "codex"),
        ("remove",),
        ("remove", "codex", "--all"),
    ],
)
def test_what_is_ambiguous_is_refused(machine: Machine, arguments: tuple[str, ...]):
    machine.run("setup", *arguments, code=2)


def test_one_that_cannot_be_cleaned_does_not_keep_us_in_the_others(several: Machine):
    several.run("setup", "--all", "--yes")
    settings = several.home / ".claude" / "settings.json"
    settings.write_text('{"hooks": "broken')
    report = several.json("setup", "remove", "--all", "--yes", code=1)
    assert set(report["not_removed"]) == {"claudecode"}
    assert set(governed(several)) == {"claudecode"}
    assert list(several.files()) == [".claude/settings.json"]
    settings.unlink()
    several.run("setup", "remove", "--all", "--yes")
    assert several.files() == {}


def test_each_setup_and_removal_is_on_record(several: Machine):
    several.run("setup", "--all", "--yes")
    several.run("setup", "remove", "--all", "--yes")
    with closing(sqlite3.connect(several.data / "audit.db")) as store:
        rows = store.execute("SELECT action, target FROM audit_events ORDER BY seq").fetchall()
    for action in ("setup-hook-connector", "setup-remove"):
        assert [target for each, target in rows if each == action] == sorted(NAMES.values())
