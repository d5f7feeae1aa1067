"""Runs of rows: splicing gives what reading and writing each row gives, for every row and every cut."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastwall.masking.fast.cells import Cells
from blastwall.protocols.postgres.messages import decode_data_row, encode_data_row, frame
from blastwall.protocols.postgres.runs import places_of, run_of_rows, spliced
from blastwall.wire.reader import Malformed

WIDTH = 3
VALUES = st.none() | st.binary(max_size=9)
ROWS = st.lists(st.lists(VALUES, min_size=WIDTH, max_size=WIDTH), max_size=6)


def replaced(
    buffer: bytes, end: int, count: int, columns: tuple[int, ...], shown: Callable[[bytes | None], bytes | None]
) -> bytes:
    """Write a run of rows anew with what `shown` says in the place of the values of some columns."""
    cells = Cells(buffer, places_of(buffer, 0, count, columns, WIDTH), len(columns))
    for cell in range(cells.count):
        value = None if cells.places[2 * cell + 1] < 0 else cells.value(cell)
        if value is None or value[:1] != b"=":
            cells.show(cell, shown(value))
    return spliced(buffer, 0, end, cells)


def bracketed(value: bytes | None) -> bytes | None:
    return b"[null]" if value is None else None if value[:1] == b"\0" else b"<" + value + b">"


@given(rows=ROWS, columns=st.sets(st.integers(0, WIDTH - 1), min_size=1).map(sorted), cut=st.integers(0, 40))
def test_a_run_is_written_like_its_rows(rows: list[list[bytes | None]], columns: list[int], cut: int) -> None:
    written = [encode_data_row(row) for row in rows]
    buffer = b"".join(written) + frame(b"C", b"SELECT 1\0")
    end, count = run_of_rows(buffer, 0, ord("D"))
    assert (end, count) == (sum(map(len, written)), len(rows))
    expected = [
        [
            bracketed(value) if index in columns and (value is None or value[:1] != b"=") else value
            for index, value in enumerate(row)
        ]
        for row in rows
    ]
    assert replaced(buffer, end, count, tuple(columns), bracketed) == b"".join(map(encode_data_row, expected))
    short = run_of_rows(buffer[: max(0, end - cut)], 0, ord("D"))[0]
    assert short <= max(0, end - cut)
    assert short in {sum(map(len, written[:n])) for n in range(len(rows) + 1)}


@given(row=st.lists(VALUES, min_size=WIDTH, max_size=WIDTH), at=st.integers(5, 60), byte=st.integers(0, 255))
def test_a_row_that_lies_is_malformed_or_read_as_the_ordinary_way_reads_it(
    row: list[bytes | None], at: int, byte: int
) -> None:
    buffer = bytearray(encode_data_row(row))
    at = 5 + at % (len(buffer) - 5)
    buffer[at] = byte
    try:
        read: list[bytes | None] | None = decode_data_row(bytes(buffer[5:]))
    except Malformed:
        read = None
    if read is None or len(read) != WIDTH:
        with pytest.raises(Malformed):
            places_of(bytes(buffer), 0, 1, (1,), WIDTH)
        with pytest.raises(Malformed):
            places_of(bytes(buffer), 0, 1, (0, 1, 2), WIDTH)
    else:
        assert replaced(bytes(buffer), len(buffer), 1, (1,), lambda value: value) == bytes(buffer)
