"""``/api/v1/<agent>/hook``. Source: seed "Connector hook responses", ``spec/gateway-api.md`` §20."""

import base64
import json

import pytest
from tests.e2e.contract import github_token

from defenseclaw.connectors.base import registry
from defenseclaw.connectors.claudecode import ClaudeCode
from defenseclaw.gateway.bodies import HOOK_BODY

CLAUDE = "/api/v1/claude-code/hook"
OMNIGENT = "/api/v1/omnigent/hook"
JSON = {"Content-Type": "application/json"}
WIPE = {
    "hook_event_name": "PreToolUse",
    "session_id": "s1",
    "tool_name": "Bash",
    "tool_input": {"command": "rm -rf /"},
}
ENVELOPE = {
    "action",
    "raw_action",
    "severity",
    "mode",
    "would_block",
    "reason",
    "findings",
    "evaluation_id",
    "rule_ids",
}
HARMLESS = WIPE | {"tool_input": {"command": "git status"}}
NATIVE = {"X-DefenseClaw-Answer": "native"}


@pytest.mark.parametrize("connector", registry().values(), ids=lambda connector: connector.name)
async def test_every_connector_with_a_hook_path_has_a_route(house, connector):
    named = {"X-DefenseClaw-Hook-Event": "NoSuchEvent"}  # not every agent's payload names its event
    reply = await house.post(connector.hook_path, {"hook_event_name": "NoSuchEvent"}, headers=named)
    assert reply.status_code == 200
    assert reply.json()["action"] == "allow"
    assert house.rows()[0]["connector"] == connector.name


async def test_a_block_carries_the_seeds_fields_and_the_agents_own_answer(enforcing):
    body = (await enforcing.post(CLAUDE, WIPE)).json()
    assert set(body) >= ENVELOPE
    assert (body["action"], body["raw_action"], body["would_block"]) == ("block", "block", False)
    assert body["rule_ids"]
    assert body["findings"][0].split(":")[0] in body["rule_ids"]
    assert body["claude_code_output"]["hookSpecificOutput"]["permissionDecision"] == "deny"
    (row,) = enforcing.rows("connector-hook")
    assert row["evaluation_id"] == body["evaluation_id"]


async def test_the_bridge_of_omnigent_reads_the_envelope(enforcing):
    body = (await enforcing.post(OMNIGENT, {**WIPE, "omnigent_event_type": "tool_call"})).json()
    assert body["action"] == "block"
    assert body["reason"]


async def test_observe_allows_and_says_so(house):
    body = (await house.post(CLAUDE, WIPE)).json()
    assert (body["action"], body["raw_action"], body["would_block"]) == ("allow", "block", True)
    assert "would block in action mode" in body["additional_context"]


async def test_a_clean_event_carries_its_evaluation_too(house):
    body = (await house.post(CLAUDE, {"hook_event_name": "UserPromptSubmit", "prompt": "hello"})).json()
    assert set(body) == ENVELOPE
    assert (body["action"], body["severity"], body["rule_ids"]) == ("allow", "NONE", [])
    assert body["evaluation_id"] == house.rows()[0]["evaluation_id"]


async def test_the_operators_words_stand_in_for_the_reason_of_a_block(make_house):
    house = make_house(guardrail__mode="action", guardrail__block_message="Ask security.")
    assert (await house.post(OMNIGENT, WIPE)).json()["reason"] == "Ask security."


class TestNative:
    async def test_a_block_is_what_the_hook_prints(self, enforcing):
        reply = await enforcing.post(CLAUDE, WIPE, headers=NATIVE)
        assert reply.status_code == 200
        assert reply.headers["x-defenseclaw-exit-code"] == "0"
        assert json.loads(reply.content)["hookSpecificOutput"]["permissionDecision"] == "deny"
        assert base64.b64decode(reply.headers["x-defenseclaw-stderr"]) == b""
        (row,) = enforcing.rows("connector-hook")
        assert reply.headers["x-defenseclaw-evaluation-id"] == row["evaluation_id"]
        assert reply.headers["x-defenseclaw-rule-ids"]

    async def test_an_allow_prints_nothing(self, enforcing):
        reply = await enforcing.post(CLAUDE, WIPE | {"tool_input": {"command": "git status"}}, headers=NATIVE)
        assert (reply.status_code, reply.content) == (200, b"")
        assert reply.headers["x-defenseclaw-exit-code"] == "0"
        assert reply.headers["x-defenseclaw-rule-ids"] == ""


