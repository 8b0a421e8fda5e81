"""Hermes: a plugin of ours in its plugin directory, enabled in its ``config.yaml``.

Hermes also runs shell commands as hooks. They could refuse a call and nothing else: what they answer to a
prompt or a result is ignored, a hook that Hermes times out lets the call run, only some of Hermes' entry
points load them, and with nobody at the terminal they are skipped unless *every* hook is accepted unseen
(``hooks_auto_accept``). The plugin has none of these limits and hands each event to the hook script.

Which events are handed on, and why (names as in Hermes' hooks; measured on 0.19.0):

=======================================  ============  ======================================================
Event                                    Kind          Why
=======================================  ============  ======================================================
pre_llm_call                             prompt        what a person, or a parent agent, tells the agent
pre_tool_call                            tool_call     the call, before it runs; sub-agents' calls too
post_tool_call                           tool_result   what the model gets to read; taken where it can still
                                                       be replaced (``tool_execution``)
post_llm_call                            completion    the last answer, before it is shown
                                                       (``transform_llm_output``)
on_session_start, on_session_end,        lifecycle     the frame of a session and of each turn
on_session_finalize, on_session_reset,
subagent_start, subagent_stop
=======================================  ============  ======================================================

A refused prompt ends the turn the way a model's own refusal does (``content_filter``), so Hermes neither asks
again nor titles the session with it; later requests of that process withhold it. ``confirm`` before a call is
Hermes' own approval question where a person can be asked, which the plugin says (``can_ask``); under
``--yolo`` Hermes would approve by itself, so there it is a block. No answer of ours makes Hermes go on, so
there is no stop loop to guard. Source: ``spec/connectors.md`` §8.9, ``spec/real-agents.md`` §3.7.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from defenseclaw.connectors import (
    disk,
    hermes_config,
    hookscript,
    payload,
    probes,
    runtime,
    scripted,
    templates,
)
from defenseclaw.connectors.base import Change, Check, HookCall, Host, NativeAnswer, Plan, SetupOptions
from defenseclaw.connectors.hermes_canary import HermesCanary
from defenseclaw.errors import SetupError
from defenseclaw.vocabulary import Abilities, Action, Correlation, Event, EventKind, Verdict

CONFIG = "config.yaml"
"""Logical name of the backup, and the file's name."""
OUTPUT = "hook_output"

_KINDS = {
    "pre_llm_call": EventKind.PROMPT,
    "pre_tool_call": EventKind.TOOL_CALL,
    "post_tool_call": EventKind.TOOL_RESULT,
    "post_llm_call": EventKind.COMPLETION,
}
_EVENTS = (
    "on_session_start",
    "pre_llm_call",
    "pre_tool_call",
    "post_tool_call",
    "post_llm_call",
    "on_session_end",
    "on_session_finalize",
    "on_session_reset",
    "subagent_start",
    "subagent_stop",
)
_FORGETS = (0, 19, 0)
_DIMENSIONS = ("platform", "status", "reason", "child_role", "child_status", "child_session_id")
_PROFILE = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_SAFE_MODE = re.compile(
    r"(?im)^[ \t]*(?:export[ \t]+)?HERMES_SAFE_MODE[ \t]*=[ \t]*[\"']?(?:1|true|yes|on)\b"
)


