"""Calling out over HTTP without being led into the gateway's own network: which addresses a host may stand for."""

from blastwall.outbound.addresses import Guard, is_loopback_name, literal, never_called, unmapped

__all__ = ["Guard", "is_loopback_name", "literal", "never_called", "unmapped"]
