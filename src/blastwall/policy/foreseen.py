"""What may be granted: what a permit with `@grant` foresees by its head, and whom it asks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cedarpy import pst

from blastwall.model.effects import Action
from blastwall.model.ids import segment
from blastwall.model.principal import Principal
from blastwall.model.resource import Resource
from blastwall.model.ruling import Approval
from blastwall.policy.combine import all_of
from blastwall.policy.entities import principal_uid
from blastwall.policy.known import CONTROL, azure_tree
from blastwall.policy.rules import Rule, actions_of

_BELOW_RESOURCE = frozenset({"Resource", "Database", "Schema", "Container", "Object"})


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a grant needs to open every permit that it could: all of their approvals, and the shortest time (s)."""

    needed: tuple[Approval, ...]
    longest: float | None


def foreseen(rules: Iterable[Rule], principal: Principal, resource: Resource, action: Action) -> Foreseen | None:
    """Return what a grant of `action` needs; None where no policy foresees one.

    Conditions (`when`, `unless`) are not asked: they read the statement, which is not known yet. A condition that never
    holds makes a grant that opens nothing.
    """
    found = [
        rule
        for rule in rules
        if rule.grant
        and action.value in actions_of(rule.tree.action)
        and _means(rule.tree.principal, principal)
        and _reaches(rule.tree.resource, resource)
    ]
    if not found:
        return None
    longest = min((rule.grant_max for rule in found if rule.grant_max is not None), default=None)
    return Foreseen(all_of(approval for rule in found for approval in rule.grant), longest)


def together(parts: Iterable[Foreseen]) -> Foreseen:
    """Return what a grant of several actions needs."""
    whole = tuple(parts)
    longest = min((part.longest for part in whole if part.longest is not None), default=None)
    return Foreseen(all_of(approval for part in whole for approval in part.needed), longest)


def _means(constraint: pst.PrincipalOrResourceConstraint, principal: Principal) -> bool:
    uid = principal_uid(principal)
    match constraint:
        case pst.ScopeAny():
            return True
        case pst.ScopeIs(entity_type):
            return str(entity_type) == uid["type"]
        case pst.ScopeEq(entity):
            return _is(entity, uid["type"], uid["id"])
        case pst.ScopeIn(entity):
            return _within(entity, principal)
        case pst.ScopeIsIn(entity_type, entity):
            return str(entity_type) == uid["type"] and _within(entity, principal)
        case _:
            return False


def _within(entity: object, principal: Principal) -> bool:
    """Whether a principal is `in` an entity: a group of its own, or itself."""
    uid = principal_uid(principal)
    return _is(entity, uid["type"], uid["id"]) or any(_is(entity, "Group", group) for group in principal.groups)


def _is(entity: object, entity_type: str, identity: str) -> bool:
    return isinstance(entity, pst.EntityUid) and (str(entity.type), entity.id) == (entity_type, identity)


def _reaches(constraint: pst.PrincipalOrResourceConstraint, resource: Resource) -> bool:
    """Whether a constraint can mean something at this resource."""
    match constraint:
        case pst.ScopeAny() | pst.ScopeIs():
            return True
        case pst.ScopeEq(entity) | pst.ScopeIn(entity) | pst.ScopeIsIn(_, entity):
            return isinstance(entity, pst.EntityUid) and _stands_at(str(entity.type), entity.id, resource)
        case _:
            return False


def _stands_at(entity_type: str, identity: str, resource: Resource) -> bool:
    """Whether an entity is the resource, is in it, or is above it."""
    if resource.plane == CONTROL and identity.startswith("/"):
        return True
    if entity_type in _BELOW_RESOURCE:
        return identity.split("/", 1)[0] == segment(resource.name)
    return (entity_type, identity) in azure_tree(resource)
