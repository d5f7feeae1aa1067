"""What a session keeps: bounded while it lasts, nothing of readings of the catalog that are past, nothing after it."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from weakref import ref

import pytest

from blastwall.model.masks import ColumnRule, MaskRules, MaskStyle
from blastwall.protocols.contract import Allow, Answer, Ask, Login
from blastwall.protocols.postgres import naming
from blastwall.protocols.postgres.catalog import View
from blastwall.protocols.postgres.messages import (
    SYNC,
    TERMINATE,
    Bind,
    Execute,
    Named,
    Parse,
    encode_bind,
    encode_close,
    encode_execute,
    encode_parse,
)
from blastwall.protocols.postgres.session import PostgresSession
from blastwall.protocols.postgres.tests.server import TinyServer
from blastwall.protocols.postgres.tests.specimens import SPECIMENS, extended, opening, query, snapshot
from blastwall.protocols.standing import Standing
from blastwall.testing.playbook import Playbook

LARGE = b"x" * 60_000
PARSE = encode_parse(Parse("s", "SELECT $1::text"))
MASKS = MaskRules(columns=(ColumnRule("emails", "public.customers.email", MaskStyle.REDACT),), key=b"k" * 32)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a limit that is soon reached."""
    monkeypatch.setattr(naming, "_MOST", 1 << 20)


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Nothing goes but with its last reference."""
    gc.disable()
    yield
    gc.enable()


def play(view: View | None = None) -> Playbook:
    def rule(ask: Ask) -> Answer:
        return SPECIMENS.admit if isinstance(ask.question, Login) else Allow(MASKS, standing=Standing())

    book = Playbook(PostgresSession(opening()), rule, TinyServer(), lambda _: view or View(snapshot()))
    book.client(SPECIMENS.login)
    return book


def said(book: Playbook, *messages: bytes) -> bytes:
    """What the client hears of some messages."""
    book.to_client.clear()
    book.to_server.clear()
    book.client(b"".join(messages))
    return bytes(book.to_client)


def named(number: int) -> bytes:
    return encode_bind(Bind(f"p{number}", "s", (), (LARGE,)))


def test_portals_by_name_are_bounded_and_what_has_no_name_is_not_counted() -> None:
    book = play()
    said(book, PARSE)
    for number in range(40):
        told = said(book, named(number))
        if b"C54000\0" in told:
            break
    assert number == 17
    assert b"32 MiB" in told
    said(book, SYNC)
    for _ in range(40):
        assert b"54000" not in said(book, encode_bind(Bind("", "s", (), (LARGE,))), encode_execute(Execute("")), SYNC)


def test_what_is_closed_makes_room() -> None:
    book = play()
    said(book, PARSE)
    for number in range(60):
        assert b"54000" not in said(book, named(number), encode_close(Named("P", f"p{number}")), SYNC)


def test_statements_prepared_in_sql_or_by_the_protocol_are_bounded() -> None:
    book = play()
    text = f"SELECT '{'x' * 500}'"
    for number in range(100):
        assert b"54000" not in said(book, encode_parse(Parse(f"s{number}", text)), SYNC)
    for number in range(300):
        if b"C54000\0" in (told := said(book, query(f"PREPARE t{number} AS {text}"))):
            break
    assert 100 < number < 200
    assert b"close or deallocate" in told
    assert b"54000" in said(book, encode_parse(Parse("one", "SELECT 1")), SYNC)
    assert b"54000" not in said(book, query("DEALLOCATE ALL"))
    assert b"54000" not in said(book, encode_parse(Parse("one", "SELECT 1")), SYNC)


@pytest.mark.usefixtures("uncollected")
def test_a_reading_that_is_past_is_not_kept_by_idle_sessions() -> None:
    view = View(snapshot())
    book = play(view)
    for _ in range(3):
        said(book, query("SELECT email FROM customers"), extended("SELECT name FROM customers"), query("SELECT 1"))
        said(book, extended("SELECT id FROM customers WHERE id = $1", b"1", name=""))
    said(book, extended("SELECT id FROM orders", name="kept"))
    old = ref(view.snapshot)
    view.learn(snapshot())
    assert old() is None
    assert b"54000" not in said(book, query("SELECT email FROM customers"))


@pytest.mark.usefixtures("uncollected")
def test_a_session_that_has_ended_keeps_nothing_large() -> None:
    book = play()
    said(book, PARSE)
    tracemalloc.start()
    try:
        for number in range(15):
            said(book, named(number))
        book.events.clear()
        kept = tracemalloc.get_traced_memory()[0]
        said(book, TERMINATE)
        assert kept - tracemalloc.get_traced_memory()[0] > 14 * len(LARGE)
    finally:
        tracemalloc.stop()
