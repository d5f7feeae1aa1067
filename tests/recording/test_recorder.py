"""Writing: in order, durable before it counts, closed on failure, and never lost to a kill."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from blastwall.gate.ports import RecordingFailed
from blastwall.model.events import SessionClosed, StatementWithdrawn
from blastwall.recording.chain import read_chain
from blastwall.recording.keys import load_public_key
from blastwall.recording.layout import Folder
from blastwall.recording.reader import Reader, Recorded
from blastwall.recording.verify import verify

from .conftest import Outcome, Place, asked, opening, settled, write


def proven(place: Place) -> bool:
    report = verify(place.recordings, [load_public_key(place.public)], [place.anchors])
    assert [finding.detail for node in report.nodes for finding in node.findings] == []
    return report.good


async def test_process_durability_counts_after_the_write(place: Place) -> None:
    recorder = place.recorder()
    await recorder.start()
    record, sizes = recorder.open("s"), list[int]()
    raw = place.node / "segment-00000001.log"
    record.write(opening(1.0, "s"), lambda failed: sizes.append(raw.stat().st_size))
    assert sizes == [], "nothing counts before it is written"
    await settled(lambda: bool(sizes))
    assert sizes[0] > 300, "it was written before it counted"
    await recorder.stop()


def _name_of(descriptor: int) -> str:
    """The name of an open file."""
    return Path(f"/proc/self/fd/{descriptor}").resolve().name


async def test_events_of_one_turn_of_the_loop_are_one_write(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = place.recorder(segment_size=1 << 20)
    await recorder.start()
    records = [recorder.open(f"s{number}") for number in range(20)]
    real, writes, outcomes = os.write, list[str](), [Outcome() for _ in records]

    def write_to(descriptor: int, data: bytes) -> int:
        writes.append(_name_of(descriptor))
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", write_to)
    for record, outcome in zip(records, outcomes, strict=True):
        record.write([StatementWithdrawn(1.0, 1)], outcome)
        record.write([StatementWithdrawn(2.0, 2), SessionClosed(2.0, "")], lambda failed: None)
        record.close()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert all(outcome.calls == [None] for outcome in outcomes)
    assert writes.count("segment-00000001.log") == 1
    await recorder.stop()
    assert proven(place)
    assert [summary.last for summary in Reader(place.recordings).sessions()] == [2] * 20


async def test_failing_write_fails_everybody_who_waits_for_it_and_nobody_after(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = place.recorder()
    await recorder.start()
    records, outcomes = [recorder.open(f"s{number}") for number in range(3)], [Outcome() for _ in range(3)]
    write(records[0], opening(1.0, "s0"))
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", _full)
        for record, outcome in zip(records, outcomes, strict=True):
            record.write(asked(2.0, 1, "select 1"), outcome)
            record.write(asked(2.0, 2, "select 2"), outcome)
        await settled(lambda: bool(outcomes[-1].calls))
    for outcome in outcomes:
        assert len(outcome.calls) == 2
        assert all("No space left" in str(failed) for failed in outcome.calls)
    write(recorder.open("later"), opening(3.0, "later"))
    for record in records:
        record.close()
    await recorder.stop()
    assert proven(place), "the heads in the chain are those of what was written"
    assert Reader(place.recordings).session("s0").last == 2


async def test_fault_of_one_who_waits_reaches_nobody_else(place: Place) -> None:
    recorder = place.recorder()
    await recorder.start()
    reported = list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context["exception"]))
    fault, outcome = ZeroDivisionError("a fault"), Outcome()

    def faulty(failed: RecordingFailed | None) -> None:
        raise fault

    recorder.open("a").write([StatementWithdrawn(1.0, 1)], faulty)
    recorder.open("b").write([StatementWithdrawn(1.0, 1)], outcome)
    await settled(lambda: bool(outcome.calls))
    assert outcome.calls == [None]
    assert reported == [fault]
    await recorder.stop()


async def test_power_durability_counts_after_an_fsync_that_is_shared(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def sync(descriptor: int) -> None:
        real(descriptor)
        synced.append(_name_of(descriptor))

    monkeypatch.setattr(os, "fsync", sync)
    recorder = place.recorder(durability="power", segment_size=1 << 20)
    await recorder.start()
    synced.clear()
    record, outcomes = recorder.open("s"), [Outcome() for _ in range(50)]
    for number, outcome in enumerate(outcomes):
        record.write([StatementWithdrawn(1.0, number)], outcome)
    assert all(outcome.calls == [] for outcome in outcomes), "nothing counts yet"
    await settled(lambda: all(outcome.calls for outcome in outcomes))
    assert all(outcome.calls == [None] for outcome in outcomes)
    assert synced.count("segment-00000001.log") <= 3, "fifty writes shared a few fsyncs"
    assert "chain" in synced, "the session's opening is durable as well"
    await recorder.stop()
    assert proven(place)


async def test_failing_fsync_fails_the_sessions_that_waited_and_ends_the_segment(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = place.recorder(durability="power")
    await recorder.start()
    record, outcome = recorder.open("s"), Outcome()
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", _broken_disk)
        record.write([StatementWithdrawn(1.0, 1)], outcome)
        await settled(lambda: bool(outcome.calls))
    assert isinstance(outcome.calls[0], RecordingFailed)
    record.write([StatementWithdrawn(1.0, 2)], outcome)
    assert isinstance(outcome.calls[1], RecordingFailed), "every later write fails too"
    other, fine = recorder.open("t"), Outcome()
    other.write([StatementWithdrawn(1.0, 1)], fine)
    await settled(lambda: bool(fine.calls))
    assert fine.calls == [None]
    assert (place.node / "segment-00000002.log").exists(), "what comes later is in another segment"
    await recorder.stop()


def _broken_disk(descriptor: int) -> None:
    raise OSError(errno.EIO, "Input/output error")


async def test_full_disk_fails_the_session_and_leaves_no_half_record(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = place.recorder()
    await recorder.start()
    failing, other = recorder.open("failing"), recorder.open("other")
    write(failing, opening(1.0, "failing"))
    size = (place.node / "segment-00000001.log").stat().st_size
    real, outcome = os.write, Outcome()

    def half_then_full(descriptor: int, data: bytes) -> int:
        if len(data) < 60:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data[: len(data) - 50])

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", half_then_full)
        failing.write(asked(2.0, 1, "select 1"), outcome)
        recorder.flush()
    assert "No space left" in str(outcome.calls[0])
    assert (place.node / "segment-00000001.log").stat().st_size == size
    failing.write(asked(3.0, 2, "select 2"), outcome)
    assert outcome.calls[1] is outcome.calls[0], "every later write fails too"
    write(other, opening(4.0, "other"))
    failing.close()
    other.close()
    await recorder.stop()
    assert proven(place)
    assert "No space left" in Reader(place.recordings).session("failing").why


async def test_full_disk_at_a_close_owes_the_head_and_pays_it_later(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = place.recorder()
    await recorder.start()
    record = recorder.open("s")
    write(record, opening(1.0, "s"))
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", _full)
        record.close()
        with pytest.raises(RecordingFailed, match="No space left"):
            recorder.open("t")
    recorder.open("u").close()
    await recorder.stop()
    assert proven(place)
    assert [each.open for each in Reader(place.recordings).sessions()] == [False]


def _full(descriptor: int, data: bytes) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


async def test_second_gateway_on_one_folder_is_refused(place: Place) -> None:
    first, second = place.recorder(), place.recorder()
    await first.start()
    with pytest.raises(RecordingFailed, match="another gateway writes recordings"):
        await second.start()
    await first.stop()
    await second.start()
    await second.stop()


async def test_restart_with_another_key_is_refused(recorded: Place) -> None:
    recorded.key_path.unlink()
    with pytest.raises(RecordingFailed, match="restore that key"):
        await recorded.recorder().start()


async def test_changed_chain_is_not_continued(recorded: Place) -> None:
    chain = recorded.node / "chain"
    chain.write_bytes(chain.read_bytes().replace(b"session-one", b"session-0ne"))
    with pytest.raises(RecordingFailed, match="was changed by somebody"):
        await recorded.recorder().start()


async def test_closed_record_and_stopped_recorder_take_nothing(place: Place) -> None:
    recorder = place.recorder()
    await recorder.start()
    record, outcome = recorder.open("s"), Outcome()
    record.close()
    record.close()
    record.write([SessionClosed(1.0, "")], outcome)
    assert isinstance(outcome.calls[0], RecordingFailed)
    await recorder.stop()
    await recorder.stop()
    with pytest.raises(RecordingFailed):
        recorder.open("t")
    assert proven(place)


async def test_sessions_open_at_the_stop_are_closed(place: Place) -> None:
    recorder = place.recorder()
    await recorder.start()
    write(recorder.open("s"), opening(1.0, "s"))
    await recorder.stop()
    assert Reader(place.recordings).session("s").why == "the gateway stopped"


async def test_recordings_are_private_to_the_gateway(recorded: Place) -> None:
    assert recorded.node.stat().st_mode & 0o777 == 0o700
    modes = {path.name: path.stat().st_mode & 0o777 for path in recorded.node.iterdir() if path.name != "node.pub"}
    assert set(modes.values()) == {0o600}, modes


async def test_checkpoints_come_by_themselves_and_only_for_news(place: Place) -> None:
    recorder = place.recorder(checkpoint=timedelta(milliseconds=20))
    await recorder.start()
    record = recorder.open("s")
    write(record, opening(1.0, "s"))
    await settled(lambda: recorder.counters.checkpoints == 1)
    await asyncio.sleep(0.1)
    assert recorder.counters.checkpoints == 1
    write(record, asked(2.0, 1, "select 1"))
    await settled(lambda: recorder.counters.checkpoints == 2)
    await recorder.stop()
    assert proven(place)


# ── kill -9 ──────────────────────────────────────────────────────────────────────────────────────────────────────────

WRITER = textwrap.dedent(
    """
    import asyncio, sys, time
    from pathlib import Path
    from blastwall.config.model import Recordings
    from blastwall.model.events import SessionOpened, StatementWithdrawn
    from blastwall.recording.keys import load_or_create_key
    from blastwall.recording.recorder import Recorder

    async def main():
        root = Path(sys.argv[1])
        settings = Recordings(to=root / "recordings", segment_size=30_000, durability=sys.argv[2])
        recorder = Recorder(settings, "n1", load_or_create_key(root / "state" / "recordings.key"))
        await recorder.start()
        record, number = recorder.open("killed"), 0
        record.write([SessionOpened(time.time(), "killed", "pg", "postgres", "", "::1")], lambda failed: None)
        def say(number):
            return lambda failed: print(number, flush=True)  # told: it is durable
        while True:
            record.write([StatementWithdrawn(time.time(), number)], say(number))
            number += 1
            await asyncio.sleep(0)

    asyncio.run(main())
    """
)


@pytest.mark.parametrize("durability", ["process", "power"])
async def test_killed_gateway_loses_nothing_that_it_said_was_written(place: Place, durability: str) -> None:
    with subprocess.Popen(  # noqa: ASYNC220 - nothing else runs on this loop meanwhile
        [sys.executable, "-c", WRITER, str(place.root), durability], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(400)]
        process.send_signal(signal.SIGKILL)
        told += [int(line) for line in process.stdout.read().split("\n")[:-1]]
    key = load_public_key(place.public)
    report = verify(place.recordings, [key])
    assert report.good, "a killed gateway does not look like tampering"
    assert len(report.nodes[0].torn) <= 1
    kept = {each.event.number for each in _replay(place) if isinstance(each.event, StatementWithdrawn)}
    assert kept >= set(told)

    recorder = place.recorder()
    await recorder.start()
    assert "recovered" in Reader(place.recordings).session("killed").why
    again = recorder.open("after")
    write(again, opening(1.0, "after"))
    again.close()
    await recorder.stop()
    assert proven(place), "the chain goes on"
    assert {each.event.number for each in _replay(place) if isinstance(each.event, StatementWithdrawn)} == kept
    assert "a gateway was killed" in verify(place.recordings, [key]).nodes[0].notes[0]


def _replay(place: Place) -> Iterator[Recorded]:
    reader = Reader(place.recordings)
    return reader.replay(reader.session("killed"))


@pytest.mark.parametrize("keep", [1, 10, 23, 24, 40, 100])
async def test_torn_record_is_named_and_cut_off_at_the_next_start(place: Place, keep: int) -> None:
    """As a kill within write(2) leaves it: the last record begins, and the file ends."""
    await _die_within_a_write(place, keep)
    (node,) = verify(place.recordings, [load_public_key(place.public)]).nodes
    raw = place.node / "segment-00000001.log"
    (torn,) = node.torn
    assert node.findings == []
    assert (torn.file, torn.offset, torn.left) == (raw.name, raw.stat().st_size - keep, keep)
    assert (torn.session, torn.number) == (("s", 3) if keep >= 24 else (None, None))
    recorder = place.recorder()
    await recorder.start()
    await recorder.stop()
    assert proven(place)
    report = verify(place.recordings)
    assert f"{keep} bytes of an unfinished record cut off" in report.nodes[0].notes[0]
    assert Reader(place.recordings).session("s").last == 2


async def _die_within_a_write(place: Place, keep: int) -> None:
    recorder = place.recorder(segment_size=1 << 20, anchors=[])
    await recorder.start()
    record = recorder.open("s")
    write(record, opening(1.0, "s"))
    raw = place.node / "segment-00000001.log"
    whole = raw.stat().st_size
    write(record, asked(2.0, 1, "select 1")[:1])
    files = {path: path.read_bytes() for path in place.node.iterdir()}
    await recorder.stop()
    for path in place.node.iterdir():
        path.unlink()
    for path, data in files.items():
        path.write_bytes(data[: whole + keep] if path == raw else data)


async def test_killed_while_a_segment_was_closed(recorded: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain names the compressed file, but the kill came before it had its name."""
    folder = Folder(recorded.node)
    sealed = read_chain(folder.chain).sealed[1]
    from blastwall.recording.segments import content_of

    with content_of(folder, 1) as source:
        raw = source.read(sealed.size)
    folder.raw(1).write_bytes(raw)
    folder.sealed(1).rename(folder.path / "segment-00000001.zst.draft")
    folder.index(1).rename(folder.path / "segment-00000001.index.draft")
    assert proven(recorded), "its raw file proves the same"
    recorder = recorded.recorder()
    await recorder.start()
    await recorder.stop()
    assert proven(recorded)
    assert not folder.raw(1).exists()
    assert folder.sealed(1).exists()
