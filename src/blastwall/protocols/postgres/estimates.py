"""The companion that tells how many rows a table has, by the server's own statistics: for people who decide.

It reads `pg_class` alone. A plan would be closer, but planning runs code: functions declared immutable, operators and
index expressions of whoever made them. What nobody has approved is not planned either.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from blastwall.model.credential import Credential
from blastwall.model.effects import Action, Effect
from blastwall.protocols.contract import UPSTREAM, Answered, Close, Estimated, Opening, Output, Send, Side
from blastwall.protocols.postgres.errors import decode_fields
from blastwall.protocols.postgres.hosts import ServerLogin
from blastwall.protocols.postgres.messages import decode_data_row, encode_query
from blastwall.protocols.postgres.server_handshake import HandshakeFailed
from blastwall.wire.reader import Malformed

PREFIX = "estimates of "
MAX_MESSAGE = 1 << 20
_PREPARE = "SET search_path TO pg_catalog; SET statement_timeout TO '5s'"
_QUERY = """
SELECT c.reltuples::int8 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = convert_from(decode('SCHEMA', 'hex'), 'UTF8')
AND c.relname = convert_from(decode('TABLE', 'hex'), 'UTF8') AND c.relkind IN ('r', 'p')
"""
_CHANGES = frozenset({Action.UPDATE, Action.DELETE})
_AT_MOST = "at most, by the statistics of the whole table; triggers and cascades are not counted"


class EstimateFailed(Exception):
    """The server cannot be asked; the text says why."""


@dataclass(frozen=True, slots=True)
class TableRows:
    """The question: how many rows this table has."""

    schema: str
    table: str


def question_of(database: str, effects: Sequence[Effect]) -> tuple[str, TableRows] | None:
    """Return which companion to ask what about a statement of these effects: the one table whose rows it changes."""
    changed = {each.object for each in effects if each.action in _CHANGES and each.object.kind == "table"}
    paths = [each.path for each in changed if len(each.path) == 3 and each.path[0] == database]
    if len(changed) != 1 or len(paths) != 1:
        return None
    _, schema, table = paths[0]
    return PREFIX + database, TableRows(schema, table)


def query_of(question: TableRows) -> str:
    """Return the query. A name comes from whoever made the table, so it is sent as digits that say nothing else."""
    return _QUERY.replace("SCHEMA", question.schema.encode().hex()).replace("TABLE", question.table.encode().hex())


class PostgresEstimator:
    """Implements `Companion`, for questions of `TableRows`. One query is under way at a time."""

    def __init__(self, opening: Opening, credential: Credential, name: str) -> None:
        parameters = {"user": credential.user, "database": name.removeprefix(PREFIX)}
        self._handshake = ServerLogin(
            UPSTREAM,
            opening.resource,
            credential,
            {
                **parameters,
                "application_name": "blastwall estimates",
                "client_encoding": "UTF8",
                "options": "-c default_transaction_read_only=on",
            },
            opening.entropy,
        )
        self._buffer = b""
        self._asked: deque[tuple[int, TableRows]] = deque()
        self._rows: list[str | None] = []
        self._refused = False
        self._answering: int | None = None
        self._busy = True

    def start(self) -> list[Output]:
        return self._handshake.start()

    def look_up(self, number: int, question: Hashable) -> list[Output]:
        if not isinstance(question, TableRows):
            return [Answered(number, EstimateFailed("an unknown question"))]
        self._asked.append((number, question))
        return [] if self._busy else self._next()

    def receive(self, side: Side, data: bytes) -> list[Output]:
        try:
            if not self._handshake.ready:
                outputs = self._handshake.receive(data)
                return [*outputs, Send(UPSTREAM, encode_query(_PREPARE))] if self._handshake.ready else outputs
            self._buffer += data
            return self._messages()
        except (HandshakeFailed, Malformed, ValueError, IndexError) as error:
            return self._fail(str(error))

    def receive_eof(self, side: Side) -> list[Output]:
        return self.dial_failed(side, "the connection was lost")

    def dial_failed(self, side: Side, reason: str) -> list[Output]:
        if self._handshake.ready:
            return self._fail(reason)
        try:
            return self._handshake.failed(reason)
        except HandshakeFailed as failure:
            return self._fail(str(failure))

    def tls_started(self, side: Side, alpn: str | None, certificate: bytes) -> list[Output]:
        return self._handshake.tls_started(certificate)

    def _messages(self) -> list[Output]:
        outputs: list[Output] = []
        while len(self._buffer) >= 5:
            length = int.from_bytes(self._buffer[1:5], "big")
            if not 4 <= length <= MAX_MESSAGE:
                raise Malformed(f"a message of {length} bytes")
            if len(self._buffer) < 1 + length:
                break
            kind, body = self._buffer[:1], self._buffer[5 : 1 + length]
            self._buffer = self._buffer[1 + length :]
            outputs += self._message(kind, body)
        return outputs

    def _message(self, kind: bytes, body: bytes) -> list[Output]:
        if kind == b"D":
            self._rows.extend(None if value is None else value.decode() for value in decode_data_row(body)[:1])
        elif kind == b"E":
            decode_fields(body)
            self._refused = True
        elif kind == b"Z":
            return self._finished()
        return []

    def _finished(self) -> list[Output]:
        """One query is over; the first is the preparation."""
        rows, self._rows = self._rows, []
        refused, self._refused = self._refused, False
        number, self._answering = self._answering, None
        answered: list[Output] = []
        if number is not None:
            failed = EstimateFailed("the server refused the gateway's question")
            answered = [Answered(number, failed if refused else _estimated(rows))]
        return answered + self._next()

    def _next(self) -> list[Output]:
        self._busy = bool(self._asked)
        if not self._asked:
            return []
        self._answering, question = self._asked.popleft()
        return [Send(UPSTREAM, encode_query(query_of(question)))]

    def _fail(self, reason: str) -> list[Output]:
        waiting = [number for number, _ in self._asked]
        if self._answering is not None:
            waiting.insert(0, self._answering)
        self._asked.clear()
        failed: list[Output] = [Answered(number, EstimateFailed(reason)) for number in waiting]
        return [*failed, Close(reason)]


def _estimated(rows: Sequence[str | None]) -> Estimated:
    """Return what `reltuples` says: -1 is a table that was never analyzed (0 before PostgreSQL 14)."""
    found = int(rows[0] or -1) if rows else -1
    if found < 0:
        return Estimated(None, "the table has no statistics: it was never analyzed")
    return Estimated(found, _AT_MOST)
