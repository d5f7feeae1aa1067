"""The one authorization chokepoint: who may call which use-case.

Every use-case is a method of a `UseCases` class and takes its caller first. `@use_case(Access…)` says who may call it
and checks that at each call, whatever face the call came through; a public method without it is a mistake that Python
reports when the class is made.

| access | who |
| --- | --- |
| PUBLIC | everybody who reaches the port; the answer is harmless |
| PROOF | everybody, since the request itself carries the proof that the use-case verifies |
| OBSERVER | a configured user, or whoever is on the gateway's own machine |
| OPERATOR | whoever can read and write the gateway's configuration and state on its machine: the command line |
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Concatenate, ParamSpec, TypeVar

from blastwall.gate.ports import IPAddress
from blastwall.model.principal import Principal, PrincipalKind


class Access(StrEnum):
    """Who may call a use-case."""

    PUBLIC = "public"
    PROOF = "proof"
    OBSERVER = "observer"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Remote:
    """A caller over the network; `principal` is set where a token of theirs was verified."""

    source: IPAddress
    principal: Principal | None = None


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
    if access in {Access.PUBLIC, Access.PROOF} or isinstance(caller, Operator):
        return
    known = caller.principal is not None
    if access is Access.OBSERVER:
        if caller.source.is_loopback or (caller.principal and caller.principal.kind is PrincipalKind.USER):
            return
        raise Forbidden(
            "this is for the gateway's users: send a token of theirs as `Authorization: Bearer`", known=known
        )
    raise Forbidden("this is for the operator: use the command line on the gateway's machine", known=known)


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
