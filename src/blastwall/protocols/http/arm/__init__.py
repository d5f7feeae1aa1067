"""Azure Resource Manager: what a request would do to which Azure resource, and what its clients are told."""

from __future__ import annotations

from blastwall.protocols.http.arm.flavour import ArmFlavour

FLAVOUR = ArmFlavour()
