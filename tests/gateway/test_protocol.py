"""What a connection may send before anybody has proved who they are."""

import asyncio
import os

import pytest
from tests.gateway.wire import Client, answer, client, counting, serving

from defenseclaw.gateway.protocol import Limits, _Whole

QUICK = Limits(header_s=0.3, body_s=0.3, linger_s=0.5, body_bytes=200_000, connections=64)
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n"
LONG = b"a" * 40_000


def chunk(data: bytes, extension: bytes = b"") -> bytes:
    return b"%x" % len(data) + extension + b"\r\n" + data + b"\r\n"


async def test_a_plain_request_and_a_second_one_on_the_same_connection():
    async with serving(counting, QUICK) as port, client(port) as sender:
        for _ in range(2):
            await sender.send(POST + b"Content-Length: 3\r\n\r\nabc")
            reply = await sender.reply()
            assert (reply.status, reply.body) == (200, b"3")


REFUSED = {
    # not HTTP, or not the part of it that is spoken here
    "garbage": (b"\x16\x03\x01\x02\x00garbage\r\n\r\n", 400, "bad_request"),
    "unknown version": (b"GET / HTTP/9.9\r\n\r\n", 400, "bad_request"),
    "absolute form": (b"GET http://evil.example/ HTTP/1.1\r\n\r\n", 400, "bad_request"),
    "CONNECT": (b"CONNECT evil.example:443 HTTP/1.1\r\n\r\n", 400, "bad_request"),
    "URL that is not ASCII": (b"GET /\xff HTTP/1.1\r\n\r\n", 400, "bad_request"),
    # framing that two readers could understand in two ways
    "two framings": (POST + b"Content-Length: 3\r\n" + CHUNKS + b"0\r\n\r\n", 400, "bad_request"),
    "two lengths": (POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400, "bad_request"),
    "negative length": (POST + b"Content-Length: -1\r\n\r\n", 400, "bad_request"),
    "chunk size that overflows": (POST + CHUNKS + b"fffffffffffffffff\r\n", 400, "bad_request"),
    "chunk size that is none": (POST + CHUNKS + b"zz\r\n", 400, "bad_request"),
    # too large
    "long URL": (b"GET /" + LONG + b" HTTP/1.1\r\n\r\n", 431, "headers_too_large"),
    "long header": (b"GET / HTTP/1.1\r\nA: " + LONG + b"\r\n\r\n", 431, "headers_too_large"),
    "many headers": (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 8_000 + b"\r\n", 431, "headers_too_large"),
    "header without an end": (b"GET / HTTP/1.1\r\nA: " + LONG, 431, "headers_too_large"),
    "chunk extension without an end": (POST + CHUNKS + b"5;" + LONG + LONG, 400, "bad_request"),
    "trailer without an end": (POST + CHUNKS + b"0\r\nA: " + LONG + LONG, 400, "bad_request"),
    "more than the wire takes": (
        POST + b"Content-Length: 300000\r\n\r\n" + b"x" * 290_000,
        413,
        "body_too_large",
    ),
    # too slow
    "header that stops": (b"GET / HT", 408, "request_timeout"),
    "body that stops": (POST + b"Content-Length: 10\r\n\r\nabc", 408, "request_timeout"),
    "chunks that stop": (POST + CHUNKS + chunk(b"abc"), 408, "request_timeout"),
}


@pytest.mark.parametrize(("sent", "status", "code"), REFUSED.values(), ids=REFUSED)
async def test_refused(sent, status, code):
    async with serving(counting, QUICK) as port, client(port) as sender:
        await sender.push(sent)
        reply = await sender.reply()
        assert (reply.status, reply.json["code"]) == (status, code)
        assert reply.headers["connection"] == "close"
        assert reply.headers["content-type"] == "application/json"
        assert reply.headers["x-defenseclaw-request-id"]
        assert await sender.closed()


@pytest.mark.parametrize("sent", [b"", b"\r\n"], ids=["nothing", "blank lines"])
async def test_a_connection_that_asks_nothing_is_closed(sent):
    async with serving(counting, QUICK) as port, client(port) as sender:
        await sender.push(sent)
        assert await sender.closed()


