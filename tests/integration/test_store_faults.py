"""A store that cannot be written: closed blocks, open alerts and says so, and all of it mends by itself.

One connector fails closed, the other open. Source: ``DECISIONS.md`` "Writer".
"""

from __future__ import annotations

import os
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.machine import CLIENT, DANGEROUS, Machine, eventually

from defenseclaw.audit.appender import Appender
from defenseclaw.config import edit
from defenseclaw.gateway.app import create_app
from defenseclaw.main import Gateway, Installation

HARMLESS = {"tool_name": "Bash", "tool_input": {"command": "ls"}}
CLAUDE_CALL = {"hook_event_name": "PreToolUse", **HARMLESS}
OMNIGENT_CALL = {"omnigent_event_type": "tool_call", **HARMLESS}
POSTURES: dict[str, Any] = {
    "mode": "action",
    "connectors": {
        "claudecode": {"enabled": True, "hook_fail_mode": "closed"},
        "omnigent": {"enabled": True, "hook_fail_mode": "open"},
    },
}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("faults"))
    machine.configure(guardrail=POSTURES)
    machine.start()
    yield machine
    machine.close()


@pytest.fixture
def gateway(machine: Machine) -> Iterator[Machine]:
    """The running gateway; whatever a test did to its store, afterwards it works again by itself."""
    assert_works(machine)
    said = machine.log_text.count("recorded again")
    yield machine
    eventually(lambda: machine.client.get("/ready").status_code == 200, "ready again")
    assert_works(machine)
    assert machine.log_text.count("recorded again") == said + 1


def assert_works(gateway: Machine) -> None:
    for connector, call in (("claudecode", CLAUDE_CALL), ("omnigent", OMNIGENT_CALL)):
        answer = gateway.hook(connector, call)
        assert answer["action"] == "allow"
        (row,) = gateway.rows("SELECT * FROM audit_events WHERE evaluation_id=?", answer["evaluation_id"])
        assert row["connector"] == connector
    assert gateway.get("/health")["status"] == "ok"


def assert_fails_as_configured(gateway: Machine) -> None:
    """Without a record: closed blocks, open alerts; the probes and the log say why."""
    closed = gateway.hook("claudecode", CLAUDE_CALL)
    assert (closed["action"], closed["raw_action"]) == ("block", "block")
    assert "cannot record" in closed["reason"]
    assert closed["claude_code_output"]["hookSpecificOutput"]["permissionDecision"] == "deny"
    opened = gateway.hook("omnigent", OMNIGENT_CALL)
    assert opened["action"] == "alert"
    assert "cannot record" in opened["reason"]
    dangerous = gateway.hook("omnigent", {**OMNIGENT_CALL, "tool_input": DANGEROUS["args"]})
    assert dangerous["action"] == "block", "a verdict is never weakened"
    assert gateway.inspect("tool", DANGEROUS)["action"] == "block"
    ready = gateway.client.get("/ready")
    assert (ready.status_code, ready.json()["code"]) == (503, "store_unavailable")
    health = gateway.client.get("/health")
    assert health.status_code == 200
    assert (health.json()["status"], health.json()["failing"]) == ("degraded", ["audit"])
    assert health.json()["audit"]["last_error"]
    enforce = gateway.post("/enforce/block", {"target_type": "tool", "target_name": "unrecorded"})
    assert (enforce.status_code, enforce.json()["code"]) == (503, "store_unavailable")
    assert "verdicts cannot be recorded" in gateway.log_text
    assert "a verdict could not be recorded" in gateway.log_text
    assert "Traceback" not in gateway.log_text


@contextmanager
def file_size_limit(gateway: Machine, limit: int) -> Iterator[None]:
    """No file of the gateway's may grow beyond ``limit`` bytes: to it, a disk that is full."""
    soft, hard = resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk(gateway: Machine) -> None:
    assert len(gateway.log_text) < 2000, "the log must have room, or its lines are missed below"
    with file_size_limit(gateway, 4096):  # less than one page of the write-ahead log
        assert_fails_as_configured(gateway)


