"""A running gateway takes up what is valid and keeps the last good state of everything else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.machine import DANGEROUS, Machine, eventually, rule_ids

CLAUDE_CALL = {"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": DANGEROUS["args"]}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    agents = tmp_path_factory.mktemp("agents")
    claude = agents / "claude"
    claude.write_text('#!/bin/sh\necho "2.1.200 (Claude Code)"\n')
    claude.chmod(0o755)
    machine = Machine(tmp_path_factory.mktemp("reload"), agent_path=(agents,))
    machine.configure(guardrail={"mode": "action"})
    machine.start()
    yield machine
    machine.close()


@pytest.fixture
def gateway(running: Machine) -> Machine:
    """The running gateway in action mode, whatever a test before left behind."""
    running.configure(guardrail={"mode": "action"})
    eventually(lambda: running.get("/health")["status"] == "ok", "a good configuration taken up")
    eventually(lambda: mode(running) == "action", "action mode")
    return running


def mode(gateway: Machine) -> str:
    return str(gateway.get("/v1/guardrail/config")["mode"])


BAD = {
    "not YAML": "guardrail: [",
    "two documents": "a: 1\n---\nb: 2\n",
    "not a mapping": "- guardrail\n",
    "a mode nobody knows": "guardrail: {mode: enforce}\n",
    "a number for a switch": "guardrail: {enabled: 3}\n",
    "an unknown pack": "guardrail: {mode: observe, rule_pack_dir: nonesuch}\n",
    "an unknown pack of a connector": "guardrail:\n  connectors: {claudecode: {rule_pack_dir: /nowhere}}\n",
    "an unknown fail mode": "guardrail: {mode: observe, hook_fail_mode: maybe}\n",
    "a negative limit": "gateway: {max_pending: -1}\n",
    "not UTF-8": "guardrail: {mode: \udcff}\n",
    "an alias bomb": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)),
    "nested without end": "a: " + "[" * 5000 + "\n",
    "a Python object": "guardrail: !!python/object/apply:os.system ['true']\n",
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_an_invalid_file_changes_nothing(gateway: Machine, content: str) -> None:
    before = gateway.get("/health")["provenance"]
    gateway.config_file.write_bytes(content.encode("utf-8", "surrogateescape"))
    eventually(lambda: gateway.get("/health")["status"] == "degraded", "the problem noticed")
    health = gateway.get("/health")
    assert health["failing"] == ["config"]
    assert health["config"]["state"] == "error"
    assert health["config"]["last_error"]
    assert health["provenance"] == before
    assert gateway.inspect("tool", DANGEROUS)["action"] == "block"
    assert gateway.client.get("/ready").status_code == 200


def test_a_missing_file_changes_nothing_dangerous(gateway: Machine) -> None:
    """The last good configuration stays: the defaults would quietly end enforcement."""
    gateway.config_file.unlink()
    eventually(lambda: gateway.get("/health")["failing"] == ["config"], "the loss is named")
    assert gateway.inspect("tool", DANGEROUS)["action"] == "block"


def test_a_file_that_was_cut_off_changes_nothing_dangerous(gateway: Machine) -> None:
    """A full disk leaves an empty file of what an editor was about to write."""
    gateway.config_file.write_bytes(b"")
    eventually(lambda: gateway.get("/health")["failing"] == ["config"], "the loss is named")
    assert gateway.inspect("tool", DANGEROUS)["action"] == "block"


def test_a_valid_change_takes_effect(gateway: Machine) -> None:
    generation = gateway.get("/health")["provenance"]["generation"]
    gateway.configure(guardrail={"mode": "observe"})
    eventually(lambda: gateway.inspect("tool", DANGEROUS)["action"] == "allow", "observe mode")
    answer = gateway.inspect("tool", DANGEROUS)
    assert (answer["mode"], answer["raw_action"], answer["would_block"]) == ("observe", "block", True)
    assert gateway.get("/health")["provenance"]["generation"] == generation + 1
    rows = gateway.rows("SELECT * FROM audit_events WHERE action='config-update' ORDER BY seq")
    assert f"generation={generation + 1}" in rows[-1]["details"]


def test_the_profile_takes_effect(gateway: Machine) -> None:
    call = {"tool": "Bash", "args": {"command": "history -c"}}
    assert gateway.inspect("tool", call)["raw_action"] == "alert"
    gateway.configure(guardrail={"mode": "action", "rule_pack_dir": "strict"})
    eventually(lambda: gateway.inspect("tool", call)["raw_action"] == "block", "the strict profile")


def test_every_change_of_many_ends_in_the_last_one(gateway: Machine) -> None:
    for number in range(20):
        gateway.configure(
            guardrail={"mode": "observe" if number % 2 else "action", "block_message": f"m{number}"}
        )
    gateway.configure(guardrail={"mode": "action", "block_message": "the last word"})
    eventually(
        lambda: gateway.get("/v1/guardrail/config")["block_message"] == "the last word", "the last change"
    )
    assert mode(gateway) == "action"


def test_replacing_the_token_in_env(gateway: Machine) -> None:
    """The old token stops at once, the new one opens; the file is replaced as editors do it."""
    env_file = gateway.data / ".env"
    old = gateway.token
    new = "9" * 63 + "a"
    beside = env_file.with_name("env.new")
    beside.write_text(env_file.read_text().replace(old, new))
    beside.chmod(0o600)
    beside.replace(env_file)

    def status(token: str) -> int:
        return gateway.request("GET", "/status", headers={"Authorization": f"Bearer {token}"})[0]

    eventually(lambda: status(new) == 200, "the new token")
    assert status(old) == 401
    gateway.client.headers["Authorization"] = f"Bearer {new}"
    gateway.still_judges()


def test_taking_the_token_away_closes_everything(gateway: Machine) -> None:
    env_file = gateway.data / ".env"
    kept = env_file.read_text()
    env_file.write_text("")
    eventually(lambda: gateway.client.get("/status").status_code == 503, "no token")
    refused = gateway.client.get("/status").json()
    assert refused["code"] == "no_token"
    assert gateway.client.get("/health").status_code == 200
    env_file.write_text(kept)
    eventually(lambda: gateway.client.get("/status").status_code == 200, "the token again")


def test_a_connector_set_up_on_a_running_gateway(gateway: Machine) -> None:
    """Governed at once; its fail-mode file follows the configuration; its removal is seen as well."""
    gateway.configure()
    gateway.cli("setup", "claude-code", "--mode", "action", "--yes")
    eventually(lambda: "claudecode" in connectors(gateway), "the connector governed")
    assert gateway.hook("claudecode", CLAUDE_CALL)["action"] == "block"
    assert gateway.get("/status")["connector_mode"] == "action"
    runtime = gateway.data / "hooks" / ".runtime-claudecode.conf"
    assert fail_mode(runtime) == "closed"
    token = (gateway.data / "hooks" / ".hook-claudecode.token").read_text().strip()
    scoped = {"Authorization": f"Bearer {token}"}
    assert rule_ids(gateway.hook("claudecode", CLAUDE_CALL, **scoped)) == ["CMD-RM-RF"]
    assert gateway.client.get("/status", headers=scoped).status_code == 401

    gateway.cli("config", "set", "guardrail.connectors.claudecode.hook_fail_mode", "open")
    eventually(lambda: fail_mode(runtime) == "open", "the fail-mode file rewritten")
    assert runtime.stat().st_mode & 0o777 == 0o600
    gateway.cli("config", "set", "guardrail.connectors.claudecode.hook_fail_mode", "closed")
    eventually(lambda: fail_mode(runtime) == "closed", "the fail-mode file rewritten")
    gateway.cli("config", "set", "guardrail.connectors.claudecode.mode", "observe")
    eventually(lambda: gateway.hook("claudecode", CLAUDE_CALL)["action"] == "allow", "observe mode")

    gateway.cli("setup", "remove", "claude-code", "--yes")
    eventually(lambda: "claudecode" not in connectors(gateway), "the connector gone")
    assert (
        gateway.client.post("/api/v1/claude-code/hook", json=CLAUDE_CALL, headers=scoped).status_code == 401
    )


def connectors(gateway: Machine) -> list[str]:
    return [each["connector"] for each in gateway.get("/status")["connector_modes"]]


def fail_mode(runtime: Path) -> str:
    found = re.search(r"^fail_mode=(\w+)$", runtime.read_text(), re.MULTILINE)
    return found[1] if found else ""


def test_a_project_set_up_meanwhile_is_guarded_and_a_removed_one_no_longer(
    gateway: Machine, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    body = {"tool": "Bash", "args": {"command": f"rm {project}/.cursor/hooks.json"}, "cwd": str(project)}

    def guarded() -> bool:
        return "SELF-PROTECT-HOOKS" in rule_ids(gateway.inspect("tool", body))

    assert not guarded()
    gateway.cli("setup", "cursor", "--workspace", str(project), "--force", "--mode", "action", "--yes")
    eventually(guarded, "the project's hooks guarded")
    gateway.cli("setup", "remove", "cursor", "--yes")
    eventually(lambda: not guarded(), "the project's file free again")
