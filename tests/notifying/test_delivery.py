"""Delivery: everything arrives, a place that is down holds up no other, and nobody sends what another has sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from tests.cli.api_server import ApiServer
from tests.notifying.conftest import told

from blastwall.config.credentials import SecretSource
from blastwall.config.notifications import Notification
from blastwall.notifying import Delivery, place_of
from blastwall.notifying.delivery import OLDEST_SECONDS
from blastwall.store.database import Store, open_store
from blastwall.store.outbox import Letter, OutboxTable

KEY = "a key of more than twenty-four bytes"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_store(f"sqlite:///{tmp_path}/state/blastwall.db")
    yield opened
    await opened.close()


class Clock:
    """The real time, and as much more as a test says."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


def letter(number: int, destination: str, at: float | None = None) -> Letter:
    body = msgspec.json.encode(told(id=f"a{number}")).decode()
    return Letter(f"{destination}-{number}", destination, body, time.time() + number / 1000 if at is None else at)


def notification(server: ApiServer, name: str) -> Notification:
    return Notification.model_validate(
        {
            "name": name,
            "webhook": f"{server.url}/{name}",
            "secret": {"env": "KEY"},
            "private": True,
            "ca": str(server.ca),
        }
    )


def reader(_source: SecretSource) -> Callable[[], Awaitable[bytes]]:
    async def read() -> bytes:
        return KEY.encode()

    return read


async def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def delivery(
    server: ApiServer, store: Store, *names: str, clock: Clock | None = None
) -> tuple[Delivery, CollectorRegistry]:
    registry = CollectorRegistry()
    made = Delivery(OutboxTable(store), now=clock or Clock(), registry=registry)
    made.reconfigure([place_of(notification(server, name), "https://gw.example", reader) for name in names])
    return made, registry


def counted(registry: CollectorRegistry, name: str, result: str) -> float:
    return registry.get_sample_value("blastwall_notifications_total", {"notification": name, "result": result}) or 0.0


async def test_everything_arrives_in_its_order_and_is_forgotten(server: ApiServer, store: Store) -> None:
    server.answer("POST /ops", (200, b""))
    table = OutboxTable(store)
    await table.put([letter(number, "ops") for number in range(12)], 100)
    sending, registry = delivery(server, store, "ops")
    await sending.start()
    try:
        await until(lambda: len(server.asked) == 12)
        await until(lambda: counted(registry, "ops", "sent") == 12)
    finally:
        await sending.stop()
    assert [asked.headers["webhook-id"] for asked in server.asked] == [f"ops-{number}" for number in range(12)]
    assert await table.waiting() == {}


async def test_what_is_told_while_it_runs_is_sent_at_once(server: ApiServer, store: Store) -> None:
    server.answer("POST /ops", (200, b""))
    sending, _ = delivery(server, store, "ops")
    await sending.start()
    try:
        await OutboxTable(store).put([letter(1, "ops")], 100)
        sending.wake()
        await until(lambda: len(server.asked) == 1)
    finally:
        await sending.stop()


async def test_a_dead_place_is_tried_again_and_holds_up_no_other(server: ApiServer, store: Store) -> None:
    server.answer("POST /dead", (500, b""), (500, b""), (200, b""))
    server.answer("POST /ops", (200, b""))
    clock = Clock()
    await OutboxTable(store).put([letter(1, "dead"), letter(1, "ops"), letter(2, "ops")], 100)
    sending, registry = delivery(server, store, "dead", "ops", clock=clock)

    def failed_so_often(times: int) -> bool:
        return counted(registry, "dead", "failed") == times

    await sending.start()
    try:
        await until(lambda: counted(registry, "ops", "sent") == 2)
        for failures in (1, 2):
            await until(partial(failed_so_often, failures))
            clock.ahead += 60
            sending.wake()
        await until(lambda: counted(registry, "dead", "sent") == 1)
    finally:
        await sending.stop()


async def test_what_is_too_old_is_given_up_and_counted(server: ApiServer, store: Store) -> None:
    await OutboxTable(store).put([letter(1, "gone", time.time() - OLDEST_SECONDS - 5)], 100)
    sending, registry = delivery(server, store, "ops")
    await sending.start()
    try:
        await until(lambda: counted(registry, "any", "dead") == 1)
    finally:
        await sending.stop()
    assert server.asked == []


async def test_two_processes_send_each_message_once(server: ApiServer, store: Store) -> None:
    server.answer("POST /ops", (200, b""))
    await OutboxTable(store).put([letter(number, "ops") for number in range(20)], 100)
    running = [delivery(server, store, "ops") for _ in range(2)]
    await asyncio.gather(*(sending.start() for sending, _ in running))
    try:
        await until(lambda: sum(counted(registry, "ops", "sent") for _, registry in running) == 20)
    finally:
        await asyncio.gather(*(sending.stop() for sending, _ in running))
    sent = [asked.headers["webhook-id"] for asked in server.asked]
    assert sorted(sent) == sorted(set(sent))


async def test_what_was_being_sent_at_the_stop_is_given_back(server: ApiServer, store: Store) -> None:
    table = OutboxTable(store)
    await table.put([letter(1, "ops")], 100)
    sending, _ = delivery(server, store, "ops")
    await table.claim("ops", sending._by, time.time() + 1, time.time() + 500, 5)
    await sending.start()
    await sending.stop()
    assert await table.due(time.time() + 1) == {"ops"}
