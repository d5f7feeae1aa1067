"""What waits for approval, and what people decide."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query
from pydantic import Field

from blastwall.api.frame import Answer, Body, Endpoint, Id, InCaller, InControl, NamedThing, Reason, Text, time_of
from blastwall.api.pages import Key, Page, PageQuery, page_of
from blastwall.approvals.counting import Scope
from blastwall.approvals.deciding import MOST_MINUTES, CannotDecide, Ended, Senseless
from blastwall.control.approving import Approving, Shown
from blastwall.store.approvals import NoSuchRequest, State
from blastwall.store.approvals import Query as Wanted

StateName = Literal["waiting", "approved", "denied", "timeout", "withdrawn"]


class Asking(Answer):
    """Who asks, as their token said."""

    kind: Literal["agent", "user"] = Field(description="A pipeline or the like, or a person.")
    name: str = Field(description="The configured name.")
    issuer: str = Field(description="Whose token it is.")
    subject: str = Field(description="The token's subject.")
    groups: list[str] = Field(description="The configured groups.")
    claims: dict[str, str] = Field(description="The token's identifying claims: repository, commit, run.")


class Would(Answer):
    """One thing that the statement would do."""

    action: str = Field(description="The action, as policies name it.")
    object: str = Field(description="What it is done to.")
    kind: str = Field(description="What kind of thing that is.")


class Asked(Answer):
    """A policy that asks for approval."""

    id: str = Field(description="Its id.")
    where: str = Field(description="Its file and line; empty where it is in force no more.")
    reason: str = Field(description="The reason that it gives.")


class Needed(Answer):
    """A group that must approve."""

    group: str = Field(description="The group.")
    count: int = Field(description="How many of its people must approve.")
    given: int = Field(description="How many have.")


class Decided(Answer):
    """What one person decided."""

    by: str = Field(description="Who.")
    at: str = Field(description="When, RFC 3339.")
    decision: Literal["approve", "deny"] = Field(description="What.")
    scope: Literal["once", "statement", "session"] = Field(description="What the approval is good for.")
    minutes: int | None = Field(description="For how many minutes, with the scope `statement`.")
    comment: str = Field(description="What they said.")


class Preview(Answer):
    """How much the statement would change, by estimate; nothing of it is run to find out."""

    rows: int | None = Field(description="Rows, or things where they were counted; null where nobody can tell.")
    how: Literal["statistics", "counted", "none"] = Field(
        description="By the whole table's statistics, each seen (things that are not rows), or not at all."
    )
    note: str = Field(description="What to know of it.")


class Approval(Answer):
    """A statement that waits for people, or waited."""

    id: str = Field(description="The request's id.")
    state: StateName = Field(description="Where it stands.")
    asked_at: str = Field(description="When it was asked for, RFC 3339.")
    until: str = Field(description="Until when people can decide, RFC 3339.")
    ended_at: str | None = Field(description="When it ended, RFC 3339.")
    session: str = Field(description="The session that asks.")
    number: int = Field(description="The statement's number in its session.")
    node: str = Field(description="The node that it waits on.")
    principal: Asking = Field(description="Who asks.")
    resource: str = Field(description="The resource.")
    database: str = Field(description="The database.")
    operation: str = Field(description="The protocol's own verb.")
    text: str = Field(description="The statement, with masked literals.")
    parameters: list[str | None] = Field(description="Its bind values, masked; null for NULL.")
    effects: list[Would] = Field(description="What it would do.")
    policies: list[Asked] = Field(description="The policies that ask.")
    reason: str = Field(description="Why it waits, as its client heard it.")
    needed: list[Needed] = Field(description="Who must approve.")
    decisions: list[Decided] = Field(description="What was decided, in order.")
    preview: Preview = Field(description="How much it would change.")
    in_transaction: bool = Field(description="Whether its transaction keeps locks meanwhile.")
    mode: Literal["wait", "fail"] = Field(description="Whether its connection waits, or it will be sent again.")
    can_decide: bool = Field(description="Whether you can decide this now.")
    cannot_because: str | None = Field(description="Why you cannot.")
    link: str = Field(description="Its page.")


class ApprovalsQuery(PageQuery):
    """Which approvals."""

    state: StateName | Literal["all"] = Field("waiting", description="Where they stand.")
    resource: NamedThing | None = Field(None, description="At this resource alone.")
    agent: NamedThing | None = Field(None, description="Asked for by this agent or user alone.")


class Approve(Body):
    """What an approver decides."""

    scope: Literal["once", "statement", "session"] = Field(
        "once",
        description="`once`: the statement that waits; `statement`: the very same one, bind values included, for "
        "`minutes`; `session`: the very same one in its session.",
    )
    minutes: Annotated[int, Field(ge=1, le=MOST_MINUTES)] | None = Field(
        None, description="For how long, with the scope `statement`."
    )
    comment: Text = Field("", description="For the record.")


class Deny(Body):
    """Why an approver denies."""

    comment: Reason = Field(description="What the client hears.")


async def listed(control: InControl, caller: InCaller, query: Annotated[ApprovalsQuery, Query()]) -> Page[Approval]:
    """List approvals, newest first."""
    wanted = Wanted(
        state=None if query.state == "all" else State(query.state),
        resource=query.resource or "",
        agent=query.agent or "",
        limit=query.limit + 1,
        before=query.after,
    )
    return page_of(await control.approving.find(caller, wanted), query.limit, _key, _approval)


async def show(control: InControl, caller: InCaller, id: Id) -> Approval:  # noqa: A002 - as the path has it
    """Show one approval."""
    return _approval(await control.approving.show(caller, id))


async def approve(control: InControl, caller: InCaller, id: Id, body: Approve) -> Approval:  # noqa: A002 - see above
    """Approve a statement that waits.

    It runs once every needed group has approved; until then this is one approval of several. Who asked, under whatever
    name, cannot approve. The first decision that ends the request wins: later ones are answered with 409.
    """
    scope, minutes = Scope(body.scope), body.minutes or 0
    return _approval(await control.approving.approve(caller, id, scope, minutes, body.comment))


async def deny(control: InControl, caller: InCaller, id: Id, body: Deny) -> Approval:  # noqa: A002 - see above
    """Deny a statement that waits: one denial ends the request."""
    return _approval(await control.approving.deny(caller, id, body.comment))


def _key(shown: Shown) -> Key:
    return shown.request.asked_at, shown.request.id


def _approval(shown: Shown) -> Approval:
    request = shown.request
    asking = {
        "kind": request.kind,
        "name": request.principal,
        "issuer": request.issuer,
        "subject": request.subject,
        "groups": list(shown.groups),
        "claims": dict(shown.claims),
    }
    return Approval(
        id=request.id,
        state=shown.state.value,
        asked_at=time_of(request.asked_at),
        until=time_of(request.until),
        ended_at=_ended(shown),
        session=request.session,
        number=request.number,
        node=request.node,
        principal=Asking.model_validate(asking),
        resource=request.resource,
        database=request.database,
        operation=request.operation,
        text=request.text,
        parameters=list(shown.parameters),
        effects=[Would(action=action, object=name, kind=kind) for action, name, kind in shown.effects],
        policies=[Asked(id=name, where=place.where, reason=place.reason) for name, place in shown.policies],
        reason=request.reason,
        needed=[Needed(group=each.group, count=each.count, given=each.given) for each in shown.needed],
        decisions=_decisions(shown),
        preview=_preview(shown),
        in_transaction=request.in_transaction,
        mode="wait" if request.mode == "wait" else "fail",
        can_decide=not shown.cannot_because,
        cannot_because=shown.cannot_because or None,
        link=shown.link,
    )


def _ended(shown: Shown) -> str | None:
    """Return when a request ended: what no node wrote has ended with its time."""
    if shown.state is State.WAITING:
        return None
    ended = shown.request.ended_at
    return time_of(shown.request.until if ended is None else ended)


def _decisions(shown: Shown) -> list[Decided]:
    return [
        Decided.model_validate(
            {
                "by": each.name,
                "at": time_of(each.at),
                "decision": each.decision,
                "scope": each.scope,
                "minutes": each.minutes or None,
                "comment": each.comment,
            }
        )
        for each in shown.decisions
    ]


def _preview(shown: Shown) -> Preview:
    request = shown.request
    return Preview.model_validate(
        {"rows": request.preview_rows, "how": request.preview_how, "note": request.preview_note}
    )


_ERRORS: dict[type[Exception], int] = {NoSuchRequest: 404, Ended: 409, CannotDecide: 403, Senseless: 422}

ENDPOINTS = (
    Endpoint("GET", "/approvals", listed, Approving.find),
    Endpoint("GET", "/approvals/{id}", show, Approving.show, {NoSuchRequest: 404}),
    Endpoint("POST", "/approvals/{id}/approve", approve, Approving.approve, _ERRORS),
    Endpoint("POST", "/approvals/{id}/deny", deny, Approving.deny, _ERRORS),
)
