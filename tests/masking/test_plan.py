from __future__ import annotations

import json
import time

import pytest

from blastwall.masking import detectors
from blastwall.masking.detectors import FINDERS
from blastwall.masking.kinds import ResultColumn, ValueKind
from blastwall.masking.plan import UNTRACED, DetectorFailed, MaskPlan, plan
from blastwall.model.masks import NO_MASKS, ColumnRule, DetectRule, MaskRules, MaskStyle
from blastwall.model.statement import Column

KEY = b"a key that is long enough for it"
EMAIL = Column("shop", "public", "customers", "email")
NAME = Column("shop", "public", "customers", "name")
TOTAL = Column("shop", "public", "orders", "total")
DETECT = DetectRule("pii", tuple(FINDERS), MaskStyle.REDACT)


def rules(style: MaskStyle = MaskStyle.PARTIAL, *detect: DetectRule) -> MaskRules:
    return MaskRules((ColumnRule("emails", "public.customers.email", style),), detect, KEY)


def column(kind: ValueKind, *sources: Column, exact: bool = True) -> ResultColumn:
    return ResultColumn("c", kind, frozenset(sources), exact)


def planned(columns: list[ResultColumn], of: MaskRules) -> MaskPlan:
    made = plan(columns, of)
    assert made is not None
    return made


def masked(kind: ValueKind, value: bytes, style: MaskStyle, *, exact: bool = True) -> bytes | None:
    row: list[bytes | None] = [value]
    assert planned([column(kind, EMAIL, exact=exact)], rules(style)).mask(row)
    return row[0]


def test_nothing_to_do_is_no_plan() -> None:
    assert plan([column(ValueKind.TEXT, EMAIL)], NO_MASKS) is None
    assert plan([column(ValueKind.TEXT, NAME), column(ValueKind.TEXT)], rules()) is None
    assert plan([column(ValueKind.HARMLESS, TOTAL)], MaskRules(detect=(DETECT,))) is None
    assert plan([], rules()) is None
    assert plan([ResultColumn("c", ValueKind.TEXT, None, exact=False)], MaskRules()) is None


@pytest.mark.parametrize(
    ("style", "shown"),
    [(MaskStyle.PARTIAL, b"a***@example.com"), (MaskStyle.REDACT, b"[redacted]"), (MaskStyle.NULL, None)],
)
def test_the_value_of_a_protected_column_is_shown_in_its_style(style: MaskStyle, shown: bytes | None) -> None:
    assert masked(ValueKind.TEXT, b"ann@example.com", style) == shown
    in_json = None if shown is None else b'"' + shown + b'"'
    assert masked(ValueKind.JSON, b' "ann@example.com"', style) == in_json
    in_jsonb = None if in_json is None else b"\x01" + in_json
    assert masked(ValueKind.JSONB_BINARY, b'\x01"ann@example.com"', style) == in_jsonb


@pytest.mark.parametrize("style", MaskStyle)
@pytest.mark.parametrize("exact", [True, False])
def test_what_cannot_be_shown_as_text_is_null(style: MaskStyle, exact: bool) -> None:
    assert masked(ValueKind.HARMLESS, b"4711", style, exact=exact) is None
    assert masked(ValueKind.OPAQUE, b"\x00\x01", style, exact=exact) is None


@pytest.mark.parametrize("style", MaskStyle)
def test_what_is_derived_is_hidden_whole_whatever_the_style(style: MaskStyle) -> None:
    assert masked(ValueKind.TEXT, b"moc.elpmaxe@nna", style, exact=False) == b"[redacted]"
    assert masked(ValueKind.TEXT, b"{ann@example.com}", style, exact=False) == b"[redacted]"
    assert masked(ValueKind.JSON, b'{"a": "ann"}', style, exact=False) == b'"[redacted]"'
    assert masked(ValueKind.JSONB_BINARY, b"\x01{}", style, exact=False) == b'\x01"[redacted]"'


