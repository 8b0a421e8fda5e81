"""The stand-in for a language model: one loopback port, one made-up key, one script.

It knows two conversations, the agent's own and that of its sub-agent, which is recognised by its task. What
it keeps is what the verdict needs: which steps it asked for, what it was shown of each, and whether a marker
ever reached it. No header is kept, and the key the agent was given is the only one it takes.

It is also the proxy the agent is given: everything that is not for the model itself is refused and counted,
so that nothing real is called.
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from defenseclaw.connectors.canary import ToolUse
from defenseclaw.verification import wire

MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_REQUESTS = 64
"""After so many a turn has gone astray: the model only ends it."""
_SHOWN_CHARACTERS = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One tool call of the script."""

    name: str
    use: ToolUse
    for_subagent: bool = False
    hands_on: bool = False
    """Calls the sub-agent."""
    concludes: bool = False
    """Ends the sub-agent's work; its result is shown to nobody."""


@dataclass(slots=True)
class Model:
    """Listens while it is entered."""

    steps: Sequence[Step] = ()
    task: str = ""
    """The mark of a sub-agent's conversation, in what it is told."""
    watched: frozenset[str] = frozenset()
    """Markers to look out for."""
    key: str = field(default_factory=lambda: f"sk-canary-{secrets.token_hex(16)}", repr=False)
    asked: set[str] = field(default_factory=set)
    """Names of the steps it came to."""
    shown: dict[str, str] = field(default_factory=dict)
    """Step → what the model was told of it, bounded."""
    lacking: set[str] = field(default_factory=set)
    """Steps whose tool the agent did not offer."""
    reached: set[str] = field(default_factory=set)
    """Watched markers that stood in any request."""
    requests: int = 0
    strangers: int = 0
    """Requests without our key; none of them was answered."""
    refused: Counter[str] = field(default_factory=Counter)
    """Hosts the agent wanted to reach, with how often."""
    handed_back: bool = False
    """The sub-agent came to its end."""
    patience_s: float = 15.0
    """How long the agent's own last answer is held back for its sub-agent."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _handed_back: threading.Condition = field(init=False)
    _server: ThreadingHTTPServer | None = None

    def __post_init__(self) -> None:
        self._handed_back = threading.Condition(self._lock)

    def __enter__(self) -> Model:
        """Start listening on a free loopback port."""
        handler = type("Handler", (_Handler,), {"model": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    @property
    def address(self) -> str:
        """``127.0.0.1:PORT``."""
        if self._server is None:
            raise RuntimeError("the model is not listening")
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://{self.address}"

    def answer(self, path: str, raw: bytes) -> wire.Reply:
        """Return the reply to a request that carries our key.

        Args:
            path: Without its query.
            raw: The body.
        """
        try:
            body = json.loads(raw or b"{}")
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            return wire.as_json({"error": "not a JSON object"}, 400)
        aside = wire.side_answer(path)
        if aside is not None:
            return aside
        if not wire.format_of(path):
            return wire.as_json({}, 404)
        text = raw.decode("utf-8", "replace")
        asked = wire.read(path, body)
        with self._lock:
            self.requests += 1
            self.reached |= {marker for marker in self.watched if marker in text}
            return wire.render(asked, self._next(asked))

    def _next(self, asked: wire.Asked) -> wire.Answer:
        if not asked.tools or asked.wants_json or self.requests > MAX_REQUESTS:
            return wire.CLOSING
        by_subagent = bool(self.task) and self.task in asked.said
        answer = self._scripted(asked, by_subagent=by_subagent)
        owed = {step.name for step in self.steps if step.for_subagent and not step.concludes}
        if by_subagent and owed <= self.shown.keys():
            self.handed_back = True
            self._handed_back.notify_all()
        elif not by_subagent and answer is wire.CLOSING and self._delegated():
            # An agent may go on while its sub-agent works, and end it by ending itself.
            self._handed_back.wait_for(lambda: self.handed_back, self.patience_s)
        return answer

    def _delegated(self) -> bool:
        """Whether a sub-agent was asked for."""
        first = next((step.name for step in self.steps if step.hands_on), "")
        return first in self.asked

    def _scripted(self, asked: wire.Asked, *, by_subagent: bool) -> wire.Answer:
        offered = []
        for step in self.steps:
            if step.for_subagent is not by_subagent:
                continue
            tool = next((name for name in step.use.tools if name in asked.tools), "")
            if tool:
                offered.append((step, tool))
            else:
                self.lacking.add(step.name)
        for (step, _), result in zip(offered, asked.results, strict=False):
            self.shown[step.name] = result[:_SHOWN_CHARACTERS]
        if len(asked.results) >= len(offered):
            return wire.CLOSING
        step, tool = offered[len(asked.results)]
        self.asked.add(step.name)
        return wire.Call(tool=tool, arguments=step.use.arguments)

    def takes(self, headers: Mapping[str, str], query: str) -> bool:
        """Whether a request carries the key of this run, in any of the places the formats have for it."""
        given = [headers.get("x-api-key"), headers.get("x-goog-api-key"), headers.get("api-key")]
        given += [str(headers.get("authorization") or "").removeprefix("Bearer ")]
        given += parse_qs(query).get("key", [])
        return any(each and hmac.compare_digest(each.encode(), self.key.encode()) for each in given)

    def refuse(self, host: str) -> None:
        """Count a host that the agent wanted to reach."""
        with self._lock:
            if host in self.refused or len(self.refused) < MAX_REQUESTS:
                self.refused[host[:253]] += 1

    def turn_away(self) -> None:
        """Count a request without our key."""
        with self._lock:
            self.strangers += 1


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    model: Model

    def log_message(self, format: str, *args: Any) -> None:  # noqa: ANN401  its signature
        """Say nothing."""

    def do_CONNECT(self) -> None:
        self.model.refuse(self.path.rpartition(":")[0] or self.path)
        self._send(wire.as_json({"error": "not while verifying"}, 403))
        self.close_connection = True

    def do_GET(self) -> None:
        if self._is_for_us():
            self._send(wire.as_json({"object": "list", "data": [{"id": "canary", "object": "model"}]}))

    def do_POST(self) -> None:
        if not self._is_for_us():
            return
        length = self.headers.get("content-length") or ""
        raw = self._chunks() if not length.isdigit() else self._exactly(int(length))
        if raw is None:
            self.close_connection = True
            self._send(wire.as_json({"error": "too large"}, 413))
            return
        place = urlsplit(self.path)
        if self.model.takes({name.lower(): value for name, value in self.headers.items()}, place.query):
            self._send(self.model.answer(place.path, raw))
        else:
            self.model.turn_away()
            self._send(
                wire.as_json({"error": {"type": "authentication_error", "message": "unknown key"}}, 401)
            )

    do_HEAD = do_GET
    do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_GET

    def _is_for_us(self) -> bool:
        """A proxy is asked with whole addresses; ours may come that way, others are refused."""
        host = urlsplit(self.path).netloc
        if host in ("", self.model.address):
            return True
        self.model.refuse(host.rpartition(":")[0] or host)
        self.close_connection = True
        self._send(wire.as_json({"error": "not while verifying"}, 403))
        return False

    def _exactly(self, length: int) -> bytes | None:
        return self.rfile.read(length) if length <= MAX_BODY_BYTES else None

    def _chunks(self) -> bytes | None:
        """Read a chunked body; no body at all is an empty one."""
        if "chunked" not in (self.headers.get("transfer-encoding") or "").lower():
            return b""
        body = b""
        while True:
            try:
                size = int(self.rfile.readline(1024).split(b";")[0].strip() or b"0", 16)
            except ValueError:
                return None
            if size == 0:
                while self.rfile.readline(1024).strip():
                    continue
                return body
            if size < 0 or len(body) + size > MAX_BODY_BYTES:
                return None
            body += self.rfile.read(size)
            self.rfile.readline(1024)

    def _send(self, reply: wire.Reply) -> None:
        self.send_response(reply.status)
        self.send_header("content-type", reply.content_type)
        self.send_header("content-length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)
