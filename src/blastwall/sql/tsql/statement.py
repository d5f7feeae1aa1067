"""What the classifier says of one request: a batch, or a procedure's call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from blastwall.model.effects import Effect
from blastwall.model.statement import Column, Literal
from blastwall.sql.lineage import Columns, Sources
from blastwall.sql.tsql.defined import Defined

RETURN_STATUS = ""
"""The key of `Classified.returns` under which a procedure's RETURN value stands."""


@dataclass(frozen=True, slots=True)
class ResultSet:
    """One result set that may come. `columns` is None where they could not be traced."""

    columns: Columns | None


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a procedure's call: `name` as "@id" or "", `value` as text where it could be decoded.

    `declared` is its type in T-SQL's words; `given` is false where the default is asked for.
    """

    name: str
    value: str | bytes | None
    output: bool = False
    declared: str = ""
    given: bool = True


@dataclass(frozen=True, slots=True)
class Temporary:
    """A temporary table as the gateway knows it: its columns, each with the sources of what was ever written into it.

    `columns` is None where they are not known. `types` are their types as declared, lower-case ("nvarchar(50)"), where
    they were; `strict` is whether a key or a check of its own may refuse a value.
    """

    name: str
    columns: Columns | None
    types: tuple[str, ...] = ()
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Changes:
    """What a request leaves behind in its session, if it succeeds or as far as it came.

    `temporary` are temporary tables made or written to, by lower-case name with `#`; `dropped` those that are gone;
    `cursors` global cursors, by lower-case name, with what FETCH shows of each. `settings` are the SET options that
    later batches mean something else by, lower-case, each with all values that may be in force ("on", "off", a number):
    quoted_identifier, nocount, rowcount, implicit_transactions, xact_abort, noexec, parseonly, fmtonly, showplan,
    statistics, language, dateformat, user … `unsettled` are names that mean something else from now on, unless the
    catalog is read again: `version` is that of the snapshot which does not know it. `forbidden` says why no policy can
    permit it: later requests could not be judged. `made` is what the text defines, in its order; `redefines` are
    the names, as in `unsettled`, that it defines otherwise than the catalog has them; `opened` those by
    which other tables' values may show.
    """

    temporary: Mapping[str, Temporary] = field(default_factory=dict)
    dropped: frozenset[str] = frozenset()
    cursors: Mapping[str, Columns | None] = field(default_factory=dict)
    settings: Mapping[str, frozenset[str]] = field(default_factory=dict)
    unsettled: frozenset[str] = frozenset()
    version: int = 0
    forbidden: str = ""
    made: tuple[Defined, ...] = ()
    redefines: frozenset[str] = frozenset()
    opened: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        known = self.temporary or self.dropped or self.cursors or self.settings
        return bool(known or self.unsettled or self.redefines)


NO_CHANGES = Changes()


@dataclass(frozen=True, slots=True)
class Classified:
    """One request: its effects, and what masking, recording, limits and the session's state need of it.

    `literals` count characters of the text. `parameters` maps "@id" (lower-case) to the column that it is stored into
    or compared with; `secret_parameters` are those that no recording may hold. `results` are all result sets that may
    come, in the order of the text; None: others may come too. With `harmless_others` there are others, which hold no
    value of a table (the server's own catalog procedures). `returns` maps "@name" (lower-case) of OUTPUT parameters
    to the columns that their values depend on, and RETURN_STATUS to those of a RETURN value. `messages` are the columns
    whose values PRINT, RAISERROR and THROW may say. `reads` are (schema, relation), tables behind views included.
    `copies` are the columns whose values would be stored elsewhere or sent on; None if that cannot be traced.
    `filters` are the columns that decide which rows there are, their order or number, or whether it fails. `renames`
    are (schema, relation) whose rows or columns another name will show.

    `modifies` is how many INSERT, UPDATE, DELETE and MERGE are written in the batch and in the code that it runs;
    `counted` is whether the reply says of each of them how many rows it changed: false where NOCOUNT may be on, where
    one may be repeated (loops) or code that could not be read may change rows. `straight`: no IF, WHILE, GOTO, TRY or
    RETURN. `transaction` holds "begin", "commit", "rollback", "save" where such may run.
    """

    operation: str
    effects: tuple[Effect, ...]
    filtered: bool = False
    doubt: str = ""
    literals: tuple[Literal, ...] = ()
    parameters: Mapping[str, Column] = field(default_factory=dict)
    secret_parameters: frozenset[str] = frozenset()
    results: tuple[ResultSet, ...] | None = ()
    harmless_others: bool = False
    returns: Mapping[str, Sources] = field(default_factory=dict)
    messages: Sources = frozenset()
    reads: frozenset[tuple[str, str]] = frozenset()
    renames: frozenset[tuple[str, str]] = frozenset()
    copies: Sources = frozenset()
    filters: Sources = frozenset()
    modifies: int = 0
    counted: bool = True
    straight: bool = True
    transaction: frozenset[str] = frozenset()
    changes: Changes = NO_CHANGES

    def means_like(self, other: Classified) -> bool:
        """Whether it does and shows the same as another reading of the same text, under another catalog, did."""
        return _meaning(self) == _meaning(other)

    def fingerprint(self) -> int:
        """Return what differs, within this process, where `means_like` does: it keeps nothing of the reading."""
        return hash(_meaning(self))


def _meaning(one: Classified) -> tuple[object, ...]:
    returns = frozenset(one.returns.items())
    return one.effects, one.results, returns, one.messages, one.copies, one.filters, one.modifies
