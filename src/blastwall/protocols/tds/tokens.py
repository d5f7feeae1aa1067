"""The tokens of a reply: one small codec each, decode here, encode in `answers.py`.

Source: MS-TDS 2.2.7 "Packet Data Token Stream Definition", for TDS 7.2 and later. Bodies are passed without the token
byte, and without the length where one stands before them. `raw` is a token's exact bytes, with both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from struct import Struct

from blastwall.protocols.tds.fields import Fields, lenient_text
from blastwall.protocols.tds.types import IMAGE, NTEXT, TEXT, TypeInfo, read_type
from blastwall.wire.reader import Malformed

RETURN_STATUS, COL_METADATA, TAB_NAME, COL_INFO, ORDER = 0x79, 0x81, 0xA4, 0xA5, 0xA9
ERROR, INFO, RETURN_VALUE, LOGIN_ACK, FEATURE_EXT_ACK = 0xAA, 0xAB, 0xAC, 0xAD, 0xAE
ROW, NBC_ROW, ENV_CHANGE, SESSION_STATE, SSPI, FEDAUTH_INFO = 0xD1, 0xD2, 0xE3, 0xE4, 0xED, 0xEE
DONE, DONE_PROC, DONE_IN_PROC = 0xFD, 0xFE, 0xFF
NO_METADATA = 0xFFFF
"""The number of columns that says: as before, they are not told again (2.2.7.4)."""

ENV_DATABASE, ENV_LANGUAGE, ENV_PACKET_SIZE, ENV_COLLATION = 1, 2, 4, 7
ENV_BEGIN, ENV_COMMIT, ENV_ROLLBACK, ENV_ENLIST, ENV_DEFECT = 8, 9, 10, 11, 12
ENV_MIRROR, ENV_PROMOTE, ENV_MANAGER, ENV_ENDED, ENV_RESET, ENV_INSTANCE = 13, 15, 16, 17, 18, 19
ENV_ROUTING, ENV_ENHANCED_ROUTING = 20, 21
"""Types of ENVCHANGE (2.2.7.9)."""

MORE, FAILED, IN_TRANSACTION, COUNTED, CANCELLED, SERVER_ERROR = 0x1, 0x2, 0x4, 0x10, 0x20, 0x100
"""Status bits of DONE and its like (2.2.7.6)."""

_DONE = Struct("<HHQ")
_ENCRYPTED = 0x0800
_TEXT_ENVS = frozenset({1, 2, 3, 4, 5, 6, 13, 19})
_BYTES_ENVS = frozenset({7, 8, 9, 10, 11, 12, 16, 17, 18})
_DIFFERENT_NAME = 0x20


@dataclass(frozen=True, slots=True)
class ColumnData:
    """A column of a result: `flags` as in 2.2.7.4; `table` are the parts of the table's name of `text` and its like."""

    name: str
    type: TypeInfo
    user_type: int = 0
    flags: int = 0
    table: tuple[str, ...] = ()

    @property
    def nullable(self) -> bool:
        return bool(self.flags & 0x1)

    @property
    def identity(self) -> bool:
        return bool(self.flags & 0x10)

    @property
    def computed(self) -> bool:
        return bool(self.flags & 0x20)

    @property
    def hidden(self) -> bool:
        """Whether it is there for FOR BROWSE alone, or for a cursor."""
        return bool(self.flags & 0x2000)


@dataclass(frozen=True, slots=True)
class ColMetadata:
    """What the rows that follow consist of. `absent`: the columns are those of before, which are not told again."""

    columns: tuple[ColumnData, ...]
    absent: bool = False
    raw: bytes = dataclass_field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class RowRun:
    """A run of ROW and NBCROW tokens: the bytes of `buffer` from `start` to before `stop`.

    `rows` is how many rows end in it. Where rows are not kept whole, it may begin and end within one.
    """

    rows: int
    buffer: bytes = dataclass_field(repr=False)
    start: int
    stop: int

    @property
    def raw(self) -> bytes:
        return self.buffer[self.start : self.stop]


@dataclass(frozen=True, slots=True)
class ReturnStatus:
    """What a procedure returned."""

    value: int
    raw: bytes = dataclass_field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class ReturnValue:
    """The value of an OUTPUT parameter, or what a function returned (`status` 2).

    `field` is the value with its length, as it stands in a row: see `values.py`.
    """

    ordinal: int
    name: str
    status: int
    user_type: int
    flags: int
    type: TypeInfo
    field: bytes = dataclass_field(repr=False)
    raw: bytes = dataclass_field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Done:
    """The end of a statement (`kind` DONE or DONE_IN_PROC) or procedure (DONE_PROC); `rows` counts if `counted`."""

    kind: int
    status: int
    command: int
    rows: int
    raw: bytes = dataclass_field(default=b"", repr=False)

    @property
    def more(self) -> bool:
        return bool(self.status & MORE)

    @property
    def failed(self) -> bool:
        return bool(self.status & (FAILED | SERVER_ERROR))

    @property
    def counted(self) -> bool:
        return bool(self.status & COUNTED)

    @property
    def cancelled(self) -> bool:
        """Whether it acknowledges an attention."""
        return bool(self.status & CANCELLED)


