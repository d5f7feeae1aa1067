"""Cut off in under a second, on every node, and closed where nobody can know."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from tests.waiting import SOON, promised, until

from blastwall.containment import Contained, Kind, StoredContainment, containment
from blastwall.containment.containment import BLIND_AFTER
from blastwall.gate.ports import LiveSession
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.model.resource import Address, Resource
from blastwall.store import StateError
from blastwall.store.containments import ContainmentTable, PastContainment
from blastwall.store.database import Store, open_store
from blastwall.store.passes import PassTable, StoredPass

PG = Resource("pg-prod", "postgres", Address("db", 5432), ("shop",))
OTHER = Resource("pg-other", "postgres", Address("db", 5432), ("shop",))
AGENT = Principal(PrincipalKind.AGENT, "shop-ci", "github", "sub")
USER = Principal(PrincipalKind.USER, "shop-ci", "entra", "sub")


class Session:
    """A live session that notes how it ended."""

    def __init__(
        self,
        name: str = "s1",
        principal: Principal = AGENT,
        resource: Resource = PG,
        pass_id: str | None = None,
    ) -> None:
        self.ended: list[str] = []
        self.event = asyncio.Event()
        self.live = LiveSession(name, resource, principal, pass_id, self._end)

    def _end(self, reason: str) -> None:
        self.ended.append(reason)
        self.event.set()


class Monotonic:
    """Real time, plus what a test adds."""

    def __init__(self) -> None:
        self.added = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.added


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_store("sqlite:///b.db", tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> Monotonic:
    return Monotonic()


@pytest.fixture
async def node(store: Store, clock: Monotonic) -> AsyncIterator[StoredContainment]:
    made = StoredContainment(ContainmentTable(store), time.time, clock)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def elsewhere(store: Store, tmp_path: Path) -> AsyncIterator[StoredContainment]:
    """Another process on the same state: connections of its own, and no poll."""
    opened = await open_store("sqlite:///b.db", tmp_path)
    yield StoredContainment(ContainmentTable(opened), time.time)
    await opened.close()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Kind.AGENT, "shop-ci"),
        (Kind.ISSUER, "github"),
        (Kind.RESOURCE, "pg-prod"),
        (Kind.SESSION, "s1"),
        (Kind.PASS, "p1"),
    ],
)
async def test_a_live_session_ends_in_under_a_second_wherever_it_was_contained(
    node: StoredContainment, elsewhere: StoredContainment, kind: Kind, name: str
) -> None:
    session, bystander = Session(pass_id="p1"), Session("s2", USER, OTHER, "p2")
    node.watch(session.live)
    node.watch(bystander.live)
    began = time.monotonic()
    await elsewhere.contain(kind, name, "the token leaked", "ana")
    await asyncio.wait_for(session.event.wait(), SOON)
    assert time.monotonic() - began < promised(1)
    await asyncio.sleep(0.3)
    assert len(session.ended) == 1
    assert bystander.ended == []


async def test_what_is_contained_here_ends_at_once(node: StoredContainment) -> None:
    session = Session()
    node.watch(session.live)
    await node.contain(Kind.AGENT, "shop-ci", "the token leaked", "ana")
    assert session.ended == ["agent shop-ci is contained by the gateway's operator"]


async def test_nobody_contained_comes_in_until_lifted(node: StoredContainment, elsewhere: StoredContainment) -> None:
    assert node.against(AGENT, PG) is None
    await node.contain(Kind.AGENT, "shop-ci", "the token leaked", "ana")
    reason = node.against(AGENT, PG)
    assert reason is not None
    assert "leaked" not in reason
    assert node.against(AGENT, OTHER) is not None
    assert node.against(USER, PG) is None
    assert await elsewhere.lift(Kind.AGENT, "shop-ci", "over", "ana")
    await until(lambda: node.against(AGENT, PG) is None, "it is heard that it was lifted")
    await node.contain(Kind.RESOURCE, "pg-prod", "maintenance", "ana")
    assert node.against(USER, PG) is not None
    assert node.against(USER, OTHER) is None
    await node.lift(Kind.RESOURCE, "pg-prod", "over", "ana")
    assert node.against(USER, PG) is None


async def test_its_edition_says_whether_it_must_be_asked_again(node: StoredContainment, clock: Monotonic) -> None:
    before = node.edition()
    await node.contain(Kind.AGENT, "shop-ci", "the token leaked", "ana")
    contained = node.edition()
    assert contained != before
    await node.lift(Kind.AGENT, "shop-ci", "over", "ana")
    assert node.edition() != contained
    assert 0 not in {before, contained, node.edition()}
    clock.added += BLIND_AFTER + 1
    assert node.edition() == 0, "it knows too little to say that nothing has changed"


async def test_a_session_that_opens_while_contained_ends(node: StoredContainment) -> None:
    """Between the check at login and the watch, a containment may have come."""
    await node.contain(Kind.AGENT, "shop-ci", "the token leaked", "ana")
    session = Session()
    node.watch(session.live)
    assert session.ended == []
    await asyncio.sleep(0)
    assert len(session.ended) == 1


async def test_a_session_that_left_is_not_ended(node: StoredContainment) -> None:
    session = Session()
    node.watch(session.live)
    node.unwatch("s1")
    node.unwatch("s1")
    await node.contain(Kind.AGENT, "shop-ci", "the token leaked", "ana")
    assert session.ended == []


async def test_one_session_that_fails_to_end_saves_no_other(node: StoredContainment) -> None:
    def fail(reason: str) -> None:
        raise RuntimeError(reason)

    second = Session("s2")
    node.watch(LiveSession("s1", PG, AGENT, None, fail))
    node.watch(second.live)
    await node.contain(Kind.AGENT, "shop-ci", "the token leaked", "ana")
    assert len(second.ended) == 1
    await until(lambda: not node.blind, "it reads on; telling of the failure may have taken longer than it can see")


async def test_a_revoked_pass_ends_its_sessions(node: StoredContainment, store: Store) -> None:
    table = PassTable(store)
    now = time.time()
    made = StoredPass("p1", "d", "t", "pg-prod", "agent", "shop-ci", "github", "", "{}", now, now + 600)
    await table.issue(made, "10.0.0.1", now + 600)
    session = Session(pass_id="p1")
    node.watch(session.live)
    assert await table.revoke("p1", "given back", "agent shop-ci", now)
    await asyncio.wait_for(session.event.wait(), SOON)
    assert session.ended == ["the session's pass was revoked"]
    assert node.against(AGENT, PG) is None


async def test_an_unreadable_state_closes_and_heals(node: StoredContainment, store: Store, clock: Monotonic) -> None:
    session = Session()
    node.watch(session.live)
    async with store.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE containments RENAME TO gone")
    await asyncio.sleep(0.4)
    assert node.against(AGENT, PG) is None
    clock.added += BLIND_AFTER
    for _ in range(2):
        reason = node.against(AGENT, PG)
        assert reason is not None
        assert "cannot read its state" in reason
        assert node.blind
        await asyncio.wait_for(node.sight(), SOON)  # the next reading fails, too
    async with store.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE gone RENAME TO containments")
    await until(lambda: node.against(AGENT, PG) is None, "it reads its state again")
    assert session.ended == []


async def test_a_reading_that_is_only_late_is_worth_waiting_for(
    node: StoredContainment, store: Store, clock: Monotonic
) -> None:
    await node.sight()
    await ContainmentTable(store).add(Contained(Kind.AGENT, "other", "the token leaked", "ana", time.time()))
    clock.added += BLIND_AFTER + 1
    assert node.blind
    await asyncio.wait_for(node.sight(), SOON)
    assert node.against(AGENT, PG) is None
    assert node.against(replace(AGENT, name="other"), PG) is not None


class Slow(ContainmentTable):
    """Each reading takes `takes` more seconds by the test's clock; where `hangs`, it never comes back."""

    def __init__(self, store: Store, clock: Monotonic) -> None:
        super().__init__(store)
        self._clock, self.takes, self.hangs = clock, 0.0, False

    async def matters(self, now: float) -> tuple[PastContainment, ...]:
        found = await super().matters(now)
        if self.hangs:
            await asyncio.Event().wait()
        self._clock.added += self.takes
        return found


