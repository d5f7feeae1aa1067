"""A client that leaves amid a change of definitions hides it from nobody who shares the database's catalog."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from blastwall.protocols.contract import CLIENT, UPSTREAM, Answer, Ask, Login, Lookup, Side
from blastwall.protocols.postgres.catalog import View
from blastwall.protocols.postgres.session import PostgresSession
from blastwall.protocols.postgres.tests.server import TinyServer
from blastwall.protocols.postgres.tests.specimens import SPECIMENS, opening, query, snapshot
from blastwall.protocols.postgres.tests.test_session import allow, statements
from blastwall.testing.playbook import Playbook


@dataclass
class Shared:
    """One catalog, of which each reading is counted."""

    view: View = field(default_factory=lambda: View(snapshot()))
    readings: int = 0

    def read(self, _lookup: Lookup) -> View:
        self.readings += 1
        self.view.learn(snapshot())
        return self.view

    def session(self, server: TinyServer | None = None) -> Playbook:
        def judge(ask: Ask) -> Answer | None:
            return SPECIMENS.admit if isinstance(ask.question, Login) else allow(ask)

        book = Playbook(PostgresSession(opening()), judge, server or TinyServer(), self.read)
        book.client(SPECIMENS.login)
        return book


class Silent(TinyServer):
    """Answers the login, and nothing after it."""

    silent = False

    def receive(self, side: Side, data: bytes) -> bytes:
        return b"" if self.silent else super().receive(side, data)


@pytest.mark.parametrize(
    "text", ["CREATE OR REPLACE VIEW v AS SELECT 1", "DROP TABLE orders", "SELECT changes_things()", "DO 'x'"]
)
def test_the_next_statement_of_every_other_session_waits_for_a_reading(text: str) -> None:
    shared, server = Shared(), Silent()
    other, leaves = shared.session(), shared.session(server)
    server.silent = True
    leaves.client(query(text))
    leaves.session.receive_eof(CLIENT)
    assert not shared.view.known
    before = shared.readings
    other.client(query("SELECT id FROM orders"))
    assert shared.readings == before + 1
    assert len(statements(other)) == 1
    other.client(query("SELECT id FROM orders"))
    assert shared.readings == before + 1


def test_who_leaves_otherwise_has_nothing_forgotten() -> None:
    shared, server = Shared(), Silent()
    leaves = shared.session(server)
    leaves.client(query("SELECT id FROM orders"))
    server.silent = True
    leaves.client(query("SELECT id FROM orders"))
    leaves.session.receive_eof(CLIENT)
    assert shared.view.known


def test_a_lost_server_amid_a_change_has_it_forgotten_too() -> None:
    shared, server = Shared(), Silent()
    leaves = shared.session(server)
    server.silent = True
    leaves.client(query("DROP TABLE orders"))
    leaves.session.receive_eof(UPSTREAM)
    assert not shared.view.known
