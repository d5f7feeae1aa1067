"""What a vault's `settings:` say."""

from __future__ import annotations

from typing import Annotated, cast

from pydantic import BaseModel, ConfigDict, Field

from blastwall.model.resource import Resource

NO_TENANT = "00000000-0000-0000-0000-000000000000"


class KeyVaultSettings(BaseModel):
    """A vault resource's `settings:`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tenant: Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")] = Field(
        NO_TENANT,
        description="The tenant that challenges name: that of the gateway's own tokens (`gateway_tokens.tenant`). "
        "Clients with a managed identity do without; those that log in to a tenant compare it with theirs.",
    )


_DEFAULTS = KeyVaultSettings()


def settings_of(resource: Resource) -> KeyVaultSettings:
    """Return a resource's settings; the defaults where it has none."""
    return cast("KeyVaultSettings", resource.settings) if resource.settings is not None else _DEFAULTS
