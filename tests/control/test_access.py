"""The chokepoint: nobody calls what is not theirs, and nothing goes unclassified."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from ipaddress import ip_address

import pytest

import blastwall.control
from blastwall.control.access import (
    Access,
    Forbidden,
    Operator,
    Remote,
    Role,
    UseCases,
    access_of,
    authorize,
    use_case,
)
from blastwall.model.principal import Principal, PrincipalKind

FAR = ip_address("203.0.113.9")
AGENT = Principal(PrincipalKind.AGENT, "shop-ci", "github", "sub", frozenset({"dba"}))
USER = Principal(PrincipalKind.USER, "ana", "github", "sub")

ANYBODY = Remote(FAR)
AN_AGENT = Remote(FAR, AGENT)
A_USER = Remote(FAR, USER)
NEAR = Remote(ip_address("127.0.0.1"))
OPERATOR = Operator("root")
VIEWER, APPROVER, AUDITOR, ON_CALL = (Remote(FAR, USER, frozenset({role})) for role in Role)
EVERYBODY: list[Remote | Operator] = [ANYBODY, AN_AGENT, A_USER, NEAR, OPERATOR, VIEWER, APPROVER, AUDITOR, ON_CALL]


@pytest.mark.parametrize(
    ("access", "may"),
    [
        (Access.PUBLIC, EVERYBODY),
        (Access.PROOF, EVERYBODY),
        (Access.OBSERVER, [A_USER, NEAR, OPERATOR, VIEWER, APPROVER, AUDITOR, ON_CALL]),
        (Access.AGENT, [AN_AGENT, A_USER, OPERATOR, VIEWER, APPROVER, AUDITOR, ON_CALL]),
        (Access.VIEWER, [OPERATOR, VIEWER, APPROVER, AUDITOR, ON_CALL]),
        (Access.APPROVER, [APPROVER]),
        (Access.AUDITOR, [OPERATOR, AUDITOR]),
        (Access.OPERATOR, [OPERATOR, ON_CALL]),
        (Access.LOCAL, [OPERATOR]),
    ],
)
def test_who_may_do_what(access: Access, may: list[Remote | Operator]) -> None:
    for caller in EVERYBODY:
        if caller in may:
            authorize(access, caller)
        else:
            with pytest.raises(Forbidden):
                authorize(access, caller)


def test_an_agent_with_roles_by_mistake_is_still_an_agent() -> None:
    everything = Remote(FAR, AGENT, frozenset(Role))
    for access in (Access.OBSERVER, Access.VIEWER, Access.APPROVER, Access.AUDITOR, Access.OPERATOR):
        with pytest.raises(Forbidden, match="an agent's token is no proof here"):
            authorize(access, everything)


async def test_a_use_case_is_not_entered_by_who_may_not() -> None:
    entered = []

    class Some(UseCases):
        @use_case(Access.OPERATOR)
        async def act(self, caller: Remote | Operator) -> str:
            entered.append(caller)
            return "done"

    with pytest.raises(Forbidden):
        await Some().act(A_USER)
    assert entered == []
    assert await Some().act(OPERATOR) == "done"


def test_an_unclassified_use_case_cannot_be_written() -> None:
    with pytest.raises(TypeError, match=r"Some\.act is not classified"):

        class Some(UseCases):
            def act(self, caller: Remote) -> None:
                pass


def _classes() -> Iterator[type[UseCases]]:
    for module in pkgutil.iter_modules(blastwall.control.__path__, "blastwall.control."):
        import_module(module.name)
    yield from UseCases.__subclasses__()


def test_every_use_case_of_the_product_is_classified() -> None:
    classes = [found for found in _classes() if found.__module__.startswith("blastwall.control.")]
    assert {"Passing", "Containing", "Status"} <= {found.__name__ for found in classes}
    for found in classes:
        for name, member in vars(found).items():
            if not name.startswith("_") and callable(member):
                assert access_of(member) is not None, f"{found.__name__}.{name}"
