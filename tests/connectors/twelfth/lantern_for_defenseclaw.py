"""Lantern, an agent that exists only here: what somebody else's connector is made of, in one module.

A pretended agent with hooks in ``hooks.json``: prompts, calls and results can be refused, a result can be
shown otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from defenseclaw.connectors import flathooks, payload, scripted
from defenseclaw.connectors.base import HookCall, Host, NativeAnswer
from defenseclaw.vocabulary import Action, Event, EventKind, Verdict

EVENTS = {
    "asked": EventKind.PROMPT,
    "before_call": EventKind.TOOL_CALL,
    "after_call": EventKind.TOOL_RESULT,
    "began": EventKind.LIFECYCLE,
}


class Lantern(scripted.ScriptedConnector):
    """See the module's text."""

    name = "lantern"
    title = "Lantern"
    description = "hooks on prompts, calls and results of an agent that does not exist"
    aliases = ("lamp",)
    setup_name = "lantern-agent"
    hook_path = "/api/v1/lantern/hook"
    client = "lantern-hook/1.0"
    kinds = EVENTS
    hooked = tuple(EVENTS)
    block_events = frozenset({"asked", "before_call", "after_call"})
    replace_events = frozenset({"after_call"})

    executables = ("lantern",)
    home_variable = "LANTERN_HOME"
    min_version = (3, 0, 0)
    script = "lantern-hook"
    logical = "config"
    restart_hint = "Restart Lantern."

    def decode(self, call: HookCall) -> Event:
        """Translate a payload."""
        name = payload.event_name(call, keys=("event",))
        kind, body = self.kind_of(name), call.payload
        event = payload.event(call, self, name)
        if kind is EventKind.PROMPT:
            return replace(event, text=payload.text(body.get("text")))
        if kind is EventKind.TOOL_CALL:
            return replace(event, tool="shell", args=payload.arguments(body, "args"))
        if kind is EventKind.TOOL_RESULT:
            return replace(event, tool="shell", result=body.get("result"))
        return event

    def encode(self, event: Event, verdict: Verdict) -> NativeAnswer:
        """Return one JSON line; nothing on allow."""
        if verdict.replacement is not None:
            return scripted.answer({"show": verdict.replacement}, "lantern_output")
        refused = verdict.action in (Action.BLOCK, Action.CONFIRM) and event.abilities.can_block
        output = self.refusal(event.name, scripted.told(verdict)) if refused else None
        return scripted.answer(output, "lantern_output")

    def refusal(self, event: str, message: str) -> dict[str, Any] | None:
        """Return Lantern's refusal."""
        return {"go": False, "why": message} if event in self.block_events else None

    def settings_path(self, host: Host) -> Path:
        """Return ``$LANTERN_HOME/hooks.json``."""
        folder = scripted.absolute(host.env.get(self.home_variable)) or host.home / ".lantern"
        return folder / "hooks.json"

    def with_hooks(self, host: Host, path: Path, content: bytes | None, events: Sequence[str]) -> bytes:
        """Return the file with our entries."""
        del path
        document = flathooks.read(content)
        flathooks.install(document, self._wanted(host, events), "run", lambda each: self.owns(host, each), 1)
        return document.encode()

    def without_hooks(self, host: Host, path: Path, content: bytes) -> tuple[bytes, bool]:
        """Return the file without our entries."""
        del path
        document = flathooks.read(content)
        empty = flathooks.uninstall(document, "run", lambda each: self.owns(host, each))
        return document.encode(), empty

    def missing_events(
        self, host: Host, path: Path, content: bytes | None, events: Sequence[str]
    ) -> list[str]:
        """Return the events without our entry."""
        del path
        document, wanted = flathooks.read(content), self._wanted(host, events)
        return [event for event in events if wanted[event] not in flathooks.entries(document, event)]

    def protected_paths(self, host: Host) -> tuple[str, ...]:
        """The hooks file."""
        return (*{str(self.settings_path(host)), *map(str, self.recorded(host))},)

    def _wanted(self, host: Host, events: Sequence[str]) -> dict[str, dict[str, Any]]:
        return {event: {"run": self.command(host, event), "timeout": 20} for event in events}


CONNECTOR = Lantern()
