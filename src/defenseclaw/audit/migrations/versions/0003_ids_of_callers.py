"""Ids are unique where a caller chose them; rows of evaluations leave the index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Replace the index; no row changes, so every hash stays valid."""
    op.drop_index("audit_events_id", "audit_events")
    op.create_index(
        "audit_events_id",
        "audit_events",
        ["id"],
        unique=True,
        sqlite_where=sa.text("evaluation_id = ''"),
        postgresql_where=sa.text("evaluation_id = ''"),
    )
