"""A TDS server of a few lines, without I/O: every statement gives one row with its own text.

It speaks in plain text, logs everybody in, and keeps what matters of the order: one answer a request, an attention
acknowledged by a DONE of its own. A text with `FAILS` gives an error. With `slow`, its answers wait in `late` until a
test feeds them. What it says can be changed: `login` are the tokens that answer a login, `replies` those of batches.
"""

from __future__ import annotations

from collections.abc import Sequence

from blastwall.protocols.contract import Side
from blastwall.protocols.tds.answers import done, env_change, error, feature_ack, info, login_ack
from blastwall.protocols.tds.collations import LATIN
from blastwall.protocols.tds.fields import b_varchar
from blastwall.protocols.tds.login7 import FEDAUTH, TDS_7_4, Login7, read_login7
from blastwall.protocols.tds.negotiation import prelogin_of
from blastwall.protocols.tds.packets import Kind, Message, MessageReader, framed
from blastwall.protocols.tds.prelogin import Encryption, Prelogin, read_prelogin, write_prelogin
from blastwall.protocols.tds.tokens import (
    CANCELLED,
    COL_METADATA,
    COUNTED,
    DONE_PROC,
    ENV_COLLATION,
    ENV_DATABASE,
    ENV_PACKET_SIZE,
    FAILED,
    MORE,
    NBC_ROW,
    RETURN_STATUS,
    ROW,
)
from blastwall.protocols.tds.types import NVARCHAR, TypeInfo, write_type

_TEXT = TypeInfo(NVARCHAR, 8000, collation=LATIN)
COLUMNS = bytes((COL_METADATA,)) + b"\1\0" + bytes(4) + b"\1\0" + write_type(_TEXT) + b_varchar("text")
_MOST = 4000


def row(text: str) -> bytes:
    """A row with one text."""
    value = text[:_MOST].encode("utf-16-le")
    return bytes((ROW,)) + len(value).to_bytes(2, "little") + value


def selected(text: str) -> bytes:
    """The answer to a batch that selects one text."""
    return COLUMNS + row(text) + done(status=COUNTED, command=0xC1, rows=1)


def table(rows: Sequence[Sequence[str | None]], width: int) -> bytes:
    """A result of texts, in `width` columns."""
    column = bytes(4) + b"\1\0" + write_type(_TEXT) + b_varchar("c")
    told = bytes((COL_METADATA,)) + width.to_bytes(2, "little") + column * width
    return told + b"".join(_cells(one) for one in rows) + done(status=COUNTED | MORE, command=0xC1, rows=len(rows))


def _cells(row: Sequence[str | None]) -> bytes:
    """A row as NBCROW, which leaves out what is NULL."""
    bits = sum(1 << position for position, value in enumerate(row) if value is None)
    values = [value.encode("utf-16-le") for value in row if value is not None]
    written = b"".join(len(value).to_bytes(2, "little") + value for value in values)
    return bytes((NBC_ROW,)) + bits.to_bytes((len(row) + 7) // 8, "little") + written


class TinyServer:
    """Bytes of the gateway's in, answers out."""

    def __init__(self, encryption: Encryption = Encryption.NOT_SUPPORTED) -> None:
        self.encryption = encryption
        self.prelogins: list[Prelogin] = []
        self.logins: list[Login7] = []
        self.requests: list[tuple[Kind, str]] = []
        self.attentions = 0
        self.slow = False
        self.late = b""
        self.login: bytes | None = None
        self.replies: dict[str, bytes] = {}
        self.size = 4096
        self._reader = MessageReader(1 << 24)

    def receive(self, side: Side, data: bytes) -> bytes:
        self._reader.feed(data)
        answers = b""
        while (message := self._reader.take()) is not None:
            assert isinstance(message, Message)
            answers += framed(Kind.REPLY, self._answer(message), self.size, spid=51)
        if self.slow:
            self.late += answers
            return b""
        return answers

    def _answer(self, message: Message) -> bytes:
        if message.kind is Kind.PRELOGIN:
            asked = read_prelogin(message.payload)
            self.prelogins.append(asked)
            return write_prelogin(prelogin_of(self.encryption, fedauth=bool(asked.fedauth_required)))
        if message.kind is Kind.LOGIN7:
            self.logins.append(read_login7(message.payload))
            return self.login if self.login is not None else self.welcome(self.logins[-1])
        if message.kind is Kind.ATTENTION:
            self.attentions += 1
            return done(status=CANCELLED)
        return self._request(message)

    def _request(self, message: Message) -> bytes:
        start = int.from_bytes(message.payload[:4], "little")
        text = message.payload[start:].decode("utf-16-le", "replace")
        self.requests.append((message.kind, text))
        if text in self.replies:
            return self.replies[text]
        if "FAILS" in text:
            return error(50000, "it fails", severity=16) + done(status=FAILED)
        if message.kind is Kind.RPC:
            shown = "".join(one for one in text if one.isprintable())
            status = bytes((RETURN_STATUS,)) + bytes(4)
            return COLUMNS + row(shown) + done(0xFF, 0x11, 0xC1, 1) + status + done(DONE_PROC, 0, 0xE0)
        return selected(text) if message.kind is Kind.BATCH else done()

    def welcome(self, login: Login7) -> bytes:
        """What a server says that lets in."""
        token = login.feature(FEDAUTH) is not None
        return b"".join(
            (
                env_change(ENV_DATABASE, login.database, "master"),
                info(5701, f"Changed database context to '{login.database}'.", state=2, server="sql-1"),
                env_change(ENV_COLLATION, LATIN.write()),
                login_ack(TDS_7_4, "Microsoft SQL Server", (12, 0, 0x08, 0x15)),
                feature_ack([(FEDAUTH, b"")]) if token else b"",
                env_change(ENV_PACKET_SIZE, str(min(login.packet_size, 8000)), "4096"),
                done(),
            )
        )
