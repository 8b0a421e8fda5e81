"""The whole application behind a real socket."""

import asyncio
import json

import pytest
from tests.gateway.test_protocol import resident_bytes
from tests.gateway.wire import Client, client, serving

from defenseclaw.gateway.protocol import Limits

LIMITS = Limits(header_s=2, body_s=2, linger_s=0.3)
TOOL = b"POST /api/v1/inspect/tool HTTP/1.1\r\nHost: 127.0.0.1\r\nX-DefenseClaw-Client: t\r\n"
HOOK = TOOL.replace(b"inspect/tool", b"claude-code/hook")
JSON = b"Content-Type: application/json\r\n"


def token_of(house) -> bytes:
    return b"Authorization: Bearer " + house.token.encode() + b"\r\n"


def with_body(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /health HTTP/1.0\r\n\r\n", 200),
        (b"GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n", 200),
        (b"GET /status HTTP/1.0\r\n\r\n", 403),
        (b"GET /status HTTP/1.1\r\n\r\n", 403),
        (b"GET /status HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 403),
        (b"GET /%2e%2e/status HTTP/1.1\r\nHost: localhost\r\n\r\n", 401),
        (TOOL + JSON + with_body(b"{}"), 401),
    ],
)
async def test_without_a_token(house, request_bytes, status):
    async with serving(house.app, LIMITS) as port, client(port) as sender:
        await sender.send(request_bytes)
        assert (await sender.reply()).status == status


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000 + b"]" * 100_000, b'{"tool":"\xff"}', b"{} {}", b"\x00"],
    ids=["100000 levels", "not UTF-8", "trailing data", "a NUL"],
)
async def test_a_bad_body_leaves_the_connection_usable(house, body):
    async with serving(house.app, LIMITS) as port, client(port) as sender:
        for _ in range(2):
            await sender.send(TOOL + JSON + token_of(house) + with_body(body))
            reply = await sender.reply()
            assert (reply.status, reply.json["code"]) == (400, "bad_json")


async def test_a_chunked_body_over_the_cap_is_answered_after_the_sender_has_finished(house):
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    async with serving(house.app, LIMITS) as port, client(port) as sender:
        await sender.send(TOOL + JSON + token_of(house) + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(32):
            await sender.send(piece)
        await sender.send(b"0\r\n\r\n")
        assert (await sender.reply()).status == 413


async def test_a_hook_body_over_the_cap_is_answered_to_a_sender_that_reads_last(enforcing):
    body = json.dumps({"tool_input": {"command": "x" * (17 << 20)}}).encode()
    headers = HOOK + JSON + token_of(enforcing) + b"X-DefenseClaw-Hook-Event: PreToolUse\r\n"
    async with serving(enforcing.app, LIMITS) as port, client(port) as sender:
        await sender.send(headers + b"Connection: close\r\n" + with_body(body))
        reply = await sender.reply(20)
    assert (reply.status, reply.json["action"]) == (200, "block")


async def test_bodies_without_a_token_are_neither_kept_nor_judged(house):
    async with serving(house.app, LIMITS) as port:
        before = resident_bytes()
        statuses = await asyncio.gather(*(push_without_token(port) for _ in range(20)))
        assert set(statuses) == {401}
        assert resident_bytes() - before < 40_000_000
    assert house.services.inspector.counters == {}
    assert house.app.held_bytes == 0


async def push_without_token(port: int) -> int:
    sender = await Client.connect(port)
    try:
        await sender.send(TOOL + JSON + b"Content-Length: 8388608\r\n\r\n")
        reply = await sender.reply()
        for _ in range(64):
            if not await sender.push(b"x" * 65536):
                break
        return reply.status
    finally:
        await sender.close()


async def test_a_caller_that_hangs_up_in_the_middle_leaves_nothing_behind(house):
    async with serving(house.app, LIMITS) as port:
        async with client(port) as sender:
            await sender.send(
                TOOL + JSON + token_of(house) + b"Content-Length: 900000\r\n\r\n" + b"x" * 200_000
            )
            await asyncio.sleep(0.05)
            assert house.app.held_bytes > 0
        await asyncio.sleep(0.05)
        assert house.app.held_bytes == 0
