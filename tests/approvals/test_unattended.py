"""With nobody to ask, a hold waits until the gate ends it, and is never approved."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

import pytest

from blastwall.approvals.unattended import Unattended
from blastwall.gate.ports import Approvals, Hold, Subject
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.model.resource import Address, Resource
from blastwall.model.ruling import Approval

HOLD = Hold(
    "s1",
    1,
    Subject(
        Principal(PrincipalKind.AGENT, "shop-ci", "github", "s"),
        Resource("pg", "postgres", Address("h", 1)),
        "shop",
        ip_address("127.0.0.1"),
    ),
    (),
    "delete from orders",
    (),
    (Approval("dba"),),
    until=0.0,
    binding=b"",
)


async def test_a_hold_ends_only_by_the_gates_timeout() -> None:
    approvals: Approvals = Unattended()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(approvals.decide(HOLD), 0.02)


async def test_a_withdrawn_hold_leaves_nothing_behind() -> None:
    waiting = asyncio.create_task(Unattended().decide(HOLD))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert asyncio.all_tasks() == {asyncio.current_task()}
