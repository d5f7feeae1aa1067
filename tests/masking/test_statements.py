from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blastwall.masking.statements import StatementRedactor
from blastwall.model.masks import NO_MASKS, ColumnRule, DetectRule, MaskRules, MaskStyle
from blastwall.model.statement import Column, Literal, Parameter, Statement

KEY = b"a key that is long enough for it"
EMAIL = Column("shop", "public", "customers", "email")
NAME = Column("shop", "public", "customers", "name")


def redactor(style: MaskStyle = MaskStyle.PARTIAL) -> StatementRedactor:
    column = ColumnRule("emails", "public.customers.email", style)
    return StatementRedactor(MaskRules((column,), (DetectRule("pii", ("email", "card"), MaskStyle.REDACT),), KEY))


def statement(
    text: str, *marked: tuple[str, Column | None, bool], doubt: str = "", values: tuple[Parameter, ...] = ()
) -> Statement:
    literals = tuple(
        Literal(text.index(piece), text.index(piece) + len(piece), column, secret) for piece, column, secret in marked
    )
    return Statement(text, (), "SELECT", "shop", values, literals, doubt=doubt)


def test_a_secret_is_never_recorded_even_without_rules() -> None:
    asked = statement("ALTER ROLE bob PASSWORD 'hunter2'", ("'hunter2'", None, True))
    for rules in (redactor(), StatementRedactor(NO_MASKS)):
        assert rules.redact(asked).text == "ALTER ROLE bob PASSWORD '[secret]'"


@pytest.mark.parametrize(
    ("style", "shown"),
    [(MaskStyle.PARTIAL, "'****th'"), (MaskStyle.REDACT, "'[redacted]'"), (MaskStyle.NULL, "'[redacted]'")],
)
def test_a_literal_of_a_protected_column_is_masked_as_its_value_would_be(style: MaskStyle, shown: str) -> None:
    asked = statement(
        "SELECT 1 WHERE email = 'Jo Smith' AND name = 'Bob'", ("'Jo Smith'", EMAIL, False), ("'Bob'", NAME, False)
    )
    assert redactor(style).redact(asked).text == f"SELECT 1 WHERE email = {shown} AND name = 'Bob'"


@pytest.mark.parametrize("literal", ["E'Jo\\'Smith'", "$$Jo Smith$$", "U&'Jo\\0020Smith'", "12345678", "X'4a6f'"])
def test_a_literal_in_another_form_is_hidden_whole(literal: str) -> None:
    asked = statement(f"SELECT {literal}", (literal, EMAIL, False))
    assert redactor().redact(asked).text == "SELECT '[redacted]'"


def test_a_token_in_a_recording_is_that_of_the_results() -> None:
    asked = statement("x 'it''s'", ("'it''s'", EMAIL, False), values=(Parameter("it's", EMAIL),))
    redacted = redactor(MaskStyle.TOKEN).redact(asked)
    assert redacted.text == f"x '{redacted.parameters[0]}'"


def test_detectors_read_the_whole_text_with_its_comments() -> None:
    asked = statement("/* for ann@example.com */ SELECT 4111111111111111 -- bob@example.com")
    assert redactor().redact(asked).text == "/* for [redacted:email] */ SELECT [redacted:card] -- [redacted:email]"


def test_overlapping_spans_leave_nothing_of_either() -> None:
    asked = statement("x 'ann@example.com' y", ("'ann@exam", EMAIL, False), ("ann@example.com'", None, True))
    text = redactor().redact(asked).text
    assert "ann" not in text
    assert "example" not in text
    assert text.startswith("x ")
    assert text.endswith(" y")


def test_parameters() -> None:
    values = (
        Parameter("hunter2", secret=True),
        Parameter("Jo Smith", EMAIL),
        Parameter("call ann@example.com", NAME),
        Parameter("plain"),
        Parameter(None, EMAIL, secret=True),
        Parameter(b"\x00\x00\x00\x2a"),
        Parameter(b"Jo Smith"),
        Parameter(b"\x01", EMAIL),
        Parameter(b"secret", secret=True),
    )
    assert redactor().redact(statement("x", values=values)).parameters == (
        "[secret]",
        "****th",
        "call [redacted:email]",
        "plain",
        None,
        "\\x0000002a",
        "[8 bytes]",
        "[redacted]",
        "[secret]",
    )


