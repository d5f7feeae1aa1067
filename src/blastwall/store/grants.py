"""Grants and what was decided of them, as rows. Who may decide what is settled above; here it is settled once.

A grant's row is locked while a decision on it is made, so of two that race, on two nodes as well, the second sees what
the first made of it. An end is no write: a grant is over at its `ends`, whatever else happens. What no gateway of ours
wrote is told as over, and counts for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum

from sqlalchemy import ColumnElement, RowMapping, and_, delete, func, insert, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from blastwall.store.grant_tables import grant_decisions, grants
from blastwall.store.table import Table, portions, values_of, whole

KEEP_SECONDS = 400 * 86_400
"""Grants that are over are kept for so long: an auditor may ask after a year."""


class GrantKind(StrEnum):
    """How it was opened: by approvers, or by somebody who broke the glass."""

    GRANT = "grant"
    BREAK_GLASS = "break_glass"


class GrantState(StrEnum):
    """Where a grant stands. ENDED is what was open, or asked for, and ran out."""

    ASKED = "asked"
    OPEN = "open"
    ENDED = "ended"
    REFUSED = "refused"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class StoredGrant:
    """A grant. `claims`, `actions` and `needed` are JSON; `who` is the principal's kind.

    `subject`, `claims` and `asked_by` are of whoever asked or broke the glass; `until` ends the time to decide.
    `sealed` is whether a gateway of ours wrote the row as it is.
    """

    id: str
    kind: str
    who: str
    principal: str
    issuer: str
    subject: str = field(repr=False)
    claims: str = field(repr=False)
    resource: str
    actions: str
    reason: str
    minutes: int
    needed: str
    asked_at: float
    asked_by: str
    until: float
    state: str = GrantState.ASKED
    starts: float | None = None
    ends: float | None = None
    closed_at: float | None = None
    last_used: float | None = None
    unreviewed: bool = False
    sealed: bool = True

    def state_at(self, now: float) -> GrantState:
        """The state at a time. What is not sealed neither is open nor can be opened."""
        over = self.until if self.state == GrantState.ASKED else self.ends
        running = self.state in {GrantState.ASKED, GrantState.OPEN}
        ended = not self.sealed or (over is not None and over <= now)
        return GrantState.ENDED if running and ended else GrantState(self.state)


@dataclass(frozen=True, slots=True)
class GrantDecision:
    """What one person did: `approve`, `deny`, `revoke` or `review`. `sealed` is as for a grant."""

    grant: str
    decision: str
    issuer: str
    subject: str = field(repr=False)
    name: str
    comment: str
    at: float
    sealed: bool = True


@dataclass(frozen=True, slots=True)
class GrantStory:
    """A grant with what was decided of it, in order."""

    grant: StoredGrant
    decisions: tuple[GrantDecision, ...] = ()


@dataclass(frozen=True, slots=True)
class GrantChange:
    """A decision to write, and the columns of the grant that change by it."""

    decision: GrantDecision
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GrantQuery:
    """Which grants: none of the filters means all. `before` is the last one of the page before."""

    state: GrantState | None = None
    who: str = ""
    principal: str = ""
    resource: str = ""
    unreviewed: bool = False
    limit: int = 50
    before: tuple[float, str] | None = None


class NoSuchGrant(Exception):
    """There is no grant of this id."""


class TooManyAsked(Exception):
    """The principal waits for as many decisions as it may."""


_GRANT = tuple(each.name for each in fields(StoredGrant) if each.name != "sealed")
_GRANT_SEALED = tuple(name for name in _GRANT if name != "last_used")
_DECISION = tuple(each.name for each in fields(GrantDecision) if each.name != "sealed")


class GrantTable(Table):
    """Ask for, open, decide, use and find grants."""

    @whole
    async def add(self, new: StoredGrant, most: int | None = None) -> None:
        """Write a new grant; `most` is how many a principal may be waiting for, this one included.

        Raises:
            TooManyAsked: it waits for as many already.
            StateError: the state cannot be written.
        """
        async with self.store.write() as connection:
            await _forget(connection, new.asked_at)
            if most is not None:
                waiting = _filters(GrantQuery(GrantState.ASKED, new.who, new.principal), new.asked_at)
                count = (
                    await connection.execute(select(func.count()).select_from(grants).where(*waiting))
                ).scalar_one()
                if count >= most:
                    raise TooManyAsked
            await connection.execute(insert(grants).values(self._sealed(values_of(new, _GRANT))))

    @whole
    async def decide(self, identity: str, conclude: Callable[[GrantStory], GrantChange]) -> GrantStory:
        """Settle something of a grant: `conclude` says what to write, or raises, while nobody else can.

        Raises:
            NoSuchGrant: there is none.
            StateError: the state cannot be written.
        """
        async with self.store.write() as connection:
            story = await self._story(connection, identity, locked=True)
            change = conclude(story)
            said = values_of(change.decision, _DECISION)
            said["seal"] = self.store.seal.of("grant_decisions", _DECISION, said)
            await connection.execute(insert(grant_decisions).values(said))
            if change.values:
                values: Mapping[str, object] = change.values
                if story.grant.sealed:
                    values = self._sealed({**values_of(story.grant, _GRANT), **values})
                await connection.execute(update(grants).where(grants.c.id == identity).values(values))
        return await self.get(identity)

    @whole
    async def get(self, identity: str) -> GrantStory:
        """Return one grant.

        Raises:
            NoSuchGrant: there is none.
            StateError: the state cannot be read.
        """
        async with self.store.read() as connection:
            return await self._story(connection, identity)

    @whole
    async def find(self, query: GrantQuery, now: float) -> list[GrantStory]:
        """Return grants, newest first."""
        rows = (
            select(grants)
            .where(*_filters(query, now))
            .order_by(grants.c.asked_at.desc(), grants.c.id.desc())
            .limit(query.limit)
        )
        async with self.store.read() as connection:
            found = [self._grant(row) for row in (await connection.execute(rows)).mappings()]
            return await self._stories(connection, found)

    @whole
    async def open(self, now: float) -> list[StoredGrant]:
        """Return the grants that are open by their rows; those that are not `sealed` give nothing."""
        rows = select(grants).where(grants.c.state == GrantState.OPEN.value, grants.c.ends > now)
        async with self.store.read() as connection:
            return [self._grant(row) for row in (await connection.execute(rows)).mappings()]

    @whole
    async def used(self, times: Mapping[str, float]) -> None:
        """Write when grants were last used; another node may have said a later time."""
        async with self.store.write() as connection:
            for identity, at in times.items():
                later = or_(grants.c.last_used.is_(None), grants.c.last_used < at)
                await connection.execute(update(grants).where(grants.c.id == identity, later).values(last_used=at))

    @whole
    async def unreviewed(self, since: float) -> list[str]:
        """Return the ids of broken glasses from before `since` whose review is still open."""
        rows = select(grants.c.id).where(grants.c.unreviewed.is_(True), grants.c.asked_at < since)
        async with self.store.read() as connection:
            return list((await connection.execute(rows.order_by(grants.c.asked_at))).scalars())

    async def _story(self, connection: AsyncConnection, identity: str, *, locked: bool = False) -> GrantStory:
        row = select(grants).where(grants.c.id == identity)
        found = (await connection.execute(row.with_for_update() if locked else row)).mappings().first()
        if found is None:
            raise NoSuchGrant(identity)
        [story] = await self._stories(connection, [self._grant(found)])
        return story

    async def _stories(self, connection: AsyncConnection, found: Sequence[StoredGrant]) -> list[GrantStory]:
        said: dict[str, list[GrantDecision]] = {each.id: [] for each in found}
        for some in portions(said):
            rows = select(grant_decisions).where(grant_decisions.c.grant.in_(some)).order_by(grant_decisions.c.id)
            for row in (await connection.execute(rows)).mappings():
                said[row["grant"]].append(self._decision(row))
        return [GrantStory(each, tuple(said[each.id])) for each in found]

    def _sealed(self, values: Mapping[str, object]) -> dict[str, object]:
        return {**values, "seal": self.store.seal.of("grants", _GRANT_SEALED, values)}

    def _grant(self, row: RowMapping) -> StoredGrant:
        sealed = self.store.seal.holds("grants", _GRANT_SEALED, row)
        return StoredGrant(**{name: row[name] for name in _GRANT}, sealed=sealed)

    def _decision(self, row: RowMapping) -> GrantDecision:
        sealed = self.store.seal.holds("grant_decisions", _DECISION, row)
        return GrantDecision(**{name: row[name] for name in _DECISION}, sealed=sealed)


async def _forget(connection: AsyncConnection, now: float) -> None:
    old = and_(grants.c.asked_at < now - KEEP_SECONDS, grants.c.unreviewed.is_(False))
    gone = select(grants.c.id).where(old)
    await connection.execute(delete(grant_decisions).where(grant_decisions.c.grant.in_(gone)))
    await connection.execute(delete(grants).where(old))


def _filters(query: GrantQuery, now: float) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if query.state is not None:
        found.append(_in_state(query.state, now))
    if query.who:
        found.append(grants.c.who == query.who)
    if query.principal:
        found.append(grants.c.principal == query.principal)
    if query.resource:
        found.append(grants.c.resource == query.resource)
    if query.unreviewed:
        found.append(grants.c.unreviewed.is_(True))
    if query.before is not None:
        found.append(tuple_(grants.c.asked_at, grants.c.id) < query.before)
    return found


def _in_state(state: GrantState, now: float) -> ColumnElement[bool]:
    asked, opened = grants.c.state == GrantState.ASKED.value, grants.c.state == GrantState.OPEN.value
    if state is GrantState.ASKED:
        return and_(asked, grants.c.until > now)
    if state is GrantState.OPEN:
        return and_(opened, grants.c.ends > now)
    if state is GrantState.ENDED:
        return or_(and_(asked, grants.c.until <= now), and_(opened, grants.c.ends <= now))
    return grants.c.state == state.value
