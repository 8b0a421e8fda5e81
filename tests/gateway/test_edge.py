"""The order of refusals, and their shape. Source: ``spec/gateway-api.md`` §25, ``DECISIONS.md`` "HTTP"."""

import json
import uuid

import pytest
from tests.gateway.conftest import CLIENT

from defenseclaw.gateway.bodies import API_BODY
from defenseclaw.gateway.routing import all_routes

JSON = {"Content-Type": "application/json"}
HOOK = "/api/v1/claude-code/hook"
TOOL = "/api/v1/inspect/tool"
PASS = {"X-DefenseClaw-Token": "TOKEN", **CLIENT}


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "code"),
    [
        # Host comes first
        ("GET", "/status", {"Host": "evil.example"}, 403, "host_not_allowed"),
        ("GET", "/nowhere", {"Host": ""}, 403, "host_not_allowed"),
        # then the token
        ("GET", "/status", {}, 401, "unauthorized"),
        ("GET", "/ready", {}, 401, "unauthorized"),
        ("GET", "/openapi.json", {}, 401, "unauthorized"),
        ("HEAD", "/health", {}, 401, None),
        ("GET", TOOL, {}, 401, "unauthorized"),
        ("GET", "/nowhere", {}, 401, "unauthorized"),
        ("POST", "/nowhere", {}, 401, "unauthorized"),
        ("POST", TOOL, PASS | {"Authorization": "Bearer wrong"}, 401, "unauthorized"),
        # then what a web page could have sent
        ("POST", TOOL, {"X-DefenseClaw-Token": "TOKEN", **JSON}, 403, "missing_client"),
        ("POST", "/nowhere", {"X-DefenseClaw-Token": "TOKEN"}, 403, "missing_client"),
        ("POST", TOOL, PASS | {"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
        ("POST", TOOL, PASS | JSON | {"Origin": "https://evil.example"}, 403, "origin_not_allowed"),
        ("POST", TOOL, PASS | JSON | {"Sec-Fetch-Site": "cross-site"}, 403, "cross_site"),
        # then the route
        ("GET", "/nowhere", {"X-DefenseClaw-Token": "TOKEN"}, 404, "not_found"),
        ("GET", "/status/", {"X-DefenseClaw-Token": "TOKEN"}, 404, "not_found"),
        ("GET", "//status", {"X-DefenseClaw-Token": "TOKEN"}, 404, "not_found"),
        ("GET", TOOL, {"X-DefenseClaw-Token": "TOKEN"}, 405, "method_not_allowed"),
        ("HEAD", "/health", {"X-DefenseClaw-Token": "TOKEN"}, 405, None),
        ("OPTIONS", TOOL, PASS, 405, "method_not_allowed"),
        # then the body
        ("POST", TOOL, PASS | JSON, 400, "bad_json"),
        # and past it all
        ("GET", "/health", {"Host": "evil.example"}, 200, None),
        ("GET", "/health", {"Authorization": "Bearer wrong"}, 200, None),
        ("GET", "/status", {"X-DefenseClaw-Token": "TOKEN"}, 200, None),
        ("GET", "/status", {"Authorization": "Bearer TOKEN"}, 200, None),
        ("GET", "/status", {"X-DC-Auth": "Bearer TOKEN"}, 200, None),
    ],
)
async def test_order_of_refusals(house, method, path, headers, status, code):
    sent = {name: value.replace("TOKEN", house.token) for name, value in headers.items()}
    async with house.client(None, headers={}) as client:
        reply = await client.request(method, path, headers=sent)
    assert reply.status_code == status
    assert uuid.UUID(reply.headers["x-defenseclaw-request-id"])
    assert reply.headers["x-content-type-options"] == "nosniff"
    if code is not None:
        assert reply.headers["content-type"] == "application/json"
        assert reply.json()["code"] == code
        assert set(reply.json()) == {"error", "code"}


async def test_405_names_what_is_allowed(house):
    async with house.client() as client:
        assert (await client.request("PUT", "/v1/guardrail/config", json={})).headers["allow"] == "GET, PATCH"


async def test_two_host_headers_are_refused(house):
    async with house.client() as client:
        request = client.build_request("GET", "/status")
        request.headers = type(request.headers)([*request.headers.raw, (b"Host", b"localhost")])
        assert (await client.send(request)).json()["code"] == "host_not_allowed"


async def test_allowed_hosts_are_allowed(make_house):
    house = make_house(gateway__allowed_hosts=["gate.corp.example"])
    async with house.client() as client:
        assert (await client.get("/status", headers={"Host": "gate.corp.example:1"})).status_code == 200
        assert (await client.get("/status", headers={"Host": "other.example"})).status_code == 403


async def test_a_gateway_without_a_token_answers_503(house):
    house.gateway.token_value = ""
    async with house.client("anything") as client:
        reply = await client.get("/status")
    assert (reply.status_code, reply.json()["code"]) == (503, "no_token")


class TestIds:
    @pytest.mark.parametrize(
        ("sent", "echoed"),
        [
            ({"X-DefenseClaw-Request-Id": "r-1"}, "r-1"),
            ({"X-Correlation-Id": "c-1"}, "c-1"),
            ({"X-Request-Id": "x" * 300}, "x" * 128),
        ],
    )
    async def test_the_request_id_is_echoed(self, house, sent, echoed):
        async with house.client() as client:
            reply = await client.get("/status", headers=sent)
        assert reply.headers["x-defenseclaw-request-id"] == echoed

    async def test_the_agent_is_named(self, house):
        headers = {"X-DefenseClaw-Agent-Id": "a-1", "X-DefenseClaw-Session-Id": "s-1"}
        async with house.client() as client:
            first = await client.get("/status", headers=headers)
            second = await client.get("/status", headers=headers)
        assert first.headers["x-defenseclaw-agent-id"] == "a-1"
        instance = first.headers["x-defenseclaw-agent-instance-id"]
        assert instance == second.headers["x-defenseclaw-agent-instance-id"]
        assert uuid.UUID(first.headers["x-defenseclaw-sidecar-instance-id"])


class TestScopedTokens:
    async def test_a_connectors_token_opens_its_own_routes_only(self, house):
        token = house.scoped_token("claudecode")
        own = {"X-DefenseClaw-Connector": "claudecode"}
        hook, tool = {"hook_event_name": "Stop"}, {"tool": "Read", "args": {}}
        assert (await house.post(HOOK, hook, token=token)).status_code == 200
        assert (await house.post(TOOL, tool, token=token, headers=own)).status_code == 200
        assert (await house.post(TOOL, tool, token=token)).status_code == 401
        assert (await house.post("/api/v1/omnigent/hook", hook, token=token)).status_code == 401
        assert (await house.post("/enforce/allow", {}, token=token, headers=own)).status_code == 401

    async def test_it_opens_nothing_from_elsewhere(self, house):
        token = house.scoped_token("claudecode")
        async with house.client(token, peer="192.0.2.9") as client:
            assert (await client.post(HOOK, json={"hook_event_name": "Stop"})).status_code == 401

    async def test_every_control_route_wants_the_gateway_token(self, house):
        token = house.scoped_token("claudecode")
        own = {"X-DefenseClaw-Connector": "claudecode"}
        control = [
            route
            for route in all_routes()
            if not route.public and "/inspect/" not in route.path and not route.path.endswith("/hook")
        ]
        assert control
        async with house.client(token) as client:
            for route in control:
                reply = await client.request(route.method, route.path, json={}, headers=own)
                assert reply.status_code == 401, route.path


class TestRate:
    async def test_remote_callers_share_one_budget_over_inspect_and_hooks(self, house):
        async with house.client(peer="192.0.2.9") as client:
            statuses = []
            for number in range(48):
                path, body = (TOOL, b"[]") if number % 2 else (HOOK, b"[]")
                reply = await client.post(path, content=body, headers=JSON)
                statuses.append(reply.status_code)
            assert statuses[:40] == [400] * 40
            assert 429 in statuses[40:]
            assert (await client.get("/status")).status_code == 200

    async def test_loopback_is_exempt(self, house):
        async with house.client() as client:
            replies = [await client.post(TOOL, content=b"[]", headers=JSON) for _ in range(60)]
        assert {reply.status_code for reply in replies} == {400}


class TestBodies:
    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b"", "bad_json"),
            (b"{} {}", "bad_json"),
            (b'{"tool":7}', "bad_json"),
            (b'{"tool":"\xff"}', "bad_json"),
            (b'{"tool":NaN}', "bad_json"),
            (b'{"args":' + b"[" * 65 + b"]" * 65 + b"}", "bad_json"),
            (b'{"args":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "bad_json"),
            (b"null", "missing_field"),
            (b'{"tool":null}', "missing_field"),
            (b'{"unknown":1}', "missing_field"),
        ],
    )
    async def test_a_bad_body_is_a_400(self, house, body, code):
        reply = await house.post(TOOL, body)
        assert (reply.status_code, reply.json()["code"]) == (400, code)

    async def test_a_required_field_is_named(self, house):
        assert (await house.post(TOOL, {})).json()["error"] == "tool is required"
        reply = await house.post("/enforce/block", {"target_type": "tool"})
        assert reply.json()["error"] == "target_type and target_name are required"

    async def test_a_body_over_the_cap_is_a_413_however_it_comes(self, house):
        body = json.dumps({"tool": "x", "args": "y" * API_BODY}).encode()

        async def pieces():
            for start in range(0, len(body), 65536):
                yield body[start : start + 65536]

        assert (await house.post(TOOL, body)).status_code == 413
        async with house.client() as client:
            reply = await client.post(TOOL, content=pieces(), headers=JSON)
        assert (reply.status_code, reply.json()["code"]) == (413, "body_too_large")
        assert house.app.held_bytes == 0

    async def test_a_body_just_under_the_cap_is_taken(self, house):
        frame = len(json.dumps({"tool": "x", "args": ""}).encode())
        body = json.dumps({"tool": "x", "args": "y" * (API_BODY - frame)}).encode()
        assert len(body) == API_BODY
        assert (await house.post(TOOL, body)).status_code == 200


