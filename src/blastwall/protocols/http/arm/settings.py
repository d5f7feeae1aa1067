"""What the `settings:` of an ARM resource say."""

from __future__ import annotations

from typing import Annotated, cast

from pydantic import BaseModel, ConfigDict, Field

from blastwall.model.resource import Resource


class ArmSettings(BaseModel):
    """An ARM resource's `settings:`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    login: Annotated[str, Field(pattern=r"^(https://[^\s/?#]+)?$")] = Field(
        "",
        description="Where clients log in, as `/metadata/endpoints` tells them: the control port's https URL as they "
        "reach it. Empty: `control.public`, or what the control port is without it.",
    )
    keyvault: Annotated[str, Field(pattern=r"^[a-z0-9.-]+$")] = Field(
        "vault.azure.net",
        description="What names of key vaults end with for the Azure CLI (`--vault-name`): the part of the gateway's "
        "own host names after the vault's, where clients are to reach vaults through it.",
    )
    storage: Annotated[str, Field(pattern=r"^[a-z0-9.-]+$")] = Field(
        "core.windows.net", description="What names of storage accounts end with for the Azure CLI, after `blob.`."
    )


_DEFAULTS = ArmSettings()


def settings_of(resource: Resource) -> ArmSettings:
    """Return a resource's settings; the defaults where it has none."""
    return cast("ArmSettings", resource.settings) if resource.settings is not None else _DEFAULTS
