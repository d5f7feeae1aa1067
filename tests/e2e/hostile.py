"""A hostile client: it speaks the messages of PostgreSQL's protocol one by one, in any order and number."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from blastwall.protocols.postgres.errors import decode_fields
from blastwall.protocols.postgres.messages import (
    SYNC,
    Bind,
    Execute,
    Named,
    Parse,
    decode_data_row,
    encode_bind,
    encode_close,
    encode_describe,
    encode_execute,
    encode_parse,
    encode_query,
)
from blastwall.protocols.postgres.startup import (
    PROTOCOL_3_0,
    SSL_REQUEST,
    Startup,
    encode_password,
    encode_request,
    encode_startup,
)

Message = tuple[str, bytes]
SECONDS = 60.0


class HostileClient:
    """A TLS connection that is logged in. `talk` sends messages and returns what comes up to a ReadyForQuery."""

    def __init__(self, port: int, ca: Path, token: str, *, database: str = "shop", **settings: str) -> None:
        plain = socket.create_connection(("127.0.0.1", port), SECONDS)
        plain.sendall(encode_request(SSL_REQUEST))
        assert plain.recv(1) == b"S"
        self.socket = ssl.create_default_context(cafile=ca).wrap_socket(plain, server_hostname="localhost")
        self._buffer = b""
        parameters: Mapping[str, str] = {"user": "thief", "database": database, **settings}
        self.socket.sendall(encode_startup(Startup(PROTOCOL_3_0, parameters)))
        assert self.message()[0] == "R"
        self.socket.sendall(encode_password(token.encode()))
        self.welcome = self.until_ready()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def send(self, *messages: bytes) -> None:
        self.socket.sendall(b"".join(messages))

    def talk(self, *messages: bytes, ready: int = 1) -> list[Message]:
        self.send(*messages)
        return self.until_ready(ready)

    def until_ready(self, times: int = 1) -> list[Message]:
        found: list[Message] = []
        while times:
            found.append(self.message())
            times -= found[-1][0] == "Z"
        return found

    def message(self) -> Message:
        """Return the next message.

        Raises:
            EOFError: the gateway has closed the connection.
        """
        while len(self._buffer) < 5 or len(self._buffer) < self._length():
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self._buffer += data
        length = self._length()
        whole, self._buffer = self._buffer[:length], self._buffer[length:]
        return chr(whole[0]), whole[5:]

    def _length(self) -> int:
        return 1 + int.from_bytes(self._buffer[1:5], "big")


def rows(messages: Sequence[Message]) -> list[list[bytes | None]]:
    return [decode_data_row(body) for kind, body in messages if kind == "D"]


def codes(messages: Sequence[Message]) -> list[str]:
    """The SQLSTATEs of the errors among messages."""
    return [decode_fields(body)["C"] for kind, body in messages if kind == "E"]


def query(text: str) -> bytes:
    return encode_query(text)


def parse(text: str, name: str = "") -> bytes:
    return encode_parse(Parse(name, text))


def bind(statement: str = "", portal: str = "", *values: bytes) -> bytes:
    return encode_bind(Bind(portal, statement, (), values, ()))


def execute(portal: str = "", most: int = 0) -> bytes:
    return encode_execute(Execute(portal, most))


def run(text: str) -> bytes:
    """Parse, Bind and Execute of the unnamed statement."""
    return parse(text) + bind() + execute()


def describe(kind: str, name: str = "") -> bytes:
    return encode_describe(Named(kind, name))


def close(kind: str, name: str = "") -> bytes:
    return encode_close(Named(kind, name))


__all__ = ["SYNC", "HostileClient", "bind", "close", "codes", "describe", "execute", "parse", "query", "rows", "run"]
