"""Ids from headers."""

import uuid

import pytest

from defenseclaw.config.schema import Agent
from defenseclaw.gateway.correlation import cleaned, correlation

TRACE = b"4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = b"00-" + TRACE + b"-00f067aa0ba902b7-01"


def ids(headers, *, loopback=True, agent=None):
    return correlation(headers, loopback=loopback, instance="i", agent=agent or Agent())


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"  run-7 ", "run-7"),
        (b"a\x00b\x7fc\td", "abcd"),
        (b"x" * 300, "x" * 128),
        ("é".encode() * 100, "é" * 64),
        ("aé".encode() * 100, "aé" * 42 + "a"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        ("\u202eevil\u2028".encode(), "evil"),
        (b"   ", ""),
    ],
)
def test_cleaned(raw, text):
    assert cleaned(raw) == text


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({b"x-defenseclaw-request-id": b"a", b"x-request-id": b"b"}, "a"),
        ({b"x-request-id": b"b", b"x-correlation-id": b"c"}, "b"),
        ({b"x-correlation-id": b"c"}, "c"),
        ({b"x-defenseclaw-request-id": b"  ", b"x-correlation-id": b"c"}, "c"),
    ],
)
def test_request_id_comes_from_the_first_header_that_has_one(headers, found):
    assert ids(headers).request_id == found


def test_a_request_without_an_id_gets_a_uuid():
    assert uuid.UUID(ids({}).request_id).version == 4


def test_the_trace_is_believed_on_loopback_only():
    headers = {b"traceparent": TRACEPARENT}
    assert ids(headers).trace_id == TRACE.decode()
    assert ids(headers, loopback=False).trace_id == ""


@pytest.mark.parametrize(
    "value",
    [b"garbage", b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01", TRACEPARENT.upper(), TRACEPARENT[:-3]],
)
def test_a_malformed_trace_is_none(value):
    assert ids({b"traceparent": value}).trace_id == ""


def test_the_user_is_believed_on_loopback_only():
    headers = {b"x-user": b"ann"}
    assert ids(headers).user_id == "ann"
    assert ids(headers, loopback=False).user_id == ""


def test_one_session_is_one_agent_instance():
    first = ids({b"x-defenseclaw-session-id": b"s1"})
    assert first.agent_instance_id
    assert first.agent_instance_id == ids({b"x-defenseclaw-session-id": b"s1"}).agent_instance_id
    assert first.agent_instance_id != ids({b"x-defenseclaw-session-id": b"s2"}).agent_instance_id
    assert ids({}).agent_instance_id == ""


def test_an_agent_that_names_nobody_is_the_configured_one():
    agent = Agent(id="a-1", name="Ann's agent")
    assert ids({}, agent=agent).agent_id == "a-1"
    assert ids({b"x-defenseclaw-agent-id": b"a-2"}, agent=agent).agent_id == "a-2"
    assert ids({}, agent=agent).agent_name == "Ann's agent"
