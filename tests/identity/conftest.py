from __future__ import annotations

from collections.abc import AsyncIterator
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol

import pytest
from tests.identity.issuer import Clock, LoopbackIssuer, running_issuer

from blastwall.config.callers import Agent, Issuer, User
from blastwall.config.model import PassSettings
from blastwall.identity import OidcIdentity
from blastwall.model.resource import Address, Resource
from blastwall.store.database import Store, open_store
from blastwall.store.passes import PassTable

HERE = ip_address("127.0.0.1")
PG = Resource("pg-prod", "postgres", Address("db", 5432), ("shop",))
OTHER = Resource("pg-other", "postgres", Address("db", 5432), ("shop",))


class MakeIdentity(Protocol):
    """Make an identity over the test's issuer and store; what is left out is the usual."""

    def __call__(
        self,
        issuers: list[Issuer] | None = None,
        agents: list[Agent] | None = None,
        users: list[User] | None = None,
        passes: PassSettings | None = None,
    ) -> OidcIdentity: ...


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def issuer(clock: Clock) -> AsyncIterator[LoopbackIssuer]:
    async with running_issuer(clock) as running:
        yield running


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_store(f"sqlite:///{tmp_path}/state/blastwall.db")
    yield opened
    await opened.close()


def an_issuer(url: str, **more: object) -> Issuer:
    return Issuer.model_validate({"name": "github", "issuer": url, "audience": "blastwall", **more})


def an_agent(**more: object) -> Agent:
    return Agent.model_validate(
        {"name": "shop-ci", "issuer": "github", "match": {"repository_id": "123"}, "groups": ["ci"], **more}
    )


def a_user(**more: object) -> User:
    return User.model_validate({"name": "ana", "issuer": "github", "match": {"oid": "5f1c"}, "groups": ["dba"], **more})


@pytest.fixture
async def make_identity(store: Store, clock: Clock, issuer: LoopbackIssuer) -> AsyncIterator[MakeIdentity]:
    made: list[OidcIdentity] = []

    def make(
        issuers: list[Issuer] | None = None,
        agents: list[Agent] | None = None,
        users: list[User] | None = None,
        passes: PassSettings | None = None,
    ) -> OidcIdentity:
        identity = OidcIdentity(
            issuers or [an_issuer(issuer.url)],
            [an_agent()] if agents is None else agents,
            users or [],
            passes or PassSettings(),
            store=PassTable(store),
            now=clock.wall,
            steady=clock,
        )
        made.append(identity)
        return identity

    yield make
    for identity in made:
        await identity.close()


@pytest.fixture
def identity(make_identity: MakeIdentity) -> OidcIdentity:
    return make_identity()
