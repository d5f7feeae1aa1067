"""A bulk load: the rows that follow an INSERT BULK, passed on as they come.

    client ── INSERT BULK t (…) ──▶ asked as any batch ──▶ resource, which agrees
    client ── rows, in as many packets as it takes ──▶ passed on packet by packet, counted under a limit
    over the limit: ── a last packet with the "ignore" bit ──▶ resource, which drops the whole load

The rows belong to the INSERT BULK that was judged, and must be the next thing that the client sends; the resource
checks them against its columns. Rows that nobody has announced are dropped, and refused.

Source: MS-TDS 2.2.6.1 "Bulk Load BCP", 2.2.1.7 for the ignore bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blastwall.protocols.contract import UPSTREAM, Exceeded, Injected, Output, Send
from blastwall.protocols.tds.bulk import BulkReader
from blastwall.protocols.tds.denial import LIMIT, PERMISSION, STOPPED, UNSUPPORTED, Denial, ignored
from blastwall.protocols.tds.packets import EOM, HEADER, IGNORE, Kind, Piece, header
from blastwall.protocols.tds.running import Asked, Audience, Running
from blastwall.wire.reader import Malformed

if TYPE_CHECKING:
    from blastwall.protocols.tds.conversation import Conversation

_UNANNOUNCED = "these rows follow no INSERT BULK that was allowed"
_STALE = "policy changed between the INSERT BULK and its rows; send both again"
TAKEN_BACK = header(Kind.BULK, EOM | IGNORE, HEADER)
"""A last packet that takes the message back."""


class Load:
    """One bulk load. Once it is refused, what still comes of it is dropped, and at its end the client hears why."""

    def __init__(self, conversation: Conversation, outputs: list[Output]) -> None:
        self._shared = conversation
        asked, conversation.loading = conversation.loading, None
        self._denial: Denial | None = None
        self._reader: BulkReader | None = None
        self._running: Running | None = None
        self._begun = self._came = self._answered = False
        if asked is None:
            self._denial = Denial(UNSUPPORTED, f"blastwall: {_UNANNOUNCED}")
        elif asked.stale:
            self._denial = Denial(PERMISSION, f"blastwall: {_STALE}")
            asked.error = _STALE
            conversation.finish([asked], outputs)
        else:
            self._running = Running(Kind.BULK, (asked,))
            self._reader = BulkReader() if asked.limit_affected is not None else None

    @property
    def passing(self) -> bool:
        """Whether packets were passed on, and the last was not."""
        return self._begun and self._denial is None

    def take(self, piece: Piece, outputs: list[Output]) -> None:
        """Pass a packet on, or drop it."""
        running = self._running
        if self._denial is None and running is not None and not self._within(piece, running.asks[0], outputs):
            self._take_back(running, outputs, "limit")
        if self._denial is not None:
            self._came = piece.last
            self._conclude(piece, outputs)
        elif running is not None:
            if not self._begun:
                self._begun = True
                self._shared.start(running)
            outputs.append(Send(UPSTREAM, piece.raw))

    def stop(self, reason: str, outputs: list[Output]) -> None:
        """The gateway stops it: an attention could not be sent in the middle of its message."""
        if self._running is not None:
            self._denial = Denial(STOPPED, f"blastwall: {reason}")
            self._running.asks[0].error = f"{STOPPED}: {reason}"
            self._take_back(self._running, outputs, "interrupt")

    def _within(self, piece: Piece, asked: Asked, outputs: list[Output]) -> bool:
        """Count the rows in a packet; whether they are within the limit so far."""
        most = asked.limit_affected
        if self._reader is None or most is None or piece.ignored:
            return True
        try:
            self._reader.feed(piece.payload)
            if piece.last:
                self._reader.finish()
        except Malformed as unreadable:
            why = f"its rows cannot be counted, for it is {unreadable}"
        else:
            if self._reader.rows <= most:
                return True
            why = f"it loads more than {most:,} rows"
        told = f"policy limits this statement to {most:,} rows: {why}; none was loaded"
        self._denial = Denial(LIMIT, f"blastwall: {told}")
        asked.error = f"{LIMIT}: {told}"
        outputs.append(Exceeded(asked.number, "affected", most, told))
        return False

    def _take_back(self, running: Running, outputs: list[Output], why: str) -> None:
        """Take back what the resource has got of it; its answer to that is nobody's."""
        if not self._begun:
            self._shared.finish(running.asks, outputs)
            self._answered = True
            return
        running.audience = Audience.NOBODY
        running.after = self._dropped
        outputs.append(Injected(running.asks[0].number, "the bulk load taken back", why))
        outputs.append(Send(UPSTREAM, TAKEN_BACK))

    def _dropped(self, _error: str | None, outputs: list[Output]) -> None:
        """The resource has dropped it."""
        if self._running is not None:
            self._shared.finish(self._running.asks, outputs)
        self._answered = True
        if self._came:
            self._say(outputs)

    def _conclude(self, piece: Piece, outputs: list[Output]) -> None:
        if not piece.last:
            return
        if piece.ignored:
            self._denial = None
        if self._answered or not self._begun:
            self._say(outputs)

    def _say(self, outputs: list[Output]) -> None:
        shared = self._shared
        if self._denial is None:
            shared.say(ignored(), outputs)
        else:
            number = self._running.asks[0].number if self._running is not None else shared.next_number()
            shared.refuse(number, self._denial, 0, outputs)
