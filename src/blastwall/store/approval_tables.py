"""The tables of approvals. Texts and parameters in them are redacted.

Times are seconds since the epoch, UTC. Whoever can write these rows cannot approve anything by that: what people are
shown and what they decide is sealed with a key that the state does not hold (`approvals.sealing`).
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, String, Table, Text

from blastwall.store.tables import metadata

approvals = Table(
    "approvals",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("mode", String(4), nullable=False, comment="wait: its connection is held; fail: it was refused"),
    Column("asked_at", Float, nullable=False),
    Column("until", Float, nullable=False),
    Column("lasts", Float, nullable=False, comment="seconds that an approval of mode fail is good for"),
    Column("node", String(63), nullable=False),
    Column("session", String(64), nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", String(8), nullable=False),
    Column("principal", String(63), nullable=False),
    Column("issuer", String(63), nullable=False),
    Column("subject", Text, nullable=False),
    Column("groups", Text, nullable=False, comment="JSON"),
    Column("claims", Text, nullable=False, comment="JSON"),
    Column("resource", String(63), nullable=False),
    Column("database", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("text", Text, nullable=False, comment="redacted"),
    Column("parameters", Text, nullable=False, comment="JSON, redacted"),
    Column("effects", Text, nullable=False, comment="JSON"),
    Column("policies", Text, nullable=False, comment="JSON: the ids of those that asked"),
    Column("reason", Text, nullable=False),
    Column("needed", Text, nullable=False, comment="JSON: groups and counts"),
    Column("in_transaction", Boolean, nullable=False),
    Column("binding", String(64), nullable=False, comment="keyed hash of who asks what of whom"),
    Column("seal", String(64), nullable=False, comment="keyed hash of all of the above"),
    Column("worker", Integer, nullable=False),
    Column(
        "holder",
        String(32),
        nullable=False,
        comment="the process in which the statement waits; empty once it has heard",
    ),
    Column("state", String(9), nullable=False),
    Column("ended_at", Float, nullable=True),
    Column("stands_until", Float, nullable=True, comment="until then the statement may be sent again"),
    Column("used", Float, nullable=True, comment="when the statement was last let through by it"),
    Column("preview_rows", BigInteger, nullable=True),
    Column("preview_how", String(10), nullable=False),
    Column("preview_note", Text, nullable=False),
    Index("ix_approvals_holder", "holder", "state"),
    Index("ix_approvals_binding", "binding", "stands_until"),
    Index("ix_approvals_state", "state", "until"),
    Index("ix_approvals_asked_at", "asked_at", "id"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("approval", String(16), nullable=False),
    Column("decision", String(7), nullable=False),
    Column("issuer", String(63), nullable=False),
    Column("subject", Text, nullable=False),
    Column("name", String(63), nullable=False),
    Column("scope", String(9), nullable=False),
    Column("minutes", Integer, nullable=False),
    Column("comment", Text, nullable=False),
    Column("at", Float, nullable=False),
    Column("seal", String(64), nullable=False, comment="keyed hash of all of the above and the binding"),
    Index("ix_decisions_approval", "approval"),
)
