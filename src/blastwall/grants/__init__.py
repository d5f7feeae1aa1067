"""Just-in-time access: which grants are open now, as every process of every node sees it in under a second."""

from blastwall.grants.open_grants import StoredGrants

__all__ = ["StoredGrants"]