@pytest.mark.parametrize(
    ("kind", "shown"),
    [(ValueKind.TEXT, b"[redacted]"), (ValueKind.JSON, b'"[redacted]"'), (ValueKind.OPAQUE, None)],
)
def test_what_is_derived_does_not_tell_whether_it_is_null(kind: ValueKind, shown: bytes | None) -> None:
    """`nullif(email, 'a guess')` would answer the guess."""
    seen = []
    for value in (None, b"{}", b"ann@example.com"):
        row: list[bytes | None] = [value]
        planned([column(kind, EMAIL, exact=False)], rules()).mask(row)
        seen += row
    assert seen == [shown] * 3


def test_an_exact_null_stays() -> None:
    row: list[bytes | None] = [None]
    assert not planned([column(ValueKind.TEXT, EMAIL)], rules()).mask(row)
    assert row == [None]


def test_exact_with_two_sources_is_not_believed() -> None:
    row: list[bytes | None] = [b"ann@example.com"]
    planned([column(ValueKind.TEXT, EMAIL, NAME)], rules()).mask(row)
    assert row == [b"[redacted]"]


def test_what_cannot_be_traced_is_hidden_whole_and_counted_as_that() -> None:
    columns = [ResultColumn("?", kind, None, exact=True) for kind in ValueKind]
    made = planned(columns, rules())
    row: list[bytes | None] = [b"x", b"1", b"\x011", b"1", b"1", b"x", b"x"]
    assert made.mask(row)
    assert row == [b"[redacted]", b'"[redacted]"', b'\x01"[redacted]"', None, None, None, None]
    assert made.counts == {UNTRACED: 7}


def test_a_token_joins_text_with_json_and_jsonb() -> None:
    token = masked(ValueKind.TEXT, b"ann@example.com", MaskStyle.TOKEN) or b""
    assert json.loads(masked(ValueKind.JSON, b'"ann\\u0040example.com"', MaskStyle.TOKEN) or b"") == token.decode()
    jsonb = masked(ValueKind.JSONB_BINARY, b'\x01"ann@example.com"', MaskStyle.TOKEN) or b""
    assert json.loads(jsonb[1:]) == token.decode()


@pytest.mark.parametrize("kind", list(ValueKind))
@pytest.mark.parametrize("style", MaskStyle)
@pytest.mark.parametrize("value", [b"", b"\xff\xfe", b"\x01", b"\x02{}", b'"open', b'"\\ud800"', b"\x01\xff", b'{"a":'])
def test_malformed_values_of_a_protected_column_never_show(kind: ValueKind, style: MaskStyle, value: bytes) -> None:
    shown = masked(kind, value, style)
    if shown is not None:
        shown.decode()
        assert shown != value
        if kind in (ValueKind.JSON, ValueKind.JSONB_BINARY):
            json.loads(shown.removeprefix(b"\x01"))


def test_null_stays_null_and_is_not_counted() -> None:
    made = planned([column(ValueKind.TEXT, EMAIL), column(ValueKind.TEXT)], rules(MaskStyle.REDACT, DETECT))
    row: list[bytes | None] = [None, None]
    assert not made.mask(row)
    assert row == [None, None]
    assert made.counts == {}


def test_counts_are_cells_by_rule_not_hits() -> None:
    cards = DetectRule("cards", ("card",), MaskStyle.PARTIAL)
    mails = DetectRule("mails", ("email",), MaskStyle.REDACT)
    columns = [
        column(ValueKind.TEXT, EMAIL),
        column(ValueKind.TEXT),
        column(ValueKind.HARMLESS),
        column(ValueKind.JSON),
    ]
    made = planned(columns, rules(MaskStyle.REDACT, cards, mails))
    assert (made.always, made.scans, made.names) == ((0,), (1, 3), ("c",) * 4)
    for _ in range(3):
        row: list[bytes | None] = [b"a@b.co", b"a@b.co c@d.ef 4111111111111111", b"1", b'["x@y.zz", 1]']
        assert made.mask(row)
    assert row == [b"[redacted]", b"[redacted:email] [redacted:email] ****1111", b"1", b'["[redacted:email]", 1]']
    assert made.counts == {"emails": 3, "mails": 6, "cards": 3}