def test_a_store_locked_by_another_process(gateway: Machine) -> None:
    with closing(sqlite3.connect(gateway.data / "audit.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert_fails_as_configured(gateway)
        other.execute("ROLLBACK")


@contextmanager
def moved_away(gateway: Machine) -> Iterator[Path]:
    """The store's file is elsewhere; put back at the end."""
    store = gateway.data / "audit.db"
    elsewhere = gateway.root / "elsewhere.db"
    os.rename(store, elsewhere)
    try:
        yield store
    finally:
        os.replace(elsewhere, store)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(os.urandom(100_000), id="random bytes"),
        pytest.param(b"SQLite format 3\x00" + bytes(4000), id="a damaged header"),
    ],
)
def test_a_store_replaced_by_something_else(gateway: Machine, content: bytes) -> None:
    with moved_away(gateway) as store:
        store.write_bytes(content)
        assert_fails_as_configured(gateway)
        assert store.read_bytes()[:4000] == content[:4000]


def test_a_store_replaced_by_somebody_elses_database(gateway: Machine) -> None:
    with moved_away(gateway) as store:
        with closing(sqlite3.connect(store)) as other:
            other.execute("CREATE TABLE theirs (a)")
            other.commit()
        assert_fails_as_configured(gateway)
        with closing(sqlite3.connect(store)) as other:
            assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]


# ---- the file is gone -------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Machine]:
    """A gateway of this test alone, whose store does not come back whole."""
    machine = Machine(tmp_path)
    machine.configure(guardrail=POSTURES)
    machine.start()
    yield machine
    machine.close()


def test_a_store_deleted_while_running(own: Machine) -> None:
    """A new one begins at once; that the old one is gone stays visible."""
    for _ in range(5):
        assert_works(own)
    for name in ("audit.db", "audit.db-wal", "audit.db-shm"):
        (own.data / name).unlink()
    assert_works(own)
    verified = own.cli("audit", "verify", code=None)
    assert verified.returncode != 0
    assert own.log_text.count("Traceback") == 0


def test_only_the_database_deleted_and_its_log_left(own: Machine) -> None:
    assert_works(own)
    (own.data / "audit.db").unlink()
    assert_works(own)
    assert own.cli("audit", "verify", code=None).returncode != 0


def test_a_store_cut_to_nothing_while_running(own: Machine) -> None:
    """The process must outlive it; what it answers meanwhile follows the fail mode."""
    for _ in range(5):
        assert_works(own)
    os.truncate(own.data / "audit.db", 0)
    for _ in range(3):
        answer = own.hook("claudecode", CLAUDE_CALL)
        assert answer["action"] in ("allow", "block")
    assert own.gateway is not None
    assert own.gateway.poll() is None


# ---- the writer thread ------------------------------------------------------------------------------


@pytest.fixture
def gateway_here(tmp_path: Path) -> Iterator[Gateway]:
    """A whole gateway in this process, so that its writer thread can be reached."""
    env = {"HOME": str(tmp_path), "PATH": "/nowhere"}
    installation = Installation.open(env)
    edit.set_values(installation.data.config, {"guardrail.mode": "action"})
    gateway = Gateway.build(Installation.open(env))
    gateway.writer.start()
    yield gateway
    gateway.writer.stop()
    gateway.store.close()


async def ask(gateway: Gateway, method: str, path: str, body: object = None) -> httpx.Response:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(gateway.services), client=("127.0.0.1", 1)),
        base_url="http://127.0.0.1",
        headers={**CLIENT, "Authorization": f"Bearer {gateway.token_value}"},
    ) as client:
        return await client.request(method, path, json=body)


def die(_appender: Appender) -> None:
    raise SystemExit("as if the interpreter had run out of memory")


async def test_a_dead_writer_thread_comes_back_with_the_next_verdict(
    gateway_here: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Exception, match="writer died"):
        await gateway_here.writer.call(die)
    eventually(lambda: not gateway_here.writer.healthy, "the thread is gone")
    assert (await ask(gateway_here, "GET", "/health")).json()["failing"] == ["audit"]
    assert "the audit writer died" in caplog.text
    answer = await ask(
        gateway_here, "POST", "/api/v1/inspect/tool", {"tool": "Bash", "args": {"command": "ls"}}
    )
    assert answer.json()["action"] == "allow"
    assert (await ask(gateway_here, "GET", "/ready")).status_code == 200
    assert (await ask(gateway_here, "GET", "/health")).json()["status"] == "ok"


async def test_a_writer_that_does_not_come_back(gateway_here: Gateway) -> None:
    gateway_here.writer.stop()
    answer = await ask(
        gateway_here, "POST", "/api/v1/inspect/tool", {"tool": "Bash", "args": {"command": "ls"}}
    )
    assert answer.json()["action"] == "block"
    assert (await ask(gateway_here, "GET", "/ready")).status_code == 503
    assert (await ask(gateway_here, "GET", "/health")).json()["failing"] == ["audit"]
