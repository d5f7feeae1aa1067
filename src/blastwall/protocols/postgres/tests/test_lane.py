"""The fast lane: whatever it takes, both sides see the very bytes that the ordinary way gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blastwall.model.masks import ColumnRule, DetectRule, MaskRules, MaskStyle
from blastwall.model.statement import Statement
from blastwall.protocols.contract import (
    Allow,
    Answer,
    Ask,
    AskWhole,
    Close,
    Deny,
    Finished,
    Login,
    Lookup,
    Repeat,
)
from blastwall.protocols.postgres.catalog import View
from blastwall.protocols.postgres.messages import (
    SYNC,
    Bind,
    Execute,
    Field,
    Named,
    Parse,
    encode_bind,
    encode_close,
    encode_data_row,
    encode_execute,
    encode_parse,
    encode_ready,
    encode_row_description,
    frame,
)
from blastwall.protocols.postgres.session import PostgresSession
from blastwall.protocols.postgres.tests.server import FIELDS, TinyServer
from blastwall.protocols.postgres.tests.specimens import SPECIMENS, extended, opening, query, snapshot
from blastwall.protocols.standing import Standing
from blastwall.testing.playbook import Playbook

MASKS = MaskRules(columns=(ColumnRule("emails", "public.customers.email", MaskStyle.REDACT),), key=b"k" * 32)
EMAIL = (Field("email", 16385, 3, 25),)
Rule = Callable[[Ask], Answer | None]


def bound(*values: bytes, name: str = "s") -> bytes:
    """What a driver sends to run a prepared statement."""
    return encode_bind(Bind("", name, (), values)) + encode_execute(Execute("")) + SYNC


def standing(mask: MaskRules | None = None, repeats: Sequence[Answer] = ()) -> tuple[Rule, list[Ask]]:
    """Allow everything, with answers that stand; repetitions are listed, the first ones answered with `repeats`."""
    allowed = Allow(standing=Standing()) if mask is None else Allow(mask, standing=Standing())
    repeated: list[Ask] = []

    def answer(ask: Ask) -> Answer | None:
        if isinstance(ask.question, Repeat):
            repeated.append(ask)
            if len(repeated) <= len(repeats):
                return repeats[len(repeated) - 1]
        return allowed

    return answer, repeated


def unanswered() -> tuple[Rule, list[Ask]]:
    """Allow everything at once but repetitions, which are listed and left open."""
    rule, _ = standing()
    waiting: list[Ask] = []

    def answer(ask: Ask) -> Answer | None:
        if isinstance(ask.question, Repeat):
            waiting.append(ask)
            return None
        return rule(ask)

    return answer, waiting


def play(rule: Rule, server: TinyServer, *, short: bool = True) -> Playbook:
    def by_rule(ask: Ask) -> Answer | None:
        return SPECIMENS.admit if isinstance(ask.question, Login) else rule(ask)

    book = Playbook(PostgresSession(opening()), by_rule, server, SPECIMENS.look_up, short=short)
    book.client(SPECIMENS.login)
    book.to_client.clear()
    book.to_server.clear()
    return book


def finished(book: Playbook) -> list[tuple[int, int | None, int, str | None]]:
    found = [one for one in book.events if isinstance(one, Finished)]
    return [(one.rows, one.affected, one.bytes, one.error) for one in found]


MESSAGES = (
    query("SELECT 'a'"),
    query("SELECT 'bb'"),
    query("SELECT id, 7 FROM orders WHERE id = 17"),
    query("SELECT id, 7 FROM orders WHERE id = 4"),
    query("SELECT 'FAILS'"),
    query("SELECT 1; SELECT 2"),
    query("BEGIN"),
    query("COMMIT"),
    query("SET search_path TO other"),
    extended("SELECT 'x'"),
    extended("SELECT $1::text", b"v"),
    extended("SELECT 'y'", sync=False),
    encode_parse(Parse("s", "SELECT $1::text")) + SYNC,
    bound(b"one"),
    bound(b"two"),
    encode_close(Named("S", "s")) + SYNC,
    SYNC,
)


@settings(deadline=None)
@given(
    sent=st.lists(st.sampled_from(MESSAGES), min_size=2, max_size=14),
    cuts=st.lists(st.integers(1, 200), max_size=6),
    whole=st.lists(st.booleans(), max_size=4),
)
def test_both_sides_see_what_the_ordinary_way_gives(sent: list[bytes], cuts: list[int], whole: list[bool]) -> None:
    rules = [standing(repeats=[AskWhole() if one else Allow(standing=Standing()) for one in whole])[0] for _ in "ab"]
    shortest, fast = play(rules[0], TinyServer()), play(rules[1], TinyServer(), short=False)
    slow = play(lambda _: Allow(), TinyServer())
    for book in (shortest, fast, slow):
        pieces = list(sent)
        for cut in cuts:
            index = cut % len(pieces)
            piece = pieces.pop(index)
            at = cut % (len(piece) + 1)
            pieces[index:index] = [one for one in (piece[:at], piece[at:]) if one]
        for piece in pieces:
            book.client(piece)
    for quick in (shortest, fast):
        assert bytes(quick.to_client) == bytes(slow.to_client)
        assert bytes(quick.to_server) == bytes(slow.to_server)
        assert finished(quick) == finished(slow)
        assert quick.closed == slow.closed
    assert [type(one) for one in shortest.events] == [type(one) for one in fast.events]


ANSWER = (
    b"1\0\0\0\4" + b"2\0\0\0\4" + encode_row_description(FIELDS) + encode_data_row([b"v"]) * 2
    + frame(b"C", b"SELECT 2\0")
    + encode_ready(b"I")
)  # fmt: skip


@pytest.mark.parametrize("at", range(len(ANSWER) + 2))
def test_of_an_answer_the_short_way_takes_what_is_whole_and_plain_only(at: int) -> None:
    """Each byte changed in turn: what is not taken leaves nothing behind, so the ordinary way says what it is."""
    changed = ANSWER[:at] + bytes([ANSWER[at] ^ 0x01]) + ANSWER[at + 1 :] if at < len(ANSWER) else ANSWER
    books = []
    for short in (True, False):
        server = TinyServer()
        book = play(standing()[0], server, short=short)
        for _ in range(2):
            book.client(extended("SELECT $1::text", b"v"))
        server.slow = True
        book.client(extended("SELECT $1::text", b"v"))
        book.to_client.clear()
        book.events.clear()
        book.from_server(changed[: -1 if at == len(ANSWER) else None])
        books.append(book)
    quick, slow = books
    assert bytes(quick.to_client) == bytes(slow.to_client)
    assert finished(quick) == finished(slow)
    assert quick.closed == slow.closed


@pytest.mark.parametrize("message", [query("SELECT 'a'"), extended("SELECT $1::text", b"v")], ids=["query", "extended"])
def test_what_was_allowed_is_only_repeated(message: bytes) -> None:
    rule, repeated = standing()
    book = play(rule, TinyServer())
    for _ in range(3):
        book.client(message)
    assert len(repeated) == (2 if message[:1] == b"Q" else 4)
    assert len(SPECIMENS.answers(bytes(book.to_client))) == 3


def test_a_repetition_tells_its_own_values() -> None:
    rule, repeated = standing()
    book = play(rule, TinyServer())
    book.client(encode_parse(Parse("s", "SELECT $1::text")) + SYNC)
    for value in (b"one", b"two", b"three"):
        book.client(bound(value))
    assert [one.question.values for one in repeated if isinstance(one.question, Repeat)] == [("two",), ("three",)]


def test_nothing_is_sent_before_the_answer_or_after_a_refusal() -> None:
    rule, waiting = unanswered()
    book = play(rule, TinyServer())
    book.client(extended("SELECT 'x'"))
    book.to_server.clear()
    book.client(extended("SELECT 'x'"))
    assert not book.to_server
    book.answer(waiting[0].number, Allow(standing=Standing()))
    assert not book.to_server
    book.answer(waiting[1].number, Deny("the recording cannot be written"))
    assert b"SELECT 'x'" not in book.to_server
    assert SPECIMENS.answers(bytes(book.to_client))[-1] == "refused"
    book.client(query("SELECT 'afterwards'"))
    assert SPECIMENS.answers(bytes(book.to_client))[-1] == "SELECT 'afterwards'"


def test_other_literals_are_the_same_statement_again() -> None:
    rule, repeated = standing()
    book = play(rule, TinyServer())
    texts = [f"DELETE FROM orders WHERE id = {number} AND name = '{number}'" for number in (1, 22, 333)]
    for text in texts:
        book.client(query(text))
    likes = [one.question.like for one in repeated if isinstance(one.question, Repeat)]
    assert [like.text for like in likes if like is not None] == texts[1:]
    assert [like.filtered for like in likes if like is not None] == [True, True]
    assert SPECIMENS.answers(bytes(book.to_client)) == texts


def test_a_literal_that_decides_is_another_statement() -> None:
    rule, repeated = standing()
    book = play(rule, TinyServer())
    for text in ("DELETE FROM orders WHERE 1 = 2", "DELETE FROM orders WHERE 1 = 1", "SELECT nextval('a')"):
        book.client(query(text))
    book.client(query("SELECT nextval('b')"))
    assert not repeated


def test_what_decides_is_looked_at_however_often_its_like_was_asked() -> None:
    rule, repeated = standing()
    book = play(rule, TinyServer())
    for number in range(4):
        book.client(query(f"SELECT nextval('a'), {number}"))
    assert len(repeated) == 3
    book.client(query("SELECT nextval('b'), 9"))
    book.client(query("SELECT nextval('a') , 9"))
    book.client(query("SET search_path TO other"))
    book.client(query("SELECT nextval('a'), 9"))
    assert len(repeated) == 3


def test_literals_stand_where_they_do_in_their_own_text() -> None:
    """What hides them in a recording goes by these places."""
    rule, repeated = standing()
    book = play(rule, TinyServer())
    names = ("x", "Zoë", "ж", "it''s", "-- 1")
    texts = [f"DELETE FROM orders WHERE name = '{name}' AND id = {10**at}" for at, name in enumerate(names)]
    for text in texts:
        book.client(query(text))
    likes = [one.question.like for one in repeated if isinstance(one.question, Repeat)]
    fresh: list[Statement] = []

    def allow(ask: Ask) -> Answer:
        if isinstance(ask.question, Statement):
            fresh.append(ask.question)
        return Allow()

    for text in texts[1:]:
        play(allow, TinyServer()).client(query(text))
    assert [(one.text, one.literals) for one in likes if one is not None] == [(one.text, one.literals) for one in fresh]
    assert len(fresh) == len(texts) - 1


@pytest.mark.parametrize(
    "body", [b"SELECT 'a', 7\0; DROP TABLE t\0", b"SELECT 'a\0', 7\0", b"SELECT '\xff', 7\0", b"SELECT E'a', 7\0"]
)
def test_what_is_not_surely_like_a_known_text_is_not_taken_for_it(body: bytes) -> None:
    rule, repeated = standing()
    book = play(rule, TinyServer())
    for number in range(3):
        book.client(query(f"SELECT 'a', {number}"))
    assert len(repeated) == 2
    book.client(b"Q" + (len(body) + 4).to_bytes(4, "big") + body)
    assert len(repeated) == 2


@pytest.mark.parametrize("message", [query("SELECT 'x'"), extended("SELECT 'x'")], ids=["query", "extended"])
def test_what_was_cancelled_before_its_answer_is_never_sent(message: bytes) -> None:
    rule, waiting = unanswered()
    book = play(rule, TinyServer())
    book.client(message)
    book.to_server.clear()
    book.client(message)
    book.interrupt()
    assert len(SPECIMENS.answers(bytes(book.to_client))) == 2
    assert SPECIMENS.answers(bytes(book.to_client))[-1] == "refused"
    assert book.to_client.endswith(encode_ready(b"I"))
    book.client(query("SELECT 'other'"))
    for ask in waiting:
        book.answer(ask.number, Allow(standing=Standing()))
    assert b"SELECT 'x'" not in book.to_server
    assert SPECIMENS.answers(bytes(book.to_client))[-1] == "SELECT 'other'"


def test_what_is_dropped_of_an_oversized_message_is_no_statement() -> None:
    rule, repeated = standing()
    book = play(rule, TinyServer())
    known = query("SELECT 'a'")
    book.client(known)
    book.to_server.clear()
    body = b"x" * 20_000 + known * 3 + b"\0"
    oversized = b"Q" + (len(body) + 4).to_bytes(4, "big") + body
    at = len(oversized) - len(known) * 3 - 1
    for piece in (oversized[:at], known, known, known, b"\0"):
        book.client(piece)
    assert b"SELECT 'a'" not in book.to_server
    assert not repeated
    book.client(known)
    assert [one == "refused" for one in SPECIMENS.answers(bytes(book.to_client))] == [False, True, False]


def test_another_search_path_is_another_moment() -> None:
    rule, repeated = standing()
    book = play(rule, TinyServer())
    for text in ("SELECT * FROM orders", "SET search_path TO other", "SELECT * FROM orders"):
        book.client(query(text))
    assert not repeated


def test_masked_rows_stay_masked_when_they_repeat() -> None:
    rule, repeated = standing(MASKS)
    book = play(rule, TinyServer(EMAIL, [b"ada@example.com"]))
    for _ in range(3):
        book.client(query("SELECT email FROM customers"))
    assert repeated
    assert b"ada@example.com" not in book.to_client
    assert [one.masked for one in book.events if isinstance(one, Finished)] == [{"emails": 1}] * 3


def test_detectors_read_rows_when_they_repeat() -> None:
    rule, repeated = standing(MaskRules(detect=(DetectRule("mails", ("email",), MaskStyle.PARTIAL),)))
    server = TinyServer(EMAIL, [b"to ada@example.com"])
    book = play(rule, server)
    for row in (b"to ada@example.com", b"nobody", b"to ada@example.com"):
        server.row = [row]
        book.client(query("SELECT email FROM customers"))
    assert repeated
    assert b"ada@example.com" not in book.to_client
    assert book.to_client.count(b"to a***@example.com") == 2
    assert [one.masked for one in book.events if isinstance(one, Finished)] == [{"mails": 1}, {}, {"mails": 1}]


def test_a_long_row_that_must_be_read_is_bounded_as_on_the_ordinary_way() -> None:
    """It is neither collected without a limit, nor joined anew for each part of it."""
    rule, repeated = standing(MASKS)
    server = TinyServer(EMAIL, [b"ada@example.com"])
    book = play(rule, server)
    book.client(query("SELECT email FROM customers"))
    server.slow, server.row = True, [b"a" * (opening().limits.message + 1)]
    book.client(query("SELECT email FROM customers"))
    assert repeated
    book.from_server(server.late[: 1 << 16])
    assert isinstance(book.events[-1], Close)
    assert "must be read whole" in book.events[-1].reason


def test_a_cancel_finds_what_runs_in_the_lane() -> None:
    rule, repeated = standing()
    server = TinyServer()
    book = play(rule, server)
    book.client(query("SELECT 'a'"))
    server.slow = True
    book.client(query("SELECT 'a'"))
    assert repeated
    book.interrupt("too long")
    assert server.cancels


@pytest.mark.parametrize("short", [True, False], ids=["lane", "ordinary"])
@pytest.mark.parametrize(
    "next_one",
    [
        bound(b"two"),
        encode_bind(Bind("", "s", (), (b"two",))) + SYNC,
        encode_close(Named("P", "")) + SYNC,
        query("SELECT 'a'"),
    ],
    ids=["bound and run", "bound", "closed", "a simple query"],
)
def test_a_portal_that_is_replaced_or_closed_has_its_end(next_one: bytes, short: bool) -> None:
    """Its client may have taken as many of its rows as it liked."""
    rule, _ = standing()
    server = TinyServer()
    server.status = b"T"
    book = play(rule, server, short=short)
    for message in (
        query("BEGIN"),
        encode_parse(Parse("s", "SELECT $1::text")) + SYNC,
        bound(b"one"),
        query("SELECT 'a'"),
    ):
        book.client(message)
    book.client(encode_bind(Bind("", "s", (), (b"left",))) + SYNC)
    assert all(error is None for *_, error in finished(book))
    book.client(next_one)
    assert "not run to its end" in [error for *_, error in finished(book)]


@pytest.mark.parametrize("how", ["cancelled", "followed by another", "ended"])
def test_what_left_the_catalog_during_a_result_is_masked_to_its_end_and_ends_no_session(how: str) -> None:
    """As where the side connection breaks off, or a table is dropped whose rows are still on their way."""
    rule, repeated = standing(MASKS)
    server = TinyServer(EMAIL, [b"ada@example.com"])
    view = View(snapshot())

    def by_rule(ask: Ask) -> Answer | None:
        return SPECIMENS.admit if isinstance(ask.question, Login) else rule(ask)

    def read_anew(_: Lookup) -> View:
        view.learn(snapshot())
        return view

    book = Playbook(PostgresSession(opening()), by_rule, server, read_anew)
    book.client(SPECIMENS.login)
    book.client(query("SELECT email FROM customers"))
    server.slow = True
    book.client(query("SELECT email FROM customers"))
    assert repeated
    described = 1 + int.from_bytes(server.late[1:5], "big")
    book.from_server(server.late[:described])
    view.forget()
    if how == "ended":
        book.terminate("shutting down")
        assert book.closed == "shutting down"
        return
    if how == "cancelled":
        book.interrupt("too long")
    else:
        book.client(query("SELECT 1"))
    server.slow = False
    book.from_server(server.late[described:])
    assert book.closed is None
    assert b"ada@example.com" not in book.to_client
    assert [one.masked for one in book.events if isinstance(one, Finished)][:2] == [{"emails": 1}] * 2
