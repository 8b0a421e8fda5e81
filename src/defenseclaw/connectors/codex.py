"""Codex CLI: hooks in its ``config.toml``, each with the trust hash without which Codex skips it silently.

Which events are hooked, and why (names and payloads measured on 0.169.0):

==================================  ============  ===========================================================
Event                               Kind          Why
==================================  ============  ===========================================================
UserPromptSubmit                    prompt        what a person tells the agent
PreToolUse                          tool_call     the call, before it runs; sub-agents' calls too
PermissionRequest                   tool_call     the call again when Codex asks for approval, which a rule or
                                                  a reviewing model may grant without a person
PostToolUse                         tool_result   what the model gets to read
Stop, SubagentStop                  completion    the last answer
SessionStart, SessionEnd,           lifecycle     the frame of a session
SubagentStart
==================================  ============  ===========================================================

Understood but not installed: PreCompact and PostCompact, which carry nothing to judge. ``Stop`` is never
blocked while ``stop_hook_active`` is true, since the agent would go on for ever.

Answers: Codex takes any key it does not know for a failed hook and lets the tool run, so answers hold only
documented keys and the process always exits 0 (exit 2 without a word on stderr runs the tool too). It has no
native ask: ``confirm`` before a call is a block. ``decision: block`` after a call shows the model the reason
*instead of* the output, which is how a masked result is delivered. Timeouts: Codex clamps SessionEnd to 3 s
and hashes the clamped value.

``notify``, which Codex starts at the end of a turn, is ours too; the operator's own goes on being called
(:mod:`defenseclaw.connectors.codex_notify`).

Source: ``spec/connectors.md`` §8.2, ``spec/gateway-api.md`` §20.6.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from defenseclaw.connectors import (
    codex_config,
    codex_notify,
    codex_otlp,
    disk,
    otlp,
    payload,
    probes,
    scripted,
)
from defenseclaw.connectors.base import Change, Check, HookCall, Host, NativeAnswer, Plan, SetupOptions
from defenseclaw.connectors.codex_canary import CodexCanary
from defenseclaw.connectors.tomledit import Document
from defenseclaw.errors import SetupError
from defenseclaw.vocabulary import JSON, Action, Event, EventKind, Verdict

CONFIG = "config.toml"
"""Logical name of the backup, and the file's name."""
OUTPUT = "codex_output"

_KINDS = {
    "UserPromptSubmit": EventKind.PROMPT,
    "PreToolUse": EventKind.TOOL_CALL,
    "PermissionRequest": EventKind.TOOL_CALL,
    "PostToolUse": EventKind.TOOL_RESULT,
    "Stop": EventKind.COMPLETION,
    "SubagentStop": EventKind.COMPLETION,
}
_REGISTRATIONS: dict[str, tuple[str, int, tuple[int, ...]]] = {
    "SessionStart": ("startup|resume|clear", 30, ()),
    "UserPromptSubmit": ("", 30, ()),
    "PreToolUse": ("*", 30, ()),
    "PermissionRequest": ("*", 30, ()),
    "PostToolUse": ("*", 30, ()),
    "SubagentStart": ("*", 30, (0, 133, 0)),
    "SubagentStop": ("*", 90, (0, 133, 0)),
    "Stop": ("", 90, ()),
    "SessionEnd": ("", 3, (0, 145, 0)),
}
"""Event → matcher (empty: none), timeout in seconds, first release that knows it."""
_ALL_TOOLS = (0, 135, 0)
_DIMENSIONS = ("permission_mode", "source", "reason")


