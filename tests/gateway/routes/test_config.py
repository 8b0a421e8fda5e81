"""``/config/patch`` and ``/v1/guardrail/config``. Source: ``spec/gateway-api.md`` §12.4, §14.3."""

import pytest

GUARDRAIL = "/v1/guardrail/config"


async def patch(house, body):
    async with house.client() as client:
        return await client.patch(GUARDRAIL, json=body)


async def test_a_key_is_changed_in_place_and_taken_up(house):
    reply = await house.post("/config/patch", {"path": "guardrail.block_message", "value": "Ask security"})
    assert (reply.status_code, reply.json()) == (
        200,
        {"status": "patched", "path": "guardrail.block_message"},
    )
    assert house.services.config.current.guardrail.block_message == "Ask security"
    assert "# DefenseClaw configuration" in house.config_file.read_text()
    (row,) = house.rows("api-config-patch")
    assert row["target"] == "guardrail.block_message"
    assert "Ask security" not in str(tuple(row))


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "missing_field"),
        ({"path": "guardrail.colour", "value": 1}, 400, "config_invalid"),
        ({"path": "guardrail", "value": {}}, 400, "config_invalid"),
        ({"path": "guardrail.mode", "value": "sideways"}, 400, "config_invalid"),
        ({"path": "guardrail.rule_pack_dir", "value": "/nowhere/at/all"}, 400, "config_invalid"),
        ({"path": "gateway.token", "value": "s3cret"}, 403, "forbidden"),
    ],
)
async def test_what_is_refused_leaves_the_file_as_it_was(house, body, status, code):
    before = house.config_file.read_bytes()
    reply = await house.post("/config/patch", body)
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert house.config_file.read_bytes() == before
    assert house.services.config.last_error == ""
    assert house.rows("api-config-patch") == []


async def test_the_settings_in_force(house):
    assert (await house.get(GUARDRAIL)).json() == {
        "mode": "observe",
        "scanner_mode": "local",
        "block_message": "",
        "connector": "",
        "hilt_enabled": False,
        "hilt_min_severity": "HIGH",
    }


async def test_settings_are_changed_live(house):
    reply = await patch(house, {"mode": "action", "hilt_enabled": True, "hilt_min_severity": "medium"})
    body = reply.json()
    assert (reply.status_code, body["status"], body["live"]) == (200, "updated", True)
    assert body["changed"] == ["mode=action", "hilt_enabled=true", "hilt_min_severity=MEDIUM"]
    assert (await house.get(GUARDRAIL)).json()["mode"] == "action"
    assert house.services.config.posture("").mode == "action"
    assert len(house.rows("guardrail-config-reload")) == 1


async def test_a_block_message_is_not_told_back(house):
    assert (await patch(house, {"block_message": "secret words"})).json()["changed"] == ["block_message"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "no valid fields to update"),
        ({"colour": "red"}, "no valid fields to update"),
        ({"mode": "sideways"}, "mode must be observe or action"),
        ({"mode": 7}, "mode must be observe or action"),
        ({"mode": ["observe"]}, "mode must be observe or action"),
        ({"scanner_mode": "far"}, "scanner_mode must be local, remote, or both"),
        ({"block_message": 7}, "block_message must be a string"),
        ({"connector": "  "}, "connector must be a non-empty string"),
        ({"hilt_enabled": "yes"}, "hilt_enabled must be a boolean"),
    ],
)
async def test_refused(house, body, error):
    reply = await patch(house, body)
    assert (reply.status_code, reply.json()["error"]) == (400, error)


@pytest.mark.parametrize("body", [{"connector": "omnigent"}, {"scanner_mode": "both"}])
async def test_what_needs_a_restart_is_a_409_and_changes_nothing(house, body):
    before = house.config_file.read_bytes()
    reply = await patch(house, body)
    assert (reply.status_code, reply.json()["code"]) == (409, "conflict")
    assert reply.json()["restart_required"] == ["guardrail", "guardrail.connectors"]
    assert house.config_file.read_bytes() == before


async def test_in_restart_mode_a_change_waits(make_house):
    house = make_house(gateway__config_reload__mode="restart")
    reply = await patch(house, {"connector": "omnigent"})
    assert (reply.status_code, reply.json()["status"], reply.json()["live"]) == (
        202,
        "restart_requested",
        False,
    )
    assert "omnigent" in house.config_file.read_text()
    assert house.services.config.current.guardrail.connector == ""
    patched = await house.post("/config/patch", {"path": "guardrail.mode", "value": "action"})
    assert patched.json()["restart_requested"] is True
