"""The companion of `check --dial`: asks a server who else may log in, from where, and what our role may do.

Each question may be refused (`pg_hba_file_rules` is a superuser's); then it is said that it was not answered.
"""

from __future__ import annotations

from collections.abc import Hashable

from blastwall.model.credential import Credential
from blastwall.protocols.contract import UPSTREAM, Answered, Close, Opening, Output, Send, Side
from blastwall.protocols.postgres.audit_findings import QUESTIONS, Rows, findings
from blastwall.protocols.postgres.errors import decode_fields
from blastwall.protocols.postgres.hosts import ServerLogin
from blastwall.protocols.postgres.messages import TERMINATE, decode_data_row, encode_query
from blastwall.protocols.postgres.server_handshake import HandshakeFailed
from blastwall.wire.reader import Malformed

MAX_MESSAGE = 1 << 20
MAX_ROWS = 10_000
_PREPARE = "SET search_path TO pg_catalog; SET statement_timeout TO '5s'"


class AuditFailed(Exception):
    """The server cannot be asked; the text says why."""


class PostgresAuditor:
    """Implements `Companion`, for one `AUDIT`."""

    def __init__(self, opening: Opening, credential: Credential, database: str) -> None:
        parameters = {"user": credential.user, "database": database, "application_name": "blastwall check"}
        options = "-c default_transaction_read_only=on"
        self._handshake = ServerLogin(
            UPSTREAM, opening.resource, credential, {**parameters, "options": options}, opening.entropy
        )
        self._buffer = b""
        self._rows: Rows = []
        self._answers: list[Rows | None] = []
        """The rows of each question, in the order of `QUESTIONS`; None for one that was refused."""
        self._refused = False
        self._number: int | None = None

    def start(self) -> list[Output]:
        return self._handshake.start()

    def look_up(self, number: int, question: Hashable) -> list[Output]:
        self._number = number
        return self._finish() if len(self._answers) > len(QUESTIONS) else []

    def receive(self, side: Side, data: bytes) -> list[Output]:
        try:
            if not self._handshake.ready:
                outputs = self._handshake.receive(data)
                return [*outputs, Send(UPSTREAM, encode_query(_PREPARE))] if self._handshake.ready else outputs
            self._buffer += data
            return self._messages()
        except (HandshakeFailed, Malformed, ValueError, IndexError) as error:
            return self._fail(str(error))

    def receive_eof(self, side: Side) -> list[Output]:
        return self.dial_failed(side, "the connection was lost")

    def dial_failed(self, side: Side, reason: str) -> list[Output]:
        if self._handshake.ready:
            return self._fail(reason)
        try:
            return self._handshake.failed(reason)
        except HandshakeFailed as failure:
            return self._fail(str(failure))

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
            if len(self._rows) >= MAX_ROWS:
                raise Malformed(f"more than {MAX_ROWS} rows")
            self._rows.append([None if value is None else value.decode() for value in decode_data_row(body)])
        elif kind == b"E":
            decode_fields(body)
            self._refused = True
        elif kind == b"Z":
            return self._answered()
        return []

    def _answered(self) -> list[Output]:
        """One question is over; the first ReadyForQuery is that of the preparation."""
        self._answers.append(None if self._refused else self._rows)
        self._rows, self._refused = [], False
        if len(self._answers) <= len(QUESTIONS):
            return [Send(UPSTREAM, encode_query(QUESTIONS[len(self._answers) - 1]))]
        return self._finish()

    def _finish(self) -> list[Output]:
        if self._number is None:
            return []
        replies = dict(zip(QUESTIONS, self._answers[1:], strict=True))
        return [Answered(self._number, findings(replies)), Send(UPSTREAM, TERMINATE), Close("asked")]

    def _fail(self, reason: str) -> list[Output]:
        failed: list[Output] = [] if self._number is None else [Answered(self._number, AuditFailed(reason))]
        return [*failed, Close(reason)]
