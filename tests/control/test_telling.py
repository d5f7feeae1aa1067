"""Telling people: who wants to know is told, nobody is flooded, and nothing that happens waits or fails for it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_address
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from tests.notifying.conftest import told
from tests.waiting import promised

from blastwall.config.notifications import Notification
from blastwall.control.telling import A_MINUTE, Telling
from blastwall.gate.ports import Subject
from blastwall.model.effects import Action, Effect, Object
from blastwall.model.events import StatementAsked
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.model.resource import Address, Resource
from blastwall.model.ruling import Decision, Ruling
from blastwall.model.statement import Stage
from blastwall.model.told import Told, Topic
from blastwall.store.database import Store, open_store
from blastwall.store.outbox import OutboxTable


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_store(f"sqlite:///{tmp_path}/state/blastwall.db")
    yield opened
    await opened.close()


class Desk:
    """A telling with its outbox; `now` stands still until a test moves it."""

    def __init__(self, store: Store, notifications: Sequence[Notification]) -> None:
        self.now = 1_000_000.0
        self.outbox = OutboxTable(store)
        self.registry = CollectorRegistry()
        self.telling = Telling(self.outbox, lambda: notifications, now=lambda: self.now, registry=self.registry)

    async def waiting(self, name: str) -> list[Told]:
        letters = await self.outbox.claim(name, "test", self.now + 1, self.now + 1, 1000)
        return [msgspec.json.decode(letter.body, type=Told) for letter in letters]

    def counted(self, topic: str, result: str) -> float:
        return self.registry.get_sample_value("blastwall_told_total", {"topic": topic, "result": result}) or 0.0


def slack(name: str, *topics: str, resources: Sequence[str] = ()) -> Notification:
    return Notification.model_validate(
        {"name": name, "slack": {"env": "URL"}, "for": list(topics), "resources": list(resources)}
    )


async def test_each_place_is_told_of_what_it_wants(store: Store) -> None:
    desk = Desk(store, [slack("dba", "approval"), slack("sec", "containment", "approval", resources=["pg-other"])])
    await desk.telling.tell(told())
    await desk.telling.tell(told(topic=Topic.CONTAINMENT, resource=""))
    assert [each.topic for each in await desk.waiting("dba")] == [Topic.APPROVAL]
    assert [each.topic for each in await desk.waiting("sec")] == [Topic.CONTAINMENT]


async def test_an_agent_cannot_bury_people_and_what_was_passed_over_is_said(store: Store) -> None:
    desk = Desk(store, [slack("dba", "denied")])
    most = A_MINUTE[Topic.DENIED]
    for _ in range(most + 7):
        await desk.telling.tell(told(topic=Topic.DENIED))
    await desk.telling.tell(told(topic=Topic.DENIED, who="agent other"))
    assert len(await desk.waiting("dba")) == most + 1
    desk.now += 60
    await desk.telling.tell(told(topic=Topic.DENIED))
    assert ("not told", "7 more like this") in (await desk.waiting("dba"))[-1].facts
    assert desk.counted("denied", "limited") == 7


async def test_a_state_that_cannot_be_written_stops_nothing(store: Store) -> None:
    desk = Desk(store, [slack("dba", "approval")])
    await store.close()
    async with store.write() as connection:
        await connection.exec_driver_sql("DROP TABLE outbox")
    await desk.telling.tell(told())
    assert desk.counted("approval", "lost") == 1


def a_refusal(session: str = "s1") -> tuple[Subject, str, StatementAsked, Ruling]:
    principal = Principal(PrincipalKind.AGENT, "shop-ci", "github", "sub", frozenset({"ci"}), {})
    resource = Resource("pg-prod", "kind", Address("db", 1), ("shop",))
    subject = Subject(principal, resource, "shop", ip_address("10.0.0.1"))
    effect = Effect(Action.DROP, Object(("shop", "public", "orders"), "table"))
    asked = StatementAsked(1.0, 3, Stage.EXECUTE, "DROP TABLE orders", (), (effect,), "DROP", "")
    return subject, session, asked, Ruling(Decision.DENY, "agents drop nothing", ("no-drops",))


async def test_a_refused_statement_is_told_without_waiting(store: Store) -> None:
    desk = Desk(store, [slack("sec", "denied")])
    await desk.telling.start()
    began = time.perf_counter()
    desk.telling.denied(*a_refusal())
    assert time.perf_counter() - began < promised(1)
    await desk.telling.stop()
    (message,) = await desk.waiting("sec")
    assert message.title == "shop-ci was refused at pg-prod"
    assert message.link == "#/sessions/s1"
    assert ("would", "drop pg-prod/shop/public/orders") in message.facts
    assert ("refused by", "no-drops") in message.facts


async def test_a_flood_of_refusals_is_bounded_and_counted(store: Store) -> None:
    desk = Desk(store, [slack("sec", "denied")])
    for _ in range(1000):
        desk.telling.denied(*a_refusal())
    assert desk.counted("denied", "lost") == 1000 - 256


async def test_nobody_who_wants_refusals_is_no_work(store: Store) -> None:
    desk = Desk(store, [slack("dba", "approval")])
    for _ in range(1000):
        desk.telling.denied(*a_refusal())
    assert desk.telling._queue.empty()
