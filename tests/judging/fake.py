"""A model's endpoint on loopback that answers as it is told: well, badly, late or never."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from defenseclaw.judging.questions import CATEGORIES, Judge


@dataclass(frozen=True)
class Seen:
    """One request as it came over the wire."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.raw)

    @property
    def texts(self) -> tuple[str, str]:
        """System and user text, whatever the format."""
        body = self.body
        if self.path.endswith("/chat/completions"):
            system, user = body["messages"]
            return system["content"], user["content"]
        if self.path.endswith("/messages"):
            return body["system"], body["messages"][0]["content"]
        return body["systemInstruction"]["parts"][0]["text"], body["contents"][0]["parts"][0]["text"]

    @property
    def sample(self) -> str:
        return self.texts[1].split("\n", 1)[1].rsplit("\n", 1)[0]

    @property
    def fence(self) -> str:
        return re.match(r"BEGIN ([0-9a-f]{32})\n", self.texts[1])[1]

    @property
    def form(self) -> dict[str, Any]:
        """The form of reply that was asked for."""
        return json.loads(self.texts[0].split("in this form:\n")[1])

    @property
    def judge(self) -> str:
        """Which judge is asked, told by the form of its reply."""
        asked = self.form.keys() - {"ref"}
        if "overall_threat" in asked:
            return "adjudication"
        return next(
            str(judge)
            for judge, categories in CATEGORIES.items()
            if asked == {each.name for each in categories}
        )


Behaviour = Callable[[socket.socket, Seen], None]
"""Writes what goes back; the connection is closed after it."""
Says = Callable[[Seen], str]
"""The model's text."""


def clean(seen: Seen, *, bound: bool = True, marked: dict[str, str] | None = None) -> str:
    """A reply in the form that was asked for; nothing applies but what is ``marked`` with its strength."""
    reply: dict[str, Any] = {"ref": seen.fence} if bound else {}
    if seen.judge == "adjudication":
        doubts = re.findall(r"^- ([A-Z0-9-]+): ", seen.texts[0], re.MULTILINE)
        wrong = [{"pattern": each, "verdict": "false_positive", "reasoning": "mentioned"} for each in doubts]
        return json.dumps({**reply, "findings": wrong, "overall_threat": False, "severity": "NONE"})
    for name in seen.form.keys() - {"ref"}:
        if seen.judge == Judge.PII:
            reply[name] = {"detection_result": False, "entities": []}
        else:
            strength = (marked or {}).get(name)
            reply[name] = {
                "reasoning": "because",
                "label": strength is not None,
                "signal_strength": strength or "weak_signal",
            }
    return json.dumps(reply)


def marking(**strengths: str) -> Says:
    """A model that says these categories apply, where it is asked for them."""
    return lambda seen: clean(seen, marked=strengths)


def confirming(severity: str = "HIGH") -> Says:
    """A model that takes every doubt for a threat."""

    def says(seen: Seen) -> str:
        if seen.judge != "adjudication":
            return clean(seen)
        reply = json.loads(clean(seen))
        for finding in reply["findings"]:
            finding["verdict"] = "true_positive"
        return json.dumps({**reply, "overall_threat": True, "severity": severity})

    return says


def envelope(seen: Seen, text: str, *, ended: bool = True) -> bytes:
    """The reply body of the format a request came in."""
    if seen.path.endswith("/chat/completions"):
        message = {"role": "assistant", "content": text}
        body: dict[str, Any] = {
            "choices": [{"message": message, "finish_reason": "stop" if ended else "length"}]
        }
    elif seen.path.endswith("/messages"):
        body = {
            "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": text}],
            "stop_reason": "end_turn" if ended else "max_tokens",
        }
    else:
        body = {
            "candidates": [
                {"content": {"parts": [{"text": text}]}, "finishReason": "STOP" if ended else "MAX_TOKENS"}
            ]
        }
    return json.dumps(body).encode()


def http(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    """A whole reply."""
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    )
    return head.encode() + body


def says(text: Says) -> Behaviour:
    return lambda connection, seen: connection.sendall(http(envelope(seen, text(seen))))


def sends(data: bytes) -> Behaviour:
    return lambda connection, _seen: connection.sendall(data)


def slow(seconds: float, text: Says = clean) -> Behaviour:
    def behave(connection: socket.socket, seen: Seen) -> None:
        time.sleep(seconds)
        says(text)(connection, seen)

    return behave


class FakeJudge:
    """Listens on a free port of loopback; one thread a connection."""

    def __init__(self, behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        self.behaviour = behaviour
        self.seen: list[Seen] = []
        self.released = threading.Event()
        """Set when the test is over; who hangs, hangs until then."""
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/v1"

    @property
    def judges(self) -> list[str]:
        """Which judges were asked, sorted."""
        return sorted(each.judge for each in self.seen)

    def hang(self, _connection: socket.socket, _seen: Seen) -> None:
        """A behaviour: never answers."""
        self.released.wait(30)

    def drip(self, connection: socket.socket, _seen: Seen) -> None:
        """A behaviour: one header byte at a time, for ever."""
        with contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while not self.released.wait(0.02):
                connection.sendall(b"x")

    def close(self) -> None:
        self.released.set()
        self._listener.close()
        for connection in self._open:
            connection.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ssl.SSLError):
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            with connection:
                seen = _read(connection)
                if seen is not None:
                    self.seen.append(seen)
                    self.behaviour(connection, seen)


def _read(connection: socket.socket) -> Seen | None:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65536)
    return Seen(first.split()[1], headers, body)


@contextlib.contextmanager
def fake_judge(behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> Iterator[FakeJudge]:
    fake = FakeJudge(behaviour, tls)
    try:
        yield fake
    finally:
        fake.close()
