"""Detectors: what in a folded text is an e-mail address, a payment card, an IBAN, a US social security number.

Those of telephone numbers and of credentials stand in `phones` and `credentials`.

Each finder takes folded bytes (`fold`) and returns spans, which may touch or overlap. `loose` is for bytes that are not
text alone (a binary array): the byte before a value may then be a length and look like a digit.
Every pattern is linear: what is shaped by one is then judged by its check digits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

import re2

from blastwall.masking import credentials, iban, phones

Span = tuple[int, int]
Finder = Callable[[bytes, bool], list[Span]]

_S = rb"[^0-9A-Za-z\x00\x80-\xff]"

_DIGITS = b"0123456789"


def _digit_count(data: bytes) -> int:
    return len(data) - len(data.translate(None, _DIGITS))


# ── e-mail (RFC 5322 addr-spec as it is met in practice) ─────────────────────────────────────────────────────────────

_LOCAL = rb"[0-9A-Za-z!$%+.=^_`~\x80-\xff-]"
AT_SIGN = rb"(?:@|%40|&#0*64;|&#[xX]0*40;)"
_QUOTED = rb'"[^",\n\r\x00]{1,64}\\?"'
_OPTIONS = re2.Options()
_OPTIONS.encoding = re2.Options.Encoding.LATIN1
_OPTIONS.case_sensitive = False
_OPTIONS.log_errors = False
_EMAIL = re2.compile(
    rb"(?:" + _LOCAL + rb"+(?:'{1,2}" + _LOCAL + rb"+)*|" + _QUOTED + rb")" + AT_SIGN +
    rb"(?:[0-9A-Za-z\x80-\xff_-]+\.)+(?:xn--[0-9a-z-]+|[A-Za-z\x80-\xff]{2,})",
    _OPTIONS,
)  # fmt: skip


def find_emails(data: bytes, loose: bool = False) -> list[Span]:  # noqa: ARG001 - a Finder; its spans grow to the left anyhow
    """Find addresses with a dotted domain that ends in letters; a quoted local part may hold no comma."""
    if b"@" not in data and b"%40" not in data and b"&#" not in data:
        return []
    return [match.span() for match in _EMAIL.finditer(data)]


# ── payment cards (ISO/IEC 7812) ─────────────────────────────────────────────────────────────────────────────────────

_CARD_WHOLE = re.compile(rb"(?<![0-9])(?<![0-9]\.)[2-689][0-9]{12,18}(?![0-9])")
_CARD_LOOSE = re.compile(rb"(?=([2-689][0-9]{12,18}))")
_GAP = _S + rb"{1,3}"
_FOURS = (
    rb"(?=([2-689][0-9]{3}" + _GAP + rb"[0-9]{4}" + _GAP + rb"[0-9]{4}" + _GAP + rb"[0-9]{1,4})(?![0-9])"
    rb"(" + _GAP + rb"[0-9]{1,3}(?![0-9]))?)"
)
_THREES = rb"(?=(3[0-9]{3}" + _GAP + rb"[0-9]{6}" + _GAP + rb"[0-9]{4,5})(?![0-9])())"
_CARD_GROUPED = (re.compile(rb"(?<![0-9])" + _FOURS), re.compile(rb"(?<![0-9])" + _THREES))
_CARD_GROUPED_LOOSE = (re.compile(_FOURS), re.compile(_THREES))
_CARD_SPACED = re.compile(rb"(?<![0-9])(?<![0-9] )(?<![0-9]\.)[2-689](?: ?[0-9]){13,18}(?! ?[0-9])")
_CARD_DASHED = re.compile(rb"(?<![0-9])(?<![0-9]-)(?<![0-9]\.)[2-689](?:-?[0-9]){13,18}(?!-?[0-9])")
_NO_DIGITS = bytes(byte for byte in range(256) if byte not in _DIGITS)
_DOUBLED = bytes.maketrans(_DIGITS, b"0246813579")

_ISSUERS = (
    (re.compile(rb"4"), (13, 16, 19)),
    (re.compile(rb"5[1-5]|22(?:2[1-9]|[3-9])|2[3-6]|27[01]|2720"), (16,)),
    (re.compile(rb"3[47]"), (15,)),
    (re.compile(rb"30[0-59]|3[689]"), (14, 15, 16, 17, 18, 19)),
    (re.compile(rb"220[0-4]|35|5[0678]|6|8[12]|9792"), (16, 17, 18, 19)),
)
"""Issuer prefixes in use and their numbers' lengths: Visa; Mastercard; American Express; Diners; the rest."""


def luhn(digits: bytes) -> bool:
    """Whether the last digit checks the others (ISO/IEC 7812-1 annex B)."""
    total = sum(digits[::-2]) + sum(digits[-2::-2].translate(_DOUBLED))
    return (total - 48 * len(digits)) % 10 == 0


def is_card(digits: bytes) -> bool:
    """Whether `digits` is a number that an issuer could have given out."""
    return len(digits) in _lengths(digits, 0) and luhn(digits)


def _lengths(data: bytes, start: int) -> tuple[int, ...]:
    """Return how long a card number that begins at `start` may be, empty where no issuer's begins so."""
    for prefix, lengths in _ISSUERS:
        if prefix.match(data, start):
            return lengths
    return ()


