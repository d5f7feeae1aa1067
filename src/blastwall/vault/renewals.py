"""The readers of secrets that must be asked for: one for equal sources, kept fresh while the configuration has them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from blastwall.config.azure import EntraSource
from blastwall.config.credentials import CredentialSource, SecretSource
from blastwall.config.resource_settings import ResourceSettings
from blastwall.vault.azure_identities import local_reader
from blastwall.vault.azure_sources import EntraToken, KeyVaultSecret
from blastwall.vault.readers import SecretReader
from blastwall.vault.renewal import RenewedReader

_Asked = TypeVar("_Asked", EntraSource, SecretSource)


class Renewals:
    """Readers by their source. Until `keep` is called, a secret is asked for when it is read."""

    def __init__(self) -> None:
        self._readers: dict[str, RenewedReader] = {}

    def reader(self, credential: CredentialSource) -> SecretReader:
        """Return the reader of a credential's secret."""
        if credential.entra is not None:
            return self._asked(credential.entra)
        if credential.password is None:
            raise ValueError("the configuration's model lets no credential without `password` or `entra` pass")
        return self._asked(credential.password) if credential.password.keyvault else local_reader(credential.password)

    def _asked(self, source: _Asked) -> RenewedReader:
        key = source.model_dump_json()
        reader = self._readers.get(key)
        if reader is None:
            reader = self._readers[key] = _renewed(source)
        return reader

    def keep(self, resources: Iterable[ResourceSettings]) -> None:
        """Keep the secrets of these resources fresh from now on, and no others."""
        wanted = [self.reader(credential) for resource in resources for credential in resource.credentials]
        for key, reader in tuple(self._readers.items()):
            if any(reader is one for one in wanted):
                reader.start()
            else:
                del self._readers[key]
                reader.stop()

    async def close(self) -> None:
        """Ask for nothing any more."""
        for reader in self._readers.values():
            await reader.close()


def _renewed(source: EntraSource | SecretSource) -> RenewedReader:
    return RenewedReader(EntraToken(source) if isinstance(source, EntraSource) else KeyVaultSecret(source))


def reader_for(source: SecretSource) -> SecretReader:
    """Return the reader of one configured source, which asks when it is read."""
    return RenewedReader(KeyVaultSecret(source)) if source.keyvault is not None else local_reader(source)
