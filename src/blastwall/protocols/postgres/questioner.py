"""What companions that only ask have in common: they log in, prepare, and put one query after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping

from blastwall.model.credential import Credential
from blastwall.protocols.contract import UPSTREAM, Opening, Output, Send, Side
from blastwall.protocols.postgres.errors import decode_fields
from blastwall.protocols.postgres.hosts import ServerLogin
from blastwall.protocols.postgres.messages import decode_data_row, encode_query
from blastwall.protocols.reaching import HandshakeFailed
from blastwall.wire.reader import Malformed

MAX_MESSAGE = 1 << 20
_PREPARE = "SET search_path TO pg_catalog; SET statement_timeout TO '5s'"

Row = list[str | None]


class Questioner(ABC):
    """The conversation. `parameters` are those of the start-up, besides the user and what makes it read only."""

    def __init__(self, opening: Opening, credential: Credential, parameters: Mapping[str, str]) -> None:
        own = {"user": credential.user, **parameters, "options": "-c default_transaction_read_only=on"}
        self._database = parameters["database"]
        self._handshake = ServerLogin(UPSTREAM, opening.resource, credential, own, opening.entropy)
        self._buffer = b""
        self._refused = False

    @abstractmethod
    def take(self, row: Row) -> None:
        """Take a row of the answer under way.

        Raises:
            Malformed: it is one too many.
        """

    @abstractmethod
    def over(self, refused: bool) -> list[Output]:
        """One query is over, the preparation first; `refused` is whether the server would not answer it."""

    @abstractmethod
    def fail(self, reason: str) -> list[Output]:
        """The server cannot be asked any more."""

    @property
    def place(self) -> str:
        return self._database

    @property
    def again(self) -> Hashable | None:
        """Nothing."""
        return None

    def start(self) -> list[Output]:
        return self._handshake.start()

    def receive(self, side: Side, data: bytes) -> list[Output]:
        try:
            if not self._handshake.ready:
                outputs = self._handshake.receive(data)
                return [*outputs, Send(UPSTREAM, encode_query(_PREPARE))] if self._handshake.ready else outputs
            self._buffer += data
            return self._messages()
        except (HandshakeFailed, Malformed, ValueError, IndexError) as error:
            return self.fail(str(error))

    def receive_eof(self, side: Side) -> list[Output]:
        return self.dial_failed(side, "the connection was lost")

    def dial_failed(self, side: Side, reason: str) -> list[Output]:
        if self._handshake.ready:
            return self.fail(reason)
        try:
            return self._handshake.failed(reason)
        except HandshakeFailed as failure:
            return self.fail(str(failure))

    def tls_started(self, side: Side, alpn: str | None, certificate: bytes) -> list[Output]:
        return self._handshake.tls_started(certificate)

    def _messages(self) -> list[Output]:
        outputs: list[Output] = []
        while len(self._buffer) >= 5:
            length = int.from_bytes(self._buffer[1:5], "big")
            if not 4 <= length <= MAX_MESSAGE:
                raise Malformed(f"a message of {length} bytes")
            if len(self._buffer) < 1 + length:
                break
            kind, body = self._buffer[:1], self._buffer[5 : 1 + length]
            self._buffer = self._buffer[1 + length :]
            outputs += self._message(kind, body)
        return outputs

    def _message(self, kind: bytes, body: bytes) -> list[Output]:
        if kind == b"D":
            self.take([None if value is None else value.decode() for value in decode_data_row(body)])
        elif kind == b"E":
            decode_fields(body)
            self._refused = True
        elif kind == b"Z":
            refused, self._refused = self._refused, False
            return self.over(refused)
        return []
