"""Gemini CLI, run headless for ``defenseclaw verify``.

How its user signed in is in ``settings.json``; the environment cannot outrank that, but a project can: the
scratch project says that a made-up key is used. A project of the operator is left as it is, so that there it
depends on the settings. Measured on 0.61.0.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from defenseclaw.connectors.base import Host
from defenseclaw.connectors.canary import Canary, Launch, Stage, ToolUse
from defenseclaw.errors import SetupError

_MODEL = "gemini-2.5-flash"
_BY_KEY = "gemini-api-key"
_PROJECT: Mapping[str, Any] = {
    "security": {"auth": {"selectedType": _BY_KEY}},
    "general": {"disableAutoUpdate": True, "enableAutoUpdate": False, "disableUpdateNag": True},
    "privacy": {"usageStatisticsEnabled": False},
    "telemetry": {"enabled": False},
}
"""What the scratch project says; the older and the newer spelling where there are two."""

Read = Callable[[Host], Mapping[str, Any]]
"""Returns settings, empty where there are none; raises :class:`SetupError` when they cannot be read."""


class GeminiCliCanary(Canary):
    """See the module's text.

    Args:
        folder: Returns the directory Gemini keeps its own in.
        own: The user's settings.
        organisation: The organisation's, which outrank a project's.
    """

    before_call = "BeforeTool"
    after_call = "AfterTool"
    on_prompt = "BeforeAgent"

    def __init__(self, folder: Callable[[Host], Path], own: Read, organisation: Read) -> None:
        self._folder = folder
        self._own = own
        self._organisation = organisation

    def hindrance(self, host: Host, stage: Stage) -> str:
        """A sign-in that nothing outranks would go to its real provider."""
        try:
            if other := _sign_in(self._organisation(host)) - {_BY_KEY}:
                return f"the system's settings fix the sign-in ({other.pop()})"
            own = _sign_in(self._own(host))
        except SetupError:
            return "how its user signed in cannot be read"
        if not _is_scratch(stage) and own != {_BY_KEY}:
            return "in a project of yours it would use your own sign-in; leave out --project"
        return ""

    def launch(self, host: Host, stage: Stage, prompt: str) -> Launch:
        """One turn; extensions and MCP servers stay where they are."""
        del host
        if _is_scratch(stage):
            settings = stage.project / ".gemini" / "settings.json"
            settings.parent.mkdir(exist_ok=True)
            settings.write_text(json.dumps(_PROJECT))
        return Launch(
            arguments=(
                *(stage.executable, "--approval-mode", "yolo", "--include-directories", str(stage.scratch)),
                *("--allowed-mcp-server-names", "none", "--extensions", "none"),
                *("--session-id", stage.session_id, "--model", _MODEL, "--prompt", prompt),
            ),
            env={
                "GEMINI_API_KEY": stage.key,
                "GOOGLE_GEMINI_BASE_URL": stage.model_url,
                "GEMINI_CLI_TRUST_WORKSPACE": "true",
                "GOOGLE_GENAI_USE_VERTEXAI": "false",
                "GOOGLE_GENAI_USE_GCA": "false",
                "GEMINI_TELEMETRY_ENABLED": "false",
                "GEMINI_SANDBOX": "false",
                "NO_BROWSER": "1",
            },
        )

    def shell(self, command: str) -> ToolUse:
        """The shell tool."""
        asked = {"command": command, "description": "verification step"}
        return ToolUse(tools=("run_shell_command",), arguments=asked)

    def delegate(self, task: str) -> ToolUse:
        """The sub-agent that has every tool."""
        asked = {"agent_name": "generalist", "prompt": task, "wait_for_previous": True}
        return ToolUse(tools=("invoke_agent",), arguments=asked)

    def conclude(self) -> ToolUse:
        """A sub-agent that only stops talking is asked again."""
        return ToolUse(tools=("complete_task",), arguments={"result": {"response": "Done."}})

    def traces(self, host: Host, stage: Stage) -> Iterable[Path]:
        """What Gemini keeps for a project that is no more: directories which say which one they are for."""
        root = str(stage.project)
        for owner in self._folder(host).glob("*/*/.project_root"):
            if _is_scratch(stage) and owner.read_text("utf-8", "replace").strip() == root:
                yield owner.parent


def _is_scratch(stage: Stage) -> bool:
    return stage.project.is_relative_to(stage.scratch)


def _sign_in(settings: Mapping[str, Any]) -> set[str]:
    """Return the ways to sign in that settings choose or enforce."""
    security = settings.get("security")
    auth = security.get("auth") if isinstance(security, Mapping) else None
    chosen = [auth.get("selectedType"), auth.get("enforcedType")] if isinstance(auth, Mapping) else []
    return {each for each in (*chosen, settings.get("selectedAuthType")) if isinstance(each, str) and each}
