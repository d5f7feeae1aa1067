"""One client connection: from its first byte through both handshakes to its end.

    phase      what is fed
    STARTING   the client's handshake; its end raises Ask(Login)
    ASKED      nothing: the gate verifies, fetches the credential, answers Admit or Deny
    ENTERING   the server's handshake and the first look at the catalog, side by side
    TALKING    `requests` and `responses`
    CLOSED     nothing any more

The client hears LOGINACK only when the gate has admitted it and the resource has let the gateway in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum, auto
from itertools import count

from blastwall.masking.plan import DetectorFailed
from blastwall.protocols.again import Again, Repeating
from blastwall.protocols.contract import (
    CLIENT,
    UPSTREAM,
    Admit,
    Admitted,
    Answer,
    Ask,
    Close,
    Deny,
    Lookup,
    Opening,
    Output,
    Send,
    Side,
    Withdraw,
)
from blastwall.protocols.reaching import CatalogUnavailable, HandshakeFailed, companion_name
from blastwall.protocols.tds.attention import ATTENTION
from blastwall.protocols.tds.catalog import KNOWN, View
from blastwall.protocols.tds.client_handshake import ClientHandshake
from blastwall.protocols.tds.conversation import Conversation
from blastwall.protocols.tds.hosts import ServerLogin
from blastwall.protocols.tds.lane import Lane
from blastwall.protocols.tds.login_answer import login_answer
from blastwall.protocols.tds.login_errors import (
    CANNOT_OPEN_DATABASE,
    LIMIT_REACHED,
    LOGIN_FAILED,
    SHUTTING_DOWN,
    UNAVAILABLE,
    last_error,
    refuse_login,
)
from blastwall.protocols.tds.login_wishes import wish_of
from blastwall.protocols.tds.requests import Requests
from blastwall.protocols.tds.responses import Responses
from blastwall.wire.reader import Malformed


class _Phase(Enum):
    STARTING = auto()
    ASKED = auto()
    ENTERING = auto()
    TALKING = auto()
    CLOSED = auto()


_QUIET = "the gateway could not log in there; the gateway's log says why"


class TdsSession(Repeating):
    """Implements `ProtocolSession`."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._phase = _Phase.STARTING
        self._numbers: Iterator[int] = count(1)
        self._client = ClientHandshake(opening)
        self._early = b""
        self._login = 0
        self._look_up = 0
        self._server: ServerLogin | None = None
        self._view: View | None = None
        self._conversation: Conversation | None = None
        self._requests: Requests | None = None
        self._responses: Responses | None = None
        self._lane: Lane | None = None

    # ── contract ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def backlog(self, side: Side) -> int:
        if side == CLIENT:
            return len(self._early) + (self._requests.backlog if self._requests else 0)
        return self._responses.backlog if self._responses else 0

    @property
    def idle(self) -> bool:
        talk = self._conversation
        if talk is None or self._requests is None:
            return self._phase is _Phase.STARTING
        return not talk.busy and not talk.descriptor and talk.loading is None and not len(self._requests)

    def receive(self, side: Side, data: bytes) -> Sequence[Output]:
        if self._phase is _Phase.CLOSED:
            return []
        try:
            return self._ended(self._receive_client(data) if side == CLIENT else self._receive_server(data))
        except Malformed as error:
            return self._fatal(LOGIN_FAILED, f"{'the client' if side == CLIENT else 'the server'} sent {error}")
        except HandshakeFailed as error:
            return self._not_let_in(error)
        except DetectorFailed as error:
            return self._fatal(UNAVAILABLE, f"the result is closed, since it cannot be masked: {error}")

    def repeated(self, data: bytes) -> Again | None:
        known = self._phase is _Phase.TALKING and self._view is not None and self._view.known
        return self._lane.client(data) if self._lane is not None and known else None

    def granted(self) -> bytes | None:
        return self._lane.granted() if self._lane is not None else None

    def answered(self, data: bytes) -> Again | None:
        again = self._lane.answered(data) if self._lane is not None and self._phase is _Phase.TALKING else None
        if again is not None:
            again.more = self._freshen(list(again.more))
        return again

    def receive_eof(self, side: Side) -> Sequence[Output]:
        if self._phase is _Phase.CLOSED:
            return []
        if side != CLIENT and self._responses is not None and self._responses.farewell:
            return self._ended([*self._withdrawals(), Close("the resource ended the session")])
        if side != CLIENT:
            return self._host_failed("the connection was lost")
        return self._ended([*self._withdrawals(), *self._stop(), Close("the client left")])

    def dial_failed(self, side: Side, reason: str) -> Sequence[Output]:
        return [] if self._phase is _Phase.CLOSED else self._host_failed(reason)

    def adopted(self, side: Side, state: object) -> Sequence[Output]:
        """Nothing is parked."""
        return []

    def tls_started(self, side: Side, alpn: str | None, certificate: bytes) -> Sequence[Output]:
        if self._phase is _Phase.CLOSED:
            return []
        if side == CLIENT:
            return self._ended(self._client.tls_started(alpn))
        try:
            return self._server.tls_started(alpn) if self._server is not None else []
        except HandshakeFailed as failure:
            return self._not_let_in(failure)

    def answer(self, number: int, answer: Answer) -> Sequence[Output]:
        if self._phase is _Phase.CLOSED:
            return []
        if number == self._login and self._phase is _Phase.ASKED:
            return self._ended(self._login_answer(answer))
        if self._conversation is None:
            return []
        outputs = self._conversation.answer(number, answer)
        return self._go_on(outputs)

    def looked_up(self, number: int, reply: object) -> Sequence[Output]:
        if self._phase is _Phase.CLOSED:
            return []
        talk = self._conversation
        if talk is not None and number == talk.texts.waiting:
            talk.texts.answered(reply)
            return self._go_on([])
        if isinstance(reply, Exception) or not isinstance(reply, View):
            return self._blind(reply)
        if number == self._look_up:
            self._view = reply
            try:
                return self._enter([])
            except Malformed as error:
                return self._fatal(LOGIN_FAILED, f"the server sent {error}")
        if talk is None or number != talk.refreshing:
            return []
        talk.refreshed()
        return self._go_on([])

    def interrupted(self, reason: str = "") -> Sequence[Output]:
        talk = self._conversation
        if talk is None or self._responses is None or self._phase is not _Phase.TALKING:
            return []
        told = reason or "the statement was cancelled"
        if talk.running is not None:
            self._responses.explain_cancel(told)
        return self._go_on(talk.interrupt(told))

    def reconsider(self) -> Sequence[Output]:
        if self._conversation is not None:
            self._conversation.reconsider()
        return []

    def terminate(self, reason: str) -> Sequence[Output]:
        return [] if self._phase is _Phase.CLOSED else self._fatal(SHUTTING_DOWN, reason)

    # ── the start ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _receive_client(self, data: bytes) -> list[Output]:
        if self._requests is not None:
            outputs = self._freshen([])
            return outputs + self._requests.receive(data)
        if self._phase is not _Phase.STARTING:
            self._early += data
            if len(self._early) > self._opening.limits.startup:
                raise Malformed("more than may wait while the session is being opened")
            return []
        outputs = self._client.receive(data)
        if self._client.login is not None:
            self._phase = _Phase.ASKED
            self._early = self._client.rest()
            self._login = next(self._numbers)
            outputs.append(Ask(self._login, self._client.login))
        return outputs

    def _login_answer(self, answer: Answer) -> list[Output]:
        if isinstance(answer, Deny):
            return refuse_login(LIMIT_REACHED, answer.reason) if answer.retry else self._client.refused(answer.reason)
        login7, login = self._client.login7, self._client.login
        if not isinstance(answer, Admit) or login7 is None or login is None:
            return self._client.refused("the login was not admitted")
        resource = self._opening.resource
        if login.target not in resource.databases:
            told = f'database "{login.target}" is not one that {resource.name} gives access to'
            return refuse_login(CANNOT_OPEN_DATABASE, told)
        self._phase = _Phase.ENTERING
        wish = wish_of(login7, login.target, answer.label)
        self._server = ServerLogin(UPSTREAM, resource, answer.upstream, wish)
        dialled = self._server.start()
        return dialled if len(resource.hosts) > 1 else [*dialled, self._first_look(login.target, self._server)]

    def _first_look(self, database: str, server: ServerLogin) -> Lookup:
        """Ask for the catalog: beside the login where there is one host, else once it is known which."""
        self._look_up = next(self._numbers)
        return Lookup(self._look_up, companion_name(self._opening.resource, database, server.host), KNOWN)

    def _receive_server(self, data: bytes) -> list[Output]:
        if self._responses is not None and self._requests is not None:
            outputs = self._responses.receive(data)
            return self._freshen(outputs) + self._requests.go_on()
        if self._server is None:
            raise Malformed("bytes before it was asked")
        if self._server.ready:
            raise Malformed("bytes that are not owed")
        outputs = self._server.receive(data)
        if self._server.ready and self._server.buffered:
            raise Malformed("bytes that are not owed")
        return self._enter(outputs)

    def _enter(self, outputs: list[Output]) -> list[Output]:
        """Let the client in once the server is ready and the catalog is known."""
        server, view, login7, login = self._server, self._view, self._client.login7, self._client.login
        if server is None or not server.ready or login7 is None or login is None:
            return outputs
        if view is None:
            return outputs if self._look_up else [*outputs, self._first_look(login.target, server)]
        companion = companion_name(self._opening.resource, login.target, server.host)
        size = server.welcome.packet_size
        talk = Conversation(self._opening, view, self._numbers, companion=companion, packet_size=size)
        self._conversation = talk
        self._requests, self._responses = Requests(talk), Responses(talk)
        self._lane = Lane(talk, self._requests, self._responses)
        welcome = login_answer(server.welcome, login7, by_token=self._client.by_token)
        self._client.forget_proof()
        self._phase = _Phase.TALKING
        outputs += [Admitted(), Send(CLIENT, welcome)]
        early, self._early = self._early, b""
        try:
            return outputs + self._requests.receive(early)
        except Malformed as error:
            return outputs + self._fatal(LOGIN_FAILED, f"the client sent {error}")

    def _freshen(self, outputs: list[Output]) -> list[Output]:
        """Have the catalog read again before anything else is judged, where it was forgotten."""
        talk, view = self._conversation, self._view
        if talk is not None and view is not None and not view.known and not talk.busy:
            talk.refresh(outputs)
        return outputs

    def _go_on(self, outputs: list[Output]) -> list[Output]:
        outputs = self._freshen(outputs)
        try:
            return self._ended(outputs + (self._requests.go_on() if self._requests else []))
        except Malformed as error:
            return outputs + self._fatal(LOGIN_FAILED, f"the client sent {error}")

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _blind(self, reply: object) -> list[Output]:
        """The catalog cannot be read."""
        why = reply.told if isinstance(reply, CatalogUnavailable) else ""
        told = f"nothing can be judged at {self._opening.resource.name}: its catalog cannot be read; "
        reason = f"statements cannot be judged: {reply}"
        if self._view is not None:
            self._view.forget()
        return self._fatal(UNAVAILABLE, reason, told=told + (why or "the gateway's log says why"))

    def _withdrawals(self) -> list[Output]:
        if self._phase is _Phase.ASKED:
            return [Withdraw(self._login)]
        return self._conversation.left() if self._conversation is not None else []

    def _stop(self) -> list[Output]:
        """Stop what runs: a server that computes hears of an attention before it hears that its client has left."""
        talk = self._conversation
        running = talk.running if talk is not None else None
        return [Send(UPSTREAM, ATTENTION)] if running is not None and not self._amid_request else []

    @property
    def _amid_request(self) -> bool:
        """Whether a message to the resource has begun and not ended: nothing else may be sent then."""
        return self._requests is not None and self._requests.amid

    def _fatal(self, number: int, reason: str, *, told: str = "", reachable: bool = True) -> list[Output]:
        """Tell the client why its session ends, stop what runs for it, and end. What is open is rolled back."""
        outputs = self._withdrawals()
        talk = self._conversation
        if talk is None:
            refused = refuse_login(number, told or reason, reason) if self._client.login7 else [Close(reason)]
            return self._ended([*outputs, *refused])
        if self._responses is not None and self._responses.between_messages:
            outputs.append(Send(CLIENT, last_error(number, f"blastwall: {told or reason}", talk.packet_size)))
        return self._ended([*outputs, *(self._stop() if reachable else []), Close(reason)])

    def _unreachable(self, reason: str, told: str = "") -> list[Output]:
        """End the session; `told` is what the client hears where the reason names the credential's user."""
        where = f"{self._opening.resource.name} cannot be reached: "
        return self._fatal(UNAVAILABLE, where + reason, told=told and where + told, reachable=False)

    def _not_let_in(self, failure: HandshakeFailed) -> list[Output]:
        return self._unreachable(str(failure), failure.told or _QUIET)

    def _host_failed(self, reason: str) -> list[Output]:
        """Go on to the next host, where there is one and none was ready."""
        if self._server is None or self._server.ready:
            return self._unreachable(reason)
        try:
            return self._ended(self._server.failed(reason))
        except HandshakeFailed as failure:
            return self._not_let_in(failure)

    def _ended(self, outputs: list[Output]) -> list[Output]:
        """Cut after the first Close: nothing follows it. What was sent of an unfinished answer is said before it."""
        for position, output in enumerate(outputs):
            if isinstance(output, Close):
                self._phase = _Phase.CLOSED
                self._leave_view()
                streamed = self._responses.streamed() if self._responses is not None else []
                return [*outputs[:position], *streamed, output]
        return outputs

    def _leave_view(self) -> None:
        """Nobody will hear what became of a definition that was being changed: the others must look for themselves."""
        if self._conversation is None or self._view is None:
            return
        self._view.changing.settle(self._conversation)
        if self._conversation.altering:
            self._view.forget()
