"""Which names count as this machine."""

import pytest

from defenseclaw.gateway.hosts import host_allowed, is_loopback, origin_is_local


@pytest.mark.parametrize(
    ("header", "bind", "allowed", "answer"),
    [
        # loopback, any port
        ("127.0.0.1:18970", "127.0.0.1", (), True),
        ("127.8.9.10", "127.0.0.1", (), True),
        ("localhost", "127.0.0.1", (), True),
        ("LocalHost.:80", "127.0.0.1", (), True),
        ("[::1]:18970", "127.0.0.1", (), True),
        ("[::ffff:127.0.0.1]", "127.0.0.1", (), True),
        # everything else
        ("", "127.0.0.1", (), False),
        ("evil.example", "127.0.0.1", (), False),
        ("localhost.evil.example", "127.0.0.1", (), False),
        ("127.0.0.1.evil.example", "127.0.0.1", (), False),
        ("192.168.1.2:18970", "127.0.0.1", (), False),
        ("user@localhost", "127.0.0.1", (), False),
        ("localhost, evil.example", "127.0.0.1", (), False),
        ("localhost:80:80", "127.0.0.1", (), False),
        # the operator's names
        ("gate.corp.example:18970", "127.0.0.1", ("Gate.corp.example",), True),
        ("other.corp.example", "127.0.0.1", ("gate.corp.example",), False),
        # beyond loopback any literal address, still no names
        ("192.168.1.2:18970", "0.0.0.0", (), True),
        ("[fe80::1]", "::", (), True),
        ("evil.example", "0.0.0.0", (), False),
    ],
)
def test_host_header(header, bind, allowed, answer):
    assert host_allowed(header, bind, allowed) is answer


@pytest.mark.parametrize(
    ("origin", "answer"),
    [
        ("http://localhost:3000", True),
        ("https://127.0.0.1", True),
        ("http://[::1]:8080", True),
        ("https://evil.example", False),
        ("http://localhost.evil.example", False),
        ("null", False),
        ("http://[::1", False),
        ("", False),
    ],
)
def test_origin(origin, answer):
    assert origin_is_local(origin) is answer


@pytest.mark.parametrize(
    ("address", "answer"),
    [
        ("127.0.0.1", True),
        ("127.255.0.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("localhost", True),
        ("10.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("", False),
        ("example", False),
    ],
)
def test_loopback(address, answer):
    assert is_loopback(address) is answer
