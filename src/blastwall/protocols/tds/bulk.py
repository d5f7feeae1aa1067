"""The rows of a bulk load, counted as they come.

Source: MS-TDS 2.2.6.1 "Bulk Load BCP": COLMETADATA, ROW tokens, DONE, as a reply has them.
"""

from __future__ import annotations

from blastwall.protocols.tds.token_reader import TokenReader
from blastwall.protocols.tds.tokens import ColMetadata, Done, RowRun
from blastwall.wire.reader import Malformed


class BulkReader:
    """Payload of a client's packets in by `feed`; `rows` is how many rows have come whole."""

    def __init__(self) -> None:
        self.rows = 0
        self._reader = TokenReader()

    def feed(self, payload: bytes) -> None:
        """Take a packet's payload.

        Raises:
            Malformed: it is not what a bulk load consists of.
        """
        self._reader.feed(payload)
        while (token := self._reader.take()) is not None:
            if isinstance(token, RowRun):
                self.rows += token.rows
            elif not isinstance(token, ColMetadata | Done):
                raise Malformed(f"a token {type(token).__name__} in a bulk load")
