"""``kill -9`` under load, again and again: what a client was told is on record, and the store opens clean."""

from __future__ import annotations

import http.client
import json
import random
import signal
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from tests.e2e.product import Product

pytestmark = pytest.mark.smoke

CLIENTS = 16
ROUNDS = 50


def test_kill_dash_nine(tmp_path: Path) -> None:
    product = Product(tmp_path / "m")
    product.init()
    chance = random.Random(20)
    told: set[str] = set()
    for round_number in range(ROUNDS):
        product.start()
        answered: list[str] = []
        stop = threading.Event()
        crowd = [
            threading.Thread(target=ask, args=(product, round_number, number, stop, answered))
            for number in range(CLIENTS)
        ]
        for client in crowd:
            client.start()
        # anywhere between the first accepted call and the middle of the crowd's work
        time.sleep(chance.uniform(0.02, 0.4))
        product.stop(signal.SIGKILL)
        stop.set()
        for client in crowd:
            client.join()
        told.update(answered)
        assert product.cli_json("audit", "verify")["ok"] is True
    recorded = {row["request_id"] for row in product.rows("SELECT request_id FROM audit_events")}
    assert told - recorded == set()
    assert len(told) > ROUNDS * CLIENTS


def ask(product: Product, round_number: int, number: int, stop: threading.Event, answered: list[str]) -> None:
    headers = {
        "Authorization": f"Bearer {product.token}",
        "X-DefenseClaw-Client": "e2e",
        "Content-Type": "application/json",
    }
    body = json.dumps({"tool": "Bash", "args": {"command": "rm -rf /"}, "session_id": f"s{number}"})
    with closing(http.client.HTTPConnection("127.0.0.1", product.port, timeout=5)) as connection:
        for count in range(100_000):
            if stop.is_set():
                return
            request_id = f"r{round_number}-{number}-{count}"
            try:
                connection.request(
                    "POST", "/api/v1/inspect/tool", body, {**headers, "X-DefenseClaw-Request-Id": request_id}
                )
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                return
            assert answer.status == 200
            answered.append(request_id)
