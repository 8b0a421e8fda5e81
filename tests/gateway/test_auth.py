"""Tokens, scopes and browser checks."""

import pytest

from defenseclaw.errors import (
    ConfigError,
    CrossSite,
    MissingClient,
    NoToken,
    OriginNotAllowed,
    Unauthorized,
    UnsupportedMediaType,
)
from defenseclaw.gateway.auth import (
    OPERATOR,
    Authenticator,
    Caller,
    RefusalLog,
    check_browser,
    network_of,
    presented_token,
)

HOOK = "/api/v1/claude-code/hook"
INSPECT = "/api/v1/inspect/tool"
SCOPED = {"claudecode": "cc-token", "omnigent": "og-token"}


def authenticator(token: str = "master", scoped=SCOPED.get) -> Authenticator:
    return Authenticator(lambda: token, scoped, {HOOK: "claudecode", "/api/v1/omnigent/hook": "omnigent"})


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({b"authorization": b"Bearer a"}, b"a"),
        ({b"x-defenseclaw-token": b"b"}, b"b"),
        ({b"x-dc-auth": b"Bearer c"}, b"c"),
        # the first one counts, right or wrong
        ({b"authorization": b"Bearer a", b"x-defenseclaw-token": b"b"}, b"a"),
        ({b"authorization": b"Bearer ", b"x-defenseclaw-token": b"b"}, b"b"),
        # not ours
        ({b"authorization": b"Basic a", b"x-defenseclaw-token": b"b"}, b"b"),
        ({b"authorization": b"bearer a"}, b""),
        ({b"x-dc-auth": b"c"}, b""),
        ({}, b""),
    ],
)
def test_presented_token(headers, token):
    assert presented_token(headers) == token


@pytest.mark.parametrize(
    ("path", "presented", "named", "loopback", "caller"),
    [
        # the operator's token opens everything, from anywhere
        ("/status", b"master", b"", False, OPERATOR),
        (HOOK, b"master", b"", True, OPERATOR),
        (INSPECT, b"master", b"claudecode", True, OPERATOR),
        # a connector's own token opens its hook and, named, the inspect routes, from here
        (HOOK, b"cc-token", b"", True, Caller("claudecode")),
        (INSPECT, b"cc-token", b"ClaudeCode", True, Caller("claudecode")),
        (HOOK, b"cc-token", b"", False, None),
        (INSPECT, b"cc-token", b"", True, None),
        (INSPECT, b"cc-token", b"omnigent", True, None),
        (INSPECT, b"cc-token", b"../../etc", True, None),
        ("/api/v1/omnigent/hook", b"cc-token", b"", True, None),
        ("/status", b"cc-token", b"claudecode", True, None),
        ("/enforce/allow", b"cc-token", b"claudecode", True, None),
        # wrong and missing
        (HOOK, b"wrong", b"", True, None),
        (HOOK, b"master ", b"", True, None),
        (HOOK, b"", b"", True, None),
    ],
)
def test_identify(path, presented, named, loopback, caller):
    headers = {b"x-defenseclaw-token": presented, b"x-defenseclaw-connector": named}
    if caller is None:
        with pytest.raises(Unauthorized):
            authenticator().identify(path, headers, loopback=loopback)
    else:
        assert authenticator().identify(path, headers, loopback=loopback) == caller


def test_a_gateway_without_a_token_lets_nobody_in():
    with pytest.raises(NoToken):
        authenticator(token="").identify("/status", {b"x-defenseclaw-token": b""}, loopback=True)


def test_a_damaged_scoped_token_opens_nothing(caplog):
    def damaged(connector: str) -> str | None:
        raise ConfigError("the file is open to other users")

    with pytest.raises(Unauthorized):
        authenticator(scoped=damaged).identify(HOOK, {b"x-defenseclaw-token": b"x"}, loopback=True)
    assert "open to other users" in caplog.text


JSON = {b"content-type": b"application/json", b"x-defenseclaw-client": b"cli"}


@pytest.mark.parametrize(
    ("method", "headers", "error"),
    [
        ("POST", JSON, None),
        ("POST", JSON | {b"content-type": b"Application/JSON; charset=utf-8"}, None),
        ("POST", JSON | {b"origin": b"http://localhost:3000"}, None),
        ("POST", JSON | {b"sec-fetch-site": b"same-origin"}, None),
        ("GET", {b"origin": b"https://evil.example"}, None),
        ("HEAD", {}, None),
        ("OPTIONS", {b"x-defenseclaw-client": b"cli"}, None),
        # refused
        ("POST", {b"content-type": b"application/json"}, MissingClient),
        ("POST", JSON | {b"x-defenseclaw-client": b"  "}, MissingClient),
        ("OPTIONS", {}, MissingClient),
        ("DELETE", {b"x-defenseclaw-client": b"cli"}, UnsupportedMediaType),
        ("POST", JSON | {b"content-type": b"text/plain"}, UnsupportedMediaType),
        ("POST", JSON | {b"content-type": b"text/plain; application/json"}, UnsupportedMediaType),
        ("POST", JSON | {b"origin": b"https://evil.example"}, OriginNotAllowed),
        ("POST", JSON | {b"origin": b"null"}, OriginNotAllowed),
        ("POST", JSON | {b"sec-fetch-site": b"cross-site"}, CrossSite),
        ("POST", {b"sec-fetch-site": b"cross-site"}, CrossSite),
    ],
)
def test_browser_checks(method, headers, error):
    if error is None:
        check_browser(method, headers)
    else:
        with pytest.raises(error):
            check_browser(method, headers)


def test_refusals_are_counted_and_a_bounded_number_is_told():
    told: list[dict] = []
    now = [0.0]
    refusals = RefusalLog(told.append, per_minute=2, clock=lambda: now[0])
    for _ in range(5):
        refusals.refused(Unauthorized(), "203.0.113.77", {b"authorization": b"Bearer s3cret"}, "r")
    now[0] = 61.0
    refusals.refused(Unauthorized(), "203.0.113.77", {}, "r")
    assert refusals.count == 6
    assert [each["error"]["code"] for each in told] == ["AUTH_INVALID_TOKEN"] * 2 + ["AUTH_MISSING_TOKEN"]
    assert told[-1]["error"]["suppressed"] == 3
    assert told[0]["error"]["client_ip"] == "203.0.113.0"
    assert "s3cret" not in str(told)


@pytest.mark.parametrize(
    ("peer", "network"),
    [("203.0.113.77", "203.0.113.0"), ("2001:db8:1:2:3::4", "2001:0db8:0001:0002::"), ("?", "")],
)
def test_network_of(peer, network):
    assert network_of(peer) == network