async def test_a_header_that_drips_in_is_cut_off_however_busy_it_looks():
    async with serving(counting, QUICK) as port, client(port) as sender:
        began = asyncio.get_running_loop().time()
        await sender.send(b"GET / HTTP/1.1\r\n")
        for _ in range(8):
            if not await sender.push(b"A: b\r\n"):
                break
            await asyncio.sleep(0.05)
        assert (await sender.reply()).status == 408
        assert asyncio.get_running_loop().time() - began < 2


async def test_a_body_that_drips_in_is_cut_off_however_busy_it_looks():
    async with serving(counting, QUICK) as port, client(port) as sender:
        await sender.send(POST + b"Content-Length: 1000\r\n\r\n")
        for _ in range(8):
            if not await sender.push(b"x"):
                break
            await asyncio.sleep(0.05)
        assert (await sender.reply()).status == 408


async def test_a_time_limit_starts_anew_with_each_request():
    async with serving(counting, QUICK) as port, client(port) as sender:
        for _ in range(3):
            await sender.send(POST + b"Content-Length: 2\r\n\r\na")
            await asyncio.sleep(0.2)
            await sender.send(b"b")
            assert (await sender.reply()).status == 200


async def test_a_chunked_body_in_many_pieces():
    body = b"".join(chunk(b"x" * 100, b";name=value") for _ in range(500)) + b"0\r\nTrailer: dropped\r\n\r\n"
    async with serving(counting, QUICK) as port, client(port) as sender:
        await sender.send(POST + CHUNKS + body)
        assert (await sender.reply()).body == b"50000"


