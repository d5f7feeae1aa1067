from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from blastwall.control.access import Operator
from blastwall.control.containing import CannotContain, Containing
from blastwall.store import open_store
from blastwall.store.containments import ContainmentTable, Kind
from blastwall.store.passes import PassTable, StoredPass

ANA = Operator("ana")


@pytest.fixture
async def passes(tmp_path: Path) -> AsyncIterator[PassTable]:
    store = await open_store("sqlite:///b.db", tmp_path)
    yield PassTable(store)
    await store.close()


@pytest.fixture
def containing(passes: PassTable) -> Containing:
    return Containing(ContainmentTable(passes.store), passes, time.time)


async def test_contain_and_lift(containing: Containing) -> None:
    await containing.contain(ANA, Kind.AGENT, "shop-ci", "the token leaked")
    (found,) = await containing.in_force(ANA)
    assert (found.kind, found.name, found.reason, found.by) == (Kind.AGENT, "shop-ci", "the token leaked", "ana")
    await containing.lift(ANA, Kind.AGENT, "shop-ci")
    assert await containing.in_force(ANA) == ()
    with pytest.raises(CannotContain, match="agent shop-ci is not contained"):
        await containing.lift(ANA, Kind.AGENT, "shop-ci")


@pytest.mark.parametrize("kind", [Kind.SESSION, Kind.PASS])
async def test_what_was_ended_stays_ended(containing: Containing, kind: Kind) -> None:
    with pytest.raises(CannotContain, match="stays ended"):
        await containing.lift(ANA, kind, "x")


@pytest.mark.parametrize(
    ("name", "reason"), [("", "why"), ("x" * 64, "why"), ("x", ""), ("x", "  "), ("x", "y" * 1001)]
)
async def test_names_and_reasons_are_asked_for(containing: Containing, name: str, reason: str) -> None:
    with pytest.raises(CannotContain):
        await containing.contain(ANA, Kind.AGENT, name, reason)
    assert await containing.in_force(ANA) == ()


async def test_a_pass_is_revoked_by_its_id(containing: Containing, passes: PassTable) -> None:
    with pytest.raises(CannotContain, match="no pass with the id p1 works"):
        await containing.contain(ANA, Kind.PASS, "p1", "why")
    now = time.time()
    made = StoredPass("p1", "d", "t", "pg-prod", "agent", "shop-ci", "github", "", "{}", now, now + 600)
    await passes.issue(made, "10.0.0.1", now + 600)
    await containing.contain(ANA, Kind.PASS, "p1", "why")
    found = await passes.find("d")
    assert found is not None
    assert found.revoked is not None
    assert [(each.kind, each.name) for each in await containing.in_force(ANA)] == [(Kind.PASS, "p1")]
