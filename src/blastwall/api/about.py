"""Who am I, which version is this, how is it."""

from __future__ import annotations

from typing import Literal

from fastapi import Request
from pydantic import Field

from blastwall import __version__
from blastwall.api import known
from blastwall.api.frame import Answer, Endpoint, InCaller, InControl, time_of
from blastwall.control.access import Role
from blastwall.control.people import People
from blastwall.control.status import Status
from blastwall.identity.logins import csrf_of


class Me(Answer):
    """The caller, as the gateway knows them."""

    kind: Literal["user", "agent"] = Field(description="A person or an agent.")
    name: str = Field(description="The configured name.")
    groups: list[str] = Field(description="The configured groups.")
    roles: list[Role] = Field(description="What a user may do.")
    csrf: str | None = Field(description="For `X-CSRF-Token`; null where no cookie is the proof.")
    signed_in_until: str | None = Field(description="When the login ends, RFC 3339; null where a token is the proof.")


class Version(Answer):
    """What runs."""

    version: str = Field(description="The gateway's version.")


class WorkersHealth(Answer):
    """The node's processes."""

    of: int = Field(description="How many there are to be.")
    ready: int = Field(description="How many take new sessions.")


class RecordingsHealth(Answer):
    """This process's recordings, since its start."""

    events: int = Field(description="Events written.")
    failures: int = Field(description="Writes that failed.")
    checkpoints: int = Field(description="Signed checkpoints made.")
    anchor_failures: int = Field(description="Checkpoints that an anchor did not take.")
    segments_removed: int = Field(description="Files deleted by retention.")


class Health(Answer):
    """How the gateway is."""

    ready: bool = Field(description="Whether new sessions are taken.")
    waiting_for: list[str] = Field(description="What keeps new sessions out.")
    workers: WorkersHealth = Field(description="The node's processes.")
    recordings: RecordingsHealth = Field(description="The recordings.")
    generation: int = Field(description="Configurations put in force since the start.")
    policies_version: str = Field(description="A digest of the policies in force.")
    containment_blind: bool = Field(description="Whether the state cannot be read, so that everybody is refused.")
    reviews_overdue: int = Field(description="Broken glasses whose review has been open for more than a day.")


async def me(control: InControl, caller: InCaller, request: Request) -> Me:
    """Tell who the caller is."""
    found = await control.people.me(caller)
    cookie = known.cookie_of(request) if caller.web else None
    return Me(
        kind=found.kind,
        name=found.name,
        groups=sorted(found.groups),
        roles=sorted(found.roles),
        csrf=None if cookie is None else csrf_of(cookie),
        signed_in_until=None if found.signed_in_until is None else time_of(found.signed_in_until),
    )


async def version(control: InControl, caller: InCaller) -> Version:
    """Tell which version runs."""
    control.status.alive(caller)
    return Version(version=__version__)


async def health(control: InControl, caller: InCaller) -> Health:
    """Tell how the gateway is: what it waits for, its processes, recordings and configuration."""
    found = control.status.health(caller)
    return Health(
        ready=not found.waiting_for,
        waiting_for=list(found.waiting_for),
        workers=WorkersHealth(of=found.workers.of, ready=found.workers.ready),
        recordings=RecordingsHealth.model_validate(found.recordings, from_attributes=True),
        generation=found.generation,
        policies_version=found.policies_version,
        containment_blind=found.containment_blind,
        reviews_overdue=found.reviews_overdue,
    )


ENDPOINTS = (
    Endpoint("GET", "/me", me, People.me),
    Endpoint("GET", "/version", version, Status.alive),
    Endpoint("GET", "/health", health, Status.health),
)
