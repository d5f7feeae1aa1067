"""What is remembered of a text is used for another one of its shape, and never instead of what that one says."""

from __future__ import annotations

from blastwall.model.statement import Statement
from blastwall.protocols.postgres.messages import SYNC, Bind, Execute, Parse, encode_bind, encode_execute, encode_parse
from blastwall.protocols.postgres.tests.specimens import query
from blastwall.protocols.postgres.tests.test_session import play
from blastwall.testing.playbook import Playbook


def effects(book: Playbook) -> list[str]:
    """The effects of the last ask."""
    asked = book.asked[-1].question
    assert isinstance(asked, Statement)
    return [f"{effect.action} {'.'.join(effect.object.path[1:])}" for effect in asked.effects]


def test_literals_are_redacted_where_they_stand_in_each_text() -> None:
    book = play()
    for value in ("a@b.c", "somebody@example.org", "x"):
        book.client(query(f"SELECT id FROM customers WHERE email = '{value}'"))
        asked = book.asked[-1].question
        assert isinstance(asked, Statement)
        (literal,) = asked.literals
        assert asked.text[literal.start : literal.end] == f"'{value}'"
        assert literal.column is not None
        assert literal.column.column == "email"


def test_what_was_prepared_from_a_known_shape_is_read_again_by_execute() -> None:
    book = play()
    book.client(query("SELECT name FROM customers WHERE id = 1"))
    book.client(encode_parse(Parse("s", "SELECT name FROM customers WHERE id = 22")) + SYNC)
    book.client(query("EXECUTE s"))
    assert effects(book) == ["read public.customers"]


def test_a_cursor_bound_from_a_known_shape_is_read_again_by_fetch() -> None:
    book = play()
    book.client(query("SELECT name FROM customers WHERE id = 1"))
    book.client(encode_parse(Parse("", "SELECT name FROM customers WHERE id = 22")))
    book.client(encode_bind(Bind("c", "", (), ())) + encode_execute(Execute("c")))
    book.client(query("FETCH 1 FROM c"))
    assert effects(book) == ["read public.customers"]
