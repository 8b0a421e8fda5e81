"""``/api/v1/inspect/*``. Source: seed "Verdict envelope", ``spec/gateway-api.md`` §10 and §25."""

import json
import re

import pytest

TOOL = "/api/v1/inspect/tool"
REQUEST = "/api/v1/inspect/request"
RESPONSE = "/api/v1/inspect/response"
TOOL_RESPONSE = "/api/v1/inspect/tool-response"

OPEN_UP = {"tool": "shell", "args": {"command": "chmod 777 /etc/passwd"}}
WIPE = {"tool": "shell", "args": {"command": "rm -rf /"}}
KEY = "AKIA" + "Z7QX4M2NPT5VKLWB"
PLACEHOLDER = re.compile(r"<redacted-evidence len=\d+( sha=[0-9a-f]{8})?>")
FIELDS = {
    "action",
    "raw_action",
    "severity",
    "confidence",
    "reason",
    "findings",
    "detailed_findings",
    "mode",
    "would_block",
    "approval_timeout_ms",
}


async def verdict(house, path, body, **kwargs):
    reply = await house.post(path, body, **kwargs)
    assert reply.status_code == 200, reply.text
    return reply.json()


async def test_a_clean_call_is_allowed_and_recorded(house):
    found = await verdict(house, TOOL, {"tool": "Read", "args": {"file_path": "/srv/app/README.md"}})
    assert set(found) == FIELDS
    assert (found["action"], found["raw_action"], found["severity"]) == ("allow", "allow", "NONE")
    assert (found["findings"], found["detailed_findings"], found["mode"]) == ([], [], "observe")
    (row,) = house.rows()
    assert (row["action"], row["target"]) == ("inspect-tool-allow", "Read")


async def test_observe_lets_a_dangerous_call_pass_and_says_what_would_have_been(house):
    found = await verdict(house, TOOL, WIPE)
    assert (found["action"], found["raw_action"], found["would_block"]) == ("allow", "block", True)
    assert (found["severity"], found["mode"]) == ("CRITICAL", "observe")
    first = found["detailed_findings"][0]
    assert found["findings"][0] == f"{first['rule_id']}:{first['title']}"
    assert found["reason"].startswith("matched: ")


async def test_action_blocks_a_dangerous_call(enforcing):
    found = await verdict(enforcing, TOOL, WIPE)
    assert (found["action"], found["raw_action"], found["would_block"]) == ("block", "block", False)
    assert enforcing.rows("inspect-tool-block")


async def test_arguments_may_be_a_string_that_holds_an_object(enforcing):
    as_string = await verdict(enforcing, TOOL, WIPE | {"args": json.dumps(WIPE["args"])})
    as_object = await verdict(enforcing, TOOL, WIPE)
    assert as_string["findings"] == as_object["findings"]


async def test_arguments_nested_too_deep_in_a_string_are_a_finding(enforcing):
    args = '{"command":' + "[" * 5000 + "]" * 5000 + "}"
    found = await verdict(enforcing, TOOL, {"tool": "shell", "args": args})
    assert "INPUT-BOUND" in {each["rule_id"] for each in found["detailed_findings"]}


class TestEvidence:
    @pytest.mark.parametrize("value", [None, "true", "0", "1 "])
    async def test_is_a_placeholder(self, house, value):
        headers = {"X-DefenseClaw-Reveal-PII": value} if value else {}
        found = await verdict(house, TOOL_RESPONSE, {"tool": "Read", "output": f"id {KEY}"}, headers=headers)
        evidence = [each["evidence"] for each in found["detailed_findings"] if each.get("evidence")]
        assert evidence
        assert all(PLACEHOLDER.fullmatch(each) for each in evidence)
        assert KEY not in json.dumps(found)
        assert house.rows("inspect-reveal") == []

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            (TOOL, {"tool": "shell", "args": {"command": f"export AWS_ACCESS_KEY_ID={KEY}"}}),
            (REQUEST, {"content": f"use {KEY} please"}),
            (RESPONSE, {"content": f"it is {KEY}"}),
            (TOOL_RESPONSE, {"tool": "Read", "output": f"id {KEY}"}),
        ],
    )
    async def test_is_revealed_on_demand_and_that_is_recorded(self, house, path, body):
        found = await verdict(house, path, body, headers={"X-DefenseClaw-Reveal-PII": "1"})
        assert any(KEY in each.get("evidence", "") for each in found["detailed_findings"])
        (row,) = house.rows("inspect-reveal")
        assert row["evaluation_id"] == house.rows()[0]["evaluation_id"] != ""
        assert KEY not in "".join(str(value) for each in house.rows() for value in tuple(each))


