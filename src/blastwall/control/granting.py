"""Use-cases of just-in-time access: asking, deciding, revoking; breaking the glass, and its review."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog
from prometheus_client import CollectorRegistry, Counter

from blastwall.approvals.counting import Given
from blastwall.approvals.people import People, Person
from blastwall.config.model import Configuration
from blastwall.control import grant_decisions as decisions
from blastwall.control.access import Access, Caller, Forbidden, Operator, Remote, UseCases, use_case
from blastwall.control.changes import Changes
from blastwall.control.grant_decisions import CannotDecide, Said, Settled
from blastwall.control.policy_subject import Unknown, Who, principal_of
from blastwall.control.telling import Telling
from blastwall.grants import StoredGrants
from blastwall.model.effects import Action
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.model.resource import Resource
from blastwall.model.told import Told, Topic
from blastwall.policy.foreseen import Foreseen, foreseen, together
from blastwall.policy.policy_set import PolicySet
from blastwall.store import StateError
from blastwall.store.grants import (
    GrantChange,
    GrantKind,
    GrantQuery,
    GrantState,
    GrantStory,
    GrantTable,
    NoSuchGrant,
    StoredGrant,
    TooManyAsked,
)

MOST_ASKED = 20
"""So many grants may wait for a decision for one principal."""

_LONGEST_TEXT = 1000
_log = structlog.get_logger("blastwall.control")


class CannotAsk(Exception):
    """The request makes no sense, or no policy foresees it; the text says why."""


class AskedTooOften(Exception):
    """Too many requests of this principal wait already."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Access that is asked for: `actions` on a resource for some minutes, and why."""

    resource: str
    actions: Sequence[Action]
    reason: str
    minutes: int


@dataclass(frozen=True, slots=True)
class GrantShown:
    """A grant as its caller sees it: what is given of what is needed, and whether they can decide (or review) it."""

    story: GrantStory
    state: GrantState
    needed: tuple[Given, ...]
    cannot: str
    link: str


@dataclass(frozen=True, slots=True)
class InForce:
    """What decides over grants, as it is at the time of a call."""

    policies: Callable[[], PolicySet]
    resources: Callable[[], Mapping[str, Resource]]
    configuration: Callable[[], Configuration]


