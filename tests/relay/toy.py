"""A small line protocol for testing the relay with real sockets: its session, its companion, its server, its client."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from importlib.resources.abc import Traversable
from typing import Literal, cast

from pydantic import BaseModel
from tests.waiting import SOON

from blastwall.model.credential import Credential
from blastwall.model.effects import Action, Effect, Object
from blastwall.model.resource import Address, Resource, TlsMode
from blastwall.model.statement import Statement
from blastwall.protocols.again import Again, Repeating
from blastwall.protocols.contract import (
    CLIENT,
    UPSTREAM,
    Admit,
    Admitted,
    Adopt,
    Allow,
    Answer,
    Answered,
    Arrival,
    Ask,
    AskWhole,
    Claim,
    Close,
    Deny,
    Dial,
    Finished,
    Hangup,
    Held,
    Interrupt,
    Later,
    Login,
    Lookup,
    Opening,
    Output,
    Park,
    ProtocolSession,
    Reception,
    Repeat,
    Send,
    Side,
    StartTls,
    Vacate,
    Withdraw,
)
from blastwall.protocols.kind import ClientAddress, Forwarder
from blastwall.protocols.standing import Standing


class ToySession(Repeating):
    """Lines. `LOGIN proof`, then statements one at a time; a statement's answer is one line of the server's."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._buffer = bytearray()
        self._upstream = bytearray()
        self._number = 0
        self._waiting: int | None = None
        self._running: int | None = None
        self._state = "start"
        self._key = opening.entropy(8).hex()
        self._secret = b""
        self._statement = b""
        self.reconsidered = 0
        self._standing: dict[bytes, Standing] = {}
        self._again: Again | None = None
        self.short = 0
        """How often a line was repeated the short way."""

    def backlog(self, side: Side) -> int:
        return len(self._buffer) if side == CLIENT else 0

    @property
    def idle(self) -> bool:
        return self._waiting is None and self._running is None

    def repeated(self, data: bytes) -> Again | None:
        standing = self._standing.get(data)
        if standing is None or self._state != "ready" or not self.idle or self._buffer:
            return None
        if data.startswith(b"select CRASH"):
            raise RuntimeError("a bug")
        self.short += 1
        self._statement = data[:-1]
        self._again = Again(self._ask(Repeat(standing)).number, standing)
        return self._again

    def granted(self) -> bytes | None:
        if self._waiting is None or self._buffer:
            return None
        self._running, self._waiting = self._waiting, None
        return self._statement + b"\n"

    def answered(self, data: bytes) -> Again | None:
        if self._running is None or self._buffer or data.find(b"\n") != len(data) - 1:
            return None
        if self._again is None or self._again.number != self._running:
            return None
        self._running = None
        self._again.rows, self._again.size = 1, len(data)
        return self._again

    def receive(self, side: Side, data: bytes) -> Sequence[Output]:
        if side != CLIENT:
            return self._receive_upstream(data)
        if self._state == "start" and data[:1] == b"\x16":
            self._state = "tls"
            return [StartTls(CLIENT, ("toy",), data)]
        self._buffer += data
        return self._lines()

    def _lines(self) -> list[Output]:
        outputs: list[Output] = []
        while self._waiting is None and self._running is None and self._state != "dialling":
            end = self._buffer.find(b"\n")
            if end < 0:
                if len(self._buffer) > self._opening.limits.startup and self._state != "ready":
                    outputs.append(Close("the login is too long"))
                break
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            outputs += self._line(line)
            if self._state == "over":
                break
        return outputs

    def _line(self, line: bytes) -> list[Output]:
        word, _, rest = line.partition(b" ")
        match self._state, word:
            case "start", b"STARTTLS":
                if self._buffer:
                    return self._over("plain text before TLS")
                self._state = "tls"
                return [Send(CLIENT, b"OK\n"), StartTls(CLIENT)]
            case "start" | "tls", b"CANCEL":
                return [Interrupt(rest), *self._over("cancel sent")]
            case "start" | "tls", b"LOGIN":
                return [self._ask(Login("toy", rest, "shop"))]
            case "ready", b"LOOKUP":
                self._number += 1
                self._waiting = self._number
                return [Lookup(self._number, "side", rest.decode())]
            case "ready", b"LEAVE":
                self._state = "over"
                parked = Park(UPSTREAM, "alike", rest.decode(), b"GOODBYE\n", "shop")
                return [parked, Close("the client ended the session")]
            case "ready", b"VACATE" | b"MENTION":
                return self._beside(word, rest)
            case "ready", b"CRASH":
                raise RuntimeError("a bug")
            case "ready", _:
                self._statement = line
                effect = Effect(Action.READ, Object(("shop", "public", "lines"), "table"))
                return [self._ask(Statement(line.decode(), (effect,), word.decode(), "shop"))]
        return self._over(f"unreadable in state {self._state}")

    def _beside(self, word: bytes, rest: bytes) -> list[Output]:
        """Have a place left, or say something to the resource over a connection of its own."""
        if word == b"VACATE":
            return [Vacate(rest.decode()), Send(CLIENT, b"VACATED\n")]
        return [Dial(Side(2), self._opening.resource.upstream, brief=True), Send(Side(2), rest + b"\n")]

    def _ask(self, question: Login | Statement | Repeat) -> Ask:
        self._number += 1
        self._waiting = self._number
        return Ask(self._number, question)

    def answer(self, number: int, answer: Answer) -> Sequence[Output]:
        if number != self._waiting:
            return []
        if isinstance(answer, Held):
            return [Send(CLIENT, f"NOTICE {answer.notice}\n".encode())]
        self._waiting = None
        if isinstance(answer, Admit):
            return self._dial(answer)
        if isinstance(answer, AskWhole):
            return self._line(self._statement)
        if isinstance(answer, Allow):
            if answer.standing is not None:
                self._standing[self._statement + b"\n"] = answer.standing
            self._running = number
            return [Send(UPSTREAM, memoryview(self._statement + b"\n"))]
        assert isinstance(answer, Deny)
        refusal = Send(CLIENT, f"ERR {answer.reason}\n".encode())
        if self._state != "ready":
            return [refusal, *self._over("refused")]
        return [refusal, *self._lines()]

    def _dial(self, admit: Admit) -> list[Output]:
        self._state = "dialling"
        self._secret = b"AUTH " + admit.upstream.secret + b" " + admit.label.encode() + b"\n"
        return [Adopt(UPSTREAM, "alike")] if self._opening.warm else self._connect()

    def _connect(self) -> list[Output]:
        target = self._opening.resource.upstream
        if target.tls is TlsMode.DISABLE:
            return [Dial(UPSTREAM, target), Send(UPSTREAM, self._secret)]
        return [Dial(UPSTREAM, target), Send(UPSTREAM, b"STARTTLS\n")]

    def adopted(self, side: Side, state: object) -> Sequence[Output]:
        if state is None:
            return self._connect()
        self._state = "ready"
        welcome = f"READY {self._key} WARM {state}\n".encode()
        return [Claim(self._key.encode()), Admitted(), Send(CLIENT, welcome), *self._lines()]

    def tls_started(self, side: Side, alpn: str | None, certificate: bytes) -> Sequence[Output]:
        if side == CLIENT:
            return []
        assert certificate
        return [Send(UPSTREAM, self._secret)]

    def _receive_upstream(self, data: bytes) -> list[Output]:
        outputs: list[Output] = []
        if self._state == "ready":
            end = data.find(b"\n")
            outputs.append(Send(CLIENT, memoryview(data)))
            if end >= 0 and self._running is not None:
                outputs.append(Finished(self._running, 1, None, len(data)))
                self._running = None
                outputs += self._lines()
            return outputs
        self._upstream += data
        while (end := self._upstream.find(b"\n")) >= 0:
            line = bytes(self._upstream[:end])
            del self._upstream[: end + 1]
            if line == b"TLS":
                outputs.append(StartTls(UPSTREAM))
            elif line == b"READY":
                self._state = "ready"
                outputs += [Claim(self._key.encode()), Admitted(), Send(CLIENT, f"READY {self._key}\n".encode())]
                outputs += self._lines()
        return outputs

    def receive_eof(self, side: Side) -> Sequence[Output]:
        if side == CLIENT:
            gone: list[Output] = [] if self._waiting is None else [Withdraw(self._waiting)]
            return [*gone, *self._over("the client left")]
        if side != UPSTREAM:
            return [Hangup(side), Send(CLIENT, b"MENTIONED\n")]
        return self.terminate("the resource hung up")

    def dial_failed(self, side: Side, reason: str) -> Sequence[Output]:
        return self.terminate(reason)

    def looked_up(self, number: int, reply: object) -> Sequence[Output]:
        self._waiting = None
        return [Send(CLIENT, f"{type(reply).__name__} {reply}\n".encode()), *self._lines()]

    def interrupted(self, reason: str = "") -> Sequence[Output]:
        return [] if self._running is None else [Send(UPSTREAM, b"!\n")]

    def reconsider(self) -> Sequence[Output]:
        return [Send(CLIENT, b"RECONSIDER\n")]

    def terminate(self, reason: str) -> Sequence[Output]:
        return [Send(CLIENT, f"BYE {reason}\n".encode()), *self._over(reason)]

    def _over(self, reason: str) -> list[Output]:
        self._state = "over"
        return [Close(reason)]


