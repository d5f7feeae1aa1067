"""The probe: one linear pass over raw bytes that says whether any detector could find anything.

It is a superset of the detectors; `tests/masking/test_probe.py` holds them against each other. It may be given a whole
buffer of rows in any framing: it asks for nothing before a value, since the byte there may be a length that looks like
a digit, and it lets no gap span a zero byte, which no text holds but every length does. Escapes of JSON and of COPY may
stand wherever a character may.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

import re2

from blastwall.masking.fold import space_or_dash_bytes, special_bytes
from blastwall.masking.iban import SHAPES

_ESCAPED = rb"\\+[bfnrtv]"
_GAP = rb"(?:[^0-9A-Za-z\x00]|" + _ESCAPED + rb")+"
_EMAIL = (rb"[0-9A-Za-z!$%+.=^_`~\"\x80-\xff-](?:@|%40|&#(?:0*64|[xX]0*40);)[0-9A-Za-z_\\\x80-\xff-]",)
_ODD = rb"(?:[\x01-\x1f\x7f-\xff][^0-9A-Za-z\x00]{0,3}|\\[^0-9A-Za-z\x00]{0,3}|" + _ESCAPED + rb")"
_SSN = tuple(
    rb"[0-9]{3}" + same + rb"[0-9]{2}" + same + rb"[0-9]{4}"
    for byte in b" !\"#$%&'()*+-./:;<=>?@[\\]^_`{|}~"
    for same in (rb"(?:\x%02x|" % byte + _ODD + rb")",)
)
"""The same separator twice; one that is not ASCII, or escaped, may fold to any other."""
_UNICODE_ESCAPE = rb"\\u[0-9A-Fa-f]{4}"
_HEX = rb"\\x[0-9A-Fa-f]{12}"

_IBAN_LEAD = 8
"""How many characters of each country's shape the probe follows; the detector sees to the rest."""


def _iban() -> tuple[bytes, ...]:
    countries: dict[tuple[bytes, ...], list[bytes]] = {}
    for country, shape in SHAPES.items():
        countries.setdefault(tuple(shape[:_IBAN_LEAD]), []).append(country)
    between = rb"(?:[^0-9A-Za-z\x00]|" + _ESCAPED + rb")*"
    return tuple(
        rb"(?i:(?:"
        + b"|".join(between.join((name[:1], name[1:])) for name in names)
        + rb")"
        + between
        + between.join((rb"[0-9]", rb"[0-9]", *lead))
        + rb")"
        for lead, names in countries.items()
    )


def _card() -> tuple[bytes, ...]:
    """Ask for the first digit of a number only: issuers' prefixes would make a state for each run of digits met."""
    return (
        rb"[2-689][0-9]{12}",
        rb"[2-689](?: ?[0-9]){13}",
        rb"[2-689](?:-?[0-9]){13}",
        rb"[0-9]{4}" + _GAP + rb"[0-9]{4}" + _GAP + rb"[0-9]{4}" + _GAP + rb"[0-9]",
        rb"[0-9]{4}" + _GAP + rb"[0-9]{6}" + _GAP + rb"[0-9]{4}",
        rb"[0-9](?:" + space_or_dash_bytes() + rb")[0-9]",
    )


_BETWEEN = rb"[^0-9A-Za-z\x00]{1,12}"
_PHONE = (
    rb"(?:\+|%2[Bb])[^0-9A-Za-z\x00]{0,8}[0-9]",
    rb"00[1-9][0-9]{0,2}" + _BETWEEN + rb"[0-9]",
    rb"[0-9]{3}" + _BETWEEN + rb"[0-9]{3}",
    rb"0[1-9]" + _BETWEEN + rb"[0-9]{2}" + _BETWEEN + rb"[0-9]{2}",
)
_JWT = (rb"e[wy][0-9A-Za-z_-]{2}",)
_AZURE_KEY = (
    rb"==",
    rb"(?i:sig|code)=",
    rb"[0-9]Q",
    rb"A(?:z(?:Fu|Se|Ca)|PIM|CDb|IoT)",
    rb"A(?:Ba|MC|St|Sb|Eh|Rm|CR)",
    rb"JQQJ9",
)
_CONNECTION_STRING = (
    rb"(?i:password|passwd|pwd|key|sharedsecretvalue)[^0-9A-Za-z\x00]{0,16}=",
    rb"[^\x00-\x20]@",
)
_PRIVATE_KEY = (rb"PRIVATE",)
"""Of letters, digits, `=`, `+` and `@` alone, which look-alikes are asked for; other signs may fold from many."""


def _branches(detector: str) -> tuple[bytes, ...]:
    if detector == "card":
        return _card()
    if detector == "iban":
        return _iban()
    return _FIXED[detector]


_FIXED = {
    "email": _EMAIL,
    "us_ssn": _SSN,
    "phone": _PHONE,
    "jwt": _JWT,
    "azure_key": _AZURE_KEY,
    "connection_string": _CONNECTION_STRING,
    "private_key": _PRIVATE_KEY,
}


class Probe:
    """The compiled probe for a set of detectors; `opaque` also asks for bytes that are shown in hexadecimal."""

    __slots__ = ("_search",)

    def __init__(self, detectors: Collection[str], *, opaque: bool) -> None:
        parts = [branch for detector in sorted(detectors) for branch in _branches(detector)]
        parts += [_UNICODE_ESCAPE, special_bytes()]
        if opaque:
            parts.append(_HEX)
        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.log_errors = False
        options.max_mem = 64 << 20
        self._search = re2.compile(b"|".join(parts), options).search

    def may_match(self, data: bytes | bytearray | memoryview) -> bool:
        """Whether some detector could find something in `data`; never False where one does."""
        return self._search(data) is not None


@lru_cache(maxsize=64)
def probe(detectors: frozenset[str], opaque: bool) -> Probe:
    """Return the probe for these detectors; there are few such sets."""
    return Probe(detectors, opaque=opaque)
