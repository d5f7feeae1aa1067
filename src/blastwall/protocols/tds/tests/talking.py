"""The two halves of an admitted session without their handshakes, and a server of a few lines that keeps transactions.

    talk = Talk(rule)
    talk.client(batch("DELETE FROM dbo.orders"))
    talk.heard       # what the client was told, token by token
    talk.server.got  # what reached the resource: (kind, text or request, reset bits, transaction descriptor)

Texts are classified by `meaning`, so that a dialogue tests the conversation and not the reader of T-SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from struct import pack
from unittest import mock

from blastwall.model.effects import Action, Effect, Object
from blastwall.model.resource import Address, Resource
from blastwall.protocols.again import Again
from blastwall.protocols.contract import (
    CLIENT,
    Allow,
    Answer,
    Ask,
    Close,
    Isolate,
    Limits,
    Opening,
    Output,
    Repeat,
    Side,
)
from blastwall.protocols.standing import Standing
from blastwall.protocols.tds import answers
from blastwall.protocols.tds.changing import Changing
from blastwall.protocols.tds.conversation import Conversation
from blastwall.protocols.tds.headers import read_headers, write_headers
from blastwall.protocols.tds.lane import Lane
from blastwall.protocols.tds.packets import Kind, Message, MessageReader, Piece, framed
from blastwall.protocols.tds.requests import Requests
from blastwall.protocols.tds.responses import Responses
from blastwall.protocols.tds.token_reader import TokenReader
from blastwall.protocols.tds.tokens import (
    CANCELLED,
    COUNTED,
    DONE,
    DONE_IN_PROC,
    DONE_PROC,
    ENV_BEGIN,
    ENV_COMMIT,
    ENV_ROLLBACK,
    FAILED,
    MORE,
    Done,
    EnvChange,
    Error,
    Info,
    Token,
)
from blastwall.protocols.tds.transactions import Verb, read_transaction
from blastwall.sql.tsql.catalog import Catalog
from blastwall.sql.tsql.statement import Changes, Classified
from blastwall.testing.playbook import Playbook
from blastwall.wire.reader import Malformed

HERE = Object(("shop",), "database")
ORDERS = Object(("shop", "dbo", "orders"), "table")
CATALOG = Catalog("shop", 1)


# ── what a client sends ──────────────────────────────────────────────────────────────────────────────────────────────


def allow(ask: Ask) -> Answer:
    """Allow whatever is asked, and again by the answer that stands."""
    standing = ask.question.standing if isinstance(ask.question, Repeat) else Standing()
    return Allow(standing=standing)


def batch(text: str, *, status: int = 0, transaction: int = 0, size: int = 4096) -> bytes:
    """A batch in packets of this size."""
    return framed(Kind.BATCH, write_headers(transaction) + text.encode("utf-16-le"), size, status)


def attention() -> bytes:
    return framed(Kind.ATTENTION, b"", 512)


def nvarchar(value: str | None) -> bytes:
    """The type and value of an nvarchar(4000) parameter."""
    head = pack("<BH5s", 0xE7, 8000, b"\x09\x04\xd0\x00\x34")
    if value is None:
        return head + b"\xff\xff"
    encoded = value.encode("utf-16-le")
    return head + pack("<H", len(encoded)) + encoded


def integer(value: int | None) -> bytes:
    """The type and value of an int parameter."""
    return b"\x26\x04" + (b"\0" if value is None else pack("<Bi", 4, value))


def parameter(value: bytes, name: str = "", flags: int = 0) -> bytes:
    return bytes((len(name),)) + name.encode("utf-16-le") + bytes((flags,)) + value


def call(procedure: int | str, *parameters: bytes, options: int = 0) -> bytes:
    """One call of an RPC."""
    if isinstance(procedure, int):
        named = pack("<HH", 0xFFFF, procedure)
    else:
        named = pack("<H", len(procedure)) + procedure.encode("utf-16-le")
    return named + pack("<H", options) + b"".join(parameters)


def rpc(*calls: bytes, status: int = 0, transaction: int = 0, size: int = 4096) -> bytes:
    """An RPC of these calls."""
    return framed(Kind.RPC, write_headers(transaction) + b"\xff".join(calls), size, status)


def executesql(text: str, declared: str = "", *values: bytes) -> bytes:
    """One call of sp_executesql."""
    return call(10, parameter(nvarchar(text)), parameter(nvarchar(declared)), *values)


# ── what the texts mean ──────────────────────────────────────────────────────────────────────────────────────────────


def means(text: str) -> Classified:
    """A text as the dialogues mean it: the first word says what it does, `--` and words behind say the rest."""
    operation = text.split(" ", 1)[0].upper()
    if text.upper().startswith("INSERT BULK"):
        return Classified("INSERT BULK", (Effect(Action.CREATE, ORDERS),))
    if operation in _CHANGES:
        transaction = frozenset({"commit"}) if "COMMIT" in text else frozenset[str]()
        counted = "NOCOUNT" not in text
        effects = (Effect(_CHANGES[operation], ORDERS),)
        straight = not text.endswith(" IF")
        return Classified(operation, effects, modifies=1, counted=counted, straight=straight, transaction=transaction)
    if operation == "SET":
        _, name, value = text.lower().split(" ")
        return Classified("SET", (Effect(Action.CONNECT, HERE),), changes=Changes(settings={name: frozenset({value})}))
    if operation == "CREATE":
        return Classified("CREATE TABLE", (Effect(Action.DEFINE, ORDERS),))
    if operation == "USE":
        return Classified("USE", (Effect(Action.CONNECT, HERE),), changes=Changes(forbidden="USE leaves the database"))
    return Classified(operation, (Effect(Action.READ, ORDERS),), results=None)


_CHANGES = {"DELETE": Action.DELETE, "UPDATE": Action.UPDATE, "INSERT": Action.CREATE, "MERGE": Action.UPDATE}


# ── the resource ─────────────────────────────────────────────────────────────────────────────────────────────────────

Reply = Callable[[str], bytes]
"""Answers a text with tokens."""


@dataclass
class TinyServer:
    """A server that keeps transactions, counts as it is told and gives handles. `got` is what it was sent.

    `changes` is how many rows a change changes, `error` makes everything that is no transaction request fail,
    `silent` answers nothing to batches and calls: a test says what comes. `deaf` acknowledges no attention.
    """

    changes: int = 1
    error: str = ""
    silent: bool = False
    deaf: bool = False
    fails: frozenset[Verb] = frozenset()
    transaction: int = 0
    handles: Iterator[int] = field(default_factory=lambda: count(1))
    got: list[tuple[str, str, int, int]] = field(default_factory=list)
    loaded: bytes = b""
    _reader: MessageReader = field(default_factory=lambda: MessageReader(1 << 26, streamed=frozenset({Kind.BULK})))
    _descriptors: Iterator[int] = field(default_factory=lambda: count(0x100))

    def receive(self, side: Side, data: bytes) -> bytes:
        del side
        self._reader.feed(data)
        reply = b""
        while (message := self._reader.take()) is not None:
            payload = self._answer(message)
            reply += framed(Kind.REPLY, payload, 4096) if payload else b""
        return reply

    def texts(self, kind: str = "") -> list[str]:
        return [text for one, text, _, _ in self.got if kind in ("", one)]

    def _answer(self, message: Message | Piece) -> bytes:
        if isinstance(message, Piece):
            return self._bulk(message)
        if message.kind is Kind.ATTENTION:
            self.got.append(("attention", "", 0, 0))
            return b"" if self.deaf else answers.done(DONE, CANCELLED)
        headers = read_headers(message.payload)
        if message.reset & 8:
            self.transaction = 0
        body = message.payload[headers.size :]
        if message.kind is Kind.TRANSACTION:
            return self._transaction(message)
        is_batch = message.kind is Kind.BATCH
        text = body.decode("utf-16-le") if is_batch else body.hex()
        self.got.append(("batch" if is_batch else "rpc", text, message.reset, headers.transaction))
        if self.silent:
            return b""
        return self.batch(text) if is_batch else self.rpc(body)

    def batch(self, text: str) -> bytes:
        if self.error:
            return answers.error(547, self.error) + answers.done(DONE, FAILED)
        operation = text.split(" ", 1)[0].upper()
        if text.upper().startswith("INSERT BULK"):
            return answers.done(DONE, 0, 0xF0)
        command = {"DELETE": 0xC4, "UPDATE": 0xC5, "INSERT": 0xC3, "MERGE": 0x117}.get(operation, 0xC1)
        counted = COUNTED if "SILENTLY" not in text else 0
        return answers.done(DONE, counted, command, self.changes)

    def rpc(self, body: bytes) -> bytes:
        """One DONEPROC for each call; a handle as the first output where the call gives one."""
        calls = 1 + body.count(b"\xff\xff\xff")
        number = int.from_bytes(body[2:4], "little") if body[:2] == b"\xff\xff" else 0
        tokens = b""
        if self.error:
            tokens = answers.error(547, self.error)
        for position in range(calls):
            more = MORE if position + 1 < calls else 0
            if number == 10 and not self.error:
                tokens += answers.done(DONE_IN_PROC, COUNTED | MORE, 0xC4, self.changes)
            if number in (11, 13, 2) and position == 0:
                handle = pack("<BHBBIH", 0xAC, 0, 0, 1, 0, 0) + integer(next(self.handles))
                tokens += handle
            tokens += answers.return_status(0)
            tokens += answers.done(DONE_PROC, more | (FAILED if self.error else 0), 0xE0)
        return tokens

    def _transaction(self, message: Message) -> bytes:
        request = read_transaction(message.payload)
        name = f" {request.name}" if request.name else ""
        told = f"{request.verb.name}{name}"
        self.got.append(("transaction", told, message.reset, request.headers.transaction))
        if request.verb in self.fails:
            return answers.error(3998, "it cannot be done") + answers.done(DONE, FAILED)
        old = self.transaction.to_bytes(8, "little")
        if request.verb is Verb.BEGIN:
            self.transaction = next(self._descriptors)
            change = answers.env_change(ENV_BEGIN, self.transaction.to_bytes(8, "little"))
        elif request.verb is Verb.SAVE or request.name:
            change = b""
        else:
            self.transaction = 0
            kind = ENV_COMMIT if request.verb is Verb.COMMIT else ENV_ROLLBACK
            change = answers.env_change(kind, b"", old)
        return change + answers.done(DONE, 0, 0xD4)

    def _bulk(self, piece: Piece) -> bytes:
        self.loaded += piece.payload
        if not piece.last:
            return b""
        self.got.append(("bulk", "taken back" if piece.ignored else f"{len(self.loaded)} bytes", 0, 0))
        loaded, self.loaded = self.loaded, b""
        if piece.ignored:
            return answers.done(DONE, FAILED)
        return answers.done(DONE, COUNTED, 0xF0, loaded.count(b"\xd1"))


# ── the session ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Halves:
    """The two halves as one session."""

    def __init__(self, opening: Opening) -> None:
        self.view = View()
        self.conversation = Conversation(opening, self.view, count(1), companion="shop", packet_size=4096)
        self.responses = Responses(self.conversation)
        self.conversation.responses = self.responses
        self.requests = Requests(self.conversation)
        self.lane = Lane(self.conversation, self.requests, self.responses)

    def receive(self, side: Side, data: bytes) -> Sequence[Output]:
        try:
            if side == CLIENT:
                return self.requests.receive(data)
            return [*self.responses.receive(data), *self.requests.go_on()]
        except Malformed as error:
            return [Close(str(error))]

    def answer(self, number: int, answer: Answer) -> Sequence[Output]:
        return [*self.conversation.answer(number, answer), *self.requests.go_on()]

    def looked_up(self, number: int, reply: object) -> Sequence[Output]:
        if number == self.conversation.texts.waiting:
            self.conversation.texts.answered(reply)
        elif number == self.conversation.refreshing:
            self.conversation.refreshed()
        return self.requests.go_on()

    def interrupted(self, reason: str = "") -> Sequence[Output]:
        self.responses.explain_cancel(reason)
        return [*self.conversation.interrupt(reason), *self.requests.go_on()]

    def receive_eof(self, side: Side) -> Sequence[Output]:
        del side
        return [*self.conversation.left(), Close("the client left")]

    def reconsider(self) -> Sequence[Output]:
        self.conversation.reconsider()
        return []

    def terminate(self, reason: str) -> Sequence[Output]:
        return [*self.conversation.left(), Close(reason)]

    def backlog(self, side: Side) -> int:
        return self.requests.backlog if side == CLIENT else 0

    @property
    def idle(self) -> bool:
        return not self.conversation.busy

    def repeated(self, data: bytes) -> Again | None:
        return self.lane.client(data)

    def granted(self) -> bytes | None:
        return self.lane.granted()

    def answered(self, data: bytes) -> Again | None:
        return self.lane.answered(data)

    def dial_failed(self, side: Side, reason: str) -> Sequence[Output]:
        del side, reason
        return []

    def adopted(self, side: Side, state: object) -> Sequence[Output]:
        del side, state
        return []

    def tls_started(self, side: Side, alpn: str | None, certificate: bytes) -> Sequence[Output]:
        del side, alpn, certificate
        return []


class View:
    catalog = CATALOG

    def __init__(self) -> None:
        self.changing = Changing()


def _default() -> Opening:
    return opening()


@dataclass
class Talk:
    """A conversation under play. `rule` answers asks; None leaves one open, for `answer`. `short`: see `Playbook`."""

    rule: Callable[[Ask], Answer | None]
    server: TinyServer = field(default_factory=TinyServer)
    cut: Callable[[bytes], Sequence[bytes]] = lambda data: [data]
    isolate: Callable[[Isolate], object] = lambda order: order.task(order.context)
    opening: Opening = field(default_factory=_default)
    short: bool = False

    def __post_init__(self) -> None:
        self.halves = Halves(self.opening)
        self.play = Playbook(
            self.halves, self.rule, self.server, lambda _lookup: None, self.cut, self.isolate, short=self.short
        )

    @property
    def conversation(self) -> Conversation:
        return self.halves.conversation

    def client(self, *messages: bytes) -> None:
        for message in messages:
            self.play.client(message)

    def events(self, kind: type[Output]) -> list[Output]:
        return [one for one in self.play.events if isinstance(one, kind)]

    @property
    def heard(self) -> list[str]:
        """What the client was told so far, a word or two for each token; `|` ends a message."""
        return list(_told(bytes(self.play.to_client)))

    def since(self) -> list[str]:
        """What the client was told since this was asked last."""
        heard = self.heard
        new, self._told = heard[self._told :], len(heard)
        return new

    _told: int = 0


def _told(data: bytes) -> Iterator[str]:
    packets = MessageReader(1 << 26)
    packets.feed(data)
    reader = TokenReader()
    while (packet := packets.packets.take()) is not None:
        reader.feed(packet.payload)
        while (token := reader.take()) is not None:
            yield _word(token)
        if packet.last:
            reader.finish()
            reader = TokenReader()
            yield "|"
    assert not packets.packets.buffered, "half a packet"


def _word(token: Token) -> str:
    match token:
        case Error():
            return f"error {token.number}: {token.message}"
        case Info():
            return f"info: {token.message}"
        case EnvChange():
            return f"change {token.type}"
        case Done():
            bits = {FAILED: "failed", CANCELLED: "cancelled", MORE: "more"}
            told = [word for bit, word in bits.items() if token.status & bit]
            counted = [f"{token.rows} rows"] if token.counted else []
            return " ".join(
                [{DONE: "done", DONE_PROC: "doneproc", DONE_IN_PROC: "doneinproc"}[token.kind], *told, *counted]
            )
        case _:
            return type(token).__name__


def opening(**limits: int) -> Opening:
    resource = Resource("sql-prod", "mssql", Address("127.0.0.1", 1433), ("shop",))
    return Opening("s1", resource, lambda size: b"\x07" * size, limits=Limits(**limits))


@contextmanager
def meaning() -> Iterator[None]:
    """Classify texts by `means` instead of reading them."""

    def classify(text: str, *_args: object, **_named: object) -> Classified:
        return means(text)

    def called(name: Sequence[str], *_args: object, **_named: object) -> Classified:
        return Classified("EXEC", (Effect(Action.EXECUTE, Object(("shop", "dbo", name[-1]), "procedure")),))

    with (
        mock.patch("blastwall.protocols.tds.elsewhere.classify", classify),
        mock.patch("blastwall.sql.tsql.isolated.classify", classify),
        mock.patch("blastwall.protocols.tds.calls.call", called),
    ):
        yield
