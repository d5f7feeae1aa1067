"""Runs of rows: writing them anew gives what writing each row by hand gives, for every type, form and cut."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastwall.masking.fast.cells import Cells
from blastwall.protocols.tds import types
from blastwall.protocols.tds.masked_types import shown, wanted
from blastwall.protocols.tds.row_cells import RowCells
from blastwall.protocols.tds.row_forms import whole_rows
from blastwall.protocols.tds.row_masks import RowWriter
from blastwall.protocols.tds.rows import RowPlan
from blastwall.protocols.tds.tests.replies import KINDS, Value, encoded, field, row
from blastwall.protocols.tds.types import Prefix, TypeInfo
from blastwall.wire.reader import Malformed

TEXTS = [name for name, type_ in KINDS.items() if type_.is_text]
ALL = list(KINDS)
LETTERS = "aZ9 @é"


@dataclass(frozen=True)
class Case:
    names: list[str]
    texts: list[list[str | None]]
    nbc: list[bool]
    parts: int

    @property
    def columns(self) -> list[TypeInfo]:
        return [KINDS[name] for name in self.names]

    def values(self, texts: list[str | None]) -> list[Value]:
        return [
            (None if type_.prefix is not Prefix.FIXED else bytes(type_.size)) if text is None else value_of(type_, text)
            for type_, text in zip(self.columns, texts, strict=True)
        ]

    def rows(self, texts: list[list[str | None]]) -> list[bytes]:
        return [
            row(self.columns, self.values(one), nbc=nbc, parts=self.parts)
            for one, nbc in zip(texts, self.nbc, strict=True)
        ]


def value_of(type_: TypeInfo, text: str) -> bytes:
    if type_.is_text:
        return encoded(type_, text)
    if type_.prefix in (Prefix.FIXED, Prefix.EXACT):
        return (text.encode() * type_.size + bytes(type_.size))[: type_.size]
    if type_.type == types.DECIMALN:
        return b"\1" + (text.encode() + bytes(8))[:8]
    return b"\xa7\0" + text.encode() + b"."


@st.composite
def cases(draw: st.DrawFn, names: list[str] = ALL) -> Case:
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=10))
    count = draw(st.integers(1, 4))
    letters = LETTERS if "varchar(max)" not in chosen else "aZ9 @カ"
    text = st.none() | st.text(letters if set(chosen) <= {"varchar(max)", "utf8", "nvarchar"} else "aZ9 @", max_size=9)
    texts = draw(st.lists(st.lists(text, min_size=len(chosen), max_size=len(chosen)), min_size=count, max_size=count))
    return Case(chosen, texts, draw(st.lists(st.booleans(), min_size=count, max_size=count)), draw(st.integers(1, 4)))


def read(case: Case, buffer: bytes, indices: list[int], rows: int, start: int = 0) -> RowCells:
    run = RowCells(RowPlan(case.columns), [wanted(index, case.columns[index]) for index in indices], buffer, rows)
    run.read(start)
    return run


@given(case=cases(), cut=st.integers(1, 60))
def test_whole_rows_are_found_and_half_ones_say_what_they_need(case: Case, cut: int) -> None:
    written = case.rows(case.texts)
    buffer = b"".join(written)
    plan = RowPlan(case.columns)
    assert whole_rows(plan, buffer + b"\xfd", 0, 99) == (len(buffer), len(written), 0)
    assert whole_rows(plan, buffer, 0, len(written) - 1)[1] == len(written) - 1
    end, rows, needed = whole_rows(plan, buffer[:-cut], 0, 99)
    assert end == sum(map(len, written[:rows]))
    assert end <= len(buffer) - cut or cut >= len(buffer)
    assert needed <= len(buffer)
    assert (needed > max(0, len(buffer) - cut)) == (end < len(buffer) - cut)


@given(case=cases(TEXTS))
def test_masking_reads_the_texts_that_were_written(case: Case) -> None:
    buffer = b"".join(case.rows(case.texts))
    indices = list(range(len(case.names)))
    run = read(case, buffer, indices, len(case.texts))
    text = run.text
    for cell, expected in enumerate(one for texts in case.texts for one in texts):
        start, size = run.places[2 * cell], run.places[2 * cell + 1]
        type_ = case.columns[cell % len(indices)]
        found = None if size < 0 else text[start : start + size].decode()
        padded = type_.type in (types.BIGCHAR, types.NCHAR)
        assert found == expected or (padded and found is not None and found.rstrip() == (expected or "").rstrip())


@given(case=cases(), data=st.data())
def test_rows_written_anew_are_those_written_by_hand(case: Case, data: st.DataObject) -> None:
    indices = sorted(data.draw(st.sets(st.integers(0, len(case.names) - 1), min_size=1)))
    buffer = b"".join(case.rows(case.texts))
    run = read(case, buffer, indices, len(case.texts))
    cells = Cells(run.text, run.places, len(indices))
    expected = [list(texts) for texts in case.texts]
    changed = -1
    instead = st.none() | st.sampled_from(["[redacted]", "", "x" * 9, "a***@é.io"])
    for cell in range(cells.count):
        if not data.draw(st.booleans()):
            continue
        number, place = divmod(cell, len(indices))
        type_ = case.columns[indices[place]]
        text = data.draw(instead)
        if not type_.is_text or (text and not text.isascii() and type_.charset == "cp932"):
            text = None
        changed = number if changed < 0 else changed
        cells.show(cell, None if text is None else text.encode())
        expected[number][indices[place]] = text
    written = RowWriter(run, cells, [shown(case.columns[index]) for index in indices])
    assert written.first == changed
    if changed >= 0:
        check(case, written.written(), expected[changed:], case.texts[changed:], case.nbc[changed:])


def check(
    case: Case, buffer: bytes, expected: list[list[str | None]], before: list[list[str | None]], nbc: list[bool]
) -> None:
    """Each value is what was shown, or the very bytes of before."""
    plan = RowPlan(case.columns)
    end, rows, _ = whole_rows(plan, buffer, 0, 99)
    assert (end, rows) == (len(buffer), len(expected))
    indices = list(range(len(case.names)))
    run = read(case, buffer, indices, rows)
    for number in range(rows):
        assert buffer[run.starts[number]] == (0xD2 if nbc[number] else 0xD1)
        for index, type_ in enumerate(case.columns):
            cell = number * len(indices) + index
            span = buffer[run.spans[2 * cell] : run.spans[2 * cell + 1]]
            text = expected[number][index]
            if not type_.is_text and text == before[number][index]:
                value = case.values(before[number])[index]
                assert span in (field(type_, value, case.parts), field(type_, value), b"")
            elif type_.prefix is Prefix.FIXED:
                assert not any(span)
            else:
                start, size = run.places[2 * cell], run.places[2 * cell + 1]
                found = None if size < 0 else run.text[start : start + size].decode()
                assert found == text or (found is not None and text is not None and found.rstrip() == text.rstrip())


@pytest.mark.parametrize("name", ["nvarchar", "varchar", "nchar", "char", "utf8"])
def test_what_is_shown_is_cut_to_its_column_between_characters(name: str) -> None:
    size = 6 if KINDS[name].charset == "utf-16-le" else 7
    type_ = TypeInfo(KINDS[name].type, size, collation=KINDS[name].collation)
    case_ = RowPlan([type_])
    buffer = row([type_], [b"a" * 6 if type_.charset == "utf-16-le" else b"a"])
    run = RowCells(case_, [wanted(0, type_)], buffer, 1)
    run.read(0)
    cells = Cells(run.text, run.places, 1)
    cells.show(0, "ab€€€€".encode())
    again = RowWriter(run, cells, [shown(type_)]).written()
    found = RowCells(case_, [wanted(0, type_)], again, 1)
    found.read(0)
    text = found.text[found.places[0] : found.places[0] + found.places[1]].decode()
    assert "ab€€€€".startswith(text.rstrip())
    assert len(text.encode(type_.charset or "")) >= size - 2


@given(case=cases(), at=st.integers(0, 200), byte=st.integers(0, 255))
def test_rows_that_lie_are_malformed_or_are_rows(case: Case, at: int, byte: int) -> None:
    """Nothing is read outside of the buffer, whatever a server sends."""
    buffer = bytearray(b"".join(case.rows(case.texts)))
    buffer[at % len(buffer)] = byte
    plan = RowPlan(case.columns)
    try:
        end, rows, _ = whole_rows(plan, bytes(buffer), 0, 99)
    except Malformed:
        return
    run = read(case, bytes(buffer), list(range(len(case.names))), rows)
    assert run.starts[rows] == end
    assert all(0 <= run.spans[place] <= end for place in range(2 * rows * len(case.names)))


@pytest.mark.parametrize(
    "text",
    [
        b"\xff" * 7 + b"\x01" + bytes(4),
        b"\x05" + bytes(7) + b"\x02\0\0\0aa" + bytes(4),
        b"\x02" + bytes(7) + b"\x09\0\0\0aaaaaaaaa" + bytes(4),
    ],
)
def test_parts_that_are_not_what_they_say_are_malformed(text: bytes) -> None:
    with pytest.raises(Malformed):
        whole_rows(RowPlan([KINDS["nvarchar(max)"]]), b"\xd1" + text, 0, 9)
