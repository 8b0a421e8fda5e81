from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from defenseclaw import __version__
from defenseclaw.audit import rows
from defenseclaw.audit.records import ProcessIdentity
from defenseclaw.audit.store import Store
from defenseclaw.cli import cli
from defenseclaw.vocabulary import (
    Action,
    Correlation,
    Door,
    Event,
    EventKind,
    Evidence,
    Finding,
    Mode,
    Severity,
    Verdict,
)

CLAUDE_VERSION = "2.1.200"


@dataclass
class Machine:
    """A scratch machine: a home, a data directory, and a PATH that holds what a test puts there."""

    root: Path

    def __post_init__(self) -> None:
        for folder in (self.home, self.bin):
            folder.mkdir()

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def data(self) -> Path:
        return self.home / ".defenseclaw"

    @property
    def config(self) -> Path:
        return self.data / "config.yaml"

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    @property
    def claude_settings(self) -> Path:
        return self.home / ".claude" / "settings.json"

    @property
    def env(self) -> dict[str, str | None]:
        return {
            "HOME": str(self.home),
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "NO_COLOR": "1",
            "DEFENSECLAW_HOME": None,
            "DEFENSECLAW_CONFIG": None,
            "DEFENSECLAW_GATEWAY_TOKEN": None,
            "OPENCLAW_GATEWAY_TOKEN": None,
            "CLAUDE_CONFIG_DIR": None,
            "OMNIGENT_CONFIG_HOME": None,
        }

    def run(self, *arguments: str, code: int | None = 0, stdin: str = "", **env: str) -> Result:
        """Run the command line in this process; fail the test on any other exit code than ``code``."""
        done = CliRunner().invoke(cli, list(arguments), input=stdin, env={**self.env, **env})
        assert code in (None, done.exit_code), (
            f"{arguments}: {done.exit_code}\n{done.output}\n{done.exception!r}"
        )
        return done

    def json(self, *arguments: str, code: int | None = 0) -> Any:
        """Run with --json; stdout must be one JSON value and nothing else."""
        return json.loads(self.run(*arguments, "--json", code=code).stdout)

    def with_claude(self, settings: str = '{"model": "opus"}') -> Machine:
        program = self.bin / "claude"
        program.write_text(f'#!/bin/sh\necho "{CLAUDE_VERSION} (Claude Code)"\n')
        program.chmod(0o755)
        self.claude_settings.parent.mkdir(exist_ok=True)
        self.claude_settings.write_text(settings)
        return self

    def record(
        self,
        evaluation_id: str,
        *,
        severity: Severity = Severity.CRITICAL,
        tool: str = "Bash",
        request_id: str = "",
        connector: str = "claudecode",
        hook: str = "PreToolUse",
        session_id: str = "",
        tool_call_id: str = "",
        second: int = 5,
    ) -> None:
        """Append one verdict to the store, as the gateway would."""
        self.data.mkdir(mode=0o700, exist_ok=True)
        finding = Finding(
            rule_id="CMD-RM-ROOT",
            title="Recursive delete of the root",
            category="command",
            severity=severity,
            confidence=0.9,
            evidence=Evidence("rm -rf /"),
            because="rm, recursive",
        )
        found = severity is not Severity.NONE
        event = Event(
            kind=EventKind.TOOL_CALL,
            door=Door.HOOK,
            name=hook,
            connector=connector,
            tool=tool,
            args={"command": "rm -rf /"},
            correlation=Correlation(request_id=request_id, session_id=session_id, tool_call_id=tool_call_id),
        )
        verdict = Verdict(
            evaluation_id=evaluation_id,
            action=Action.ALLOW,
            raw_action=Action.BLOCK if found else Action.ALLOW,
            severity=severity,
            confidence=0.9,
            mode=Mode.OBSERVE,
            findings=(finding,) if found else (),
            reason="matched: CMD-RM-ROOT" if found else "",
            would_block=found,
            trail=("CRITICAL is at the blocking threshold: block", "observe: allow") if found else (),
        )
        batch = rows.batch_for(
            event,
            verdict,
            process=ProcessIdentity(run_id="r", sidecar_instance_id="i", binary_version=__version__),
            placeholder=lambda text: f"<redacted len={len(text)} sha=00000000>",
            clean=str,
            elapsed_ms=1.0,
            now=f"2026-01-02T03:04:{second:02}.000000Z",
            state=None,
            rule_pack="default",
            fix_for=lambda _rule: "Name the folder you mean.",
        )
        store = Store.open(self.data / "audit.db")
        appender = store.appender()
        appender.append([batch], 1_767_323_045_000)
        appender.close()
        store.close()

    def files(self) -> dict[str, bytes]:
        """Every file of the home outside the data directory."""
        return {
            str(path.relative_to(self.home)): path.read_bytes()
            for path in sorted(self.home.rglob("*"))
            if path.is_file() and not path.is_relative_to(self.data)
        }


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@dataclass
class Answering:
    """A stand-in for the gateway's HTTP door: fixed answers by path, and what it was asked."""

    answers: dict[str, tuple[int, Any]]
    on_post: Callable[[dict[str, str], Any], None] = lambda _headers, _body: None
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    port: int = 0


@pytest.fixture
def answering() -> Iterator[Answering]:
    stand_in = Answering(
        {
            "/health": (200, {"status": "ok", "provenance": {"binary_version": __version__}}),
            "/ready": (200, {"status": "ok"}),
        }
    )

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            stand_in.on_post(dict(self.headers), body)
            self.answer(body)

        def answer(self, body: Any = None) -> None:
            stand_in.seen.append((self.path, dict(self.headers)))
            status, said = stand_in.answers.get(self.path, (404, {"error": "404 page not found"}))
            said = said(body) if callable(said) else said
            content = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stand_in.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield stand_in
    server.shutdown()
    thread.join()
    server.server_close()
