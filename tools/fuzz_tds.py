"""What `fuzz.py` feeds to the codecs of TDS: by name, what reads it and samples that it takes.

What comes in pieces must be read as what comes at once, and what was read must be written as what is read the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from blastwall.model.masks import ColumnRule, DetectRule, MaskRules, MaskStyle, ResultRecord
from blastwall.model.statement import Statement
from blastwall.protocols.contract import CLIENT, UPSTREAM, Allow, Answer, Ask
from blastwall.protocols.tds import answers, types
from blastwall.protocols.tds.bulk import BulkReader
from blastwall.protocols.tds.fedauth import (
    SECURITY_TOKEN,
    FedAuth,
    read_fedauth,
    read_token,
    write_fedauth,
    write_token,
)
from blastwall.protocols.tds.fields import Fields
from blastwall.protocols.tds.headers import read_headers, with_transaction, write_headers
from blastwall.protocols.tds.login7 import read_login7, write_login7
from blastwall.protocols.tds.packets import Kind, MessageReader, framed
from blastwall.protocols.tds.prelogin import read_prelogin, write_prelogin
from blastwall.protocols.tds.rows import RowPlan, RowWalk
from blastwall.protocols.tds.rpc import read_rpcs, write_rpcs
from blastwall.protocols.tds.tests import dumps
from blastwall.protocols.tds.tests.server import TinyServer
from blastwall.protocols.tds.tests.specimens import SPECIMENS, batch
from blastwall.protocols.tds.tests.test_request_codecs import LOAD, TEXT, WHOLE, column, table
from blastwall.protocols.tds.tests.test_value_codecs import FORMS
from blastwall.protocols.tds.token_reader import TokenReader
from blastwall.protocols.tds.tokens import EnvChange, RowRun
from blastwall.protocols.tds.transactions import Verb, read_transaction, write_transaction
from blastwall.protocols.tds.types import read_type, write_type
from blastwall.protocols.tds.values import decoded, field_of
from blastwall.testing.playbook import Playbook
from blastwall.wire.reader import Malformed

_PIECES = (1, 7, 61)


def _alike(read: Callable[[bytes, int], object]) -> Callable[[bytes], None]:
    """Read in pieces of several sizes: all give the same, or none gives anything."""

    def each(data: bytes) -> None:
        found = [_tried(read, data, size) for size in (len(data) or 1, *_PIECES)]
        assert all(one == found[0] for one in found), found
        if isinstance(found[0], Malformed):
            raise found[0]

    return each


class _Failed(Malformed):
    """Equal to every other."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Failed)

    def __hash__(self) -> int:
        return 0


def _tried(read: Callable[[bytes, int], object], data: bytes, size: int) -> object:
    try:
        return read(data, size)
    except Malformed as error:
        return _Failed(str(error))


def _pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def _messages(data: bytes, size: int) -> object:
    reader = MessageReader(2000, {Kind.RPC: 600}, frozenset({Kind.BULK}), 1024)
    found: list[object] = []
    for piece in _pieces(data, size):
        reader.feed(piece)
        while (message := reader.take()) is not None:
            found.append(message)
        assert reader.buffered < 6000
    return found, reader.buffered


def _reply(data: bytes, size: int, *, whole: bool) -> object:
    reader = TokenReader(1 << 16 if whole else 3000)  # how much of a row is kept depends on how it comes
    reader.whole = whole
    found: list[object] = []
    rows, raw = 0, b""
    for piece in _pieces(data, size):
        reader.feed(piece)
        while (token := reader.take()) is not None:
            raw += token.raw
            if isinstance(token, RowRun):
                rows += token.rows
            else:
                found.append(token)
                if isinstance(token, EnvChange) and token.type in (20, 21):
                    _tried(lambda _data, _size, told=token: told.routing, data, 0)
    reader.finish()
    assert raw == data
    return found, rows


def _rpcs(data: bytes) -> None:
    headers, calls = read_rpcs(data)
    written = write_rpcs(data[: headers.size], calls)
    assert data in (written, written + b"\xff")
    assert read_rpcs(written)[1] == calls
    for call in calls:
        for one in call.parameters:
            decoded(one.field, one.type)


def _login(data: bytes) -> None:
    found = read_login7(data)
    again = read_login7(write_login7(found))
    assert (again.user, again.password, again.features) == (found.user, found.password, found.features)
    repr(found)


def _prelogin(data: bytes) -> None:
    found = read_prelogin(data)
    assert read_prelogin(write_prelogin(found)) == found


def _fedauth(data: bytes) -> None:
    assert write_fedauth(read_fedauth(data)) == data


def _token(data: bytes) -> None:
    assert write_token(*read_token(data)) == data


def _headers(data: bytes) -> None:
    found = read_headers(data)
    if found.transaction:
        changed = with_transaction(data, 1 << 60 | 1)
        assert read_headers(changed).transaction == 1 << 60 | 1
        assert with_transaction(changed, found.transaction) == data


def _load(data: bytes, size: int) -> object:
    reader = BulkReader()
    for piece in _pieces(data, size):
        reader.feed(piece)
    reader.finish()
    return reader.rows, reader.columns


def _value(data: bytes) -> None:
    fields = Fields(data)
    type_ = read_type(fields, rows=True)
    assert write_type(type_) == data[: fields.at]
    assert type_.declared
    walk = RowWalk(RowPlan((type_,)))
    walk.begin_single()
    end = walk.walk(data, fields.at, len(data))
    if walk.rows:
        decoded(data[fields.at : end], type_)


_RULES = MaskRules(
    (ColumnRule("email", "dbo.customers.email", MaskStyle.PARTIAL),),
    (DetectRule("card", ("card", "email"), MaskStyle.REDACT),),
    key=b"k" * 32,
)


