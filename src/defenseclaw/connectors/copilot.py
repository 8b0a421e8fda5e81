"""GitHub Copilot CLI: a hooks file of ours, one command per event.

Which events are hooked, and why (names and payloads measured on 1.0.102):

==================================  ============  ===========================================================
Event                               Kind          Why
==================================  ============  ===========================================================
userPromptSubmitted                 prompt        what a person tells the agent
preToolUse                          tool_call     the call, before it runs
postToolUse, postToolUseFailure     tool_result   what the model gets to read
agentStop, subagentStop             completion    the end of a turn; the payload holds no text of it
sessionStart, sessionEnd,           lifecycle     the frame of a session
subagentStart, errorOccurred
==================================  ============  ===========================================================

Understood but not installed: permissionRequest, which shows the call of preToolUse a second time with fewer
arguments and would double every alert; preCompact and notification, which carry nothing to judge.

Copilot's payloads do not name their event: the command line does, and the script passes it on as a header.
``agentStop`` is never blocked while ``stop_hook_active`` is true, since the agent would go on for ever. An
allow prints nothing at all: ``permissionDecision: allow`` would skip the user's own permission prompt.
A hook that exits with anything but 0 denies a call; only a hook that Copilot times out lets it run.
Source: ``spec/connectors.md`` §8.6, ``spec/gateway-api.md`` §20.6.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from defenseclaw.connectors import disk, flathooks, payload, scripted
from defenseclaw.connectors.base import HookCall, Host, NativeAnswer, SetupOptions
from defenseclaw.connectors.copilot_canary import CopilotCanary
from defenseclaw.errors import SetupError
from defenseclaw.vocabulary import JSON, Abilities, Action, Event, EventKind, Verdict

FILE = "defenseclaw.json"
OUTPUT = "hook_output"

_KINDS = {
    "userPromptSubmitted": EventKind.PROMPT,
    "preToolUse": EventKind.TOOL_CALL,
    "permissionRequest": EventKind.TOOL_CALL,
    "postToolUse": EventKind.TOOL_RESULT,
    "postToolUseFailure": EventKind.TOOL_RESULT,
    "agentStop": EventKind.COMPLETION,
    "subagentStop": EventKind.COMPLETION,
}
_EVENTS = (
    "sessionStart",
    "userPromptSubmitted",
    "preToolUse",
    "postToolUse",
    "postToolUseFailure",
    "agentStop",
    "subagentStart",
    "subagentStop",
    "errorOccurred",
    "sessionEnd",
)
_UNHOOKED = ("permissionRequest", "preCompact", "notification")
_OTHER_SPELLINGS = {
    **{each.lower(): each for each in (*_EVENTS, *_UNHOOKED)},
    "userpromptsubmit": "userPromptSubmitted",
    "stop": "agentStop",
}
"""How Copilot writes an event that was registered in Claude Code's spelling."""
_TIMEOUT_S = 30
_STOPS = frozenset({"agentStop", "subagentStop"})
_CALLS = frozenset({"userPromptSubmitted", "preToolUse", "permissionRequest"})
_IDS = payload.IdKeys(
    session=("sessionId", "session_id"),
    tool_call=("toolCallId", "tool_use_id"),
)
_DIMENSIONS = {"source": "source", "reason": "reason", "stopReason": "reason", "stop_reason": "reason"}


