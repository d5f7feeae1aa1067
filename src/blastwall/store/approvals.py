"""Requests for approval and decisions, as rows. Who may decide what is settled above; here it is settled once.

A request's state is `waiting` until the first of these: enough people approved, one refused, its time ended, or who
asked left. The row is locked meanwhile, so of two that race, on two nodes as well, one finds it ended.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum

from sqlalchemy import ColumnElement, RowMapping, Select, and_, delete, insert, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from blastwall.store.approval_tables import approvals, decisions
from blastwall.store.table import Table, portions, values_of, whole

KEEP_SECONDS = 400 * 86_400
"""Ended requests are kept for so long: an auditor may ask after a year."""


class State(StrEnum):
    """Where a request stands."""

    WAITING = "waiting"
    APPROVED = "approved"
    DENIED = "denied"
    TIMEOUT = "timeout"
    WITHDRAWN = "withdrawn"


class Mode(StrEnum):
    """WAIT: the connection is held until people decide. FAIL: it was refused at once, and may ask again."""

    WAIT = "wait"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """A request. The fields before `seal` never change, and are sealed; some are JSON, as the tables say."""

    id: str
    mode: str
    asked_at: float
    until: float
    lasts: float
    node: str
    session: str
    number: int
    kind: str
    principal: str
    issuer: str
    subject: str
    groups: str
    claims: str
    resource: str
    database: str
    operation: str
    text: str
    parameters: str
    effects: str
    policies: str
    reason: str
    needed: str
    in_transaction: bool
    binding: str = field(repr=False)
    seal: str = field(default="", repr=False)
    worker: int = 1
    holder: str = ""
    state: str = State.WAITING
    ended_at: float | None = None
    stands_until: float | None = None
    used: float | None = None
    preview_rows: int | None = None
    preview_how: str = "none"
    preview_note: str = ""

    def state_at(self, now: float) -> State:
        """The state; what waits past its time has timed out, also where its node died before it could write so."""
        state = State(self.state)
        return State.TIMEOUT if state is State.WAITING and self.until <= now else state


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """What one person decided: `approve` or `deny`. `minutes` counts for the scope `statement` alone."""

    approval: str
    decision: str
    issuer: str
    subject: str
    name: str
    scope: str
    minutes: int
    comment: str
    at: float
    seal: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Conclusion:
    """A decision to write, and what becomes of its request by it: nothing yet where `state` is None."""

    decision: StoredDecision
    state: State | None = None
    stands_until: float | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """A request that ended, or one that stands, with what was decided of it."""

    request: StoredRequest
    decisions: tuple[StoredDecision, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """Which requests: none of the filters means all. `before` is the last one of the page before."""

    state: State | None = None
    resource: str = ""
    agent: str = ""
    limit: int = 50
    before: tuple[float, str] | None = None


class NoSuchRequest(Exception):
    """There is no request of this id."""


_REQUEST = tuple(each.name for each in fields(StoredRequest))
_DECISION = tuple(each.name for each in fields(StoredDecision))


class ApprovalTable(Table):
    """Ask, decide, end and find requests."""

    @whole
    async def exchange(
        self,
        asks: Sequence[StoredRequest],
        ends: Mapping[str, State],
        taken: Sequence[str],
        now: float,
        covered: Callable[[StoredRequest, Past], bool],
    ) -> dict[str, Past | StoredRequest]:
        """Write new requests and the ends of others, all in one transaction.

        An ask that an approval from before covers is not written: that approval comes back for it. One of mode FAIL
        for which people are asked already is not written either: that request comes back for it.

        Args:
            asks: the new requests.
            ends: what ended by itself, and how; what has been decided meanwhile stays so.
            taken: requests whose decision the process that held them has heard.
            now: the time.
            covered: whether an approval covers an ask; one that is for once is then spent.

        Raises:
            StateError: nothing of it was written.
        """
        answers: dict[str, Past | StoredRequest] = {}
        async with self.store.write() as connection:
            standing = await _standing(connection, {ask.binding for ask in asks}, now)
            for ask in asks:
                good = [past for past in standing if past.request.binding == ask.binding and covered(ask, past)]
                answer = await _first_spent(connection, good, now) or await _asked_already(connection, ask, now)
                if answer is None:
                    await connection.execute(insert(approvals).values(values_of(ask, _REQUEST)))
                else:
                    answers[ask.id] = answer
            for state in {*ends.values()}:
                await _end(connection, [each for each, end in ends.items() if end is state], state, now)
            for some in portions(taken):
                await connection.execute(update(approvals).where(approvals.c.id.in_(some)).values(holder=""))
        return answers

    @whole
    async def decide(self, identity: str, conclude: Callable[[Past], Conclusion]) -> Past:
        """Settle a request: `conclude` says what to write, or raises, while nobody else can.

        Raises:
            NoSuchRequest: there is none.
            StateError: the state cannot be written.
        """
        async with self.store.write() as connection:
            new = conclude(await _past_of(connection, identity, locked=True))
            await connection.execute(insert(decisions).values(values_of(new.decision, _DECISION)))
            if new.state is not None:
                values = {"state": new.state.value, "ended_at": new.decision.at, "stands_until": new.stands_until}
                await connection.execute(update(approvals).where(approvals.c.id == identity).values(values))
        return await self.get(identity)

    @whole
    async def get(self, identity: str) -> Past:
        """Return one request.

        Raises:
            NoSuchRequest: there is none.
            StateError: the state cannot be read.
        """
        async with self.store.read() as connection:
            return await _past_of(connection, identity)

    @whole
    async def find(self, query: Query, now: float) -> list[Past]:
        """Return requests, newest first."""
        rows = (
            select(approvals).where(*_filters(query, now)).order_by(approvals.c.asked_at.desc(), approvals.c.id.desc())
        )
        return await self._past(rows.limit(query.limit))

    @whole
    async def ended(self, holder: str) -> list[Past]:
        """Return what people decided of statements that wait in one process, and it has not heard."""
        decided = approvals.c.state.in_([State.APPROVED.value, State.DENIED.value])
        return await self._past(select(approvals).where(approvals.c.holder == holder, decided))

    async def _past(self, rows: Select[tuple[object, ...]]) -> list[Past]:
        async with self.store.read() as connection:
            found = [_request(row) for row in (await connection.execute(rows)).mappings()]
            said = await _decisions(connection, [each.id for each in found])
        return [Past(each, said.get(each.id, ())) for each in found]

    @whole
    async def orphaned(self, node: str, worker: int, of: int, now: float) -> int:
        """Withdraw what waited in a worker that was started anew; the first one also sees to workers that are gone."""
        gone = approvals.c.worker == worker if worker > 1 else or_(approvals.c.worker == 1, approvals.c.worker > of)
        mine = and_(approvals.c.node == node, gone, approvals.c.mode == Mode.WAIT.value)
        async with self.store.write() as connection:
            left = update(approvals).where(mine, approvals.c.state == State.WAITING.value)
            return (await connection.execute(left.values(state=State.WITHDRAWN.value, ended_at=now))).rowcount

    @whole
    async def overdue(self, now: float) -> dict[str, float]:
        """Return the requests that wait past their time, and for how many seconds each was to last."""
        lasts = (approvals.c.until - approvals.c.asked_at).label("lasts")
        over = select(approvals.c.id, lasts).where(approvals.c.state == State.WAITING.value, approvals.c.until <= now)
        async with self.store.read() as connection:
            return {row["id"]: row["lasts"] for row in (await connection.execute(over)).mappings()}

    @whole
    async def sweep(self, left: Collection[str], now: float) -> None:
        """Write that requests have timed out which nobody ended, and delete what ended long ago."""
        old = and_(approvals.c.state != State.WAITING.value, approvals.c.asked_at < now - KEEP_SECONDS)
        async with self.store.write() as connection:
            for some in portions(left):
                over = and_(approvals.c.id.in_(some), approvals.c.state == State.WAITING.value)
                await connection.execute(
                    update(approvals).where(over).values(state=State.TIMEOUT.value, ended_at=approvals.c.until)
                )
            await connection.execute(
                delete(decisions).where(decisions.c.approval.in_(select(approvals.c.id).where(old)))
            )
            await connection.execute(delete(approvals).where(old))

    @whole
    async def preview(self, found: Mapping[str, tuple[int | None, str, str]]) -> None:
        """Fill in what statements would do: rows, whose estimate it is, and a note, by their requests."""
        async with self.store.write() as connection:
            for identity, (rows, how, note) in found.items():
                values = {"preview_rows": rows, "preview_how": how, "preview_note": note}
                await connection.execute(update(approvals).where(approvals.c.id == identity).values(values))


def _filters(query: Query, now: float) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    waiting = approvals.c.state == State.WAITING.value
    if query.state is State.WAITING:
        found.append(and_(waiting, approvals.c.until > now))
    elif query.state is State.TIMEOUT:
        found.append(or_(approvals.c.state == State.TIMEOUT.value, and_(waiting, approvals.c.until <= now)))
    elif query.state is not None:
        found.append(approvals.c.state == query.state.value)
    if query.resource:
        found.append(approvals.c.resource == query.resource)
    if query.agent:
        found.append(approvals.c.principal == query.agent)
    if query.before is not None:
        found.append(tuple_(approvals.c.asked_at, approvals.c.id) < query.before)
    return found


async def _past_of(connection: AsyncConnection, identity: str, *, locked: bool = False) -> Past:
    row = select(approvals).where(approvals.c.id == identity)
    found = (await connection.execute(row.with_for_update() if locked else row)).mappings().first()
    if found is None:
        raise NoSuchRequest(identity)
    return Past(_request(found), (await _decisions(connection, [identity])).get(identity, ()))


async def _standing(connection: AsyncConnection, bindings: set[str], now: float) -> list[Past]:
    """Return the approvals for these statements that are still good for something."""
    found: list[StoredRequest] = []
    for some in portions(bindings):
        rows = select(approvals).where(
            approvals.c.binding.in_(some),
            approvals.c.state == State.APPROVED.value,
            approvals.c.stands_until > now,
        )
        found += [_request(row) for row in (await connection.execute(rows)).mappings()]
    said = await _decisions(connection, [each.id for each in found])
    return [Past(each, said.get(each.id, ())) for each in found]


async def _first_spent(connection: AsyncConnection, good: Iterable[Past], now: float) -> Past | None:
    """Let a statement through by the first approval that is not for once and spent already, and note that."""
    for past in good:
        mine = [approvals.c.id == past.request.id]
        if once(past.decisions):
            mine.append(approvals.c.used.is_(None))
        if (await connection.execute(update(approvals).where(*mine).values(used=now))).rowcount > 0:
            return past
    return None


def once(said: Iterable[StoredDecision]) -> bool:
    """Whether one of those who approved did so for once."""
    return any(each.scope == "once" for each in said if each.decision == "approve")


async def _asked_already(connection: AsyncConnection, ask: StoredRequest, now: float) -> StoredRequest | None:
    if ask.mode != Mode.FAIL:
        return None
    rows = (
        select(approvals)
        .where(
            approvals.c.binding == ask.binding,
            approvals.c.state == State.WAITING.value,
            approvals.c.mode == Mode.FAIL.value,
            approvals.c.until > now,
        )
        .order_by(approvals.c.asked_at)
    )
    row = (await connection.execute(rows)).mappings().first()
    return None if row is None else _request(row)


async def _end(connection: AsyncConnection, which: Sequence[str], state: State, now: float) -> None:
    for some in portions(which):
        waiting = update(approvals).where(approvals.c.id.in_(some), approvals.c.state == State.WAITING.value)
        await connection.execute(waiting.values(state=state.value, ended_at=now, holder=""))


async def _decisions(connection: AsyncConnection, which: Sequence[str]) -> dict[str, tuple[StoredDecision, ...]]:
    said: dict[str, tuple[StoredDecision, ...]] = {}
    for some in portions(which):
        rows = select(decisions).where(decisions.c.approval.in_(some)).order_by(decisions.c.id)
        for row in (await connection.execute(rows)).mappings():
            one = StoredDecision(**{name: row[name] for name in _DECISION})
            said[one.approval] = (*said.get(one.approval, ()), one)
    return said


def _request(row: RowMapping) -> StoredRequest:
    return StoredRequest(**{name: row[name] for name in _REQUEST})
