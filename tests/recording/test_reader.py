"""Finding and replaying sessions, also where files are damaged."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blastwall.model.effects import Action, Effect, Object
from blastwall.model.events import SessionOpened, StatementAsked
from blastwall.model.statement import Stage
from blastwall.recording.reader import NoRecordings, Query, Reader, is_object
from blastwall.recording.summary import MAX_EFFECTS

from .conftest import Place, opening, write


def ids(place: Place, **conditions: object) -> list[str]:
    return [each.session for each in Reader(place.recordings).sessions(Query(**conditions))]  # type: ignore[arg-type]


async def test_newest_first_and_limited(recorded: Place) -> None:
    assert ids(recorded)[0] == "session-four"
    assert ids(recorded, limit=2) == ["session-four", "session-three"]


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        ({"principal": "other-ci"}, ["session-two"]),
        ({"principal": "other"}, []),
        ({"resource": "pg-prod", "effect": "delete"}, ["session-two"]),
        ({"object": "carts"}, ["session-two"]),
        ({"object": "public.carts"}, ["session-two"]),
        ({"object": "shop/public/carts"}, ["session-two"]),
        ({"object": "carts", "effect": "read"}, []),
        ({"object": "arts"}, []),
        ({"text": "GRÜSSE"}, ["session-four"]),
        ({"text": "id = 3", "principal": "other-ci"}, ["session-two"]),
        ({"text": "id = 3", "principal": "shop-ci"}, []),
        ({"since": 1_700_000_030.0, "object": "orders"}, ["session-four"]),
        ({"until": 1_700_000_005.0, "text": "select"}, ["session-one"]),
        ({"open": True}, []),
    ],
)
async def test_search(recorded: Place, conditions: dict[str, object], found: list[str]) -> None:
    assert ids(recorded, **conditions) == found


async def test_open_sessions_are_found_while_they_run(place: Place) -> None:
    recorder = place.recorder()
    await recorder.start()
    record = recorder.open("running")
    write(record, opening(place.clock(), "running"))
    assert ids(place, open=True) == ["running"]
    record.close()
    assert ids(place, open=True) == []
    await recorder.stop()


async def test_session_of_more_objects_than_an_index_keeps_is_still_found(place: Place) -> None:
    recorder = place.recorder(segment_size=1 << 20)
    await recorder.start()
    record = recorder.open("wide")
    effects = [
        tuple(Effect(Action.READ, Object(("d", "s", f"t{place * 100 + each}"), "table")) for each in range(100))
        for place in range(MAX_EFFECTS // 100 + 2)
    ]
    write(record, [StatementAsked(1.0, at, Stage.EXECUTE, "", (), each, "", "") for at, each in enumerate(effects)])
    record.close()
    await recorder.stop()
    last = effects[-1][-1].object.path[-1]
    assert ids(place, object=last, effect="read") == ["wide"]
    assert ids(place, object=last, effect="delete") == []
    assert ids(place, object="t99999") == []


async def test_replay_gives_every_event_with_its_time(recorded: Place) -> None:
    reader = Reader(recorded.recordings)
    records = list(reader.replay(reader.session("session-four")))
    assert [record.number for record in records] == list(range(6))
    assert isinstance(records[0].event, SessionOpened)
    assert [record.after for record in records] == [0.0, 0.0, 0.0, 2.0, 0.0, 0.0]


async def test_beginning_of_an_id_is_enough_if_it_is_one(recorded: Place) -> None:
    reader = Reader(recorded.recordings)
    assert reader.session("session-fo").session == "session-four"
    for wrong, words in (("session-", "4 sessions start"), ("nothing", "no session"), ("", "no session")):
        with pytest.raises(NoRecordings, match=words):
            reader.session(wrong)


def test_folder_without_recordings_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoRecordings, match="no gateway has recorded there"):
        Reader(tmp_path)
    with pytest.raises(NoRecordings, match="no gateway has recorded there"):
        Reader(tmp_path / "missing")
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(NoRecordings, match="cannot be read"):
        Reader(file)


async def test_index_can_be_lost(recorded: Place) -> None:
    before = Reader(recorded.recordings).sessions()
    for path in recorded.node.glob("*.index"):
        path.unlink()
    after = Reader(recorded.recordings).sessions()
    assert after == before


async def test_damaged_segment_is_named_and_the_rest_is_shown(recorded: Place) -> None:
    path = recorded.node / "segment-00000001.zst"
    path.write_bytes(path.read_bytes()[:200])
    reader = Reader(recorded.recordings)
    records = list(reader.replay(reader.session("session-one")))
    assert any("cannot be read to its end; run `audit verify`" in record.problem for record in records)
    assert any(record.event is not None for record in records)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(keep=st.integers(0, 3000), junk=st.binary(max_size=60), data=st.data())
def test_no_content_makes_the_reader_raise(
    tmp_path_factory: pytest.TempPathFactory, keep: int, junk: bytes, data: st.DataObject
) -> None:
    import asyncio

    from .conftest import record_two_runs

    place = Place(tmp_path_factory.mktemp("junk"))
    asyncio.run(record_two_runs(place))
    path = data.draw(st.sampled_from(sorted(place.node.iterdir())))
    path.write_bytes(path.read_bytes()[:keep] + junk)
    reader = Reader(place.recordings)
    for summary in reader.sessions():
        list(reader.replay(summary))
    reader.sessions(Query(text="select", object="orders"))


@pytest.mark.parametrize(
    ("ident", "wanted", "is_it"),
    [
        ("shop/public/orders", "orders", True),
        ("shop/public/orders", "public.orders", True),
        ("shop/public/%4frders", "Orders", True),
        ("shop/public/%4frders", "orders", False),
        ("shop/public/now()", "now()", True),
        ("shop/public/now()", "now", True),
        ("shop/public/a%2fb", "a/b", False),
        ("", "orders", False),
    ],
)
def test_objects_by_name(ident: str, wanted: str, is_it: bool) -> None:
    assert is_object(ident, wanted) is is_it
