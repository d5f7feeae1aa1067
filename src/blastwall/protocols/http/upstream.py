"""One connection to the resource: requests one after the other, and their answers read strictly.

    state       what is fed                         next
    CLOSED      nothing                             `send` dials → AWAITING
    RESTING     nothing: bytes that are not owed, or the connection's end → CLOSED
    AWAITING    heads: 1xx (not passed on) → AWAITING · a final one → PASSING or RESTING · 101 → OPAQUE or a fault
    PASSING     the body; its end → RESTING, or CLOSED where the connection is not kept
    OPAQUE      bytes of another protocol, until an end

An answer that can be read in two ways, or more bytes than are owed, end the connection: a later request on it would be
given what an earlier one brought in.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol

from blastwall.model.resource import Address, TlsMode
from blastwall.protocols.contract import Dial, Hangup, Output, Send, Side, StartTls
from blastwall.protocols.http.faults import Unreadable
from blastwall.protocols.http.fields import connection_options, says_length
from blastwall.protocols.http.framing import Body, Framing, response_body
from blastwall.protocols.http.heads import ResponseHead, head_end, read_response
from blastwall.protocols.http.request import Headers
from blastwall.protocols.http.writing import few

_MOST_INFORMATIONAL = 16


class Receiver(Protocol):
    """Whoever an answer is for. What it does with it may end the connection (`Upstream.hang_up`)."""

    @property
    def method(self) -> str: ...

    @property
    def upgrading(self) -> bool:
        """Whether 101 is an answer to it."""

    def responded(self, head: ResponseHead, body: Body) -> None:
        """A final head has come, or 101."""

    def passed(self, pieces: list[bytes]) -> None:
        """A part of the body, or of the other protocol, has come."""

    def completed(self, trailer: Headers) -> None:
        """The answer is whole."""

    def lost(self, reason: str, *, late: bool) -> None:
        """There will be no answer, or no more of it; `late` where nobody answered in time."""


class _State(Enum):
    CLOSED = auto()
    RESTING = auto()
    AWAITING = auto()
    PASSING = auto()
    OPAQUE = auto()


class Upstream:
    """The connection of `side` to one of `hosts`. Outputs are added to `out`."""

    def __init__(self, side: Side, hosts: tuple[Address, ...], name: str, out: list[Output]) -> None:
        self.side = side
        self._hosts = hosts
        self._host = 0
        self._name = name
        self._out = out
        self._state = _State.CLOSED
        self._receiver: Receiver | None = None
        self._body: Body | None = None
        self._kept = True
        self._buffer = b""
        self._heads = 0
        self.used = False
        """Whether this connection has brought an answer before: it may have been closed since."""
        self.heard = False
        """Whether anything of the answer under way has come."""

    @property
    def address(self) -> Address:
        """Where it leads, or will."""
        return self._hosts[self._host]

    @property
    def resting(self) -> bool:
        """Whether it is there, and nothing is under way."""
        return self._state is _State.RESTING

    def send(self, head: bytes, receiver: Receiver) -> None:
        """Send a request's head; dial first where there is no connection."""
        if self._state is _State.CLOSED:
            self._dial()
        self._state = _State.AWAITING
        self._receiver = receiver
        self._body = None
        self._kept, self.heard, self._heads = True, False, 0
        self._out.append(Send(self.side, head))

    def _dial(self) -> None:
        address = self.address
        self.used, self._buffer = False, b""
        self._out.append(Dial(self.side, address, len(self._hosts)))
        if address.tls is not TlsMode.DISABLE:
            self._out.append(StartTls(self.side, ("http/1.1",)))

    def launch(self) -> None:
        """A request is sent whose plain answer nobody waits for, until `land`. The connection must be resting."""
        self._state, self._receiver, self._body = _State.AWAITING, None, None
        self._kept, self.heard, self._heads = True, False, 0

    def land(self, receiver: Receiver) -> None:
        """The answer to what was launched is for `receiver`."""
        self._receiver = receiver

    def plain_answer(self, method: str, data: bytes) -> tuple[ResponseHead, int] | None:
        """Return the head and the body's size of what is one whole answer, after which the connection is kept.

        None: it is anything else, and nothing was taken.
        """
        try:
            end = head_end(data)
            head = read_response(data[:end]) if end else None
            if head is None or head.status < 200 or head.minor != 1:
                return None
            body = response_body(method, head.status, head.headers, head.minor)
        except Unreadable:
            return None
        size = body.length if body.framing is Framing.LENGTH else 0
        whole = body.framing in (Framing.LENGTH, Framing.NONE) and end + size == len(data)
        if body.framing is Framing.NONE and says_length(head.status, head.headers):
            return None
        return (head, size) if whole and "close" not in connection_options(head.headers) else None

    def rest(self) -> None:
        """The plain answer was passed on."""
        self._state = _State.RESTING

    def pass_on(self, pieces: list[bytes]) -> None:
        """Send what belongs to the request's body."""
        if self._state is not _State.CLOSED:
            self._out.extend(Send(self.side, piece) for piece in few(pieces))

    def hang_up(self) -> None:
        """End the connection; whoever waited for an answer is not told."""
        if self._state is not _State.CLOSED:
            self._out.append(Hangup(self.side))
        self._state, self._receiver, self._buffer = _State.CLOSED, None, b""

    def dial_failed(self, reason: str) -> None:
        """It cannot be reached; the next one to be dialled is another host, where there is one."""
        receiver = self._receiver
        self._state, self._receiver = _State.CLOSED, None
        self._host = (self._host + 1) % len(self._hosts)
        if receiver is not None:
            receiver.lost(reason, late="did not answer within" in reason)

    def ended(self) -> None:
        """The resource has ended the connection."""
        receiver, body = self._receiver, self._body
        whole = body is not None and body.ended()
        state = self._state
        self.hang_up()
        if receiver is None:
            return
        if whole or state is _State.OPAQUE:
            receiver.completed(Headers())
        else:
            receiver.lost(f"{self._name} closed the connection before its answer was whole", late=False)

    def receive(self, data: bytes) -> None:
        """Take bytes of the resource's."""
        try:
            self._receive(data)
        except Unreadable as fault:
            receiver = self._receiver
            self.hang_up()
            if receiver is not None:
                receiver.lost(f"the answer of {self._name} cannot be passed on: it has {fault}", late=False)

    def _receive(self, data: bytes) -> None:
        self.heard = True
        if self._state is _State.AWAITING:
            data, self._buffer = self._buffer + data, b""
            self._await(data)
        elif self._state is _State.PASSING and self._body is not None:
            self._pass(self._body, data, 0)
        elif self._state is _State.OPAQUE and self._receiver is not None:
            self._receiver.passed([data])
        elif self._state is not _State.CLOSED:
            self.hang_up()  # bytes that are not owed

    def _await(self, data: bytes) -> None:
        """Read heads until a final one, and what follows it."""
        start = 0
        while (end := head_end(data, start)) and self._receiver is not None:
            head = read_response(data[start:end])
            if head.status >= 200 or head.status == 101:
                self._begin(head, self._receiver, data, end)
                return
            self._heads += 1
            if self._heads > _MOST_INFORMATIONAL:
                raise Unreadable("no end of informational answers")
            start = end
        self._buffer = data[start:]

    def _begin(self, head: ResponseHead, receiver: Receiver, data: bytes, end: int) -> None:
        if head.status == 101:
            if not receiver.upgrading:
                raise Unreadable("a change to another protocol that nobody asked for")
            self._state, self._kept, self._body = _State.OPAQUE, False, None
            receiver.responded(head, Body.opaque())
            if end < len(data) and self._receiver is receiver:
                receiver.passed([data[end:]])
            return
        body = self._body = response_body(receiver.method, head.status, head.headers, head.minor)
        self._kept = head.minor == 1 and "close" not in connection_options(head.headers)
        self._state = _State.PASSING
        receiver.responded(head, body)
        if self._receiver is receiver:
            self._pass(body, data, end)

    def _pass(self, body: Body, data: bytes, start: int) -> None:
        """Pass on what belongs to the body; what follows its end was not owed, so nobody is given it."""
        receiver = self._receiver
        pieces, end = body.feed(data, start)
        if pieces and receiver is not None:
            receiver.passed(pieces)
        if body.done and receiver is not None and self._receiver is receiver:
            self._kept = self._kept and end == len(data)
            self._complete(receiver, body)

    def _complete(self, receiver: Receiver, body: Body) -> None:
        self._receiver, self._body = None, None
        self._state = _State.RESTING
        self.used = True
        if not self._kept:
            self.hang_up()
        receiver.completed(body.trailer)
