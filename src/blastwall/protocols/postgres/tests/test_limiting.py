"""Dialogues under a row limit of 3: not a byte follows a limited statement until its rows are counted."""

from __future__ import annotations

import pytest

from blastwall.model.ruling import Obligations
from blastwall.protocols.contract import Allow, Answer, Ask, Exceeded, Finished, Injected, Login, Refused
from blastwall.protocols.postgres.conversation import FAILING_PARSE
from blastwall.protocols.postgres.errors import encode_error
from blastwall.protocols.postgres.messages import (
    FLUSH,
    SYNC,
    TERMINATE,
    Bind,
    Execute,
    Field,
    Named,
    Parse,
    cstring,
    encode_bind,
    encode_copy_fail,
    encode_data_row,
    encode_describe,
    encode_execute,
    encode_parse,
    encode_ready,
    encode_row_description,
    frame,
)
from blastwall.protocols.postgres.session import PostgresSession
from blastwall.protocols.postgres.tests.server import TinyServer
from blastwall.protocols.postgres.tests.specimens import SPECIMENS, opening, query
from blastwall.testing.playbook import Playbook

DELETE = "DELETE FROM orders WHERE id > 1"
RETURNING = DELETE + " RETURNING id"
DESCRIPTION = encode_row_description((Field("id", 0, 0, 25),))
PARSED, BOUND, NO_DATA, SUSPENDED = (frame(kind, b"") for kind in (b"1", b"2", b"n", b"s"))


def tag(text: str) -> bytes:
    return frame(b"C", cstring(text))


def row(value: int) -> bytes:
    return encode_data_row([str(value).encode()])


class Silent(TinyServer):
    """Logs in, then answers nothing: a test says what comes."""

    def _answer(self, kind: bytes, body: bytes) -> bytes:
        return b""


def play(obligations: Obligations) -> Playbook:
    def rule(ask: Ask) -> Answer:
        return SPECIMENS.admit if isinstance(ask.question, Login) else Allow(obligations=obligations)

    book = Playbook(PostgresSession(opening()), rule, Silent(), SPECIMENS.look_up)
    book.client(SPECIMENS.login)
    forget(book)
    return book


def forget(book: Playbook) -> None:
    book.to_client.clear()
    book.to_server.clear()


def changes(most: int = 3) -> Playbook:
    return play(Obligations(limit_affected=most))


def reads(most: int = 3) -> Playbook:
    return play(Obligations(limit_rows=most))


def bound(text: str, rows: int = 0, portal: str = "") -> bytes:
    return encode_parse(Parse("", text)) + encode_bind(Bind(portal, "")) + encode_execute(Execute(portal, rows))


def stepped(text: str, rows: int = 0) -> bytes:
    """What a simple Query of one statement is sent as."""
    opened = encode_parse(Parse("", text)) + encode_bind(Bind("", ""))
    return opened + encode_describe(Named("P", "")) + encode_execute(Execute("", rows)) + FLUSH


