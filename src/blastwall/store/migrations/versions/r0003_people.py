"""People's logins, device codes, and requests that must not be done twice."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _logins()
    _device_codes()
    op.create_table(
        "idempotency",
        sa.Column("who", sa.String(80), nullable=False, comment="kind and name of the caller"),
        sa.Column("key", sa.String(64), nullable=False, comment="SHA-256 of the Idempotency-Key"),
        sa.Column("fingerprint", sa.String(64), nullable=False, comment="SHA-256 of method, path and body"),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("status", sa.Integer, nullable=True, comment="null while it is worked on"),
        sa.Column("body", sa.Text, nullable=True),
        sa.PrimaryKeyConstraint("who", "key", name="pk_idempotency"),
    )
    op.create_index("ix_idempotency_at", "idempotency", ["at"])


def _logins() -> None:
    op.create_table(
        "logins",
        sa.Column("id", sa.String(32), nullable=False, comment="public handle"),
        sa.Column("digest", sa.String(64), nullable=False, comment="SHA-256 of the cookie or login token"),
        sa.Column("kind", sa.String(8), nullable=False, comment="web (a cookie) or cli (a token)"),
        sa.Column("principal", sa.String(63), nullable=False, comment="the user"),
        sa.Column("issuer", sa.String(63), nullable=False),
        sa.Column(
            "trust", sa.String(64), nullable=False, comment="digest of the issuer's URL and audience at the sign-in"
        ),
        sa.Column("claims", sa.Text, nullable=False, comment="the token's claims that a match may name, as JSON"),
        sa.Column("source", sa.String(64), nullable=False, comment="address that signed in"),
        sa.Column("issued", sa.Float, nullable=False),
        sa.Column("seen", sa.Float, nullable=False, comment="when it was last used, to the minute"),
        sa.Column("idle", sa.Float, nullable=False, comment="seconds without use after which it ends"),
        sa.Column("ends", sa.Float, nullable=False),
        sa.Column("revoked", sa.Float, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_logins"),
        sa.UniqueConstraint("digest", name="uq_logins_digest"),
    )
    op.create_index("ix_logins_ends", "logins", ["ends"])


def _device_codes() -> None:
    op.create_table(
        "device_codes",
        sa.Column("digest", sa.String(64), nullable=False, comment="SHA-256 of the device code"),
        sa.Column("user_code", sa.String(64), nullable=False, comment="SHA-256 of the user code"),
        sa.Column("source", sa.String(64), nullable=False, comment="address that asked"),
        sa.Column("client", sa.String(128), nullable=False, comment="what it called itself"),
        sa.Column("asked", sa.Float, nullable=False),
        sa.Column("ends", sa.Float, nullable=False),
        sa.Column("polled", sa.Float, nullable=False, comment="when its client last asked for the answer"),
        sa.Column("state", sa.String(12), nullable=False, comment="waiting, confirmed or refused"),
        sa.Column("login", sa.String(32), nullable=True, comment="the login that confirmed it"),
        sa.PrimaryKeyConstraint("digest", name="pk_device_codes"),
        sa.UniqueConstraint("user_code", name="uq_device_codes_user_code"),
    )
    op.create_index("ix_device_codes_ends", "device_codes", ["ends"])
