"""Just-in-time access: asking for it, deciding, revoking; breaking the glass, and its review."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import Query
from pydantic import Field, StringConstraints

from blastwall.api.approvals import Needed
from blastwall.api.frame import Answer, Body, Endpoint, Id, InCaller, InControl, NamedThing, Reason, Text
from blastwall.api.pages import Key, Page, PageQuery, page_of
from blastwall.control.grant_decisions import CannotDecide, Settled
from blastwall.control.granting import AskedTooOften, CannotAsk, Granting, GrantShown, Wish
from blastwall.control.policy_subject import Who
from blastwall.model.effects import Action
from blastwall.model.principal import PrincipalKind
from blastwall.store.grants import GrantKind, GrantQuery, GrantState, NoSuchGrant

State = Literal["asked", "open", "ended", "refused", "revoked"]
ActionName = Literal[
    "connect", "read", "create", "update", "delete", "define", "drop", "entitle", "reveal", "execute", "export",
    "admin", "unclassified",
]  # fmt: skip
_OptionalName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")] | None


class GrantsQuery(PageQuery):
    """Which grants."""

    state: Literal["asked", "open", "ended", "refused", "revoked", "all"] = Field(
        "all", description="Where they stand."
    )
    resource: _OptionalName = Field(None, description="Of this resource only.")
    principal: _OptionalName = Field(None, description="Of the agent or user of this name only.")
    unreviewed: bool = Field(False, description="Only broken glasses whose review is open.")


class GrantPrincipal(Answer):
    """Whom a grant is for."""

    kind: Literal["agent", "user"] = Field(description="An agent or a person.")
    name: str = Field(description="The configured name.")


class GrantDecisionShown(Answer):
    """What somebody decided."""

    by: str = Field(description="Who.")
    at: str = Field(description="When, RFC 3339.")
    decision: Literal["approve", "deny", "revoke", "review"] = Field(description="What.")
    comment: str = Field(description="Why.")


class GrantReview(Answer):
    """The review of a broken glass."""

    open: bool = Field(description="Whether somebody still has to look.")
    closed_by: str | None = Field(description="Who looked.")
    closed_at: str | None = Field(description="When, RFC 3339.")
    comment: str | None = Field(description="What was found.")


class Grant(Answer):
    """Access that is asked for, open, or was."""

    id: str = Field(description="Its id.")
    kind: Literal["grant", "break_glass"] = Field(description="Opened by approvers, or by breaking the glass.")
    state: State = Field(description="Where it stands.")
    principal: GrantPrincipal = Field(description="Whom it is for.")
    resource: str = Field(description="The resource.")
    actions: list[str] = Field(description="The actions.")
    reason: str = Field(description="Why it was asked for.")
    minutes: int = Field(description="How long it lasts from its start.")
    asked_at: str = Field(description="When, RFC 3339.")
    asked_by: str = Field(description="Who asked, or broke the glass.")
    starts: str | None = Field(description="When it was opened.")
    ends: str | None = Field(description="When it ends by itself.")
    needed: list[Needed] = Field(description="What it needs to be opened.")
    decisions: list[GrantDecisionShown] = Field(description="What people decided, in order.")
    last_used: str | None = Field(description="When something was last allowed by it, to within a few seconds.")
    review: GrantReview | None = Field(description="Of a broken glass.")
    can_decide: bool = Field(description="Whether the caller can decide, or review, now.")
    cannot_because: str | None = Field(description="Why not.")
    link: str = Field(description="Its page.")


class AskBody(Body):
    """Access that is asked for."""

    resource: NamedThing = Field(description="The resource.")
    actions: Annotated[list[ActionName], Field(min_length=1, max_length=13)] = Field(description="The actions.")
    reason: Reason = Field(description="Why; whoever decides reads it.")
    minutes: Annotated[int, Field(ge=1, le=1_000_000)] = Field(description="For how long, from its start.")


class BreakGlassBody(AskBody):
    """Access that is opened without approval."""

    kind: Literal["agent", "user"] = Field(description="Whether it is for an agent or a person.")
    name: NamedThing = Field(description="Whom it is for.")


class CommentBody(Body):
    """A decision's comment."""

    comment: Text = Field("", description="For the record.")


class ReasonedBody(Body):
    """A comment that must be given."""

    comment: Reason = Field(description="What was found; for the record.")


async def listed(control: InControl, caller: InCaller, query: Annotated[GrantsQuery, Query()]) -> Page[Grant]:
    """List grants, newest first. An agent sees its own."""
    asked = GrantQuery(
        state=None if query.state == "all" else GrantState(query.state),
        principal=query.principal or "",
        resource=query.resource or "",
        unreviewed=query.unreviewed,
        limit=query.limit + 1,
        before=query.after,
    )
    found = await control.granting.list(caller, asked)
    return page_of(found, query.limit, _key, _grant)


