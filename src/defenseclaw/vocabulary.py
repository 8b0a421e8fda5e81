"""The words of the product: frozen values every part of it speaks in.

Nothing here decides, reads or writes. Wire spellings stop at the doors; what is inside the house
is made of these types. Source: ``style.md`` glossary, seed ``gateway-api`` "Verdict envelope".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NoReturn, TypeAlias

from msgspec import Struct, field

JSON: TypeAlias = "bool | int | float | str | Sequence[Any] | Mapping[str, Any] | None"
"""A decoded JSON value of any shape."""


class EventKind(StrEnum):
    """What is inspected. Decides which rules are eligible, whatever door the event came in by."""

    PROMPT = "prompt"
    TOOL_CALL = "tool_call"
    TOOL_RESULT = "tool_result"
    COMPLETION = "completion"
    FILE = "file"
    ASSET = "asset"
    LIFECYCLE = "lifecycle"
    """Session starts, stops and notifications: recorded; judged only for what could not be taken in."""


TEXT_KINDS = frozenset({EventKind.PROMPT, EventKind.TOOL_RESULT, EventKind.COMPLETION, EventKind.FILE})
"""Kinds whose subject is text rather than a call."""


SHOWN_KINDS = frozenset({EventKind.TOOL_RESULT, EventKind.COMPLETION})
"""Kinds that are shown to somebody, so that a replacement can be shown instead."""
INPUT_BOUND = "INPUT-BOUND"
"""Id of the finding for input that could only be inspected in part."""
INTERNAL_FAULT = "INTERNAL-FAULT"
"""Id of the finding for a fault of ours: an evaluator failed, a session's state could not be read, or a
verdict could not be put into the agent's words."""


class Door(StrEnum):
    """The surface an event came in by; decides the shape of its audit row, never its findings."""

    HOOK = "hook"
    INSPECT = "inspect"
    CLI = "cli"


class Severity(StrEnum):
    """How bad a finding is, ordered by :attr:`rank`."""

    NONE = "NONE"
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"
    CRITICAL = "CRITICAL"

    @property
    def rank(self) -> int:
        """0 (NONE) to 4 (CRITICAL)."""
        return _SEVERITY_RANK[self]


_SEVERITY_RANK = {severity: rank for rank, severity in enumerate(Severity)}


class Action(StrEnum):
    """What happens to an event, ordered by :attr:`rank`."""

    ALLOW = "allow"
    ALERT = "alert"
    CONFIRM = "confirm"
    BLOCK = "block"

    @property
    def rank(self) -> int:
        """0 (allow) to 3 (block)."""
        return _ACTION_RANK[self]


_ACTION_RANK = {action: rank for rank, action in enumerate(Action)}


class Mode(StrEnum):
    """Whether verdicts are enforced (``action``) or only recorded (``observe``)."""

    OBSERVE = "observe"
    ACTION = "action"


class FailMode(StrEnum):
    """What happens when we cannot decide, record or answer."""

    OPEN = "open"
    CLOSED = "closed"


class Profile(StrEnum):
    """How severe a finding must be before something happens."""

    DEFAULT = "default"
    STRICT = "strict"
    PERMISSIVE = "permissive"


class Evidence:
    """Matched raw text. Lives in memory only: it cannot be printed, compared by accident or pickled.

    Source: ``DECISIONS.md`` "Raw evidence".
    """

    __slots__ = ("_raw",)

    def __init__(self, raw: str) -> None:
        self._raw = raw

    def reveal(self) -> str:
        """Return the raw text; for keyed placeholders and the audited reveal only."""
        return self._raw

    def __len__(self) -> int:
        return len(self._raw)

    def __bool__(self) -> bool:
        return bool(self._raw)

    def __repr__(self) -> str:
        return f"<evidence len={len(self._raw)}>"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("raw evidence is not serialisable")


class Correlation(Struct, frozen=True, kw_only=True):
    """Ids that join one event to its rows, logs and traces. Empty strings mean unknown."""

    request_id: str = ""
    session_id: str = ""
    turn_id: str = ""
    tool_call_id: str = ""
    trace_id: str = ""
    """32 lower-case hex digits, from W3C ``traceparent`` or ``X-DefenseClaw-Trace-Id``."""
    agent_id: str = ""
    agent_name: str = ""
    agent_type: str = ""
    agent_instance_id: str = ""
    policy_id: str = ""
    destination_app: str = ""
    user_id: str = ""


class Abilities(Struct, frozen=True, kw_only=True):
    """What the caller can do with an answer to this one event."""

    can_block: bool = True
    can_ask: bool = False
    """The agent can park this event and ask a person natively."""
    can_replace: bool = False
    """The agent can show something else in place of the result or completion inspected."""
    unasked: Action = Action.BLOCK
    """What ``confirm`` becomes without a native ask: ``block`` before an action, ``alert`` after it."""
    confirmable: bool = True
    """Whether ``confirm`` is possible at all on this surface; if not, severities skip it."""
    clamp_prompt: bool = False
    """Below CRITICAL a block or confirm becomes an alert (inspect request route)."""