class Granting(UseCases):
    """Written to the state, from which every process reads what is open; felt in this one at once.

    Args:
        table: where grants are kept.
        view: which are open, as this process sees it.
        people: the configured users, and which identities are one person.
        in_force: policies, resources and configuration.
        now: the time, in epoch seconds.
        cut: whose approval counts no more.
        changes: who watches is told here.
        telling: people are told here.
        registry: where broken glasses are counted.
    """

    def __init__(
        self,
        table: GrantTable,
        view: StoredGrants,
        people: People,
        in_force: InForce,
        *,
        now: Callable[[], float],
        cut: decisions.Cut,
        changes: Changes,
        telling: Telling,
        registry: CollectorRegistry | None = None,
    ) -> None:
        self._table = table
        self._view = view
        self._people = people
        self._in_force = in_force
        self._now = now
        self._cut = cut
        self._changes = changes
        self._telling = telling
        self._broken = Counter("blastwall_break_glass", "Times that the glass was broken.", registry=registry)

    # ── looking ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @use_case(Access.AGENT)
    async def list(self, caller: Caller, query: GrantQuery) -> list[GrantShown]:
        """Return grants, newest first: an agent's own; a user with a role sees everybody's.

        Raises:
            StateError: the state cannot be read.
        """
        own = _own(caller)
        if own is not None:
            query = replace(query, who=own.kind.value, principal=own.name)
        return [self._shown(caller, story) for story in await self._table.find(query, self._now())]

    @use_case(Access.AGENT)
    async def get(self, caller: Caller, identity: str) -> GrantShown:
        """Return one grant.

        Raises:
            NoSuchGrant: there is none, or it is not this caller's to see.
            StateError: the state cannot be read.
        """
        story, own = await self._table.get(identity), _own(caller)
        if own is not None and (story.grant.who, story.grant.principal) != (own.kind.value, own.name):
            raise NoSuchGrant(identity)
        return self._shown(caller, story)

    # ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────────

    @use_case(Access.AGENT)
    async def ask(self, caller: Caller, wish: Wish) -> GrantShown:
        """Ask for access for oneself.

        Raises:
            CannotAsk: no policy foresees it, it would last too long, or it says not why.
            AskedTooOften: too many of the caller's requests wait.
            StateError: the state cannot be written.
        """
        principal = _principal(caller)
        settings = self._in_force.configuration().grants
        foresight = self._foreseen(principal, wish)
        _check(wish, [settings.longest.total_seconds(), foresight.longest])
        now = self._now()
        new = replace(
            _new(GrantKind.GRANT, principal, wish, now, now + settings.decide.total_seconds()),
            subject=principal.subject,
            claims=json.dumps(dict(principal.claims)),
            needed=json.dumps([[each.group, each.count] for each in foresight.needed]),
            asked_by=caller.name,
        )
        try:
            await self._table.add(new, MOST_ASKED)
        except TooManyAsked:
            raise AskedTooOften(f"{MOST_ASKED} of your requests wait for a decision already") from None
        await self._tell(Topic.GRANT, GrantStory(new), "asks for access", caller.name, wish.reason)
        return await self._told(caller, new.id)

    # ── deciding ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @use_case(Access.APPROVER)
    async def approve(self, caller: Caller, identity: str, comment: str) -> GrantShown:
        """Approve; the approval that completes what is needed opens the grant, and its time begins.

        Raises:
            NoSuchGrant, Settled, CannotDecide: it is not the caller's to decide, or not any more.
            StateError: the state cannot be written.
        """
        said = self._said(caller, comment)
        return await self._decide(
            caller, identity, lambda story: decisions.approve(story, said, self._people, self._cut)
        )

    @use_case(Access.APPROVER)
    async def deny(self, caller: Caller, identity: str, comment: str) -> GrantShown:
        """Refuse; one refusal is enough.

        Raises:
            NoSuchGrant, Settled, CannotDecide: it is not the caller's to decide, or not any more.
            StateError: the state cannot be written.
        """
        said = self._said(caller, comment)
        return await self._decide(caller, identity, lambda story: decisions.deny(story, said, self._people))

    @use_case(Access.OPERATOR)
    async def revoke(self, caller: Caller, identity: str, comment: str) -> GrantShown:
        """End what is open or asked for, at once.

        Raises:
            NoSuchGrant, Settled: there is nothing to end.
            StateError: the state cannot be written.
        """
        said = self._said(caller, comment)
        return await self._decide(caller, identity, lambda story: decisions.revoke(story, said))

    # ── breaking the glass ───────────────────────────────────────────────────────────────────────────────────────────

    @use_case(Access.AGENT)
    async def break_glass(self, caller: Caller, who: Who, wish: Wish) -> GrantShown:
        """Open access without approval, for an agent or a user; it is told to everybody, and must be reviewed.

        Raises:
            Forbidden: the caller is no member of the group that may.
            CannotAsk: no policy foresees it, it would last too long, or it says not why.
            StateError: the state cannot be written.
        """
        opener, longest = self._breaker(caller)
        try:
            principal = principal_of(self._in_force.configuration(), who)
        except Unknown as error:
            raise CannotAsk(str(error)) from None
        foresight = self._foreseen(principal, wish)
        _check(wish, [longest, foresight.longest])
        now = self._now()
        new = replace(
            _new(GrantKind.BREAK_GLASS, principal, wish, now, now),
            subject=opener.subject,
            claims=json.dumps({"name": opener.name, "issuer": opener.issuer}),
            asked_by=caller.name,
            state=GrantState.OPEN.value,
            starts=now,
            ends=now + 60.0 * wish.minutes,
            unreviewed=True,
        )
        await self._table.add(new)
        self._broken.inc()
        _log.warning(
            "glass_broken",
            grant=new.id,
            by=caller.name,
            principal=f"{new.who} {new.principal}",
            resource=new.resource,
            actions=[str(action) for action in wish.actions],
            minutes=new.minutes,
            reason=new.reason,
        )
        await self._tell(Topic.BREAK_GLASS, GrantStory(new), "got access without approval", caller.name, wish.reason)
        return await self._told(caller, new.id)

    @use_case(Access.AUDITOR)
    async def review(self, caller: Caller, identity: str, comment: str) -> GrantShown:
        """Close the review of a broken glass: somebody else than who broke it, or for whom, has looked.

        Raises:
            NoSuchGrant, Settled, CannotDecide: there is nothing to review, or not for this caller.
            Forbidden: the caller is at the gateway's machine, so nobody knows whether they broke it.
            CannotAsk: the comment is missing.
            StateError: the state cannot be written.
        """
        if isinstance(caller, Operator):
            raise Forbidden("a review needs a person's identity: sign in with `blastwall login`", known=True)
        if not comment.strip():
            raise CannotAsk("say what was found, as a comment")
        said = self._said(caller, comment)
        return await self._decide(caller, identity, lambda story: decisions.review(story, said, self._people))

    # ── how ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _foreseen(self, principal: Principal, wish: Wish) -> Foreseen:
        """Return what a wish needs. An unknown resource and an unforeseen one look alike."""
        resource = self._in_force.resources().get(wish.resource)
        rules = self._in_force.policies().rules.values()
        found = []
        for action in wish.actions:
            one = None if resource is None else foreseen(rules, principal, resource, action)
            if one is None:
                raise CannotAsk(f"no policy foresees a grant of {action} on {wish.resource} to {principal.name}")
            found.append(one)
        return together(found)

    def _breaker(self, caller: Caller) -> tuple[Principal, float]:
        """Return who breaks the glass, and for how long they may."""
        settings = self._in_force.configuration().break_glass
        principal = _principal(caller)
        allowed = principal.kind is PrincipalKind.USER and settings is not None
        if settings is None or not allowed or settings.group not in self._people.groups(Person.of(principal)):
            raise Forbidden("only members of the group that `break_glass` names may open access so", known=True)
        return principal, settings.longest.total_seconds()

    def _said(self, caller: Caller, comment: str) -> Said:
        if len(comment) > _LONGEST_TEXT:
            raise CannotAsk(f"a comment has at most {_LONGEST_TEXT} characters")
        if isinstance(caller, Operator):
            return Said(Person("", "", caller.name), comment, self._now())
        return Said(Person.of(_principal(caller)), comment, self._now())

    async def _decide(self, caller: Caller, identity: str, conclude: Callable[[GrantStory], GrantChange]) -> GrantShown:
        story = await self._table.decide(identity, conclude)
        last = story.decisions[-1]
        _log.info("grant_decided", grant=identity, decision=last.decision, by=caller.name, comment=last.comment)
        return await self._told(caller, identity)

    async def _told(self, caller: Caller, identity: str) -> GrantShown:
        """Let this process and whoever watches know what was written, and return it."""
        story = await self._table.get(identity)
        self._changes.publish("grant", identity, {"state": story.grant.state_at(self._now()).value})
        try:
            await self._view.refresh()
        except StateError as error:
            _log.warning("grants_unreadable", reason=str(error))
        return self._shown(caller, story)

    async def _tell(self, topic: Topic, story: GrantStory, what: str, by: str, reason: str) -> None:
        grant = story.grant
        facts = (
            ("who", f"{grant.who} {grant.principal}"),
            ("actions", ", ".join(json.loads(grant.actions))),
            ("for", f"{grant.minutes} minutes"),
            ("reason", reason),
            ("by", by),
        )
        title = f"{grant.principal} {what} at {grant.resource}"
        await self._telling.tell(
            Told(topic, grant.id, title, facts, resource=grant.resource, link=f"#/grants/{grant.id}", who=by)
        )

    def _shown(self, caller: Caller, story: GrantStory) -> GrantShown:
        return GrantShown(
            story,
            story.grant.state_at(self._now()),
            tuple(decisions.given(story, self._people, self._cut)),
            self._cannot(caller, story),
            f"{self._in_force.configuration().control.url}/#/grants/{story.grant.id}",
        )

    def _cannot(self, caller: Caller, story: GrantStory) -> str:
        """Return why the caller can neither decide nor review it; nothing where they can."""
        if isinstance(caller, Operator) or caller.principal is None or caller.principal.kind is not PrincipalKind.USER:
            return "people decide on grants, signed in as themselves"
        person, now = Person.of(caller.principal), self._now()
        check = decisions.check_review if story.grant.kind == GrantKind.BREAK_GLASS else decisions.check_decision
        try:
            check(story, person, self._people, now)
        except (Settled, CannotDecide) as error:
            return str(error)
        return ""


