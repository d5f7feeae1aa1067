"""Cutting off an agent, a user, an issuer, a resource, a session or a pass, on every node in under a second."""

from blastwall.containment.containment import StoredContainment
from blastwall.store.containments import Contained, Kind

__all__ = ["Contained", "Kind", "StoredContainment"]