def _allow(ask: Ask) -> Answer:
    kept = Allow(mask=_RULES, record=ResultRecord(_RULES, 5, 1000))
    return kept if isinstance(ask.question, Statement) else SPECIMENS.admit


def _played(side: str) -> Callable[[bytes], None]:
    """Feed a whole session: it may close, never raise, and never keep more than it was given."""

    def read(data: bytes) -> None:
        tiny = TinyServer()
        play = Playbook(SPECIMENS.session(), _allow, tiny, SPECIMENS.look_up)
        if side != "start":
            play.client(SPECIMENS.login)
        if side == "server":
            tiny.slow = True
            play.client(batch("SELECT 1"))
        for piece in _pieces(data, 61):
            if play.closed is None:
                (play.from_server if side == "server" else play.client)(piece)
        if play.closed is None:
            assert play.session.backlog(CLIENT) <= len(data) + 4096
            assert play.session.backlog(UPSTREAM) <= len(data) + 4096

    return read


_REPLIES = [value[8:] for value in (dumps.LOGIN_RESPONSE, dumps.LOGIN_RESPONSE_FEDAUTH, dumps.BATCH_RESPONSE,
            dumps.RPC_RESPONSE, dumps.SPARSE_RESPONSE, dumps.SESSION_STATE, dumps.LOGIN_RESPONSE_AZURE)]  # fmt: skip
_CELLS = [(type_, value) for _, type_, value, _ in FORMS if len(value) < 100 and type_.type != types.NTEXT]
_EVERYTHING = (
    b"\x81" + len(_CELLS).to_bytes(2, "little")
    + b"".join(b"\0\0\0\0\x09\0" + write_type(one) + (b"\1\1\0t\0" if one.type == types.TEXT else b"") + b"\1c\0"
               for one, _ in _CELLS)
    + b"\xd1" + b"".join(field_of(value, type_) for type_, value in _CELLS)
    + answers.done(0xFD, 0x10, 0xC1, 1) + answers.routing("a.example", 1433) + b"\xac\0\0\2@\0a\0\1\0\0\0\0\1\0"
    + write_type(TEXT) + field_of(b"a\0", TEXT) + answers.done(0xFE)
)  # fmt: skip
_CALLS = [
    dumps.RPC[8:],
    table(b"\1\4\1\0\0\0" + field_of(b"a\0", TEXT) + b"\1\0\xff\xff", column(WHOLE), column(TEXT),
          between=b"\x11\2\0\1\0\2\0\x10\1\0\1\0\1"),
    write_headers(5) + b"\xff\xff\x0a\0\0\0" + b"".join(
        b"\0\0" + write_type(type_, request=True) + field_of(value, type_)
        for _, type_, value, _ in FORMS if len(value) < 100 and not type_.pointed and type_.type != types.UDT
    ) + b"\xff\1\0p\0\0\0",
]  # fmt: skip

_TALK = [
    b"".join(one.sent for one in SPECIMENS.exchanges.values()),
    batch("BEGIN TRAN; UPDATE dbo.orders SET a = 1 WHERE id = 1") + dumps.ATTENTION + batch("SELECT 1"),
    *(framed(Kind.RPC, one, 512) for one in _CALLS),
    framed(Kind.TRANSACTION, write_transaction(Verb.BEGIN, 0, "t"), 4096) + batch("SELECT * FROM dbo.customers"),
    batch("INSERT BULK dbo.orders (id int, name nvarchar(4000))") + framed(Kind.BULK, LOAD, 512),
]

TARGETS: Mapping[str, tuple[Callable[[bytes], object], Sequence[bytes]]] = {
    "messages": (_alike(_messages), [framed(Kind.BATCH, b"x" * 900, 512), framed(Kind.RPC, b"x" * 700, 512),
                 framed(Kind.BULK, b"x" * 700, 512) + dumps.ATTENTION, dumps.LOGIN + dumps.TRANSACTION]),
    "replies": (_alike(lambda data, size: _reply(data, size, whole=False)), [*_REPLIES, _EVERYTHING]),
    "replies, rows whole": (_alike(lambda data, size: _reply(data, size, whole=True)), [*_REPLIES, _EVERYTHING]),
    "calls": (_rpcs, _CALLS),
    "logins": (_login, [dumps.LOGIN[8:], dumps.LOGIN_FEDAUTH[8:], dumps.LOGIN_RECOVERY[8:], dumps.LOGIN_AZURE[8:]]),
    "prelogins": (_prelogin, [dumps.PRELOGIN[8:]]),
    "federated": (_fedauth, [write_fedauth(FedAuth(SECURITY_TOKEN, True, "eyJ0.abc", nonce=b"n" * 32)), b"\5\1"]),
    "token messages": (_token, [write_token("eyJ0.abc", b"n" * 32), write_token("e")]),
    "headers": (_headers, [dumps.BATCH[8:], write_headers(9) + b"SELECT"]),
    "transactions": (read_transaction, [write_transaction(verb, 3, "name", 2) for verb in (Verb.BEGIN, Verb.COMMIT,
                     Verb.SAVE)] + [write_headers(1) + b"\x08\0\0\x01\2\4a\0b\0", write_headers(1) + b"\0\0\0\0"]),
    "loads": (_alike(_load), [LOAD, dumps.BULK[8:]]),
    "values": (_value, [write_type(type_) + field_of(value, type_) for _, type_, value, _ in FORMS
               if len(value) < 100]),
    "client, before the login": (_played("start"), [SPECIMENS.login, SPECIMENS.login + _TALK[0]]),
    "client, after the login": (_played("client"), _TALK),
    "server": (_played("server"), [framed(Kind.REPLY, reply, 512) for reply in (*_REPLIES, _EVERYTHING)]),
}  # fmt: skip
