"""One event through every door: how each of them is told of it, and what it says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from click.testing import CliRunner
from tests.integration.machine import Machine, rule_ids

from defenseclaw.cli import cli

CWD = "/srv/project"


@dataclass(frozen=True)
class Given:
    """An event before a door: a tool call, or a text of some kind."""

    kind: str
    text: str = ""
    tool: str = ""
    args: Mapping[str, Any] | None = None

    def inspect(self, gateway: Machine) -> dict[str, Any]:
        if self.kind == "tool_call":
            return gateway.inspect("tool", {"tool": self.tool, "args": self.args, "cwd": CWD})
        if self.kind == "tool_result":
            return gateway.inspect("tool-response", {"tool": "Read", "output": self.text, "cwd": CWD})
        route = {"prompt": "request", "completion": "response"}[self.kind]
        return gateway.inspect(route, {"content": self.text})

    def claude_code(self, gateway: Machine) -> dict[str, Any]:
        body: dict[str, Any] = {
            "tool_call": {
                "hook_event_name": "PreToolUse",
                "tool_name": self.tool,
                "tool_input": self.args,
            },
            "tool_result": {
                "hook_event_name": "PostToolUse",
                "tool_name": "Read",
                "tool_response": self.text,
            },
            "prompt": {"hook_event_name": "UserPromptSubmit", "prompt": self.text},
            "completion": {"hook_event_name": "Stop", "last_assistant_message": self.text},
        }[self.kind]
        return gateway.hook("claudecode", {**body, "cwd": CWD})

    def omnigent(self, gateway: Machine) -> dict[str, Any]:
        body: dict[str, Any] = {
            "tool_call": {
                "omnigent_event_type": "tool_call",
                "tool_name": self.tool,
                "tool_input": self.args,
            },
            "tool_result": {
                "omnigent_event_type": "tool_result",
                "tool_name": "Read",
                "tool_response": self.text,
            },
            "prompt": {"omnigent_event_type": "request", "prompt": self.text},
            "completion": {"omnigent_event_type": "response", "tool_response": self.text},
        }[self.kind]
        return gateway.hook("omnigent", {**body, "cwd": CWD})

    def explain(self, gateway: Machine) -> dict[str, Any]:
        """What the command line says, run in this process on the gateway's files."""
        if self.kind == "tool_call":
            arguments = ["--tool", self.tool, "--args", "-", "--cwd", CWD]
            stdin = json.dumps(self.args)
        else:
            arguments, stdin = ["-", "--kind", self.kind, "--cwd", CWD], self.text
        env = {**gateway.env, "DEFENSECLAW_HOME": None, "DEFENSECLAW_CONFIG": None}
        done = CliRunner().invoke(cli, ["explain", *arguments, "--json"], input=stdin, env=env)
        assert done.exit_code == 0, done.output
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


def at_every_door(gateway: Machine, given: Given) -> dict[str, list[str]]:
    """The rule ids of one event, by door."""
    return {
        "inspect": rule_ids(given.inspect(gateway)),
        "claudecode": rule_ids(given.claude_code(gateway)),
        "omnigent": rule_ids(given.omnigent(gateway)),
        "explain": rule_ids(given.explain(gateway)),
    }


def bash(command: str) -> Given:
    return Given("tool_call", tool="Bash", args={"command": command})


def call(tool: str, **args: Any) -> Given:
    return Given("tool_call", tool=tool, args=args)


def prompt(text: str) -> Given:
    return Given("prompt", text)


def result(text: str) -> Given:
    return Given("tool_result", text)


def completion(text: str) -> Given:
    return Given("completion", text)
