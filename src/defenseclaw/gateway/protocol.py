"""What may arrive on a connection, bounded before anybody has proved who they are.

uvicorn's httptools protocol reads a header of any size and waits for ever for the rest of a request. The
subclass here bounds both, and how many requests are queued behind each other, with one timer and a few
counters per connection. Source: ``DECISIONS.md`` "Header limits".
"""

from __future__ import annotations

import asyncio
import json
import resource
import uuid
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from defenseclaw.errors import (
    BadRequest,
    BodyTooLarge,
    DefenseClawError,
    HeadersTooLarge,
    Overloaded,
    RequestTimeout,
)
from defenseclaw.gateway.bodies import DRAINED_BYTES

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from defenseclaw.gateway.edge import Edge

_PIECE = 16384
"""Bytes handed to the parser at once, hence how exact the counters are."""
MAX_CONNECTIONS = 1024
_SPARE_FILES = 128
_GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"
_CONNECTED = 1
"""The step of a connection on which no request has begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one connection, and of all together."""

    header_bytes: int = 32768
    """Request line and headers; also what may stand between two pieces of a chunked body."""
    header_s: float = 10.0
    body_s: float = 30.0
    body_bytes: int = 2 * DRAINED_BYTES
    """Bytes of a body on the wire, framing included, read or thrown away."""
    queued: int = 16
    """Pipelined requests that wait behind the one being answered."""
    connections: int = MAX_CONNECTIONS
    linger_s: float = 1.0
    """How long a refused sender may go on writing, so that it can read why."""


class _Phase(Enum):
    IDLE = "idle"
    HEADER = "header"
    BODY = "body"


class _Refused(Exception):
    """Raised inside a parser callback to stop the parser."""


