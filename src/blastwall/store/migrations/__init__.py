"""Alembic's environment; changes only with Alembic."""
