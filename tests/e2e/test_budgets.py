"""What an agent takes adds up over sessions, workers and nodes; who takes too much is contained until it is lifted."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg.errors import ConfigurationLimitExceeded
from tests.e2e.conftest import Shop
from tests.e2e.opening import changed, events_so_far, lets_in, metrics, opened, sessions
from tests.waiting import SOON, eventually, promised

from blastwall.model.events import BudgetSpent
from blastwall.testing.postgres import PostgresServer

READS = {"name": "reads", "agents": ["shop-ci"], "rows_read": 100}


def contained(shop: Shop) -> dict[str, str]:
    """The reasons for which agents are contained now."""
    with closing(sqlite3.connect(shop.gateway.folder / "state" / "blastwall.db")) as state:
        found = state.execute("SELECT name, reason FROM containments WHERE kind = 'agent' AND lifted IS NULL")
        return {str(name): str(reason) for name, reason in found}


def take(shop: Shop, statement: str, times: int) -> int:
    """Run a statement in sessions of its own; return how often it went."""
    done = 0
    try:
        for _ in range(times):
            with shop.connect() as agent:
                for _ in range(5):
                    agent.execute(statement).fetchall()
                    done += 1
    except psycopg.Error:
        pass
    return done


def test_many_small_results_in_many_sessions_and_workers(postgres_newest: PostgresServer, tmp_path: Path) -> None:
    with opened(postgres_newest, tmp_path, budgets=[READS], workers=2) as shop:
        done = take(shop, "SELECT * FROM orders LIMIT 10", 400)
        assert 10 <= done < promised(100), "the budget is felt, within what two workers pass on in a moment"
        found = eventually(lambda: contained(shop), "the agent is contained")
        assert found["shop-ci"].startswith("budget reads: rows_read 1")
        assert eventually(lambda: not lets_in(shop), "the agent is kept out")
        assert lets_in(shop, "43"), "another agent is not harmed"
        assert eventually(lambda: spent(shop), "it is recorded in the session that spent it")
        shop.gateway.run("contain", "agent", "shop-ci", "--lift", "--reason", "it is over")
        assert eventually(lambda: lets_in(shop), "the agent is let in again")
        eventually(lambda: take(shop, "SELECT 1", 1) == 5, "every worker has heard of it")


def test_each_thing_that_is_counted(postgres_newest: PostgresServer, tmp_path: Path) -> None:
    agents = [
        {"name": name, "issuer": "ci", "match": {"repository_id": repository}, "groups": ["ci"]}
        for name, repository in (("copier", "42"), ("curious", "43"), ("busy", "44"))
    ]
    budgets = [
        {"name": "bytes", "agents": ["copier"], "bytes_out": "1MiB"},
        {"name": "cells", "agents": ["curious"], "masked_cells": 5},
        {"name": "changes", "agents": ["busy"], "rows_changed": 10},
    ]
    masking = [{"resource": "pg-prod", "columns": ["public.customers.email"], "with": "redact"}]
    with opened(postgres_newest, tmp_path, agents=agents, budgets=budgets, masking=masking) as shop:
        with shop.connect() as copier:
            assert 0 < streamed(copier) < 200 << 20, "a result that streams is cut off; the whole has 810 MB"
        with shop.connect(repository_id="43") as curious, shop.connect(repository_id="44") as busy:
            curious.execute("SELECT email FROM customers").fetchall()
            busy.execute("INSERT INTO archive SELECT n FROM generate_series(1, 10) n")
            assert not {"curious", "busy"} & contained(shop).keys()
            until_refused(curious, "SELECT email FROM customers")
            until_refused(busy, "INSERT INTO archive VALUES (11)")
        eventually(lambda: len(contained(shop)) == 3, "all are contained")
        reasons = {name: reason.split(" ")[2] for name, reason in contained(shop).items()}
        assert reasons == {"copier": "bytes_out", "curious": "masked_cells", "busy": "rows_changed"}


def streamed(agent: psycopg.Connection[tuple[object, ...]]) -> int:
    """How many bytes of a very large result came before it was cut off."""
    got = 0
    copying = "COPY (SELECT repeat('x', 1000) FROM orders a, orders b, orders c, orders d) TO STDOUT"
    with pytest.raises(psycopg.Error), agent.cursor().copy(copying) as copy:
        for part in copy:
            got += len(bytes(part))
            time.sleep(0.0005)
    return got


def spent(shop: Shop) -> bool:
    return any(isinstance(event, BudgetSpent) for session in events_so_far(shop).values() for event in session)


def until_refused(agent: psycopg.Connection[tuple[object, ...]], statement: str) -> None:
    deadline = time.monotonic() + SOON
    with pytest.raises(psycopg.Error):
        while time.monotonic() < deadline:
            agent.execute(statement)


def test_quotas_make_an_agent_wait_and_harm_no_other(postgres_newest: PostgresServer, tmp_path: Path) -> None:
    with opened(postgres_newest, tmp_path) as shop:
        agents = shop.gateway.configuration["agents"]
        assert isinstance(agents, list)
        first, *others = agents
        changed(shop, agents=[{**first, "statements_per_minute": 20, "logins_per_minute": 4}, *others])
        with shop.connect() as agent, shop.connect(repository_id="43") as other:
            for _ in range(20):
                agent.execute("SELECT 1")
            with pytest.raises(ConfigurationLimitExceeded, match="at most 20 times in 60 s"):
                for _ in range(5):
                    agent.execute("SELECT 1")
            assert agent.info.transaction_status is psycopg.pq.TransactionStatus.IDLE
            for _ in range(50):
                other.execute("SELECT 1")
            with pytest.raises(psycopg.OperationalError, match="begin sessions at most 4 times"):
                for _ in range(5):
                    shop.connect().close()
            assert lets_in(shop, "43")
        eventually(lambda: sessions(shop) == 0, "the sessions from before have ended")
        changed(shop, agents=[{**first, "max_sessions": 1}, *others])
        with shop.connect(), pytest.raises(psycopg.OperationalError, match="1 sessions open, as many as it may have"):
            shop.connect()
        assert eventually(lambda: lets_in(shop), "the place is free again")
        found = metrics(shop)
        assert found['blastwall_throttled_total{resource="pg-prod",what="statement"}'] >= 1
        assert found['blastwall_throttled_total{resource="pg-prod",what="login"}'] >= 1
