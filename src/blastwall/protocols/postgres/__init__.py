"""PostgreSQL: the wire protocol, both sides, without I/O."""

from __future__ import annotations

from blastwall.protocols.kind import ProtocolKind
from blastwall.protocols.postgres.kind import PostgresKind

PROTOCOLS: tuple[ProtocolKind, ...] = (PostgresKind(),)
