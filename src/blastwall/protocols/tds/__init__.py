"""SQL Server and Azure SQL: the TDS protocol, both sides, without I/O."""

from __future__ import annotations

from blastwall.protocols.kind import ProtocolKind
from blastwall.protocols.tds.kind import TdsKind

PROTOCOLS: tuple[ProtocolKind, ...] = (TdsKind(),)
