"""Whom and what `policy test` and `policy explain` ask about, from the names in a configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

from blastwall.config.callers import Agent, User
from blastwall.config.model import Configuration
from blastwall.config.resources import resources
from blastwall.config.wording import did_you_mean
from blastwall.gate.ports import IPAddress, Subject
from blastwall.model.azure import azure_object
from blastwall.model.effects import Action, Effect, Object
from blastwall.model.grant import OpenGrant
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.model.resource import Resource
from blastwall.protocols.kind import ProtocolKind

LOOPBACK: IPAddress = ip_address("127.0.0.1")


class Unknown(Exception):
    """The question names something that the configuration does not have, or that cannot be read."""


@dataclass(frozen=True, slots=True)
class Who:
    """The principal of a question; `claims` are added to those that its `match` fixes."""

    kind: PrincipalKind
    name: str
    claims: Mapping[str, str] = field(default_factory=dict)


def subject_of(
    configuration: Configuration,
    kinds: Mapping[str, ProtocolKind],
    who: Who,
    *,
    resource: str,
    database: str | None = None,
    source: IPAddress = LOOPBACK,
    plane: str | None = None,
    granted: Sequence[Action] = (),
) -> Subject:
    """Return the subject of a question, on the resource's plane where `plane` names none.

    `granted` are the actions of a grant that is open, with every approval.

    Raises:
        Unknown: the principal, resource or database is not configured.
    """
    known = resources(configuration, kinds)
    if resource not in known:
        raise Unknown(f"no resource is named {resource!r}{did_you_mean(resource, known)}")
    return Subject(
        principal_of(configuration, who),
        known[resource],
        _database(known[resource], database),
        source,
        plane if plane is not None else known[resource].plane,
        (OpenGrant("asked", frozenset(granted), None, 0, float("inf")),) if granted else (),
    )


def actions(names: Iterable[str]) -> list[Action]:
    """Read the names of actions.

    Raises:
        Unknown: there is no such action.
    """
    return [_action(name) for name in names]


def _action(name: str) -> Action:
    try:
        return Action(name)
    except ValueError:
        raise Unknown(f"no action is named {name!r}{did_you_mean(name, [one.value for one in Action])}") from None


def read_effect(parts: Sequence[str], database: str) -> Effect:
    """Read `[read, public.orders]`, `[execute, public.f, function]`, `[delete, /subscriptions/…]` or `[connect]`.

    Raises:
        Unknown: it is none of these.
    """
    if not 1 <= len(parts) <= 3:
        raise Unknown("an effect is [ACTION], [ACTION, SCHEMA.NAME] or [ACTION, SCHEMA.NAME, KIND]")
    action = _action(parts[0])
    if len(parts) == 2 and parts[1].startswith("/"):
        return Effect(action, azure_object(parts[1].lower()))
    below = tuple(parts[1].split(".")) if len(parts) > 1 else ()
    if "" in below or len(below) > 2:
        raise Unknown(f"{parts[1]!r} is not SCHEMA.NAME or SCHEMA")
    default = {0: "database" if database else "resource", 1: "schema", 2: "table"}[len(below)]
    kind = parts[2] if len(parts) > 2 else default
    return Effect(action, Object(((database,) if database else ()) + below, kind))


def _database(resource: Resource, database: str | None) -> str:
    if database is None:
        return resource.databases[0] if resource.databases else ""
    if resource.databases and database not in resource.databases:
        hint = did_you_mean(database, resource.databases)
        raise Unknown(f"the resource {resource.name!r} has no database {database!r}{hint}")
    return database


def principal_of(configuration: Configuration, who: Who) -> Principal:
    """Return a configured agent or user, with the claims that its `match` fixes.

    Raises:
        Unknown: none is configured by this name.
    """
    people: Sequence[Agent | User] = configuration.agents if who.kind is PrincipalKind.AGENT else configuration.users
    found = next((one for one in people if one.name == who.name), None)
    if found is None:
        hint = did_you_mean(who.name, [one.name for one in people])
        raise Unknown(f"no {who.kind} is named {who.name!r}{hint}")
    claims = {**_fixed(found), **who.claims}
    return Principal(who.kind, found.name, found.issuer, claims.get("sub", ""), frozenset(found.groups), claims)


def _fixed(one: Agent | User) -> dict[str, str]:
    """Return the claims that a token must carry with exactly one value."""
    return {claim: value for claim, value in one.match.items() if not value.startswith(("glob:", "regex:"))}
