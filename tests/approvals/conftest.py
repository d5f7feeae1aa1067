"""Approvals on either kind of state, with the people of a small shop."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.approvals.world import Shop
from tests.store.conftest import postgres_url, store

from blastwall.store.database import Store

__all__ = ["postgres_url", "shop", "store"]


@pytest.fixture
async def shop(store: Store) -> AsyncIterator[Shop]:
    """Two nodes on one state."""
    shop = Shop(store)
    yield shop
    await shop.close()
