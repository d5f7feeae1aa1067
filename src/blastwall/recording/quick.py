"""The two records of a repeated statement, written by hand: they are most of what a busy gateway records.

    {"event":"statement_repeated","at":1.000002,"number":7,"first":3,"parameters":["5"],"text":null}
    {"event":"statement_finished","at":1.000003,"number":7,"rows":1,"affected":1,"bytes":9,"seconds":0.000001, …}

They read back as the same events that `events.encode` writes, times to the microsecond. What has a character that JSON
escapes, or is not ASCII, or is long, is conceded: 0 is returned, and the ordinary encoder writes it.
"""

from __future__ import annotations

from blastwall.wire import memory

_LONGEST = 3072
"""Bytes of all texts together; `ROOM` has as many and all else that a record of these kinds is made of."""
ROOM = 4096
_MOST = 64
"""Values of one statement."""
_REPEATED = b'{"event":"statement_repeated","at":'
_FINISHED = b'{"event":"statement_finished","at":'
_NUMBER, _FIRST, _PARAMETERS, _TEXT = b',"number":', b',"first":', b',"parameters":[', b'],"text":'
_ROWS, _AFFECTED, _BYTES, _SECONDS = b',"rows":', b',"affected":', b',"bytes":', b',"seconds":'
_END = b',"error":null,"masked":{}}'
_NULL = b"null"


def put_repeated(  # noqa: PLR0917 - one for each field
    room: bytearray, at: int, when: float, number: int, first: int, values: tuple[str | None, ...], text: str | None
) -> int:
    """Write a `StatementRepeated` from position `at` of `room`, which has `ROOM` bytes there; return where it ends."""
    if len(values) > _MOST:
        return 0
    at = _put(room, at, _REPEATED)
    at = _put_seconds(room, at, when)
    at = _put_number(room, _put(room, at, _NUMBER), number)
    at = _put_number(room, _put(room, at, _FIRST), first)
    at = _put(room, at, _PARAMETERS)
    left = _LONGEST
    for n in range(len(values)):
        if n:
            room[at] = 44
            at += 1
        value = values[n]
        if value is None:
            left -= 4
            at = _put(room, at, _NULL) if left >= 0 else 0
        elif value.isascii():
            encoded = value.encode()
            left -= len(encoded)
            at = _put_string(room, at, encoded, left)
        else:
            at = 0
        if at == 0:
            return 0
    at = _put(room, at, _TEXT)
    if text is None:
        at = _put(room, at, _NULL)
    else:
        encoded = text.encode() if text.isascii() else b"\0"
        at = _put_string(room, at, encoded, left - len(encoded))
        if at == 0:
            return 0
    room[at] = 125
    return at + 1


def put_finished(  # noqa: PLR0917 - one for each field
    room: bytearray, at: int, when: float, number: int, rows: int, affected: int, size: int, seconds: float
) -> int:
    """Write a `StatementFinished` without error and masked cells; `affected` is below 0 where there is none."""
    at = _put(room, at, _FINISHED)
    at = _put_seconds(room, at, when)
    at = _put_number(room, _put(room, at, _NUMBER), number)
    at = _put_number(room, _put(room, at, _ROWS), rows)
    at = _put(room, at, _AFFECTED)
    at = _put(room, at, _NULL) if affected < 0 else _put_number(room, at, affected)
    at = _put_number(room, _put(room, at, _BYTES), size)
    at = _put(room, at, _SECONDS)
    at = _put_seconds(room, at, seconds)
    return _put(room, at, _END)


def _put(room: bytearray, at: int, text: bytes) -> int:
    size = len(text)
    memory.copy(room, at, text, 0, size)
    return at + size


def _put_number(room: bytearray, at: int, number: int) -> int:
    """Write a number that is not below 0."""
    digits, rest = 1, number // 10
    while rest:
        digits, rest = digits + 1, rest // 10
    end = at + digits
    while digits:
        digits -= 1
        room[at + digits] = 48 + number % 10
        number = number // 10
    return end


def _put_seconds(room: bytearray, at: int, seconds: float) -> int:
    """Write seconds, not below 0, with six decimals."""
    micros = int(seconds * 1e6 + 0.5)
    at = _put_number(room, at, micros // 1000000)
    room[at] = 46
    micros = micros % 1000000
    for place in range(6):
        room[at + 6 - place] = 48 + micros % 10
        micros = micros // 10
    return at + 7


def _put_string(room: bytearray, at: int, text: bytes, left: int) -> int:
    """Write a text in quotes; 0 where it is not plain, or longer than what is left."""
    if left < 0:
        return 0
    size = len(text)
    for n in range(size):
        byte = text[n]
        if byte < 32 or byte > 126 or byte in {34, 92}:
            return 0
    room[at] = 34
    memory.copy(room, at + 1, text, 0, size)
    room[at + 1 + size] = 34
    return at + size + 2
