"""The bridge when there is no verdict: a gateway that is away, hangs or talks nonsense, a broken setup."""

import contextlib
import json
import socket
import subprocess
import threading

import pytest
from msgspec.structs import replace
from tests.connectors.bridge_contract import REFUSED
from tests.connectors.gateway_harms import HARMS
from tests.connectors.opencode_bridge import HISTORY, HOOKS, bridges, deny, golden, history, node, shown

from defenseclaw.connectors import opencode, runtime, templates
from defenseclaw.vocabulary import FailMode


@pytest.fixture
def make(tmp_path):
    with bridges(tmp_path) as make:
        yield make


@pytest.fixture
def bridge(host, gateway, make):
    gateway.says(action="allow")
    return make(replace(host, api_address=gateway.address))


@pytest.fixture
def lonely(host, make):
    """A bridge whose gateway is not there."""
    return make(replace(host, api_address=REFUSED))


# ---- no verdict -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HARMS)
def test_a_bad_answer_is_decided_by_the_fail_mode(bridge, gateway, name):
    HARMS[name](gateway)
    for mode in FailMode:
        bridge.fail_mode(mode)
        threw, _ = bridge("tool.execute.before")
        assert (threw is None) is (mode is FailMode.OPEN)
        assert bridge.failures()[-1]["fail_mode"] == mode
        for secret in (bridge.token, str(bridge.host.data_dir), gateway.address):
            assert secret not in f"{threw}{bridge.stderr()}{bridge.log.read_text()}"
    assert len(gateway.requests) == 2


def raw_gateway(answer, *, wait=0.0):
    """A server that says ``answer`` byte for byte and keeps the connection open."""
    server = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            held.append(connection)
            connection.recv(65536)
            with contextlib.suppress(OSError):
                for piece in answer if isinstance(answer, list) else [answer]:
                    connection.sendall(piece)
                    ended.wait(wait)

    held = []
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()

    def close():
        ended.set()
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        for each in held:
            each.close()
        thread.join()

    return f"127.0.0.1:{server.getsockname()[1]}", close


ALLOW = b'{"action":"allow"}'
LENGTH = b"Content-Length: 18\r\n"


