"""``/enforce/*``. Source: seed "Enforcement logging", ``spec/gateway-api.md`` §15."""

import pytest

CALL = {"tool": "deploy", "args": {"target": "staging"}}
ENTRY = {"target_type": "tool", "target_name": "deploy", "reason": "under review"}


async def change(house, method, path, body):
    async with house.client() as client:
        return await client.request(method, path, json=body)


async def listed(house, name):
    entries = (await house.get(f"/enforce/{name}")).json()
    assert entries == (await house.post(f"/enforce/{name}", b"")).json()
    return [(entry["target_type"], entry["target_name"], entry["reason"]) for entry in entries]


async def test_a_blocked_tool_is_listed_recorded_and_blocked_from_then_on(enforcing):
    assert (await enforcing.post("/api/v1/inspect/tool", CALL)).json()["action"] == "allow"
    reply = await enforcing.post("/enforce/block", ENTRY)
    assert (reply.status_code, reply.json()) == (200, {"status": "blocked"})
    assert await listed(enforcing, "blocked") == [("tool", "deploy", "under review")]
    found = (await enforcing.post("/api/v1/inspect/tool", CALL)).json()
    assert (found["action"], found["findings"]) == ("block", ["STATIC-BLOCK"])
    (row,) = enforcing.rows("api-enforce-block")
    assert row["target"] == "deploy"
    assert "under review" in row["details"]


async def test_unblocking_twice_is_fine(enforcing):
    await enforcing.post("/enforce/block", ENTRY)
    for _ in range(2):
        reply = await change(enforcing, "DELETE", "/enforce/block", ENTRY)
        assert (reply.status_code, reply.json()) == (200, {"status": "unblocked"})
    assert await listed(enforcing, "blocked") == []
    assert (await enforcing.post("/api/v1/inspect/tool", CALL)).json()["action"] == "allow"


async def test_an_allow_takes_the_place_of_a_block(enforcing):
    await enforcing.post("/enforce/block", ENTRY)
    assert (await enforcing.post("/enforce/allow", ENTRY)).json() == {"status": "allowed"}
    assert await listed(enforcing, "blocked") == []
    assert await listed(enforcing, "allowed") == [("tool", "deploy", "under review")]


async def test_an_unknown_field_is_ignored(house):
    assert (await house.post("/enforce/block", ENTRY | {"colour": "red"})).status_code == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "missing_field"),
        ({"target_type": "tool", "target_name": " "}, "missing_field"),
        ({"target_type": "planet", "target_name": "x"}, "bad_request"),
        ({"target_type": "tool", "target_name": "x" * 600}, "bad_request"),
        ({"target_type": "tool", "target_name": "a\nb"}, "bad_request"),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/enforce/block"), ("DELETE", "/enforce/block"), ("POST", "/enforce/allow")],
)
async def test_refused(house, method, path, body, code):
    reply = await change(house, method, path, body)
    assert (reply.status_code, reply.json()["code"]) == (400, code)
    assert house.rows() == []


async def test_a_secret_in_a_reason_is_masked(house):
    secret = "AKIA" + "Z7QX4M2NPT5VKLWB"
    await house.post("/enforce/block", ENTRY | {"reason": f"leaks {secret}"})
    assert secret not in str([tuple(row) for row in house.rows()])
    assert secret not in (await house.get("/enforce/blocked")).text