class Event(Struct, frozen=True, kw_only=True):
    """One thing an agent does or sees, as every door hands it to the Inspector."""

    kind: EventKind
    door: Door
    name: str = ""
    """The agent's own name of the event (``PreToolUse``) or the inspect route (``tool``)."""
    connector: str = ""
    """Name of the connector, lower case; empty when the caller named none."""
    text: str = ""
    """Prompt, completion or file text. For a tool result left empty: the text is that of ``result``."""
    tool: str = ""
    args: JSON = None
    """Arguments of the call (tool call, and tool result where the agent repeats them)."""
    result: JSON = None
    """A tool's result in the agent's own shape; replacement keeps this shape."""
    cwd: str = ""
    """Working directory the agent claims, absolute from a connector; untrusted. Relative paths of a call are
    resolved against it, and files it runs or touches are looked up there."""
    mcp_server: str = ""
    model: str = ""
    abilities: Abilities = field(default_factory=Abilities)
    correlation: Correlation = field(default_factory=Correlation)
    faults: tuple[str, ...] = ()
    """What the door could not take in (``too_large``, ``too_deep``, ``undecodable``) or a connector cannot
    see (a word of its own). All of them together are one finding, ``INPUT-BOUND``."""
    extra: Mapping[str, str] = field(default_factory=dict)
    """Further fields of the audit row, free of content: dimensions of the connector (phase, permission mode
    …) and, once it was judged, how a language model was asked."""


class HostContext(Struct, frozen=True, kw_only=True):
    """What detection must know of the machine; fetched by the shell of the program, passed in."""

    home: str
    """Home directory of the user who runs gateway and agents, absolute."""
    data_dir: str
    """DefenseClaw's data directory, absolute."""
    protected_paths: tuple[str, ...] = ()
    """Files and directories besides ``data_dir`` an agent must not change: agents' hook settings, bridges,
    operators' rule packs."""
    control_ports: tuple[int, ...] = ()
    """Loopback ports of the gateway API."""


class Finding(Struct, frozen=True, kw_only=True):
    """What one rule found in one event, however often it matched."""

    rule_id: str
    title: str
    category: str
    severity: Severity
    confidence: float
    """0 to 1."""
    tags: tuple[str, ...] = ()
    evidence: Evidence = field(default_factory=lambda: Evidence(""))
    """At most 80 characters of what was matched; empty where a finding is about no text."""
    because: str = ""
    """The fact that caused it, in our own closed vocabulary; free of content, safe to store."""
    masks: bool = False
    """Whether what it found is kept from whoever is shown the result or completion: spans with secret or
    personal data are masked, a text that instructs the agent is withheld whole."""
    detection_only: bool = False
    """Reported, but without weight in the action."""


class Approvals(Struct, frozen=True, kw_only=True):
    """Whether a person is asked before severe findings pass."""

    enabled: bool = False
    min_severity: Severity = Severity.HIGH


class Posture(Struct, frozen=True, kw_only=True):
    """What the operator chose for one connector."""

    mode: Mode = Mode.OBSERVE
    profile: Profile = Profile.DEFAULT
    fail_mode: FailMode = FailMode.OPEN
    approvals: Approvals = field(default_factory=Approvals)
    block_message: str = ""
    enabled: bool = True
    """Disabled connectors are recorded and allowed without being judged."""
    rule_pack: str = "default"
    """Name or directory of the pack, as recorded in ``rule_pack_dir``."""


class Verdict(Struct, frozen=True, kw_only=True):
    """The answer to one event. Doors translate it; none recomputes it."""

    evaluation_id: str
    action: Action
    """After mode and abilities: what really happens."""
    raw_action: Action
    """Before mode and abilities."""
    severity: Severity
    confidence: float
    mode: Mode
    findings: tuple[Finding, ...] = ()
    """What lists say, then the most severe first and by rule id, then a fault in answering."""
    reason: str = ""
    """``matched: ID:Title, …`` (at most five) and what changed the action after that; free of content."""
    message: str = ""
    """What the agent and its user are told, where anything is said; free of content. Empty without findings,
    but for what could not be recorded."""
    would_block: bool = False
    """A block that the mode or the agent kept from happening, or a question that became a block."""
    replacement: JSON = None
    """The result or completion in its own shape with spans masked, or withheld; None when unchanged and in
    observe mode."""
    trail: tuple[str, ...] = ()
    """The decisions in order, one short sentence each, as ``defenseclaw explain`` prints them."""
    enforced: bool = False
    """The agent is really stopped, asked or shown a replacement."""
    recorded: bool = True
    """False when it could not be put on record; then fail mode closed blocks, and open alerts at least."""
    step_idx: int = 0
    """1-based turn counter in the session; 0 without a session."""

    @property
    def rule_ids(self) -> tuple[str, ...]:
        """The ids of at most eight findings, in their order."""
        return tuple(finding.rule_id for finding in self.findings[:8])

    @property
    def finding_strings(self) -> list[str]:
        """``RULE-ID:Title`` for each finding in their order; the id alone where there is no title."""
        return [f"{each.rule_id}:{each.title}" if each.title else each.rule_id for each in self.findings]
