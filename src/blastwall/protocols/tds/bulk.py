"""The rows of a bulk load, read as they come from the client: the columns, the rows, and the end.

Source: MS-TDS 2.2.6.1 "Bulk Load BCP": COLMETADATA, ROWs and DONE, as a server would send them. What 2.2.6.1 and
2.2.7.15 rule out is refused: XML, CLR and old types, NBCROW; so is `text` and its like, whose table names drivers write
in several ways: they load as `varchar(max)` and its like.
"""

from __future__ import annotations

from blastwall.protocols.tds import types
from blastwall.protocols.tds.token_reader import TokenReader
from blastwall.protocols.tds.tokens import DONE, ColMetadata, ColumnData, Done, RowRun, Token
from blastwall.wire.reader import Malformed

_REFUSED = frozenset(
    {
        types.XML, types.UDT, types.JSON, types.NULL, types.DECIMAL, types.NUMERIC, types.CHAR, types.VARCHAR,
        types.BINARY, types.VARBINARY, types.TEXT, types.NTEXT, types.IMAGE,
    }
)  # fmt: skip


class BulkReader:
    """Payload in by `feed`, `finish` at the message's end. `rows` is how many have come, `columns` what they are of.

    Nothing of the rows is kept.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.columns: tuple[ColumnData, ...] = ()
        self._tokens = TokenReader(compressed=False)
        self._ended = False

    @property
    def buffered(self) -> int:
        """Bytes that wait."""
        return self._tokens.buffered

    def feed(self, payload: bytes) -> None:
        """Take the payload of a packet.

        Raises:
            Malformed: it is no bulk load, or has a type that may not be in one.
        """
        self._tokens.feed(payload)
        while (token := self._tokens.take()) is not None:
            self._take(token)

    def finish(self) -> None:
        """Check that the load does not end within a row. Its DONE may be missing: FreeTDS leaves it out.

        Raises:
            Malformed: it does, or has no columns.
        """
        self._tokens.finish()
        if not self.columns:
            raise Malformed("a bulk load without its columns")

    def _take(self, token: Token) -> None:
        if self._ended:
            raise Malformed("a bulk load that goes on after its end")
        if isinstance(token, RowRun):
            self.rows += token.rows
        elif isinstance(token, ColMetadata) and not self.columns and token.columns:
            refused = next((one.type for one in token.columns if one.type.type in _REFUSED), None)
            if refused is not None:
                raise Malformed(f"a bulk load with a column of the type {refused.declared} ({refused.type:#04x})")
            self.columns = token.columns
        elif isinstance(token, Done) and token.kind == DONE and self.columns:
            self._ended = True
        else:
            raise Malformed("a bulk load with something other than its columns, rows and end")
