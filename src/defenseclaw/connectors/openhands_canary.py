"""OpenHands, run headless for ``defenseclaw verify``: its model comes from the environment.

It cannot replace a result; its sub-agents are not tried. Measured on 1.16.0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from defenseclaw.connectors import disk
from defenseclaw.connectors.base import Host
from defenseclaw.connectors.canary import Canary, Launch, Stage, ToolUse
from defenseclaw.errors import SetupError

_MOVED = re.compile(rb"(?m)^\s*(?:export\s+)?OPENHANDS_WORK_DIR\s*=")
_RATED = {"security_risk": "LOW", "summary": "verification step"}
"""What OpenHands wants with every call."""


class OpenHandsCanary(Canary):
    """See the module's text.

    Args:
        installed: Returns the hooks file our entries are in.
        own: Returns the user's hooks file.
    """

    before_call = "PreToolUse"
    on_prompt = "UserPromptSubmit"
    timeout_s = 120.0

    def __init__(self, installed: Callable[[Host], Path], own: Callable[[Host], Path]) -> None:
        self._installed = installed
        self._own = own

    def launch(self, host: Host, stage: Stage, prompt: str) -> Launch:
        """One turn; the conversation is kept in the directory of the run."""
        del host
        return Launch(
            arguments=(stage.executable, "--headless", "--override-with-envs", "-t", prompt),
            env={
                "LLM_API_KEY": stage.key,
                "LLM_BASE_URL": f"{stage.model_url}/v1",
                "LLM_MODEL": "openai/gpt-4o",
                "LITELLM_LOCAL_MODEL_COST_MAP": "True",
                "OPENHANDS_SUPPRESS_BANNER": "1",
                "OPENHANDS_CONVERSATIONS_DIR": str(stage.scratch / "conversations"),
                "GIT_ALLOW_PROTOCOL": "file",
                "TMUX_TMPDIR": str(stage.scratch),
            },
        )

    def shell(self, command: str) -> ToolUse:
        """The terminal; every call must rate its own risk."""
        return ToolUse(tools=("terminal",), arguments={"command": command, **_RATED})

    def project(self, host: Host) -> Path | None:
        """A project's hooks file holds in its project only."""
        installed = self._installed(host)
        return installed.parent.parent if installed != self._own(host) else None

    def suspects(self, host: Host, stage: Stage) -> Iterator[str]:
        """The hooks file of the directory OpenHands works in is read instead of the user's."""
        installed = self._installed(host)
        hooks = stage.project.joinpath(*installed.parts[-2:])
        if hooks != installed and hooks.exists():
            yield f"OpenHands reads {hooks} instead of {installed}"
        own = stage.project / ".env"
        try:
            moved = _MOVED.search(disk.look(own).content or b"")
        except SetupError:
            return
        if moved:
            yield f"{own} sets OPENHANDS_WORK_DIR, in which OpenHands looks for hooks"
