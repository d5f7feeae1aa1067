"""The reader of shapes finds literals and comments where PostgreSQL's own scanner finds them, or gives no shape."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postgast import PgQueryError, scan
from postgast.pg_query_pb2 import Token

from blastwall.sql.postgres.shape import DECIMAL, ESCAPED, INTEGER, STRING, shape_of

NAMES = dict(zip(Token.values(), Token.keys(), strict=True))
KINDS = {STRING: {"SCONST"}, ESCAPED: {"SCONST"}, INTEGER: {"ICONST"}, DECIMAL: {"FCONST"},
         "\0*": {"C_COMMENT"}, "\0-": {"SQL_COMMENT"}}  # fmt: skip
CONSTANTS = {"SCONST", "USCONST", "BCONST", "XCONST", "ICONST", "FCONST", "C_COMMENT", "SQL_COMMENT"}
PIECES = [
    *" \n\t\r'\"$()[]+-*/<>=.,;:@#%^&|?!~\\_{}`",
    *["''", "--", "/*", "*/", "$$", "$a$", "$1", "e'", "E'", "n'", "b'", "x'", "u&'", 'U&"', "e", "E", "date"],
    *["0", "1", "42", "1.5", ".5", "5.", "1e5", "1e", "0x1F", "1_000", "2147483647", "2147483648", "007", "0000000007"],
    *["é", "\xa0", "select", "a", "\\'", "\\\\", "/**/", "-- x\n", "'x'", "E'a\\n'", ") = ", "\ud800"],
]  # fmt: skip


def tokens(text: str) -> list[tuple[str, int, int]] | None:
    """PostgreSQL's tokens: name, start and end in bytes; None where it finds none."""
    try:
        return [(NAMES.get(one.token, ""), one.start, one.end) for one in scan(text).tokens]
    except (PgQueryError, ValueError):
        return None


def taken_out(text: str, shape: str, bounds: list[int]) -> list[tuple[set[str], int, int]]:
    marks = [shape[at : at + 2] for at in range(len(shape)) if shape[at] == "\0"]
    places = [len(text[:bound].encode()) for bound in bounds]
    return [
        (KINDS[mark], places[2 * index] - (mark == ESCAPED), places[2 * index + 1]) for index, mark in enumerate(marks)
    ]


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
@settings(max_examples=3000, deadline=None)
def test_it_reads_as_postgresql_does(text: str) -> None:
    shaped = shape_of(text)
    found = tokens(text) if shaped is not None else None
    if shaped is None or found is None:
        return
    constants = [token for token in found if token[0] in CONSTANTS]
    out = taken_out(text, *shaped)
    places = {(start, end): name for name, start, end in constants}
    assert all(places.pop((start, end), "") in kinds for kinds, start, end in out)
    left = [(name, text.encode()[start:end]) for (start, end), name in places.items()]
    assert all(name in {"ICONST", "FCONST"} and literal.startswith(b"0") and len(literal) > 9 for name, literal in left)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("select 1, 'a', 1.5", "select \0i, \0s, \0d"),
        ("select 'it''s' from t1", "select \0s from t1"),
        ("select E'a\\nb'", "select E\0e"),
        ('select "a\'b", $1 /* 1 */ -- 2', 'select "a\'b", $1 \0* \0-'),
        ("select -5", "select -\0i"),
        ("select 3000000000", "select \0d"),
        ("select x::date'2020-01-01'", "select x::date\0s"),
    ],
)
def test_literals_and_comments_are_taken_out(text: str, shape: str) -> None:
    found = shape_of(text)
    assert found is not None
    assert found[0] == shape


@pytest.mark.parametrize(
    "text",
    [
        "select 'a'\n'b'",
        "select 'a' -- x\n 'b'",
        "select U&'\\0061'",
        "select b'101'",
        "select x'1f'",
        "select n'a'",
        "select $$a$$",
        "select $a$b$a$",
        "select E'\\x41'",
        "select E'it\\'s'",
        "select 1_000",
        "select 0x1f",
        "select 1a",
        "select ..1e5",
        "select 'open",
        'select "open',
        "select /* open",
        "select 'a\0b'",
        "select '\ud800'",
        "select '" + "-" * 600 + "'",
        "select ') = 1'",
        "select " + "1," * 4000 + "1",
        "select '" + "é" * 3000 + "'",
    ],
    ids=lambda text: text[:20].encode("ascii", "replace").decode(),
)
def test_what_it_is_not_sure_of_has_no_shape(text: str) -> None:
    assert shape_of(text) is None


def test_names_stay_apart() -> None:
    """libpg_query's fingerprint takes these for one another."""
    texts = ("select 1 from public.orders", "select 1 from secret.orders", 'select 1 from "Public".orders')
    assert len({str(shape_of(text)) for text in texts}) == 3
