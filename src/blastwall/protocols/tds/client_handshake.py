"""The client's side of the start: encryption, the login record, the token where the driver fetches it itself.

    state     next
    START     a ClientHello → TLS with ALPN `tds/8.0` → PRELOGIN · anything else → PRELOGIN
    PRELOGIN  PRELOGIN → its answer; where TLS is not up: TLS inside PRELOGIN packets → LOGIN · LOGIN
    TLS       the relay reports TLS
    LOGIN     LOGIN7 with a password or token → DONE, with `login` set · with the ADAL workflow → FEDAUTHINFO → TOKEN
    TOKEN     FEDAUTH with the token → DONE, with `login` set
    DONE      `refused` → the error, and the end

What arrives before TLS is up, besides what asks for it, closes the connection: it would later be read as if it had come
through TLS. `negotiation` has what clients hear of encryption.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto

from blastwall.protocols.contract import CLIENT, Close, Login, Opening, Output, Send, StartTls
from blastwall.protocols.tds.answers import fedauth_info
from blastwall.protocols.tds.fedauth import SECURITY_TOKEN, SPN, STS_URL, FedAuth, read_fedauth, read_token
from blastwall.protocols.tds.login7 import FEDAUTH, Login7, read_login7
from blastwall.protocols.tds.login_errors import LIMIT_REACHED, LOGIN_FAILED, refuse_login
from blastwall.protocols.tds.login_wishes import LoginRefused, check_login
from blastwall.protocols.tds.negotiation import (
    ALPN,
    TLS_HANDSHAKE,
    answered_encryption,
    asked_encryption,
    prelogin_of,
)
from blastwall.protocols.tds.packets import Kind, Message, MessageReader, framed
from blastwall.protocols.tds.prelogin import Encryption, Prelogin, read_prelogin, write_prelogin
from blastwall.protocols.tds.settings import TdsSettings
from blastwall.protocols.tds.wrapping import INITIAL_SIZE, PreloginWrapping
from blastwall.wire.reader import Malformed

_TOO_EARLY = "bytes after the request for TLS and before TLS"


class _State(Enum):
    START = auto()
    TLS = auto()
    PRELOGIN = auto()
    LOGIN = auto()
    TOKEN = auto()
    DONE = auto()


class ClientHandshake:
    """Bytes of the client's in, outputs out, until `login` is set or a `Close` was returned."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._state = _State.START
        # Text is UTF-16 here: a token takes twice the bytes that it takes elsewhere.
        self._limit = 2 * opening.limits.startup
        self._reader = MessageReader(self._limit, largest=self._limit)
        self._heard = 0
        self._secure = False
        self.strict = False
        """Whether TLS came first, as TDS 8.0 has it."""
        self._fedauth_required = False
        self.login7: Login7 | None = None
        self.login: Login | None = None
        self.by_token = False
        """Whether the client proves itself by a Microsoft Entra token, and hears that it was taken up."""

    def rest(self) -> bytes:
        """Take what the client sent beyond its proof."""
        return self._reader.packets.rest()

    def receive(self, data: bytes) -> list[Output]:
        if self._state is _State.START and data:
            if data[0] == TLS_HANDSHAKE:
                return self._start_strict(data)
            self._state = _State.PRELOGIN
        if self._state is _State.TLS:
            return [Close(f"the connection's start is unreadable: {_TOO_EARLY}")]
        outputs: list[Output] = []
        try:
            self._heard += len(data)
            self._reader.feed(data)
            while self._state not in (_State.TLS, _State.DONE) and (message := self._message()) is not None:
                self._handle(message, outputs)
            self._check_size()
        except Malformed as error:
            outputs.append(Close(f"the connection's start is unreadable: {error}"))
        except LoginRefused as error:
            outputs += refuse_login(error.number, str(error))
        return outputs

    def refused(self, reason: str) -> list[Output]:
        """The gate has refused the login, for a reason that the client may hear."""
        user = self.login7.user if self.login7 is not None else ""
        whose = f"Login failed for user '{user}'" if user else "Login failed"
        return refuse_login(LOGIN_FAILED, f"{whose}. {reason}", reason)

    def tls_started(self, alpn: str | None) -> list[Output]:
        if self.strict and alpn != ALPN:
            return [Close(f"TLS came first, without the ALPN protocol {ALPN}")]
        self._secure = True
        self._state = _State.PRELOGIN if self.strict else _State.LOGIN
        return []

    def forget_proof(self) -> None:
        """The login is over: a session may live for days, and what was shown for it must not stay in memory."""
        if self.login is not None:
            self.login = replace(self.login, proof=b"")
        if self.login7 is not None:
            self.login7 = replace(self.login7, password="", features=())

    @property
    def _settings(self) -> TdsSettings:
        settings = self._opening.resource.settings
        return settings if isinstance(settings, TdsSettings) else TdsSettings()

    # ── messages ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _start_strict(self, data: bytes) -> list[Output]:
        self._state, self.strict = _State.TLS, True
        return [StartTls(CLIENT, (ALPN,), data)]

    def _message(self) -> Message | None:
        message = self._reader.take()
        if message is not None and (not isinstance(message, Message) or message.oversized):
            raise Malformed(f"a login of more than {self._limit} bytes")
        return message

    def _check_size(self) -> None:
        """PRELOGIN, LOGIN7 and a token's message: no honest client needs more than twice the limit of one."""
        if self._heard > 2 * self._limit:
            raise Malformed(f"more than {2 * self._limit} bytes before the login is complete")

    def _handle(self, message: Message, outputs: list[Output]) -> None:
        expected = {_State.PRELOGIN: Kind.PRELOGIN, _State.LOGIN: Kind.LOGIN7, _State.TOKEN: Kind.FEDAUTH}
        if message.kind is not expected[self._state]:
            raise Malformed(f"a message of type {message.kind} where one of {expected[self._state]} belongs")
        if self._state is _State.PRELOGIN:
            self._prelogin(read_prelogin(message.payload), outputs)
        elif self._state is _State.LOGIN:
            self._log_in(read_login7(message.payload), outputs)
        else:
            self._prove(read_token(message.payload)[0])

    def _prelogin(self, prelogin: Prelogin, outputs: list[Output]) -> None:
        # In TDS 8.0 what is said of encryption means nothing any more.
        asked = Encryption.ON if self.strict else asked_encryption(prelogin)
        answer = Encryption.ON if self.strict else answered_encryption(asked, plain_text=self._opening.plain_text)
        self._fedauth_required = bool(prelogin.fedauth_required)
        reply = write_prelogin(prelogin_of(answer, fedauth=self._fedauth_required))
        outputs.append(Send(CLIENT, framed(Kind.REPLY, reply, INITIAL_SIZE)))
        if self.strict or Encryption.NOT_SUPPORTED in (answer, asked):
            self._state = _State.LOGIN
            return
        if self._reader.buffered:
            raise Malformed(_TOO_EARLY)
        self._state = _State.TLS
        outputs.append(StartTls(CLIENT, wrapping=PreloginWrapping()))

    def _log_in(self, login7: Login7, outputs: list[Output]) -> None:
        if not self._secure and not self._opening.plain_text:
            told = "this gateway accepts TLS only, since the password is a token or pass; connect with Encrypt=yes"
            raise LoginRefused(LOGIN_FAILED, told)
        if self._opening.full:
            raise LoginRefused(LIMIT_REACHED, self._opening.full)
        self.login7 = login7
        check_login(login7, strict=self.strict)
        feature = login7.feature(FEDAUTH)
        if feature is None:
            if not login7.password:
                told = "no password came with the login: give a pass or token as the password"
                raise LoginRefused(LOGIN_FAILED, told)
            self._prove(login7.password)
            return
        self.by_token = True
        self._fedauth(read_fedauth(feature), outputs)

    def _fedauth(self, fedauth: FedAuth, outputs: list[Output]) -> None:
        if fedauth.echo is not self._fedauth_required:
            raise Malformed("a login that echoes another answer to FEDAUTHREQUIRED than it was given")
        if fedauth.library == SECURITY_TOKEN and not fedauth.nonce:
            self._prove(fedauth.token)
        elif fedauth.library != SECURITY_TOKEN:
            entra = self._settings.entra
            if entra is None:
                told = "this resource does not say where tokens can be had (settings: entra); give the token itself"
                raise LoginRefused(LOGIN_FAILED, f"{told}, or a pass as the password")
            info = fedauth_info(((STS_URL, entra.authority), (SPN, entra.resource)))
            outputs.append(Send(CLIENT, framed(Kind.REPLY, info, INITIAL_SIZE)))
            self._state = _State.TOKEN
        else:
            raise Malformed("a nonce that the client was not given")

    def _prove(self, proof: str) -> None:
        login7 = self.login7
        if login7 is None:
            raise Malformed("a token before the login")
        if not proof:
            raise LoginRefused(LOGIN_FAILED, "no token came with the login")
        self._state = _State.DONE
        self.login = Login(
            user=login7.user,
            proof=proof.encode(),
            target=self._database(login7.database),
            application=login7.application,
        )

    def _database(self, asked: str) -> str:
        """Return the database by the name that the resource has for it; the resource's first where none is asked for.

        The names of databases differ by more than case on no server that is not set up against its own tools.
        """
        names = self._opening.resource.databases
        if not asked:
            return names[0] if names else ""
        return next((name for name in names if name.lower() == asked.lower()), asked)