class ToyCompanion:
    """Asks the server one line for each question; `N slices`, and `endless slices` until `enough`, take many turns."""

    def __init__(self, opening: Opening, credential: Credential, enough: Callable[[], bool]) -> None:
        self._opening = opening
        self._enough = enough
        self._credential = credential
        self._ready = False
        self._asked: deque[tuple[int, Hashable]] = deque()
        self._reading: deque[int] = deque()
        self.again: Hashable | None = None
        """The last question with "watched" in it."""

    @property
    def place(self) -> str:
        return "shop"

    def start(self) -> Sequence[Output]:
        target = self._opening.resource.upstream
        return [Dial(UPSTREAM, target), Send(UPSTREAM, b"AUTH " + self._credential.secret + b" side\n")]

    def look_up(self, number: int, question: Hashable) -> Sequence[Output]:
        if not self._ready:
            self._asked.append((number, question))
            return []
        if "watched" in str(question):
            self.again = question
        self._reading.append(number)
        return [Send(UPSTREAM, f"{question}\n".encode())]

    def receive(self, side: Side, data: bytes) -> Sequence[Output]:
        outputs: list[Output] = []
        for line in data.decode().splitlines():
            if line == "READY":
                self._ready = True
                while self._asked:
                    outputs += self.look_up(*self._asked.popleft())
            elif line.endswith("slices"):
                outputs += self._slice(line, line.split()[-2])
            else:
                outputs.append(Answered(self._reading.popleft(), line))
        return outputs

    def _slice(self, line: str, left: str) -> Sequence[Output]:
        if left == "endless" and not self._enough():
            return [Later(partial(self._slice, line, left))]
        if left.isdigit() and left != "0":
            return [Later(partial(self._slice, line, str(int(left) - 1)))]
        return [Answered(self._reading.popleft(), line)]

    def receive_eof(self, side: Side) -> Sequence[Output]:
        return [Close("the resource hung up")]

    def dial_failed(self, side: Side, reason: str) -> Sequence[Output]:
        return [Close(reason)]

    def tls_started(self, side: Side, alpn: str | None, certificate: bytes) -> Sequence[Output]:
        return []


