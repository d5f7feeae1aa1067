"""Calls with their parameters, tables among these, and bulk loads."""

from __future__ import annotations

from itertools import pairwise
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastwall.protocols.tds import answers, types
from blastwall.protocols.tds.bulk import BulkReader
from blastwall.protocols.tds.collations import LATIN
from blastwall.protocols.tds.headers import write_headers
from blastwall.protocols.tds.rpc import BY_REFERENCE, DEFAULT, Rpc, RpcParameter, read_rpcs, write_rpcs
from blastwall.protocols.tds.tests import dumps
from blastwall.protocols.tds.types import MAX, TypeInfo, write_type
from blastwall.protocols.tds.values import decoded, field_of
from blastwall.wire.reader import Malformed

HEADERS = write_headers(7)
TEXT = TypeInfo(types.NVARCHAR, 8000, collation=LATIN)
WHOLE = TypeInfo(types.INTN, 4)
VALUES = st.sampled_from(
    [
        (TEXT, field_of("SELECT 1".encode("utf-16-le"), TEXT)),
        (TEXT, field_of(None, TEXT)),
        (WHOLE, field_of(b"\1\0\0\0", WHOLE)),
        (TypeInfo(types.NVARCHAR, MAX, collation=LATIN), b"\xfe" + b"\xff" * 7 + b"\2\0\0\0a\0\2\0\0\0b\0\0\0\0\0"),
        (TypeInfo(types.XML, MAX), b"\xff" * 8),
        (TypeInfo(types.UDT, MAX, names=("", "dbo", "point")), pack("<QI", 3, 3) + b"abc" + b"\0" * 4),
        (TypeInfo(types.INT4, 4), b"\1\2\3\4"),
        (TypeInfo(types.NTEXT, 100, collation=LATIN), b"\2\0\0\0a\0"),
        (TypeInfo(types.VARIANT, 8009), b"\6\0\0\0\x38\0\1\0\0\0"),
    ]
)
PARAMETERS = st.builds(
    lambda name, flags, value: RpcParameter(name, flags, *value),
    st.text("@abcé1", max_size=20),
    st.integers(0, 3),
    VALUES,
)
CALLS = st.builds(
    Rpc,
    st.one_of(st.integers(1, 15), st.text("sp_exécute.", min_size=1, max_size=30)),
    st.integers(0, 7),
    st.lists(PARAMETERS, max_size=4).map(tuple),
)


def table(rows: bytes, *columns: bytes, between: bytes = b"") -> bytes:
    """A call of "p" with one table."""
    count = pack("<H", len(columns)) if columns else b"\xff\xff"
    body = b"\xf3\0\3d\0b\0o\0\3i\0d\0s\0" + count + b"".join(columns) + between + b"\0" + rows + b"\0"
    return HEADERS + b"\1\0p\0\0\0" + b"\2@\0t\0\0" + body


def column(type_: TypeInfo, flags: int = 0, name: bytes = b"\0") -> bytes:
    return pack("<IH", 0, flags) + write_type(type_, request=True) + name


def test_a_call_is_read_as_the_specification_says() -> None:
    headers, (call,) = read_rpcs(dumps.RPC[8:])
    assert headers.size == 22
    assert (call.procedure, call.options) == ("foo3", 0)
    (parameter,) = call.parameters
    assert (parameter.name, parameter.flags, parameter.type.declared) == ("", DEFAULT, "smallint")
    assert decoded(parameter.field, parameter.type) is None


def test_a_table_is_read_as_the_specification_says() -> None:
    """As published, the example's rows are of a column of one byte, and its end is missing."""
    _, (call,) = read_rpcs(dumps.TVP[8:-4] + b"\1\1\2\0")
    (parameter,) = call.parameters
    assert (parameter.type.declared, parameter.rows) == ("dbo.tvptype", 1)
    assert decoded(parameter.field, parameter.type) == '["2"]'


@given(st.lists(CALLS, min_size=1, max_size=4).map(tuple))
def test_calls_come_out_as_they_went_in(calls: tuple[Rpc, ...]) -> None:
    payload = write_rpcs(HEADERS, calls)
    headers, found = read_rpcs(payload)
    assert headers.transaction == 7
    assert found == calls
    assert read_rpcs(payload + b"\xff")[1] == calls


