"""OmniGent: a custom Python policy inside its server, which asks the gateway on six phases.

=============  ==================  ===========  ===========================================
Phase          Event               Kind         Enforcement
=============  ==================  ===========  ===========================================
request        UserPromptSubmit    prompt       ALLOW, ASK, DENY
tool_call      PreToolUse          tool_call    ALLOW, ASK, DENY before execution
tool_result    PostToolUse         tool_result  masked or withheld text in place of the result
response       AfterAgentResponse  completion   DENY replaces the stored text
llm_request    BeforeModel         prompt       ALLOW, ASK, DENY
llm_response   AfterModel          completion   DENY replaces the stored text
=============  ==================  ===========  ===========================================

Four files: the bridge (``assets/omnigent_policy.py.tmpl``) and its token in our data directory, a ``.pth``
line in the Python environment that owns ``omnigent``, and two keys in OmniGent's ``config.yaml``. The
config entry comes last and goes first, since OmniGent cannot run with an entry whose module is missing.
Source: seed ``omnigent-connector``; ``spec/omnigent.md`` §8-§11.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from defenseclaw.connectors import disk, files, payload, probes, runtime, templates
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
from defenseclaw.connectors.omnigent_config import MODULE, POLICY, is_gated, registered, unregistered
from defenseclaw.connectors.omnigent_python import (
    EXECUTABLES,
    OmnigentPython,
    find_python,
    refuse_unwritable,
    run_python,
)
from defenseclaw.errors import AgentNotFound, SetupError
from defenseclaw.vocabulary import JSON, Event, EventKind, Verdict

PTH = "defenseclaw_omnigent.pth"
PHASES = {
    "request": "UserPromptSubmit",
    "tool_call": "PreToolUse",
    "tool_result": "PostToolUse",
    "response": "AfterAgentResponse",
    "llm_request": "BeforeModel",
    "llm_response": "AfterModel",
}
_KINDS = {
    "UserPromptSubmit": EventKind.PROMPT,
    "BeforeModel": EventKind.PROMPT,
    "PreToolUse": EventKind.TOOL_CALL,
    "PostToolUse": EventKind.TOOL_RESULT,
    "AfterAgentResponse": EventKind.COMPLETION,
    "AfterModel": EventKind.COMPLETION,
}
_IDS = payload.IdKeys(
    session=("session_id", "conversation_id"),
    tool_call=("tool_call_id",),
    agent_id=("agent_id",),
    agent_name=("agent_name",),
    agent_type=("agent_type",),
)
_UNFINISHED = (
    "only the bridge was written, since OmniGent cannot run with an entry whose module it does not find; "
    "run the setup again once OmniGent is installed"
)
_TELEMETRY_NOTE = (
    "native telemetry needs `omnigent[tracing]` and OMNIGENT_TELEMETRY_ENABLED=true besides the exporter "
    "variables, and hands OmniGent the gateway token; see the documentation"
)


class OmniGent(Connector):
    """See the module's text."""

    name = "omnigent"
    title = "OmniGent"
    description = "custom Python policy on six phases of OmniGent"
    aliases = ("omni",)
    hook_path = "/api/v1/omnigent/hook"
    client = "omnigent-policy/1.0"
    enforcement_surface = "omnigent_policy_api"
    block_events = frozenset(PHASES.values())
    ask_events = frozenset({"UserPromptSubmit", "PreToolUse", "BeforeModel"})
    replace_events = frozenset({"PostToolUse"})

    # ---- translation ----------------------------------------------------------------------------

    def kind_of(self, event_name: str) -> EventKind:
        """See the table in the module's text."""
        return _KINDS.get(event_name, EventKind.LIFECYCLE)

    def decode(self, call: HookCall) -> Event:
        """Translate what the bridge sends."""
        body = call.payload
        phase = payload.identity(body.get("omnigent_event_type"))
        named = payload.identity(body.get("hook_event_name")) or PHASES.get(phase, "")
        name = named or payload.event_name(call)
        kind = self.kind_of(name)
        tool = payload.identity(body.get("tool_name"))
        arguments: JSON = body.get("tool_input")
        response: JSON = body.get("tool_response")
        event = payload.event(
            call,
            self,
            name,
            mcp_server=payload.identity(body.get("mcp_server_name")) or payload.mcp_server(tool),
            model=body.get("model"),
            ids=_IDS,
            extra=_dimensions(body, phase),
        )
        if kind is EventKind.TOOL_CALL:
            return replace(event, tool=tool or "tool", args={} if arguments is None else arguments)
        if kind is EventKind.TOOL_RESULT:
            return replace(event, tool=tool, args=arguments or None, result=response)
        if kind is EventKind.COMPLETION:
            return replace(event, text=payload.text(response))
        return replace(event, text=payload.text(body.get("prompt")) if kind is EventKind.PROMPT else "")

    def encode(self, event: Event, verdict: Verdict) -> NativeAnswer:
        """Return nothing: the bridge reads ``action``, ``reason`` and ``replacement`` of the envelope."""
        return NativeAnswer()

    # ---- installation ---------------------------------------------------------------------------

    def detect(self, host: Host) -> Detected:
        """Look for ``omnigent`` or ``omni`` on PATH and the Python behind it."""
        executable = probes.find_executable(host, *EXECUTABLES)
        version = problem = ""
        if executable:
            try:
                version = find_python(host).version
            except SetupError as error:
                problem = error.message
        config = config_path(host)
        return Detected(
            found=bool(executable),
            executable=executable,
            version=version,
            config_path=str(config),
            configured=_is_registered(config),
            looked_for=() if executable else probes.places_searched(host, *EXECUTABLES),
            problem=problem,
        )

    def plan_setup(self, host: Host, options: SetupOptions) -> Plan:
        """Plan token, runtime file, bridge, ``.pth`` line and config entries, in this order."""
        python, warnings = self._python(host, options)
        config = config_path(host)
        now = disk.look(config)
        token = runtime.setup_token(host, self.name)
        changes = runtime.runtime_changes(host, self, options.fail_mode, token=token, uses_curl=False)
        changes.append(
            Change(path=module_path(host), content=render_bridge(host), logical="module", why="policy bridge")
        )
        if python is not None:
            pth, line = python.purelib / PTH, pth_line(module_path(host).parent)
            why = f"makes the bridge importable in {python.prefix}"
            changes.append(Change(path=pth, content=line, logical="pth", why=why))
            changes.append(
                Change(
                    path=config,
                    content=registered(config, now.content or b""),
                    seen_sha256=now.digest,
                    logical="config",
                    why="registers the bridge and enables the policy",
                )
            )
        return Plan(
            changes=tuple(changes),
            notes=(f"configuration: {config}", _TELEMETRY_NOTE),
            warnings=(*warnings, *_warnings(config, now.content or b"")),
            restart_hint=(
                f"Restart OmniGent: omnigent server --config {config} "
                "(a background server: omnigent stop, then start)."
            ),
        )

    def plan_teardown(self, host: Host) -> Plan:
        """Plan config, ``.pth``, bridge, runtime files and compiled bridge away, in this order."""
        changes = []
        for config in _places(host, self.name, "config", config_path(host)):
            now = disk.look(config)
            if now.content is None:
                continue
            cleaned: bytes | None = unregistered(config, now.content)
            if config in files.created_files(host, self.name) and not (cleaned or b"").strip():
                cleaned = None
            changes.append(
                Change(
                    path=config,
                    content=cleaned,
                    seen_sha256=now.digest,
                    logical="config",
                    why="our entries removed",
                )
            )
        notes = []
        for pth in _places(host, self.name, "pth", None):
            if _is_our_pth(pth, module_path(host).parent):
                changes.append(Change(path=pth, content=None, logical="pth", why="no longer needed"))
            elif pth.exists():
                notes.append(f"{pth} was edited and is left in place")
        changes.append(Change(path=module_path(host), content=None, logical="module", why="no longer needed"))
        changes += runtime.runtime_removals(host, self.name)
        compiled = module_path(host).parent / "__pycache__"
        for path in sorted(compiled.glob(f"{MODULE}.*.pyc")):
            changes.append(Change(path=path, content=None, why="compiled bridge"))
        return Plan(
            changes=tuple(changes),
            notes=tuple(notes),
            restart_hint="Restart OmniGent now: a running server keeps the bridge and denies everything.",
        )

    def verify(self, host: Host) -> None:
        """Import the bridge as OmniGent's Python would."""
        pth = files.recorded_path(host, self.name, "pth")
        if pth is None:
            return
        python = find_python(host)
        if not _imports_bridge(python, module_path(host)):
            raise SetupError(
                f"{python.interpreter} does not import the bridge",
                hint="see whether its site-packages are switched off (`-S`) or another module has this name",
            )

    def check(self, host: Host, options: SetupOptions) -> tuple[Check, ...]:
        """Check OmniGent's Python, the bridge, the config entries and the runtime files."""
        from defenseclaw.connectors.hookscript import check_runtime

        return (
            self._check_python(host),
            self._check_bridge(host),
            *self._check_config(host),
            check_runtime(host, self, options.fail_mode, uses_curl=False),
        )

    def protected_paths(self, host: Host) -> tuple[str, ...]:
        """OmniGent's configuration and our ``.pth`` file."""
        configs = _places(host, self.name, "config", config_path(host))
        return tuple(str(each) for each in (*configs, *_places(host, self.name, "pth", None)))

    def _python(self, host: Host, options: SetupOptions) -> tuple[OmnigentPython | None, tuple[str, ...]]:
        try:
            python = find_python(host)
        except AgentNotFound as error:
            if not options.force:
                raise
            return None, (f"{error.message}: {_UNFINISHED}",)
        refuse_unwritable(python)
        return python, ()

    def _check_python(self, host: Host) -> Check:
        try:
            python = find_python(host)
            refuse_unwritable(python)
        except SetupError as error:
            return Check(status="warn", label="OmniGent", detail=error.message, mend=error.hint)
        return Check(status="pass", label="OmniGent", detail=f"{python.version} in {python.prefix}")

    def _check_bridge(self, host: Host) -> Check:
        mend = f"defenseclaw setup {self.command_name}"
        module = module_path(host)
        now = disk.look(module)
        if now.content != render_bridge(host) or now.mode != 0o600:
            return Check(
                status="fail", label="Policy bridge", detail=f"{module} is missing or changed", mend=mend
            )
        try:
            imported = _imports_bridge(find_python(host), module)
        except SetupError:
            imported = False
        detail = str(module) if imported else "OmniGent's Python does not import it (.pth file lost?)"
        return Check(
            status="pass" if imported else "fail",
            label="Policy bridge",
            detail=detail,
            mend="" if imported else mend,
        )

    def _check_config(self, host: Host) -> Iterator[Check]:
        config = config_path(host)
        registered_now = _is_registered(config)
        detail = f"complete in {config}" if registered_now else f"missing in {config}"
        yield Check(
            status="pass" if registered_now else "fail",
            label="OmniGent policy",
            detail=detail,
            mend="" if registered_now else f"defenseclaw setup {self.command_name}",
        )
        for warning in _warnings(config, disk.look(config).content or b""):
            yield Check(status="fail", label="OmniGent policy", detail=warning)