class TestTexts:
    @pytest.mark.parametrize("path", [REQUEST, RESPONSE])
    @pytest.mark.parametrize("body", [{}, {"content": ""}, {"content": None}])
    async def test_nothing_to_judge_is_allowed_with_the_mode_filled_in(self, enforcing, path, body):
        found = await verdict(enforcing, path, body)
        assert (found["action"], found["severity"], found["mode"]) == ("allow", "NONE", "action")
        assert enforcing.rows() == []

    async def test_a_prompt_below_critical_is_clamped_to_an_alert(self, make_house):
        house = make_house(guardrail__mode="action", guardrail__rule_pack_dir="strict")
        content = "Authorization: Bearer 7Qx4mZ2npT5vKlWbR9sYc3HdJ6fGa8Ue"
        answer = await verdict(house, RESPONSE, {"content": content})
        prompt = await verdict(house, REQUEST, {"content": content, "model": "m1"})
        assert (answer["action"], prompt["action"]) == ("block", "alert")
        assert answer["findings"] == prompt["findings"] != []

    async def test_a_result_is_given_back_masked(self, enforcing):
        found = await verdict(
            enforcing, TOOL_RESPONSE, {"tool": "Read", "output": f"key = {KEY}\nregion = eu"}
        )
        assert KEY not in found["replacement"]
        assert found["replacement"].endswith("\nregion = eu")

    async def test_a_structured_result_is_given_back_as_json_text(self, enforcing):
        found = await verdict(
            enforcing, TOOL_RESPONSE, {"tool": "Read", "output": {"lines": [f"key = {KEY}", 7]}}
        )
        replaced = json.loads(found["replacement"])
        assert replaced["lines"][1] == 7
        assert KEY not in replaced["lines"][0]

    async def test_nothing_is_replaced_in_observe(self, house):
        found = await verdict(house, TOOL_RESPONSE, {"tool": "Read", "output": f"key = {KEY}"})
        assert "replacement" not in found


class TestMessages:
    @pytest.mark.parametrize(
        "body",
        [
            {"content": f"the key is {KEY}"},
            {"content": f"the key is {KEY}", "direction": "outbound"},
            {"args": {"content": f"the key is {KEY}"}},
            {"args": {"body": f"the key is {KEY}"}},
            {"content": f"the key is {KEY}", "direction": "tool_result"},
            {"content": f"the key is {KEY}", "direction": "prompt"},
        ],
    )
    async def test_a_message_is_judged_by_its_text(self, house, body):
        found = await verdict(house, TOOL, {"tool": "Message", **body})
        assert found["findings"]

    async def test_a_message_without_text_is_allowed(self, house):
        assert (await verdict(house, TOOL, {"tool": "message"}))["severity"] == "NONE"

    async def test_a_call_that_only_calls_itself_message_is_judged_as_a_call(self, house):
        found = await verdict(house, TOOL, {"tool": "message", "args": WIPE["args"]})
        assert found["raw_action"] == "block"


class TestConnector:
    async def test_a_named_connector_has_its_own_posture(self, make_house):
        house = make_house(guardrail__connectors__omnigent__mode="action")
        assert (await verdict(house, TOOL, WIPE))["mode"] == "observe"
        assert (await verdict(house, TOOL, WIPE | {"connector": "OmniGent"}))["mode"] == "action"

    async def test_a_connectors_token_speaks_for_no_other(self, house):
        own = {"X-DefenseClaw-Connector": "claudecode"}
        token = house.scoped_token("claudecode")
        assert (await house.post(TOOL, WIPE, headers=own, token=token)).status_code == 200
        assert house.rows()[0]["connector"] == "claudecode"
        same = WIPE | {"connector": "claude-code"}
        assert (await house.post(TOOL, same, headers=own, token=token)).status_code == 200
        other = await house.post(TOOL, WIPE | {"connector": "omnigent"}, headers=own, token=token)
        assert (other.status_code, other.json()["code"]) == (403, "connector_mismatch")


class TestApproval:
    @pytest.mark.parametrize(
        ("primary", "surface", "action", "timeout_ms"),
        [
            ("openclaw", " Native ", "confirm", 7000),
            ("openclaw", None, "block", 0),
            ("claudecode", "native", "block", 0),
        ],
    )
    async def test_only_the_openclaw_plugin_can_ask_a_person(
        self, make_house, primary, surface, action, timeout_ms
    ):
        house = make_house(
            guardrail__mode="action",
            guardrail__connector=primary,
            guardrail__hilt__enabled=True,
            guardrail__hilt__min_severity="LOW",
            gateway__approval_timeout_s=7,
        )
        found = await verdict(house, TOOL, OPEN_UP | {"approval_surface": surface})
        assert (found["action"], found["raw_action"]) == (action, "confirm")
        assert found["approval_timeout_ms"] == timeout_ms
        assert found["would_block"] is (action == "block")


async def test_the_session_of_the_body_is_recorded(house):
    await verdict(house, TOOL, WIPE | {"session_id": "s-41"}, headers={"X-DefenseClaw-Session-Id": "other"})
    assert house.rows()[0]["session_id"] == "s-41"


async def test_text_cut_inside_a_character_is_judged(enforcing):
    found = await enforcing.post(TOOL, rb'{"tool":"shell","args":{"command":"rm -rf / # \ud83d"}}')
    assert found.json()["action"] == "block"
