"""The short way: a request whose answer stands, asked again while nothing else is under way.

    client    a batch, or one call, that came before, whole in one packet; sp_executesql and sp_execute with any values
    gate      Again ─▶ recorded, `granted`         (AskWhole: the same statement is asked for the ordinary way)
    server    the plain answer, whole in one packet: the description of before, rows, ends without an error

Nothing is decided here. A request is known by bytes that the ordinary way has read (`learned.py`), and whatever else
its ruling depended on must be as it was. What is asked and sent here stands where the ordinary way would have put it,
so whatever is not plain goes that way from its first byte.
"""

from __future__ import annotations

from dataclasses import replace

from blastwall.model.statement import Parameter, Statement
from blastwall.protocols.again import Again
from blastwall.protocols.contract import Output
from blastwall.protocols.tds.asking import Waiting
from blastwall.protocols.tds.conversation import Conversation
from blastwall.protocols.tds.handles import Named
from blastwall.protocols.tds.learned import DESCRIBED, Known, key_of
from blastwall.protocols.tds.packets import HEADER, Kind
from blastwall.protocols.tds.plain_answers import Plain, plain_answer
from blastwall.protocols.tds.repeated_calls import other_values, values_begin
from blastwall.protocols.tds.requests import Requests
from blastwall.protocols.tds.responses import Responses
from blastwall.protocols.tds.running import Asked, Running

_RPC = int(Kind.RPC)
_Values = tuple[str | bytes | None, ...]


class Lane:
    """The short way of one session."""

    def __init__(self, conversation: Conversation, requests: Requests, responses: Responses) -> None:
        self._shared = conversation
        self._requests = requests
        self._responses = responses
        self._known: Known | None = None
        self._waiting: Waiting | None = None
        self._running: Running | None = None
        self._data = b""

    # ── the client's half ────────────────────────────────────────────────────────────────────────────────────────────

    def client(self, data: bytes) -> Again | None:
        """Take a request; None, and nothing taken, where it must go the ordinary way."""
        key = key_of(data)
        if key is None or not self._free():
            return None
        learned = self._shared.learned
        known = learned.find(key)
        if known is not None and known.given is None:
            statement = known.statement
            return self._ask(known, statement, tuple([one.value for one in statement.parameters]), data)
        begin = values_begin(data, DESCRIBED) if data[0] == _RPC else 0
        known = learned.find(data[:1] + data[DESCRIBED:begin]) if begin else None
        if known is None or known.given is None:
            return None
        values = other_values(data, begin, known.given)
        if values is None:
            return None
        return self._ask(known, _with_values(known.statement, values), values, data)

    def _free(self) -> bool:
        """Whether nothing is under way that a request would have to wait for, or that would change what it does."""
        shared = self._shared
        return not (
            shared.busy
            or shared.postponed is not None
            or shared.loading is not None
            or shared.load is not None
            or shared.pending_reset
            or shared.attention.asked
            or shared.attention.owed
            or len(self._requests)
            or self._requests.amid_message
        )

    def _holds(self, known: Known) -> bool:
        """Whether the session is in the state in which the request was judged."""
        shared = self._shared
        catalog, state = known.names
        if catalog() is not shared.catalog or (state is not shared.state and state != shared.state):
            return False
        if known.handle is not None and shared.handles.find(Named.STATEMENT, known.handle[0]) is not known.handle[1]:
            return False
        return known.inside == shared.in_transaction

    def _ask(self, known: Known, statement: Statement, values: _Values, data: bytes) -> Again | None:
        shared = self._shared
        if not self._holds(known):
            return None
        asked = Asked(shared.next_number(), statement, known.classified)
        asked.rules, asked.standing, asked.declared = known.rules, known.standing, known.asked.declared
        asked.again, asked.catalog = known.read, known.names.catalog
        waiting = Waiting((asked,), lambda out: self._release(known, asked, out), int(known.calls), None)
        waiting.again, waiting.catalog = (known.read,), known.names.catalog
        shared.asking.waiting = self._waiting = waiting
        self._known, self._data = known, data
        again = Again(asked.number, known.standing, values)
        again.opaque = any([isinstance(value, bytes) for value in values])  # noqa: C419 - faster than a generator
        return again

    def _release(self, known: Known, asked: Asked, outputs: list[Output]) -> None:
        """It was allowed the ordinary way. Where that was by another answer, those of before do not stand any more.

        That other answer may have come with masks, limits or a recording of rows: what the resource replies is read.
        """
        running = self._run(known, asked)
        if asked.standing is not known.standing:
            self._running = None
            self._shared.learned.forget()
        self._shared.transmit(running, self._data[HEADER:], self._data, outputs)

    def granted(self) -> bytes | None:
        """It is allowed and recorded: return what is sent; None where something came between."""
        shared, waiting, known = self._shared, self._waiting, self._known
        self._waiting = None
        if waiting is None or known is None or waiting is not shared.asking.waiting or len(self._requests):
            return None
        shared.asking.waiting = None
        shared.start(self._run(known, waiting.asks[0]))
        return self._data

    def _run(self, known: Known, asked: Asked) -> Running:
        running = self._running = Running(known.kind, (asked,), calls=known.calls)
        return running

    # ── the server's half ────────────────────────────────────────────────────────────────────────────────────────────

    def answered(self, data: bytes) -> Again | None:
        """Take the plain answer to what was sent here; None, and nothing taken, for anything else."""
        shared, running, known = self._shared, self._running, self._known
        if running is None or known is None or shared.running is not running:
            return None
        attention = shared.attention
        if attention.asked or attention.owed or len(self._requests) or not self._responses.quiet:
            return None
        if known.names.catalog() is not shared.catalog:
            return None
        found = plain_answer(data, known.shown)
        if found is None or (found.status and not self._responses.shows_status):
            known.asked = running.asks[0]  # what this answer shows is learned from the ordinary way
            return None
        self._running = None
        return self._finished(running, known, found)

    def _finished(self, running: Running, known: Known, found: Plain) -> Again:
        asked = running.asks[0]
        again = Again(asked.number, known.standing)
        asked.rows, asked.bytes = found.rows, found.size
        for done in found.ends:
            asked.count(done)
        again.rows, again.size = found.rows, found.size
        again.affected = -1 if asked.affected is None else asked.affected
        asked.finished = True
        outputs: list[Output] = []
        self._shared.ended(running, outputs)
        again.more = outputs
        return again


def _with_values(statement: Statement, values: _Values) -> Statement:
    """Return the statement that a call with other values asks for."""
    pairs = zip(statement.parameters, values, strict=True)
    return replace(
        statement, parameters=tuple([Parameter(value, one.column, one.secret, one.declared) for one, value in pairs])
    )
