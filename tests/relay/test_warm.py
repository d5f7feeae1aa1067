"""Warm connections in the relay: who gets one, what ends one, and that none leaks."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.gate.fakes import an_agent
from tests.relay.conftest import MakeSite, Site
from tests.relay.toy import ToyClient, eventually

from blastwall.gate.ports import Identified
from blastwall.model.principal import Principal
from blastwall.relay import WarmLimits

WARM = WarmLimits(connections=2, idle=30, age=60)


@pytest.fixture
async def site(make_site: MakeSite) -> Site:
    return await make_site(warm=WARM)


async def leave(site: Site, state: str = "mine") -> None:
    """Run a session to its end; its connection is parked with `state`."""
    client = await site.logged_in()
    assert await client.ask("select 1") == "= select 1"
    client.send(f"LEAVE {state}")
    assert await client.at_end()


async def taken(site: Site) -> str:
    """Log in and return the state of the connection that was adopted, empty for none."""
    client = await site.connect()
    ready = await client.log_in()
    assert await client.ask("select 2") == "= select 2"
    client.abort()
    return ready.partition(" WARM ")[2]


async def test_the_next_session_has_it_and_nothing_is_dialled(site: Site) -> None:
    await leave(site, "first")
    assert await taken(site) == "first"
    assert site.server.connections == 1
    assert await taken(site) == ""
    assert site.server.connections == 2


async def test_the_one_that_was_parked_last_is_taken_first(site: Site) -> None:
    clients = [await site.logged_in(), await site.logged_in()]
    for number, client in enumerate(clients):
        client.send(f"LEAVE {number}")
        assert await client.at_end()
    assert [await taken(site), await taken(site)] == ["1", "0"]


async def test_beyond_the_limit_the_oldest_is_closed_with_a_farewell(site: Site) -> None:
    clients = [await site.logged_in() for _ in range(3)]
    for number, client in enumerate(clients):
        client.send(f"LEAVE {number}")
        assert await client.at_end()
    await eventually(lambda: site.server.open == 2)
    assert site.server.lines.count("GOODBYE") == 1
    assert [await taken(site), await taken(site), await taken(site)] == ["2", "1", ""]


@pytest.mark.parametrize(
    "other",
    [replace(an_agent(), name="other"), replace(an_agent(), issuer="other"), replace(an_agent(), subject="other")],
)
async def test_another_principal_never_gets_it(site: Site, other: Principal) -> None:
    await leave(site)
    site.world.identity.identified = Identified(other, "token")
    assert await taken(site) == ""


async def test_another_credential_never_gets_it_and_the_old_connection_is_closed(site: Site) -> None:
    await leave(site)
    site.world.vault.secret = b"rotated"
    assert await taken(site) == ""
    await eventually(lambda: site.server.open == 0)
    site.world.vault.secret = b"upstream-secret"
    assert await taken(site) == ""


async def test_containment_closes_it(site: Site) -> None:
    await leave(site)
    (live,) = site.world.containment.live.values()
    assert live.principal == an_agent()
    live.end("contained")
    await eventually(lambda: site.server.open == 0)
    assert site.world.containment.live == {}
    assert await taken(site) == ""


async def test_what_is_taken_is_watched_no_more(site: Site) -> None:
    await leave(site)
    client = await site.logged_in()
    assert [name for name in site.world.containment.live if "warm" in name] == []
    client.abort()
    await eventually(lambda: site.world.containment.live == {})


async def test_a_reload_closes_all_and_what_began_before_is_not_parked(site: Site) -> None:
    before = await site.logged_in()
    await leave(site)
    await site.relay.apply([site.served])
    await eventually(lambda: site.server.open == 1)
    before.send("LEAVE old")
    assert await before.at_end()
    await eventually(lambda: site.server.open == 0)
    assert await taken(site) == ""


async def test_one_that_the_resource_closed_or_that_speaks_is_given_up(site: Site) -> None:
    await leave(site)
    site.server.hang_up()
    await eventually(lambda: site.server.open == 0)
    assert await taken(site) == ""
    await leave(site)
    site.server.say(b"news\n")
    await eventually(lambda: site.server.open == 0)
    assert await taken(site) == ""


async def test_it_is_closed_when_nobody_wants_it(make_site: MakeSite) -> None:
    site = await make_site(warm=WarmLimits(connections=2, idle=0.2, age=60))
    await leave(site)
    await eventually(lambda: site.server.open == 0)
    assert site.world.containment.live == {}


async def test_one_that_is_too_old_is_not_parked_again(make_site: MakeSite) -> None:
    site = await make_site(warm=WarmLimits(connections=2, idle=30, age=1.5))
    await leave(site)
    await asyncio.sleep(1.6)
    client = await site.connect()
    assert (await client.log_in()).endswith(" WARM mine")
    client.send("LEAVE again")
    assert await client.at_end()
    await eventually(lambda: site.server.open == 0)


async def test_a_drain_closes_all(site: Site) -> None:
    await leave(site)
    await site.relay.drain(0)
    await eventually(lambda: site.server.open == 0)


async def test_a_cold_listener_neither_takes_nor_parks(make_site: MakeSite) -> None:
    site = await make_site()
    client = await site.logged_in()
    assert isinstance(client, ToyClient)
    client.send("LEAVE nothing")
    assert await client.at_end()
    await eventually(lambda: site.server.open == 0)


async def test_those_in_a_wanted_place_are_closed_and_what_was_there_before_is_not_parked(site: Site) -> None:
    before, other = await site.logged_in(), await site.logged_in()
    await leave(site)
    assert await other.ask("VACATE elsewhere") == "VACATED"
    assert site.server.open == 3
    assert await other.ask("VACATE shop") == "VACATED"
    await eventually(lambda: site.server.open == 2)
    assert site.server.lines.count("GOODBYE") == 1
    before.send("LEAVE late")
    assert await before.at_end()
    await eventually(lambda: site.server.open == 1)
    await leave(site, "after")
    assert await taken(site) == "after"
