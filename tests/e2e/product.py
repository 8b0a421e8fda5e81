"""The product on a scratch machine: its own HOME, its own data directory, a port of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Product:
    """One installation. ``agent_path`` is where the agents' executables are found."""

    root: Path
    agent_path: tuple[Path, ...] = ()
    port: int = field(default_factory=free_port)
    gateway: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.project.mkdir(exist_ok=True)

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def data(self) -> Path:
        return self.home / ".defenseclaw"

    @property
    def project(self) -> Path:
        return self.root / "project"

    @property
    def env(self) -> dict[str, str]:
        path = ":".join([*map(str, self.agent_path), str(BIN), SYSTEM_PATH])
        return {"HOME": str(self.home), "PATH": path, "TERM": "dumb", "LANG": "C.UTF-8", "NO_COLOR": "1"}

    def cli(self, *arguments: str, code: int | None = 0, **extra: Any) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [BIN / "defenseclaw", *arguments],
            env={**self.env, **extra.pop("env", {})},
            cwd=self.project,
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
            **extra,
        )
        if code is not None and done.returncode != code:
            raise AssertionError(f"{arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def cli_json(self, *arguments: str, code: int | None = 0) -> Any:
        return json.loads(self.cli(*arguments, "--json", code=code).stdout)

    def init(self) -> None:
        """Write the default configuration, with this installation's own port."""
        self.cli("init", "--non-interactive", "--yes", "--no-start-gateway", "--connector", "none")
        self.cli("config", "set", "gateway.api_port", str(self.port))

    def start(self, **env: str) -> None:
        log = (self.root / "gateway.log").open("ab")
        self.gateway = subprocess.Popen(
            [BIN / "defenseclaw-gateway"],
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=self.root,
        )
        log.close()
        self.wait_ready()

    def wait_ready(self, timeout_s: float = 20) -> None:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self.gateway is not None and self.gateway.poll() is not None:
                raise AssertionError(f"the gateway ended: {(self.root / 'gateway.log').read_text()[-4000:]}")
            try:
                if self.request("GET", "/ready")[0] == 200:
                    return
            except (OSError, ValueError):
                pass
            time.sleep(0.05)
        raise AssertionError("the gateway did not get ready")

    def stop(self, sig: int = signal.SIGTERM) -> None:
        if self.gateway is not None:
            self.gateway.send_signal(sig)
            self.gateway.wait(timeout=20)
            self.gateway = None

    @property
    def token(self) -> str:
        for line in (self.data / ".env").read_text().splitlines():
            name, _, value = line.partition("=")
            if name.strip() == "DEFENSECLAW_GATEWAY_TOKEN":
                return value.strip().strip("\"'")
        raise AssertionError("no token in .env")

    def request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        import http.client

        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {"Authorization": f"Bearer {self.token}", "X-DefenseClaw-Client": "e2e", **(headers or {})}
        data = None
        if body is not None:
            sent["Content-Type"] = "application/json"
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            connection.request(method, path, body=data, headers=sent)
            answer = connection.getresponse()
            raw = answer.read()
        finally:
            connection.close()
        return answer.status, json.loads(raw) if raw else None

    def rows(
        self, sql: str = "SELECT * FROM audit_events ORDER BY seq", *arguments: Any
    ) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(f"file:{self.data / 'audit.db'}?mode=ro", uri=True)) as store:
            store.row_factory = sqlite3.Row
            return [dict(row) for row in store.execute(sql, arguments)]

    def hook_rows(self, target: str) -> list[dict[str, Any]]:
        """The envelopes of all rows of one hook event."""
        found = self.rows("SELECT * FROM audit_events WHERE action='connector-hook' AND target=?", target)
        return [json.loads(row["structured_json"]) for row in found]

    def tree(self) -> dict[str, bytes]:
        """Every file below HOME outside our data directory and the agents' own state, with its bytes."""
        found = {}
        for path in sorted(self.home.rglob("*")):
            relative = path.relative_to(self.home)
            if path.is_file() and not str(relative).startswith((".defenseclaw", ".cache", ".npm")):
                found[str(relative)] = path.read_bytes()
        return found

    def own_files(self) -> set[str]:
        """Every file in our data directory but for the store and the lock of setup."""
        paths = (path for path in self.data.rglob("*") if path.is_file())
        return {str(path) for path in paths if not path.name.startswith(("audit.db", ".setup.lock"))}


def kill_group(process: subprocess.Popen[Any]) -> None:
    """End a process that was started in its own session, and its children."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=10)
