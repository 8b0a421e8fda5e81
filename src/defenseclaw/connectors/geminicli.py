"""Gemini CLI: hooks in its ``settings.json``, which may hold comments.

Which events are hooked, and why (names and payloads measured on 0.61.0):

=================================  ============  ============================================================
Event                              Kind          Why
=================================  ============  ============================================================
BeforeAgent                        prompt        what a person tells the agent
BeforeTool                         tool_call     the call, before it runs
AfterTool                          tool_result   what the model gets to read
AfterAgent                         completion    the last answer
SessionStart, SessionEnd           lifecycle     the frame of a session
=================================  ============  ============================================================

Understood but not installed, since each start of a hook delays the agent: BeforeModel (the prompt of
BeforeAgent again, at every call of the model), AfterModel (once per piece of a streamed answer; denying it
stops nothing), BeforeToolSelection, PreCompress and Notification, which carry nothing new.

``AfterAgent`` is never denied while ``stop_hook_active`` is true, since the agent would be prompted again
without end. There is a native ask (``decision: ask``), but with nobody at the terminal it hangs until the
agent is killed, and no payload says whether somebody is: ``confirm`` before a call is a block. Denying
``AfterTool`` shows the model the reason *instead of* the output, which is how a masked result is delivered.
Source: ``spec/connectors.md`` §8.5, ``spec/gateway-api.md`` §20.6.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from defenseclaw.connectors import claudecode_settings as grouped
from defenseclaw.connectors import disk, geminicli_otlp, otlp, payload, scripted
from defenseclaw.connectors.base import HookCall, Host, NativeAnswer, Plan, SetupOptions
from defenseclaw.connectors.geminicli_canary import GeminiCliCanary
from defenseclaw.connectors.jsonc import CommentedDocument, has_comments
from defenseclaw.connectors.jsonedit import Document, read_object
from defenseclaw.errors import SetupError
from defenseclaw.vocabulary import JSON, Action, Event, EventKind, Verdict

SETTINGS = "settings.json"
"""Logical name of the backup, and the file's name."""
HOOK_NAME = "defenseclaw"
"""Under which Gemini lists our hooks, and may have them disabled."""
OUTPUT = "hook_output"

_KINDS = {
    "BeforeAgent": EventKind.PROMPT,
    "BeforeModel": EventKind.PROMPT,
    "BeforeTool": EventKind.TOOL_CALL,
    "AfterTool": EventKind.TOOL_RESULT,
    "AfterModel": EventKind.COMPLETION,
    "AfterAgent": EventKind.COMPLETION,
}
_EVENTS = ("SessionStart", "BeforeAgent", "BeforeTool", "AfterTool", "AfterAgent", "SessionEnd")
_TIMEOUT_MS = 30_000
_IDS = payload.IdKeys(session=("session_id",))
_DIMENSIONS = ("source", "reason", "trigger")


