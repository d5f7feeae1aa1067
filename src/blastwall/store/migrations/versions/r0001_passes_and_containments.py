"""Passes, exchanged tokens and containments."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the first tables."""
    _passes()
    _exchanged_tokens()
    _containments()


def _passes() -> None:
    op.create_table(
        "passes",
        sa.Column("id", sa.String(32), nullable=False, comment="public handle"),
        sa.Column("digest", sa.String(64), nullable=False, comment="SHA-256 of the pass"),
        sa.Column("token", sa.String(64), nullable=False, comment="the exchanged token, as in exchanged_tokens"),
        sa.Column("resource", sa.String(63), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("principal", sa.String(63), nullable=False),
        sa.Column("issuer", sa.String(63), nullable=False),
        sa.Column(
            "trust", sa.String(64), nullable=False, comment="digest of the issuer's URL and audience at the exchange"
        ),
        sa.Column("claims", sa.Text, nullable=False, comment="the token's claims that a match may name, as JSON"),
        sa.Column("issued", sa.Float, nullable=False),
        sa.Column("ends", sa.Float, nullable=False),
        sa.Column("revoked", sa.Float, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_passes"),
        sa.UniqueConstraint("digest", name="uq_passes_digest"),
    )
    op.create_index("ix_passes_token", "passes", ["token", "resource"])
    op.create_index("ix_passes_ends", "passes", ["ends"])


def _exchanged_tokens() -> None:
    op.create_table(
        "exchanged_tokens",
        sa.Column("token", sa.String(64), nullable=False, comment="SHA-256 of issuer and jti or uti"),
        sa.Column("source", sa.String(64), nullable=False, comment="address of its first exchange"),
        sa.Column("ends", sa.Float, nullable=False, comment="after this the token is expired, so the row may go"),
        sa.PrimaryKeyConstraint("token", name="pk_exchanged_tokens"),
    )
    op.create_index("ix_exchanged_tokens_ends", "exchanged_tokens", ["ends"])


def _containments() -> None:
    op.create_table(
        "containments",
        sa.Column("id", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("by", sa.String(128), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("ends", sa.Float, nullable=True, comment="when nothing is left that it could act on"),
        sa.Column("lifted", sa.Float, nullable=True),
        sa.Column("lifted_by", sa.String(128), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_containments"),
    )
    op.create_index("ix_containments_lifted", "containments", ["lifted", "ends"])
