"""What the tests' API answers has the shapes of the gateway's own answers: a page tested on it fits the gateway."""

from __future__ import annotations

import pytest
from pydantic import BaseModel
from tests.web import story, story_estate, story_events
from tests.web.fake_answers import Known, answer
from tests.web.story import Thing

from blastwall.api import about, approvals, containment, grants, overview, policies, sessions
from blastwall.api.moments import Moment

SHAPES: list[tuple[str, type[BaseModel], list[Thing]]] = [
    ("approvals", approvals.Approval, [one for one in story.approvals() if one["id"] != "ap-evil"]),
    ("grants", grants.Grant, [one for one in story.grants() if one["id"] != "gr-evil"]),
    ("sessions", sessions.Session, story.sessions()),
    ("events", Moment, story_events.events("01JDREPLAY")),
    ("requests", Moment, story_events.events("01JDRAZURE")),
    ("agents", overview.Agent, story_estate.agents()),
    ("resources", overview.Resource, story_estate.resources()),
    ("policies", policies.Policies, [story_estate.policies()]),
    ("rulings", policies.Explanation, [story_estate.explained("SELECT 1")]),
    ("containment", containment.Containment, story_estate.containment()),
    ("health", about.Health, [story_estate.HEALTH]),
    ("me", about.Me, [answer(Known(), ["me"], {})]),
]


@pytest.mark.parametrize(("kind", "shape", "things"), SHAPES, ids=[kind for kind, _, _ in SHAPES])
def test_the_tests_answers_have_the_gateway_s_shapes(kind: str, shape: type[BaseModel], things: list[Thing]) -> None:
    assert things
    for thing in things:
        assert set(shape.model_validate(thing).model_dump()) >= set(thing), kind
