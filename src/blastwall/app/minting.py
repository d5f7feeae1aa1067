"""What gateway tokens are made with: the keys in the state, the key that seals them, the tenant that they name."""

from __future__ import annotations

import hmac
import time
import uuid

from blastwall.app.approving import approval_key
from blastwall.clocks import steady
from blastwall.config.model import Configuration
from blastwall.containment import StoredContainment
from blastwall.identity import Minting, OwnKeys
from blastwall.store.database import Store
from blastwall.store.signing_keys import SigningKeyTable


async def minting_of(configuration: Configuration, store: Store, containment: StoredContainment) -> Minting:
    """Return it.

    Raises:
        SecretUnavailable, KeyFileUnusable: the key that seals cannot be had.
        StateError: the state cannot be used.
    """
    table = SigningKeyTable(store)
    sealing = hmac.digest(await approval_key(configuration), b"blastwall gateway tokens: seals", "sha256")
    settings = configuration.gateway_tokens
    tenant = settings.tenant or await table.tenant(str(uuid.uuid4()))
    return Minting(OwnKeys(table, sealing, time.time, steady), tenant, settings, containment.revoked)
