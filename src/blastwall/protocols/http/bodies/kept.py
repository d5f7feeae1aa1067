"""What a recording keeps of a body: its beginning as text, or no more than its size."""

from __future__ import annotations

from blastwall.masking.documents import Document, Unreadable
from blastwall.protocols.http.bodies.codings import Coding

_BINARY = b"\0"


class Kept:
    """The beginning of one body. What is kept is masked for everybody.

    Without a reading of its own it takes what the client gets; with one, what the resource sent goes through that.
    """

    def __init__(self, limit: int, media: str) -> None:
        """Keep at most `limit` bytes; `media` is the body's type."""
        self._limit = limit
        self._media = media
        self._pieces: list[bytes] = []
        self._size = self._sent = 0
        self._only_size = ""
        self._document: Document | None = None
        self._coding: Coding | None = None

    def by_size(self, why: str) -> Kept:
        """Keep the size alone."""
        self._only_size = why
        return self

    def reading(self, document: Document, coding: Coding | None) -> Kept:
        """Keep what this makes of the body."""
        self._document = document
        self._coding = coding
        return self

    def take(self, piece: bytes, shown: bytes) -> None:
        """Take a decoded piece of the body, and what the client got for it."""
        self._sent += len(piece)
        if self._document is None:
            self._keep(shown)
        elif piece:
            self._read(piece)

    def passed(self, data: bytes) -> None:
        """Take a piece of a body that passes as it is, in its codings."""
        self._sent += len(data)
        if self._only_size or self._full or self._document is None:
            return
        try:
            for piece in (data,) if self._coding is None else self._coding.feed(data):
                self._read(piece)
                if self._full:
                    break
        except Unreadable as error:
            self._only_size = str(error)

    def text(self) -> str:
        """Return what is recorded; what is left out is said."""
        if self._document is not None and not self._only_size and not self._full:
            self._end(self._document)
        if self._only_size:
            return f"[{self._sent} bytes: {self._only_size}]"
        data = b"".join(self._pieces)
        if _BINARY in data or not _is_text(data[: self._limit]):
            return f"[{self._sent} bytes of {self._media or 'no type'}]"
        text = data[: self._limit].decode("utf-8", "ignore")
        return text if len(data) <= self._limit else f"{text}… [{self._sent} bytes in all]"

    @property
    def _full(self) -> bool:
        return self._size > self._limit

    def _read(self, piece: bytes) -> None:
        if self._full or self._only_size or self._document is None:
            return
        try:
            self._keep(self._document.feed(piece))
        except Unreadable as error:
            self._only_size = str(error)

    def _end(self, document: Document) -> None:
        try:
            self._keep(document.finish())
        except Unreadable as error:
            self._only_size = str(error)

    def _keep(self, data: bytes) -> None:
        if data and not self._full:
            self._pieces.append(data[: self._limit + 1 - self._size])
            self._size += len(self._pieces[-1])


def _is_text(data: bytes) -> bool:
    """Whether it is UTF-8, but for a last character that was cut."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start >= len(data) - 3 and error.end == len(data)
    return True
