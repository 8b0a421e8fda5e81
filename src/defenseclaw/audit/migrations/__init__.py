"""Schema migrations, run by Alembic inside the transaction that opens the store.

``schema_version`` is the only record of where a store stands. Alembic's own table exists just while a
migration runs, so a store that never needed one looks the same as a store that did.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text


def upgrade(connection: Connection, version: int) -> None:
    """Bring the schema from ``version`` (0: nothing there) to the newest, inside the caller's transaction.

    Source: Alembic cookbook, "Programmatic API use (connection sharing)".
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    command.stamp(config, f"{version:04d}" if version else "base", purge=True)
    command.upgrade(config, "head")
    connection.execute(text("DROP TABLE alembic_version"))