@given(st.lists(CALLS, min_size=1, max_size=2).map(tuple), st.data())
def test_a_call_that_ends_early_is_never_another(calls: tuple[Rpc, ...], data: st.DataObject) -> None:
    payload = write_rpcs(HEADERS, calls)
    stop = data.draw(st.integers(len(HEADERS), len(payload) - 1))
    try:
        _, found = read_rpcs(payload[:stop])
    except Malformed:
        return
    assert write_rpcs(HEADERS, found) in (payload[:stop], payload[: stop - 1])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "without a call"),
        (b"\0\0\0\0", "name of 0 characters"),
        (b"\x0c\x02" + b"a\0" * 600, "name of 524 characters"),
        (b"\1\0p\0\x08\0", "unknown options 0x8"),
        (b"\1\0p\0\0\0\x80", "name of 128 characters, or an old client's next call"),
        (b"\1\0p\0\0\0\x80" + b"a\0" * 128 + b"\0\x26\4\0", "name of 128 characters"),
        (b"\1\0p\0\0\0\x06" + "@a=1,@".encode("utf-16-le") + b"\0\x26\4\0", "a name that T-SQL does not allow"),
        (b"\1\0p\0\0\0\xfe\1\0q\0\0\0", "not to be run"),
        (b"\1\0p\0\0\0\0\x08\x26\4\0", "encrypted"),
        (b"\1\0p\0\0\0\0\x14\x26\4\0", "unknown flags 0x14"),
        (b"\1\0p\0\0\0\0\0\x2f\4\1a", "old client's type char"),
        (b"\1\0p\0\0\0\0\0\x37\5\5\0\0", "old client's type decimal"),
        (b"\1\0p\0\0\0\0\0\x1f", "old client's type null"),
        (b"\1\0p\0\0\0\0\0\x26\4\3\0\0\0", "3 bytes"),
        (b"\1\0p\0\0\0\0\0\x26\4\4\0\0\0", "ends too early"),
        (b"\1\0p\0\0\0\0\0\x99", "unknown type"),
        (b"\1\0\0\xd8\0\0", "not UTF-16"),
        (b"\1\0p\0\0\0\0\0\xf1\0" + pack("<QI", 3, 2) + b"ab\0\0\0\0", "1 bytes before"),
        (b"\1\0p\0\0\0\0\0\xf1\0" + pack("<QI", 1, 2) + b"ab\0\0\0\0", "part of 2 bytes"),
        (b"\1\0p\0\0\0\0\0\xf1\0" + b"\xfe" + b"\xff" * 7 + b"\xff\xff\xff\xff", "part of 4294967295 bytes"),
        (b"\1\0p\0\0\0\0\0\xf1\0" + pack("<Q", 1 << 40), "0x0000010000000000 bytes"),
    ],
)
def test_what_could_be_read_in_two_ways_is_malformed(body: bytes, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        read_rpcs(HEADERS + body)


def test_too_many_parameters_are_malformed() -> None:
    with pytest.raises(Malformed, match="more than 4200"):
        read_rpcs(HEADERS + b"\1\0p\0\0\0" + b"\0\0\x26\1\0" * 5000)


# ── tables ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_table_has_its_rows() -> None:
    rows = b"\1\4\1\0\0\0" + field_of("é".encode("utf-16-le"), TEXT) + b"\1\0\xff\xff"
    _, (call,) = read_rpcs(table(rows, column(WHOLE), column(TEXT)) + b"\2@\0x\0\1\x26\1\1\7")
    first, second = call.parameters
    assert (first.type.names, first.rows) == (("", "dbo", "ids"), 2)
    assert decoded(first.field, first.type) == '["1", "é"]\n[null, null]'
    assert (second.name, second.flags, decoded(second.field, second.type)) == ("@x", BY_REFERENCE, "7")


def test_columns_of_a_table_may_be_left_out_and_reordered() -> None:
    rows = b"\1" + field_of(b"a\0", TEXT) + b"\4\1\0\0\0"
    between = b"\x11\3\0\3\0\2\0\1\0" + b"\x10\1\0\1\0\1"
    _, (call,) = read_rpcs(table(rows, column(WHOLE), column(WHOLE, 0x200), column(TEXT), between=between))
    (parameter,) = call.parameters
    assert decoded(parameter.field, parameter.type) == '["a", "1"]'


def test_a_table_may_be_null() -> None:
    _, (call,) = read_rpcs(table(b""))
    assert call.parameters[0].rows == 0


def test_of_a_long_table_some_rows_are_shown() -> None:
    _, (call,) = read_rpcs(table(b"\1\1\7" * 500, column(TypeInfo(types.INTN, 1))))
    text = decoded(call.parameters[0].field, call.parameters[0].type)
    assert isinstance(text, str)
    assert text.splitlines() == ['["7"]'] * 100 + ["…"]
    assert call.parameters[0].rows == 500


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (table(b"\1\1", column(TypeInfo(types.INT1, 1))), "type tinyint"),
        (table(b"", column(TypeInfo(types.TEXT, 9, collation=LATIN))), "type text"),
        (table(b"", pack("<IH", 0, 0) + b"\xf3"), "unknown type 0xf3"),
        (table(b"", column(WHOLE, name=b"\1a\0")), "have names"),
        (table(b"\2", column(WHOLE)), "token 0x02 for a row"),
        (table(b"\1"), "token 0x01 for a row"),
        (table(b"", column(WHOLE), between=b"\x12"), "token 0x12 before"),
        (table(b"", column(WHOLE), between=b"\x11\1\0\1\0" * 2), "token 0x11 before"),
        (table(b"", column(WHOLE), between=b"\x11\1\0\2\0"), "each column once"),
        (table(b"", column(WHOLE), column(WHOLE), between=b"\x11\2\0\1\0\1\0"), "each column once"),
        (table(b"\1\3\0\0\0", column(WHOLE)), "3 bytes"),
        (HEADERS + b"\1\0p\0\0\0\0\1\xf3\0\0\0\xff\xff\0\0", "comes back"),
        (HEADERS + b"\1\0p\0\0\0\0\0\xf3\0\0\0\0\0\0\0", "0 columns"),
        (HEADERS + b"\1\0p\0\0\0\0\0\xf3\0\0\0\1\4", "1025 columns"),
        (table(b"\1\4\1\0\0\0", column(WHOLE))[:-1], "ends too early"),
    ],
)
def test_a_table_of_another_form_is_malformed(payload: bytes, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        read_rpcs(payload)


# ── bulk loads ───────────────────────────────────────────────────────────────────────────────────────────────────────


def load(rows: bytes, *columns: bytes) -> bytes:
    return b"\x81" + pack("<H", len(columns)) + b"".join(columns) + rows + answers.done()


def named(type_: TypeInfo) -> bytes:
    return column(type_, name=b"\1c\0")


LOAD = load(b"\xd1\4\1\0\0\0" + field_of(b"a\0", TEXT) + b"\xd1\0\xff\xff", named(WHOLE), named(TEXT))


@given(st.lists(st.integers(0, len(LOAD)), max_size=8))
def test_a_load_does_not_depend_on_how_it_is_cut(cuts: list[int]) -> None:
    reader = BulkReader()
    for start, stop in pairwise([0, *sorted(cuts), len(LOAD)]):
        reader.feed(LOAD[start:stop])
    reader.finish()
    assert reader.rows == 2
    assert [one.type for one in reader.columns] == [WHOLE, TEXT]


def test_a_load_is_read_as_the_specification_says() -> None:
    reader = BulkReader()
    reader.feed(dumps.BULK[8:])
    reader.finish()
    assert reader.rows == 1
    assert [(one.name, one.type.declared) for one in reader.columns] == [("c1", "bit")]


def test_a_load_may_lack_its_end() -> None:
    """As those of FreeTDS do."""
    reader = BulkReader()
    reader.feed(LOAD[:-13])
    reader.finish()
    assert reader.rows == 2


def test_nothing_of_a_load_is_kept() -> None:
    reader = BulkReader()
    long = TypeInfo(types.BIGVARBINARY, MAX)
    reader.feed(load(b"", named(long))[:-13] + b"\xd1" + b"\xfe" + b"\xff" * 7)
    for _ in range(50):
        reader.feed(pack("<I", 1000) + b"x" * 1000)
        assert reader.buffered < 20
    reader.feed(b"\0\0\0\0" + answers.done())
    reader.finish()
    assert reader.rows == 1


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (answers.done(), "something other"),
        (load(b"", named(WHOLE)) + b"\xfd", "goes on after its end|within a token"),
        (load(b"", named(WHOLE)) + answers.done(), "goes on after its end"),
        (load(answers.info(0, "x"), named(WHOLE)), "something other"),
        (load(load(b"", named(WHOLE)), named(WHOLE)), "something other"),
        (load(b"\xd2\1", named(WHOLE)), "bitmap of its NULLs"),
        (load(b"\xd1\0\xd2\1", named(WHOLE)), "bitmap of its NULLs"),
        (load(b"", named(TypeInfo(types.XML, MAX))), "type xml"),
        (load(b"", named(TypeInfo(types.JSON, MAX))), "type json"),
        (load(b"", pack("<IH", 0, 0) + b"\x23" + bytes(9) + b"\1\1\0t\0\1c\0"), "type text"),
        (b"", "without its columns"),
        (LOAD[:-1], "within a token"),
        (b"\x81\0\0" + answers.done(), "something other"),
        (b"\x81\xff\xff" + answers.done(), "something other"),
        (b"\xd1\0", "without their columns"),
        (answers.done(0xFE), "something other"),
    ],
)
def test_what_is_no_load_is_malformed(payload: bytes, reason: str) -> None:
    reader = BulkReader()
    with pytest.raises(Malformed, match=reason):
        _feed_and_finish(reader, payload)


def _feed_and_finish(reader: BulkReader, payload: bytes) -> None:
    reader.feed(payload)
    reader.finish()
