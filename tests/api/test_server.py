"""The server inside the gateway's loop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import ssl
from pathlib import Path

import aiohttp
import pytest
from tests.api.conftest import Gateway, make_certificate
from tests.waiting import promised

from blastwall.api import create_app, serve
from blastwall.api import server as served


async def test_tokens_never_cross_a_network_in_clear(gateway: Gateway) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1"):
        with pytest.raises(ValueError, match="needs TLS"):
            await serve(create_app(gateway.control), host, 0, None)


async def test_loopback_may_go_without_tls_and_stopping_frees_the_port(gateway: Gateway) -> None:
    server = await serve(create_app(gateway.control), "127.0.0.1", 0, None)
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{server.port}/healthz") as response:
        assert response.status == 200
    await server.stop()
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", server.port))


async def test_a_port_in_use_is_an_error_of_ours(gateway: Gateway) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            await serve(create_app(gateway.control), "127.0.0.1", taken.getsockname()[1], None)


async def test_the_gateways_signal_handlers_stay(gateway: Gateway) -> None:
    heard = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, heard.set)
    try:
        server = await serve(create_app(gateway.control), "127.0.0.1", 0, None)
        signal.raise_signal(signal.SIGTERM)
        await asyncio.wait_for(heard.wait(), 60)
        await asyncio.sleep(0.3)
        async with gateway.http.get(f"{gateway.url}/healthz") as response:
            assert response.status == 200
        await server.stop()
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


async def test_a_renewed_certificate_reaches_new_connections(gateway: Gateway, tmp_path: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(gateway.ca)
    server = await serve(create_app(gateway.control), "127.0.0.1", 0, tls)
    (tmp_path / "new").mkdir()
    new = make_certificate(tmp_path / "new")
    tls.load_cert_chain(new)
    trust = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=new))
    async with (
        aiohttp.ClientSession(connector=trust) as http,
        http.get(f"https://127.0.0.1:{server.port}/healthz") as response,
    ):
        assert response.status == 200
    await server.stop()


async def test_who_sends_no_request_keeps_no_place(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Places are for everybody: whoever fills them with silence would keep people from approving and containing."""
    monkeypatch.setattr(served, "_HEAD_SECONDS", 0.3)
    server = await serve(create_app(gateway.control), "127.0.0.1", 0, None)
    head = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    try:
        for before in (b"", head, head + b"\r\n" + head):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(before)
            trickled = asyncio.create_task(_trickle(writer, 20 if before else 0))
            async with asyncio.timeout(promised(8)):
                with contextlib.suppress(ConnectionError):
                    await reader.read()
            await trickled
            writer.close()
    finally:
        await server.stop()


async def _trickle(writer: asyncio.StreamWriter, count: int) -> None:
    """Send a header that has no end, a byte now and then."""
    for _ in range(count):
        await asyncio.sleep(0.1)
        writer.write(b"x")


async def test_a_connection_is_used_again(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "_HEAD_SECONDS", 2.0)
    server = await serve(create_app(gateway.control), "127.0.0.1", 0, None)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for _ in range(4):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200")
        await asyncio.sleep(0.6)
    writer.close()
    await server.stop()


async def test_a_tls_handshake_has_its_time(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "_HANDSHAKE_SECONDS", 0.3)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(gateway.ca)
    server = await serve(create_app(gateway.control), "127.0.0.1", 0, tls)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    async with asyncio.timeout(promised(8)):
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
    writer.close()
    await server.stop()
