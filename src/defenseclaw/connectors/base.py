"""What a connector is: one agent's descriptor, its translation in and out, and its installation.

A connector is one module in this package that defines ``CONNECTOR``; :func:`registry` finds it by walking
the package, third parties join through the entry-point group ``defenseclaw.connectors``. Everything that
needs "the list of connectors" (CLI choices, routes, doctor, status, docs) reads the registry.

Connectors know neither rules nor configuration files of ours: they translate and they plan.
"""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from defenseclaw.connectors.canary import Canary
from defenseclaw.vocabulary import Abilities, Action, Correlation, Event, EventKind, FailMode, Mode, Verdict

if TYPE_CHECKING:
    from defenseclaw.connectors.thirdparty import Found


class Host(Struct, frozen=True, kw_only=True):
    """The machine as a connector sees it; tests pass their own."""

    home: Path
    data_dir: Path
    env: Mapping[str, str]
    """Environment; ``PATH`` decides which agents are found."""
    api_address: str = "127.0.0.1:18970"
    """``host:port`` under which agents on this machine reach the gateway."""


class Detected(Struct, frozen=True, kw_only=True):
    """What was found of an agent, and where it was looked for."""

    found: bool
    executable: str = ""
    version: str = ""
    """``N.N.N``, empty when the probe gave none."""
    config_path: str = ""
    """The file a setup would change."""
    configured: bool = False
    looked_for: tuple[str, ...] = ()
    problem: str = ""
    """Why it cannot be governed although it is there, one sentence."""


class SetupOptions(Struct, frozen=True, kw_only=True):
    """What the operator asked for."""

    mode: Mode = Mode.OBSERVE
    fail_mode: FailMode = FailMode.OPEN
    workspace: Path | None = None
    force: bool = False
    """Install although the agent was not found."""
    native_otlp: bool = False
    """Have the agent send its own telemetry to the gateway, where it can."""


class Change(Struct, frozen=True, kw_only=True):
    """One file as it shall be; the plan of a setup or teardown is a list of these."""

    path: Path
    content: bytes | None
    """Bytes to write; None deletes the file. May hold a token, hence out of ``repr``."""
    mode: int = 0o600
    """Of a new file. Existing files of other people keep theirs, ours get this one."""
    seen_sha256: str = ""
    """Hex digest of what the plan was made from, ``missing`` for no file; applying refuses when the file
    changed since. Empty: not checked."""
    logical: str = ""
    """Name of its backup record; empty for files that are ours alone and need none."""
    why: str = ""
    """One line for the operator."""

    def __repr__(self) -> str:
        return f"Change(path={self.path!r}, mode={self.mode:#o}, logical={self.logical!r}, why={self.why!r})"


class Plan(Struct, frozen=True, kw_only=True):
    """Changes in the order they are applied, and what the operator must know."""

    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    restart_hint: str = ""
    """What to restart for it to take effect, one sentence."""


class Check(Struct, frozen=True, kw_only=True):
    """One row of ``defenseclaw doctor``."""

    status: str
    """``pass``, ``warn``, ``fail`` or ``skip``."""
    label: str
    detail: str = ""
    mend: str = ""
    """The command that mends it."""


class NativeAnswer(Struct, frozen=True, kw_only=True):
    """The agent's own answer: what its hook process prints and how it exits."""

    stdout: bytes = b""
    exit_code: int = 0
    stderr: str = ""
    output_field: str = ""
    """Name of the field that holds ``output`` in the seed's envelope (``claude_code_output``)."""
    output: Mapping[str, Any] | None = None


class HookCall(Struct, frozen=True, kw_only=True):
    """What arrived at a hook route, as far as it could be read."""

    payload: Mapping[str, Any] = field(default_factory=dict)
    """Decoded body; empty when it could not be taken in."""
    header_event: str = ""
    """``X-DefenseClaw-Hook-Event``: names the event when the payload does not."""
    faults: tuple[str, ...] = ()
    correlation: Correlation = field(default_factory=Correlation)
    """From headers; payload values win."""


