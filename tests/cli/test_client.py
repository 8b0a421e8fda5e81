from __future__ import annotations

import socket
import threading

import pytest
from tests.cli.conftest import Answering

from defenseclaw.cli.client import Gateway
from defenseclaw.errors import DefenseClawError, Unauthorized, Unavailable

TOKEN = "t" * 40


def test_sends_token_and_client_and_returns_the_body(answering: Answering):
    gateway = Gateway(("127.0.0.1", answering.port), TOKEN)
    assert gateway.get("/health")["status"] == "ok"
    (path, headers) = answering.seen[-1]
    assert (path, headers["X-DefenseClaw-Token"], headers["X-DefenseClaw-Client"]) == (
        "/health",
        TOKEN,
        "cli",
    )
    assert TOKEN not in repr(gateway)


@pytest.mark.parametrize(
    ("status", "body", "error", "message"),
    [
        (401, {"error": "unauthorized"}, Unauthorized, "does not take our token"),
        (503, {"error": "overloaded"}, DefenseClawError, "overloaded"),
        (500, b"<html>", DefenseClawError, "HTTP 500"),
        (400, ["odd"], DefenseClawError, "HTTP 400"),
    ],
)
def test_a_refusal_is_an_error_in_the_gateways_words(
    answering: Answering, status: int, body: object, error: type[Exception], message: str
):
    answering.answers["/x"] = (status, body)
    with pytest.raises(error, match=message):
        Gateway(("127.0.0.1", answering.port), TOKEN).checked("POST", "/x", {"a": 1})


@pytest.mark.parametrize("body", [b"not json", b"[" * 100_000, b"[1]", b""])
def test_a_body_that_is_no_object_reads_as_empty(answering: Answering, body: bytes):
    answering.answers["/x"] = (200, body)
    assert Gateway(("127.0.0.1", answering.port)).get("/x") == {}


def test_nothing_listening_is_said_with_how_to_start_it():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(Unavailable, match="no gateway answers") as refusal:
        Gateway(("127.0.0.1", port)).get("/health")
    assert "defenseclaw-gateway start" in refusal.value.hint


def test_something_else_on_the_port_is_told_apart():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def speak() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"SSH-2.0-OpenSSH\r\n\r\n")

        speaker = threading.Thread(target=speak)
        speaker.start()
        with pytest.raises(Unavailable, match="not a DefenseClaw gateway"):
            Gateway(("127.0.0.1", server.getsockname()[1])).get("/health")
        speaker.join()


def test_silence_ends_after_the_timeout():
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(Unavailable):
        Gateway(("127.0.0.1", server.getsockname()[1]), timeout_s=0.1).get("/health")
