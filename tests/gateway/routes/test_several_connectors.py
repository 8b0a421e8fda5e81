"""Several connectors at once, each by its own mode, fail mode, profile, approvals and words."""

import pytest

from defenseclaw.connectors import codex_notify

WIPE = {"tool_name": "Bash", "tool_input": {"command": "rm -rf /"}}
CLAUDE, CODEX, OMNIGENT = (f"/api/v1/{name}/hook" for name in ("claude-code", "codex", "omnigent"))


def call(**fields):
    return {"hook_event_name": "PreToolUse", "session_id": "s1", **WIPE, **fields}


@pytest.fixture
def several(make_house):
    return make_house(
        guardrail__block_message="Ask the desk",
        guardrail__connector="codex",
        guardrail__connectors__claudecode__mode="action",
        guardrail__connectors__claudecode__block_message="Ask Ada",
        guardrail__connectors__codex__mode="observe",
        guardrail__connectors__codex__hook_fail_mode="closed",
        guardrail__connectors__omnigent__mode="action",
        guardrail__connectors__omnigent__hook_fail_mode="open",
        guardrail__connectors__cursor__enabled=False,
    )


async def test_each_mode_and_block_message_holds_at_its_own_route(several):
    found = {}
    for path in (CLAUDE, CODEX, OMNIGENT):
        answer = (await several.post(path, call())).json()
        found[path] = (answer["action"], answer["mode"], answer["would_block"], answer["raw_action"])
        if path != CODEX:
            assert answer["reason"] == ("Ask Ada" if path == CLAUDE else "Ask the desk")
    assert found[CLAUDE] == ("block", "action", False, "block")
    assert found[CODEX] == ("allow", "observe", True, "block")
    assert found[OMNIGENT] == ("block", "action", False, "block")


async def test_the_agent_itself_is_told_its_own_message(several):
    answer = await several.post(CLAUDE, call(), headers={"X-DefenseClaw-Answer": "native"})
    assert "Ask Ada" in answer.json()["hookSpecificOutput"]["permissionDecisionReason"]
    assert (await several.post(CODEX, call(), headers={"X-DefenseClaw-Answer": "native"})).content == b""


async def test_the_fail_mode_decides_for_its_own_connector_when_a_call_cannot_be_read(several):
    """A prompt that cannot be decoded: closed refuses it, open lets it go, an observer never stops."""
    header = {"X-DefenseClaw-Hook-Event": "UserPromptSubmit"}
    actions = {}
    for path in (CLAUDE, CODEX, OMNIGENT):
        answer = (await several.post(path, b"{not json", headers=header)).json()
        actions[path] = (answer["action"], "INPUT-BOUND" in answer["rule_ids"])
    assert actions == {CLAUDE: ("block", True), CODEX: ("allow", True), OMNIGENT: ("alert", True)}


async def test_each_profile_and_its_approvals_hold_at_its_own_route(make_house):
    house = make_house(
        guardrail__mode="action",
        guardrail__connectors__claudecode__rule_pack_dir="strict",
        guardrail__connectors__codex__rule_pack_dir="permissive",
        guardrail__connectors__omnigent__hilt={"enabled": True, "min_severity": "LOW"},
    )
    actions = {"claudecode": set(), "codex": set(), "omnigent": set()}
    for path, name in ((CLAUDE, "claudecode"), (CODEX, "codex"), (OMNIGENT, "omnigent")):
        for command in ("cat ~/.ssh/id_rsa", "git push --force", "chmod -R 777 /srv", "sudo ls"):
            answer = (await house.post(path, call(tool_input={"command": command}))).json()
            actions[name].add((command, answer["action"]))
    asked = {command for command, action in actions["omnigent"] if action == "confirm"}
    assert asked
    strict = {command for command, action in actions["claudecode"] if action == "block"}
    permissive = {command for command, action in actions["codex"] if action == "block"}
    assert permissive < strict


async def test_status_lists_each_as_it_is_governed(several):
    body = (await several.get("/status")).json()
    shown = {
        each["connector"]: (each["policy_mode"], each["hook_fail_mode"], each["hook_enforcement"])
        for each in body["connector_modes"]
    }
    assert shown == {
        "claudecode": ("action", "closed", True),
        "codex": ("observe", "closed", False),
        "omnigent": ("action", "open", True),
    }
    assert body["connector_mode"] == "observe", "of the primary one"
    assert body["connector_mode_detail"]["connector"] == "codex"
    assert [each["name"] for each in body["health"]["connectors"]] == ["claudecode", "codex", "omnigent"]
    assert body["health"]["connector"]["name"] == "codex"


async def test_status_names_the_signals_that_were_configured(several):
    bridge = codex_notify.bridge_path(several.services.host)
    signals = {}
    for there in (False, True):
        if there:
            bridge.write_text("#!/bin/sh\n")
        modes = (await several.get("/status")).json()["connector_modes"]
        signals[there] = {each["connector"]: each["telemetry"] for each in modes}
    assert signals[False]["codex"] == ["hook"]
    assert signals[True]["codex"] == ["hook", "notify"]
    assert signals[True]["claudecode"] == ["hook"]


async def test_every_row_names_its_connector(several):
    for path in (CLAUDE, CODEX):
        await several.post(path, call())
    assert [row["connector"] for row in several.rows("connector-hook")] == ["claudecode", "codex"]


async def test_the_primary_connector_is_the_active_one(several):
    body = (await several.get("/v1/connectors")).json()
    assert body["active"] == "codex"
    assert {each["source"] for each in body["connectors"]} == {"built-in"}
