"""Ports whose whole content a reload replaces at once."""

from __future__ import annotations

from collections.abc import Sequence

from blastwall.config.resource_settings import ResourceSettings
from blastwall.model.credential import Credential
from blastwall.model.principal import Principal
from blastwall.model.resource import Resource
from blastwall.vault import ConfiguredVault, Renewals


class CurrentVault:
    """The vault in force. Implements `gate.ports.Vault`; a login under way keeps the vault that it began with."""

    def __init__(self, resources: Sequence[ResourceSettings]) -> None:
        self._renewals = Renewals()
        self.replace(resources)

    def replace(self, resources: Sequence[ResourceSettings]) -> None:
        """Put other credentials in force, for the next login. Nothing is asked for that was known before."""
        self._vault = ConfiguredVault(resources, self._renewals)
        self._renewals.keep(resources)

    async def close(self) -> None:
        """Renew nothing any more."""
        await self._renewals.close()

    async def credential(self, resource: Resource, principal: Principal | None) -> Credential:
        """See `gate.ports.Vault`."""
        return await self._vault.credential(resource, principal)

    async def renew(self, resource: Resource, principal: Principal, claims: str) -> Credential:
        """See `gate.ports.Vault`."""
        return await self._vault.renew(resource, principal, claims)
