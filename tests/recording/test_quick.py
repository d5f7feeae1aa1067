"""Records of repeated statements, written by hand: the same events in the same layout, or left to the encoder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from blastwall.gate.ports import RecordingFailed
from blastwall.model.events import StatementAsked, StatementFinished, StatementRepeated
from blastwall.recording.events import decode
from blastwall.recording.frames import HASH, HEADER, Record, build, parse, sealed, seed
from blastwall.recording.keys import load_public_key
from blastwall.recording.quick import ROOM, put_finished, put_repeated
from blastwall.recording.reader import Reader
from blastwall.recording.repetitions import whole
from blastwall.recording.verify import verify

from .conftest import Outcome, Place, asked, opening, settled, write

TIMES = st.integers(0, 4_000_000_000_000_000).map(lambda micros: micros / 1e6)
COUNTS = st.integers(0, 2**63 - 1)
PLAIN = st.text(st.characters(min_codepoint=32, max_codepoint=126) | st.sampled_from('"\\\n\r\t'))
WRITTEN = {*map(chr, range(32, 127)), "\n", "\r", "\t"}
VALUES = st.lists(st.none() | PLAIN | st.text(st.characters(exclude_categories=())), max_size=70).map(tuple)


def room() -> bytearray:
    return bytearray(HEADER + ROOM)


def near(one: float, other: float) -> bool:
    return abs(one - other) <= 1e-6


@given(TIMES, COUNTS, COUNTS, VALUES, st.none() | st.text())
@example(1.0, 1, 1, ("\ud800",), None)
@example(1.0, 1, 1, ("x" * 3072,), None)
@example(1.0, 1, 1, ("x" * 3072,), "y")
@example(1.0, 1, 1, (None,) * 64, "")
@example(1.0, 1, 1, ('"',), "\x7f")
@example(1.0, 1, 1, ('"' * 1534,), None)
@example(1.0, 1, 1, ("\\" * 1537,), None)
@example(1.0, 1, 1, ("x" * 1536, "\n" * 768), None)
def test_a_repeated_statement_reads_back_as_it_was(
    at: float, number: int, first: int, values: tuple[str | None, ...], text: str | None
) -> None:
    place = room()
    end = put_repeated(place, HEADER, at, number, first, values, text)
    texts = [value for value in (*values, text) if value is not None]
    plain = all(set(value) <= WRITTEN for value in texts)
    if plain and len(values) <= 64 and 2 * sum(map(len, texts)) < 2000:
        assert end > 0, "what is plain and short is written"
    if not plain:
        assert end == 0, "what else JSON escapes is left to the encoder"
    if end:
        event = decode(bytes(place[HEADER:end]))
        assert isinstance(event, StatementRepeated)
        assert near(event.at, at)
        assert (event.number, event.first, event.parameters, event.text) == (number, first, values, text)
    assert len(place) == HEADER + ROOM, "nothing is written beyond the room"


@given(TIMES, COUNTS, COUNTS, st.integers(-1, 2**63 - 1), COUNTS, TIMES)
def test_an_end_reads_back_as_it_was(
    at: float, number: int, rows: int, affected: int, size: int, seconds: float
) -> None:
    place = room()
    end = put_finished(place, HEADER, at, number, rows, affected, size, seconds)
    event = decode(bytes(place[HEADER:end]))
    assert isinstance(event, StatementFinished)
    assert near(event.at, at)
    assert near(event.seconds, seconds)
    changed = affected if affected >= 0 else None
    assert (event.number, event.rows, event.affected, event.bytes) == (number, rows, changed, size)
    assert (event.error, event.masked) == (None, {})


@given(st.binary(max_size=300), COUNTS, COUNTS)
def test_it_is_laid_out_as_any_other_record(payload: bytes, stream: int, number: int) -> None:
    place, previous = room(), seed(3)
    end = HEADER + len(payload)
    place[HEADER:end] = payload
    digest = sealed(place, 0, end, stream, number, previous)
    assert (bytes(place[: end + HASH]), digest) == build(stream, number, previous, payload)
    data = bytes(place[: end + HASH])
    (record,) = parse(data)
    assert isinstance(record, Record)
    assert record.follows(previous)


async def test_what_is_repeated_is_recorded_counted_and_proven(place: Place) -> None:
    recorder, outcome = place.recorder(), Outcome()
    await recorder.start()
    record = recorder.open("s")
    write(record, [*opening(1.0, "s"), *asked(2.0, 1, "select 1")])
    for number, value in ((2, "5"), (3, 'a "quoted" one'), (4, "é"), (5, None)):
        record.repeated(3.0, number, 1, (value,), None, outcome)
        recorder.write_awaited()
        record.plain_end(4.0, number, 2, number, 10, 0.5, outcome)
    assert outcome.calls == [None] * 4, "whoever asked hears of it, and an end has nobody who waits"
    record.close()
    await recorder.stop()
    assert verify(place.recordings, [load_public_key(place.public)], [place.anchors]).good
    reader = Reader(place.recordings)
    found = [one.event for one in reader.replay(reader.session("s")) if one.event is not None]
    told = [event for event in whole(found) if isinstance(event, StatementAsked)]
    assert [event.parameters for event in told[1:]] == [("5",), ('a "quoted" one',), ("é",), (None,)]
    summary = reader.session("s")
    assert (summary.statements, summary.rows, summary.sent) == (5, 10, 168)


@pytest.mark.parametrize("at", [-1, HEADER + 1, HEADER + ROOM, 1 << 40])
def test_nothing_is_written_where_there_is_no_room(at: int) -> None:
    """Compiled, these write as C does, so they look first, whoever calls them."""
    place = room()
    with pytest.raises(IndexError, match="room"):
        put_repeated(place, at, 1.0, 1, 1, (), None)
    with pytest.raises(IndexError, match="room"):
        put_finished(place, at, 1.0, 1, 1, 1, 1, 1.0)
    for start, end in ((at, len(place)), (0, HEADER - 1), (0, len(place) - HASH + 1), (-1, 100)):
        with pytest.raises(IndexError, match="room"):
            sealed(place, start, end, 1, 1, seed(1))
    assert place == room()


@pytest.mark.parametrize("size", [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000])
def test_a_record_has_the_hash_of_any_other_way(size: int) -> None:
    """OpenSSL is called directly, or by hashlib, and pads a text in another block at some of these lengths."""
    payload = bytes(n % 251 for n in range(size))
    place = bytearray(b"before") + bytes(HEADER) + payload + bytes(HASH) + b"after"
    head = sealed(place, 6, 6 + HEADER + size, 7, 2**40 + 3, seed(7))
    assert (bytes(place[:6]), bytes(place[-5:])) == (b"before", b"after"), "nothing is written beside it"
    assert (bytes(place[6:-5]), head) == build(7, 2**40 + 3, seed(7), payload)


async def test_what_quick_records_count_is_in_the_segments_index(place: Place) -> None:
    """They are counted beside the segment until it ends, or until an event of another kind comes between."""
    recorder = place.recorder(segment_size=600)
    await recorder.start()
    record, other = recorder.open("s"), recorder.open("other")
    write(record, opening(1.0, "s"))
    for events in (opening(1.0, "other"), asked(1.5, 1, "select 1")):
        write(other, events)
    for number in range(2, 12):
        other.repeated(float(number), number, 1, ("5",), None, Outcome())
        other.plain_end(number + 0.5, number, 3, -1, 10, 0.5, Outcome())
        recorder.flush()
        if number == 5:
            write(other, asked(5.7, 20, "select 2"))
    for one in (record, other):
        one.close()
    await recorder.stop()
    assert verify(place.recordings, [load_public_key(place.public)], [place.anchors]).good
    segments = {path.name for path in place.node.iterdir() if path.name.endswith(".zst")}
    assert len(segments) > 2, "the counts are of several segments"
    summary = Reader(place.recordings).session("other")
    assert (summary.statements, summary.rows, summary.sent, summary.ended) == (12, 34, 356, 11.5), (
        "two were asked in full, with 2 rows of 128 bytes each"
    )


async def test_an_end_is_written_soon_though_nothing_follows(place: Place) -> None:
    recorder = place.recorder()
    await recorder.start()
    record = recorder.open("s")
    write(record, opening(1.0, "s"))
    raw = place.node / "segment-00000001.log"
    size = raw.stat().st_size
    record.plain_end(4.0, 1, 1, -1, 10, 0.5, Outcome())
    recorder.write_awaited()
    assert raw.stat().st_size == size, "nobody waits for it"
    await settled(lambda: raw.stat().st_size > size)
    await recorder.stop()


async def test_an_end_that_cannot_be_written_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, outcome = place.recorder(), Outcome()
    await recorder.start()
    record = recorder.open("s")
    write(record, opening(1.0, "s"))

    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        record.plain_end(4.0, 1, 1, -1, 10, 0.5, outcome)
        recorder.flush()
    assert isinstance(outcome.calls[0], RecordingFailed)
    record.repeated(5.0, 2, 1, (), None, outcome)
    assert isinstance(outcome.calls[1], RecordingFailed), "and nothing is recorded after what is missing"
    record.close()
    await recorder.stop()


async def test_what_refers_to_a_segment_is_not_written_to_the_next(place: Place) -> None:
    recorder = place.recorder(segment_size=200)
    await recorder.start()
    record = recorder.open("s")
    write(record, opening(1.0, "s"))
    assert record.part_now() == 2, "the segment has its size: the next record begins another"
    write(record, asked(2.0, 1, "select 1"))
    assert (place.node / "segment-00000002.log").exists()
    assert record.part_now() == 3, "and what began one segment does not count as being in each that is begun"
    await recorder.stop()


def test_a_recording_of_before_is_read(tmp_path: Path) -> None:
    """The ordinary encoder's bytes and these are one format: nothing tells them apart but the number of decimals."""
    line = b'{"event":"statement_repeated","at":1.5,"number":2,"first":1,"parameters":["5"],"text":null}'
    place = room()
    end = put_repeated(place, HEADER, 1.5, 2, 1, ("5",), None)
    assert decode(bytes(place[HEADER:end])) == decode(line)
