"""What a storage account's `settings:` say."""

from __future__ import annotations

from typing import Annotated, cast

from pydantic import BaseModel, ConfigDict, Field

from blastwall.model.resource import Resource


class BlobSettings(BaseModel):
    """A blob resource's `settings:`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: Annotated[str, Field(pattern=r"^([a-z0-9]{3,24})?$")] = Field(
        "",
        description="The account's name where paths begin with it, as those of Azurite and of endpoints by address do "
        "(`http://127.0.0.1:10000/devstoreaccount1/container`). Empty: the account is in the host's name.",
    )


_DEFAULTS = BlobSettings()


def settings_of(resource: Resource) -> BlobSettings:
    """Return a resource's settings; the defaults where it has none."""
    return cast("BlobSettings", resource.settings) if resource.settings is not None else _DEFAULTS
