"""Texts that take seconds to read stall nobody but who sends them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from statistics import median

import psycopg
import pytest
from tests.e2e.conftest import Shop
from tests.e2e.opening import opened
from tests.waiting import SOON, eventually, promised

from blastwall.testing.postgres import PostgresServer

HOSTILE = 120_000
"""Bytes; one such text took the data loop a second."""


@pytest.fixture(scope="module")
def shop(postgres_newest: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with opened(postgres_newest, tmp_path_factory.mktemp("flood")) as shop:
        yield shop


def hostile(number: int) -> str:
    return f"SELECT {number}, " + ", ".join(["f(1)"] * (HOSTILE // 6))


@contextmanager
def flood(shop: Shop, clients: int = 3) -> Iterator[Callable[[], int]]:
    """Have one agent send hostile texts over several connections; yield how many were answered."""
    numbers, answered, stop = count(), count(), threading.Event()
    answers: list[int] = []
    connections: list[psycopg.Connection[tuple[object, ...]]] = []

    def send() -> None:
        while not stop.is_set():
            try:
                with shop.connect() as connection:
                    connections.append(connection)
                    while not stop.is_set():
                        try:
                            connection.execute(hostile(next(numbers)))
                        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.QueryCanceled):
                            answers.append(next(answered))
            except psycopg.OperationalError:
                time.sleep(0.1)

    threads = [threading.Thread(target=send) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield lambda: len(answers)
    finally:
        stop.set()
        for connection in connections:
            with suppress(psycopg.Error):
                connection.cancel()
        for thread in threads:
            thread.join()


def test_another_agents_statements_are_answered_meanwhile(shop: Shop) -> None:
    with flood(shop) as answered, shop.connect(repository_id="43") as other:
        eventually(lambda: answered() >= 1, "a hostile text is answered", 60)
        taken = []
        for number in range(40):
            began = time.monotonic()
            assert other.execute(f"SELECT {number}").fetchone() == (number,)
            taken.append(time.monotonic() - began)
        assert median(taken) < promised(0.5)
        began = time.monotonic()
        long = "SELECT id" + ", 1" * 1500 + " FROM orders WHERE id = 1"
        row = other.execute(long.encode()).fetchone()
        assert row is not None
        assert row[0] == 1
        assert time.monotonic() - began < 30


def test_containment_works_meanwhile(shop: Shop) -> None:
    with flood(shop, clients=1), shop.connect() as idle:
        time.sleep(0.5)
        shop.gateway.run("contain", "agent", "shop-ci", "--reason", "floods")
        try:
            with pytest.raises(psycopg.OperationalError):
                for _ in range(int(SOON / 0.1)):
                    idle.execute("SELECT 1")
                    time.sleep(0.1)
        finally:
            shop.lift("shop-ci")


def test_a_text_that_is_read_elsewhere_is_judged_masked_and_recorded_as_any(shop: Shop) -> None:
    padding = " -- " + "x" * 5000
    with shop.connect() as agent:
        (row,) = agent.execute(f"SELECT email FROM customers WHERE id = 1{padding}".encode()).fetchall()
        assert row == ("a***@example.com",)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            agent.execute(f"SELECT * FROM vault{padding}".encode())
        assert agent.execute("SELECT 1").fetchone() == (1,)


def test_a_statement_can_be_cancelled_while_it_is_read(shop: Shop) -> None:
    with shop.connect() as agent:
        over = threading.Event()
        cancelling = threading.Thread(target=cancel_until, args=(agent, over))
        cancelling.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            agent.execute(hostile(-1).encode())
        over.set()
        cancelling.join()
        eventually(lambda: answers(agent), "the session goes on")


def answers(agent: psycopg.Connection[tuple[object, ...]]) -> bool:
    """Whether a statement is answered; a cancel request that came late may have met it."""
    try:
        return agent.execute("SELECT 1").fetchone() == (1,)
    except psycopg.errors.QueryCanceled:
        return False


def cancel_until(agent: psycopg.Connection[tuple[object, ...]], over: threading.Event) -> None:
    """Cancel again and again: one that comes before the statement cancels nothing."""
    while not over.wait(0.2):
        agent.cancel()
