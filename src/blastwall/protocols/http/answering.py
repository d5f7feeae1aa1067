"""The resource's answer on its way to the client: its head decided once, its body passed, masked and counted.

A head from which nothing is taken and to which nothing is added passes as it came, byte for byte. Where the body is
read (masks, links, the recording) the head waits for the first of it: what cannot be read is refused with a status, and
a short answer still has its length.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from blastwall.masking.documents import Unreadable
from blastwall.model.masks import NO_MASKS, MaskRules, ResultRecord
from blastwall.protocols.http.bodies.filter import BodyFilter, Edits, body_filter
from blastwall.protocols.http.bodies.heads import without_body
from blastwall.protocols.http.fields import passed_trailer, says_length, verbatim
from blastwall.protocols.http.flavour import Response
from blastwall.protocols.http.framing import Body, Framing
from blastwall.protocols.http.heads import ResponseHead
from blastwall.protocols.http.request import Headers
from blastwall.protocols.http.writing import chunk, last_chunk, phrase

__all__ = ("Answering", "Reading", "Reply", "Unreadable")

_WITH_LENGTH = 64 * 1024
"""A body that was read and is no longer than this is sent with its length."""


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


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer's body is read for: masks, links, the recording. `reveals`: it hands out a credential."""

    rules: MaskRules = NO_MASKS
    edits: Edits = field(default_factory=dict)
    record: ResultRecord | None = None
    reveals: bool = False

    def __bool__(self) -> bool:
        return bool(self.rules or self.edits) or self.record is not None


class Answering:
    """One answer that is passed on. `begun` is whether the client has anything of it, `size` the bytes that it has.

    Every method but `opaque` raises `Unreadable` where the body cannot be read as it must be, and ValueError where a
    field is none that may be sent.
    """

    def __init__(self, reply: Reply, body: Body) -> None:
        self._reply = reply
        self._body = body
        self._head: tuple[int, str, Headers] | None = None
        self._waiting: list[bytes] = []
        self._chunks = self._ends = False
        self._filter: BodyFilter | None = None
        self.begun = False
        self.size = 0

    @classmethod
    def begin(  # noqa: PLR0917 - one place for each
        cls,
        reply: Reply,
        method: str,
        head: ResponseHead,
        headers: Headers,
        body: Body,
        reading: Reading,
        *,
        same: bool,
    ) -> Answering:
        """Send the head with these fields in place of the resource's, or wait with it; `same`: they are no others."""
        answering = cls(reply, body)
        if body.framing is Framing.NONE:
            answering._begin_empty(method, head, headers, reading, same=same)
        else:
            answering._begin(head, headers, reading, same=same)
        return answering

    @classmethod
    def opaque(cls, reply: Reply, headers: Headers, body: Body) -> Answering:
        """Send the head that says that WebSocket follows."""
        answering = cls(reply, body)
        reply.switch(headers)
        answering.begun = True
        return answering

    def _begin_empty(self, method: str, head: ResponseHead, headers: Headers, reading: Reading, *, same: bool) -> None:
        """An answer without a body; to HEAD its length is told, unless reading it would change it."""
        shown = without_body(headers, reading.rules)
        length = 0 if self._body.told else -1
        changes = bool(reading.rules or reading.edits)
        told = head.headers.get("content-length") if method == "HEAD" and not changes else ""
        if told:
            length = int(told)
        plain = head.minor == 1 and not says_length(head.status, head.headers)
        as_it_is = same and not changes and plain and verbatim(head.headers, headers)
        self._send_head(head, shown, Framing.NONE, length, head.raw if as_it_is else b"")

    def _begin(self, head: ResponseHead, headers: Headers, reading: Reading, *, same: bool) -> None:
        body, reply = self._body, self._reply
        if reading:
            self._filter = body_filter(
                head.headers, reading.rules, reading.edits, reading.record, reveals=reading.reveals
            )
        shown = headers if self._filter is None else self._filter.head(headers)
        if shown is not headers:
            self._head = (head.status, head.reason or phrase(head.status), shown)
            return
        body.framed = reply.frames and self._filter is None
        ends = body.framing in (Framing.CHUNKED, Framing.CLOSE)  # so that its end is told from a broken connection
        self._ends = ends and reply.frames
        self._chunks = self._ends and not (body.framed and body.framing is Framing.CHUNKED)
        as_it_is = same and body.framing is not Framing.CLOSE and head.minor == 1 and verbatim(head.headers, headers)
        framing = Framing.CHUNKED if ends else Framing.LENGTH
        self._send_head(head, headers, framing, body.length, head.raw if as_it_is else b"")

    def _send_head(self, head: ResponseHead, headers: Headers, framing: Framing, length: int, raw: bytes) -> None:
        self._reply.begin(head.status, head.reason or phrase(head.status), headers, framing, length, raw=raw)
        self.begun = True

    @property
    def masked(self) -> Mapping[str, int]:
        """How many values were hidden, by rule."""
        return {} if self._filter is None else self._filter.masked

    @property
    def recorded(self) -> str | None:
        """What the recording holds of the body; None where nothing was asked for."""
        return None if self._filter is None else self._filter.recorded

    def passed(self, pieces: list[bytes]) -> None:
        """Pass a part of the body on."""
        if self._filter is not None:
            found = (self._filter.feed(piece) for piece in pieces)
            pieces = [piece for piece in found if piece]
        if self._head is not None:
            self._waiting += pieces
            streams = self._filter is not None and self._filter.streams
            if not streams and sum(map(len, self._waiting)) <= _WITH_LENGTH:
                return
            pieces = self._start(self._head, whole=False)
        self._send(pieces)

    def _send(self, pieces: list[bytes]) -> None:
        if self._body.framed and self._body.framing is Framing.CHUNKED:
            self.size = self._body.read
        else:
            self.size += sum(map(len, pieces))
        self._reply.pass_on([chunk(piece) for piece in pieces] if self._chunks else pieces)

    def _start(self, head: tuple[int, str, Headers], *, whole: bool) -> list[bytes]:
        """Send the head that waited; return what waited with it."""
        waiting, self._waiting, self._head = self._waiting, [], None
        self._ends = self._chunks = self._reply.frames and not whole
        framing, length = (Framing.LENGTH, sum(map(len, waiting))) if whole else (Framing.CHUNKED, 0)
        self._reply.begin(*head, framing, length, raw=b"")
        self.begun = True
        return waiting

    def completed(self, trailer: Headers) -> None:
        """The body is whole: end it."""
        rest = [piece for piece in (self._filter.finish(),) if piece] if self._filter is not None else []
        if self._head is not None:
            self._waiting += rest
            rest = self._start(self._head, whole=sum(map(len, self._waiting)) <= _WITH_LENGTH)
        if rest:
            self._send(rest)
        if self._ends:
            fields = passed_trailer(trailer) if self._filter is None else Headers()
            self._reply.pass_on([last_chunk(fields)])
        self._reply.finish()