@pytest.mark.parametrize(
    ("answer", "decided"),
    [
        (b"HTTP/1.1 200 OK\r\n" + LENGTH + b"\r\n" + ALLOW, True),
        (b"HTTP/1.1 200 OK\r\ncontent-LENGTH:18\r\n\r\n" + ALLOW + b"and more", True),
        (b"HTTP/1.1 200\r\n" + LENGTH + b"\r\n" + ALLOW, True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n12\r\n" + ALLOW + b"\r\n0\r\n\r\n", False),
        (b"HTTP/2 200\r\n" + LENGTH + b"\r\n" + ALLOW, False),
        (b"SSH-2.0-OpenSSH\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + b" " * 3_000_000, False),
        ([bytes([each]) for each in b"HTTP/1.1 200 OK\r\n" + LENGTH + b"\r\n" + ALLOW], True),
    ],
    ids=["plain", "more", "no-words", "chunked", "http2", "ssh", "endless", "drops"],
)
def test_what_is_an_answer(host, make, answer, decided):
    address, close = raw_gateway(answer)
    try:
        bridge = make(replace(host, api_address=address))
        threw, _ = bridge("tool.execute.before")
    finally:
        close()
    assert (threw is None) is decided
    assert decided or "fails closed" in threw


@pytest.mark.parametrize("answer", [b"", [b"H"] * 40], ids=["silent", "dripping"])
def test_a_gateway_that_hangs_is_left_in_time(host, make, answer):
    address, close = raw_gateway(answer, wait=0.2)
    try:
        bridge = make(replace(host, api_address=address))
        bridge.speed_up(TOTAL_MS=700)
        threw, _ = bridge("tool.execute.before")
        bridge.fail_mode(FailMode.OPEN)
        assert bridge("tool.execute.before")[0] is None
    finally:
        close()
    assert "gateway timed out" in threw
    assert {each["reason"] for each in bridge.failures()} == {"gateway timed out"}


def test_the_budget_is_that_of_every_hook():
    text = templates.asset(opencode.TEMPLATE)
    assert f"const TOTAL_MS = {runtime.TOTAL_TIMEOUT_S}_000;" in text
    assert f"const CONNECT_MS = {runtime.CONNECT_TIMEOUT_S}_000;" in text


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("mode", FailMode)
def test_a_gateway_that_is_not_there(lonely, hook, mode):
    lonely.fail_mode(mode)
    given = golden(hook)
    threw, output = lonely(hook, given)
    if mode is FailMode.OPEN:
        assert (threw, output) == (None, given["output"])
    elif hook in ("chat.message", "tool.execute.before"):
        assert "gateway unreachable (ECONNREFUSED)" in threw
        assert threw.endswith("fails closed. Start it: defenseclaw-gateway start")
    else:
        assert threw is None
        assert "fails closed" in output.get("output", output.get("text"))


def test_many_errors_and_no_gateway_are_one_wait(lonely):
    words = shown(lonely(HISTORY, history(*"abc"))[1])
    assert len(set(words)) == 1
    assert "fails closed" in words[0]
    assert len(lonely.failures()) == 1
    lonely.fail_mode(FailMode.OPEN)
    assert shown(lonely(HISTORY, history(*"abc"))[1]) == ["a", "b", "c"]


def test_a_session_goes_on_without_a_gateway(lonely):
    assert lonely.event("session.created")["threw"] is None
    assert lonely.failures()[0]["event"] == "session.created"
    assert "allowing session.created (fail mode closed)" in lonely.stderr()


@pytest.mark.parametrize(
    ("name", "value"), [("DEFENSECLAW_FAIL_MODE", "closed"), ("DEFENSECLAW_STRICT_AVAILABILITY", "TRUE")]
)
def test_the_environment_may_tighten(lonely, name, value):
    lonely.fail_mode(FailMode.OPEN)
    lonely.load(**{name: value})
    assert lonely("tool.execute.before")[0] is not None


def test_the_environment_never_loosens(lonely):
    lonely.load(DEFENSECLAW_FAIL_MODE="open")
    assert lonely("tool.execute.before")[0] is not None


def test_the_fail_mode_is_read_on_every_call(lonely):
    for mode in (*FailMode, *FailMode):
        lonely.fail_mode(mode)
        assert (lonely("tool.execute.before")[0] is None) is (mode is FailMode.OPEN)


@pytest.mark.parametrize(
    "content", [None, b"", b"fail_mode=open", b"gateway=x\nfail_mode=open\n", b"\xff" * 9000]
)
def test_a_runtime_file_without_an_address(bridge, gateway, content):
    path = runtime.runtime_path(bridge.host, "opencode")
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    threw, _ = bridge("tool.execute.before")
    assert (threw is None) is (b"fail_mode=open" in (content or b""))
    assert bridge.failures()[0]["reason"] == "not configured"
    assert gateway.requests == []


@pytest.mark.parametrize("harm", ["gone", "short", "upper", "readable", "link", "directory", "huge"])
def test_a_token_that_is_not_right_refuses_even_in_open(bridge, gateway, harm):
    bridge.fail_mode(FailMode.OPEN)
    path = runtime.token_path(bridge.host, "opencode")
    if harm == "short":
        path.write_text("abc")
    elif harm == "upper":
        path.write_text("A" * 64)
    elif harm == "readable":
        path.chmod(0o644)
    elif harm == "huge":
        path.write_text(bridge.token + "\n" * 5000)
    else:
        path.rename(path.with_name("x"))
        if harm == "link":
            path.symlink_to("x")
        elif harm == "directory":
            path.mkdir()
    threw, _ = bridge("tool.execute.before")
    assert "hook token is missing or malformed" in threw
    assert threw.endswith("Mend it: defenseclaw setup opencode")
    assert gateway.requests == []


def test_a_new_token_is_used_by_a_plugin_that_is_loaded(bridge, gateway):
    for digit in "aba":
        runtime.token_path(bridge.host, "opencode").write_text(digit * 64 + "\n")
        bridge("tool.execute.before")
        assert gateway.requests[-1][1]["authorization"] == f"Bearer {digit * 64}"


def test_proxies_of_the_environment_are_not_used(bridge, gateway):
    proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"), f"http://{REFUSED}")
    bridge.load(**proxies, NODE_USE_ENV_PROXY="1")
    assert bridge("tool.execute.before")[0] is None
    assert len(gateway.requests) == 1


def test_the_operators_switch_turns_it_off(bridge, gateway):
    deny(gateway)
    (bridge.host.data_dir / ".disabled").touch()
    for hook in HOOKS:
        assert bridge(hook)[0] is None
    assert gateway.requests == []


@pytest.mark.parametrize("hook", [*HOOKS, HISTORY])
@pytest.mark.parametrize("given", [(None, None), (7, "x"), ({}, {}), ([], [])], ids=str)
def test_odd_calls_are_refusals_or_nothing(lonely, hook, given):
    lonely.fail_mode(FailMode.OPEN)
    answer = lonely.ask(hook=hook, input=given[0], output=given[1])
    assert answer["threw"] is None


def test_a_bug_in_the_bridge_follows_the_fail_mode(bridge, gateway):
    given = golden("chat.message")
    given["output"]["parts"] = None
    threw, _ = bridge("chat.message", given)
    assert "bridge fault (TypeError)" in threw
    bridge.fail_mode(FailMode.OPEN)
    assert bridge("chat.message", given)[0] is None
    assert gateway.requests == []


def test_the_first_failure_is_told_and_all_are_logged(lonely):
    for _ in range(2):
        lonely("tool.execute.before")
    cause = "gateway unreachable (ECONNREFUSED)"
    assert lonely.stderr() == f"defenseclaw: {cause}, blocking tool.execute.before (fail mode closed)\n"
    rows = lonely.failures()
    assert len(rows) == 2
    assert rows[0].pop("ts")[-1] == "Z"
    assert rows[0] == {
        "connector": "opencode",
        "hook": "opencode-plugin",
        "event": "tool.execute.before",
        "reason": cause,
        "category": "transport",
        "fail_mode": "closed",
    }
    assert lonely.log.stat().st_mode & 0o777 == 0o600
    assert lonely.log.parent.stat().st_mode & 0o777 == 0o700


def test_after_a_success_the_next_failure_is_told_again(bridge, gateway):
    for code in (500, 200, 500, 500):
        gateway.reply.status = code
        bridge("tool.execute.before")
    assert bridge.stderr().count("\n") == 2


WORKER = """
import { Worker, isMainThread, parentPort } from "node:worker_threads";

if (isMainThread) {
  new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) }).on("message", (shown) => {
    console.log(JSON.stringify(shown));
  });
} else {
  const shown = [];
  const client = { tui: { showToast: async ({ body }) => shown.push(body) } };
  const { DefenseClaw } = await import(process.argv[2]);
  const hooks = await DefenseClaw({ client, directory: "/" });
  await hooks["tool.execute.before"]({}, {}).catch(() => {});
  parentPort.postMessage(shown);
}
"""


def test_in_the_terminal_interface_it_is_told_in_a_toast(lonely):
    """There OpenCode runs its plugins in a worker, and a line on stderr would tear the screen."""
    script = lonely.folder / "worker.mjs"
    script.write_text(WORKER)
    command = [node(), str(script), lonely.plugin.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == ""
    (toast,) = json.loads(done.stdout)
    assert (toast["title"], toast["variant"]) == ("DefenseClaw", "error")
    assert toast["message"].startswith("gateway unreachable (ECONNREFUSED), blocking tool.execute.before")


def test_the_log_is_bounded(lonely):
    lonely.log.parent.mkdir()
    lonely.log.write_bytes(b"x" * (5 * 1024 * 1024 + 1))
    lonely("tool.execute.before")
    assert len(lonely.failures()) == 1
    assert lonely.log.with_name("hook-failures.jsonl.1").stat().st_size > 5 * 1024 * 1024


def test_a_log_that_cannot_be_written_does_not_decide(lonely):
    lonely.log.mkdir(parents=True)
    assert "fails closed" in lonely("tool.execute.before")[0]
    lonely.fail_mode(FailMode.OPEN)
    assert lonely("tool.execute.before")[0] is None


def test_events_that_pile_up_are_dropped(host, make):
    address, close = raw_gateway(b"")
    try:
        bridge = make(replace(host, api_address=address))
        bridge.speed_up(MAX_PENDING=2, TOTAL_MS=400, FLUSH_MS=1)
        for _ in range(5):
            bridge.event("session.idle")
        bridge("tool.execute.before")
    finally:
        close()
    assert [each["event"] for each in bridge.failures()].count("session.idle") <= 2