class Copilot(scripted.ScriptedConnector):
    """See the module's text."""

    name = "copilot"
    title = "GitHub Copilot CLI"
    description = "a hooks file on prompts, tool calls, results and the end of turns"
    aliases = ("copilot-cli", "github-copilot")
    hook_path = "/api/v1/copilot/hook"
    client = "copilot-hook/1.0"
    kinds = _KINDS
    spellings = _OTHER_SPELLINGS
    hooked = _EVENTS
    block_events = frozenset(_CALLS | _STOPS | {"postToolUse"})
    ask_events = frozenset({"preToolUse"})
    replace_events = frozenset({"postToolUse"})
    stops = _STOPS

    executables = ("copilot",)
    probe = ("version",)
    probe_env: Mapping[str, str] = {"COPILOT_OFFLINE": "true", "COPILOT_AUTO_UPDATE": "false"}
    home_variable = "COPILOT_HOME"
    min_version = (1, 0, 18)
    script = "copilot-hook"
    logical = "config"
    project_file = f".github/hooks/{FILE}"
    restart_hint = "Restart running Copilot sessions; new ones are governed at once."

    def __init__(self) -> None:
        self.canary = CopilotCanary(self.installed_path, lambda host: self.settings_path(host).parent.parent)

    # ---- translation ----------------------------------------------------------------------------

    def abilities(self, event_name: str, kind: EventKind) -> Abilities:
        """As the matrix says; a permission prompt that is about to open is itself the question."""
        found = super().abilities(_named(event_name), kind)
        return replace(found, can_ask=True) if _named(event_name) == "permissionRequest" else found

    def decode(self, call: HookCall) -> Event:
        """Translate Copilot's camelCase payload, and the snake_case of its other spelling."""
        name = _named(payload.event_name(call, keys=("hook_event_name", "hookName")))
        kind = self.kind_of(name)
        body = call.payload
        tool = payload.identity(payload.first(body, "toolName", "tool_name"))
        event = payload.event(
            call,
            self,
            name,
            mcp_server=payload.mcp_server(tool),
            abilities=self.abilities_now(name, body),
            ids=_IDS,
            extra=payload.dimensions(body, _DIMENSIONS),
        )
        if kind is EventKind.PROMPT:
            return replace(event, text=payload.text(body.get("prompt")))
        if kind is EventKind.TOOL_CALL:
            return replace(event, tool=tool or "tool", args=_arguments(body) or {})
        if kind is EventKind.TOOL_RESULT:
            return replace(event, tool=tool, args=_arguments(body), result=_result(body))
        return event

    def encode(self, event: Event, verdict: Verdict) -> NativeAnswer:
        """Return Copilot's JSON answer; nothing at all on allow."""
        return scripted.answer(self._output(event, verdict), OUTPUT)

    def refusal(self, event: str, message: str) -> dict[str, Any] | None:
        """Return Copilot's refusal: ``permissionDecision`` before a call, ``behavior`` at a permission
        prompt, ``decision: block`` for the rest; None for what cannot be stopped.
        """
        if event == "preToolUse":
            return {"permissionDecision": "deny", "permissionDecisionReason": message}
        if event == "permissionRequest":
            return {"behavior": "deny", "message": message}
        return {"decision": "block", "reason": message} if event in self.block_events else None

    def _output(self, event: Event, verdict: Verdict) -> dict[str, Any] | None:
        message = scripted.told(verdict)
        if event.name == "postToolUse" and verdict.replacement is not None:
            return {"modifiedResult": _replaced(event.result, verdict.replacement)}
        if verdict.action is Action.BLOCK:
            return self.refusal(event.name, message) if event.abilities.can_block else None
        if verdict.action is Action.CONFIRM:
            # At a permission prompt saying nothing is the question: the prompt opens.
            asked = {"permissionDecision": "ask", "permissionDecisionReason": message}
            return asked if event.name == "preToolUse" else None
        return None

    # ---- installation ---------------------------------------------------------------------------

    def settings_path(self, host: Host) -> Path:
        """Return our hooks file: ``$COPILOT_HOME/hooks`` or ``~/.copilot/hooks``."""
        folder = scripted.absolute(host.env.get(self.home_variable)) or host.home / ".copilot"
        return folder / "hooks" / FILE

    def scope_notes(self, options: SetupOptions) -> tuple[str, ...]:
        """Measured: in a folder that is not trusted a project's hooks are skipped silently."""
        if options.workspace is None:
            return ()
        return (f"Copilot calls a project's hooks only where its user trusts the folder {options.workspace}",)

    def with_hooks(self, host: Host, path: Path, content: bytes | None, events: Sequence[str]) -> bytes:
        """Return the hooks file with our entries."""
        del path
        document = flathooks.read(content)
        wanted = {event: self._entry(host, event) for event in events}
        flathooks.install(document, wanted, "bash", lambda each: self.owns(host, each), 1)
        return document.encode()

    def without_hooks(self, host: Host, path: Path, content: bytes) -> tuple[bytes, bool]:
        """Return the hooks file without our entries."""
        del path
        document = flathooks.read(content)
        nothing_left = flathooks.uninstall(document, "bash", lambda each: self.owns(host, each))
        return document.encode(), nothing_left

    def missing_events(
        self, host: Host, path: Path, content: bytes | None, events: Sequence[str]
    ) -> list[str]:
        """Return the events whose entry is not there as we write it."""
        del path
        document = flathooks.read(content)
        return [
            event for event in events if self._entry(host, event) not in flathooks.entries(document, event)
        ]

    def switched_off(self, host: Host, options: SetupOptions) -> Iterator[str]:
        """A hooks file can switch itself off; what the settings say holds for other files (1.0.102)."""
        del options
        path = self.installed_path(host)
        with contextlib.suppress(SetupError):  # one that cannot be read is told of elsewhere
            if flathooks.read(disk.look(path).content).root.value.get("disableAllHooks") is True:
                yield f"disableAllHooks in {path}"

    def protected_paths(self, host: Host) -> tuple[str, ...]:
        """Our hooks file and the settings that could switch hooks off."""
        homes = {self.settings_path(host).parent.parent, host.home / ".copilot"}
        paths = {home / each for home in homes for each in (f"hooks/{FILE}", "config.json", "settings.json")}
        return tuple(sorted(map(str, {*paths, *self.recorded(host)})))

    def _entry(self, host: Host, event: str) -> dict[str, Any]:
        return {"type": "command", "bash": self.command(host, event), "timeoutSec": _TIMEOUT_S}


def _named(event: str) -> str:
    return payload.spelt(event, _OTHER_SPELLINGS)


def _arguments(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Arguments that arrive as JSON text are the object they spell."""
    value = payload.first(body, "toolArgs", "toolInput", "tool_input", "tool_args")
    if isinstance(value, str):
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(value)
    return value if value is None or isinstance(value, Mapping) else {"input": value}


def _result(body: Mapping[str, Any]) -> JSON:
    return payload.first(body, "toolResult", "tool_result", "error")


def _replaced(result: JSON, replacement: JSON) -> dict[str, Any]:
    """Return the masked result as Copilot takes it, whatever spelling it arrived in."""
    texts = ("textResultForLlm", "text_result_for_llm")
    held = replacement if isinstance(replacement, Mapping) else {}
    shown = payload.text(next((held[key] for key in texts if key in held), replacement))
    kind = payload.first(result, "resultType", "result_type") if isinstance(result, Mapping) else None
    return {"resultType": payload.identity(kind) or "success", "textResultForLlm": shown}


CONNECTOR = Copilot()