class Hermes(scripted.ScriptedConnector):
    """See the module's text."""

    name = "hermes"
    title = "Hermes"
    description = "a plugin on prompts, tool calls, results and answers"
    aliases = ("hermes-agent",)
    hook_path = "/api/v1/hermes/hook"
    client = "hermes-hook/1.0"
    kinds = _KINDS
    hooked = _EVENTS
    block_events = frozenset(_KINDS)
    ask_events = frozenset({"pre_tool_call"})
    replace_events = frozenset({"post_tool_call", "post_llm_call"})
    stops = frozenset({"post_llm_call"})

    executables = ("hermes",)
    home_variable = "HERMES_HOME"
    min_version = (0, 17, 0)
    script = "hermes-hook"
    logical = CONFIG
    restart_hint = "Restart running Hermes sessions and its gateway; new ones are governed at once."

    system_dir = Path("/etc/hermes")
    """Where an organisation's settings lie; they win over the user's."""

    def __init__(self) -> None:
        self.canary = HermesCanary(lambda host: self.settings_path(host).parent)

    # ---- translation ----------------------------------------------------------------------------

    def decode(self, call: HookCall) -> Event:
        """Translate the payload of Hermes' hooks: what an event brings is under ``extra``."""
        name = payload.event_name(call, keys=("hook_event_name",))
        kind = self.kind_of(name)
        body = call.payload
        extra = payload.arguments(body, "extra")
        tool = payload.identity(body.get("tool_name"))
        event = payload.event(
            call,
            self,
            name,
            mcp_server=payload.mcp_server(tool),
            model=extra.get("model"),
            abilities=self._abilities_for(name, extra),
            extra=payload.dimensions(extra, _DIMENSIONS),
        )
        event = replace(event, correlation=_correlation(event.correlation, extra))
        if kind is EventKind.PROMPT:
            return replace(event, text=payload.text(extra.get("user_message")))
        if kind is EventKind.COMPLETION:
            return replace(event, text=payload.text(extra.get("assistant_response")))
        if kind is EventKind.TOOL_CALL:
            return replace(event, tool=tool or "tool", args=payload.arguments(body, "tool_input"))
        if kind is EventKind.TOOL_RESULT:
            args = payload.arguments(body, "tool_input")
            return replace(event, tool=tool, args=args or None, result=extra.get("result"))
        return event

    def encode(self, event: Event, verdict: Verdict) -> NativeAnswer:
        """Return Hermes' JSON answer; nothing at all on allow."""
        return scripted.answer(self._output(event, verdict), OUTPUT)

    def refusal(self, event: str, message: str) -> dict[str, Any] | None:
        """Return ``action: block``, which the plugin carries out; None for what cannot be stopped."""
        return {"action": "block", "message": message} if event in self.block_events else None

    def _output(self, event: Event, verdict: Verdict) -> dict[str, Any] | None:
        if event.name in self.replace_events and verdict.replacement is not None:
            return {"result": verdict.replacement}
        message = scripted.told(verdict)
        if verdict.action is Action.CONFIRM and event.abilities.can_ask:
            return {"action": "approve", "message": message}
        if verdict.action in (Action.BLOCK, Action.CONFIRM):
            return self.refusal(event.name, message) if event.abilities.can_block else None
        if verdict.action is Action.ALERT and event.name == "pre_llm_call":
            return {"context": scripted.notice(verdict)}
        return None

    def _abilities_for(self, name: str, extra: Mapping[str, Any]) -> Abilities:
        found = self.abilities(name, self.kind_of(name))
        return replace(found, can_ask=found.can_ask and payload.flag(extra, "can_ask"))

    # ---- installation ---------------------------------------------------------------------------

    def settings_path(self, host: Host) -> Path:
        """Return the configuration of the profile Hermes starts with."""
        return _active_home(host) / CONFIG

    def plan_setup(self, host: Host, options: SetupOptions) -> Plan:
        """Plan script, runtime files, plugin, and last the entry that makes Hermes load it."""
        plan = super().plan_setup(host, options)
        settings = self.setup_path(host, options)
        installed = [
            Change(path=path, content=content, mode=0o600, logical=logical, why=why)
            for path, content, logical, why in self._plugin(host, settings)
        ]
        return replace(
            plan,
            changes=(*plan.changes[:-1], *installed, replace(plan.changes[-1], why="enables the plugin")),
            warnings=(*plan.warnings, *_ungoverned(settings)),
        )

    def plan_teardown(self, host: Host) -> Plan:
        """Plan the removal of entry, plugin, script and runtime files."""
        plan = super().plan_teardown(host)
        removed = [
            Change(path=path, content=None, logical=logical, why="our plugin removed")
            for settings in self._places(host)
            for path, _, logical, _ in self._plugin(host, settings)
            if disk.look(path).content is not None
        ]
        return replace(
            plan,
            changes=(*plan.changes, *removed),
            restart_hint="Restart running Hermes sessions: their plugin lost its script and fails closed.",
        )

    def check(self, host: Host, options: SetupOptions) -> tuple[Check, ...]:
        """Check the plugin's files besides what every scripted agent has."""
        settings = self.installed_path(host)
        others = (
            Check(status="warn", label="Hermes profiles", detail=each) for each in _ungoverned(settings)
        )
        return (*super().check(host, options), self._check_plugin(host, settings), *others)

    def version_notes(self, version: str) -> tuple[str, ...]:
        """Measured on 0.17 and 0.18: the session is saved before a refused prompt can be taken out of it."""
        if version and probes.version_tuple(version) < _FORGETS:
            return (f"Hermes {version} saves a refused prompt; a resumed session shows it to the model",)
        return ()

    def with_hooks(self, host: Host, path: Path, content: bytes | None, events: Sequence[str]) -> bytes:
        """Return the configuration with our plugin enabled."""
        del host, path, events
        return hermes_config.enabled(content or b"")

    def without_hooks(self, host: Host, path: Path, content: bytes) -> tuple[bytes, bool]:
        """Return the configuration without our entry."""
        del host, path
        cleaned = hermes_config.without(content)
        return cleaned, hermes_config.is_empty(cleaned)

    def missing_events(
        self, host: Host, path: Path, content: bytes | None, events: Sequence[str]
    ) -> list[str]:
        """Return all events while the plugin is not enabled: Hermes loads it whole or not at all."""
        del host, path
        return [] if hermes_config.is_enabled(content or b"") else list(events)

    def switched_off(self, host: Host, options: SetupOptions) -> Iterator[str]:
        """The plugin may be disabled, or every plugin be."""
        del options
        home = _active_home(host)
        managed = scripted.absolute(host.env.get("HERMES_MANAGED_DIR")) or self.system_dir
        for path in (home / CONFIG, managed / CONFIG):
            if _holds(path, hermes_config.is_disabled):
                yield f"plugins.disabled: {hermes_config.PLUGIN} in {path}"
        if _holds(managed / CONFIG, hermes_config.replaces_enabled) and not _holds(
            managed / CONFIG, hermes_config.is_enabled
        ):
            yield f"plugins.enabled without {hermes_config.PLUGIN} in {managed / CONFIG}"
        for path in (home / ".env", managed / ".env"):
            if _SAFE_MODE.search(_text(path)):
                yield f"HERMES_SAFE_MODE in {path}"

    def protected_paths(self, host: Host) -> tuple[str, ...]:
        """Configuration, environment file and plugin of every home that was or would be set up."""
        homes = {host.home / ".hermes", *(each.parent for each in self._places(host))}
        kept = (CONFIG, ".env", f"plugins/{hermes_config.PLUGIN}")
        return tuple(sorted(str(home / each) for home in homes for each in kept))

    def _plugin(self, host: Host, settings: Path) -> list[tuple[Path, bytes, str, str]]:
        """Path, content, name of the backup and purpose of each file of the plugin."""
        folder = settings.parent / "plugins" / hermes_config.PLUGIN
        return [
            (folder / "__init__.py", self._render(host), "plugin", "plugin: hands events to the script"),
            (
                folder / "plugin.yaml",
                templates.asset("hermes_plugin.yaml").encode(),
                "manifest",
                "the plugin's name",
            ),
            # Where Python would keep compiled code, which it would load instead of what doctor checks.
            (folder / "__pycache__", b"", "bytecode", "keeps compiled code from standing in for the plugin"),
        ]

    def _render(self, host: Host) -> bytes:
        values = {
            "SCRIPT": hookscript.script_path(host, self.script),
            "RUNTIME_FILE": runtime.runtime_path(host, self.name),
        }
        quoted = {name: json.dumps(str(path)) for name, path in values.items()}
        return templates.rendered("hermes_plugin.py.tmpl", quoted)

    def _check_plugin(self, host: Host, settings: Path) -> Check:
        mend = f"defenseclaw setup {self.command_name}"
        for path, content, _, _ in self._plugin(host, settings):
            try:
                same = disk.look(path).content == content and not path.is_symlink()
            except SetupError:
                same = False
            if not same:
                detail = f"{path} is missing or changed"
                return Check(status="fail", label="Hermes plugin", detail=detail, mend=mend)
        return Check(status="pass", label="Hermes plugin", detail=f"complete beside {settings}")


