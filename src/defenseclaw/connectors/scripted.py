"""What connectors have in common whose agent calls the hook script from one settings file of its own.

A subclass says where that file is, how our entries get into it and out again, and what could keep the agent
from calling them; plan, teardown and doctor's rows follow from that.
"""

from __future__ import annotations

import contextlib
import json
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from defenseclaw.connectors import disk, files, hookscript, payload, runtime
from defenseclaw.connectors.base import Change, Check, Host, NativeAnswer, Plan, SetupOptions
from defenseclaw.connectors.probed import ProbedConnector
from defenseclaw.errors import ForeignContent, SetupError
from defenseclaw.vocabulary import Abilities, EventKind, Verdict

FAILED_CLOSED = "DefenseClaw could not check this and fails closed. Start it: defenseclaw-gateway start"


class ScriptedConnector(ProbedConnector):
    """An agent with command hooks in a settings file. Subclasses set the attributes below."""

    script: str
    """Name of the hook script (``codex-hook``)."""
    restart_hint: str
    closed_exit: int = 0
    """Exit code of the script's own refusal."""
    go_ahead: Mapping[str, Any] | None = None
    """What the script prints when it cannot decide and lets the agent go on; None: nothing."""
    kinds: Mapping[str, EventKind]
    """Event → kind, of all that carry something to judge."""
    spellings: Mapping[str, str] = {}
    """Name in lower case without separators → event, for agents that spell it in several ways."""
    hooked: tuple[str, ...]
    """Events to hook, in the order they are written in; releases that know fewer: see :meth:`events`."""
    unhooked: tuple[str, ...] = ()
    """Events that are not hooked although they are understood; an entry for one that is there is ours too."""
    stops: frozenset[str] = frozenset()
    """Events at the end of a turn, which a refusal may only prolong."""

    def kind_of(self, event_name: str) -> EventKind:
        """Return the kind of an event in any spelling; LIFECYCLE for names that are not in ``kinds``."""
        return self.kinds.get(payload.spelt(event_name, self.spellings), EventKind.LIFECYCLE)

    def events(self, version: str) -> tuple[str, ...]:
        """Return the events to hook in this version of the agent; an empty version: all of them."""
        del version
        return self.hooked

    @abstractmethod
    def with_hooks(self, host: Host, path: Path, content: bytes | None, events: Sequence[str]) -> bytes:
        """Return the settings with our entries for ``events`` and no others of ours.

        Raises:
            ForeignContent: the file has another shape than the agent's.
        """

    @abstractmethod
    def without_hooks(self, host: Host, path: Path, content: bytes) -> tuple[bytes, bool]:
        """Return the settings without any entry of ours, and whether nothing of anybody's is left.

        Raises:
            ForeignContent: the file has another shape than the agent's.
        """

    @abstractmethod
    def missing_events(
        self, host: Host, path: Path, content: bytes | None, events: Sequence[str]
    ) -> list[str]:
        """Return the events whose entry is not there exactly as we write it.

        Raises:
            ForeignContent: the file has another shape than the agent's.
        """

    @abstractmethod
    def refusal(self, event: str, message: str) -> dict[str, Any] | None:
        """Return the agent's own refusal of an event as the JSON object it reads; None for events that cannot
        be refused, and where the exit code is the refusal.

        Args:
            event: The agent's own name of it.
            message: What agent and user are told.
        """

    def stopped_when_closed(self, event: str) -> bool:
        """Whether an event is refused when nothing was decided and the fail mode is closed: whatever can be
        refused, except the end of a turn.
        """
        return event in self.block_events - self.stops

    def abilities_now(self, event_name: str, body: Mapping[str, Any]) -> Abilities:
        """Return what the agent can do with an answer to the event with this payload: the end of a turn that
        a refusal brought about is not refused again, since the agent would go on for ever.
        """
        found = self.abilities(event_name, self.kind_of(event_name))
        if event_name in self.stops and payload.flag(body, "stop_hook_active"):
            return replace(found, can_block=False)
        return found

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
        """Return the settings as a setup leaves them; for entries that depend on what was asked for.

        Raises:
            ForeignContent: the file has another shape than the agent's.
            SetupError: our entries cannot stand in it.
        """
        del options
        return self.with_hooks(host, path, content, events)

    # ---- installation ---------------------------------------------------------------------------

    def plan_setup(self, host: Host, options: SetupOptions) -> Plan:
        """Plan script, runtime files and, last, the entries in the agent's settings.

        Raises:
            AgentNotFound: no such program on PATH, and it is not forced.
            ForeignContent: the settings have another shape than the agent's.
            SetupError: too old a version, hooks that are switched off, or a workspace in our own directory.
        """
        detected, warnings = self._admit(host, options)
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
            content, nothing_left = now.content, True
            if content.strip():  # an empty file holds nothing of ours and stays as it is
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

    def command(self, host: Host, event: str) -> str:
        """Return the shell command of one entry: our script, quoted, and the event."""
        return hookscript.command(hookscript.script_path(host, self.script), event)

    def owned(self, host: Host) -> frozenset[str]:
        """Return the commands that make an entry ours, literally as we write them or once did."""
        bare = str(hookscript.script_path(host, self.script))
        events = (*self.events(""), *self.unhooked)
        return frozenset((bare, f"'{bare}'", *(self.command(host, event) for event in events)))

    def owns(self, host: Host, command: object) -> bool:
        """Whether an entry's command is literally one we write."""
        return isinstance(command, str) and command in self.owned(host)

    def is_configured(self, host: Host, path: Path, version: str) -> bool:
        """Whether every event of this version has its entry."""
        return not self.missing_events(host, path, disk.look(path).content, self.events(version))

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
    """Return an answer of one JSON line, or of nothing at all.

    Args:
        output: What the agent reads; None: nothing.
        field: Name under which ``output`` stands in the envelope (``hook_output``).
    """
    if output is None:
        return NativeAnswer(output_field=field)
    line = json.dumps(output, ensure_ascii=False, separators=(",", ":"), default=str)
    return NativeAnswer(stdout=line.encode("utf-8", "replace"), output_field=field, output=output)


def told(verdict: Verdict) -> str:
    """Return what agent and user are told on a block: the verdict's message, else its reason; never empty."""
    return verdict.message or verdict.reason or "DefenseClaw policy"


def notice(verdict: Verdict) -> str:
    """Return the line a person sees on an alert: severity and at most three rule ids, no content."""
    ids = ", ".join(verdict.rule_ids[:3])
    return f"DefenseClaw: {verdict.severity} finding recorded, not stopped ({ids})"


def absolute(value: str | None) -> Path | None:
    """Return a location override of an agent; one that is not absolute depends on where the agent runs."""
    return Path(value) if value and value.startswith("/") else None
