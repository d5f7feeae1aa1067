"""From what the gate knows to Cedar's entities: ten or so a session, and a few for each statement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypedDict

from blastwall.gate.ports import Subject
from blastwall.model.azure import RESOURCE_GROUP, SUBSCRIPTION, TENANT, Place, places
from blastwall.model.effects import Object
from blastwall.model.ids import segment
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.model.resource import Resource
from blastwall.policy.known import azure_tree


class Uid(TypedDict):
    """A reference to an entity."""

    type: str
    id: str


class _Reference(TypedDict):
    __entity: Uid


class Entity(TypedDict, total=False):
    """An entity in Cedar's JSON form."""

    uid: Uid
    attrs: dict[str, str | _Reference]
    parents: list[Uid]
    tags: dict[str, str]


_PRINCIPALS = {PrincipalKind.AGENT: "Agent", PrincipalKind.USER: "User"}


def principal_uid(principal: Principal) -> Uid:
    """Return the entity of a principal. Names of agents, users and groups are ids as they stand."""
    return {"type": _PRINCIPALS[principal.kind], "id": principal.name}


def resource_uid(name: str) -> Uid:
    """Return the entity of a resource."""
    return {"type": "Resource", "id": segment(name)}


def object_uid(resource: str, thing: Object) -> Uid:
    """Return the entity of an object on the resource named `resource`."""
    return {"type": _type(thing), "id": thing.id_below(resource)}


def base_entities(subject: Subject) -> list[Entity]:
    """Return what every statement of a session needs: principal, groups, resource and its Azure tree."""
    principal = subject.principal
    groups: list[Uid] = [{"type": "Group", "id": group} for group in sorted(principal.groups)]
    itself: Entity = {
        "uid": principal_uid(principal),
        "attrs": {"name": principal.name, "issuer": principal.issuer, "subject": principal.subject},
        "parents": groups,
        "tags": dict(principal.claims),
    }
    members: list[Entity] = [{"uid": group, "attrs": {}, "parents": []} for group in groups]
    return [itself, *members, *_resource_entities(subject.resource)]


def object_entities(resource: str, thing: Object) -> Iterator[Entity]:
    """Yield the entity of `thing`, then those above it, up to but without the resource.

    An object whose parents Cedar does not know is in nothing: a permit or forbid on its database would pass it by.
    """
    if thing.azure:
        yield from _azure_entities(resource, thing.azure)
        return
    of: _Reference = {"__entity": resource_uid(resource)}
    waiting = [thing] if thing.path else []
    while waiting:
        one = waiting.pop()
        above = _above(one)
        yield {
            "uid": object_uid(resource, one),
            "attrs": {"name": one.path[-1], "kind": one.kind, "of": of},
            "parents": [object_uid(resource, parent) for parent in above],
        }
        waiting += [parent for parent in above if parent.path]


_SCOPES = {RESOURCE_GROUP: "ResourceGroup", SUBSCRIPTION: "Subscription"}


def _azure_entities(resource: str, identity: str) -> Iterator[Entity]:
    """Yield what an Azure id names and all that it is in: by Azure's tree, and by way of the tenant in the resource.

    A resource group is an object, which is deleted and tagged, and the ResourceGroup of that id, which it is in; so
    is a subscription.
    """
    of: _Reference = {"__entity": resource_uid(resource)}
    chain = places(identity)
    for place, above in zip(chain, (*chain[1:], None), strict=True):
        scope = _scope_uid(place)
        parents: list[Uid] = [resource_uid(resource) if above is None else _azure_uid(above)]
        yield {
            "uid": _azure_uid(place),
            "attrs": {"name": place.id.rsplit("/", 1)[-1] or TENANT, "kind": place.kind, "of": of},
            "parents": parents + ([scope] if scope else []),
        }
        if scope:
            subscription = [
                _scope_uid(one) for one in chain if one.kind == SUBSCRIPTION and one.scope and one is not place
            ]
            yield {"uid": scope, "attrs": {}, "parents": [uid for uid in subscription if uid]}


def _azure_uid(place: Place) -> Uid:
    return {"type": "Object", "id": place.id}


def _scope_uid(place: Place) -> Uid | None:
    return {"type": _SCOPES[place.kind], "id": place.id} if place.scope else None


def _resource_entities(resource: Resource) -> Iterator[Entity]:
    """Yield the resource and the Azure scopes that it is in.

    A resource at the control plane is a door to all of Azure: were it in a subscription, everything behind it would be.
    """
    tree: list[Uid] = [{"type": entity_type, "id": identity} for entity_type, identity in azure_tree(resource)]
    itself = resource_uid(resource.name)
    yield {
        "uid": itself,
        "attrs": {"name": resource.name, "kind": resource.kind, "of": {"__entity": itself}},
        "parents": tree[:1],
        "tags": dict(resource.tags),
    }
    for place, uid in enumerate(tree):
        yield {"uid": uid, "attrs": {}, "parents": tree[place + 1 : place + 2]}


def _above(thing: Object) -> tuple[Object, ...]:
    """Return what `thing` is directly in.

    A name does not say whether its parent is a schema or a container, so it stands in both: whichever word a policy
    uses, it reaches.
    """
    path = thing.path[:-1]
    if len(path) == 2:
        return (Object(path, "pseudo"),) if thing.pseudo else (Object(path, "schema"), Object(path, "container"))
    return (Object(path, {0: "resource", 1: "database"}.get(len(path), "path")),)


def _type(thing: Object) -> str:
    if thing.azure:
        return "Object"
    if len(thing.path) > 2:
        return "Object"
    if len(thing.path) == 2:
        return "Container" if thing.kind == "container" else "Schema"
    return "Database" if thing.path else "Resource"
