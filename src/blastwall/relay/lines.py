"""The connections' sockets: read when they are ready, many in one turn of the loop, and written to at once.

An epoll of their own stands between them and the loop, which watches nothing but that: so a turn serves whoever is
ready by that time. All of them are read first, then what came is taken, then what that gave rise to is settled once
(one write of the recording), and what is little is sent at the end. The kernel's code for each of these steps fills a
processor's cache, so it is run for all of them at once. Where the system has no epoll the loop watches each socket by
itself.
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections import deque
from collections.abc import Callable
from time import monotonic

from blastwall.relay import calls
from blastwall.wire.native import Flag, Octets, Real, Whole

_SIZES = (4 * 1024, 16 * 1024, 64 * 1024, 256 * 1024)
"""Bytes that may be read at once. A line that has more is read again after the others."""
_FIRST = 1
"""Which of them a line begins with."""
_LONG, _SHORT = 0.01, 0.002
"""Seconds: whose bytes take longer is read in smaller pieces, whose take less may be read in larger ones. What takes
long are many small things (masked rows, or messages without content from who means to keep others waiting)."""
_GOOD = 8
"""Reads that must be short before the next are larger; twice as many after each that was long."""
_MUCH = 1024
"""Bytes below which nothing is timed, and what is written in a round waits for its end."""
_HELD = 256 * 1024
"""Bytes that are read in one go, before what came is taken."""
_ROUNDS = 4
"""So often the ready ones are served before the loop sees to its other work."""
_TURN = 0.01
"""Seconds after which no further round begins: masking what was read can take long, and the loop's other work (among it
reading who is contained) needs several turns."""
_IN, _OUT = 1, 4
"""EPOLLIN and EPOLLOUT (linux/include/uapi/linux/eventpoll.h)."""


class Receiver:
    """Whoever a line reports to; of itself it hears nothing."""

    def data_received(self, data: Octets) -> None:
        """Bytes came."""

    def eof_received(self) -> None:
        """The peer sends nothing more. Called once."""

    def connection_lost(self) -> None:
        """The line is closed. Called once, last, and never from within a call to the line."""

    def pause_writing(self) -> None:
        """More than `HIGH` bytes wait to be sent."""

    def resume_writing(self) -> None:
        """Few bytes wait now."""


HIGH = 256 * 1024
LOW = HIGH // 4
"""Bytes that may wait to be sent before the receiver hears of it, and how few there must be again."""


class Lines:
    """The lines of one loop.

    Args:
        settle: called after each round of reading; what those who were read left to be done together.
        catch_up: called between reading and taking what was read: what came by another way before that, comes first.
    """

    def __init__(self, settle: Callable[[], None] | None = None, catch_up: Callable[[], None] | None = None) -> None:
        self._settle = settle
        self._catch_up = catch_up
        self._loop: asyncio.AbstractEventLoop | None = None
        self._epoll: select.epoll | None = None
        self._by_number: list[Line | None] = []
        self._watched: Whole = 0
        self._number: Whole = -1
        self._heard: list[Line] = []
        """Those whose bytes are to be taken."""
        self._little: list[Line] = []
        """Those who have something that waits for the round's end."""
        self.gathers: Flag = False
        """Whether what is written may wait, since a round is under way."""
        self._events = bytearray(calls.EVENTS)
        self.rooms: list[bytearray] = [bytearray(size) for size in _SIZES]
        self.now: Real = 0.0
        """When the round of reading under way began, by the steady clock that the loop goes by, too."""

    def watch(self, line: Line, before: Whole, mask: Whole) -> None:
        """Have `line` served when it is ready for any of `mask`; before it was `before`."""
        number = line.number
        if not before:
            self._begin()
            self._by_number += [None] * (number + 1 - len(self._by_number))
            self._by_number[number] = line
            self._watched += 1
        epoll = self._epoll
        if epoll is None:
            self._watch_alone(line, before, mask)
        elif not before:
            epoll.register(number, mask)
        elif mask:
            epoll.modify(number, mask)
        else:
            epoll.unregister(number)
        if not mask:
            self._by_number[number] = None
            self._watched -= 1
            if not self._watched:
                self._end()

    def _watch_alone(self, line: Line, before: int, mask: int) -> None:
        loop = line.loop
        for bit, add, remove in (
            (_IN, loop.add_reader, loop.remove_reader),
            (_OUT, loop.add_writer, loop.remove_writer),
        ):
            if mask & bit and not before & bit:
                add(line.number, self._serve_one, line, bit)
            elif before & bit and not mask & bit:
                remove(line.number)

    def _serve_one(self, line: Line, bit: int) -> None:
        self.now = monotonic()
        if line.hear(bit):
            self._heard.append(line)
            self._take_all()
        self.settle_round()

    def settle_round(self) -> None:
        """What those who were read left to be done together."""
        if self._settle is not None:
            self._settle()

    def _begin(self) -> None:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            if hasattr(select, "epoll"):
                self._epoll = select.epoll()
                self._number = self._epoll.fileno()
                self._loop.add_reader(self._number, self._serve)

    def _end(self) -> None:
        """Nothing is watched any more."""
        if self._epoll is not None and self._loop is not None:
            self._loop.remove_reader(self._number)
            self._epoll.close()
        self._epoll = self._loop = None

    def _serve(self) -> None:
        """Serve whoever is ready, and whoever became ready meanwhile, for a few rounds."""
        self.now = monotonic()
        until: Real = self.now + _TURN
        for _ in range(_ROUNDS):
            if not self._round():
                return
            self.now = monotonic()
            if self.now > until:
                return

    def _round(self) -> Flag:
        """Serve whoever is ready now, and settle; False where nobody is."""
        epoll = self._epoll
        if epoll is None:
            return False
        count: Whole = calls.ready(epoll, self._number, self._events)
        if not count and not self._heard:
            return False
        place: Whole = 0
        self.gathers = True
        try:
            while place < count or self._heard:
                place = self._read_some(place, count)
                self._take_all()
            self.settle_round()
        finally:
            self.gathers = False
            self.send_little()
            if self._heard and self._loop is not None:  # a fault broke off
                self._loop.call_soon(self._serve)
        return True

    def _read_some(self, place: Whole, count: Whole) -> Whole:
        """Read those who are ready, from the one at `place` on; return whose turn is next."""
        held: Whole = 0
        known: Whole = len(self._by_number)
        while place < count and held < _HELD:
            number: Whole = calls.number_of(self._events, place)
            line: Line | None = self._by_number[number] if 0 <= number < known else None
            if line is not None and line.hear(calls.mask_of(self._events, place)):
                held += line.held()
                self._heard.append(line)
            place += 1
        return place

    def _take_all(self) -> None:
        """Have everybody's bytes taken who was read. Whoever is left after a fault comes in the next round."""
        done: Whole = 0
        if self._catch_up is not None:
            self._catch_up()
        try:
            for one in self._heard:
                line: Line = one
                done += 1
                line.take()
        finally:
            del self._heard[:done]

    def wait_little(self, line: Line) -> None:
        """Have `line` asked to send what it keeps when the round ends."""
        self._little.append(line)

    def send_little(self) -> None:
        """Send what waits for the round's end."""
        for one in self._little:
            line: Line = one
            line.send_little()
        self._little.clear()


