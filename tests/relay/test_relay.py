"""Listeners, limits, reload and drain."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.gate.fakes import a_resource, an_agent
from tests.relay.conftest import FAST, MakeSite, Site
from tests.relay.toy import Toy, ToyServer, eventually
from tests.waiting import SOON, promised

from blastwall.config.model import LimitSettings
from blastwall.gate.ports import Identified
from blastwall.model.resource import Address, TlsMode
from blastwall.relay import ListenFailed, RelayLimits, Served
from blastwall.relay.entry import new_session_id


async def test_a_handshake_has_a_deadline_however_slowly_it_goes_on(make_site: MakeSite) -> None:
    site = await make_site(limits=replace(FAST, handshake=0.2))
    client = await site.connect()
    loop = asyncio.get_running_loop()
    began = loop.time()
    while site.relay.connections and loop.time() < began + SOON:
        client.writer.write(b"L")
        await asyncio.sleep(0.02)
    assert loop.time() - began < promised(2)
    assert await client.read() == "BYE the login was not complete within 0.2 seconds"


async def test_a_resource_that_says_nothing_counts_into_the_handshake(make_site: MakeSite) -> None:
    site = await make_site(limits=replace(FAST, handshake=0.2))
    site.server.silent = True
    client = await site.connect()
    assert (await client.log_in()).startswith("BYE the login was not complete")
    await eventually(lambda: site.server.open == 0)


async def test_an_identity_that_takes_too_long_counts_into_the_handshake(make_site: MakeSite) -> None:
    site = await make_site(limits=replace(FAST, handshake=0.2))
    site.world.identity.wait = asyncio.Event()
    client = await site.connect()
    assert (await client.log_in()).startswith("BYE the login was not complete")
    site.world.identity.wait.set()
    assert await client.at_end()
    assert site.server.connections == 0


async def test_a_login_may_not_be_longer_than_its_limit(site: Site) -> None:
    client = await site.connect()
    client.writer.write(b"L" * 20_000)
    assert await client.at_end()


async def test_an_admitted_session_outlives_the_handshakes_deadline(make_site: MakeSite) -> None:
    site = await make_site(limits=replace(FAST, handshake=1.5))
    client = await site.logged_in()
    await asyncio.sleep(1.7)
    assert await client.ask("select 1") == "= select 1"


async def test_an_idle_session_is_ended(make_site: MakeSite) -> None:
    site = await make_site(limits=replace(FAST, idle=1.5))
    client = await site.logged_in()
    await asyncio.sleep(0.1)
    assert await client.ask("select 1") == "= select 1"
    assert await client.read() == "BYE the session was idle for 1.5 seconds"


async def test_a_statement_that_runs_too_long_is_cancelled_and_the_session_lives_on(make_site: MakeSite) -> None:
    site = await make_site(limits=replace(FAST, statement=1.0))
    client = await site.logged_in()
    assert await client.ask("select 1") == "= select 1"
    await asyncio.sleep(1.2)
    assert await client.ask("sleep") == "= cancelled"
    assert site.server.lines.count("!") == 1
    assert await client.ask("select 1") == "= select 1"


async def test_what_only_passes_a_word_on_is_over_when_the_resource_closes_it(make_site: MakeSite) -> None:
    site = await make_site(limits=replace(FAST, dial=4 * SOON))
    client = await site.logged_in()
    client.send("MENTION sleep")
    await eventually(lambda: "sleep" in site.server.lines)
    site.server.hang_up(-1)
    assert await client.read() == "MENTIONED"
    await eventually(lambda: site.server.open == 1)
    assert await client.ask("select 1") == "= select 1"


async def test_what_only_passes_a_word_on_is_not_waited_for_for_good(make_site: MakeSite) -> None:
    site = await make_site(limits=replace(FAST, dial=1.0))
    client = await site.logged_in()
    client.send("MENTION sleep")
    assert await client.read() == "MENTIONED"
    assert "sleep" in site.server.lines
    await eventually(lambda: site.server.open == 1)
    await asyncio.sleep(1.2)
    assert await client.ask("select 1") == "= select 1"


async def test_waiting_for_approval_is_not_running(make_site: MakeSite) -> None:
    site = await make_site(limits=replace(FAST, statement=0.1))
    client = await site.logged_in()
    await client.ask("hold orders")
    await asyncio.sleep(0.3)
    assert "!" not in site.server.lines


async def test_connections_are_limited_and_given_back(make_site: MakeSite) -> None:
    site = await make_site(limits=replace(FAST, connections=2))
    first, _second = await site.logged_in(), await site.connect()
    await eventually(lambda: site.relay.connections == 2)
    third = await site.connect()
    assert "as many connections as it accepts" in await third.log_in()
    assert await third.at_end()
    first.abort()
    await eventually(lambda: site.relay.connections == 1)
    await site.logged_in()


async def test_only_so_many_are_told_that_there_are_too_many(make_site: MakeSite) -> None:
    site = await make_site(limits=replace(FAST, connections=2))
    first = await site.logged_in()
    others = [await site.connect() for _ in range(3)]
    await eventually(lambda: site.relay.connections == 4)
    beyond = await site.connect()
    assert await beyond.at_end()
    for client in (first, *others):
        client.abort()
    await eventually(lambda: site.relay.connections == 0)
    await site.logged_in()


async def test_an_agents_connections_are_limited(site: Site) -> None:
    site.world.identity.identified = Identified(an_agent(), "token", max_sessions=1)
    first = await site.logged_in()
    second = await site.connect()
    assert "1 sessions open" in await second.log_in()
    first.abort()
    await eventually(lambda: site.relay.connections == 0)
    await site.logged_in()


# ── reload ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_removed_resource_takes_nobody_and_keeps_its_sessions(site: Site) -> None:
    client = await site.logged_in()
    port = site.relay.port("toy-prod")
    await site.relay.apply([])
    assert await client.ask("select 1") == "= select 1"
    with pytest.raises(KeyError):
        site.relay.port("toy-prod")
    with pytest.raises(ConnectionError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_a_changed_resource_is_for_new_sessions(site: Site) -> None:
    client = await site.logged_in()
    port = site.relay.port("toy-prod")
    async with ToyServer() as other:
        resource = replace(site.served.resource, upstream=Address("127.0.0.1", other.port, TlsMode.DISABLE))
        await site.relay.apply([replace(site.served, resource=resource)])
        assert site.relay.port("toy-prod") == port
        newcomer = await site.logged_in()
        assert await newcomer.ask("select new") == "= select new"
        assert await client.ask("select old") == "= select old"
        assert ("select new" in other.lines, "select old" in site.server.lines) == (True, True)
        newcomer.abort()


async def test_an_interrupt_crosses_a_reload(site: Site) -> None:
    client = await site.logged_in()
    client.send("sleep")
    await eventually(lambda: "sleep" in site.server.lines)
    await site.relay.apply([replace(site.served, sizes=replace(site.served.sizes, statement=5))])
    canceller = await site.connect()
    canceller.send(f"CANCEL {client.key}")
    assert await client.read() == "= cancelled"


async def test_an_interrupt_does_not_cross_to_another_resource(site: Site) -> None:
    other = Served(a_resource("toy-other", site.served.resource.upstream), Toy(), "127.0.0.1", 0, True)
    await site.relay.apply([site.served, other])
    client = await site.logged_in()
    client.send("sleep")
    await eventually(lambda: "sleep" in site.server.lines)
    canceller = await site.connect("toy-other")
    canceller.send(f"CANCEL {client.key}")
    assert await canceller.at_end()
    assert "!" not in site.server.lines


async def test_a_port_that_is_taken_leaves_everything_as_it_was(site: Site) -> None:
    taken = Served(a_resource("toy-b"), Toy(), "127.0.0.1", site.relay.port("toy-prod"), True)
    free = Served(a_resource("toy-a"), Toy(), "127.0.0.1", 0, True)
    with pytest.raises(
        ListenFailed, match=r"toy-b: cannot listen on 127\.0\.0\.1 port \d+: .*; end what listens there"
    ):
        await site.relay.apply([free, taken])
    with pytest.raises(KeyError):
        site.relay.port("toy-a")
    await site.logged_in()


async def test_new_limits_are_for_new_sessions(site: Site) -> None:
    client = await site.logged_in()
    await site.relay.apply([site.served], replace(FAST, idle=0.1))
    newcomer = await site.logged_in()
    assert (await newcomer.read()).startswith("BYE the session was idle")
    assert await client.ask("select 1") == "= select 1"


def test_clients_without_tls_are_for_loopback_only() -> None:
    for address in ("0.0.0.0", "10.0.0.1", "::", "gateway.example"):
        with pytest.raises(ValueError, match="loopback"):
            Served(a_resource(), Toy(), address, 1, True)
    for address in ("127.0.0.1", "127.9.9.9", "::1", "localhost"):
        Served(a_resource(), Toy(), address, 1, True)


# ── drain ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_drain_ends_the_idle_and_waits_for_the_busy(site: Site) -> None:
    idle, busy, stranger = await site.logged_in(), await site.logged_in(), await site.connect()
    busy.send("sleep")
    await eventually(lambda: "sleep" in site.server.lines)
    port = site.relay.port("toy-prod")
    drain = asyncio.create_task(site.relay.drain(SOON))
    assert (await idle.read()).startswith("BYE the gateway is shutting down")
    assert (await stranger.read()).startswith("BYE the gateway is shutting down")
    with pytest.raises(ConnectionError):
        await asyncio.open_connection("127.0.0.1", port)
    assert not drain.done()
    site.relay._interrupts["toy-prod"].interrupt(busy.key.encode())
    assert await busy.read() == "= cancelled"
    assert (await busy.read()).startswith("BYE the gateway is shutting down")
    await asyncio.wait_for(drain, promised(2))


async def test_a_drain_ends_everybody_at_its_deadline(site: Site) -> None:
    busy = await site.logged_in()
    busy.send("sleep")
    await eventually(lambda: "sleep" in site.server.lines)
    await asyncio.wait_for(site.relay.drain(0.2), promised(2))
    assert (await busy.read()).startswith("BYE the gateway is shutting down")
    assert site.relay.connections == 0
    assert site.recorded()[-1] == "SessionClosed"


def test_session_ids_sort_by_time_and_are_unguessable() -> None:
    ids = [new_session_id(1_795_000_000 + second) for second in range(100)]
    assert ids == sorted(ids)
    assert {len(each) for each in ids} == {20}
    assert len({new_session_id(1.0)[9:] for _ in range(100)}) == 100


def test_limits_come_from_the_configuration() -> None:
    limits = RelayLimits.of(LimitSettings.model_validate({"connections": 5, "statement": "2m"}))
    assert (limits.connections, limits.statement, limits.handshake) == (5, 120.0, 15.0)