def config_path(host: Host) -> Path:
    """Return OmniGent's effective configuration. Source: seed, ``OMNIGENT_CONFIG_HOME``."""
    override = host.env.get("OMNIGENT_CONFIG_HOME", "")
    return (Path(override).absolute() if override else host.home / ".omnigent") / "config.yaml"


def module_path(host: Host) -> Path:
    """Return where the bridge lives."""
    return runtime.hooks_dir(host) / f"{MODULE}.py"


def pth_line(directory: Path) -> bytes:
    """Return the ``.pth`` content that puts ``directory`` at the end of ``sys.path``.

    A path that is not ASCII is written as an escaped statement, since Python refuses to start on such a
    file under an ASCII locale.

    Raises:
        SetupError: the path holds a line break.
    """
    text = str(directory)
    if "\n" in text or "\r" in text:
        raise SetupError("the data directory's name holds a line break")
    if text.isascii():
        return f"{text}\n".encode()
    return f"import sys; sys.path.append({json.dumps(text)})\n".encode("ascii")


def _is_registered(config: Path) -> bool:
    try:
        content = disk.look(config).content
        return content is not None and registered(config, content) == content
    except SetupError:
        return False


def _warnings(config: Path, content: bytes) -> tuple[str, ...]:
    """An operator's gate on our entry may silently switch us off."""
    where = f"{POLICY} in {config}"
    return (f"`condition:` on {where} skips the policy unless labels match",) if is_gated(content) else ()


