"""A grant as its agent feels it: refused with the way to ask, let in, and out at the end however it clings to it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from tests.e2e.conftest import POLICIES, Shop
from tests.e2e.opening import backends, changed, ends, opened
from tests.waiting import SOON, eventually, promised

from blastwall.app.approving import seal_of
from blastwall.app.places import key_once
from blastwall.cli.remote import Remote
from blastwall.cli.servers import server_at
from blastwall.store.database import open_store
from blastwall.store.grants import GrantChange, GrantDecision, GrantTable
from blastwall.testing.postgres import PostgresServer

GRANTED = (
    POLICIES.replace('@id("ci-connects")', '@id("ci-connects")\n@grant("dba:1")\n@grant_max("2h")')
    + """
@id("ci-empties-the-archive-when-granted")
@grant("dba:1")
permit (principal in Group::"ci", action == Action::"drop", resource in Schema::"pg-prod/shop/public");
"""
)
PACKS = [{"postgres": {"except": ["postgres-masked-filters", "postgres-drop"]}}]
OVER = "the grant that this session rested on has ended"


@pytest.fixture(scope="module")
def shop(postgres_newest: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with opened(postgres_newest, tmp_path_factory.mktemp("grants"), policies=GRANTED, packs=PACKS) as shop:
        control = {"port": shop.gateway.control_port, "roles": {"operator": ["dba"]}}
        changed(shop, control=control)
        yield shop


def api(shop: Shop, **claims: object) -> Remote:
    token = shop.issuer.token("dora", claims=claims) if claims else shop.token()
    return Remote(server_at(shop.gateway.control_url, "--server", shop.gateway.ca), token)


def granted(shop: Shop, *actions: str) -> str:
    """Have a grant of an hour asked for and approved; return its id."""
    wish = {"resource": "pg-prod", "actions": list(actions), "reason": "orders are stuck", "minutes": 60}
    identity = str(api(shop).post("/grants", wish)["id"])
    assert api(shop, oid="d0").post(f"/grants/{identity}/approve", {})["state"] == "open"
    return identity


def revoke(shop: Shop, identity: str) -> None:
    api(shop, oid="d0").post(f"/grants/{identity}/revoke", {"comment": "enough"})


def end_in(shop: Shop, identity: str, seconds: float) -> float:
    """Let a grant end so soon, as if it had been shorter; return when, by this process's clock."""
    at = time.time() + seconds
    decision = GrantDecision(
        identity, "approve", "ci", "the test", "the test", "as if it had been shorter", time.time()
    )

    async def shorten() -> None:
        folder = shop.gateway.folder / "state"
        store = await open_store(f"sqlite:///{folder}/blastwall.db")
        store.seal = seal_of(key_once(folder / "approvals.key"))
        await GrantTable(store).decide(identity, lambda _: GrantChange(decision, {"ends": at}))
        await store.close()

    asyncio.run(shorten())
    return at


