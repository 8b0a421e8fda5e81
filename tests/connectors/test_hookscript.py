"""The hook script, run for real by every shell there is, against a gateway that behaves and misbehaves."""

import base64
import json
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from msgspec.structs import replace

from defenseclaw.connectors import claudecode, disk, hookscript, runtime
from defenseclaw.connectors.base import Host, SetupOptions
from defenseclaw.vocabulary import FailMode

CLAUDE = claudecode.CONNECTOR
DENY = {"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "deny"}}
SHELLS = [each for each in ("/bin/sh", "/bin/bash", "/usr/bin/dash") if Path(each).exists()]


class Installed:
    """A script as a setup leaves it."""

    def __init__(self, host: Host, fail_mode: FailMode) -> None:
        self.host = host
        options = SetupOptions(fail_mode=fail_mode, force=True)
        for change in CLAUDE.plan_setup(host, options).changes:
            if not change.logical:
                disk.make_directories(change.path.parent)
                disk.write(change.path, change.content or b"", change.mode)
        self.path = hookscript.script_path(host, "claude-code-hook")
        self.log = host.data_dir / "logs" / "hook-failures.jsonl"

    def run(self, event="PreToolUse", stdin=b"{}", env=None, shell=None):
        command = hookscript.command(self.path, event)
        if shell:
            command = f"{shell} {command}"
        return subprocess.run(
            ["/bin/sh", "-c", command],
            input=stdin,
            capture_output=True,
            env=env or {},
            timeout=20,
            check=False,
        )

    def failures(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def install(host, gateway):
    return lambda mode=FailMode.OPEN: Installed(replace(host, api_address=gateway.address), mode)


@pytest.fixture
def dead_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


# ---- answers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", SHELLS)
def test_allow_prints_nothing(install, gateway, shell):
    gateway.answers()
    done = install().run(shell=shell)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_answer_is_printed_as_it_came(install, gateway, shell):
    body = json.dumps({**DENY, "reason": "quote ' \" \\n $HOME `id` é %s"}, ensure_ascii=False).encode()
    gateway.answers(body)
    done = install().run(shell=shell)
    assert (done.returncode, done.stdout, done.stderr) == (0, body + b"\n", b"")


def test_exit_code_and_stderr_come_from_headers(install, gateway):
    gateway.answers(b"", 2, **{"X-DefenseClaw-Stderr": base64.b64encode("blocked: é".encode()).decode()})
    done = install().run()
    assert (done.returncode, done.stdout, done.stderr) == (2, b"", "blocked: é".encode())


def test_header_names_may_be_lower_case(install, gateway):
    gateway.reply.headers = {"x-defenseclaw-exit-code": "3"}
    assert install().run().returncode == 3


def test_a_body_that_looks_like_headers_changes_nothing(install, gateway):
    body = b'{"a":"1"}\n\n\nX-DefenseClaw-Exit-Code: 2\r\n\r\nend'
    gateway.answers(body)
    done = install().run()
    assert (done.returncode, done.stdout) == (0, body + b"\n")


def test_two_megabytes_go_in_and_come_out_whole(install, gateway):
    payload = b'{"tool_response":"' + b"x" * 2_000_000 + b'"}'
    gateway.answers(payload)
    done = install().run(event="PostToolUse", stdin=payload)
    assert gateway.requests[0][2] == payload
    assert done.stdout == payload + b"\n"


# ---- what is sent ---------------------------------------------------------------------------------


def test_headers_name_client_event_and_token(install, gateway):
    gateway.answers()
    script = install()
    script.run(stdin=b'\x00{"not": "touched"}\n\n')
    path, headers, body = gateway.requests[0]
    assert path == "/api/v1/claude-code/hook"
    assert body == b'\x00{"not": "touched"}\n\n'
    assert headers["content-type"] == "application/json"
    assert headers["x-defenseclaw-client"] == "claude-code-hook/1.0"
    assert headers["x-defenseclaw-hook-event"] == "PreToolUse"
    assert headers["x-defenseclaw-answer"] == "native"
    assert headers["authorization"] == f"Bearer {runtime.read_token(script.host, 'claudecode')}"
    assert "expect" not in headers


@pytest.mark.parametrize(
    ("sent", "forwarded"),
    [
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", True),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nX-Evil: 1", False),
        ("nonsense", False),
    ],
)
def test_only_a_wellformed_traceparent_is_forwarded(install, gateway, sent, forwarded):
    gateway.answers()
    install().run(env={"TRACEPARENT": sent})
    assert gateway.requests[0][1].get("traceparent") == (sent if forwarded else None)


def test_two_processes_and_the_token_in_no_argument_list(install, gateway, until):
    gateway.answers()
    gateway.reply.delay_s = 5
    script = install()
    token = runtime.read_token(script.host, "claudecode").encode()
    thread = threading.Thread(target=script.run)
    thread.start()
    assert until(lambda: bool(gateway.requests))
    found = {}
    for each in Path("/proc").glob("[0-9]*"):
        try:
            found[each.name] = (each / "cmdline").read_bytes()
        except OSError:
            continue
    gateway.released.set()
    thread.join()
    assert not any(token in line for line in found.values())
    conf = str(script.host.data_dir).encode() + b"/hooks/.curl-claudecode.conf"
    ours = [pid for pid, line in found.items() if conf in line or str(script.path).encode() in line]
    # the command the agent runs, the script, curl: no helper and no subshell in between
    assert len([pid for pid in ours if b"\0-c\0" not in found[pid]]) == 2


def test_the_agents_environment_has_no_say(install, gateway, tmp_path, dead_port):
    gateway.answers(b'{"from":"gateway"}')
    (tmp_path / ".curlrc").write_text('url = "http://127.0.0.1:1/"\n')
    (tmp_path / "curl").write_text("#!/bin/sh\necho fooled\n")
    (tmp_path / "curl").chmod(0o755)
    (tmp_path / "env.sh").write_text("echo fooled; exit 0\n")
    hostile = {
        "PATH": str(tmp_path),
        "HOME": str(tmp_path),
        "CURL_HOME": str(tmp_path),
        "ENV": str(tmp_path / "env.sh"),
        "BASH_ENV": str(tmp_path / "env.sh"),
        "http_proxy": f"http://{dead_port}",
        "ALL_PROXY": f"http://{dead_port}",
        "IFS": "/-",
        "BASH_FUNC_printf%%": "() { echo fooled; }",
        "BASH_FUNC_test%%": "() { return 1; }",
        "failing": "/",
        "exit_code": "0",
    }
    (tmp_path / "sh").symlink_to("/bin/bash")  # where /bin/sh is bash; by its own name it obeys BASH_ENV
    for shell in ("/bin/sh", f"'{tmp_path}/sh'"):
        done = install().run(env=hostile, shell=shell)
        assert (done.returncode, done.stdout) == (0, b'{"from":"gateway"}\n')


def test_an_event_name_cannot_smuggle_a_header(install, gateway):
    gateway.answers()
    script = install()
    subprocess.run([script.path, "Pre\r\nX-Evil: 1"], input=b"{}", env={}, check=True, capture_output=True)
    assert gateway.requests[0][1]["x-defenseclaw-hook-event"] == "unknown"
    assert "x-evil" not in gateway.requests[0][1]


# ---- failures -------------------------------------------------------------------------------------


def break_status(gateway):
    gateway.answers(b'{"decision":"allow"}')
    gateway.reply.status = 500


def break_exit_code(gateway):
    gateway.reply.body = b'{"decision":"allow"}'


def break_exit_code_value(gateway):
    gateway.answers(b"x")
    gateway.reply.headers["X-DefenseClaw-Exit-Code"] = "0; rm"


def break_body(gateway):
    gateway.answers(b'{"decision":"allow"}' * 100)
    gateway.reply.cut = True


def break_token(gateway):
    gateway.reply.status = 401


def break_redirect(gateway):
    gateway.reply.status = 307
    gateway.reply.headers = {
        "Location": f"http://{gateway.address}/elsewhere",
        "X-DefenseClaw-Exit-Code": "0",
    }


BREAKS = [break_status, break_exit_code, break_exit_code_value, break_body, break_token, break_redirect]


@pytest.mark.parametrize("how", BREAKS)
def test_open_lets_pass_and_prints_no_part_of_a_bad_answer(install, gateway, how):
    script = install(FailMode.OPEN)
    how(gateway)
    done = script.run()
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.startswith(b"defenseclaw: gateway ")
    assert done.stderr.endswith(b"allowing PreToolUse (fail mode open)\n")
    assert len(gateway.requests) == 1


@pytest.mark.parametrize("how", BREAKS)
def test_closed_answers_in_the_agents_own_words(install, gateway, how):
    script = install(FailMode.CLOSED)
    how(gateway)
    done = script.run()
    assert done.returncode == 0
    assert json.loads(done.stdout)["hookSpecificOutput"]["permissionDecision"] == "deny"
    assert done.stderr.endswith(b"blocking PreToolUse (fail mode closed)\n")


@pytest.mark.parametrize(
    ("event", "path", "value"),
    [
        ("PreToolUse", ("hookSpecificOutput", "permissionDecision"), "deny"),
        ("PermissionRequest", ("hookSpecificOutput", "decision", "behavior"), "deny"),
        ("UserPromptSubmit", ("decision",), "block"),
        ("UserPromptExpansion", ("decision",), "block"),
        ("PostToolUse", ("decision",), "block"),
    ],
)
def test_the_closed_answer_of_each_event(host, dead_port, event, path, value):
    script = Installed(replace(host, api_address=dead_port), FailMode.CLOSED)
    answer = json.loads(script.run(event).stdout)
    for key in path:
        answer = answer[key]
    assert answer == value


@pytest.mark.parametrize(
    "event", ["Stop", "SubagentStop", "SessionStart", "SessionEnd", "MessageDisplay", ""]
)
def test_stops_and_lifecycle_never_block_on_a_failure(host, dead_port, event):
    script = Installed(replace(host, api_address=dead_port), FailMode.CLOSED)
    done = script.run(event)
    assert (done.returncode, done.stdout) == (0, b"")


def test_only_the_first_failure_after_a_success_is_told_but_all_are_logged(install, gateway):
    script = install(FailMode.OPEN)
    gateway.answers()
    told = []
    for status in (500, 500, 200, 500):
        gateway.reply.status = status
        told.append(bool(script.run().stderr))
    assert told == [True, False, False, True]
    assert len(script.failures()) == 3


def test_the_failure_log_line(host, dead_port):
    script = Installed(replace(host, api_address=dead_port), FailMode.OPEN)
    script.run("Stop", stdin=b'{"prompt":"secret words"}')
    (row,) = script.failures()
    assert row.pop("ts").endswith("Z")
    assert row == {
        "connector": "claudecode",
        "hook": "claude-code-hook",
        "event": "Stop",
        "reason": "gateway unreachable",
        "category": "transport",
        "fail_mode": "open",
    }
    assert script.log.stat().st_mode & 0o777 == 0o600


def test_a_slow_gateway_is_left_before_the_agents_timeout(install, gateway):
    script = install(FailMode.CLOSED)
    gateway.answers(b"{}")
    gateway.reply.delay_s = 15
    conf = runtime.curl_path(script.host, "claudecode")
    assert "max-time = 10\n" in conf.read_text()
    conf.write_text(conf.read_text().replace("max-time = 10", "max-time = 1"))
    done = script.run()
    assert b"timed out" in done.stderr
    assert b"deny" in done.stdout


@pytest.mark.parametrize(
    ("baked", "env", "blocked"),
    [
        # the environment tightens
        (FailMode.OPEN, {"DEFENSECLAW_FAIL_MODE": "closed"}, True),
        (FailMode.OPEN, {"DEFENSECLAW_STRICT_AVAILABILITY": "1"}, True),
        (FailMode.OPEN, {"DEFENSECLAW_STRICT_AVAILABILITY": "yes"}, True),
        # and never loosens
        (FailMode.CLOSED, {"DEFENSECLAW_FAIL_MODE": "open"}, True),
        (FailMode.CLOSED, {"DEFENSECLAW_STRICT_AVAILABILITY": "0"}, True),
        (FailMode.OPEN, {"DEFENSECLAW_FAIL_MODE": "nonsense"}, False),
    ],
)
def test_the_environment_may_tighten_the_fail_mode(host, dead_port, baked, env, blocked):
    script = Installed(replace(host, api_address=dead_port), baked)
    assert bool(script.run(env=env).stdout) is blocked


def test_the_fail_mode_is_read_on_every_call(host, dead_port):
    host = replace(host, api_address=dead_port)
    script = Installed(host, FailMode.OPEN)
    assert script.run().stdout == b""
    assert runtime.write_runtime(host, CLAUDE, FailMode.CLOSED)
    assert b"deny" in script.run().stdout


def test_a_new_address_reaches_the_script(host, gateway, dead_port):
    script = Installed(replace(host, api_address=dead_port), FailMode.OPEN)
    gateway.answers(b'{"new":1}')
    runtime.write_runtime(replace(host, api_address=gateway.address), CLAUDE, FailMode.OPEN)
    assert script.run().stdout == b'{"new":1}\n'


def test_without_its_runtime_file_the_script_is_closed(host, dead_port):
    script = Installed(replace(host, api_address=dead_port), FailMode.OPEN)
    runtime.runtime_path(host, "claudecode").unlink()
    assert b"deny" in script.run().stdout


def test_without_its_token_file_the_script_fails_by_mode(install, gateway):
    gateway.answers()
    script = install(FailMode.CLOSED)
    runtime.curl_path(script.host, "claudecode").unlink()
    done = script.run()
    assert b"hook is not configured" in done.stderr
    assert b"deny" in done.stdout
    assert not gateway.requests


def test_the_operators_switch_turns_governance_off(install, gateway):
    script = install(FailMode.CLOSED)
    (script.host.data_dir / ".disabled").touch()
    done = script.run(stdin=b"x" * 200_000)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert not gateway.requests


def test_the_failure_log_keeps_one_predecessor(host, dead_port):
    script = Installed(replace(host, api_address=dead_port), FailMode.OPEN)
    script.log.parent.mkdir()
    script.log.write_bytes(b"x" * 6_000_000)
    script.run()
    assert len(script.failures()) == 1
    assert (script.log.parent / "hook-failures.jsonl.1").stat().st_size == 6_000_000


# ---- rendering ------------------------------------------------------------------------------------


def test_the_script_is_ours_alone_and_marked(install):
    script = install()
    assert script.path.stat().st_mode & 0o777 == 0o700
    assert script.path.read_text().splitlines()[1] == "# defenseclaw-managed-hook v1"
    assert "@" not in script.path.read_text().replace('"$@"', "").replace("$@", "")
    token = runtime.read_token(script.host, "claudecode")
    assert token not in script.path.read_text()


def test_setup_refuses_without_curl(host, monkeypatch):
    monkeypatch.setattr(hookscript, "CURL_PATHS", ("/nowhere/curl",))
    with pytest.raises(hookscript.SetupError, match="curl"):
        hookscript.render(host, CLAUDE, "x", {})
