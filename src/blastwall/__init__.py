"""Blastwall: a Layer 7 gateway between automated callers and Azure resources."""

from blastwall import _twins

__version__ = "0.1.0"

_twins.install()
