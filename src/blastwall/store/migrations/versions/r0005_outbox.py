"""Messages that wait to be sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "outbox",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column(
            "destination", sa.String(63), nullable=False, comment="the name of a notification in the configuration"
        ),
        sa.Column("body", sa.Text, nullable=False, comment="the message as JSON; values in it are masked"),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("due", sa.Float, nullable=False, comment="not sent before"),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("claimed_by", sa.String(32), nullable=True, comment="who sends it now"),
        sa.Column("claimed_until", sa.Float, nullable=True),
        sa.Column("dead", sa.Float, nullable=True, comment="when it was given up"),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
    )
    op.create_index("ix_outbox_due", "outbox", ["destination", "dead", "due"])
