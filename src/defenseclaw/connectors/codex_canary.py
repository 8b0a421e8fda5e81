"""Codex, run headless for ``defenseclaw verify``.

Everything is said with ``-c``, which outranks ``config.toml`` but not a profile that the file selects: the
provider is set in that one too. The hooks' trust is never bypassed, since it is part of what must hold.
Measured on 0.169.0.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

from defenseclaw.connectors import disk
from defenseclaw.connectors.base import Host
from defenseclaw.connectors.canary import Canary, Launch, Stage, ToolUse
from defenseclaw.errors import SetupError

_PROVIDER = "defenseclaw_canary"
_KEY = "CANARY_KEY"
_MODEL = "gpt-5-codex"
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")


class CodexCanary(Canary):
    """See the module's text.

    Args:
        settings: Returns the ``config.toml`` Codex reads.
    """

    before_call = "PreToolUse"
    after_call = "PostToolUse"
    on_prompt = "UserPromptSubmit"

    def __init__(self, settings: Callable[[Host], Path]) -> None:
        self._settings = settings

    def hindrance(self, host: Host, stage: Stage) -> str:
        """A profile whose name cannot be written on a command line cannot be outranked."""
        del stage
        profile = self._profile(host)
        named = bool(profile) and not _BARE_KEY.fullmatch(profile)
        return "the profile that config.toml selects cannot be given another model" if named else ""

    def launch(self, host: Host, stage: Stage, prompt: str) -> Launch:
        """One turn of ``codex exec``."""
        settings = [each for pair in self._overrides(host, stage) for each in ("-c", pair)]
        return Launch(
            arguments=(stage.executable, "exec", "--skip-git-repo-check", "--ephemeral", *settings, prompt),
            env={_KEY: stage.key},
        )

    def shell(self, command: str) -> ToolUse:
        """The command tool; releases before it had one of another name."""
        return ToolUse(tools=("exec_command",), arguments={"cmd": command})

    def delegate(self, task: str) -> ToolUse:
        """The sub-agent tool, in the name space it has come to stand in."""
        return ToolUse(tools=("multi_agent_v1/spawn_agent", "spawn_agent"), arguments={"message": task})

    def _overrides(self, host: Host, stage: Stage) -> Iterator[str]:
        provider = f'{{name="canary",base_url="{stage.model_url}/v1",wire_api="responses",env_key="{_KEY}"}}'
        yield f"model_providers.{_PROVIDER}={provider}"
        for place in ("", f"profiles.{profile}." if (profile := self._profile(host)) else None):
            if place is not None:
                yield f'{place}model="{_MODEL}"'
                yield f'{place}model_provider="{_PROVIDER}"'
                yield f'{place}approval_policy="never"'
                yield f'{place}sandbox_mode="danger-full-access"'
        yield "check_for_update_on_startup=false"
        yield "analytics.enabled=false"
        yield "mcp_servers={}"
        yield "notify=[]"
        yield f"log_dir={json.dumps(str(stage.scratch))}"

    def _profile(self, host: Host) -> str:
        try:
            config = tomllib.loads((disk.look(self._settings(host)).content or b"").decode())
        except (SetupError, ValueError):
            return ""  # Codex will say so itself
        profile = config.get("profile")
        return profile if isinstance(profile, str) else ""
