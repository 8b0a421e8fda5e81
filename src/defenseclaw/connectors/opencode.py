"""OpenCode: a plugin of ours inside it, which asks the gateway.

Which of its plugin hooks and events are used, and why (measured on 1.18.33, in part on 1.17.0 and 1.2.20):

=====================================  ============  ========================================================
Hook or event                          Kind          Why
=====================================  ============  ========================================================
chat.message                           prompt        what a person, a command or a calling agent tells it
tool.execute.before                    tool_call     the call, before OpenCode's own permission prompt
tool.execute.after                     tool_result   what the model gets to read; its own and MCP tools
experimental.chat.messages.transform   tool_result   what the model reads of a call that failed and of a
                                                     command a person ran (``!``), which fire no hook of
                                                     their own; each is judged once
experimental.text.complete             completion    a text of the model once it is whole
session.created, .idle, .compacted,    lifecycle     the frame of a session, and how a person answered a
.error, .deleted, permission.replied                 permission prompt
=====================================  ============  ========================================================

Not used: ``permission.ask``, which OpenCode declares and never calls, so that there is no native ask; the
other events, which repeat the above many times a turn.

One file in OpenCode's plugin directory, rendered from ``assets/opencode_plugin.js.tmpl``; OpenCode's
configuration is not touched. The bridge reads ``hook_output`` of the envelope: ``{"decision": "deny",
"reason"}`` or ``{"decision": "replace", "value"}``. A sub-agent's events carry its parent's session, its own
id is the agent's. Source: ``spec/connectors.md`` §8.10.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from defenseclaw.connectors import disk, payload, runtime, templates
from defenseclaw.connectors.base import Change, Check, HookCall, Host, NativeAnswer, Plan, SetupOptions
from defenseclaw.connectors.hookscript import check_runtime
from defenseclaw.connectors.opencode_canary import OpenCodeCanary
from defenseclaw.connectors.probed import ProbedConnector
from defenseclaw.connectors.scripted import absolute, answer, told
from defenseclaw.errors import ForeignContent, SetupError
from defenseclaw.vocabulary import JSON, Action, Event, EventKind, Verdict

FILE = "defenseclaw.js"
MARKER = b"// defenseclaw-managed-plugin "
OUTPUT = "hook_output"
TEMPLATE = "opencode_plugin.js.tmpl"

_HISTORY = "experimental.chat.messages.transform"
_ANSWER = "experimental.text.complete"
_KINDS = {
    "chat.message": EventKind.PROMPT,
    "tool.execute.before": EventKind.TOOL_CALL,
    "tool.execute.after": EventKind.TOOL_RESULT,
    _HISTORY: EventKind.TOOL_RESULT,
    _ANSWER: EventKind.COMPLETION,
}
_IDS = payload.IdKeys(
    session=("session_id",), turn=("turn_id",), tool_call=("tool_call_id",), agent_id=("agent_id",)
)
_SUB_AGENT_IDS = replace(_IDS, agent_type=("agent",))
"""Only a sub-agent's name says what type of agent it is; that of others names a mode."""
_DIMENSIONS = ("agent", "reply", "error")
_OFF = "OPENCODE_PURE"
_ON_VALUES = ("true", "yes", "on", "1", "y")


