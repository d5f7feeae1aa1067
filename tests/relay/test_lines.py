"""Lines: sockets served many at a time, and what waits for a peer that does not take it."""

from __future__ import annotations

import asyncio
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from tests.relay.toy import eventually

from blastwall.relay.lines import HIGH, Line, Lines, Receiver


class Heard(Receiver):
    """A receiver that remembers. `then` is called with what comes."""

    def __init__(self, line: Line, then: Callable[[bytes], None] | None = None) -> None:
        self.line = line
        self.then = then
        self.data = bytearray()
        self.calls: list[str] = []
        line.start(self)

    def data_received(self, data: bytes) -> None:
        self.data += data
        if self.then is not None:
            self.then(data)

    def eof_received(self) -> None:
        self.calls.append("end")

    def connection_lost(self) -> None:
        self.calls.append("lost")

    def pause_writing(self) -> None:
        self.calls.append("full")

    def resume_writing(self) -> None:
        self.calls.append("room")


@pytest.fixture(params=["epoll", "the loop"])
def lines(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Lines:
    """With an epoll, and as on systems that have none."""
    if request.param == "the loop":
        monkeypatch.delattr(select, "epoll")
    return Lines()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connected pair: ours, which a line takes over, and the peer's."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as peer:
        ours, _ = server.accept()
        ours.setblocking(False)
        peer.setblocking(False)
        with closing(ours):
            yield ours, peer


async def read(peer: socket.socket, size: int) -> bytes:
    data = b""
    async with asyncio.timeout(60):
        while len(data) < size and (chunk := await asyncio.get_running_loop().sock_recv(peer, 1 << 20)):
            data += chunk
    return data


async def test_what_comes_is_reported_and_what_is_written_arrives(
    lines: Lines, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, peer = pair
    line = Line(lines, ours)
    heard = Heard(line, line.write)
    peer.send(b"hello")
    assert await read(peer, 5) == b"hello"
    heard.line.abort()
    await eventually(lambda: heard.calls == ["lost"])


async def test_what_a_peer_does_not_take_waits_in_order_and_the_receiver_hears_of_it(
    lines: Lines, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, peer = pair
    heard = Heard(Line(lines, ours))
    sent = b"".join(struct.pack(">I", number) for number in range(1 << 21))
    for at in range(0, len(sent), 100_000):
        heard.line.write(sent[at : at + 100_000])
    assert heard.calls == ["full"]
    assert await read(peer, len(sent)) == sent
    await eventually(lambda: heard.calls == ["full", "room"])


async def test_closing_sends_what_waits_first(lines: Lines, pair: tuple[socket.socket, socket.socket]) -> None:
    ours, peer = pair
    heard = Heard(Line(lines, ours))
    sent = b"x" * (8 << 20)
    heard.line.write(sent)
    heard.line.close()
    heard.line.write(b"after the close")
    assert heard.line.closing
    assert await read(peer, len(sent) + 1) == sent
    await eventually(lambda: heard.calls == ["full", "lost"])


async def test_aborting_throws_away_what_waits(lines: Lines, pair: tuple[socket.socket, socket.socket]) -> None:
    ours, peer = pair
    heard = Heard(Line(lines, ours))
    heard.line.write(b"x" * (64 << 20))
    heard.line.abort()
    assert "lost" not in heard.calls, "never from within a call"
    assert len(await read(peer, 64 << 20)) < 64 << 20
    await eventually(lambda: heard.calls[-1] == "lost")


async def test_a_paused_line_reads_nothing_and_goes_on_where_it_stopped(
    lines: Lines, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, peer = pair
    heard = Heard(Line(lines, ours))
    heard.line.pause_reading()
    peer.send(b"one")
    await asyncio.sleep(0.05)
    assert not heard.data
    heard.line.resume_reading()
    await eventually(lambda: heard.data == b"one")


async def test_the_peers_end_is_told_once_and_the_other_direction_stays_open(
    lines: Lines, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, peer = pair
    heard = Heard(Line(lines, ours))
    peer.send(b"last words")
    peer.shutdown(socket.SHUT_WR)
    await eventually(lambda: heard.calls == ["end"])
    assert heard.data == b"last words"
    heard.line.resume_reading()
    heard.line.write(b"answer")
    assert await read(peer, 6) == b"answer"
    assert heard.calls == ["end"]


async def test_last_words_leave_before_an_abort_in_the_same_round(
    lines: Lines, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, peer = pair
    heard = Heard(Line(lines, ours))

    def end(_data: bytes) -> None:
        heard.line.write(b"goodbye")
        heard.line.abort()

    heard.then = end
    peer.send(b"go")
    assert await read(peer, 8) == b"goodbye"
    await eventually(lambda: heard.calls == ["lost"])


@pytest.mark.parametrize("waiting", [0, 8 << 20])
async def test_a_reset_is_a_loss_whether_something_waits_or_not(
    lines: Lines, pair: tuple[socket.socket, socket.socket], waiting: int
) -> None:
    ours, peer = pair
    heard = Heard(Line(lines, ours))
    heard.line.write(b"x" * waiting)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    await eventually(lambda: heard.calls[-1:] == ["lost"])
    heard.line.write(b"nobody is there")
    await asyncio.sleep(0.01)
    assert heard.calls.count("lost") == 1


async def test_a_busy_line_keeps_neither_others_nor_the_loop_from_their_turn(
    lines: Lines, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, peer = pair
    busy = Heard(Line(lines, ours))
    near, far = socket.socketpair()
    near.setblocking(False)
    other = Heard(Line(lines, near))
    turns = 0

    def pour() -> None:
        nonlocal turns
        turns += 1
        try:
            while True:
                peer.send(b"x" * HIGH)
        except BlockingIOError:
            if not other.data:
                asyncio.get_running_loop().call_soon(pour)

    pour()
    far.send(b"me too")
    await eventually(lambda: other.data == b"me too")
    assert turns > 1
    assert busy.data
    far.close()
    await eventually(lambda: other.calls == ["end"])
    other.line.abort()
    busy.line.abort()
    await eventually(lambda: other.calls == ["end", "lost"])


async def test_what_was_read_together_is_settled_together_and_what_came_before_it_first(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    order: list[str] = []
    lines = Lines(lambda: order.append("settled"), lambda: order.append("caught up"))
    pairs = [socket.socketpair() for _ in range(3)]
    heard = []
    for near, far in pairs:
        near.setblocking(False)
        one = Heard(Line(lines, near), lambda data: order.append(data.decode()))
        heard.append(one)
        far.send(b"read")
    await eventually(lambda: len(order) >= 5)
    assert order == ["caught up", "read", "read", "read", "settled"]
    for one in heard:
        one.line.abort()
    for _, far in pairs:
        far.close()
    await eventually(lambda: all(one.calls[-1:] == ["lost"] for one in heard))


@pytest.fixture
def three() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    """Connected pairs, ours first; all are ready in the same round where their peers have sent before it."""
    pairs = [socket.socketpair() for _ in range(3)]
    for near, far in pairs:
        near.setblocking(False)
        far.setblocking(False)
    yield pairs
    for near, far in pairs:
        near.close()
        far.close()


def stopped_by_the_first(lines: Lines, pairs: list[tuple[socket.socket, socket.socket]], sent: bytes) -> list[Heard]:
    """Let `sent` come on each line; whoever hears it first stops all of them."""
    heard: list[Heard] = []

    def stop(_data: bytes) -> None:
        for one in heard:
            one.line.pause_reading()

    for near, far in pairs:
        heard.append(Heard(Line(lines, near), stop))
        far.send(sent)
    return heard


async def test_what_was_read_before_its_line_was_paused_waits_until_it_goes_on(
    lines: Lines, three: list[tuple[socket.socket, socket.socket]]
) -> None:
    """One session has two lines: what came from one may stop the other, which was read in the same round."""
    heard = stopped_by_the_first(lines, three, b"first ")
    await eventually(lambda: any(one.data for one in heard))
    for _ in range(5):
        await asyncio.sleep(0.01)
    assert sorted(bytes(one.data) for one in heard) == [b"", b"", b"first "]
    for one, (_, far) in zip(heard, three, strict=True):
        one.then = None
        far.send(b"second")
        one.line.resume_reading()
    await eventually(lambda: all(one.data == b"first second" for one in heard))


async def test_who_ends_while_paused_is_told_of_it_afterwards(
    lines: Lines, three: list[tuple[socket.socket, socket.socket]]
) -> None:
    heard = stopped_by_the_first(lines, three, b"words")
    three[2][1].shutdown(socket.SHUT_WR)
    await eventually(lambda: any(one.data for one in heard))
    await asyncio.sleep(0.05)
    for one in heard:
        one.then = None
        one.line.resume_reading()
    await eventually(lambda: all(one.data == b"words" for one in heard) and heard[2].calls == ["end"])
    assert [one.calls for one in heard[:2]] == [[], []]


async def test_an_aborted_line_reports_nothing_that_was_read(
    lines: Lines, three: list[tuple[socket.socket, socket.socket]]
) -> None:
    heard: list[Heard] = []

    def end(_data: bytes) -> None:
        for one in heard:
            one.line.abort()

    for near, far in three:
        heard.append(Heard(Line(lines, near), end))
        far.send(b"words")
    await eventually(lambda: all(one.calls == ["lost"] for one in heard))
    assert sorted(bytes(one.data) for one in heard) == [b"", b"", b"words"]


async def test_a_fault_of_one_receiver_keeps_nothing_from_the_others(
    lines: Lines, three: list[tuple[socket.socket, socket.socket]]
) -> None:
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reported.append(context["exception"]))
    fault = ZeroDivisionError("a fault")

    def fail(_data: bytes) -> None:
        raise fault

    heard = [Heard(Line(lines, near), fail) for near, _ in three]
    for one in heard[1:]:
        one.then = one.line.write
    for _, far in three:
        far.send(b"words")
    await eventually(lambda: all(one.data == b"words" for one in heard))
    assert [await read(far, 5) for _, far in three[1:]] == [b"words", b"words"]
    assert reported == [fault]


async def test_what_is_little_is_sent_once_all_is_settled_and_in_its_order(
    three: list[tuple[socket.socket, socket.socket]],
) -> None:
    large = b"x" * 5000
    arrived: list[bytes] = []

    def look() -> None:
        for _, far in three:
            try:
                arrived.append(far.recv(1 << 20, socket.MSG_PEEK))
            except BlockingIOError:
                arrived.append(b"")

    lines = Lines(look)
    heard = [Heard(Line(lines, near)) for near, _ in three]

    def little_then_large(_data: bytes) -> None:
        heard[1].line.write(b"little")
        heard[1].line.write(large)
        heard[1].line.write(b"last")

    def little_and_close(_data: bytes) -> None:
        heard[2].line.write(b"goodbye")
        heard[2].line.close()

    heard[0].then = lambda _data: heard[0].line.write(b"little")
    heard[1].then, heard[2].then = little_then_large, little_and_close
    for _, far in three:
        far.send(b"go")
    wanted = [b"little", b"little" + large + b"last", b"goodbye"]
    assert [await read(far, len(one)) for (_, far), one in zip(three, wanted, strict=True)] == wanted
    assert arrived[:3] == [b"", b"little" + large, b"goodbye"], "a large one does not wait, nor what is before it"
    assert await read(three[2][1], 1) == b"", "it was closed behind its last words"


async def test_whose_bytes_take_long_is_read_in_smaller_pieces_and_whose_do_not_in_larger_ones(
    lines: Lines, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, peer = pair
    sizes: list[int] = []
    slow = False

    def take(data: bytes) -> None:
        sizes.append(len(data))
        if slow:
            time.sleep(0.02)

    heard = Heard(Line(lines, ours), take)
    sending = asyncio.create_task(_pour(peer))
    await eventually(lambda: max(sizes, default=0) == 256 * 1024)
    assert sizes[0] <= 16 * 1024
    slow = True
    before = len(sizes)
    await eventually(lambda: len(sizes) >= before + 6)
    assert sizes[before + 5] <= 4 * 1024
    sending.cancel()
    heard.line.abort()


async def _pour(peer: socket.socket) -> None:
    """Keep the peer's buffer full."""
    while True:
        await asyncio.get_running_loop().sock_sendall(peer, bytes(1 << 20))
