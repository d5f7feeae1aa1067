"""The gateway's state: what must survive a restart, and what several nodes must agree on."""

from blastwall.store.database import StateError, Store, open_store

__all__ = ["StateError", "Store", "open_store"]