class OpenCode(ProbedConnector):
    """See the module's text."""

    name = "opencode"
    title = "OpenCode"
    description = "a plugin inside OpenCode on prompts, tool calls, results and answers"
    aliases = ("open-code",)
    hook_path = "/api/v1/opencode/hook"
    client = "opencode-plugin/1.0"
    enforcement_surface = "opencode_plugin"
    block_events = frozenset(_KINDS)
    replace_events = frozenset({"tool.execute.after", _HISTORY, _ANSWER})

    executables = ("opencode",)
    home_variable = "XDG_CONFIG_HOME"
    also_moved = ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "TMPDIR")
    min_version = (1, 2, 20)
    min_version_in_any_mode = True
    """1.0 does not start beside a directory ``plugins``."""
    logical = "plugin"
    project_file = f".opencode/plugins/{FILE}"

    def __init__(self) -> None:
        self.canary = OpenCodeCanary(self.installed_path)

    # ---- translation ----------------------------------------------------------------------------

    def kind_of(self, event_name: str) -> EventKind:
        """See the table in the module's text."""
        return _KINDS.get(event_name, EventKind.LIFECYCLE)

    def decode(self, call: HookCall) -> Event:
        """Translate what the bridge sends."""
        body = call.payload
        name = payload.event_name(call)
        kind = self.kind_of(name)
        tool = payload.identity(body.get("tool_name"))
        arguments: JSON = body.get("tool_input")
        event = payload.event(
            call,
            self,
            name,
            cwd=_working_directory(body),
            model=body.get("model"),
            ids=_SUB_AGENT_IDS if payload.identity(body.get("agent_id")) else _IDS,
            extra=payload.dimensions(body, _DIMENSIONS),
        )
        if kind is EventKind.PROMPT:
            return replace(event, text=payload.text(body.get("prompt")))
        if kind is EventKind.TOOL_CALL:
            return replace(event, tool=tool or "tool", args={} if arguments is None else arguments)
        if kind is EventKind.TOOL_RESULT:
            return replace(event, tool=tool, args=arguments, result=body.get("tool_response"))
        return replace(event, text=payload.text(body.get("text")) if kind is EventKind.COMPLETION else "")

    def encode(self, event: Event, verdict: Verdict) -> NativeAnswer:
        """Return what the bridge does: replace or refuse; nothing to go on."""
        able = event.abilities
        if able.can_replace and verdict.replacement is not None:
            return answer({"decision": "replace", "value": verdict.replacement}, OUTPUT)
        if able.can_block and verdict.action is Action.BLOCK:
            return answer({"decision": "deny", "reason": told(verdict)}, OUTPUT)
        return answer(None, OUTPUT)

    # ---- installation ---------------------------------------------------------------------------

    def settings_path(self, host: Host) -> Path:
        """Return the plugin of the user: below ``$XDG_CONFIG_HOME/opencode`` or ``~/.config/opencode``."""
        folder = absolute(host.env.get(self.home_variable)) or host.home / ".config"
        return folder / "opencode" / "plugins" / FILE

    def installed_path(self, host: Host) -> Path:
        """Return where the setup put the plugin."""
        return self._places(host)[0]

    def is_configured(self, host: Host, path: Path, version: str) -> bool:
        """Whether OpenCode would load the plugin as we wrote it."""
        del version
        return not _problem(host, path)

    def scope_notes(self, options: SetupOptions) -> tuple[str, ...]:
        """A project's plugin names files of this machine."""
        if options.workspace is None:
            return ()
        return (
            f"the plugin in {options.workspace} names directories of this machine: "
            "keep it out of version control",
        )

    def plan_setup(self, host: Host, options: SetupOptions) -> Plan:
        """Plan runtime files and the plugin, for the user or for one project.

        Raises:
            AgentNotFound: no ``opencode`` on PATH, and it is not forced.
            ForeignContent: something of somebody else stands where the plugin goes.
            SetupError: too old a version, plugins that are switched off, or a workspace in our own directory.
        """
        _, warnings = self._admit(host, options)
        if _is_off(host):
            raise SetupError(f"plugins are switched off by {_OFF} in the environment; OpenCode loads none")
        path = self.setup_path(host, options)
        if path.is_symlink():
            raise ForeignContent(f"{path} is a symbolic link where a file of ours belongs")
        now = disk.look(path)
        if now.content is not None and not now.content.startswith(MARKER):
            raise ForeignContent(f"{path} is a plugin of somebody else", hint="rename it and run again")
        token = runtime.setup_token(host, self.name)
        return Plan(
            changes=(
                *runtime.runtime_changes(host, self, options.fail_mode, token=token, uses_curl=False),
                Change(
                    path=path,
                    content=render_plugin(host),
                    seen_sha256=now.digest,
                    logical=self.logical,
                    why="plugin: asks the gateway",
                ),
            ),
            warnings=warnings,
            restart_hint="Restart running OpenCode sessions; new ones are governed at once.",
        )

    def plan_teardown(self, host: Host) -> Plan:
        """Plan plugin and runtime files away; a plugin that somebody edited is kept under another name."""
        changes, notes = [], []
        for path in self._places(host):
            now = disk.look(path)
            if now.content is None or not now.content.startswith(MARKER):
                continue
            if now.content != render_plugin(host):
                aside = path.with_name(f"{FILE}.edited")
                changes.append(Change(path=aside, content=now.content, why="the plugin as it was edited"))
                notes.append(f"{path} was edited; OpenCode does not load what is kept of it in {aside}")
            why = "nothing of ours is left in OpenCode"
            changes.append(
                Change(path=path, content=None, seen_sha256=now.digest, logical=self.logical, why=why)
            )
        changes += runtime.runtime_removals(host, self.name)
        return Plan(
            changes=tuple(changes),
            notes=tuple(notes),
            restart_hint=(
                "Restart running OpenCode sessions now: they keep the plugin, find no token and refuse all."
            ),
        )

    def check(self, host: Host, options: SetupOptions) -> tuple[Check, ...]:
        """Check OpenCode, the plugin, what could switch it off, and the runtime files."""
        rows = [self._check_agent(self.detect(host), options), self._check_plugin(host)]
        if _is_off(host):
            rows.append(
                Check(status="fail", label="Plugins switched off", detail=f"{_OFF} in the environment")
            )
        return (*rows, check_runtime(host, self, options.fail_mode, uses_curl=False))

    def protected_paths(self, host: Host) -> tuple[str, ...]:
        """Our plugin, where it is and where a setup would put it."""
        return tuple(sorted(map(str, self._places(host))))

    def _check_plugin(self, host: Host) -> Check:
        path = self.installed_path(host)
        problem = _problem(host, path)
        if problem:
            mend = f"defenseclaw setup {self.command_name}"
            return Check(status="fail", label="Plugin", detail=f"{path} {problem}", mend=mend)
        if disk.look(path).mode & 0o022:
            return Check(
                status="fail",
                label="Plugin",
                detail=f"{path} can be written by others",
                mend=f"chmod 600 '{path}'",
            )
        return Check(status="pass", label="Plugin", detail=str(path))


