"""Claude Code, run headless for ``defenseclaw verify``.

Measured on 2.1.197: ``--settings`` outranks the user's and the project's settings, so the endpoint holds
whatever ``env`` those set; settings of an organisation outrank it. ``--no-session-persistence`` still
leaves directories named after the session and the project.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from defenseclaw.connectors import disk
from defenseclaw.connectors.base import Host
from defenseclaw.connectors.canary import Canary, Launch, Stage, ToolUse
from defenseclaw.errors import SetupError

_MODEL = "claude-sonnet-4-5"
_ENDPOINTS = (
    "ANTHROPIC_BASE_URL",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
)
_QUIET = {
    "CLAUDE_CODE_USE_BEDROCK": "0",
    "CLAUDE_CODE_USE_VERTEX": "0",
    "CLAUDE_CODE_USE_FOUNDRY": "0",
    "CLAUDE_CODE_ENABLE_TELEMETRY": "0",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_AUTOUPDATER": "1",
}


class ClaudeCodeCanary(Canary):
    """See the module's text.

    Args:
        folder: Returns the directory Claude Code keeps its own in.
        managed: Returns an organisation's settings files.
    """

    before_call = "PreToolUse"
    after_call = "PostToolUse"
    on_prompt = "UserPromptSubmit"

    def __init__(self, folder: Callable[[Host], Path], managed: Callable[[], Iterable[Path]]) -> None:
        self._folder = folder
        self._managed = managed

    def hindrance(self, host: Host, stage: Stage) -> str:
        """An organisation that fixes the endpoint cannot be outranked."""
        del host, stage
        for path in self._managed():
            env = _settings(path).get("env")
            named = [name for name in _ENDPOINTS if isinstance(env, Mapping) and env.get(name)]
            if named:
                return f"{path} fixes {named[0]}, so that the model cannot be one on this machine"
        return ""

    def launch(self, host: Host, stage: Stage, prompt: str) -> Launch:
        """One turn in print mode; MCP servers stay where they are."""
        del host
        env = {
            **_QUIET,
            "ANTHROPIC_BASE_URL": stage.model_url,
            "ANTHROPIC_API_KEY": stage.key,
            "ANTHROPIC_AUTH_TOKEN": "",
            "ANTHROPIC_CUSTOM_HEADERS": "",
        }
        return Launch(
            arguments=(
                *(stage.executable, "-p", prompt, "--model", _MODEL),
                *("--allowedTools", "Bash,Agent,Task", "--add-dir", str(stage.scratch)),
                *("--strict-mcp-config", "--mcp-config", '{"mcpServers":{}}'),
                *("--no-session-persistence", "--session-id", stage.session_id),
                *("--settings", json.dumps({"env": env})),
            ),
            env=env,
        )

    def shell(self, command: str) -> ToolUse:
        """The Bash tool."""
        return ToolUse(tools=("Bash",), arguments={"command": command, "description": "verification step"})

    def delegate(self, task: str) -> ToolUse:
        """The sub-agent tool, which was called Task before."""
        asked = {"description": "verification step", "prompt": task, "subagent_type": "general-purpose"}
        return ToolUse(tools=("Agent", "Task"), arguments=asked)

    def traces(self, host: Host, stage: Stage) -> Iterable[Path]:
        """Directories named after the session, and the one named after the scratch project."""
        folder = self._folder(host)
        yield from folder.glob(f"projects/*{stage.scratch.name}*")
        yield from folder.glob(f"projects/*/{stage.session_id}*")
        yield folder / "session-env" / stage.session_id


def _settings(path: Path) -> Mapping[str, Any]:
    try:
        decoded = json.loads(disk.look(path).content or b"{}")
    except (SetupError, ValueError, RecursionError):
        return {}  # Claude Code passes over it as well
    return decoded if isinstance(decoded, dict) else {}
