"""SIGHUP puts all of a configuration in force, or nothing of it, and no session notices but by its rulings."""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from tests.e2e.conftest import EMAILS, POLICIES, Shop
from tests.e2e.opening import changed, events, metrics, opened
from tests.waiting import SOON, eventually, promised, unchanged

from blastwall.model.events import StatementRuled
from blastwall.model.ruling import Decision
from blastwall.testing.certificates import CertificateAuthority
from blastwall.testing.postgres import PostgresServer

Agent = psycopg.Connection[tuple[object, ...]]
NO_READS = """
@id("nobody-reads-orders")
@reason("orders are closed for stocktaking")
forbid (principal, action == Action::"read", resource == Object::"pg-prod/shop/public/orders");
"""


@pytest.fixture(scope="module")
def shop(postgres_newest: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with opened(postgres_newest, tmp_path_factory.mktemp("reload")) as shop:
        yield shop


@pytest.fixture(autouse=True)
def restored(shop: Shop) -> Iterator[None]:
    """Put the first configuration in force again."""
    yield
    put(shop, POLICIES)
    assert last(shop) == "reloaded"


def put(shop: Shop, policies: str, **changes: object) -> None:
    shop.gateway.write({**shop.gateway.configuration, **changes}, {"shop.cedar": policies})
    shop.gateway.reload()


def last(shop: Shop) -> str:
    """What came of the last reload."""
    return str(last_line(shop)["event"])


def last_line(shop: Shop) -> dict[str, object]:
    lines = [json.loads(line) for line in shop.gateway.log.splitlines() if line.startswith("{")]
    found: dict[str, object] = [line for line in lines if str(line["event"]).startswith("reload")][-1]
    return found


class TestRulings:
    def test_a_running_session_obeys_the_new_policy(self, shop: Shop) -> None:
        with shop.connect() as agent:
            assert agent.execute("SELECT count(*) FROM orders").fetchone() == (30,)
            put(shop, POLICIES + NO_READS)
            with pytest.raises(InsufficientPrivilege, match="orders are closed for stocktaking"):
                agent.execute("SELECT count(*) FROM orders")
            put(shop, POLICIES)
            assert agent.execute("SELECT count(*) FROM orders").fetchone() == (30,)

    def test_a_statement_that_was_prepared_before(self, shop: Shop) -> None:
        with shop.connect() as agent:
            for _ in range(2):
                agent.execute("SELECT id FROM orders WHERE id = %s", (1,), prepare=True)
            agent.execute("PREPARE of_sql AS SELECT id FROM orders")
            put(shop, POLICIES + NO_READS)
            with pytest.raises(InsufficientPrivilege, match="stocktaking"):
                agent.execute("SELECT id FROM orders WHERE id = %s", (1,), prepare=True)
            with pytest.raises(InsufficientPrivilege, match="stocktaking"):
                agent.execute("EXECUTE of_sql")
            assert agent.execute("SELECT 1").fetchone() == (1,)

    def test_a_portal_that_was_opened_before_fetches_no_more(self, shop: Shop) -> None:
        import asyncio

        import asyncpg

        async def talk() -> None:
            context = ssl.create_default_context(cafile=str(shop.gateway.ca))
            connection = await asyncpg.connect(
                host="localhost", port=shop.gateway.port("pg-prod"), user="ci", password=shop.token(), database="shop",
                ssl=context, timeout=SOON,
            )  # fmt: skip
            try:
                async with connection.transaction():
                    cursor = await connection.cursor("SELECT id FROM orders ORDER BY id")
                    assert len(await cursor.fetch(5)) == 5
                    await asyncio.to_thread(put, shop, POLICIES + NO_READS)
                    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="stocktaking"):
                        await cursor.fetch(5)
                assert await connection.fetchval("SELECT 1") == 1
            finally:
                await connection.close()

        asyncio.run(talk())

    def test_a_cursor_that_was_declared_before_fetches_no_more(self, shop: Shop) -> None:
        with closing(shop.connect()) as agent:
            agent.execute("BEGIN")
            agent.execute("DECLARE c CURSOR FOR SELECT id FROM orders")
            assert agent.execute("FETCH 2 FROM c").fetchall()
            put(shop, POLICIES + NO_READS)
            with pytest.raises(InsufficientPrivilege, match="stocktaking"):
                agent.execute("FETCH 2 FROM c")

    def test_masking(self, shop: Shop) -> None:
        with shop.connect() as agent:
            (before,) = agent.execute("SELECT email FROM customers WHERE id = 1").fetchone() or ("",)
            assert EMAILS[0] != before
            rule = {"resource": "pg-prod", "columns": ["public.customers.*"], "with": "null"}
            changed(shop, masking=[rule])
            assert agent.execute("SELECT name, email FROM customers WHERE id = 1").fetchone() == (None, None)

    def test_an_agent_that_is_gone_opens_nothing_new(self, shop: Shop) -> None:
        with shop.connect() as agent:
            given = shop.gateway.configuration["agents"]
            assert isinstance(given, list)
            changed(shop, agents=given[1:])
            with pytest.raises(psycopg.OperationalError, match="matches no configured agent"):
                shop.connect()
            assert agent.execute("SELECT 1").fetchone() == (1,)

    def test_observe_mode_records_what_it_would_have_decided(self, shop: Shop) -> None:
        put(shop, POLICIES + NO_READS.replace("@reason", '@mode("observe")\n@reason'))
        assert last(shop) == "reloaded"
        with shop.connect() as agent:
            assert agent.execute("SELECT count(*) FROM orders").fetchone() == (30,)
        ruled = [event for event in next(iter(events(shop).values())) if isinstance(event, StatementRuled)]
        (observed,) = [each for event in ruled for each in event.ruling.observed]
        assert (observed.policy, observed.decision) == ("nobody-reads-orders", Decision.DENY)

    def test_what_a_pack_forbids_is_opened_by_name_alone(self, shop: Shop) -> None:
        shop.direct("CREATE TABLE rubbish (n int); ALTER TABLE rubbish OWNER TO scram_user")
        drops = '@id("ci-drops")\npermit (principal in Group::"ci", action == Action::"drop", resource);\n'
        drops = drops.replace("resource)", 'resource in Schema::"pg-prod/shop/public")')
        with shop.connect() as agent:
            put(shop, POLICIES + drops)
            with pytest.raises(InsufficientPrivilege, match="approv"):
                agent.execute("DROP TABLE rubbish")
            put(shop, POLICIES + drops, packs=[{"postgres": {"except": ["postgres-drop"]}}])
            agent.execute("DROP TABLE rubbish")
            with pytest.raises(InsufficientPrivilege):
                agent.execute("COPY archive TO PROGRAM 'id'")
        shown = json.loads(shop.gateway.run("check", "--json"))
        assert "postgres-drop" in json.dumps(shown)