UNREADABLE = {
    "too large": b'{"tool_input":"' + b"x" * HOOK_BODY + b'"}',
    "too deep": b'{"tool_input":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "not JSON": b"{",
    "not UTF-8": b'{"tool_input":"\xff"}',
    "not an object": b"[]",
    "wrong shape": b'{"tool_input":"a string"}',
}


@pytest.mark.parametrize(("mode", "action"), [("action", "block"), ("observe", "allow")])
async def test_a_verdict_that_cannot_be_worded_never_lets_the_call_pass(
    house, enforcing, monkeypatch, mode, action
):
    connector = registry()["claudecode"]
    worded = type(connector).encode

    def fails_first(self, event, verdict):
        if "INTERNAL-FAULT" not in verdict.rule_ids:
            raise KeyError("what the verdict holds")
        return worded(self, event, verdict)

    monkeypatch.setattr(type(connector), "encode", fails_first)
    asked = enforcing if mode == "action" else house
    harmless = WIPE | {"tool_input": {"command": "git status"}}
    reply = await asked.post(CLAUDE, harmless)
    assert reply.status_code == 200
    assert (reply.json()["action"], reply.json()["rule_ids"]) == (action, ["INTERNAL-FAULT"])
    assert len(asked.rows("connector-hook")) == 2


class TestUnworded:
    """An answer that could not be put into the agent's words, and what takes its place."""

    @pytest.fixture
    def lenient(self, make_house):
        return make_house(guardrail__mode="action", guardrail__hook_fail_mode="open")

    @pytest.fixture
    def stumbles_once(self, monkeypatch):
        worded = ClaudeCode.encode

        def encode(self, event, verdict):
            if "INTERNAL-FAULT" not in verdict.rule_ids:
                raise KeyError("what the verdict holds")
            return worded(self, event, verdict)

        monkeypatch.setattr(ClaudeCode, "encode", encode)

    @pytest.fixture
    def never_worded(self, monkeypatch):
        def encode(self, event, verdict):
            raise KeyError("what the verdict holds")

        monkeypatch.setattr(ClaudeCode, "encode", encode)

    async def test_what_a_list_blocks_stays_blocked(self, lenient, stumbles_once):
        await lenient.post("/enforce/block", {"target_type": "tool", "target_name": "Bash"})
        body = (await lenient.post(CLAUDE, HARMLESS)).json()
        assert (body["action"], body["raw_action"]) == ("block", "block")
        assert body["rule_ids"] == ["STATIC-BLOCK", "INTERNAL-FAULT"]
        assert body["claude_code_output"]["hookSpecificOutput"]["permissionDecision"] == "deny"
        answered = lenient.rows("connector-hook")[-1]
        assert json.loads(answered["structured_json"])["raw_action"] == "block"

    async def test_what_a_list_allows_is_not_judged_anew(self, lenient, stumbles_once):
        await lenient.post("/enforce/allow", {"target_type": "tool", "target_name": "Bash"})
        body = (await lenient.post(CLAUDE, WIPE)).json()
        assert (body["action"], body["severity"]) == ("alert", "CRITICAL")

    async def test_a_masked_result_stays_masked(self, lenient, stumbles_once):
        secret = github_token()
        shown = {"stdout": f"token {secret}", "stderr": ""}
        result = {**HARMLESS, "hook_event_name": "PostToolUse", "tool_response": shown}
        body = (await lenient.post(CLAUDE, result)).json()
        assert secret not in json.dumps(body)
        replaced = body["claude_code_output"]["hookSpecificOutput"]["updatedToolOutput"]
        assert replaced["stdout"].startswith("token <redacted")

    async def test_the_operator_sees_what_was_answered(self, lenient, stumbles_once):
        shown = []
        lenient.services.inspector.listeners.append(lambda _event, verdict: shown.append(verdict))
        body = (await lenient.post(CLAUDE, HARMLESS)).json()
        assert shown[-1].evaluation_id == body["evaluation_id"]

    @pytest.mark.parametrize("headers", [{}, NATIVE], ids=["envelope", "native"])
    @pytest.mark.parametrize("house_name", ["enforcing", "lenient", "house"])
    async def test_twice_in_vain_leaves_it_to_the_fail_mode_of_the_hook(
        self, request, never_worded, caplog, house_name, headers
    ):
        """An error is what makes script and bridge give the agent's plain answer; the record says so."""
        asked = request.getfixturevalue(house_name)
        reply = await asked.post(CLAUDE, HARMLESS, headers=headers)
        assert (reply.status_code, reply.json()["code"]) == (500, "internal_error")
        assert "unhandled" not in caplog.text
        judged, again, left = [json.loads(row["structured_json"]) for row in asked.rows("connector-hook")]
        assert (judged["result"], again["result"]) == ("ok", "panic")
        assert (left["result"], left["reason"], left["event"]) == ("rejected", "unanswerable", "PreToolUse")
        assert asked.rows("connector-hook")[-1]["session_id"] == "s1"