async def test_what_took_too_long_to_read_lets_nobody_in_and_the_next_reading_is_waited_for(
    store: Store, clock: Monotonic
) -> None:
    table = Slow(store, clock)
    node = StoredContainment(table, time.time, clock)
    await node.start()
    table.takes = BLIND_AFTER + 1
    await until(lambda: node.blind, "what it read is too old when it comes")
    waiting = asyncio.create_task(node.sight())
    await asyncio.sleep(0.6)
    assert not waiting.done()
    assert node.against(AGENT, PG) is not None
    await ContainmentTable(store).add(Contained(Kind.AGENT, "other", "the token leaked", "ana", time.time()))
    table.takes = 0.0
    await asyncio.wait_for(waiting, SOON)
    assert node.against(AGENT, PG) is None
    assert node.against(replace(AGENT, name="other"), PG) is not None
    await node.stop()


@pytest.mark.parametrize("stops", [True, False])
async def test_nobody_waits_for_ever(
    store: Store, clock: Monotonic, monkeypatch: pytest.MonkeyPatch, stops: bool
) -> None:
    monkeypatch.setattr(containment, "SIGHT_SECONDS", SOON if stops else 0.05)
    table = Slow(store, clock)
    node = StoredContainment(table, time.time, clock)
    await node.start()
    table.hangs = True
    clock.added += BLIND_AFTER + 1
    waiting = asyncio.create_task(node.sight())
    await asyncio.sleep(0)
    if stops:
        await node.stop()
    await asyncio.wait_for(waiting, SOON / 2)
    assert node.against(AGENT, PG) is not None
    await node.stop()


