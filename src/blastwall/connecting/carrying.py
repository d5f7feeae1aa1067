"""One client connection of `connect`'s: carries out what the protocol's forwarder says, with sockets and TLS."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from blastwall.connecting.proofs import NoProof
from blastwall.model.credential import Credential
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
from blastwall.protocols.kind import Forwarder
from blastwall.relay.certificates import UpstreamTls
from blastwall.relay.sockets import tune
from blastwall.relay.tls import Tls, TlsFailed

_READ = 128 << 10
_LOGIN_SECONDS = 30.0
_DIAL_SECONDS = 10.0

Token = Callable[[], Awaitable[str]]


class Carrier:
    """Carries one connection from its first byte to its end. `token` is asked at each login, or request, of it."""

    def __init__(
        self,
        forwarder: Forwarder,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        token: Token,
        tls: UpstreamTls,
    ) -> None:
        self._forwarder = forwarder
        self._token = token
        self._contexts = tls
        self._reader, self._writer = client
        self._upstream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._target: Address | None = None
        self._tls: Tls | None = None
        self._secured = bytearray()
        self._reading: asyncio.Task[None] | None = None
        self._answered = asyncio.Event()
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Carry until either side is gone."""
        with suppress(OSError):  # a socket file has none of TCP's options
            tune(self._writer.get_extra_info("socket"))
        reading = asyncio.create_task(self._read_client(), name="client")
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOGIN_SECONDS) as limit:
                    await self._answered.wait()
                    limit.reschedule(None)
                    await self._over.wait()
        finally:
            tasks = [task for task in (reading, self._reading) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._hang_up()

    async def _read_client(self) -> None:
        try:
            while data := await self._reader.read(_READ):
                await self._carry_out(self._forwarder.receive(CLIENT, data))
            await self._carry_out(self._forwarder.receive_eof(CLIENT))
        except OSError:
            self._end()

    async def _read_upstream(self, reader: asyncio.StreamReader) -> None:
        try:
            while data := await reader.read(_READ):
                await self._received(data)
                if self._tls is not None and self._tls.ended:
                    break
            await self._carry_out(self._forwarder.receive_eof(UPSTREAM))
        except OSError:
            await self._carry_out(self._forwarder.receive_eof(UPSTREAM))

    async def _received(self, data: bytes) -> None:
        if self._tls is None:
            await self._carry_out(self._forwarder.receive(UPSTREAM, data))
            return
        established = self._tls.established
        try:
            plain = self._tls.decrypt(data)
        except TlsFailed as error:
            await self._carry_out(self._forwarder.dial_failed(UPSTREAM, str(error)))
            return
        await self._write(UPSTREAM, self._tls.outgoing())
        if self._tls.established and not established:
            self._answered.set()
            waited, self._secured = bytes(self._secured), bytearray()
            started = self._forwarder.tls_started(UPSTREAM, self._tls.alpn, self._tls.certificate)
            await self._carry_out(([Send(UPSTREAM, waited)] if waited else []) + list(started))
        if plain:
            await self._carry_out(self._forwarder.receive(UPSTREAM, plain))

    async def _carry_out(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            if isinstance(output, Send):
                await self._send(output.to, bytes(output.span))
            elif isinstance(output, Ask):
                await self._carry_out(self._forwarder.answer(output.number, await self._answer(output)))
            elif isinstance(output, Dial):
                if not await self._dial(output.target):
                    return
            elif isinstance(output, StartTls):
                await self._start_tls(output)
            elif isinstance(output, Close):
                self._end()

    def _end(self) -> None:
        self._over.set()
        self._answered.set()

    async def _answer(self, ask: Ask) -> Answer:
        user = ask.question.user if isinstance(ask.question, Login) else ""
        try:
            return Admit(Credential(user, (await self._token()).encode(), token=True))
        except NoProof as error:
            return Deny(str(error))

    async def _dial(self, target: Address) -> bool:
        try:
            async with asyncio.timeout(_DIAL_SECONDS):
                self._upstream = await asyncio.open_connection(target.host, target.port)
        except TimeoutError:
            reason = f"{target} did not answer within {_DIAL_SECONDS:.0f} s"
        except OSError as error:
            reason = f"{target}: {error.strerror or error}"
        else:
            self._target = target
            tune(self._upstream[1].get_extra_info("socket"))
            self._reading = asyncio.create_task(self._read_upstream(self._upstream[0]), name="gateway")
            return True
        await self._carry_out(self._forwarder.dial_failed(UPSTREAM, reason))
        return False

    async def _start_tls(self, order: StartTls) -> None:
        if self._target is None:
            raise TlsFailed("there is no connection to secure")
        try:
            self._tls = self._contexts.start(
                self._target, order.alpn, f"the gateway {self._target.host}", order.wrapping
            )
            self._tls.decrypt(b"")
        except TlsFailed as error:
            await self._carry_out(self._forwarder.dial_failed(UPSTREAM, str(error)))
            return
        await self._write(UPSTREAM, self._tls.outgoing())

    async def _send(self, to: Side, data: bytes) -> None:
        """Send; what the gateway may only hear secured waits for that."""
        if to == CLIENT:
            if self._tls is not None:
                self._answered.set()
            await self._write(CLIENT, data)
        elif self._tls is not None and not self._tls.established:
            self._secured += data
        else:
            await self._write(UPSTREAM, data if self._tls is None else self._tls.encrypt(data))

    async def _write(self, to: Side, data: bytes) -> None:
        """Write, and wait while the other side takes none: then nothing more is read for it."""
        writer = self._writer if to == CLIENT else (self._upstream[1] if self._upstream is not None else None)
        if writer is None or not data:
            return
        with suppress(OSError):
            writer.write(data)
            await writer.drain()

    async def _hang_up(self) -> None:
        if self._tls is not None:
            with suppress(OSError, TlsFailed):
                await self._write(UPSTREAM, self._tls.finish())
        for writer in (self._writer, *([] if self._upstream is None else [self._upstream[1]])):
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
