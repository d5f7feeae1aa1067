"""Seals: keyed hashes, so that whoever can write the state, but has no gateway's key, adds nothing that counts.

A seal says that a gateway wrote this row as it is. It does not say that the row is the newest: who can write can put an
older one back, or take one away.

| what is sealed | as JSON |
| --- | --- |
| a row of the state (`Seal`) | [table, [column, value], …] |
| what approvers are shown and decide (`blastwall.approvals.sealing`) | [purpose, value, …] |
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Mapping, Sequence

from sqlalchemy import RowMapping

_KEY_BYTES = 32


def sealed(key: bytes, told: Sequence[object]) -> str:
    """Return the seal of a key over what JSON can say, 64 hexadecimal digits."""
    return hmac.new(key, json.dumps(told).encode(), "sha256").hexdigest()


def agrees(seal: str, due: str) -> bool:
    """Whether a seal, which anybody may have written, is the one due; takes as long wherever they differ."""
    return hmac.compare_digest(seal.encode(errors="surrogatepass"), due.encode())


class Seal:
    """Makes and checks the seals of one key; without one, those of this object alone."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = secrets.token_bytes(_KEY_BYTES) if key is None else key

    def of(self, table: str, names: Sequence[str], row: Mapping[str, object]) -> str:
        """Return the seal over some columns of a row, 64 hexadecimal digits."""
        return sealed(self._key, [table, *([name, _plain(row[name])] for name in names)])

    def holds(self, table: str, names: Sequence[str], row: RowMapping) -> bool:
        """Whether the row's own seal, in its column `seal`, is the one over these columns."""
        due = self.of(table, names, {name: row[name] for name in names})
        return agrees(str(row["seal"]), due)


def _plain(value: object) -> object:
    """A number comes back from a database as the column's type, whatever it was put in as."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
