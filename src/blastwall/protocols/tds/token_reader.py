"""Tokens out of the payload of a reply's packets, whichever way it is cut.

Source: MS-TDS 2.2.4.2 "Token Stream", 2.2.7. A token that is unknown, or whose length cannot be told, ends the
connection: what follows it could not be judged.
"""

from __future__ import annotations

from dataclasses import replace

from blastwall.protocols.tds.fields import Fields, Short
from blastwall.protocols.tds.rows import RowPlan, RowWalk
from blastwall.protocols.tds.tokens import (
    COL_METADATA,
    FEATURE_EXT_ACK,
    FIXED_SIZES,
    NBC_ROW,
    NO_METADATA,
    PREFIXED,
    RETURN_VALUE,
    ROW,
    ColMetadata,
    ColumnData,
    FeatureExtAck,
    ReturnValue,
    RowRun,
    Token,
    decode_fixed,
    read_column,
    read_features,
    read_return_value,
)
from blastwall.wire.reader import Malformed

LARGEST = 16 << 20
"""Bytes of a token, and of a row that is kept whole."""
_MOST_COLUMNS = 4096
"""Of a SELECT; SQL Server's own limit ("Maximum capacity specifications")."""
_MOST_FEATURES = 64 << 10
_REFUSED = {
    0x78: "OFFSET, which has been removed from the protocol",
    0x88: "ALTMETADATA, of COMPUTE, which this gateway does not read",
    0xD3: "ALTROW, of COMPUTE, which this gateway does not read",
    0xA3: "DATACLASSIFICATION, which was not negotiated",
}


