"""Requests for approval and what people decided."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _approvals()
    _decisions()


def _approvals() -> None:
    op.create_table(
        "approvals",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("mode", sa.String(4), nullable=False, comment="wait: its connection is held; fail: it was refused"),
        sa.Column("asked_at", sa.Float, nullable=False),
        sa.Column("until", sa.Float, nullable=False),
        sa.Column("lasts", sa.Float, nullable=False, comment="seconds that an approval of mode fail is good for"),
        sa.Column("node", sa.String(63), nullable=False),
        sa.Column("session", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("principal", sa.String(63), nullable=False),
        sa.Column("issuer", sa.String(63), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("groups", sa.Text, nullable=False, comment="JSON"),
        sa.Column("claims", sa.Text, nullable=False, comment="JSON"),
        sa.Column("resource", sa.String(63), nullable=False),
        sa.Column("database", sa.Text, nullable=False),
        sa.Column("operation", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False, comment="redacted"),
        sa.Column("parameters", sa.Text, nullable=False, comment="JSON, redacted"),
        sa.Column("effects", sa.Text, nullable=False, comment="JSON"),
        sa.Column("policies", sa.Text, nullable=False, comment="JSON: the ids of those that asked"),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("needed", sa.Text, nullable=False, comment="JSON: groups and counts"),
        sa.Column("in_transaction", sa.Boolean, nullable=False),
        sa.Column("binding", sa.String(64), nullable=False, comment="keyed hash of who asks what of whom"),
        sa.Column("seal", sa.String(64), nullable=False, comment="keyed hash of all of the above"),
        sa.Column("worker", sa.Integer, nullable=False),
        sa.Column(
            "holder",
            sa.String(32),
            nullable=False,
            comment="the process in which the statement waits; empty once it has heard",
        ),
        sa.Column("state", sa.String(9), nullable=False),
        sa.Column("ended_at", sa.Float, nullable=True),
        sa.Column("stands_until", sa.Float, nullable=True, comment="until then the statement may be sent again"),
        sa.Column("used", sa.Float, nullable=True, comment="when the statement was last let through by it"),
        sa.Column("preview_rows", sa.BigInteger, nullable=True),
        sa.Column("preview_how", sa.String(10), nullable=False),
        sa.Column("preview_note", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_approvals"),
    )
    op.create_index("ix_approvals_holder", "approvals", ["holder", "state"])
    op.create_index("ix_approvals_binding", "approvals", ["binding", "stands_until"])
    op.create_index("ix_approvals_state", "approvals", ["state", "until"])
    op.create_index("ix_approvals_asked_at", "approvals", ["asked_at", "id"])


def _decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("id", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("approval", sa.String(16), nullable=False),
        sa.Column("decision", sa.String(7), nullable=False),
        sa.Column("issuer", sa.String(63), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("scope", sa.String(9), nullable=False),
        sa.Column("minutes", sa.Integer, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("seal", sa.String(64), nullable=False, comment="keyed hash of all of the above and the binding"),
        sa.PrimaryKeyConstraint("id", name="pk_decisions"),
    )
    op.create_index("ix_decisions_approval", "decisions", ["approval"])
