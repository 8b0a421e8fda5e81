"""Acknowledged alerts in a side table, and an index for the alert list."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the table and the index; no row changes, so every hash stays valid."""
    op.create_table(
        "acknowledgements",
        sa.Column(
            "event_seq",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("acknowledged", sa.BigInteger, nullable=False),
        sa.Column("by_event_id", sa.Text, nullable=False, server_default=""),
    )
    op.create_index(
        "audit_events_alerts",
        "audit_events",
        ["seq"],
        sqlite_where=sa.text("severity <> 'INFO'"),
        postgresql_where=sa.text("severity <> 'INFO'"),
    )
