"""Whole conversations through the sessions: one that may pass everything passes it unaltered, however it is cut."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import cycle

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conversations.conversations import (
    CLIENT_SAID,
    GREETING,
    NAMES,
    SERVER_SAID,
    Conversation,
    Steps,
    recorded,
)

from blastwall.protocols.contract import Allow, Answer, Ask, Limits, Login, Opening, ProtocolSession, Side
from blastwall.protocols.postgres.session import PostgresSession
from blastwall.protocols.postgres.tests import specimens as postgres
from blastwall.protocols.tds.session import TdsSession
from blastwall.protocols.tds.tests import specimens as tds
from blastwall.testing.conformance import Specimens
from blastwall.testing.playbook import Playbook


class Recorded:
    """The server's end: gives the recorded greeting, then hears only; what it said is fed when its turn comes."""

    def __init__(self, steps: Steps) -> None:
        self._greeting = iter([steps[1][1], steps[3][1]])

    def receive(self, side: Side, data: bytes) -> bytes:
        del side, data
        return next(self._greeting, b"")


@dataclass(frozen=True)
class Kind:
    """How a protocol's conversations are played."""

    specimens: Specimens
    session: Callable[[Opening], ProtocolSession]
    opening: Callable[[], Opening]


KINDS = {
    "postgres": Kind(postgres.SPECIMENS, PostgresSession, postgres.opening),
    "tds": Kind(tds.SPECIMENS, TdsSession, tds.opening),
}


def play(conversation: Conversation, cut: Callable[[bytes], Sequence[bytes]] = lambda data: [data]) -> Playbook:
    """Play a whole conversation; what was said after the login is left in `to_client` and `to_server`."""
    kind = KINDS[conversation.protocol]

    def permit(ask: Ask) -> Answer:
        return kind.specimens.admit if isinstance(ask.question, Login) else Allow()

    session = kind.session(replace(kind.opening(), limits=Limits()))
    book = Playbook(session, permit, Recorded(conversation.steps), kind.specimens.look_up, cut)
    for who, data in conversation.steps[:GREETING]:
        if who == CLIENT_SAID:
            book.client(data)
    assert book.closed is None
    book.to_client.clear()
    book.to_server.clear()
    for who, data in conversation.steps[GREETING:]:
        assert book.closed is None
        if who == CLIENT_SAID:
            book.client(data)
        else:
            book.from_server(data)
    return book


def passed_whole(conversation: Conversation, book: Playbook) -> None:
    assert bytes(book.to_server) == conversation.said(CLIENT_SAID, GREETING)
    assert bytes(book.to_client) == conversation.said(SERVER_SAID, GREETING)
    assert book.closed in (None, "the client ended the session")


def bytewise(data: bytes) -> Sequence[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cut", [lambda data: [data], bytewise], ids=["as it came", "byte by byte"])
def test_a_session_that_may_pass_all_passes_it_unaltered(name: str, cut: Callable[[bytes], Sequence[bytes]]) -> None:
    conversation = recorded(name)
    passed_whole(conversation, play(conversation, cut))


@settings(max_examples=4, suppress_health_check=[HealthCheck.too_slow])
@given(sizes=st.lists(st.integers(1, 300), min_size=1, max_size=8))
@pytest.mark.parametrize("name", NAMES)
def test_however_it_is_cut(name: str, sizes: list[int]) -> None:
    def cut(data: bytes) -> Sequence[bytes]:
        ends, at = cycle(sizes), 0
        found: list[bytes] = []
        while at < len(data):
            found.append(data[at : at + (size := next(ends))])
            at += size
        return found

    conversation = recorded(name)
    passed_whole(conversation, play(conversation, cut))
