"""Claude Code: hooks in its ``settings.json``, one command per event.

Which of its 28 events are hooked, and why (names and payloads measured on 2.1.197):

========================================  ============  =====================================================
Event                                     Kind          Why
========================================  ============  =====================================================
UserPromptSubmit, UserPromptExpansion     prompt        what a person or a slash command tells the agent
PreToolUse                                tool_call     the call, before it runs
PermissionRequest                         tool_call     the call again when its dialog opens; it may be
                                                        granted by rules of the agent, so it is asked too
PostToolUse, PostToolUseFailure           tool_result   what the model gets to read
MessageDisplay (asynchronous)             completion    text between tool calls, which Stop does not carry
Stop, SubagentStop                        completion    the last answer
SessionStart, SessionEnd, SubagentStart,  lifecycle     the frame of a session; a change of hook settings
ConfigChange                                            under a running session is on record
========================================  ============  =====================================================

Understood but not installed: PostToolBatch (the results of PostToolUse a second time), and the rest of the
events, which carry nothing that is not seen in one of the above. ``Stop`` is never blocked while
``stop_hook_active`` is true, since the agent would go on for ever.

Answers: nothing is printed on allow; a person sees one line on an alert; the model only ever sees blocks,
questions and replaced results. Source: ``spec/connectors.md`` §8.1, ``spec/gateway-api.md`` §20.6.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from defenseclaw.connectors import claudecode_otlp, otlp, payload, probes, scripted
from defenseclaw.connectors.base import Check, Detected, HookCall, Host, NativeAnswer, Plan, SetupOptions
from defenseclaw.connectors.claudecode_canary import ClaudeCodeCanary
from defenseclaw.connectors.claudecode_settings import (
    is_on_in_file,
    missing_events,
    read_settings,
    set_hooks,
    unset_hooks,
)
from defenseclaw.vocabulary import JSON, Abilities, Action, Event, EventKind, Verdict

PROVEN_VERSION = (2, 1, 197)
"""Release against which events, payloads and answers were measured last."""
SETTINGS = "settings.json"
"""Logical name of the backup, and the file's name."""
LOCAL_SETTINGS = "settings.local.json"
OUTPUT = "claude_code_output"

_KINDS = {
    "UserPromptSubmit": EventKind.PROMPT,
    "UserPromptExpansion": EventKind.PROMPT,
    "PreToolUse": EventKind.TOOL_CALL,
    "PermissionRequest": EventKind.TOOL_CALL,
    "PostToolUse": EventKind.TOOL_RESULT,
    "PostToolUseFailure": EventKind.TOOL_RESULT,
    "PostToolBatch": EventKind.TOOL_RESULT,
    "MessageDisplay": EventKind.COMPLETION,
    "Stop": EventKind.COMPLETION,
    "SubagentStop": EventKind.COMPLETION,
}
_REGISTRATIONS: dict[str, tuple[str, int]] = {
    "SessionStart": ("startup|resume|clear|compact", 30),
    "UserPromptSubmit": ("", 30),
    "UserPromptExpansion": ("", 30),
    "PreToolUse": ("*", 30),
    "PermissionRequest": ("*", 30),
    "PostToolUse": ("*", 30),
    "PostToolUseFailure": ("*", 30),
    "MessageDisplay": ("", 10),
    "Stop": ("", 90),
    "SubagentStart": ("*", 30),
    "SubagentStop": ("*", 90),
    "ConfigChange": ("*", 30),
    "SessionEnd": ("", 60),
}
"""Event → matcher (empty: none) and timeout in seconds."""
_ASYNCHRONOUS = frozenset({"MessageDisplay"})
_UNHOOKED = (
    "PostToolBatch",
    "PermissionDenied",
    "Notification",
    "StopFailure",
    "InstructionsLoaded",
    "FileChanged",
    "CwdChanged",
    "WorktreeRemove",
    "TaskCreated",
    "TaskCompleted",
    "TeammateIdle",
    "PreCompact",
    "PostCompact",
    "Elicitation",
    "ElicitationResult",
)
_STOPS = frozenset({"Stop", "SubagentStop"})
_TASKS = frozenset({"TaskCreated", "TaskCompleted", "TeammateIdle"})
_ELICITATIONS = frozenset({"Elicitation", "ElicitationResult"})
_UNSHOWN = frozenset({"MessageDisplay", "PostToolBatch", "SessionEnd"})
"""Asynchronous, a repetition, or too late: an answer would be noise."""
_STOPPED_WHEN_CLOSED = frozenset(
    {"UserPromptSubmit", "UserPromptExpansion", "PreToolUse", "PermissionRequest", "PostToolUse"}
)
_NAMING = frozenset({"type", "mediaType"})
_WORD = re.compile(r"[\w.+/-]{1,64}", re.ASCII)
_IDS = replace(payload.CLAUDE_CODE_IDS, turn=("turn_id", "prompt_id"))
_DIMENSIONS = ("permission_mode", "source", "reason", "command_name", "command_source", "expansion_type")


