"""What is decided for whole runs of cells is what the models say of each: for ordinary text and for nasty text."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from blastwall.masking import detectors
from blastwall.masking.credentials import (
    find_azure_keys,
    find_connection_strings,
    find_jwts,
    find_private_keys,
)
from blastwall.masking.fast.addresses import find_emails
from blastwall.masking.fast.cells import KEPT, NULL
from blastwall.masking.fast.hits import Hits
from blastwall.masking.fast.ibans import find_ibans
from blastwall.masking.fast.numbers import find_cards, find_ssns
from blastwall.masking.fast.scanner import has_written_sign
from blastwall.masking.fast.secrets import may_hold_secret
from blastwall.masking.iban import LENGTHS, SHAPES
from blastwall.masking.kinds import ResultColumn, ValueKind
from blastwall.masking.plan import MaskPlan, plan
from blastwall.model.masks import ColumnRule, DetectRule, MaskRules, MaskStyle
from blastwall.model.statement import Column

KEY = b"a key that is long enough for it"
BY = 7
Find = Callable[[bytes, int, int, Hits, int], bool]
Spans = list[tuple[int, int]]


def luhn(digits: str) -> str:
    """Return the digits with one more that checks them."""
    return next(f"{digits}{last}" for last in range(10) if detectors.luhn(f"{digits}{last}".encode()))


def checked(country: str, rest: str) -> str:
    """Return an IBAN with its check digits."""
    value = int("".join(str(int(char, 36)) for char in f"{rest}{country}00"))
    return f"{country}{98 - value % 97:02}{rest}"


CARDS = [
    "4111111111111111",
    "5500005555555559",
    "378282246310005",
    "30569309025904",
    "4222222222222",
    luhn("220400000000000"),
]
SHAPED = {
    code.decode(): "".join({b"[0-9]": "7", b"[A-Z]": "K", b"[A-Z0-9]": "Z"}[one] for one in shape)
    for code, shape in SHAPES.items()
}
IBANS = [checked(code, rest) for code, rest in SHAPED.items()]
ADDRESSES = [
    "ann@example.com",
    "o''neil@a-b.co.uk",
    "x@y.xn--p1ai",
    '"a b"@c.de',
    "a@b.c_d.com",
    "a@b.com@d.org",
    "'x'@y.zz",
]
SECRETS = [
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
    "password=hunter2;",
    "https://app:s3cret@db/shop",
    "-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----",
    "?sig=" + "a1B2" * 11,
    "abc8Q~" + "x" * 34,
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAJQQJ99" + "B" * 26,
    "A" * 33 + "+ASb" + "B" * 6,
]
ASCII = st.characters(max_codepoint=127)
NASTY = st.text("49 -.,@'\"%&#+=~AJPeyw\\\0\nzZ_/:", max_size=24)
GAPS = st.text(" -./,\0:", max_size=4)


@st.composite
def parted(draw: st.DrawFn, whole: list[str]) -> str:
    """One of some values, with separators wherever they fall, between other text."""
    value = draw(st.sampled_from(whole))
    if draw(st.booleans()):
        size = draw(st.integers(1, 6))
        between = draw(GAPS)
        value = between.join(value[at : at + size] for at in range(0, len(value), size))
    return draw(NASTY) + draw(st.sampled_from(["", value, value.lower()])) + draw(NASTY)


TEXTS = st.one_of(
    NASTY,
    st.text(ASCII, max_size=40),
    st.lists(parted(CARDS + IBANS + ADDRESSES + ["123-45-6789", "666.12.1234", "20 24-01-01"]), max_size=3).map(
        "".join
    ),
)
WIDE = st.one_of(TEXTS, st.text(max_size=20), st.tuples(TEXTS, st.sampled_from("é４@＠\u200b"), TEXTS).map("".join))


def found(find: Find, data: bytes, low: int = 0, high: int | None = None) -> Spans | None:
    """What a finder finds in a part of `data`; None where it is in doubt."""
    hits = Hits()
    if not find(data, low, len(data) if high is None else high, hits, BY):
        return None
    spans = list(hits.spans)[: 3 * hits.count]
    assert spans[2::3] == [BY] * hits.count
    return list(zip(spans[::3], spans[1::3], strict=True))


def joined(spans: Spans) -> Spans:
    """Spans in order, each once."""
    return sorted(set(spans))


@pytest.mark.parametrize(
    ("find", "model"),
    [
        (find_emails, detectors.find_emails),
        (find_cards, detectors.find_cards),
        (find_ssns, detectors.find_ssns),
        (find_ibans, detectors.find_ibans),
    ],
)
@settings(max_examples=300, deadline=None)
@given(
    text=TEXTS, before=st.sampled_from(["", "4", "a@", "DE89", "1-", "9."]), behind=st.sampled_from(["", "1", "@x.yz"])
)
@example(text="a@b.com@d.org", before="", behind="")
@example(text="4111 1111 1111 1111 111", before="", behind="")
def test_finders_find_what_their_models_find(
    find: Find, model: detectors.Finder, text: str, before: str, behind: str
) -> None:
    """And nothing that stands beside the cell makes a difference."""
    data = text.encode()
    if find is find_emails and has_written_sign(data, 0, len(data)):
        return
    spans = found(find, data)
    assert spans is None or spans == joined(model(data, False))
    low = len(before)
    beside = found(find, (before + text + behind).encode(), low, low + len(data))
    assert beside == (None if spans is None else [(low + start, low + end) for start, end in spans])


@pytest.mark.parametrize("text", IBANS)
def test_every_country_has_its_ibans(text: str) -> None:
    assert len(text) == LENGTHS[text[:2].encode()]
    assert found(find_ibans, text.encode()) == [(0, len(text))]
    wrong = text[:3] + str((int(text[3]) + 1) % 10) + text[4:]
    assert found(find_ibans, wrong.encode()) == []


@pytest.mark.parametrize("text", ["ann@example.com", "a.b+c@x-y.co.uk", "o'neil@x.yz"])
def test_ordinary_addresses_are_not_in_doubt(text: str) -> None:
    assert found(find_emails, f"to {text}, please".encode()) == [(3, 3 + len(text))]


@pytest.mark.parametrize(
    "text", [*CARDS, "4111 1111 1111 1111", "4111-1111-1111-1111", "3782 822463 10005", "4111.1111.1111.1111"]
)
def test_ordinary_cards_are_not_in_doubt(text: str) -> None:
    assert found(find_cards, f"card {text}, please".encode()) == [(5, 5 + len(text))]


@settings(max_examples=300, deadline=None)
@given(text=st.one_of(TEXTS, st.tuples(NASTY, st.sampled_from(SECRETS), NASTY).map("".join)))
def test_where_no_secret_may_be_none_is_found(text: str) -> None:
    data = text.encode()
    models = (find_jwts, find_azure_keys, find_connection_strings, find_private_keys)
    if any(model(data, False) for model in models):
        assert may_hold_secret(data, 0, len(data))


@pytest.mark.parametrize("text", ["Monkeys and eyes, by Ann P. Jones, at example-domain.org", "API", "17:30, A+"])
def test_ordinary_text_holds_no_secret(text: str) -> None:
    assert not may_hold_secret(text.encode(), 0, len(text))


# ── whole plans ──────────────────────────────────────────────────────────────────────────────────────────────────────

EMAIL = Column("shop", "public", "customers", "email")
VALUES = st.none() | WIDE.map(str.encode) | st.binary(max_size=20)


def in_cells(made: MaskPlan, rows: list[list[bytes | None]]) -> list[list[bytes | None]]:
    """Mask rows as a run of cells, the way that results are masked."""
    buffer = bytearray(b"#")
    places = array("q")
    for row in rows:
        for index in made.wanted:
            value = row[index]
            places.extend((len(buffer), -1 if value is None else len(value)))
            buffer += value or b""
    cells = made.mask_cells(bytes(buffer), places)
    shown: list[bytes | None] = []
    for cell in range(cells.count):
        start, size = cells.shown[2 * cell], cells.shown[2 * cell + 1]
        was = places[2 * cell + 1]
        kept = None if was < 0 else bytes(buffer[places[2 * cell] : places[2 * cell] + was])
        shown.append(kept if size == KEPT else None if size == NULL else bytes(cells.text[start : start + size]))
    width = len(made.wanted)
    return [shown[at : at + width] for at in range(0, len(shown), width)]


def row_by_row(made: MaskPlan, rows: list[list[bytes | None]]) -> list[list[bytes | None]]:
    """Mask rows one by one, the way that is the model of the other."""
    copies = [list(row) for row in rows]
    for row in copies:
        made.mask(row)
    return [[row[index] for index in made.wanted] for row in copies]


def same(columns: list[ResultColumn], rules: MaskRules, rows: list[list[bytes | None]]) -> None:
    first, second = plan(columns, rules), plan(columns, rules)
    assert first is not None
    assert second is not None
    assert in_cells(first, rows) == row_by_row(second, rows)
    assert first.counts == second.counts


STYLES = [MaskStyle.REDACT, MaskStyle.PARTIAL, MaskStyle.NULL, MaskStyle.TOKEN]


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(VALUES, VALUES).map(list), min_size=1, max_size=4),
    kinds=st.tuples(*[st.sampled_from([kind for kind in ValueKind if kind is not ValueKind.HARMLESS])] * 2),
    styles=st.tuples(st.sampled_from(STYLES), st.sampled_from(STYLES)),
    names=st.sampled_from([("email", "card", "iban", "us_ssn"), ("email", "jwt"), tuple(detectors.FINDERS), ("card",)]),
)
def test_detectors_hide_the_same_in_a_run_as_in_a_row(
    rows: list[list[bytes | None]],
    kinds: tuple[ValueKind, ValueKind],
    styles: tuple[MaskStyle, MaskStyle],
    names: tuple[str, ...],
) -> None:
    rules = MaskRules(
        detect=(DetectRule("a", names[:2], styles[0]), DetectRule("b", names[1:] or names, styles[1])), key=KEY
    )
    columns = [ResultColumn("c", kind, frozenset(), exact=True) for kind in kinds]
    if plan(columns, rules) is not None:
        same(columns, rules, rows)


@pytest.mark.parametrize("kind", [ValueKind.OPAQUE, ValueKind.JSONB_BINARY])
@pytest.mark.parametrize(
    "value", [b"CZ2277777777777777777777", b"12345678904111111111111111", b"7219-09-99991", b"\x01[1]"]
)
def test_a_number_that_touches_further_digits_is_hidden_in_bytes_in_a_run_too(kind: ValueKind, value: bytes) -> None:
    rules = MaskRules(detect=(DetectRule("a", ("card", "us_ssn"), MaskStyle.REDACT),), key=KEY)
    columns = [ResultColumn("c", kind, frozenset(), exact=True)]
    same(columns, rules, [[value]])
    read = plan(columns, rules)
    assert read is not None
    assert in_cells(read, [[value]]) == [[value if value.startswith(b"\x01") else None]]


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(VALUES, VALUES).map(list), min_size=1, max_size=4),
    kind=st.sampled_from(list(ValueKind)),
    style=st.sampled_from(list(MaskStyle)),
    exact=st.booleans(),
)
def test_columns_are_hidden_the_same_in_a_run_as_in_a_row(
    rows: list[list[bytes | None]], kind: ValueKind, style: MaskStyle, exact: bool
) -> None:
    rules = MaskRules((ColumnRule("r", "public.customers.email", style),), key=KEY)
    columns = [
        ResultColumn("c", kind, frozenset({EMAIL}), exact=exact),
        ResultColumn("d", ValueKind.TEXT, frozenset(), exact=True),
    ]
    same(columns, rules, rows)
    untraced = [ResultColumn("c", kind, None, exact=exact), ResultColumn("d", ValueKind.TEXT, frozenset(), exact=True)]
    same(untraced, rules, rows)


@given(values=st.lists(st.sampled_from(CARDS + IBANS + ADDRESSES + ["Alexander", "{a,b}", "", "x" * 300]), max_size=5))
def test_what_is_commonest_is_hidden_the_same_in_part(values: list[str]) -> None:
    rules = MaskRules((ColumnRule("r", "public.customers.email", MaskStyle.PARTIAL),), key=KEY)
    same(
        [ResultColumn("c", ValueKind.TEXT, frozenset({EMAIL}), exact=True)],
        rules,
        [[value.encode()] for value in values],
    )


@pytest.mark.parametrize("style", MaskStyle)
def test_many_and_long_cells_are_hidden_like_few_and_short_ones(style: MaskStyle) -> None:
    rules = MaskRules((), (DetectRule("d", ("email", "card"), style),), KEY)
    rows: list[list[bytes | None]] = [[b"a@b.co " * (number * 40) + b"4111111111111111"] for number in range(8)]
    same([ResultColumn("c", ValueKind.TEXT, frozenset(), exact=True)], rules, rows)


def test_a_number_is_hidden_only_as_a_card() -> None:
    rules = MaskRules(detect=(DetectRule("d", tuple(detectors.FINDERS), MaskStyle.REDACT),))
    rows: list[list[bytes | None]] = [[b"4111111111111111"], [b"4111111111111112"], [b"-5"], [None], [b"NaN"]]
    same([ResultColumn("n", ValueKind.NUMBER, frozenset(), exact=True)], rules, rows)


@pytest.mark.parametrize(
    "piece",
    ["a@", "a@b.", "://a", "eyJ", ".A+A", "4", "4 ", "4111 ", "DE89 ", "123-45-", "+49 1", "a'", '"', "x.y:", "é4"],
)
@pytest.mark.parametrize("names", [("email", "card", "iban", "us_ssn"), tuple(detectors.FINDERS)])
def test_no_cell_takes_more_than_linear_time(piece: str, names: tuple[str, ...]) -> None:
    """Eight times as much takes far less than 64 times as long."""
    made = plan(
        [ResultColumn("c", ValueKind.TEXT, frozenset(), exact=True)],
        MaskRules(detect=(DetectRule("d", names, MaskStyle.REDACT),)),
    )
    assert made is not None
    took = []
    for size in (10_000, 80_000):
        value = (piece * size)[:size].encode()
        began = time.process_time()
        made.mask_cells(value, array("q", (0, len(value))))
        took.append(time.process_time() - began)
    assert took[1] < 0.5 + 24 * took[0]
