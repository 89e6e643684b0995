"""Alembic's environment: online only, on the connection that `cdp.db.migrate` hands in, all pending steps in one transaction."""

from alembic import context

from cdp.db.metadata import gather

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=gather(), compare_server_default=True, transaction_per_migration=False
)
with context.begin_transaction():
    # Two programs may start at once: the second waits here, then finds nothing to do.
    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('cdp migrate'))")
    context.run_migrations()
