"""OpenCode, run headless for ``defenseclaw verify``.

``OPENCODE_CONFIG_CONTENT`` is laid over every other configuration: a provider of this run, and MCP servers
left alone. Measured on 1.18.33.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from defenseclaw.connectors import disk
from defenseclaw.connectors.base import Host
from defenseclaw.connectors.canary import Canary, Launch, Stage, ToolUse, listed
from defenseclaw.connectors.jsonc import CommentedDocument
from defenseclaw.connectors.jsonedit import read_object
from defenseclaw.errors import SetupError

_PROVIDER = "defenseclaw-canary"
_CONTENT = "OPENCODE_CONFIG_CONTENT"
_PROJECT = ".opencode"


class OpenCodeCanary(Canary):
    """See the module's text.

    Args:
        installed: Returns our plugin.
    """

    before_call = "tool.execute.before"
    after_call = "tool.execute.after"
    on_prompt = "chat.message"

    def __init__(self, installed: Callable[[Host], Path]) -> None:
        self._installed = installed

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

    def project(self, host: Host) -> Path | None:
        """A plugin in ``.opencode/plugins`` holds in its project only."""
        folder = self._installed(host).parent.parent
        return folder.parent if folder.name == _PROJECT else None

    def suspects(self, host: Host, stage: Stage) -> Iterator[str]:
        """Plugins of the project, and of the directories above it, are loaded into the same process."""
        ours = self._installed(host)
        found = (
            path
            for folder in (stage.project, *stage.project.parents)
            for path in (*_plugins(folder / _PROJECT), *filter(_names_plugins, _configurations(folder)))
            if path != ours
        )
        if others := listed(found):
            yield f"a plugin beside ours is in the same process, where it can undo ours: {others}"


def _plugins(folder: Path) -> list[Path]:
    return sorted(each for name in ("plugin", "plugins") for each in (folder / name).glob("*.[jt]s"))


def _configurations(folder: Path) -> list[Path]:
    names = ("opencode.json", "opencode.jsonc")
    return [place / name for place in (folder, folder / _PROJECT) for name in names]


def _names_plugins(configuration: Path) -> bool:
    """Whether it names plugins; one that is not there, or cannot be read, names none."""
    try:
        return bool(read_object(disk.look(configuration).content, CommentedDocument).root.value.get("plugin"))
    except SetupError:
        return False


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
