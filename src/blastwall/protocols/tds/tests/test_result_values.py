"""The values of rows as text."""

from __future__ import annotations

import pytest

from blastwall.protocols.tds.collations import LATIN
from blastwall.protocols.tds.result_values import values_of
from blastwall.protocols.tds.tokens import NBC_ROW, ROW, ColumnData, RowRun
from blastwall.protocols.tds.types import BIGVARBINARY, INT4, INTN, MAX, NVARCHAR, TypeInfo
from blastwall.wire.reader import Malformed

COLUMNS = (
    ColumnData("id", TypeInfo(INT4, 4)),
    ColumnData("count", TypeInfo(INTN, 4)),
    ColumnData("text", TypeInfo(NVARCHAR, MAX, collation=LATIN)),
    ColumnData("bytes", TypeInfo(BIGVARBINARY, 10)),
)
LONG = "a text".encode("utf-16-le")
PARTS = len(LONG).to_bytes(8, "little") + b"\4\0\0\0" + LONG[:4] + b"\x08\0\0\0" + LONG[4:] + bytes(4)


def run(data: bytes, rows: int) -> RowRun:
    return RowRun(rows, b"before" + data + b"behind", 6, 6 + len(data))


def test_rows_are_read_value_by_value() -> None:
    first = bytes((ROW,)) + b"\7\0\0\0" + b"\4\xfe\xff\xff\xff" + PARTS + b"\2\0\xab\xcd"
    second = bytes((ROW,)) + b"\x08\0\0\0" + b"\0" + b"\xff" * 8 + b"\xff\xff"
    third = bytes((NBC_ROW, 0b1110)) + b"\x09\0\0\0"
    assert values_of(COLUMNS, run(first + second + third, 3)) == [
        ("7", "-2", "a text", "0xabcd"),
        ("8", None, None, None),
        ("9", None, None, None),
    ]


def test_a_row_that_does_not_end_is_malformed() -> None:
    with pytest.raises(Malformed):
        values_of(COLUMNS, run(bytes((ROW,)) + b"\7\0\0\0" + b"\4\xfe\xff", 1))
