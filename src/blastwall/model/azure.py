"""What an Azure resource id names: of which type it is, and what it is in.

Ids are in the form that entities use: lower-case, without escapes, empty segments or a slash at the end. `/` is the
tenant. An id that ends with a type names the collection of these resources in their scope. What stands directly in a
scope (`/subscriptions/…/locations`) belongs to Microsoft.Resources, as in ARM's own list of operations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from blastwall.model.effects import Object

TENANT = "/"
SUBSCRIPTION = "microsoft.resources/subscriptions"
RESOURCE_GROUP = "microsoft.resources/resourcegroups"
_OF_TENANT = "microsoft.resources/tenants"
_PROVIDER = "microsoft.resources/providers"
_OWN = "microsoft.resources"


@dataclass(frozen=True, slots=True)
class Place:
    """A resource, scope or collection: its id and type.

    `collection` is set where the id names no single one, `scope` where it is a subscription or a resource group.
    """

    id: str
    kind: str
    collection: bool = False
    scope: bool = False


def azure_object(identity: str) -> Object:
    """Return the object of effects that an id names."""
    return Object((), places(identity)[0].kind, identity)


@lru_cache(maxsize=1024)
def places(identity: str) -> tuple[Place, ...]:
    """Return what an id names and all that this is in, innermost first; the tenant comes last."""
    segments = identity.strip("/").split("/") if identity.strip("/") else []
    found = [Place(TENANT, _OF_TENANT)]
    position = _scopes(segments, found)
    while position < len(segments):
        kind = _OWN
        if segments[position] == "providers":
            if position + 2 >= len(segments):
                found.append(_place(segments, len(segments), _PROVIDER, len(segments) == position + 1))
                break
            kind = segments[position + 1]
            position += 2
        position = _pairs(segments, position, kind, found)
    return tuple(reversed(found))


def _scopes(segments: list[str], found: list[Place]) -> int:
    """Take the subscription and the resource group that an id starts with; return where they end."""
    if segments[:1] != ["subscriptions"]:
        return 0
    found.append(_scope(segments, 2, SUBSCRIPTION))
    if segments[2:3] != ["resourcegroups"]:
        return 2
    found.append(_scope(segments, 4, RESOURCE_GROUP))
    return 4


def _pairs(segments: list[str], position: int, kind: str, found: list[Place]) -> int:
    """Take the pairs of type and name up to the next `providers`, where an extension resource begins."""
    start = position
    while position < len(segments) and (position == start or segments[position] != "providers"):
        kind += "/" + segments[position]
        found.append(_place(segments, position + 2, kind, len(segments) == position + 1))
        position += 2
    return position


def _scope(segments: list[str], end: int, kind: str) -> Place:
    collection = len(segments) < end
    return Place("/" + "/".join(segments[:end]), kind, collection, scope=not collection)


def _place(segments: list[str], end: int, kind: str, collection: bool) -> Place:
    return Place("/" + "/".join(segments[:end]), kind, collection)
