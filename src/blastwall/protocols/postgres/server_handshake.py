"""The server's side of the start: TLS towards the resource, the credential, and what the server says of itself.

    state      next
    TLS_ASKED  `S` → TLS · `N` → failed: the configuration wants TLS
    TLS        the relay reports TLS → AUTH
    AUTH       trust, cleartext, MD5, SCRAM-SHA-256(-PLUS) in one round → OPENING
    OPENING    ParameterStatus, BackendKeyData, notices until ReadyForQuery → READY

The credential's secret is sent in clear only inside TLS, or to a loopback address; a server that breaks off a SCRAM
exchange with "ok" has not proved that it knows the password, and is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto
from hashlib import md5

from blastwall.model.credential import Credential
from blastwall.model.resource import Address, TlsMode, is_loopback
from blastwall.protocols.contract import Dial, Output, Send, Side, StartTls
from blastwall.protocols.postgres.errors import decode_fields
from blastwall.protocols.postgres.messages import decode_parameter_status, decode_ready
from blastwall.protocols.postgres.scram import Scram, ScramFailed
from blastwall.protocols.postgres.startup import (
    ALPN,
    AUTH_CLEARTEXT,
    AUTH_MD5,
    AUTH_OK,
    AUTH_SASL,
    AUTH_SASL_CONTINUE,
    AUTH_SASL_FINAL,
    PROTOCOL_3_0,
    SSL_REQUEST,
    CancelKey,
    Startup,
    decode_authentication,
    decode_key,
    decode_mechanisms,
    encode_password,
    encode_request,
    encode_sasl_initial,
    encode_sasl_response,
    encode_startup,
)
from blastwall.protocols.reaching import HandshakeFailed
from blastwall.wire.reader import Malformed, Reader

CANNOT_CONNECT_NOW = "57P03"
"""The server starts, stops or recovers."""
MAX_LOGIN = 256 * 1024
"""Nor does a server say more than this before it is ready: some twenty settings, its key, a notice or two."""
MAX_MESSAGE = 64 * 1024
"""No message before ReadyForQuery is longer in any version of PostgreSQL."""


class _State(Enum):
    TLS_ASKED = auto()
    TLS = auto()
    AUTH = auto()
    SCRAM = auto()
    SCRAM_ANSWERED = auto()
    SCRAM_PROVED = auto()
    OPENING = auto()
    READY = auto()


class ServerHandshake:
    """Log in at the resource over one dialled side, until `ready`.

    Methods return outputs and raise `HandshakeFailed` or `Malformed`.
    """

    def __init__(
        self,
        side: Side,
        address: Address,
        credential: Credential,
        parameters: Mapping[str, str],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._side = side
        self._address = address
        self._credential = credential
        self._startup = encode_startup(Startup(PROTOCOL_3_0, parameters))
        self._entropy = entropy
        self._buffer = b""
        self._heard = 0
        self._certificate = b""
        self._secure = False
        self._state = _State.TLS_ASKED
        self._scram: Scram | None = None
        self.status: dict[str, str] = {}
        self.key: CancelKey | None = None
        self.notices: list[bytes] = []

    @property
    def ready(self) -> bool:
        """Whether the server waits for the first statement."""
        return self._state is _State.READY

    @property
    def buffered(self) -> bytes:
        """What the server sent after it was ready."""
        return self._buffer

    def start(self) -> list[Output]:
        """Dial, and ask for TLS where the configuration wants it."""
        if self._address.tls is TlsMode.DISABLE:
            self._state = _State.AUTH
            return [Dial(self._side, self._address), Send(self._side, self._startup)]
        return [Dial(self._side, self._address), Send(self._side, encode_request(SSL_REQUEST))]

    def tls_started(self, certificate: bytes) -> list[Output]:
        self._secure = True
        self._certificate = certificate
        self._state = _State.AUTH
        return [Send(self._side, self._startup)]

    def receive(self, data: bytes) -> list[Output]:
        self._buffer += data
        self._heard += len(data)
        if self._heard > MAX_LOGIN:
            raise Malformed(f"more than {MAX_LOGIN:,} bytes while logging in")
        if self._state is _State.TLS_ASKED:
            return self._tls_answer()
        if self._state is _State.TLS:
            raise HandshakeFailed("the server sent plain text between its consent to TLS and TLS")
        outputs: list[Output] = []
        while not self.ready and (message := self._message()) is not None:
            outputs += self._handle(*message)
        return outputs

    def _tls_answer(self) -> list[Output]:
        answer, rest = self._buffer[:1], self._buffer[1:]
        if answer == b"S" and not rest:
            self._buffer = b""
            self._state = _State.TLS
            return [StartTls(self._side, (ALPN,))]
        if answer == b"N" and not rest:
            raise HandshakeFailed(f"the server refuses TLS, but its configuration says tls: {self._address.tls}")
        raise HandshakeFailed("the server's answer to the request for TLS is unreadable")

    def _message(self) -> tuple[bytes, bytes] | None:
        if len(self._buffer) < 5:
            return None
        length = int.from_bytes(self._buffer[1:5], "big")
        if not 4 <= length <= MAX_MESSAGE:
            raise Malformed(f"a message of {length} bytes while logging in")
        if len(self._buffer) < 1 + length:
            return None
        kind, body = self._buffer[:1], self._buffer[5 : 1 + length]
        self._buffer = self._buffer[1 + length :]
        return kind, body

    def _handle(self, kind: bytes, body: bytes) -> list[Output]:
        if kind == b"E":
            fields = decode_fields(body)
            raise HandshakeFailed(
                f"the server refuses the login: {fields['M']} ({fields['C']})",
                elsewhere=fields["C"] == CANNOT_CONNECT_NOW,
            )
        if kind == b"N":
            self.notices.append(body)
            return []
        if kind == b"R" and self._state is not _State.OPENING:
            return self._authentication(*decode_authentication(body))
        if self._state is not _State.OPENING:
            raise Malformed(f"a message {kind!r} before the server has authenticated us")
        if kind == b"S":
            name, value = decode_parameter_status(body)
            self.status[name] = value
        elif kind == b"K":
            self.key = decode_key(body)
        elif kind == b"Z":
            decode_ready(body)
            self._state = _State.READY
        else:
            raise Malformed(f"a message {kind!r} while logging in")
        return []

    def _authentication(self, kind: int, data: bytes) -> list[Output]:
        if kind == AUTH_OK:
            if self._state in (_State.SCRAM, _State.SCRAM_ANSWERED):
                raise HandshakeFailed("the server ended SCRAM without proving that it knows the password")
            self._state = _State.OPENING
            return []
        if kind in (AUTH_SASL_CONTINUE, AUTH_SASL_FINAL) and self._scram is not None:
            return self._continue_scram(self._scram, kind, data)
        if self._state is not _State.AUTH or self._scram is not None:
            raise Malformed(f"the authentication request {kind} out of its order")
        if self._credential.token and kind in (AUTH_SASL, AUTH_MD5):
            raise HandshakeFailed("the server asks for a password, not a token: is the user one of Microsoft Entra's?")
        if kind == AUTH_SASL:
            return self._start_scram(data)
        if kind == AUTH_MD5:
            return [Send(self._side, encode_password(self._md5(Reader(data).take(4))))]
        if kind == AUTH_CLEARTEXT:
            return [Send(self._side, encode_password(self._cleartext()))]
        raise HandshakeFailed(f"the server asks for the authentication method {kind}, which is not supported")

    def _cleartext(self) -> bytes:
        if self._credential.token and not (self._secure and self._address.tls is TlsMode.VERIFY_FULL):
            raise HandshakeFailed("a token is shown to a verified server only: set tls: verify-full")
        if not self._secure and not is_loopback(self._address.host):
            raise HandshakeFailed("the server asks for the password in clear without TLS: set tls: verify-full")
        return self._credential.secret

    def _md5(self, salt: bytes) -> bytes:
        # PostgreSQL's own scheme, for servers that still ask for it: MD5 protects nothing here, TLS does.
        inner = md5(self._credential.secret + self._credential.user.encode(), usedforsecurity=False).hexdigest()
        return b"md5" + md5(inner.encode() + salt, usedforsecurity=False).hexdigest().encode()

    def _start_scram(self, data: bytes) -> list[Output]:
        try:
            self._scram = Scram(self._credential.secret, self._entropy(18), decode_mechanisms(data), self._certificate)
        except ScramFailed as error:
            raise HandshakeFailed(str(error)) from None
        self._state = _State.SCRAM
        return [Send(self._side, encode_sasl_initial(self._scram.mechanism, self._scram.first()))]

    def _continue_scram(self, scram: Scram, kind: int, data: bytes) -> list[Output]:
        try:
            if kind == AUTH_SASL_CONTINUE:
                if self._state is not _State.SCRAM:
                    raise Malformed("a further round of SCRAM, which has one")
                self._state = _State.SCRAM_ANSWERED
                return [Send(self._side, encode_sasl_response(scram.answer(data)))]
            if self._state is not _State.SCRAM_ANSWERED:
                raise Malformed("the end of SCRAM out of its order")
            scram.verify(data)
        except ScramFailed as error:
            raise HandshakeFailed(str(error)) from None
        self._state = _State.SCRAM_PROVED
        return []
