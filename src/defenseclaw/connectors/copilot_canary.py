"""GitHub Copilot CLI, run headless for ``defenseclaw verify``: offline, with a provider of its own.

Measured on 1.0.102.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from defenseclaw.connectors import disk
from defenseclaw.connectors.base import Host
from defenseclaw.connectors.canary import Canary, Launch, Stage, ToolUse
from defenseclaw.errors import SetupError


class CopilotCanary(Canary):
    """See the module's text.

    Args:
        installed: Returns our hooks file.
        folder: Returns the directory Copilot keeps its own in.
    """

    before_call = "preToolUse"
    after_call = "postToolUse"
    on_prompt = "userPromptSubmitted"

    def __init__(self, installed: Callable[[Host], Path], folder: Callable[[Host], Path]) -> None:
        self._installed = installed
        self._folder = folder

    def launch(self, host: Host, stage: Stage, prompt: str) -> Launch:
        """One turn; MCP servers stay where they are."""
        off = [each for name in self._servers(host) for each in ("--disable-mcp-server", name)]
        return Launch(
            arguments=(
                *(stage.executable, "-p", prompt, "--allow-all", "--disable-client-telemetry"),
                *(
                    "--no-auto-update",
                    "--disable-builtin-mcps",
                    *off,
                    "--log-dir",
                    str(stage.scratch / "log"),
                ),
                *("--session-id", stage.session_id),
            ),
            env={
                "COPILOT_PROVIDER_TYPE": "openai",
                "COPILOT_PROVIDER_WIRE_API": "completions",
                "COPILOT_PROVIDER_BASE_URL": f"{stage.model_url}/v1",
                "COPILOT_PROVIDER_API_KEY": stage.key,
                "COPILOT_MODEL": "gpt-4.1",
                "COPILOT_OFFLINE": "true",
                "COPILOT_AUTO_UPDATE": "false",
            },
        )

    def shell(self, command: str) -> ToolUse:
        """The shell tool."""
        return ToolUse(tools=("bash",), arguments={"command": command, "description": "verification step"})

    def delegate(self, task: str) -> ToolUse:
        """The sub-agent tool."""
        asked = {"description": "verification step", "prompt": task, "agent_type": "general-purpose"}
        return ToolUse(tools=("task",), arguments={**asked, "name": "step", "mode": "sync"})

    def project(self, host: Host) -> Path | None:
        """A hooks file in ``.github/hooks`` holds in its project only."""
        hooks = self._installed(host).parent
        return hooks.parent.parent if hooks.parent.name == ".github" else None

    def traces(self, host: Host, stage: Stage) -> Iterable[Path]:
        """What is named after the session."""
        yield from self._folder(host).glob(f"*/{stage.session_id}*")
        yield from self._folder(host).glob(f"*/*/{stage.session_id}*")

    def _servers(self, host: Host) -> Iterator[str]:
        path = self._folder(host) / "mcp-config.json"
        try:
            decoded = json.loads(disk.look(path).content or b"{}")
        except (SetupError, ValueError, RecursionError):
            return  # Copilot will say so itself
        servers = decoded.get("mcpServers") if isinstance(decoded, dict) else None
        yield from servers if isinstance(servers, dict) else ()
