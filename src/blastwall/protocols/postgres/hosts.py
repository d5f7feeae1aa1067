"""Log in at the first of a resource's hosts that will do, as libpq does (PostgreSQL documentation, 34.1.1.3, 34.1.2).

    what a host does                                   what follows
    cannot be connected to, secured or understood      the next host
    refuses because it starts or stops (57P03)         the next host
    refuses the login otherwise                        the end: the same credential would be refused by each
    lets in, but `target: primary` and it is read-only the next host
    lets in                                            done; cancel requests go there too

Whether a server takes writes is told by `in_hot_standby` and `default_transaction_read_only`, which PostgreSQL reports
since version 14.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from blastwall.model.credential import Credential
from blastwall.model.resource import Address, HostTarget, Resource
from blastwall.protocols.contract import Dial, Output, Send, Side
from blastwall.protocols.postgres.messages import TERMINATE
from blastwall.protocols.postgres.server_handshake import ServerHandshake
from blastwall.protocols.postgres.startup import CancelKey
from blastwall.protocols.reaching import HandshakeFailed, none_will_do


class ServerLogin:
    """Like `ServerHandshake`, over several hosts. Its methods raise `HandshakeFailed` once no host is left."""

    def __init__(
        self,
        side: Side,
        resource: Resource,
        credential: Credential,
        parameters: Mapping[str, str],
        entropy: Callable[[int], bytes],
        *,
        hosts: tuple[int, ...] = (),
    ) -> None:
        self._side = side
        self._name = resource.name
        self._target = resource.target
        self._hosts = [(number, resource.hosts[number]) for number in hosts or range(len(resource.hosts))]
        self._attempts: list[tuple[Address, int, HandshakeFailed]] = []
        self._make = partial(_handshake, side, credential, parameters, entropy)
        self._handshake = self._make(self.address)
        asked = (*parameters, *parameters.values())
        self._reads_only = any("default_transaction_read_only" in text for text in asked)
        """Whether the session itself asks to be read-only: then the setting says nothing of the server."""

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
        return self._handshake.ready

    @property
    def buffered(self) -> bytes:
        return self._handshake.buffered

    @property
    def status(self) -> Mapping[str, str]:
        return self._handshake.status

    @property
    def key(self) -> CancelKey | None:
        return self._handshake.key

    @property
    def notices(self) -> list[bytes]:
        return self._handshake.notices

    def start(self) -> list[Output]:
        """Dial the first host, or the next one; each has its share of the time."""
        first, *rest = self._handshake.start()
        return [Dial(first.upstream, first.target, len(self._hosts)) if isinstance(first, Dial) else first, *rest]

    def tls_started(self, certificate: bytes) -> list[Output]:
        return self._handshake.tls_started(certificate)

    def receive(self, data: bytes) -> list[Output]:
        try:
            outputs = self._handshake.receive(data)
        except HandshakeFailed as failure:
            return self._next(failure)
        if self.ready and (unfit := self._unfit()):
            return [*outputs, Send(self._side, TERMINATE), *self._next(HandshakeFailed(unfit, told=unfit))]
        return outputs

    def failed(self, reason: str) -> list[Output]:
        """The host cannot be reached, or has left before it was ready. `reason` may be told to the client."""
        return self._next(HandshakeFailed(reason, told=reason))

    def _unfit(self) -> str:
        if self._target is HostTarget.ANY:
            return ""
        standby = self.status.get("in_hot_standby")
        if standby is None:
            return "it does not say whether it takes writes; `target: primary` needs PostgreSQL 14 or later"
        if standby == "on":
            return "it is in recovery, and `target` is primary"
        if not self._reads_only and self.status.get("default_transaction_read_only") == "on":
            return "it is read-only (default_transaction_read_only), and `target` is primary"
        return ""

    def _next(self, failure: HandshakeFailed) -> list[Output]:
        if len(self._hosts) == 1:
            raise failure
        self._attempts.append((self.address, self.host, failure))
        if len(self._attempts) == len(self._hosts) or not failure.elsewhere:
            raise none_will_do(self._attempts)
        self._handshake = self._make(self.address)
        return self.start()


def _handshake(
    side: Side,
    credential: Credential,
    parameters: Mapping[str, str],
    entropy: Callable[[int], bytes],
    address: Address,
) -> ServerHandshake:
    return ServerHandshake(side, address, credential, parameters, entropy)
