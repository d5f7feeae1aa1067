"""Seeing whether a resource is there: what is found, and that nothing is said to it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from blastwall.model.resource import Address, TlsMode
from blastwall.relay.certificates import UpstreamTls
from blastwall.relay.dialling import DialFailed
from blastwall.relay.knock import knock
from blastwall.relay.lines import Lines
from blastwall.testing.certificates import Certificate, CertificateAuthority
from blastwall.testing.ports import free_port


@asynccontextmanager
async def listening(
    folder: Path, certificate: Certificate | None = None, *, hangs_up: bool = False
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that says nothing; yields its port, and what each client said until it left."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not hangs_up:
            heard.append(await reader.read())
        writer.close()

    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate.write(folder, "server"))
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield int(server.sockets[0].getsockname()[1]), heard


async def said(target: Address, seconds: float = 60.0) -> str:
    """Return why it was not reached, "" where it was."""
    try:
        await knock(target, "api", UpstreamTls(), Lines(), seconds)
    except DialFailed as failure:
        return str(failure)
    return ""


async def test_a_resource_that_is_there_is_told_nothing(tmp_path: Path) -> None:
    async with listening(tmp_path) as (port, heard):
        assert await said(Address("127.0.0.1", port, TlsMode.DISABLE)) == ""
        async with asyncio.timeout(60):
            while not heard:  # noqa: ASYNC110 - what it waits for has no event
                await asyncio.sleep(0.01)
        assert heard == [b""]


@pytest.mark.parametrize(
    ("name", "why"),
    [("localhost", ""), ("elsewhere.example", "the certificate of api does not carry the name that is configured")],
)
async def test_its_certificate_is_looked_at(
    authority: CertificateAuthority, ca: str, tmp_path: Path, name: str, why: str
) -> None:
    async with listening(tmp_path, authority.issue(name)) as (port, _):
        assert await said(Address("localhost", port, TlsMode.VERIFY_FULL, ca)) == why


async def test_nobody_is_there() -> None:
    assert await said(Address("127.0.0.1", free_port())) == "api refused the connection"


async def test_one_that_hangs_up_during_the_handshake(ca: str, tmp_path: Path) -> None:
    async with listening(tmp_path, hangs_up=True) as (port, _):
        assert "closed the connection" in await said(Address("localhost", port, TlsMode.VERIFY_FULL, ca))


async def test_one_that_does_not_speak_tls_is_not_waited_for(ca: str, tmp_path: Path) -> None:
    async with listening(tmp_path) as (port, _):
        target = Address("localhost", port, TlsMode.VERIFY_FULL, ca)
        assert await said(target, 0.3) == "api did not answer within 0.3 seconds"
