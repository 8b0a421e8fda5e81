"""A closed-loop HTTP client: each connection sends its next request when the last one was answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import uvloop

from bench.calm import Parts


@dataclass(frozen=True)
class Run:
    latencies_s: list[float]
    seconds: float
    errors: int

    @property
    def per_second(self) -> float:
        return len(self.latencies_s) / self.seconds

    def quantile(self, share: float) -> float:
        ordered = sorted(self.latencies_s)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Connection(asyncio.Protocol):
    def __init__(self, requests: Sequence[bytes], count: int, offset: int) -> None:
        self.requests = requests
        self.left = count
        self.next = offset
        self.latencies: list[float] = []
        self.errors = 0
        self.buffer = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        self.began = time.perf_counter()
        self.transport.write(self.requests[self.next % len(self.requests)])  # type: ignore[attr-defined]
        self.next += 1

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, blank, body = self.buffer.partition(b"\r\n\r\n")
        if not blank:
            return
        lower = head.lower()
        at = lower.index(b"content-length:") + 15
        length = int(lower[at : lower.find(b"\r\n", at) if b"\r\n" in lower[at:] else None])
        if len(body) < length:
            return
        self.latencies.append(time.perf_counter() - self.began)
        self.errors += not head.startswith(b"HTTP/1.1 200")
        self.buffer = b""
        self.left -= 1
        if self.left:
            self.send()
        else:
            self.transport.close()
            self.finish()

    def connection_lost(self, exc: Exception | None) -> None:
        self.errors += self.left
        self.finish()

    def finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


def request(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def run(port: int, requests: Sequence[bytes], *, clients: int, each: int) -> Run:
    """Send ``each`` requests on each of ``clients`` connections, cycling through ``requests``."""

    async def go() -> Run:
        loop = asyncio.get_running_loop()
        began = time.perf_counter()
        made = await asyncio.gather(
            *(
                loop.create_connection(lambda n=n: Connection(requests, each, n * each), "127.0.0.1", port)
                for n in range(clients)
            )
        )
        connections = [protocol for _, protocol in made]
        await asyncio.gather(*(connection.done for connection in connections))
        seconds = time.perf_counter() - began
        return Run(
            [latency for connection in connections for latency in connection.latencies],
            seconds,
            sum(connection.errors for connection in connections),
        )

    return uvloop.run(go())


class Turn(NamedTuple):
    """What two servers did one right after the other."""

    ours: Run
    baseline: Run


def in_turns(
    ours: tuple[int, Sequence[bytes]],
    baseline: tuple[int, Sequence[bytes]],
    *,
    clients: int,
    each: int,
    core: int | None,
    turns: int = 30,
) -> Parts[Turn]:
    """As :func:`run` over two servers by turns, so that what else the machine does falls on both.

    Args:
        ours: Port, and at least ``clients * each`` requests, of which none is sent twice.
        baseline: The same of the other server.
        clients: Connections at once.
        each: Requests on each of them.
        core: Where the servers run.
        turns: How often they change.
    """
    each //= turns
    count = clients * each

    def turn(first: int) -> Turn:
        return Turn(
            *(
                run(port, requests[first : first + count], clients=clients, each=each)
                for port, requests in (ours, baseline)
            )
        )

    parts: Parts[Turn] = Parts(core)
    for first in range(0, count * turns, count):
        parts.measure(partial(turn, first))
    return parts


def together(runs: Iterable[Run]) -> Run:
    """Return several runs as one."""
    runs = list(runs)
    return Run(
        [latency for each in runs for latency in each.latencies_s],
        sum(each.seconds for each in runs),
        sum(each.errors for each in runs),
    )
