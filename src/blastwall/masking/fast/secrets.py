"""Signs without which `credentials` finds nothing in plain ASCII."""

from __future__ import annotations

SIGNS = b"=~@AJP."
_EQUALS, _TILDE, _AT, _PLUS, _DOT, _COLON, _SLASH = 0x3D, 0x7E, 0x40, 0x2B, 0x2E, 0x3A, 0x2F
_A, _J, _P = 0x41, 0x4A, 0x50
_URL64 = bytes(byte in b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-" for byte in range(256))
_HEADER = 12
"""The shortest that stands before the first dot of a JSON web token."""


def may_hold_secret(buffer: bytes, start: int, stop: int) -> bool:
    """Whether a detector of credentials could find something; never False where one does.

    An at-sign counts only behind `://`, as in a URL with a password.
    """
    data, scheme = buffer, False
    for place in range(start, stop):
        byte = data[place]
        if byte == _DOT:
            if _ends_header(buffer, start, place):
                return True
        elif byte == _COLON:
            scheme = scheme or (stop - place > 2 and data[place + 1] == _SLASH and data[place + 2] == _SLASH)
        elif byte == _AT:
            if scheme:
                return True
        elif byte in (_EQUALS, _TILDE) or (byte in (_A, _J, _P) and _begins_mark(buffer, start, place, stop)):
            return True
    return False


def _ends_header(buffer: bytes, start: int, dot: int) -> bool:
    """Whether a run of base64 that ends at `dot` has what every token's first part has."""
    data, table = buffer, _URL64
    place = dot
    while place > start and table[data[place - 1]]:
        place -= 1
        if data[place] == 0x65 and dot - place >= _HEADER and data[place + 1] in (0x77, 0x79):
            return True
    return False


def _begins_mark(buffer: bytes, start: int, at: int, stop: int) -> bool:
    """Whether `A`, `J` or `P` may begin one of Azure's marks, or `PRIVATE`."""
    data = buffer
    if stop - at < 4:
        return False
    letter, following = data[at], data[at + 1]
    if letter == _J:
        return following == 0x51  # JQ
    if letter == _P:
        return following == 0x52 and data[at + 2] == 0x49  # PRI
    if at > start and data[at - 1] == _PLUS:
        return True
    return (
        (following == 0x7A and data[at + 2] in (0x43, 0x46, 0x53))  # AzC AzF AzS
        or (following == 0x50 and data[at + 2] == 0x49)  # API
        or (following == 0x43 and data[at + 2] == 0x44)  # ACD
        or (following == 0x49 and data[at + 2] == 0x6F)  # AIo
    )
