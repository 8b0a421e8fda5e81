"""A real gateway on a scratch machine, and clients that may misbehave."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from tests.e2e.product import Product

SIZE = int(os.environ.get("DEFENSECLAW_TEST_SIZE", "1"))
"""How much longer than in every-day runs the randomised tests search; nightly runs set 20 or more."""
CLIENT = {"X-DefenseClaw-Client": "integration/1.0", "Content-Type": "application/json"}
HOOKS = {"claudecode": "/api/v1/claude-code/hook", "omnigent": "/api/v1/omnigent/hook"}
DANGEROUS = {"tool": "Bash", "args": {"command": "rm -rf /"}}
DANGEROUS_RULE = "CMD-RM-RF"
BOTH_CONNECTORS = {"claudecode": {"enabled": True}, "omnigent": {"enabled": True}}


class Machine(Product):
    """One installation, configured by file and asked over HTTP."""

    _client: httpx.Client | None = None

    @property
    def config_file(self) -> Path:
        return self.data / "config.yaml"

    @property
    def log_text(self) -> str:
        return (self.root / "gateway.log").read_text()

    @property
    def pid(self) -> int:
        assert self.gateway is not None
        return self.gateway.pid

    def configure(self, *, gateway: Mapping[str, Any] | None = None, **sections: Any) -> None:
        """Write ``config.yaml`` with this installation's port."""
        self.data.mkdir(mode=0o700, exist_ok=True)
        content = {"gateway": {"api_port": self.port, **(gateway or {})}, **sections}
        self.config_file.write_text(yaml.safe_dump(content))

    @property
    def client(self) -> httpx.Client:
        """A kept connection with the gateway's token."""
        if self._client is None:
            self._client = httpx.Client(
                base_url=f"http://127.0.0.1:{self.port}",
                headers={**CLIENT, "Authorization": f"Bearer {self.token}"},
                timeout=30,
                trust_env=False,
            )
        return self._client

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
        self.stop()

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(path, headers=headers).json()

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(path, content=content, headers=headers)

    def inspect(self, route: str, body: Any, **headers: str) -> dict[str, Any]:
        reply = self.post(f"/api/v1/inspect/{route}", body, **headers)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def hook(self, connector: str, body: Any, **headers: str) -> dict[str, Any]:
        reply = self.post(HOOKS[connector], body, **headers)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def still_judges(self) -> None:
        """Fail unless the gateway answers and is right, about something bad and something good."""
        assert self.get("/health")["status"] == "ok"
        bad = self.inspect("tool", DANGEROUS)
        assert (bad["raw_action"], rule_ids(bad)) == ("block", [DANGEROUS_RULE])
        good = self.inspect("tool", {"tool": "Bash", "args": {"command": "ls -la"}})
        assert (good["raw_action"], rule_ids(good)) == ("allow", [])

    @property
    def resident_mib(self) -> float:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 2**20


def rule_ids(answer: Mapping[str, Any]) -> list[str]:
    """The rule ids of an inspect answer, a hook's envelope or what ``explain --json`` prints; sorted."""
    if "rule_ids" in answer:
        return sorted(answer["rule_ids"])
    listed = answer["detailed_findings"] if "detailed_findings" in answer else answer["findings"]
    return sorted(finding["rule_id"] for finding in listed)


def eventually(hold: Callable[[], bool], what: str, within_s: float = 10.0) -> None:
    """Wait until ``hold`` returns true; fail with ``what`` when it does not in time."""
    deadline = time.monotonic() + within_s
    while not hold():
        assert time.monotonic() < deadline, f"not in {within_s:.0f} s: {what}"
        time.sleep(0.02)


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The stable code of an error of ours; empty for anything else."""
        try:
            decoded = json.loads(self.body)
        except ValueError:
            return ""
        return str(decoded.get("code", "")) if isinstance(decoded, dict) else ""

    @property
    def acceptable(self) -> bool:
        """No server error but the one that asks to come again."""
        return self.status < 500 or (self.status == 503 and self.code == "overloaded")


class Hung(AssertionError):
    """The gateway neither answered nor closed the connection in time."""


class Wire:
    """A connection that sends whatever bytes it is told to."""

    def __init__(self, port: int, patience_s: float = 15.0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=patience_s)
        self._left = b""

    def send(self, data: bytes) -> bool:
        """Send as far as the gateway lets us; return whether it took everything."""
        try:
            self._socket.sendall(data)
        except ConnectionError:
            return False
        return True

    def end(self) -> None:
        """Say that nothing more will come."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def reply(self) -> Reply | None:
        """The next answer; None when the gateway closed the connection instead."""
        while b"\r\n\r\n" not in self._left:
            if not self._more():
                return None
        head, _, self._left = self._left.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        while len(self._left) < length and self._more():
            pass
        body, self._left = self._left[:length], self._left[length:]
        return Reply(int(first.split()[1]), headers, body)

    def replies(self) -> Iterator[Reply]:
        """All answers until the gateway closes the connection."""
        while (reply := self.reply()) is not None:
            yield reply

    def heard(self, silence_s: float = 0.1) -> list[Reply]:
        """All answers until the gateway closes the connection or is silent for a moment."""
        self._socket.settimeout(silence_s)
        found: list[Reply] = []
        with contextlib.suppress(Hung):
            for reply in self.replies():
                found.append(reply)
        return found

    def _more(self) -> bool:
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            raise Hung("neither answered nor closed") from None
        except ConnectionError:
            return False
        self._left += data
        return bool(data)

    def close(self) -> None:
        self._socket.close()


@contextmanager
def wire(port: int, patience_s: float = 15.0) -> Iterator[Wire]:
    connected = Wire(port, patience_s)
    try:
        yield connected
    finally:
        connected.close()


def request(
    method: str = "POST",
    path: str = "/api/v1/inspect/tool",
    body: bytes | None = None,
    *,
    token: str = "",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """A well-formed request as bytes; ``headers`` replace the usual ones, an empty value leaves one out."""
    sent = {"Host": "127.0.0.1", **CLIENT}
    if token:
        sent["Authorization"] = f"Bearer {token}"
    if body is not None:
        sent["Content-Length"] = str(len(body))
    sent |= headers or {}
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items() if value)
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + (body or b"")


def together(work: Callable[[int], None], count: int) -> None:
    """Run ``work`` in ``count`` threads at once; the first failure is raised."""
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
