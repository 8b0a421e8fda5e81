"""``/audit/event`` and ``/alerts``. Source: seed "Audit", ``spec/gateway-api.md`` §18."""

import json

import pytest

EVENT = {
    "action": "admission",
    "target": "/w/skills/pdf",
    "severity": "HIGH",
    "details": '{"verdict":"rejected"}',
}


async def test_an_event_is_stored_under_the_id_that_is_told(house):
    reply = await house.post("/audit/event", EVENT)
    assert reply.status_code == 200
    assert reply.json()["status"] == "stored"
    (row,) = house.rows()
    assert row["id"] == reply.json()["id"]
    assert (row["action"], row["target"]) == ("admission", "/w/skills/pdf")
    assert (row["severity"], row["actor"]) == ("HIGH", "defenseclaw")


async def test_what_the_body_leaves_out_comes_from_the_headers(house):
    headers = {"X-DefenseClaw-Session-Id": "s-header", "X-Request-Id": "r-header"}
    await house.post("/audit/event", EVENT | {"session_id": "s-body"}, headers=headers)
    (row,) = house.rows()
    assert (row["session_id"], row["request_id"]) == ("s-body", "r-header")
    assert row["run_id"] == house.services.identity().run_id


async def test_an_id_is_used_once(house):
    assert (await house.post("/audit/event", EVENT | {"id": "e-1"})).json()["id"] == "e-1"
    again = await house.post("/audit/event", EVENT | {"id": "e-1"})
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    assert len(house.rows()) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "missing_field"),
        ({"action": ""}, "missing_field"),
        (EVENT | {"details": {"verdict": "rejected"}}, "bad_json"),
        (EVENT | {"severity": "DIRE"}, "bad_request"),
        (EVENT | {"timestamp": "yesterday"}, "bad_request"),
        (EVENT | {"timestamp": "2026-01-01T00:00:00"}, "bad_request"),
        (EVENT | {"step_idx": "1"}, "bad_json"),
    ],
)
async def test_refused(house, body, code):
    reply = await house.post("/audit/event", body)
    assert (reply.status_code, reply.json()["code"]) == (400, code)
    assert house.rows() == []


async def test_secrets_are_masked_wherever_they_stand(house):
    secret = "AKIA" + "Z7QX4M2NPT5VKLWB"
    body = EVENT | {
        "target": secret,
        "actor": secret,
        "details": f"key {secret}",
        "tool_name": secret,
        "structured": {"deep": [{"a": f"is {secret}"}], secret: 1},
    }
    assert (await house.post("/audit/event", body)).status_code == 200
    assert secret not in str([tuple(row) for row in house.rows()])


async def test_a_moment_is_stored_in_utc(house):
    await house.post("/audit/event", EVENT | {"timestamp": "2026-07-01T10:00:00+02:00"})
    assert house.rows()[0]["timestamp"] == "2026-07-01T08:00:00.000000Z"


class TestAlerts:
    async def test_the_newest_comes_first(self, house):
        for number in range(3):
            await house.post("/audit/event", EVENT | {"target": f"t{number}"})
        await house.post("/audit/event", EVENT | {"severity": "INFO", "target": "quiet"})
        found = (await house.get("/alerts?limit=2")).json()
        assert [alert["target"] for alert in found] == ["t2", "t1"]
        assert found[0]["severity"] == "HIGH"

    async def test_none_is_an_empty_list(self, house):
        assert json.loads((await house.get("/alerts")).content) == []

    @pytest.mark.parametrize("limit", ["0", "-1", "x", "", "1.5", "%C2%B2", "1e3"])
    async def test_a_limit_is_a_positive_number(self, house, limit):
        reply = await house.get(f"/alerts?limit={limit}")
        assert (reply.status_code, reply.json()["error"]) == (400, "limit must be a positive integer")

    async def test_a_huge_limit_is_capped(self, house):
        assert (await house.get("/alerts?limit=99999999999999999999")).status_code == 200
