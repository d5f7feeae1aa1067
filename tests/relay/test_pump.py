"""One session through real sockets: the ordinary way, and what hostile or broken peers do to it."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.gate.fakes import DENY
from tests.relay.conftest import MakeSite, Site
from tests.relay.toy import eventually
from tests.waiting import SOON, promised

from blastwall.gate import HoldTimes
from blastwall.gate.ports import Verdict
from blastwall.protocols.contract import CLIENT, Limits


async def test_a_session_from_login_to_answer(site: Site) -> None:
    client = await site.logged_in()
    assert await client.ask("select 1") == "= select 1"
    assert site.server.lines[0].startswith("AUTH upstream-secret shop-ci/")
    assert site.server.lines[1:] == ["select 1"]


async def test_a_denied_statement_never_reaches_the_resource_and_the_session_lives_on(site: Site) -> None:
    client = await site.logged_in()
    assert await client.ask("delete orders") == "ERR no deletes here"
    assert await client.ask("select 1") == "= select 1"
    assert "delete orders" not in site.server.lines


async def test_pipelined_statements_are_answered_in_order_without_recursion(site: Site) -> None:
    client = await site.logged_in()
    count = 3000
    client.writer.write(b"delete orders\n" * count + b"select 1\n")
    answers = [await client.read() for _ in range(count + 1)]
    assert answers == ["ERR no deletes here"] * count + ["= select 1"]


async def test_a_refused_login_is_told_and_closed(site: Site) -> None:
    client = await site.connect()
    assert await client.ask("LOGIN forged") == "ERR the token does not verify"
    assert await client.at_end()
    assert site.server.connections == 0
    await eventually(lambda: site.recorded()[-1] == "SessionClosed")


async def test_every_answer_waits_for_its_record(site: Site) -> None:
    client = await site.logged_in()
    site.world.recorder.slow = True
    client.send("select 1")
    await eventually(lambda: bool(site.world.recorder.pending))
    await asyncio.sleep(0.05)
    assert "select 1" not in site.server.lines
    site.world.recorder.settle()
    assert await client.read() == "= select 1"


async def test_a_resource_that_cannot_be_reached_is_named_and_its_address_is_not(make_site: MakeSite) -> None:
    site = await make_site()
    await site.server.__aexit__()
    client = await site.connect()
    assert await client.log_in() == "BYE toy-prod refused the connection"
    assert await client.at_end()
    assert site.world.meter.counts["dial failed"] == 1


async def test_a_resource_that_hangs_up_ends_the_session(site: Site) -> None:
    client = await site.logged_in()
    site.server.hang_up()
    assert await client.read() == "BYE the resource hung up"
    assert await client.at_end()
    await eventually(lambda: site.relay.connections == 0)


async def test_a_client_that_leaves_lets_go_of_the_resource(site: Site) -> None:
    client = await site.logged_in()
    client.writer.close()
    await eventually(lambda: site.server.open == 0 and site.relay.connections == 0)
    await eventually(lambda: site.recorded()[-1] == "SessionClosed")
    await eventually(lambda: site.world.gate.sessions == 0)


async def test_a_client_that_leaves_during_a_hold_withdraws_it(site: Site) -> None:
    client = await site.logged_in()
    assert (await client.ask("hold orders")).startswith("NOTICE deletes wait")
    client.abort()
    await eventually(lambda: site.world.approvals.withdrawn == [2])
    await eventually(lambda: site.relay.connections == 0)
    assert "hold orders" not in site.server.lines


async def test_a_held_statement_is_sent_after_its_approval_only(site: Site) -> None:
    client = await site.logged_in()
    await client.ask("hold orders")
    client.send("select after")
    await asyncio.sleep(0.05)
    assert site.server.lines[1:] == []
    site.world.approvals.say(2, Verdict(True, ("ana",)))
    assert [await client.read(), await client.read()] == ["= hold orders", "= select after"]


@pytest.mark.parametrize("size", [300 * 1024, 64 << 20])
async def test_data_without_end_while_held_is_bounded_and_the_clients_leaving_is_noticed(
    make_site: MakeSite, size: int
) -> None:
    site = await make_site(sizes=Limits(backlog=64 * 1024))
    client = await site.logged_in()
    await client.ask("hold orders")
    await client.pour(b"x" * 65536, size)
    assert site.kind.sessions[0].backlog(CLIENT) < 64 * 1024 + 256 * 1024 + 1
    client.reset()
    await eventually(lambda: site.relay.connections == 0)
    await eventually(lambda: site.world.approvals.withdrawn == [2])


async def test_a_resource_that_does_not_read_stops_the_client(make_site: MakeSite) -> None:
    site = await make_site(sizes=Limits(statement=1 << 26, backlog=1 << 26))
    site.server.deaf = True
    client = await site.logged_in()
    site.world.policy.rulings.clear()
    big = b"x" * (12 << 20) + b"\n"
    await client.pour(big)
    assert await unchanged(lambda: site.world.meter.counts["client bytes"]) < 16 << 20


async def unchanged(count: Callable[[], float]) -> float:
    """Return a count once it stays the same for a while."""
    async with asyncio.timeout(SOON):
        while True:
            before = count()
            await asyncio.sleep(0.2)
            if count() == before:
                return before


async def test_a_client_that_does_not_read_stops_the_resource(site: Site) -> None:
    client = await site.logged_in()
    client.transport.pause_reading()
    client.send(f"bulk {64 << 20}")
    await asyncio.sleep(0.5)
    assert site.world.meter.counts["resource bytes"] < 32 << 20


async def test_a_client_that_never_reads_is_cut_when_its_session_ends(site: Site) -> None:
    client = await site.logged_in()
    client.transport.pause_reading()
    client.send(f"bulk {64 << 20}")
    await asyncio.sleep(0.2)
    await site.relay.drain(0)
    assert site.relay.connections == 0


async def test_refusals_do_not_pile_up_for_a_client_that_does_not_read(site: Site) -> None:
    site.world.policy.rulings["delete"] = replace(DENY, reason="no " * 500)
    client = await site.logged_in()
    client.transport.pause_reading()
    await client.pour(b"delete orders\n" * 1000)
    assert await unchanged(lambda: site.world.meter.counts["client bytes"]) < 16 << 20


async def test_bulk_passes_whole_and_back_pressure_lets_go_again(site: Site) -> None:
    client = await site.logged_in()
    client.transport.pause_reading()
    client.send(f"bulk {8 << 20}")
    await asyncio.sleep(0.2)
    client.transport.resume_reading()
    async with asyncio.timeout(SOON):
        assert await client.reader.readexactly((8 << 20) + 1) == b"x" * (8 << 20) + b"\n"


async def test_a_bug_in_a_session_closes_it_and_nothing_else(site: Site) -> None:
    other = await site.logged_in()
    client = await site.logged_in()
    client.send("select before\nCRASH\nselect after")
    await client.at_end()
    await eventually(lambda: site.relay.connections == 1)
    assert "select after" not in site.server.lines
    assert await other.ask("select 1") == "= select 1"
    await eventually(lambda: site.recorded().count("SessionClosed") == 1)


async def test_containment_ends_a_session_with_a_native_message(site: Site) -> None:
    client = await site.logged_in()
    (live,) = site.world.containment.live.values()
    began = time.monotonic()
    live.end("agent shop-ci is contained by the gateway's operator")
    live.end("again")
    assert await client.read() == "BYE agent shop-ci is contained by the gateway's operator"
    assert await client.at_end()
    assert time.monotonic() - began < promised(1)


async def test_an_interrupt_reaches_its_session_alone(site: Site) -> None:
    client, other = await site.logged_in(), await site.logged_in()
    client.send("sleep")
    other.send("sleep")
    await eventually(lambda: site.server.lines.count("sleep") == 2)
    canceller = await site.connect()
    canceller.send(f"CANCEL {client.key}")
    assert await canceller.at_end()
    assert await client.read() == "= cancelled"
    assert site.server.lines.count("!") == 1


async def test_an_interrupt_with_an_unknown_or_old_handle_says_nothing(site: Site) -> None:
    client = await site.logged_in()
    client.writer.close()
    await eventually(lambda: site.relay.connections == 0)
    for handle in (client.key, "0" * 16):
        canceller = await site.connect()
        canceller.send(f"CANCEL {handle}")
        assert await canceller.at_end()
    assert "!" not in site.server.lines


async def test_policy_changes_reach_the_session(site: Site) -> None:
    client = await site.logged_in()
    site.world.gate.policy_changed()
    assert await client.read() == "RECONSIDER"


async def test_a_look_up_is_answered_by_the_companion(site: Site) -> None:
    client = await site.logged_in()
    assert await client.ask("LOOKUP what") == "str = what"


async def test_a_recording_that_fails_at_the_end_of_a_statement_ends_the_session(site: Site) -> None:
    client = await site.logged_in()
    client.send("sleep")
    await eventually(lambda: "sleep" in site.server.lines)
    site.world.recorder.failing = True
    stranger = await site.connect()
    assert "cannot be recorded" in await stranger.ask("LOGIN good"), "nobody is let in who cannot be recorded"
    site.server.hang_up()
    await client.at_end()
    await eventually(lambda: site.relay.connections == 0)


async def test_five_hundred_abrupt_disconnects_leak_nothing(make_site: MakeSite) -> None:
    site = await make_site()
    site.world.gate.set_hold(HoldTimes(60, 60))
    for batch in range(25):
        clients = [await site.connect() for _ in range(20)]
        for position, client in enumerate(clients):
            match (position + batch) % 4:
                case 1:
                    client.send("LOGIN good")
                case 2:
                    client.send("LOGIN good\nhold orders")
                case 3:
                    client.send("LOGIN good\nsleep")
        if batch % 2:
            await asyncio.sleep(0.01)
        for client in clients:
            client.abort()
    await eventually(lambda: site.recorded().count("SessionClosed") == 500)
    await eventually(lambda: site.relay.connections == 0)
    await eventually(lambda: site.server.open == 0)
    assert len(site.world.recorder.records) == 500
    assert {record.closed for record in site.world.recorder.records.values()} == {1}
    assert site.world.gate.sessions == 0
    assert site.world.meter.counts["open"] == site.world.meter.counts["held"] == 0
    assert site.world.containment.live == {}
    site.kind.sessions.clear()
    gc.collect()
    assert not [thing for thing in gc.get_objects() if type(thing).__name__ in {"Pump", "Stream"}]
