"""The reply to one request, token by token, in the order and with the DONE flags that MS-TDS 2.2.7 asks for."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from blastwall.testing.tds import tokens
from blastwall.testing.tds.datatypes import SqlType
from blastwall.testing.tds.errors import SqlError
from blastwall.testing.tds.packets import Channel, Reply
from blastwall.testing.tds.system_facts import SERVER


class Cancelled(Exception):
    """The client sent ATTENTION."""


class Answer:
    """Writes a reply. A DONE is kept back until it is known whether more follows: its MORE flag says so."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._reply = Reply(channel)
        self._waiting: tuple[int, int, int, int] | None = None
        self.depth = 0
        """How many procedures deep: inside, DONE is DONEINPROC."""
        self.in_transaction = False

    def poll(self) -> None:
        """Raise Cancelled where ATTENTION came.

        Raises:
            Cancelled: it did.
            ConnectionLost: the client left.
        """
        if self._channel.attention():
            raise Cancelled

    def wait(self, seconds: float) -> None:
        """Wait, or raise Cancelled when ATTENTION comes."""
        if self._channel.attention(seconds):
            raise Cancelled

    def _write(self, data: bytes) -> None:
        self._flush(more=True)
        self._reply.write(data)

    def _flush(self, *, more: bool) -> None:
        if self._waiting is not None:
            kind, status, command, rows = self._waiting
            self._waiting = None
            flags = status | (tokens.MORE if more else 0)
            flags |= tokens.IN_TRANSACTION if self.in_transaction and not more else 0
            self._reply.write(tokens.done(kind, flags, command, rows))

    def raw(self, data: bytes) -> None:
        """Write a token that was made elsewhere."""
        self._write(data)

    def columns(self, columns: Sequence[tokens.ResultColumn]) -> None:
        """Write COLMETADATA."""
        self._write(tokens.col_metadata(columns))

    def rows(self, columns: Sequence[tokens.ResultColumn], rows: Iterable[Sequence[object]]) -> int:
        """Write rows, looking for ATTENTION now and then; return how many."""
        encode, count = tokens.RowEncoder(columns).encode, 0
        buffer = bytearray()
        for row in rows:
            buffer += encode(row)
            count += 1
            if len(buffer) > 16384:
                self._reply.write(bytes(buffer))
                buffer.clear()
                self.poll()
        self._reply.write(bytes(buffer))
        return count

    def encoded(self, parts: list[bytes]) -> None:
        """Write rows that are encoded already."""
        for part in parts:
            self._write(part)
            self.poll()

    def error(self, error: SqlError) -> None:
        """Write ERROR, or INFO where its class is 10 or less."""
        self.message(error.number, error.severity, error.state, error.text, procedure=error.procedure, line=error.line)

    def message(self, number: int, severity: int, state: int, text: str, *, procedure: str = "", line: int = 1) -> None:
        """Write ERROR from class 11 on, INFO below."""
        self._write(tokens.message(number, state, severity, text, server=SERVER, procedure=procedure, line=line))

    def send_now(self) -> None:
        """Send what is written, in a packet that is not full (RAISERROR … WITH NOWAIT)."""
        self._reply.send_now()

    def done(self, *, rows: int | None = None, command: int = 0, failed: bool = False) -> None:
        """Write DONE of a statement: DONEINPROC inside a procedure."""
        status = (tokens.COUNT if rows is not None else 0) | (tokens.ERROR if failed else 0)
        self._done(tokens.DONE_IN_PROC if self.depth else tokens.DONE, status, command, rows or 0)

    def done_proc(self, status: int | None, *, failed: bool = False) -> None:
        """Write RETURNSTATUS and DONEPROC of a procedure."""
        if status is not None:
            self._write(tokens.return_status(status))
        kind = tokens.DONE_IN_PROC if self.depth else tokens.DONE_PROC
        self._done(kind, tokens.ERROR if failed else 0, 0xE0, 0)

    def return_value(self, ordinal: int, name: str, type_: SqlType, value: object) -> None:
        """Write RETURNVALUE."""
        self._write(tokens.return_value(ordinal, name, type_, value))

    def _done(self, kind: int, status: int, command: int, rows: int) -> None:
        self._flush(more=True)
        self._waiting = (kind, status, command, rows)

    def end(self, *, failed: bool = False) -> None:
        """End the reply."""
        if self._waiting is None:
            self._done(tokens.DONE, tokens.ERROR if failed else 0, 0, 0)
        self._flush(more=False)
        self._reply.end()

    def acknowledged(self) -> None:
        """Acknowledge ATTENTION in a message of its own (MS-TDS 3.3.5.7, DONE_ATTN)."""
        self._reply.write(tokens.done(tokens.DONE, tokens.ATTENTION_ACKNOWLEDGED))
        self._reply.end()

    def cancelled(self) -> None:
        """End the reply where it is, and acknowledge ATTENTION in the next message, for which tedious waits."""
        self._flush(more=True)
        self.ignored()
        self.acknowledged()

    def ignored(self) -> None:
        """Answer a request that its sender has taken back: one DONE that says so (MS-TDS 2.2.1.7)."""
        self._reply.write(tokens.done(tokens.DONE, tokens.ERROR))
        self._reply.end()


class Kept(Answer):
    """Keeps the rows of the last result and the errors instead of sending them."""

    def __init__(self) -> None:
        self.kept: list[tuple[object, ...]] = []
        self.errors: list[str] = []
        self.depth, self.in_transaction = 0, False

    def _write(self, data: bytes) -> None:
        """Nobody reads it."""

    def poll(self) -> None:
        """Nobody cancels."""

    def wait(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def columns(self, columns: Sequence[tokens.ResultColumn]) -> None:
        """A result begins."""
        self.kept.clear()

    def rows(self, columns: Sequence[tokens.ResultColumn], rows: Iterable[Sequence[object]]) -> int:
        """Keep rows."""
        before = len(self.kept)
        self.kept.extend(tuple(row) for row in rows)
        return len(self.kept) - before

    def message(self, number: int, severity: int, state: int, text: str, *, procedure: str = "", line: int = 1) -> None:
        """Keep errors."""
        if severity > 10:
            self.errors.append(f"Msg {number}: {text}")

    def raw(self, data: bytes) -> None:
        """Nobody reads it."""

    def send_now(self) -> None:
        """Nobody reads it."""

    def return_value(self, ordinal: int, name: str, type_: SqlType, value: object) -> None:
        """Nobody reads it."""

    def _done(self, kind: int, status: int, command: int, rows: int) -> None:
        """Nobody reads it."""
