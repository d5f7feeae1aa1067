"""Values of every type as text, and back where text is what they are."""

from __future__ import annotations

from calendar import monthrange
from struct import pack
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastwall.protocols.tds import types
from blastwall.protocols.tds.collations import LATIN, Collation
from blastwall.protocols.tds.days import date_text, time_text
from blastwall.protocols.tds.fields import Fields, Short
from blastwall.protocols.tds.rows import RowPlan, RowWalk
from blastwall.protocols.tds.types import MAX, TypeInfo, read_type, write_type
from blastwall.protocols.tds.values import decoded, encoded_text, field_of, value_of
from blastwall.wire.reader import Malformed

GREEK = Collation(0x00D00408, 0)
UTF8 = Collation(0x04D00409, 0)
CHINESE = Collation(0x00D00804, 0)

FORMS = [
    ("bit", TypeInfo(types.BITN, 1), b"\1", "1"),
    ("tinyint", TypeInfo(types.INTN, 1), b"\xff", "255"),
    ("smallint", TypeInfo(types.INTN, 2), b"\xff\xff", "-1"),
    ("int", TypeInfo(types.INT4, 4), b"\x2a\0\0\0", "42"),
    ("bigint", TypeInfo(types.INTN, 8), b"\0" * 7 + b"\x80", "-9223372036854775808"),
    ("real", TypeInfo(types.FLOATN, 4), pack("<f", 0.1), "0.1"),
    ("float", TypeInfo(types.FLOATN, 8), pack("<d", 0.1), "0.1"),
    ("float whole", TypeInfo(types.FLOAT8, 8), pack("<d", 5), "5"),
    ("money", TypeInfo(types.MONEYN, 8), pack("<iI", -1, 0xFFFFFFFF), "-0.0001"),
    ("money large", TypeInfo(types.MONEY, 8), pack("<iI", 1, 0), "429496.7296"),
    ("smallmoney", TypeInfo(types.MONEY4, 4), pack("<i", 12345), "1.2345"),
    ("decimal", TypeInfo(types.DECIMALN, 5, 9, 2), b"\0" + pack("<I", 1234567), "-12345.67"),
    ("decimal small", TypeInfo(types.NUMERICN, 5, 9, 4), b"\1" + pack("<I", 7), "0.0007"),
    ("decimal whole", TypeInfo(types.DECIMALN, 5, 9, 0), b"\1" + pack("<I", 7), "7"),
    ("date", TypeInfo(types.DATE, 3), (737424).to_bytes(3, "little"), "2020-01-01"),
    ("time(7)", TypeInfo(types.TIME, 5, scale=7), (455296789012).to_bytes(5, "little"), "12:38:49.6789012"),
    ("time(0)", TypeInfo(types.TIME, 3, scale=0), (45529).to_bytes(3, "little"), "12:38:49"),
    ("datetime2", TypeInfo(types.DATETIME2, 7, scale=3), bytes.fromhex("0000000090400b"), "2020-01-01 00:00:00.000"),
    (
        "datetimeoffset",
        TypeInfo(types.DATETIMEOFFSET, 8, scale=0),
        bytes.fromhex("00000090400b") + pack("<h", -90),
        "2019-12-31 22:30:00 -01:30",
    ),
    ("datetime", TypeInfo(types.DATETIMEN, 8), pack("<iI", 43829, 300 * 60 + 2), "2020-01-01 00:01:00.007"),
    ("datetime old", TypeInfo(types.DATETIME, 8), pack("<iI", -53690, 0), "1753-01-01 00:00:00.000"),
    ("smalldatetime", TypeInfo(types.DATETIMEN, 4), pack("<HH", 43829, 61), "2020-01-01 01:01:00"),
    (
        "uniqueidentifier",
        TypeInfo(types.GUID, 16),
        UUID("6F9619FF-8B86-D011-B42D-00C04FC964FF").bytes_le,
        "6F9619FF-8B86-D011-B42D-00C04FC964FF",
    ),
    ("nvarchar", TypeInfo(types.NVARCHAR, 20, collation=LATIN), "Łódź".encode("utf-16-le"), "Łódź"),
    ("varchar", TypeInfo(types.BIGVARCHAR, 20, collation=LATIN), b"caf\xe9 \x80", "café €"),
    ("varchar greek", TypeInfo(types.BIGVARCHAR, 20, collation=GREEK), b"\xe1\xe2", "αβ"),
    ("varchar utf-8", TypeInfo(types.BIGVARCHAR, 20, collation=UTF8), "αβ".encode(), "αβ"),
    ("varchar(max)", TypeInfo(types.BIGVARCHAR, MAX, collation=LATIN), b"x" * 9000, "x" * 9000),
    ("text", TypeInfo(types.TEXT, 0x7FFFFFFF, collation=LATIN, pointed=True), b"long", "long"),
    ("ntext", TypeInfo(types.NTEXT, 0x7FFFFFFE, collation=LATIN), "long".encode("utf-16-le"), "long"),
    ("xml", TypeInfo(types.XML, MAX), "\ufeff<a/>".encode("utf-16-le"), "<a/>"),
    ("xml binary", TypeInfo(types.XML, MAX), b"\xdf\xff\1\0", b"\xdf\xff\1\0"),
    ("json", TypeInfo(types.JSON, MAX), '{"ä":1}'.encode(), '{"ä":1}'),
    ("varbinary", TypeInfo(types.BIGVARBINARY, 9), b"\0\1\xff", b"\0\1\xff"),
    ("udt", TypeInfo(types.UDT, 892, names=("", "sys", "hierarchyid", "x")), b"\x58", b"\x58"),
    ("vector", TypeInfo(types.VECTOR, 16), bytes.fromhex("a901020000000000") + pack("<ff", 1, 0.1), "[1,0.1]"),
    ("variant int", TypeInfo(types.VARIANT, 8009), b"\x38\0\x2a\0\0\0", "42"),
    ("variant text", TypeInfo(types.VARIANT, 8009), b"\xe7\x07" + LATIN.write() + b"\x14\0a\0b\0", "ab"),
    ("variant decimal", TypeInfo(types.VARIANT, 8009), b"\x6a\x02\x09\x02\1\x2a\0\0\0", "0.42"),
    ("variant time", TypeInfo(types.VARIANT, 8009), b"\x29\x01\0\x01\0\0", "00:00:01"),
    ("variant unknown", TypeInfo(types.VARIANT, 8009), b"\x99\0x", b"\x99\0x"),
    ("a time that is none", TypeInfo(types.TIME, 3, scale=0), b"\xff\xff\xff", b"\xff\xff\xff"),
    ("a date that is none", TypeInfo(types.DATE, 3), b"\xff\xff\xff", b"\xff\xff\xff"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "value", "text"), [form[1:] for form in FORMS], ids=[form[0] for form in FORMS])
