"""Documents masked as they stream: JSON, CSV, XML and text; it changes when what such documents look like changes."""

from __future__ import annotations

from typing import Protocol


class Unreadable(Exception):
    """What cannot be read with certainty cannot be masked, so it may not be passed on; the text says why."""


class Document(Protocol):
    """One document, given in pieces as they come. What it returns does not depend on how they are cut."""

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes and return those that are settled, masked.

        Raises:
            Unreadable: nothing more of the document may be shown; what was returned before is masked.
        """

    def finish(self) -> bytes:
        """Return the rest, now that nothing follows.

        Raises:
            Unreadable: the document ends too early.
        """
