"""Use-cases of callers about themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from blastwall.control.access import Access, Remote, Role, UseCases, use_case
from blastwall.gate.ports import Refusal
from blastwall.model.principal import PrincipalKind


@dataclass(frozen=True, slots=True)
class Me:
    """A caller, as the gateway knows them."""

    kind: Literal["user", "agent"]
    name: str
    groups: frozenset[str]
    roles: frozenset[Role]
    signed_in_until: float | None


class People(UseCases):
    """What callers may know of themselves."""

    @use_case(Access.AGENT)
    async def me(self, caller: Remote) -> Me:
        """Return who the caller is."""
        principal = caller.principal
        if principal is None:
            raise Refusal("nobody asked who they are", "nothing was shown that says who you are")
        kind: Literal["user", "agent"] = "user" if principal.kind is PrincipalKind.USER else "agent"
        return Me(kind, principal.name, principal.groups, caller.roles, caller.until)
