"""The answers to what the gateway itself asks, read whole: they are small, and nobody else gets to see them."""

from __future__ import annotations

from typing import NamedTuple

from blastwall.protocols.contract import Send, Side
from blastwall.protocols.tds.headers import write_headers
from blastwall.protocols.tds.packets import Kind, Packet, PacketReader, framed
from blastwall.protocols.tds.result_values import values_of
from blastwall.protocols.tds.token_reader import TokenReader
from blastwall.protocols.tds.tokens import ColMetadata, Error, RowRun, Token
from blastwall.wire.reader import Malformed

Row = tuple[str | None, ...]
Rows = list[Row]

MOST_ROWS = 2_000_000
"""Of one answer: a catalog with more columns than this is not a database's that agents work on."""


class Reply(NamedTuple):
    """The answer to a batch: its results, and the first error in it."""

    results: tuple[Rows, ...] = ()
    error: Error | None = None


def ask(side: Side, text: str, size: int) -> Send:
    """Return what asks a batch, in packets of `size` bytes."""
    return Send(side, framed(Kind.BATCH, write_headers(0) + text.encode("utf-16-le"), size))


class AnswerReader:
    """Bytes of the server's in, whole answers out. Values are text, as a person would see them; NULL is None."""

    def __init__(self) -> None:
        self._packets = PacketReader()
        self._tokens = TokenReader()
        self._results: list[Rows] = []
        self._error: Error | None = None
        self._taken = 0

    @property
    def buffered(self) -> int:
        """Bytes that wait."""
        return self._packets.buffered

    def feed(self, data: bytes) -> None:
        self._packets.feed(data)

    def take(self) -> Reply | None:
        """Return the next answer, None where it has not arrived.

        Raises:
            Malformed: it is none.
        """
        while (packet := self._packets.take()) is not None:
            reply = self._packet(packet)
            if reply is not None:
                return reply
        return None

    def _packet(self, packet: Packet) -> Reply | None:
        if packet.kind is not Kind.REPLY:
            raise Malformed(f"a packet of type {packet.kind} in an answer")
        self._tokens.feed(packet.payload)
        while (token := self._tokens.take()) is not None:
            self._token(token)
        if not packet.last:
            return None
        self._tokens.finish()
        reply = Reply(tuple(self._results), self._error)
        self._results, self._error, self._taken = [], None, 0
        return reply

    def _token(self, token: Token) -> None:
        if isinstance(token, ColMetadata):
            self._tokens.whole = True
            self._results.append([])
        elif isinstance(token, RowRun):
            self._taken += token.rows
            if self._taken > MOST_ROWS:
                raise Malformed(f"more than {MOST_ROWS:,} rows")
            self._results[-1] += values_of(self._tokens.columns or (), token)
        elif isinstance(token, Error):
            self._error = self._error or token
