"""OpenCode, run headless for ``defenseclaw verify``.

``OPENCODE_CONFIG_CONTENT`` is laid over every other configuration: a provider of this run, and MCP servers
left alone. Measured on 1.18.33.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from defenseclaw.connectors.base import Host
from defenseclaw.connectors.canary import Canary, Launch, Stage, ToolUse

_PROVIDER = "defenseclaw-canary"
_CONTENT = "OPENCODE_CONFIG_CONTENT"


class OpenCodeCanary(Canary):
    """See the module's text."""

    before_call = "tool.execute.before"
    after_call = "tool.execute.after"
    on_prompt = "chat.message"

    def hindrance(self, host: Host, stage: Stage) -> str:
        """What is laid over everything can be given once only."""
        del stage
        return f"{_CONTENT} is set, and the run needs it itself" if host.env.get(_CONTENT) else ""

    def launch(self, host: Host, stage: Stage, prompt: str) -> Launch:
        """One turn of ``opencode run``; nothing is downloaded."""
        del host
        return Launch(
            arguments=(stage.executable, "run", prompt),
            env={
                _CONTENT: json.dumps(_configuration(stage)),
                "OPENCODE_DISABLE_AUTOUPDATE": "1",
                "OPENCODE_DISABLE_MODELS_FETCH": "1",
                "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
                "OPENCODE_DISABLE_SHARE": "1",
                "npm_config_offline": "true",
            },
        )

    def shell(self, command: str) -> ToolUse:
        """The shell tool."""
        return ToolUse(tools=("bash",), arguments={"command": command, "description": "verification step"})

    def delegate(self, task: str) -> ToolUse:
        """The sub-agent tool."""
        asked = {"description": "verification step", "prompt": task, "subagent_type": "general"}
        return ToolUse(tools=("task",), arguments=asked)


def _configuration(stage: Stage) -> Mapping[str, Any]:
    model = {"tool_call": True, "limit": {"context": 100_000, "output": 4000}}
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": f"{stage.model_url}/v1", "apiKey": stage.key},
        "models": {"canary": model},
    }
    return {
        "autoupdate": False,
        "share": "disabled",
        "model": f"{_PROVIDER}/canary",
        "small_model": f"{_PROVIDER}/canary",
        "enabled_providers": [_PROVIDER],
        "provider": {_PROVIDER: provider},
        "permission": {"bash": "allow", "task": "allow", "external_directory": "allow"},
    }
