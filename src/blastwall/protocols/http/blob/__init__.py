"""`azure-blob`: the Blob service of a storage account."""

from __future__ import annotations

from blastwall.protocols.http.blob.flavour import BlobFlavour

FLAVOUR = BlobFlavour()
