"""The rows of the audit store, as values. Free text in them is already redacted.

Columns: ``spec/observability-and-audit.md`` §3. The writer adds ``seq``, ``prev_hash`` and ``row_hash``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field


class ProcessIdentity(Struct, frozen=True, kw_only=True):
    """What every row of one gateway process shares."""

    run_id: str
    sidecar_instance_id: str
    binary_version: str
    schema_version: int = 7
    content_hash: str = ""
    """SHA-256 of the canonical JSON of configuration and rules, 64 hex digits."""
    generation: int = 1
    """Counts configuration and rule changes, from 1."""


class AuditRow(Struct, frozen=True, kw_only=True):
    """One row of ``audit_events``; also one link of the hash chain.

    A struct, since every verdict makes one of its thirty columns; ``msgspec.structs.replace`` changes copies.
    """

    id: str
    timestamp: str
    """UTC, RFC 3339, microseconds, ``Z``."""
    action: str
    target: str = ""
    actor: str = "defenseclaw"
    details: str = ""
    structured: Mapping[str, Any] | None = None
    severity: str = "INFO"
    run_id: str = ""
    request_id: str = ""
    trace_id: str = ""
    session_id: str = ""
    turn_id: str = ""
    agent_id: str = ""
    agent_name: str = ""
    agent_instance_id: str = ""
    sidecar_instance_id: str = ""
    policy_id: str = ""
    destination_app: str = ""
    tool_name: str = ""
    tool_id: str = ""
    connector: str = ""
    evaluation_id: str = ""
    step_idx: int | None = None
    enforced: bool = False
    rule_pack_dir: str = ""
    schema_version: int = 7
    content_hash: str = ""
    generation: int = 1
    binary_version: str = ""


class FindingRow(Struct, frozen=True, kw_only=True):
    """One row of ``scan_findings``."""

    id: str
    rule_id: str
    category: str
    severity: str
    title: str
    description: str = ""
    """The fact that caused it and the evidence as a keyed placeholder."""
    location: str = ""
    remediation: str = ""
    tags: tuple[str, ...] = ()
    confidence: float = 0.0


class ScanRow(Struct, frozen=True, kw_only=True):
    """One row of ``scan_results`` with its findings; written only when there are any."""

    id: str
    scanner: str
    """``hook-rules`` or ``inspect-http``."""
    target: str
    target_type: str
    """``tool_call``, ``prompt``, ``completion``, ``tool_response``, ``file``, ``inspect``."""
    max_severity: str
    verdict: str
    """``clean``, ``warn`` or ``block``."""
    duration_ms: int = 0
    findings: tuple[FindingRow, ...] = ()


class SessionState(Struct, frozen=True, kw_only=True):
    """What is remembered of one session between two events; content-free."""

    connector: str
    session_id: str
    step_idx: int = 0
    last_turn: str = ""
    events: int = 0
    """Events judged so far."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """Room for chains and approvals, JSON."""


class ListChange(Struct, frozen=True, kw_only=True):
    """A change of one entry of the block and allow lists (``actions`` table)."""

    target_type: str
    """``tool``, ``mcp``, ``skill`` or ``plugin``."""
    target_name: str
    install: str
    """``block``, ``allow``, or empty to clear the entry."""
    reason: str = ""
    connector: str = ""


class Batch(Struct, frozen=True, kw_only=True):
    """What one decision writes, in one transaction."""

    row: AuditRow
    scan: ScanRow | None = None
    state: SessionState | None = None
    lists: tuple[ListChange, ...] = ()
    journal: tuple[Mapping[str, Any], ...] = ()
    """Lines for ``gateway.jsonl``, without the envelope fields that the row already has."""
