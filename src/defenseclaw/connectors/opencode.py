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
import re
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

from defenseclaw.connectors import disk, files, payload, probes, runtime
from defenseclaw.connectors.base import (
    Change,
    Check,
    Connector,
    Detected,
    HookCall,
    Host,
    NativeAnswer,
    Plan,
    SetupOptions,
)
from defenseclaw.connectors.hookscript import check_runtime
from defenseclaw.connectors.opencode_canary import OpenCodeCanary
from defenseclaw.connectors.scripted import absolute, told
from defenseclaw.errors import AgentNotFound, ForeignContent, SetupError
from defenseclaw.vocabulary import JSON, Action, Correlation, Door, Event, EventKind, Mode, Verdict

FILE = "defenseclaw.js"
MARKER = b"// defenseclaw-managed-plugin "
OUTPUT = "hook_output"
LOGICAL = "plugin"
MIN_VERSION = (1, 2, 20)
"""First release whose plugin hooks we know to work; 1.0 does not start beside a directory `plugins`."""

_TEMPLATE = "assets/opencode_plugin.js.tmpl"
_HISTORY = "experimental.chat.messages.transform"
_ANSWER = "experimental.text.complete"
_KINDS = {
    "chat.message": EventKind.PROMPT,
    "tool.execute.before": EventKind.TOOL_CALL,
    "tool.execute.after": EventKind.TOOL_RESULT,
    _HISTORY: EventKind.TOOL_RESULT,
    _ANSWER: EventKind.COMPLETION,
}
_DIMENSIONS = ("agent", "reply", "error")
_FOLDERS = ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "TMPDIR")
"""Where OpenCode makes directories however it is called."""
_OFF = "OPENCODE_PURE"
_ON_VALUES = ("true", "yes", "on", "1", "y")


class OpenCode(Connector):
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

    canary = OpenCodeCanary()

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
        event = Event(
            kind=kind,
            door=Door.HOOK,
            name=name,
            connector=self.name,
            cwd=_working_directory(body),
            model=payload.identity(body.get("model")),
            abilities=self.abilities(name, kind),
            correlation=_correlation(call),
            faults=call.faults,
            extra={key: found for key in _DIMENSIONS if (found := payload.identity(body.get(key)))},
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
            return _answer({"decision": "replace", "value": verdict.replacement})
        if able.can_block and verdict.action is Action.BLOCK:
            return _answer({"decision": "deny", "reason": told(verdict)})
        return NativeAnswer(output_field=OUTPUT)

    # ---- installation ---------------------------------------------------------------------------

    def detect(self, host: Host) -> Detected:
        """Look for ``opencode`` on PATH and ask it for its version."""
        executable = probes.find_executable(host, self.name)
        version = _probed(host, executable) if executable else ""
        path = self._installed_path(host)
        return Detected(
            found=bool(executable),
            executable=executable,
            version=version,
            config_path=str(path),
            configured=_problem(host, path) == "",
            looked_for=() if executable else probes.places_searched(host, self.name),
            problem=f"`{executable} --version` gave no version" if executable and not version else "",
        )

    def plan_setup(self, host: Host, options: SetupOptions) -> Plan:
        """Plan runtime files and the plugin, for the user or for one project."""
        warnings = _admit(self.detect(host), options)
        if _is_off(host):
            raise SetupError(f"plugins are switched off by {_OFF} in the environment; OpenCode loads none")
        path = _plugin_path(host, options.workspace)
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
                    logical=LOGICAL,
                    why="plugin: asks the gateway",
                ),
            ),
            warnings=(*warnings, *_scope_notes(options)),
            restart_hint="Restart running OpenCode sessions; new ones are governed at once.",
        )

    def plan_teardown(self, host: Host) -> Plan:
        """Plan plugin and runtime files away; a plugin that somebody edited is kept under another name."""
        changes, notes = [], []
        for path in _places(host):
            now = disk.look(path)
            if now.content is None or not now.content.startswith(MARKER):
                continue
            if now.content != render_plugin(host):
                aside = path.with_name(f"{FILE}.edited")
                changes.append(Change(path=aside, content=now.content, why="the plugin as it was edited"))
                notes.append(f"{path} was edited; OpenCode does not load what is kept of it in {aside}")
            why = "nothing of ours is left in OpenCode"
            changes.append(Change(path=path, content=None, seen_sha256=now.digest, logical=LOGICAL, why=why))
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
        rows = [_check_agent(self.detect(host), options), self._check_plugin(host)]
        if _is_off(host):
            rows.append(
                Check(status="fail", label="Plugins switched off", detail=f"{_OFF} in the environment")
            )
        return (*rows, check_runtime(host, self, options.fail_mode, uses_curl=False))

    def protected_paths(self, host: Host) -> tuple[str, ...]:
        """Our plugin, where it is and where a setup would put it."""
        return tuple(sorted(map(str, _places(host))))

    def _installed_path(self, host: Host) -> Path:
        return _places(host)[0]

    def _check_plugin(self, host: Host) -> Check:
        path = self._installed_path(host)
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


