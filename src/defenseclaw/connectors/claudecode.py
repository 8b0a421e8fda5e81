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

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from defenseclaw.connectors import (
    claudecode_otlp,
    disk,
    files,
    hookscript,
    otlp,
    payload,
    probes,
    runtime,
)
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
from defenseclaw.connectors.claudecode_canary import ClaudeCodeCanary
from defenseclaw.connectors.claudecode_settings import (
    content_of,
    is_on,
    is_on_in_file,
    missing_events,
    read_settings,
    set_hooks,
    unset_hooks,
)
from defenseclaw.connectors.jsonedit import Document
from defenseclaw.errors import AgentNotFound, SetupError
from defenseclaw.vocabulary import (
    JSON,
    Abilities,
    Action,
    Door,
    Event,
    EventKind,
    Mode,
    Verdict,
)

MIN_VERSION = (2, 1, 152)
"""First release with the events below. Source: ``spec/connectors.md`` §6.1, claudecode-hooks-v1."""
PROVEN_VERSION = (2, 1, 197)
"""Release against which events, payloads and answers were measured last."""
SCRIPT = "claude-code-hook"
SETTINGS = "settings.json"
"""Logical name of the backup, and the file's name."""

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
_ALL_EVENTS = (
    *_REGISTRATIONS,
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
_FAILED_CLOSED = "DefenseClaw could not check this and fails closed. Start it: defenseclaw-gateway start"
_DIMENSIONS = ("permission_mode", "source", "reason", "command_name", "command_source", "expansion_type")


class ClaudeCode(Connector):
    """See the module's text."""

    name = "claudecode"
    title = "Claude Code"
    description = "hooks in settings.json on prompts, tool calls, results and completions"
    aliases = ("claude",)
    setup_name = "claude-code"
    hook_path = "/api/v1/claude-code/hook"
    client = "claude-code-hook/1.0"
    block_events = frozenset(
        {"UserPromptSubmit", "UserPromptExpansion", "PreToolUse", "PermissionRequest", "PostToolUse"}
        | {"Stop", "SubagentStop", "ConfigChange", "PreCompact"}
        | _TASKS
        | _ELICITATIONS
    )
    ask_events = frozenset({"PreToolUse"})
    replace_events = frozenset({"PostToolUse"})

    managed_settings_dirs = (
        Path("/etc/claude-code"),
        Path("/Library/Application Support/ClaudeCode"),
    )
    """Where an organisation's settings lie; they may switch hooks off."""

    def __init__(self) -> None:
        self.canary = ClaudeCodeCanary(lambda host: settings_path(host).parent, self._managed_files)

    # ---- translation ----------------------------------------------------------------------------

    def kind_of(self, event_name: str) -> EventKind:
        """See the table in the module's text."""
        return _KINDS.get(event_name, EventKind.LIFECYCLE)

    def abilities(self, event_name: str, kind: EventKind) -> Abilities:
        """As the matrix says; a permission dialog that is about to open is itself the question."""
        found = super().abilities(event_name, kind)
        return replace(found, can_ask=True) if event_name == "PermissionRequest" else found

    def decode(self, call: HookCall) -> Event:
        """Translate Claude Code's snake_case payload."""
        name = payload.event_name(call, keys=("hook_event_name",))
        kind = self.kind_of(name)
        body = call.payload
        tool = payload.identity(body.get("tool_name"))
        event = Event(
            kind=kind,
            door=Door.HOOK,
            name=name,
            connector=self.name,
            cwd=payload.working_directory(body.get("cwd")),
            mcp_server=payload.identity(body.get("mcp_server_name")) or payload.mcp_server(tool),
            model=payload.identity(body.get("model")),
            abilities=self._abilities_now(name, kind, body),
            correlation=payload.correlation(
                call, name=self.name, title=self.title, turn=("turn_id", "prompt_id")
            ),
            faults=call.faults,
            extra={key: payload.identity(body[key]) for key in _DIMENSIONS if body.get(key)},
        )
        if kind is EventKind.PROMPT:
            parts = (body.get(key) for key in ("prompt", "command_name", "command_args"))
            return replace(event, text="\n".join(filter(None, map(payload.text, parts))))
        if kind is EventKind.COMPLETION:
            return replace(
                event,
                text=payload.text(
                    body.get("delta" if name == "MessageDisplay" else "last_assistant_message")
                ),
            )
        if kind is EventKind.TOOL_CALL:
            return replace(event, tool=tool or "tool", args=payload.arguments(body, "tool_input"))
        if kind is EventKind.TOOL_RESULT:
            args = payload.arguments(body, "tool_input")
            return replace(event, tool=tool, args=args or None, result=_result(name, body))
        return event

    def encode(self, event: Event, verdict: Verdict) -> NativeAnswer:
        """Return Claude Code's JSON answer; nothing at all on allow."""
        output = _output(event, verdict)
        if output is None:
            return NativeAnswer(output_field="claude_code_output")
        line = json.dumps(output, ensure_ascii=False, separators=(",", ":"), default=str)
        return NativeAnswer(
            stdout=line.encode("utf-8", "replace"), output_field="claude_code_output", output=output
        )

    def _abilities_now(self, name: str, kind: EventKind, body: Mapping[str, Any]) -> Abilities:
        found = self.abilities(name, kind)
        if name in _STOPS and payload.flag(body, "stop_hook_active"):
            return replace(found, can_block=False)
        return found

    # ---- installation ---------------------------------------------------------------------------

    def detect(self, host: Host) -> Detected:
        """Look for ``claude`` on PATH and ask it for its version."""
        executable = probes.find_executable(host, "claude")
        settings = settings_path(host)
        quiet = {
            "DISABLE_TELEMETRY": "1",
            "DISABLE_AUTOUPDATER": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }
        version = probes.probe_version(host, (executable, "--version"), quiet) if executable else ""
        return Detected(
            found=bool(executable),
            executable=executable,
            version=version,
            config_path=str(settings),
            configured=self._configured(host, settings),
            looked_for=() if executable else probes.places_searched(host, "claude"),
            problem=f"{executable} --version gave no version" if executable and not version else "",
        )

    def plan_setup(self, host: Host, options: SetupOptions) -> Plan:
        """Plan script, runtime files and one entry per event in ``settings.json``."""
        warnings = self._admit(self.detect(host), options)
        settings = settings_path(host)
        now = disk.look(settings)
        document = read_settings(settings, now.content)
        self._refuse_switched_off(host, options, settings, document)
        set_hooks(document, _wanted(host), _owned_commands(host))
        recorded = otlp.original(host, self.name, SETTINGS)
        before = (now.content or b"") if recorded is None else recorded
        if options.native_otlp:
            secret = otlp.setup_token(host, self.name)
            claudecode_otlp.install(document, otlp.address(host), secret, before)
        else:
            claudecode_otlp.uninstall(document, before)
        script = self._script(host)
        token = runtime.setup_token(host, self.name)
        plan = Plan(
            changes=(
                *runtime.runtime_changes(host, self, options.fail_mode, token=token, uses_curl=True),
                Change(
                    path=hookscript.script_path(host, SCRIPT),
                    content=script,
                    mode=0o700,
                    why="hook script: posts events to the gateway",
                ),
                Change(
                    path=settings,
                    content=document.encode(),
                    seen_sha256=now.digest,
                    logical=SETTINGS,
                    why=f"hooks on {len(_REGISTRATIONS)} events",
                ),
            ),
            warnings=warnings,
            restart_hint="Restart running Claude Code sessions; new ones are governed at once.",
        )
        return otlp.completed(plan, host, self.name, settings, wanted=options.native_otlp)

    def plan_teardown(self, host: Host) -> Plan:
        """Plan the removal of our entries, script and runtime files.

        Sessions that still run may call the script for a while: its absence (exit 127) is an error that
        Claude Code passes over.
        """
        changes = []
        for settings in _settings_to_clean(host):
            now = disk.look(settings)
            if now.content is None:
                continue
            document = read_settings(settings, now.content)
            unset_hooks(document, _owned_commands(host))
            claudecode_otlp.uninstall(document, otlp.original(host, self.name, SETTINGS) or b"")
            only_ours = not document.root.value and settings in files.created_files(host, self.name)
            changes.append(
                Change(
                    path=settings,
                    content=None if only_ours else content_of(document, now.content),
                    seen_sha256=now.digest,
                    logical=SETTINGS,
                    why="our hook entries removed",
                )
            )
        script = hookscript.script_path(host, SCRIPT)
        changes.append(Change(path=script, content=None, why="nothing calls it any more"))
        changes += (*runtime.runtime_removals(host, self.name), otlp.removal(host, self.name))
        return Plan(
            changes=tuple(changes),
            restart_hint=(
                "Running Claude Code sessions go on, ungoverned; until they are restarted they may say that "
                "our hook script is not found, which stops nothing."
            ),
        )

    def telemetry(self, host: Host) -> tuple[str, ...]:
        """Hooks, and its own telemetry where that was switched on."""
        return otlp.channels(host, self.name)

    def check(self, host: Host, options: SetupOptions) -> tuple[Check, ...]:
        """Check agent, settings, script, runtime files, and what could switch hooks off."""
        return (
            self._check_agent(host, options),
            *self._check_settings(host, options),
            hookscript.check_script(host, self, SCRIPT, lambda: self._script(host)),
            hookscript.check_runtime(host, self, options.fail_mode, uses_curl=True),
        )

    def protected_paths(self, host: Host) -> tuple[str, ...]:
        """The user's settings; a project's are outside, but cannot take user hooks away."""
        folder = settings_path(host).parent
        homes = {folder, host.home / ".claude", *(each.parent for each in _recorded(host))}
        return tuple(sorted(str(home / each) for home in homes for each in (SETTINGS, "settings.local.json")))

    def _script(self, host: Host) -> bytes:
        closed = {event: answer for event in _REGISTRATIONS if (answer := closed_answer(event))}
        return hookscript.render(host, self, SCRIPT, closed)

    def _configured(self, host: Host, settings: Path) -> bool:
        try:
            document = read_settings(settings, disk.look(settings).content)
            return not missing_events(document, _wanted(host))
        except SetupError:
            return False

    def _admit(self, detected: Detected, options: SetupOptions) -> tuple[str, ...]:
        if not detected.found and not options.force:
            raise AgentNotFound(
                "Claude Code not found: no `claude` on PATH",
                hint=f"looked for {', '.join(detected.looked_for)}; --force installs anyway",
            )
        problem = _version_problem(detected.version)
        if problem and options.mode is Mode.ACTION and not options.force:
            raise SetupError(problem, hint="update Claude Code, or use --force")
        return (problem,) if problem else ()

    def _refuse_switched_off(
        self, host: Host, options: SetupOptions, settings: Path, document: Document
    ) -> None:
        for source in self._switches(host, options, settings, document):
            raise SetupError(f"hooks are switched off by {source}; Claude Code would not call us")

    def _switches(
        self, host: Host, options: SetupOptions, settings: Path, document: Document
    ) -> Iterator[str]:
        """Yield what keeps hooks from running, as ``key in file``."""
        if is_on(document, "disableAllHooks"):
            yield f"disableAllHooks in {settings}"
        for path in self._managed_files():
            for key in ("disableAllHooks", "allowManagedHooksOnly"):
                if is_on_in_file(path, key):
                    yield f"{key} in {path}"
        projects = [options.workspace] if options.workspace else []
        for folder in projects:
            for name in (SETTINGS, "settings.local.json"):
                if is_on_in_file(folder / ".claude" / name, "disableAllHooks"):
                    yield f"disableAllHooks in {folder / '.claude' / name}"

    def _managed_files(self) -> Iterator[Path]:
        for folder in self.managed_settings_dirs:
            yield folder / "managed-settings.json"
            yield from sorted((folder / "managed-settings.d").glob("*.json"))

    def _check_agent(self, host: Host, options: SetupOptions) -> Check:
        detected = self.detect(host)
        if not detected.found:
            detail = detected.problem or "`claude` is not on PATH"
            return Check(
                status="warn", label=self.title, detail=detail, mend="defenseclaw setup remove claude-code"
            )
        place = f"{detected.version} at {detected.executable}"
        problem = _version_problem(detected.version)
        if problem:
            status = "fail" if options.mode is Mode.ACTION else "warn"
            return Check(status=status, label=self.title, detail=problem, mend="claude update")
        if probes.version_tuple(detected.version)[:2] > PROVEN_VERSION[:2]:
            proven = ".".join(map(str, PROVEN_VERSION))
            detail = (
                f"{place}; hooks were last proven with {proven}: see that `defenseclaw alerts` lists them"
            )
            return Check(status="warn", label=self.title, detail=detail)
        return Check(status="pass", label=self.title, detail=place)

    def _check_settings(self, host: Host, options: SetupOptions) -> Iterator[Check]:
        settings = settings_path(host)
        mend = f"defenseclaw setup {self.command_name}"
        try:
            document = read_settings(settings, disk.look(settings).content)
            missing = missing_events(document, _wanted(host))
        except SetupError as error:
            yield Check(status="fail", label="Hook entries", detail=f"{settings}: {error}", mend=mend)
            return
        detail = (
            f"missing or changed in {settings}: {', '.join(missing)}"
            if missing
            else f"complete in {settings}"
        )
        yield Check(
            status="fail" if missing else "pass",
            label="Hook entries",
            detail=detail,
            mend=mend if missing else "",
        )
        for source in self._switches(host, options, settings, document):
            yield Check(status="fail", label="Hooks switched off", detail=source)


def settings_path(host: Host) -> Path:
    """Return the user settings Claude Code reads: ``$CLAUDE_CONFIG_DIR`` or ``~/.claude``."""
    override = host.env.get("CLAUDE_CONFIG_DIR", "")
    folder = Path(override) if override.startswith("/") else host.home / ".claude"
    return folder / SETTINGS


def closed_answer(event: str) -> dict[str, Any] | None:
    """Return the refusal printed when nothing was decided and the fail mode is closed; None: never stopped.

    A result cannot be replaced without knowing its shape: the model is told that it is unchecked.
    """
    if event in ("UserPromptSubmit", "UserPromptExpansion", "PreToolUse", "PermissionRequest", "PostToolUse"):
        return _refusal(event, _FAILED_CLOSED)
    return None


def _output(event: Event, verdict: Verdict) -> dict[str, Any] | None:
    message = verdict.message or verdict.reason or "DefenseClaw policy"
    if event.name == "PostToolUse" and (verdict.replacement is not None or verdict.action is Action.BLOCK):
        return _replaced(event, verdict, message)
    if verdict.action is Action.BLOCK:
        return _refusal(event.name, message) if event.abilities.can_block else None
    if verdict.action is Action.CONFIRM:
        return _question(event.name, message)
    if verdict.action is Action.ALERT and event.name not in _UNSHOWN:
        ids = ", ".join(verdict.rule_ids[:3])
        return {"systemMessage": f"DefenseClaw: {verdict.severity} finding recorded, not stopped ({ids})"}
    return None


def _refusal(event: str, message: str) -> dict[str, Any]:
    if event == "PreToolUse":
        return _specific(event, permissionDecision="deny", permissionDecisionReason=message)
    if event == "PermissionRequest":
        return _specific(event, decision={"behavior": "deny", "message": message})
    if event in _TASKS:
        return {"continue": False, "stopReason": message}
    if event in _ELICITATIONS:
        return _specific(event, action="decline", content={})
    return {"decision": "block", "reason": message}


def _question(event: str, message: str) -> dict[str, Any] | None:
    """At a permission dialog saying nothing is the question: the dialog opens."""
    if event == "PreToolUse":
        return _specific(event, permissionDecision="ask", permissionDecisionReason=message)
    return None


def _replaced(event: Event, verdict: Verdict, message: str) -> dict[str, Any]:
    """The model reads the masked result; a blocked one without a mask is withheld whole, in its shape."""
    shown = verdict.replacement if verdict.replacement is not None else withheld(event.result, message)
    return _specific(event.name, updatedToolOutput=shown) | {"systemMessage": f"DefenseClaw: {message}"}


def withheld(result: JSON, message: str) -> JSON:
    """Return ``result`` in its own shape with ``message`` in place of its first text and no other text."""
    if isinstance(result, str) or result is None:
        return message
    seen = [False]

    def blank(value: JSON, depth: int) -> JSON:
        if isinstance(value, str):
            first, seen[0] = not seen[0], True
            return message if first else ""
        if isinstance(value, Mapping) and depth:
            return {
                key: value[key] if key in ("type", "mediaType") else blank(value[key], depth - 1)
                for key in value
            }
        if isinstance(value, list | tuple) and depth:
            return [blank(each, depth - 1) for each in value]
        return value if isinstance(value, bool) else (0 if isinstance(value, int | float) else None)

    shape = blank(result, 16)
    return shape if seen[0] else message


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


def _wanted(host: Host) -> dict[str, dict[str, Any]]:
    """Return event → the matcher group we install."""
    script = hookscript.script_path(host, SCRIPT)
    groups = {}
    for event, (matcher, timeout) in _REGISTRATIONS.items():
        handler = {"type": "command", "command": hookscript.command(script, event), "timeout": timeout}
        if event in _ASYNCHRONOUS:
            handler["async"] = True
        groups[event] = ({"matcher": matcher} if matcher else {}) | {"hooks": [handler]}
    return groups


def _owned_commands(host: Host) -> frozenset[str]:
    script = hookscript.script_path(host, SCRIPT)
    bare = (str(script), f"'{script}'")
    return frozenset((*bare, *(hookscript.command(script, event) for event in _ALL_EVENTS)))


def _recorded(host: Host) -> list[Path]:
    path = files.recorded_path(host, ClaudeCode.name, SETTINGS)
    return [path] if path else []


def _settings_to_clean(host: Host) -> list[Path]:
    """The file of the setup first; today's too when the configuration directory moved since."""
    return list(dict.fromkeys([*_recorded(host), settings_path(host)]))


def _version_problem(version: str) -> str:
    least = ".".join(map(str, MIN_VERSION))
    if not version:
        return f"Claude Code gave no version; hooks are known to work from {least} on"
    if probes.version_tuple(version) < MIN_VERSION:
        return f"Claude Code {version} is older than {least}, the first with all events we need"
    return ""


CONNECTOR = ClaudeCode()
