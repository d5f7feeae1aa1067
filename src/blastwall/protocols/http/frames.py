"""What the library for HTTP/2 does not look at: how much a client settles, and what fields would be in HTTP/1.1."""

from __future__ import annotations

import re

from blastwall.protocols.http.faults import Unreadable
from blastwall.protocols.http.request import Headers

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_FRAME_HEAD = 9
_FRAME = 16_384
"""The longest frame, which every end starts with and this one keeps to (RFC 9113, section 6.5.2)."""
_SETTINGS, _SETTING = 4, 6
"""The type of a frame of settings, and the bytes of one of them (RFC 9113, section 6.5)."""
_MOST_SETTINGS = 512
"""Settings, and frames of them, that a client may send in all. The library keeps each that it does not know, for good,
and goes through all of them at each frame: a client could have it keep 65,536, and work for milliseconds at nine bytes.
Clients send some ten."""

_MOST_AT_ONCE = 2048
"""Frames of less than `_LITTLE` bytes that may be read at once: each takes the library some 20 µs, in which nobody else
is served. The most that clients send are updates of windows, one or two for each 16 KiB that they take."""
_LITTLE = 64

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+\Z")
_VALUE = re.compile(rb"[\x20-\x7e\x80-\xff]*\Z")


class FrameHeads:
    """Looks at each frame as it begins: the library keeps a longer one whole before it refuses it."""

    def __init__(self) -> None:
        self._left = len(_PREFACE)
        self._head = b""
        self._settings = self._little = 0

    def check(self, data: bytes) -> None:
        """Look at what comes.

        Raises:
            Unreadable: a frame is longer than this end takes (RFC 9113, section 4.2), frames settle too much, or too
                many come at once.
        """
        self._little = position = 0
        while position < len(data):
            if self._left:
                taken = min(self._left, len(data) - position)
                self._left -= taken
            else:
                taken = min(_FRAME_HEAD - len(self._head), len(data) - position)
                self._head += data[position : position + taken]
                if len(self._head) == _FRAME_HEAD:
                    self._begin(int.from_bytes(self._head[:3], "big"), self._head[3])
            position += taken

    def _begin(self, length: int, kind: int) -> None:
        self._left, self._head = length, b""
        if length > _FRAME:
            raise Unreadable("a frame that is too long")
        if length < _LITTLE:
            self._little += 1
            if self._little > _MOST_AT_ONCE:
                raise Unreadable("too many frames at once")
        if kind == _SETTINGS:
            self._settings += 1 + length // _SETTING
            if self._settings > _MOST_SETTINGS:
                raise Unreadable("too many settings")


def read_fields(pairs: list[tuple[bytes, bytes]], pseudo: dict[bytes, bytes]) -> Headers:
    """Return fields as HTTP/1.1 has them: with a Host, and cookies in one (RFC 9113, section 8.2.3).

    Raises:
        Unreadable: in HTTP/1.1 they would be others.
    """
    authority = pseudo.get(b":authority")
    hosts = [value for name, value in pairs if name == b"host"]
    if authority is None and len(hosts) == 1:
        authority = hosts[0]
    if not authority or any(host != authority for host in hosts):
        raise Unreadable("no :authority, or a Host that is another")
    cookies = [value for name, value in pairs if name == b"cookie"]
    rest = [(name, value) for name, value in pairs if name not in (b"host", b"cookie")]
    fields = [(b"host", authority), *rest, *([(b"cookie", b"; ".join(cookies))] if cookies else [])]
    for name, value in fields:
        if _NAME.match(name) is None or _VALUE.match(value) is None or name == b"transfer-encoding":
            raise Unreadable("a header field that none may have")
    return Headers([(name.decode(), value.decode("latin-1").strip(" ")) for name, value in fields])
