"""Alembic's entry point; the connection comes from :func:`defenseclaw.audit.migrations.upgrade`."""

from alembic import context

from defenseclaw.audit.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
context.run_migrations()
