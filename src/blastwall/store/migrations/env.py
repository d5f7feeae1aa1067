"""Run migrations on the connection that `blastwall.store.migrate` lends; there is no other way in."""

from __future__ import annotations

from alembic import context

from blastwall.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
