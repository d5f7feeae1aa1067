"""What errors and messages may say: SQL Server quotes values in many of them, and code says whatever it likes.

Source: the texts of `sys.messages`; MS-TDS 2.2.7.10 "ERROR", 2.2.7.13 "INFO". Where column rules apply, a message of a
statement that touches masked tables is shown if it is of a number whose text names objects and conditions only;
of the others the number is.
"""

from __future__ import annotations

from dataclasses import replace

from blastwall.protocols.tds.guard import ResultGuard
from blastwall.protocols.tds.tokens import Error, Info
from blastwall.sql.tsql.statement import Classified

WITHHELD = "message withheld: it may quote masked values"
_FIRST_OF_USERS = 50_000
"""RAISERROR and THROW give their own texts from this number on."""
_PRINT = 0
_SILENT = frozenset(
    {
        # NOT NULL, foreign keys and checks: names of constraints, tables, columns.
        515, 544, 545, 547, 8101,
        # Transactions, locks, resources, time.
        266, 701, 802, 1204, 1205, 1222, 3609, 3616, 3902, 3903, 3906, 3910, 3930, 3933, 3952, 3960, 3961, 3971, 3980,
        3988, 8628, 8645, 8649, 8651, 10928, 10929, 10936, 40197, 40501, 40544, 40549, 40550, 40551, 40552, 40553,
        40613,
        # Sizes, types, arithmetic: types and columns, no values.
        206, 241, 242, 257, 402, 512, 529, 8114, 8115, 8117, 8134, 8152, 8153, 8169, 8622, 8623, 8632,
        # What ended before; what a session is told of itself.
        3612, 3613, 3615, 3621, 5701, 5702, 5703,
    }
)  # fmt: skip
"""Messages whose text cannot hold a row's value."""
_NAMES = frozenset(
    {
        # Objects, columns, permissions, databases.
        201, 207, 208, 209, 213, 214, 229, 230, 262, 297, 300, 313, 334, 911, 916, 2812, 3701, 4121, 4902, 4922, 8144,
        8145, 8162, 8178, 15151,
        # Grammar, and the word at fault.
        102, 103, 105, 111, 116, 120, 121, 130, 137, 141, 145, 147, 156, 164, 178, 195, 205, 243, 319, 1033, 2715, 8120,
        8155, 8156, 8158, 8159, 2714,
    }
)  # fmt: skip
"""Messages that name what the text names, unless text is put together at run time: then a name may be a value."""
_QUOTES_AT_ITS_END = frozenset({2601, 2627})
"""Duplicates: constraint and table are named, then the key's values in parentheses."""


def told(token: Error | Info, guard: ResultGuard, statements: tuple[Classified, ...]) -> Error | Info | None:
    """An error or message as the client may see it; None where it may be passed as it is."""
    message = token.message
    if guard.rules.columns and not _may_say(token, guard, statements):
        message = _without_values(token)
    if guard.prose is not None and message != WITHHELD:
        row: list[bytes | None] = [message.encode("utf-8", "replace")]
        if guard.prose.mask(row):
            message = (row[0] or WITHHELD.encode()).decode("utf-8", "replace")
    return None if message == token.message else replace(token, message=message, raw=b"")


def summary(token: Error) -> str:
    """An error for the record: its number, and its text where that cannot quote values."""
    return f"{token.number}: {token.message}" if token.number in _SILENT | _NAMES else str(token.number)


def _may_say(token: Error | Info, guard: ResultGuard, statements: tuple[Classified, ...]) -> bool:
    """Whether a message cannot hold a protected value, by what kind it is and what its statement touches."""
    if token.number in _SILENT:
        return True
    if token.number == _PRINT or token.number >= _FIRST_OF_USERS:
        return not any(guard.protects(one.messages) for one in statements)
    if not any(guard.touches(one) for one in statements):
        return True
    return token.number in _NAMES and not any(_runs_text(one) for one in statements)


def _runs_text(classified: Classified) -> bool:
    """Whether text may be run that the statement puts together, so that a word of it may be a value."""
    return bool(classified.doubt) or classified.results is None


def _without_values(token: Error | Info) -> str:
    if token.number not in _QUOTES_AT_ITS_END:
        return WITHHELD
    kept = token.message.partition(" (")[0].rpartition(". ")[0]
    return f"{kept}." if kept else WITHHELD
