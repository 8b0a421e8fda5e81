"""The real Claude Code, for every test that drives it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.contract import SHORT_LIMIT_S, Delegating, Impatient
from tests.e2e.fake_model import Call

SETTINGS = '{\n    "model": "sonnet",\n\t"permissions": {"allow": []}\n}\n\n'
"""An operator's, laid out as no program would."""


class ClaudeAgent(Impatient, Delegating):
    """Claude Code in print mode, its tools allowed by its user."""

    command = "claude-code"
    before_call = "PreToolUse"
    after_call = "PostToolUse"
    on_prompt = "UserPromptSubmit"
    asks = True

    def arguments(self, prompt: str) -> list[str]:
        tools = "Bash,Read,Write,Edit,Agent"
        return ["claude", "-p", prompt, "--model", "claude-sonnet-4-5", "--allowedTools", tools]

    def environment(self) -> dict[str, str]:
        return {
            "ANTHROPIC_BASE_URL": self.model.url,
            "ANTHROPIC_API_KEY": "sk-ant-x",
            "DISABLE_TELEMETRY": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
        }

    def prepare(self) -> None:
        self.settings.parent.mkdir()
        self.settings.write_text(SETTINGS)

    @property
    def settings(self) -> Path:
        return self.product.home / ".claude" / "settings.json"

    def shell(self, command: str) -> Call:
        return Call("Bash", {"command": command, "description": "a step"})

    def delegate(self, task: str) -> Call:
        return Call("Agent", {"description": "step", "prompt": task, "subagent_type": "general-purpose"})

    def shorten_limits(self) -> None:
        settings = json.loads(self.settings.read_text())
        for groups in settings["hooks"].values():
            for hook in (each for group in groups for each in group["hooks"]):
                hook["timeout"] = SHORT_LIMIT_S
        self.settings.write_text(json.dumps(settings))
