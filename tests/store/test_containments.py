from __future__ import annotations

import pytest

from blastwall.store.containments import KEEP_SECONDS, SPOIL_SECONDS, Contained, ContainmentTable, Kind
from blastwall.store.database import Store
from blastwall.store.passes import PassTable, ProofSpoiled, StoredPass


async def test_a_containment_is_in_force_until_lifted(store: Store) -> None:
    table = ContainmentTable(store)
    agent = Contained(Kind.AGENT, "shop-ci", "token leaked", "ana", 1000.0)
    resource = Contained(Kind.RESOURCE, "shop-ci", "maintenance", "ana", 1001.0)
    await table.add(agent)
    await table.add(resource)
    assert await table.in_force(9e9) == (agent, resource)
    assert await table.lift(Kind.AGENT, "shop-ci", "over", "ben", 1002.0)
    assert not await table.lift(Kind.AGENT, "shop-ci", "over", "ben", 1003.0)
    assert await table.in_force(9e9) == (resource,)


async def test_lifting_lifts_all_of_one_name(store: Store) -> None:
    table = ContainmentTable(store)
    for reason in ("one", "two"):
        await table.add(Contained(Kind.AGENT, "shop-ci", reason, "ana", 1000.0))
    assert await table.lift(Kind.AGENT, "shop-ci", "over", "ana", 1001.0)
    assert await table.in_force(1002.0) == ()


async def test_a_killed_session_is_forgotten_after_a_month(store: Store) -> None:
    table = ContainmentTable(store)
    await table.add(Contained(Kind.SESSION, "s1", "why", "ana", 0.0))
    assert len(await table.in_force(29 * 86_400)) == 1
    assert await table.in_force(31 * 86_400) == ()
    await table.add(Contained(Kind.SESSION, "s2", "why", "ana", 31 * 86_400))
    assert [each.contained.name for each in await table.history(50)] == ["s2", "s1"], "an auditor may ask for it"
    await table.add(Contained(Kind.SESSION, "s3", "why", "ana", 31 * 86_400 + KEEP_SECONDS))
    assert [each.contained.name for each in await table.history(50)] == ["s3", "s2"]


async def test_the_history_says_who_lifted_and_why(store: Store) -> None:
    table = ContainmentTable(store)
    for number, name in enumerate(["a", "b", "c"]):
        await table.add(Contained(Kind.AGENT, name, "why", "ana", 1000.0 + number))
    await table.lift(Kind.AGENT, "b", "a false alarm", "ben", 1100.0)
    first, second = await table.history(2)
    assert [first.contained.name, second.contained.name] == ["c", "b"]
    assert (first.lifted, first.lift_reason) == (None, None)
    assert (second.lifted, second.lifted_by, second.lift_reason) == (1100.0, "ben", "a false alarm")
    [last] = await table.history(2, (second.contained.at, second.id))
    assert last.contained.name == "a"


async def test_what_was_lifted_goes_on_mattering_for_older_proofs(store: Store) -> None:
    table = ContainmentTable(store)
    for kind in (Kind.AGENT, Kind.ISSUER, Kind.RESOURCE):
        await table.add(Contained(kind, "x", "why", "ana", 1000.0))
        await table.lift(kind, "x", "over", "ana", 1001.0)
    assert [each.contained.kind for each in await table.matters(1100.0)] == [Kind.AGENT, Kind.ISSUER]
    assert len(await table.matters(1030.0)) == 3, "what was lifted a moment ago is told on every node"
    assert await table.matters(1000.0 + SPOIL_SECONDS) == ()


async def issue(store: Store, name: str, principal: str, issuer: str = "github", at: float = 1000.0) -> None:
    new = StoredPass(name, name, "t" + name, "pg-prod", "agent", principal, issuer, "", "{}", at, at + 600)
    await PassTable(store).issue(new, "10.0.0.1", at + 600)


@pytest.mark.parametrize(
    ("kind", "name", "dead"),
    [(Kind.AGENT, "shop-ci", ["p1", "p2"]), (Kind.ISSUER, "gitlab", ["p2", "p4"]), (Kind.USER, "shop-ci", [])],
)
async def test_passes_die_with_their_principal_or_issuer_for_good(
    store: Store, kind: Kind, name: str, dead: list[str]
) -> None:
    for number, (principal, issuer) in enumerate(
        [("shop-ci", "github"), ("shop-ci", "gitlab"), ("other", "github"), ("other", "gitlab")], 1
    ):
        await issue(store, f"p{number}", principal, issuer)
    table = ContainmentTable(store)
    await table.add(Contained(kind, name, "why", "ana", 1010.0))
    await table.lift(kind, name, "over", "ana", 1020.0)
    found = [await PassTable(store).find(f"p{number}") for number in range(1, 5)]
    assert [each.id for each in found if each is not None and each.revoked is not None] == dead


async def test_no_pass_is_given_for_a_token_from_before_a_containment_that_nobody_has_heard_of(store: Store) -> None:
    await ContainmentTable(store).add(Contained(Kind.AGENT, "shop-ci", "why", "ana", 1000.0))
    new = StoredPass("p1", "d", "t", "pg-prod", "agent", "shop-ci", "github", "", "{}", 1000.1, 1600.0)
    with pytest.raises(ProofSpoiled):
        await PassTable(store).issue(new, "10.0.0.1", 1600.0, 1000.0)
    await PassTable(store).issue(new, "10.0.0.1", 1600.0, 1001.0)
