"""What the detectors promise, on values made at random: what is planted never comes out."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from blastwall.masking.detectors import FINDERS
from blastwall.masking.fold import fold, readings
from blastwall.masking.iban import SHAPES
from blastwall.masking.kinds import ResultColumn, ValueKind
from blastwall.masking.plan import MaskPlan, plan
from blastwall.model.masks import DetectRule, MaskRules, MaskStyle

KEY = b"a key that is long enough for it"
STYLES = [MaskStyle.REDACT, MaskStyle.PARTIAL, MaskStyle.HASH, MaskStyle.TOKEN, MaskStyle.NULL]
_CARDS = [("4", 13), ("4", 16), ("4", 19), ("51", 16), ("2221", 16), ("34", 15), ("37", 15), ("36", 14), ("6011", 16)]
_CARDS += [("3530", 16), ("62", 16), ("62", 19), ("5018", 16), ("2202", 16)]


def masking(kind: ValueKind, style: MaskStyle = MaskStyle.REDACT, columns: int = 1) -> MaskPlan:
    rules = MaskRules(detect=(DetectRule("pii", tuple(FINDERS), style),), key=KEY)
    made = plan([ResultColumn(f"c{n}", kind, frozenset(), exact=True) for n in range(columns)], rules)
    assert made is not None
    return made


def luhn_digit(body: str) -> str:
    total = 0
    for position, char in enumerate(reversed(body)):
        value = int(char) * (2 if position % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def digits(count: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=count, max_size=count)


@st.composite
def cards(draw: st.DrawFn) -> str:
    prefix, length = draw(st.sampled_from(_CARDS))
    body = prefix + draw(digits(length - len(prefix) - 1))
    return body + luhn_digit(body)


@st.composite
def grouped_cards(draw: st.DrawFn) -> str:
    card = draw(cards())
    gap: str = draw(st.sampled_from([*" -.:/|*_,;\t\n", " - ", "\u00a0", "\u2013", "\u2009", "\u200b", ""]))
    if len(card) == 15:
        return gap.join((card[:4], card[4:10], card[10:]))
    if len(card) == 14:
        return gap.join((card[:4], card[4:10], card[10:]))
    return gap.join(card[at : at + 4] for at in range(0, len(card), 4))


@st.composite
def ibans(draw: st.DrawFn) -> str:
    country = draw(st.sampled_from(sorted(SHAPES)))
    alphabets = {b"[0-9]": "0123456789", b"[A-Z]": "ABCXYZ", b"[A-Z0-9]": "AZ059"}
    bban = "".join(draw(st.sampled_from(alphabets[part])) for part in SHAPES[country])
    code = country.decode()
    check = 98 - int("".join(str(int(char, 36)) for char in bban + code + "00")) % 97
    whole = f"{code}{check:02}{bban}"
    gap: str = draw(st.sampled_from(["", " ", "-", ".", "\u00a0", "\u200b"]))
    text = gap.join(whole[at : at + 4] for at in range(0, len(whole), 4))
    return draw(st.sampled_from([text, text.lower()]))


@st.composite
def ssns(draw: st.DrawFn) -> str:
    area = draw(st.integers(1, 899).filter(lambda area: area != 666))
    gap: str = draw(st.sampled_from(["-", " ", ".", "/", "\u00a0", "\u2011", "\n"]))
    return f"{area:03}{gap}{draw(st.integers(1, 99)):02}{gap}{draw(st.integers(1, 9999)):04}"


@st.composite
def emails(draw: st.DrawFn) -> str:
    local = draw(st.from_regex(r"[a-z0-9äé][A-Za-z0-9äé._%+=~'-]{0,20}[a-z0-9]", fullmatch=True))
    domain = draw(st.from_regex(r"([a-z0-9ü][a-z0-9-]{0,8}\.){1,3}[a-z]{2,6}", fullmatch=True))
    assume("''" not in local)
    return local + draw(st.sampled_from(["@", "%40", "\uff20", "\\u0040", "@\u200b", "&#64;"])) + domain


PLANTS = {"card": grouped_cards(), "iban": ibans(), "us_ssn": ssns(), "email": emails()}
SURROUNDING = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"), st.sampled_from("0123456789 .-@\\u'\"{}")
    ),
    max_size=24,
)


def touches(before: str, after: str) -> bool:
    """Whether digits around a planted number would make another number of it, or a decimal fraction."""
    left, right = fold(before).data, fold(after).data
    return bool(re.search(rb"[0-9][ .-]?$", left) or re.match(rb"[ -]?[0-9]", right))


def lists(planted: str, before: str, after: str) -> bool:
    """Whether numbers around one whose groups have commas between them would make a list of it."""
    left, right = fold(before).data, fold(after).data
    return "," in planted and bool(re.search(rb"[0-9],$", left) or re.match(rb",[0-9]", right))


@pytest.mark.parametrize("detector", PLANTS)
@settings(max_examples=120, deadline=None)
@given(data=st.data(), before=SURROUNDING, after=SURROUNDING, style=st.sampled_from(STYLES))
def test_a_planted_value_never_comes_out(
    detector: str, data: st.DataObject, before: str, after: str, style: MaskStyle
) -> None:
    planted = data.draw(PLANTS[detector])
    assume(detector in ("email", "iban") or not touches(before, after))
    assume(not lists(planted, before, after))
    mask = masking(ValueKind.TEXT, style)
    cell = (before + planted + after).encode()
    assert mask.may_match(frame(cell))
    row: list[bytes | None] = [cell]
    assert mask.mask(row)
    if style is MaskStyle.NULL:
        assert row == [None]
        return
    shown = row[0]
    assert shown is not None
    assert planted not in shown.decode()
    if detector == "card":
        assert re.sub(r"\D", "", planted).encode() not in re.sub(rb"\D", b"", fold(shown.decode()).data)
    again: list[bytes | None] = [cell]
    masking(ValueKind.TEXT, style).mask(again)
    assert again == [shown], "masking is deterministic"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-99999, 99999) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("kind", [ValueKind.JSON, ValueKind.JSONB_BINARY])
@settings(max_examples=120, deadline=None)
@given(
    detector=st.sampled_from(sorted(PLANTS)),
    data=st.data(),
    other=JSON_VALUES,
    key=st.booleans(),
    ascii_only=st.booleans(),
    escape_all=st.booleans(),
)
def test_json_stays_json_and_hides_keys_and_values(
    kind: ValueKind, detector: str, data: st.DataObject, other: object, key: bool, ascii_only: bool, escape_all: bool
) -> None:
    planted = data.draw(PLANTS[detector])
    document = {"a": other, planted: 1} if key else {"a": other, "b": [planted]}
    text = json.dumps(document, ensure_ascii=ascii_only)
    if escape_all:
        token = json.dumps(planted, ensure_ascii=ascii_only)
        text = text.replace(token, '"' + "".join(f"\\u{ord(char):04x}" for char in planted) + '"')
    version = b"\x01" if kind is ValueKind.JSONB_BINARY else b""
    cell = version + text.encode()
    mask = masking(kind)
    assert mask.may_match(frame(cell))
    row: list[bytes | None] = [cell]
    assert mask.mask(row)
    shown = row[0]
    assert shown is not None
    assert shown.startswith(version)
    masked = json.loads(shown[len(version) :])
    assert planted not in json.dumps(masked, ensure_ascii=False)
    assert masked["a"] == json.loads(text)["a"], "what holds nothing stays as it was"


@settings(max_examples=100, deadline=None)
@given(card=cards(), length=st.integers(0, 255))
def test_a_length_byte_before_a_value_in_unknown_bytes_hides_nothing_from_the_detector(card: str, length: int) -> None:
    cell = bytes([0, 0, 0, length]) + card.encode() + bytes([0, 0, 0, length])
    mask = masking(ValueKind.OPAQUE)
    row: list[bytes | None] = [cell]
    assert mask.may_match(cell)
    assert mask.mask(row)
    assert row == [None]


NEARLY = st.lists(
    st.sampled_from(
        ["4111", "111111111111", "1", "3782", "822463", "10005", "DE89", "3704", "0044", "05320130", "00", "123", "45",
         "6789", "a@b", ".com", "@", "x", "de", " ", "-", ".", ",", "\n", "\t", "\\", "\u00a0", "\u2013", "\u200b",
         "\u0301", "\uff14", "\u2460", "\u0664", "\U0001d7d2", "\u3002", "\\u0034", "\\u0040", "%40", "&#64;", '"', "'",
         "\u2026", "\u00e9", "\u4e2d", "\U0001f600", "/", "\\/", "\x01", "\\x"]
    ),
    max_size=24,
).map("".join)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(text=NEARLY, kind=st.sampled_from([ValueKind.TEXT, ValueKind.JSON, ValueKind.OPAQUE]), raw=st.booleans())
@example(text="4111\\/1111\\/1111\\/1111", kind=ValueKind.TEXT, raw=True)
@example(text="\\u4111111111111111", kind=ValueKind.TEXT, raw=True)
def test_the_probe_never_misses_what_masking_would_change(text: str, kind: ValueKind, raw: bool) -> None:
    cell = text.encode() if raw or kind is not ValueKind.JSON else json.dumps({"k": text}).encode()
    if kind is ValueKind.OPAQUE and raw:
        cell = b"\\x" + cell.hex().encode()
    row: list[bytes | None] = [b"plain", cell, None]
    fields = [*row]
    mask = masking(kind, columns=3)
    probed = mask.may_match(frame(b"plain", cell)), mask.may_match(copied(b"plain", cell))
    finds = any(FINDERS[name](reading.data, False) for reading in readings(text) for name in FINDERS)
    changed = mask.mask(row)
    if changed:
        assert probed == (True, True)
        assert row != fields
    else:
        assert row == fields
    if finds and kind is not ValueKind.JSON:
        assert changed, "the probe inside mask() agrees with the detectors"
    assert row[2] is None


@settings(max_examples=200, deadline=None)
@given(cell=st.binary(max_size=40), kind=st.sampled_from(list(ValueKind)))
def test_any_bytes_can_be_masked_and_text_stays_text(cell: bytes, kind: ValueKind) -> None:
    made = plan(
        [ResultColumn("c", kind, frozenset(), exact=True)],
        MaskRules(detect=(DetectRule("p", tuple(FINDERS), STYLES[0]),)),
    )
    row: list[bytes | None] = [cell]
    if made is None:
        assert kind is ValueKind.HARMLESS
        return
    if not made.mask(row):
        assert row == [cell]
    elif row[0] is not None:
        row[0].decode()


def frame(*cells: bytes) -> bytes:
    """A DataRow as PostgreSQL sends it, its lengths being bytes like any other."""
    body = len(cells).to_bytes(2, "big") + b"".join(len(cell).to_bytes(4, "big") + cell for cell in cells)
    return b"D" + (len(body) + 4).to_bytes(4, "big") + body


def copied(*cells: bytes) -> bytes:
    """A row of COPY's text format."""
    table = {b"\\": b"\\\\", b"\n": b"\\n", b"\t": b"\\t", b"\r": b"\\r", b"\b": b"\\b", b"\f": b"\\f", b"\v": b"\\v"}
    return b"\t".join(re.sub(rb"[\\\n\t\r\b\f\v]", lambda match: table[match[0]], cell) for cell in cells) + b"\n"