def test_a_value_is_shown(type_: TypeInfo, value: bytes, text: str | bytes) -> None:
    field = field_of(value, type_)
    assert value_of(field, type_) == value
    assert decoded(field, type_) == text
    if type_.nullable:
        assert decoded(field_of(None, type_), type_) is None
        assert decoded(b"", type_) is None


@pytest.mark.parametrize("type_", [form[1] for form in FORMS], ids=[form[0] for form in FORMS])
def test_a_type_comes_out_as_it_went_in(type_: TypeInfo) -> None:
    written = write_type(type_)
    assert read_type(Fields(written), rows=type_.pointed) == type_
    for stop in range(len(written)):
        with pytest.raises(Short):
            read_type(Fields(written[:stop]))


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("99", "unknown type 0x99"),
        ("2603", "3 bytes"),
        ("2908", "scale 8"),
        ("6a112700", "precision 39"),
        ("6a110506", "scale 6"),
        ("a7411f0904d00034", "8001 bytes"),
        ("efffff0904d00034", "65535 bytes"),
        ("adffff", "65535 bytes"),
        ("f102", "neither there nor not"),
        ("62ffffffff", "4294967295 bytes"),
        ("f5070000", "7 bytes"),
        ("23000000800904d00034", "2147483648 bytes"),
    ],
)
def test_a_type_that_cannot_be_is_malformed(written: str, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        read_type(Fields(bytes.fromhex(written)))


@given(st.integers(0, 3652057))
def test_dates_are_those_of_the_calendar(days: int) -> None:
    year, month, day = map(int, date_text(days).split("-"))
    if day < monthrange(year, month)[1]:
        following = f"{year:04}-{month:02}-{day + 1:02}"
    else:
        following = f"{year:04}-{month + 1:02}-01" if month < 12 else f"{year + 1:04}-01-01"
    assert date_text(days + 1) == following


@pytest.mark.parametrize(
    ("days", "text"),
    [
        (0, "0001-01-01"),
        (693595, "1900-01-01"),
        (730178, "2000-02-29"),
        (767008, "2100-12-31"),
        (3652058, "9999-12-31"),
    ],
)
def test_dates_begin_and_end_where_the_types_do(days: int, text: str) -> None:
    assert date_text(days) == text


@given(st.integers(0, 86400 * 10**7 - 1), st.integers(0, 7))
def test_times_say_all_of_their_units(units: int, scale: int) -> None:
    units //= 10 ** (7 - scale)
    hours, minutes, seconds = time_text(units, scale).split(":")
    whole = (int(hours) * 60 + int(minutes)) * 60 + int(seconds[:2])
    assert whole * 10**scale + int(seconds[3:] or 0) == units


@given(st.integers(-(10**38) + 1, 10**38 - 1), st.integers(0, 38))
def test_decimals_are_exact(whole: int, scale: int) -> None:
    type_ = TypeInfo(types.DECIMALN, 17, 38, scale)
    value = bytes((whole >= 0,)) + abs(whole).to_bytes(16, "little")
    text = decoded(field_of(value, type_), type_)
    assert isinstance(text, str)
    assert int(text.replace(".", "")) == whole
    assert len(text.partition(".")[2]) == scale


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_real_reads_back_the_same(number: float) -> None:
    type_ = TypeInfo(types.FLOATN, 4)
    text = decoded(field_of(pack("<f", number), type_), type_)
    assert isinstance(text, str)
    assert pack("<f", float(text)) == pack("<f", number)


@pytest.mark.parametrize(
    ("text", "type_", "expected"),
    [
        ("hello", TypeInfo(types.NVARCHAR, 6, collation=LATIN), "hel"),
        ("hello", TypeInfo(types.BIGVARCHAR, 3, collation=LATIN), "hel"),
        ("αβγ", TypeInfo(types.BIGVARCHAR, 9, collation=LATIN), "???"),
        ("αβγ", TypeInfo(types.BIGVARCHAR, 3, collation=UTF8), "α"),
        ("汉字汉", TypeInfo(types.BIGVARCHAR, 5, collation=CHINESE), "汉字"),
        ("😀😀", TypeInfo(types.NVARCHAR, 6, collation=LATIN), "😀"),
        ("ab", TypeInfo(types.BIGCHAR, 4, collation=LATIN), "ab  "),
        ("ab", TypeInfo(types.NCHAR, 8, collation=LATIN), "ab  "),
        ("a" * 9000, TypeInfo(types.NVARCHAR, MAX, collation=LATIN), "a" * 9000),
        ("", TypeInfo(types.NVARCHAR, MAX, collation=LATIN), ""),
        ("<a/>", TypeInfo(types.XML, MAX), "<a/>"),
    ],
)
def test_text_is_cut_to_what_a_column_holds(text: str, type_: TypeInfo, expected: str) -> None:
    field = encoded_text(text, type_)
    assert decoded(field, type_) == expected
    walk = RowWalk(RowPlan((type_,)))
    walk.begin_single()
    assert walk.walk(field, 0, len(field)) == len(field)
    assert walk.rows == 1


def test_what_holds_no_text_takes_none() -> None:
    with pytest.raises(ValueError, match="int holds no text"):
        encoded_text("1", TypeInfo(types.INT4, 4))
    with pytest.raises(ValueError, match="has no NULL"):
        field_of(None, TypeInfo(types.INT4, 4))
    with pytest.raises(ValueError, match="do not fit"):
        field_of(b"123", TypeInfo(types.INTN, 4))


@given(st.binary(max_size=60), st.sampled_from([form[1] for form in FORMS]))
def test_any_value_is_shown_or_kept(value: bytes, type_: TypeInfo) -> None:
    """What walks as a value never breaks its reading."""
    walk = RowWalk(RowPlan((type_,)))
    walk.begin_single()
    try:
        end = walk.walk(value, 0, len(value))
    except Malformed:
        return
    if walk.rows:
        assert isinstance(decoded(value[:end], type_), str | bytes | None)
