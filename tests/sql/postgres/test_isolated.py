"""What comes back from a reading in another process is what a reading here gives, or nothing."""

from __future__ import annotations

import pickle
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sql.postgres.shop import CATALOG, STATE, one
from tests.sql.postgres.test_recall import CORPUS, bare

from blastwall.sql.postgres import Limits, Reading, UnreadableReply, classify, decode, reading
from blastwall.sql.postgres.recall import watched


def there(task: Reading) -> bytes:
    """Do it as another process does: with copies."""
    copy: Reading = pickle.loads(pickle.dumps(task))
    return copy(pickle.loads(pickle.dumps(CATALOG)))


@pytest.mark.parametrize("text", CORPUS, ids=lambda text: text[:60])
def test_a_reading_survives_the_way(text: str) -> None:
    found, looked = decode(there(reading(text, STATE)))
    assert found == bare(classify(text, CATALOG, STATE))
    _, here = watched(text, CATALOG, STATE, Limits())
    assert looked == (None if here is None else tuple(sorted(here)))


def test_what_is_prepared_goes_along_where_a_text_may_mean_it() -> None:
    state = replace(STATE, prepared={"s": (one("delete from orders"),)})
    found, _ = decode(there(reading("execute s", state)))
    assert [effect.action for effect in found[0].effects] == ["delete"]
    assert reading("select 1", state).state.prepared == {}


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"\xc1",
        b"\x93" * 5000,
        msgspec.msgpack.encode(((), "x")),
        msgspec.msgpack.encode(((1,), None)),
        msgspec.msgpack.encode((({"start": 0, "end": 1, "operation": "SELECT", "effects": []},), None)),
        msgspec.msgpack.encode((({"start": 0, "end": 1, "operation": "X", "effects": [{"action": "no"}]},), None)),
    ],
)
def test_nonsense_is_no_reading(reply: bytes) -> None:
    with pytest.raises(UnreadableReply):
        decode(reply)


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_no_reply_raises_anything_else(reply: bytes) -> None:
    try:
        decode(reply)
    except UnreadableReply:
        return


def test_of_very_many_literals_those_that_matter_come_back() -> None:
    text = "insert into orders (id, note) select " + "1, " * 2000 + "'x'"
    (found,), _ = decode(there(reading(text, STATE)))
    assert len(found.literals) < 10
