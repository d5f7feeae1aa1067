"""Send a CancelRequest to the resource: a short connection of its own, over TLS where the session's is."""

from __future__ import annotations

from blastwall.model.resource import Address, TlsMode
from blastwall.protocols.contract import Dial, Output, Send, Side, StartTls
from blastwall.protocols.postgres.startup import ALPN, SSL_REQUEST, CancelKey, encode_cancel, encode_request


class CancelRequest:
    """One cancel request on a side of its own. The server answers by closing, once it has passed the request on."""

    def __init__(self, side: Side, address: Address, key: CancelKey) -> None:
        self._side = side
        self._address = address
        self._request = encode_cancel(key)
        self._upgraded = False

    def start(self) -> list[Output]:
        plain = self._address.tls is TlsMode.DISABLE
        first = self._request if plain else encode_request(SSL_REQUEST)
        return [Dial(self._side, self._address, brief=True), Send(self._side, first)]

    def receive(self, data: bytes) -> list[Output]:
        """Go on once the server consents to TLS; nothing to do means that the attempt is over."""
        if data == b"S" and not self._upgraded:
            self._upgraded = True
            return [StartTls(self._side, (ALPN,))]
        return []

    def tls_started(self) -> list[Output]:
        return [Send(self._side, self._request)]
