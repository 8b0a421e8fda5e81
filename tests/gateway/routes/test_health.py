"""``/health``, ``/ready``, ``/status``, ``/v1/connectors``. Source: ``spec/gateway-api.md`` §9."""

import sqlite3

from defenseclaw.connectors.base import registry

ROSTER_FIELDS = {
    "connector",
    "mode",
    "policy_mode",
    "enforcement_surface",
    "telemetry",
    "proxy_intercept",
    "guardrail_mode",
    "hook_enforcement",
    "hook_fail_mode",
    "enabled",
}


async def test_health_of_a_fresh_gateway(house):
    body = (await house.get("/health")).json()
    assert (body["status"], body["failing"]) == ("ok", [])
    assert body["uptime_ms"] >= 0
    assert body["gateway"]["state"] == "starting"
    assert body["provenance"]["binary_version"]
    assert "connector" not in body


async def test_health_names_what_does_not_work_and_still_answers_200(house):
    house.config_file.write_text("guardrail: {mode: sideways}\n")
    await house.services.reload_config()
    house.gateway.writer.stop()
    reply = await house.get("/health")
    assert reply.status_code == 200
    assert reply.json()["status"] == "degraded"
    assert reply.json()["failing"] == ["audit", "config"]
    assert "guardrail.mode" in reply.json()["config"]["last_error"]


async def test_health_counts_what_a_connector_did(enforcing):
    call = {"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": "rm -rf /"}}
    await enforcing.post("/api/v1/claude-code/hook", call)
    body = (await enforcing.get("/health")).json()
    assert [each["name"] for each in body["connectors"]] == ["claudecode", "omnigent"]
    counted = body["connectors"][0]
    assert (counted["requests"], counted["tool_inspections"], counted["tool_blocks"]) == (1, 1, 1)


async def test_ready_while_a_verdict_can_be_recorded(house):
    assert (await house.get("/ready")).json() == {"status": "ready"}


async def test_not_ready_when_a_verdict_cannot_be_recorded(house):
    with sqlite3.connect(house.services.store.path) as connection:
        connection.execute("DROP TABLE audit_events")
    house.gateway.writer.stop()
    reply = await house.get("/ready")
    assert (reply.status_code, reply.json()["code"]) == (503, "store_unavailable")


class TestStatus:
    async def test_without_connectors(self, house):
        body = (await house.get("/status")).json()
        assert (body["connector_mode"], body["connector_modes"]) == ("unconfigured", [])
        assert "connector_mode_detail" not in body
        assert body["runtime"]["data_dir"] == str(house.services.host.data_dir)
        assert "provenance" not in body["health"]

    async def test_the_roster(self, make_house):
        house = make_house(
            guardrail__mode="observe",
            guardrail__connector="omnigent",
            guardrail__connectors__omnigent__mode="action",
            guardrail__connectors__claudecode__enabled=True,
        )
        body = (await house.get("/status")).json()
        assert body["connector_mode"] == "action"
        claude, omnigent = body["connector_modes"]
        assert set(claude) == ROSTER_FIELDS
        assert (claude["connector"], claude["policy_mode"]) == ("claudecode", "observe")
        assert (claude["mode"], claude["proxy_intercept"]) == ("observability", False)
        assert omnigent["enforcement_surface"] == "omnigent_policy_api"
        assert (omnigent["hook_enforcement"], omnigent["hook_fail_mode"]) == (True, "closed")
        assert omnigent["telemetry"] == ["hook"]
        assert body["connector_mode_detail"] == omnigent

    async def test_a_disabled_connector_is_not_in_it(self, make_house):
        house = make_house(
            guardrail__connectors__claudecode__enabled=True, guardrail__connectors__omnigent__enabled=False
        )
        modes = (await house.get("/status")).json()["connector_modes"]
        assert [mode["connector"] for mode in modes] == ["claudecode"]


async def test_every_registered_connector_is_listed(house):
    body = (await house.get("/v1/connectors")).json()
    assert body["active"] == "unknown"
    assert [entry["name"] for entry in body["connectors"]] == sorted(registry())
    claude = body["connectors"][0]
    assert claude["source"] == "built-in"
    assert "PreToolUse" in claude["hook_capabilities"]["block_events"]
