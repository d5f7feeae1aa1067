"""Kinds of values: what their bytes are, and how text in them is read and written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from blastwall.masking import jsontext
from blastwall.masking.styles import REDACTED
from blastwall.model.statement import Column

_JSONB_VERSION = b"\x01"

Read = Callable[[bytes], str | None]
"""Gives the text of a value whose bytes are not it, None of one that cannot be read."""


class ValueKind(Enum):
    """What the bytes of a column's values are.

    TEXT: UTF-8 text that is the value. JSON: UTF-8 JSON text. JSONB_BINARY: a version byte 1, then JSON text.
    NUMBER: whole or decimal numbers: scanned for cards, hidden whole on a hit.
    HARMLESS: small numbers, booleans, dates, UUIDs: what a detector could not find anything in; never scanned.
    OPAQUE: anything else (bytes, arrays as text, unknown types): scanned raw, hidden whole on a hit.
    READABLE: what must be read first (binary arrays and composites): scanned as that, hidden whole on a hit.
    """

    TEXT = "text"
    JSON = "json"
    JSONB_BINARY = "jsonb binary"
    NUMBER = "number"
    HARMLESS = "harmless"
    OPAQUE = "opaque"
    READABLE = "readable"


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """A column of a result.

    `sources` are the columns that its values are computed from; None means that they could not be traced although the
    statement reads protected tables. `exact` says that a value is that of its single source, unchanged. `read` gives
    the text of values whose bytes are not it, None of one that cannot be read.
    """

    name: str
    kind: ValueKind
    sources: frozenset[Column] | None
    exact: bool
    read: Read | None = None


def decoded(kind: ValueKind, value: bytes) -> str | None:
    """Return a value's text, None where it is not of the form that its kind says."""
    if kind is ValueKind.JSONB_BINARY:
        if value[:1] != _JSONB_VERSION:
            return None
        value = value[1:]
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def encoded(kind: ValueKind, text: str) -> bytes:
    """Return the bytes of a value that says `text`."""
    return (_JSONB_VERSION if kind is ValueKind.JSONB_BINARY else b"") + text.encode()


def redacted(kind: ValueKind) -> bytes | None:
    """Return what is shown of a value of which nothing is."""
    if kind is ValueKind.TEXT:
        return REDACTED.encode()
    return encoded(kind, jsontext.quote(REDACTED)) if kind in (ValueKind.JSON, ValueKind.JSONB_BINARY) else None
