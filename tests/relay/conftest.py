"""A relay on loopback, with a toy protocol and faked ports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import pytest
import uvloop
from tests.gate.fakes import World, a_resource
from tests.relay.toy import Toy, ToyClient, ToyServer
from tests.waiting import SOON

from blastwall.model.resource import Address, TlsMode
from blastwall.protocols.contract import Limits
from blastwall.relay import Relay, RelayLimits, Served, ServerTls, WarmLimits
from blastwall.testing.certificates import CertificateAuthority

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

COLD = WarmLimits()
FAST = RelayLimits(tick=0.02, linger=0.3, dial=1.0, lookup=1.0)


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, LoopFactory]:
    """Run on the loop that the product runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def authority() -> CertificateAuthority:
    return CertificateAuthority()


@pytest.fixture(scope="session")
def server_tls(authority: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory) -> ServerTls:
    return ServerTls(*authority.issue().write(tmp_path_factory.mktemp("tls")))


@pytest.fixture
def ca(authority: CertificateAuthority, tmp_path: Path) -> str:
    return str(authority.write(tmp_path))


@dataclass
class Site:
    """A running relay, the resource behind it, and everything that a test may look into."""

    world: World
    relay: Relay
    server: ToyServer
    kind: Toy
    served: Served
    clients: list[ToyClient] = field(default_factory=list)

    async def connect(self, resource: str = "toy-prod") -> ToyClient:
        client = await ToyClient.connect(self.relay.port(resource))
        self.clients.append(client)
        return client

    async def logged_in(self) -> ToyClient:
        client = await self.connect()
        assert (await client.log_in()).startswith("READY")
        return client

    def recorded(self) -> list[str]:
        """What was recorded in all sessions, by name."""
        return [type(event).__name__ for record in self.world.recorder.records.values() for event in record.events]


class MakeSite(Protocol):
    """What the fixture `make_site` gives."""

    async def __call__(
        self,
        server: ToyServer | None = None,
        upstream: Address | None = None,
        sizes: Limits | None = None,
        limits: RelayLimits = FAST,
        warm: WarmLimits = COLD,
    ) -> Site:
        """Start a relay before a resource; `upstream` is the resource's address where it is not the server's own."""


@pytest.fixture
async def make_site(server_tls: ServerTls) -> AsyncIterator[MakeSite]:
    """Start relays that end with the test."""
    async with AsyncExitStack() as stack:

        async def make(
            server: ToyServer | None = None,
            upstream: Address | None = None,
            sizes: Limits | None = None,
            limits: RelayLimits = FAST,
            warm: WarmLimits = COLD,
        ) -> Site:
            world = World()
            started = await stack.enter_async_context(server or ToyServer())
            target = upstream or Address("127.0.0.1", 0, TlsMode.DISABLE)
            resource = a_resource(upstream=replace(target, port=target.port or started.port))
            served = Served(resource, kind := Toy(), "127.0.0.1", 0, True, sizes or Limits(), warm)
            relay = Relay(world.gate, world.vault, world.meter, server_tls, limits)
            await relay.apply([served])
            site = Site(world, relay, started, kind, served)

            async def stop() -> None:
                for client in site.clients:
                    client.abort()
                await relay.drain(0)

            stack.push_async_callback(stop)
            return site

        yield make
    await _nothing_left()


async def _nothing_left() -> None:
    """Every test leaves no task behind."""
    for _ in range(int(SOON / 0.01)):
        left = [
            task
            for task in asyncio.all_tasks()
            if task.get_name().startswith(("dial", "answer", "credential", "hold", "compan"))
        ]
        if not left:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"tasks were left: {left}")


@pytest.fixture
async def site(make_site: MakeSite) -> Site:
    return await make_site()
