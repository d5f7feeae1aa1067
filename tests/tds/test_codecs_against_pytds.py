"""Our codecs beside python-tds: what it writes we read as it was meant, and what we write it reads."""
# ruff: noqa: DTZ001 - a datetime2 has no time zone

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from struct import pack
from types import SimpleNamespace
from typing import Protocol
from uuid import UUID

import pytest
from pytds import tds_base, tds_types
from pytds.collate import Collation as TheirCollation
from pytds.tds_reader import _TdsReader
from pytds.tds_writer import _TdsWriter

from blastwall.protocols.tds import types
from blastwall.protocols.tds.collations import LATIN, Collation
from blastwall.protocols.tds.fields import Fields
from blastwall.protocols.tds.headers import write_headers
from blastwall.protocols.tds.packets import Kind, PacketReader, framed
from blastwall.protocols.tds.rows import RowPlan, RowWalk
from blastwall.protocols.tds.rpc import read_rpcs
from blastwall.protocols.tds.types import MAX, TypeInfo, read_type, write_type
from blastwall.protocols.tds.values import decoded, encoded_text, field_of

Value = str | bytes | int | float | bool | Decimal | date | time | datetime | UUID | None
SESSION = SimpleNamespace(
    tds_version=tds_base.TDS74,
    _tds=SimpleNamespace(_login=SimpleNamespace(bytes_to_unicode=True)),
    conn=SimpleNamespace(server_codec=None),
    type_factory=tds_types.SerializerFactory(tds_base.TDS74),
)
FACTORY = SESSION.type_factory
THEIRS = TheirCollation.unpack(LATIN.write())


class Serializer(Protocol):
    type: int

    def write_info(self, writer: _TdsWriter) -> None: ...

    def write(self, writer: _TdsWriter, value: object) -> None: ...

    def read(self, reader: _TdsReader) -> object: ...


