"""The tables of grants: who asked for what, who decided, what is open and until when.

Times are seconds since the epoch, UTC. Whoever can write these rows opens nothing by that: they are sealed with a key
that the state does not hold (`store.sealing`).
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, String, Table, Text

from blastwall.store.tables import metadata

grants = Table(
    "grants",
    metadata,
    Column("id", String(20), primary_key=True),
    Column("kind", String(11), nullable=False, comment="grant, or break_glass"),
    Column("state", String(8), nullable=False, comment="asked, open, refused or revoked; an end shows in `ends`"),
    Column("who", String(8), nullable=False, comment="agent or user"),
    Column("principal", String(63), nullable=False),
    Column("issuer", String(63), nullable=False),
    Column("subject", Text, nullable=False, comment="of whoever asked or broke the glass"),
    Column("claims", Text, nullable=False, comment="JSON: those of whoever asked or broke the glass"),
    Column("resource", String(63), nullable=False),
    Column("actions", Text, nullable=False, comment="JSON"),
    Column("reason", Text, nullable=False),
    Column("minutes", Integer, nullable=False),
    Column("needed", Text, nullable=False, comment="JSON: groups and counts"),
    Column("asked_at", Float, nullable=False),
    Column("asked_by", String(128), nullable=False),
    Column("until", Float, nullable=False, comment="nobody decides after this"),
    Column("starts", Float, nullable=True),
    Column("ends", Float, nullable=True),
    Column("closed_at", Float, nullable=True, comment="when it was refused or revoked"),
    Column("last_used", Float, nullable=True),
    Column("unreviewed", Boolean, nullable=False, comment="the review of a broken glass is open"),
    Column("seal", String(64), nullable=False, server_default="", comment="keyed hash of all but `last_used`"),
    Index("ix_grants_state", "state", "ends"),
    Index("ix_grants_asked_at", "asked_at", "id"),
    Index("ix_grants_principal", "who", "principal"),
)

grant_decisions = Table(
    "grant_decisions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("grant", String(20), nullable=False),
    Column("decision", String(7), nullable=False, comment="approve, deny, revoke or review"),
    Column("issuer", String(63), nullable=False),
    Column("subject", Text, nullable=False),
    Column("name", String(128), nullable=False),
    Column("comment", Text, nullable=False),
    Column("at", Float, nullable=False),
    Column("seal", String(64), nullable=False, server_default="", comment="keyed hash of all of the above but `id`"),
    Index("ix_grant_decisions_grant", "grant"),
)
