"""The short way of what a session repeats: nothing is sent unrecorded, and whatever comes between is heard."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

import pytest
from tests.gate.fakes import DENY
from tests.relay.conftest import FAST, MakeSite, Site
from tests.relay.toy import ToyClient, eventually

LINE = "select orders"


async def repeating(site: Site) -> ToyClient:
    """A client whose statement was allowed once, so that it may be repeated."""
    client = await site.logged_in()
    assert await client.ask(LINE) == f"= {LINE}"
    return client


def short(site: Site) -> int:
    return site.kind.sessions[0].short


def came(site: Site, octets: float) -> bool:
    return site.world.meter.counts["client bytes"] >= octets


def sent(site: Site) -> int:
    return site.server.lines.count(LINE)


async def test_what_is_repeated_is_recorded_and_answered_as_ever(site: Site) -> None:
    client = await repeating(site)
    for _ in range(3):
        assert await client.ask(LINE) == f"= {LINE}"
    assert (short(site), sent(site)) == (3, 4)
    await eventually(lambda: site.recorded().count("StatementFinished") == 4)
    assert site.recorded().count("StatementRepeated") == 3
    assert site.world.meter.counts["finished"] == 4


async def test_nothing_is_sent_before_its_record_is_durable(site: Site) -> None:
    client = await repeating(site)
    site.world.recorder.slow = True
    client.send(LINE)
    await eventually(lambda: "StatementRepeated" in site.recorded())
    await asyncio.sleep(0.05)
    assert sent(site) == 1
    site.world.recorder.settle()
    assert await client.read() == f"= {LINE}"
    assert short(site) == 1


async def test_more_that_comes_meanwhile_follows_in_its_order(site: Site) -> None:
    client = await repeating(site)
    site.world.recorder.slow = True
    client.send(LINE)
    await eventually(lambda: bool(site.world.recorder.pending))
    client.send("select second")
    await asyncio.sleep(0.05)
    site.world.recorder.slow = False
    site.world.recorder.settle()
    assert [await client.read(), await client.read()] == [f"= {LINE}", "= select second"]


@pytest.mark.parametrize("late", [False, True])
async def test_what_cannot_be_recorded_is_refused_and_never_sent(site: Site, late: bool) -> None:
    client = await repeating(site)
    recorder = site.world.recorder
    recorder.slow, recorder.late_failures, recorder.failing = late, late, not late
    client.send(LINE)
    if late:
        await eventually(lambda: bool(recorder.pending))
        recorder.settle()
    assert (await client.read()).startswith("ERR")
    assert sent(site) == 1
    assert site.world.meter.counts["recording failed"] == 1


async def test_containment_stops_the_very_next_one(site: Site) -> None:
    client = await repeating(site)
    site.world.containment.reason = "cut off"
    assert (await client.ask(LINE)).startswith("ERR")
    assert sent(site) == 1


async def test_what_policy_forbids_meanwhile_is_refused(site: Site) -> None:
    client = await repeating(site)
    site.world.policy.rulings["select"] = DENY
    site.world.gate.policy_changed()
    assert await client.read() == "RECONSIDER"
    assert (await client.ask(LINE)).startswith("ERR")
    assert sent(site) == 1


async def test_a_session_that_is_cut_off_while_it_is_recorded_sends_nothing_more(site: Site) -> None:
    client = await repeating(site)
    site.world.recorder.slow = True
    client.send(LINE)
    await eventually(lambda: bool(site.world.recorder.pending))
    (live,) = site.world.containment.live.values()
    live.end("contained")
    assert await client.read() == "BYE contained"
    site.world.recorder.settle()
    await eventually(lambda: site.relay.connections == 0)
    assert sent(site) == 1


async def test_a_client_that_leaves_while_it_is_recorded_withdraws_it(site: Site) -> None:
    client = await repeating(site)
    site.world.recorder.slow = True
    client.send(LINE)
    await eventually(lambda: bool(site.world.recorder.pending))
    client.abort()
    await eventually(lambda: site.relay.connections == 0)
    site.world.recorder.settle()
    assert sent(site) == 1
    assert "StatementWithdrawn" in site.recorded()


async def test_a_client_that_says_its_end_with_its_last_statement_is_let_go(site: Site) -> None:
    client = await repeating(site)
    client.send(LINE)
    client.writer.write_eof()
    await eventually(lambda: site.relay.connections == 0 and site.server.open == 0)
    assert site.recorded()[-1] == "SessionClosed"


async def test_a_thousand_in_one_breath_are_answered_in_their_order(site: Site) -> None:
    client = await repeating(site)
    lines = [LINE if number % 3 else f"select {number}" for number in range(1000)]
    client.writer.write("".join(f"{line}\n" for line in lines).encode())
    assert [await client.read() for _ in lines] == [f"= {line}" for line in lines]
    await eventually(lambda: site.recorded().count("StatementFinished") == 1001)


@pytest.mark.parametrize("chunk", [1, 3, 13])
async def test_cut_up_it_goes_the_ordinary_way(site: Site, chunk: int) -> None:
    client = await repeating(site)
    data = f"{LINE}\n".encode()
    for at in range(0, len(data), chunk):
        taken = site.world.meter.counts["client bytes"]
        client.writer.write(data[at : at + chunk])
        await eventually(partial(came, site, taken + len(data[at : at + chunk])))
    assert await client.read() == f"= {LINE}"
    assert sent(site) == 2


async def test_a_bug_on_the_short_way_ends_its_session_and_no_other(site: Site) -> None:
    other = await site.logged_in()
    client = await site.logged_in()
    assert await client.ask("select CRASH") == "= select CRASH"
    client.send("select CRASH")
    await client.at_end()
    await eventually(lambda: site.relay.connections == 1)
    assert await other.ask(LINE) == f"= {LINE}"
    assert site.server.lines.count("select CRASH") == 1


async def test_one_that_repeats_without_end_keeps_no_other_waiting(site: Site) -> None:
    busy, other = await repeating(site), await site.logged_in()
    stop = False

    async def repeat() -> None:
        while not stop:
            await busy.ask(LINE)

    task = asyncio.get_running_loop().create_task(repeat())
    for number in range(20):
        assert await other.ask(f"select {number}") == f"= select {number}"
    stop = True
    await task


async def test_a_repeated_statement_that_runs_too_long_is_stopped(make_site: MakeSite) -> None:
    site = await make_site(limits=replace(FAST, statement=0.1))
    client = await site.logged_in()
    for _ in range(3):
        assert await client.ask("sleep long") == "= cancelled"
    assert short(site) == 2
    assert site.server.lines.count("!") == 3
