"""Find the protocols: every folder beside this file exports its kinds as `PROTOCOLS`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import cast

from blastwall import protocols
from blastwall.protocols.kind import ProtocolKind


@cache
def discover() -> Mapping[str, ProtocolKind]:
    """Return the protocols by their `kind`.

    Raises:
        AttributeError: a folder exports no `PROTOCOLS`.
        ValueError: one kind is claimed twice.
    """
    found: dict[str, ProtocolKind] = {}
    for module in iter_modules(protocols.__path__):
        if not module.ispkg:
            continue
        exported = import_module(f"{protocols.__name__}.{module.name}").PROTOCOLS
        for protocol in cast("tuple[ProtocolKind, ...]", exported):
            if protocol.kind in found:
                raise ValueError(f"two protocols claim the kind {protocol.kind!r}")
            found[protocol.kind] = protocol
    return found
