"""The first tables: rows, scans, findings, lists, sessions, chain head and checkpoints."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_Sequence = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False, server_default="") for name in names]


def _integers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer, nullable=False, server_default="0") for name in names]


def upgrade() -> None:
    """Create everything; a new store is made straight from the table definitions instead."""
    _create_rows()
    _create_children()
    _create_state()


def _create_rows() -> None:
    op.create_table(
        "audit_events",
        sa.Column("seq", _Sequence, primary_key=True, autoincrement=False),
        sa.Column("recorded", sa.BigInteger, nullable=False),
        *_texts("id", "timestamp", "action", "target", "actor", "details", "structured_json", "severity"),
        *_texts("run_id", "request_id", "trace_id", "session_id", "turn_id"),
        *_texts("agent_id", "agent_name", "agent_instance_id", "sidecar_instance_id"),
        *_texts("policy_id", "destination_app", "tool_name", "tool_id", "connector", "evaluation_id"),
        sa.Column("step_idx", sa.Integer),
        *_integers("enforced"),
        *_texts("rule_pack_dir"),
        *_integers("schema_version"),
        *_texts("content_hash"),
        *_integers("generation"),
        *_texts("binary_version", "children_hash", "prev_hash", "row_hash"),
    )
    op.create_index("audit_events_id", "audit_events", ["id"], unique=True)
    op.create_index(
        "audit_events_evaluation",
        "audit_events",
        ["evaluation_id"],
        sqlite_where=sa.text("evaluation_id <> ''"),
        postgresql_where=sa.text("evaluation_id <> ''"),
    )
    op.create_table(
        "chain_head",
        sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        *_texts("row_hash", "signature"),
    )
    op.create_table(
        "checkpoints",
        sa.Column("seq", _Sequence, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, primary_key=True),
        *_texts("row_hash"),
        sa.Column("recorded", sa.BigInteger, nullable=False),
        *_integers("rows"),
        *_texts("problem", "signature"),
    )


def _create_children() -> None:
    op.create_table(
        "scan_results",
        sa.Column("event_seq", _Sequence, primary_key=True, autoincrement=False),
        *_texts("id", "scanner", "target", "target_type", "timestamp"),
        *_integers("duration_ms", "finding_count"),
        *_texts("max_severity", "verdict", "run_id", "evaluation_id"),
    )
    op.create_table(
        "scan_findings",
        sa.Column("event_seq", _Sequence, primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        *_texts("id", "scan_id", "rule_id", "category", "severity", "title"),
        *_texts("description", "location", "remediation", "tags"),
        sa.Column("confidence", sa.Float(53), nullable=False, server_default="0"),
        sqlite_with_rowid=False,
    )


def _create_state() -> None:
    op.create_table(
        "actions",
        sa.Column("target_type", sa.Text, primary_key=True),
        sa.Column("target_name", sa.Text, primary_key=True),
        sa.Column("connector", sa.Text, primary_key=True),
        *_texts("id", "source_path", "actions_json", "reason", "updated_at"),
    )
    op.create_table(
        "session_state",
        sa.Column("connector", sa.Text, primary_key=True),
        sa.Column("session_id", sa.Text, primary_key=True),
        *_integers("step_idx"),
        *_texts("last_turn"),
        *_integers("events"),
        *_texts("data"),
        sa.Column("updated", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "schema_version",
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        *_texts("applied_at"),
    )
