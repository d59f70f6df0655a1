"""Runs the revisions on the connection and in the transaction that `open_database` brings."""

from __future__ import annotations

from alembic import context

from gate.central.db.models import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
