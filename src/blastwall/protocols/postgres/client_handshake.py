"""The client's side of the start: TLS, the startup packet, the password or SASL message that carries the token or pass.

    state      next
    REQUEST    SSLRequest → `S`, TLS → REQUEST · GSSENCRequest → `N` → REQUEST · CancelRequest → Interrupt, done
               ClientHello → TLS with ALPN `postgresql` → REQUEST · StartupMessage → PASSWORD or BEARER
    TLS        the relay reports TLS → REQUEST
    PASSWORD   PasswordMessage → DONE, with `login` set
    BEARER     SASLInitialResponse → DONE, with `login` set · without a token: the error document → REFUSED
    DONE       `refused` → the end, after OAUTHBEARER by way of the error document → REFUSED
    REFUSED    the client's acknowledgement → the error, and the end

Whatever arrives before an upgrade to TLS besides the request closes the connection: it would later be read as if it had
come through TLS (CVE-2021-23222 and kin).
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto

from blastwall.protocols.contract import CLIENT, Close, Interrupt, Login, Opening, Output, Send, StartTls
from blastwall.protocols.postgres import errors
from blastwall.protocols.postgres.errors import encode_error
from blastwall.protocols.postgres.messages import TERMINATE
from blastwall.protocols.postgres.oauthbearer import ACKNOWLEDGED, decode_initial, encode_failure, encode_offer
from blastwall.protocols.postgres.settings import (
    PostgresSettings,
    StartupRefused,
    asked_authentication,
    check_startup,
)
from blastwall.protocols.postgres.startup import (
    ALPN,
    AUTH_CLEARTEXT,
    AUTH_SASL,
    AUTH_SASL_CONTINUE,
    CANCEL_REQUEST,
    GSSENC_REQUEST,
    PROTOCOL_3_0,
    PROTOCOL_3_2,
    SSL_REQUEST,
    TLS_HANDSHAKE,
    Startup,
    decode_cancel,
    decode_password,
    decode_startup,
    encode_authentication,
    encode_negotiate,
    request_code,
    request_length,
)
from blastwall.wire.reader import Malformed


class _State(Enum):
    REQUEST = auto()
    TLS = auto()
    PASSWORD = auto()
    BEARER = auto()
    REFUSED = auto()
    DONE = auto()


class ClientHandshake:
    """Bytes of the client's in, outputs out, until `login` is set or a `Close` was returned."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._buffer = b""
        self._state = _State.REQUEST
        self._secure = False
        self._direct = False
        self._gss_refused = False
        self.startup: Startup | None = None
        self.version = PROTOCOL_3_0
        self.login: Login | None = None
        self._bearer = False
        self._reason = ""

    def rest(self) -> bytes:
        """Take what the client sent beyond its password."""
        rest, self._buffer = self._buffer, b""
        return rest

    def receive(self, data: bytes) -> list[Output]:
        self._buffer += data
        outputs: list[Output] = []
        try:
            while self._step(outputs):
                pass
            self._check_size()
        except Malformed as error:
            outputs += refuse_start(errors.PROTOCOL_VIOLATION, f"the connection's start is unreadable: {error}")
        except StartupRefused as error:
            outputs += refuse_start(error.code, str(error))
        return outputs

    def refused(self, reason: str) -> list[Output]:
        """The gate has refused the login, for a reason that the client may hear."""
        if not self._bearer:
            return refuse_start(errors.INVALID_AUTHORIZATION, reason)
        self.login = None
        return self._explain(reason)

    def _explain(self, reason: str) -> list[Output]:
        """Send the error document; the reason itself follows once the client has acknowledged it."""
        self._state, self._reason = _State.REFUSED, reason
        oauth = self._settings.oauth
        document = encode_failure(oauth.configuration, oauth.scope) if oauth is not None else encode_failure("", "")
        return [Send(CLIENT, encode_authentication(AUTH_SASL_CONTINUE, document))]

    @property
    def _settings(self) -> PostgresSettings:
        settings = self._opening.resource.settings
        return settings if isinstance(settings, PostgresSettings) else PostgresSettings()

    def tls_started(self, alpn: str | None) -> list[Output]:
        if self._direct and alpn != ALPN:
            return [Close("a direct TLS connection without the ALPN protocol postgresql")]
        self._secure = True
        self._state = _State.REQUEST
        return []

    def _check_size(self) -> None:
        if len(self._buffer) > self._opening.limits.startup + 1:
            raise Malformed("more than the startup needs before it is complete")

    def _step(self, outputs: list[Output]) -> bool:
        if self._state is _State.REQUEST and self._buffer:
            return self._request(outputs)
        if self._state in (_State.PASSWORD, _State.BEARER, _State.REFUSED):
            return self._proof(outputs)
        return False

    def _request(self, outputs: list[Output]) -> bool:
        if self._buffer[0] == TLS_HANDSHAKE and not self._secure:
            outputs.append(StartTls(CLIENT, (ALPN,), self._buffer))
            self._buffer = b""
            self._direct = True
            self._state = _State.TLS
            return False
        if self._buffer.startswith(TERMINATE):
            # node-postgres that is ended while it connects says so before anything else. A server closes in silence.
            self._state, self._buffer = _State.DONE, b""
            outputs.append(Close("the client left before it said who it is"))
            return False
        length = request_length(self._buffer, self._opening.limits.startup)
        if length is None or len(self._buffer) < length:
            return False
        packet, self._buffer = self._buffer[:length], self._buffer[length:]
        code = request_code(packet)
        if code == SSL_REQUEST:
            return self._ssl_request(outputs)
        if code == GSSENC_REQUEST:
            return self._gss_request(outputs)
        if code == CANCEL_REQUEST:
            self._state = _State.DONE
            outputs += [Interrupt(decode_cancel(packet).handle), Close("a cancel request")]
            return False
        self._startup(decode_startup(packet), outputs)
        return True

    def _ssl_request(self, outputs: list[Output]) -> bool:
        if self._secure:
            raise Malformed("a second request for TLS")
        if self._buffer:
            raise Malformed("bytes after the request for TLS and before TLS")
        outputs += [Send(CLIENT, b"S"), StartTls(CLIENT, (ALPN,))]
        self._state = _State.TLS
        return False

    def _gss_request(self, outputs: list[Output]) -> bool:
        if self._buffer or self._gss_refused or self._secure:
            raise Malformed("a request for GSSAPI encryption where none is possible")
        self._gss_refused = True
        outputs.append(Send(CLIENT, b"N"))
        return False

    def _startup(self, startup: Startup, outputs: list[Output]) -> None:
        if startup.version >> 16 != PROTOCOL_3_0 >> 16:
            raise Malformed(f"protocol {startup.version >> 16}.{startup.version & 0xFFFF}; 3.0 and 3.2 are spoken")
        if not self._secure and not self._opening.plain_text:
            raise StartupRefused(
                errors.INVALID_AUTHORIZATION,
                "this gateway accepts TLS only, since the password is a token; connect with sslmode=verify-full",
            )
        if self._opening.full:
            raise StartupRefused(errors.TOO_MANY_CONNECTIONS, self._opening.full)
        unknown = [name for name in startup.parameters if name.startswith("_pq_.")]
        self.version = PROTOCOL_3_2 if startup.version >= PROTOCOL_3_2 else PROTOCOL_3_0
        check_startup(startup)
        if startup.version not in (PROTOCOL_3_0, PROTOCOL_3_2) or unknown:
            outputs.append(Send(CLIENT, encode_negotiate(self.version, unknown)))
        self.startup = startup
        self._bearer = asked_authentication(startup, self._settings.authentication) == "oauthbearer"
        if self._bearer:
            outputs.append(Send(CLIENT, encode_authentication(AUTH_SASL, encode_offer())))
            self._state = _State.BEARER
        else:
            outputs.append(Send(CLIENT, encode_authentication(AUTH_CLEARTEXT)))
            self._state = _State.PASSWORD

    def _proof(self, outputs: list[Output]) -> bool:
        """Read a message of the kind `p`: PasswordMessage, SASLInitialResponse or SASLResponse."""
        if len(self._buffer) < 5:
            return False
        length = int.from_bytes(self._buffer[1:5], "big")
        if self._buffer[:1] != b"p" or not 5 <= length <= self._opening.limits.startup:
            raise Malformed("something else than a password or token of at most the accepted size")
        if len(self._buffer) < 1 + length:
            return False
        body, self._buffer = self._buffer[5 : 1 + length], self._buffer[1 + length :]
        if self._state is _State.REFUSED:
            if body != ACKNOWLEDGED:
                raise Malformed("something else than the acknowledgement of an OAUTHBEARER error")
            self._state = _State.DONE
            outputs += refuse_start(errors.INVALID_AUTHORIZATION, self._reason)
            return False
        proof = decode_initial(body) if self._state is _State.BEARER else decode_password(body)
        if self._state is _State.BEARER and not proof:
            outputs += self._explain("a token is needed; the client showed none")
            return True
        self._state = _State.DONE
        self._log_in(proof)
        return False

    def forget_proof(self) -> None:
        """The login is over: a session may live for days, and what was shown for it must not stay in memory."""
        if self.login is not None:
            self.login = replace(self.login, proof=b"")

    def _log_in(self, proof: bytes) -> None:
        parameters = self.startup.parameters if self.startup else {}
        self.login = Login(
            user=parameters.get("user", ""),
            proof=proof,
            target=parameters.get("database") or parameters.get("user", ""),
            application=parameters.get("application_name", ""),
        )


def refuse_start(code: str, message: str, reason: str = "") -> list[Output]:
    """A fatal error as PostgreSQL sends it before a session is ready, and the end, for a `reason` of the operator's."""
    return [Send(CLIENT, encode_error(code, f"blastwall: {message}", severity="FATAL")), Close(reason or message)]