def config_directory(host: Host) -> Path:
    """Return OpenCode's own directory: ``$XDG_CONFIG_HOME/opencode`` or ``~/.config/opencode``."""
    return (absolute(host.env.get("XDG_CONFIG_HOME")) or host.home / ".config") / "opencode"


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
    text = resources("defenseclaw.connectors").joinpath(_TEMPLATE).read_text("utf-8")
    return re.sub(r"@([A-Z_]+)@", lambda match: json.dumps(str(values[match[1]])), text).encode()


def _plugin_path(host: Host, workspace: Path | None) -> Path:
    if workspace is None:
        return config_directory(host) / "plugins" / FILE
    if workspace.is_relative_to(host.data_dir):
        raise SetupError("the workspace lies in the data directory of DefenseClaw")
    return workspace / ".opencode" / "plugins" / FILE


def _places(host: Host) -> list[Path]:
    """Where a setup put the plugin, then where it would go today."""
    recorded = files.recorded_path(host, OpenCode.name, LOGICAL)
    return list(dict.fromkeys(each for each in (recorded, _plugin_path(host, None)) if each is not None))


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


def _probed(host: Host, executable: str) -> str:
    with tempfile.TemporaryDirectory(prefix="defenseclaw-probe-") as scratch:
        return probes.probe_version(host, (executable, "--version"), dict.fromkeys(_FOLDERS, scratch))


def _admit(detected: Detected, options: SetupOptions) -> tuple[str, ...]:
    if not detected.found and not options.force:
        raise AgentNotFound(
            "OpenCode not found: no `opencode` on PATH",
            hint=f"looked for {', '.join(detected.looked_for)}; --force installs anyway",
        )
    problem = _version_problem(detected.version)
    if problem and (detected.version or options.mode is Mode.ACTION) and not options.force:
        raise SetupError(problem, hint="update OpenCode, or use --force")
    return (problem,) if problem else ()


def _version_problem(version: str) -> str:
    least = ".".join(map(str, MIN_VERSION))
    if not version:
        return f"OpenCode gave no version; its plugins are known to work from {least} on"
    if probes.version_tuple(version) < MIN_VERSION:
        return f"OpenCode {version} is older than {least}, the first whose plugins we know to work"
    return ""


def _scope_notes(options: SetupOptions) -> tuple[str, ...]:
    if options.workspace is None:
        return ()
    return (
        f"the plugin in {options.workspace} names directories of this machine: "
        "keep it out of version control",
    )


def _check_agent(detected: Detected, options: SetupOptions) -> Check:
    if not detected.found:
        return Check(status="warn", label=OpenCode.title, detail="`opencode` is not on PATH")
    problem = _version_problem(detected.version)
    status = "fail" if problem and options.mode is Mode.ACTION else "warn" if problem else "pass"
    detail = problem or f"{detected.version} at {detected.executable}"
    return Check(status=status, label=OpenCode.title, detail=detail)


def _answer(output: Mapping[str, Any]) -> NativeAnswer:
    line = json.dumps(output, ensure_ascii=False, separators=(",", ":"), default=str)
    return NativeAnswer(stdout=line.encode("utf-8", "replace"), output_field=OUTPUT, output=output)


def _working_directory(body: Mapping[str, Any]) -> str:
    """A call may name another directory than the project's."""
    arguments = body.get("tool_input")
    named = arguments.get("workdir") if isinstance(arguments, Mapping) else None
    project = payload.working_directory(body.get("cwd"))
    if not isinstance(named, str) or not named:
        return project
    return payload.working_directory(posixpath.join(project, named)) or project


def _correlation(call: HookCall) -> Correlation:
    body, known = call.payload, call.correlation
    agent_id = payload.identity(body.get("agent_id"))
    agent_type = payload.identity(body.get("agent")) if agent_id else ""
    return replace(
        known,
        session_id=payload.identity(body.get("session_id")) or known.session_id,
        turn_id=payload.identity(body.get("turn_id")) or known.turn_id,
        tool_call_id=payload.identity(body.get("tool_call_id")) or known.tool_call_id,
        agent_id=agent_id or known.agent_id,
        agent_name=known.agent_name or OpenCode.title,
        agent_type=agent_type or known.agent_type or OpenCode.name,
    )


CONNECTOR = OpenCode()
