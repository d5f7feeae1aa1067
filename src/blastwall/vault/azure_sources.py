"""Secrets that Azure has: a Key Vault secret, a Microsoft Entra token.

Sources: Key Vault REST API, "Get Secret" and "Authentication, requests and responses"; "Use Microsoft Entra ID for
authentication with Azure Database for PostgreSQL".
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from blastwall.config.azure import EntraSource
from blastwall.config.credentials import SecretSource
from blastwall.vault.azure_failures import told
from blastwall.vault.azure_identities import SECONDS, called, credential_of, load_sdk, transport
from blastwall.vault.readers import MAX_SECRET
from blastwall.vault.renewal import FetchFailed, Lease

if TYPE_CHECKING:
    from azure.core.credentials import TokenRequestOptions

_AHEAD = 300.0
"""A token is renewed five minutes before its end at least, and when a fifth of its time is left."""


class EntraToken:
    """Implements `LeaseSource`: an access token for a scope."""

    def __init__(self, entra: EntraSource) -> None:
        self._entra = entra

    @property
    def source(self) -> str:
        """Names the scope and who asks."""
        tenant = f" of tenant {self._entra.tenant}" if self._entra.tenant is not None else ""
        return f"Entra token for {self._entra.made_for} by {called(self._entra)}{tenant}"

    async def fetch(self, claims: str = "", /) -> Lease:
        """See `LeaseSource`."""
        now = time.time()
        asked: TokenRequestOptions = {"claims": claims, "enable_cae": True} if claims else {}
        try:
            async with asyncio.timeout(SECONDS), await credential_of(self._entra) as credential:
                token = await credential.get_token_info(self._entra.made_for, options=asked)
        except Exception as error:  # noqa: BLE001 - the SDK raises many kinds; none of its texts is passed on
            raise told(self.source, error, vault=False) from None
        ends = float(token.expires_on)
        early = ends - max(_AHEAD, (ends - now) / 5)
        return Lease(token.token.encode(), float(token.refresh_on) if token.refresh_on else early, ends)


class KeyVaultSecret:
    """Implements `LeaseSource`: the newest version of a secret, or the one that its URL names."""

    def __init__(self, secret: SecretSource) -> None:
        if secret.keyvault is None:
            raise ValueError("this source is no Key Vault secret")
        self._url = secret.keyvault
        self._identity = secret.vault_identity
        self._refresh = secret.refresh.total_seconds()
        self._stale = secret.stale.total_seconds()

    @property
    def source(self) -> str:
        """Names the secret and who asks."""
        return f"Key Vault secret {self._url} by {called(self._identity)}"

    async def fetch(self, _claims: str = "", /) -> Lease:
        """See `LeaseSource`. A secret has no claims."""
        try:
            async with asyncio.timeout(SECONDS):
                value, expires = await self._get()
        except Exception as error:  # noqa: BLE001 - the SDK raises many kinds; none of its texts is passed on
            raise told(self.source, error, vault=True) from None
        now = time.time()
        if expires is not None and expires <= now:
            raise FetchFailed(f"{self.source}: the secret has expired (`exp`); make a new version", withdrawn=True)
        if not value:
            raise FetchFailed(f"{self.source}: the secret is empty", withdrawn=True)
        if len(value) > MAX_SECRET:
            raise FetchFailed(f"{self.source}: it is longer than {MAX_SECRET} bytes, so it is no password")
        ends = now + self._refresh + self._stale
        return Lease(value, now + self._refresh, ends if expires is None else min(ends, expires))

    async def _get(self) -> tuple[bytes, float | None]:
        """Return the value and when it expires. The SDK answers the vault's challenge, and checks whose it is."""
        await load_sdk("azure.keyvault.secrets.aio")
        from azure.keyvault.secrets.aio import SecretClient

        parts = urlsplit(self._url)
        _, _, name, *version = parts.path.split("/")
        async with (
            await credential_of(self._identity) as credential,
            SecretClient(f"https://{parts.netloc}", credential, **transport(self._identity.ca)) as client,
        ):
            secret = await client.get_secret(name, version[0] if version else None)
        expires = secret.properties.expires_on
        return (secret.value or "").encode(), expires.timestamp() if expires is not None else None