def test_the_strictest_rule_for_a_detector_applies() -> None:
    both = MaskRules(
        detect=(DetectRule("a", ("email",), MaskStyle.PARTIAL), DetectRule("b", ("email",), MaskStyle.NULL))
    )
    made = planned([column(ValueKind.TEXT), column(ValueKind.JSON)], both)
    row: list[bytes | None] = [b"to a@b.co", b'{"a@b.co": 1}']
    assert made.mask(row)
    assert row == [None, None]
    assert made.counts == {"b": 2}


def test_text_that_is_not_utf8_is_hidden_whole_on_a_hit() -> None:
    made = planned([column(ValueKind.TEXT)], MaskRules(detect=(DETECT,)))
    row: list[bytes | None] = [b"\xff a@b.co"]
    assert made.mask(row)
    assert row == [None]
    row = [b"\xff harmless"]
    assert not made.mask(row)


def test_a_value_after_a_length_byte_that_is_a_digit_is_still_found() -> None:
    value = (b"4111111111111111" + b" " * 64)[:49]
    assert len(value).to_bytes(4, "big")[-1:] == b"1"
    made = planned([column(ValueKind.TEXT)], MaskRules(detect=(DETECT,)))
    assert made.may_match(memoryview(b"D\0\0\0\x3b\0\x01" + len(value).to_bytes(4, "big") + value))


def test_numbers_side_by_side_are_no_card() -> None:
    made = planned([column(ValueKind.TEXT)] * 4, MaskRules(detect=(DETECT,)))
    row: list[bytes | None] = [b"4111", b"1111", b"1111", b"1111"]
    assert not made.may_match(b"".join(b"\0\0\0\x04" + (cell or b"") for cell in row))
    assert not made.mask(row)


def test_a_detector_that_fails_closes_the_result_without_telling_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(data: bytes, loose: bool) -> list[tuple[int, int]]:
        raise RuntimeError(data.decode())

    monkeypatch.setitem(detectors.FINDERS, "email", broken)
    made = planned([column(ValueKind.TEXT)], MaskRules(detect=(DetectRule("failing", ("email",), MaskStyle.REDACT),)))
    with pytest.raises(DetectorFailed) as failed:
        made.mask([b"ann@example.com"])
    assert "ann" not in str(failed.value)
    assert failed.value.__cause__ is None
    assert failed.value.__suppress_context__


def test_a_row_shorter_than_the_plan_closes_the_result() -> None:
    with pytest.raises(DetectorFailed):
        planned([column(ValueKind.TEXT), column(ValueKind.TEXT, EMAIL)], rules()).mask([b"x"])


@pytest.mark.parametrize(
    "bad",
    [
        MaskRules((ColumnRule("r", "email", MaskStyle.REDACT),)),
        MaskRules((ColumnRule("r", "a.b.c", MaskStyle.TOKEN),)),
        MaskRules(detect=(DetectRule("r", ("e-mail",), MaskStyle.REDACT),)),
        MaskRules(detect=(DetectRule("r", ("email",), MaskStyle.HASH),)),
    ],
)
def test_a_rule_that_cannot_be_applied_is_refused(bad: MaskRules) -> None:
    with pytest.raises(ValueError, match=r"column|key|detector"):
        plan([column(ValueKind.TEXT)], bad)


HOSTILE = [
    b"a" * 100_000 + b"@x",
    b"a@" * 50_000 + b"b.c",
    b"a@b." * 25_000,
    b'"' * 50_000 + b"@x.y",
    b"4" * 100_000,
    b"4 " * 50_000,
    b"4111 1111 1111 " * 6_250,
    b"DE89 " * 20_000,
    b"123-45-" * 15_000,
    "é@é\u200b".encode() * 12_500,
    b"\\u0040" * 15_000,
    b"[" * 25_000 + b'"a@b.co"',
    b'"' + b"\\" * 50_000 + b"@a.bc",
]


@pytest.mark.parametrize("kind", [ValueKind.TEXT, ValueKind.JSON, ValueKind.OPAQUE])
@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_no_value_takes_more_than_linear_time(kind: ValueKind, number: int) -> None:
    made = planned([column(kind)], MaskRules(detect=(DETECT,)))
    started = time.process_time()
    made.mask([HOSTILE[number]])
    assert time.process_time() - started < 2
