"""HTTP: whatever speaks it behind the gateway, from Azure's own interfaces to any REST API, without I/O."""

from __future__ import annotations

from blastwall.protocols.contract import ProtocolKind

PROTOCOLS: tuple[ProtocolKind, ...] = ()
