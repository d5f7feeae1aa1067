"""Ports whose whole content a reload replaces at once."""

from __future__ import annotations

from collections.abc import Iterable

from blastwall.config.model import ResourceSettings
from blastwall.model.credential import Credential
from blastwall.model.principal import Principal
from blastwall.model.resource import Resource
from blastwall.vault import ConfiguredVault


class CurrentVault:
    """The vault in force. Implements `gate.ports.Vault`; a login under way keeps the vault that it began with."""

    def __init__(self, resources: Iterable[ResourceSettings]) -> None:
        self._vault = ConfiguredVault(resources)

    def replace(self, resources: Iterable[ResourceSettings]) -> None:
        """Put other credentials in force, for the next login."""
        self._vault = ConfiguredVault(resources)

    async def credential(self, resource: Resource, principal: Principal | None) -> Credential:
        """See `gate.ports.Vault`."""
        return await self._vault.credential(resource, principal)
