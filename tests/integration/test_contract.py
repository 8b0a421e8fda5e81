"""The conformance checklist of the gateway's contract, against the running server.

Source: ``spec/gateway-api.md`` §25. What concerns routes that are not served yet is not here.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.integration.machine import CLIENT, DANGEROUS, HOOKS, Machine, eventually, rule_ids
from tests.integration.planted import Mint

from defenseclaw.gateway.app import create_app
from defenseclaw.main import Gateway, Installation

HIGH_CALL = {"tool": "Bash", "args": {"command": "nc -lvp 4444"}}
"""A finding of severity HIGH: what a person may be asked about."""


@pytest.fixture
def anonymous(gateway: Machine) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{gateway.port}", trust_env=False) as client:
        yield client


@pytest.fixture
def reconfigured(gateway: Machine) -> Iterator[Machine]:
    """The gateway, put back to what it was afterwards."""
    kept = gateway.config_file.read_text()
    yield gateway
    gateway.config_file.write_text(kept)
    eventually(lambda: gateway.get("/v1/guardrail/config")["mode"] == "action", "as it was")
    eventually(lambda: not gateway.get("/v1/guardrail/config")["hilt_enabled"], "as it was")


def configure(gateway: Machine, **guardrail: Any) -> None:
    generation = gateway.get("/health")["provenance"]["generation"]
    gateway.configure(guardrail=guardrail)
    eventually(lambda: gateway.get("/health")["provenance"]["generation"] > generation, "taken up")


# ---- 1, 2: who may ask --------------------------------------------------------------------------------


def test_health_is_open_and_nothing_else_is(anonymous: httpx.Client) -> None:
    assert anonymous.get("/health").status_code == 200
    assert anonymous.get("/health", headers={"Authorization": "Bearer wrong"}).status_code == 200
    assert anonymous.head("/health").status_code == 401
    refused = anonymous.get("/status")
    assert refused.status_code == 401
    assert refused.json() == {"error": "unauthorized", "code": "unauthorized"}
    assert refused.headers["x-defenseclaw-request-id"]


def test_either_header_carries_the_token(gateway: Machine, anonymous: httpx.Client) -> None:
    token = gateway.token
    assert anonymous.get("/status", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert anonymous.get("/status", headers={"X-DefenseClaw-Token": token}).status_code == 200
    both = {"Authorization": "Bearer wrong", "X-DefenseClaw-Token": token}
    assert anonymous.get("/status", headers=both).status_code == 401
    basic = {"Authorization": "Basic wrong", "X-DefenseClaw-Token": token}
    assert anonymous.get("/status", headers=basic).status_code == 200


# ---- 3: what a web page could send ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        pytest.param({"X-DefenseClaw-Client": ""}, 403, id="no client header"),
        pytest.param({"Content-Type": "text/plain"}, 415, id="text/plain"),
        pytest.param({"Origin": "https://evil.example"}, 403, id="a foreign origin"),
        pytest.param({"Origin": "null"}, 403, id="an origin of null"),
        pytest.param({"Origin": "http://localhost:3000"}, 200, id="a local origin"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, 403, id="cross-site"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, 403, id="same-site"),
        pytest.param({"Sec-Fetch-Site": "same-origin"}, 200, id="same-origin"),
        pytest.param({"Host": "evil.example"}, 403, id="a foreign host"),
        pytest.param({"Host": "localhost:1"}, 200, id="localhost"),
        pytest.param({"Content-Type": "application/json; charset=utf-8"}, 200, id="a charset"),
    ],
)
def test_what_a_browser_may_not_send(gateway: Machine, changed: dict[str, str], status: int) -> None:
    reply = gateway.post("/api/v1/inspect/tool", DANGEROUS, **changed)
    assert reply.status_code == status
    assert "access-control-allow-origin" not in reply.headers


# ---- 4: ids -------------------------------------------------------------------------------------------


def test_request_ids(gateway: Machine) -> None:
    def id_of(**headers: str) -> str:
        return str(gateway.client.get("/status", headers=headers).headers["x-defenseclaw-request-id"])

    assert id_of(**{"X-DefenseClaw-Request-Id": "abc"}) == "abc"
    assert id_of(**{"X-DefenseClaw-Request-Id": "x" * 300}) == "x" * 128
    assert id_of(**{"X-Correlation-Id": "c"}) == "c"
    assert id_of(**{"X-Request-Id": "r", "X-Correlation-Id": "c"}) == "r"
    assert uuid.UUID(id_of()).version == 4


# ---- 5, 6: modes and approvals ------------------------------------------------------------------------


def test_action_mode(gateway: Machine) -> None:
    answer = gateway.inspect("tool", DANGEROUS)
    assert (answer["action"], answer["raw_action"], answer["would_block"]) == ("block", "block", False)


def test_observe_mode(reconfigured: Machine) -> None:
    configure(reconfigured, mode="observe")
    answer = reconfigured.inspect("tool", DANGEROUS)
    assert (answer["action"], answer["raw_action"], answer["would_block"]) == ("allow", "block", True)


@pytest.mark.parametrize(
    ("primary", "surface", "action", "would_block"),
    [
        pytest.param("openclaw", "native", "confirm", False, id="openclaw can ask"),
        pytest.param("openclaw", None, "block", True, id="openclaw without a native ask"),
        pytest.param("codex", "native", "block", True, id="codex cannot"),
    ],
)
def test_a_question(
    reconfigured: Machine, primary: str, surface: str | None, action: str, would_block: bool
) -> None:
    configure(reconfigured, mode="action", connector=primary, hilt={"enabled": True})
    answer = reconfigured.inspect("tool", {**HIGH_CALL, "approval_surface": surface})
    assert (answer["severity"], answer["raw_action"]) == ("HIGH", "confirm")
    assert (answer["action"], answer["would_block"]) == (action, would_block)
    assert bool(answer["approval_timeout_ms"]) is (action == "confirm")


# ---- 7: evidence --------------------------------------------------------------------------------------


def test_evidence_is_shown_only_to_who_asks_exactly(gateway: Machine) -> None:
    secret = Mint(7).github()
    body = {"tool": "Bash", "args": {"command": f"echo {secret}"}}

    def shown(**headers: str) -> bool:
        return secret in gateway.post("/api/v1/inspect/tool", body, **headers).text

    def revealed() -> int:
        return len(gateway.rows("SELECT * FROM audit_events WHERE action='inspect-reveal'"))

    before = revealed()
    assert not shown()
    assert not shown(**{"X-DefenseClaw-Reveal-PII": "true"})
    assert revealed() == before
    assert shown(**{"X-DefenseClaw-Reveal-PII": "1"})
    assert revealed() == before + 1


# ---- 8: hooks -----------------------------------------------------------------------------------------


def test_hooks(gateway: Machine, reconfigured: Machine) -> None:
    assert gateway.hook("claudecode", {"hook_event_name": "NobodyKnows"})["action"] == "allow"
    empty = gateway.post(HOOKS["claudecode"], {})
    assert (empty.status_code, empty.json()["error"]) == (400, "hook event name is required")
    call = {"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": "history -c"}}
    medium = gateway.hook("claudecode", call)
    configure(reconfigured, mode="observe", connectors={"claudecode": {"enabled": True}})
    observed = gateway.hook("claudecode", call)
    assert rule_ids(observed) == rule_ids(medium) != []
    assert (medium["action"], observed["raw_action"], observed["action"]) == ("alert", "alert", "allow")


# ---- 10 to 12, 14: lists, audit, configuration ----------------------------------------------------------


def test_the_block_list(gateway: Machine) -> None:
    entry = {"target_type": "tool", "target_name": "Forbidden", "reason": "no", "unknown": [1]}
    assert gateway.post("/enforce/block", entry).json() == {"status": "blocked"}
    for listed in (gateway.get("/enforce/blocked"), gateway.post("/enforce/blocked", {}).json()):
        assert [each["target_name"] for each in listed] == ["Forbidden"]
    blocked = gateway.inspect("tool", {"tool": "Forbidden", "args": {}})
    assert (blocked["action"], rule_ids(blocked)) == ("block", ["STATIC-BLOCK"])
    for _ in range(2):
        removed = gateway.client.request("DELETE", "/enforce/block", json=entry)
        assert (removed.status_code, removed.json()) == (200, {"status": "unblocked"})
    assert gateway.get("/enforce/blocked") == []
    assert gateway.inspect("tool", {"tool": "Forbidden", "args": {}})["action"] == "allow"


def test_an_audit_event(gateway: Machine) -> None:
    stored = gateway.post("/audit/event", {"action": "deployed", "details": "v1"}).json()
    assert stored["status"] == "stored"
    (row,) = gateway.rows("SELECT * FROM audit_events WHERE id=?", stored["id"])
    assert (row["action"], row["details"]) == ("deployed", "v1")
    assert gateway.post("/audit/event", {"details": "v1"}).status_code == 400


@pytest.mark.parametrize("field", ["schema_version", "generation", "step_idx"])
@pytest.mark.parametrize("number", [-1, 2**63, -(2**70), 10**400])
def test_a_number_the_store_cannot_hold(gateway: Machine, field: str, number: int) -> None:
    refused = gateway.post("/audit/event", {"action": "deployed", field: number})
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_json")


def test_patching_the_guardrail(gateway: Machine) -> None:
    def patch(body: dict[str, Any]) -> int:
        return gateway.client.patch("/v1/guardrail/config", json=body).status_code

    before = gateway.config_file.read_bytes()
    assert patch({"mode": "enforce"}) == 400
    assert patch({}) == 400
    assert patch({"unknown": 1}) == 400
    assert patch({"connector": "somebody-else"}) == 409
    assert gateway.config_file.read_bytes() == before
    assert gateway.post("/config/patch", {"path": "gateway.token", "value": "x"}).status_code == 403
    assert gateway.post("/config/patch", {"path": "no.such.key", "value": "x"}).status_code == 400
    assert gateway.config_file.read_bytes() == before


# ---- 13: how often ------------------------------------------------------------------------------------


async def test_a_remote_caller_is_held_to_its_budget_and_loopback_is_not(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    env = {"HOME": str(tmp_path_factory.mktemp("rate")), "PATH": "/nowhere"}
    gateway = Gateway.build(Installation.open(env))
    gateway.writer.start()
    app = create_app(gateway.services)

    async def statuses(peer: str) -> list[int]:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app, client=(peer, 1)),
            base_url="http://127.0.0.1",
            headers={**CLIENT, "Authorization": f"Bearer {gateway.token_value}"},
        ) as client:
            paths = ["/api/v1/inspect/tool", *HOOKS.values()]
            return [
                (await client.post(paths[n % 3], json={**DANGEROUS, "hook_event_name": "Stop"})).status_code
                for n in range(60)
            ]

    try:
        remote = await statuses("198.51.100.7")
        assert remote[:40] == [200] * 40
        assert 429 in remote[40:]
        assert set(remote) == {200, 429}
        assert await statuses("127.0.0.1") == [200] * 60
    finally:
        gateway.writer.stop()
        gateway.store.close()
