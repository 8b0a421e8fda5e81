"""Tokens and runtime files: private, strict, rewritten only when they change."""

import os
import stat

import pytest
from msgspec.structs import replace

from defenseclaw.connectors import claudecode, runtime
from defenseclaw.errors import SetupError
from defenseclaw.vocabulary import FailMode

TOKEN = "0123456789abcdef" * 4


def put_token(host, content, mode=0o600):
    path = runtime.token_path(host, "claudecode")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_a_token_is_minted_once(host):
    token = runtime.ensure_token(host, "claudecode")
    path = runtime.token_path(host, "claudecode")
    assert path.name == ".hook-claudecode.token"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == token + "\n"
    assert runtime.ensure_token(host, "claudecode") == token
    assert runtime.ensure_token(host, "omnigent") != token


def test_no_file_is_no_token(host):
    assert runtime.read_token(host, "claudecode") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        TOKEN[:-1].encode(),
        TOKEN.upper().encode(),
        TOKEN.encode() + b"\n\n",
        b" " + TOKEN.encode(),
        b"\xff" * 64,
    ],
)
def test_a_malformed_token_is_an_error(host, content):
    put_token(host, content)
    with pytest.raises(SetupError, match="malformed") as caught:
        runtime.read_token(host, "claudecode")
    assert TOKEN[:20] not in str(caught.value)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_token_others_can_touch_is_an_error(host, mode):
    put_token(host, TOKEN.encode(), mode)
    with pytest.raises(SetupError, match="private"):
        runtime.read_token(host, "claudecode")


def test_a_link_or_pipe_is_no_token_file(host):
    path = put_token(host, TOKEN.encode())
    path.rename(path.with_name("real"))
    path.symlink_to("real")
    with pytest.raises(SetupError):
        runtime.read_token(host, "claudecode")
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(SetupError, match="regular"):
        runtime.read_token(host, "claudecode")


@pytest.mark.parametrize("name", ["", "../x", "a/b", "A", "-x", "x y"])
def test_a_connector_name_cannot_lead_elsewhere(host, name):
    with pytest.raises(SetupError):
        runtime.token_path(host, name)


@pytest.mark.parametrize(
    ("bound", "dialled"),
    [
        ("127.0.0.1:18970", "127.0.0.1:18970"),
        ("0.0.0.0:18970", "127.0.0.1:18970"),
        ("[::]:18970", "[::1]:18970"),
        (":18970", "127.0.0.1:18970"),
        ("[::1]:1", "[::1]:1"),
        ("localhost:65535", "localhost:65535"),
    ],
)
def test_the_address_agents_dial(bound, dialled):
    assert runtime.dial_address(bound) == dialled


@pytest.mark.parametrize(
    "address", ["", "x", "h:0", "h:65536", "::1:1", 'h:1"\nurl = "x', "h:1/path", "u@h:1"]
)
def test_an_odd_address_is_refused(address):
    with pytest.raises(SetupError):
        runtime.dial_address(address)


def test_runtime_of_a_connector_that_is_not_installed_is_not_written(host):
    assert runtime.write_runtime(host, claudecode.CONNECTOR, FailMode.CLOSED) is False
    assert not host.data_dir.exists()


def test_runtime_follows_the_configuration(host):
    runtime.ensure_token(host, "claudecode")
    for mode in (FailMode.OPEN, FailMode.CLOSED):
        assert runtime.write_runtime(host, claudecode.CONNECTOR, mode)
        found = runtime.read_runtime(host, "claudecode")
        assert found == runtime.Runtime(gateway="127.0.0.1:18970", fail_mode=mode)
    path = runtime.runtime_path(host, "claudecode")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.stat().st_mtime_ns
    runtime.write_runtime(host, claudecode.CONNECTOR, FailMode.CLOSED)
    assert path.stat().st_mtime_ns == before
    assert not runtime.curl_path(host, "claudecode").exists()


def test_the_curl_file_follows_when_it_is_there(host):
    runtime.ensure_token(host, "claudecode")
    path = runtime.curl_path(host, "claudecode")
    path.write_text("")
    runtime.write_runtime(replace(host, api_address="0.0.0.0:7"), claudecode.CONNECTOR, FailMode.OPEN)
    assert 'url = "http://127.0.0.1:7/api/v1/claude-code/hook"' in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("content", "mode"),
    [
        (b"gateway=h:1\nfail_mode=open\n", FailMode.OPEN),
        (b"fail_mode=OPEN\n", FailMode.CLOSED),
        (b"garbage\xff", FailMode.CLOSED),
        (b"", FailMode.CLOSED),
    ],
)
def test_only_the_word_open_is_open(host, content, mode):
    path = runtime.runtime_path(host, "claudecode")
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    found = runtime.read_runtime(host, "claudecode")
    assert found is not None
    assert found.fail_mode is mode
