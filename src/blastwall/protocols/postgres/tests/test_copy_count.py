"""Rows that come in by COPY are counted as PostgreSQL will, however they are cut, and never more."""

from __future__ import annotations

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastwall.protocols.postgres.copy_count import counter, is_row
from blastwall.sql.postgres import Copy

HEAD = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8


def binary(*rows: tuple[bytes | None, ...]) -> bytes:
    fields = [[pack("!i", -1) if v is None else pack("!i", len(v)) + v for v in row] for row in rows]
    return b"".join(pack("!h", len(row)) + b"".join(row) for row in fields)


TEXT, CSV = Copy("in", stores_all=True), Copy("in", "csv", delimiter=",", stores_all=True)
STREAMS = {
    "text": (TEXT, b"1\ta\n2\tb\n", 2),
    "text with an escaped line end": (TEXT, b"1\ta\\\nb\n2\tc\\\\\n", 2),
    "text after its end": (TEXT, b"1\n\\.\n2\n3\n", 1),
    "text with a header": (Copy("in", header=True, stores_all=True), b"id\n1\n2\n", 2),
    "half a line": (TEXT, b"1\ta\n2", 1),
    "csv": (CSV, b'1,"a\nb"\n2,"say ""hi""\n"\n', 2),
    "csv with an escape": (
        Copy("in", "csv", delimiter=",", escape="\\", stores_all=True),
        b'1,"a\\"\n"\n2,x\n',
        2,
    ),
    "csv with a header": (Copy("in", "csv", delimiter=",", header=True, stores_all=True), b"id\n1\n", 1),
    "binary": (Copy("in", "binary", stores_all=True), HEAD + binary((b"1", None), (b"\xff\xff", b"")) + b"\xff\xff", 2),
    "binary without columns": (Copy("in", "binary", stores_all=True), HEAD + binary((), ()) + b"\xff\xff", 2),
    "binary with an extension": (
        Copy("in", "binary", stores_all=True),
        HEAD[:-4] + b"\0\0\0\3abc" + binary((b"1",)) + b"\xff\xff" + binary((b"2",)),
        1,
    ),
    "what WHERE may leave out": (Copy("in"), b"1\n2\n", 0),
}


@pytest.mark.parametrize(("copy", "data", "rows"), STREAMS.values(), ids=STREAMS)
def test_rows_are_counted_however_they_are_cut(copy: Copy, data: bytes, rows: int) -> None:
    assert counter(copy).count(data) == rows
    for size in (1, 2, 3, 7):
        counting = counter(copy)
        found = [counting.count(data[start : start + size]) for start in range(0, len(data), size)]
        assert found[-1] == rows
        assert found == sorted(found)


@given(st.lists(st.binary(max_size=8)), st.sampled_from([TEXT, CSV, Copy("in", "binary", stores_all=True)]))
def test_any_bytes_are_counted_alike_however_they_are_cut(pieces: list[bytes], copy: Copy) -> None:
    counting = counter(copy)
    found = 0
    for piece in pieces:
        found = counting.count(piece)
    assert counter(copy).count(b"".join(pieces)) == found


def test_what_is_no_row_of_a_copy_out() -> None:
    out = Copy("out", "binary")
    assert is_row(out, HEAD + binary((b"1",)), first=True)
    assert is_row(out, binary((b"1",)), first=False)
    assert not is_row(out, HEAD, first=True)
    assert not is_row(out, HEAD + b"\xff\xff", first=True)
    assert not is_row(out, b"\xff\xff", first=False)
    assert not is_row(Copy("out", "csv", header=True), b"id\n", first=True)
    assert is_row(Copy("out", "csv"), b"1\n", first=True)