def render_plugin(host: Host) -> bytes:
    """Return the bridge, bound to the data directory; it holds no secret.

    Raises:
        SetupError: the data directory has a name that a JavaScript string cannot hold as it is.
    """
    if not str(host.data_dir).isprintable():
        raise SetupError("the data directory's name holds characters a plugin cannot")
    values = {
        "TOKEN_FILE": runtime.token_path(host, OpenCode.name),
        "RUNTIME_FILE": runtime.runtime_path(host, OpenCode.name),
        "LOG_DIRECTORY": host.data_dir / "logs",
        "SWITCH_FILE": host.data_dir / ".disabled",
    }
    return templates.rendered(TEMPLATE, {name: json.dumps(str(path)) for name, path in values.items()})


def _problem(host: Host, path: Path) -> str:
    """Return what is wrong with the plugin, empty when OpenCode would load it as we wrote it."""
    try:
        now = disk.look(path)
        if now.content is None:
            return "is missing"
        return "" if now.content == render_plugin(host) and not path.is_symlink() else "was changed"
    except SetupError as error:
        return f"cannot be read: {error.message}"


def _is_off(host: Host) -> bool:
    return host.env.get(_OFF, "").lower() in _ON_VALUES


def _working_directory(body: Mapping[str, Any]) -> str:
    """A call may name another directory than the project's."""
    arguments = body.get("tool_input")
    named = arguments.get("workdir") if isinstance(arguments, Mapping) else None
    project = payload.working_directory(body.get("cwd"))
    if not isinstance(named, str) or not named:
        return project
    return payload.working_directory(posixpath.join(project, named)) or project


CONNECTOR = OpenCode()
