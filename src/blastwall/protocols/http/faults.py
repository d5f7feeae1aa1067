"""What cannot be read, and how it is answered."""

from __future__ import annotations

from blastwall.wire.reader import Malformed


class Unreadable(Malformed):
    """A message that one reader may take otherwise than another: it is refused, and its connection ends.

    `status` is the answer where it is a client's: 400, 413, 414, 417, 431, 501 or 505.
    """

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status
