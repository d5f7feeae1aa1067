"""Grants and what was decided of them; containment of issuers, and why a containment was lifted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and the column."""
    _grants()
    _decisions()
    op.add_column("containments", sa.Column("lift_reason", sa.Text, nullable=True))


def _grants() -> None:
    op.create_table(
        "grants",
        sa.Column("id", sa.String(20), nullable=False),
        sa.Column("kind", sa.String(11), nullable=False, comment="grant, or break_glass"),
        sa.Column(
            "state",
            sa.String(8),
            nullable=False,
            comment="asked, open, refused or revoked; an end shows in `ends`",
        ),
        sa.Column("who", sa.String(8), nullable=False, comment="agent or user"),
        sa.Column("principal", sa.String(63), nullable=False),
        sa.Column("issuer", sa.String(63), nullable=False),
        sa.Column("subject", sa.Text, nullable=False, comment="of whoever asked or broke the glass"),
        sa.Column("claims", sa.Text, nullable=False, comment="JSON: those of whoever asked or broke the glass"),
        sa.Column("resource", sa.String(63), nullable=False),
        sa.Column("actions", sa.Text, nullable=False, comment="JSON"),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("minutes", sa.Integer, nullable=False),
        sa.Column("needed", sa.Text, nullable=False, comment="JSON: groups and counts"),
        sa.Column("asked_at", sa.Float, nullable=False),
        sa.Column("asked_by", sa.String(128), nullable=False),
        sa.Column("until", sa.Float, nullable=False, comment="nobody decides after this"),
        sa.Column("starts", sa.Float, nullable=True),
        sa.Column("ends", sa.Float, nullable=True),
        sa.Column("closed_at", sa.Float, nullable=True, comment="when it was refused or revoked"),
        sa.Column("last_used", sa.Float, nullable=True),
        sa.Column("unreviewed", sa.Boolean, nullable=False, comment="the review of a broken glass is open"),
        sa.PrimaryKeyConstraint("id", name="pk_grants"),
    )
    op.create_index("ix_grants_state", "grants", ["state", "ends"])
    op.create_index("ix_grants_asked_at", "grants", ["asked_at", "id"])
    op.create_index("ix_grants_principal", "grants", ["who", "principal"])


def _decisions() -> None:
    op.create_table(
        "grant_decisions",
        sa.Column("id", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("grant", sa.String(20), nullable=False),
        sa.Column("decision", sa.String(7), nullable=False, comment="approve, deny, revoke or review"),
        sa.Column("issuer", sa.String(63), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_grant_decisions"),
    )
    op.create_index("ix_grant_decisions_grant", "grant_decisions", ["grant"])