class GeminiCli(scripted.ScriptedConnector):
    """See the module's text."""

    name = "geminicli"
    title = "Gemini CLI"
    description = "hooks in settings.json on prompts, tool calls, results and completions"
    aliases = ("gemini",)
    setup_name = "gemini-cli"
    hook_path = "/api/v1/geminicli/hook"
    client = "geminicli-hook/1.0"
    kinds = _KINDS
    hooked = _EVENTS
    block_events = frozenset({"BeforeAgent", "BeforeModel", "BeforeTool", "AfterTool", "AfterAgent"})
    replace_events = frozenset({"AfterTool"})
    stops = frozenset({"AfterAgent"})
    unhooked = ("BeforeModel", "AfterModel", "BeforeToolSelection", "PreCompress", "Notification")

    executables = ("gemini",)
    home_variable = "GEMINI_CLI_HOME"
    min_version = (0, 26, 0)
    script = "geminicli-hook"
    logical = SETTINGS
    restart_hint = "Restart running Gemini CLI sessions; new ones are governed at once."

    system_dirs = (Path("/etc/gemini-cli"), Path("/Library/Application Support/GeminiCli"))
    """Where an organisation's settings lie; they may switch hooks off."""

    def __init__(self) -> None:
        self.canary = GeminiCliCanary(
            lambda host: self.settings_path(host).parent,
            lambda host: _settings([self.settings_path(host)]),
            lambda host: _settings(self._system_files(host)),
        )

    # ---- translation ----------------------------------------------------------------------------

    def decode(self, call: HookCall) -> Event:
        """Translate Gemini's snake_case payload."""
        name = payload.event_name(call, keys=("hook_event_name",))
        kind = self.kind_of(name)
        body = call.payload
        request = payload.arguments(body, "llm_request")
        tool = payload.identity(body.get("tool_name"))
        event = payload.event(
            call,
            self,
            name,
            mcp_server=_mcp_server(body, tool),
            model=request.get("model"),
            abilities=self.abilities_now(name, body),
            ids=_IDS,
            extra=payload.dimensions(body, _DIMENSIONS),
        )
        if kind is EventKind.PROMPT:
            asked = _last_message(request) if name == "BeforeModel" else body.get("prompt")
            return replace(event, text=payload.text(asked))
        if kind is EventKind.COMPLETION:
            answer = payload.arguments(body, "llm_response").get("text")
            return replace(event, text=payload.text(answer or body.get("prompt_response")))
        if kind is EventKind.TOOL_CALL:
            return replace(event, tool=tool or "tool", args=payload.arguments(body, "tool_input"))
        if kind is EventKind.TOOL_RESULT:
            args = payload.arguments(body, "tool_input")
            return replace(event, tool=tool, args=args or None, result=body.get("tool_response"))
        return event

    def encode(self, event: Event, verdict: Verdict) -> NativeAnswer:
        """Return Gemini's JSON answer; nothing at all on allow."""
        return scripted.answer(self._output(event, verdict), OUTPUT)

    def refusal(self, event: str, message: str) -> dict[str, Any] | None:
        """Return ``decision: deny`` with the reason; None for what cannot be stopped."""
        return {"decision": "deny", "reason": message} if event in self.block_events else None

    def _output(self, event: Event, verdict: Verdict) -> dict[str, Any] | None:
        message = scripted.told(verdict)
        if event.name == "AfterTool" and verdict.replacement is not None:
            return self.refusal(event.name, _shown(verdict.replacement) or message)
        if verdict.action in (Action.BLOCK, Action.CONFIRM):
            return self.refusal(event.name, message) if event.abilities.can_block else None
        if verdict.action is Action.ALERT and event.name in _EVENTS:
            return {"systemMessage": scripted.notice(verdict)}
        return None

    # ---- installation ---------------------------------------------------------------------------

    def settings_path(self, host: Host) -> Path:
        """Return the user settings Gemini reads: below ``$GEMINI_CLI_HOME`` or the home directory."""
        home = scripted.absolute(host.env.get(self.home_variable)) or host.home
        return home / ".gemini" / SETTINGS

    def with_hooks(self, host: Host, path: Path, content: bytes | None, events: Sequence[str]) -> bytes:
        """Return the settings with our entries."""
        del path
        document = _read(content)
        grouped.set_hooks(document, self._wanted(host, events), self.owned(host))
        return document.encode()

    def without_hooks(self, host: Host, path: Path, content: bytes) -> tuple[bytes, bool]:
        """Return the settings without our entries."""
        del path
        document = _read(content)
        grouped.unset_hooks(document, self.owned(host))
        geminicli_otlp.uninstall(document)
        nothing_left = not document.root.value and not has_comments(content)
        return document.encode(), nothing_left

    def settings_after(
        self, host: Host, path: Path, content: bytes | None, events: Sequence[str], options: SetupOptions
    ) -> bytes:
        """Return the settings with our entries, and with its telemetry where that is switched on."""
        document = _read(self.with_hooks(host, path, content, events))
        if options.native_otlp:
            geminicli_otlp.install(document, otlp.address(host), otlp.setup_token(host, self.name))
        else:
            geminicli_otlp.uninstall(document)
        return document.encode()

    def plan_setup(self, host: Host, options: SetupOptions) -> Plan:
        """Plan as for every agent, and the token of its telemetry."""
        plan, path = super().plan_setup(host, options), self.setup_path(host, options)
        return otlp.completed(plan, host, self.name, path, wanted=options.native_otlp)

    def plan_teardown(self, host: Host) -> Plan:
        """Plan as for every agent, and the token of its telemetry."""
        plan = super().plan_teardown(host)
        return replace(plan, changes=(*plan.changes, otlp.removal(host, self.name)))

    def telemetry(self, host: Host) -> tuple[str, ...]:
        """Hooks, and its own telemetry where that was switched on."""
        return otlp.channels(host, self.name)

    def missing_events(
        self, host: Host, path: Path, content: bytes | None, events: Sequence[str]
    ) -> list[str]:
        """Return the events whose entry is not there as we write it."""
        del path
        return grouped.missing_events(_read(content), self._wanted(host, events))

    def switched_off(self, host: Host, options: SetupOptions) -> Iterator[str]:
        """Hooks may be off in the user's, the project's or the organisation's settings."""
        defaults = scripted.absolute(host.env.get("GEMINI_CLI_SYSTEM_DEFAULTS_PATH"))
        system = self._system_files(host)
        projects = [options.workspace / ".gemini" / SETTINGS] if options.workspace else []
        beside = [defaults] if defaults else [each.parent / "system-defaults.json" for each in system]
        for path in (self.settings_path(host), *projects, *system, *beside):
            for key in _switches(path):
                yield f"{key} in {path}"

    def _system_files(self, host: Host) -> list[Path]:
        named = scripted.absolute(host.env.get("GEMINI_CLI_SYSTEM_SETTINGS_PATH"))
        return [named] if named else [folder / SETTINGS for folder in self.system_dirs]

    def protected_paths(self, host: Host) -> tuple[str, ...]:
        """The user's settings; a project's can switch hooks off, but not change ours."""
        paths = {self.settings_path(host), host.home / ".gemini" / SETTINGS, *self.recorded(host)}
        return tuple(sorted(map(str, paths)))

    def _wanted(self, host: Host, events: Sequence[str]) -> dict[str, dict[str, Any]]:
        return {
            event: {
                "matcher": "*",
                "hooks": [
                    {
                        "name": HOOK_NAME,
                        "type": "command",
                        "command": self.command(host, event),
                        "timeout": _TIMEOUT_MS,
                    }
                ],
            }
            for event in events
        }


