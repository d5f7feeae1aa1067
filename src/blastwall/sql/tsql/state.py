"""What of a session the meaning of a batch depends on, and how each request changes it.

A batch may fail half-way and go on, a transaction may be rolled back (and with it a temporary table): so settings hold
every value that may be in force, temporary tables every column source that was ever written, and nothing is taken away
for certain but by a reset of the connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from blastwall.sql.lineage import Columns, Lineage, OutputColumn, union
from blastwall.sql.tsql.statement import Classified, Temporary

Settings = Mapping[str, frozenset[str]]
MAX_TEMPORARY = 200
"""The most temporary tables that a session's state keeps apart; of what is past it nothing is known."""


@dataclass(frozen=True, slots=True)
class NameState:
    """`default_schema` is that of the database's user. `temporary` and `cursors` are by lower-case name.

    `unsettled` are names that the session gave another meaning, with the catalog's version that does not know of it.
    """

    default_schema: str = "dbo"
    temporary: Mapping[str, Temporary] = field(default_factory=dict)
    cursors: Mapping[str, Columns | None] = field(default_factory=dict)
    settings: Settings = field(default_factory=dict)
    unsettled: Mapping[str, int] = field(default_factory=dict)

    def may_be(self, setting: str, value: str, otherwise: str) -> bool:
        """Whether a SET option may have a value; `otherwise` is what it is where nothing set it."""
        return value in self.settings.get(setting, frozenset({otherwise}))


def before(state: NameState, classified: Classified) -> NameState:
    """Return the state in which a later request may run while the success of this one is not known."""
    after = settled(state, classified, lasting=False)
    if after is state:
        return state
    settings = {
        name: found | state.settings.get(name, DEFAULTS.get(name, _UNSET)) for name, found in after.settings.items()
    }
    return replace(after, settings=settings)


def settled(state: NameState, classified: Classified, *, lasting: bool = True) -> NameState:
    """Return the state after the request ran: what it may have left behind counts as left.

    A temporary table is forgotten only if it is gone for certain. It is not where an IF may have left its DROP out, nor
    where a ROLLBACK may bring it back: `lasting` is false while a transaction is open, and where the request failed.
    """
    changes = classified.changes
    if not changes:
        return state
    temporary = dict(state.temporary)
    if lasting and classified.straight and not classified.transaction:
        for name in changes.dropped:
            temporary.pop(name, None)
    for name, table in changes.temporary.items():
        known = temporary.get(name)
        temporary[name] = table if known is None else merged(known, table)
    if len(temporary) > MAX_TEMPORARY:
        temporary = {name: Temporary(name, None) for name in list(temporary)[-MAX_TEMPORARY:]}
    cursors = dict(state.cursors)
    for name, columns in changes.cursors.items():
        # The one of before may still be there: its DEALLOCATE is not seen, and the new one may not have been declared.
        cursors[name] = columns if cursors.get(name, columns) == columns else None
    return replace(
        state,
        temporary=temporary,
        cursors=cursors,
        settings={**state.settings, **changes.settings},
        unsettled={**state.unsettled, **dict.fromkeys(changes.unsettled | changes.redefines, changes.version)},
    )


def reset(state: NameState) -> NameState:
    """Return the state after sp_reset_connection: temporary tables, cursors and SET options are gone.

    What the session has defined anew stays unsettled: a reset may keep the transaction that it was defined in.
    """
    return NameState(state.default_schema, unsettled=state.unsettled)


def merged(one: Temporary, other: Temporary) -> Temporary:
    """Return what a temporary table may be that is the one or the other."""
    if one.columns is None or other.columns is None:
        return Temporary(one.name, None)
    if [column.name for column in one.columns] != [column.name for column in other.columns]:
        return Temporary(one.name, None)
    pairs = zip(one.columns, other.columns, strict=True)
    types = one.types if one.types == other.types else ()
    columns = tuple(_either(first, second) for first, second in pairs)
    return Temporary(one.name, columns, types, one.strict or other.strict)


def _either(one: OutputColumn, other: OutputColumn) -> OutputColumn:
    if one == other:
        return one
    return OutputColumn(one.name, union([Lineage(one.sources), Lineage(other.sources)]).sources)


_UNSET: frozenset[str] = frozenset()
DEFAULTS: Settings = {
    "quoted_identifier": frozenset({"on"}),
    "nocount": frozenset({"off"}),
    "rowcount": frozenset({"0"}),
    "implicit_transactions": frozenset({"off"}),
    "xact_abort": frozenset({"off"}),
    "noexec": frozenset({"off"}),
    "parseonly": frozenset({"off"}),
    "fmtonly": frozenset({"off"}),
}
"""What the SET options are in a new session of a driver; QUOTED_IDENTIFIER is on for ODBC and for tedious alike."""
