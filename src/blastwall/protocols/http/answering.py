"""The resource's answer on its way to the client: its head decided once, its body passed, counted and framed.

A head from which nothing is taken and to which nothing is added passes as it came, byte for byte.
"""

from __future__ import annotations

from typing import Protocol

from blastwall.protocols.http.fields import passed_trailer, verbatim
from blastwall.protocols.http.flavour import Response
from blastwall.protocols.http.framing import Body, Framing
from blastwall.protocols.http.heads import ResponseHead
from blastwall.protocols.http.request import Headers
from blastwall.protocols.http.writing import chunk, last_chunk, phrase


class Reply(Protocol):
    """How the client of one exchange is answered."""

    @property
    def frames(self) -> bool:
        """Whether a chunked body is passed on in chunks, as the resource cut it."""

    def proceed(self) -> None:
        """Tell a client that waits with its body to send it."""

    def respond(self, response: Response, *, close: bool) -> None:
        """Send an answer of the gateway's own, whole; the connection ends after it where it must."""

    def begin(self, status: int, reason: str, headers: Headers, framing: Framing, length: int, *, raw: bytes) -> None:
        """Send the head of the resource's answer; `raw` is what may be sent for it, as it is, where it is not empty."""

    def switch(self, headers: Headers) -> None:
        """Say that the connection carries another protocol from now on."""

    def pass_on(self, pieces: list[bytes]) -> None:
        """Send a part of the body, framed."""

    def finish(self) -> None:
        """The answer is whole."""

    def cut(self, reason: str) -> None:
        """The answer cannot be brought to its end, and the client must see that."""

    def hand_over(self) -> None:
        """The request is another principal's: it goes to a session of its own."""


class Answering:
    """One answer that is passed on."""

    def __init__(self, reply: Reply, body: Body, *, framed: bool) -> None:
        """Take how the client is answered, and what is passed; `framed`: it ends in the last chunk."""
        self._reply = reply
        self._body = body
        self._framed = framed and reply.frames
        self._chunks = self._framed and body.framing is Framing.CLOSE
        self.size = 0
        """Bytes of the body so far."""

    @classmethod
    def begin(
        cls, reply: Reply, method: str, head: ResponseHead, headers: Headers, body: Body, *, same: bool
    ) -> Answering:
        """Send the head, with these fields in place of the resource's; `same`: none of them is another.

        Raises:
            ValueError: one of the fields is none that may be sent.
        """
        framing, length = body.framing, body.length
        if framing is Framing.NONE and not body.told:
            told = head.headers.get("content-length") if method == "HEAD" else ""
            length = int(told) if told else -1
        body.framed = reply.frames
        endless = framing is Framing.CLOSE
        if endless:
            framing = Framing.CHUNKED  # so that the client can tell its end from a broken connection
        raw = head.raw if not endless and head.minor == 1 and same and verbatim(head.headers, headers) else b""
        reply.begin(head.status, head.reason or phrase(head.status), headers, framing, length, raw=raw)
        return cls(reply, body, framed=framing is Framing.CHUNKED)

    @classmethod
    def opaque(cls, reply: Reply, headers: Headers, body: Body) -> Answering:
        """Send the head that says that WebSocket follows."""
        reply.switch(headers)
        return cls(reply, body, framed=False)

    def passed(self, pieces: list[bytes]) -> None:
        """Pass a part of the body on."""
        if self._body.framing is Framing.CHUNKED:
            self.size = self._body.read
        else:
            self.size += sum(map(len, pieces))
        self._reply.pass_on([chunk(piece) for piece in pieces] if self._chunks else pieces)

    def completed(self, trailer: Headers) -> None:
        """The body is whole: end it."""
        if self._framed:
            self._reply.pass_on([last_chunk(passed_trailer(trailer))])
        self._reply.finish()
