"""A client of `blastwall connect`: passed on to the gateway, which is shown the proof that the client does not have.

    state      next
    REQUEST    SSLRequest, GSSENCRequest → `N` → REQUEST · StartupMessage → Ask(Login) → ASKED
               CancelRequest → Dial → TLS_ASKED
    ASKED      Admit → Dial, SSLRequest → TLS_ASKED · Deny → a fatal error, the end
    TLS_ASKED  `S` → TLS · anything else → a fatal error, the end
    TLS        TLS is up → the startup packet → LOGIN · the cancel request → CANCELLED
    LOGIN      AuthenticationCleartextPassword → the proof · AuthenticationOk → OPEN
               ErrorResponse → passed on, the end
    OPEN       everything, both ways, as it is
    CANCELLED  the gateway closes → the end

The client speaks in plain text, on loopback or a socket of its user's; the gateway is spoken to over TLS alone, and the
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
from blastwall.protocols.postgres import errors
from blastwall.protocols.postgres.errors import encode_error
from blastwall.protocols.postgres.settings import AUTHENTICATION
from blastwall.protocols.postgres.startup import (
    ALPN,
    AUTH_CLEARTEXT,
    AUTH_OK,
    CANCEL_REQUEST,
    GSSENC_REQUEST,
    SSL_REQUEST,
    TLS_HANDSHAKE,
    Startup,
    decode_authentication,
    decode_startup,
    encode_password,
    encode_request,
    encode_startup,
    request_code,
    request_length,
)
from blastwall.wire.reader import Malformed

_LONGEST_START = 16 * 1024
_LONGEST_MESSAGE = 64 * 1024
_LOGIN = 1


class _State(Enum):
    REQUEST = auto()
    ASKED = auto()
    TLS_ASKED = auto()
    TLS = auto()
    LOGIN = auto()
    OPEN = auto()
    CANCELLED = auto()
    ENDED = auto()


class PostgresForwarder:
    """Implements `contract.Forwarder`. `gateway` is the resource's listener."""

    def __init__(self, gateway: Address) -> None:
        self._gateway = gateway
        self._state = _State.REQUEST
        self._buffer = b""
        self._first = b""
        self._cancels = False
        self._proof = b""

    def receive(self, side: Side, data: bytes) -> list[Output]:
        if self._state is _State.OPEN:
            return [Send(UPSTREAM if side == CLIENT else CLIENT, data)]
        try:
            return self._from_client(data) if side == CLIENT else self._from_gateway(data)
        except Malformed as error:
            return self._refuse(errors.PROTOCOL_VIOLATION, str(error))

    def receive_eof(self, side: Side) -> list[Output]:
        if side == CLIENT or self._state in {_State.OPEN, _State.CANCELLED}:
            return self._end("the client left" if side == CLIENT else "the gateway closed the connection")
        return self._refuse(errors.CONNECTION_FAILURE, "the gateway closed the connection during the login")

    def dial_failed(self, side: Side, reason: str) -> list[Output]:
        return self._refuse(errors.CONNECTION_FAILURE, f"the gateway cannot be reached: {reason}")

    def tls_started(self, side: Side, alpn: str | None, certificate: bytes) -> list[Output]:
        self._state = _State.CANCELLED if self._cancels else _State.LOGIN
        return [Send(UPSTREAM, self._first)]

    def answer(self, number: int, answer: Answer) -> list[Output]:
        if self._state is not _State.ASKED:
            return []
        if isinstance(answer, Admit):
            self._proof = answer.upstream.secret
            return self._dial()
        return self._refuse(errors.INVALID_AUTHORIZATION, answer.reason if isinstance(answer, Deny) else "no proof")

    # ── the client ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _from_client(self, data: bytes) -> list[Output]:
        self._buffer += data
        if self._state is not _State.REQUEST:
            raise Malformed("the client spoke before it was let in")
        outputs: list[Output] = []
        while self._state is _State.REQUEST and self._buffer:
            if self._buffer[0] == TLS_HANDSHAKE:
                return [*outputs, *self._end("the client wants TLS, which this port has no use for: sslmode=disable")]
            length = request_length(self._buffer, _LONGEST_START)
            if length is None or len(self._buffer) < length:
                break
            packet, self._buffer = self._buffer[:length], self._buffer[length:]
            outputs += self._request(packet)
        if self._state is not _State.REQUEST and self._buffer:
            raise Malformed("the client spoke before it was let in")
        return outputs

    def _request(self, packet: bytes) -> list[Output]:
        code = request_code(packet)
        if code in {SSL_REQUEST, GSSENC_REQUEST}:
            return [Send(CLIENT, b"N")]
        if code == CANCEL_REQUEST:
            self._first, self._cancels = packet, True
            return self._dial()
        startup = decode_startup(packet)
        self._first = encode_startup(_by_password(startup))
        self._state = _State.ASKED
        user = startup.parameters.get("user", "")
        return [Ask(_LOGIN, Login(user, b"", startup.parameters.get("database") or user))]

    def _dial(self) -> list[Output]:
        self._state = _State.TLS_ASKED
        return [Dial(UPSTREAM, self._gateway), Send(UPSTREAM, encode_request(SSL_REQUEST))]

    # ── the gateway ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _from_gateway(self, data: bytes) -> list[Output]:
        if self._state is _State.TLS_ASKED:
            if data != b"S":
                raise Malformed("what answers there speaks no TLS, so it gets no token")
            self._state = _State.TLS
            return [StartTls(UPSTREAM, (ALPN,))]
        if self._state is not _State.LOGIN:
            return self._end("the gateway spoke out of turn")
        self._buffer += data
        outputs: list[Output] = []
        while (message := self._message()) is not None and self._state is _State.LOGIN:
            outputs += self._login(message)
        return outputs

    def _message(self) -> bytes | None:
        """Take one whole message of the gateway's."""
        if len(self._buffer) < 5:
            return None
        length = int.from_bytes(self._buffer[1:5], "big")
        if not 4 <= length <= _LONGEST_MESSAGE:
            raise Malformed(f"the gateway sent a message of {length} bytes during the login")
        if len(self._buffer) < 1 + length:
            return None
        message, self._buffer = self._buffer[: 1 + length], self._buffer[1 + length :]
        return message

    def _login(self, message: bytes) -> list[Output]:
        kind = message[:1]
        if kind == b"R":
            return self._authentication(message)
        if kind == b"E":
            return [Send(CLIENT, message), *self._end("the gateway refused the login")]
        if kind in {b"N", b"v"}:
            return [Send(CLIENT, message)]
        raise Malformed("the gateway answered the login with something else than an authentication request")

    def _authentication(self, message: bytes) -> list[Output]:
        kind, _ = decode_authentication(message[5:])
        if kind == AUTH_CLEARTEXT and self._proof:
            proof, self._proof = self._proof, b""
            return [Send(UPSTREAM, encode_password(proof))]
        if kind == AUTH_OK:
            rest, self._buffer = self._buffer, b""
            self._state = _State.OPEN
            return [Send(CLIENT, message + rest)]
        raise Malformed("the gateway asks for another proof than a token")

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _refuse(self, code: str, reason: str) -> list[Output]:
        if self._state is _State.ENDED:
            return []
        return [Send(CLIENT, encode_error(code, f"blastwall connect: {reason}", severity="FATAL")), *self._end(reason)]

    def _end(self, reason: str) -> list[Output]:
        if self._state is _State.ENDED:
            return []
        self._state, self._proof = _State.ENDED, b""
        return [Close(reason)]


def _by_password(startup: Startup) -> Startup:
    """Ask the gateway to take the proof as a password, whatever its resource prefers; the later option wins."""
    options = startup.parameters.get("options", "")
    asked = f"{options} -c {AUTHENTICATION}=password".lstrip()
    return replace(startup, parameters={**startup.parameters, "options": asked})
