"""The tables of the audit store, in portable SQLAlchemy Core.

Children of a row (one scan, its findings) are keyed by the row's ``seq``: every insert appends, pruning
deletes a range, verification walks all tables side by side. Beyond the primary keys there are three
indexes: two for queries of the product, one that keeps a caller's ids unique. Source:
``spec/observability-and-audit.md`` §3, ``DECISIONS.md`` "Store".
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, MetaData, Table, Text, text

SCHEMA_VERSION = 3
"""Version this program writes; each version is one revision in ``migrations/versions``."""

# SQLite gives a 64-bit rowid alias only to a column that is spelled INTEGER.
Sequence = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData()


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


def _integer(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default="0")


audit_events = Table(
    "audit_events",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=False),
    Column("recorded", BigInteger, nullable=False),  # Unix ms by the writer's clock
    _text("id"),
    _text("timestamp"),
    _text("action"),
    _text("target"),
    _text("actor"),
    _text("details"),
    _text("structured_json"),
    _text("severity"),
    _text("run_id"),
    _text("request_id"),
    _text("trace_id"),
    _text("session_id"),
    _text("turn_id"),
    _text("agent_id"),
    _text("agent_name"),
    _text("agent_instance_id"),
    _text("sidecar_instance_id"),
    _text("policy_id"),
    _text("destination_app"),
    _text("tool_name"),
    _text("tool_id"),
    _text("connector"),
    _text("evaluation_id"),
    Column("step_idx", Integer),
    _integer("enforced"),
    _text("rule_pack_dir"),
    _integer("schema_version"),
    _text("content_hash"),
    _integer("generation"),
    _text("binary_version"),
    _text("children_hash"),
    _text("prev_hash"),
    _text("row_hash"),
)

IS_ALERT = text("severity <> 'INFO'")
"""Condition of the index behind the alert list; a query must repeat it word for word to use it."""

# Conditions for SQLite alone: to name PostgreSQL's here would load its dialect at every start. The first
# index refuses a caller's id a second time; a verdict's row has the id of its evaluation, which the second
# one holds.
Index("audit_events_id", audit_events.c.id, unique=True, sqlite_where=text("evaluation_id = ''"))
Index("audit_events_evaluation", audit_events.c.evaluation_id, sqlite_where=text("evaluation_id <> ''"))
ALERT_INDEX = Index("audit_events_alerts", audit_events.c.seq, sqlite_where=IS_ALERT)

scan_results = Table(
    "scan_results",
    metadata,
    Column("event_seq", Sequence, primary_key=True, autoincrement=False),
    _text("id"),
    _text("scanner"),
    _text("target"),
    _text("target_type"),
    _text("timestamp"),
    _integer("duration_ms"),
    _integer("finding_count"),
    _text("max_severity"),
    _text("verdict"),
    _text("run_id"),
    _text("evaluation_id"),
)

scan_findings = Table(
    "scan_findings",
    metadata,
    Column("event_seq", Sequence, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    _text("id"),
    _text("scan_id"),
    _text("rule_id"),
    _text("category"),
    _text("severity"),
    _text("title"),
    _text("description"),
    _text("location"),
    _text("remediation"),
    _text("tags"),  # JSON list
    Column("confidence", Float(53), nullable=False, server_default="0"),
    sqlite_with_rowid=False,
)

actions = Table(
    "actions",
    metadata,
    Column("target_type", Text, primary_key=True),
    Column("target_name", Text, primary_key=True),
    Column("connector", Text, primary_key=True),
    _text("id"),
    _text("source_path"),
    _text("actions_json"),
    _text("reason"),
    _text("updated_at"),
)

session_state = Table(
    "session_state",
    metadata,
    Column("connector", Text, primary_key=True),
    Column("session_id", Text, primary_key=True),
    _integer("step_idx"),
    _text("last_turn"),
    _integer("events"),
    _text("data"),  # JSON object
    Column("updated", BigInteger, nullable=False),  # Unix ms
    sqlite_with_rowid=False,
)

acknowledgements = Table(
    "acknowledgements",
    metadata,
    Column("event_seq", Sequence, primary_key=True, autoincrement=False),
    Column("acknowledged", BigInteger, nullable=False),  # Unix ms
    _text("by_event_id"),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),
    _text("row_hash"),
    Column("recorded", BigInteger, nullable=False),
    _integer("rows"),
    _text("problem"),
    _text("signature"),
)

chain_head = Table(
    "chain_head",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    _text("row_hash"),
    _text("signature"),
)

schema_version = Table(
    "schema_version",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    _text("applied_at"),
)
