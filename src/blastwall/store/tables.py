"""The tables. No column holds a secret: passes are kept as digests, tokens as digests of their identifiers.

Times are seconds since the epoch, UTC.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, MetaData, String, Table, Text

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(column_0_label)s",
    }
)

passes = Table(
    "passes",
    metadata,
    Column("id", String(32), primary_key=True, comment="public handle"),
    Column("digest", String(64), nullable=False, unique=True, comment="SHA-256 of the pass"),
    Column("token", String(64), nullable=False, comment="the exchanged token, as in exchanged_tokens"),
    Column("resource", String(63), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("principal", String(63), nullable=False),
    Column("issuer", String(63), nullable=False),
    Column("trust", String(64), nullable=False, comment="digest of the issuer's URL and audience at the exchange"),
    Column("claims", Text, nullable=False, comment="the token's claims that a match may name, as JSON"),
    Column("issued", Float, nullable=False),
    Column("ends", Float, nullable=False),
    Column("revoked", Float, nullable=True),
    Column("seal", String(64), nullable=False, server_default="", comment="keyed hash of all but `revoked`"),
    Index("ix_passes_token", "token", "resource"),
    Index("ix_passes_ends", "ends"),
)

exchanged_tokens = Table(
    "exchanged_tokens",
    metadata,
    Column("token", String(64), primary_key=True, comment="SHA-256 of issuer and jti or uti"),
    Column("source", String(64), nullable=False, comment="address of its first exchange"),
    Column("ends", Float, nullable=False, comment="after this the token is expired, so the row may go"),
    Index("ix_exchanged_tokens_ends", "ends"),
)

containments = Table(
    "containments",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(8), nullable=False),
    Column("name", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("by", String(128), nullable=False),
    Column("at", Float, nullable=False),
    Column("ends", Float, nullable=True, comment="when nothing is left that it could act on"),
    Column("lifted", Float, nullable=True),
    Column("lifted_by", String(128), nullable=True),
    Column("lift_reason", Text, nullable=True),
    Index("ix_containments_lifted", "lifted", "ends"),
)

spending = Table(
    "spending",
    metadata,
    Column("kind", String(8), primary_key=True),
    Column("name", String(63), primary_key=True),
    Column("resource", String(63), primary_key=True, comment="empty where all resources count together"),
    Column("period", Integer, primary_key=True, comment="length of the window in seconds"),
    Column("start", BigInteger, primary_key=True, comment="when the window began"),
    Column("rows_read", BigInteger, nullable=False),
    Column("rows_changed", BigInteger, nullable=False),
    Column("masked_cells", BigInteger, nullable=False),
    Column("bytes_out", BigInteger, nullable=False),
    Column("statements", BigInteger, nullable=False),
    Column("logins", BigInteger, nullable=False),
    Column("ends", BigInteger, nullable=False, comment="from then on no window reaches back to it"),
    Index("ix_spending_ends", "ends"),
)

presences = Table(
    "presences",
    metadata,
    Column("node", String(63), primary_key=True),
    Column("name", String(63), primary_key=True, comment="the agent"),
    Column("sessions", Integer, nullable=False),
    Column("at", Float, nullable=False, comment="when the node last said so"),
)

logins = Table(
    "logins",
    metadata,
    Column("id", String(32), primary_key=True, comment="public handle"),
    Column("digest", String(64), nullable=False, unique=True, comment="SHA-256 of the cookie or login token"),
    Column("kind", String(8), nullable=False, comment="web (a cookie) or cli (a token)"),
    Column("principal", String(63), nullable=False, comment="the user"),
    Column("issuer", String(63), nullable=False),
    Column("trust", String(64), nullable=False, comment="digest of the issuer's URL and audience at the sign-in"),
    Column("claims", Text, nullable=False, comment="the token's claims that a match may name, as JSON"),
    Column("source", String(64), nullable=False, comment="address that signed in"),
    Column("issued", Float, nullable=False),
    Column("seen", Float, nullable=False, comment="when it was last used, to the minute"),
    Column("idle", Float, nullable=False, comment="seconds without use after which it ends"),
    Column("ends", Float, nullable=False),
    Column("revoked", Float, nullable=True),
    Column("seal", String(64), nullable=False, server_default="", comment="keyed hash of all but `seen` and `revoked`"),
    Index("ix_logins_ends", "ends"),
)

device_codes = Table(
    "device_codes",
    metadata,
    Column("digest", String(64), primary_key=True, comment="SHA-256 of the device code"),
    Column("user_code", String(64), nullable=False, unique=True, comment="SHA-256 of the user code"),
    Column("source", String(64), nullable=False, comment="address that asked"),
    Column("client", String(128), nullable=False, comment="what it called itself"),
    Column("asked", Float, nullable=False),
    Column("ends", Float, nullable=False),
    Column("polled", Float, nullable=False, comment="when its client last asked for the answer"),
    Column("state", String(12), nullable=False, comment="waiting, confirmed or refused"),
    Column("login", String(32), nullable=True, comment="the login that confirmed it"),
    Column("seal", String(64), nullable=False, server_default="", comment="keyed hash of all but `polled`"),
    Index("ix_device_codes_ends", "ends"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("who", String(80), primary_key=True, comment="kind and name of the caller"),
    Column("key", String(64), primary_key=True, comment="SHA-256 of the Idempotency-Key"),
    Column("fingerprint", String(64), nullable=False, comment="SHA-256 of method, path and body"),
    Column("at", Float, nullable=False),
    Column("status", Integer, nullable=True, comment="null while it is worked on"),
    Column("body", Text, nullable=True),
    Index("ix_idempotency_at", "at"),
)

changes = Table(
    "changes",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("thing", String(128), nullable=False, comment="the id of what changed"),
    Column("data", Text, nullable=False, comment="what people's pages show of it, as JSON"),
    Index("ix_changes_at", "at"),
    sqlite_autoincrement=True,
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("destination", String(63), nullable=False, comment="the name of a notification in the configuration"),
    Column("body", Text, nullable=False, comment="the message as JSON; values in it are masked"),
    Column("at", Float, nullable=False),
    Column("due", Float, nullable=False, comment="not sent before"),
    Column("attempts", Integer, nullable=False),
    Column("claimed_by", String(32), nullable=True, comment="who sends it now"),
    Column("claimed_until", Float, nullable=True),
    Column("dead", Float, nullable=True, comment="when it was given up"),
    Index("ix_outbox_due", "destination", "dead", "due"),
)
