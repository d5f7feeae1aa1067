"""Deleting by the limits: never what is in use, and never so that it looks like tampering."""

from __future__ import annotations

from datetime import timedelta

from blastwall.config.model import Recordings
from blastwall.recording.chain import Sealed, read_chain
from blastwall.recording.keys import load_public_key
from blastwall.recording.reader import Reader
from blastwall.recording.retention import Steadiness, due, longest_open, patience
from blastwall.recording.verify import verify

from .conftest import Place, asked, opening, settled, write


def sealed(segment: int, last_at: float, stored: int = 100) -> Sealed:
    return Sealed(0.0, segment, 1000, "", stored, "", "", last_at)


def numbers(settings: Recordings, segments: list[Sealed], pinned: set[int], now: float | None) -> list[tuple[int, str]]:
    return [(each.sealed.segment, each.why) for each in due(settings, segments, pinned, now)]


def test_without_limits_nothing_is_deleted() -> None:
    assert numbers(Recordings(), [sealed(1, 0.0)], set(), 1e12) == []


def test_what_is_older_than_keep_goes_unless_a_session_uses_it() -> None:
    settings = Recordings(keep=timedelta(seconds=100))
    segments = [sealed(1, 10.0), sealed(2, 20.0), sealed(3, 950.0)]
    assert numbers(settings, segments, {1}, 1000.0) == [(2, "keep")]


def test_oldest_go_beyond_the_size() -> None:
    settings = Recordings(max_size=250)
    segments = [sealed(1, 10.0), sealed(2, 20.0), sealed(3, 30.0), sealed(4, 40.0)]
    assert numbers(settings, segments, {1}, 1000.0) == [(2, "max_size"), (3, "max_size")]


def test_quiet_node_closes_its_segment_in_time_for_keep() -> None:
    assert longest_open(Recordings(keep=timedelta(hours=8))) == 3600
    assert longest_open(Recordings()) == 86_400


def test_while_nobody_knows_the_time_only_size_deletes() -> None:
    settings = Recordings(keep=timedelta(seconds=100), max_size=250)
    segments = [sealed(1, 10.0), sealed(2, 20.0), sealed(3, 30.0)]
    assert numbers(settings, segments, set(), None) == [(1, "max_size")]


def test_segments_are_as_young_as_those_before_them_though_the_clock_said_otherwise() -> None:
    settings = Recordings(keep=timedelta(seconds=100))
    set_back_to_1970 = [sealed(1, 940.0), sealed(2, 10.0), sealed(3, 950.0)]
    assert numbers(settings, set_back_to_1970, set(), 1000.0) == []
    assert numbers(settings, set_back_to_1970, set(), 1041.0) == [(1, "keep"), (2, "keep")]


def test_segments_from_the_future_go_with_the_next_one_whose_time_can_be() -> None:
    settings = Recordings(keep=timedelta(seconds=100))
    ahead = [sealed(1, 10.0), sealed(2, 9e9), sealed(3, 950.0), sealed(4, 9e9)]
    assert numbers(settings, ahead, set(), 1000.0) == [(1, "keep")]
    assert numbers(settings, ahead, set(), 1051.0) == [(1, "keep"), (2, "keep"), (3, "keep")]


def test_the_clock_is_trusted_once_it_has_gone_right_for_a_while() -> None:
    steady, wall = 500.0, 1_700_000_000.0
    trusted = Steadiness(lambda: wall + steady, lambda: steady, 100.0)
    assert not trusted(), "a gateway that just started may have a wrong clock"
    steady += 100
    assert trusted()
    wall += 29
    assert trusted(), "a clock is put right by seconds all the time"
    for jump in (86_400.0, -86_400.0):
        wall += jump
        assert not trusted()
        steady += 99
        assert not trusted()
        steady += 1
        assert trusted()


