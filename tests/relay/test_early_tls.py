"""TLS that is asked for before the connection is there: what was sent meanwhile leaves inside it, or not at all."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

import pytest
from tests.relay.toy import eventually

from blastwall.protocols.contract import UPSTREAM, Side
from blastwall.relay.lines import Line, Lines
from blastwall.relay.stream import Stream
from blastwall.relay.tls import Tls
from blastwall.testing.certificates import CertificateAuthority


class Heard:
    """An owner that remembers what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def connected(self, stream: Stream) -> None:
        self.told.append("connected")

    def received(self, side: Side, data: bytes) -> None:
        self.told.append(data.decode())

    def secured(self, side: Side, alpn: str | None, certificate: bytes) -> None:
        self.told.append("secured")

    def ended(self, side: Side) -> None:
        self.told.append("ended")

    def failed(self, side: Side, reason: str) -> None:
        self.told.append("failed")

    def blocked(self, side: Side, blocked: bool) -> None:
        self.told.append("blocked")

    def lost(self, stream: Stream) -> None:
        self.told.append("lost")


def tls(authority: CertificateAuthority) -> Tls:
    context = ssl.create_default_context(cadata=authority.pem.decode())
    return Tls(context, "the resource", server=False, host="localhost")


async def connected(stream: Stream, port: int) -> None:
    sock = socket.socket()
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    stream.connected(Line(Lines(), sock))


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(await reader.read(100))
    await writer.drain()
    writer.close()


@pytest.mark.parametrize("trusted", [True, False])
async def test_what_was_sent_before_the_connection_leaves_in_tls_alone(trusted: bool, tmp_path: Path) -> None:
    authority, other = CertificateAuthority("one"), CertificateAuthority("another")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("localhost").write(tmp_path, "server"))
    server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=context)
    heard = Heard()
    stream = Stream(UPSTREAM, heard)
    stream.start_tls(tls(authority if trusted else other), b"")
    stream.queue(b"a secret")
    stream.flush()
    await connected(stream, server.sockets[0].getsockname()[1])
    await eventually(lambda: "ended" in heard.told or "failed" in heard.told)
    assert [told for told in heard.told if told not in ("lost", "ended")] == (
        ["connected", "secured", "a secret"] if trusted else ["connected", "failed"]
    )
    stream.abort()
    server.close()


def test_tls_does_not_follow_what_was_sent_without() -> None:
    stream = Stream(UPSTREAM, Heard())
    stream.queue(b"in the clear")
    with pytest.raises(RuntimeError, match="waited"):
        stream.start_tls(tls(CertificateAuthority("one")), b"")
