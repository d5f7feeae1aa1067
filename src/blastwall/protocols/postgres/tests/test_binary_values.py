"""Values in the binary format are read as their text says, whatever they are made of, or not shown."""

from __future__ import annotations

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastwall.masking.detectors import FINDERS
from blastwall.masking.kinds import ResultColumn, ValueKind
from blastwall.masking.plan import UNREADABLE, plan
from blastwall.model.masks import DetectRule, MaskRules, MaskStyle
from blastwall.protocols.postgres.binary_values import scanned

CARD = 4539578763621486
SHAPES = {
    1016: ("a", 0),
    1009: ("a", 0),
    3926: ("r", 20),
    4536: ("m", 3926),
    16500: ("c", 0),
    16501: ("d", 20),
    16502: ("a", 0),
}
RULES = MaskRules(detect=(DetectRule("d", tuple(FINDERS), MaskStyle.REDACT),))
INT8 = pack("!q", CARD)


def part(value: bytes) -> bytes:
    return pack("!i", len(value)) + value


def array(inner: int, *values: bytes) -> bytes:
    return pack("!iiIii", 1, 0, inner, len(values), 1) + b"".join(map(part, values))


def record(*fields: tuple[int, bytes]) -> bytes:
    return pack("!i", len(fields)) + b"".join(pack("!I", type_) + part(value) for type_, value in fields)


def numeric(*digits: int, weight: int, scale: int = 0) -> bytes:
    return pack("!hhHh", len(digits), weight, 0, scale) + b"".join(pack("!h", digit) for digit in digits)


NUMBER = numeric(4539, 5787, 6362, 1486, weight=3)
RANGE = b"\x02" + part(INT8) + part(pack("!q", CARD + 1))


def shown(type_: int, format_: int, value: bytes, rules: MaskRules = RULES) -> tuple[bytes | None, dict[str, int]]:
    kind, read = scanned(type_, format_, SHAPES, frozenset())
    made = plan([ResultColumn("c", kind, frozenset(), exact=False, read=read)], rules)
    if made is None or not made.may_match(value):
        return value, {}
    row: list[bytes | None] = [value]
    made.mask(row)
    return row[0], made.counts


@pytest.mark.parametrize(
    ("type_", "format_", "value"),
    [
        (20, 0, b"4539578763621486"),
        (20, 1, INT8),
        (1700, 0, b"4539578763621486"),
        (1700, 0, b"4539578763621486.00"),
        (1700, 1, NUMBER),
        (1700, 1, numeric(4539, 5787, 6362, 1486, 5000, weight=3, scale=1)),
        (1016, 0, b"{1,4539578763621486}"),
        (1016, 1, array(20, pack("!q", 1), INT8)),
        (1009, 1, array(25, b"x", b"ann@example.com")),
        (16502, 1, array(16500, record((23, pack("!i", 1)), (20, INT8)))),
        (16500, 1, record((25, b"x"), (1700, NUMBER))),
        (16500, 1, record((16501, INT8))),
        (2249, 1, record((1016, array(20, INT8)))),
        (2287, 1, array(2249, record((20, INT8)))),
        (3926, 1, RANGE),
        (4536, 1, pack("!i", 1) + part(RANGE)),
        (16500, 1, record((114, b'{"card": 4539578763621486}'))),
    ],
)
def test_a_card_is_found_in(type_: int, format_: int, value: bytes) -> None:
    assert shown(type_, format_, value) == (None, {"d": 1})


@pytest.mark.parametrize(
    ("type_", "format_", "value"),
    [
        (20, 0, b"4539578763621487"),
        (20, 1, pack("!q", CARD + 1)),
        (20, 1, pack("!q", -5)),
        (1700, 1, numeric(5, weight=0)),
        (1700, 1, numeric(4539, 5787, 6362, 1486, weight=-1, scale=16)),
        (1016, 1, array(20)),
        (1016, 1, array(20, pack("!q", 4539), pack("!q", 5787), pack("!q", 6362), pack("!q", 1486))),
        (3926, 1, b"\x01"),
        (2249, 1, record((1184, pack("!q", CARD)))),
    ],
)
def test_what_is_none_stays(type_: int, format_: int, value: bytes) -> None:
    assert shown(type_, format_, value) == (value, {})


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (17000, b"whatever"),
        (16500, record((17000, b"whatever"))),
        (1016, array(20, INT8)[:-1]),
        (3926, b"\x02\0\0"),
        (1009, array(25, b"\xff")),
    ],
)
def test_what_cannot_be_read_is_not_shown(type_: int, value: bytes) -> None:
    assert shown(type_, 1, value) == (None, {UNREADABLE: 1})


def test_numbers_are_not_looked_at_for_anything_but_cards() -> None:
    kind, read = scanned(20, 0, SHAPES, frozenset())
    column = ResultColumn("c", kind, frozenset(), exact=False, read=read)
    assert kind is ValueKind.NUMBER
    assert plan([column], MaskRules(detect=(DetectRule("d", ("email", "us_ssn"), MaskStyle.REDACT),))) is None


@given(st.sampled_from(sorted(SHAPES)), st.binary(max_size=60))
def test_no_bytes_break_it(type_: int, value: bytes) -> None:
    shown(type_, 1, value)