async def test_a_trailer_never_becomes_a_header():
    seen: list[list[tuple[bytes, bytes]]] = []

    async def app(scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        seen.append(scope["headers"])
        await answer(send, b"")

    async with serving(app, QUICK) as port, client(port) as sender:
        await sender.send(POST + CHUNKS + chunk(b"abc"))
        await sender.send(b"0\r\nAuthorization: Bearer smuggled\r\n\r\n")
        assert (await sender.reply()).status == 200
    assert [name for name, _ in seen[0]] == [b"host", b"transfer-encoding"]


async def test_pipelined_requests_are_answered_in_order():
    async with serving(counting, QUICK) as port, client(port) as sender:
        await sender.send(
            b"".join(POST + b"Content-Length: %d\r\n\r\n" % size + b"x" * size for size in range(10))
        )
        assert [(await sender.reply()).body for _ in range(10)] == [b"%d" % size for size in range(10)]


async def test_a_flood_of_pipelined_requests_is_refused_after_the_first_are_answered():
    async with serving(counting, QUICK) as port, client(port) as sender:
        await sender.push(GET * 5_000)
        replies = [await sender.reply() for _ in range(QUICK.queued + 1)]
        assert {reply.status for reply in replies} == {200}
        assert (await sender.reply()).json["code"] == "overloaded"
        assert await sender.closed()


async def test_a_good_request_is_answered_before_the_garbage_behind_it():
    async with serving(counting, QUICK) as port, client(port) as sender:
        await sender.send(GET + b"\x00\x01 garbage\r\n\r\n")
        assert (await sender.reply()).status == 200
        assert (await sender.reply()).status == 400
        assert await sender.closed()


async def test_a_body_that_stops_behind_a_request_that_is_being_answered():
    async def slow(scope, receive, send):
        await asyncio.sleep(0.6)
        await answer(send, b"done")

    async with serving(slow, QUICK) as port, client(port) as sender:
        await sender.send(GET + POST + b"Content-Length: 10\r\n\r\nabc")
        assert (await sender.reply()).body == b"done"
        assert (await sender.reply()).status == 408
        assert await sender.closed()


async def test_a_body_nobody_reads_is_thrown_away_and_the_connection_lives_on():
    async def refusing(scope, receive, send):
        await answer(send, b"no", 401)

    async with serving(refusing, QUICK) as port, client(port) as sender:
        await sender.send(POST + b"Content-Length: 100000\r\n\r\n")
        assert (await sender.reply()).status == 401
        await sender.send(b"x" * 100_000 + GET)
        assert (await sender.reply()).status == 401


async def test_a_body_nobody_reads_may_not_drip_for_ever():
    async def refusing(scope, receive, send):
        await answer(send, b"no", 401)

    async with serving(refusing, QUICK) as port, client(port) as sender:
        await sender.send(POST + b"Content-Length: 100000\r\n\r\nabc")
        assert (await sender.reply()).status == 401
        assert await sender.closed(2)


async def test_http_1_0_is_answered_and_closed():
    async with serving(counting, QUICK) as port, client(port) as sender:
        await sender.send(b"GET / HTTP/1.0\r\n\r\n")
        reply = await sender.reply()
        assert (reply.status, reply.headers["connection"]) == (200, "close")
        assert await sender.closed()


async def test_more_connections_than_the_limit_are_turned_away_and_later_ones_served_again():
    limits = Limits(connections=4, header_s=5)
    async with serving(counting, limits) as port:
        held = [await Client.connect(port) for _ in range(4)]
        async with client(port) as one_more:
            assert (await one_more.reply()).json["code"] == "overloaded"
            assert await one_more.closed()
        await held[0].close()
        await asyncio.sleep(0.05)
        async with client(port) as sender:
            await sender.send(GET)
            assert (await sender.reply()).status == 200
        for each in held[1:]:
            await each.close()


async def test_an_application_is_told_when_its_caller_is_cut_off():
    ended: list[str] = []

    async def app(scope, receive, send):
        while (message := await receive())["type"] != "http.disconnect":
            pass
        ended.append(message["type"])

    async with serving(app, QUICK) as port, client(port) as sender:
        await sender.send(POST + b"Content-Length: 10\r\n\r\nabc")
        assert (await sender.reply()).status == 408
        await asyncio.sleep(0.05)
    assert ended == ["http.disconnect"]


async def test_floods_do_not_grow_the_process():
    async with serving(counting, Limits(header_s=5, linger_s=0.1, connections=200)) as port:
        before = resident_bytes()
        await asyncio.gather(*(flood(port, kind) for kind in (b"A: ", b"") for _ in range(20)))
        assert resident_bytes() - before < 40_000_000


async def flood(port: int, prefix: bytes) -> None:
    start = b"GET / HTTP/1.1\r\n" + prefix if prefix else POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nA: "
    async with client(port) as sender:
        await sender.push(start)
        for _ in range(64):
            if not await sender.push(b"x" * 65536):
                return


def resident_bytes() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# ---- answers ----------------------------------------------------------------------------------------


class Noted(asyncio.Transport):
    """Keeps what is written to it, and says when it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:  # type: ignore[override]
        self.written.append(bytes(data))

    def close(self) -> None:
        self.written.append(b"closed")


HEAD, CONTINUE = b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"


def test_the_head_of_an_answer_goes_out_with_its_body():
    noted = Noted()
    whole = _Whole(noted)
    for body in (b"one", b"two"):
        whole.write(CONTINUE)
        whole.write(HEAD)
        whole.write(body)
        whole.write(b", more")
        whole.end()
    assert noted.written == [CONTINUE, HEAD + b"one", b", more", CONTINUE, HEAD + b"two", b", more"]


def test_the_head_of_an_answer_without_a_body_goes_out_at_its_end():
    noted = Noted()
    whole = _Whole(noted)
    whole.write(HEAD)
    whole.end()
    whole.write(HEAD)
    whole.close()
    assert noted.written == [HEAD, HEAD, b"closed"]


async def in_parts(scope, receive, send) -> None:
    """Answer a GET in three parts, anything else as long as its body."""
    if scope["method"] != "GET":
        await counting(scope, receive, send)
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for part in (b"", b"one", b"two"):
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def test_answers_of_every_shape_arrive_in_order_on_one_connection():
    expect = POST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    async with serving(in_parts, QUICK) as port, client(port) as sender:
        for _ in range(2):
            await sender.send(GET)
            assert (await sender.reply()).headers["transfer-encoding"] == "chunked"
            assert await sender.exactly(21) == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
            await sender.send(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await sender.head()).status == 200
            await sender.send(expect)
            assert (await sender.head()).status == 100
            await sender.send(b"abc")
            assert (await sender.reply()).body == b"3"
