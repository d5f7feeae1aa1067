"""Credentials in data: JSON web tokens, Azure's keys, connection strings, private keys.

Finders as in `detectors`: folded bytes in, spans out, each in linear time. What is hidden is the secret, not what names
it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

import re2

Span = tuple[int, int]

# ── JSON web tokens (RFC 7515, RFC 7516) ─────────────────────────────────────────────────────────────────────────────

_URL64 = rb"[0-9A-Za-z_-]"
_JWT_HEADER = re2.compile(rb"e[wy]" + _URL64 + rb"{10,}\.")
_JWT_REST = re.compile(
    _URL64 + rb"*\." + _URL64 + rb"*(?:\." + _URL64 + rb"*\." + _URL64 + rb"*)?"
)  # payload.signature, or key.iv.ciphertext.tag
_JWT_START = re.compile(rb"e[wy]")
_JWT_OBJECT = re.compile(rb'\{\s*"[^"\\]{1,24}"\s*:')
_JWT_PEEK = 60
_JWT_STARTS = 32
"""So many places are tried in one run of letters: `monkeyeyJ…` begins with the second."""


def find_jwts(data: bytes, loose: bool = False) -> list[Span]:  # noqa: ARG001 - a Finder; a token may begin anywhere
    """Find tokens in compact form, signed, unsigned or encrypted: the first part must decode to a JSON object."""
    found = []
    for match in _JWT_HEADER.finditer(data):
        rest = _JWT_REST.match(data, match.end())
        start = _jwt_start(data, match.start(), match.end() - 1)
        if rest is not None and start is not None and rest.end() - match.end() > 1:
            found.append((start, rest.end()))
    return found


def _jwt_start(data: bytes, start: int, end: int) -> int | None:
    """Return where in a run of base64 a JSON object begins, None where none does."""
    for count, match in enumerate(_JWT_START.finditer(data, start, end)):
        if count == _JWT_STARTS:
            return None
        piece = data[match.start() : min(end, match.start() + _JWT_PEEK)]
        try:
            head = base64.urlsafe_b64decode(piece[: len(piece) // 4 * 4])
        except (binascii.Error, ValueError):
            continue
        if _JWT_OBJECT.match(head):
            return match.start()
    return None


# ── Azure's keys ─────────────────────────────────────────────────────────────────────────────────────────────────────

_64 = rb"[0-9A-Za-z+/]"
_ACCOUNT_KEY = re.compile(rb"(?<![0-9A-Za-z+/])(?<!sha512-)(" + _64 + rb"{86}==)(?![0-9A-Za-z+/=])")
_ACCOUNT_KEY_LOOSE = re.compile(rb"(" + _64 + rb"{86}==)")
"""64 bytes in base64: storage, Cosmos DB, Batch. A SHA-512 in base64 looks the same; npm marks it as one."""

_SIGNED = re2.compile(rb"(?i)(?:^|[^0-9a-z])(?:sig|code)=((?:[0-9a-z+/_-]|%[0-9a-f]{2}){43,}={0,2})")
"""A shared access signature, or a function's key, in a URL: 32 bytes in base64 at least."""

_CLIENT_SECRET = re.compile(rb"[0-9A-Za-z_~.-]{3}[0-9]Q~[0-9A-Za-z_~.-]{31,40}")
"""An Entra client secret."""

_MARK = re.compile(rb"AzFu|AzSe|AzCa|APIM|ACDb|AIoT|\+A(?:Ba|MC|St|Sb|Eh|Rm|CR)|JQQJ9[9DHZ]")
_MARKS: dict[bytes, tuple[int, int]] = {
    b"AzFu": (44, 6), b"AzSe": (42, 6), b"AzCa": (33, 6), b"AIoT": (33, 6),
    b"APIM": (76, 6), b"ACDb": (76, 6), b"+ABa": (76, 6), b"+AMC": (76, 6), b"+ASt": (76, 6),
    b"+ASb": (33, 6), b"+AEh": (33, 6), b"+ARm": (33, 6), b"+ACR": (42, 6),
    b"JQQJ99": (52, 26), b"JQQJ9D": (52, 26), b"JQQJ9H": (52, 26), b"JQQJ9Z": (52, 26),
}  # fmt: skip
"""The marks by which Azure's newer keys can be told, with how many characters stand before and at least after each."""
_MARKED_TAIL = re.compile(rb"[0-9A-Za-z+/_-]*={0,2}")
_MARKED = re.compile(rb"[0-9A-Za-z+/_-]+")


