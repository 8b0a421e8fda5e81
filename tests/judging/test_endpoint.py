from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvloop
from tests.judging.fake import FakeJudge, fake_judge, http, sends

from defenseclaw.judging.endpoint import (
    MAX_BODY_BYTES,
    MAX_HEAD_BYTES,
    Endpoint,
    address_of,
    is_header_value,
    proxy_of,
)
from defenseclaw.judging.failures import JudgeFailure
from defenseclaw.judging.formats.base import Request

ASK = Request(path="/chat/completions", headers=(("Authorization", "Bearer k"),), body=b'{"a": 1}')
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def post(url: str, **more) -> bytes:
    return await Endpoint(address_of(url), **more).post(ASK)


async def failure(url: str) -> str:
    with pytest.raises(JudgeFailure) as failed:
        async with asyncio.timeout(5):
            await post(url)
    return failed.value.words


async def test_what_is_sent_is_one_plain_request(fake: FakeJudge) -> None:
    fake.behaviour = sends(http(b"{}"))
    assert await post(fake.url) == b"{}"
    (seen,) = fake.seen
    assert seen.path == "/v1/chat/completions"
    assert seen.headers["host"] == f"127.0.0.1:{fake.port}"
    assert seen.headers["authorization"] == "Bearer k"
    assert seen.headers["accept-encoding"] == "identity"
    assert seen.raw == b'{"a": 1}'


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(http(b'{"ok": 1}'), id="with a length"),
        pytest.param(CHUNKED + b'3\r\n{"o\r\n6\r\nk": 1}\r\n0\r\n\r\n', id="in chunks"),
        pytest.param(b'HTTP/1.1 200 OK\r\n\r\n{"ok": 1}', id="ended by the connection"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\n\r\n" + http(b'{"ok": 1}'), id="after hints"),
        pytest.param(http(b'{"ok": 1}') + b"and rubbish", id="with something behind it"),
    ],
)
async def test_a_good_reply_is_read(fake: FakeJudge, reply: bytes) -> None:
    fake.behaviour = sends(reply)
    assert await post(fake.url) == b'{"ok": 1}'


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        pytest.param(b"", "closed", id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", "closed", id="half a head"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "closed", id="half a body"),
        pytest.param(CHUNKED + b"3\r\n{}", "closed", id="half a chunk"),
        pytest.param(CHUNKED + b"zz\r\n", "bad_reply", id="a bad chunk"),
        pytest.param(b"\x16\x03\x01 garbage\r\n\r\n", "bad_reply", id="garbage"),
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n", "bad_reply", id="another protocol"),
        pytest.param(
            http(b"", "302 Found", "Location: http://127.0.0.1/\r\n"), "redirect 302", id="redirect"
        ),
        pytest.param(http(b"{}", "401 Unauthorized"), "status 401", id="wrong key"),
        pytest.param(http(b"{}", "429 Too Many Requests"), "status 429", id="too many"),
        pytest.param(http(b"{}", "500 Oh"), "status 500", id="server error"),
        pytest.param(http(b"{}", "204 No Content"), "status 204", id="no content"),
        pytest.param(
            b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "status 101", id="upgrade"
        ),
        pytest.param(http(b"x" * (MAX_BODY_BYTES + 1)), "too_large", id="huge"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MAX_BODY_BYTES + 1), "too_large", id="endless"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * (MAX_HEAD_BYTES // 4), "too_large", id="huge head"
        ),
        pytest.param(http(b"\x1f\x8b", headers="Content-Encoding: gzip\r\n"), "bad_reply", id="compressed"),
    ],
)
async def test_a_bad_reply_is_a_failure(fake: FakeJudge, reply: bytes, words: str) -> None:
    fake.behaviour = sends(reply)
    assert await failure(fake.url) == words


async def test_a_redirect_is_not_followed() -> None:
    with fake_judge(sends(http(b"{}"))) as target, fake_judge(sends(b"")) as first:
        first.behaviour = sends(http(b"", "307 X", f"Location: {target.url}/chat/completions\r\n"))
        assert await failure(first.url) == "redirect 307"
        assert target.seen == []


async def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert await failure(f"http://127.0.0.1:{port}") == "unreachable"


@pytest.mark.parametrize("behaviour", ["hang", "drip"])
async def test_a_silent_endpoint_is_left_in_time(fake: FakeJudge, behaviour: str) -> None:
    fake.behaviour = getattr(fake, behaviour)
    threads = threading.active_count()
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await post(fake.url)
    assert time.monotonic() - began < 1
    assert threading.active_count() <= threads + 2  # the fake's own


