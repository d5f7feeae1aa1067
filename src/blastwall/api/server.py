"""Serving the application inside the gateway's own loop, beside its listeners."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

_BACKLOG = 256
_CONNECTIONS = 512
_STOP_SECONDS = 5
_START_SECONDS = 10.0
_HANDSHAKE_SECONDS = 10.0
_HEAD_SECONDS = 10.0
"""How long the head of a request may take to come whole. A body has a time of its own (`api.requests`)."""


class _Http(H11Protocol):
    """Ends a connection on which no request comes in time: it would keep one of the places, which are for everybody."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._late = self.loop.call_later(_HEAD_SECONDS, transport.abort)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._in_time()
        elif self._late is None:
            self._late = self.loop.call_later(_HEAD_SECONDS, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_time()
        super().connection_lost(exc)

    def _in_time(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


class _Uvicorn(uvicorn.Server):
    """Leaves signals to the gateway, and waits less long for a TLS handshake than the loop would: a minute."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.servers: list[asyncio.base_events.Server] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        loop, tls = asyncio.get_running_loop(), self.config.ssl
        for each in sockets or ():
            server = await loop.create_server(
                self._connection,
                sock=each,
                ssl=tls,
                backlog=_BACKLOG,
                ssl_handshake_timeout=None if tls is None else _HANDSHAKE_SECONDS,
            )
            self.servers.append(server)
        self.started = True

    def _connection(self) -> _Http:
        return _Http(self.config, self.server_state, self.lifespan.state)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class RunningServer:
    """A server that listens on `port`."""

    def __init__(self, server: uvicorn.Server, task: asyncio.Task[None], port: int) -> None:
        self._server = server
        self._task = task
        self.port = port

    async def stop(self) -> None:
        """Stop listening, let requests under way finish for 5 seconds, and return."""
        self._server.should_exit = True
        await self._task


async def serve(app: FastAPI, host: str, port: int, tls: ssl.SSLContext | None) -> RunningServer:
    """Serve `app`; port 0 takes a free one. Reloading the certificate chain of `tls` reaches new connections.

    Raises:
        ValueError: `tls` is None and `host` is not loopback: tokens would cross the network in clear.
        OSError: the address cannot be bound.
    """
    if tls is None and not ip_address(host).is_loopback:
        raise ValueError(f"the control port needs TLS on {host}: only loopback may go without")
    listener = _listen(host, port)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        loop="none",
        timeout_keep_alive=5,
        timeout_graceful_shutdown=_STOP_SECONDS,
        limit_concurrency=_CONNECTIONS,
    )
    config.load()
    config.ssl = tls
    server = _Uvicorn(config)
    task = asyncio.create_task(server.serve([listener]), name="control port")
    await _started(server, task)
    return RunningServer(server, task, listener.getsockname()[1])


async def _started(server: uvicorn.Server, task: asyncio.Task[None]) -> None:
    async with asyncio.timeout(_START_SECONDS):
        while not server.started:
            if task.done():
                await task
                raise OSError("the control port's server ended at its start")
            await asyncio.sleep(0.01)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener
