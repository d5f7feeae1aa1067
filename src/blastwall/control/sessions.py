"""Use-cases of sessions, live and past: find them, see one, read what was said in one."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from blastwall.control.access import Access, Caller, Operator, Role, UseCases, use_case
from blastwall.control.archive import Archive, Told
from blastwall.recording.summary import Summary

_log = structlog.get_logger("blastwall.control")


class NoSuchSession(Exception):
    """No session of this id is recorded."""


@dataclass(frozen=True, slots=True)
class SessionQuery:
    """Which sessions; every condition that is given must hold. Times are seconds since the epoch."""

    live: bool | None = None
    text: str | None = None
    resource: str | None = None
    principal: str | None = None
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True)
class SessionCard:
    """A session in short, and whether it runs."""

    summary: Summary
    live: bool


class Sessions(UseCases):
    """Sessions by their recordings, on every node that records to the same place."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    @use_case(Access.VIEWER)
    async def find(self, caller: Caller, query: SessionQuery) -> list[SessionCard]:
        """Return the sessions that match, newest first.

        `text` is looked for in a session's card; for an auditor, in what was said in it, too. For others such a search
        would tell, guess by guess, what they may not read.

        Raises:
            Busy: too many ask.
        """
        live = await self._archive.live()
        found = await self._archive.sessions()
        said: frozenset[str] = frozenset()
        if query.text is not None and _may_read(caller):
            said = await self._archive.saying(query.text)
        cards = (SessionCard(each, live.is_live(each)) for each in found)
        return [card for card in cards if _matches(card, query, said)]

    @use_case(Access.VIEWER)
    async def get(self, caller: Caller, session: str) -> SessionCard:
        """Return one session.

        Raises:
            NoSuchSession: there is none of this id.
            Busy: too many ask.
        """
        live = await self._archive.live()
        for each in await self._archive.sessions():
            if each.session == session:
                return SessionCard(each, live.is_live(each))
        raise NoSuchSession(f"no session {session} is recorded here")

    @use_case(Access.AUDITOR)
    async def events(self, caller: Caller, session: str, after: int, most: int) -> tuple[Summary, list[Told]]:
        """Return a session's records with a higher number than `after`, at most so many. Who reads is logged.

        Raises:
            NoRecordings: there is none of this id, or it cannot be decrypted.
            Busy: too many ask.
        """
        _log.info("recording_read", by=caller.name, session=session, after=after)
        return await self._archive.records(session, after, most)


def _may_read(caller: Caller) -> bool:
    return isinstance(caller, Operator) or Role.AUDITOR in caller.roles


def _matches(card: SessionCard, query: SessionQuery, said: frozenset[str]) -> bool:
    summary = card.summary
    return (
        (query.live is None or card.live == query.live)
        and (query.resource is None or summary.resource == query.resource)
        and (query.principal is None or summary.principal == query.principal)
        and (query.since is None or summary.ended >= query.since)
        and (query.until is None or summary.started <= query.until)
        and (query.text is None or summary.session in said or _shows(summary, query.text.casefold()))
    )


def _shows(summary: Summary, folded: str) -> bool:
    shown = (
        summary.session,
        summary.resource,
        summary.database,
        summary.principal,
        summary.source,
        summary.user,
        summary.application,
    )
    return any(folded in each.casefold() for each in shown)
