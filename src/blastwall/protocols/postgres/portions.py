"""Rows of RETURNING that were withheld until they were counted, given to a client that takes them in portions."""

from __future__ import annotations

from dataclasses import dataclass

from blastwall.protocols.postgres.messages import cstring, frame

PORTAL_SUSPENDED = frame(b"s", b"")


@dataclass(slots=True)
class Store:
    """Row messages of a statement that is within its limit.

    `tag` is the server's, without its count: PostgreSQL counts the rows of each portion in its own tag.
    """

    tag: str
    rows: list[bytes]

    def portion(self, wanted: int) -> bytes:
        """The next `wanted` rows (0: all) with what PostgreSQL says after them: more rows may follow, or the end."""
        count = wanted or len(self.rows) + 1
        given, self.rows = self.rows[:count], self.rows[count:]
        if len(given) == wanted:
            return b"".join((*given, PORTAL_SUSPENDED))
        return b"".join((*given, frame(b"C", cstring(f"{self.tag} {len(given)}"))))

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        return sum(map(len, self.rows))
