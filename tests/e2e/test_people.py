"""People at two gateways of one state and one place for recordings, the first with two processes."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack
from typing import cast

import aiohttp
import pytest
import pytest_asyncio
from tests.api.live import Browser, Live, items
from tests.api.test_events import event
from tests.e2e.conftest import POLICIES, SHOP, Shop, configuration

from blastwall.app.gateway import Gateway as InProcess
from blastwall.testing.gateway import Gateway
from blastwall.testing.issuer import DevIssuer
from blastwall.testing.postgres import PostgresServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

PEOPLE: dict[str, dict[str, object]] = {"dora": {"oid": "d0"}, "olga": {"oid": "o1"}}
USERS = [
    {"name": "dora", "issuer": "ci", "match": {"oid": "d0"}, "groups": ["dba", "audit"]},
    {"name": "olga", "issuer": "ci", "match": {"oid": "o1"}, "groups": ["oncall"]},
]
ROLES = {"auditor": ["audit"], "operator": ["oncall"]}
PATIENCE = 60.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nodes(
    postgres_newest: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Live, Live, Shop]]:
    """Two gateways, and how agents reach the first one's two processes."""
    server, folder = postgres_newest, tmp_path_factory.mktemp("people")
    for database, tables in (("shop", SHOP), ("state", "")):
        server.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        server.create_database(database, tables)
    with DevIssuer(people=PEOPLE) as issuer, ExitStack() as running:

        def start(name: str, workers: int) -> Gateway:
            state = f"postgresql://postgres@localhost:{server.port}/state?sslmode=verify-full&sslrootcert={server.ca}"
            recordings = {"to": str(folder / "recordings")}
            settings = configuration(
                server, issuer, node=name, state=state, recordings=recordings, users=USERS, workers=workers
            )
            environment = {"PG_PASSWORD": server.password, "PGPASSWORD": server.password}
            place = folder / name
            made = Gateway(settings, policies={"shop.cedar": POLICIES}, environment=environment, folder=place)
            control = {"port": made.control_port, "login": {"issuer": "ci"}, "roles": ROLES}
            made.write({**made.configuration, "control": control})
            running.callback(made.close)
            return made.start(seconds=120)

        async with AsyncExitStack() as clients:
            first, second = [await asyncio.to_thread(start, name, of) for name, of in (("one", 2), ("two", 1))]
            lives = [await live(each, issuer, clients) for each in (first, second)]
            yield lives[0], lives[1], Shop(first, issuer, server, "shop")


async def live(gateway: Gateway, issuer: DevIssuer, clients: AsyncExitStack) -> Live:
    """Return a client of a gateway in processes of its own; nothing inside it can be reached."""
    trust = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(gateway.ca)))
    http = await clients.enter_async_context(
        aiohttp.ClientSession(connector=trust, cookie_jar=aiohttp.DummyCookieJar())
    )
    return Live(cast("InProcess", None), issuer, http, gateway.control_url, gateway.folder)


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        for _ in iter(int, 1):
            if await holds():
                return
            await asyncio.sleep(0.1)


async def test_a_login_at_one_is_a_login_at_the_other(nodes: tuple[Live, Live, Shop]) -> None:
    one, two, _ = nodes
    browser = await one.browser("dora")
    there = Browser(two, dict(browser.cookies))
    assert (await there.send("GET", "/api/v1/me")).json["name"] == "dora"
    assert (await browser.post("/auth/logout")).status == 204
    assert (await there.send("GET", "/api/v1/me")).status == 401


async def test_live_sessions_of_all_processes_and_nodes_are_seen(nodes: tuple[Live, Live, Shop]) -> None:
    one, two, shop = nodes
    browsers = [await each.browser("dora") for each in (one, two)]

    async def count(browser: Browser) -> int:
        return len(items((await browser.send("GET", "/api/v1/sessions?live=true&agent=shop-ci")).json))

    agents = [await asyncio.to_thread(shop.connect) for _ in range(8)]
    for agent in agents:
        await asyncio.to_thread(agent.execute, "SELECT 1")
    for browser in browsers:

        async def all_are_there(browser: Browser = browser) -> bool:
            return await count(browser) == len(agents)

        await eventually(all_are_there)
    found = items((await browsers[1].send("GET", "/api/v1/sessions?live=true")).json)
    assert {each["node"] for each in found} <= {"one", "one+2"}
    session = found[0]["id"]
    told = (await browsers[1].send("GET", f"/api/v1/sessions/{session}/events")).text
    assert "SELECT 1" in told
    for agent in agents:
        await asyncio.to_thread(agent.close)
    for browser in browsers:

        async def none_is_there(browser: Browser = browser) -> bool:
            return await count(browser) == 0

        await eventually(none_is_there)


async def test_what_changes_at_one_is_told_at_the_other(nodes: tuple[Live, Live, Shop]) -> None:
    one, two, _ = nodes
    watcher, operator = await two.browser("dora"), await one.browser("olga")
    cookie = "; ".join(f"{name}={value}" for name, value in watcher.cookies.items())
    async with two.http.get(f"{two.api}/events", headers={"Cookie": cookie}) as stream:
        assert stream.status == 200
        assert await event(stream) == {"retry": "2000"}
        body = {"kind": "agent", "name": "auditor", "reason": "strange questions"}
        assert (await operator.post("/api/v1/containment", body)).status in {200, 201}
        told = await event(stream)
        assert told["event"] == "containment"
        assert "auditor" in json.dumps(told)


async def test_a_containment_at_one_ends_a_persons_logins_at_both(nodes: tuple[Live, Live, Shop]) -> None:
    one, two, _ = nodes
    here, there, operator = await one.browser("dora"), await two.browser("dora"), await one.browser("olga")
    body = {"kind": "user", "name": "dora", "reason": "laptop stolen"}
    assert (await operator.post("/api/v1/containment", body)).status in {200, 201}
    assert (await there.send("GET", "/api/v1/me")).status == 401
    assert (await here.send("GET", "/api/v1/me")).status == 401
    assert (await operator.post("/api/v1/containment/lift", body)).status == 200
    assert (await there.send("GET", "/api/v1/me")).status == 401
    assert (await there.sign_in("dora")).status == 303
    assert (await there.send("GET", "/api/v1/me")).status == 200
