"""A real server on a free loopback port, and a client that may misbehave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from defenseclaw.gateway.protocol import Limits, server_config


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@asynccontextmanager
async def serving(app: Any, limits: Limits | None = None) -> AsyncIterator[int]:
    """Serve ``app`` and yield its port."""
    config = server_config(app, "127.0.0.1", 0, limits)
    config.timeout_graceful_shutdown = 1
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event to wait for
        await asyncio.sleep(0.005)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


class Client:
    """One connection that sends whatever bytes it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, port: int) -> Client:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def push(self, data: bytes) -> bool:
        """Send as far as the server lets us; return whether it took everything."""
        try:
            await self.send(data)
        except ConnectionError:
            return False
        return True

    async def reply(self, within_s: float = 5.0) -> Reply:
        return await asyncio.wait_for(self._reply(), within_s)

    async def _reply(self) -> Reply:
        reply = await self._head()
        reply.body = await self._reader.readexactly(int(reply.headers.get("content-length", "0")))
        return reply

    async def head(self, within_s: float = 5.0) -> Reply:
        """Return the next answer without a body."""
        return await asyncio.wait_for(self._head(), within_s)

    async def _head(self) -> Reply:
        head = await self._reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
        return Reply(int(first.split()[1]), headers, b"")

    async def exactly(self, count: int, within_s: float = 5.0) -> bytes:
        return await asyncio.wait_for(self._reader.readexactly(count), within_s)

    async def closed(self, within_s: float = 5.0) -> bool:
        """Return whether the server ends the connection without another byte."""
        try:
            return await asyncio.wait_for(self._reader.read(1), within_s) == b""
        except ConnectionError:
            return True

    async def close(self) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            return


@asynccontextmanager
async def client(port: int) -> AsyncIterator[Client]:
    connected = await Client.connect(port)
    try:
        yield connected
    finally:
        await connected.close()


App = Callable[[Any, Any, Any], Awaitable[None]]


async def counting(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the number of body bytes, once the body is complete."""
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    await answer(send, str(size).encode())


async def answer(send: Any, body: bytes, status: int = 200) -> None:
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
