"""What is shown of the commonest values, found without an expression: plain addresses in ASCII.

A shortcut, not a rule: it answers only where `styles.partial` gives the same, which a test holds it to. The compiled
twin is typed by `plain.pxd`.
"""

from __future__ import annotations

_LONGEST = 200


def partial_address(value: bytes) -> bytes | None:
    """Show the first character and the domain of `local@domain`, both of letters, digits, dots and dashes.

    Anything else, or anything odd about its dots and dashes, gives None: it is not this function's business.
    """
    data = value
    size = len(value)
    if size > _LONGEST:
        return None
    at = 0
    while at < size and (_word(data[at]) or (data[at] == 46 and at > 0 and data[at - 1] != 46)):
        at += 1
    if at < 2 or at == size or data[at] != 64 or data[at - 1] == 46 or at > 60:
        return None
    start = place = at + 1
    dots = 0
    while place < size and (_word(data[place]) or data[place] == 46):
        if data[place] == 46:
            if place == start or data[place - 1] == 46:
                return None
            dots += 1
        place += 1
    if place < size or not dots or not _ends_in_letters(value, start):
        return None
    return value[:1] + b"***" + value[at:]


def _ends_in_letters(value: bytes, start: int) -> bool:
    """Whether the last label has at least two characters, all of them letters."""
    data = value
    at = len(value)
    while at > start and (97 <= data[at - 1] <= 122 or 65 <= data[at - 1] <= 90):
        at -= 1
    return data[at - 1] == 46 and len(value) - at >= 2


def _word(byte: int) -> bool:
    """A letter or a digit."""
    return 97 <= byte <= 122 or 48 <= byte <= 57 or 65 <= byte <= 90