class Codex(scripted.ScriptedConnector):
    """See the module's text."""

    name = "codex"
    title = "Codex"
    description = "hooks with trust hashes in config.toml on prompts, tool calls, results and completions"
    hook_path = "/api/v1/codex/hook"
    client = "codex-hook/1.0"
    kinds = _KINDS
    hooked = tuple(_REGISTRATIONS)
    block_events = frozenset(_KINDS)
    replace_events = frozenset({"PostToolUse"})
    stops = frozenset({"Stop", "SubagentStop"})

    executables = ("codex",)
    home_variable = "CODEX_HOME"
    min_version = (0, 129, 0)
    script = "codex-hook"
    logical = CONFIG
    restart_hint = "Restart running Codex sessions; new ones are governed at once."

    system_dir = Path("/etc/codex")
    """Where an organisation's settings lie; they may switch hooks off."""

    def __init__(self) -> None:
        self.canary = CodexCanary(self.settings_path)

    # ---- translation ----------------------------------------------------------------------------

    def decode(self, call: HookCall) -> Event:
        """Translate Codex's snake_case payload."""
        name = payload.event_name(call, keys=("hook_event_name",))
        kind = self.kind_of(name)
        body = call.payload
        tool = payload.identity(body.get("tool_name"))
        event = payload.event(
            call,
            self,
            name,
            mcp_server=payload.identity(body.get("mcp_server_name")) or payload.mcp_server(tool),
            model=body.get("model"),
            abilities=self.abilities_now(name, body),
            extra=payload.dimensions(body, _DIMENSIONS),
        )
        if kind is EventKind.PROMPT:
            return replace(event, text=payload.text(body.get("prompt")))
        if kind is EventKind.COMPLETION:
            return replace(event, text=payload.text(body.get("last_assistant_message")))
        if kind is EventKind.TOOL_CALL:
            return replace(event, tool=tool or "Bash", args=_arguments(body, tool) or {})
        if kind is EventKind.TOOL_RESULT:
            return replace(event, tool=tool, args=_arguments(body, tool), result=body.get("tool_response"))
        return event

    def encode(self, event: Event, verdict: Verdict) -> NativeAnswer:
        """Return Codex's JSON answer; nothing at all on allow."""
        return scripted.answer(self._output(event, verdict), OUTPUT)

    def refusal(self, event: str, message: str) -> dict[str, Any] | None:
        """Return Codex's refusal: ``hookSpecificOutput`` before a call, ``decision: block`` for the
        rest; None for what cannot be stopped.
        """
        if event == "PreToolUse":
            return _specific(event, permissionDecision="deny", permissionDecisionReason=message)
        if event == "PermissionRequest":
            return _specific(event, decision={"behavior": "deny", "message": message})
        return {"decision": "block", "reason": message} if event in self.block_events else None

    def _output(self, event: Event, verdict: Verdict) -> dict[str, Any] | None:
        message = scripted.told(verdict)
        if event.name == "PostToolUse" and verdict.replacement is not None:
            return self.refusal(event.name, payload.text(verdict.replacement) or message)
        if verdict.action in (Action.BLOCK, Action.CONFIRM):
            return self.refusal(event.name, message) if event.abilities.can_block else None
        if verdict.action is Action.ALERT and event.name in self.block_events:
            return {"systemMessage": scripted.notice(verdict)}
        return None

    # ---- installation ---------------------------------------------------------------------------

    def events(self, version: str) -> tuple[str, ...]:
        """Return the events this release knows; Codex has no use for others."""
        known = probes.version_tuple(version)
        return tuple(event for event, (_, _, since) in _REGISTRATIONS.items() if not known or known >= since)

    def settings_path(self, host: Host) -> Path:
        """Return the configuration Codex reads: ``$CODEX_HOME`` or ``~/.codex``."""
        folder = scripted.absolute(host.env.get(self.home_variable)) or host.home / ".codex"
        return folder / CONFIG

    def with_hooks(self, host: Host, path: Path, content: bytes | None, events: Sequence[str]) -> bytes:
        """Return the configuration with our groups and their trust."""
        document = Document(content or b"")
        codex_notify.install(host, document)
        codex_config.install(document, path, self._hooks(host, events), lambda each: self.owns(host, each))
        return document.encode()

    def without_hooks(self, host: Host, path: Path, content: bytes) -> tuple[bytes, bool]:
        """Return the configuration without our groups and their trust."""
        document = Document(content)
        codex_config.uninstall(document, path, lambda each: self.owns(host, each))
        codex_otlp.uninstall(document)
        codex_notify.uninstall(host, document)
        return document.encode(), not document.text.strip()

    def missing_events(
        self, host: Host, path: Path, content: bytes | None, events: Sequence[str]
    ) -> list[str]:
        """Return the events whose group or trust is not there as we write it, and ``notify``."""
        document = Document(content or b"")
        notify = [] if codex_notify.is_installed(host, document) else [codex_notify.KEY]
        return codex_config.missing(document, path, self._hooks(host, events)) + notify

    def settings_after(
        self, host: Host, path: Path, content: bytes | None, events: Sequence[str], options: SetupOptions
    ) -> bytes:
        """Return the configuration with our groups, and with its telemetry where that is switched on."""
        document = Document(self.with_hooks(host, path, content, events))
        if options.native_otlp:
            codex_otlp.install(document, otlp.address(host), otlp.setup_token(host, self.name))
        else:
            codex_otlp.uninstall(document)
        return document.encode()

    def telemetry(self, host: Host) -> tuple[str, ...]:
        """Hooks, ``notify``, and its own telemetry where that was switched on."""
        return otlp.channels(
            host, self.name, *(("notify",) if codex_notify.bridge_path(host).exists() else ())
        )

    def plan_setup(self, host: Host, options: SetupOptions) -> Plan:
        """Plan as for every agent, and the notify bridge."""
        plan = super().plan_setup(host, options)
        path = self.setup_path(host, options)
        was = codex_notify.chained(host, Document(disk.look(path).content or b""))
        bridge = Change(
            path=codex_notify.bridge_path(host),
            content=codex_notify.render(host, was),
            mode=0o700,
            why="tells the gateway that a turn is over" + (", then calls your own notify" if was else ""),
        )
        # Before the configuration that names it.
        plan = replace(plan, changes=(bridge, *plan.changes))
        return otlp.completed(plan, host, self.name, path, wanted=options.native_otlp)

    def plan_teardown(self, host: Host) -> Plan:
        """Plan as for every agent, and the notify bridge."""
        plan = super().plan_teardown(host)
        bridge = Change(path=codex_notify.bridge_path(host), content=None, why="nothing calls it any more")
        return replace(plan, changes=(*plan.changes, bridge, otlp.removal(host, self.name)))

    def check(self, host: Host, options: SetupOptions) -> tuple[Check, ...]:
        """Check as for every agent, and the notify bridge."""
        return (*super().check(host, options), codex_notify.check(host))

    def version_notes(self, version: str) -> tuple[str, ...]:
        """Before 0.135 hooks see shell commands only."""
        if version and probes.version_tuple(version) < _ALL_TOOLS:
            return (
                f"Codex {version} calls tool hooks for shell commands only; 0.135 and later for every tool",
            )
        return ()

    def switched_off(self, host: Host, options: SetupOptions) -> Iterator[str]:
        """Hooks may be off in the user's, the project's or the organisation's configuration."""
        projects = [options.workspace / ".codex" / CONFIG] if options.workspace else []
        requirements = self.system_dir / "requirements.toml"
        for path in (self.settings_path(host), *projects, self.system_dir / CONFIG, requirements):
            config = _read(path)
            if key := codex_config.is_off(config):
                yield f"{key} in {path}"
            if path == requirements and config.get("allow_managed_hooks_only") is True:
                yield f"allow_managed_hooks_only in {path}"

    def protected_paths(self, host: Host) -> tuple[str, ...]:
        """The user's configuration and the hooks file beside it."""
        folders = {self.settings_path(host).parent, host.home / ".codex"}
        folders |= {each.parent for each in self.recorded(host)}
        return tuple(sorted(str(folder / each) for folder in folders for each in (CONFIG, "hooks.json")))

    def _hooks(self, host: Host, events: Sequence[str]) -> list[codex_config.Hook]:
        return [
            codex_config.Hook(
                event=event,
                matcher=_REGISTRATIONS[event][0],
                command=self.command(host, event),
                timeout_s=_REGISTRATIONS[event][1],
            )
            for event in events
        ]


def _read(path: Path) -> Mapping[str, Any]:
    """A configuration that cannot be read switches nothing."""
    try:
        return Document(disk.look(path).content or b"").value
    except SetupError:
        return {}


def _specific(event: str, **fields: JSON) -> dict[str, Any]:
    return {"hookSpecificOutput": {"hookEventName": event, **fields}}


def _arguments(body: Mapping[str, Any], tool: str) -> Mapping[str, Any] | None:
    """Free-form tools may send their input bare."""
    value = body.get("tool_input")
    if value is None or isinstance(value, Mapping):
        return value
    return {"command" if tool in ("", "Bash") else "input": value}


CONNECTOR = Codex()
