"""A small client of the gateway's HTTP API: one request per connection, bounded, on the standard library."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from defenseclaw.errors import DefenseClawError, Unauthorized, Unavailable

MAX_ANSWER_BYTES = 8 << 20
START_HINT = "start it with `defenseclaw-gateway start`"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gateway said."""

    status: int
    body: dict[str, Any]
    """Decoded JSON object; empty where the answer was none."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """The gateway at ``address``; ``token`` may be empty for routes that need none."""

    address: tuple[str, int]
    token: str = field(default="", repr=False)
    timeout_s: float = 5.0

    @property
    def url(self) -> str:
        """Where it is, for people."""
        host, port = self.address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def get(self, path: str) -> dict[str, Any]:
        """Return the body of a GET; errors as in :meth:`checked`."""
        return self.checked("GET", path)

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Return the answer, whatever its status.

        Raises:
            Unavailable: nothing answers there, or what answers does not speak HTTP.
        """
        sent = {"X-DefenseClaw-Client": "cli", "Connection": "close", **(headers or {})}
        if self.token:
            sent["X-DefenseClaw-Token"] = self.token
        if body is not None:
            sent["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection(*self.address, timeout=self.timeout_s)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return Answer(response.status, _object(response.read(MAX_ANSWER_BYTES)))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise Unavailable(f"no gateway answers at {self.url} ({reason})", hint=START_HINT) from error
        except http.client.HTTPException as error:
            raise Unavailable(
                f"what answers at {self.url} is not a DefenseClaw gateway",
                hint="another program may hold the port; see gateway.api_port",
            ) from error
        finally:
            connection.close()

    def checked(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Return the body of a 200 answer.

        Raises:
            Unavailable: nothing answers there.
            Unauthorized: the gateway does not take our token.
            DefenseClawError: it refused, with its own words.
        """
        answer = self.send(method, path, None if body is None else json.dumps(body).encode(), headers)
        if answer.status == 200:
            return answer.body
        if answer.status == 401:
            raise Unauthorized(
                f"the gateway at {self.url} does not take our token",
                hint="does it run with the same data directory? see `defenseclaw doctor`",
            )
        said = str(answer.body.get("error") or f"HTTP {answer.status}")
        raise DefenseClawError(f"the gateway refused {path}: {said}")


def version_in(health: Mapping[str, Any]) -> str:
    """Return the version a ``/health`` body speaks of, empty where it says none."""
    provenance = health.get("provenance")
    return str(provenance.get("binary_version", "")) if isinstance(provenance, Mapping) else ""


def _object(content: bytes) -> dict[str, Any]:
    try:
        decoded = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return decoded if isinstance(decoded, dict) else {}
