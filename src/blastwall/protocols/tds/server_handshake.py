"""The server's side of the start: TLS towards the resource, the credential, and what the server says of itself.

    state     next
    PRELOGIN  its answer → TLS inside PRELOGIN packets → TLS · LOGIN where the configuration wants no TLS
    TLS       the relay reports TLS: LOGIN7 → LOGIN · strict: PRELOGIN → PRELOGIN, which is then answered inside TLS
    LOGIN     tokens up to the reply's end: LOGINACK → READY · ENVCHANGE 20 → ROUTED · an error → failed

Encryption is asked for whole and nothing less is taken. The credential's secret is sent only inside TLS, or to a
loopback address; an Entra token only to a server whose name was verified.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum, auto

from blastwall.model.credential import Credential
from blastwall.model.resource import Address, TlsMode, is_loopback
from blastwall.protocols.contract import Dial, Output, Send, Side, StartTls
from blastwall.protocols.reaching import HandshakeFailed
from blastwall.protocols.tds.fedauth import SECURITY_TOKEN, FedAuth, write_fedauth
from blastwall.protocols.tds.login7 import FEDAUTH, UTF8, Login7, write_login7
from blastwall.protocols.tds.login_errors import TRANSIENT
from blastwall.protocols.tds.login_wishes import PACKET_SIZE, Wish, login_of
from blastwall.protocols.tds.negotiation import ALPN, prelogin_of
from blastwall.protocols.tds.packets import Kind, Packet, PacketReader, framed
from blastwall.protocols.tds.prelogin import Encryption, Prelogin, read_prelogin, write_prelogin
from blastwall.protocols.tds.token_reader import TokenReader
from blastwall.protocols.tds.tokens import (
    ENV_COLLATION,
    ENV_DATABASE,
    ENV_LANGUAGE,
    ENV_MIRROR,
    ENV_PACKET_SIZE,
    ENV_ROUTING,
    Done,
    EnvChange,
    Error,
    FeatureExtAck,
    Info,
    LoginAck,
    Token,
)
from blastwall.protocols.tds.wrapping import INITIAL_SIZE, PreloginWrapping
from blastwall.wire.reader import Malformed

MAX_LOGIN = 256 * 1024
"""A server does not say more than this before it is ready: some ten tokens, each with a name or two."""
_ENCRYPTED = (Encryption.ON, Encryption.REQUIRED)
_ENVIRONMENT = frozenset({ENV_DATABASE, ENV_LANGUAGE, ENV_PACKET_SIZE, ENV_COLLATION, ENV_MIRROR, ENV_ROUTING})


@dataclass(frozen=True, slots=True)
class Welcome:
    """What the server said when it let the gateway in. `environment` has what it set, by type (MS-TDS 2.2.7.9)."""

    ack: LoginAck | None = None
    environment: dict[int, EnvChange] = field(default_factory=dict)
    infos: tuple[Info, ...] = ()
    features: tuple[tuple[int, bytes], ...] = ()
    packet_size: int = PACKET_SIZE
    spid: int = 0

    @property
    def database(self) -> str:
        """The database that the session is in."""
        change = self.environment.get(ENV_DATABASE)
        return change.new_text if change is not None else ""


class _State(Enum):
    PRELOGIN = auto()
    TLS = auto()
    LOGIN = auto()
    READY = auto()
    ROUTED = auto()


class ServerHandshake:
    """Log in at the resource over one dialled side, until `ready` or `route` is set.

    Methods return outputs and raise `HandshakeFailed` or `Malformed`.
    """

    def __init__(self, side: Side, address: Address, credential: Credential, wish: Wish, *, strict: bool) -> None:
        self._side = side
        self._address = address
        self._credential = credential
        self._wish = wish
        self._strict = strict and address.tls is not TlsMode.DISABLE
        self._packets = PacketReader()
        self._tokens = TokenReader(largest=64 * 1024)
        self._prelogin = b""
        self._heard = 0
        self._secure = False
        self._echo = False
        self._error: Error | None = None
        self._ended = False
        self._state = _State.PRELOGIN
        self.welcome = Welcome()
        self._sent_on: tuple[str, int] | None = None

    @property
    def ready(self) -> bool:
        """Whether the server waits for the first request."""
        return self._state is _State.READY

    @property
    def route(self) -> tuple[str, int] | None:
        """Host and port where the server wants the login instead, once its answer has ended."""
        return self._sent_on if self._state is _State.ROUTED else None

    @property
    def buffered(self) -> bool:
        """Whether the server sent anything after it was ready."""
        return bool(self._packets.buffered)

    def start(self) -> list[Output]:
        """Dial; ask for TLS, or begin with it."""
        dial: list[Output] = [Dial(self._side, self._address)]
        if self._strict:
            self._state = _State.TLS
            return [*dial, StartTls(self._side, (ALPN,))]
        return [*dial, self._ask()]

    def _ask(self) -> Send:
        wanted = Encryption.NOT_SUPPORTED if self._address.tls is TlsMode.DISABLE else Encryption.ON
        asked = write_prelogin(prelogin_of(wanted, fedauth=self._credential.token))
        return Send(self._side, framed(Kind.PRELOGIN, asked, INITIAL_SIZE))

    def tls_started(self, alpn: str | None) -> list[Output]:
        self._secure = True
        if not self._strict:
            return self._log_in()
        if alpn != ALPN:
            raise HandshakeFailed(f"the server does not speak TDS 8.0 (ALPN {ALPN}): set strict: false")
        self._state = _State.PRELOGIN
        return [self._ask()]

    def receive(self, data: bytes) -> list[Output]:
        self._heard += len(data)
        if self._heard > MAX_LOGIN:
            raise Malformed(f"more than {MAX_LOGIN:,} bytes while logging in")
        if self._state is _State.TLS:
            raise HandshakeFailed("the server sent plain text between its consent to TLS and TLS")
        self._packets.feed(data)
        outputs: list[Output] = []
        while self._state in (_State.PRELOGIN, _State.LOGIN) and (packet := self._packets.take()) is not None:
            outputs += self._packet(packet)
        return outputs

    def _packet(self, packet: Packet) -> list[Output]:
        if packet.kind is not Kind.REPLY:
            raise Malformed(f"a packet of type {packet.kind} while logging in")
        if self._state is _State.LOGIN:
            return self._reply(packet)
        self._prelogin += packet.payload
        return self._agreed(read_prelogin(self._prelogin)) if packet.last else []

    # ── encryption and the login record ──────────────────────────────────────────────────────────────────────────────

    def _agreed(self, answer: Prelogin) -> list[Output]:
        self._echo = self._credential.token and bool(answer.fedauth_required)
        if answer.nonce is not None:
            raise Malformed("a nonce that was not asked for")
        if self._strict:
            return self._log_in()
        if self._address.tls is TlsMode.DISABLE:
            if answer.encryption in _ENCRYPTED:
                raise HandshakeFailed("the server wants TLS, but its configuration says tls: disable")
            return self._log_in()
        if answer.encryption not in _ENCRYPTED:
            raise HandshakeFailed(f"the server refuses TLS, but its configuration says tls: {self._address.tls}")
        if self._packets.buffered:
            raise HandshakeFailed("the server sent plain text between its consent to TLS and TLS")
        self._state = _State.TLS
        return [StartTls(self._side, wrapping=PreloginWrapping())]

    def _log_in(self) -> list[Output]:
        self._state = _State.LOGIN
        login = self._proved(login_of(self._wish, self._address.host, strict=self._strict))
        return [Send(self._side, framed(Kind.LOGIN7, write_login7(login), INITIAL_SIZE))]

    def _proved(self, login: Login7) -> Login7:
        secret = self._credential.secret.decode()
        if self._credential.token:
            if not (self._secure and self._address.tls is TlsMode.VERIFY_FULL):
                raise HandshakeFailed("a token is shown to a verified server only: set tls: verify-full")
            token = write_fedauth(FedAuth(SECURITY_TOKEN, self._echo, secret))
            return replace(login, features=((FEDAUTH, token), *login.features))
        if not self._secure and not is_loopback(self._address.host):
            raise HandshakeFailed("the password would go over the network without TLS: set tls: verify-full")
        return replace(login, user=self._credential.user, password=secret)

    # ── the answer ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _reply(self, packet: Packet) -> list[Output]:
        self._tokens.feed(packet.payload)
        while (token := self._tokens.take()) is not None:
            self._token(token)
        if packet.last:
            self._tokens.finish()
            self.welcome = replace(self.welcome, spid=packet.spid)
            self._conclude()
        return []

    def _token(self, token: Token) -> None:
        if self._ended:
            raise Malformed("tokens after the end of the login's answer")
        if isinstance(token, Error):
            self._error = self._error or token
        elif isinstance(token, Info):
            self.welcome = replace(self.welcome, infos=(*self.welcome.infos, token))
        elif isinstance(token, EnvChange):
            self._environment(token)
        elif isinstance(token, LoginAck):
            self.welcome = replace(self.welcome, ack=token)
        elif isinstance(token, FeatureExtAck):
            self._features(token)
        elif isinstance(token, Done):
            self._ended = not token.more
        else:
            raise Malformed(f"a {type(token).__name__} in the login's answer")

    def _environment(self, change: EnvChange) -> None:
        if change.type not in _ENVIRONMENT:
            raise Malformed(f"an environment change of type {change.type} in the login's answer")
        if change.type == ENV_ROUTING:
            host, port, _ = change.routing
            self._sent_on = host, port
            return
        self.welcome.environment[change.type] = change
        if change.type == ENV_PACKET_SIZE:
            self.welcome = replace(self.welcome, packet_size=_size(change.new_text))

    def _features(self, ack: FeatureExtAck) -> None:
        asked = {FEDAUTH} if self._credential.token else set()
        if self._wish.utf8:
            asked.add(UTF8)
        for name, _ in ack.features:
            if name not in asked:
                raise Malformed(f"the acknowledgement of feature {name}, which was not asked for")
        self.welcome = replace(self.welcome, features=ack.features)

    def _conclude(self) -> None:
        error = self._error
        if error is not None and self.welcome.ack is None:
            raise _refused(error)
        if not self._ended or self.welcome.ack is None:
            raise Malformed("an answer to the login that neither lets in nor refuses")
        if self._credential.token and not any(name == FEDAUTH for name, _ in self.welcome.features):
            raise HandshakeFailed("the server let the gateway in without taking up its token", elsewhere=False)
        if self._sent_on is not None:
            self._state = _State.ROUTED
            return
        if self.welcome.database.lower() != self._wish.database.lower():
            there = f"the server let the gateway into another database ({self.welcome.database[:200]!r})"
            raise HandshakeFailed(f"{there} than {self._wish.database!r}", elsewhere=False)
        self._state = _State.READY


def _size(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 512 <= int(text[:9]) <= 32767:
        raise Malformed(f"a packet size of {text[:20]!r}")
    return int(text)


def _refused(error: Error) -> HandshakeFailed:
    """A login error of the resource's. Its text names users, databases and addresses: it is the operator's alone."""
    passing = error.number in TRANSIENT
    told = f"the database is not available at the moment (error {error.number}); try again" if passing else ""
    reason = f"the server refuses the login: {error.message[:500]} ({error.number}, state {error.state})"
    return HandshakeFailed(reason, told=told, elsewhere=passing)