def _active_home(host: Host) -> Path:
    """Return the directory Hermes uses when started without ``--profile``: ``$HERMES_HOME`` or ``~/.hermes``,
    or the profile in it that ``hermes profile use`` made the standing one.
    """
    home = scripted.absolute(host.env.get(Hermes.home_variable)) or host.home / ".hermes"
    if home.parent.name == "profiles":
        return home
    name = _text(home / "active_profile").strip()
    profile = home / "profiles" / name
    return profile if _PROFILE.fullmatch(name) and name != "default" and profile.is_dir() else home


def _ungoverned(settings: Path) -> tuple[str, ...]:
    """Say which other profiles have a configuration that does not load us."""
    home = settings.parent
    root = home.parent.parent if home.parent.name == "profiles" else home
    places = [root / CONFIG, *sorted(root.glob(f"profiles/*/{CONFIG}"))]
    names = [
        "default" if each.parent == root else each.parent.name
        for each in places
        if each != settings and each.is_file() and not _holds(each, hermes_config.is_enabled)
    ]
    return (f"not governed: {', '.join(names[:8])}",) if names else ()


def _holds(path: Path, question: Callable[[bytes], bool]) -> bool:
    """A configuration that cannot be read holds nothing."""
    try:
        return question(disk.look(path).content or b"")
    except SetupError:
        return False


def _text(path: Path) -> str:
    try:
        return (disk.look(path).content or b"").decode("utf-8", "replace")
    except SetupError:
        return ""


def _correlation(known: Correlation, extra: Mapping[str, Any]) -> Correlation:
    """Ids of turn and call are where the event brings the rest."""
    return replace(
        known,
        turn_id=payload.identity(payload.first(extra, "turn_id", "parent_turn_id")) or known.turn_id,
        tool_call_id=payload.identity(extra.get("tool_call_id")) or known.tool_call_id,
    )


CONNECTOR = Hermes()