async def one(control: InControl, caller: InCaller, grant: Id) -> Grant:
    """Show one grant."""
    return _grant(await control.granting.get(caller, grant))


async def ask(control: InControl, caller: InCaller, body: AskBody) -> Grant:
    """Ask for access for oneself, as the agent or user whose token is shown."""
    return _grant(await control.granting.ask(caller, _wish(body)))


async def approve(control: InControl, caller: InCaller, grant: Id, body: CommentBody) -> Grant:
    """Approve access that is asked for.

    The approval that completes what is needed opens it, and its time begins. Nobody approves what they asked for.
    """
    return _grant(await control.granting.approve(caller, grant, body.comment))


async def deny(control: InControl, caller: InCaller, grant: Id, body: CommentBody) -> Grant:
    """Refuse access that is asked for."""
    return _grant(await control.granting.deny(caller, grant, body.comment))


async def revoke(control: InControl, caller: InCaller, grant: Id, body: CommentBody) -> Grant:
    """End access that is open or asked for, at once; the sessions that rest on it end with it."""
    return _grant(await control.granting.revoke(caller, grant, body.comment))


async def break_glass(control: InControl, caller: InCaller, body: BreakGlassBody) -> Grant:
    """Open access without approval, in an emergency.

    Only for members of the group that the configuration names, and only where a policy foresees a grant. Everybody is
    told, and somebody else has to review it.
    """
    who = Who(PrincipalKind(body.kind), body.name)
    return _grant(await control.granting.break_glass(caller, who, _wish(body)))


async def review(control: InControl, caller: InCaller, grant: Id, body: ReasonedBody) -> Grant:
    """Close the review of a broken glass, after its access has ended."""
    return _grant(await control.granting.review(caller, grant, body.comment))


def _wish(body: AskBody) -> Wish:
    return Wish(body.resource, [Action(name) for name in body.actions], body.reason, body.minutes)


def _key(shown: GrantShown) -> Key:
    return shown.story.grant.asked_at, shown.story.grant.id


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _when(at: float | None) -> str | None:
    return None if at is None else _moment(at)


def _grant(shown: GrantShown) -> Grant:
    grant = shown.story.grant
    return Grant(
        id=grant.id,
        kind=GrantKind(grant.kind).value,
        state=shown.state.value,
        principal=GrantPrincipal(kind=PrincipalKind(grant.who).value, name=grant.principal),
        resource=grant.resource,
        actions=json.loads(grant.actions),
        reason=grant.reason,
        minutes=grant.minutes,
        asked_at=_moment(grant.asked_at),
        asked_by=grant.asked_by,
        starts=_when(grant.starts),
        ends=_when(grant.ends),
        needed=[Needed(group=each.group, count=each.count, given=each.given) for each in shown.needed],
        decisions=_decisions(shown),
        last_used=_when(grant.last_used),
        review=_review(shown),
        can_decide=not shown.cannot,
        cannot_because=shown.cannot or None,
        link=shown.link,
    )


def _decisions(shown: GrantShown) -> list[GrantDecisionShown]:
    return [
        GrantDecisionShown.model_validate(
            {"by": each.name, "at": _moment(each.at), "decision": each.decision, "comment": each.comment}
        )
        for each in shown.story.decisions
    ]


def _review(shown: GrantShown) -> GrantReview | None:
    grant = shown.story.grant
    if grant.kind != GrantKind.BREAK_GLASS:
        return None
    closed = next((each for each in shown.story.decisions if each.decision == "review"), None)
    if closed is None:
        return GrantReview(open=grant.unreviewed, closed_by=None, closed_at=None, comment=None)
    return GrantReview(open=False, closed_by=closed.name, closed_at=_moment(closed.at), comment=closed.comment)


_ABSENT: Mapping[type[Exception], int] = {NoSuchGrant: 404}
_DECIDING = {NoSuchGrant: 404, Settled: 409, CannotDecide: 403, CannotAsk: 422}
_ASKING = {CannotAsk: 422, AskedTooOften: 409}

ENDPOINTS = (
    Endpoint("GET", "/grants", listed, Granting.list),
    Endpoint("GET", "/grants/{grant}", one, Granting.get, _ABSENT),
    Endpoint("POST", "/grants", ask, Granting.ask, _ASKING, status=201, repeats=True),
    Endpoint("POST", "/grants/{grant}/approve", approve, Granting.approve, _DECIDING),
    Endpoint("POST", "/grants/{grant}/deny", deny, Granting.deny, _DECIDING),
    Endpoint("POST", "/grants/{grant}/revoke", revoke, Granting.revoke, _DECIDING),
    Endpoint("POST", "/break-glass", break_glass, Granting.break_glass, _ASKING, status=201, repeats=True),
    Endpoint("POST", "/grants/{grant}/review", review, Granting.review, _DECIDING),
)
