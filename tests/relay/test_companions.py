"""Side connections: shared, opened when asked, and never a reason to wait for ever."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.relay.conftest import FAST, MakeSite, Site
from tests.relay.toy import eventually
from tests.waiting import SOON

from blastwall.gate.ports import CredentialUnavailable


def sides(site: Site) -> int:
    return sum(line.endswith(" side") for line in site.server.lines)


async def test_sessions_share_one_connection(site: Site) -> None:
    clients = [await site.logged_in() for _ in range(3)]
    answers = await asyncio.gather(*(client.ask(f"LOOKUP {number}") for number, client in enumerate(clients)))
    assert list(answers) == ["str = 0", "str = 1", "str = 2"]
    assert sides(site) == 1


async def test_the_gateways_own_credential_is_used(site: Site) -> None:
    client = await site.logged_in()
    await client.ask("LOOKUP x")
    assert "AUTH upstream-secret side" in site.server.lines


async def test_without_a_credential_the_look_up_fails_and_the_session_lives_on(site: Site) -> None:
    client = await site.logged_in()
    site.world.vault.error = CredentialUnavailable("none for nobody")
    assert await client.ask("LOOKUP x") == "LookupFailed none for nobody"
    assert await client.ask("select 1") == "= select 1"


async def test_a_fault_fails_the_look_up(site: Site) -> None:
    client = await site.logged_in()
    site.world.vault.error = RuntimeError("a bug")
    assert await client.ask("LOOKUP x") == "LookupFailed a fault of the gateway's own"


async def test_a_resource_that_does_not_answer_fails_the_look_up_in_time(make_site: MakeSite) -> None:
    site = await make_site(limits=replace(FAST, lookup=0.5))
    client = await site.logged_in()
    assert await client.ask("LOOKUP sleep") == (
        "LookupFailed toy-prod did not answer the gateway's own question in time"
    )
    await eventually(lambda: site.server.open == 1)


async def test_after_a_failure_it_is_tried_again_but_not_at_once(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blastwall.relay.companions._FIRST_PAUSE", 1.5)
    site = await make_site(limits=replace(FAST, lookup=SOON))
    client = await site.logged_in()
    assert await client.ask("LOOKUP 1") == "str = 1"
    client.send("LOOKUP sleep")
    await eventually(lambda: "sleep" in site.server.lines)
    site.server.hang_up(-1)
    assert await client.read() == "LookupFailed the resource hung up"
    assert await client.ask("LOOKUP 2") == "LookupFailed the resource hung up"
    assert sides(site) == 1
    async with asyncio.timeout(SOON):
        while (said := await client.ask("LOOKUP 3")) == "LookupFailed the resource hung up":  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.05)
    assert said == "str = 3"
    assert sides(site) == 2


async def test_an_unused_one_is_closed_and_opened_again(make_site: MakeSite) -> None:
    site = await make_site(limits=replace(FAST, companion_idle=0.1))
    client = await site.logged_in()
    assert await client.ask("LOOKUP 1") == "str = 1"
    await eventually(lambda: site.server.open == 1)
    assert await client.ask("LOOKUP 2") == "str = 2"


async def test_what_sessions_go_by_is_asked_again(make_site: MakeSite) -> None:
    site = await make_site(limits=replace(FAST, companion_idle=0.3, companion_again=0.05))
    client = await site.logged_in()
    assert await client.ask("LOOKUP once") == "str = once"
    assert await client.ask("LOOKUP watched") == "str = watched"
    await eventually(lambda: site.server.lines.count("watched") > 20)
    assert site.server.lines.count("once") == 1
    assert sides(site) == 1, "it was closed as unused"


async def test_it_is_asked_again_after_the_connection_was_lost(make_site: MakeSite) -> None:
    site = await make_site(limits=replace(FAST, companion_again=0.05))
    client = await site.logged_in()
    assert await client.ask("LOOKUP watched") == "str = watched"
    site.server.hang_up(-1)
    await eventually(lambda: sides(site) > 1)


async def test_a_drain_closes_it(site: Site) -> None:
    client = await site.logged_in()
    await client.ask("LOOKUP 1")
    await site.relay.drain(0)
    await eventually(lambda: site.server.open == 0)


async def test_a_session_that_left_is_not_answered(make_site: MakeSite) -> None:
    site = await make_site(limits=replace(FAST, lookup=0.5))
    client = await site.logged_in()
    client.send("LOOKUP sleep")
    await eventually(lambda: "sleep" in site.server.lines)
    client.abort()
    await eventually(lambda: site.relay.connections == 0)
    await asyncio.sleep(0.6)
    assert site.recorded()[-1] == "SessionClosed"


async def test_between_slices_of_long_work_the_loop_goes_round(site: Site) -> None:
    client = await site.logged_in()
    answer = asyncio.ensure_future(client.ask("LOOKUP 1000 slices"))
    turns = 0
    while not answer.done():
        turns += 1
        await asyncio.sleep(0)
    assert answer.result() == "str = 1000 slices"
    assert turns > 1000


async def test_an_answer_that_keeps_coming_is_waited_for(make_site: MakeSite) -> None:
    site = await make_site(limits=replace(FAST, lookup=2.0))
    client = await site.logged_in()
    answer = asyncio.ensure_future(client.ask("LOOKUP endless slices"))
    await asyncio.sleep(2.5)
    assert not answer.done()
    site.kind.enough = True
    assert await answer == "str = endless slices"


async def test_one_that_is_in_a_wanted_place_leaves_it_and_comes_back_when_asked(make_site: MakeSite) -> None:
    site = await make_site(limits=replace(FAST, lookup=SOON))
    client = await site.logged_in()
    await client.ask("LOOKUP 1")
    assert await client.ask("VACATE elsewhere") == "VACATED"
    assert await client.ask("LOOKUP 2") == "str = 2"
    assert (site.server.open, sides(site)) == (2, 1)
    assert await client.ask("VACATE shop") == "VACATED"
    await eventually(lambda: site.server.open == 1)
    assert await client.ask("LOOKUP 3") == "str = 3"
    assert sides(site) == 2


async def test_one_that_owes_an_answer_leaves_a_wanted_place_after_it(make_site: MakeSite) -> None:
    site = await make_site(limits=replace(FAST, lookup=SOON))
    client, other = await site.logged_in(), await site.logged_in()
    client.send("LOOKUP sleep")
    await eventually(lambda: "sleep" in site.server.lines)
    assert await other.ask("VACATE shop") == "VACATED"
    assert await other.ask("select 1") == "= select 1"
    assert site.server.open == 3
    site.server.say(b"awake\n", -1)
    assert await client.read() == "str awake"
    await eventually(lambda: site.server.open == 2)
