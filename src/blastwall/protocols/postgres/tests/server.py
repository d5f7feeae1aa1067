"""A PostgreSQL server of a few lines, without I/O: every statement gives one row with its own text.

It keeps the order rules that matter: an error makes it ignore everything up to Sync, and there is one ReadyForQuery for
each Sync and each Query. A text that PostgreSQL could not parse fails when it is parsed, one with `FAILS` when it runs.
With `slow`, its answers wait in `late` until a test feeds them.
"""

from __future__ import annotations

from blastwall.protocols.contract import Side
from blastwall.protocols.postgres.conversation import FAILING
from blastwall.protocols.postgres.errors import encode_error
from blastwall.protocols.postgres.messages import (
    Field,
    cstring,
    decode_bind,
    decode_execute,
    decode_named,
    decode_parse,
    decode_query,
    encode_data_row,
    encode_parameter_status,
    encode_ready,
    encode_row_description,
    frame,
)
from blastwall.protocols.postgres.startup import (
    AUTH_OK,
    CancelKey,
    decode_startup,
    encode_authentication,
    encode_key,
    request_length,
)
from blastwall.protocols.postgres.warm import DISCARD

STATUS = {"client_encoding": "UTF8", "standard_conforming_strings": "on", "server_version": "18.0"}
FIELDS = (Field("text", 0, 0, 25),)


class TinyServer:
    """Bytes of the gateway's in, answers out."""

    def __init__(self, fields: tuple[Field, ...] = FIELDS, row: list[bytes | None] | None = None) -> None:
        self.fields = fields
        self.row = row
        self.texts: list[str] = []
        self.cancels: list[bytes] = []
        self.discards = 0
        self.slow = False
        self.status = b"I"
        self.late = b""
        self._buffer = b""
        self._started = False
        self._skipping = False
        self._prepared: dict[str, str] = {}
        self._portals: dict[str, str] = {}

    def receive(self, side: Side, data: bytes) -> bytes:
        if side != 1:
            self.cancels.append(data)
            return b""
        self._buffer += data
        if not self._started:
            return self._start()
        answers = self._messages()
        if self.slow:
            self.late += answers
            return b""
        return answers

    def _start(self) -> bytes:
        length = request_length(self._buffer, 1 << 16)
        if length is None or len(self._buffer) < length:
            return b""
        decode_startup(self._buffer[:length])
        self._buffer = self._buffer[length:]
        self._started = True
        status = b"".join(encode_parameter_status(name, value) for name, value in STATUS.items())
        key = encode_key(CancelKey(7, b"\0\0\0\1"))
        return encode_authentication(AUTH_OK) + status + key + encode_ready(b"I")

    def _messages(self) -> bytes:
        answers = b""
        while len(self._buffer) >= 5:
            size = 1 + int.from_bytes(self._buffer[1:5], "big")
            if len(self._buffer) < size:
                break
            kind, body = self._buffer[:1], self._buffer[5:size]
            self._buffer = self._buffer[size:]
            answers += self._answer(kind, body)
        return answers

    def _answer(self, kind: bytes, body: bytes) -> bytes:
        if kind == b"S":
            self._skipping = False
            return encode_ready(self.status)
        if self._skipping or kind in (b"H", b"X"):
            return b""
        if kind == b"Q":
            return self._query(decode_query(body))
        if kind == b"P":
            parse = decode_parse(body)
            self._prepared[parse.name] = parse.query
            return self._failed() if parse.query == FAILING else frame(b"1", b"")
        if kind == b"B":
            bind = decode_bind(body)
            self._portals[bind.portal] = self._prepared[bind.statement]
            return frame(b"2", b"")
        if kind == b"D":
            named = decode_named(body)
            types = frame(b"t", b"\0\0") if named.kind == "S" else b""
            return types + encode_row_description(self.fields)
        if kind == b"E":
            return self._rows(self._portals[decode_execute(body).portal])
        if kind == b"C":
            named = decode_named(body)
            (self._prepared if named.kind == "S" else self._portals).pop(named.name, None)
        return frame(b"3", b"")

    def _query(self, text: str) -> bytes:
        if text == DISCARD:
            self._prepared.clear()
            self.discards += 1
            return frame(b"C", cstring(DISCARD)) + encode_ready(b"I")
        if "pg_listening_channels" in text:
            values = [b"clean", *(STATUS[name].encode() for name in sorted(STATUS))]
            complete = frame(b"C", cstring("SELECT 1")) + encode_ready(b"I")
            return encode_row_description(self.fields) + encode_data_row([*values]) + complete
        if text == FAILING or "FAILS" in text:
            return encode_error("42601", "syntax error") + encode_ready(b"I")
        return encode_row_description(self.fields) + self._rows(text) + encode_ready(self.status)

    def _rows(self, text: str) -> bytes:
        self.texts.append(text)
        if "FAILS" in text:
            return self._failed()
        row = [text.encode()] if self.row is None else self.row
        return encode_data_row(row) + frame(b"C", cstring("SELECT 1"))

    def _failed(self) -> bytes:
        self._skipping = True
        return encode_error("42601", "syntax error")
