"""Events survive the recording: whatever was recorded is read back as the same value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blastwall.model import events
from blastwall.model.effects import Action, Effect, Object
from blastwall.model.events import Event, StatementFinished
from blastwall.model.ruling import Decision, Ruling
from blastwall.model.statement import Stage
from blastwall.recording.events import _TYPES, UnreadableEvent, decode, encode, name_of

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
numbers = st.integers(-(2**63), 2**63 - 1)
st.register_type_strategy(str, texts)
st.register_type_strategy(int, numbers)
st.register_type_strategy(
    Mapping, lambda kind: st.dictionaries(texts, st.from_type(get_args(kind)[1]), max_size=3).map(MappingProxyType)
)
st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
st.register_type_strategy(Object, st.builds(Object, st.lists(texts, max_size=4).map(tuple), texts))

every_event = st.one_of([st.from_type(kind) for kind in _TYPES.values()])


def test_every_event_of_the_model_has_a_name() -> None:
    assert set(_TYPES.values()) == set(Event.__args__)


@settings(max_examples=150, deadline=None)
@given(every_event)
def test_round_trip(event: Event) -> None:
    payload = encode(event)
    assert decode(payload) == event
    assert json.loads(payload)["event"] == name_of(event)


def test_lone_surrogates_are_kept_visibly() -> None:
    """A client's bytes that are no Unicode must neither be lost nor make the session unrecordable."""
    asked = events.LoginAsked(1.0, "a\udc9bb", "shop", "psql")
    assert decode(encode(asked)) == events.LoginAsked(1.0, "a\\udc9bb", "shop", "psql")


@given(st.binary(max_size=80))
def test_junk_is_unreadable_and_never_raises_anything_else(junk: bytes) -> None:
    for payload in (junk, b'{"event":"statement_asked",' + junk, b'{"event":"session_closed","at":1,"reason":"' + junk):
        try:
            decode(payload)
        except UnreadableEvent as error:
            assert str(error)


def test_unknown_event_says_so() -> None:
    with pytest.raises(UnreadableEvent, match="this version of Blastwall knows"):
        decode(b'{"event":"teleported","at":1}')


def test_effects_and_rulings_are_values_again() -> None:
    asked = events.StatementAsked(
        1.0, 1, Stage.PREPARE, "x", (None,), (Effect(Action.READ, Object(("d",), "database")),), "", ""
    )
    ruled = events.StatementRuled(1.0, 1, Ruling(Decision.HOLD))
    assert decode(encode(asked)) == asked
    assert decode(encode(ruled)) == ruled


def test_an_event_of_before_there_were_statuses_is_read() -> None:
    old = encode(StatementFinished(1.0, 1, 2, None, 3, 0.1, None, {}, "200 OK")).replace(b',"status":"200 OK"', b"")
    assert b"status" not in old
    assert decode(old) == StatementFinished(1.0, 1, 2, None, 3, 0.1, None, {})
