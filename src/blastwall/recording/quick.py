"""The two records of a repeated statement, written by hand: they are most of what a busy gateway records.

    {"event":"statement_repeated","at":1.000002,"number":7,"first":3,"parameters":["5"],"text":null}
    {"event":"statement_finished","at":1.000003,"number":7,"rows":1,"affected":1,"bytes":9,"seconds":0.000001, …}

They read back as the same events that `events.encode` writes, times to the microsecond. What is not ASCII, or has a
control character but a tab or a line's end, or is long, is conceded: 0 is returned, and the ordinary encoder writes it.
"""

from __future__ import annotations

from blastwall.wire import memory

_LONGEST = 3072
"""Bytes of all texts together, with what stands between them.

`ROOM` has as many and all else that a record of these kinds is made of.
"""
ROOM = 4096
_ROOM = ROOM
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
    """Write a `StatementRepeated` from position `at` of `room`, which has `ROOM` bytes there; return where it ends.

    Raises:
        IndexError: it has fewer.
    """
    _check(room, at)
    if len(values) > _MOST or number < 0 or first < 0:
        return 0
    at = memory.put_micros(room, _put(room, at, _REPEATED), _micros(when))
    at = memory.put_digits(room, _put(room, at, _NUMBER), number)
    at = memory.put_digits(room, _put(room, at, _FIRST), first)
    at = _put(room, at, _PARAMETERS)
    most = at + _LONGEST
    for n in range(len(values)):
        if n:
            room[at] = 44
            at += 1
        at = _put_string(room, at, values[n], most - at)
        if at == 0:
            return 0
    at = _put_string(room, _put(room, at, _TEXT), text, most - at)
    if at == 0:
        return 0
    room[at] = 125
    return at + 1


def put_finished(  # noqa: PLR0917 - one for each field
    room: bytearray, at: int, when: float, number: int, rows: int, affected: int, size: int, seconds: float
) -> int:
    """Write a `StatementFinished` without error and masked cells; `affected` is below 0 where there is none.

    0 where another number is below 0: the ordinary encoder writes it. Raises as `put_repeated`.
    """
    _check(room, at)
    if number < 0 or rows < 0 or size < 0:
        return 0
    at = memory.put_micros(room, _put(room, at, _FINISHED), _micros(when))
    at = memory.put_digits(room, _put(room, at, _NUMBER), number)
    at = memory.put_digits(room, _put(room, at, _ROWS), rows)
    at = _put(room, at, _AFFECTED)
    at = _put(room, at, _NULL) if affected < 0 else memory.put_digits(room, at, affected)
    at = memory.put_digits(room, _put(room, at, _BYTES), size)
    at = memory.put_micros(room, _put(room, at, _SECONDS), _micros(seconds))
    return _put(room, at, _END)


def _check(room: bytearray, at: int) -> None:
    """What writes here writes as C does: nothing below asks again whether there is room."""
    if at < 0 or len(room) - at < _ROOM:
        raise IndexError(f"a record needs {_ROOM} bytes of room")


def _put(room: bytearray, at: int, text: bytes) -> int:
    size = len(text)
    memory.copy(room, at, text, 0, size)
    return at + size


def _micros(seconds: float) -> int:
    """Seconds, not below 0, in millionths."""
    return int(seconds * 1e6 + 0.5)


def _put_string(room: bytearray, at: int, text: str | None, most: int) -> int:
    """Write a text in quotes, or null; 0 where it is not plain, or longer than `most`."""
    if most < 4:
        return 0
    return _put(room, at, _NULL) if text is None else memory.put_quoted(room, at, text, most)