@dataclass(frozen=True, slots=True)
class Notice:
    """An error or a message of the server's: see `Error` and `Info`. `severity` is what MS-TDS calls class."""

    number: int
    state: int
    severity: int
    message: str
    server: str
    procedure: str
    line: int
    raw: bytes = dataclass_field(default=b"", repr=False)


class Error(Notice):
    """An error."""

    __slots__ = ()


class Info(Notice):
    """A message: PRINT, a low RAISERROR, a changed database."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class EnvChange:
    """A change of the session's environment; the values are text for some types (`new_text`), bytes for the others."""

    type: int
    new: bytes
    old: bytes
    raw: bytes = dataclass_field(default=b"", repr=False)

    @property
    def new_text(self) -> str:
        return lenient_text(self.new)

    @property
    def old_text(self) -> str:
        return lenient_text(self.old)

    @property
    def routing(self) -> tuple[str, int, str]:
        """Return host, port and database ("" where none is told) that a login is sent on to.

        Raises:
            Malformed: it tells nothing that could be reached.
        """
        fields = Fields(self.new)
        protocol, port, host = fields.byte(), fields.uint16(), fields.us_varchar()
        database = fields.us_varchar() if self.type == ENV_ENHANCED_ROUTING else ""
        fields.finish("a routing")
        if protocol or not port or not host:
            raise Malformed(f"a routing to {host!r}, port {port}, by the protocol {protocol}")
        return host, port, database


@dataclass(frozen=True, slots=True)
class LoginAck:
    """A login's success. `tds` is the version as the server speaks it: 0x74000004."""

    interface: int
    tds: int
    program: str
    version: tuple[int, ...]
    raw: bytes = dataclass_field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class FeatureExtAck:
    """The features of the login that the server takes up, each with its data."""

    features: tuple[tuple[int, bytes], ...]
    raw: bytes = dataclass_field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class FedAuthInfo:
    """Where a client gets its token: `options` by id, 1 the authority's URL, 2 the resource (SPN)."""

    options: tuple[tuple[int, str], ...]
    raw: bytes = dataclass_field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Order:
    """The columns that the rows are ordered by, counted from 1."""

    columns: tuple[int, ...]
    raw: bytes = dataclass_field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class TabName:
    """The tables of a cursor or of FOR BROWSE, each as the parts of its name."""

    tables: tuple[tuple[str, ...], ...]
    raw: bytes = dataclass_field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class ColInfo:
    """For each column its number, its table's in the TABNAME before (0: none), status bits, and its name there."""

    columns: tuple[tuple[int, int, int, str], ...]
    raw: bytes = dataclass_field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class SessionState:
    """What a client would restore a session with; sent only where session recovery was negotiated."""

    sequence: int
    raw: bytes = dataclass_field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Sspi:
    """A step of an integrated login."""

    data: bytes
    raw: bytes = dataclass_field(default=b"", repr=False)


Token = (
    ColMetadata
    | RowRun
    | ReturnStatus
    | ReturnValue
    | Done
    | Error
    | Info
    | EnvChange
    | LoginAck
    | FeatureExtAck
    | FedAuthInfo
    | Order
    | TabName
    | ColInfo
    | SessionState
    | Sspi
)


# ── tokens of a fixed length ─────────────────────────────────────────────────────────────────────────────────────────

FIXED_SIZES = {RETURN_STATUS: 4, DONE: _DONE.size, DONE_PROC: _DONE.size, DONE_IN_PROC: _DONE.size}
"""Bytes of a body."""


def decode_fixed(kind: int, body: bytes, raw: bytes) -> ReturnStatus | Done:
    """Read a token of `FIXED_SIZES`."""
    if kind == RETURN_STATUS:
        return ReturnStatus(int.from_bytes(body, "little", signed=True), raw)
    status, command, rows = _DONE.unpack(body)
    return Done(kind, status, command, rows, raw)


# ── tokens behind a length ───────────────────────────────────────────────────────────────────────────────────────────


def _notice(kind: type[Error] | type[Info]) -> Callable[[Fields, bytes], Error | Info]:
    def decode(fields: Fields, raw: bytes) -> Error | Info:
        number, state, severity = fields.int32(), fields.byte(), fields.byte()
        message = lenient_text(fields.take(2 * fields.uint16()))
        server = lenient_text(fields.take(2 * fields.byte()))
        procedure = lenient_text(fields.take(2 * fields.byte()))
        return kind(number, state, severity, message, server, procedure, fields.int32(), raw)

    return decode


def _env_change(fields: Fields, raw: bytes) -> EnvChange:
    kind = fields.byte()
    if kind in (ENV_ROUTING, ENV_ENHANCED_ROUTING):
        new, old = fields.take(fields.uint16()), fields.take(fields.uint16())
    elif kind in _TEXT_ENVS:
        new, old = fields.take(2 * fields.byte()), fields.take(2 * fields.byte())
    elif kind in _BYTES_ENVS:
        new, old = fields.b_varbyte(), fields.b_varbyte()
    else:
        # Of a promoted transaction (15) the length is not told where that of the others is (2.2.7.9).
        raise Malformed(f"an environment change of the type {kind}, which this gateway does not take part in")
    return EnvChange(kind, new, old, raw)


