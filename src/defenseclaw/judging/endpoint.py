"""One HTTP exchange with a judge's endpoint: bounded, verified, never redirected, cancelled cleanly.

asyncio streams and httptools, which the gateway has anyway: a cancelled exchange leaves no thread behind, no
environment variable decides where the text goes, and every size is ours to bound. Each question has its own
connection: a handshake is small beside a model's answer, and a kept connection that died is one failure less.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import ssl
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

import httptools

from defenseclaw import __version__
from defenseclaw.judging.failures import JudgeFailure
from defenseclaw.judging.formats.base import Request

MAX_BODY_BYTES: Final = 256 * 1024
MAX_HEAD_BYTES: Final = 64 * 1024
_READ_BYTES: Final = 16 * 1024
_NAME = re.compile(r"[A-Za-z0-9._:-]{1,253}")
_PATH = re.compile(r"[A-Za-z0-9._~/%:@+-]{0,1024}")
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where requests go: scheme, host, port and the path before every request's own."""

    is_tls: bool
    host: str
    port: int
    path: str = ""

    @property
    def authority(self) -> str:
        """Host and port as a ``Host`` header writes them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_tls else 80) else f"{host}:{self.port}"


def address_of(url: str) -> Address:
    """Return the parts of an endpoint's base address.

    Raises:
        ValueError: no http or https address, plain http to another machine, or it holds credentials, a
            query or a fragment. The message is one clause, without the address.
    """
    parts = _split(url)
    path = parts.path.rstrip("/")
    if not _PATH.fullmatch(path):
        raise ValueError("has a path with characters that must be escaped")
    host = parts.hostname or ""
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("is plain http to another machine; use https")
    return Address(is_tls=parts.scheme == "https", host=host, port=_port(parts), path=path)


def proxy_of(url: str) -> Address:
    """Return the parts of a proxy's address, ``http://host:port``.

    Raises:
        ValueError: it is no such address.
    """
    parts = _split(url)
    if parts.scheme != "http" or parts.path not in ("", "/"):
        raise ValueError("is not of the form http://host:port")
    return Address(is_tls=False, host=parts.hostname or "", port=_port(parts))


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_header_value(text: str) -> bool:
    """Whether a key can stand in a header: visible ASCII, so that it cannot add a header of its own."""
    return _VALUE.fullmatch(text) is not None


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port != 0
    except ValueError:
        raise ValueError("is not an address") from None
    if (
        parts.scheme not in ("http", "https")
        or not _NAME.fullmatch(parts.hostname or "")
        or not port_is_valid
    ):
        raise ValueError("is not an http or https address")
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds credentials; store the key with `defenseclaw keys set`")
    if parts.query or parts.fragment:
        raise ValueError("holds a query or a fragment")
    return parts


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


class Endpoint:
    """Sends requests to one address.

    Args:
        address: Of the endpoint.
        proxy: Through which https goes; None for a direct connection. Never read from the environment.
    """

    def __init__(self, address: Address, proxy: Address | None = None) -> None:
        self._address = address
        self._proxy = proxy if address.is_tls else None
        self._tls = ssl.create_default_context() if address.is_tls else None

    async def post(self, request: Request) -> bytes:
        """Return the body of a 200 reply. Takes as long as it takes; the caller sets the deadline.

        Raises:
            JudgeFailure: no connection, no valid certificate, any other status, or a reply that is too
                large, cut off or no HTTP.
        """
        try:
            reader, writer = await self._connect()
            try:
                writer.write(self._head(request) + request.body)
                await writer.drain()
                return await _read_reply(reader)
            finally:
                writer.transport.abort()  # a polite goodbye could take for ever
        except ssl.SSLError:
            raise JudgeFailure("tls") from None
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            raise JudgeFailure("unreachable") from None

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        address, proxy = self._address, self._proxy
        if proxy is None:
            reader, writer = await asyncio.open_connection(
                address.host,
                address.port,
                ssl=self._tls,
                server_hostname=address.host if self._tls else None,
            )
            if self._tls is None and not is_loopback(writer.get_extra_info("peername")[0]):
                writer.transport.abort()  # the name `localhost` leads elsewhere
                raise JudgeFailure("unreachable")
            return reader, writer
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
        try:
            await _tunnel(reader, writer, address)
            assert self._tls is not None  # noqa: S101 - a proxy is kept for https only
            await writer.start_tls(self._tls, server_hostname=address.host)
        except BaseException:
            writer.transport.abort()
            raise
        return reader, writer

    def _head(self, request: Request) -> bytes:
        lines = [
            f"POST {self._address.path}{request.path} HTTP/1.1",
            f"Host: {self._address.authority}",
            f"User-Agent: defenseclaw/{__version__}",
            "Accept: application/json",
            "Accept-Encoding: identity",
            "Content-Type: application/json",
            f"Content-Length: {len(request.body)}",
            "Connection: close",
            *(f"{name}: {value}" for name, value in request.headers),
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


async def _tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: Address) -> None:
    host = f"[{address.host}]" if ":" in address.host else address.host
    target = f"{host}:{address.port}"
    writer.write(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode("ascii"))
    await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    if re.match(rb"HTTP/1\.[01] 200[ \r]", head) is None:
        raise JudgeFailure("unreachable")


class _Reply:
    """Collects one reply; httptools calls the ``on_`` methods."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.body = bytearray()
        self.is_complete = False
        self._has_length = False
        self._status = 0
        self._head_bytes = 0

    def feed(self, data: bytes) -> None:
        if not self._status:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                raise JudgeFailure("too_large")
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            if isinstance(error.__context__, JudgeFailure):
                raise error.__context__ from None
            raise JudgeFailure("bad_reply") from None
        except httptools.HttpParserUpgrade:
            raise JudgeFailure("bad_reply") from None
        except httptools.HttpParserError:
            if not self.is_complete:  # what follows a complete reply is nobody's
                raise JudgeFailure("bad_reply") from None

    def end(self) -> None:
        """Take note that the connection ended; a reply without a length ends with it."""
        if not self._status or self._has_length:
            raise JudgeFailure("closed")
        self.is_complete = True

    def on_header(self, name: bytes, value: bytes) -> None:
        lowered = name.lower()
        if lowered in (b"content-length", b"transfer-encoding"):
            self._has_length = True
        if lowered == b"content-encoding" and value.strip().lower() != b"identity":
            raise JudgeFailure("bad_reply")

    def on_headers_complete(self) -> None:
        status = self.parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            return
        if 300 <= status < 400:
            raise JudgeFailure("redirect", status)
        if status != 200:
            raise JudgeFailure("status", status)
        self._status = status

    def on_body(self, data: bytes) -> None:
        self.body += data
        if len(self.body) > MAX_BODY_BYTES:
            raise JudgeFailure("too_large")

    def on_message_complete(self) -> None:
        self.is_complete = bool(self._status)


async def _read_reply(reader: asyncio.StreamReader) -> bytes:
    reply = _Reply()
    while not reply.is_complete:
        data = await reader.read(_READ_BYTES)
        if data:
            reply.feed(data)
        else:
            reply.end()
    return bytes(reply.body)
