"""The client's half of an admitted session: read its messages, ask, and send on what was allowed, as it came.

batch, RPC, transaction request    asked whole; sent whole, packets and all, once all of it is allowed
bulk load                          its INSERT BULK is asked; the rows are passed on as they come, counted
attention                          stops what is asked, held or sent; acknowledged once, by the resource or here
anything else                      ends the session

TDS without MARS is half-duplex: while a request is asked or under way, what else comes waits, but for an attention.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from weakref import ref

from blastwall.protocols.contract import Output
from blastwall.protocols.tds import denial
from blastwall.protocols.tds.asking import Question
from blastwall.protocols.tds.bulk_load import Load
from blastwall.protocols.tds.calls import Call, NoSuchHandle, Reading
from blastwall.protocols.tds.conversation import Conversation
from blastwall.protocols.tds.denial import LIMIT, UNSUPPORTED, Denial
from blastwall.protocols.tds.elsewhere import Postponed
from blastwall.protocols.tds.headers import Headers, read_headers
from blastwall.protocols.tds.learned import Names
from blastwall.protocols.tds.packets import Kind, Message, MessageReader, Piece, framed
from blastwall.protocols.tds.rpc import TooManyCalls, read_rpcs, with_metadata
from blastwall.protocols.tds.running import INSERT_BULK, Asked, Running
from blastwall.protocols.tds.transaction_requests import DISTRIBUTED_REFUSED, distributed, effects_of, told
from blastwall.protocols.tds.transactions import read_transaction
from blastwall.sql.tsql.classify import unread
from blastwall.sql.tsql.statement import Classified
from blastwall.wire.reader import Malformed

_OVERHEAD = 64 << 10
"""What a batch may have besides its text: headers."""
_TRANSACTION = 16 << 10
"""The largest transaction request in bytes: two names of at most 255 bytes, and headers."""
_TOLD = 2_000
"""How much is recorded of a text that is refused unread, in characters."""
_NOTIFICATION = "query notifications leave a subscription behind that sends on what changes; leave the header off"
_BULK_ALONE = "INSERT BULK must be a batch of its own: the rows of one load follow it, and are counted as its own"
_REQUESTS = frozenset({Kind.BATCH, Kind.RPC, Kind.TRANSACTION})


class Requests:
    """Bytes of the client's in, outputs out."""

    def __init__(self, conversation: Conversation) -> None:
        limits = conversation.opening.limits
        sizes = {Kind.BATCH: 2 * limits.statement + _OVERHEAD, Kind.TRANSACTION: _TRANSACTION, Kind.ATTENTION: 0}
        self._shared = conversation
        self._reader = MessageReader(limits.message, sizes, streamed=frozenset({Kind.BULK}))
        self._next: Message | Piece | None = None
        shared = conversation
        self._reading = Reading(lambda: shared.catalog, lambda: shared.state, shared.handles, shared.classify)

    @property
    def backlog(self) -> int:
        """Bytes that wait for an answer; a message that is still arriving is bounded by its own limit."""
        return len(self) if self._next is not None or self._shared.postponed is not None else 0

    @property
    def amid(self) -> bool:
        """Whether a message to the resource has begun and not ended: nothing else may be sent there."""
        return self._shared.load is not None and self._shared.load.passing

    @property
    def amid_message(self) -> bool:
        """Whether a message of the client's has begun and not ended."""
        return self._reader.amid

    def __len__(self) -> int:
        """Bytes that were not handled yet."""
        waiting = sum(len(one.raw) for one in (self._next, self._shared.postponed) if one is not None)
        return self._reader.buffered + waiting

    def receive(self, data: bytes) -> list[Output]:
        """Take what arrived.

        Raises:
            Malformed: it is no request, or not in its place.
        """
        self._reader.feed(data)
        return self.go_on()

    def go_on(self) -> list[Output]:
        """Handle the messages that need not wait."""
        outputs: list[Output] = []
        while True:
            if self._shared.postponed is not None and not self._shared.busy:
                self._ask(self._shared.postponed, outputs)
                continue
            if self._next is None:
                self._next = self._reader.take()
            message = self._next
            if message is None or self._must_wait(message):
                return outputs
            self._next = None
            self._handle(message, outputs)

    def _must_wait(self, message: Message | Piece) -> bool:
        if message.kind is Kind.ATTENTION:
            return False
        if isinstance(message, Piece) and self._shared.load is not None:
            return False
        return self._shared.busy

    def _handle(self, message: Message | Piece, outputs: list[Output]) -> None:
        if message.reset and message.kind not in _REQUESTS:
            raise Malformed(f"a reset of the session on a message of the type {message.kind.name}")
        if isinstance(message, Piece):
            self._bulk(message, outputs)
        elif message.kind is Kind.ATTENTION and not message.oversized:
            self._attention(outputs)
        elif message.kind in _REQUESTS:
            self._request(message, outputs)
        else:
            raise Malformed(f"a message of the type {message.kind.name}, {message.size} bytes, in a session under way")

    def _request(self, message: Message, outputs: list[Output]) -> None:
        shared = self._shared
        if message.reset:
            shared.reset(message.reset)
        shared.left_loading(outputs)
        if message.ignored:
            shared.say(denial.ignored(), outputs)
        elif message.oversized:
            self._oversized(message, outputs)
        elif message.kind is Kind.TRANSACTION:
            self._transaction(message, outputs)
        else:
            self._ask(message, outputs)

    def _ask(self, message: Message, outputs: list[Output]) -> None:
        """Ask for a batch or an RPC, now or once its texts are read."""
        shared = self._shared
        shared.postponed = None
        shared.texts.begin()
        try:
            if message.kind is Kind.BATCH:
                self._batch(message, outputs)
            else:
                self._rpc(message, outputs)
        except Postponed as postponed:
            shared.postponed = message
            outputs.append(postponed.order)
        else:
            shared.texts.handled()

    def _attention(self, outputs: list[Output]) -> None:
        shared = self._shared
        if shared.asking.waiting is not None:
            outputs += shared.asking.withdraw(None)
        elif shared.postponed is not None:
            outputs += shared.give_up(None)
        elif shared.running is None:
            shared.say(denial.acknowledgement(), outputs)
        else:
            shared.attention.asked = True
            if not shared.running.own:
                shared.attention.send(outputs)

    # ── requests ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _batch(self, message: Message, outputs: list[Output]) -> None:
        shared = self._shared
        headers = read_headers(message.payload)
        text = _text(message.payload, headers.size)
        reason = self._unfit(headers, len(text))
        if reason is not None:
            self._refuse(text[:_TOLD], "BATCH", reason, outputs)
            return

        def read() -> Classified:
            return shared.classify(text)

        classified = read()
        names = Names(ref(shared.catalog), shared.state)

        def release(asks: tuple[Asked, ...], out: list[Output]) -> None:
            running = Running(Kind.BATCH, asks)
            running.loads = classified.operation == INSERT_BULK
            shared.transmit(running, message.payload, message.raw, out)
            shared.learned.batch(message, running, names, read)

        question = Question(shared.statement(text, classified), classified, read)
        verdict = None if _loads_once(classified) else Denial(UNSUPPORTED, _BULK_ALONE)
        shared.asking.ask(outputs, [question], release, verdict=verdict)

    def _rpc(self, message: Message, outputs: list[Output]) -> None:
        shared = self._shared
        try:
            headers, rpcs = read_rpcs(message.payload)
        except TooManyCalls as much:
            self._refuse(f"[{message.size} bytes]", "OVERSIZED", Denial(LIMIT, str(much)), outputs, calls=1)
            return
        try:
            calls = [self._reading.read(one) for one in rpcs]
        except NoSuchHandle as missing:
            shared.refuse(shared.next_number(), missing.denial, len(rpcs), outputs)
            return
        verdict = self._verdict(headers, calls)
        names = Names(ref(shared.catalog), shared.state)

        def release(asks: tuple[Asked, ...], out: list[Output]) -> None:
            for asked, one in zip(asks, calls, strict=True):
                self._expect(asked, one)
            payload, raw = message.payload, message.raw
            described = with_metadata(payload, rpcs)
            if described is not None:
                payload, raw = described, framed(Kind.RPC, described, shared.packet_size)
            running = Running(Kind.RPC, asks, calls=True)
            shared.transmit(running, payload, raw, out)
            if described is None:
                shared.learned.call(message, running, names, rpcs[0], calls[0])

        questions = [
            Question(shared.statement(one.text, one.classified, one.stage, one.parameters), one.classified, one.read)
            for one in calls
        ]
        shared.asking.ask(outputs, questions, release, calls=len(rpcs), verdict=verdict)

    def _verdict(self, headers: Headers, calls: Sequence[Call]) -> Denial | None:
        """Why the message is refused whatever policy says; None where it is not."""
        found = next((one.verdict for one in calls if one.verdict is not None), None)
        longest = max((len(one.text) for one in calls), default=0)
        reason = self._unfit(headers, longest)
        if found is not None:
            return found
        if reason is not None:
            return reason
        if any(one.classified.operation == INSERT_BULK for one in calls):
            return Denial(UNSUPPORTED, _BULK_ALONE)
        if any(one.gives for one in calls[1:]):
            return Denial(UNSUPPORTED, "what gives a handle must be the first call of its request")
        if calls[0].gives and any(one.by_handle for one in calls[1:]):
            return Denial(UNSUPPORTED, "what is done by a handle must not follow what gives one in the same request")
        if any(one.gives and one.source is not None and self._shared.handles.full(one.source) for one in calls):
            return Denial(LIMIT, "too many prepared statements and cursors; close what is not used any more")
        return None

    def _expect(self, asked: Asked, one: Call) -> None:
        """Set what the server's half needs to know of a call, and what it leaves behind."""
        handles = self._shared.handles
        asked.declared, asked.cursor = one.declared, one.cursor
        asked.given = one.cursor.given if one.cursor is not None else 0
        if one.gives and one.source is not None:
            asked.returned = handles.taker(one.gives, one.source)
        for kind, number in one.ends:
            handles.end(kind, number)

    def _transaction(self, message: Message, outputs: list[Output]) -> None:
        shared = self._shared
        request = read_transaction(message.payload)
        classified = effects_of(request, shared.database)

        def release(asks: tuple[Asked, ...], out: list[Output]) -> None:
            shared.transmit(Running(Kind.TRANSACTION, asks), message.payload, message.raw, out)

        verdict = Denial(UNSUPPORTED, DISTRIBUTED_REFUSED) if distributed(request) else None
        if request.headers.notification is not None:
            verdict = Denial(UNSUPPORTED, _NOTIFICATION)
        shared.asking.ask(
            outputs, [Question(shared.statement(told(request), classified), classified)], release, verdict=verdict
        )

    def _bulk(self, piece: Piece, outputs: list[Output]) -> None:
        shared = self._shared
        load = shared.load = shared.load or Load(shared, outputs)
        load.take(piece, outputs)
        if piece.last:
            shared.load = None

    # ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _unfit(self, headers: Headers, length: int) -> Denial | None:
        if headers.notification is not None:
            return Denial(UNSUPPORTED, _NOTIFICATION)
        most = self._shared.opening.limits.statement
        if length > most:
            return Denial(
                LIMIT, f"a statement of {length:,} characters is over the limit of {most:,}; send less at once"
            )
        return None

    def _oversized(self, message: Message, outputs: list[Output]) -> None:
        if message.kind not in (Kind.BATCH, Kind.RPC):
            raise Malformed(f"a transaction request of {message.size:,} bytes")
        limits = self._shared.opening.limits
        limit = 2 * limits.statement if message.kind is Kind.BATCH else limits.message
        reason = f"a request of {message.size:,} bytes is over the limit of {limit:,}; send less at once"
        calls = int(message.kind is Kind.RPC)
        self._refuse(f"[{message.size} bytes]", "OVERSIZED", Denial(LIMIT, reason), outputs, calls=calls)

    def _refuse(self, text: str, operation: str, denial: Denial, outputs: list[Output], *, calls: int = 0) -> None:
        """Ask, for the record, about what is refused whatever the answer is."""
        shared = self._shared
        classified = replace(unread(text, shared.catalog, denial.text), operation=operation)
        question = Question(shared.statement(text, classified), classified)
        shared.asking.ask(outputs, [question], lambda _asks, _out: None, calls=calls, verdict=denial)


def _loads_once(classified: Classified) -> bool:
    """Whether a batch announces one bulk load, or none."""
    if classified.operation != INSERT_BULK:
        return True
    return classified.modifies <= 1 and classified.straight and not classified.transaction


def _text(payload: bytes, start: int) -> str:
    """The text of a batch.

    Raises:
        Malformed: it is no UTF-16, so it cannot be judged.
    """
    try:
        return payload[start:].decode("utf-16-le")
    except UnicodeDecodeError as error:
        raise Malformed(f"a batch that is no UTF-16 at byte {start + error.start}") from None