async def test_a_fault_of_ours_is_a_500_without_a_word_of_content(house, monkeypatch, caplog):
    def broken(*_args, **_kwargs):
        raise RuntimeError("choked on s3cret")

    monkeypatch.setattr(house.services.inspector, "inspect", broken)
    reply = await house.post(TOOL, {"tool": "s3cret"})
    assert (reply.status_code, reply.json()) == (500, {"error": "internal error", "code": "internal_error"})
    assert "RuntimeError" in caplog.text
    assert "s3cret" not in caplog.text


async def test_past_the_bound_of_evaluations_the_answer_is_503(make_house):
    house = make_house(gateway__max_pending=1)
    house.services.inspector.pending = 1
    reply = await house.post(TOOL, {"tool": "Read", "args": {}})
    assert (reply.status_code, reply.json()["code"], reply.headers["retry-after"]) == (503, "overloaded", "1")


async def test_refusals_are_journalled_without_the_token(house):
    async with house.client("s3cret-guess") as client:
        await client.get("/status?token=s3cret-query")
    await house.gateway.writer.probe()
    await house.gateway.writer.probe()
    lines = [json.loads(line) for line in house.journal_file.read_text().splitlines()]
    told = [line["error"] for line in lines if line["event_type"] == "error"]
    assert [(each["subsystem"], each["code"]) for each in told] == [("auth", "AUTH_INVALID_TOKEN")]
    assert "s3cret" not in house.journal_file.read_text()
    assert house.rows() == []
