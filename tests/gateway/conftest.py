from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from defenseclaw.config import edit
from defenseclaw.connectors import runtime
from defenseclaw.gateway.app import create_app
from defenseclaw.gateway.edge import Edge
from defenseclaw.gateway.services import Services
from defenseclaw.main import Gateway, Installation

CLIENT = {"X-DefenseClaw-Client": "test/1.0"}


@dataclass
class House:
    """A whole gateway on a scratch home, without the sockets."""

    gateway: Gateway
    app: Edge

    @property
    def services(self) -> Services:
        return self.gateway.services

    @property
    def token(self) -> str:
        return self.gateway.token_value

    @property
    def config_file(self) -> Path:
        return self.gateway.installation.data.config

    @property
    def journal_file(self) -> Path:
        return self.gateway.installation.data.journal

    def scoped_token(self, connector: str) -> str:
        return runtime.ensure_token(self.services.host, connector)

    def client(
        self, token: str | None = "", *, headers: Mapping[str, str] = CLIENT, peer: str = "127.0.0.1"
    ) -> httpx.AsyncClient:
        """Return a client; ``token`` None sends none, the empty one sends the gateway's."""
        sent = dict(headers)
        if token is not None:
            sent["Authorization"] = f"Bearer {token or self.token}"
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, client=(peer, 4711)),
            base_url="http://127.0.0.1:18970",
            headers=sent,
        )

    async def post(
        self, path: str, body: Any, *, headers: Mapping[str, str] | None = None, token: str = ""
    ) -> httpx.Response:
        async with self.client(token) as client:
            if isinstance(body, bytes):
                sent = {"Content-Type": "application/json", **(headers or {})}
                return await client.post(path, content=body, headers=sent)
            return await client.post(path, json=body, headers=headers)

    async def get(self, path: str) -> httpx.Response:
        async with self.client() as client:
            return await client.get(path)

    def rows(self, action: str = "") -> list[sqlite3.Row]:
        """Return the audit rows, oldest first."""
        with sqlite3.connect(self.services.store.path) as connection:
            connection.row_factory = sqlite3.Row
            rows = connection.execute("SELECT * FROM audit_events ORDER BY seq").fetchall()
        return [row for row in rows if not action or row["action"] == action]


MakeHouse = Callable[..., House]


@pytest.fixture
def make_house(tmp_path: Path) -> Iterator[MakeHouse]:
    """Return a function that builds a gateway from configuration keys, ``__`` for each dot."""
    built: list[Gateway] = []

    def make(**keys: Any) -> House:
        home = tmp_path / f"home{len(built)}"
        home.mkdir()
        env = {"HOME": str(home), "DEFENSECLAW_HOME": str(home / "data"), "PATH": "/nowhere"}
        installation = Installation.open(env)
        if keys:
            wanted = {name.replace("__", "."): value for name, value in keys.items()}
            edit.set_values(installation.data.config, wanted)
            installation = Installation.open(env)
        gateway = Gateway.build(installation)
        gateway.writer.start()
        built.append(gateway)
        return House(gateway, create_app(gateway.services))

    yield make
    for gateway in built:
        gateway.writer.stop()
        gateway.store.close()


@pytest.fixture
def house(make_house: MakeHouse) -> House:
    """A gateway in observe mode, as it is after installation."""
    return make_house()


@pytest.fixture
def enforcing(make_house: MakeHouse) -> House:
    """A gateway in action mode with two connectors."""
    return make_house(
        guardrail__mode="action",
        guardrail__connectors__claudecode__enabled=True,
        guardrail__connectors__omnigent__enabled=True,
    )
