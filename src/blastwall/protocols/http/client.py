"""The client's side of a connection in HTTP/1.1: requests one after the other, answers in the same order.

A request that comes before the one ahead of it is over waits, unread. Whatever cannot be read ends the connection, for
nobody knows where the next request would begin.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from blastwall.protocols.contract import CLIENT, Answer, Close, Handover, Send
from blastwall.protocols.http.answering import Reply
from blastwall.protocols.http.arriving import Arrived, read_arrived
from blastwall.protocols.http.exchange import Exchange
from blastwall.protocols.http.faults import Unreadable
from blastwall.protocols.http.flavour import Refusal, Response
from blastwall.protocols.http.framing import Framing
from blastwall.protocols.http.heads import check_start, head_end
from blastwall.protocols.http.normalise import host_of_authority
from blastwall.protocols.http.request import Headers
from blastwall.protocols.http.talk import Talk
from blastwall.protocols.http.writing import CONTINUE, few, response_head, switching_head, whole_response


class Opens(Protocol):
    """Whoever makes exchanges of requests."""

    def open(self, reply: Reply, arrived: Arrived) -> Exchange: ...


class ClientLine:
    """Implements `Reply` for the exchange that is under way. Outputs are added to the talk's."""

    frames = True

    def __init__(self, talk: Talk, opens: Opens, reached: Callable[[str], str]) -> None:
        self._talk = talk
        self._opens = opens
        self._reached = reached
        self._data = b""
        self._at = 0
        self._more = bytearray()
        self._raw = b""
        self._host = ""
        self._exchange: Exchange | None = None
        self._last = False
        self._going = False
        self.closed = False

    @property
    def exchange(self) -> Exchange | None:
        """What is under way."""
        return self._exchange

    @property
    def backlog(self) -> int:
        """Bytes that wait."""
        return len(self._data) - self._at + len(self._more)

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return self._exchange is None and not self.backlog

    def answer(self, number: int, answer: Answer) -> None:
        """Bring the gate's answer to what is under way."""
        if self._exchange is not None:
            self._exchange.answer(number, answer)

    def interrupt(self, reason: str) -> None:
        """Stop what is under way."""
        if self._exchange is not None:
            self._exchange.stop(503, reason)

    def resume(self, exchange: Exchange, raw: bytes) -> None:
        """Take over an exchange that was begun without this; `raw` is its request."""
        self._exchange, self._raw, self._last = exchange, raw, False

    def receive(self, data: bytes) -> None:
        """Take bytes of the client's."""
        if self._at == len(self._data) and not self._more:
            self._data, self._at = data, 0
        else:
            self._more += data
        self.go_on()

    def go_on(self) -> None:
        """Do what can be done now."""
        if self._going or self.closed:
            return
        self._going = True
        try:
            while not self.closed and self._step():
                pass
        except Unreadable as fault:
            self._unreadable(fault)
        finally:
            self._going = False

    def _step(self) -> bool:
        """Take one step; return whether another may follow."""
        exchange = self._exchange
        if exchange is not None and exchange.done:
            self._exchange = None
            if self._last:
                self.close("the client's last request was answered")
            return True
        if exchange is not None and not exchange.takes:
            return False
        self._join(always=exchange is None)
        if self._at == len(self._data):
            return False
        return self._next() if exchange is None else self._feed(exchange)

    def _join(self, *, always: bool) -> None:
        """Have what waits in one piece; a body is taken in the pieces that are there."""
        if self._more and (always or self._at == len(self._data)):
            self._data, self._at = self._data[self._at :] + bytes(self._more), 0
            self._more.clear()

    def _feed(self, exchange: Exchange) -> bool:
        pieces, self._at = exchange.body.feed(self._data, self._at)
        if pieces or exchange.body.done:
            exchange.feed(pieces)
        return True

    def _next(self) -> bool:
        end = head_end(self._data, self._at)
        if not end:
            check_start(self._data[self._at : self._at + 32])
            return False
        raw = self._data[self._at : end]
        self._at = end
        self._begin(raw)
        return True

    def _begin(self, raw: bytes) -> None:
        self._raw = raw
        arrived = read_arrived(raw, self._talk.flavour.path, secure=self._talk.secure)
        request, resource = arrived.request, self._talk.resource
        host = host_of_authority(request.authority)
        self._host = host
        where = self._reached(host)
        if where and where != resource.name:
            self._hand_over(host)
            return
        self._last = arrived.last
        exchange = self._exchange = self._opens.open(self, arrived)
        if not where:
            exchange.stop(421, "this gateway has no resource by the name that the request is for")
        elif self._talk.opening.full:
            exchange.stop(503, self._talk.opening.full)
        else:
            exchange.begin()

    def _unreadable(self, fault: Unreadable) -> None:
        """Refuse what cannot be read, after which nothing can be."""
        exchange, told = self._exchange, f"the request has {fault}"
        self._last = True
        if exchange is not None and not exchange.done:
            exchange.stop(fault.status, told)
        elif not self.closed:
            refusal = Refusal(fault.status, told)
            self.respond(self._talk.flavour.refusal(None, self._talk.resource, refusal), close=True)
        self.close(f"the client sent {fault}")

    def leave(self, reason: str) -> None:
        """The client is gone, or must be."""
        if self._exchange is not None:
            self._exchange.leave(reason)
        self.close(reason)

    def terminate(self, reason: str) -> None:
        """Tell a client that waits for an answer why there will be none, and end the connection."""
        exchange, self._last = self._exchange, True
        if exchange is not None:
            exchange.stop(503, reason)
        self.close(reason)

    def close(self, reason: str) -> None:
        """End the connection."""
        if not self.closed:
            self.closed = True
            self._talk.out.append(Close(reason))

    # ── the reply ────────────────────────────────────────────────────────────────────────────────────────────────────

    def proceed(self) -> None:
        """See `Reply`."""
        self._send(CONTINUE)

    def respond(self, response: Response, *, close: bool) -> None:
        """See `Reply`."""
        self._last = self._last or close
        method = self._exchange.method if self._exchange is not None else "GET"
        self._send(whole_response(response, method, close=self._last))

    def begin(self, status: int, reason: str, headers: Headers, framing: Framing, length: int, *, raw: bytes) -> None:
        """See `Reply`."""
        as_it_is = raw and not self._last
        self._send(raw if as_it_is else response_head(status, reason, headers, framing, length, close=self._last))

    def switch(self, headers: Headers) -> None:
        """See `Reply`."""
        self._last = True
        self._send(switching_head(headers))

    def pass_on(self, pieces: list[bytes]) -> None:
        """See `Reply`."""
        for piece in few(pieces):
            self._send(piece)

    def finish(self) -> None:
        """See `Reply`."""

    def cut(self, reason: str) -> None:
        """See `Reply`: without its last chunk, or the length that was told, a body is not whole."""
        self.close(reason)

    def hand_over(self) -> None:
        """See `Reply`."""
        self._hand_over(self._host)

    def _hand_over(self, host: str) -> None:
        rest = self._data[self._at :] + bytes(self._more)
        self.closed = True
        self._talk.out.append(Handover(host, self._raw + rest))

    def _send(self, data: bytes) -> None:
        if not self.closed:
            self._talk.out.append(Send(CLIENT, data))
