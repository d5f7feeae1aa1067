"""Blastwall: a Layer 7 gateway between automated callers and Azure resources."""

__version__ = "0.1.0"
