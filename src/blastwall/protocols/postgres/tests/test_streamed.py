"""What was sent of a result is said while it streams and whenever it ends early, so that no budget is evaded."""

from __future__ import annotations

from blastwall.model.ruling import NONE
from blastwall.protocols.contract import Finished, Streamed
from blastwall.protocols.postgres.messages import (
    SYNC,
    Execute,
    cstring,
    encode_data_row,
    encode_execute,
    encode_ready,
    frame,
)
from blastwall.protocols.postgres.tests.specimens import query
from blastwall.protocols.postgres.tests.test_lane import play as play_by
from blastwall.protocols.postgres.tests.test_lane import standing
from blastwall.protocols.postgres.tests.test_limiting import (
    BOUND,
    DESCRIPTION,
    PARSED,
    SUSPENDED,
    Silent,
    bound,
    play,
    row,
    tag,
)
from blastwall.testing.playbook import Playbook

LARGE = encode_data_row([b"x" * 10_000])
ENDED_FIRST = "the session ended before its answer did"


def said(book: Playbook) -> list[tuple[int, int]]:
    return [(one.rows, one.bytes) for one in book.events if isinstance(one, Streamed)]


def test_a_small_result_is_said_when_it_is_finished() -> None:
    book = play(NONE)
    book.client(query("SELECT id FROM orders"))
    book.from_server(DESCRIPTION + row(1) + tag("SELECT 1") + encode_ready(b"I"))
    assert said(book) == []
    assert [one.rows for one in book.events if isinstance(one, Finished)] == [1]


def test_a_large_one_is_said_while_it_streams() -> None:
    book = play(NONE)
    book.client(query("SELECT id FROM orders"))
    book.from_server(DESCRIPTION)
    for _ in range(20):
        book.from_server(LARGE)
    assert said(book) == [(7, 7 * len(LARGE)), (14, 14 * len(LARGE))]


def test_a_client_that_leaves_in_the_middle_has_had_what_it_got() -> None:
    book = play(NONE)
    book.client(query("SELECT id FROM orders"))
    book.from_server(DESCRIPTION + row(1) + row(2))
    book.leave()
    assert said(book) == [(2, len(row(1) + row(2)))]
    (finished,) = [one for one in book.events if isinstance(one, Finished)]
    assert (finished.rows, finished.error) == (2, ENDED_FIRST), "and its record says so"
    assert book.closed is not None


def test_so_has_one_that_leaves_a_portal_half_read() -> None:
    book = play(NONE)
    book.client(bound("SELECT id FROM orders", 2, "p"))
    book.from_server(PARSED + BOUND + row(1) + row(2) + SUSPENDED + encode_ready(b"T"))
    book.leave()
    assert [(one.rows, one.error) for one in book.events if isinstance(one, Finished)][-1] == (2, ENDED_FIRST)


def test_a_portal_that_is_left_half_read_has_given_what_it_gave() -> None:
    book = play(NONE)
    book.client(bound("SELECT id FROM orders", 2, "p"))
    book.from_server(PARSED + BOUND + row(1) + row(2) + SUSPENDED)
    assert said(book) == [(2, len(row(1) + row(2)))]
    book.client(encode_execute(Execute("p", 2)) + SYNC)
    book.from_server(row(3) + frame(b"C", cstring("SELECT 1")) + encode_ready(b"I"))
    (finished,) = [one for one in book.events if isinstance(one, Finished) and one.rows]
    assert finished.rows == 3


def test_in_the_fast_lane_too() -> None:
    rule, repeated = standing()
    book = play_by(rule, Silent())
    for _ in range(3):
        book.client(query("SELECT id FROM orders"))
        book.from_server(DESCRIPTION + row(1) + tag("SELECT 1") + encode_ready(b"I"))
    book.client(query("SELECT id FROM orders"))
    assert repeated
    book.from_server(DESCRIPTION)
    for _ in range(10):
        book.from_server(LARGE)
    book.leave()
    assert [rows for rows, _ in said(book)] == [7, 10]
    assert [(one.rows, one.error) for one in book.events if isinstance(one, Finished)][-1] == (10, ENDED_FIRST)
