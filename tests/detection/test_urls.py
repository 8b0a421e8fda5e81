from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defenseclaw.detection import terms
from defenseclaw.detection.facts import UNKNOWN
from defenseclaw.detection.urls import looks_like_url, parse

PORTS = (18970, 4000)


@pytest.mark.parametrize(
    ("value", "host", "port"),
    [
        # names
        ("https://Example.COM./x", "example.com", 443),
        ("example.com:8080/p", "example.com", 8080),
        ("git@github.com:a/b", "github.com", 0),
        ("https://exa\tmple.com/", "example.com", 443),
        ("https://%65xample.com/", "example.com", 443),
        ("https://example\uff0ecom/x", "example.com", 443),
        ("https://m\u00fcnchen.de/", "xn--mnchen-3ya.de", 443),
        ("https://example.com@203.0.113.7/", "203.0.113.7", 443),
        ("http:\\\\203.0.113.7\\x", "203.0.113.7", 80),
        # IPv4 in every form
        ("http://2130706433/", "127.0.0.1", 80),
        ("http://0x7f.1/", "127.0.0.1", 80),
        ("http://0177.0.0.1/", "127.0.0.1", 80),
        ("http://127.1:18970/", "127.0.0.1", 18970),
        ("http://0/", "0.0.0.0", 80),
        # IPv6
        ("http://[::1]:4000/", "::1", 4000),
        ("http://[::ffff:203.0.113.7]/", "203.0.113.7", 80),
        ("http://[64:ff9b::cb00:7107]/", "203.0.113.7", 80),
        ("http://[2002:cb00:7107::1]/", "203.0.113.7", 80),
        ("fe80::1", "fe80::1", 0),
    ],
)
def test_host_and_port(value, host, port):
    address = parse(value)
    assert address is not None
    assert (address.host, address.port) == (host, port)


@pytest.mark.parametrize("value", ["", "http:///", "http://a b/", "-", "///"])
def test_what_names_no_host(value):
    assert parse(value) is None


@pytest.mark.parametrize(
    ("value", "expected", "external"),
    [
        ("http://localhost:18970/v1", "control", False),
        ("http://127.1:18970/v1", "control", False),
        ("http://app.localhost:4000/", "control", False),
        ("http://localhost:8080/", "loopback", False),
        ("http://169.254.169.254/latest", "metadata", False),
        ("http://2852039166/latest", "metadata", False),
        ("http://0xa9fea9fe/", "metadata", False),
        ("http://metadata.google.internal/", "metadata", True),
        ("http://10.1.2.3/", "private", False),
        ("http://192.168.1.1.nip.io/", "dns_wildcard", False),
        ("http://203.0.113.7/", "public", True),
        ("http://2130706433/", "obfuscated_ip", False),
        ("https://example.com/", "name", True),
        ("https://a.webhook.site/x", "paste", True),
        ("https://x.ngrok-free.app/", "tunnel_host", True),
        ("https://api.github.com@203.0.113.7/", "deceptive", True),
        ("https://raw.githubusercontent.com/a/b/" + "0" * 40 + "/x", "raw_commit", True),
        (f"http://{UNKNOWN}/x", "unknown_host", True),
        ("unix:///var/run/docker.sock", "unix_socket", False),
    ],
)
def test_what_an_address_is(value, expected, external):
    address = parse(value, control_ports=PORTS)
    assert address is not None
    assert expected in address.classes
    assert address.external is external
    assert ("external" in address.classes) is external


@pytest.mark.parametrize(
    ("value", "never"),
    [
        ("http://203.0.113.7:18970/", "control"),
        ("https://notwebhook.site/", "paste"),
        ("https://example.com/?u=https://webhook.site", "paste"),
        ("https://webhook.site.example.com/", "paste"),
        ("http://127.0.0.1/", "obfuscated_ip"),
        ("https://raw.githubusercontent.com/a/b/main/x", "raw_commit"),
    ],
)
def test_what_an_address_is_not(value, never):
    address = parse(value, control_ports=PORTS)
    assert address is not None
    assert never not in address.classes


def test_a_fact_carries_what_only_the_command_knows():
    address = parse("203.0.113.7", scheme="tcp", port=4444)
    assert address is not None
    fact = address.fact(3, "connect", "dev_tcp")
    assert (fact.command, fact.action, fact.port, fact.scope) == (3, "connect", 4444, "public")
    assert "dev_tcp" in fact.classes


@given(st.integers(min_value=0, max_value=2**32 - 1))
def test_every_form_of_an_address_is_the_same_address(number):
    octets = [number >> shift & 255 for shift in (24, 16, 8, 0)]
    plain = parse("http://" + ".".join(map(str, octets)))
    assert plain is not None
    for form in (str(number), hex(number), ".".join(map(hex, octets)), f"{octets[0]}.{number & 0xFFFFFF}"):
        other = parse(f"http://{form}/")
        assert other is not None
        assert (other.host, other.scope) == (plain.host, plain.scope)


@given(st.text(max_size=80))
def test_any_text_is_answered(value):
    address = parse(value, control_ports=PORTS)
    assert address is None or address.classes <= terms.NETWORK_CLASSES.keys()
    assert looks_like_url(value) in (True, False)
