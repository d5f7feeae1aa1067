"""A method and a path to Azure's own operation and the resource that it is done to.

Azure names an operation by provider, types and what is done, without names: `DELETE …/virtualMachines/web` is
`Microsoft.Compute/virtualMachines/delete`. A POST ends with the action's name, which is no part of the resource.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from blastwall.model.azure import Place, places
from blastwall.model.azure_operations import spelled
from blastwall.protocols.http.arm.paths import Unplaced, identity_of, segments_of

_LONGEST_TYPE = 200
"""Characters of a type with its provider; matching the catalogue takes the square of it, and Azure's reach 120."""

VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete", "POST": "action"}
_OWN = "microsoft.resources/"
_GROUPS = "microsoft.resources/resourcegroups"
_SUBSCRIPTIONS = "microsoft.resources/subscriptions"
_SCOPES = frozenset({_GROUPS, _SUBSCRIPTIONS, "microsoft.resources/tenants"})
_PROVIDER = "microsoft.resources/providers"
_DIRECT = frozenset({"", "tagnames", "moveresources", "validatemoveresources", "exporttemplate", "operationresults"})
"""What is written or done directly in a scope. `""` stands for all that has a provider."""


@dataclass(frozen=True, slots=True)
class Operation:
    """`name` is Azure's, as Azure spells it; `key` the same in lower case; `target` the id of what it is done to."""

    name: str
    key: str
    target: str
    method: str


@lru_cache(maxsize=4096)
def operation_of(method: str, path: str) -> Operation:
    """Return what a request asks for.

    Raises:
        Unplaced: the method is none of ARM's, or the path names nothing that it could be done to.
    """
    return operation_on(method, identity_of(_modern(segments_of(path))))


def operation_on(method: str, identity: str) -> Operation:
    """Return what `method` does to what an id names.

    Raises:
        Unplaced: the method is none of ARM's, or nothing of that kind can be done there.
    """
    verb = VERBS.get(method)
    if verb is None:
        raise Unplaced(f"the method {method} is none that Resource Manager has")
    chain = places(identity)
    if any(place.kind in _SCOPES and "/providers/" in place.id for place in chain):
        raise Unplaced("a scope is named as if it were a provider's resource")
    if verb == "read":
        return _named(method, _type(chain), verb, identity)
    if chain[0].kind == _PROVIDER or len(chain) == 1:
        raise Unplaced(f"{method} on a resource provider or the tenant is no operation of Resource Manager")
    if _direct(chain) not in _DIRECT:
        raise Unplaced(f"{method} on what stands in a scope without a provider is no operation of Resource Manager")
    if verb != "action":
        return _named(method, _type(chain), verb, identity)
    if not chain[0].collection:
        raise Unplaced("it is not known what a POST on a resource itself does: an action's name ends the path")
    return _named(method, _type(chain), verb, chain[1].id)


def _direct(chain: tuple[Place, ...]) -> str:
    """Return the word of a type that stands in a scope without `providers`; empty where a provider's type does."""
    if chain[0].kind in {_GROUPS, _SUBSCRIPTIONS}:
        return ""
    scope = next(each for each in chain[1:] if each.kind in _SCOPES)
    rest = chain[0].id[len(scope.id.rstrip("/")) :]
    return "" if rest.startswith("/providers/") else rest.split("/")[1]


def _named(method: str, kind: str, verb: str, target: str) -> Operation:
    if len(kind) > _LONGEST_TYPE:
        raise Unplaced("the types in the path are too long")
    key = f"{kind}/{verb}"
    return Operation(spelled(key), key, target, method)


def _type(chain: tuple[Place, ...]) -> str:
    """Return the type that operations are named by.

    What stands in a scope without `providers` is named after the scope: `Microsoft.Resources/subscriptions/locations`.
    """
    place = chain[0]
    for depth, above in enumerate(chain[1:], 1):
        if above.kind in {_GROUPS, _SUBSCRIPTIONS}:
            if place.id[len(above.id) :].startswith("/providers"):
                break
            return f"{_type(chain[depth:])}/{place.kind.removeprefix(_OWN)}"
    return place.kind


def _modern(segments: tuple[str, ...]) -> tuple[str, ...]:
    """Return the segments with the provider of deployments, which ARM also takes without one (API 2014-04-01)."""
    if segments[:1] != ("subscriptions",):
        return segments
    scope = 4 if segments[2:3] == ("resourcegroups",) else 2
    if segments[scope : scope + 1] != ("deployments",):
        return segments
    return (*segments[:scope], "providers", "microsoft.resources", *segments[scope:])
