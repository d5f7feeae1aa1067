"""Runs of rows: splicing gives what reading and writing each row gives, for every row and every cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastwall.protocols.postgres.messages import decode_data_row, encode_data_row, frame
from blastwall.protocols.postgres.runs import columns_of, mask_run, run_of_rows
from blastwall.wire.reader import Malformed

WIDTH = 3
VALUES = st.none() | st.binary(max_size=9)
ROWS = st.lists(st.lists(VALUES, min_size=WIDTH, max_size=WIDTH), max_size=6)


def shown(value: bytes) -> bytes | None:
    return None if value[:1] == b"\0" else b"<" + value + b">"


@given(
    rows=ROWS,
    hidden=st.dictionaries(st.integers(0, WIDTH - 1), st.sampled_from([None, b"", b"[redacted]"])),
    cut=st.integers(0, 40),
)
def test_a_run_is_masked_like_its_rows(
    rows: list[list[bytes | None]], hidden: dict[int, bytes | None], cut: int
) -> None:
    written = [encode_data_row(row) for row in rows]
    buffer = b"".join(written) + frame(b"C", b"SELECT 1\0")
    columns = sorted(hidden)
    end, count = run_of_rows(buffer, 0, ord("D"))
    assert (end, count) == (sum(map(len, written)), len(rows))
    pieces, counts = mask_run(buffer, 0, end, [(index, shown, hidden[index]) for index in columns], WIDTH)
    expected = [
        [
            (hidden[index] if value is None else shown(value)) if index in hidden else value
            for index, value in enumerate(row)
        ]
        for row in rows
    ]
    assert b"".join(pieces) == b"".join(encode_data_row(row) for row in expected)
    assert counts == [sum(row[index] is not None or hidden[index] is not None for row in rows) for index in columns]
    values = columns_of(buffer, 0, end, tuple(columns), WIDTH)
    assert values == [row[index] for row in rows for index in columns if row[index] is not None]
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
            mask_run(bytes(buffer), 0, len(buffer), [(1, shown, None)], WIDTH)
        with pytest.raises(Malformed):
            columns_of(bytes(buffer), 0, len(buffer), (0, 1, 2), WIDTH)
    else:
        pieces, _ = mask_run(bytes(buffer), 0, len(buffer), [(1, lambda value: value, None)], WIDTH)
        assert b"".join(pieces) == bytes(buffer)
