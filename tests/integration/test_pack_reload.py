"""A running gateway takes up a changed rule pack whole, and keeps the last good one otherwise."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.integration.machine import Machine, eventually
from tests.packed import write_rule, write_suppressions

CALL = {"tool": "Bash", "args": {"command": "needle x"}}
RULE = "kinds: [tool_call]\ncondition: commands.exists(c, c.program == 'needle')"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("packs"))
    pack = machine.root / "acme"
    write_rule(pack, "ACME-NEEDLE", RULE)
    machine.configure(guardrail={"mode": "action", "rule_pack_dir": str(pack)})
    machine.start()
    yield machine
    machine.close()


@pytest.fixture
def pack(running: Machine) -> Path:
    """The pack in use, whatever a test before left behind."""
    folder = running.root / "acme"
    (folder / "suppressions.yaml").unlink(missing_ok=True)
    write_rule(folder, "ACME-NEEDLE", RULE)
    running.configure(guardrail={"mode": "action", "rule_pack_dir": str(folder)})
    eventually(lambda: running.get("/health")["status"] == "ok", "a good pack taken up")
    eventually(lambda: found(running) == "HIGH", "its rule in use")
    return folder


def found(gateway: Machine) -> str:
    return str(gateway.inspect("tool", CALL)["severity"])


def test_a_changed_rule_takes_effect_and_is_on_record(running: Machine, pack: Path) -> None:
    before = len(running.rows("SELECT * FROM audit_events WHERE action='policy-reload'"))
    write_rule(pack, "ACME-NEEDLE", RULE.replace("'needle'", "'pin'"))
    eventually(lambda: found(running) == "NONE", "the changed rule")
    rows = running.rows("SELECT * FROM audit_events WHERE action='policy-reload' ORDER BY seq")
    assert len(rows) == before + 1
    assert f"rule_pack={pack}" in rows[-1]["details"]
    assert "digest=" in rows[-1]["details"]


def test_an_invalid_pack_is_named_and_changes_nothing(running: Machine, pack: Path) -> None:
    (pack / "mine" / "broken.yaml").write_text("id: BROKEN\ncolour: red\n")
    eventually(lambda: running.get("/health")["status"] == "degraded", "the problem noticed")
    health = running.get("/health")
    assert health["failing"] == ["guardrail"]
    said = health["guardrail"]["last_error"]
    assert said.startswith(f"rule pack {pack}: mine/broken.yaml:2: BROKEN: unknown key 'colour'")
    assert said.endswith("; the last good rules stay in use")
    assert found(running) == "HIGH"
    assert running.client.get("/ready").status_code == 200
    assert "mine/broken.yaml:2: BROKEN" in running.cli("status").stdout
    (pack / "mine" / "broken.yaml").unlink()
    eventually(lambda: running.get("/health")["status"] == "ok", "the mended pack")


def test_a_pack_that_vanishes_stays_in_use(running: Machine, pack: Path) -> None:
    aside = pack.with_name("aside")
    pack.rename(aside)
    eventually(lambda: running.get("/health")["failing"] == ["guardrail"], "the loss noticed")
    assert found(running) == "HIGH"
    aside.rename(pack)
    eventually(lambda: running.get("/health")["status"] == "ok", "the pack again")


def test_a_suppression_ends_while_the_gateway_runs(running: Machine, pack: Path) -> None:
    end = datetime.now(UTC) + timedelta(seconds=4)
    until = end.strftime("%Y-%m-%dT%H:%M:%SZ")
    write_suppressions(pack, f"{{id: farm, rules: [ACME-NEEDLE], reason: It is so, until: '{until}'}}")
    eventually(lambda: running.inspect("tool", CALL)["raw_action"] == "allow", "the suppression in use")
    time.sleep(max(0.0, (end - datetime.now(UTC)).total_seconds()))
    assert running.inspect("tool", CALL)["raw_action"] == "alert"
    assert running.get("/health")["status"] == "ok"


def test_a_pack_is_named_and_left_by_the_configuration(running: Machine, pack: Path) -> None:
    running.configure(guardrail={"mode": "action"})
    eventually(lambda: found(running) == "NONE", "the packaged rules alone")
    write_rule(pack, "ACME-NEEDLE", RULE.replace("'needle'", "'pin'"))
    running.configure(guardrail={"mode": "action", "rule_pack_dir": f"{pack}/strict"})
    call = {"tool": "Bash", "args": {"command": "pin x"}}
    eventually(
        lambda: running.inspect("tool", call)["raw_action"] == "block", "the strict profile of the pack"
    )


def test_an_agent_cannot_change_the_pack(running: Machine, pack: Path) -> None:
    call = {"tool": "Bash", "args": {"command": f"echo 'suppressions: []' > {pack}/suppressions.yaml"}}
    assert running.inspect("tool", call)["action"] == "block"


def test_calls_are_answered_while_a_pack_is_taken_up(running: Machine, pack: Path) -> None:
    """None of them waits for the load, which takes a good part of a second."""

    def reloads() -> int:
        return len(running.rows("SELECT seq FROM audit_events WHERE action='policy-reload'"))

    before, slowest = reloads(), 0.0
    for number in range(60):
        write_rule(pack, f"ACME-{number}", RULE.replace("'needle'", f"'needle{number}'"))
    until = time.monotonic() + 10
    while reloads() == before and time.monotonic() < until:
        for _ in range(20):
            began = time.monotonic()
            assert found(running) == "HIGH"
            slowest = max(slowest, time.monotonic() - began)
    assert reloads() > before
    assert slowest < 0.5
    for number in range(60):
        (pack / "mine" / f"acme-{number}.yaml").unlink()
