"""SQL Server and Azure SQL: the TDS protocol, both sides, without I/O."""

from __future__ import annotations

from blastwall.protocols.contract import ProtocolKind

PROTOCOLS: tuple[ProtocolKind, ...] = ()