def _login_ack(fields: Fields, raw: bytes) -> LoginAck:
    interface = fields.byte()
    tds = int.from_bytes(fields.take(4), "big")
    program = lenient_text(fields.take(2 * fields.byte()))
    return LoginAck(interface, tds, program, tuple(fields.take(4)), raw)


def _order(fields: Fields, raw: bytes) -> Order:
    if fields.left % 2:
        raise Malformed(f"an order of {fields.left} bytes")
    return Order(tuple(fields.uint16() for _ in range(fields.left // 2)), raw)


def _tab_name(fields: Fields, raw: bytes) -> TabName:
    tables: list[tuple[str, ...]] = []
    while fields.left:
        tables.append(_parts(fields))
    return TabName(tuple(tables), raw)


def _col_info(fields: Fields, raw: bytes) -> ColInfo:
    columns: list[tuple[int, int, int, str]] = []
    while fields.left:
        number, table, status = fields.byte(), fields.byte(), fields.byte()
        columns.append((number, table, status, fields.b_varchar() if status & _DIFFERENT_NAME else ""))
    return ColInfo(tuple(columns), raw)


def _session_state(fields: Fields, raw: bytes) -> SessionState:
    sequence, status = fields.uint32(), fields.byte()
    if status > 1:
        raise Malformed(f"a session state of the status {status}")
    while fields.left:
        fields.byte()
        length = fields.byte()
        fields.take(fields.uint32() if length == 0xFF else length)
    return SessionState(sequence, raw)


def _fedauth_info(fields: Fields, raw: bytes) -> FedAuthInfo:
    start, end = fields.at, fields.at + fields.left
    count = fields.uint32()
    if 9 * count > fields.left:
        raise Malformed(f"{count} pieces of login information in {fields.left} bytes")
    options: list[tuple[int, str]] = []
    for _ in range(count):
        id_, length, offset = fields.byte(), fields.uint32(), fields.uint32()
        options.append((id_, Fields(fields.data, start + offset, end).characters(length // 2)))
    fields.rest()
    return FedAuthInfo(tuple(options), raw)


def _sspi(fields: Fields, raw: bytes) -> Sspi:
    return Sspi(fields.rest(), raw)


PREFIXED: dict[int, tuple[int, str, Callable[[Fields, bytes], Token]]] = {
    ERROR: (2, "an error", _notice(Error)),
    INFO: (2, "a message", _notice(Info)),
    ENV_CHANGE: (2, "an environment change", _env_change),
    LOGIN_ACK: (2, "a login's answer", _login_ack),
    ORDER: (2, "an order", _order),
    TAB_NAME: (2, "table names", _tab_name),
    COL_INFO: (2, "column information", _col_info),
    SSPI: (2, "an SSPI step", _sspi),
    SESSION_STATE: (4, "a session state", _session_state),
    FEDAUTH_INFO: (4, "login information", _fedauth_info),
}
"""By token: the bytes of its length, what it is called, and what reads its body."""


# ── tokens whose length only their content tells ─────────────────────────────────────────────────────────────────────


def read_column(fields: Fields) -> ColumnData:
    """Read one column of a COLMETADATA.

    Raises:
        Short: it has not arrived whole.
        Malformed: its type is unknown, or it is encrypted, which was not negotiated.
    """
    user_type, flags = fields.uint32(), fields.uint16()
    type_ = read_type(fields, rows=True)
    if flags & _ENCRYPTED:
        raise Malformed("an encrypted column, although column encryption was not negotiated")
    table = _parts(fields) if type_.type in (TEXT, NTEXT, IMAGE) else ()
    return ColumnData(fields.b_varchar(), type_, user_type, flags, table)


def _parts(fields: Fields) -> tuple[str, ...]:
    count = fields.byte()
    if count > 4:
        raise Malformed(f"a table's name of {count} parts")
    return tuple(fields.us_varchar() for _ in range(count))


def read_return_value(fields: Fields) -> ReturnValue:
    """Read a RETURNVALUE up to before its value, which the caller walks.

    Raises:
        Short: it has not arrived so far.
        Malformed: its type is unknown, or it is encrypted, which was not negotiated.
    """
    ordinal, name, status = fields.uint16(), fields.b_varchar(), fields.byte()
    user_type, flags = fields.uint32(), fields.uint16()
    type_ = read_type(fields)
    if flags & _ENCRYPTED:
        raise Malformed("an encrypted value, although column encryption was not negotiated")
    return ReturnValue(ordinal, name, status, user_type, flags, type_, b"")


def read_features(fields: Fields) -> tuple[tuple[int, bytes], ...]:
    """Read the body of a FEATUREEXTACK.

    Raises:
        Short: it has not arrived whole.
    """
    features: list[tuple[int, bytes]] = []
    while (id_ := fields.byte()) != 0xFF:
        features.append((id_, fields.take(fields.uint32())))
    return tuple(features)
