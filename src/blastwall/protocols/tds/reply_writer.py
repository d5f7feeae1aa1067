"""The packets of a reply: taken apart as they come, and passed as they came as long as nothing in them is changed.

    upstream's packets ──▶ payload ──▶ tokens, each of which is kept or replaced
    raw:    nothing was changed yet: each packet passes whole, once all that is in it was kept
    framed: from the first change on: what is kept and what replaces it goes into packets of our own, filled up to the
            size agreed on; where the server sent less than a whole packet without ending the reply (it does so for a
            message that must be read at once), so do we

How the bytes were cut on their way changes nothing. Source: MS-TDS 2.2.3 "Packets".
"""

from __future__ import annotations

from collections import deque

from blastwall.protocols.tds.packets import EOM, HEADER, LARGEST, Kind, header
from blastwall.wire.native import Flag, Whole
from blastwall.wire.reader import Malformed

_REPLY = int(Kind.REPLY)
_KNOWN = EOM | 0x0E
"""Status bits: the end, and those that a server has no use for and drivers overlook."""


class ReplyWriter:
    """One reply after the other. `size` is the size of packets in bytes that was agreed on.

    Offsets count the payload of the reply from its beginning: `decided` is how much of it was kept or replaced.
    `ended` and `flushed` say of the packet that was taken last whether it ends the reply, or is a flush in between.
    """

    def __init__(self, size: int) -> None:
        self.size: Whole = size
        self._buffer: bytes = b""
        self._parts: list[bytes] = []
        self._held: Whole = 0
        self._wanted: Whole = 0
        self._taken: Whole = 0
        self._sent: Whole = 0
        self._passed: Whole = 0
        self._ends: deque[tuple[int, int]] = deque()
        self._payload: Whole = 0
        self._decided: Whole = 0
        self._before: Whole = 0
        self._framed: bytearray | None = None
        self._number: Whole = 1
        self._spid: Whole = 0
        self.ended: Flag = False
        self.flushed: Flag = False
        self.ready: list[bytes] = []

    @property
    def quiet(self) -> bool:
        """Whether no reply is half read."""
        return not self._buffer and not self._held and self._payload == 0

    @property
    def buffered(self) -> int:
        """Bytes that wait: of packets that are not whole, or in which something is not decided."""
        return len(self._buffer) - self._sent + self._held

    # ── what comes ───────────────────────────────────────────────────────────────────────────────────────────────────

    def feed(self, data: bytes) -> bool:
        """Take what arrived; false where no packet can be whole yet."""
        if self._wanted:
            # Joined once it is whole: joining a large packet anew for each part would take quadratic time.
            self._parts.append(data)
            self._held += len(data)
            if self._held < self._wanted:
                return False
            data, self._parts, self._held, self._wanted = b"".join(self._parts), [], 0, 0
        sent = self._sent
        self._buffer = self._buffer[sent:] + data if sent < len(self._buffer) else data
        self._taken -= sent
        self._passed = 0
        if sent:
            self._ends = deque([(end - sent, offset) for end, offset in self._ends])
        self._sent = 0
        return True

    def take(self) -> bytes:
        """Return the payload of the packets that are there, up to the first that ends the reply or is a flush.

        Raises:
            Malformed: what comes is no reply.
        """
        buffer, size = self._buffer, len(self._buffer)
        parts: list[bytes] = []
        self.ended = self.flushed = False
        at: Whole = self._taken
        while size - at >= HEADER and not (self.ended or self.flushed):
            status, length = buffer[at + 1], buffer[at + 2] << 8 | buffer[at + 3]
            if buffer[at] != _REPLY or status & ~_KNOWN:
                raise Malformed(f"a packet of type {buffer[at]} and status {status:#x} from the server")
            if not HEADER < length <= LARGEST and not (length == HEADER and status & EOM):
                raise Malformed(f"a packet of {length} bytes from the server")
            if at + length > size:
                self._wanted = at + length - size
                break
            parts.append(buffer[at + HEADER : at + length])
            at += length
            self._payload += length - HEADER
            self._ends.append((at, self._payload))
            self.ended = bool(status & EOM)
            self.flushed = not self.ended and length < self.size
        self._taken = at
        return parts[0] if len(parts) == 1 else b"".join(parts)

    # ── what becomes of it ───────────────────────────────────────────────────────────────────────────────────────────

    def keep(self, buffer: bytes, start: int, stop: int) -> None:
        """The next bytes of the payload, which are these, pass as they are."""
        self._decided += stop - start
        if self._framed is None:
            self._pass()
        else:
            self._framed += buffer[start:stop]
            self._fill()
            self._forget()

    def put(self, instead: bytes, size: int) -> None:
        """So many of the next bytes of the payload are replaced."""
        if self._framed is None:
            self._begin_framing()
        self._decided += size
        framed = self._framed
        if framed is not None:
            framed += instead
            self._fill()
        self._forget()

    def flush(self) -> None:
        """The server has flushed what it had: so is what we have."""
        if self._framed:
            self._frame(self._framed, 0)
            self._framed = bytearray()
        self._emit()

    def end(self) -> None:
        """The reply ends: all of its payload was decided on."""
        if self._framed is not None:
            self._frame(self._framed, EOM)
            self._framed = None
            self._sent = self._taken
        else:
            self._pass()
        self._emit()
        self._ends.clear()
        self._payload = self._decided = self._before = 0

    def _pass(self) -> None:
        """Packets of which all is decided pass; they are sent as one with those around them."""
        ends = self._ends
        while ends and ends[0][1] <= self._decided:
            self._passed, self._before = ends.popleft()

    def _emit(self) -> None:
        """What has passed is ready to be sent."""
        if self._passed > self._sent:
            self.ready.append(self._buffer[self._sent : self._passed])
            self._sent = self._passed

    def _begin_framing(self) -> None:
        """What was kept of a packet that is changed now goes into one of our own."""
        self._pass()
        self._emit()
        at = self._sent
        start = at + HEADER
        buffer = self._buffer
        if self._ends:
            self._spid = buffer[at + 4] << 8 | buffer[at + 5]
            self._number = buffer[at + 6]
        self._framed = bytearray(buffer[start : start + self._decided - self._before])

    def _forget(self) -> None:
        """The server's packets are not needed any more once their payload was decided on."""
        ends = self._ends
        while ends and ends[0][1] <= self._decided:
            self._sent, self._before = ends.popleft()

    def _fill(self) -> None:
        """Frame whole packets; the last is kept, since it might end the reply."""
        framed, room = self._framed, self.size - HEADER
        if framed is None or len(framed) <= room:
            return
        at: Whole = 0
        while len(framed) - at > room:
            self._frame(framed[at : at + room], 0)
            at += room
        del framed[:at]

    def _frame(self, payload: bytearray, status: int) -> None:
        self.ready.append(header(_REPLY, status, HEADER + len(payload), self._spid, self._number) + payload)
        self._number = self._number + 1 & 0xFF

    def outputs(self) -> list[bytes]:
        """What is ready for the client now."""
        self._emit()
        ready, self.ready = self.ready, []
        return ready
