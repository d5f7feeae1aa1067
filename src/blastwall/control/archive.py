"""The recordings as the faces ask for them: read in threads, and a list not more often than once in a second."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import islice

from blastwall.control.reading import Desk
from blastwall.control.recordings import Shelf
from blastwall.model.events import StatementAsked, StatementRepeated
from blastwall.recording.layout import chain_name
from blastwall.recording.reader import NoRecordings, Query, Reader, Recorded
from blastwall.recording.summary import Summary
from blastwall.workers import Member

LIVE = "live sessions"
_FRESH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Told:
    """A record of a session; a repeated statement comes with the one that it repeats, where that is still there."""

    record: Recorded
    first: StatementAsked | None = None


@dataclass(frozen=True, slots=True)
class Live:
    """Which sessions are open on this node, in all of its processes, and what its chains are called."""

    sessions: frozenset[str]
    chains: frozenset[str]

    def is_live(self, summary: Summary) -> bool:
        """Whether a session runs: here, where its process says so; elsewhere, where its recording has no end."""
        return summary.open and (summary.node not in self.chains or summary.session in self.sessions)


class Archive:
    """One gateway's view of the recordings of all nodes on its shelf.

    Args:
        shelf: where they are.
        member: which of the node's processes this is.
        node: the node's name.
        open_sessions: the sessions that are open in this process.
    """

    def __init__(self, shelf: Shelf, member: Member, node: str, open_sessions: Callable[[], Collection[str]]) -> None:
        self._shelf = shelf
        self._member = member
        self._open = open_sessions
        self._chains = frozenset(chain_name(node, number) for number in range(1, member.of + 1))
        self._desk = Desk(at_once=2, waiting=32)
        self._lock = asyncio.Lock()
        self._listed: list[Summary] = []
        self._listed_at = float("-inf")

    async def live(self) -> Live:
        """Return what is open on this node now."""
        sessions = set(self._open())
        if self._member.bus is not None:
            for reply in (await self._member.bus.ask(LIVE)).values():
                sessions.update(json.loads(reply))
        return Live(frozenset(sessions), self._chains)

    async def sessions(self) -> list[Summary]:
        """Return all sessions, newest first, as they were at most a second ago.

        Raises:
            Busy: too many ask.
        """
        async with self._lock:
            if time.monotonic() - self._listed_at > _FRESH_SECONDS:
                self._listed = await self._desk.run(self._list, Query())
                self._listed_at = time.monotonic()
            return self._listed

    async def saying(self, text: str) -> frozenset[str]:
        """Return the ids of the sessions in which a text was said.

        Raises:
            Busy: too many ask.
        """
        found = await self._desk.run(self._list, Query(text=text))
        return frozenset(each.session for each in found)

    async def records(self, session: str, after: int, most: int) -> tuple[Summary, list[Told]]:
        """Return a session and its records with a higher number than `after`, at most so many.

        Raises:
            NoRecordings: there is no such session, or it cannot be decrypted.
            Busy: too many ask.
        """
        return await self._desk.run(self._records, session, after, most)

    def _list(self, query: Query) -> list[Summary]:
        try:
            return Reader(self._shelf.folder, self._shelf.keyring).sessions(query)
        except NoRecordings:
            return []

    def _records(self, session: str, after: int, most: int) -> tuple[Summary, list[Told]]:
        reader = Reader(self._shelf.folder, self._shelf.keyring)
        summary = reader.session(session)
        if summary.session != session:
            raise NoRecordings(f"no session {session} is recorded here")
        return summary, list(islice(_told(reader, summary, after), most))


def _told(reader: Reader, summary: Summary, after: int) -> Iterator[Told]:
    """Yield the records after one, reading from the start: what a statement repeats may stand anywhere before."""
    asked: dict[int, StatementAsked] = {}
    for record in reader.replay(summary):
        event = record.event
        if isinstance(event, StatementAsked):
            asked[event.number] = event
        if record.number > after:
            yield Told(record, asked.get(event.first) if isinstance(event, StatementRepeated) else None)


def share_live(open_sessions: Callable[[], Collection[str]], member: Member) -> None:
    """Let the worker that serves the control port know which sessions are open in this one."""
    if member.bus is not None:
        member.bus.answer(LIVE, lambda _: json.dumps(list(open_sessions())).encode())