class ToySettings(BaseModel):
    pass


class Toy:
    """The protocol's kind."""

    kind = "toy"
    port = 7
    plane = "data"
    scope = ""
    proves_each = False
    masked_by: Literal["columns", "fields"] = "columns"
    settings = ToySettings
    pack: Traversable | None = None

    def __init__(self) -> None:
        self.sessions: list[ToySession] = []
        self.enough = False
        """Whether a companion's endless work is over."""

    @property
    def reception(self) -> Callable[[Arrival], Reception] | None:
        return None

    def credential_fault(self, settings: BaseModel, *, user: bool, token: bool) -> str:
        return ""

    def session(self, opening: Opening) -> ProtocolSession:
        self.sessions.append(ToySession(opening))
        return self.sessions[-1]

    def companion(self, opening: Opening, credential: Credential, name: str) -> ToyCompanion | None:
        return ToyCompanion(opening, credential, lambda: self.enough) if name == "side" else None

    def environment(self, address: ClientAddress) -> Mapping[str, str]:
        return {}

    def estimate(self, database: str, effects: Sequence[Effect]) -> None:
        return None

    def auditor(self, opening: Opening, credential: Credential, database: str) -> None:
        return None

    strays: frozenset[str] = frozenset()

    def forwarder(self, gateway: Address) -> Forwarder:
        raise NotImplementedError

    def socket_name(self, port: int) -> str:
        raise NotImplementedError

    def classify(self, text: str, database: str, resource: Resource) -> Sequence[Statement]:
        return ()

    def command(self, address: ClientAddress) -> Sequence[str]:
        return ()


