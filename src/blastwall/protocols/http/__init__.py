"""HTTP: whatever speaks it behind the gateway, from Azure's own interfaces to any REST API, without I/O."""

from __future__ import annotations

from blastwall.protocols.contract import ProtocolKind
from blastwall.protocols.http import arm, blob, keyvault, rest
from blastwall.protocols.http.kind import HttpKind

FLAVOURS = (arm.FLAVOUR, blob.FLAVOUR, keyvault.FLAVOUR, rest.FLAVOUR)
PROTOCOLS: tuple[ProtocolKind, ...] = tuple(HttpKind(flavour) for flavour in FLAVOURS)
