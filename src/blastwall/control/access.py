"""The one authorization chokepoint: who may call which use-case.

Every use-case is a method of a `UseCases` class and takes its caller first. `@use_case(Access…)` says who may call it
and checks that at each call, whatever face the call came through; a public method without it is a mistake that Python
reports when the class is made.

| access | who |
| --- | --- |
| PUBLIC | everybody who reaches the port; the answer is harmless |
| PROOF | everybody, since the request itself carries the proof that the use-case verifies |
| OBSERVER | a configured user, or whoever is on the gateway's own machine |
| AGENT | a verified agent or user, about themselves; the use-case gives an agent its own things alone |
| VIEWER | a user with the role viewer, or any other role |
| APPROVER | a user with the role approver; never the command line here, which has no person's identity |
| AUDITOR | a user with the role auditor: reads what was said in sessions |
| OPERATOR | a user with the role operator: contains, lifts, ends, revokes |
| LOCAL | the command line on the gateway's machine, for what names files there |

Whoever can read and write the gateway's configuration and state on its machine (the command line: `Operator`) may
call everything but what needs an approver. Roles are a user's: an agent never has one, whatever its groups are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Concatenate, ParamSpec, TypeVar

from blastwall.model.principal import Principal, PrincipalKind


class Access(StrEnum):
    """Who may call a use-case."""

    PUBLIC = "public"
    PROOF = "proof"
    OBSERVER = "observer"
    AGENT = "agent"
    VIEWER = "viewer"
    APPROVER = "approver"
    AUDITOR = "auditor"
    OPERATOR = "operator"
    LOCAL = "local"


class Role(StrEnum):
    """What a user may do beyond being known; see `control.roles` for who has which."""

    VIEWER = "viewer"
    APPROVER = "approver"
    AUDITOR = "auditor"
    OPERATOR = "operator"


NO_ROLES: frozenset[Role] = frozenset()

_ROLES: Mapping[Access, Role] = {Access(role.value): role for role in Role}
"""The accesses that are a role's."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A caller over the network.

    `principal` is set where a token or login of theirs was verified. `signed_in` names the login where it was one,
    which ends at `until` (epoch seconds); `web` says that it is the web page's, so that a person sits before it.
    """

    source: IPv4Address | IPv6Address
    principal: Principal | None = None
    roles: frozenset[Role] = NO_ROLES
    signed_in: str | None = None
    until: float | None = None
    web: bool = False

    @property
    def name(self) -> str:
        """Who it is, for records: `user ana`."""
        return f"{self.principal.kind} {self.principal.name}" if self.principal is not None else str(self.source)


@dataclass(frozen=True, slots=True)
class Operator:
    """A caller on the gateway's machine with its files in hand; `name` is the system's user, for the record."""

    name: str


Caller = Remote | Operator


class Forbidden(Exception):
    """The caller may not do this. `known` says whether they proved who they are."""

    def __init__(self, message: str, *, known: bool) -> None:
        super().__init__(message)
        self.known = known


def authorize(access: Access, caller: Caller) -> None:
    """Let the call go on.

    Raises:
        Forbidden: this caller may not make it.
    """
    if access in {Access.PUBLIC, Access.PROOF}:
        return
    if isinstance(caller, Operator):
        _authorize_local(access)
        return
    problem = _problem(access, caller)
    if problem:
        raise Forbidden(problem, known=caller.principal is not None)


def _authorize_local(access: Access) -> None:
    if access is Access.APPROVER:
        raise Forbidden("an approval needs a person's identity: sign in with `blastwall login`", known=True)


def _problem(access: Access, caller: Remote) -> str:
    """Return why a caller over the network may not; empty where they may."""
    if access is Access.LOCAL:
        return "this is for the operator: use the command line on the gateway's machine"
    principal = caller.principal
    if access is Access.OBSERVER and caller.source.is_loopback:
        return ""
    if principal is None:
        return (
            "this is for people and agents that the gateway knows: sign in, or send a token as `Authorization: Bearer`"
        )
    if access is Access.AGENT:
        return ""
    if principal.kind is not PrincipalKind.USER:
        return "this is for the gateway's users; an agent's token is no proof here"
    if access is Access.OBSERVER or _ROLES.get(access) in caller.roles:
        return ""
    if access is Access.VIEWER and caller.roles:
        return ""
    return f"this needs the role {access}, which {principal.name} does not have; groups give roles (`control.roles`)"


P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
C = TypeVar("C", bound=Caller)

_MARK = "blastwall_access"


def use_case(
    access: Access,
) -> Callable[[Callable[Concatenate[S, C, P], R]], Callable[Concatenate[S, C, P], R]]:
    """Classify a use-case, and have each call authorized."""

    def classify(function: Callable[Concatenate[S, C, P], R]) -> Callable[Concatenate[S, C, P], R]:
        @functools.wraps(function)
        def authorized(self: S, caller: C, /, *args: P.args, **kwargs: P.kwargs) -> R:
            authorize(access, caller)
            return function(self, caller, *args, **kwargs)

        authorized.__dict__[_MARK] = access
        return authorized

    return classify


def access_of(function: object) -> Access | None:
    """Return who may call a use-case; None for what was never classified."""
    found = getattr(function, _MARK, None)
    return found if isinstance(found, Access) else None


class UseCases:
    """A class whose every public method is a classified use-case."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, member in vars(cls).items():
            if not name.startswith("_") and callable(member) and access_of(member) is None:
                raise TypeError(f"{cls.__name__}.{name} is not classified: decorate it with @use_case")
