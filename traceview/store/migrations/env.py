"""What alembic runs: the steps on the connection that `migrate.py` hands over, inside its one transaction."""

from __future__ import annotations

from alembic import context

from traceview.store.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
