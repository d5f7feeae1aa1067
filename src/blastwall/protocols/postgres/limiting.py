"""Row limits: a limited statement is the last thing sent until its rows are counted.

    client ── Execute ──▶ here ── Execute, Flush ──▶ server      and not one byte more; the client's next message waits
    client ◀── rows, completion ── within the limit ◀── server
    client ◀── error 54000 ── over it: a failing statement in the place of whatever would have come next

In the extended protocol nothing is committed before a later message (a Sync, a COMMIT), so what is over its limit never
is: the failing statement rolls the implicit transaction back, or fails the client's own, as any error does. A simple
Query commits at its own end, unasked; so one with a limited statement is sent statement by statement, by Parse, Bind,
Describe, Execute and Flush, then one Sync: its statements share a transaction as they would have, its errors end it as
they would have, and a COMMIT in its text is sent only once what it would commit is counted
(`docs/adr/0009-row-limits.md`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from blastwall.protocols.contract import UPSTREAM, Exceeded, Injected, Output, Send
from blastwall.protocols.postgres.application_name import labelled
from blastwall.protocols.postgres.errors import PROGRAM_LIMIT, decode_fields, encode_error, encode_fields
from blastwall.protocols.postgres.limited import Limited
from blastwall.protocols.postgres.messages import (
    FLUSH,
    SYNC,
    Bind,
    Execute,
    Named,
    Parse,
    encode_bind,
    encode_copy_fail,
    encode_describe,
    encode_execute,
    encode_parse,
)
from blastwall.protocols.postgres.pipeline import Entry, Owed, Portal, Prepared, Running
from blastwall.wire.inbox import HEADER

if TYPE_CHECKING:
    from blastwall.protocols.postgres.conversation import Conversation

_COPY = frozenset(b"dcf")
_IGNORED_IN_COPY = frozenset(b"SH")
"""Sync and Flush, which a server that waits for COPY data ignores (PostgreSQL documentation, "COPY Operations")."""
_TERMINATE = ord("X")
_WHY = "limit"


@dataclass(slots=True, eq=False)
class _Query:
    """A simple Query that is sent statement by statement.

    `completion` is the last statement's, kept until its commit is known, since PostgreSQL reports a failing one in its
    place; `affected` are the rows that it changed. `synced` says that the Sync at its end was sent.
    """

    running: list[Running]
    next: int = 0
    synced: bool = False
    completion: bytes = b""
    affected: int | None = None

    @property
    def current(self) -> Running | None:
        return self.running[self.next - 1] if self.next else None


class Limiter:
    """The limited statement of a session that is under way, if any."""

    def __init__(self, conversation: Conversation) -> None:
        self._shared = conversation
        self._query: _Query | None = None
        self._given: dict[str, int] = {}
        self.current: Limited | None = None

    @property
    def busy(self) -> bool:
        """Whether the client's next message must wait for a count."""
        return self.current is not None or self._query is not None

    def blocks(self, kind: int) -> bool:
        """Whether a message of the client's must wait. Data of a COPY under way passes."""
        pipeline = self._shared.pipeline
        if kind in _COPY:
            return not pipeline.copies_in
        if pipeline.copy_is_open:
            return kind not in _IGNORED_IN_COPY and kind != _TERMINATE
        return True

    # ── sending ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def execute(self, portal: Portal, wanted: int, message: bytes, outputs: list[Output]) -> None:
        """Send a client's Execute of a limited statement, as it is or with a row count of ours, and ask for answers."""
        limited = self._begin(portal, wanted)
        if portal.store is None and limited.most_rows != wanted:
            message = encode_execute(Execute(portal.name, limited.most_rows))
            told = f"Execute of {limited.most_rows} rows" if limited.most_rows else "Execute of all rows"
            outputs.append(Injected(portal.running.number, told, _WHY))
        self._send_execute(portal, message, outputs)

    def query(self, running: list[Running], outputs: list[Output]) -> None:
        """Send a simple Query's statements one after the other, the first of them now."""
        self._query = _Query(running)
        self._step(self._query, outputs)

    def _step(self, query: _Query, outputs: list[Output]) -> None:
        """Send the next statement, or the Sync after the last one."""
        if query.next == len(query.running):
            self._sync(query, outputs)
            return
        running = query.running[query.next]
        query.next += 1
        classified = running.classified
        text = labelled(running.text, classified, self._shared.label)
        portal = Portal("", Prepared("", text, classified), running)
        outputs.append(Injected(running.number, f"Parse, Bind, Describe and Execute of {classified.operation}", _WHY))
        steps = (
            (Owed.PARSE, encode_parse(Parse("", text))),
            (Owed.BIND, encode_bind(Bind("", ""))),
            (Owed.DESCRIBE, encode_describe(Named("P", ""))),
        )
        for owed, message in steps:
            outputs.append(Send(UPSTREAM, message))
            described = portal if owed is Owed.DESCRIBE else None
            self._shared.pipeline.push(Entry(owed, self._shared.pipeline.segment, portal=described, stepped=True))
        most_rows = 0
        if running.limit_rows is not None or running.limit_affected is not None:
            most_rows = self._begin(portal, 0).most_rows
        self._send_execute(portal, encode_execute(Execute("", most_rows)), outputs)

    def _begin(self, portal: Portal, wanted: int) -> Limited:
        running, kept = portal.running, sum(one.store.size for one in self._shared.names.portals() if one.store)
        name = running.classified.fetches or portal.name
        given = self._given.get(name, 0) if name else running.given + running.rows
        backlog = self._shared.opening.limits.backlog - kept
        self.current = Limited(running, portal, wanted, given, backlog)
        return self.current

    def _send_execute(self, portal: Portal, message: bytes, outputs: list[Output]) -> None:
        pipeline = self._shared.pipeline
        outputs += (Send(UPSTREAM, message), Send(UPSTREAM, FLUSH))
        pipeline.push(Entry(Owed.EXECUTE, pipeline.segment, running=[portal.running], portal=portal))
        self._shared.names.sent(portal.running)

    def _sync(self, query: _Query, outputs: list[Output]) -> None:
        """End a Query: it commits, or is rolled back. What of it did not run is recorded so."""
        query.synced = True
        left = [one for one in query.running[query.next :] if not one.done]
        outputs.append(Send(UPSTREAM, SYNC))
        pipeline = self._shared.pipeline
        pipeline.push(Entry(Owed.SYNC, pipeline.segment, running=left, stepped=True))
        self._shared.discarding = False

    def copied(self, message: bytes, outputs: list[Output]) -> bool:
        """Take data of the client's COPY, or its end; whether it may be sent. Over the limit the COPY is ended."""
        limited = self.current
        if limited is None:
            return True
        if limited.reason:
            return False
        if message[0] == ord("d") and not limited.copied_in(message[HEADER:]):
            number = limited.running.number
            outputs.append(Injected(number, "CopyFail", _WHY))
            outputs.append(Send(UPSTREAM, encode_copy_fail(f"blastwall: {limited.reason}") + FLUSH))
            pipeline = self._shared.pipeline
            pipeline.push(Entry(Owed.COPY_END, pipeline.segment))
            return False
        return True

    # ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def complete(self, message: bytes, tag: str, affected: int | None, after: list[Output]) -> bytes | None:
        """The statement under way is done; return what the client sees of that, None where it is over its limit."""
        limited, self.current = self.current, None
        if limited is None:
            return message
        shown = limited.end(message, tag, affected)
        self._count(limited)
        if limited.reason:
            self._refuse(limited, after)
            return None
        return shown

    def suspend(self, after: list[Output]) -> bool:
        """The server has more rows than it was asked for; whether the client asked for no more either."""
        limited, self.current = self.current, None
        if limited is None:
            return True
        limited.suspended()
        self._count(limited)
        if limited.reason:
            self._refuse(limited, after)
        return not limited.reason

    def go_on(self, completion: bytes, affected: int | None, after: list[Output]) -> bytes:
        """Send what comes next of a Query; return what the client sees now of this statement's end."""
        query = self._query
        if query is None:
            return completion
        last = query.next == len(query.running)
        if last:
            start = _last_message(completion)
            completion, query.completion, query.affected = completion[:start], completion[start:], affected
        self._step(query, after)
        return completion

    @property
    def finishes_later(self) -> bool:
        """Whether the statement that has completed is a Query's last: its record waits for the commit."""
        query = self._query
        return query is not None and query.next == len(query.running)

    def ready(self, after: list[Output]) -> bytes:
        """A Query was committed, or rolled back as it should; return what of it the client has not seen."""
        query, self._query = self._query, None
        if query is None:
            return b""
        if query.completion and query.current is not None:
            self._shared.finish(query.current, after, query.affected)
        return query.completion

    def failed(self, reason: str, after: list[Output]) -> None:
        """The server has failed what was under way, and ignores everything up to a Sync."""
        limited, query = self.current, self._query
        self.current = None
        if limited is not None and limited.reason:
            after.append(_exceeded(limited))
            reason = f"{PROGRAM_LIMIT}: {limited.reason}"
            self._shared.finish(limited.running, after, error=reason)
        if query is not None:
            query.completion = b""
            if query.current is not None:
                self._shared.finish(query.current, after, error=reason)
            if not query.synced:
                self._sync(query, after)

    def error(self, body: bytes) -> bytes:
        """An error's body as it counts from the start of the client's text, not of the statement that was sent."""
        current = self._query.current if self._query is not None else None
        fields = decode_fields(body) if current is not None and current.classified.start else {}
        if current is None or not fields.get("P", "").isdigit():
            return body
        fields["P"] = str(int(fields["P"]) + current.classified.start)
        return encode_fields(b"E", fields)[HEADER:]

    def explained(self) -> bytes | None:
        """The error to show in the place of the server's, where the gateway ended a COPY that went over its limit."""
        limited = self.current
        return _error(limited) if limited is not None and limited.reason else None

    def opened(self, name: str) -> None:
        """A cursor or portal was opened or closed: what is fetched by this name ("": any) counts from none again."""
        if not name:
            self._given.clear()
        else:
            self._given.pop(name, None)

    def _count(self, limited: Limited) -> None:
        name = limited.running.classified.fetches or limited.portal.name
        if name and limited.running.limit_rows is not None:
            self._given[name] = limited.given + limited.taken

    def _refuse(self, limited: Limited, after: list[Output]) -> None:
        """Put the failing statement in the place of what would come next: a COMMIT above all."""
        after.append(_exceeded(limited))
        self._shared.finish(limited.running, after, error=f"{PROGRAM_LIMIT}: {limited.reason}")
        self._shared.deny(limited.running.number, _error(limited), after, extended=True)
        if self._query is not None:
            self._sync(self._query, after)


def _exceeded(limited: Limited) -> Exceeded:
    return Exceeded(limited.running.number, limited.limit, limited.most, limited.reason)


def _error(limited: Limited) -> bytes:
    return encode_error(PROGRAM_LIMIT, f"blastwall: {limited.reason}")


def _last_message(messages: bytes) -> int:
    """Where the last of several whole messages starts."""
    position = start = 0
    while position < len(messages):
        start = position
        position += 1 + int.from_bytes(messages[position + 1 : position + HEADER], "big")
    return start
