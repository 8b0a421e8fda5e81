"""A real OmniGent server and runner on loopback, with an agent bundle whose model is the fake one."""

from __future__ import annotations

import http.client
import io
import json
import shutil
import subprocess
import tarfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e import agents
from tests.e2e.fake_model import FakeModel
from tests.e2e.product import Product, free_port, kill_group

TOKEN = "a-runner-token"

NOTE_TOOL = '''
from omnigent_client.tools import tool


@tool
def note(text: str) -> str:
    """Keep a note."""
    with open({path!r}, "a") as notes:
        notes.write(text + "\\n")
    return "noted: " + text
'''


@dataclass
class OmniGent:
    """Server and runner; ``turn`` drives one conversation."""

    product: Product
    model: FakeModel
    harness: str = "openai-agents"
    helper: str = "helper"
    """Its sub-agent."""
    port: int = field(default_factory=free_port)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def notes(self) -> Path:
        return self.product.project / "notes.txt"

    @property
    def temporary(self) -> Path:
        """Short, because OmniGent puts terminal sockets there and their paths are limited."""
        return Path("/tmp") / f"dc-e2e-{self.port}"

    @property
    def config(self) -> Path:
        return self.product.home / ".omnigent" / "config.yaml"

    @property
    def env(self) -> dict[str, str]:
        return {
            **self.product.env,
            "DO_NOT_TRACK": "1",
            "TMPDIR": str(self.temporary),
            "OPENAI_API_KEY": "fake",
            "ANTHROPIC_API_KEY": "fake",
            "ANTHROPIC_BASE_URL": self.model.url,
            "IS_SANDBOX": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_TELEMETRY": "1",
            "DISABLE_AUTOUPDATER": "1",
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        bin_dir = agents.omnigent()
        self.temporary.mkdir(exist_ok=True)
        identity = subprocess.run(
            [
                bin_dir / "python",
                "-c",
                f"from omnigent.runner.identity import token_bound_runner_id as t; print(t({TOKEN!r}))",
            ],
            env=self.env,
            capture_output=True,
            text=True,
            check=True,
        )
        self.runner_id = identity.stdout.split()[-1]
        server = ["server", "--config", self.config, "--port", str(self.port), "--no-open"]
        self._spawn([bin_dir / "omnigent", *server], OMNIGENT_RUNNER_TUNNEL_TOKEN=TOKEN)
        self._spawn(
            [bin_dir / "python", "-P", "-m", "omnigent.runner._entry"],
            OMNIGENT_RUNNER_ID=self.runner_id,
            OMNIGENT_RUNNER_TUNNEL_BINDING_TOKEN=TOKEN,
            RUNNER_SERVER_URL=self.url,
        )
        self._wait(lambda: self._get("/health") is not None, "the server answers")
        self._wait(
            lambda: (self._get(f"/v1/runners/{self.runner_id}/status") or {}).get("online"),
            "the runner is online",
        )

    def stop(self) -> None:
        for process in reversed(self.processes):
            kill_group(process)
        self.processes.clear()
        for socket in self.temporary.glob("omnigent-terminal-*/tmux.sock"):
            subprocess.run(["tmux", "-S", socket, "kill-server"], capture_output=True, check=False)
        shutil.rmtree(self.temporary, ignore_errors=True)

    def policies(self) -> Any:
        return self._get("/v1/policies")

    def turn(self, prompt: str, *, answer: str = "accept") -> dict[str, Any]:
        """Run one turn and return what the client saw."""
        bundle = self.product.root / "bundle.tar.gz"
        bundle.write_bytes(self._bundle())
        order = {
            "server": self.url,
            "runner_id": self.runner_id,
            "bundle": str(bundle),
            "prompt": prompt,
            "answer": answer,
        }
        self.model.requests.clear()
        done = subprocess.run(
            [agents.omnigent() / "python", Path(__file__).with_name("omnigent_turn.py")],
            input=json.dumps(order),
            env=self.env,
            capture_output=True,
            text=True,
            timeout=180,
        )
        if done.returncode:
            log = (self.product.root / "omnigent.log").read_text(errors="replace")
            raise AssertionError(f"{done.stderr[-3000:]}\n{log[-3000:]}")
        outcome: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return outcome

    def _bundle(self) -> bytes:
        base = f"{self.model.url}/v1" if self.harness == "openai-agents" else self.model.url
        config: dict[str, Any] = {
            "spec_version": 1,
            "name": "e2e",
            "executor": {
                "type": "omnigent",
                "model": "fake-model" if self.harness == "openai-agents" else "claude-sonnet-4-5",
                "auth": {"type": "api_key", "api_key": "fake", "base_url": base},
                "config": {"harness": self.harness},
            },
            "prompt": "You keep notes.",
            "os_env": {
                "type": "caller_process",
                "cwd": str(self.product.project),
                "sandbox": {"type": "none"},
            },
        }
        helper = {**config, "name": self.helper, "prompt": "You help.", "description": "Helps."}
        files = {
            "config.yaml": json.dumps({**config, "tools": {"agents": [self.helper]}}),
            f"agents/{self.helper}/config.yaml": json.dumps(helper),
            "tools/python/note.py": NOTE_TOOL.format(path=str(self.notes)),
        }
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            for name, text in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(text.encode())
                archive.addfile(info, io.BytesIO(text.encode()))
        return packed.getvalue()

    def _spawn(self, command: list[Any], **env: str) -> None:
        with (self.product.root / "omnigent.log").open("ab") as log:
            self.processes.append(
                subprocess.Popen(
                    command,
                    env={**self.env, **env},
                    cwd=self.product.project,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )

    def _get(self, path: str) -> Any:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)) as connection:
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                raw = answer.read()
            except OSError:
                return None
        return json.loads(raw) if answer.status == 200 and raw[:1] in (b"{", b"[") else None

    def _wait(self, condition: Any, what: str, timeout_s: float = 60) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline or any(process.poll() is not None for process in self.processes):
                log = (self.product.root / "omnigent.log").read_text(errors="replace")
                raise AssertionError(f"waited for: {what}\n{log[-3000:]}")
            time.sleep(0.1)