async def test_nothing_starts_on_a_state_that_cannot_be_read(store: Store) -> None:
    async with store.write() as connection:
        await connection.exec_driver_sql("DROP TABLE containments")
    node = StoredContainment(ContainmentTable(store), time.time)
    with pytest.raises(StateError):
        await node.start()
    assert node.against(AGENT, PG) is not None


async def test_a_containment_that_could_not_be_written_is_not_claimed(node: StoredContainment, store: Store) -> None:
    async with store.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE containments RENAME TO gone")
    with pytest.raises(StateError):
        await node.contain(Kind.AGENT, "shop-ci", "the token leaked", "ana")
    assert node.against(AGENT, PG) is None


async def test_a_read_under_way_does_not_undo_what_happened_since(
    node: StoredContainment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The poll read before the containment was written, and returns after it was felt here."""
    table = node._table
    release = asyncio.Event()
    read = table.matters

    async def slow(now: float) -> object:
        found = await read(now)
        await release.wait()
        return found

    monkeypatch.setattr(table, "matters", slow)
    polling = asyncio.create_task(node._poll())
    await asyncio.sleep(0.1)
    await node.contain(Kind.AGENT, "shop-ci", "the token leaked", "ana")
    release.set()
    await polling
    assert node.against(AGENT, PG) is not None


# ── proofs from before ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("kind", "name"), [(Kind.AGENT, "shop-ci"), (Kind.ISSUER, "github")])
async def test_a_proof_from_before_a_containment_is_worthless_for_good(
    node: StoredContainment, elsewhere: StoredContainment, kind: Kind, name: str
) -> None:
    began = time.time()
    assert node.spoiled(AGENT, began) is None
    await elsewhere.contain(kind, name, "the token leaked", "ana")
    await elsewhere.lift(kind, name, "found and closed", "ana")
    await until(lambda: node.spoiled(AGENT, began) is not None, "the proof from before is spoiled")
    assert node.against(AGENT, PG) is None
    assert node.spoiled(AGENT, time.time()) is None, "a fresh proof is good"
    assert node.spoiled(USER, began) is None, "somebody else's is good"


async def test_a_resource_spoils_nobodys_proof(node: StoredContainment) -> None:
    await node.contain(Kind.RESOURCE, "pg-prod", "maintenance", "ana")
    assert node.spoiled(AGENT, 0.0) is None


async def test_an_issuer_that_is_contained_lets_nobody_of_it_in(node: StoredContainment) -> None:
    await node.contain(Kind.ISSUER, "github", "their keys leaked", "ana")
    assert node.against(AGENT) == "whoever comes from the issuer github is contained by the gateway's operator"
    assert node.against(USER) is None


async def test_every_node_logs_who_contained_and_lifted_and_why(
    node: StoredContainment, elsewhere: StoredContainment
) -> None:
    with structlog.testing.capture_logs() as logs:
        await elsewhere.contain(Kind.AGENT, "shop-ci", "the token leaked", "ana")
        await _logged(logs, "contained")
        await elsewhere.lift(Kind.AGENT, "shop-ci", "a false alarm", "ben")
        lifted = await _logged(logs, "lifted")
    assert (lifted["name"], lifted["reason"], lifted["by"]) == ("shop-ci", "a false alarm", "ben")
    contained = [each for each in logs if each["event"] == "contained"]
    assert {(each["reason"], each["by"]) for each in contained} == {("the token leaked", "ana")}


async def _logged(logs: list[structlog.typing.EventDict], event: str) -> structlog.typing.EventDict:
    found = await until(lambda: [each for each in logs if each["event"] == event], f"{event} is logged")
    return found[-1]
