"""One client connection: from its first byte through both handshakes to its end.

    phase      what is fed
    STARTING   the client's handshake; its end raises Ask(Login)
    ASKED      nothing: the gate verifies, fetches the credential, answers Admit or Deny
    ENTERING   the server's handshake and the first look at the catalog, side by side
    TALKING    `requests` and `responses`
    RESETTING  the reset of the server's connection, which a later session may have; the client is gone
    ENDING     the cancel of what still ran when the gateway ended the session; the client is gone
    CLOSED     nothing any more

The client hears "authentication ok" only when the gate has admitted it and the resource has let the gateway in.
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
    Claim,
    Close,
    Deny,
    Hangup,
    Lookup,
    Opening,
    Output,
    Send,
    Side,
    Withdraw,
)
from blastwall.protocols.postgres import errors
from blastwall.protocols.postgres.cancel import CancelRequest
from blastwall.protocols.postgres.catalog import CURRENT, View
from blastwall.protocols.postgres.client_handshake import ClientHandshake, refuse_start
from blastwall.protocols.postgres.conversation import Conversation
from blastwall.protocols.postgres.errors import encode_error
from blastwall.protocols.postgres.hosts import ServerLogin
from blastwall.protocols.postgres.lane import Lane
from blastwall.protocols.postgres.learned import CHANGES_CATALOG, Learned
from blastwall.protocols.postgres.messages import TERMINATE, encode_parameter_status, encode_ready, frame
from blastwall.protocols.postgres.naming import Names
from blastwall.protocols.postgres.requests import Requests
from blastwall.protocols.postgres.responses import Responses, check_parameter
from blastwall.protocols.postgres.rows import sent_of
from blastwall.protocols.postgres.settings import search_path_setting, upstream_parameters
from blastwall.protocols.postgres.startup import (
    AUTH_OK,
    PROTOCOL_3_2,
    CancelKey,
    Startup,
    encode_authentication,
    encode_key,
)
from blastwall.protocols.postgres.warm import Reset, WarmLogin
from blastwall.protocols.reaching import CatalogUnavailable, HandshakeFailed, companion_name
from blastwall.wire.native import Octets
from blastwall.wire.reader import Malformed


class _Phase(Enum):
    STARTING = auto()
    ASKED = auto()
    ENTERING = auto()
    TALKING = auto()
    RESETTING = auto()
    ENDING = auto()
    CLOSED = auto()


_TALKING = _Phase.TALKING
"""To look a member up in its enumeration takes as long as the rest of a comparison."""
_CLIENT_ENDED = "the client ended the session"
_ENDED_FIRST = "the session ended before its answer did"
_OVER = (_Phase.RESETTING, _Phase.ENDING, _Phase.CLOSED)


class PostgresSession(Repeating):
    """Implements `ProtocolSession`."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._phase = _Phase.STARTING
        self._numbers: Iterator[int] = count(1)
        self._client = ClientHandshake(opening)
        self._early = b""
        self._login = 0
        self._look_up = 0
        self._server: ServerLogin | WarmLogin | None = None
        self._reset: Reset | None = None
        self._view: View | None = None
        self._user = self._label = ""
        self._conversation: Conversation | None = None
        self._requests: Requests | None = None
        self._responses: Responses | None = None
        self._lane: Lane | None = None
        self._key: CancelKey | None = None
        self._cancels: dict[Side, CancelRequest] = {}
        self._sides: Iterator[int] = count(UPSTREAM + 1)
        self._last = Close("")
        self._tried: bytes | None = None

    # ── contract ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def backlog(self, side: Side) -> int:
        if side == CLIENT:
            return len(self._early) + (self._requests.backlog if self._requests else 0)
        return self._responses.backlog if self._responses and side == UPSTREAM else 0

    @property
    def idle(self) -> bool:
        talk = self._conversation
        if talk is None:
            return self._phase is _Phase.STARTING
        lane = self._lane is not None and self._lane.open
        return talk.status == b"I" and not talk.pipeline and talk.waiting is None and not self._requests and not lane

    def receive(self, side: Side, data: bytes) -> Sequence[Output]:
        if self._phase is _Phase.CLOSED:
            return []
        if side in self._cancels:
            return self._cancels[side].receive(data) or self._cancelled(side)
        if self._phase is _Phase.RESETTING and side == UPSTREAM:
            return self._resetting(data)
        if self._phase in _OVER:
            return []
        try:
            return self._ended(self._receive_client(data) if side == CLIENT else self._receive_server(data))
        except Malformed as error:
            return self._fatal(
                errors.PROTOCOL_VIOLATION, f"{'the client' if side == CLIENT else 'the server'} sent {error}"
            )
        except HandshakeFailed as error:
            return self._not_let_in(error)
        except DetectorFailed as error:
            return self._fatal(errors.SYSTEM_ERROR, f"the result is closed, since it cannot be masked: {error}")

    def repeated(self, data: Octets) -> Again | None:
        if self._lane is None or self._phase is not _TALKING:
            return None
        again: Again | None = self._lane.client(data)
        self._tried = data if again is None else None
        return again

    def granted(self) -> bytes | None:
        return self._lane.granted() if self._lane is not None and self._phase is _TALKING else None

    def answered(self, data: Octets) -> Again | None:
        return self._lane.answered(data) if self._lane is not None and self._phase is _TALKING else None

    def receive_eof(self, side: Side) -> Sequence[Output]:
        if side in self._cancels:
            return self._cancelled(side)
        if self._phase is _Phase.RESETTING and side == UPSTREAM:
            return self._ended([Close(_CLIENT_ENDED)])
        if self._phase in _OVER:
            return []
        if side != CLIENT:
            return self._server_left()
        outputs = self._withdrawals()
        if self._conversation is not None:
            outputs.append(Send(UPSTREAM, TERMINATE))
        return self._ended([*outputs, Close("the client left")])

    def dial_failed(self, side: Side, reason: str) -> Sequence[Output]:
        if side in self._cancels:
            return self._cancelled(side)
        return [] if self._phase in _OVER else self._host_failed(reason)

    def tls_started(self, side: Side, alpn: str | None, certificate: bytes) -> Sequence[Output]:
        if self._phase is _Phase.CLOSED:
            return []
        if side == CLIENT:
            return self._ended(self._client.tls_started(alpn))
        if side in self._cancels:
            return self._cancels[side].tls_started()
        return self._server.tls_started(certificate) if self._server is not None else []

    def answer(self, number: int, answer: Answer) -> Sequence[Output]:
        if self._phase in _OVER:
            return []
        if number == self._login and self._phase is _Phase.ASKED:
            return self._ended(self._login_answer(answer))
        if self._conversation is None or self._requests is None:
            return []
        try:
            if self._lane is not None and self._lane.asking:
                outputs = self._lane.answer(number, answer)
                if not self._requests:
                    return outputs
                outputs += self._lane.leave()
            else:
                outputs = self._conversation.answer(number, answer)
            return self._ended(outputs + self._requests.go_on())
        except Malformed as error:
            return self._fatal(errors.PROTOCOL_VIOLATION, f"the client sent {error}")

    def looked_up(self, number: int, reply: object) -> Sequence[Output]:
        if self._phase in _OVER:
            return []
        if self._conversation is not None and number == self._conversation.elsewhere.waiting:
            self._conversation.elsewhere.answered(reply)
            return self._go_on()
        if isinstance(reply, Exception) or not isinstance(reply, View):
            why = reply.told if isinstance(reply, CatalogUnavailable) else ""
            told = f"nothing can be judged at {self._opening.resource.name}: its catalog cannot be read; "
            reason = f"statements cannot be judged: {reply}"
            return self._fatal(errors.SYSTEM_ERROR, reason, told=told + (why or "the gateway's log says why"))
        if number == self._look_up:
            self._view = reply
            try:
                return self._enter([])
            except Malformed as error:
                return self._fatal(errors.PROTOCOL_VIOLATION, f"the server sent {error}")
        if self._conversation is None or number != self._conversation.refreshing:
            return []
        self._conversation.refreshing = None
        if self._responses is not None and not self._responses.catalog_changed:
            self._conversation.settle_changes()
        try:
            outputs = self._responses.resume() if self._responses else []
            return self._ended(outputs + (self._requests.go_on() if self._requests else []))
        except Malformed as error:
            return self._fatal(errors.PROTOCOL_VIOLATION, f"the server sent {error}")
        except DetectorFailed as error:
            return self._fatal(errors.SYSTEM_ERROR, f"the result is closed, since it cannot be masked: {error}")

    def _go_on(self) -> Sequence[Output]:
        try:
            return self._ended(self._requests.go_on() if self._requests else [])
        except Malformed as error:
            return self._fatal(errors.PROTOCOL_VIOLATION, f"the client sent {error}")

    def interrupted(self, reason: str = "") -> Sequence[Output]:
        talk = self._conversation
        if talk is None or self._requests is None or self._responses is None or self._phase is not _Phase.TALKING:
            return []
        left: list[Output] = []
        if self._lane is not None:
            left = self._lane.leave()
            self._lane.give_up()
        return left + self._interrupt(talk, self._requests, self._responses, reason)

    def _interrupt(self, talk: Conversation, requests: Requests, responses: Responses, reason: str) -> list[Output]:
        if reason and talk.pipeline:
            responses.explain_cancel(reason)
            return self._cancel()
        outputs = self._cancel() if talk.pipeline else []
        told = reason or "canceling statement due to user request"
        if talk.waiting is not None:
            outputs += talk.withdraw(errors.QUERY_CANCELED, told)
            outputs += self._go_on()
        elif talk.elsewhere.waiting is not None:
            outputs += requests.give_up(errors.QUERY_CANCELED, told)
        return list(self._ended(outputs))

    def reconsider(self) -> Sequence[Output]:
        if self._conversation is not None:
            self._conversation.reconsider()
        return []

    def adopted(self, side: Side, state: object) -> Sequence[Output]:
        if self._phase is not _Phase.ENTERING or not isinstance(self._server, WarmLogin):
            return []
        return self._server.adopted(state)

    def terminate(self, reason: str) -> Sequence[Output]:
        if self._phase is _Phase.RESETTING:
            return self._ended([Send(UPSTREAM, TERMINATE), Close(reason)])
        return [] if self._phase in _OVER else self._fatal(errors.ADMIN_SHUTDOWN, reason)

    # ── the start ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _receive_client(self, data: bytes) -> list[Output]:
        if self._requests is not None and self._lane is not None:
            tried, self._tried = self._tried, None
            taken = self._lane.client(data) if tried is not data else None
            return [*taken.asks()] if taken is not None else self._lane.leave() + self._requests.receive(data)
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
        if isinstance(answer, Deny) and answer.retry:
            return refuse_start(errors.TOO_MANY_CONNECTIONS, answer.reason)
        if isinstance(answer, Deny):
            self._phase, early = _Phase.STARTING, self._early
            self._early = b""
            return self._client.refused(answer.reason) + self._client.receive(early)
        startup, login = self._client.startup, self._client.login
        if not isinstance(answer, Admit) or startup is None or login is None:
            return refuse_start(errors.INVALID_AUTHORIZATION, "the login was not admitted")
        resource = self._opening.resource
        if login.target not in resource.databases:
            told = f'database "{login.target}" is not one that {resource.name} gives access to'
            return refuse_start(errors.INVALID_CATALOG, told)
        self._phase = _Phase.ENTERING
        self._user, self._label = answer.upstream.user, answer.label
        parameters = upstream_parameters(startup, self._user, login.target, answer.label)
        cold = ServerLogin(UPSTREAM, resource, answer.upstream, parameters, self._opening.entropy)
        self._server = WarmLogin(cold, UPSTREAM, self._login, parameters) if self._opening.warm else cold
        dialled = self._server.start()
        return dialled if len(resource.hosts) > 1 else [*dialled, self._first_look(login.target, self._server)]

    def _first_look(self, database: str, server: ServerLogin | WarmLogin) -> Lookup:
        """Ask for the catalog: beside the login where there is one host, else once it is known which."""
        self._look_up = next(self._numbers)
        return Lookup(self._look_up, companion_name(self._opening.resource, database, server.host), CURRENT)

    def _receive_server(self, data: bytes) -> list[Output]:
        if self._responses is not None and self._requests is not None and self._lane is not None:
            if self._lane.open:
                outputs = self._lane.server(data)
                return outputs if self._lane.open or not self._requests else outputs + self._requests.go_on()
            return self._responses.receive(data) + self._requests.go_on()
        if self._server is None:
            raise Malformed("bytes before it was asked")
        if self._server.ready:
            raise Malformed("bytes that are not owed")
        outputs = self._server.receive(data)
        if self._server.buffered and self._server.ready:
            raise Malformed("bytes that are not owed")
        return self._enter(outputs)

    def _enter(self, outputs: list[Output]) -> list[Output]:
        """Let the client in once the server is ready and the catalog is known."""
        server, view, startup, login = self._server, self._view, self._client.startup, self._client.login
        if server is None or not server.ready or startup is None or login is None:
            return outputs
        if view is None:
            return outputs if self._look_up else [*outputs, self._first_look(login.target, server)]
        for name, value in server.status.items():
            check_parameter(name, value)
        path = search_path_setting(startup, server.status, view.snapshot.search_path)
        names = Names(self._user, path, alone=self._opening.alone)
        self._conversation = Conversation(self._opening, login.target, view, names, self._numbers)
        self._conversation.companion = companion_name(self._opening.resource, login.target, server.host)
        self._conversation.label, self._conversation.application = self._label, login.application
        self._client.forget_proof()
        learned = Learned()
        self._requests = Requests(self._conversation, learned)
        self._requests.goodbye = self._goodbye
        self._responses = Responses(self._conversation)
        self._lane = Lane(self._conversation, learned, self._requests, self._responses)
        self._conversation.exchange = self._lane.under_way
        self._phase = _Phase.TALKING
        outputs += [Admitted(), Send(CLIENT, self._welcome(server, startup)), Claim(self._own_key().handle)]
        early, self._early = self._early, b""
        try:
            return outputs + self._requests.receive(early)
        except Malformed as error:
            return outputs + self._fatal(errors.PROTOCOL_VIOLATION, f"the client sent {error}")

    def _welcome(self, server: ServerLogin | WarmLogin, startup: Startup) -> bytes:
        status = {**server.status, "application_name": startup.parameters.get("application_name", "")}
        return b"".join(
            (
                encode_authentication(AUTH_OK),
                *(encode_parameter_status(name, value) for name, value in status.items()),
                encode_key(self._own_key()),
                *(frame(b"N", notice) for notice in server.notices),
                encode_ready(b"I"),
            )
        )

    def _own_key(self) -> CancelKey:
        """The resource's process id, which drivers compare with what SQL says, and a cancel key of the gateway's own.

        The resource's key stays secret; protocol 3.2 gets a long one.
        """
        if self._key is None:
            theirs = self._server.key if self._server is not None else None
            pid = theirs.pid if theirs is not None else int.from_bytes(self._opening.entropy(4), "big") & 0x7FFFFFFF
            self._key = CancelKey(pid or 1, self._opening.entropy(32 if self._client.version == PROTOCOL_3_2 else 4))
        return self._key

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _goodbye(self, message: bytes) -> list[Output]:
        """The client ended the session: reset the server's connection for a later one, or end it too."""
        if not isinstance(self._server, WarmLogin) or not self._leaves_nothing():
            return [Send(UPSTREAM, message), Close(_CLIENT_ENDED)]
        self._reset = self._server.reset()
        if self._reset.failed:
            return [Send(UPSTREAM, message), Close(_CLIENT_ENDED)]
        self._phase = _Phase.RESETTING
        return [Hangup(CLIENT), *self._reset.start()]

    def _leaves_nothing(self) -> bool:
        """Whether nothing is under way, nothing spoils it, and no cancel was sent that could hit a later session."""
        talk, responses, requests = self._conversation, self._responses, self._requests
        if talk is None or responses is None or requests is None or not self.idle:
            return False
        return not talk.spoiled and talk.refreshing is None and responses.quiet and next(self._sides) == UPSTREAM + 1

    def _resetting(self, data: bytes) -> list[Output]:
        reset = self._reset
        if reset is None:
            return []
        reset.receive(data)
        if reset.done:
            return self._ended([reset.park(), Close(_CLIENT_ENDED)])
        return self._ended([Send(UPSTREAM, TERMINATE), Close(_CLIENT_ENDED)]) if reset.failed else []

    def _cancel(self) -> list[Output]:
        key = self._server.key if self._server is not None else None
        if self._server is None or key is None:
            return []
        side = Side(next(self._sides))
        self._cancels[side] = CancelRequest(side, self._server.address, key)
        if self._conversation is not None:
            self._conversation.cancelling = True
        return self._cancels[side].start()

    def _cancelled(self, side: Side) -> list[Output]:
        """A cancel request is over, whatever became of it: the session's end may wait for it, or the next statement.

        Until then it could hit what the client sends once its own cancel request is over.
        """
        self._cancels.pop(side, None)
        if self._cancels:
            return [Hangup(side)]
        if self._phase is _Phase.ENDING:
            return self._ended([Hangup(side), self._last])
        if self._conversation is not None:
            self._conversation.cancelling = False
        return [Hangup(side), *(self._go_on() if self._phase is _TALKING else [])]

    def _withdrawals(self) -> list[Output]:
        if self._phase is _Phase.ASKED:
            return [Withdraw(self._login)]
        left = self._lane.leave() if self._lane is not None else []
        return left + self._conversation.withdrawn() if self._conversation is not None else []

    def _fatal(self, code: str, reason: str, *, told: str = "", reachable: bool = True) -> list[Output]:
        """Tell the client why its session ends, stop what runs for it, and end.

        A server does not notice that its client has left while it computes, so what runs must be cancelled.
        """
        outputs = self._withdrawals()
        talk = self._conversation
        if talk is None:
            return self._ended(
                [*outputs, *refuse_start(code, told or reason, reason)]
                if self._client.startup
                else [*outputs, Close(reason)]
            )
        if self._responses is not None and self._responses.between_messages:
            outputs.append(Send(CLIENT, encode_error(code, f"blastwall: {told or reason}", severity="FATAL")))
        outputs.append(Send(UPSTREAM, TERMINATE))
        cancel = self._cancel() if talk.pipeline and reachable else []
        if not cancel:
            return self._ended([*outputs, Close(reason)])
        self._phase, self._last = _Phase.ENDING, Close(reason)
        return [*outputs, Hangup(CLIENT), *cancel]

    def _unreachable(self, reason: str, told: str = "") -> list[Output]:
        """End the session; `told` is what the client hears where the reason names the credential's user."""
        where = f"{self._opening.resource.name} cannot be reached: "
        return self._fatal(errors.CONNECTION_FAILURE, where + reason, told=told and where + told, reachable=False)

    def _not_let_in(self, failure: HandshakeFailed) -> list[Output]:
        told = failure.told or "the gateway could not log in there; the gateway's log says why"
        return self._unreachable(str(failure), told)

    def _host_failed(self, reason: str) -> list[Output]:
        """Go on to the next host, where there is one and none was ready."""
        if self._server is None or self._server.ready:
            return self._unreachable(reason)
        try:
            return self._ended(self._server.failed(reason))
        except HandshakeFailed as failure:
            return self._not_let_in(failure)

    def _server_left(self) -> list[Output]:
        if self._responses is not None and self._responses.farewell:
            return self._ended([*self._withdrawals(), Close("the resource ended the session")])
        return self._host_failed("the connection was lost")

    def _ended(self, outputs: list[Output]) -> list[Output]:
        """Cut after the first Close: nothing follows it. What was sent of an unfinished answer is said before it."""
        for position, output in enumerate(outputs):
            if isinstance(output, Close):
                self._phase = _Phase.CLOSED
                self._leave_view()
                left = self._unfinished()
                self._let_go()
                return [*outputs[:position], *left, output]
        return outputs

    def _let_go(self) -> None:
        """Keep nothing for longer: what an ended session is made of refers to itself, and is looked for seldom."""
        if self._conversation is not None:
            self._conversation.let_go()
        self._requests = self._responses = self._lane = None
        self._early = b""

    def _leave_view(self) -> None:
        """Nobody will hear what became of a definition that was being changed: the others must look for themselves."""
        talk, responses = self._conversation, self._responses
        if talk is None or responses is None or self._view is None:
            return
        talk.party.leave(running=bool(talk.pipeline))
        owed = [one for entry in talk.pipeline for one in entry.running if not one.done]
        changes = any(effect.action in CHANGES_CATALOG for one in owed for effect in one.classified.effects)
        if changes or talk.refreshing is not None or (responses.catalog_changed and talk.pipeline):
            self._view.forget()

    def _unfinished(self) -> list[Output]:
        """How much was sent of results that will not come to their end, and the end of their records."""
        talk, lane = self._conversation, self._lane
        if talk is None or lane is None:
            return []
        owed = lane.owed() + [one for entry in talk.pipeline for one in entry.running if not one.done]
        outputs = [said for running in owed for said in sent_of(running)]
        for running in (*owed, *(portal.running for portal in talk.names.portals())):
            talk.finish(running, outputs, error=_ENDED_FIRST)
        return outputs
