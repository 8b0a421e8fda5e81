"""Antigravity (``agy``): named hooks in ``~/.gemini/config/hooks.json``. Documented, never run by us.

Which events are hooked, and why:

==================================  ============  ===========================================================
Event                               Kind          Why
==================================  ============  ===========================================================
PreToolUse                          tool_call     the call, before it runs
PostToolUse                         tool_result   that it ran, and the error of one that failed; no output
PostInvocation                      completion    what the model said
Stop                                completion    the last answer
PreInvocation                       lifecycle     a call of the model; the payload holds no prompt
==================================  ============  ===========================================================

Understood but not installed: SessionStart, which older releases do not know.

No payload names its event: the command line does, and the script passes it on as a header. The command can
hold neither a space nor a character of the shell in its path, since some releases start it directly.

Traps, and what is done about them:

- An answer to PreToolUse without a decision (``{}``, or anything that is not JSON) denies the call: an allow
  prints nothing at all, and so does the script when it lets the agent go on.
- ``decision: allow`` would approve what the user did not: it is never said.
- ``ask`` follows the user's earlier answers and yields to ``--dangerously-skip-permissions``: ``force_ask``
  has the person decide this call.
- ``Stop`` and ``PostInvocation`` could only send the agent on for ever: nothing is ever said there.
- One value of the wrong type, or a comment, makes Antigravity drop the whole file: see
  :mod:`defenseclaw.connectors.antigravity_hooks`.

Source: ``spec/connectors.md`` §8.8; what each answer to ``PreToolUse`` does: measured by others on 1.2.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from defenseclaw.connectors import antigravity_hooks, disk, hookscript, payload, scripted
from defenseclaw.connectors.base import HookCall, Host, NativeAnswer, SetupOptions
from defenseclaw.errors import SetupError
from defenseclaw.vocabulary import JSON, Action, Event, EventKind, Verdict

FILE = "hooks.json"
OUTPUT = "hook_output"
PREFIX = "defenseclaw-antigravity-"
"""Of our named hooks, one per event."""

_KINDS = {
    "PreToolUse": EventKind.TOOL_CALL,
    "PostToolUse": EventKind.TOOL_RESULT,
    "PostInvocation": EventKind.COMPLETION,
    "Stop": EventKind.COMPLETION,
}
_EVENTS = ("PreInvocation", "PreToolUse", "PostToolUse", "PostInvocation", "Stop")
_TIMEOUT_S = 30
_PLAIN_PATH = re.compile(r"[\w@%+=:,./-]+")
_ARGUMENTS = {
    "CommandLine": "command",
    "Cwd": "cwd",
    "AbsolutePath": "file_path",
    "TargetFile": "file_path",
    "DirectoryPath": "directory",
    "SearchPath": "path",
    "SearchDirectory": "path",
    "CodeContent": "content",
    "TargetContent": "old_string",
    "ReplacementContent": "new_string",
    "Url": "url",
}
"""Antigravity's names of arguments → those that detection knows a file's text by."""
_TERMINAL_INPUT = "send_command_input"
_IDS = payload.IdKeys(session=("conversationId",), tool_call=("stepIdx",))
_DIMENSIONS = {"terminationReason": "reason", "invocationNum": "invocation"}


class Antigravity(scripted.ScriptedConnector):
    """See the module's text."""

    name = "antigravity"
    title = "Antigravity"
    description = "named hooks on tool calls and what the model says (not run by us)"
    aliases = ("agy",)
    hook_path = "/api/v1/antigravity/hook"
    client = "antigravity-hook/1.0"
    kinds = _KINDS
    hooked = _EVENTS
    block_events = frozenset({"PreToolUse"})
    ask_events = frozenset({"PreToolUse"})

    executables = ("agy",)
    home_variable = "HOME"
    min_version = (1, 1, 9)
    script = "antigravity-hook"
    logical = "config"
    restart_hint = "Restart running Antigravity sessions; new ones are governed at once."

    # ---- translation ----------------------------------------------------------------------------

    def decode(self, call: HookCall) -> Event:
        """Translate Antigravity's camelCase payload; the header names the event."""
        name = payload.event_name(call, keys=("hook_event_name", "hookEventName"))
        kind = self.kind_of(name)
        body = call.payload
        tool, args = _tool_call(body)
        event = payload.event(
            call,
            self,
            name,
            cwd=_working_directory(body, args),
            mcp_server=payload.mcp_server(tool),
            model=body.get("modelName"),
            ids=_IDS,
            extra=payload.dimensions(body, _DIMENSIONS),
        )
        if kind is EventKind.TOOL_CALL:
            return replace(event, tool=tool or "tool", args=args)
        if kind is EventKind.TOOL_RESULT:
            return replace(event, tool=tool, args=args or None, result=body.get("error") or None)
        if kind is EventKind.COMPLETION:
            said = payload.first(body, "modelOutput", "finalModelOutput")
            return replace(event, text=payload.text(said))
        return event

    def encode(self, event: Event, verdict: Verdict) -> NativeAnswer:
        """Return Antigravity's JSON answer; nothing at all on allow."""
        return scripted.answer(self._output(event, verdict), OUTPUT)

    def refusal(self, event: str, message: str) -> dict[str, Any] | None:
        """Return ``decision: deny`` with the reason; None for what cannot be stopped."""
        return {"decision": "deny", "reason": message} if event in self.block_events else None

    def _output(self, event: Event, verdict: Verdict) -> dict[str, Any] | None:
        message = scripted.told(verdict)
        if verdict.action is Action.CONFIRM and event.abilities.can_ask:
            return {"decision": "force_ask", "reason": message}
        return self.refusal(event.name, message) if verdict.action is Action.BLOCK else None

    # ---- installation ---------------------------------------------------------------------------

    def settings_path(self, host: Host) -> Path:
        """Return the one file Antigravity reads for every project."""
        return host.home / ".gemini" / "config" / FILE

    def command(self, host: Host, event: str) -> str:
        """Return the command of one entry, without a quote."""
        return f"{hookscript.script_path(host, self.script)} {event}"

    def scope_notes(self, options: SetupOptions) -> tuple[str, ...]:
        """Hooks of a project would run beside these, each call twice."""
        if options.workspace is None:
            return ()
        return ("Antigravity is hooked for every project; --workspace changes nothing",)

    def with_hooks(self, host: Host, path: Path, content: bytes | None, events: Sequence[str]) -> bytes:
        """Return the file with our named hooks.

        Raises:
            SetupError: the script's path cannot stand in a command of Antigravity's.
        """
        del path
        script = hookscript.script_path(host, self.script)
        if not _PLAIN_PATH.fullmatch(str(script)):
            raise SetupError(
                f"Antigravity cannot start {str(script)!r}: a space or a character of the shell in the path",
                hint="choose another data directory with DEFENSECLAW_HOME",
            )
        document = antigravity_hooks.read(content)
        antigravity_hooks.install(document, self._wanted(host, events), lambda each: self.owns(host, each))
        return document.encode()

    def without_hooks(self, host: Host, path: Path, content: bytes) -> tuple[bytes, bool]:
        """Return the file without our handlers."""
        del path
        document = antigravity_hooks.read(content)
        antigravity_hooks.uninstall(document, lambda each: self.owns(host, each))
        return document.encode(), not document.root.value

    def missing_events(
        self, host: Host, path: Path, content: bytes | None, events: Sequence[str]
    ) -> list[str]:
        """Return the events whose named hook is not there as we write it."""
        del path
        held = antigravity_hooks.read(content).root.value
        wanted = self._wanted(host, events)
        return [event for event in events if held.get(_hook_name(event)) != wanted[_hook_name(event)]]

    def doubts(self, host: Host, path: Path, content: bytes | None) -> Iterator[str]:
        """What the agent reads besides must not call us a second time, or take our names."""
        del path, content
        legacy = host.home / ".gemini" / FILE
        try:
            document = antigravity_hooks.read(disk.look(legacy).content)
        except SetupError:
            return
        ours = {_hook_name(event) for event in _EVENTS}
        named = ours.intersection(document.root.value)
        if named or antigravity_hooks.holds_ours(document, lambda each: self.owns(host, each)):
            yield f"{legacy} holds hooks of the same names or commands, which Antigravity reads too"

    def protected_paths(self, host: Host) -> tuple[str, ...]:
        """The hooks file, the older one that is still read, and the settings of the agent."""
        folder = host.home / ".gemini"
        paths = {folder / FILE, folder / "antigravity-cli" / "settings.json"}
        return tuple(sorted(map(str, {self.settings_path(host), *paths, *self.recorded(host)})))

    def _wanted(self, host: Host, events: Sequence[str]) -> dict[str, dict[str, Any]]:
        return {_hook_name(event): {event: self._handlers(host, event)} for event in events}

    def _handlers(self, host: Host, event: str) -> list[dict[str, Any]]:
        handler = {"type": "command", "command": self.command(host, event), "timeout": _TIMEOUT_S}
        if event.lower() in antigravity_hooks.GROUPED:
            return [{"matcher": "*", "hooks": [handler]}]
        return [handler]


def _hook_name(event: str) -> str:
    return PREFIX + event.lower()


def _tool_call(body: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    call = body.get("toolCall")
    if not isinstance(call, Mapping):
        return "", {}
    tool, args = payload.identity(call.get("name")), call.get("args")
    if not isinstance(args, Mapping):
        return tool, {} if args is None else {"input": args}
    renamed = _renamed(args)
    if tool == _TERMINAL_INPUT and "Input" in renamed:
        renamed["command"] = renamed.pop("Input")
    return tool, renamed


def _renamed(args: Mapping[str, Any]) -> dict[str, Any]:
    return {_ARGUMENTS.get(key, key): _renamed_inside(value) for key, value in args.items()}


def _renamed_inside(value: JSON) -> JSON:
    if isinstance(value, list):
        return [_renamed(each) if isinstance(each, Mapping) else each for each in value]
    return value


def _working_directory(body: Mapping[str, Any], args: Mapping[str, Any]) -> str:
    root = payload.first_item(body.get("workspacePaths"))
    return payload.working_directory(args.get("cwd")) or payload.working_directory(root)


CONNECTOR = Antigravity()