def _read(content: bytes | None) -> Document:
    return read_object(content, CommentedDocument)


def _settings(paths: Iterable[Path]) -> Mapping[str, Any]:
    """Return what the first of some settings files holds, empty where there are none."""
    for path in paths:
        content = disk.look(path).content
        if content is not None:
            settings: Mapping[str, Any] = _read(content).root.value
            return settings
    return {}


def _switches(path: Path) -> list[str]:
    """Return what in a settings file keeps our hooks from running; one that cannot be read: nothing."""
    try:
        settings = _read(disk.look(path).content).root.value
    except SetupError:
        return []
    config = settings.get("hooksConfig")
    if not isinstance(config, Mapping):
        return []
    disabled = config.get("disabled")
    found = ["hooksConfig.enabled: false"] if config.get("enabled") is False else []
    if isinstance(disabled, list) and HOOK_NAME in disabled:
        found.append(f"hooksConfig.disabled: {HOOK_NAME}")
    return found


def _mcp_server(body: Mapping[str, Any], tool: str) -> str:
    context = body.get("mcp_context")
    named = context.get("server_name") if isinstance(context, Mapping) else None
    return payload.identity(named) or payload.mcp_server(tool)


def _last_message(request: Mapping[str, Any]) -> JSON:
    messages = request.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    return last.get("content") if isinstance(last, Mapping) else None


def _shown(result: JSON) -> str:
    """Return the text of a result that the model was to read."""
    content = result.get("llmContent") if isinstance(result, Mapping) else result
    if isinstance(content, list):
        texts = [each.get("text") if isinstance(each, Mapping) else each for each in content]
        return "\n".join(payload.text(each) for each in texts if each)
    return payload.text(content if content is not None else result)


CONNECTOR = GeminiCli()
