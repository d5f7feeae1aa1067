"""A client of `blastwall connect`: passed on to the gateway, which is shown the proof that the client does not have.

    state     next
    PRELOGIN  PRELOGIN → "encryption is not supported here" → LOGIN · a client that insists on it → the end
    LOGIN     LOGIN7 → Ask(Login) → ASKED
    ASKED     Admit → Dial, TLS, PRELOGIN → GATEWAY · Deny → an error, the end
    GATEWAY   the gateway's PRELOGIN → the client's LOGIN7 with the proof in it → OPEN
    OPEN      everything, both ways, as it is

The client speaks in plain text, on loopback; the gateway is spoken to as in TDS 8.0, TLS before anything else, and the
proof is sent once TLS is up, so only to a gateway whose certificate held.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto

from blastwall.model.resource import Address
from blastwall.protocols.contract import (
    CLIENT,
    UPSTREAM,
    Admit,
    Answer,
    Ask,
    Close,
    Deny,
    Dial,
    Login,
    Output,
    Send,
    Side,
    StartTls,
)
from blastwall.protocols.tds.login7 import FEDAUTH, INTEGRATED, Login7, read_login7, write_login7
from blastwall.protocols.tds.login_errors import LOGIN_FAILED, UNAVAILABLE, login_error
from blastwall.protocols.tds.negotiation import ALPN, TLS_HANDSHAKE, asked_encryption, prelogin_of
from blastwall.protocols.tds.packets import Kind, Message, MessageReader, framed
from blastwall.protocols.tds.prelogin import Encryption, read_prelogin, write_prelogin
from blastwall.protocols.tds.wrapping import INITIAL_SIZE
from blastwall.wire.reader import Malformed

_LONGEST = 128 * 1024
"""Bytes of a LOGIN7 at most (MS-TDS 2.2.6.4)."""
_LOGIN = 1


class _State(Enum):
    PRELOGIN = auto()
    LOGIN = auto()
    ASKED = auto()
    GATEWAY = auto()
    OPEN = auto()
    ENDED = auto()


class TdsForwarder:
    """Implements `contract.Forwarder`. `gateway` is the resource's listener."""

    def __init__(self, gateway: Address) -> None:
        self._gateway = gateway
        self._state = _State.PRELOGIN
        self._client = MessageReader(_LONGEST)
        self._upstream = MessageReader(_LONGEST)
        self._login: Login7 | None = None
        self._begun = False

    def receive(self, side: Side, data: bytes) -> list[Output]:
        if self._state is _State.OPEN:
            return [Send(UPSTREAM if side == CLIENT else CLIENT, data)]
        if self._state is _State.ENDED:
            return []
        try:
            return self._from_client(data) if side == CLIENT else self._from_gateway(data)
        except Malformed as error:
            return self._refuse(LOGIN_FAILED, str(error))

    def receive_eof(self, side: Side) -> list[Output]:
        if side == CLIENT or self._state is _State.OPEN:
            return self._end("the client left" if side == CLIENT else "the gateway closed the connection")
        return self._refuse(UNAVAILABLE, "the gateway closed the connection during the login")

    def dial_failed(self, side: Side, reason: str) -> list[Output]:
        return self._refuse(UNAVAILABLE, f"the gateway cannot be reached: {reason}")

    def tls_started(self, side: Side, alpn: str | None, certificate: bytes) -> list[Output]:
        if alpn != ALPN:
            return self._refuse(UNAVAILABLE, f"what answers there does not speak TDS (ALPN {ALPN})")
        said = write_prelogin(prelogin_of(Encryption.ON, fedauth=False))
        return [Send(UPSTREAM, framed(Kind.PRELOGIN, said, INITIAL_SIZE))]

    def answer(self, number: int, answer: Answer) -> list[Output]:
        if self._state is not _State.ASKED or self._login is None:
            return []
        if not isinstance(answer, Admit):
            return self._refuse(LOGIN_FAILED, answer.reason if isinstance(answer, Deny) else "no proof")
        self._login = replace(self._login, password=answer.upstream.secret.decode())
        self._state = _State.GATEWAY
        return [Dial(UPSTREAM, self._gateway), StartTls(UPSTREAM, (ALPN,))]

    # ── the client ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _from_client(self, data: bytes) -> list[Output]:
        if not self._begun and data[:1] == bytes((TLS_HANDSHAKE,)):
            return self._end("the client wants TLS, which this port has no use for: Encrypt=no")
        self._begun = True
        self._client.feed(data)
        outputs: list[Output] = []
        while self._state in (_State.PRELOGIN, _State.LOGIN):
            message = _whole(self._client)
            if message is None:
                return outputs
            outputs += self._prelogin(message) if self._state is _State.PRELOGIN else self._ask(message)
        if self._client.buffered:
            raise Malformed("the client spoke before it was let in")
        return outputs

    def _prelogin(self, message: Message) -> list[Output]:
        if message.kind is not Kind.PRELOGIN:
            raise Malformed(f"a message of type {message.kind} where a PRELOGIN belongs")
        asked = asked_encryption(read_prelogin(message.payload))
        reply = write_prelogin(prelogin_of(Encryption.NOT_SUPPORTED, fedauth=False))
        said: list[Output] = [Send(CLIENT, framed(Kind.REPLY, reply, INITIAL_SIZE))]
        if asked in (Encryption.ON, Encryption.REQUIRED):
            return [*said, *self._end("the client wants TLS, which this port has no use for: Encrypt=no")]
        self._state = _State.LOGIN
        return said

    def _ask(self, message: Message) -> list[Output]:
        if message.kind is not Kind.LOGIN7:
            raise Malformed(f"a message of type {message.kind} where a LOGIN7 belongs")
        login = read_login7(message.payload)
        self._login = _without_proof(login)
        self._state = _State.ASKED
        return [Ask(_LOGIN, Login(login.user, b"", login.database, login.application))]

    # ── the gateway ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _from_gateway(self, data: bytes) -> list[Output]:
        self._upstream.feed(data)
        message = _whole(self._upstream)
        if message is None:
            return []
        login, self._login = self._login, None
        if message.kind is not Kind.REPLY or self._upstream.buffered or login is None:
            raise Malformed("the gateway spoke out of turn")
        read_prelogin(message.payload)
        self._state = _State.OPEN
        return [Send(UPSTREAM, framed(Kind.LOGIN7, write_login7(login), INITIAL_SIZE))]

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _refuse(self, number: int, reason: str) -> list[Output]:
        if self._state is _State.ENDED:
            return []
        return [Send(CLIENT, login_error(number, f"blastwall connect: {reason}")), *self._end(reason)]

    def _end(self, reason: str) -> list[Output]:
        if self._state is _State.ENDED:
            return []
        self._state, self._login = _State.ENDED, None
        return [Close(reason)]


def _whole(reader: MessageReader) -> Message | None:
    message = reader.take()
    if message is not None and (not isinstance(message, Message) or message.oversized):
        raise Malformed(f"a login of more than {_LONGEST} bytes")
    return message


def _without_proof(login: Login7) -> Login7:
    """Return the login without whatever the client would prove itself with: the gateway gets the proof it knows."""
    features = tuple((name, data) for name, data in login.features if name != FEDAUTH)
    return replace(login, flags2=login.flags2 & ~INTEGRATED, sspi=b"", password="", features=features)