class TestUnreadable:
    @pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
    async def test_a_tool_call_is_denied_in_the_agents_language(self, enforcing, body):
        headers = JSON | NATIVE | {"X-DefenseClaw-Hook-Event": "PreToolUse"}
        reply = await enforcing.post(CLAUDE, body, headers=headers)
        assert reply.status_code == 200
        assert reply.json()["hookSpecificOutput"]["permissionDecision"] == "deny"
        assert "INPUT-BOUND" in reply.headers["x-defenseclaw-rule-ids"]
        assert len(enforcing.rows("connector-hook")) == 1

    @pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
    async def test_observe_lets_it_pass_and_records_it(self, house, body):
        headers = JSON | {"X-DefenseClaw-Hook-Event": "PreToolUse"}
        found = (await house.post(CLAUDE, body, headers=headers)).json()
        assert (found["action"], found["rule_ids"]) == ("allow", ["INPUT-BOUND"])

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            (UNREADABLE["too large"], 413, "body_too_large"),
            (UNREADABLE["too deep"], 400, "bad_json"),
            (UNREADABLE["not JSON"], 400, "bad_json"),
            (UNREADABLE["not an object"], 400, "bad_json"),
            (b"{}", 400, "missing_field"),
        ],
    )
    async def test_without_the_events_name_it_is_an_error_on_record(self, enforcing, body, status, code):
        ids = {"X-Request-Id": "r-9", "X-DefenseClaw-Session-Id": "s-9"}
        reply = await enforcing.post(CLAUDE, body, headers=JSON | ids)
        assert (reply.status_code, reply.json()["code"]) == (status, code)
        (row,) = enforcing.rows("connector-hook")
        assert json.loads(row["structured_json"])["result"] == "rejected"
        assert (row["request_id"], row["session_id"]) == ("r-9", "s-9")

    async def test_an_event_nobody_names_is_said_so(self, house):
        assert (await house.post(CLAUDE, {})).json()["error"] == "hook event name is required"


async def test_the_header_names_the_event_when_the_payload_does_not(enforcing):
    body = {name: value for name, value in WIPE.items() if name != "hook_event_name"}
    reply = await enforcing.post(CLAUDE, body, headers={"X-DefenseClaw-Hook-Event": "PreToolUse"})
    assert reply.json()["action"] == "block"


async def test_a_large_body_is_judged_whole(enforcing):
    padded = WIPE | {"tool_input": {"description": "x" * 2_000_000, "command": "rm -rf /"}}
    assert (await enforcing.post(CLAUDE, padded)).json()["action"] == "block"


async def test_ids_join_the_answer_and_the_row(house):
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01", "X-Request-Id": "r-9"}
    reply = await house.post(CLAUDE, WIPE, headers=headers)
    (row,) = house.rows()
    assert (row["trace_id"], row["request_id"], row["session_id"]) == (trace, "r-9", "s1")
    assert row["agent_instance_id"] == reply.headers["x-defenseclaw-agent-instance-id"] != ""
