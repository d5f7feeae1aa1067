"""What masking and editing of bodies needs and changes in the heads of requests and answers."""

from __future__ import annotations

import re

from blastwall.masking.documents.looked import Reading
from blastwall.model.masks import MaskRules
from blastwall.protocols.http.bodies.charsets import is_utf8
from blastwall.protocols.http.bodies.codings import READ
from blastwall.protocols.http.bodies.media import media_of
from blastwall.protocols.http.request import Headers

_PARTS = frozenset({"range", "x-ms-range"})
_FROM_THE_START = re.compile(r"bytes=0-[0-9]*")
_UNREADABLE = frozenset(
    {
        "if-range", "x-ms-range-get-content-md5", "x-ms-range-get-content-crc64", "x-ms-structured-body", "a-im",
        "accept-charset", "available-dictionary", "want-digest", "want-content-digest", "want-repr-digest",
    }
)  # fmt: skip
_OF_THE_CODING = frozenset({"content-length", "content-encoding"})
_OF_THE_BYTES = frozenset(
    {
        "content-md5", "digest", "content-digest", "repr-digest", "x-ms-content-crc64", "x-ms-blob-content-md5",
        "x-ms-structured-body", "x-ms-structured-content-length", "x-goog-hash", "signature", "signature-input",
    }
)  # fmt: skip
_OF_THE_TEXT = frozenset({"etag"})
_OF_THE_PROTOCOL = frozenset(
    {
        "content-type", "location", "content-location", "azure-asyncoperation", "operation-location", "link", "date",
        "last-modified", "expires", "age", "vary", "cache-control", "retry-after", "allow", "accept-ranges", "server",
        "x-ms-request-id", "x-ms-client-request-id", "x-ms-correlation-request-id", "x-ms-routing-request-id",
        "content-length", "content-range",
    }
)  # fmt: skip
_METADATA = "x-ms-meta-"
_CHARSET = re.compile(r"(;\s*charset\s*=\s*)(?:\"[^\"]*\"|[^\s;,]*)", re.IGNORECASE)
_RANGE = re.compile(r"bytes 0-([0-9]{1,19})/([0-9]{1,19})")
_CODING = re.compile(r"\s*([A-Za-z0-9-]+)\s*(?:;\s*([^,]*?))?\s*")
_REFUSED = re.compile(r"[qQ]=0(?:\.0*)?")


def requested(headers: Headers, rules: MaskRules) -> Headers:
    """Return a request's fields so that its answer can be read: with no coding, part or digest that could not be.

    A part from the beginning is left, since small answers come whole then; `body_filter` refuses what is not whole.
    """
    codings = [name for name in _codings(headers) if name in READ]
    asked = (
        headers.having(("Accept-Encoding", ", ".join(codings))) if codings else headers.without(("accept-encoding",))
    )
    if not rules:
        return asked
    parts = [name for name in _PARTS if not all(map(_FROM_THE_START.fullmatch, asked.all(name)))]
    return asked.without((*_UNREADABLE, *parts))


def _codings(headers: Headers) -> list[str]:
    """Return the codings that a client takes; one with the weight 0 it does not (RFC 9110 12.5.3)."""
    found = (_CODING.fullmatch(each) for each in ",".join(headers.all("accept-encoding")).split(","))
    return [each[1].lower() for each in found if each is not None and not _REFUSED.fullmatch(each[2] or "")]


def is_part(headers: Headers) -> bool:
    """Whether an answer is a part of what there is, or may be."""
    ranges = headers.all("content-range")
    if not ranges:
        return False
    whole = _RANGE.fullmatch(ranges[0].strip()) if len(ranges) == 1 else None
    return whole is None or int(whole[1]) + 1 != int(whole[2])


def without_body(headers: Headers, rules: MaskRules) -> Headers:
    """Return the fields of an answer to HEAD, or with the status 304, under these rules: see `changed`."""
    return _masked(headers.without(_OF_THE_BYTES | _OF_THE_TEXT), rules) if rules else headers


def changed(headers: Headers, rules: MaskRules) -> Headers:
    """Return an answer's fields without what was true of its body's bytes: length, coding, digests.

    Where rules are in force, also without its entity tag, which is a digest of the hidden values at many resources, and
    with what detectors find in its fields hidden; what metadata (`x-ms-meta-owner`) has the name of a field is hidden.
    """
    kept = headers.without(_OF_THE_CODING | _OF_THE_BYTES | (_OF_THE_TEXT if rules else frozenset()))
    sent = Headers((name, _in_utf8(value) if name.lower() == "content-type" else value) for name, value in kept)
    return _masked(sent, rules) if rules else sent


def _masked(headers: Headers, rules: MaskRules) -> Headers:
    reading = Reading(rules, {}, {})
    return Headers((name, _field(reading, name.lower(), value)) for name, value in headers)


def _field(reading: Reading, name: str, value: str) -> str:
    """Return what is shown of one field; those by which answers are read and followed stay."""
    if name in _OF_THE_PROTOCOL:
        return value
    looked = reading.looked
    state = looked.paths.member(looked.paths.root, name.removeprefix(_METADATA))
    if looked.how(state) is not None:
        return reading.hidden(state, value) or ""
    return reading.detected(value) or ""


def _in_utf8(content_type: str) -> str:
    """Return a content type with the charset that is sent: every other was read, and turned into UTF-8."""
    return content_type if is_utf8(media_of(content_type).charset) else _CHARSET.sub(r"\1utf-8", content_type)
