"""Clients that never rest, and the comparison of what the server ran with what the recording allowed."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from tests.e2e.conftest import Shop
from tests.waiting import SOON

from blastwall.model.events import Event, LoginAdmitted, LoginAsked, SessionOpened, StatementAsked, StatementRuled
from blastwall.model.ruling import Decision
from blastwall.recording.events import decode_record
from blastwall.recording.frames import Record, read
from blastwall.recording.layout import folders
from blastwall.recording.repetitions import whole
from blastwall.recording.segments import content_of
from blastwall.testing.gateway import Gateway

Agent = psycopg.Connection[tuple[object, ...]]
MARK = re.compile(r"mark-[\w-]+\.")
CAME_IN = re.compile(r"connection authorized: user=scram_user .*application_name=[^\s/]+/(\S+)")
"""The gateway names agent and session; its own side connections have no session."""
FORBIDDEN = re.compile(r"DROP TABLE \S+", re.IGNORECASE)


class Client:
    """A client in a thread of its own. `sent` counts its statements, `error` ended it, `said` is what it was told.

    Each of its `logins` has a name; `admitted` are the names of those that it was let in with.
    """

    def __init__(self, shop: Shop, name: str) -> None:
        self.sent = 0
        self.error: Exception | None = None
        self.said: list[str] = []
        self.logins: list[str] = []
        self.admitted: list[str] = []
        self.stopping = threading.Event()
        self._shop, self.name = shop, name
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def work(self) -> None:
        """Do what this client does, until it is stopped or an error ends it."""
        raise NotImplementedError

    def mark(self) -> str:
        """Return a text that stands in one statement alone."""
        self.sent += 1
        return f"mark-{self.name}-{self.sent}."

    def connect(self) -> Agent:
        """Log in, and note what the server says unasked."""
        self.logins.append(f"{self.name}-login-{len(self.logins)}")
        agent = psycopg.connect(self._shop.dsn(), autocommit=True, application_name=self.logins[-1])
        self.admitted.append(self.logins[-1])
        agent.add_notice_handler(lambda notice: self.said.append(f"{notice.severity}: {notice.message_primary}"))
        return agent

    def join(self) -> None:
        """Wait until the client has ended, as it must once its connection is broken or it was stopped."""
        self._thread.join(SOON)
        assert not self._thread.is_alive(), f"client {self.name} still waits after {SOON:g} s"

    def stop(self) -> None:
        """Let the client end its round, and wait for it."""
        self.stopping.set()
        self.join()

    @property
    def heard(self) -> str:
        """All that the client was told of its end."""
        return "\n".join([*self.said, str(self.error or "")])

    def _run(self) -> None:
        try:
            self.work()
        except psycopg.Error as error:
            self.error = error


class Worker(Client):
    """A client that asks all the ways there are to ask, repeats itself, and asks for what is forbidden."""

    def work(self) -> None:
        with closing(self.connect()) as agent:
            while not self.stopping.is_set():
                self._round(agent)

    def _round(self, agent: Agent) -> None:
        agent.execute(f"SELECT '{self.mark()}'".encode())
        agent.execute("INSERT INTO archive VALUES (1, %s)", (self.mark(),), prepare=True)
        agent.execute(f"BEGIN; INSERT INTO archive VALUES (2, '{self.mark()}'); COMMIT".encode())
        with agent.pipeline():
            for _ in range(3):
                agent.execute("UPDATE archive SET data = %s WHERE id = 3", (self.mark(),))
        with agent.cursor().copy(f"COPY (SELECT '{self.mark()}') TO STDOUT".encode()) as copy:
            for _ in copy:
                pass
        self._ask_in_vain(agent)

    def _ask_in_vain(self, agent: Agent) -> None:
        try:
            agent.execute(b"DROP TABLE orders")
        except psycopg.errors.InsufficientPrivilege:
            return
        raise psycopg.DataError("the gateway let a forbidden statement through")


class Comer(Client):
    """A client that comes, asks one thing, and goes, again and again."""

    def work(self) -> None:
        while not self.stopping.is_set():
            with closing(self.connect()) as agent:
                agent.execute("INSERT INTO archive VALUES (4, %s)", (self.mark(),))


def crowd(shop: Shop, name: str, workers: int = 3) -> list[Client]:
    """Start workers and one that comes and goes."""
    return [*(Worker(shop, f"{name}-{number}") for number in range(workers)), Comer(shop, f"{name}-comer")]


BROKEN = (
    "closed the connection",
    "connection is closed",
    "closed unexpectedly",
    "Connection refused",
    "Connection reset",
    "SSL SYSCALL",
)
"""What libpq and psycopg say of a connection that broke while it was sending; the server's words may be unread."""


