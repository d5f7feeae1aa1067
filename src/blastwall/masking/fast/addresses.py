"""E-mail addresses in plain ASCII, as `detectors.find_emails` finds them, without an expression.

Finders of this folder read `buffer` from `start` to before `stop` and note in `hits` what they find, as found `by`.
They return False where they are in doubt: then what was noted counts for nothing.
"""

from __future__ import annotations

from blastwall.masking.fast.hits import Hits
from blastwall.wire import memory

_AT, _QUOTE, _APOSTROPHE, _DOT, _DASH = 0x40, 0x22, 0x27, 0x2E, 0x2D
_ALNUM = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LOCAL = bytes(byte in _ALNUM + b"!$%+.=^_`~-" for byte in range(256))
_LABEL = bytes(byte in _ALNUM + b"_-" for byte in range(256))


def find_emails(buffer: bytes, start: int, stop: int, hits: Hits, by: int) -> bool:
    """Find addresses whose at-sign is written as one; whoever calls has seen to it that no other is there."""
    data = buffer
    low = start
    at = memory.find(data, _AT, start, stop)
    while at >= 0:
        end = 0
        if at > low and data[at - 1] == _QUOTE:
            return False
        begin = local_begin(buffer, low, at)
        if begin < at:
            end = domain_end(buffer, at + 1, stop)
        if end:
            if not hits.note(begin, end, by):
                return False
            low = end
        at = memory.find(data, _AT, end or at + 1, stop)
    return True


def local_begin(buffer: bytes, low: int, at: int) -> int:
    """Return where the local part before the at-sign begins, `at` if there is none; one or two `'` may part it."""
    data, table = buffer, _LOCAL
    begin = place = at
    while place > low:
        byte = data[place - 1]
        if table[byte]:
            begin = place - 1
        elif byte != _APOSTROPHE or begin - place == 2 or begin == at:
            break
        place -= 1
    return begin


def domain_end(buffer: bytes, at: int, stop: int) -> int:
    """Return where the longest dotted domain from `at` ends, 0 where there is none."""
    data, table = buffer, _LABEL
    place = label = at
    best = 0
    while True:
        while place < stop and table[data[place]]:
            place += 1
        if label > at:
            best = _top_level_end(buffer, label, stop) or best
        if place == label or place >= stop or data[place] != _DOT:
            return best
        place += 1
        label = place


def _top_level_end(buffer: bytes, at: int, stop: int) -> int:
    """Return the end of what may be the last part of a domain, 0 where nothing from `at` may."""
    data = buffer
    place = at
    if stop - at > 4 and data[at] | 32 == 0x78 and data[at + 1] | 32 == 0x6E and data[at + 2] == data[at + 3] == _DASH:
        place += 4
        while place < stop and (_letter(data[place]) or 48 <= data[place] <= 57 or data[place] == _DASH):
            place += 1
        if place > at + 4:
            return place
        place = at
    while place < stop and _letter(data[place]):
        place += 1
    return place if place - at >= 2 else 0


def _letter(byte: int) -> bool:
    return 97 <= byte | 32 <= 122
