"""A SQL Server resource's `settings:`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

_SERVICE = "database.windows.net"
_DOMAIN = r"^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$"


class EntraSettings(BaseModel):
    """What drivers that fetch a token themselves (ActiveDirectory… authentication) are told of where to get it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    authority: Annotated[str, Field(pattern=r"^https://[^\s/]+/\S+$")] = Field(
        description="URL of the token service with the tenant: `https://login.microsoftonline.com/TENANT`."
    )
    resource: Annotated[str, Field(pattern=r"^(https|api)://\S+$")] = Field(
        description="Application ID URI of the gateway, for which drivers ask their token: `api://blastwall`. It must "
        "not be the database's own (`https://database.windows.net/`): such a token would open the database itself."
    )

    @field_validator("resource")
    @classmethod
    def _own(cls, resource: str) -> str:
        if _SERVICE in resource.lower():
            raise ValueError("a token for Azure SQL itself opens the database: name the gateway's own application")
        return resource


class TdsSettings(BaseModel):
    """A SQL Server or Azure SQL resource's `settings:`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    strict: bool = Field(
        False,
        description="Speak TDS 8.0 to the resource, TLS before anything else, as Azure SQL and SQL Server 2022 can. "
        "Clients may choose either way, whatever is set here.",
    )
    entra: EntraSettings | None = Field(
        None, description="Where drivers that fetch their Microsoft Entra token themselves are sent for it."
    )
    routes: list[Annotated[str, Field(pattern=_DOMAIN)]] = Field(
        default_factory=list,
        description="Hosts, and domains with all that is in them, to which the resource may redirect the gateway's "
        "login: whoever answers there gets the credential. Azure SQL's own nodes need not be named.",
    )
