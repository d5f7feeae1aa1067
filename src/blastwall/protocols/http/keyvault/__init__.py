"""`azure-keyvault`: secrets, keys and certificates of a vault."""

from __future__ import annotations

from blastwall.protocols.http.keyvault.flavour import KeyVaultFlavour

FLAVOUR = KeyVaultFlavour()