def _own(caller: Caller) -> Principal | None:
    """Return the principal whose grants alone a caller may see; None where they see everybody's."""
    return caller.principal if isinstance(caller, Remote) and not caller.roles else None


def _principal(caller: Caller) -> Principal:
    if isinstance(caller, Operator) or caller.principal is None:
        raise Forbidden("this needs an identity of one's own: a token, or `blastwall login`", known=True)
    return caller.principal


def _check(wish: Wish, longest: Sequence[float | None]) -> None:
    """Refuse a wish that makes no sense.

    Raises:
        CannotAsk: it does not.
    """
    if not wish.actions:
        raise CannotAsk("name at least one action")
    if not 0 < len(wish.reason.strip()) <= _LONGEST_TEXT:
        raise CannotAsk(f"say why, in 1 to {_LONGEST_TEXT} characters: whoever decides will read it")
    most = min(each for each in longest if each is not None) // 60
    if not 1 <= wish.minutes <= most:
        raise CannotAsk(f"it can last from 1 to {most:.0f} minutes, not {wish.minutes}")


def _new(kind: GrantKind, principal: Principal, wish: Wish, now: float, until: float) -> StoredGrant:
    return StoredGrant(
        id="g" + secrets.token_hex(8),
        kind=kind.value,
        who=principal.kind.value,
        principal=principal.name,
        issuer=principal.issuer,
        subject="",
        claims="{}",
        resource=wish.resource,
        actions=json.dumps(sorted({action.value for action in wish.actions})),
        reason=wish.reason.strip(),
        minutes=wish.minutes,
        needed="[]",
        asked_at=now,
        asked_by="",
        until=until,
    )
