"""COPY's three formats: what is decoded is what was encoded, by ourselves and by PostgreSQL's rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastwall.protocols.postgres.copy_rows import BinaryFormat, CsvFormat, TextFormat
from blastwall.wire.reader import Malformed

SIGNATURE = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0"
ROWS = st.lists(st.none() | st.binary(max_size=20).filter(lambda v: b"\0" not in v), min_size=1, max_size=5)


@given(ROWS, st.sampled_from([b"\t", b"|", b","]))
def test_text(row: list[bytes | None], delimiter: bytes) -> None:
    assert TextFormat(delimiter).decode(TextFormat(delimiter).encode(row)) == row


@pytest.mark.parametrize(
    ("line", "row"),
    [
        (b"a\tb\n", [b"a", b"b"]),
        (b"\\N\t\n", [None, b""]),
        (b"a\\tb\\\\\\n\t\\\\N\n", [b"a\tb\\\n", b"\\N"]),
        (b"ends with \\\\\tnext\n", [b"ends with \\", b"next"]),
    ],
)
def test_text_as_postgresql_writes_it(line: bytes, row: list[bytes | None]) -> None:
    assert TextFormat().decode(line) == row


@given(ROWS, st.sampled_from([(b'"', b'"'), (b"'", b"\\"), (b'"', b"\\")]))
def test_csv(row: list[bytes | None], quoting: tuple[bytes, bytes]) -> None:
    quote, escape = quoting
    line = CsvFormat(quote=quote, escape=escape).encode(row)
    assert CsvFormat(quote=quote, escape=escape).decode(line) == row


@pytest.mark.parametrize(
    ("line", "row"),
    [
        (b'1,"a ""quoted"" word",\n', [b"1", b'a "quoted" word', None]),
        (b'"",x\n', [b"", b"x"]),
        (b'"two\nlines",\n', [b"two\nlines", None]),
    ],
)
def test_csv_as_postgresql_writes_it(line: bytes, row: list[bytes | None]) -> None:
    assert CsvFormat().decode(line) == row


@given(st.lists(ROWS, min_size=1, max_size=3))
def test_binary(rows: list[list[bytes | None]]) -> None:
    writer, reader = BinaryFormat(), BinaryFormat()
    lines = [writer.encode(row) for row in rows]
    lines[0] = SIGNATURE + lines[0]
    assert [reader.decode(line) for line in lines] == rows
    assert reader.decode(b"\xff\xff") is None


def test_binary_keeps_its_header_on_the_first_row() -> None:
    copy = BinaryFormat()
    first = SIGNATURE + b"\0\1\0\0\0\1a"
    row = copy.decode(first)
    assert row == [b"a"]
    assert copy.encode(row) == first


def test_a_header_line_holds_no_row() -> None:
    copy = CsvFormat(header=True)
    assert copy.decode(b"id,email\n") is None
    assert copy.decode(b"1,a\n") == [b"1", b"a"]


@pytest.mark.parametrize("copy", [TextFormat(), CsvFormat(), BinaryFormat()], ids=["text", "csv", "binary"])
@given(data=st.binary(max_size=60))
def test_anything_else_is_refused_or_read(copy: TextFormat | CsvFormat | BinaryFormat, data: bytes) -> None:
    try:
        copy.decode(data)
    except Malformed as error:
        assert str(error)


@pytest.mark.parametrize("data", [b"a\tb", b"a\nb\n", b""])
def test_text_that_is_not_one_row(data: bytes) -> None:
    with pytest.raises(Malformed):
        TextFormat().decode(data)


@pytest.mark.parametrize("data", [b'"a\n', b'"a"b,c\n', b"a"])
def test_csv_that_is_not_one_row(data: bytes) -> None:
    with pytest.raises(Malformed):
        CsvFormat().decode(data)
