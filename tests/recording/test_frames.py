"""The record layout: read back whole, and a torn end told from a change."""

from __future__ import annotations

import io
from zlib import crc32

from hypothesis import given
from hypothesis import strategies as st

from blastwall.recording import frames
from blastwall.recording.frames import HASH, HEADER, Broken, Record, build, parse, read, seed

payloads = st.lists(st.binary(max_size=60), max_size=6)


def stream_of(contents: list[bytes]) -> bytes:
    head, parts = seed(7), []
    for number, payload in enumerate(contents):
        data, head = build(7, number, head, payload)
        parts.append(data)
    return b"".join(parts)


class Slow(io.BytesIO):
    """Gives few bytes at a time, as a decompressor may."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 0, 11))


@given(payloads)
def test_records_come_back_in_whatever_pieces(contents: list[bytes]) -> None:
    data = stream_of(contents)
    whole = list(parse(data))
    assert [record.payload for record in whole if isinstance(record, Record)] == contents
    assert list(read(Slow(data))) == whole
    head = seed(7)
    for record in whole:
        assert isinstance(record, Record)
        assert record.follows(head)
        head = record.hash


@given(st.binary(min_size=1, max_size=60), st.data())
def test_cut_record_is_torn_at_its_place(payload: bytes, data: st.DataObject) -> None:
    whole = stream_of([b"before", payload])
    first = HEADER + len(b"before") + HASH
    cut = data.draw(st.integers(first + 1, len(whole) - 1))
    *records, broken = parse(whole[:cut])
    assert len(records) == 1
    assert isinstance(broken, Broken)
    assert (broken.offset, broken.left, broken.torn) == (first, cut - first, True)
    assert broken.number == (1 if cut - first >= HEADER else None)


@given(st.integers(0, HEADER - 1), st.integers(1, 255))
def test_changed_header_never_passes_for_a_torn_record(at: int, flip: int) -> None:
    data = bytearray(stream_of([b"payload"]))
    data[at] ^= flip
    assert list(parse(bytes(data))) == [Broken(0, len(data), torn=False)]


def test_record_at_which_reading_stops() -> None:
    data = stream_of([b"a", b"b", b"c"])
    end = next(iter(parse(data))).offset + HEADER + 1 + HASH
    assert [item.payload for item in read(io.BytesIO(data), until=end) if isinstance(item, Record)] == [b"a"]


def test_length_beyond_the_limit_is_a_change_and_is_not_waited_for() -> None:
    fields = frames._FIELDS.pack(frames.MAX_PAYLOAD + 1, 1, 0)
    header = fields + frames._CHECK.pack(crc32(fields))
    (broken,) = read(io.BytesIO(header + b"x" * 10))
    assert isinstance(broken, Broken)
    assert not broken.torn