def test_a_detector_that_nulls_still_shows_that_there_was_a_value() -> None:
    rules = StatementRedactor(MaskRules(detect=(DetectRule("pii", ("email",), MaskStyle.NULL),)))
    redacted = rules.redact(statement("SELECT 'a@b.co'", values=(Parameter("a@b.co"),)))
    assert redacted.parameters == ("[redacted]",)
    assert "a@b" not in redacted.text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("DROP TABLE x", "DROP TABLE x"),
        (
            "SELECT 'it''s', \"Jo\", `Jo`, 12345, 123456",
            "SELECT '[redacted]', '[redacted]', '[redacted]', 12345, [redacted]",
        ),
        ("SELECT 1.234567, 12_345_678", "SELECT [redacted], [redacted]"),
        ("PASSWORD 'open", "PASSWORD '[redacted]'"),
        ("DO $$ PERFORM 'x' $$ LANGUAGE y", "DO [redacted]"),
        ("DO $body$ secret", "DO [redacted]"),
        ("SELECT 'a\\' secret', 'b'", "SELECT [redacted]"),
        ("a /* /* */ it's */ PASSWORD 'secret'", "a [redacted]"),
        ("a -- it's\n 'secret'", "a [redacted]"),
        ("a # it's\n 'secret'", "a [redacted]"),
        ("a [it's] 'secret'", "a [redacted]"),
    ],
)
def test_in_doubt_everything_quoted_is_hidden_in_every_dialect(text: str, shown: str) -> None:
    for rules in (redactor(), StatementRedactor(NO_MASKS)):
        assert rules.redact(statement(text, doubt="dynamic SQL")).text == shown


def test_in_doubt_only_short_numbers_and_booleans_are_shown_of_parameters() -> None:
    values = tuple(map(Parameter, ("42", "-7", "t", "false", "123456", "Jo", None, b"\x2a")))
    redacted = redactor().redact(statement("x", doubt="dynamic SQL", values=values))
    assert redacted.parameters == ("42", "-7", "t", "false", "[redacted]", "[redacted]", None, "[redacted]")


@settings(max_examples=200, deadline=None)
@given(
    before=st.text("ab '\"$-/*\\#[]`1\n;", max_size=12),
    quote=st.sampled_from(["'", '"', "$$", "$t$", "`"]),
    after=st.text("ab '\"$-/*\\#[]`1\n;", max_size=12),
)
def test_in_doubt_a_quoted_secret_never_shows(before: str, quote: str, after: str) -> None:
    quoted = _toggled(before, quote)
    if quoted:
        text = f"{before}{quote}hunter{quote}{after}"
        assert "hunter" not in redactor().redact(statement(text, doubt="unreadable")).text


def _toggled(before: str, quote: str) -> bool:
    """Whether a quote behind `before` opens a quoted text in the plainest reading: none is open there."""
    return not any(before.count(mark) for mark in ("'", '"', "`")) and not before.endswith("$")


@settings(max_examples=200, deadline=None)
@given(
    text=st.text("abc .;\u00e9", max_size=40),
    spans=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=5),
    doubt=st.booleans(),
)
def test_any_spans_can_be_redacted_and_secrets_go_whole(text: str, spans: list[tuple[int, int]], doubt: bool) -> None:
    marked = [(min(pair), min(max(pair), len(text))) for pair in spans if min(pair) < min(max(pair), len(text))]
    literals = tuple(Literal(start, end, None, secret=True) for start, end in marked)
    shown = StatementRedactor(NO_MASKS).redact(
        Statement(text, (), "x", "shop", (), literals, doubt="d" if doubt else "")
    )
    hidden = {at for start, end in marked for at in range(start, end)}
    if not doubt:
        kept = "".join(char for at, char in enumerate(text) if at not in hidden)
        assert shown.text.replace("'[secret]'", "") == kept


def test_what_is_like_a_statement_is_shown_only_where_nothing_of_its_kind_is_hidden() -> None:
    columns = StatementRedactor(MaskRules((ColumnRule("emails", "public.customers.email", MaskStyle.HASH),), (), KEY))
    plain = statement("SELECT 1 WHERE name = 'x'", ("'x'", NAME, False), values=(Parameter("v", NAME, secret=False),))
    assert columns.shows(plain)
    assert not redactor().shows(plain), "a detector looks at every text"
    assert not columns.shows(statement("SELECT 'x'", doubt="unsure"))
    assert not columns.shows(statement("SELECT 'x'", ("'x'", EMAIL, False)))
    assert not columns.shows(statement("SELECT 'x'", ("'x'", None, True)))
    assert not columns.shows(statement("SELECT $1", values=(Parameter("v", EMAIL, secret=False),)))
    assert not columns.shows(statement("SELECT $1", values=(Parameter("v", None, secret=True),)))
