"""The order in which a request is refused or let through, the same for every route.

::

    Host → token → browser checks → route → rate → body → handler

404 and 405 exist for authenticated callers only; a request without a valid token never has its body read
and never reaches the queue of evaluations. Source: ``DECISIONS.md`` "HTTP".
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from defenseclaw.errors import (
    DefenseClawError,
    Forbidden,
    HostNotAllowed,
    MethodNotAllowed,
    MissingField,
    NotFound,
    NoToken,
    Unauthorized,
    UnsupportedMediaType,
)
from defenseclaw.gateway.auth import Authenticator, RefusalLog, check_browser
from defenseclaw.gateway.bodies import ClientGone, Intake, Receive
from defenseclaw.gateway.correlation import correlation
from defenseclaw.gateway.hosts import host_allowed, is_loopback
from defenseclaw.gateway.jsonbody import Reader
from defenseclaw.gateway.ratelimit import RateLimiter
from defenseclaw.gateway.routing import Answer, Call, Route, as_json, refusal
from defenseclaw.gateway.services import Services

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_REPORTED = (Unauthorized, NoToken, Forbidden, UnsupportedMediaType)
"""Refusals that go to ``gateway.jsonl``; a handler's own never do."""


@dataclass(frozen=True, slots=True)
class _Entry:
    route: Route
    reader: Reader[Any] | None


class Edge:
    """The ASGI application.

    Args:
        services: What the routes work with.
        routes: All routes; two with the same method and path are a mistake of ours.
        limiter: Bounds remote callers of rate-limited routes.
        intake: Bounds the bodies held in memory.
    """

    def __init__(
        self,
        services: Services,
        routes: Iterable[Route],
        *,
        limiter: RateLimiter | None = None,
        intake: Intake | None = None,
    ) -> None:
        self._services = services
        self._limiter = limiter or RateLimiter()
        self._intake = intake or Intake()
        self._table: dict[str, dict[str, _Entry]] = {}
        hook_paths = {each.hook_path: name for name, each in services.connectors.items() if each.hook_path}
        for route in routes:
            if route.scope:
                hook_paths[route.path] = route.scope
            methods = self._table.setdefault(route.path, {})
            if route.method in methods:
                raise ValueError(f"{route.method} {route.path} is routed twice")
            reader = Reader(route.request) if route.request is not None else None
            methods[route.method] = _Entry(route, reader)
        self._authenticator = Authenticator(services.token, services.scoped_token, hook_paths)
        self.refusals = RefusalLog(services.journal)
        self._instance = services.identity().sidecar_instance_id
        self._own_headers = (
            (b"x-content-type-options", b"nosniff"),
            (b"x-defenseclaw-sidecar-instance-id", self._instance.encode()),
        )

    @property
    def held_bytes(self) -> int:
        """Bytes of request bodies in memory now."""
        return self._intake.held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        call = self._call(scope, receive)
        try:
            answer = await self._answer(scope["headers"], call)
        except ClientGone:
            return
        except DefenseClawError as error:
            answer = refusal(error)
        except Exception as error:
            # The text of a foreign exception may quote what it choked on: only its kind and place are told.
            log.error(
                "unhandled %s in %s %r at %s", type(error).__name__, call.method, call.path, _place(error)
            )
            answer = refusal(DefenseClawError())
        finally:
            self._intake.release(call.held)
        await self._send(send, call, answer)

    def _call(self, scope: Scope, receive: Receive) -> Call:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        client = scope.get("client")
        peer = client[0] if client else ""
        loopback = is_loopback(peer)
        return Call(
            services=self._services,
            intake=self._intake,
            receive=receive,
            method=scope["method"],
            path=scope["path"],
            query=scope.get("query_string", b""),
            headers=headers,
            peer=peer,
            loopback=loopback,
            correlation=correlation(
                headers,
                loopback=loopback,
                instance=self._instance,
                agent=self._services.config.current.agent,
            ),
        )

    async def _answer(self, raw_headers: list[tuple[bytes, bytes]], call: Call) -> Answer:
        methods = self._table.get(call.path)
        entry = methods.get(call.method) if methods is not None else None
        if entry is None or not entry.route.public:
            try:
                self._check_host(raw_headers, call)
                call.caller = self._authenticator.identify(call.path, call.headers, loopback=call.loopback)
                check_browser(call.method, call.headers)
            except _REPORTED as error:
                self.refusals.refused(error, call.peer, call.headers, call.correlation.request_id)
                raise
        if methods is None:
            raise NotFound
        if entry is None:
            return _not_allowed(methods)
        if entry.route.rate_limited:
            self._limiter.admit(call.peer)
        if entry.reader is not None:
            call.body = entry.reader.read(await call.read(entry.route.body_bytes))
            _check_required(entry.route, call.body)
        result = await entry.route.handler(call)
        return result if isinstance(result, Answer) else as_json(result)

    def _check_host(self, raw_headers: list[tuple[bytes, bytes]], call: Call) -> None:
        host = call.headers.get(b"host", b"")
        gateway = self._services.config.current.gateway
        if len(raw_headers) != len(call.headers) and sum(name == b"host" for name, _ in raw_headers) > 1:
            raise HostNotAllowed
        if len(host) > 300 or not host_allowed(
            host.decode("latin-1"), gateway.api_bind, tuple(gateway.allowed_hosts)
        ):
            raise HostNotAllowed

    async def _send(self, send: Send, call: Call, answer: Answer) -> None:
        known = call.correlation
        headers = [
            (b"content-type", answer.content_type),
            (b"content-length", str(len(answer.body)).encode()),
            (b"x-defenseclaw-request-id", known.request_id.encode()),
            *self._own_headers,
            *answer.headers,
        ]
        if known.agent_id:
            headers.append((b"x-defenseclaw-agent-id", known.agent_id.encode()))
        if known.agent_instance_id:
            headers.append((b"x-defenseclaw-agent-instance-id", known.agent_instance_id.encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})


def _check_required(route: Route, body: object) -> None:
    if any(not getattr(body, name) for name in route.required):
        verb = "is" if len(route.required) == 1 else "are"
        raise MissingField(f"{' and '.join(route.required)} {verb} required")


def _not_allowed(methods: Mapping[str, _Entry]) -> Answer:
    answer = refusal(MethodNotAllowed())
    allow = ", ".join(sorted(methods)).encode()
    return Answer(answer.body, answer.status, ((b"allow", allow),))


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "an unknown place"
    return f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
