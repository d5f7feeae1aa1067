"""Who is contained, and was; cutting off, lifting, ending a session."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import Query
from pydantic import Field

from blastwall.api.frame import Answer, Body, Endpoint, Id, InCaller, InControl, NamedThing, Reason
from blastwall.api.pages import Key, Page, PageQuery, page_of
from blastwall.api.problems import Unacceptable
from blastwall.control.containing import CannotContain, Containing, NotContained
from blastwall.store.containments import Contained, Kind, PastContainment

KindName = Literal["agent", "user", "issuer", "resource", "session", "pass"]


class Containment(Answer):
    """Something that is cut off, or was."""

    kind: KindName = Field(description="What it is.")
    name: str = Field(description="Its name or id.")
    reason: str = Field(description="Why; never told to the client.")
    by: str = Field(description="Who cut it off.")
    at: str = Field(description="When, RFC 3339.")
    lifted: str | None = Field(None, description="When it was lifted; null while it is in force.")
    lifted_by: str | None = Field(None, description="Who lifted it.")
    lift_reason: str | None = Field(None, description="Why it was lifted.")


class ContainBody(Body):
    """What to cut off, or to let in again."""

    kind: KindName = Field(description="What it is. A session or pass is ended for good.")
    name: NamedThing = Field(description="Its name or id.")
    reason: Reason = Field(description="Why; others will read it.")


class KillBody(Body):
    """Why a session is ended."""

    reason: Reason = Field(description="Why; others will read it.")


class Done(Answer):
    """What was done."""

    kind: KindName = Field(description="What it is.")
    name: str = Field(description="Its name or id.")
    state: Literal["contained", "lifted"] = Field(description="What it is now.")


async def in_force(control: InControl, caller: InCaller, query: Annotated[PageQuery, Query()]) -> Page[Containment]:
    """List what is contained now, newest first."""
    found = sorted(await control.containing.in_force(caller), key=_key, reverse=True)
    after = query.after
    rest = [each for each in found if after is None or _key(each) < after]
    return page_of(rest, query.limit, _key, _contained)


async def history(control: InControl, caller: InCaller, query: Annotated[PageQuery, Query()]) -> Page[Containment]:
    """List what was and is contained, newest first."""
    found = await control.containing.history(caller, query.limit + 1, _before(query.after))
    return page_of(found, query.limit, lambda each: (each.contained.at, str(each.id)), _past)


async def contain(control: InControl, caller: InCaller, body: ContainBody) -> Done:
    """Cut something off on every node.

    New sessions and statements are refused, open sessions end within a second, and their running statements are
    cancelled. Tokens, passes and logins from before it are worth nothing any more, also after it is lifted.
    """
    await control.containing.contain(caller, Kind(body.kind), body.name, body.reason)
    return Done(kind=body.kind, name=body.name, state="contained")


async def lift(control: InControl, caller: InCaller, body: ContainBody) -> Done:
    """Let something in again."""
    await control.containing.lift(caller, Kind(body.kind), body.name, body.reason)
    return Done(kind=body.kind, name=body.name, state="lifted")


async def kill(control: InControl, caller: InCaller, session: Id, body: KillBody) -> Done:
    """End one session for good; its agent may begin another."""
    await control.containing.kill(caller, session, body.reason)
    return Done(kind="session", name=session, state="contained")


def _before(key: Key | None) -> tuple[float, int] | None:
    if key is None:
        return None
    if not key[1].isdecimal() or len(key[1]) > 18:
        raise Unacceptable(422, "cursor: it is none of this list's; begin with the first page")
    return key[0], int(key[1])


def _key(contained: Contained) -> Key:
    return contained.at, f"{contained.kind} {contained.name}"


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _contained(one: Contained) -> Containment:
    return Containment(kind=one.kind.value, name=one.name, reason=one.reason, by=one.by, at=_moment(one.at))


def _past(past: PastContainment) -> Containment:
    lifted = None if past.lifted is None else _moment(past.lifted)
    return _contained(past.contained).model_copy(
        update={"lifted": lifted, "lifted_by": past.lifted_by, "lift_reason": past.lift_reason}
    )


ENDPOINTS = (
    Endpoint("GET", "/containment", in_force, Containing.in_force),
    Endpoint("GET", "/containment/history", history, Containing.history),
    Endpoint(
        "POST", "/containment", contain, Containing.contain, {CannotContain: 422, NotContained: 404}, repeats=True
    ),
    Endpoint("POST", "/containment/lift", lift, Containing.lift, {CannotContain: 422, NotContained: 409}, repeats=True),
    Endpoint("POST", "/sessions/{session}/kill", kill, Containing.kill, {CannotContain: 422}),
)
