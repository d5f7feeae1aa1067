"""A server for ten thousand idle sessions, which no real one has processes for.

`python -m bench.front PORT UPSTREAM-PORT [CERTIFICATE KEY]` lets every session in and answers each statement with a
row, by itself; the gateway's side connections, which read the catalog, go on to the real server.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from contextlib import suppress

import uvloop

from blastwall.protocols.postgres.messages import (
    Field,
    cstring,
    encode_data_row,
    encode_parameter_status,
    encode_ready,
    encode_row_description,
    frame,
)
from blastwall.protocols.postgres.startup import AUTH_OK, CancelKey, encode_authentication, encode_key

_SSL_REQUEST = 80877103
_STATUS = {"client_encoding": "UTF8", "standard_conforming_strings": "on", "server_version": "15.0", "TimeZone": "UTC"}
_WELCOME = (
    encode_authentication(AUTH_OK)
    + b"".join(encode_parameter_status(name, value) for name, value in _STATUS.items())
    + encode_key(CancelKey(7, b"\0\0\0\1"))
    + encode_ready(b"I")
)
_FIELDS = encode_row_description((Field("one", 0, 0, 23),))
_COMPLETE = encode_data_row([b"1"]) + frame(b"C", cstring("SELECT 1"))
_ANSWERS = {
    b"Q": _FIELDS + _COMPLETE + encode_ready(b"I"),
    b"P": frame(b"1", b""),
    b"B": frame(b"2", b""),
    b"D": _FIELDS,
    b"E": _COMPLETE,
    b"C": frame(b"3", b""),
    b"S": encode_ready(b"I"),
}

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _serve(port: int, upstream: int, tls: ssl.SSLContext | None) -> None:
    async def come(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await _session((reader, writer), upstream, tls)
        writer.close()

    server = await asyncio.start_server(come, "127.0.0.1", port, backlog=1024)
    print("ready", flush=True)
    await server.serve_forever()


async def _session(client: Streams, upstream: int, tls: ssl.SSLContext | None) -> None:
    reader, writer = client
    startup = await _startup(reader)
    if int.from_bytes(startup[4:8], "big") == _SSL_REQUEST:
        writer.write(b"N" if tls is None else b"S")
        if tls is not None:
            await writer.start_tls(tls)
        startup = await _startup(reader)
    if b"blastwall catalog" in startup:
        await _pass_on(client, startup, upstream)
        return
    writer.write(_WELCOME)
    while True:
        header = await reader.readexactly(5)
        await reader.readexactly(int.from_bytes(header[1:], "big") - 4)
        writer.write(_ANSWERS.get(header[:1], b""))


async def _startup(reader: asyncio.StreamReader) -> bytes:
    length = await reader.readexactly(4)
    return length + await reader.readexactly(int.from_bytes(length, "big") - 4)


async def _pass_on(client: Streams, startup: bytes, upstream: int) -> None:
    server = await asyncio.open_connection("127.0.0.1", upstream)
    server[1].write(startup)
    await asyncio.gather(_copy(client[0], server[1]), _copy(server[0], client[1]))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()


def _main(port: str, upstream: str, certificate: str = "", key: str = "") -> None:
    tls = None
    if certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate, key)
    uvloop.run(_serve(int(port), int(upstream), tls))


if __name__ == "__main__":
    _main(*sys.argv[1:])
