"""Garbage on the real socket, before and after authentication: refused, bounded, and nobody else notices."""

from __future__ import annotations

import json
import random
import resource
import threading
import time
from collections.abc import Iterator

import pytest
from tests.integration.machine import (
    DANGEROUS,
    HOOKS,
    SIZE,
    Hung,
    Machine,
    Reply,
    Wire,
    eventually,
    request,
    together,
    wire,
)

MIB = 1 << 20
VALID = json.dumps(DANGEROUS).encode()
HOOK = "/api/v1/claude-code/hook"
MEMORY_GROWTH_MIB = 96
"""What an allocator may keep after tens of bodies of 16 MiB were read and thrown away."""


@pytest.fixture(autouse=True)
def survives(gateway: Machine) -> Iterator[None]:
    """Whatever a test sent, afterwards the gateway lives, is in its bounds, and judges as ever."""
    before = gateway.resident_mib
    yield
    gateway.still_judges()
    assert gateway.resident_mib - before < MEMORY_GROWTH_MIB
    assert "unhandled" not in gateway.log_text
    assert "Traceback" not in gateway.log_text


def ask(gateway: Machine, data: bytes, *, then_end: bool = False) -> Reply | None:
    with wire(gateway.port) as connection:
        connection.send(data)
        if then_end:
            connection.end()
        return connection.reply()


def pipelined(gateway: Machine, *requests: bytes) -> list[Reply]:
    """Send all at once and return what is answered until the gateway closes the connection."""
    *first, last = requests
    closing = last.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
    with wire(gateway.port) as connection:
        connection.send(b"".join([*first, closing]))
        return list(connection.replies())


def expect(reply: Reply | None, status: int, code: str) -> None:
    assert reply is not None
    assert (reply.status, reply.code) == (status, code)


