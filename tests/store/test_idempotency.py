"""A key is one request's, also where two come at once."""

from __future__ import annotations

import asyncio

from blastwall.store.database import Store
from blastwall.store.idempotency import ABANDONED_SECONDS, KEEP_SECONDS, Before, IdempotencyTable


async def test_the_first_claims_and_its_answer_is_kept(store: Store) -> None:
    table = IdempotencyTable(store)
    assert await table.claim("user ana", "k", "f", 1.0) is None
    assert await table.claim("user ana", "k", "f", 1.0) == Before("f", None, None)
    await table.keep("user ana", "k", 201, "{}")
    assert await table.claim("user ana", "k", "g", 2.0) == Before("f", 201, "{}")


async def test_keys_are_a_callers_own(store: Store) -> None:
    table = IdempotencyTable(store)
    assert await table.claim("user ana", "k", "f", 1.0) is None
    assert await table.claim("user ben", "k", "f", 1.0) is None


async def test_of_many_at_once_one_claims(store: Store) -> None:
    table = IdempotencyTable(store)
    found = await asyncio.gather(*(table.claim("user ana", "k", "f", 1.0) for _ in range(8)))
    assert sorted(each is None for each in found) == [False] * 7 + [True]


async def test_a_key_comes_free_again(store: Store) -> None:
    table = IdempotencyTable(store)
    assert await table.claim("user ana", "undone", "f", 1.0) is None
    await table.forget("user ana", "undone")
    assert await table.claim("user ana", "undone", "f", 1.0) is None
    assert await table.claim("user ana", "undone", "f", 2.0 + ABANDONED_SECONDS) is None
    await table.keep("user ana", "undone", 200, "{}")
    await table.forget("user ana", "undone")
    assert await table.claim("user ana", "undone", "f", 3.0 + ABANDONED_SECONDS) == Before("f", 200, "{}")
    assert await table.claim("user ana", "undone", "f", 9.0 + KEEP_SECONDS + ABANDONED_SECONDS) is None