def test_the_wait_is_a_part_of_what_is_kept() -> None:
    assert patience(Recordings(keep=timedelta(hours=8))) == 3600
    assert patience(Recordings(keep=timedelta(days=30))) == 6 * 3600


async def test_a_clock_that_is_set_ahead_deletes_nothing_early(place: Place) -> None:
    recorder = place.recorder()
    await recorder.start()
    write(recorder.open("young"), asked(place.clock(), 1, "select 1"))
    await recorder.stop()
    recorder = place.recorder(keep=timedelta(days=30))
    await recorder.start()
    place.clock.now += 7 * 3600
    place.clock.jump = 365 * 86_400.0
    await recorder.retain()
    place.clock.now += 5 * 3600
    place.clock.jump = 0.0
    await recorder.retain()
    place.clock.now += 7 * 3600
    await recorder.retain()
    assert recorder.counters.segments_removed == 0
    place.clock.now += 30 * 86_400
    await recorder.retain()
    assert recorder.counters.segments_removed == 1
    await recorder.stop()


async def test_deletion_does_not_look_like_tampering(place: Place) -> None:
    recorder = place.recorder(max_size=1500, segment_size=2500)
    await recorder.start()
    for name in ("old", "middle", "young"):
        record = recorder.open(name)
        write(record, opening(place.clock(), name))
        for number in range(8):
            write(record, asked(place.clock(), number, f"select {name} {number}"))
        record.close()
    running = recorder.open("running")
    write(running, opening(place.clock(), "running"))
    await settled(lambda: _all_closed(place))
    await recorder.retain()
    assert recorder.counters.segments_removed > 0
    write(running, asked(place.clock(), 1, "select 1"))
    running.close()
    await recorder.stop()

    report = verify(place.recordings, [load_public_key(place.public)], [place.anchors])
    assert [finding.detail for node in report.nodes for finding in node.findings] == []
    assert report.nodes[0].removed
    sessions = {each.session: each for each in Reader(place.recordings).sessions()}
    assert "old" not in sessions
    assert sessions["running"].last == 5
    assert all(path.stat().st_size for path in place.node.glob("segment-*"))


def _all_closed(place: Place) -> bool:
    chain = read_chain(place.node / "chain")
    return chain.sealed.keys() == chain.ended.keys()


async def test_session_that_lost_its_beginning_says_so_and_the_rest_is_proven(place: Place) -> None:
    recorder = place.recorder(max_size=1, segment_size=2500)
    await recorder.start()
    record = recorder.open("long")
    write(record, opening(place.clock(), "long"))
    for number in range(12):
        write(record, asked(place.clock(), number, f"select {number}"))
    await recorder.retain()
    assert recorder.counters.segments_removed == 0, "a running session keeps its segments"
    record.close()
    await settled(lambda: _all_closed(place))
    await recorder.retain()
    removed = recorder.counters.segments_removed
    assert removed > 0
    reader = Reader(place.recordings)
    summary = reader.session("long")
    first, second, *_ = reader.replay(summary)
    assert summary.shortened
    assert first.problem == f"records 0 to {second.number - 1} are not here"
    await recorder.stop()
    report = verify(place.recordings, [load_public_key(place.public)], [place.anchors])
    assert [finding.detail for node in report.nodes for finding in node.findings] == []
    assert len(report.nodes[0].removed) == removed


async def test_deleted_segments_stay_deleted_over_a_restart_and_the_rest_can_still_go(place: Place) -> None:
    recorder = place.recorder()
    await recorder.start()
    for name in ("a", "b"):
        record = recorder.open(name)
        for number in range(6):
            write(record, asked(place.clock(), number, "select 1"))
        record.close()
    await recorder.stop()
    recorder = place.recorder(keep=timedelta(seconds=1))
    await recorder.start()
    place.clock.now += 100
    await recorder.retain()
    await recorder.stop()
    assert not list(place.node.glob("segment-*"))
    assert verify(place.recordings, [load_public_key(place.public)], [place.anchors]).good
