"""Who is calling: the operator's token, or a connector's own token on that connector's routes.

Source: seed ``gateway-api`` "Auth" and "CSRF protection", ``spec/gateway-api.md`` §3-§4.
"""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from defenseclaw.errors import (
    CrossSite,
    DefenseClawError,
    MissingClient,
    NoToken,
    OriginNotAllowed,
    Unauthorized,
    UnsupportedMediaType,
)
from defenseclaw.gateway.hosts import origin_is_local, parse_ip

log = logging.getLogger(__name__)

Headers = Mapping[bytes, bytes]

INSPECT_PREFIX = "/api/v1/inspect/"
_BEARER = b"Bearer "
_EVENT_CODES: dict[type[DefenseClawError], str] = {
    CrossSite: "AUTH_CSRF_MISMATCH",
    MissingClient: "AUTH_CSRF_MISMATCH",
    UnsupportedMediaType: "AUTH_CSRF_MISMATCH",
    OriginNotAllowed: "AUTH_ORIGIN_BLOCKED",
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who proved to be entitled to this request."""

    connector: str = ""
    """The connector whose scoped token was presented; empty for the operator's token."""


OPERATOR = Caller()


def presented_token(headers: Headers) -> bytes:
    """Return the token a request carries; empty when it carries none.

    A Bearer token wins over ``X-DefenseClaw-Token``, that wins over ``X-DC-Auth``; a wrong one is never
    retried with the next.
    """
    bearer = headers.get(b"authorization", b"")
    if bearer.startswith(_BEARER) and len(bearer) > len(_BEARER):
        return bearer[len(_BEARER) :]
    plain = headers.get(b"x-defenseclaw-token", b"")
    if plain:
        return plain
    legacy = headers.get(b"x-dc-auth", b"")
    return legacy[len(_BEARER) :] if legacy.startswith(_BEARER) else b""


class Authenticator:
    """Compares tokens in constant time, whatever their lengths.

    Args:
        token: Returns the gateway token, empty when there is none.
        scoped_token: Returns a connector's own token, None when it has none.
        hook_paths: Connector by hook route.
    """

    def __init__(
        self,
        token: Callable[[], str],
        scoped_token: Callable[[str], str | None],
        hook_paths: Mapping[str, str],
    ) -> None:
        self._token = token
        self._scoped_token = scoped_token
        self._hook_paths = hook_paths
        self._connectors = frozenset(hook_paths.values())
        self._expected, self._digest = "", b""
        """The gateway token last asked for, and its digest."""

    def identify(self, path: str, headers: Headers, *, loopback: bool) -> Caller:
        """Return who is calling.

        Raises:
            NoToken: the gateway has no token to compare with.
            Unauthorized: no token, or one that does not open ``path``.
        """
        expected = self._token()
        if not expected:
            raise NoToken
        presented = presented_token(headers)
        if not presented:
            raise Unauthorized
        if expected != self._expected:
            self._expected, self._digest = expected, sha256(expected.encode()).digest()
        digest = sha256(presented).digest()
        if hmac.compare_digest(digest, self._digest):
            return OPERATOR
        connector = self._scope(path, headers) if loopback else ""
        if connector and self._is_scoped(connector, digest):
            return Caller(connector)
        raise Unauthorized

    def _scope(self, path: str, headers: Headers) -> str:
        """Return the connector whose token may open ``path``; empty when none may."""
        if path.startswith(INSPECT_PREFIX):
            named = headers.get(b"x-defenseclaw-connector", b"").decode("latin-1").strip().lower()
            return named if named in self._connectors else ""
        return self._hook_paths.get(path, "")

    def _is_scoped(self, connector: str, digest: bytes) -> bool:
        try:
            scoped = self._scoped_token(connector)
        except DefenseClawError as error:
            log.warning("the token of %s cannot be used: %s", connector, error.message)
            return False
        return bool(scoped) and hmac.compare_digest(digest, sha256(str(scoped).encode()).digest())


def check_browser(method: str, headers: Headers) -> None:
    """Refuse a state-changing request that a web page could have sent.

    Raises:
        CrossSite: ``Sec-Fetch-Site`` names another site.
        MissingClient: no ``X-DefenseClaw-Client``.
        UnsupportedMediaType: the body is not declared as JSON.
        OriginNotAllowed: ``Origin`` is not this machine.
    """
    if method in ("GET", "HEAD"):
        return
    if headers.get(b"sec-fetch-site", b"none") not in (b"same-origin", b"none"):
        raise CrossSite
    if not headers.get(b"x-defenseclaw-client", b"").strip():
        raise MissingClient
    if method == "OPTIONS":
        return
    media_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if media_type != b"application/json":
        raise UnsupportedMediaType
    origin = headers.get(b"origin")
    if origin is not None and not origin_is_local(origin.decode("latin-1")):
        raise OriginNotAllowed


class RefusalLog:
    """Counts refused requests and writes a bounded number of them to ``gateway.jsonl``.

    Args:
        journal: Appends one envelope.
        per_minute: Envelopes at most; what is beyond is counted and named in the next one.
        clock: Seconds that never go back.
    """

    def __init__(
        self,
        journal: Callable[[Mapping[str, Any]], None],
        per_minute: int = 60,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._journal = journal
        self._per_minute = per_minute
        self._clock = clock
        self._window = clock()
        self._written = 0
        self._suppressed = 0
        self.count = 0

    def refused(self, error: DefenseClawError, peer: str, headers: Headers, request_id: str) -> None:
        """Take note of one refusal; never of a token, a path or a query."""
        self.count += 1
        now = self._clock()
        if now - self._window >= 60.0:
            self._window, self._written = now, 0
        if self._written >= self._per_minute:
            self._suppressed += 1
            return
        self._written += 1
        suppressed, self._suppressed = self._suppressed, 0
        claimed = bool(presented_token(headers))
        self._journal(
            {
                "event_type": "error",
                "severity": "WARN",
                "request_id": request_id,
                "error": {
                    "subsystem": "auth",
                    "code": _event_code(error, claimed),
                    "message": error.message,
                    "cause": error.code,
                    "actor": "claimed" if claimed else "anonymous",
                    "client_ip": network_of(peer),
                    "suppressed": suppressed,
                },
            }
        )


def network_of(peer: str) -> str:
    """Return a peer's address without what tells one machine from its neighbours."""
    ip = parse_ip(peer)
    if ip is None:
        return ""
    if ip.version == 4:
        return ".".join(str(ip).split(".")[:3]) + ".0"
    return ":".join(ip.exploded.split(":")[:4]) + "::"


def _event_code(error: DefenseClawError, claimed: bool) -> str:
    return _EVENT_CODES.get(type(error)) or ("AUTH_INVALID_TOKEN" if claimed else "AUTH_MISSING_TOKEN")
