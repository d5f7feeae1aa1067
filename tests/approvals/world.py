"""Two nodes that share a state, and the people who approve: ana and ben are dbas, ben and cleo security."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address

from tests.waiting import SOON

from blastwall.approvals.counting import Scope
from blastwall.approvals.deciding import Deciding, Said
from blastwall.approvals.people import People, Person
from blastwall.approvals.requests import Place
from blastwall.approvals.sealing import Seals
from blastwall.approvals.stored import StoredApprovals
from blastwall.approvals.worth import Worth
from blastwall.config.callers import User
from blastwall.gate.binding import bind
from blastwall.gate.ports import Asked, Hold, Subject, Verdict
from blastwall.model.effects import Action, Effect, Object
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.model.resource import Address, Resource
from blastwall.model.ruling import Approval
from blastwall.model.statement import Parameter, Statement
from blastwall.store.approvals import ApprovalTable, Past
from blastwall.store.database import Store

KEY = b"k" * 32
AGENT = Principal(PrincipalKind.AGENT, "shop-ci", "github", "repo:shop", frozenset({"ci"}), {"actor_id": "7"})
RESOURCE = Resource("shop-db", "toy", Address("127.0.0.1", 1), ("shop",))
ORDERS = Effect(Action.DELETE, Object(("shop", "public", "orders"), "table"))
DBA = (Approval("dba"),)

ANA, BEN, CLEO = Person("entra", "a", "ana"), Person("entra", "b", "ben"), Person("entra", "c", "cleo")
ANA_TOO = Person("github", "ana-at-github", "ana-gh")
GREG = Person("entra", "g", "greg")


def a_user(name: str, *groups: str, issuer: str = "entra", person: str | None = None, **behind: str) -> User:
    return User(
        name=name,
        issuer=issuer,
        match={"sub": name},
        groups=list(groups),
        person=person,
        behind_agents=dict(behind),
    )


def users() -> list[User]:
    return [
        a_user("ana", "dba"),
        a_user("ana-gh", "dba", "security", issuer="github", person="ana"),
        a_user("ben", "dba", "security"),
        a_user("cleo", "security"),
        a_user("greg", "dba", actor_id="7"),
        a_user("visitor"),
    ]


def a_hold(
    text: str = "DELETE FROM orders WHERE id = $1",
    *values: str | None,
    session: str = "s1",
    principal: Principal = AGENT,
    resource: Resource = RESOURCE,
    database: str = "shop",
    approvals: tuple[Approval, ...] = DBA,
    effect: Effect = ORDERS,
    seconds: float = 30.0,
    fails: bool = False,
    lasts: float = 600.0,
    in_transaction: bool = False,
) -> Hold:
    subject = Subject(principal, resource, database, ip_address("127.0.0.1"))
    statement = Statement(text, (effect,), "DELETE", database, tuple(Parameter(value) for value in values))
    now = time.time()
    return Hold(
        session=session,
        number=1,
        subject=subject,
        effects=statement.effects,
        text=text,
        parameters=values,
        approvals=approvals,
        until=now + (lasts if fails else seconds),
        binding=bind(KEY, subject, statement),
        asked_at=now,
        operation="DELETE",
        in_transaction=in_transaction,
        policies=("deletes-need-a-dba",),
        reason="deletes wait",
        fails=fails,
        lasts=lasts,
    )


class Held:
    """One statement that is held: `asked` once people are."""

    def __init__(self, node: StoredApprovals, hold: Hold) -> None:
        self.hold = hold
        self._asked: asyncio.Future[Asked] = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(node.decide(hold, self._waits))

    def _waits(self, asked: Asked) -> None:
        self._asked.set_result(asked)

    @property
    def waited(self) -> bool:
        return self._asked.done() and not self._asked.cancelled()

    async def asked(self) -> Asked:
        async with asyncio.timeout(SOON):
            return await self._asked

    async def settled(self) -> None:
        """Wait until people are asked, or need not be."""
        self.task.add_done_callback(lambda _: self._asked.done() or self._asked.cancel())
        with suppress(asyncio.CancelledError):
            await self.asked()

    async def verdict(self) -> Verdict:
        async with asyncio.timeout(SOON):
            return await self.task


class Shop:
    """Two nodes; what one decides the other hears from the state alone."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.table = ApprovalTable(store)
        self.people = People(users())
        self.contained: set[str] = set()
        self.spoiled: dict[str, float] = {}
        self.ahead = 0.0
        self.worth = Worth(Seals(KEY), self.people, self._cut)
        self.changes: list[tuple[str, str]] = []
        self.nodes: list[StoredApprovals] = []
        self.deciding = Deciding(self.table, self.worth, self.now, lambda _id, _state: self.wake())

    def _cut(self, principal: Principal, at: float) -> bool:
        return principal.name in self.contained or at <= self.spoiled.get(principal.name, 0.0)

    def now(self) -> float:
        return time.time() + self.ahead

    def wake(self) -> None:
        for node in self.nodes[:1]:
            node.wake()

    async def node(self, name: str = "", worker: int = 1, of: int = 1) -> StoredApprovals:
        """Start a node; the first hears at once of decisions here, others read them from the state."""
        name = name or f"node{len(self.nodes)}"
        place = Place(name, worker, of, f"{name} {worker} {len(self.nodes)}")
        node = StoredApprovals(
            self.table,
            self.worth,
            place,
            link=lambda identity: f"https://gate/#/approvals/{identity}",
            now=self.now,
            asked=lambda request: self.changes.append((request.id, "waiting")),
            changed=lambda identity, state: self.changes.append((identity, state)),
        )
        await node.start()
        self.nodes.append(node)
        return node

    async def hold(self, *values: str | None, node: StoredApprovals | None = None, **different: object) -> Held:
        """Hold a statement, and return once people are asked."""
        node = node or (self.nodes[0] if self.nodes else await self.node())
        held = Held(node, a_hold(*(("DELETE FROM orders WHERE id = $1", *values) if values else ()), **different))  # type: ignore[arg-type]
        await held.asked()
        return held

    async def ask(self, hold: Hold, node: StoredApprovals | None = None) -> Verdict:
        """Ask for what need not wait; its verdict."""
        held = Held(node or (self.nodes[0] if self.nodes else await self.node()), hold)
        verdict = await held.verdict()
        assert not held.waited
        return verdict

    async def approve(
        self, identity: str, person: Person, scope: Scope = Scope.ONCE, minutes: int = 0, comment: str = ""
    ) -> Past:
        return await self.deciding.decide(identity, person, Said("approve", scope, minutes, comment))

    async def deny(self, identity: str, person: Person, comment: str = "not today") -> Past:
        return await self.deciding.decide(identity, person, Said("deny", comment=comment))

    async def state(self, identity: str) -> str:
        return (await self.table.get(identity)).request.state

    async def becomes(self, identity: str, state: str) -> None:
        """Wait until a request is in a state."""
        async with asyncio.timeout(SOON):
            while True:
                if await self.state(identity) == state:
                    return
                await asyncio.sleep(0.02)

    async def close(self) -> None:
        for node in self.nodes:
            await node.stop()


def other(hold: Hold, **different: object) -> Hold:
    """Return a hold that differs."""
    return replace(hold, **different)  # type: ignore[arg-type]
