"""Whether a resource is there and is who it should be: a connection, TLS where it is configured, and nothing said."""

from __future__ import annotations

import asyncio

from blastwall.model.resource import Address, TlsMode
from blastwall.protocols.contract import UPSTREAM, Side
from blastwall.relay.certificates import UpstreamTls
from blastwall.relay.dialling import DialFailed, dial
from blastwall.relay.lines import Lines
from blastwall.relay.stream import Stream
from blastwall.relay.tls import TlsFailed


async def knock(target: Address, name: str, tls: UpstreamTls, lines: Lines, seconds: float) -> None:
    """Connect to `target`, which errors call `name`, and hang up.

    Raises:
        DialFailed: it cannot be reached, or does not prove who it is.
    """
    knocker = _Knocker(target, name, tls)
    stream = Stream(UPSTREAM, knocker)
    try:
        async with asyncio.timeout(seconds):
            await dial(stream, target, name, seconds, lines)
            await knocker.answered
    except TimeoutError:
        raise DialFailed(f"{name} did not answer within {seconds:g} seconds") from None
    finally:
        stream.close()


class _Knocker:
    """Owns the connection while it is made."""

    def __init__(self, target: Address, name: str, tls: UpstreamTls) -> None:
        self._target = target
        self._name = name
        self._tls = tls
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connected(self, stream: Stream) -> None:
        if self._target.tls is TlsMode.DISABLE:
            self._settle(None)
            return
        try:
            stream.start_tls(self._tls.start(self._target, (), self._name), b"")
        except TlsFailed as failure:
            self._settle(DialFailed(str(failure)))

    def received(self, side: Side, data: bytes) -> None:
        """Nothing was asked, so nothing is read."""

    def secured(self, side: Side, alpn: str | None, certificate: bytes) -> None:
        self._settle(None)

    def ended(self, side: Side) -> None:
        self._settle(DialFailed(f"{self._name} closed the connection"))

    def failed(self, side: Side, reason: str) -> None:
        self._settle(DialFailed(reason))

    def blocked(self, side: Side, blocked: bool) -> None:
        """Nothing is written but TLS."""

    def lost(self, stream: Stream) -> None:
        self._settle(DialFailed(f"{self._name} closed the connection"))

    def _settle(self, failure: DialFailed | None) -> None:
        if self.answered.done():
            return
        if failure is None:
            self.answered.set_result(None)
        else:
            self.answered.set_exception(failure)
