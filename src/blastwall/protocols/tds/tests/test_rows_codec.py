"""Rows of any columns, with and without bitmaps of NULLs, in any pieces."""

from __future__ import annotations

from itertools import accumulate, pairwise
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastwall.protocols.tds import answers, types
from blastwall.protocols.tds.collations import LATIN
from blastwall.protocols.tds.row_forms import whole_rows
from blastwall.protocols.tds.rows import RowPlan, RowWalk
from blastwall.protocols.tds.tests.test_value_codecs import FORMS
from blastwall.protocols.tds.token_reader import TokenReader
from blastwall.protocols.tds.tokens import ColMetadata, ColumnData, Done, RowRun, Token
from blastwall.protocols.tds.types import MAX, TypeInfo
from blastwall.protocols.tds.values import field_of
from blastwall.wire.reader import Malformed

VALUES = [(type_, value) for _, type_, value, _ in FORMS if len(value) < 100]
PARTS = b"\xfe" + b"\xff" * 7 + b"\2\0\0\0ab\3\0\0\0abc\0\0\0\0"
"""A long value whose length was not said, in two parts."""


def row(columns: list[tuple[TypeInfo, bytes]], nulls: list[bool], *, compressed: bool) -> bytes:
    """One row, in which the columns that have NULL may be that."""
    fields, bits = b"", 0
    for number, (type_, value) in enumerate(columns):
        null = nulls[number] and type_.nullable
        if null and compressed:
            bits |= 1 << number
        elif type_.type == types.BIGVARCHAR and type_.size == MAX and not null:
            fields += PARTS
        else:
            fields += field_of(None if null else value, type_)
    return (b"\xd2" + bits.to_bytes((len(columns) + 7) // 8, "little") if compressed else b"\xd1") + fields


@st.composite
def results(draw: st.DrawFn) -> tuple[tuple[ColumnData, ...], list[bytes]]:
    columns = draw(st.lists(st.sampled_from(VALUES), min_size=1, max_size=20))
    width = len(columns)
    shapes = draw(
        st.lists(st.tuples(st.lists(st.booleans(), min_size=width, max_size=width), st.booleans()), max_size=6)
    )
    described = tuple(ColumnData(str(number), type_) for number, (type_, _) in enumerate(columns))
    return described, [row(columns, nulls, compressed=compressed) for nulls, compressed in shapes]


@given(results(), st.data(), st.booleans())
def test_rows_are_found_in_any_pieces(
    result: tuple[tuple[ColumnData, ...], list[bytes]], data: st.DataObject, whole: bool
) -> None:
    columns, rows = result
    payload = b"".join(rows) + answers.done()
    cuts = data.draw(st.lists(st.integers(0, len(payload)), max_size=10))
    reader = TokenReader()
    reader.describe(columns)
    reader.whole = whole
    found: list[Token] = []
    for start, stop in pairwise([0, *sorted(cuts), len(payload)]):
        reader.feed(payload[start:stop])
        found += iter(reader.take, None)
    reader.finish()
    runs = [token for token in found if isinstance(token, RowRun)]
    assert b"".join(token.raw for token in found) == payload
    assert sum(run.rows for run in runs) == len(rows)
    assert isinstance(found[-1], Done)
    if whole:
        ends = {0, *accumulate(map(len, rows))}
        assert {0, *accumulate(len(run.raw) for run in runs)} <= ends


@given(results(), st.data())
def test_rows_are_counted_where_they_end(
    result: tuple[tuple[ColumnData, ...], list[bytes]], data: st.DataObject
) -> None:
    columns, rows = result
    payload = b"".join(rows)
    cut = data.draw(st.integers(0, len(payload)))
    walk = RowWalk(RowPlan([column.type for column in columns]))
    reached = walk.walk(payload, 0, cut)
    ends = [end for end in accumulate(map(len, rows)) if end <= cut]
    assert (walk.rows, walk.whole) == (len(ends), ends[-1] if ends else 0)
    assert reached <= cut
    assert walk.walk(payload, reached, len(payload)) == len(payload)
    assert len(ends) + walk.rows == len(rows)
    assert not walk.amid


def test_a_row_that_is_kept_whole_has_a_limit() -> None:
    columns = (ColumnData("a", TypeInfo(types.BIGVARBINARY, MAX)),)
    reader = TokenReader(largest=5000)
    reader.describe(columns)
    reader.whole = True
    reader.feed(b"\xd1\xfe" + b"\xff" * 7)
    for _ in range(4):
        reader.feed(pack("<I", 1000) + b"x" * 1000)
        assert reader.take() is None
    reader.feed(pack("<I", 1000) + b"x" * 1000)
    with pytest.raises(Malformed, match="a row of more than 5000 bytes"):
        reader.take()


def test_a_row_that_has_arrived_whole_is_given_whatever_its_size() -> None:
    """Found by fuzzing: what is kept is bounded, and of this nothing is; a packet bounds it."""
    reader = TokenReader(largest=5000)
    reader.describe((ColumnData("a", TypeInfo(types.BIGVARBINARY, MAX)),))
    reader.whole = True
    reader.feed(b"\xd1\xfe" + b"\xff" * 7 + pack("<I", 6000) + b"x" * 6000 + b"\0\0\0\0")
    run = reader.take()
    assert isinstance(run, RowRun)
    assert run.rows == 1
    assert reader.buffered == 0


def test_a_row_that_passes_is_not_kept() -> None:
    columns = (ColumnData("a", TypeInfo(types.BIGVARBINARY, MAX)),)
    reader = TokenReader(largest=5000)
    reader.describe(columns)
    reader.feed(b"\xd1\xfe" + b"\xff" * 7)
    for _ in range(100):
        reader.feed(pack("<I", 1000) + b"x" * 1000)
        assert isinstance(reader.take(), RowRun)
        assert reader.take() is None
        assert reader.buffered < 20
    reader.feed(b"\0\0\0\0")
    run = reader.take()
    assert isinstance(run, RowRun)
    assert run.rows == 1


@pytest.mark.parametrize(
    ("type_", "field", "reason"),
    [
        (TypeInfo(types.INTN, 4), b"\3\0\0\0", "3 bytes, of at most 4"),
        (TypeInfo(types.NVARCHAR, 4, collation=LATIN), b"\6\0a\0b\0c\0", "6 bytes, of at most 4"),
        (TypeInfo(types.DECIMALN, 5, 9, 2), b"\x09" + bytes(9), "9 bytes, of at most 5"),
        (TypeInfo(types.VARIANT, 8009), b"\xff\xff\xff\xff", "4294967295 bytes"),
        (TypeInfo(types.TEXT, 9, pointed=True), b"\1x" + bytes(8) + b"\0\0\0\x80", "2147483648 bytes"),
        (TypeInfo(types.XML, MAX), pack("<Q", 2) + b"\1\0\0\0a\0\0\0\0", "1 bytes before what was said"),
        (TypeInfo(types.XML, MAX), pack("<Q", 2) + b"\3\0\0\0abc", "part of 3 bytes in a value with 2 left"),
        (TypeInfo(types.XML, MAX), b"\0\0\0\0\1\0\0\0", "0x0000000100000000 bytes"),
        (TypeInfo(types.XML, MAX), b"\xfd" + b"\xff" * 7, "0xfffffffffffffffd bytes"),
    ],
)
def test_a_value_that_its_type_does_not_allow_is_malformed(type_: TypeInfo, field: bytes, reason: str) -> None:
    walk = RowWalk(RowPlan((type_,)))
    with pytest.raises(Malformed, match=reason):
        walk.walk(b"\xd1" + field, 0, 1 + len(field))


def test_a_long_description_is_not_read_again_and_again() -> None:
    """As many columns as there may be, with long names, in packets that are as small as can be."""
    columns = b"".join(b"\0\0\0\0\0\0\x38" + b"\x80" + "é".encode("utf-16-le") * 128 for _ in range(4096))
    payload = b"\x81\0\x10" + columns
    reader = TokenReader()
    for at in range(0, len(payload), 512):
        assert reader.take() is None
        reader.feed(payload[at : at + 512])
    token = reader.take()
    assert isinstance(token, ColMetadata)
    assert token.raw == payload
    assert len(token.columns) == 4096


def both_ends(plan: RowPlan, payload: bytes) -> tuple[int | None, int | None]:
    """Where a row ends as rows are passed, and as they are read; None where it is malformed or not whole."""
    walk = RowWalk(plan)
    passed: int | None
    read: int | None
    try:
        walk.walk(payload, 0, len(payload))
        passed = walk.whole if walk.rows else None
    except Malformed:
        passed = None
    try:
        end, rows, _ = whole_rows(plan, payload, 0, 1)
        read = end if rows else None
    except Malformed:
        read = None
    return passed, read


@given(results(), st.integers(0, 400), st.integers(0, 255), st.booleans())
def test_rows_that_are_passed_and_rows_that_are_read_end_at_the_same_place(
    result: tuple[tuple[ColumnData, ...], list[bytes]], at: int, byte: int, damaged: bool
) -> None:
    columns, rows = result
    plan = RowPlan([column.type for column in columns])
    for one in rows[:2]:
        payload = bytearray(one)
        if damaged:
            payload[1:] = payload[1 : 1 + at] + bytes((byte,)) + payload[2 + at :]
        passed, read = both_ends(plan, bytes(payload))
        assert passed == read
        assert damaged or passed == len(one)
