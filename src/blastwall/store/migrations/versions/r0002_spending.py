"""What agents have spent of their budgets, and how many sessions they have at each node."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _spending()
    op.create_table(
        "presences",
        sa.Column("node", sa.String(63), nullable=False),
        sa.Column("name", sa.String(63), nullable=False, comment="the agent"),
        sa.Column("sessions", sa.Integer, nullable=False),
        sa.Column("at", sa.Float, nullable=False, comment="when the node last said so"),
        sa.PrimaryKeyConstraint("node", "name", name="pk_presences"),
    )


def _spending() -> None:
    amounts = ("rows_read", "rows_changed", "masked_cells", "bytes_out", "statements", "logins")
    op.create_table(
        "spending",
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("resource", sa.String(63), nullable=False, comment="empty where all resources count together"),
        sa.Column("period", sa.Integer, nullable=False, comment="length of the window in seconds"),
        sa.Column("start", sa.BigInteger, nullable=False, comment="when the window began"),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in amounts),
        sa.Column("ends", sa.BigInteger, nullable=False, comment="from then on no window reaches back to it"),
        sa.PrimaryKeyConstraint("kind", "name", "resource", "period", "start", name="pk_spending"),
    )
    op.create_index("ix_spending_ends", "spending", ["ends"])
