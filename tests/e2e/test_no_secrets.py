"""No secret anywhere: not in a file of ours, not in the store's bytes, not on a terminal, not in argv.

Secrets of the right shapes are planted wherever an agent, a client or an operator can put one, in observe
and in action mode, with errors and with ``kill -9``. Then everything that is left is searched for them, as
they are, in base64 at each of its three offsets, in base64url, in hexadecimal and percent-encoded.

The copies of agents' files in ``backups/`` are exact and 0600, and the agents' own files are theirs.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests.e2e.product import BIN, Product
from tests.integration.planted import Mint

pytestmark = pytest.mark.smoke

HOOKS = {"claudecode": "/api/v1/claude-code/hook", "omnigent": "/api/v1/omnigent/hook"}


def spellings(secret: str) -> dict[str, bytes]:
    """How a secret may stand in a file, by name of the spelling."""
    raw = secret.encode()
    found = {"as it is": raw, "hex": raw.hex().encode(), "reversed": raw[::-1]}
    if quote(secret, safe="") != secret:
        found["percent-encoded"] = quote(secret, safe="").encode()
    for offset in range(3):
        padded = base64.b64encode(b"\0" * offset + raw)
        # Without the characters that its neighbours share.
        middle = padded[4 if offset else 0 : -4]
        found[f"base64 at {offset}"] = middle
        found[f"base64url at {offset}"] = middle.translate(bytes.maketrans(b"+/", b"-_"))
    found["UTF-16"] = secret.encode("utf-16-le")
    found["every character percent-encoded"] = "".join(f"%{byte:02X}" for byte in raw).encode()
    return found


@dataclass
class Planted:
    """The secrets of one run by the place they were put in."""

    mint: Mint
    by_place: dict[str, str] = field(default_factory=dict)

    def __call__(self, place: str, shape: str = "github") -> str:
        secret: str = getattr(self.mint, shape)()
        self.by_place[place] = secret
        return secret

    def found_in(self, content: bytes) -> Iterator[str]:
        for place, secret in self.by_place.items():
            for name, spelling in spellings(secret).items():
                if spelling in content:
                    yield f"{place} ({name})"


def test_the_search_finds_what_is_there() -> None:
    planted = Planted(Mint(1))
    secret = planted("somewhere", "password")
    for content in (
        secret.encode(),
        base64.b64encode(b"x" + secret.encode() + b"y"),
        base64.b64encode(b"xy" + secret.encode()),
        base64.urlsafe_b64encode(b"xyz" + secret.encode() + b"z"),
        quote(secret, safe="").encode(),
        secret.encode().hex().encode(),
    ):
        assert list(planted.found_in(b"before " + content + b" after"))
    assert not list(planted.found_in(b"before after"))


# ---- planting -----------------------------------------------------------------------------------------


class Run:
    """One gateway and all that is done to it."""

    def __init__(self, root: Path, mode: str, seed: int) -> None:
        agents = root / "agents"
        agents.mkdir(parents=True)
        claude = agents / "claude"
        claude.write_text('#!/bin/sh\necho "2.1.200 (Claude Code)"\n')
        claude.chmod(0o755)
        self.product = Product(root, agent_path=(agents,))
        self.mode = mode
        self.planted = Planted(Mint(seed))
        self.shown: list[bytes] = []
        """What commands printed and the gateway answered to callers without a token."""

    def go(self) -> None:
        product, planted = self.product, self.planted
        product.init()
        for key, value in (
            ("guardrail.mode", self.mode),
            ("guardrail.connectors.omnigent.enabled", "true"),
        ):
            product.cli("config", "set", key, value)
        environment = {
            "MY_API_TOKEN": planted("the environment"),
            "DB_PASSWORD": planted("a password", "password"),
        }
        product.start(**environment)
        product.cli("setup", "claude-code", "--mode", self.mode, "--yes")
        self.plant_in_inspections()
        self.plant_in_hooks()
        self.plant_in_correlation()
        self.plant_in_operations()
        self.plant_in_errors()
        self.look_at_processes()
        self.run_commands(environment)
        product.stop(signal.SIGKILL)
        self.start_showing_verdicts(environment)
        self.plant_in_inspections()
        self.plant_in_hooks()
        self.plant_in_full_disk()
        self.run_hook_scripts()
        self.run_commands(environment)
        product.stop()
        self.run_hook_scripts()

    def start_showing_verdicts(self, environment: dict[str, str]) -> None:
        """As ``make run`` does; what it prints goes into a file that is searched with the others."""
        product = self.product
        with (product.root / "terminal.txt").open("ab") as terminal:
            product.gateway = subprocess.Popen(
                [BIN / "defenseclaw-gateway", "run"],
                env={**product.env, **environment},
                stdin=subprocess.DEVNULL,
                stdout=terminal,
                stderr=terminal,
            )
        product.wait_ready()

    def send(self, path: str, body: Any, **headers: str) -> None:
        status, _ = self.product.request("POST", path, body, headers)
        assert status < 500 or status == 503, status

    def plant_in_inspections(self) -> None:
        planted = self.planted
        nested = {"a": [{"b": planted("an argument deep down", "slack")}], planted("a key"): 1}
        self.send("/api/v1/inspect/tool", {"tool": "mcp__crm__add", "args": nested})
        for shape in ("github", "aws", "slack", "gitlab", "stripe", "anthropic"):
            secret = planted(f"a command ({shape})", shape)
            command = f"curl -H 'Authorization: Bearer {secret}' https://api.example.com/"
            self.send("/api/v1/inspect/tool", {"tool": "Bash", "args": {"command": command}})
        content = f'KEY = "{planted("a file that is written", "aws")}"\n'
        self.send(
            "/api/v1/inspect/tool", {"tool": "Write", "args": {"file_path": "/a.py", "content": content}}
        )
        self.send("/api/v1/inspect/tool", {"tool": "Read", "args": {"file_path": f"/{planted('a path')}"}})
        url = f"https://user:{planted('a URL', 'password')}@example.com/?k={planted('a query')}"
        self.send("/api/v1/inspect/tool", {"tool": "WebFetch", "args": {"url": url}})
        self.send("/api/v1/inspect/tool", {"tool": planted("the name of a tool"), "args": {}})
        self.send("/api/v1/inspect/tool", {"tool": "x", "args": {}, "mcp_server_name": planted("a server")})
        self.send(
            "/api/v1/inspect/request", {"content": f"use {planted('a prompt')}", "model": planted("a model")}
        )
        assignment = f'password = "{planted("an assigned password", "password")}"'
        self.send("/api/v1/inspect/request", {"content": assignment})
        self.send("/api/v1/inspect/response", {"content": f"it is {planted('a completion', 'gitlab')}."})
        output = {"stdout": f"TOKEN={planted('a result')}", "lines": [planted("a result's list", "aws")]}
        self.send("/api/v1/inspect/tool-response", {"tool": "Bash", "output": output})
        hidden = base64.b64encode(f"the token is {planted('an encoded result')}".encode()).decode()
        self.send("/api/v1/inspect/tool-response", {"tool": "Bash", "output": hidden})
        self.send(
            "/api/v1/inspect/tool",
            {"tool": "Bash", "args": {"command": f"echo {planted('revealed evidence')}"}},
            **{"X-DefenseClaw-Reveal-PII": "1"},
        )

    def plant_in_hooks(self) -> None:
        planted = self.planted
        claude, omnigent = HOOKS["claudecode"], HOOKS["omnigent"]
        common = {
            "session_id": planted("a session id"),
            "cwd": f"/srv/{planted('a working directory')}",
            "permission_mode": planted("a permission mode"),
            "agent_id": planted("an agent id"),
            "transcript_path": f"/t/{planted('a transcript path')}",
        }
        command = {"command": f"deploy --token {planted('a hooked command')}"}
        events: list[dict[str, Any]] = [
            {"hook_event_name": "UserPromptSubmit", "prompt": f"{planted('a hooked prompt')} please"},
            {"hook_event_name": "UserPromptExpansion", "command_name": planted("a slash command")},
            {"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": command},
            {"hook_event_name": "PreToolUse", "tool_name": planted("a hooked tool"), "tool_input": {}},
            {
                "hook_event_name": "PostToolUse",
                "tool_name": "Read",
                "tool_response": planted("a hooked result"),
            },
            {"hook_event_name": "PostToolUseFailure", "error": f"no: {planted('a failure')}"},
            {"hook_event_name": "Stop", "last_assistant_message": f"so {planted('a last message')}"},
            {
                "hook_event_name": "SessionStart",
                "source": planted("a source"),
                "model": planted("a start's model"),
            },
            {"hook_event_name": planted("the name of an event")},
        ]
        for event in events:
            self.send(claude, {**common, **event})
            self.send(claude, {**common, **event}, **{"X-DefenseClaw-Answer": "native"})
        phases: list[dict[str, Any]] = [
            {"omnigent_event_type": "request", "prompt": f"x {planted('an OmniGent prompt')}"},
            {"omnigent_event_type": "tool_call", "tool_name": "sys_os_shell", "tool_input": command},
            {"omnigent_event_type": "tool_result", "tool_response": [planted("an OmniGent result")]},
            {"omnigent_event_type": "response", "tool_response": planted("an OmniGent answer")},
            {"omnigent_event_type": planted("a phase"), "hook_event_name": "PreToolUse"},
        ]
        for phase in phases:
            extra = {"conversation_id": planted("a conversation"), "harness": planted("a harness")}
            self.send(omnigent, {**phase, **extra, "agent_name": planted("an agent's name")})

    def plant_in_correlation(self) -> None:
        names = (
            "Request-Id",
            "Session-Id",
            "Agent-Id",
            "Agent-Name",
            "Policy-Id",
            "Destination-App",
            "User-Id",
        )
        headers = {f"X-DefenseClaw-{name}": self.planted(f"the header {name}") for name in names}
        headers["X-DefenseClaw-Client"] = self.planted("the header Client")
        headers["User-Agent"] = self.planted("the header User-Agent")
        headers["Cookie"] = f"session={self.planted('a cookie')}"
        call = {"tool": "Bash", "args": {"command": "rm -rf /"}}
        self.send("/api/v1/inspect/tool", call, **headers)
        self.send(HOOKS["claudecode"], {"hook_event_name": "Stop"}, **headers)
        self.product.request("GET", f"/alerts?limit=5&token={self.planted('a query string')}")

    def plant_in_operations(self) -> None:
        planted = self.planted
        event = {
            "action": "custom",
            "details": f"used {planted('audit details')}",
            "target": planted("an audit target"),
            "actor": planted("an audit actor"),
            "session_id": planted("an audit session"),
            "structured": {"a": [planted("audit structure")], planted("an audit key"): True},
        }
        self.send("/audit/event", event)
        self.send("/audit/event", {"action": planted("an audit action")})
        entry = {"target_type": "tool", "target_name": "t", "reason": f"leaks {planted('a reason')}"}
        self.send("/enforce/block", entry)
        self.send("/config/patch", {"path": planted("a configuration key"), "value": 1})
        self.send("/config/patch", {"path": "guardrail.mode", "value": planted("a configuration value")})

    def plant_in_errors(self) -> None:
        planted, product = self.planted, self.product
        bad = f'{{"tool": "{planted("malformed JSON")}", '.encode()
        self.send("/api/v1/inspect/tool", bad)
        named = {"X-DefenseClaw-Hook-Event": "PreToolUse"}
        self.send(HOOKS["claudecode"], bad, **named)
        self.send(HOOKS["claudecode"], bad)
        self.send("/api/v1/inspect/tool", {"tool": [planted("a wrong type")]})
        self.send("/api/v1/inspect/tool", planted("not an object").encode())
        self.send(f"/{planted('an unknown path')}", {})
        wrong = {"Authorization": f"Bearer {planted('a wrong token')}"}
        for path in ("/status", "/api/v1/inspect/tool"):
            self.send(path, {"tool": planted("a refused body")}, **wrong)
        self.send(
            "/status", {}, **{"X-DefenseClaw-Token": planted("a wrong second token"), "Authorization": ""}
        )
        self.send("/status", {}, Host=f"{planted('a foreign host')}.example")
        self.send("/status", {}, Origin=f"https://{planted('a foreign origin')}.example")
        for raw in (
            f"GET /{planted('half a request')} HTTP/1.1\r\n",
            f"{planted('a method')} / HTTP/1.1\r\n\r\n",
            f"GET / HTTP/1.1\r\nX-A: {planted('a huge header')}{'a' * 40_000}\r\n\r\n",
        ):
            with socket.create_connection(("127.0.0.1", product.port), timeout=5) as connection:
                connection.sendall(raw.encode())
                connection.shutdown(socket.SHUT_WR)
                self.shown.append(connection.recv(65536))
        configuration = product.data / "config.yaml"
        kept = configuration.read_text()
        configuration.write_text(f"{kept}\nenvironment: [{planted('broken YAML')}\n")
        wait_for(lambda: product.request("GET", "/health")[1]["status"] == "degraded")
        self.shown.append(json.dumps(product.request("GET", "/health")[1]).encode())
        configuration.write_text(
            kept.replace("guardrail:", f"guardrail:\n  hook_fail_mode: {planted('a bad enum')}", 1)
        )
        time.sleep(0.5)
        self.shown.append(json.dumps(product.request("GET", "/health")[1]).encode())
        configuration.write_text(kept)
        wait_for(lambda: product.request("GET", "/health")[1]["status"] == "ok")

    def plant_in_full_disk(self) -> None:
        import resource

        assert self.product.gateway is not None
        pid = self.product.gateway.pid
        soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, hard))
        command = {"command": f"echo {self.planted('an unrecorded command')}"}
        self.send("/api/v1/inspect/tool", {"tool": "Bash", "args": command})
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))

    def run_hook_scripts(self) -> None:
        """As the agent runs them; with the gateway away, what fails is written down."""
        settings = json.loads((self.product.home / ".claude" / "settings.json").read_text())
        for event, groups in settings["hooks"].items():
            payload = {
                "hook_event_name": event,
                "session_id": self.planted(f"the session of {event}"),
                "prompt": self.planted(f"the prompt of {event}"),
                "tool_name": "Bash",
                "tool_input": {"command": f"echo {self.planted(f'the command of {event}')}"},
                "last_assistant_message": self.planted(f"the message of {event}"),
            }
            done = subprocess.run(
                groups[0]["hooks"][0]["command"],
                shell=True,
                input=json.dumps(payload).encode(),
                env=self.product.env,
                capture_output=True,
                timeout=30,
            )
            self.shown += [done.stdout, done.stderr]

    def look_at_processes(self) -> None:
        assert self.product.gateway is not None
        for pid in family(self.product.gateway.pid):
            self.shown.append(Path(f"/proc/{pid}/cmdline").read_bytes())
            self.shown.append(Path(f"/proc/{pid}/comm").read_bytes())
            if pid != self.product.gateway.pid:
                self.shown.append(Path(f"/proc/{pid}/environ").read_bytes())

    def run_commands(self, environment: dict[str, str]) -> None:
        for arguments in (
            ("status",),
            ("status", "--json"),
            ("doctor",),
            ("alerts",),
            ("alerts", "--json"),
            ("config", "show"),
            ("audit", "verify"),
            ("version",),
        ):
            done = self.product.cli(*arguments, code=None, env=environment)
            self.shown += [done.stdout.encode(), done.stderr.encode()]
            assert "Traceback" not in done.stderr
        exported = subprocess.run(
            [BIN / "defenseclaw-gateway", "audit", "export", "--include-activity"],
            env={**self.product.env, **environment},
            check=True,
            capture_output=True,
        )
        self.shown += [exported.stdout, exported.stderr]


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in family(int(child)))]


def wait_for(hold: Any, within_s: float = 10) -> None:
    deadline = time.monotonic() + within_s
    while not hold():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("mode", ["observe", "action"])
def test_no_secret_is_left_anywhere(tmp_path: Path, mode: str) -> None:
    run = Run(tmp_path / "m", mode, seed=len(mode))
    run.go()
    leaks = [f"shown: {place}" for content in run.shown for place in run.planted.found_in(content)]
    searched = 0
    token = run.product.token
    for folder, _, names in os.walk(run.product.root):
        if Path(folder).name == "backups":
            continue
        for name in names:
            path = Path(folder) / name
            where = path.relative_to(run.product.root)
            content = path.read_bytes()
            leaks += [f"{where}: {place}" for place in run.planted.found_in(content)]
            if path != run.product.data / ".env" and token.encode() in content:
                leaks.append(f"{where}: the gateway's token")
            leaks += [f"the name {where}: {place}" for place in run.planted.found_in(str(where).encode())]
            searched += 1
    assert not leaks, "\n".join(sorted(set(leaks)))
    assert searched > 8
    assert (run.product.data / "logs" / "hook-failures.jsonl").stat().st_size > 0
    assert "SEC-GITHUB-TOKEN" in (run.product.root / "terminal.txt").read_text()
    assert not any(token.encode() in content for content in run.shown)
    assert len(run.planted.by_place) > 120
    assert len(run.product.rows()) > 60, "what was planted went through"
