"""HTTP: whatever speaks it behind the gateway, from Azure's own interfaces to any REST API, without I/O."""

from __future__ import annotations

from blastwall.protocols.http import arm, blob, keyvault, rest
from blastwall.protocols.http.arm.kind import ArmKind
from blastwall.protocols.http.kind import HttpKind
from blastwall.protocols.kind import ProtocolKind

FLAVOURS = (blob.FLAVOUR, keyvault.FLAVOUR, rest.FLAVOUR)
PROTOCOLS: tuple[ProtocolKind, ...] = (ArmKind(arm.FLAVOUR), *(HttpKind(flavour) for flavour in FLAVOURS))
