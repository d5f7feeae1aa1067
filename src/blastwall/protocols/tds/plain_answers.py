"""Answers that are whole in one packet and plain: a description that is known, its rows, and an end without an error.

    [COLMETADATA [ORDER] row …] [DONE or DONEINPROC, of which more follows …] [RETURNSTATUS] DONE or DONEPROC

The tokens are those of MS-TDS 2.2.7. Anything else, and anything that is cut, is not plain.
"""

from __future__ import annotations

from typing import NamedTuple

from blastwall.protocols.tds.packets import EOM, HEADER, Kind
from blastwall.protocols.tds.rows import RowPlan, RowWalk
from blastwall.protocols.tds.tokens import (
    COUNTED,
    DONE_PROC,
    FIXED_SIZES,
    IN_TRANSACTION,
    MORE,
    ORDER,
    Done,
    decode_fixed,
)
from blastwall.wire.reader import Malformed

_HEAD = bytes((Kind.REPLY, EOM))
_PLAIN = MORE | COUNTED | IN_TRANSACTION


class Shown(NamedTuple):
    """The description of a result whose rows pass as they are: the token's bytes, and how its rows are walked."""

    raw: bytes
    plan: RowPlan


class Plain(NamedTuple):
    """A plain answer: its rows and their bytes, its ends, and whether a procedure returns a status."""

    rows: int
    size: int
    ends: tuple[Done, ...]
    status: bool


def plain_answer(data: bytes, shown: Shown | None) -> Plain | None:
    """Read an answer whose rows, if any, are described by `shown`; None where it is not plain, whole and alone."""
    if data[:2] != _HEAD or int.from_bytes(data[2:4], "big") != len(data):
        return None
    at, rows, size = HEADER, 0, 0
    if shown is not None and data.startswith(shown.raw, at):
        begin = _behind_order(data, at + len(shown.raw))
        walk = RowWalk(shown.plan)
        try:
            at = walk.walk(data, begin, len(data))
        except Malformed:
            return None
        if walk.amid:
            return None
        rows, size = walk.rows, at - begin
    ends = _ends(data, at)
    return None if ends is None else Plain(rows, size, *ends)


def _behind_order(data: bytes, at: int) -> int:
    """Return where what follows an ORDER begins, if there is one of whole columns."""
    length = int.from_bytes(data[at + 1 : at + 3], "little")
    return at + 3 + length if data[at : at + 1] == bytes((ORDER,)) and length % 2 == 0 else at


def _ends(data: bytes, at: int) -> tuple[tuple[Done, ...], bool] | None:
    """Read the ends from `at` to the answer's, and whether a status stands among them; None where one is not plain."""
    found: list[Done] = []
    status, last = False, False
    while at < len(data):
        kind = data[at]
        end = at + 1 + FIXED_SIZES.get(kind, len(data))
        if last or end > len(data):
            return None
        token = decode_fixed(kind, data[at + 1 : end], data[at:end])
        if isinstance(token, Done):
            if token.status & ~_PLAIN or (kind == DONE_PROC and token.more):
                return None
            last = not token.more
            found.append(token)
        elif status:
            return None
        else:
            status = True
        at = end
    return (tuple(found), status) if last else None