def find_cards(data: bytes, loose: bool = False) -> list[Span]:
    """Find card numbers written whole, in groups of four, as 4-6-5 or 4-6-4, or spaced or dashed in any other way.

    Between groups of four (and 4-6-5, 4-6-4) up to three characters of any kind may stand. The number must not touch
    further digits, and digits behind a decimal point are a fraction, not a card.
    """
    if _digit_count(data) < 13:
        return []
    found = [span for span in _card_candidates(data, loose) if is_card(_digits(data, span))]
    return found or _first_card_within(data) if loose else found


def _first_card_within(data: bytes) -> list[Span]:
    for match in _CARD_LOOSE.finditer(data):
        start, end = match.span(1)
        for stop in [start + length for length in _lengths(data, start)]:
            if stop <= end and luhn(data[start:stop]):
                return [(start, stop)]
    return []


def _card_candidates(data: bytes, loose: bool) -> Iterator[Span]:
    for whole in (_CARD_WHOLE, _CARD_SPACED, _CARD_DASHED):
        yield from (match.span() for match in whole.finditer(data))
    for grouped in _CARD_GROUPED_LOOSE if loose else _CARD_GROUPED:
        for match in grouped.finditer(data):
            for end in {match.end(1), match.end(2)} - {-1}:
                if not _in_a_list(data, match.start(1), end):
                    yield match.start(1), end


def _in_a_list(data: bytes, start: int, end: int) -> bool:
    """Whether it has commas, and further numbers stand behind such: `{1000,2000,3000,4000,5000}` is a list, no card."""
    if b"," not in data[start:end]:
        return False
    before = data[start - 1 : start] == b"," and data[start - 2 : start - 1].isdigit()
    return before or (data[end : end + 1] == b"," and data[end + 1 : end + 2].isdigit())


def _digits(data: bytes, span: Span) -> bytes:
    return data[span[0] : span[1]].translate(None, _NO_DIGITS)


# ── IBAN (ISO 13616) ─────────────────────────────────────────────────────────────────────────────────────────────────

_IBAN_GAP = _S + rb"{0,3}"
_IBAN_START = re.compile(_IBAN_GAP.join((rb"[A-Za-z]", rb"[A-Za-z]", rb"[0-9]", rb"[0-9]")))
_IBAN_TAKE = re.compile(rb"[A-Za-z0-9](?:" + _IBAN_GAP + rb"[A-Za-z0-9]){14,33}")
_NOT_ALNUM = re.compile(rb"[^0-9A-Za-z]+")


def find_ibans(data: bytes, loose: bool = False) -> list[Span]:  # noqa: ARG001 - a Finder; an IBAN may begin anywhere
    """Find IBANs by country, length, shape and check digits, wherever they begin, with or without separators."""
    if len(data) < 15:
        return []
    found = []
    for match in _IBAN_START.finditer(data):
        start = match.start()
        country = _NOT_ALNUM.sub(b"", match[0])[:2].upper()
        length = iban.LENGTHS.get(country)
        taken = _IBAN_TAKE.match(data, start) if length else None
        if length and taken:
            end = _end_after(data, start, length, taken.end())
            if end and iban.valid(_NOT_ALNUM.sub(b"", data[start:end]).upper()):
                found.append((start, end))
    return found


def _end_after(data: bytes, start: int, count: int, limit: int) -> int | None:
    """Return the position behind the `count`-th letter or digit from `start`, None where they are fewer."""
    for position in range(start, limit):
        if data[position : position + 1].isalnum():
            count -= 1
            if count == 0:
                return position + 1
    return None


# ── US social security numbers ───────────────────────────────────────────────────────────────────────────────────────

_SSN_BODY = (
    rb"(?:00[1-9]|0[1-9][0-9]|[1-578][0-9]{2}|6(?:[0-57-9][0-9]|6[0-57-9]))([^0-9A-Za-z\x00\x80-\xff,])"
    rb"(?!00)[0-9]{2}\2(?!0000)[0-9]{4}"
)
_SSN = re.compile(rb"(?<![0-9])(?=(" + _SSN_BODY + rb")(?![0-9]))")
_SSN_LOOSE = re.compile(rb"(?=(" + _SSN_BODY + rb"))")


def find_ssns(data: bytes, loose: bool = False) -> list[Span]:
    """Find numbers written 3-2-4 with the same separator twice; nine bare digits could be any number.

    Areas 000, 666 and 900 to 999, group 00 and serial 0000 were never given out (SSA POMS RM 10201.035).
    """
    if _digit_count(data) < 9:
        return []
    return [match.span(1) for match in (_SSN_LOOSE if loose else _SSN).finditer(data)]


FINDERS: dict[str, Finder] = {
    "email": find_emails,
    "card": find_cards,
    "iban": find_ibans,
    "us_ssn": find_ssns,
    "phone": phones.find_phones,
    "jwt": credentials.find_jwts,
    "azure_key": credentials.find_azure_keys,
    "connection_string": credentials.find_connection_strings,
    "private_key": credentials.find_private_keys,
}
"""Detectors by the name that the configuration uses."""

CREDENTIALS = frozenset({"jwt", "azure_key", "connection_string", "private_key"})
"""Detectors of what opens something: no part of it is ever shown."""


def known(names: Iterable[str]) -> None:
    """Refuse names that are no detectors.

    Raises:
        ValueError: one of them is not.
    """
    for name in names:
        if name not in FINDERS:
            raise ValueError(f"there is no detector {name!r}: choose from {', '.join(FINDERS)}")