BAD: dict[str, tuple[str, dict[str, object], str]] = {
    "a policy that is not Cedar": (POLICIES + "permit (", {}, "shop.cedar:"),
    "a policy that misspells": (POLICIES + NO_READS.replace("@reason", "@raeson"), {}, "shop.cedar:"),
    "an unknown action": (POLICIES + NO_READS.replace("read", "raed"), {}, "shop.cedar:"),
    "an unknown key": (POLICIES, {"limmits": {}}, "blastwall.yaml:"),
    "an unknown pack policy": (POLICIES, {"packs": [{"postgres": {"except": ["no-such"]}}]}, "no-such"),
    "a change that needs a restart": (POLICIES, {"node": "other"}, "node"),
    "a variable that is not set": (
        POLICIES,
        {"masking_key": {"env": "BLASTWALL_NOT_SET"}},
        "BLASTWALL_NOT_SET",
    ),
}


class TestRefused:
    @pytest.mark.parametrize(("policies", "changes", "named"), BAD.values(), ids=BAD.keys())
    def test_a_bad_one_changes_nothing_and_says_where(
        self, shop: Shop, policies: str, changes: dict[str, object], named: str
    ) -> None:
        before = metrics(shop)
        with shop.connect() as agent:
            put(shop, policies, **changes)
            line = last_line(shop)
            assert line["event"] == "reload_refused"
            assert named in str(line["problems"])
            if named.endswith(":"):
                assert re.search(named.replace(".", r"\.") + r"\d+", str(line["problems"]))
            assert agent.execute("SELECT count(*) FROM orders").fetchone() == (30,)
        after = metrics(shop)
        assert after["blastwall_generation"] == before["blastwall_generation"]
        assert after["blastwall_reloads_refused_total"] == before["blastwall_reloads_refused_total"] + 1
        shop.connect().close()

    def test_a_half_of_it_is_never_in_force(self, shop: Shop) -> None:
        """A good policy beside a port that is taken: the policy must not come into force either."""
        given = shop.gateway.configuration["resources"]
        assert isinstance(given, list)
        moved = [{**given[0], "listen": shop.server.port}]
        with shop.connect() as agent:
            put(shop, POLICIES + NO_READS, resources=moved)
            assert last_line(shop)["event"] == "reload_refused"
            assert str(shop.server.port) in str(last_line(shop)["problems"])
            assert agent.execute("SELECT count(*) FROM orders").fetchone() == (30,)

    def test_a_file_that_is_gone(self, shop: Shop) -> None:
        with shop.connect() as agent:
            file = shop.gateway.file
            hidden = file.rename(file.with_suffix(".hidden"))
            try:
                shop.gateway.reload()
                assert last(shop) == "reload_refused"
                assert agent.execute("SELECT 1").fetchone() == (1,)
            finally:
                hidden.rename(file)


