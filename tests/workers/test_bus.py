"""Messages between workers: whole, in order, bounded, and never in anybody's way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import pytest
from tests.waiting import until

from blastwall.workers import Bus, Mail
from blastwall.workers.mail import LONGEST, PACKET, Assembly, Kind, Message, TooLong, packets


def message(payload: bytes, sender: int = 1, number: int = 1) -> Message:
    return Message(Kind.TELL, sender, number, "topic", payload)


@pytest.mark.parametrize("size", [0, 1, PACKET - 1, PACKET, PACKET + 1, 5 * PACKET, LONGEST])
def test_a_message_comes_out_as_it_went_in(size: int) -> None:
    sent = message(bytes(range(256)) * (size // 256) + b"x" * (size % 256))
    assembly, found = Assembly(), []
    for packet in packets(sent):
        assert len(packet) <= PACKET + 300
        found.append(assembly.take(packet))
    assert found[:-1] == [None] * (len(found) - 1)
    assert found[-1] == sent


def test_messages_of_several_senders_may_interleave() -> None:
    assembly = Assembly()
    first, second = list(packets(message(b"a" * 2 * PACKET, 1))), list(packets(message(b"b" * 2 * PACKET, 2)))
    taken = [assembly.take(packet) for pair in zip(first, second, strict=True) for packet in pair]
    assert [one.payload[:1] for one in taken if one is not None] == [b"a", b"b"]


def test_what_a_crashed_sender_left_unfinished_is_dropped() -> None:
    assembly = Assembly()
    assembly.take(next(packets(message(b"x" * 3 * PACKET))))
    (whole,) = packets(message(b"new"))
    assert assembly.take(whole) == message(b"new")
    _, second, _ = packets(message(b"x" * 3 * PACKET))
    assert assembly.take(second) is None


def test_a_message_that_is_too_long_is_refused() -> None:
    with pytest.raises(TooLong, match="the limit is"):
        next(packets(message(b"x" * (LONGEST + 1))))


@pytest.fixture
async def buses() -> AsyncIterator[list[Bus]]:
    mail = Mail(3)
    made = [Bus(mail, number) for number in (1, 2, 3)]
    for bus in made:
        bus.start()
    yield made
    for bus in made:
        bus.stop()
    mail.close()


async def test_what_was_said_by_now_can_be_taken_before_the_loop_turns(buses: list[Bus]) -> None:
    first, second, third = buses
    heard: list[bytes] = []
    second.on("cancel", heard.append)
    first.tell("cancel", b"one")
    third.tell("cancel", b"two")
    assert heard == []
    second.catch_up()
    assert heard == [b"one", b"two"]
    second.catch_up()
    second.stop()
    first.tell("cancel", b"three")
    second.catch_up()
    assert heard == [b"one", b"two"]


async def test_all_others_are_told_and_not_the_teller(buses: list[Bus]) -> None:
    told: list[tuple[int, bytes]] = []

    def hears(number: int, payload: bytes) -> None:
        told.append((number, payload))

    for bus in buses:
        bus.on("news", partial(hears, bus.number))
    buses[1].tell("news", b"hello")
    buses[0].tell("news", b"you", to=3)
    await until(lambda: len(told) >= 3, "all are told")
    assert sorted(told) == [(1, b"hello"), (3, b"hello"), (3, b"you")]


async def test_replies_come_by_number_and_the_silent_are_left_out(buses: list[Bus]) -> None:
    buses[1].answer("size", lambda question: question * 2)
    assert await buses[0].ask("size", b"ab", seconds=1.0) == {2: b"abab"}
    buses[2].answer("size", lambda question: b"y" * (3 * PACKET))
    assert await buses[0].ask("size", b"ab") == {2: b"abab", 3: b"y" * (3 * PACKET)}


def failing(payload: bytes) -> None:
    raise ValueError(payload)


async def test_a_handler_that_fails_keeps_nobody_from_being_heard(buses: list[Bus]) -> None:
    told: list[bytes] = []
    buses[1].on("bad", failing)
    buses[1].on("good", told.append)
    buses[0].tell("bad", b"no number")
    buses[0].tell("good", b"heard")
    await until(lambda: told, "the good one is told")
    assert told == [b"heard"]


async def test_who_does_not_read_costs_no_more_than_a_bound_and_hears_again_later(buses: list[Bus]) -> None:
    told: list[bytes] = []
    buses[1].on("flood", told.append)
    buses[1].stop()
    for _ in range(4000):
        buses[0].tell("flood", b"x" * 1000, to=2)
    assert sum(map(len, buses[0]._waiting.values())) <= 1024
    buses[1].start()
    await until(lambda: not buses[0]._waiting, "it takes what waited for it")
    told.clear()
    buses[0].tell("flood", b"after", to=2)
    await until(lambda: told[-1:] == [b"after"], "it hears again")