class ClaudeCode(scripted.ScriptedConnector):
    """See the module's text."""

    name = "claudecode"
    title = "Claude Code"
    description = "hooks in settings.json on prompts, tool calls, results and completions"
    aliases = ("claude",)
    setup_name = "claude-code"
    hook_path = "/api/v1/claude-code/hook"
    client = "claude-code-hook/1.0"
    kinds = _KINDS
    hooked = tuple(_REGISTRATIONS)
    block_events = frozenset(
        _STOPPED_WHEN_CLOSED | _STOPS | {"ConfigChange", "PreCompact"} | _TASKS | _ELICITATIONS
    )
    ask_events = frozenset({"PreToolUse"})
    replace_events = frozenset({"PostToolUse"})
    stops = _STOPS
    unhooked = _UNHOOKED

    executables = ("claude",)
    probe_env: Mapping[str, str] = {
        "DISABLE_TELEMETRY": "1",
        "DISABLE_AUTOUPDATER": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    home_variable = "CLAUDE_CONFIG_DIR"
    min_version = (2, 1, 152)
    """First release with the events below. Source: ``spec/connectors.md`` §6.1, claudecode-hooks-v1."""
    update_command = "claude update"
    script = "claude-code-hook"
    logical = SETTINGS
    restart_hint = "Restart running Claude Code sessions; new ones are governed at once."

    managed_settings_dirs = (
        Path("/etc/claude-code"),
        Path("/Library/Application Support/ClaudeCode"),
    )
    """Where an organisation's settings lie; they may switch hooks off."""

    def __init__(self) -> None:
        self.canary = ClaudeCodeCanary(lambda host: self.settings_path(host).parent, self._managed_files)

    # ---- translation ----------------------------------------------------------------------------

    def abilities(self, event_name: str, kind: EventKind) -> Abilities:
        """As the matrix says; a permission dialog that is about to open is itself the question."""
        found = super().abilities(event_name, kind)
        return replace(found, can_ask=True) if event_name == "PermissionRequest" else found

    def decode(self, call: HookCall) -> Event:
        """Translate Claude Code's snake_case payload.

        Raises:
            MissingField: neither payload nor header names the event and none can be inferred.
            BadJson: the arguments of a call are no object.
        """
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
            ids=_IDS,
            extra=payload.dimensions(body, _DIMENSIONS),
        )
        if kind is EventKind.PROMPT:
            parts = (body.get(key) for key in ("prompt", "command_name", "command_args"))
            return replace(event, text="\n".join(filter(None, map(payload.text, parts))))
        if kind is EventKind.COMPLETION:
            said = "delta" if name == "MessageDisplay" else "last_assistant_message"
            return replace(event, text=payload.text(body.get(said)))
        if kind is EventKind.TOOL_CALL:
            return replace(event, tool=tool or "tool", args=payload.arguments(body, "tool_input"))
        if kind is EventKind.TOOL_RESULT:
            args = payload.arguments(body, "tool_input")
            return replace(event, tool=tool, args=args or None, result=_result(name, body))
        return event

    def encode(self, event: Event, verdict: Verdict) -> NativeAnswer:
        """Return Claude Code's JSON answer; nothing at all on allow."""
        return scripted.answer(self._output(event, verdict), OUTPUT)

    def refusal(self, event: str, message: str) -> dict[str, Any] | None:
        """Return Claude Code's refusal: ``hookSpecificOutput`` before a call and for an elicitation,
        ``continue: false`` for a task, ``decision: block`` for the rest; None for what cannot be stopped.
        """
        if event == "PreToolUse":
            return _specific(event, permissionDecision="deny", permissionDecisionReason=message)
        if event == "PermissionRequest":
            return _specific(event, decision={"behavior": "deny", "message": message})
        if event in _TASKS:
            return {"continue": False, "stopReason": message}
        if event in _ELICITATIONS:
            return _specific(event, action="decline", content={})
        return {"decision": "block", "reason": message} if event in self.block_events else None

    def _output(self, event: Event, verdict: Verdict) -> dict[str, Any] | None:
        message = scripted.told(verdict)
        blocked = verdict.action is Action.BLOCK
        if event.name == "PostToolUse" and (verdict.replacement is not None or blocked):
            return _replaced(event, verdict, message)
        if blocked:
            return self.refusal(event.name, message) if event.abilities.can_block else None
        if verdict.action is Action.CONFIRM:
            # At a permission dialog saying nothing is the question: the dialog opens.
            asked = _specific(event.name, permissionDecision="ask", permissionDecisionReason=message)
            return asked if event.name == "PreToolUse" else None
        if verdict.action is Action.ALERT and event.name not in _UNSHOWN:
            return {"systemMessage": scripted.notice(verdict)}
        return None

    # ---- installation ---------------------------------------------------------------------------

    def settings_path(self, host: Host) -> Path:
        """Return the user settings Claude Code reads: ``$CLAUDE_CONFIG_DIR`` or ``~/.claude``."""
        folder = scripted.absolute(host.env.get(self.home_variable)) or host.home / ".claude"
        return folder / SETTINGS

    def with_hooks(self, host: Host, path: Path, content: bytes | None, events: Sequence[str]) -> bytes:
        """Return the settings with our groups."""
        del path
        document = read_settings(content)
        set_hooks(document, self._wanted(host, events), self.owned(host))
        return document.encode()

    def without_hooks(self, host: Host, path: Path, content: bytes) -> tuple[bytes, bool]:
        """Return the settings without our entries."""
        del path
        document = read_settings(content)
        unset_hooks(document, self.owned(host))
        claudecode_otlp.uninstall(document, otlp.original(host, self.name, SETTINGS) or b"")
        return document.encode(), not document.root.value

    def missing_events(
        self, host: Host, path: Path, content: bytes | None, events: Sequence[str]
    ) -> list[str]:
        """Return the events whose group is not there as we write it."""
        del path
        return missing_events(read_settings(content), self._wanted(host, events))

    def settings_after(
        self, host: Host, path: Path, content: bytes | None, events: Sequence[str], options: SetupOptions
    ) -> bytes:
        """Return the settings with our groups, and with its telemetry where that is switched on."""
        document = read_settings(self.with_hooks(host, path, content, events))
        recorded = otlp.original(host, self.name, SETTINGS)
        before = (content or b"") if recorded is None else recorded
        if options.native_otlp:
            secret = otlp.setup_token(host, self.name)
            claudecode_otlp.install(document, otlp.address(host), secret, before)
        else:
            claudecode_otlp.uninstall(document, before)
        return document.encode()

    def plan_setup(self, host: Host, options: SetupOptions) -> Plan:
        """Plan as for every agent, and the token of its telemetry."""
        plan, path = super().plan_setup(host, options), self.setup_path(host, options)
        return otlp.completed(plan, host, self.name, path, wanted=options.native_otlp)

    def plan_teardown(self, host: Host) -> Plan:
        """Plan as for every agent, and the token of its telemetry.

        Sessions that still run may call the script for a while: its absence (exit 127) is an error that
        Claude Code passes over.
        """
        plan = super().plan_teardown(host)
        return replace(
            plan,
            changes=(*plan.changes, otlp.removal(host, self.name)),
            restart_hint=(
                "Running Claude Code sessions go on, ungoverned; until they are restarted they may say that "
                "our hook script is not found, which stops nothing."
            ),
        )

    def telemetry(self, host: Host) -> tuple[str, ...]:
        """Hooks, and its own telemetry where that was switched on."""
        return otlp.channels(host, self.name)

    def stopped_when_closed(self, event: str) -> bool:
        """Prompts, calls and results. A result, whose shape nobody knows then, is not replaced: the model is
        told that it is unchecked.
        """
        return event in _STOPPED_WHEN_CLOSED

    def switched_off(self, host: Host, options: SetupOptions) -> Iterator[str]:
        """Hooks may be off in the user's, the project's or the organisation's settings."""
        users = self.settings_path(host)
        if is_on_in_file(users, "disableAllHooks"):
            yield f"disableAllHooks in {users}"
        for path in self._managed_files():
            for key in ("disableAllHooks", "allowManagedHooksOnly"):
                if is_on_in_file(path, key):
                    yield f"{key} in {path}"
        if options.workspace:
            for name in (SETTINGS, LOCAL_SETTINGS):
                path = options.workspace / ".claude" / name
                if is_on_in_file(path, "disableAllHooks"):
                    yield f"disableAllHooks in {path}"

    def protected_paths(self, host: Host) -> tuple[str, ...]:
        """The user's settings; a project's are outside, but cannot take user hooks away."""
        homes = {host.home / ".claude", *(each.parent for each in self._places(host))}
        return tuple(sorted(str(home / each) for home in homes for each in (SETTINGS, LOCAL_SETTINGS)))

    def _managed_files(self) -> Iterator[Path]:
        for folder in self.managed_settings_dirs:
            yield folder / "managed-settings.json"
            yield from sorted((folder / "managed-settings.d").glob("*.json"))

    def _check_agent(self, detected: Detected, options: SetupOptions) -> Check:
        """A release beyond those measured may have changed what hooks are."""
        row = super()._check_agent(detected, options)
        if row.status != "pass" or probes.version_tuple(detected.version)[:2] <= PROVEN_VERSION[:2]:
            return row
        proven = ".".join(map(str, PROVEN_VERSION))
        told = f"{row.detail}; hooks were last proven with {proven}: see that `defenseclaw alerts` lists them"
        return replace(row, status="warn", detail=told)

    def _wanted(self, host: Host, events: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return event → the matcher group we install."""
        groups = {}
        for event in events:
            matcher, timeout = _REGISTRATIONS[event]
            handler = {"type": "command", "command": self.command(host, event), "timeout": timeout}
            if event in _ASYNCHRONOUS:
                handler["async"] = True
            groups[event] = ({"matcher": matcher} if matcher else {}) | {"hooks": [handler]}
        return groups


def _replaced(event: Event, verdict: Verdict, message: str) -> dict[str, Any]:
    """The model reads the masked result; a blocked one without a mask is withheld whole, in its shape."""
    shown = verdict.replacement if verdict.replacement is not None else withheld(event.result, message)
    return _specific(event.name, updatedToolOutput=shown) | {"systemMessage": f"DefenseClaw: {message}"}


def withheld(result: JSON, message: str) -> JSON:
    """Return a result in its own shape, without what it says.

    The first text becomes ``message`` and every other one empty, numbers become 0, and what lies deeper than
    16 levels becomes null. Booleans stay, and so do words under ``type`` and ``mediaType``, by which Claude
    Code tells shapes apart. A result that holds no text at all is replaced by ``message``.
    """
    if isinstance(result, str) or result is None:
        return message
    seen = [False]

    def blank(value: JSON, depth: int) -> JSON:
        if isinstance(value, str):
            first, seen[0] = not seen[0], True
            return message if first else ""
        if isinstance(value, Mapping) and depth:
            return {
                key: each if key in _NAMING and _is_word(each) else blank(each, depth - 1)
                for key, each in value.items()
            }
        if isinstance(value, list | tuple) and depth:
            return [blank(each, depth - 1) for each in value]
        return value if isinstance(value, bool) else (0 if isinstance(value, int | float) else None)

    shape = blank(result, 16)
    return shape if seen[0] else message


def _is_word(value: JSON) -> bool:
    """Whether a value can only name something; a text under a naming key is a text like any other."""
    return isinstance(value, str) and _WORD.fullmatch(value) is not None


def _specific(event: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401  JSON values
    return {"hookSpecificOutput": {"hookEventName": event, **fields}}


def _result(name: str, body: Mapping[str, Any]) -> JSON:
    if name == "PostToolUseFailure":
        details = payload.text(body.get("error_details"))
        error = payload.text(body.get("error"))
        return f"{error}\n{details}" if details else error
    if name == "PostToolBatch":
        calls = body.get("tool_calls")
        batch = calls if isinstance(calls, list) else []
        return [each.get("tool_response") for each in batch if isinstance(each, Mapping)]
    return body.get("tool_response")


CONNECTOR = ClaudeCode()