class TestUnderLoad:
    def test_no_session_is_dropped_and_no_ruling_is_late(self, shop: Shop) -> None:
        """Clients at work while the policy goes on and off; after each reload's word every statement obeys it."""
        stop, faults = threading.Event(), list[str]()
        counts = [0] * 4

        def work(place: int, agent: Agent) -> None:
            while not stop.is_set():
                try:
                    agent.execute("SELECT count(*) FROM orders", prepare=bool(place % 2))
                except InsufficientPrivilege:
                    pass
                except psycopg.Error as error:
                    faults.append(repr(error))
                    return
                counts[place] += 1

        with ExitStack() as stack:
            agents = [stack.enter_context(closing(shop.connect())) for _ in range(4)]
            observer = stack.enter_context(closing(shop.connect()))
            threads = [threading.Thread(target=work, args=each, daemon=True) for each in enumerate(agents)]
            for thread in threads:
                thread.start()
            for closed in (True, False) * 3:
                put(shop, POLICIES + NO_READS if closed else POLICIES)
                assert last(shop) == "reloaded"
                if closed:
                    with pytest.raises(InsufficientPrivilege):
                        observer.execute("SELECT count(*) FROM orders")
                else:
                    observer.execute("SELECT count(*) FROM orders")
            eventually(lambda: faults or min(counts) > 10, "every client was at work")
            stop.set()
            for thread in threads:
                thread.join(SOON)
        assert not faults

    def test_several_signals_at_once_end_in_the_newest(self, shop: Shop) -> None:
        shop.gateway.write(shop.gateway.configuration, {"shop.cedar": POLICIES + NO_READS})
        before = metrics(shop)["blastwall_generation"]
        for _ in range(20):
            os.kill(shop.gateway.pid, signal.SIGHUP)
        eventually(lambda: metrics(shop)["blastwall_generation"] > before, "a reload is done")
        eventually(
            lambda: unchanged(lambda: shop.gateway.log.count("reload"), promised(0.5)), "no other is still to come"
        )
        with shop.connect() as agent, pytest.raises(InsufficientPrivilege):
            agent.execute("SELECT count(*) FROM orders")


class TestListeners:
    def test_a_resource_that_is_gone_takes_nobody_and_keeps_who_is_in(self, shop: Shop) -> None:
        given = shop.gateway.configuration["resources"]
        assert isinstance(given, list)
        with shop.connect() as agent:
            policies = POLICIES.replace("pg-prod", "pg-next")
            put(shop, policies, resources=[{**given[0], "name": "pg-next"}], masking=[])
            assert last(shop) == "reloaded", last_line(shop)
            with closing(shop.connect()) as newcomer:
                assert newcomer.execute("SELECT count(*) FROM orders").fetchone() == (30,)
            with pytest.raises(InsufficientPrivilege):
                agent.execute("SELECT count(*) FROM orders")
            assert agent.closed is False

    def test_a_renewed_certificate(self, shop: Shop, tmp_path: Path) -> None:
        authority = CertificateAuthority("the next CA")
        certificate, key = authority.issue().write(tmp_path, "next")
        with shop.connect() as agent:
            changed(shop, tls={"certificate": str(certificate), "key": str(key)})
            with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
                shop.connect()
            dsn = shop.dsn().replace(str(shop.gateway.ca), str(authority.write(tmp_path)))
            psycopg.connect(dsn).close()
            assert agent.execute("SELECT 1").fetchone() == (1,)
            shop.gateway.write(shop.gateway.configuration)
            shop.gateway.reload()
            eventually(lambda: serves(shop), "the first certificate is back")

    def test_a_rotated_password_is_used_by_the_next_login(self, shop: Shop, tmp_path: Path) -> None:
        secret = tmp_path / "password"
        secret.write_text(shop.server.password + "\n")
        given = shop.gateway.configuration["resources"]
        assert isinstance(given, list)
        credential = {"user": "scram_user", "password": {"file": str(secret)}}
        changed(shop, resources=[{**given[0], "credential": credential}])
        with shop.connect() as before:
            shop.direct("ALTER ROLE scram_user PASSWORD 'the-next-one'")
            try:
                with pytest.raises(psycopg.OperationalError) as caught:
                    shop.connect()
                assert shop.server.password not in str(caught.value)
                secret.write_text("the-next-one")
                eventually(lambda: serves(shop), "the new password is used, without a reload", promised(6))
                assert before.execute("SELECT 1").fetchone() == (1,)
            finally:
                shop.direct(f"ALTER ROLE scram_user PASSWORD '{shop.server.password}'")


def serves(shop: Shop) -> bool:
    try:
        shop.connect().close()
    except psycopg.OperationalError:
        time.sleep(0.05)
        return False
    return True
