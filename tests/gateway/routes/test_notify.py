"""``/api/v1/codex/notify``. Source: ``spec/gateway-api.md`` §21, ``spec/observability-and-audit.md`` §6.3."""

import json
from pathlib import Path

import pytest
from tests.e2e.contract import github_token

from defenseclaw.gateway.routes import notify

PATH = "/api/v1/codex/notify"
TURN = json.loads((Path(__file__).parents[2] / "golden" / "codex" / "notify.argv.json").read_text())


def kept(house):
    return [row for row in house.rows() if row["action"].startswith("codex.")]


async def test_a_turn_is_recorded_and_answered_with_an_empty_object(house):
    reply = await house.post(PATH, TURN)
    assert (reply.status_code, reply.content) == (200, b"{}")
    (row,) = kept(house)
    assert row["action"] == "codex.notify.agent-turn-complete"
    assert (row["target"], row["actor"], row["connector"], row["severity"]) == (
        "codex.session",
        "codex",
        "codex",
        "INFO",
    )
    assert (row["session_id"], row["turn_id"]) == (TURN["thread-id"], TURN["turn-id"])
    assert row["agent_instance_id"] == reply.headers["x-defenseclaw-agent-instance-id"]
    structured = json.loads(row["structured_json"])
    assert (structured["prompts"], structured["answered"]) == (1, True)


async def test_what_was_said_is_nowhere(house):
    secret = github_token()
    body = TURN | {
        "last-assistant-message": f"use {secret}",
        "input-messages": [secret],
        "cwd": "/srv/hidden",
    }
    await house.post(PATH, body)
    (row,) = kept(house)
    for part in (secret, "please run the probe", "All done.", "/srv/hidden"):
        assert part not in str(dict(row))
    assert f"body_len={len(json.dumps(body, separators=(',', ':')))}" in row["details"]


async def test_nothing_is_judged_and_no_session_is_begun(enforcing):
    reply = await enforcing.post(PATH, TURN | {"last-assistant-message": "rm -rf / " * 100})
    assert (reply.status_code, reply.content) == (200, b"{}")
    assert len(enforcing.rows()) == 1
    assert enforcing.services.inspector.counters == {}
    assert enforcing.services.store.session("codex", TURN["thread-id"]) is None


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("Agent Turn/Complete", "codex.notify.agent-turn-complete"),
        ("x" * 200, "codex.notify." + "x" * 64),
        ("é\n\x1b[31m", "codex.notify.--31m"),
        ("", "codex.notify"),
        (None, "codex.notify"),
        (True, "codex.notify"),
        (["x"], "codex.notify"),
        (7, "codex.notify.7"),
    ],
)
async def test_the_type_names_the_row(house, kind, action):
    await house.post(PATH, TURN | {"type": kind})
    assert kept(house)[0]["action"] == action


async def test_a_secret_in_the_type_is_masked(house):
    secret = github_token()
    await house.post(PATH, {"type": secret})
    (row,) = kept(house)
    assert secret.lower() not in str(dict(row)).lower()


@pytest.mark.parametrize(
    "body", [b"", b"x", b"[]", b'"x"', b'{"a":', b"\xff", b"[" * 100, b'{"a":' * 65 + b"1" + b"}" * 65]
)
async def test_what_is_no_object_is_recorded_as_malformed(house, body):
    reply = await house.post(PATH, body)
    assert (reply.status_code, reply.content) == (200, b"{}")
    (row,) = kept(house)
    assert (row["action"], row["severity"]) == ("codex.notify.malformed", "WARN")
    assert f"body_len={len(body)}" in row["details"]


@pytest.mark.parametrize(
    "body",
    [
        {"thread_id": "t", "turn_id": "7", "prompts": ["a", "b"], "response": "x"},
        {"threadID": "t", "turnID": "7", "input_messages": ["a", "b"], "response_content": "x"},
        {"thread-id": "t", "turn-id": 7, "input-messages": ["a", "b"], "last-assistant-message": "x"},
    ],
)
def test_other_spellings(body):
    found = notify.notice_of(body | {"model": "m", "status": "done", "finish-reasons": ["length", "stop"]})
    assert (found.thread_id, found.turn_id, found.prompts, found.answered) == ("t", "7", 2, True)
    assert (found.model, found.status, found.finish_reason) == ("m", "done", "stop")


@pytest.mark.parametrize("wrong", [None, 7, {}, [], "x", [[]], True])
def test_fields_of_any_shape(wrong):
    names = ("type", "thread-id", "turn-id", "model", "status", "finish-reasons", "input-messages")
    found = notify.notice_of(dict.fromkeys(names, wrong))
    assert all(len(text) <= 128 for text in (found.type, found.thread_id, found.finish_reason))


async def test_a_turn_stands_in_for_a_thread_nobody_names(house):
    await house.post(PATH, {"type": "x", "turn-id": "7"})
    assert kept(house)[0]["session_id"] == "7"


async def test_a_body_that_is_too_large_is_refused(house):
    reply = await house.post(PATH, b" " * ((1 << 20) + 1))
    assert (reply.status_code, reply.json()["code"]) == (413, "body_too_large")
    assert kept(house) == []


async def test_the_agents_own_token_opens_it_and_no_others_does(house):
    assert (await house.post(PATH, TURN, token=house.scoped_token("codex"))).status_code == 200
    assert (await house.post(PATH, TURN, token=house.scoped_token("cursor"))).status_code == 401
    assert (await house.post(PATH, TURN, token="0" * 64)).status_code == 401
    async with house.client(house.scoped_token("codex"), peer="192.0.2.7") as client:
        assert (await client.post(PATH, json=TURN)).status_code == 401
    async with house.client(None) as client:
        assert (await client.post(PATH, json=TURN)).status_code == 401
    assert len(kept(house)) == 1


async def test_other_media_types_and_methods_are_refused(house):
    reply = await house.post(PATH, b"{}", headers={"Content-Type": "text/plain"})
    assert reply.status_code == 415
    assert (await house.get(PATH)).status_code == 405


async def test_a_store_that_fails_is_told(house):
    house.gateway.writer.stop()
    reply = await house.post(PATH, TURN)
    assert (reply.status_code, reply.json()["code"]) == (503, "store_unavailable")
