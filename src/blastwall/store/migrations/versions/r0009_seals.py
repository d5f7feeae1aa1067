"""Seals of passes, logins, device codes, grants and what was decided of them. What is from before has none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_SEALED = {
    "passes": "keyed hash of all but `revoked`",
    "logins": "keyed hash of all but `seen` and `revoked`",
    "device_codes": "keyed hash of all but `polled`",
    "grants": "keyed hash of all but `last_used`",
    "grant_decisions": "keyed hash of all of the above but `id`",
}


def upgrade() -> None:
    """Add the columns."""
    for table, comment in _SEALED.items():
        column = sa.Column("seal", sa.String(64), nullable=False, server_default="", comment=comment)
        op.add_column(table, column)