def render_bridge(host: Host) -> bytes:
    """Return the bridge, bound to the data directory; it holds no secret."""
    values = {
        "TOKEN_FILE": runtime.token_path(host, OmniGent.name),
        "RUNTIME_FILE": runtime.runtime_path(host, OmniGent.name),
        "FAILURE_LOG": host.data_dir / "logs" / "hook-failures.jsonl",
    }
    encoded = {
        name: base64.b64encode(str(path).encode("utf-8", "surrogateescape")).decode()
        for name, path in values.items()
    }
    return templates.rendered("omnigent_policy.py.tmpl", encoded)


def _imports_bridge(python: OmnigentPython, module: Path) -> bool:
    """Under an ASCII locale, the stricter case."""
    code = f"import {MODULE} as m, os; print(os.fsencode(os.path.realpath(m.__file__)).hex())"
    line = run_python(python.interpreter, code, locale="C")
    return line == os.fsencode(module.resolve()).hex()


def _is_our_pth(path: Path, directory: Path) -> bool:
    return (disk.look(path).content or b"").replace(b"\r\n", b"\n").strip() == pth_line(directory).strip()


def _places(host: Host, connector: str, logical: str, today: Path | None) -> list[Path]:
    """Where a setup put a file, then where it would go today."""
    recorded = files.recorded_path(host, connector, logical)
    return list(dict.fromkeys(each for each in (recorded, today) if each is not None))


def _dimensions(body: Mapping[str, Any], phase: str) -> dict[str, str]:
    found = {"phase": phase, "harness": payload.identity(body.get("harness"))}
    if isinstance(body.get("turn_final"), bool):
        found["turn_final"] = str(body["turn_final"]).lower()
    return {key: value for key, value in found.items() if value}


CONNECTOR = OmniGent()
