"""Masking rules in force for one principal on one resource; the plan made of them lives in `masking`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class MaskStyle(StrEnum):
    """How a value is hidden. HASH and TOKEN are keyed; TOKEN is deterministic, so that joins still work."""

    PARTIAL = "partial"
    REDACT = "redact"
    HASH = "hash"
    TOKEN = "token"
    NULL = "null"


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """Mask the columns whose dotted name `[database.]schema.table.column` equals `column`; `*` is any one part."""

    name: str
    column: str
    style: MaskStyle


@dataclass(frozen=True, slots=True)
class FieldRule:
    """Mask the values at `path` of what is exchanged as documents: JSON, lines of JSON, CSV, XML.

    `unread` are media types (`image/*`) that pass although no field can be found in them.
    """

    name: str
    path: str
    style: MaskStyle
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DetectRule:
    """Mask what one of the named detectors finds in text and json values; `unread` as in `FieldRule`."""

    name: str
    detectors: tuple[str, ...]
    style: MaskStyle
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MaskRules:
    """All rules for one principal on one resource. `key` keys HASH and TOKEN and never shows in `repr`."""

    columns: tuple[ColumnRule, ...] = ()
    detect: tuple[DetectRule, ...] = ()
    key: bytes = field(default=b"", repr=False)
    fields: tuple[FieldRule, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.columns or self.detect or self.fields)


NO_MASKS = MaskRules()


@dataclass(frozen=True, slots=True)
class ResultRecord:
    """What a recording keeps of a statement's rows: masked by `rules`, at most so many rows and bytes of values."""

    rules: MaskRules
    rows: int
    bytes: int