BAD_JSON = {
    "empty": b"",
    "blank": b"  \n",
    "truncated object": VALID[:-1],
    "truncated string": VALID[:-8],
    "half a number": b'{"tool": 1e',
    "a bare word": b"{tool: 1}",
    "NaN": b'{"tool": "Bash", "args": {"n": NaN}}',
    "Infinity": b'{"tool": "Bash", "args": {"n": -Infinity}}',
    "single quotes": b"{'tool': 'Bash'}",
    "a comment": b'{"tool": "Bash" /* x */}',
    "a trailing comma": b'{"tool": "Bash",}',
    "trailing data": VALID + VALID,
    "trailing garbage": VALID + b"]",
    "a NUL behind it": VALID + b"\x00",
    "a NUL in a string": b'{"tool": "Ba\x00sh"}',
    "invalid UTF-8": b'{"tool": "Bash", "args": {"command": "\xff\xfe"}}',
    "overlong UTF-8": b'{"tool": "Bash", "args": {"command": "\xc0\xaf"}}',
    "UTF-8 surrogates": b'{"tool": "Bash", "args": {"command": "\xed\xa0\x80"}}',
    "UTF-16": VALID.decode().encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + VALID,
    "a bad escape": b'{"tool": "\\x41"}',
    "a list": b"[]",
    "a string": b'"Bash"',
    "tool is a number": b'{"tool": 7}',
    "10^5 deep lists": b'{"tool": "Bash", "args": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "10^5 deep objects": b'{"tool":"Bash","args":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
    "10^5 open lists": b"[" * 100_000,
    "65 deep": b'{"tool": "Bash", "args": ' + b"[" * 64 + b"]" * 64 + b"}",
}


@pytest.mark.parametrize("body", BAD_JSON.values(), ids=BAD_JSON)
def test_bad_json_on_an_inspect_route(gateway: Machine, body: bytes) -> None:
    expect(ask(gateway, request(body=body, token=gateway.token)), 400, "bad_json")


HOOK_FAULTS = {name: body for name, body in BAD_JSON.items() if name != "tool is a number"}


@pytest.mark.parametrize("body", HOOK_FAULTS.values(), ids=HOOK_FAULTS)
@pytest.mark.parametrize("path", HOOKS.values(), ids=HOOKS)
def test_bad_json_of_a_tool_call_on_a_hook_route_is_a_denied_call(
    gateway: Machine, path: str, body: bytes
) -> None:
    named = {"X-DefenseClaw-Hook-Event": "PreToolUse"}
    reply = ask(gateway, request(path=path, body=body, token=gateway.token, headers=named))
    assert reply is not None
    assert reply.status == 200
    answer = json.loads(reply.body)
    assert (answer["action"], answer["rule_ids"]) == ("block", ["INPUT-BOUND"])


def test_duplicate_keys_the_last_one_is_judged(gateway: Machine) -> None:
    for first, last, wanted in (("ls", "rm -rf /", "block"), ("rm -rf /", "ls", "allow")):
        body = json.dumps({"tool": "Bash", "args": {"command": first}})[:-2]
        body += f', "command": {json.dumps(last)}}}}}'
        assert gateway.inspect("tool", body.encode())["raw_action"] == wanted


def test_without_a_token_the_body_does_not_matter(gateway: Machine) -> None:
    for body in BAD_JSON.values():
        expect(ask(gateway, request(body=body)), 401, "unauthorized")
        expect(ask(gateway, request(path=HOOK, body=body, token="f" * 64)), 401, "unauthorized")


# ---- sizes ------------------------------------------------------------------------------------------


def chunked(size: int, piece: int = 65536) -> Iterator[bytes]:
    for _ in range(size // piece):
        yield b"%x\r\n%s\r\n" % (piece, b"a" * piece)
    yield b"0\r\n\r\n"


def send_chunked(gateway: Machine, path: str, size: int, **headers: str) -> Reply | None:
    head = request(path=path, token=gateway.token, headers={"Transfer-Encoding": "chunked", **headers})
    with wire(gateway.port) as connection:
        connection.send(head)
        for piece in chunked(size):
            if not connection.send(piece):
                break
        return connection.reply()


def test_a_body_over_1_mib_on_an_inspect_route(gateway: Machine) -> None:
    big = b'{"tool": "Bash", "args": "' + b"a" * MIB + b'"}'
    expect(ask(gateway, request(body=big, token=gateway.token)), 413, "body_too_large")
    expect(send_chunked(gateway, "/api/v1/inspect/tool", 2 * MIB), 413, "body_too_large")


@pytest.mark.parametrize(("event", "action"), [("PreToolUse", "block"), ("SessionStart", "allow")])
def test_a_body_over_16_mib_on_a_hook_route(gateway: Machine, event: str, action: str) -> None:
    """A tool call is denied; the start of a session cannot be stopped, but is on record."""
    big = b'{"hook_event_name": "PreToolUse", "tool_input": "' + b"a" * (16 * MIB) + b'"}'
    named = {"X-DefenseClaw-Hook-Event": event}
    for reply in (
        ask(gateway, request(path=HOOK, body=big, token=gateway.token, headers=named)),
        send_chunked(gateway, HOOK, 17 * MIB, **named),
    ):
        assert reply is not None
        assert reply.status == 200
        answer = json.loads(reply.body)
        assert (answer["action"], answer["rule_ids"]) == (action, ["INPUT-BOUND"])


def test_a_claimed_length_nobody_may_send_is_refused_before_it_arrives(gateway: Machine) -> None:
    for claimed in ("999999999999", str(10**30)):
        data = request(token=gateway.token, headers={"Content-Length": claimed})
        reply = ask(gateway, data)
        assert reply is not None
        assert (reply.status, reply.code) in ((413, "body_too_large"), (400, "bad_request"))


def test_many_big_bodies_at_once_are_held_within_bounds(gateway: Machine) -> None:
    """16 senders of 15 MiB: more than may be held together, some are told to come again."""
    before = gateway.resident_mib
    body = b'{"hook_event_name": "SessionStart", "x": "' + b"a" * (15 * MIB) + b'"}'
    data = request(path=HOOK, body=body, token=gateway.token)
    seen: list[Reply | None] = []
    most = [before]
    threads = [threading.Thread(target=lambda: seen.append(ask(gateway, data))) for _ in range(16)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        most.append(gateway.resident_mib)
        time.sleep(0.01)
    for thread in threads:
        thread.join()
    assert len(seen) == 16
    assert all(reply is not None and reply.acceptable for reply in seen)
    assert any(reply is not None and reply.status == 200 for reply in seen)
    assert max(most) - before < 512
    eventually(lambda: gateway.resident_mib - before < MEMORY_GROWTH_MIB, "memory given back")


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"X-Big": "a" * 40_000}, id="one of 40 KB"),
        pytest.param({f"X-{number}": "a" * 40 for number in range(1000)}, id="a thousand"),
        pytest.param({"X" * 40_000: "a"}, id="a name of 40 KB"),
        pytest.param({"Cookie": "a=b; " * 200_000}, id="1 MB of cookies"),
    ],
)
@pytest.mark.parametrize("authenticated", [True, False])
def test_a_huge_header(gateway: Machine, headers: dict[str, str], authenticated: bool) -> None:
    token = gateway.token if authenticated else ""
    expect(ask(gateway, request(body=VALID, token=token, headers=headers)), 431, "headers_too_large")