class TestExtended:
    def test_nothing_follows_until_it_is_counted(self) -> None:
        book = changes()
        book.client(bound(DELETE) + SYNC + bound("COMMIT") + SYNC + TERMINATE)
        assert bytes(book.to_server) == bound(DELETE) + FLUSH
        book.from_server(PARSED + BOUND)
        assert bytes(book.to_server) == bound(DELETE) + FLUSH
        book.from_server(tag("DELETE 3"))
        assert bytes(book.to_server).startswith(bound(DELETE) + FLUSH + SYNC)
        assert bytes(book.to_client) == PARSED + BOUND + tag("DELETE 3")

    def test_over_the_limit_the_failing_statement_comes_next(self) -> None:
        book = changes()
        book.client(bound(RETURNING) + bound("COMMIT") + SYNC)
        book.from_server(PARSED + BOUND + b"".join(map(row, range(4))) + tag("DELETE 4"))
        assert bytes(book.to_server) == bound(RETURNING) + FLUSH + FAILING_PARSE + SYNC
        assert bytes(book.to_client) == PARSED + BOUND
        book.from_server(encode_error("42601", "syntax error") + encode_ready(b"I"))
        assert b"limits this statement to 3 rows" in book.to_client
        assert b"syntax error" not in book.to_client
        assert book.to_client.endswith(encode_ready(b"I"))
        (exceeded,) = [one for one in book.events if isinstance(one, Exceeded)]
        assert (exceeded.limit, exceeded.most) == ("affected", 3)
        (finished,) = [one for one in book.events if isinstance(one, Finished) and one.number == exceeded.number]
        assert finished.error == f"54000: {exceeded.told}"

    def test_rows_are_shown_only_once_all_are_counted(self) -> None:
        book = changes()
        book.client(bound(RETURNING) + SYNC)
        book.from_server(PARSED + BOUND + row(1) + row(2))
        assert bytes(book.to_client) == PARSED + BOUND
        book.from_server(row(3) + tag("DELETE 3"))
        assert bytes(book.to_client) == PARSED + BOUND + row(1) + row(2) + row(3) + tag("DELETE 3")

    def test_portions_are_given_out_of_what_was_counted(self) -> None:
        book = changes()
        book.client(bound(RETURNING, 2) + SYNC)
        assert bytes(book.to_server) == bound(RETURNING, 0) + FLUSH
        assert any(isinstance(one, Injected) and "all rows" in one.text for one in book.events)
        book.from_server(PARSED + BOUND + row(1) + row(2) + row(3) + tag("DELETE 3"))
        assert bytes(book.to_client) == PARSED + BOUND + row(1) + row(2) + SUSPENDED

    def test_a_later_portion_replaces_the_servers_empty_answer(self) -> None:
        book = changes()
        book.client(bound(RETURNING, 2, "p"))
        book.from_server(PARSED + BOUND + row(1) + row(2) + row(3) + tag("DELETE 3"))
        forget(book)
        book.client(encode_execute(Execute("p", 2)) + SYNC)
        assert bytes(book.to_server) == encode_execute(Execute("p", 2)) + FLUSH
        book.from_server(tag("DELETE 0"))
        assert bytes(book.to_client) == row(3) + tag("DELETE 1")
        assert bytes(book.to_server).endswith(SYNC)

    def test_more_rows_than_can_be_kept_are_over_the_limit(self) -> None:
        book = changes(1_000_000)
        book.client(bound(RETURNING) + SYNC)
        large = encode_data_row([b"x" * 1_000_000])
        book.from_server(PARSED + BOUND)
        for _ in range(6):
            book.from_server(large)
        book.from_server(tag("DELETE 6"))
        assert FAILING_PARSE in bytes(book.to_server)
        assert bytes(book.to_client) == PARSED + BOUND

    @pytest.mark.parametrize("text", ["DELETE", "SELECT 3", "", "DELETE x"])
    def test_a_server_that_says_no_count_is_not_believed(self, text: str) -> None:
        book = changes()
        book.client(bound(DELETE) + SYNC)
        book.from_server(PARSED + BOUND + tag(text))
        assert bytes(book.to_server) == bound(DELETE) + FLUSH + FAILING_PARSE + SYNC

    def test_a_server_that_suspends_what_it_should_not_ends_the_session(self) -> None:
        book = changes()
        book.client(bound(RETURNING) + SYNC)
        book.from_server(PARSED + BOUND + row(1) + SUSPENDED)
        assert book.closed is not None
        assert SYNC not in bytes(book.to_server)

    def test_an_error_of_the_servers_own_is_the_clients(self) -> None:
        book = changes()
        book.client(bound(RETURNING) + bound(DELETE) + SYNC)
        book.from_server(PARSED + BOUND + row(1) + encode_error("22012", "division by zero"))
        assert bytes(book.to_server) == bound(RETURNING) + FLUSH + SYNC
        assert bytes(book.to_client) == PARSED + BOUND + encode_error("22012", "division by zero")

    def test_an_unlimited_statement_is_passed_on_untouched(self) -> None:
        book = changes()
        book.client(bound("SELECT 1") + SYNC)
        assert bytes(book.to_server) == bound("SELECT 1") + SYNC

    def test_what_cannot_be_counted_is_not_sent(self) -> None:
        book = changes()
        book.client(query("WITH d AS (DELETE FROM orders RETURNING 1) SELECT 1 FROM d"))
        assert b"DELETE" not in book.to_server
        assert next(one.reason for one in book.events if isinstance(one, Refused)).startswith("a row limit applies")

    def test_a_client_that_leaves_commits_nothing(self) -> None:
        book = changes()
        book.client(bound(DELETE) + SYNC)
        book.from_server(PARSED + BOUND)
        book.leave()
        assert bytes(book.to_server) == bound(DELETE) + FLUSH + TERMINATE


