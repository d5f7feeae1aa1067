"""GET /connect/{resource}: what `blastwall connect` needs to know of a resource's listener."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from pydantic import Field

from blastwall.api.frame import Answer, Endpoint, InCaller, InControl
from blastwall.control.connecting import Connecting
from blastwall.control.exchanging import NoSuchTarget

ResourceName = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", description="The resource's name.")]


class Listener(Answer):
    """How a resource is reached at this gateway."""

    resource: str = Field(description="Its name.")
    kind: str = Field(description="Its protocol.")
    port: int = Field(description="The port of its listener.")
    databases: list[str] = Field(description="The databases that you may connect to, the default first.")
    hosts: list[str] = Field(description="The host names by which alone it is reached; none where any will do.")


async def listener(control: InControl, caller: InCaller, resource: ResourceName) -> Listener:
    """Return where a resource's listener is.

    For agents and users who may connect there; to all others there is no such resource.
    """
    found = await control.connecting.listener(caller, resource)
    return Listener(
        resource=found.resource,
        kind=found.kind,
        port=found.port,
        databases=list(found.databases),
        hosts=list(found.hosts),
    )


ENDPOINTS = (Endpoint("GET", "/connect/{resource}", listener, Connecting.listener, {NoSuchTarget: 404}),)