def test_a_huge_request_line(gateway: Machine) -> None:
    for path in ("/" + "a" * 100_000, "/alerts?limit=" + "1" * 100_000):
        expect(ask(gateway, request("GET", path, token=gateway.token)), 431, "headers_too_large")


# ---- slow and broken off ----------------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def slow(gateway: Machine) -> Iterator[list[Wire]]:
    """200 connections that never finish a header and 20 that never finish a body, from first test to last."""
    head = request(token=gateway.token, headers={"Content-Length": "100"})
    crowd = [Wire(gateway.port) for _ in range(220)]
    for connection in crowd[:200]:
        connection.send(head[:40])
    for connection in crowd[200:]:
        connection.send(head + b"{")
    yield crowd
    for connection in crowd:
        connection.close()


def test_broken_off_anywhere(gateway: Machine) -> None:
    """A request cut after any number of bytes is forgotten, without an error of ours."""
    data = request(path=HOOK, body=VALID, token=gateway.token)
    step = max(1, 12 // SIZE)
    for length in range(1, len(data), step):
        with wire(gateway.port) as connection:
            connection.send(data[:length])
            connection.end()
            reply = connection.reply()
            assert reply is None or reply.status == 400, reply


# ---- floods without a token -------------------------------------------------------------------------


def test_thousands_of_requests_without_a_token(gateway: Machine) -> None:
    """Eight clients, 250 requests each and as many as they like at once: all are refused, none is queued."""

    def flood(_number: int) -> None:
        data = request(body=VALID, token="f" * 64)
        with wire(gateway.port) as connection:
            for _ in range(250 * SIZE):
                connection.send(data)
                expect(connection.reply(), 401, "unauthorized")

    together(flood, 8)
    for _ in range(30 * SIZE):
        replies = pipelined(gateway, *[request(body=VALID)] * 100)
        assert replies
        assert {reply.status for reply in replies} <= {401, 503}
        assert all(reply.acceptable for reply in replies)
    assert gateway.get("/health")["audit"]["details"]["overloads"] == 0


def test_more_connections_than_are_taken(gateway: Machine) -> None:
    """Beyond 1024 a connection is told to come again; when they go, everybody is served as before."""
    crowd: list[Wire] = []
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2048  # a crowd needs more files than many a login may have open
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed if hard < 0 else min(hard, needed)), hard))
    try:
        turned_away = 0
        for _ in range(1200):
            crowd.append(Wire(gateway.port))
        for connection in crowd[-64:]:
            reply = connection.reply()
            turned_away += reply is not None and reply.code == "overloaded"
        assert turned_away == 64
    finally:
        for connection in crowd:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    eventually(lambda: _served(gateway), "served again")


def _served(gateway: Machine) -> bool:
    reply = ask(gateway, request("GET", "/health"))
    return reply is not None and reply.status == 200


# ---- HTTP that means two things ---------------------------------------------------------------------

