"""Machines, agents and gateways that tests make up."""

from __future__ import annotations

import json
import sys
import threading
import time
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from defenseclaw.connectors.base import Host
from defenseclaw.vocabulary import Action, Mode, Severity, Verdict

NASTY = "o'neil & sons é"
"""A directory name with what breaks careless quoting."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite-golden", action="store_true", help="write golden answers anew; read the diff")


@pytest.fixture(scope="session")
def rewrite_golden(pytestconfig: pytest.Config) -> bool:
    return bool(pytestconfig.getoption("--rewrite-golden", default=False))


@pytest.fixture
def host(tmp_path: Path) -> Host:
    home = tmp_path / NASTY
    home.mkdir()
    return Host(home=home, data_dir=home / ".defenseclaw", env={"PATH": str(tmp_path / "bin")})


@pytest.fixture
def executable(tmp_path: Path) -> Callable[[str, str], Path]:
    """Puts a shell script on the host's PATH."""

    def make(name: str, body: str) -> Path:
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path

    return make


@dataclass
class Reply:
    """What the fake gateway answers."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay_s: float = 0.0
    drip: bool = False
    """One byte at a time, half a second apart."""
    cut: bool = False
    """Close after half of the promised body."""


@dataclass
class FakeGateway:
    """A loopback HTTP server that remembers what it was sent."""

    server: ThreadingHTTPServer
    reply: Reply = field(default_factory=Reply)
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    judge: Callable[[dict[str, str], bytes], Reply] | None = None
    """Makes the reply out of headers and body, where not all requests get the same."""

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.server_port}"

    def answers(self, stdout: bytes = b"", exit_code: int = 0, **headers: str) -> None:
        """Answer like the gateway does to a hook script."""
        self.reply = Reply(headers={"X-DefenseClaw-Exit-Code": str(exit_code), **headers}, body=stdout)

    def says(self, **envelope: Any) -> None:
        """Answer like the gateway does to a bridge."""
        self.reply = Reply(headers={"Content-Type": "application/json"}, body=json.dumps(envelope).encode())


class _Handler(BaseHTTPRequestHandler):
    gateway: FakeGateway

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {key.lower(): value for key, value in self.headers.items()}
        self.gateway.requests.append((self.path, headers, body))
        reply = self.gateway.judge(headers, body) if self.gateway.judge else self.gateway.reply
        self.gateway.released.wait(reply.delay_s)
        try:
            self._send(reply)
        except OSError:
            self.close_connection = True

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for key, value in reply.headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if reply.drip:
            for each in reply.body:
                self.wfile.write(bytes([each]))
                self.wfile.flush()
                if self.gateway.released.wait(0.5):
                    return
        self.wfile.write(reply.body[: len(reply.body) // 2] if reply.cut else reply.body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    fake = FakeGateway(server)
    handler.gateway = fake
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield fake
    fake.released.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def omnigent_env(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real virtual environment with a package called omnigent that does nothing.

    Its launcher names a wrapper around the environment's Python, so that the wrapper's directory is ours
    alone wherever the tests' own Python comes from.
    """
    root = tmp_path_factory.mktemp("omnigent env")
    venv.create(root / "env", with_pip=False, symlinks=True)
    site = root / "env" / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    (site / "omnigent").mkdir()
    (site / "omnigent" / "__init__.py").write_text("")
    (site / "omnigent-0.19.0.dist-info").mkdir()
    (site / "omnigent-0.19.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: omnigent\nVersion: 0.19.0\n"
    )
    noisy = 'import sys; sys.stderr.write("a site hook talks\\n")\n'
    (site / "noisy.pth").write_text(noisy)
    (root / "bin").mkdir()
    wrapper = root / "bin" / "python"
    wrapper.write_text(f"#!/bin/sh\nexec '{root}/env/bin/python' \"$@\"\n")
    wrapper.chmod(0o755)
    launcher = root / "bin" / "omnigent"
    launcher.write_text(f"#!/bin/sh\n'''exec' '{wrapper}' \"$0\" \"$@\"\n' '''\nimport omnigent\n")
    launcher.chmod(0o755)
    return root


def verdict(action: Action, **fields: Any) -> Verdict:
    """A verdict as the Inspector hands it to a door."""
    values: dict[str, Any] = {
        "evaluation_id": "eval-1",
        "action": action,
        "raw_action": action,
        "severity": Severity.HIGH,
        "confidence": 0.9,
        "mode": Mode.ACTION,
        "message": "not here",
    }
    return Verdict(**(values | fields))


@pytest.fixture(name="verdict")
def verdict_factory() -> Callable[..., Verdict]:
    return verdict


def wait_until(condition: Callable[[], bool], timeout_s: float = 5.0) -> bool:
    """Poll until ``condition`` holds."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return False


@pytest.fixture
def until() -> Callable[..., bool]:
    return wait_until


def tree(root: Path) -> dict[str, tuple[int, bytes | str]]:
    """Everything below ``root``: path → mode and bytes, or where a link points."""
    found: dict[str, tuple[int, bytes | str]] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = (0, str(path.readlink()))
        elif path.is_dir():
            found[name] = (path.stat().st_mode & 0o7777, "directory")
        else:
            found[name] = (path.stat().st_mode & 0o7777, path.read_bytes())
    return found


@pytest.fixture(name="tree")
def tree_function() -> Callable[[Path], dict[str, tuple[int, bytes | str]]]:
    return tree
