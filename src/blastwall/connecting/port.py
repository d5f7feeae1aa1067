"""The port that needs no password: on loopback, or a socket in a folder of the user's, and for that user alone."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import cast

from blastwall.connecting.carrying import Carrier, Token
from blastwall.connecting.peers import Connection, can_tell, is_ours
from blastwall.model.resource import Address
from blastwall.protocols.kind import ProtocolKind
from blastwall.relay.certificates import UpstreamTls

_LOOPBACK = "127.0.0.1"
_MOST = 500


class LocalPort:
    """Listens, and carries each connection to `gateway`, the resource's listener.

    Args:
        protocol: the resource's.
        gateway: where its listener is, and by what it is verified.
        token: gives the token to show now.
        said: called with what the person at the terminal should know.
    """

    def __init__(self, protocol: ProtocolKind, gateway: Address, token: Token, said: Callable[[str], None]) -> None:
        self._protocol = protocol
        self._gateway = gateway
        self._token = token
        self._said = said
        self._tls = UpstreamTls()
        self._server: asyncio.Server | None = None
        self._folder: Path | None = None
        self._carried: set[asyncio.Task[None]] = set()
        self.host = _LOOPBACK
        self.port = 0

    async def open(self, port: int, *, unix: bool) -> None:
        """Begin to listen; port 0 takes a free one. Afterwards `host` and `port` say where.

        Raises:
            OSError: it cannot.
        """
        if unix:
            await self._open_socket(port)
        else:
            self._server = await asyncio.start_server(self._accept, _LOOPBACK, port)
            self.port = int(self._server.sockets[0].getsockname()[1])
            if not can_tell():
                self._said("every user of this machine can use the port, since it does not say who does; take --unix")

    async def _open_socket(self, port: int) -> None:
        runtime = os.environ.get("XDG_RUNTIME_DIR") or None
        self._folder = Path(tempfile.mkdtemp(prefix="blastwall-", dir=runtime))  # made with mode 700
        self.host, self.port = str(self._folder), port or self._protocol.port
        path = self._folder / self._protocol.socket_name(self.port)
        self._server = await asyncio.start_unix_server(self._accept, path)

    async def close(self) -> None:
        """Stop listening, and end what is open."""
        if self._server is not None:
            self._server.close()
        for task in self._carried:
            task.cancel()
        await asyncio.gather(*self._carried, return_exceptions=True)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._carried) >= _MOST or not self._permitted(writer):
            writer.close()
            return
        self._carried.add(task)
        task.add_done_callback(self._carried.discard)
        with suppress(asyncio.CancelledError):
            await Carrier(self._protocol.forwarder(self._gateway), (reader, writer), self._token, self._tls).run()

    def _permitted(self, writer: asyncio.StreamWriter) -> bool:
        if not can_tell() or is_ours(cast("Connection", writer.get_extra_info("socket"))):
            return True
        self._said("a connection of another user of this machine was closed: the port is for you alone")
        return False
