"""A disk that is full, to the byte: what is acknowledged is there, what is not acknowledged is not."""

from __future__ import annotations

import asyncio
import ctypes
import os
import random
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from blastwall.gate.ports import RecordingFailed
from blastwall.model.events import Event, StatementAsked
from blastwall.recording.keys import load_public_key
from blastwall.recording.reader import Reader
from blastwall.recording.recorder import Record, Recorder
from blastwall.recording.verify import verify

from .conftest import Outcome, Place, asked, opening, write

MNT_DETACH = 2
PAGES = 512
ROUNDS = 400


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond `size` bytes: setrlimit(2), what fits of a write is written."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)


def try_to(write: Callable[[], bool], path: Path) -> int:
    """Do it with 0, 1, 2 … bytes of space left for `path`; return with how many it went well."""
    before = path.read_bytes()
    for space in range(1 << 16):
        with no_file_beyond(len(before) + space):
            done = write()
        if done:
            assert path.stat().st_size == len(before) + space, "it went well with a part of it missing"
            return space
        assert path.read_bytes() == before, "a refused write left something behind"
    raise AssertionError("it never went well")


def texts(place: Place) -> set[str]:
    """Every statement that the recordings hold."""
    reader = Reader(place.recordings)
    events = (each.event for summary in reader.sessions() for each in reader.replay(summary))
    return {event.text for event in events if isinstance(event, StatementAsked)}


def proven(place: Place) -> bool:
    return verify(place.recordings, [load_public_key(place.public)], [place.anchors]).good


def attempt(recorder: Recorder, record: Record, events: list[Event]) -> bool:
    outcome = Outcome()
    record.write(events, outcome)
    recorder.flush()
    (failure,) = outcome.calls
    return failure is None


async def test_a_write_that_lacks_one_byte_is_refused_and_leaves_nothing(place: Place) -> None:
    recorder = place.recorder(segment_size=1 << 20)
    await recorder.start()
    write(recorder.open("first"), opening(place.clock(), "first"))
    sessions = enumerate([recorder.open(f"session-{number}") for number in range(5000)])
    tried: list[str] = []

    def statement() -> bool:
        number, record = next(sessions)
        tried.append(f"select {number:06}")
        return attempt(recorder, record, asked(place.clock(), 0, tried[-1]))

    space = try_to(statement, place.node / "segment-00000001.log")
    assert len(tried) == space + 1
    await recorder.stop()
    assert texts(place) == {tried[-1]}
    assert proven(place)


async def test_a_session_whose_beginning_does_not_fit_into_the_chain_is_not_begun(place: Place) -> None:
    recorder = place.recorder()
    await recorder.start()

    def session() -> bool:
        try:
            recorder.open("session")
        except RecordingFailed:
            return False
        return True

    assert try_to(session, place.node / "chain") > 0
    await recorder.stop()
    assert proven(place)


@pytest.fixture
def small(place: Place) -> Iterator[Place]:
    """A place whose recordings are on a filesystem of a few pages."""
    place.recordings.mkdir(parents=True)
    libc = ctypes.CDLL(None, use_errno=True)
    where = os.fsencode(place.recordings)
    if libc.mount(b"tmpfs", where, b"tmpfs", 0, f"size={PAGES * 4096},mode=0700".encode()) != 0:
        pytest.skip("this account may not mount a filesystem")
    try:
        yield place
    finally:
        libc.umount2(where, MNT_DETACH)


def fill(ballast: Path) -> None:
    """Take every page that is left."""
    with ballast.open("ab", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


async def test_on_a_small_filesystem_just_what_was_acknowledged_is_recorded(small: Place) -> None:
    """Statements of any size, while space runs out and comes back, and segments end and are compressed."""
    chance = random.Random(7)
    recorder = small.recorder(segment_size=6000)
    await recorder.start()
    acknowledged: set[str] = set()
    refused: set[str] = set()
    ballast = small.recordings / "ballast"
    for number in range(ROUNDS):
        if number % 10 == 0:
            fill(ballast)
        elif number % 10 == 7:
            ballast.unlink()
        text = f"select {number} {'x' * chance.randrange(1500)}"
        try:
            done = attempt(recorder, recorder.open(f"session-{number}"), asked(small.clock(), 0, text))
        except RecordingFailed:
            done = False
        (acknowledged if done else refused).add(text)
        await asyncio.sleep(0.002)
    ballast.unlink(missing_ok=True)
    await recorder.stop()
    assert texts(small) == acknowledged
    assert len(acknowledged) > ROUNDS / 5
    assert len(refused) > ROUNDS / 5, "the filesystem was never full"
    assert proven(small)
