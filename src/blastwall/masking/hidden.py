"""Columns that are hidden in every row, whatever stands in it: what is shown in the place of a value, and of NULL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from blastwall.masking import jsontext
from blastwall.masking.fast.cells import Cells, filled, show_each
from blastwall.masking.fast.hiding import hide_as, hide_in_part, plain_address
from blastwall.masking.kinds import ValueKind, decoded, encoded, redacted
from blastwall.masking.styles import REDACTED, Restyle, whole
from blastwall.model.masks import MaskStyle

Cell = Callable[[bytes], bytes | None]
"""What is shown in place of one value; None is NULL."""


class Way(Enum):
    """How a run of cells is hidden: each by itself, all as the same, all but arrays as the same, or in part."""

    EACH = auto()
    SAME = auto()
    SAME_BUT_ARRAYS = auto()
    PART = auto()


@dataclass(frozen=True, slots=True)
class Hidden:
    """One column. `cell` says what is shown of a value, `way` how a run is hidden; `constant` is what all show."""

    index: int
    rule: str
    cell: Cell
    for_null: bytes | None = None
    way: Way = Way.EACH
    constant: bytes | None = None

    def hide(self, cells: Cells, position: int) -> int:
        """Hide the cells of one column of a run; return how many were."""
        if self.way is Way.EACH:
            waiting = filled(cells, position)
            hidden = len(waiting)
        elif self.way is Way.PART:
            hidden, waiting = hide_in_part(cells, position)
        else:
            arrays = self.way is Way.SAME_BUT_ARRAYS
            hidden, waiting = hide_as(cells, position, self.constant, self.for_null, arrays)
        if waiting:
            show_each(cells, waiting, self.cell)
        return hidden


def derived(index: int, rule: str, kind: ValueKind) -> Hidden:
    """What is computed from a protected column: the same is shown whatever it is, NULL too."""
    shown = redacted(kind)
    return Hidden(index, rule, lambda _: shown, shown, Way.SAME, shown)


def styled(index: int, rule: str, kind: ValueKind, style: MaskStyle, show: Restyle) -> Hidden:
    """The value of a protected column: its rule's style where text can stand, else NULL."""
    if style is MaskStyle.NULL or kind not in (ValueKind.TEXT, ValueKind.JSON, ValueKind.JSONB_BINARY):
        return Hidden(index, rule, lambda _: None, way=Way.SAME)
    if style is MaskStyle.REDACT:
        constant = redacted(kind)
        if kind is ValueKind.TEXT:
            return Hidden(index, rule, _redacted_text, way=Way.SAME_BUT_ARRAYS, constant=constant)
        return Hidden(index, rule, lambda _: constant, way=Way.SAME, constant=constant)
    if kind is ValueKind.TEXT and style is MaskStyle.PARTIAL:
        return Hidden(index, rule, lambda value: _text_in_part(value, show), way=Way.PART)
    if kind is ValueKind.TEXT:
        return Hidden(index, rule, lambda value: _styled_text(value, show))
    return Hidden(index, rule, lambda value: _styled_json(kind, value, style, show))


def _redacted_text(value: bytes) -> bytes:
    return whole(REDACTED, value.decode("utf-8", "replace")).encode()


def _text_in_part(value: bytes, show: Restyle) -> bytes:
    at = plain_address(value, 0, len(value))
    return value[:1] + b"***" + value[at:] if at else _styled_text(value, show)


def _styled_text(value: bytes, show: Restyle) -> bytes:
    """Invalid UTF-8 is shown in its style too: surrogates keep distinct values distinct."""
    text = value.decode("utf-8", "surrogateescape")
    return whole(show(text), text).encode()


def _styled_json(kind: ValueKind, value: bytes, style: MaskStyle, show: Restyle) -> bytes:
    """A JSON string is shown as its value would be in a text column; of anything else nothing is shown in part."""
    text = decoded(kind, value)
    if text is None:
        return encoded(kind, jsontext.quote(REDACTED))
    plain = text.strip(" \t\n\r")
    string = jsontext.string(plain)
    shown = show(string) if string is not None else REDACTED if style is MaskStyle.PARTIAL else show(plain)
    return encoded(kind, jsontext.quote(shown))