def were_told(clients: Iterable[Client], *words: str) -> None:
    """Fail unless every client has ended with one of `words` or a broken connection, and some did hear the words."""
    heard = [each.heard for each in clients]
    unclear = [each for each in heard if not any(word in each for word in (*words, *BROKEN))]
    assert not unclear, f"no clear error: {unclear}"
    assert any(word in each for each in heard for word in words), f"nobody heard why: {heard}"


def at_work(clients: Iterable[Client], sent: int = 3) -> Callable[[], bool]:
    """Return whether every client has sent more than `sent` statements, or has ended."""
    return lambda: all(each.sent > sent or each.error for each in clients)


def ran(shop: Shop) -> set[str]:
    """The marks of all that the server's own log says it was sent."""
    return set(MARK.findall(shop.server.log))


@dataclass(slots=True)
class Recorded:
    """What the recordings say: the marks of all that was allowed, the sessions and the named logins let in."""

    allowed: set[str] = field(default_factory=set)
    sessions: set[str] = field(default_factory=set)
    logins: set[str] = field(default_factory=set)


def recorded(gateway: Gateway) -> Recorded:
    """Read the recordings, of whatever runs as well."""
    found = Recorded()
    for session in _sessions(gateway.folder / "state" / "recordings"):
        found.allowed.update(_allowed_in(session))
        if any(isinstance(each, LoginAdmitted) for each in session):
            found.sessions.update(each.session for each in session if isinstance(each, SessionOpened))
            found.logins.update(each.application for each in session if isinstance(each, LoginAsked))
    return found


def _sessions(recordings: Path) -> Iterable[list[Event]]:
    """Everything recorded, by session, in one pass: `Reader.replay` looks through the whole files for each session."""
    for folder in folders(recordings):
        sessions: dict[int, list[Event]] = {}
        for segment in sorted(folder.segments()):
            with content_of(folder, segment) as source:
                for item in read(source):
                    if isinstance(item, Record):
                        sessions.setdefault(item.stream, []).append(decode_record(item, None))
        yield from sessions.values()


def _allowed_in(session: list[Event]) -> Iterable[str]:
    told = list(whole(session))
    numbers = {
        each.number for each in told if isinstance(each, StatementRuled) and each.ruling.decision is Decision.ALLOW
    }
    for each in told:
        if isinstance(each, StatementAsked) and each.number in numbers:
            yield from MARK.findall(f"{each.text} {each.parameters}")


def nothing_ran_unrecorded(shop: Shop, admitted: Iterable[str] = ()) -> int:
    """Fail if the server ran what no recorded ruling allowed, or what policy forbids; return how much it ran.

    Nor may it have let in a session whose admission is not recorded; nor may one of `admitted`, the named logins that
    clients were let in with, be missing.
    """
    seen, known = ran(shop), recorded(shop.gateway)
    missing = seen - known.allowed
    assert not missing, f"ran without a recorded ruling: {sorted(missing)}"
    strangers = set(CAME_IN.findall(shop.server.log)) - known.sessions
    assert not strangers, f"came to the server without a recorded admission: {sorted(strangers)}"
    unknown = set(admitted) - known.logins
    assert not unknown, f"clients were let in without a record: {sorted(unknown)}"
    assert not FORBIDDEN.findall(shop.server.log), "a refused statement was sent to the server"
    return len(seen)
