"""Warm connections in play: which sessions leave theirs, what a lying server gets, how an adoption falls back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from blastwall.protocols.contract import (
    UPSTREAM,
    Adopt,
    Allow,
    Answer,
    Ask,
    Close,
    Dial,
    Hangup,
    Injected,
    Login,
    Park,
    Side,
)
from blastwall.protocols.postgres.errors import encode_error, encode_notice
from blastwall.protocols.postgres.messages import (
    TERMINATE,
    cstring,
    encode_data_row,
    encode_parameter_status,
    encode_ready,
    encode_row_description,
    frame,
)
from blastwall.protocols.postgres.tests.server import FIELDS, STATUS, TinyServer
from blastwall.protocols.postgres.tests.specimens import SPECIMENS, extended, query
from blastwall.protocols.postgres.warm import DISCARD, LABEL, Warm, likeness
from blastwall.testing.playbook import Playbook

CLEAN = [b"clean", *(STATUS[name].encode() for name in sorted(STATUS))]
DISCARDED = frame(b"C", cstring(DISCARD))
RESET = DISCARDED + encode_ready(b"I")


def proof(*row: bytes) -> bytes:
    return (
        encode_row_description(FIELDS) + encode_data_row([*row]) + frame(b"C", cstring("SELECT 1")) + encode_ready(b"I")
    )


class Scripted(TinyServer):
    """Answers the reset with what the test says, all at once, and the rest as a server would."""

    def __init__(self, reset: bytes) -> None:
        super().__init__()
        self.reset = reset

    def _query(self, text: str) -> bytes:
        if text == DISCARD:
            return self.reset
        return b"" if "pg_listening_channels" in text else super()._query(text)


def allowing(ask: Ask) -> Answer:
    return SPECIMENS.admit if isinstance(ask.question, Login) else Allow()


def play(server: TinyServer | None = None, parked: object = None, login: bytes = SPECIMENS.login) -> Playbook:
    book = Playbook(SPECIMENS.warm_session(), allowing, server or TinyServer(), SPECIMENS.look_up, parked=parked)
    book.client(login)
    assert book.closed is None
    return book


def parks(book: Playbook) -> list[Park]:
    return [event for event in book.events if isinstance(event, Park)]


def test_a_clean_end_resets_proves_and_parks() -> None:
    book = play()
    book.client(query("SELECT 1"))
    book.client(TERMINATE)
    (park,) = parks(book)
    assert isinstance(park.state, Warm)
    assert park.state.status == STATUS
    assert park.farewell == TERMINATE
    assert [event.text.split()[0] for event in book.events if isinstance(event, Injected)] == ["DISCARD", "SELECT"]
    assert book.events[-1] == Close("the client ended the session")
    assert not bytes(book.to_server).endswith(TERMINATE)
    assert [type(event) for event in book.events if isinstance(event, Hangup | Park)] == [Hangup, Park]


@pytest.mark.parametrize(
    ("name", "reset"),
    {
        "an error": encode_error("42501", "no") + encode_ready(b"I"),
        "another command": frame(b"C", cstring("DISCARD PLANS")) + encode_ready(b"I") + proof(*CLEAN),
        "an open transaction": DISCARDED + encode_ready(b"T") + proof(*CLEAN),
        "a setting that differs": RESET + proof(b"clean", *(b"x" for _ in STATUS)),
        "a trace": RESET + proof(b"used", *CLEAN[1:]),
        "no proof": RESET + encode_row_description(FIELDS) + frame(b"C", cstring("SELECT 0")) + encode_ready(b"I"),
        "two rows": RESET + encode_row_description(FIELDS) + encode_data_row([*CLEAN]) * 2,
        "a notification": frame(b"A", b"\0\0\0\7news\0\0") + RESET + proof(*CLEAN),
        "a notice": encode_notice("careful") + RESET + proof(*CLEAN),
        "more than was asked for": RESET + proof(*CLEAN) + encode_parameter_status("TimeZone", "UTC"),
        "half a message more": RESET + proof(*CLEAN) + b"S\0\0",
        "a setting after the proof began": RESET + encode_parameter_status("TimeZone", "UTC") + proof(*CLEAN),
        "a length from hell": b"C\xff\xff\xff\xff",
        "an answer to nothing": encode_ready(b"I") + RESET + proof(*CLEAN),
    }.items(),
)
def test_a_server_that_does_not_prove_it_keeps_nothing(name: str, reset: bytes) -> None:
    book = play(Scripted(reset))
    book.client(query("SELECT 1"))
    book.client(TERMINATE)
    assert parks(book) == []
    assert book.closed == "the client ended the session"
    assert bytes(book.to_server).endswith(TERMINATE)


@pytest.mark.parametrize("size", [1, 2, 7])
def test_what_is_proved_does_not_depend_on_how_it_arrives(size: int) -> None:
    book = play(Scripted(encode_parameter_status("TimeZone", "UTC") + RESET + proof(*CLEAN)))
    book.cut = lambda data: [data[start : start + size] for start in range(0, len(data), size)]
    book.client(query("SELECT 1"))
    book.client(TERMINATE)
    assert len(parks(book)) == 1


def test_a_server_that_hangs_up_during_the_reset_keeps_nothing() -> None:
    book = play(Scripted(b""))
    book.client(query("SELECT 1"))
    book.client(TERMINATE)
    assert book.closed is None
    assert book.session.receive_eof(UPSTREAM) == [Close("the client ended the session")]


def test_a_session_that_is_ended_during_the_reset_keeps_nothing() -> None:
    book = play(Scripted(b""))
    book.client(query("SELECT 1"))
    book.client(TERMINATE)
    book.terminate("contained")
    assert book.closed == "contained"
    assert bytes(book.to_server).endswith(TERMINATE)


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TEMP TABLE t (a int)",
        "SELECT dblink_connect('host=elsewhere')",
        "LOAD 'anything'",
        "SET ROLE dba",
        "DO 'begin end'",
        "SELECT pg_replication_origin_session_setup('x')",
        "GRANT ALL ON orders TO public",
        "not sql at all",
    ],
)
@pytest.mark.parametrize("sent", [query, extended], ids=["simple", "extended"])
def test_what_a_reset_may_not_undo_is_enough_to_have_been_asked_for(text: str, sent: Callable[[str], bytes]) -> None:
    book = play()
    book.client(sent(text))
    book.client(TERMINATE)
    assert parks(book) == []
    assert book.closed is not None


def test_a_session_that_was_cancelled_leaves_nothing() -> None:
    """A cancel request that is still on its way would hit whoever has the connection next."""
    server = TinyServer()
    server.slow = True
    book = play()
    book.server = server
    server._started = True
    book.client(query("SELECT 1"))
    book.interrupt()
    server.slow = False
    book.from_server(server.late)
    book.client(TERMINATE)
    assert parks(book) == []


class TestAdoption:
    def parked(self) -> tuple[TinyServer, Warm]:
        server = TinyServer()
        book = play(server)
        book.client(query("SELECT 1"))
        book.client(TERMINATE)
        (park,) = parks(book)
        assert isinstance(park.state, Warm)
        return server, park.state

    def test_the_label_is_set_by_a_parameter_and_nothing_is_left_of_that(self) -> None:
        server, state = self.parked()
        book = play(server, state)
        assert LABEL in server.texts
        assert server._prepared == {}
        assert [event for event in book.events if isinstance(event, Dial)] == []
        book.client(extended("SELECT 'mine'"))
        assert list(SPECIMENS.answers(bytes(book.to_client)))[-1] == "SELECT 'mine'"

    @pytest.mark.parametrize(
        "answer",
        [
            encode_error("57P01", "terminating connection due to administrator command", severity="FATAL"),
            frame(b"A", b"\0\0\0\7news\0\0"),
            frame(b"1", b"") + frame(b"2", b"") + frame(b"C", cstring("SELECT 0")),
            encode_ready(b"I"),
            b"?\0\0\0\4",
            b"1\xff\xff\xff\xff",
        ],
    )
    def test_one_that_answers_anything_else_is_given_up_for_a_login(self, answer: bytes) -> None:
        _, state = self.parked()

        class Odd(TinyServer):
            """Odd on the connection that was parked, as any on the next one."""

            def _messages(self) -> bytes:
                if not self.texts:
                    self._buffer, self._started = b"", False
                    self.texts.append("odd")
                    return answer
                return super()._messages()

        server = Odd()
        server._started = True
        book = Playbook(SPECIMENS.warm_session(), allowing, server, SPECIMENS.look_up, parked=state)
        book.client(SPECIMENS.login)
        assert book.closed is None
        assert [type(event) for event in book.events if isinstance(event, Adopt | Dial)] == [Adopt, Dial]
        book.client(query("SELECT 'served'"))
        assert list(SPECIMENS.answers(bytes(book.to_client))) == ["SELECT 'served'"]

    def test_one_that_is_lost_is_given_up_for_a_login(self) -> None:
        _, state = self.parked()

        class Gone(TinyServer):
            def receive(self, side: Side, data: bytes) -> bytes:
                return b""

        book = Playbook(SPECIMENS.warm_session(), allowing, Gone(), SPECIMENS.look_up, parked=state)
        book.client(SPECIMENS.login)
        outputs = book.session.receive_eof(UPSTREAM)
        assert isinstance(outputs[0], Dial)


def test_everything_but_the_label_makes_a_likeness() -> None:
    base = {"user": "app", "database": "shop", "application_name": "ci/1", "client_encoding": "UTF8"}
    assert likeness(base) == likeness({**base, "application_name": "ci/2"})
    for name, value in {"user": "other", "database": "other", "search_path": "x", "timezone": "UTC"}.items():
        assert likeness({**base, name: value}) != likeness(base)