def find_azure_keys(data: bytes, loose: bool = False) -> list[Span]:
    """Find account keys, shared access signatures, Entra client secrets, function keys and keys with Azure's marks."""
    found = [match.span(1) for match in (_ACCOUNT_KEY_LOOSE if loose else _ACCOUNT_KEY).finditer(data)]
    found += [match.span(1) for match in _SIGNED.finditer(data)]
    found += [match.span() for match in _CLIENT_SECRET.finditer(data)]
    return found + list(_marked(data, loose))


def _marked(data: bytes, loose: bool) -> Iterator[Span]:
    """Find keys by their marks; a mark in the midst of a longer run of letters is chance."""
    for match in _MARK.finditer(data):
        before, after = _MARKS[match[0]]
        start = match.start() - before
        alone = loose or _MARKED.match(data, start - 1, start) is None
        if start >= 0 and alone and _MARKED.fullmatch(data, start, match.start()):
            tail = _MARKED_TAIL.match(data, match.end(), match.end() + 2 * after)
            if tail is not None and len(tail[0].rstrip(b"=")) >= after and not _MARKED.match(data, tail.end()):
                yield start, tail.end()


# ── connection strings ───────────────────────────────────────────────────────────────────────────────────────────────

_NAMED = re2.compile(
    rb"(?i)(?:password|passwd|(?:^|[^0-9a-z])pwd|accountkey|accesskey|sharedsecretvalue) {0,4}= {0,4}"
    rb"('[^'\n]+'|\"[^\"\n]+\"|\{[^}\n]+\}|[^ \t\r\n;\"'&)}\]]+)"
)
"""`Password=…;`, `pwd = …`, `AccountKey=…`: in quotes or braces where the secret holds what would end it."""

_IN_URL = re2.compile(rb"(?i)[a-z][a-z0-9+.-]{1,30}://[^ \t\r\n/:@\"'<>]*:([^ \t\r\n/@\"'<>]+)@")
"""A password in a URL's authority (RFC 3986, 3.2.1)."""

_PLACEHOLDER = re.compile(
    rb"[\"'{]?(?:\*+|x{3,}|<.*|\$.*|%\(?[A-Za-z_]*\)?s?|[?:@]\w*|:\w+|\[.*|\.{3}|none|null|nil|true|false)[\"'}]?",
    re.IGNORECASE,
)
"""What stands where a secret would: `$PASSWORD`, `%s`, `***`, `:password`, `@password`, `<secret>`, `[redacted]`."""


def find_connection_strings(data: bytes, loose: bool = False) -> list[Span]:  # noqa: ARG001 - a Finder; names give them away
    """Find the secrets of connection strings; what only stands in for one is left."""
    found = [match.span(1) for pattern in (_NAMED, _IN_URL) for match in pattern.finditer(data)]
    return [(start, end) for start, end in found if not _PLACEHOLDER.fullmatch(data, start, end)]


# ── private keys (RFC 7468, RFC 4716's relatives, OpenPGP armour) ────────────────────────────────────────────────────

_KEY_BEGINS = re.compile(rb"-----BEGIN (?:[0-9A-Z]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_KEY_ENDS = re.compile(rb"-----END [0-9A-Z ]{0,60}-----")


def find_private_keys(data: bytes, loose: bool = False) -> list[Span]:  # noqa: ARG001 - a Finder; the armour gives it away
    r"""Find PEM blocks of private keys, whatever parts their lines; one without its end reaches to the text's."""
    found = []
    position = 0
    while begin := _KEY_BEGINS.search(data, position):
        end = _KEY_ENDS.search(data, begin.end())
        position = end.end() if end is not None else len(data)
        found.append((begin.start(), position))
    return found