SMUGGLING = {
    "CL and TE": {"Content-Length": "4", "Transfer-Encoding": "chunked"},
    "TE: chunked twice": {"Transfer-Encoding": "chunked, chunked"},
    "TE: gzip": {"Transfer-Encoding": "gzip", "Content-Length": "4"},
    "TE: xchunked": {"Transfer-Encoding": "xchunked", "Content-Length": "4"},
    "TE: chunked, identity": {"Transfer-Encoding": "chunked, identity", "Content-Length": "4"},
    "CL: +4": {"Content-Length": "+4"},
    "CL: -1": {"Content-Length": "-1"},
    "CL: 4, 5": {"Content-Length": "4, 5"},
    "CL: 0x4": {"Content-Length": "0x4"},
    "CL twice": {"Content-Length": "4", "content-length": "5"},
    "a space before the colon": {"Content-Length ": "4"},
}
INNER = b"GET /enforce/blocked HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.mark.parametrize("headers", SMUGGLING.values(), ids=SMUGGLING)
def test_a_request_of_two_lengths_is_refused_and_nothing_behind_it_is_read(
    gateway: Machine, headers: dict[str, str]
) -> None:
    data = request(token=gateway.token, headers=headers) + b"0\r\n\r\n" + INNER
    with wire(gateway.port) as connection:
        connection.send(data)
        replies = list(connection.replies())
    assert [reply.status for reply in replies] == [400]