class TestSimple:
    def test_a_query_is_sent_by_parse_and_commits_when_it_is_counted(self) -> None:
        book = changes()
        book.client(query(DELETE) + query("SELECT 1"))
        assert bytes(book.to_server) == stepped(DELETE)
        book.from_server(PARSED + BOUND + NO_DATA + tag("DELETE 3"))
        assert bytes(book.to_server) == stepped(DELETE) + SYNC
        assert bytes(book.to_client) == b""
        book.from_server(encode_ready(b"I"))
        assert bytes(book.to_client) == tag("DELETE 3") + encode_ready(b"I")
        assert bytes(book.to_server) == stepped(DELETE) + SYNC + query("SELECT 1")

    def test_over_the_limit_it_is_rolled_back(self) -> None:
        book = changes()
        book.client(query(DELETE))
        book.from_server(PARSED + BOUND + NO_DATA + tag("DELETE 4"))
        assert bytes(book.to_server) == stepped(DELETE) + FAILING_PARSE + SYNC
        book.from_server(encode_error("42601", "syntax error") + encode_ready(b"I"))
        assert b"limits this statement to 3 rows" in book.to_client
        assert bytes(book.to_client).count(encode_ready(b"I")) == 1
        forget(book)
        book.client(query("SELECT 1"))
        assert bytes(book.to_server) == query("SELECT 1")

    def test_a_commit_in_its_text_waits_for_the_count(self) -> None:
        book = changes()
        book.client(query(f"{DELETE}; COMMIT"))
        assert bytes(book.to_server) == stepped(DELETE)
        book.from_server(PARSED + BOUND + NO_DATA + tag("DELETE 4"))
        assert b"COMMIT" not in book.to_server
        skipped = [one.error for one in book.events if isinstance(one, Finished)]
        book.from_server(encode_error("42601", "syntax error") + encode_ready(b"I"))
        finished = [one.error for one in book.events if isinstance(one, Finished)]
        assert len(skipped) == 1
        assert "not run" in str(finished[1])

    def test_a_commit_that_fails_takes_the_place_of_success(self) -> None:
        book = changes()
        book.client(query(DELETE))
        failed = encode_error("23503", "violates foreign key constraint")
        book.from_server(PARSED + BOUND + NO_DATA + tag("DELETE 1") + failed + encode_ready(b"I"))
        assert bytes(book.to_client) == failed + encode_ready(b"I")
        (finished,) = [one for one in book.events if isinstance(one, Finished)]
        assert finished.error is not None
        assert finished.affected is None

    def test_copy_data_passes_and_a_row_too_many_ends_the_copy(self) -> None:
        book = changes(2)
        book.client(query("COPY orders FROM STDIN"))
        book.from_server(PARSED + BOUND + NO_DATA + frame(b"G", b"\0\0\0"))
        forget(book)
        book.client(frame(b"d", b"1\n2\n"))
        assert bytes(book.to_server) == frame(b"d", b"1\n2\n")
        book.client(frame(b"d", b"3\n") + frame(b"d", b"4\n") + frame(b"c", b""))
        sent = bytes(book.to_server)
        assert b"3\n" not in sent
        assert sent.endswith(FLUSH)
        assert (
            encode_copy_fail(
                "blastwall: policy limits this statement to 2 rows: it changes more than 2 rows; it was rolled back"
            )
            in sent
        )
        book.from_server(encode_error("57014", "COPY from stdin failed: …"))
        assert bytes(book.to_server).endswith(SYNC)
        book.from_server(encode_ready(b"I"))
        assert b"changes more than 2 rows" in book.to_client
        assert b"COPY from stdin failed" not in book.to_client


class TestRowsRead:
    def test_one_row_more_is_asked_for_and_kept(self) -> None:
        book = reads()
        book.client(query("SELECT id FROM orders"))
        assert bytes(book.to_server) == stepped("SELECT id FROM orders", 4)
        book.from_server(PARSED + BOUND + DESCRIPTION + b"".join(map(row, (1, 2, 3, 4))) + SUSPENDED)
        assert bytes(book.to_client) == DESCRIPTION + row(1) + row(2) + row(3)
        assert bytes(book.to_server).endswith(FAILING_PARSE + SYNC)
        book.from_server(encode_error("42601", "syntax error") + encode_ready(b"I"))
        assert b"its result has more than 3 rows" in book.to_client

    def test_a_server_that_sends_more_than_it_was_asked_for_shows_no_more(self) -> None:
        book = reads()
        book.client(bound("SELECT id FROM orders") + SYNC)
        book.from_server(PARSED + BOUND + b"".join(map(row, range(1, 90))))
        book.from_server(tag("SELECT 89"))
        assert bytes(book.to_client) == PARSED + BOUND + row(1) + row(2) + row(3)
        assert bytes(book.to_server).endswith(FAILING_PARSE + SYNC)

    def test_portions_count_together(self) -> None:
        book = reads()
        book.client(bound("SELECT id FROM orders", 2, "p"))
        assert bytes(book.to_server) == bound("SELECT id FROM orders", 2, "p") + FLUSH
        book.from_server(PARSED + BOUND + row(1) + row(2) + SUSPENDED)
        forget(book)
        book.client(encode_execute(Execute("p", 2)) + SYNC)
        assert bytes(book.to_server) == encode_execute(Execute("p", 2)) + FLUSH
        book.from_server(row(3) + row(4) + SUSPENDED)
        assert bytes(book.to_client) == row(3)
        assert bytes(book.to_server).endswith(FAILING_PARSE + SYNC)

    def test_a_copy_out_is_cut_at_the_limit(self) -> None:
        book = reads()
        book.client(query("COPY (SELECT id FROM orders) TO STDOUT"))
        lines = [frame(b"d", b"%d\n" % n) for n in range(1, 9)]
        begin = frame(b"H", b"\0\0\1\0\0")
        book.from_server(PARSED + BOUND + NO_DATA + begin + b"".join(lines) + frame(b"c", b"") + tag("COPY 8"))
        assert bytes(book.to_client).startswith(begin + b"".join(lines[:3]))
        assert lines[3] not in bytes(book.to_client)
        assert bytes(book.to_server).endswith(FAILING_PARSE + SYNC)