class TokenReader:
    """The tokens of a reply: payload in by `feed`, tokens out by `take`, `finish` at the reply's end.

    Rows come as runs. Where `whole` is set, each run holds whole rows; else what has arrived of the rows, so that
    nothing of it is kept. It may be set after each COLMETADATA, for the rows that follow. `largest` bounds a token and
    what is kept of a row that has not arrived whole, in bytes: one that has arrived is given, whatever a packet holds;
    `compressed` says that rows may come with a bitmap of their NULLs.
    """

    def __init__(self, largest: int = LARGEST, *, compressed: bool = True) -> None:
        self.whole = False
        self._compressed = compressed
        self.columns: tuple[ColumnData, ...] | None = None
        self.plan: RowPlan | None = None
        self._largest = largest
        self._walk: RowWalk | None = None
        self._data = b""
        self._at = 0
        self._before: list[bytes] = []
        """What has been read of the token or row under way, and is not in `_data` any more."""
        self._held = 0
        self._wanted = 0
        self._told: list[ColumnData] | None = None
        self._expected = 0
        self._value: ReturnValue | None = None
        self._value_walk: RowWalk | None = None
        self._value_start = 0

    @property
    def buffered(self) -> int:
        """Bytes that wait."""
        return len(self._data) - self._at + self._held

    def feed(self, payload: bytes) -> None:
        """Take the payload of a packet."""
        if self._wanted:
            self._before.append(payload)
            self._held += len(payload)
            if self._held < self._wanted:
                return
            payload = self._joined()
            self._wanted = 0
        self._data = self._data[self._at :] + payload if self._at < len(self._data) else payload
        self._at = 0

    def describe(self, columns: tuple[ColumnData, ...]) -> None:
        """Say what the rows that follow consist of: a COLMETADATA that does not tell it means what was told before."""
        self.columns = columns
        self.plan = RowPlan([column.type for column in columns], self._compressed)
        self._walk = RowWalk(self.plan)

    def take(self) -> Token | None:
        """Return the next token or run of rows, None where it has not arrived.

        Raises:
            Malformed: a token is unknown, refused, too long or not of its form; rows come without their columns.
        """
        if self._wanted:
            return None
        if self._walk is not None and self._walk.amid:
            return self._rows()
        if self._told is not None:
            return self._columns()
        if self._value is not None:
            return self._return_value()
        if self._at >= len(self._data):
            return None
        kind = self._data[self._at]
        if kind in (ROW, NBC_ROW):
            return self._rows()
        if kind in FIXED_SIZES:
            return self._fixed(kind)
        if kind in PREFIXED:
            return self._prefixed(kind)
        return self._open(kind)

    def finish(self) -> None:
        """Check that the reply does not end within a token.

        Raises:
            Malformed: it does.
        """
        amid = self._walk is not None and self._walk.amid
        if self.buffered or amid or self._told is not None or self._value is not None:
            raise Malformed("a reply that ends within a token")

    # ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _rows(self) -> RowRun | None:
        walk = self._walk
        if walk is None or not self.columns:
            raise Malformed("rows without their columns")
        if not walk.amid and not self._compressed and self._data[self._at] == NBC_ROW:
            raise Malformed("a row with a bitmap of its NULLs, which may not be here")
        start, buffer = self._at, self._data
        reached = walk.walk(buffer, start, len(buffer))
        self._at = reached
        if not self.whole and not self._before:
            return RowRun(walk.rows, buffer, start, reached) if reached > start else None
        return self._whole_rows(walk, start, reached)

    def _whole_rows(self, walk: RowWalk, start: int, reached: int) -> RowRun | None:
        """Give the rows that have ended; keep the beginning of the one that has not."""
        buffer, whole = self._data, walk.whole
        run: RowRun | None = None
        if walk.rows:
            if self._before:
                joined = b"".join((*self._before, buffer[start:whole]))
                run = RowRun(walk.rows, joined, 0, len(joined))
            else:
                run = RowRun(walk.rows, buffer, start, whole)
            self._before, self._held, start = [], 0, whole
        if reached > start:
            self._keep(buffer[start:reached], "a row")
        return run

    def _keep(self, part: bytes, what: str) -> None:
        self._before.append(part)
        self._held += len(part)
        self._bound(self._held, what)

    def _bound(self, size: int, what: str) -> None:
        if size > self._largest:
            raise Malformed(f"{what} of more than {self._largest} bytes")

    def _joined(self) -> bytes:
        joined = b"".join(self._before)
        self._before, self._held = [], 0
        return joined

    # ── tokens whose length is known ─────────────────────────────────────────────────────────────────────────────────

    def _fixed(self, kind: int) -> Token | None:
        start = self._at
        end = start + 1 + FIXED_SIZES[kind]
        if end > len(self._data):
            return None
        self._at = end
        raw = self._data[start:end]
        return decode_fixed(kind, raw[1:], raw)

    def _prefixed(self, kind: int) -> Token | None:
        start = self._at
        width, name, decode = PREFIXED[kind]
        begin = start + 1 + width
        if begin > len(self._data):
            return None
        length = int.from_bytes(self._data[start + 1 : begin], "little")
        self._bound(length, name)
        end = begin + length
        if end > len(self._data):
            self._wait_for(end - len(self._data))
            return None
        self._at = end
        fields = Fields(self._data, begin, end)
        try:
            token = decode(fields, self._data[start:end])
        except Short:
            raise Malformed(f"{name} that is longer than its length") from None
        fields.finish(name)
        return token

    def _wait_for(self, missing: int) -> None:
        """Take no token before so many more bytes have come: they are joined once."""
        rest = self._data[self._at :]
        self._data, self._at = b"", 0
        self._before, self._held = [rest], len(rest)
        self._wanted = len(rest) + missing

    # ── tokens whose length their content tells ──────────────────────────────────────────────────────────────────────

    def _open(self, kind: int) -> Token | None:
        if kind == COL_METADATA:
            return self._begin_columns()
        if kind == RETURN_VALUE:
            return self._begin_return_value()
        if kind == FEATURE_EXT_ACK:
            return self._features()
        raise Malformed(f"the token {_REFUSED.get(kind) or f'{kind:#04x}, which is unknown'}")

    def _begin_columns(self) -> Token | None:
        if len(self._data) - self._at < 3:
            return None
        fields = Fields(self._data, self._at + 1)
        count = fields.uint16()
        if count in (NO_METADATA, 0):
            self.columns, self.plan, self._walk = (), None, None
            raw = self._data[self._at : fields.at]
            self._at = fields.at
            return ColMetadata((), count == NO_METADATA, raw)
        if count > _MOST_COLUMNS:
            raise Malformed(f"a result of {count} columns")
        self._keep(self._data[self._at : fields.at], "a description")
        self._at = fields.at
        self._told, self._expected = [], count
        return self._columns()

    def _columns(self) -> Token | None:
        """Read columns as they arrive: what has been read is not read again."""
        told = self._told or []
        self._told = told
        fields = Fields(self._data, self._at)
        while len(told) < self._expected:
            try:
                told.append(read_column(fields))
            except Short:
                self._bound(self._held + len(self._data) - self._at, "a description")
                return None
            self._keep(self._data[self._at : fields.at], "a description")
            self._at = fields.at
        self._told = None
        self.describe(tuple(told))
        return ColMetadata(tuple(told), raw=self._joined())

    def _begin_return_value(self) -> Token | None:
        fields = Fields(self._data, self._at + 1)
        try:
            self._value = read_return_value(fields)
        except Short:
            return None
        self._keep(self._data[self._at : fields.at], "a return value")
        self._at = fields.at
        self._value_start = self._held
        self._value_walk = RowWalk(RowPlan((self._value.type,)))
        self._value_walk.begin_single()
        return self._return_value()

    def _return_value(self) -> Token | None:
        value, walk = self._value, self._value_walk
        if value is None or walk is None:
            raise Malformed("no return value is under way")
        start = self._at
        self._at = walk.walk(self._data, start, len(self._data))
        if self._at > start:
            self._keep(self._data[start : self._at], "a return value")
        if not walk.rows:
            return None
        raw = self._joined()
        self._value = self._value_walk = None
        return replace(value, field=raw[self._value_start :], raw=raw)

    def _features(self) -> Token | None:
        fields = Fields(self._data, self._at + 1)
        try:
            features = read_features(fields)
        except Short:
            if len(self._data) - self._at > _MOST_FEATURES:
                raise Malformed(f"features of more than {_MOST_FEATURES} bytes") from None
            return None
        raw = self._data[self._at : fields.at]
        self._at = fields.at
        return FeatureExtAck(features, raw)
