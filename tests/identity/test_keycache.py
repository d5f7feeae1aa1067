"""The cache's table, row by row, with an issuer over real HTTP that fails on command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.identity.conftest import HERE, PG, an_issuer
from tests.identity.issuer import Clock, LoopbackIssuer, rsa_key
from tests.waiting import promised

from blastwall.gate.ports import Refusal
from blastwall.identity import OidcIdentity
from blastwall.identity.keycache import FRESH, RETRY_FIRST, SOON, UNKNOWN, KeyCache
from blastwall.identity.keys import KeysUnavailable
from blastwall.identity.loaders import loader_for


@pytest.fixture
async def cache(issuer: LoopbackIssuer, clock: Clock) -> AsyncIterator[KeyCache]:
    made = KeyCache(loader_for(an_issuer(issuer.url)), 3600.0, clock)
    yield made
    await made.close()


async def kids(cache: KeyCache, kid: str = "rsa-1") -> list[str | None]:
    return [key.kid for key in await cache.candidates(kid, "RS256")]


async def settle(cache: KeyCache) -> None:
    if cache._task is not None:
        await cache._task


async def test_keys_are_fetched_once_while_fresh(cache: KeyCache, issuer: LoopbackIssuer, clock: Clock) -> None:
    assert await kids(cache) == ["rsa-1"]
    clock.at += SOON - 1
    assert await kids(cache) == ["rsa-1"]
    assert issuer.fetched() == 1


async def test_all_who_wait_share_one_fetch(cache: KeyCache, issuer: LoopbackIssuer) -> None:
    issuer.gate = asyncio.Event()
    waiting = [asyncio.create_task(kids(cache)) for _ in range(50)]
    await asyncio.sleep(0.05)
    waiting[0].cancel()
    issuer.gate.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1:] == [["rsa-1"]] * 49
    assert issuer.fetched() == 1


async def test_keys_are_renewed_in_the_background_before_they_age(
    cache: KeyCache, issuer: LoopbackIssuer, clock: Clock
) -> None:
    await kids(cache)
    clock.at += SOON + 1
    issuer.gate = asyncio.Event()
    assert await asyncio.wait_for(kids(cache), promised(1)) == ["rsa-1"]
    issuer.gate.set()
    await settle(cache)
    assert issuer.fetched() == 2
    clock.at += SOON - 1
    assert await kids(cache) == ["rsa-1"]
    assert issuer.fetched() == 2


async def test_a_withdrawn_key_is_gone_after_its_freshness(
    cache: KeyCache, issuer: LoopbackIssuer, clock: Clock
) -> None:
    await kids(cache)
    issuer.keys = [rsa_key("rsa-2")]
    clock.at += FRESH + 1
    assert await kids(cache) == []
    assert await kids(cache, "rsa-2") == ["rsa-2"]


async def test_a_wall_clock_set_back_keeps_no_withdrawn_key_and_blocks_no_renewal(
    identity: OidcIdentity, issuer: LoopbackIssuer, clock: Clock
) -> None:
    assert await identity.identify(issuer.token(), PG, HERE)
    clock.jump = -7200.0
    issuer.keys = [rsa_key("rsa-2")]
    clock.at += FRESH + 1
    with pytest.raises(Refusal, match="unknown to its issuer"):
        await identity.identify(issuer.token(rsa_key()), PG, HERE)
    assert await identity.identify(issuer.token(rsa_key("rsa-2")), PG, HERE)


async def test_known_keys_serve_while_the_issuer_is_down_but_not_for_ever(
    cache: KeyCache, issuer: LoopbackIssuer, clock: Clock
) -> None:
    await kids(cache)
    issuer.down = True
    clock.at += 3599
    assert await kids(cache) == ["rsa-1"]
    clock.at += 2
    with pytest.raises(KeysUnavailable, match="503"):
        await kids(cache)
    issuer.down = False
    clock.at += 60
    assert await kids(cache) == ["rsa-1"]


async def test_a_failure_is_remembered_and_the_waits_grow(
    cache: KeyCache, issuer: LoopbackIssuer, clock: Clock
) -> None:
    issuer.down = True
    for _ in range(20):
        with pytest.raises(KeysUnavailable):
            await kids(cache)
    assert len(issuer.requests) == 1
    for expected in (2, 3):
        clock.at += RETRY_FIRST * 2 ** (expected - 2)
        with pytest.raises(KeysUnavailable):
            await kids(cache)
        with pytest.raises(KeysUnavailable):
            await kids(cache)
        assert len(issuer.requests) == expected


async def test_an_unknown_kid_renews_but_invented_ones_cost_one_fetch(
    cache: KeyCache, issuer: LoopbackIssuer, clock: Clock
) -> None:
    await kids(cache)
    issuer.keys = [rsa_key(), rsa_key("rsa-2")]
    assert await kids(cache, "rsa-2") == ["rsa-2"]
    assert issuer.fetched() == 2
    for number in range(50):
        assert await kids(cache, f"invented-{number}") == []
    assert issuer.fetched() == 2
    clock.at += UNKNOWN
    assert await kids(cache, "invented") == []
    assert issuer.fetched() == 3


async def test_a_verified_token_is_remembered_only_with_its_key(
    cache: KeyCache, issuer: LoopbackIssuer, clock: Clock
) -> None:
    (key,) = await cache.candidates("rsa-1", "RS256")
    assert cache.holds(key)
    clock.at += SOON + 1
    issuer.keys = [rsa_key("rsa-2")]
    assert cache.holds(key)
    await settle(cache)
    assert not cache.holds(key)
    clock.at += FRESH + 1
    (second,) = await cache.candidates("rsa-2", "RS256")
    clock.at += FRESH + 1
    assert not cache.holds(second)
