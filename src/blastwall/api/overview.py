"""GET /agents and GET /resources."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import Field

from blastwall.api.frame import Answer, Endpoint, Id, InCaller, InControl, time_of
from blastwall.api.pages import Page, PageQuery, by_name
from blastwall.control.overview import AgentCard, NoSuchAgent, NoSuchResource, Overview, ResourceCard
from blastwall.control.reach import Reached
from blastwall.control.reading import Busy


class Place(Answer):
    """What an agent can do in one database of a resource."""

    resource: str = Field(description="The resource.")
    database: str = Field(description="The database; empty where the resource has none.")
    actions: dict[str, Reached] = Field(
        description="Each action's most permissive ruling: `allow`, `hold` (a person must approve), `grant` (only with "
        "an open grant) or `deny`. A policy's conditions may narrow it."
    )


class Agent(Answer):
    """A configured agent."""

    name: str = Field(description="Its name.")
    issuer: str = Field(description="The issuer of its tokens.")
    groups: list[str] = Field(description="Its groups.")
    sessions_live: int = Field(description="Sessions that run.")
    last_seen: str | None = Field(description="When it last did something that is still recorded.")
    contained: bool = Field(description="Whether it, or its issuer, is contained.")
    reach: list[Place] = Field(description="What it can reach.")


class Resource(Answer):
    """A configured resource. Its credential is never shown."""

    name: str = Field(description="Its name.")
    kind: str = Field(description="Its protocol.")
    tags: dict[str, str] = Field(description="Tags that policies read.")
    azure: str = Field(description="Its Azure resource id; empty where none is configured.")
    listen: str = Field(description="Where clients reach it: address and port.")
    upstream_host: str = Field(description="Where it is.")
    databases: list[str] = Field(description="Databases that clients may name.")
    sessions_live: int = Field(description="Sessions that run.")
    contained: bool = Field(description="Whether it is contained.")


async def agents(control: InControl, caller: InCaller, query: Annotated[PageQuery, Query()]) -> Page[Agent]:
    """List the agents, by name, with what each can reach."""
    return by_name(await control.overview.agents(caller), query, lambda card: card.agent.name, _agent)


async def agent(control: InControl, caller: InCaller, id: Id) -> Agent:  # noqa: A002 - the path's own name for it
    """Get one agent, with what it can reach."""
    return _agent(await control.overview.agent(caller, id))


async def resources(control: InControl, caller: InCaller, query: Annotated[PageQuery, Query()]) -> Page[Resource]:
    """List the resources, by name."""
    return by_name(await control.overview.resources(caller), query, lambda card: card.resource.name, _resource)


async def resource(control: InControl, caller: InCaller, id: Id) -> Resource:  # noqa: A002 - the path's own name for it
    """Get one resource."""
    return _resource(await control.overview.resource(caller, id))


def _agent(card: AgentCard) -> Agent:
    return Agent(
        name=card.agent.name,
        issuer=card.agent.issuer,
        groups=list(card.agent.groups),
        sessions_live=card.sessions_live,
        last_seen=None if card.last_seen is None else time_of(card.last_seen),
        contained=card.contained,
        reach=[
            Place(resource=each.resource, database=each.database, actions=dict(each.actions)) for each in card.reach
        ],
    )


def _resource(card: ResourceCard) -> Resource:
    found = card.resource
    return Resource(
        name=found.name,
        kind=found.kind,
        tags=dict(found.tags),
        azure=found.azure,
        listen=card.listen,
        upstream_host=", ".join(host.host for host in found.hosts),
        databases=list(found.databases),
        sessions_live=card.sessions_live,
        contained=card.contained,
    )


ENDPOINTS = (
    Endpoint("GET", "/agents", agents, Overview.agents, {Busy: 503}),
    Endpoint("GET", "/agents/{id}", agent, Overview.agent, {NoSuchAgent: 404, Busy: 503}),
    Endpoint("GET", "/resources", resources, Overview.resources, {Busy: 503}),
    Endpoint("GET", "/resources/{id}", resource, Overview.resource, {NoSuchResource: 404, Busy: 503}),
)
