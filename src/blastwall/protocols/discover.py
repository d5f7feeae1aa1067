"""Find the protocols: every folder beside this file that exports `PROTOCOL`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import cast

from blastwall import protocols
from blastwall.protocols.contract import ProtocolKind


@cache
def discover() -> Mapping[str, ProtocolKind]:
    """Return the protocols by their `kind`.

    Raises:
        AttributeError: a folder exports no `PROTOCOL`.
        ValueError: two folders claim one kind.
    """
    found: dict[str, ProtocolKind] = {}
    for module in iter_modules(protocols.__path__):
        if not module.ispkg:
            continue
        protocol = cast("ProtocolKind", import_module(f"{protocols.__name__}.{module.name}").PROTOCOL)
        if protocol.kind in found:
            raise ValueError(f"two protocols claim the kind {protocol.kind!r}")
        found[protocol.kind] = protocol
    return found
