"""Server-sent events over real https."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from tests.api.live import Live, running, until

from blastwall.api import events
from blastwall.control.changes import MOST_EACH


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with running(tmp_path) as found:
        yield found


async def event(response: aiohttp.ClientResponse) -> dict[str, str]:
    """Return the next event's fields; a comment has the field `""`."""
    fields: dict[str, str] = {}
    async with asyncio.timeout(60):
        while line := (await response.content.readline()).decode().rstrip("\n"):
            name, _, value = line.partition(": ")
            fields[name] = value
    return fields


def watching(live: Live, who: str = "vera", **headers: str) -> aiohttp.client._RequestContextManager:
    return live.http.get(f"{live.api}/events", headers={**live.bearer(who), **headers})


async def test_what_changes_is_told(live: Live) -> None:
    changes = live.gateway._parts.changes
    async with watching(live) as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")
        assert response.headers["Cache-Control"] == "no-store"
        assert await event(response) == {"retry": "2000"}
        changes.publish("approval", "a1", {"state": "waiting"})
        told = await event(response)
        assert told["event"] == "approval"
        assert json.loads(told["data"]) == {"id": "a1", "state": "waiting"}
    changes.publish("grant", "g1")
    async with watching(live, **{"Last-Event-ID": told["id"]}) as response:
        assert await event(response) == {"retry": "2000"}
        assert (await event(response))["event"] == "grant"


async def test_only_viewers_hear(live: Live) -> None:
    for who, status in (("ci", 403), ("nobody", 403)):
        async with watching(live, who) as response:
            assert response.status == status
    async with live.http.get(f"{live.api}/events") as response:
        assert response.status == 401
    async with watching(live, **{"Last-Event-ID": "x"}) as response:
        assert response.status == 422


async def test_heartbeats_and_the_end_of_a_token(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.2)
    # 33 s old, made for 12 s: with the 30 s of clock difference that are tolerated, it has 9 s left
    short = live.issuer.token("vera", issued=time.time() - 33, lifetime=12, claims={"oid": "oid-vera"})
    async with live.http.get(f"{live.api}/events", headers={"Authorization": f"Bearer {short}"}) as response:
        assert await event(response) == {"retry": "2000"}
        assert await event(response) == {"": "here"}
        async with asyncio.timeout(40):
            while await event(response):
                pass


async def test_an_open_page_does_not_keep_an_unused_login(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.1)
    browser = await live.browser("vera")
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    logins = live.gateway._parts.identity.logins
    now = logins._now
    async with live.http.get(f"{live.api}/events", headers={"Cookie": cookie}) as response:
        assert await event(response) == {"retry": "2000"}
        logins._now = lambda: now() + 1800
        for _ in range(3):
            assert await event(response) == {"": "here"}
        logins._now = lambda: now() + 3700
        async with asyncio.timeout(60):
            while await event(response):
                pass
    assert (await browser.send("GET", "/api/v1/me")).status == 401


async def test_who_leaves_makes_room_at_once(live: Live) -> None:
    for _ in range(3 * MOST_EACH):
        async with watching(live) as response:
            assert response.status == 200
        response.close()
        await until(lambda: not live.gateway._parts.changes.watched)


async def test_a_person_watches_so_often_and_no_more(live: Live) -> None:
    async def begin() -> aiohttp.ClientResponse:
        return await watching(live)

    opened = [await begin() for _ in range(MOST_EACH)]
    async with watching(live) as response:
        assert response.status == 429
    async with watching(live, "ana") as response:
        assert response.status == 200
    for each in opened:
        each.close()


async def test_a_page_that_is_open_does_not_keep_the_gateway(live: Live) -> None:
    async with watching(live) as response:
        assert await event(response) == {"retry": "2000"}
        began = asyncio.get_running_loop().time()
        live.gateway._parts.changes.end()
        assert await event(response) == {}
        assert asyncio.get_running_loop().time() - began < 5