class Connector(ABC):
    """One agent. Subclasses set the class attributes and implement the abstract methods."""

    name: str
    """Lower-case key in configuration and rows (``claudecode``)."""
    title: str
    """As people write it (``Claude Code``)."""
    description: str
    aliases: tuple[str, ...] = ()
    setup_name: str = ""
    """Name of the CLI command when it differs from ``name`` (``claude-code``)."""
    hook_path: str
    """Route of the hook (``/api/v1/claude-code/hook``)."""
    client: str
    """``X-DefenseClaw-Client`` its hook sends."""
    enforcement_surface: str = "agent_lifecycle_hooks"
    block_events: frozenset[str] = frozenset()
    ask_events: frozenset[str] = frozenset()
    replace_events: frozenset[str] = frozenset()
    supports_fail_closed: bool = True
    scope: str = "user"
    canary: Canary | None = None
    """How ``defenseclaw verify`` runs this agent; None: it cannot be run headless against a model of ours."""

    # ---- translation (no I/O) -------------------------------------------------------------------

    @abstractmethod
    def kind_of(self, event_name: str) -> EventKind:
        """Return the kind of an event by its own name; LIFECYCLE for unknown names."""

    @abstractmethod
    def decode(self, call: HookCall) -> Event:
        """Translate a hook call into an event.

        Raises:
            MissingField: neither payload nor header names the event and none can be inferred.
            BadJson: a field the translation needs has the wrong type.
        """

    @abstractmethod
    def encode(self, event: Event, verdict: Verdict) -> NativeAnswer:
        """Translate a verdict into the agent's own answer to this event."""

    def abilities(self, event_name: str, kind: EventKind) -> Abilities:
        """Return what the agent can do with an answer to this event."""
        before = kind in (EventKind.PROMPT, EventKind.TOOL_CALL)
        return Abilities(
            can_block=event_name in self.block_events,
            can_ask=event_name in self.ask_events,
            can_replace=event_name in self.replace_events,
            unasked=Action.BLOCK if before else Action.ALERT,
            confirmable=True,
        )

    # ---- installation (plans; `files.apply` does the writing) ------------------------------------

    @abstractmethod
    def detect(self, host: Host) -> Detected:
        """Look for the agent: executable on PATH, version probe, configuration file."""

    @abstractmethod
    def plan_setup(self, host: Host, options: SetupOptions) -> Plan:
        """Return the changes that install us; applying them twice changes nothing.

        Raises:
            AgentNotFound: not installed and not forced; the message says what was looked for and where.
            ForeignContent: a file holds something where our entry would go.
            SetupError: the agent cannot be governed as it is set up.
        """

    @abstractmethod
    def plan_teardown(self, host: Host) -> Plan:
        """Return the changes that remove us where files were edited since; unchanged files are restored
        byte for byte by :mod:`defenseclaw.connectors.files` before this plan is asked for them.
        """

    def verify(self, host: Host) -> None:  # noqa: B027  most agents need no proof beyond the file
        """Prove, after a setup was written, that the agent will load it.

        Raises:
            SetupError: it will not; everything written is rolled back.
        """

    @abstractmethod
    def check(self, host: Host, options: SetupOptions) -> tuple[Check, ...]:
        """Return doctor's rows about this connector's installation."""

    @abstractmethod
    def protected_paths(self, host: Host) -> tuple[str, ...]:
        """Return files an agent must not change: its hook settings and our bridges outside the data dir."""

    def telemetry(self, host: Host) -> tuple[str, ...]:
        """Return the signals we configured: ``hook``, ``otel``, ``notify``."""
        del host
        return ("hook",)

    @property
    def command_name(self) -> str:
        """The word after ``defenseclaw setup``."""
        return self.setup_name or self.name


@cache
def built_in() -> dict[str, Connector]:
    """Return our own connectors by name: every module of this package with a ``CONNECTOR``."""
    import defenseclaw.connectors as package

    found: dict[str, Connector] = {}
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        connector = getattr(module, "CONNECTOR", None)
        if isinstance(connector, Connector):
            found[connector.name] = connector
    return found


@cache
def third_party() -> Found:
    """Return the connectors of other distributions, and those that are left out with the reason."""
    from defenseclaw.connectors import thirdparty

    return thirdparty.discover(built_in())


@cache
def registry() -> dict[str, Connector]:
    """Return all connectors by name, sorted: our own and those of other distributions."""
    return dict(sorted({**third_party().connectors, **built_in()}.items()))


def by_any_name(name: str, connectors: Iterable[Connector] | None = None) -> Connector | None:
    """Return the connector called ``name`` (name, setup name or alias; case and ``-_`` ignored)."""
    wanted = name.lower().replace("-", "").replace("_", "")
    for connector in connectors if connectors is not None else registry().values():
        names = (connector.name, connector.command_name, *connector.aliases)
        if wanted in {each.lower().replace("-", "").replace("_", "") for each in names}:
            return connector
    return None
