"""Which roles a user has: those of their groups, as the configuration in force says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from blastwall.config.control import RoleGroups
from blastwall.control.access import NO_ROLES, Role
from blastwall.model.principal import Principal, PrincipalKind


@dataclass(frozen=True, slots=True)
class Roles:
    """The groups that give each role; None stands for every user."""

    groups: Mapping[Role, frozenset[str] | None] = field(default_factory=dict)

    def of(self, principal: Principal | None) -> frozenset[Role]:
        """Return a principal's roles; an agent has none."""
        if principal is None or principal.kind is not PrincipalKind.USER:
            return NO_ROLES
        return frozenset(
            role for role, groups in self.groups.items() if groups is None or not groups.isdisjoint(principal.groups)
        )


def roles_of(settings: RoleGroups) -> Roles:
    """Return the roles that a configuration gives: viewer and approver to every user unless it says otherwise."""
    return Roles(
        {
            Role.VIEWER: None if settings.viewer is None else frozenset(settings.viewer),
            Role.APPROVER: None if settings.approver is None else frozenset(settings.approver),
            Role.AUDITOR: frozenset(settings.auditor),
            Role.OPERATOR: frozenset(settings.operator),
        }
    )