class Line:
    """One connection's socket, which it owns. `receiver` hears what comes from `start` on.

    What is written leaves at once; what the peer does not take yet waits here, and the receiver is told to stop.
    """

    def __init__(self, lines: Lines, sock: socket.socket) -> None:
        self.socket = sock
        self.number: Whole = sock.fileno()
        self.loop = asyncio.get_running_loop()
        self._lines = lines
        self._receiver: Receiver | None = None
        self._mask: Whole = 0
        self._reading: Flag = False
        self._ended: Flag = False
        self._closing: Flag = False
        self._lost: Flag = False
        self._waiting: deque[bytes] = deque()
        self._size: Whole = 0
        self._sent: Whole = 0
        """How much of the first that waits is sent."""
        self._came: Octets | None = None
        """What was read and is not yet taken; empty at the peer's end."""
        self._little: Octets | None = None
        """What is sent when the round ends."""
        self._size_read: Whole = _FIRST
        self._short: Whole = 0
        self._wanted: Whole = _GOOD
        self._full: Flag = False

    def start(self, receiver: Receiver) -> None:
        """Read, and report."""
        self._receiver = receiver
        self.resume_reading()

    @property
    def closing(self) -> bool:
        """Whether it is closed, or will be once what waits is sent."""
        return self._closing

    def hear(self, ready: Whole) -> Flag:
        """Do what the socket is ready for; whether anything came that is to be taken."""
        if ready & _OUT:
            self._send_waiting()
        if ready & ~_OUT and self._reading:
            if self._came is None:
                self._receive()
            return self._came is not None
        if ready & ~(_OUT | _IN) and self._size:
            self._send_waiting()  # an error or the peer's end: sending tells
        return False

    # ── from the peer ────────────────────────────────────────────────────────────────────────────────────────────────

    def _receive(self) -> None:
        try:
            self._came = calls.received(self.socket, self.number, self._lines.rooms[self._size_read])
        except OSError:
            self.abort()

    def held(self) -> Whole:
        """Bytes that were read and are not yet taken."""
        return 0 if self._came is None else len(self._came)

    def take(self) -> None:
        """Report what was read, or keep it where reading was paused meanwhile."""
        receiver: Receiver | None = self._receiver
        data: Octets | None = self._came
        if receiver is None or data is None or not self._reading:
            return
        self._came = None
        if not len(data):
            self._ended = True
            self.pause_reading()
            receiver.eof_received()
        elif len(data) < _MUCH:
            receiver.data_received(data)
        else:
            self._lines.send_little()  # it may take long
            self._report_much(receiver, data)

    def _take_kept(self) -> None:
        """Reading goes on: report what was read before it was paused, unless that has happened."""
        if self._came is not None and self._reading:
            self.take()
            self._lines.settle_round()

    def _report_much(self, receiver: Receiver, data: bytes) -> None:
        """Report, and go by how long that takes in how much is read the next time."""
        began: Real = monotonic()
        receiver.data_received(data)
        took: Real = monotonic() - began
        if took > _LONG:
            self._short = 0
            self._wanted *= 2
            self._size_read = max(0, self._size_read - 1)
        elif took < _SHORT and len(data) == _SIZES[self._size_read] and self._size_read < len(_SIZES) - 1:
            self._short += 1
            if self._short >= self._wanted:
                self._short = 0
                self._size_read += 1

    def pause_reading(self) -> None:
        """Read nothing until `resume_reading`."""
        self._reading = False
        self._watch()

    def resume_reading(self) -> None:
        """Go on reading, unless the peer has said that nothing more comes."""
        if not self._ended and not self._closing:
            self._reading = True
            self._watch()
            if self._came is not None:
                self.loop.call_soon(self._take_kept)

    def _watch(self) -> None:
        mask = 0 if self._lost else (_IN if self._reading else 0) | (_OUT if self._waiting else 0)
        if mask != self._mask:
            before, self._mask = self._mask, mask
            self._lines.watch(self, before, mask)

    # ── to the peer ──────────────────────────────────────────────────────────────────────────────────────────────────

    def write(self, data: Octets) -> None:
        """Send now, or where it is little and a round is under way, when that ends; the rest as soon as it can be."""
        if self._closing:
            return
        self.send_little()
        if self._size:
            self._wait(data)
        elif self._lines.gathers and len(data) < _MUCH:
            self._little = data
            self._lines.wait_little(self)
        else:
            self._send(data)

    def send_little(self) -> None:
        """Send what waits for the round's end."""
        data: Octets | None = self._little
        if data is not None:
            self._little = None
            self._send(data)

    def _send(self, data: Octets) -> None:
        try:
            sent: Whole = calls.sent(self.socket, self.number, data, 0)
        except OSError:
            self.abort()
            return
        if sent < len(data):
            self._sent = sent
            self._wait(data)

    def _wait(self, rest: bytes) -> None:
        self._waiting.append(rest)
        self._size += len(rest) - (self._sent if len(self._waiting) == 1 else 0)
        self._watch()
        if self._size > HIGH and not self._full and self._receiver is not None:
            self._full = True
            self._receiver.pause_writing()

    def _send_waiting(self) -> None:
        waiting = self._waiting
        try:
            while waiting:
                rest = waiting[0]
                sent: Whole = calls.sent(self.socket, self.number, rest, self._sent)
                self._size -= sent
                self._sent += sent
                if self._sent < len(rest):
                    break
                waiting.popleft()
                self._sent = 0
        except OSError:
            self.abort()
            return
        if not waiting and self._closing:
            self.abort()
            return
        self._watch()
        if self._full and self._size <= LOW and self._receiver is not None:
            self._full = False
            self._receiver.resume_writing()

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def close(self) -> None:
        """Read nothing more, send what waits, and close."""
        self.send_little()
        if self._closing:
            return
        self._closing = True
        self.pause_reading()
        if not self._waiting:
            self.abort()

    def abort(self) -> None:
        """Close without sending what the peer has not taken; what only waits for its round's end is sent."""
        self.send_little()
        if self._lost:
            return
        self._closing = self._lost = True
        self._reading = False
        self._came = None
        self._waiting.clear()
        self._size = 0
        self._watch()
        self.loop.call_soon(self._report_lost)

    def _report_lost(self) -> None:
        self.socket.close()
        if self._receiver is not None:
            self._receiver.connection_lost()