class _Whole(asyncio.Transport):
    """The writing side of a connection that sends the head of an answer together with its body.

    uvicorn writes them one after the other, and each write goes out at once: two packets, and a reader that
    wakes up twice.
    """

    __slots__ = ("_begun", "_head", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport
        self._head = b""
        self._begun = False

    def write(self, data: Any) -> None:  # noqa: ANN401 - what uvicorn writes: bytes
        """Keep the head of an answer until something follows it."""
        if self._begun:
            self._transport.write(self._head + data)
            self._head = b""
        elif data == _GO_ON:
            self._transport.write(data)
        else:
            self._begun, self._head = True, data

    def end(self) -> None:
        """Send what is kept of an answer without a body, and wait for the next one."""
        if self._head:
            self._transport.write(self._head)
        self._begun, self._head = False, b""

    def close(self) -> None:
        """Send what is kept, and close."""
        self.end()
        self._transport.close()

    def is_closing(self) -> bool:
        """Return whether the connection is closing or closed."""
        return self._transport.is_closing()


class BoundedProtocol(HttpToolsProtocol):
    """One connection. Subclasses set :attr:`limits`."""

    limits = Limits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's own signature
        super().__init__(*args, **kwargs)
        self._whole: _Whole | None = None
        self._phase = _Phase.IDLE
        self._header_bytes = 0
        self._body_bytes = 0
        self._unproductive = 0
        self._refusing = False
        self._deferred: DefenseClawError | None = None
        self._answering: RequestResponseCycle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_for = 0
        self._step = 0

    # ---- what arrives ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or turn it away when there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self.connections.discard(self)
            self._refusing = True
            transport.write(_refusal(Overloaded("too many connections")))
            transport.close()
            return
        self._whole = _Whole(transport)
        self._step = _CONNECTED
        self._watch(self.limits.header_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._unwatch()
        self._give_up_answers()
        super().connection_lost(exc)

    def eof_received(self) -> None:
        """Take a connection that is closed for sending as lost, as uvicorn does."""
        self._give_up_answers()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _give_up_answers(self) -> None:
        """Tell the request being answered that nobody listens; uvicorn tells only the last one it parsed."""
        self.pipeline.clear()
        if self._answering is not None and not self._answering.response_complete:
            self._answering.disconnected = True
            self._answering.message_event.set()

    def data_received(self, data: bytes) -> None:
        """Parse what arrived, piece by piece, and refuse at the first bound that is passed."""
        if self._refusing:
            return
        self._unset_keepalive_if_required()
        pieces = memoryview(data)
        for start in range(0, len(data), _PIECE):
            error = self._parse(pieces[start : start + _PIECE])
            if error is not None:
                self._refuse(error)
            if self._refusing or self.transport.is_closing():
                return
        self._keep_time()

    def _parse(self, piece: memoryview) -> DefenseClawError | None:
        before, step = self._phase, self._step
        self._unproductive += len(piece)
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            return None
        except httptools.HttpParserError as error:
            cause = error.__context__
            return cause.args[0] if isinstance(cause, _Refused) else BadRequest("invalid HTTP request")
        if self._phase is _Phase.HEADER:
            # Where a header began inside this piece is unknown; it counts from the next piece on.
            began_here = step != self._step and before is not _Phase.IDLE
            self._header_bytes += 0 if began_here else len(piece)
            return HeadersTooLarge() if self._header_bytes > self.limits.header_bytes else None
        if self._phase is _Phase.BODY and before is _Phase.BODY:
            self._body_bytes += len(piece)
            if self._unproductive > self.limits.header_bytes + _PIECE:
                return BadRequest("invalid HTTP request")
            return BodyTooLarge() if self._body_bytes > self.limits.body_bytes else None
        return None

    # ---- parser callbacks -----------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Start counting a request."""
        self._phase = _Phase.HEADER
        self._step += 1
        self._header_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Hand the request over, unless its header is too long or too many wait already."""
        # Only of what has taken several pieces to arrive need the fields be counted.
        limit = self.limits.header_bytes
        if self._unproductive + _PIECE > limit and self._header_size() > limit:
            raise _Refused(HeadersTooLarge())
        if not self.url.startswith(b"/"):
            raise _Refused(BadRequest("invalid HTTP request"))
        if len(self.pipeline) >= self.limits.queued:
            raise _Refused(Overloaded("too many pipelined requests"))
        super().on_headers_complete()
        if self._whole is not None:
            self.cycle.transport = self._whole
        self.headers = []  # where trailers behind a chunked body go: nobody reads them
        self._phase = _Phase.BODY
        self._step += 1
        self._body_bytes = self._unproductive = 0

    def _header_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def on_body(self, body: bytes) -> None:
        """Hand a piece of the body over."""
        self._unproductive = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait for the next request."""
        self._phase = _Phase.IDLE
        self._step += 1
        super().on_message_complete()

    # ---- time -----------------------------------------------------------------------------------

    def _keep_time(self) -> None:
        """Arm one timer for a request that is not complete; most are complete in one read."""
        if self._phase is _Phase.IDLE:
            if self._step == _CONNECTED:
                return  # blank lines before the first request do not buy time
            self._unwatch()
            if self.cycle.response_complete and not self.pipeline:
                # Answered before its body had ended: uvicorn has disarmed its keep-alive timer meanwhile.
                self._unset_keepalive_if_required()
                self.timeout_keep_alive_task = self.loop.call_later(
                    self.timeout_keep_alive, self.timeout_keep_alive_handler
                )
        elif self._timer is None or self._timer_for != self._step:
            self._watch(self.limits.header_s if self._phase is _Phase.HEADER else self.limits.body_s)

    def _watch(self, seconds: float) -> None:
        self._unwatch()
        self._timer_for = self._step
        self._timer = self.loop.call_later(seconds, self._too_slow)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if self._is_answering_another():
            self._watch(self.limits.header_s)
        elif self._phase is _Phase.IDLE or self._is_answered():
            self.transport.close()
        else:
            self._refuse(RequestTimeout())

    def _is_answering_another(self) -> bool:
        """Return whether an earlier request of this connection still waits for its answer."""
        if self._phase is _Phase.BODY:
            return bool(self.pipeline)
        return bool(self.pipeline) or (self.cycle is not None and not self.cycle.response_complete)

    def _is_answered(self) -> bool:
        return self._phase is _Phase.BODY and self.cycle.response_started

    # ---- refusing -------------------------------------------------------------------------------

    def on_response_complete(self) -> None:
        """Start the next queued request; after the last one, tell why the rest was refused."""
        was_last = not self.pipeline
        if self._whole is not None:
            self._whole.end()
        super().on_response_complete()
        if self._deferred is not None and was_last and not self.transport.is_closing():
            self._unset_keepalive_if_required()
            self._say(self._deferred)

    def _refuse(self, error: DefenseClawError) -> None:
        """Answer with an error of ours and close, after the answers that are still due."""
        if self._refusing or self.transport.is_closing():
            return
        self._refusing = True
        self._unwatch()
        if self._is_answering_another():
            self._deferred = error
            if self._phase is _Phase.BODY:
                self.pipeline.popleft()  # the refused request itself: its body will never be whole
        elif self._is_answered():
            self.transport.close()
        else:
            if self._phase is _Phase.BODY:
                self.cycle.disconnected = True
                self.cycle.message_event.set()
            self._say(error)

    def _say(self, error: DefenseClawError) -> None:
        """Write the error, and drop what the sender still writes for a moment so that it can read it."""
        self.transport.write(_refusal(error))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self.loop.call_later(self.limits.linger_s, self.transport.close)


def _refusal(error: DefenseClawError) -> bytes:
    body = json.dumps({"error": error.message, "code": error.code}, separators=(",", ":")) + "\n"
    retry = "retry-after: 1\r\n" if error.http_status == 503 else ""
    return (
        f"HTTP/1.1 {error.http_status} {HTTPStatus(error.http_status).phrase}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n{retry}"
        f"x-content-type-options: nosniff\r\nx-defenseclaw-request-id: {uuid.uuid4()}\r\n"
        f"connection: close\r\n\r\n{body}"
    ).encode()


def _affordable_connections() -> int:
    """Return how many connections leave room for the files a gateway needs besides."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(64, min(MAX_CONNECTIONS, soft - _SPARE_FILES))


def server_config(app: Edge, host: str, port: int, limits: Limits | None = None) -> uvicorn.Config:
    """Return how uvicorn serves the API: bounded, without access log, without trust in proxy headers.

    Args:
        app: The application.
        host: Address to listen on.
        port: Port; 0 takes a free one.
        limits: Other bounds than the default ones.
    """
    bounds = limits or Limits(connections=_affordable_connections())
    protocol = type("Protocol", (BoundedProtocol,), {"limits": bounds})
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=protocol,
        ws="none",
        loop="uvloop",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=bounds.connections,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=5,
    )
