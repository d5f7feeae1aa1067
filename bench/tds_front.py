"""A light server that speaks TDS: `python -m bench.tds_front SCRIPT`, as `python -m blastwall.testing.tds` is started.

The throw-away server needs longer for a statement than the gateway does. So what the workloads ask over and over it is
asked once; from then on its answer is sent again, whatever numbers stand in the text or in the last value of a call.
Changes change nothing that way. All else (logins, the catalog, the ends of transactions) it does itself.
"""

from __future__ import annotations

import json
import re
import socket
import sys
from contextlib import suppress
from pathlib import Path

from blastwall.testing.tds.connection import Connection
from blastwall.testing.tds.interpreter import Interpreter
from blastwall.testing.tds.packets import BATCH, RPC, Channel, ConnectionLost, Message
from blastwall.testing.tds.server import TdsServer

_TABLES = re.compile(r"\b(?:accounts|branches|tellers|history|contacts)\b")
_NUMBER = re.compile(r"\d+")
_HEADERS = 22
"""Bytes of the headers before a request: that of its transaction alone."""
_VALUE = 4
"""Bytes of the last value of a call: an int."""

_Key = tuple[int, str | bytes, bool]


class KeepingChannel(Channel):
    """A client's connection; `kept` gets what is sent, where it is set."""

    def __init__(self, connection: socket.socket, spid: int) -> None:
        super().__init__(connection, spid)
        self.kept: list[bytes] | None = None

    def send_bytes(self, data: bytes) -> None:
        """See `Channel`."""
        if self.kept is not None:
            self.kept.append(data)
        super().send_bytes(data)


class FrontConnection(Connection):
    """Serves one client."""

    server: Front
    channel: KeepingChannel

    def _request(self, message: Message, interpreter: Interpreter) -> None:
        key = self._key(message)
        if key is None:
            super()._request(message, interpreter)
            return
        known = self.server.answers.get(key)
        if known is not None:
            self.channel.send_bytes(known)
            return
        self.channel.kept = []
        super()._request(message, interpreter)
        self.server.answers[key] = b"".join(self.channel.kept)
        self.channel.kept = None

    def _key(self, message: Message) -> _Key | None:
        """What has the same answer; None where it must be worked out."""
        state, body = self.state, message.payload[_HEADERS:]
        if state is None or message.kind not in (BATCH, RPC) or message.status & ~1:
            return None
        text = body.decode("utf-16-le", "replace")
        if not _TABLES.search(text) or "sys." in text:
            return None
        told = _NUMBER.sub("0", text) if message.kind == BATCH else body[:-_VALUE]
        return message.kind, told, state.transactions.count > 0


class Front(TdsServer):
    """The server. `answers` are those that are sent again."""

    def __init__(self) -> None:
        self.answers: dict[_Key, bytes] = {}
        super().__init__()

    def note(self, kind: str, text: str, procedure: str = "") -> None:
        """Keep nothing."""

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with suppress(ConnectionLost, OSError):
                FrontConnection(self, KeepingChannel(connection, 51)).serve()
        self._channels.discard(connection)


def main() -> None:
    """Serve until the input ends."""
    with Front() as server:
        server.execute(Path(sys.argv[1]).read_text())
        sys.stdout.write(json.dumps({"port": server.port, "password": server.password, "ca": str(server.ca)}) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
