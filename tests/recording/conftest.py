"""Recordings made by a real recorder, and the tools of somebody who wants to change them unnoticed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from blastwall.config.model import Anchor, Recordings
from blastwall.gate.each import Awaiting
from blastwall.gate.ports import RecordingFailed
from blastwall.model.effects import Action, Effect, Object
from blastwall.model.events import (
    Event,
    LoginAdmitted,
    LoginAsked,
    SessionClosed,
    SessionOpened,
    StatementAsked,
    StatementFinished,
    StatementRuled,
)
from blastwall.model.ruling import Decision, Ruling
from blastwall.model.statement import Stage
from blastwall.recording.encryption import NO_KEYS, Keyring
from blastwall.recording.keys import load_or_create_key
from blastwall.recording.recorder import Record, Recorder


@dataclass
class Clock:
    """A clock that goes one second a look; the wall clock was set by `jump` seconds."""

    now: float = 1_700_000_000.0
    jump: float = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now + self.jump

    def steady(self) -> float:
        return self.now


@dataclass
class Outcome(Awaiting):
    """What `durable` was called with; it awaits quick records, too."""

    calls: list[RecordingFailed | None] = field(default_factory=list)

    def __call__(self, failed: RecordingFailed | None) -> None:
        self.calls.append(failed)

    def recorded(self, failure: RecordingFailed | None) -> None:
        self.calls.append(failure)

    def unrecorded(self, failure: RecordingFailed | None) -> None:
        self.calls.append(failure)


def opening(at: float, session: str, principal: str = "shop-ci", resource: str = "pg-prod") -> list[Event]:
    return [
        SessionOpened(at, session, resource, "postgres", "", "10.20.0.7"),
        LoginAsked(at, "ci", "shop", "psql"),
        LoginAdmitted(
            at, "agent", principal, "github", "repo:shop", ("ci",), {"repository_id": "123"}, "token", "app", (), "v1"
        ),
    ]


def asked(at: float, number: int, text: str, action: Action = Action.READ, table: str = "orders") -> list[Event]:
    effect = Effect(action, Object(("shop", "public", table), "table"))
    return [
        StatementAsked(at, number, Stage.EXECUTE, text, ("7", None), (effect,), "SELECT", ""),
        StatementRuled(at, number, Ruling(Decision.ALLOW, policies=("ci-reads-orders",), version="v1")),
        StatementFinished(at, number, 2, None, 128, 0.25, None, {"email": 2}),
    ]


def write(record: Record, events: list[Event]) -> None:
    outcome = Outcome()
    record.write(events, outcome)
    record.recorder.flush()
    assert outcome.calls == [None]


class Place:
    """A recordings folder with its key and anchors."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.recordings = root / "recordings"
        self.anchors = root / "anchors"
        self.node = self.recordings / "n1"
        self.key_path = root / "state" / "recordings.key"
        self.clock = Clock()

    def recorder(self, *, keyring: Keyring = NO_KEYS, **settings: object) -> Recorder:
        values: dict[str, object] = {
            "to": self.recordings,
            "checkpoint": timedelta(hours=1),
            "anchors": [Anchor(folder=self.anchors)],
            "segment_size": 4000,
            **settings,
        }
        key = load_or_create_key(self.key_path)
        recordings, steady = Recordings.model_validate(values), self.clock.steady
        return Recorder(recordings, "n1", key, self.clock, steady=steady, keyring=keyring)

    @property
    def public(self) -> Path:
        return self.key_path.with_name(self.key_path.name + ".pub")


async def settled(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds that background work brings about."""
    for _ in range(6000):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not come about within a minute")


async def record_two_runs(place: Place) -> None:
    """Three sessions over several segments in one run, and a fourth in a second run; all ends anchored."""
    recorder = place.recorder()
    await recorder.start()
    one, two = recorder.open("session-one"), recorder.open("session-two")
    write(one, opening(place.clock(), "session-one"))
    write(two, opening(place.clock(), "session-two", principal="other-ci"))
    for number in range(6):
        write(one, asked(place.clock(), number, f"select {number} from orders"))
        write(two, asked(place.clock(), number, f"delete from carts where id = {number}", Action.DELETE, "carts"))
    await recorder.checkpoint()
    write(one, [SessionClosed(place.clock(), "client left")])
    one.close()
    two.close()
    three = recorder.open("session-three")
    write(three, opening(place.clock(), "session-three"))
    three.close()
    await recorder.stop()
    recorder = place.recorder()
    await recorder.start()
    four = recorder.open("session-four")
    write(four, opening(place.clock(), "session-four"))
    write(four, asked(place.clock(), 0, "select 'Grüße' from orders"))
    four.close()
    await recorder.stop()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
async def recorded(place: Place) -> Place:
    await record_two_runs(place)
    return place
