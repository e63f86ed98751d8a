"""What Alembic executes: one transaction over the connection that `fare.database.migrate` gave it."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