BAD_CHUNKS = {
    "no hex": b"zz\r\nabc\r\n0\r\n\r\n",
    "negative": b"-1\r\nabc\r\n0\r\n\r\n",
    "over 64 bit": b"fffffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "shorter than said": b"2\r\nabc\r\n0\r\n\r\n",
    "a bare LF": b"3\nabc\n0\n\n",
    "a NUL": b"3\x00\r\nabc\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("body", BAD_CHUNKS.values(), ids=BAD_CHUNKS)
def test_a_bad_chunk(gateway: Machine, body: bytes) -> None:
    data = request(token=gateway.token, headers={"Transfer-Encoding": "chunked"}) + body + INNER
    with wire(gateway.port) as connection:
        connection.send(data)
        replies = list(connection.replies())
    assert [reply.status for reply in replies] == [400]


def test_pipelined_requests_are_answered_in_order(gateway: Machine) -> None:
    ids = [f"pipe-{number}" for number in range(12)]
    replies = pipelined(
        gateway,
        *(request(body=VALID, token=gateway.token, headers={"X-DefenseClaw-Request-Id": i}) for i in ids),
    )
    assert [reply.headers["x-defenseclaw-request-id"] for reply in replies] == ids
    assert {reply.status for reply in replies} == {200}


def test_thousands_of_pipelined_requests_are_cut_off(gateway: Machine) -> None:
    replies = pipelined(gateway, *[request(body=VALID, token=gateway.token)] * 5000)
    assert replies
    assert all(reply.acceptable for reply in replies)


def test_pipelined_requests_of_a_client_that_leaves(gateway: Machine) -> None:
    for _ in range(20):
        with wire(gateway.port) as connection:
            connection.send(request(body=VALID, token=gateway.token) * 12)
            connection.end()


ODD = {
    "no request at all": b"\r\n\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"GET /health\r\n",
    "HTTP/9.9": b"GET /health HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
    "an unknown method": b"BREW /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a method of 10 KB": b"A" * 10_000 + b" /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a lower-case method": b"get /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "an absolute target": b"GET http://evil.example/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "CONNECT": b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "TRACE": b"TRACE /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a path of raw bytes": b"GET /t\xf6\xf6l HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "an asterisk": b"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a NUL in the path": b"GET /hea\x00lth HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a NUL in a header": b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\x00b\r\n\r\n",
    "CR alone": b"GET /health HTTP/1.1\rHost: 127.0.0.1\r\r",
    "a folded header": b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\r\n b\r\n\r\n",
    "a header without a colon": b"GET /health HTTP/1.1\r\nHost\r\n\r\n",
    "an upgrade": b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "h2c": b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
    "random bytes": random.Random(5).randbytes(4096),
}


@pytest.mark.parametrize("data", ODD.values(), ids=ODD)
def test_what_is_hardly_http(gateway: Machine, data: bytes) -> None:
    with wire(gateway.port) as connection:
        connection.send(data)
        replies = connection.heard()
        connection.end()
        assert connection.reply() is None
    assert all(reply.status < 500 for reply in replies)


ODD_PATHS = {
    "a NUL": "/api/v1/inspect/tool%00",
    "a bad escape": "/api/v1/inspect/%zz",
    "half an escape": "/api/v1/inspect/tool%",
    "not UTF-8": "/api/v1/inspect/%ff%fe",
    "dots": "/api/v1/inspect/../../../../etc/passwd",
    "encoded dots": "/api/v1/%2e%2e/%2e%2e/enforce/blocked",
    "double slashes": "//enforce//blocked",
    "a trailing slash": "/enforce/blocked/",
    "other case": "/Enforce/Blocked",
    "a semicolon": "/enforce/blocked;a=b",
    "a fragment": "/enforce/blockedx#y",
    "a bomb of escapes": "/" + "%25" * 5000,
    "a query of NULs": "/nowhere?" + "%00" * 100,
}


@pytest.mark.parametrize("path", ODD_PATHS.values(), ids=ODD_PATHS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_odd_path_is_not_found_and_only_for_the_authenticated(
    gateway: Machine, method: str, path: str
) -> None:
    body = VALID if method == "POST" else None
    expect(ask(gateway, request(method, path, body)), 401, "unauthorized")
    expect(ask(gateway, request(method, path, body, token=gateway.token)), 404, "not_found")


ODD_LIMITS = ("%00", "-1", "0", "1e3", "9" * 5000, "%F0%9F%92%A9", "1;2", "\u0661".encode().decode("latin-1"))


@pytest.mark.parametrize("limit", ODD_LIMITS)
def test_an_odd_limit(gateway: Machine, limit: str) -> None:
    reply = ask(gateway, request("GET", f"/alerts?limit={limit}", token=gateway.token))
    assert reply is not None
    assert reply.status in (200, 400)


ODD_HEADERS = {
    "Authorization": ["Bearer", "Bearer ", "Basic Og==", "Bearer \xff\xfe", "bearer x", "Bearer a b c"],
    "Host": ["", "evil.example", "127.0.0.1:99999999", "[::1", "[]", "a" * 400, "127.0.0.1 127.0.0.1"],
    "Content-Type": ["", "text/plain", "application/json\xff", "application/jsonx", ";application/json"],
    "Origin": ["null", "http://[", "http://127.0.0.1.evil.example", "\xff", "file://"],
    "Sec-Fetch-Site": ["cross-site", "none,none", "\xff"],
    "traceparent": ["00-" + "f" * 32 + "-" + "0" * 16, "\xff" * 55, "00-0-0-0"],
    "X-DefenseClaw-Session-Id": ["\xff\xfe" * 300, "a" * 20_000, "%00", "\x7f"],
    "X-DefenseClaw-Hook-Event": ["\xff", "a" * 20_000, "__class__", "PreToolUse PreToolUse"],
    "X-DefenseClaw-Answer": ["NATIVE", "native, native", "\xff"],
    "X-DefenseClaw-Connector": ["\xff", "a" * 20_000, "../../etc/passwd"],
    "Content-Encoding": ["gzip", "br", "\xff"],
    "Expect": ["100-continue", "200-ok"],
    "Connection": ["close", "keep-alive, close", "upgrade"],
}
EACH_ODD_HEADER = [(name, value) for name, values in ODD_HEADERS.items() for value in values]


@pytest.mark.parametrize("path", ["/api/v1/inspect/tool", HOOK])
def test_odd_headers(gateway: Machine, path: str) -> None:
    for name, value in EACH_ODD_HEADER:
        reply = ask(gateway, request(path=path, body=VALID, token=gateway.token, headers={name: value}))
        while reply is not None and reply.status == 100:
            reply = None
        assert reply is None or reply.acceptable, (name, value, reply)


def test_slow_senders_are_told_so(slow: list[Wire]) -> None:
    """All tests above were served meanwhile."""
    for connection in slow[:200]:
        expect(connection.reply(), 408, "request_timeout")
        assert connection.reply() is None


def test_a_gateway_that_hangs_would_be_noticed(gateway: Machine) -> None:
    """The bounded wait of these tests is real: half a request is not answered within half a second."""
    with wire(gateway.port, patience_s=0.5) as connection:
        connection.send(request(token=gateway.token, headers={"Content-Length": "10"}))
        with pytest.raises(Hung):
            connection.reply()