def test_a_grant_that_was_written_into_the_state_opens_nothing(shop: Shop) -> None:
    identity = granted(shop, "connect")
    revoke(shop, identity)
    with closing(sqlite3.connect(shop.gateway.folder / "state" / "blastwall.db", timeout=20)) as database, database:
        database.row_factory = sqlite3.Row
        row = dict(database.execute("SELECT * FROM grants WHERE id = ?", (identity,)).fetchone())
        row |= {"id": "forged", "state": "open", "closed_at": None, "ends": time.time() + 600}
        marks = ", ".join("?" * len(row))
        database.execute(f"INSERT INTO grants ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))
    eventually(lambda: "grant_not_ours" in shop.gateway.log, "the gateway has seen it, and says so")
    with pytest.raises(psycopg.OperationalError, match="without a grant"):
        shop.connect()
    assert api(shop, oid="d0").get("/grants/forged")["state"] == "ended"


def test_a_login_without_a_grant_hears_how_to_ask_for_one(shop: Shop) -> None:
    with pytest.raises(psycopg.OperationalError) as refused:
        shop.connect()
    said = str(refused.value)
    assert "without a grant; ask for one with `blastwall grants ask pg-prod connect`" in said
    assert "/#/grants/ask?resource=pg-prod&actions=connect" in said


def test_sessions_end_with_their_grant_however_often_the_agent_reconnects(shop: Shop) -> None:
    identity = granted(shop, "connect")
    kept = shop.connect()
    at = end_in(shop, identity, promised(5))
    lets_in, seen = True, list[float]()

    def storm() -> None:
        nonlocal lets_in
        while lets_in and time.time() < at + 20:
            try:
                with shop.connect() as agent:
                    agent.execute("SELECT count(*) FROM orders")
                    seen.append(time.time())
            except psycopg.OperationalError:
                lets_in = False

    thread = threading.Thread(target=storm)
    thread.start()
    said, _ = ends(kept)
    ended = time.time()
    thread.join(SOON)
    assert OVER in said
    assert at - 0.1 <= ended < at + promised(5)
    assert not lets_in
    assert len(seen) > 1
    assert max(seen) < at + promised(1), "the answer may arrive a little later than it was allowed"
    eventually(lambda: backends(shop) == 0, "the resource's sessions end with them")


def test_what_runs_under_a_grant_ends_when_it_is_revoked(shop: Shop) -> None:
    identity = granted(shop, "connect", "drop")
    with shop.connect() as agent:
        agent.execute("BEGIN")
        agent.execute("TRUNCATE archive")
        revoke(shop, identity)
        said, _ = ends(agent)
    assert OVER in said
    eventually(lambda: backends(shop) == 0, "its transaction is gone with it")
    assert shop.direct("SELECT count(*)::int FROM pg_locks WHERE relation = 'archive'::regclass") == [(0,)]


def test_a_session_that_another_grant_admits_goes_on_without_what_ended(shop: Shop) -> None:
    login, more = granted(shop, "connect"), granted(shop, "drop")
    with shop.connect() as agent:
        agent.execute("TRUNCATE archive")
        revoke(shop, more)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="blastwall grants ask pg-prod drop"):
            agent.execute("TRUNCATE archive")
        assert agent.execute("SELECT count(*) FROM orders").fetchone() == (30,)
        revoke(shop, login)
        assert OVER in ends(agent)[0]


def test_a_grant_is_nobody_elses(shop: Shop) -> None:
    identity = granted(shop, "connect")
    with pytest.raises(psycopg.OperationalError, match="without a grant"):
        shop.connect(repository_id="43")
    revoke(shop, identity)


def test_the_last_use_shows(shop: Shop) -> None:
    identity = granted(shop, "connect")
    shop.connect().close()
    eventually(lambda: api(shop).get(f"/grants/{identity}")["last_used"], "it is written")
    revoke(shop, identity)


def test_containment_cancels_what_runs_and_spoils_the_token(shop: Shop, tmp_path: Path) -> None:
    identity = granted(shop, "connect")
    token = shop.token()
    dsn = shop.gateway.dsn(shop.database, token, resource="pg-prod")
    agent = psycopg.connect(dsn, autocommit=True)
    failed: list[str] = []

    def run() -> None:
        try:
            agent.execute("SELECT count(*) FROM generate_series(1, 100000000000) n")
        except psycopg.Error as error:
            failed.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    asking = (
        "SELECT count(*)::int FROM pg_stat_activity "
        "WHERE state = 'active' AND query LIKE '%100000000000%' AND pid <> pg_backend_pid()"
    )
    eventually(lambda: shop.direct(asking) == [(1,)], "it runs")
    operator = api(shop, oid="d0")
    thing = {"kind": "agent", "name": "shop-ci"}
    operator.post("/containment", {**thing, "reason": "the token leaked"})
    thread.join(SOON)
    assert not thread.is_alive()
    assert "contained by the gateway's operator" in failed[0]
    eventually(lambda: shop.direct(asking) == [(0,)], "it is cancelled at the resource")
    operator.post("/containment/lift", {**thing, "reason": "rotated"})
    with pytest.raises(psycopg.OperationalError, match="from before a containment"):
        psycopg.connect(dsn)

    def fresh() -> bool:
        try:
            shop.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    eventually(fresh, "a fresh token is good again")
    revoke(shop, identity)
