"""More evaluations than are taken on: the rest is told to come again, and what was taken on is on record."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest
from tests.integration.machine import (
    BOTH_CONNECTORS,
    DANGEROUS,
    HOOKS,
    SIZE,
    Machine,
    Reply,
    Wire,
    eventually,
    request,
    together,
    wire,
)

TAKEN = 4
CLIENTS = 48
EACH = 25 * SIZE
BODY = json.dumps(DANGEROUS).encode()
BIG = json.dumps({"tool": "Bash", "args": {"command": "echo a b c\n" * 20_000}}).encode()
"""Takes a good part of a second to judge."""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A gateway that takes on four evaluations at once."""
    machine = Machine(tmp_path_factory.mktemp("overload"))
    machine.configure(
        gateway={"max_pending": TAKEN}, guardrail={"mode": "action", "connectors": BOTH_CONNECTORS}
    )
    machine.start()
    yield machine
    machine.close()


def overloads(gateway: Machine) -> int:
    return int(gateway.get("/health")["audit"]["details"]["overloads"])


def test_beyond_the_limit_come_again(small: Machine) -> None:
    before = overloads(small)
    lock = threading.Lock()
    answered: dict[str, Reply] = {}

    def work(number: int) -> None:
        with wire(small.port) as connection:
            for count in range(EACH):
                name = f"o-{number}-{count}"
                connection.send(
                    request(body=BODY, token=small.token, headers={"X-DefenseClaw-Request-Id": name})
                )
                reply = connection.reply()
                assert reply is not None
                with lock:
                    answered[name] = reply

    together(work, CLIENTS)
    refused = {name for name, reply in answered.items() if reply.status != 200}
    assert len(answered) == CLIENTS * EACH
    assert refused, "nothing was refused: the test proves nothing"
    for name in refused:
        reply = answered[name]
        assert (reply.status, reply.code, reply.headers["retry-after"]) == (503, "overloaded", "1")
    assert overloads(small) - before == len(refused)
    recorded = {row["request_id"] for row in small.rows("SELECT request_id FROM audit_events")}
    assert answered.keys() - refused <= recorded
    assert not refused & recorded
    assert small.get("/health")["audit"]["details"]["pending"] == 0
    small.still_judges()


def test_who_has_no_token_takes_nobodys_place(small: Machine) -> None:
    """Hundreds of requests without a token, whole and half, and every place is still free."""
    before = overloads(small)
    halves: list[Wire] = []
    stop = threading.Event()

    def flood() -> None:
        with wire(small.port) as connection:
            while not stop.is_set():
                connection.send(request(body=BODY, token="f" * 64))
                assert connection.reply() is not None

    crowd = [threading.Thread(target=flood) for _ in range(8)]
    try:
        for _ in range(200):
            half = Wire(small.port)
            half.send(request(headers={"Content-Length": "500"}) + b'{"tool"')
            halves.append(half)
        for thread in crowd:
            thread.start()
        for _ in range(100):
            assert small.inspect("tool", DANGEROUS)["action"] == "block"
    finally:
        stop.set()
        for thread in crowd:
            thread.join()
        for half in halves:
            half.close()
    assert overloads(small) == before


def test_half_a_body_takes_no_place(small: Machine) -> None:
    """Nor does one with a token, before its body is whole."""
    halves = []
    try:
        for _ in range(10 * TAKEN):
            half = Wire(small.port)
            half.send(request(token=small.token, headers={"Content-Length": "500"}) + b'{"tool"')
            halves.append(half)
        small.still_judges()
    finally:
        for half in halves:
            half.close()


def test_health_and_small_questions_while_every_place_is_taken(small: Machine) -> None:
    """Large subjects are judged beside the loop: health is answered, a fifth evaluation refused."""
    data = request(path=HOOKS["claudecode"], body=_as_hook(BIG), token=small.token)
    busy = [Wire(small.port) for _ in range(TAKEN)]
    try:
        for connection in busy:
            connection.send(data)
        eventually(lambda: small.get("/health")["audit"]["details"]["pending"] == TAKEN, "every place taken")
        reply = small.post("/api/v1/inspect/tool", DANGEROUS)
        assert (reply.status_code, reply.json()["code"]) == (503, "overloaded")
        assert [reply.status for connection in busy if (reply := connection.reply())] == [200] * TAKEN
    finally:
        for connection in busy:
            connection.close()
    small.still_judges()


def test_a_client_that_leaves_gives_its_place_back(small: Machine) -> None:
    data = request(path=HOOKS["claudecode"], body=_as_hook(BIG), token=small.token)
    for _ in range(TAKEN):
        with wire(small.port) as connection:
            connection.send(data)
    # A body still being read when its sender leaves takes its place later: ask until all came and went.
    eventually(lambda: small.post("/api/v1/inspect/tool", DANGEROUS).status_code == 200, "a place is free")
    eventually(lambda: small.get("/health")["audit"]["details"]["pending"] == 0, "every place free")


def test_one_session_under_load_loses_nothing(small: Machine) -> None:
    """Calls of one session wait for each other; each accepted one is a row of its own, in order."""
    seen: list[str] = []

    def work(number: int) -> None:
        for count in range(20):
            name = f"s-{number}-{count}"
            body = {**DANGEROUS, "session_id": "one"}
            with wire(small.port) as connection:
                connection.send(
                    request(
                        body=json.dumps(body).encode(),
                        token=small.token,
                        headers={"X-DefenseClaw-Request-Id": name},
                    )
                )
                reply = connection.reply()
            assert reply is not None
            assert reply.acceptable
            if reply.status == 200:
                seen.append(name)

    together(work, 12)
    rows = small.rows("SELECT request_id FROM audit_events WHERE session_id='one'")
    assert sorted(row["request_id"] for row in rows) == sorted(seen)
    assert seen


def _as_hook(body: bytes) -> bytes:
    decoded = json.loads(body)
    event = {"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": decoded["args"]}
    return json.dumps(event).encode()
