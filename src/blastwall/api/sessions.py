"""GET /sessions: live and past ones, and what was said in one."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from blastwall.api.frame import Answer, Endpoint, Id, InCaller, InControl, time_of
from blastwall.api.moments import Moment, moment_of
from blastwall.api.pages import Key, Page, PageQuery, page
from blastwall.control.reading import Busy
from blastwall.control.sessions import NoSuchSession, SessionCard, SessionQuery, Sessions
from blastwall.recording.reader import NoRecordings

_Words = Annotated[str, Field(min_length=1, max_length=200)]


class Principal(Answer):
    """Who it is."""

    kind: str = Field(description="`agent` or `user`.")
    name: str = Field(description="The configured name.")


class Session(Answer):
    """A session in short. Counts are of what is recorded."""

    id: str = Field(description="Its id.")
    live: bool = Field(description="Whether it runs.")
    node: str = Field(description="The node, and its process, that recorded it.")
    resource: str = Field(description="What it is on.")
    database: str = Field(description="The database; empty before the login.")
    principal: Principal | None = Field(description="Whose it is; null where nobody proved who they are.")
    source: str = Field(description="The client's address.")
    application: str = Field(description="What the client calls itself.")
    began: str = Field(description="When it began.")
    ended: str | None = Field(description="When it ended; null while it runs.")
    end_reason: str = Field(description="Who ended it and why.")
    statements: int = Field(description="Statements asked for.")
    denied: int = Field(description="Statements and logins refused.")
    held: int = Field(description="Statements that waited for approval.")
    rows: int = Field(description="Rows that the client got.")
    bytes: int = Field(description="Bytes of answers.")
    locked: list[str] = Field(description="Keys that are not at hand and without which it cannot be read.")


class SessionsQuery(PageQuery):
    """Which sessions."""

    live: bool | None = Field(None, description="Only those that run, or only those that have ended.")
    q: _Words | None = Field(None, description="Text in the card; for auditors, also in what was said in the session.")
    resource: _Words | None = Field(None, description="On this resource.")
    agent: _Words | None = Field(None, description="Of this agent or user.")
    since: AwareDatetime | None = Field(None, description="Those that ran after this time.")
    until: AwareDatetime | None = Field(None, description="Those that ran before this time.")


class EventsQuery(BaseModel):
    """Which records."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    after: int = Field(-1, ge=-1, le=2**53, description="Only records with a higher number.")
    limit: int = Field(100, ge=1, le=500, description="At most so many.")


async def listed(control: InControl, caller: InCaller, query: Annotated[SessionsQuery, Query()]) -> Page[Session]:
    """Find sessions, live and past, newest first.

    They are those of every node that records to the same place.
    """
    wanted = SessionQuery(
        query.live,
        query.q,
        query.resource,
        query.agent,
        None if query.since is None else query.since.timestamp(),
        None if query.until is None else query.until.timestamp(),
    )
    return page(await control.sessions.find(caller, wanted), query, _key, _session)


async def get(control: InControl, caller: InCaller, id: Id) -> Session:  # noqa: A002 - the path's own name for it
    """Get one session's card."""
    return _session(await control.sessions.get(caller, id))


async def events(
    control: InControl,
    caller: InCaller,
    id: Id,  # noqa: A002 - the path's own name for it
    query: Annotated[EventsQuery, Query()],
) -> Page[Moment]:
    """Read what happened in a session, in its order; `next` is `after` of the page after.

    Texts and values are as they were recorded: secrets in them were taken out before. Whoever reads is logged.
    """
    summary, found = await control.sessions.events(caller, id, query.after, query.limit + 1)
    items = [moment_of(summary, told) for told in found[: query.limit]]
    return Page[Moment](items=items, next=str(items[-1].record) if len(found) > query.limit else None)


def _key(card: SessionCard) -> Key:
    return card.summary.started, card.summary.session


def _session(card: SessionCard) -> Session:
    found = card.summary
    principal = Principal(kind=found.principal_kind or "agent", name=found.principal) if found.principal else None
    return Session(
        id=found.session,
        live=card.live,
        node=found.node,
        resource=found.resource,
        database=found.database,
        principal=principal,
        source=found.source,
        application=found.application,
        began=time_of(found.started),
        ended=None if card.live else time_of(found.ended),
        end_reason="" if card.live else found.reason or found.why,
        statements=found.statements,
        denied=found.refused,
        held=found.held,
        rows=found.rows,
        bytes=found.sent,
        locked=list(found.locked),
    )


ENDPOINTS = (
    Endpoint("GET", "/sessions", listed, Sessions.find, {Busy: 503}),
    Endpoint("GET", "/sessions/{id}", get, Sessions.get, {NoSuchSession: 404, Busy: 503}),
    Endpoint("GET", "/sessions/{id}/events", events, Sessions.events, {NoRecordings: 404, Busy: 503}),
)
