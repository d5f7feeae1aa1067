"""What protocols with several hosts and a side connection share: failures, and the names of those connections."""

from __future__ import annotations

import re
from collections.abc import Sequence

from blastwall.model.resource import Address, Resource

_AT_HOST = re.compile(r"(?P<database>.*) \(host (?P<host>\d+)\)", re.DOTALL)


class HandshakeFailed(Exception):
    """The resource cannot be logged in to. The text names neither credential nor secret.

    `told` is what of it a client may hear. `elsewhere` says whether another host of the resource's may let us in.
    """

    def __init__(self, reason: str, *, told: str = "", elsewhere: bool = True) -> None:
        super().__init__(reason)
        self.told = told
        self.elsewhere = elsewhere


class CatalogUnavailable(Exception):
    """The catalog cannot be read: nothing can be classified on this database.

    `told` is what of the reason a client may hear: nothing that names the credential.
    """

    def __init__(self, reason: str, told: str = "") -> None:
        super().__init__(reason)
        self.told = told


def none_will_do(attempts: Sequence[tuple[Address, int, HandshakeFailed]]) -> HandshakeFailed:
    """Return every attempt: with its address for the operator, with its position for the client."""
    reason = "; ".join(f"{address}: {failure}" for address, _, failure in attempts)
    quiet = "the gateway could not log in there"
    told = "; ".join(f"host {number + 1}: {failure.told or quiet}" for _, number, failure in attempts)
    return HandshakeFailed(f"none of its hosts will do: {reason}", told=f"none of its hosts will do: {told}")


def companion_name(resource: Resource, database: str, host: int) -> str:
    """Return the side connection that reads the catalog where the session is: a standby may lag behind."""
    return database if len(resource.hosts) == 1 else f"{database} (host {host + 1})"


def companion_place(resource: Resource, name: str) -> tuple[str, tuple[int, ...]]:
    """Return the database that a side connection's name means, and the hosts that it may use; none for any."""
    match = _AT_HOST.fullmatch(name) if len(resource.hosts) > 1 else None
    return (match["database"], (int(match["host"]) - 1,)) if match is not None else (name, ())
