"""What a route is, what its handler gets, and what it gives back."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import msgspec
from msgspec import Struct

from defenseclaw.audit import rows
from defenseclaw.audit.records import AuditRow
from defenseclaw.errors import DefenseClawError
from defenseclaw.gateway.auth import OPERATOR, Caller, Headers
from defenseclaw.gateway.bodies import API_BODY, Intake, Receive
from defenseclaw.gateway.correlation import cleaned
from defenseclaw.gateway.services import Services
from defenseclaw.inspection import utc_now
from defenseclaw.vocabulary import Correlation

_ENCODER = msgspec.json.Encoder()
JSON_TYPE = b"application/json"


class Answer(Struct, frozen=True):
    """An HTTP answer, ready to be sent."""

    body: bytes
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()
    content_type: bytes = JSON_TYPE


def as_json(value: object, status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Answer:
    """Return ``value`` as compact JSON with a trailing newline."""
    return Answer(_ENCODER.encode(value) + b"\n", status, headers)


def refusal(error: DefenseClawError) -> Answer:
    """Return an error of ours as ``{"error": text, "code": stable word}``."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if error.http_status == 503:
        headers = ((b"retry-after", b"1"),)
    elif error.http_status == 401:
        headers = ((b"www-authenticate", b"Bearer"),)
    return as_json({"error": error.message, "code": error.code}, error.http_status, headers)


class Call(Struct, kw_only=True):
    """One request as handlers see it."""

    services: Services
    intake: Intake
    receive: Receive
    method: str
    path: str
    query: bytes
    headers: Headers
    """By lower-case name."""
    peer: str
    """Address of the caller, empty when unknown."""
    loopback: bool
    correlation: Correlation
    caller: Caller = OPERATOR
    body: Any = None
    """The decoded body, of the type the route names."""
    held: int = 0
    """Bytes of body to give back when the call is over."""

    def header(self, name: bytes) -> str:
        """Return a header as an id: cleaned, at most 128 bytes; empty when absent."""
        value = self.headers.get(name)
        return cleaned(value) if value else ""

    async def read(self, cap: int) -> bytes:
        """Return the raw body; errors as in :meth:`Intake.read`."""
        body = await self.intake.read(self.receive, self.headers.get(b"content-length", b""), cap)
        self.held += len(body)
        return body

    def row(self, action: str, **columns: Any) -> AuditRow:  # noqa: ANN401 - columns of a row
        """Return an audit row of this request; free text in it is cleaned.

        Args:
            action: Of the action families of ``spec/observability-and-audit.md`` §3.5.
            columns: As :func:`defenseclaw.audit.rows.plain` takes them.
        """
        services = self.services
        return rows.plain(
            action,
            process=services.identity(),
            now=utc_now(),
            clean=services.scrub,
            correlation=self.correlation,
            **columns,
        )


Handler = Callable[[Call], Awaitable[object]]
"""Returns an :class:`Answer`, or a value that is sent as JSON with status 200."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A header or query parameter of one route."""

    name: str
    where: str
    """``header`` or ``query``."""
    summary: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method on one path, with all that its documentation needs."""

    method: str
    path: str
    handler: Handler
    summary: str
    tag: str
    """Family it is documented under."""
    request: Any = None
    """Struct of the body; None when the route takes none or reads it itself."""
    required: tuple[str, ...] = ()
    """Fields of the body that must not be absent, null or empty."""
    response: Any = None
    """Type of the answer with status 200."""
    accepted: bool = False
    """Answers 202 with the same body when what was asked for waits for a restart."""
    effects: str = ""
    """What it changes or records, one sentence."""
    errors: tuple[type[DefenseClawError], ...] = ()
    """Besides those every route shares."""
    parameters: tuple[Parameter, ...] = ()
    body_bytes: int = API_BODY
    rate_limited: bool = False
    scope: str = ""
    """Connector whose own token opens it, as it opens its hook route."""
    public: bool = False
    """Needs neither token nor a known Host."""


@cache
def all_routes() -> tuple[Route, ...]:
    """Return the routes of every module of ``gateway.routes``, by path and method."""
    import defenseclaw.gateway.routes as package

    found: list[Route] = []
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        found.extend(getattr(module, "ROUTES", ()))
    return tuple(sorted(found, key=lambda route: (route.path, route.method)))