class ToyServer:
    """The resource: answers each line with `= line`, `sleep` never, `bulk N` with N bytes; `!` cancels a sleep."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._context = context
        self.lines: list[str] = []
        self.connections = 0
        self.open = 0
        self.deaf = False
        self.silent = False
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> ToyServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()

    def hang_up(self, connection: int | None = None) -> None:
        """Close all connections, or one by its place in their order."""
        for writer in self._writers if connection is None else [self._writers[connection]]:
            writer.close()

    def say(self, data: bytes, connection: int | None = None) -> None:
        """Send what nobody asked for to all, or to one by its place in their order."""
        for writer in self._writers if connection is None else [self._writers[connection]]:
            writer.write(data)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self._writers.append(writer)
        try:
            await self._converse(reader, writer)
        except OSError:
            pass
        finally:
            self.open -= 1
            self._writers.remove(writer)
            writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            if self.deaf and self.lines:
                await asyncio.sleep(0.02)
                continue
            line = (await reader.readline()).decode().strip()
            if not line:
                return
            self.lines.append(line)
            if line == "STARTTLS":
                writer.write(b"TLS\n")
                assert self._context is not None
                try:
                    await writer.start_tls(self._context)
                except (OSError, ssl.SSLError):
                    return
            elif not self.silent:
                writer.write(_reply(line))
                await writer.drain()


def _reply(line: str) -> bytes:
    word, _, rest = line.partition(" ")
    match word:
        case "AUTH":
            return b"READY\n"
        case "sleep":
            return b""
        case "!":
            return b"= cancelled\n"
        case "bulk":
            return b"x" * int(rest) + b"\n"
        case "by" if " bulk " in rest:
            return b"x" * int(rest.rpartition(" ")[2]) + b"\n"
        case _:
            return f"= {line}\n".encode()


class ToyClient:
    """A client over a real socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.key = ""

    @classmethod
    async def connect(cls, port: int) -> ToyClient:
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 22))

    async def log_in(self, proof: str = "good") -> str:
        ready = await self.ask(f"LOGIN {proof}")
        self.key = ready.partition(" ")[2]
        return ready

    def send(self, line: str) -> None:
        self.writer.write(line.encode() + b"\n")

    async def pour(self, data: bytes, most: int = 1 << 30) -> None:
        """Write `data` again and again, until nobody takes it for half a second."""
        for _ in range(most // len(data)):
            self.writer.write(data)
            if not await self._taken():
                return

    async def _taken(self) -> bool:
        """Wait until there is room for more; False where nobody took anything for half a second."""
        while True:
            waiting = self.transport.get_write_buffer_size()
            try:
                async with asyncio.timeout(0.5):
                    await self.writer.drain()
                return True
            except TimeoutError:
                if self.transport.get_write_buffer_size() >= waiting:
                    return False

    @property
    def transport(self) -> asyncio.Transport:
        transport = self.writer.transport
        return cast("asyncio.Transport", transport)

    async def read(self) -> str:
        async with asyncio.timeout(SOON):
            return (await self.reader.readline()).decode().rstrip("\n")

    async def ask(self, line: str) -> str:
        self.send(line)
        return await self.read()

    async def at_end(self) -> bool:
        """Whether the gateway has closed, and sent nothing more."""
        async with asyncio.timeout(SOON):
            try:
                return await self.reader.read(1) == b""
            except ConnectionError:
                return True

    def reset(self) -> None:
        """Break off, as a host that crashed: what was not yet sent is thrown away."""
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def abort(self) -> None:
        self.writer.transport.abort()


Predicate = Callable[[], bool]


async def eventually(condition: Predicate, seconds: float = SOON) -> None:
    """Wait until something holds; fail where it does not in time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0.005)