async def test_proxy_variables_are_not_read(fake: FakeJudge, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    fake.behaviour = sends(http(b"{}"))
    assert await post(fake.url) == b"{}"


# ---- TLS ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1 that nobody vouches for, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "key.pem"]
    name = ["-subj", "/CN=judge", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        ["openssl", "req", "-x509", *key, *name, "-days", "2", "-out", "cert.pem"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    both = folder / "both.pem"
    both.write_text((folder / "key.pem").read_text() + (folder / "cert.pem").read_text())
    return both


@pytest.fixture
def secure(certificate: Path) -> Iterator[FakeJudge]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with fake_judge(sends(http(b"{}")), context) as running:
        yield running


async def test_a_certificate_nobody_vouches_for_is_refused(secure: FakeJudge) -> None:
    assert await failure(secure.url) == "tls"
    assert secure.seen == []


async def test_a_certificate_the_system_trusts_is_taken(
    secure: FakeJudge, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert await post(secure.url) == b"{}"


class Proxy:
    """Speaks CONNECT, to wherever it is told or with whatever answer."""

    def __init__(self, answer: bytes) -> None:
        self.asked: list[bytes] = []
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        client, _ = self._listener.accept()
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        self.asked.append(head)
        client.sendall(self._answer)
        if b" 200 " not in self._answer:
            client.close()
            return
        host, _, port = head.split()[1].decode().rpartition(":")
        upstream = socket.create_connection((host, int(port)))
        back = threading.Thread(target=_pump, args=(upstream, client), daemon=True)
        back.start()
        _pump(client, upstream)
        back.join(2)
        client.close()
        upstream.close()

    def close(self) -> None:
        self._listener.close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return


async def test_a_configured_proxy_is_used_and_sees_nothing(
    secure: FakeJudge, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    proxy = Proxy(b"HTTP/1.1 200 Connection established\r\n\r\n")
    assert await post(secure.url, proxy=proxy_of(proxy.url)) == b"{}"
    (head,) = proxy.asked
    assert head.startswith(f"CONNECT 127.0.0.1:{secure.port} HTTP/1.1\r\n".encode())
    assert b"Bearer" not in head
    proxy.close()


def test_the_loop_the_gateway_runs_on_does_all_that_too(
    fake: FakeJudge, secure: FakeJudge, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def everything() -> list[bytes]:
        direct = await post(secure.url)
        through = await post(secure.url, proxy=proxy_of(proxy.url))
        assert await failure(fake.url) == "status 500"
        fake.behaviour = fake.hang
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await post(fake.url)
        return [direct, through]

    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    fake.behaviour = sends(http(b"{}", "500 Oh"))
    proxy = Proxy(b"HTTP/1.1 200 Connection established\r\n\r\n")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(everything()) == [b"{}", b"{}"]
    proxy.close()


async def test_a_proxy_that_refuses_is_a_failure(secure: FakeJudge) -> None:
    proxy = Proxy(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
    with pytest.raises(JudgeFailure, match="unreachable"):
        await post(secure.url, proxy=proxy_of(proxy.url))
    proxy.close()


# ---- addresses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "authority", "path"),
    [
        ("https://api.example.com/v1/", "api.example.com", "/v1"),
        ("https://api.example.com:8443", "api.example.com:8443", ""),
        ("http://localhost:11434/v1", "localhost:11434", "/v1"),
        ("http://127.0.0.1:80", "127.0.0.1", ""),
        ("http://[::1]:8000/v1", "[::1]:8000", "/v1"),
    ],
)
def test_an_address_is_taken_apart(url: str, authority: str, path: str) -> None:
    address = address_of(url)
    assert (address.authority, address.path) == (authority, path)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://api.example.com/v1", "plain http"),
        ("http://127.0.0.1.example.com", "plain http"),
        ("http://0.0.0.0:8000", "plain http"),
        ("https://user:word@api.example.com", "credentials"),
        ("https://api.example.com/v1?key=1", "query"),
        ("https://api.example.com/v1#x", "fragment"),
        ("https://api.example.com/a b", "escaped"),
        ("https://api.example.com/a\r\nX: y", "escaped"),
        ("https://api.exa mple.com", "not an http"),
        ("ftp://api.example.com", "not an http"),
        ("api.example.com", "not an http"),
        ("https://", "not an http"),
        ("https://h:99999", "not an address"),
        ("", "not an http"),
    ],
)
def test_an_address_that_must_not_be_used_is_refused(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        address_of(url)
    assert "word" not in str(refused.value)


@pytest.mark.parametrize("url", ["https://p:1", "http://p:1/path", "http://u:p@p:1", "socks5://p:1"])
def test_an_address_that_is_no_proxy_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"is not|holds"):
        proxy_of(url)


@pytest.mark.parametrize(
    ("key", "is_one"), [("sk-abc_1", True), ("a b", True), ("a\r\nX: y", False), ("é", False), ("", False)]
)
def test_a_key_cannot_add_a_header(key: str, is_one: bool) -> None:
    assert is_header_value(key) is is_one
