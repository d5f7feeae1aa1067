"""The state databases of the store's own tests."""

from __future__ import annotations

from tests.store.conftest import postgres_url, store

__all__ = ["postgres_url", "store"]
