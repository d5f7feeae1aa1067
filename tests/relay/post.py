"""A protocol whose every request says for which host it is and by whom: `HOST PROOF TEXT`, answered by one line.

Its upstreams hold no state between requests: one is dialled when it is needed, and again where it was closed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic import BaseModel
from tests.relay.toy import Toy

from blastwall.model.credential import Credential
from blastwall.model.effects import Action, Effect, Object
from blastwall.model.statement import Statement
from blastwall.protocols.again import Again, Repeating
from blastwall.protocols.contract import (
    CLIENT,
    UPSTREAM,
    Admit,
    Admitted,
    Allow,
    Answer,
    Arrival,
    Ask,
    AskWhole,
    Close,
    Deny,
    Dial,
    Finished,
    Handover,
    Held,
    Login,
    Opening,
    Output,
    Proof,
    Reception,
    Send,
    Side,
    StartTls,
    Stranger,
    Unproven,
    Withdraw,
)


class PostSession(Repeating):
    """One request at a time."""

    def __init__(self, opening: Opening) -> None:
        self.opening = opening
        self._buffer = bytearray()
        self._line = b""
        self._number = 0
        self._waiting = 0
        self._running = 0
        self._proof: bytes | None = None
        self._asked: bytes = b""
        self._credential: Credential | None = None
        self._dialled = self._ended = self._over = False

    def backlog(self, side: Side) -> int:
        return len(self._buffer) if side == CLIENT else 0

    @property
    def idle(self) -> bool:
        return not self._waiting and not self._running

    def repeated(self, data: bytes) -> Again | None:
        return None

    def granted(self) -> bytes | None:
        return None

    def answered(self, data: bytes) -> Again | None:
        return None

    def receive(self, side: Side, data: bytes) -> Sequence[Output]:
        if self._over:
            return []
        if side != CLIENT:
            return self._reply(data)
        if not self.opening.secured and data[:1] == b"\x16":
            return [StartTls(CLIENT, ("post",), data)]
        self._buffer += data
        return self._next()

    def _next(self) -> list[Output]:
        end = self._buffer.find(b"\n")
        if not self.idle or end < 0:
            return self._close("the client left") if self._ended and self.idle else []
        self._line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        host, proof, _ = self._line.split(b" ", 2)
        where = self.opening.reached(host.decode())
        if not where:
            return [Send(CLIENT, b"421 nobody here\n"), *self._next()]
        if where != self.opening.resource.name:
            return self._hand_over()
        if proof == self._proof:
            return self._state()
        self._asked = proof
        return [self._ask(Login("post", proof, "shop") if self._proof is None else Proof(proof))]

    def _hand_over(self) -> list[Output]:
        self._over = True
        return [Handover(self._line.split(b" ")[0].decode(), self._line + bytes(self._buffer))]

    def _state(self) -> list[Output]:
        text = self._line.split(b" ", 2)[2].decode().strip()
        effect = Effect(Action.READ, Object(("shop", "public", "lines"), "table"))
        return [self._ask(Statement(text, (effect,), text.split(" ")[0], "shop"))]

    def _ask(self, question: Login | Proof | Statement) -> Ask:
        self._number += 1
        self._waiting = self._number
        return Ask(self._number, question)

    def answer(self, number: int, answer: Answer) -> Sequence[Output]:
        if number != self._waiting or self._over:
            return []
        if isinstance(answer, Held):
            return []
        self._waiting = 0
        match answer:
            case Admit():
                first, self._proof = self._proof is None, self._asked
                self._credential = answer.upstream
                return [*([Admitted()] if first else []), *self._state()]
            case Allow():
                self._credential = answer.upstream or self._credential
                return self._pass_on(number)
            case Stranger():
                return self._hand_over()
            case Unproven():
                return [Send(CLIENT, b"401 " + answer.reason.encode() + b"\n"), *self._next()]
            case Deny():
                return [Send(CLIENT, b"403 " + answer.reason.encode() + b"\n"), *self._next()]
            case AskWhole():
                raise AssertionError("nothing is repeated")

    def _pass_on(self, number: int) -> list[Output]:
        assert self._credential is not None
        self._running = number
        dial = [] if self._dialled else [Dial(UPSTREAM, self.opening.resource.upstream)]
        self._dialled = True
        text = self._line.split(b" ", 2)[2]
        return [*dial, Send(UPSTREAM, b"by " + self._credential.secret + b": " + text)]

    def _reply(self, data: bytes) -> list[Output]:
        outputs: list[Output] = [Send(CLIENT, data)]
        if data.endswith(b"\n") and self._running:
            outputs.append(Finished(self._running, 1, None, len(data)))
            self._running = 0
            outputs += self._next()
        return outputs

    def receive_eof(self, side: Side) -> Sequence[Output]:
        if side != CLIENT:
            self._dialled = False
            return self._close("the resource hung up during an answer") if self._running else []
        self._ended = True
        return self._close("the client left") if self.idle and not self._buffer else []

    def dial_failed(self, side: Side, reason: str) -> Sequence[Output]:
        self._dialled = False
        number, self._running = self._running, 0
        return [Send(CLIENT, f"502 {reason}\n".encode()), Finished(number, 0, None, 0, reason), *self._next()]

    def adopted(self, side: Side, state: object) -> Sequence[Output]:
        raise AssertionError("nothing is adopted")

    def tls_started(self, side: Side, alpn: str | None, certificate: bytes) -> Sequence[Output]:
        return []

    def looked_up(self, number: int, reply: object) -> Sequence[Output]:
        raise AssertionError("nothing is looked up")

    def interrupted(self, reason: str = "") -> Sequence[Output]:
        return [Send(CLIENT, f"504 {reason}\n".encode()), *self._close(reason)] if self._running else []

    def reconsider(self) -> Sequence[Output]:
        return []

    def terminate(self, reason: str) -> Sequence[Output]:
        return [Send(CLIENT, f"BYE {reason}\n".encode()), *self._close(reason)]

    def _close(self, reason: str) -> list[Output]:
        if self._over:
            return []
        self._over = True
        waiting: list[Output] = [Withdraw(self._waiting)] if self._waiting else []
        return [*waiting, Close(reason)]


class PostReception:
    """Waits for one line, and hands it on."""

    def __init__(self, arrival: Arrival) -> None:
        self._arrival = arrival
        self._data = b""

    def receive(self, side: Side, data: bytes) -> Sequence[Output]:
        if not self._data and data[:1] == b"\x16":
            return [StartTls(CLIENT, ("post",), data)]
        self._data += data
        if b"\n" not in self._data:
            return []
        host = self._data.split(b" ")[0].decode()
        if not self._arrival.reached(host):
            return [Send(CLIENT, b"421 nobody here\n"), Close("unknown host")]
        return [Handover(host, self._data)]

    def receive_eof(self, side: Side) -> Sequence[Output]:
        return [Close("the client left")]

    def tls_started(self, side: Side, alpn: str | None, certificate: bytes) -> Sequence[Output]:
        return []

    def terminate(self, reason: str) -> Sequence[Output]:
        return [Send(CLIENT, f"BYE {reason}\n".encode()), Close(reason)]


class Post(Toy):
    """The protocol's kind."""

    kind = "post"
    proves_each = True

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[PostSession] = []

    @property
    def reception(self) -> Callable[[Arrival], Reception]:
        return PostReception

    def credential_fault(self, settings: BaseModel, *, user: bool, token: bool) -> str:
        return ""

    def session(self, opening: Opening) -> PostSession:
        self.opened.append(PostSession(opening))
        return self.opened[-1]