class Wire:
    """What they write to and read from."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = data

    def sendall(self, data: bytes) -> None:
        self.data += bytes(data)

    def recv_into(self, buffer: memoryview, size: int = 0) -> int:
        part = self.data[: size or len(buffer)]
        buffer[: len(part)] = part
        self.data = self.data[len(part) :]
        return len(part)

    def recv(self, size: int) -> bytes:
        part, self.data = self.data[:size], self.data[size:]
        return part


def written(serializer: Serializer, *values: object) -> bytes:
    """The TYPE_INFO and the values as they write them."""
    wire = Wire()
    writer = _TdsWriter(wire, 4096, SESSION)
    writer.begin_packet(Kind.RPC)
    writer.put_byte(serializer.type)
    serializer.write_info(writer)
    for value in values:
        serializer.write(writer, value)
    writer.flush()
    reader = PacketReader()
    reader.feed(wire.data)
    payload = b""
    while (packet := reader.take()) is not None:
        payload += packet.payload
    return payload


OURS: Sequence[tuple[object, Value, str | bytes | None]] = [
    (tds_types.BitType(), True, "1"),
    (tds_types.TinyIntType(), 255, "255"),
    (tds_types.SmallIntType(), -3, "-3"),
    (tds_types.IntType(), None, None),
    (tds_types.BigIntType(), -(2**63), str(-(2**63))),
    (tds_types.RealType(), 0.5, "0.5"),
    (tds_types.FloatType(), 0.1, "0.1"),
    (tds_types.MoneyType(), Decimal("-922337203685477.5808"), "-922337203685477.5808"),
    (tds_types.SmallMoneyType(), Decimal("1.5"), "1.5000"),
    (tds_types.DecimalType(38, 10), Decimal("-1234567890123456789.0123456789"), "-1234567890123456789.0123456789"),
    (tds_types.DecimalType(5, 2), Decimal("1.5"), "1.50"),
    (tds_types.VarCharType(20), "café", "café"),
    (tds_types.NVarCharType(20), "Łódź", "Łódź"),
    (tds_types.NVarCharType(20), None, None),
    (tds_types.NVarCharMaxType(), "x" * 9000, "x" * 9000),
    (tds_types.VarCharMaxType(), "y" * 9000, "y" * 9000),
    (tds_types.VarBinaryType(20), b"\0\1", b"\0\1"),
    (tds_types.VarBinaryMaxType(), b"\0\1" * 5000, b"\0\1" * 5000),
    (tds_types.XmlType(), "<a>é</a>", "<a>é</a>"),
    (tds_types.UniqueIdentifierType(), UUID("6F9619FF-8B86-D011-B42D-00C04FC964FF"),
     "6F9619FF-8B86-D011-B42D-00C04FC964FF"),
    (tds_types.DateType(), date(2024, 2, 29), "2024-02-29"),
    (tds_types.TimeType(7), time(1, 2, 3, 456789), "01:02:03.4567890"),
    (tds_types.TimeType(0), time(1, 2, 3), "01:02:03"),
    (tds_types.DateTime2Type(3), datetime(1, 1, 1, 23, 59, 59, 999000), "0001-01-01 23:59:59.999"),
    (tds_types.DateTimeType(), datetime(1753, 1, 1, 0, 0, 0, 3000), "1753-01-01 00:00:00.003"),
    (tds_types.SmallDateTimeType(), datetime(2020, 6, 1, 12, 30), "2020-06-01 12:30:00"),
    (tds_types.DateTimeOffsetType(7), datetime(2020, 1, 1, 0, 30, tzinfo=timezone(timedelta(minutes=-330))),
     "2020-01-01 00:30:00.0000000 -05:30"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "text"), OURS, ids=[repr(one[0])[:40] for one in OURS])
def test_what_they_write_we_read(kind: object, value: Value, text: str | bytes | None) -> None:
    serializer = FACTORY.serializer_by_type(kind, THEIRS)
    payload = written(serializer, value, value)
    fields = Fields(payload)
    type_ = read_type(fields, request=True)
    walk = RowWalk(RowPlan((type_,)))
    for _ in range(2):
        walk.begin_single()
        end = walk.walk(payload, fields.at, len(payload))
        assert walk.rows == 1
        assert decoded(fields.take(end - fields.at), type_) == text
    fields.finish("the values")


THEIR_READING: Sequence[tuple[TypeInfo, bytes, object]] = [
    (TypeInfo(types.INT4, 4), field_of(b"\x2a\0\0\0", TypeInfo(types.INT4, 4)), 42),
    (TypeInfo(types.INTN, 8), b"\0", None),
    (TypeInfo(types.NVARCHAR, 40, collation=LATIN), encoded_text("Łódź", TypeInfo(types.NVARCHAR, 40)), "Łódź"),
    (TypeInfo(types.BIGVARCHAR, 40, collation=LATIN),
     encoded_text("café", TypeInfo(types.BIGVARCHAR, 40, collation=LATIN)), "café"),
    (TypeInfo(types.BIGVARCHAR, 40, collation=Collation(0x00D00408, 0)),
     encoded_text("αβ", TypeInfo(types.BIGVARCHAR, 40, collation=Collation(0x00D00408, 0))), "αβ"),
    (TypeInfo(types.NVARCHAR, MAX, collation=LATIN), encoded_text("x" * 99, TypeInfo(types.NVARCHAR, MAX)), "x" * 99),
    (TypeInfo(types.NCHAR, 8, collation=LATIN), encoded_text("ab", TypeInfo(types.NCHAR, 8)), "ab  "),
    (TypeInfo(types.BIGVARBINARY, 9), field_of(b"\0\1", TypeInfo(types.BIGVARBINARY, 9)), b"\0\1"),
    (TypeInfo(types.BIGVARBINARY, MAX), field_of(None, TypeInfo(types.BIGVARBINARY, MAX)), None),
    (TypeInfo(types.XML, MAX), encoded_text("<a/>", TypeInfo(types.XML, MAX)), "<a/>"),
    (TypeInfo(types.MONEYN, 8), field_of(pack("<iI", -1, 0xFFFFFFFF), TypeInfo(types.MONEYN, 8)), Decimal("-0.0001")),
    (TypeInfo(types.DECIMALN, 5, 9, 2), b"\5\0\x87\xd6\x12\0", Decimal("-12345.67")),
    (TypeInfo(types.VARIANT, 8009), b"\x06\0\0\0\x38\0\x2a\0\0\0", 42),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "field", "value"), THEIR_READING, ids=[one[0].declared for one in THEIR_READING])
def test_what_we_write_they_read(type_: TypeInfo, field: bytes, value: object) -> None:
    wire = Wire(framed(Kind.REPLY, write_type(type_) + field, 4096))
    reader = _TdsReader(SESSION, wire, 4096)
    reader.begin_response()
    serializer = FACTORY.get_type_serializer(reader.get_byte()).from_stream(reader)
    assert serializer.read(reader) == value


def test_their_tables_are_read() -> None:
    columns = [tds_base.Column(type=tds_types.IntType()), tds_base.Column(type=tds_types.NVarCharType(20))]
    kind = tds_types.TableType("dbo", "ids", columns)
    value = tds_types.TableValuedParam(type_name="dbo.ids", columns=columns, rows=[(1, "é"), (None, None)])
    table = written(FACTORY.serializer_by_type(kind, THEIRS), value)
    _, (call,) = read_rpcs(write_headers(0) + b"\1\0p\0\0\0" + b"\0\0" + table)
    (parameter,) = call.parameters
    assert (parameter.type.declared, parameter.rows) == ("dbo.ids", 2)
    assert decoded(parameter.field, parameter.type) == '["1", "é"]\n[null, null]'
