"""The keys that sign the gateway's own tokens, and the tenant that these tokens name."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "signing_keys",
        sa.Column("id", sa.String(32), nullable=False, comment="the key id in tokens"),
        sa.Column("made", sa.BigInteger, nullable=False),
        sa.Column("ends", sa.BigInteger, nullable=False, comment="no token that it signed lasts longer"),
        sa.Column("sealed", sa.Text, nullable=False, comment="nonce and ciphertext of the private key, in hex"),
        sa.PrimaryKeyConstraint("id", name="pk_signing_keys"),
    )
    op.create_index("ix_signing_keys_ends", "signing_keys", ["ends"])
    op.create_table(
        "gateway_facts",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_gateway_facts"),
    )
