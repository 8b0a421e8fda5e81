"""Windsurf (Cascade): hooks in ``hooks.json``, answered by exit code. Documented behaviour, never run by us.

Which events are hooked, and why:

====================================  ============  =========================================================
Event                                 Kind          Why
====================================  ============  =========================================================
pre_user_prompt                       prompt        what a person tells the agent
pre_read_code, pre_write_code,        tool_call     the call, before it runs
pre_run_command, pre_mcp_tool_use
post_mcp_tool_use                     tool_result   what the model gets to read
post_read_code, post_write_code,      tool_result   that it really happened; what a file or a command gave
post_run_command                                    is in no payload
post_cascade_response                 completion    the answer
====================================  ============  =========================================================

Understood but not installed: post_cascade_response_with_transcript, which names a file with the answer of
post_cascade_response again, and post_setup_worktree, which carries nothing to judge.

Exit code 2 with a reason on stderr stops what a ``pre_`` hook announces; any other code, a crash and a hook
that Windsurf times out let it go on. There is neither an ask (``confirm`` is a refusal) nor a way to show the
model another result. Source: ``spec/connectors.md`` §8.4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from defenseclaw.connectors import flathooks, payload, scripted
from defenseclaw.connectors.base import HookCall, Host, NativeAnswer
from defenseclaw.connectors.hooksfile import HooksFileConnector
from defenseclaw.errors import ForeignContent
from defenseclaw.vocabulary import JSON, Action, Event, EventKind, Mode, Verdict

STOP = 2
"""Exit code that stops a ``pre_`` event."""

_KINDS = {
    "pre_user_prompt": EventKind.PROMPT,
    "pre_read_code": EventKind.TOOL_CALL,
    "pre_write_code": EventKind.TOOL_CALL,
    "pre_run_command": EventKind.TOOL_CALL,
    "pre_mcp_tool_use": EventKind.TOOL_CALL,
    "post_read_code": EventKind.TOOL_RESULT,
    "post_write_code": EventKind.TOOL_RESULT,
    "post_run_command": EventKind.TOOL_RESULT,
    "post_mcp_tool_use": EventKind.TOOL_RESULT,
    "post_cascade_response": EventKind.COMPLETION,
    "post_cascade_response_with_transcript": EventKind.COMPLETION,
}
_EVENTS = tuple(each for each in _KINDS if each != "post_cascade_response_with_transcript")
_GATES = frozenset(each for each in _EVENTS if each.startswith("pre_"))
_TOOLS = {"read_code": "read_file", "write_code": "write_file", "run_command": "run_command"}
"""What an event is about → the tool it stands for."""
_IDS = payload.IdKeys(session=("trajectory_id",), turn=("execution_id",))


class Windsurf(HooksFileConnector):
    """See the module's text."""

    name = "windsurf"
    title = "Windsurf"
    description = "hooks.json on prompts, file access, commands, MCP calls and answers (not run by us)"
    aliases = ("cascade",)
    hook_path = "/api/v1/windsurf/hook"
    client = "windsurf-hook/1.0"
    kinds = _KINDS
    hooked = _EVENTS
    block_events = _GATES

    executables = ("windsurf",)
    min_version = (1, 12, 41)
    script = "windsurf-hook"
    closed_exit = STOP
    restart_hint = "Restart Windsurf; sessions started after that are governed."
    user_file = ".codeium/windsurf/hooks.json"
    project_file = ".windsurf/hooks.json"

    # ---- translation ----------------------------------------------------------------------------

    def decode(self, call: HookCall) -> Event:
        """Translate Windsurf's payload; what an event is about is in ``tool_info``."""
        name = payload.event_name(call, keys=("agent_action_name", "hook_event_name"))
        kind = self.kind_of(name)
        info = payload.arguments(call.payload, "tool_info")
        event = payload.event(
            call,
            self,
            name,
            cwd=payload.working_directory(payload.first(info, "cwd", "root_workspace_path")),
            mcp_server=payload.identity(info.get("mcp_server_name")),
            model=call.payload.get("model_name"),
            ids=_IDS,
        )
        tool = _TOOLS.get(name.partition("_")[2]) or payload.identity(info.get("mcp_tool_name"))
        if kind is EventKind.PROMPT:
            return replace(event, text=payload.text(info.get("user_prompt")))
        if kind is EventKind.COMPLETION:
            return replace(event, text=payload.text(info.get("response")))
        if kind is EventKind.TOOL_CALL:
            return replace(event, tool=tool or "tool", args=_arguments(info))
        if kind is EventKind.TOOL_RESULT:
            return replace(event, tool=tool, args=_arguments(info) or None, result=_result(info))
        return event

    def encode(self, event: Event, verdict: Verdict) -> NativeAnswer:
        """Return exit code and stderr; Windsurf reads nothing else."""
        if verdict.action in (Action.BLOCK, Action.CONFIRM) and event.abilities.can_block:
            return NativeAnswer(exit_code=STOP, stderr=scripted.told(verdict))
        if verdict.action is Action.ALERT or (verdict.would_block and verdict.mode is Mode.ACTION):
            return NativeAnswer(stderr=scripted.notice(verdict))
        return NativeAnswer()

    def refusal(self, event: str, message: str) -> dict[str, Any] | None:
        """Return None: exit code and stderr are the refusal, see :meth:`encode`."""
        del event, message
        return None

    # ---- installation ---------------------------------------------------------------------------

    def entry(self, host: Host, event: str) -> dict[str, Any]:
        """Return our entry for an event."""
        return {"command": self.command(host, event), "show_output": True}

    def doubts(self, host: Host, path: Path, content: bytes | None) -> Iterator[str]:
        """Nobody says whether Windsurf takes comments."""
        del host, path
        try:
            flathooks.read(content)
        except ForeignContent:
            yield "the file holds comments; it is not proven that Windsurf reads such a file"


def _arguments(info: Mapping[str, Any]) -> dict[str, Any]:
    if "mcp_tool_arguments" in info:
        value = info["mcp_tool_arguments"]
        return dict(value) if isinstance(value, Mapping) else {"input": value}
    command = {"command": info["command_line"]} if "command_line" in info else {}
    return command | {key: info[key] for key in ("cwd", "file_path", "edits") if info.get(key) is not None}


def _result(info: Mapping[str, Any]) -> JSON:
    edits = info.get("edits")
    if isinstance(edits, list):
        return [each.get("new_string") if isinstance(each, Mapping) else each for each in edits]
    return payload.first(info, "mcp_result", "output", "content")


CONNECTOR = Windsurf()
