"""Groups give users roles; nothing gives an agent one."""

from __future__ import annotations

from blastwall.config.control import RoleGroups
from blastwall.control.access import Role
from blastwall.control.roles import Roles, roles_of
from blastwall.model.principal import Principal, PrincipalKind


def a(kind: PrincipalKind, *groups: str) -> Principal:
    return Principal(kind, "who", "issuer", "sub", frozenset(groups))


def test_left_out_every_user_views_and_approves() -> None:
    roles = roles_of(RoleGroups())
    assert roles.of(a(PrincipalKind.USER)) == {Role.VIEWER, Role.APPROVER}
    assert roles.of(a(PrincipalKind.AGENT, "dba")) == frozenset()
    assert roles.of(None) == frozenset()


def test_groups_give_roles() -> None:
    roles = roles_of(RoleGroups(viewer=["staff"], approver=["dba"], auditor=["audit"], operator=["oncall", "dba"]))
    assert roles.of(a(PrincipalKind.USER)) == frozenset()
    assert roles.of(a(PrincipalKind.USER, "staff", "audit")) == {Role.VIEWER, Role.AUDITOR}
    assert roles.of(a(PrincipalKind.USER, "dba")) == {Role.APPROVER, Role.OPERATOR}
    assert roles.of(a(PrincipalKind.AGENT, "staff", "dba", "audit", "oncall")) == frozenset()


def test_an_empty_list_is_nobody() -> None:
    roles = roles_of(RoleGroups(viewer=[], approver=[]))
    assert roles.of(a(PrincipalKind.USER, "dba")) == frozenset()


def test_without_a_configuration_nobody_has_a_role() -> None:
    assert Roles().of(a(PrincipalKind.USER, "dba")) == frozenset()
