"""Plain answers to an exchange of known steps: the results of its commands, an end without an error, and nothing else.

What the client asked for is a string of steps: `Q` and `S` for a Query, of which `S` stands for its end, or those of
`PBDES` that were sent. The server answers one after the other, as the table tells.
"""

from __future__ import annotations

from blastwall.wire.inbox import HEADER
from blastwall.wire.native import Whole

_ENDS = {
    b"P1": 1,  # Parse: ParseComplete
    b"B2": 1,  # Bind: BindComplete
    b"DT": 1,  # Describe: RowDescription or NoData
    b"Dn": 1,
    b"QT": 0,  # Query: RowDescription, whose rows follow
    b"EC": 1,  # Execute and Query: CommandComplete or EmptyQueryResponse
    b"EI": 1,
    b"QC": 1,
    b"QI": 1,
    b"SZ": 1,  # Sync: ReadyForQuery
}
"""What the server may say to each step, and how many steps that ends. Rows come before Execute's or Query's end."""
_MOVES = bytes([_ENDS.get(bytes((step, kind)), 254) + 1 & 255 for step in range(128) for kind in range(128)])
"""The same in a table: one more than the steps, 255 where the server may not say that."""
DESCRIBED, NO_DATA, COMPLETE, READY = b"TnCZ"
_HEADER = HEADER


class Plain:
    """What `plain_answer` has found, of the answer that it read last.

    The `rows` and their bytes (`size`), where the body of the result's description starts and ends (0 for none, as many
    as there are bytes for NoData), and the same of the command's `tag`.
    """

    __slots__ = ("rows", "size", "start", "stop", "tag", "tag_end")

    def __init__(self) -> None:
        self.rows: Whole = 0
        self.size: Whole = 0
        self.start: Whole = 0
        self.stop: Whole = 0
        self.tag: Whole = 0
        self.tag_end: Whole = 0


def plain_answer(data: bytes, steps: bytes, found: Plain) -> bool:
    """Follow the table through an answer that is whole, from its first message to a plain ReadyForQuery at its end.

    False where anything is not plain, a row before its description included: what was found means nothing then.
    """
    buffer = data
    size, position, at, rows, passed = len(data), 0, 0, 0, 0
    last = len(steps) - 1
    start = stop = tag = tag_end = 0
    table = _MOVES
    while size - position >= _HEADER:
        kind = buffer[position]
        length = buffer[position + 1] << 24 | buffer[position + 2] << 16
        length = length | buffer[position + 3] << 8 | buffer[position + 4]
        if length < 4 or length >= size - position:
            return False
        end = position + 1 + length
        step = steps[at]
        if kind == 68:  # DataRow
            if step not in {69, 81} or length < 6:
                return False
            rows += 1
            passed += length + 1
        else:
            moves = 255 if kind > 127 else table[step << 7 | kind]
            if moves == 255 or (at == last) != (kind == 90):
                return False
            if kind == 90:  # ReadyForQuery
                found.rows, found.size = rows, passed
                found.start, found.stop, found.tag, found.tag_end = start, stop, tag, tag_end
                status = buffer[end - 1]
                return end == size and length == 5 and status in {73, 84}
            if kind in {84, 110}:  # RowDescription, NoData
                if rows or start:
                    return False
                start, stop = position + _HEADER if kind == 84 else size, end if kind == 84 else size
            elif kind == 67:  # CommandComplete
                tag, tag_end = position + _HEADER, end
            at += moves - 1
        position = end
    return False


def steps_ended(step: int, kind: int) -> int | None:
    """How many steps such a message ends; None where the server may not say that."""
    return _ENDS.get(bytes((step, kind)))
