"""``defenseclaw-gateway`` as a program: its commands, their exit codes, what it leaves and what it says."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.e2e.product import BIN, Product

TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    installed = Product(tmp_path / "m")
    installed.data.mkdir(mode=0o700)
    (installed.data / "config.yaml").write_text(f"gateway:\n  api_port: {installed.port}\n")
    yield installed
    installed.stop()
    gateway(installed, "stop")


def gateway(product: Product, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [BIN / "defenseclaw-gateway", *arguments],
        env=product.env,
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == code, (arguments, done.stdout, done.stderr)
    return done


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def takes(product: Product, token: str) -> bool:
    """Whether the gateway takes this token."""
    connection = http.client.HTTPConnection("127.0.0.1", product.port, timeout=5)
    with closing(connection):
        connection.request("GET", "/ready", headers={"Authorization": f"Bearer {token}"})
        return connection.getresponse().status == 200


def updates(product: Product) -> list[str]:
    """Who recorded a change of the configuration, oldest first."""
    return [row["actor"] for row in product.rows() if row["action"] == "config-update"]


def test_the_life_of_a_background_gateway(product: Product) -> None:
    assert "not running" in gateway(product, "stop").stdout
    assert "NOT RUNNING" in gateway(product, "status", code=1).stdout
    assert str(product.data / "gateway.log") in gateway(product, "start").stdout
    assert "already running" in gateway(product, "start").stderr
    assert "audit" in gateway(product, "status").stdout
    assert json.loads(gateway(product, "status", "--json").stdout)["health"]["status"] == "ok"
    refused = gateway(product, "run", "--mode", "action", code=1)
    assert "already running" in refused.stderr
    assert product.cli("config", "get", "guardrail.mode").stdout == "observe\n"
    assert "api:running" in gateway(product, "restart").stdout
    assert gateway(product, "stop").stdout == "stopped\n"
    assert not (product.data / "gateway.pid").exists()
    assert "uvicorn" not in (product.data / "gateway.log").read_text()


def test_a_killed_gateway_leaves_nothing_in_the_way(product: Product) -> None:
    product.start()
    product.stop(signal.SIGKILL)
    assert (product.data / "gateway.pid").exists()
    assert "not running" in gateway(product, "stop").stdout
    assert not (product.data / "gateway.pid").exists()


def test_a_taken_port_is_refused_with_its_reason(product: Product) -> None:
    with closing(socket.create_server(("127.0.0.1", product.port))):
        said = gateway(product, "start", code=1).stderr
    assert f"cannot listen on 127.0.0.1:{product.port}: Address already in use" in said
    assert "config set gateway.api_port" in said


def test_a_change_of_the_configuration_is_on_record_once(product: Product) -> None:
    product.cli("config", "set", "audit.retention_days", "30")
    assert updates(product) == ["cli:operator"]
    product.start()
    said = product.cli("config", "set", "audit.retention_days", "31").stdout
    assert "restart" not in said
    assert eventually(lambda: len(updates(product)) == 2)
    assert "restart" in product.cli("config", "set", "audit.durability", "power").stdout
    assert eventually(lambda: len(updates(product)) == 3)
    product.stop()
    assert updates(product) == ["cli:operator", "defenseclaw", "defenseclaw"]
    product.cli("config", "set", "audit.retention_days", "32")
    assert updates(product)[3:] == ["cli:operator"]
    assert product.cli_json("audit", "verify")["ok"] is True


def test_a_token_named_or_written_anew_counts_at_once(product: Product) -> None:
    product.start()
    old = product.token
    assert not takes(product, TOKEN)
    product.cli("keys", "set", "MINE", "--value", TOKEN)
    assert takes(product, old)
    product.cli("config", "set", "gateway.token_env", "MINE")
    assert eventually(lambda: takes(product, TOKEN))
    assert not takes(product, old)
    product.cli("config", "set", "gateway.token_env", "--unset")
    assert eventually(lambda: takes(product, old))
    assert not takes(product, TOKEN)


def test_run_says_what_is_not_protected_and_nothing_of_its_server(product: Product) -> None:
    agent = product.root / "bin" / "claude"
    agent.parent.mkdir()
    agent.write_text("#!/bin/sh\necho '2.1.200 (Claude Code)'\n")
    agent.chmod(0o755)
    product.agent_path = (agent.parent,)
    with (product.root / "said.txt").open("w+b") as out:
        running = subprocess.Popen(
            [BIN / "defenseclaw-gateway", "run", "--mode", "action"],
            env=product.env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            said = product.root / "said.txt"
            assert eventually(lambda: "Verdicts appear below" in said.read_text())
        finally:
            running.send_signal(signal.SIGINT)
            assert running.wait(timeout=20) == 0
    assert "Claude Code 2.1.200: not protected" in said.read_text()
    assert "uvicorn" not in said.read_text()
    assert product.cli("config", "get", "guardrail.mode").stdout == "action\n"
    assert updates(product)[-1] == "cli:operator"
