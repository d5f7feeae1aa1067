"""Send a CancelRequest to the resource: a short connection of its own, over TLS where the session's is."""

from __future__ import annotations

from blastwall.model.resource import Address, TlsMode
from blastwall.protocols.contract import Dial, Hangup, Output, Send, Side, StartTls
from blastwall.protocols.postgres.startup import ALPN, SSL_REQUEST, CancelKey, encode_cancel, encode_request


class CancelRequest:
    """One cancel request on a side of its own; the server answers by closing."""

    def __init__(self, side: Side, address: Address, key: CancelKey) -> None:
        self._side = side
        self._address = address
        self._request = encode_cancel(key)
        self._upgraded = False

    def start(self) -> list[Output]:
        dial = Dial(self._side, self._address)
        if self._address.tls is TlsMode.DISABLE:
            return [dial, Send(self._side, self._request), Hangup(self._side)]
        return [dial, Send(self._side, encode_request(SSL_REQUEST))]

    def receive(self, data: bytes) -> list[Output]:
        """Go on once the server consents to TLS; anything else ends the attempt."""
        if data == b"S" and not self._upgraded:
            self._upgraded = True
            return [StartTls(self._side, (ALPN,))]
        return [Hangup(self._side)]

    def tls_started(self) -> list[Output]:
        return [Send(self._side, self._request), Hangup(self._side)]
