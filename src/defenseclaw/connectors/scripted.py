"""What connectors have in common whose agent calls the hook script from one settings file of its own.

A subclass says where that file is, how our entries get into it and out again, and what could keep the agent
from calling them; plan, teardown and doctor's rows follow from that.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from defenseclaw.connectors import disk, files, hookscript, probes, runtime
from defenseclaw.connectors.base import (
    Change,
    Check,
    Connector,
    Detected,
    Host,
    NativeAnswer,
    Plan,
    SetupOptions,
)
from defenseclaw.errors import AgentNotFound, ForeignContent, SetupError
from defenseclaw.vocabulary import Mode, Verdict

FAILED_CLOSED = "DefenseClaw could not check this and fails closed. Start it: defenseclaw-gateway start"


class ScriptedConnector(Connector):
    """An agent with command hooks in a settings file. Subclasses set the attributes below."""

    executables: tuple[str, ...]
    probe: tuple[str, ...] = ("--version",)
    probe_env: Mapping[str, str] = {}
    home_variable: str
    """Environment variable that moves the agent's own directory."""
    min_version: tuple[int, int, int]
    """First release whose hooks we know to work."""
    script: str
    """Name of the hook script (``codex-hook``)."""
    logical: str
    """Name of the settings file's backup."""
    restart_hint: str
    closed_exit: int = 0
    """Exit code of the script's own refusal."""
    go_ahead: Mapping[str, Any] | None = None
    """What the script prints when it cannot decide and lets the agent go on; None: nothing."""

    @abstractmethod
    def events(self, version: str) -> tuple[str, ...]:
        """Return the events to hook in this version of the agent; an empty version: all of them."""

    @abstractmethod
    def settings_path(self, host: Host) -> Path:
        """Return the file the agent reads hooks from today."""

    @abstractmethod
    def with_hooks(self, host: Host, path: Path, content: bytes | None, events: Sequence[str]) -> bytes:
        """Return the settings with our entries for ``events`` and no others of ours.

        Raises:
            ForeignContent: the file has another shape than the agent's.
        """

    @abstractmethod
    def without_hooks(self, host: Host, path: Path, content: bytes) -> tuple[bytes, bool]:
        """Return the settings without any entry of ours, and whether nothing of anybody's is left."""

    @abstractmethod
    def missing_events(
        self, host: Host, path: Path, content: bytes | None, events: Sequence[str]
    ) -> list[str]:
        """Return the events whose entry is not there exactly as we write it."""

    @abstractmethod
    def refusal(self, event: str, message: str) -> dict[str, Any] | None:
        """Return the agent's own refusal of an event, None where it has none."""

    @abstractmethod
    def stopped_when_closed(self, event: str) -> bool:
        """Whether an event is refused when nothing was decided and the fail mode is closed."""

    def switched_off(self, host: Host, options: SetupOptions) -> Iterator[str]:
        """Yield what keeps the agent from calling hooks, as ``key in file``."""
        del host, options
        yield from ()

    def doubts(self, host: Host, path: Path, content: bytes | None) -> Iterator[str]:
        """Yield what in the settings may keep the agent from reading our entries, one sentence each."""
        del host, path, content
        yield from ()

    def settings_after(
        self, host: Host, path: Path, content: bytes | None, events: Sequence[str], options: SetupOptions
    ) -> bytes:
        """Return the settings as a setup leaves them; for entries that depend on what was asked for."""
        del options
        return self.with_hooks(host, path, content, events)

    def version_notes(self, version: str) -> tuple[str, ...]:
        """Return what an operator must know about hooks of this version."""
        del version
        return ()

    def scope_notes(self, options: SetupOptions) -> tuple[str, ...]:
        """Return what an operator must know about where this setup holds."""
        del options
        return ()

    def setup_path(self, host: Host, options: SetupOptions) -> Path:
        """Return the file a setup writes to."""
        del options
        return self.settings_path(host)

    # ---- installation ---------------------------------------------------------------------------

    def detect(self, host: Host) -> Detected:
        """Look for the agent on PATH and ask it for its version."""
        executable = probes.find_executable(host, *self.executables)
        version = self._probed(host, executable) if executable else ""
        shown = " ".join((executable, *self.probe))
        return Detected(
            found=bool(executable),
            executable=executable,
            version=version,
            config_path=str(self.installed_path(host)),
            configured=self._is_configured(host, version),
            looked_for=() if executable else probes.places_searched(host, *self.executables),
            problem=f"`{shown}` gave no version" if executable and not version else "",
        )

    def plan_setup(self, host: Host, options: SetupOptions) -> Plan:
        """Plan script, runtime files and one entry per event in the agent's settings."""
        detected = self.detect(host)
        warnings = (*self._admit(detected, options), *self.scope_notes(options))
        settings = self.setup_path(host, options)
        for source in self.switched_off(host, options):
            raise SetupError(f"hooks are switched off by {source}; {self.title} would not call us")
        events = self.events(detected.version)
        now = disk.look(settings)
        with _naming(settings):
            content = self.settings_after(host, settings, now.content, events, options)
            warnings += tuple(f"{settings}: {doubt}" for doubt in self.doubts(host, settings, now.content))
        token = runtime.setup_token(host, self.name)
        return Plan(
            changes=(
                *runtime.runtime_changes(host, self, options.fail_mode, token=token, uses_curl=True),
                Change(
                    path=hookscript.script_path(host, self.script),
                    content=self._script(host, events),
                    mode=0o700,
                    why="hook script: posts events to the gateway",
                ),
                Change(
                    path=settings,
                    content=content,
                    seen_sha256=now.digest,
                    logical=self.logical,
                    why=f"hooks on {len(events)} events",
                ),
            ),
            warnings=warnings,
            restart_hint=self.restart_hint,
        )

    def plan_teardown(self, host: Host) -> Plan:
        """Plan the removal of our entries, script and runtime files."""
        changes = []
        for settings in self._places(host):
            now = disk.look(settings)
            if now.content is None:
                continue
            with _naming(settings):
                content, nothing_left = self.without_hooks(host, settings, now.content)
            gone = nothing_left and settings in files.created_files(host, self.name)
            changes.append(
                Change(
                    path=settings,
                    content=None if gone else content,
                    seen_sha256=now.digest,
                    logical=self.logical,
                    why="our hook entries removed",
                )
            )
        script = hookscript.script_path(host, self.script)
        changes.append(Change(path=script, content=None, why="nothing calls it any more"))
        changes += runtime.runtime_removals(host, self.name)
        return Plan(
            changes=tuple(changes),
            restart_hint=f"Restart running {self.title} sessions: their hook script is gone.",
        )

    def check(self, host: Host, options: SetupOptions) -> tuple[Check, ...]:
        """Check agent, settings, script, runtime files, and what could switch hooks off."""
        detected = self.detect(host)
        return (
            self._check_agent(detected, options),
            self._check_settings(host, detected.version),
            *(
                Check(status="fail", label="Hooks switched off", detail=source)
                for source in self.switched_off(host, options)
            ),
            *self._check_doubts(host),
            hookscript.check_script(
                host, self, self.script, lambda: self._script(host, self.events(detected.version))
            ),
            hookscript.check_runtime(host, self, options.fail_mode, uses_curl=True),
        )

    def _script(self, host: Host, events: Iterable[str]) -> bytes:
        """Return the hook script that answers for us when the gateway is away."""
        closed = {
            event: self.refusal(event, FAILED_CLOSED) for event in events if self.stopped_when_closed(event)
        }
        return hookscript.render(
            host, self, self.script, closed, closed_exit=self.closed_exit, go_ahead=self.go_ahead
        )

    def recorded(self, host: Host) -> list[Path]:
        """Return where a setup wrote, which may differ from where it would write today."""
        path = files.recorded_path(host, self.name, self.logical)
        return [path] if path else []

    def command(self, host: Host, event: str) -> str:
        """Return the command of one entry."""
        return hookscript.command(hookscript.script_path(host, self.script), event)

    def owns(self, host: Host, command: object) -> bool:
        """Whether an entry's command is literally one we write."""
        if not isinstance(command, str):
            return False
        bare = str(hookscript.script_path(host, self.script))
        return command in (bare, f"'{bare}'") or any(
            command == self.command(host, event) for event in self.events("")
        )

    def _places(self, host: Host) -> list[Path]:
        """The file of the setup first; today's too when the agent's directory moved since."""
        return list(dict.fromkeys([*self.recorded(host), self.settings_path(host)]))

    def installed_path(self, host: Host) -> Path:
        """Return the file our entries are looked for in."""
        return self.settings_path(host)

    def _is_configured(self, host: Host, version: str) -> bool:
        path = self.installed_path(host)
        try:
            return not self.missing_events(host, path, disk.look(path).content, self.events(version))
        except SetupError:
            return False

    def _probed(self, host: Host, executable: str) -> str:
        """Some agents write files when asked for their version: they do it where nobody minds."""
        with tempfile.TemporaryDirectory(prefix="defenseclaw-probe-") as scratch:
            extra = {**self.probe_env, self.home_variable: scratch}
            return probes.probe_version(host, (executable, *self.probe), extra)

    def _admit(self, detected: Detected, options: SetupOptions) -> tuple[str, ...]:
        if not detected.found and not options.force:
            names = " or ".join(f"`{each}`" for each in self.executables)
            raise AgentNotFound(
                f"{self.title} not found: no {names} on PATH",
                hint=f"looked for {', '.join(detected.looked_for)}; --force installs anyway",
            )
        problem = self._version_problem(detected.version)
        if problem and options.mode is Mode.ACTION and not options.force:
            raise SetupError(problem, hint=f"update {self.title}, or use --force")
        return (problem,) if problem else self.version_notes(detected.version)

    def _version_problem(self, version: str) -> str:
        least = ".".join(map(str, self.min_version))
        if not version:
            return f"{self.title} gave no version; hooks are known to work from {least} on"
        if probes.version_tuple(version) < self.min_version:
            return f"{self.title} {version} is older than {least}, the first whose hooks we know to work"
        return ""

    def _check_agent(self, detected: Detected, options: SetupOptions) -> Check:
        if not detected.found:
            names = " or ".join(f"`{each}`" for each in self.executables)
            return Check(status="warn", label=self.title, detail=f"{names} is not on PATH")
        problem = self._version_problem(detected.version)
        notes = self.version_notes(detected.version)
        status = "fail" if problem and options.mode is Mode.ACTION else "warn" if problem or notes else "pass"
        fine = f"{detected.version} at {detected.executable}"
        return Check(status=status, label=self.title, detail=problem or "; ".join(notes) or fine)

    def _check_settings(self, host: Host, version: str) -> Check:
        path = self.installed_path(host)
        mend = f"defenseclaw setup {self.command_name}"
        try:
            missing = self.missing_events(host, path, disk.look(path).content, self.events(version))
        except SetupError as error:
            return Check(status="fail", label="Hook entries", detail=f"{path}: {error}", mend=mend)
        if missing:
            detail = f"missing or changed in {path}: {', '.join(missing)}"
            return Check(status="fail", label="Hook entries", detail=detail, mend=mend)
        return Check(status="pass", label="Hook entries", detail=f"complete in {path}")

    def _check_doubts(self, host: Host) -> Iterator[Check]:
        path = self.installed_path(host)
        with contextlib.suppress(SetupError):  # a file that cannot be read is told of above
            for doubt in self.doubts(host, path, disk.look(path).content):
                yield Check(status="warn", label="Hook settings", detail=f"{path}: {doubt}")


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Put the file's name into what is said about its content."""
    try:
        yield
    except ForeignContent as error:
        hint = error.hint or "mend the file and run again"
        raise ForeignContent(f"{path}: {error.message}", hint=hint) from error


def answer(output: Mapping[str, Any] | None, field: str) -> NativeAnswer:
    """Return an answer of one JSON line, or of nothing at all."""
    if output is None:
        return NativeAnswer(output_field=field)
    line = json.dumps(output, ensure_ascii=False, separators=(",", ":"), default=str)
    return NativeAnswer(stdout=line.encode("utf-8", "replace"), output_field=field, output=output)


def told(verdict: Verdict) -> str:
    """Return what agent and user are told on a block."""
    return verdict.message or verdict.reason or "DefenseClaw policy"


def notice(verdict: Verdict) -> str:
    """Return the line a person sees on an alert."""
    ids = ", ".join(verdict.rule_ids[:3])
    return f"DefenseClaw: {verdict.severity} finding recorded, not stopped ({ids})"


def absolute(value: str | None) -> Path | None:
    """Return a location override of an agent; one that is not absolute depends on where the agent runs."""
    return Path(value) if value and value.startswith("/") else None
