"""Log in at the first of a resource's hosts that will do, and where it sends the login on to.

    what a host does                                   what follows
    cannot be connected to, secured or understood      the next host
    says that it is not available at the moment        the next host
    refuses the login otherwise                        the end: the same credential would be refused by each
    sends the login on (ENVCHANGE 20)                  the host that it names, if that may be: see `routing`
    lets in, but `target: primary` and it only reads   the next host
    lets in                                            done

Whether a database takes writes is asked, once the gateway is in: `DATABASEPROPERTYEX`, "Updateability". A client that
says that it only reads (ApplicationIntent=ReadOnly) is let in by any.
"""

from __future__ import annotations

from functools import partial

from blastwall.model.credential import Credential
from blastwall.model.resource import Address, HostTarget, Resource
from blastwall.protocols.contract import Dial, Output, Side
from blastwall.protocols.reaching import HandshakeFailed, none_will_do
from blastwall.protocols.tds.answer_reading import AnswerReader, ask
from blastwall.protocols.tds.login_wishes import Wish
from blastwall.protocols.tds.routing import MOST_HOPS, RouteRefused, routed
from blastwall.protocols.tds.server_handshake import ServerHandshake, Welcome
from blastwall.protocols.tds.settings import TdsSettings

UPDATEABILITY = "SELECT CONVERT(nvarchar(20), DATABASEPROPERTYEX(DB_NAME(), 'Updateability'))"
_WRITABLE = "READ_WRITE"


class ServerLogin:
    """Like `ServerHandshake`, over hosts and hops. Its methods raise `HandshakeFailed` once no host is left."""

    def __init__(
        self, side: Side, resource: Resource, credential: Credential, wish: Wish, *, hosts: tuple[int, ...] = ()
    ) -> None:
        settings = resource.settings if isinstance(resource.settings, TdsSettings) else TdsSettings()
        self._side = side
        self._routes = settings.routes
        self._asks = resource.target is HostTarget.PRIMARY and not wish.read_only
        self._reader: AnswerReader | None = None
        """Reads whether the host that let the gateway in takes writes, where that must be known."""
        self._writable = not self._asks
        self._hosts = [(number, resource.hosts[number]) for number in hosts or range(len(resource.hosts))]
        self._attempts: list[tuple[Address, int, HandshakeFailed]] = []
        self._hops = 0
        self._make = partial(_handshake, side, credential, wish, settings.strict)
        self._handshake = self._make(self.address)

    @property
    def host(self) -> int:
        """The position in the configuration of the host that is tried or was found."""
        return self._hosts[len(self._attempts)][0]

    @property
    def address(self) -> Address:
        """Its address."""
        return self._hosts[len(self._attempts)][1]

    @property
    def ready(self) -> bool:
        return self._handshake.ready and self._writable

    @property
    def buffered(self) -> bool:
        return self._handshake.buffered or (self._reader is not None and bool(self._reader.buffered))

    @property
    def welcome(self) -> Welcome:
        return self._handshake.welcome

    def start(self) -> list[Output]:
        """Dial the first host, or the next one; each has its share of the time."""
        first, *rest = self._handshake.start()
        return [Dial(first.upstream, first.target, len(self._hosts)) if isinstance(first, Dial) else first, *rest]

    def tls_started(self, alpn: str | None) -> list[Output]:
        try:
            return self._handshake.tls_started(alpn)
        except HandshakeFailed as failure:
            return self._next(failure)

    def receive(self, data: bytes) -> list[Output]:
        try:
            if self._reader is not None and not self._writable:
                return self._read(self._reader, data)
            outputs = self._handshake.receive(data)
            if self._handshake.route is not None:
                return self._follow(*self._handshake.route)
            return [*outputs, *self._check()] if self._handshake.ready else outputs
        except HandshakeFailed as failure:
            return self._next(failure)

    def failed(self, reason: str) -> list[Output]:
        """The host cannot be reached, or has left before it was ready. `reason` may be told to the client."""
        return self._next(HandshakeFailed(reason, told=reason))

    def _follow(self, host: str, port: int) -> list[Output]:
        """Log in where the server sends to; what it said of itself is forgotten."""
        self._hops += 1
        if self._hops > MOST_HOPS:
            raise HandshakeFailed(f"the login was sent on {self._hops} times, which has no end")
        try:
            address = routed(self.address, host, port, self._routes)
        except RouteRefused as refusal:
            raise HandshakeFailed(str(refusal)) from refusal
        self._handshake = self._make(address)
        return self.start()

    def _check(self) -> list[Output]:
        if not self._asks:
            return []
        self._reader = AnswerReader()
        return [ask(self._side, UPDATEABILITY, self.welcome.packet_size)]

    def _read(self, reader: AnswerReader, data: bytes) -> list[Output]:
        reader.feed(data)
        reply = reader.take()
        if reply is None:
            return []
        if reply.error is not None or reply.results != ([(_WRITABLE,)],):
            unfit = "it does not take writes, and `target` is primary"
            raise HandshakeFailed(unfit, told=unfit)
        self._writable = True
        return []

    def _next(self, failure: HandshakeFailed) -> list[Output]:
        if len(self._hosts) == 1:
            raise failure
        self._attempts.append((self.address, self.host, failure))
        if len(self._attempts) == len(self._hosts) or not failure.elsewhere:
            raise none_will_do(self._attempts)
        self._hops, self._reader = 0, None
        self._handshake = self._make(self.address)
        return self.start()


def _handshake(side: Side, credential: Credential, wish: Wish, strict: bool, address: Address) -> ServerHandshake:
    return ServerHandshake(side, address, credential, wish, strict=strict)
