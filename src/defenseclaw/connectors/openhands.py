"""OpenHands CLI: hooks in its ``hooks.json``, the user's or one project's.

Which events are hooked, and why (names and payloads measured on CLI 1.16.0 with SDK 1.21.0):

==================  ============  ===========================================================================
Event               Kind          Why
==================  ============  ===========================================================================
UserPromptSubmit    prompt        what a person tells the agent
PreToolUse          tool_call     the call, before it runs
AgentMessage        completion    what the agent says through its tools ``finish`` and ``think``: OpenHands
                                  calls it a PreToolUse, the name is ours
PostToolUse         tool_result   what the model gets to read
Stop                completion    the end of a turn; the payload holds no text of it
SessionStart        lifecycle     the frame of a session
==================  ============  ===========================================================================

Understood but not installed: SessionEnd. It carries nothing, and a hook on it makes OpenHands print a
traceback whenever it ends.

Traps, all measured:

- A hook that refuses ``finish`` or the end of a turn is called again without end, and no payload tells the
  second time from the first: neither is ever refused, in closed mode neither.
- ``additionalContext`` makes a new message of a prompt, and a refusal of the old one is lost: we send none,
  and our hook stands in front of all others (:mod:`defenseclaw.connectors.openhands_hooks`).
- Sub-agents (tools ``task`` and ``delegate``) call no hooks. What one would do cannot be taken in, which is
  a fault of the call that starts it: refused in action mode unless the operator allows the tool.
- The result of a tool is the model's whatever a hook says; nothing can be replaced.
- Answers are read in the locale's encoding, and one that cannot be decoded lets the call run: ours are
  ASCII, and the exit code says the same. (Read in its source.)

Source: ``spec/connectors.md`` §8.7, ``spec/gateway-api.md`` §20.6.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from defenseclaw.connectors import disk, openhands_hooks, payload, probes, scripted
from defenseclaw.connectors.base import HookCall, Host, NativeAnswer, SetupOptions
from defenseclaw.connectors.openhands_canary import OpenHandsCanary
from defenseclaw.errors import SetupError
from defenseclaw.vocabulary import JSON, Action, Event, EventKind, Verdict

FILE = ".openhands/hooks.json"
"""Below the home or a project."""
OUTPUT = "hook_output"
AGENT_MESSAGE = "AgentMessage"
UNHOOKED_SUBAGENT = "unhooked_subagent"
"""Fault of a call that starts a sub-agent."""

_KINDS = {
    "UserPromptSubmit": EventKind.PROMPT,
    "PreToolUse": EventKind.TOOL_CALL,
    AGENT_MESSAGE: EventKind.COMPLETION,
    "PostToolUse": EventKind.TOOL_RESULT,
    "Stop": EventKind.COMPLETION,
}
_SAYING = "finish|think"
_DOING = rf"/(?!(?:{_SAYING})\Z)[\s\S]*/"
_REGISTRATIONS = {
    "SessionStart": ("session_start", "*"),
    "UserPromptSubmit": ("user_prompt_submit", "*"),
    "PreToolUse": ("pre_tool_use", _DOING),
    AGENT_MESSAGE: ("pre_tool_use", _SAYING),
    "PostToolUse": ("post_tool_use", _DOING),
    "Stop": ("stop", "*"),
}
"""Event → key in the file, matcher (a name, or a pattern between slashes that must match the whole name)."""
_UNHOOKED = ("SessionEnd",)
_SPELLINGS = {each.lower(): each for each in (*_REGISTRATIONS, *_UNHOOKED)}
_TIMEOUT_S = 30
_SAID = {"FinishAction": "message", "ThinkAction": "thought"}
_DELEGATIONS = {"TaskAction": "task", "DelegateAction": "delegate"}
_MCP = "MCPToolAction"
_WHY_NO_SUBAGENT = "OpenHands calls no hooks in sub-agents, so nothing one does is checked: work without one."


class OpenHands(scripted.ScriptedConnector):
    """See the module's text."""

    name = "openhands"
    title = "OpenHands"
    description = "hooks in hooks.json on prompts, tool calls, results and what the agent says at the end"
    aliases = ("open-hands",)
    hook_path = "/api/v1/openhands/hook"
    client = "openhands-hook/1.0"
    kinds = _KINDS
    spellings = _SPELLINGS
    hooked = tuple(_REGISTRATIONS)
    block_events = frozenset({"UserPromptSubmit", "PreToolUse"})

    executables = ("openhands",)
    probe_env: Mapping[str, str] = {"OPENHANDS_SUPPRESS_BANNER": "1"}
    home_variable = "HOME"
    min_version = (1, 12, 0)
    script = "openhands-hook"
    logical = "config"
    project_file = FILE
    unhooked = _UNHOOKED
    restart_hint = "Restart running OpenHands sessions; new ones are governed at once."
    closed_exit = 2

    def __init__(self) -> None:
        self.canary = OpenHandsCanary(self.installed_path, self.settings_path)

    # ---- translation ----------------------------------------------------------------------------

    def decode(self, call: HookCall) -> Event:
        """Translate OpenHands' payload, in which every field is there and null where it does not apply."""
        body = call.payload
        action = payload.arguments(body, "tool_input")
        said = _SAID.get(payload.identity(action.get("kind")), "")
        name = _named(payload.event_name(call, keys=("event_type",)))
        if name == "PreToolUse" and said:
            name = AGENT_MESSAGE
        kind = self.kind_of(name)
        tool = payload.identity(body.get("tool_name"))
        event = payload.event(
            call,
            self,
            name,
            cwd=payload.working_directory(body.get("working_dir")),
            extra=payload.dimensions(payload.arguments(body, "metadata"), ("reason",)),
        )
        if kind is EventKind.PROMPT:
            return replace(event, text=payload.text(body.get("message")))
        if kind is EventKind.COMPLETION:
            return replace(event, text=payload.text(action.get(said)))
        if kind is EventKind.TOOL_CALL:
            faults = (*call.faults, UNHOOKED_SUBAGENT) if _delegates(tool, action) else call.faults
            return replace(event, tool=tool or "tool", args=_arguments(action), faults=faults)
        if kind is EventKind.TOOL_RESULT:
            return replace(event, tool=tool, args=_arguments(action) or None, result=_result(body))
        return event

    def encode(self, event: Event, verdict: Verdict) -> NativeAnswer:
        """Return OpenHands' refusal, in JSON and as exit code; nothing at all otherwise."""
        refused = verdict.action in (Action.BLOCK, Action.CONFIRM) and event.abilities.can_block
        output = self.refusal(event.name, _told(event, verdict)) if refused else None
        if output is None:
            return NativeAnswer(output_field=OUTPUT)
        line = json.dumps(output, separators=(",", ":"))
        return NativeAnswer(
            stdout=line.encode(), exit_code=self.closed_exit, output_field=OUTPUT, output=output
        )

    def refusal(self, event: str, message: str) -> dict[str, Any] | None:
        """Return ``decision: deny`` with the reason; None for what cannot be stopped."""
        return {"decision": "deny", "reason": message} if event in self.block_events else None

    # ---- installation ---------------------------------------------------------------------------

    def settings_path(self, host: Host) -> Path:
        """Return the user's hooks file; OpenHands goes by ``$HOME``, and no other variable moves it."""
        return (scripted.absolute(host.env.get(self.home_variable)) or host.home) / FILE

    def scope_notes(self, options: SetupOptions) -> tuple[str, ...]:
        """A project's file holds nowhere else, and names files of this machine."""
        if options.workspace is None:
            return ()
        return (
            f"only OpenHands sessions that work in {options.workspace} are governed; "
            f"keep its {FILE} out of version control",
        )

    def doubts(self, host: Host, path: Path, content: bytes | None) -> Iterator[str]:
        """Name the files that OpenHands reads instead of ours, or ours instead of which."""
        del content
        users = self.settings_path(host)
        if path != users:
            if _is_used(users):
                yield f"in this project OpenHands does not call the hooks in {users}: it reads one file only"
            return
        for variable in ("OPENHANDS_WORK_DIR", "PWD"):
            project = scripted.absolute(host.env.get(variable))
            other = project / FILE if project else users
            if other != users and other.exists() and not self._is_intact(host, other, ""):
                yield f"OpenHands reads {other} instead when it works in {project}, which is not governed"
                return

    def with_hooks(self, host: Host, path: Path, content: bytes | None, events: Sequence[str]) -> bytes:
        """Return the hooks file with our groups in front."""
        del path
        document = openhands_hooks.read(content)
        openhands_hooks.install(document, self._wanted(host, events), self.owned(host))
        return document.encode()

    def without_hooks(self, host: Host, path: Path, content: bytes) -> tuple[bytes, bool]:
        """Return the hooks file without our entries."""
        del path
        document = openhands_hooks.read(content)
        openhands_hooks.uninstall(document, self.owned(host))
        return document.encode(), not document.root.value

    def missing_events(
        self, host: Host, path: Path, content: bytes | None, events: Sequence[str]
    ) -> list[str]:
        """Return the events whose group does not stand in front as we write it."""
        del path
        absent = openhands_hooks.missing(openhands_hooks.read(content), self._wanted(host, events))
        return [event for event in events if self._group(host, event) in absent]

    def protected_paths(self, host: Host) -> tuple[str, ...]:
        """The user's hooks file and the one of the setup."""
        return tuple(sorted({str(each) for each in (self.settings_path(host), *self.recorded(host))}))

    def _probed(self, host: Host, executable: str) -> str:
        """OpenHands takes up to ten seconds to say its version; its Python environment says it at once."""
        return installed_version(Path(executable)) or super()._probed(host, executable)

    def _wanted(self, host: Host, events: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        wanted: dict[str, list[dict[str, Any]]] = {}
        for event in events:
            wanted.setdefault(_REGISTRATIONS[event][0], []).append(self._group(host, event))
        return wanted

    def _group(self, host: Host, event: str) -> dict[str, Any]:
        handler = {"type": "command", "command": self.command(host, event), "timeout": _TIMEOUT_S}
        return {"matcher": _REGISTRATIONS[event][1], "hooks": [handler]}


def installed_version(executable: Path) -> str:
    """Return the version of the package that a launcher belongs to, empty when that cannot be told.

    Installers put launcher and packages below one directory: ``bin/openhands`` beside
    ``lib/python3.x/site-packages/openhands-N.N.N.dist-info``. Nothing is run.
    """
    real = Path(os.path.realpath(executable))
    try:
        with real.open("rb") as launcher:
            if launcher.read(2) != b"#!":
                return ""
        found = list(real.parent.parent.glob("lib/python3*/*-packages/openhands-[0-9]*.dist-info"))
    except OSError:
        return ""
    return probes.version_in(found[0].name) if len(found) == 1 else ""


def _named(event: str) -> str:
    return payload.spelt(event, _SPELLINGS)


def _delegates(tool: str, action: Mapping[str, Any]) -> bool:
    """Whether a call starts a sub-agent; the tool's name counts where its kind is missing."""
    kind = payload.identity(action.get("kind"))
    return kind in _DELEGATIONS or (not kind and tool in _DELEGATIONS.values())


def _arguments(action: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the arguments; those of an MCP tool lie one level deeper, and ``kind`` is not one."""
    data = action.get("data")
    if action.get("kind") == _MCP and isinstance(data, Mapping):
        return data
    return {key: value for key, value in action.items() if key != "kind"}


def _result(body: Mapping[str, Any]) -> JSON:
    """Return what the model reads of a result; the rest repeats the call or the edited file."""
    response = payload.arguments(body, "tool_response")
    return response.get("content", dict(response)) if response else None


def _told(event: Event, verdict: Verdict) -> str:
    message = scripted.told(verdict)
    return f"{message} {_WHY_NO_SUBAGENT}" if UNHOOKED_SUBAGENT in event.faults else message


def _is_used(path: Path) -> bool:
    try:
        return openhands_hooks.is_used(openhands_hooks.read(disk.look(path).content))
    except SetupError:
        return False


CONNECTOR = OpenHands()
