"""What the classifier says of one statement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from blastwall.model.effects import Effect
from blastwall.model.statement import Column, Literal
from blastwall.sql.lineage import OutputColumn
from blastwall.sql.postgres.hanging import Lost


@dataclass(frozen=True, slots=True)
class Copy:
    """A COPY to or from the client. `columns` is None where they could not be traced.

    `stores_all` is whether every row that comes in is stored: none is left out by WHERE or for being malformed.
    """

    direction: str
    format: str = "text"
    columns: tuple[OutputColumn, ...] | None = None
    delimiter: str = "\t"
    null: str = "\\N"
    header: bool = False
    quote: str = '"'
    escape: str = '"'
    encoding: str = ""
    force_quote: tuple[str, ...] = ()
    stores_all: bool = False


@dataclass(frozen=True, slots=True)
class Changes:
    """What a statement does to the meaning of later names.

    `paths` are the search paths that may be in force afterwards: None unchanged, () unknown. `reset` means back to the
    session's default. `local` ends with the transaction. `certain` is false where the change may not happen
    (set_config in an expression, a statement that is only prepared). `user` is a role taken, `temp` names made
    temporary, `functions` names of functions made. `forbidden` says why no policy can permit it: later
    statements could not be judged. `application` is what the client calls itself from now on, where a SET says so.
    """

    paths: tuple[tuple[str, ...], ...] | None = None
    reset: bool = False
    local: bool = False
    certain: bool = True
    user: str = ""
    temp: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()
    forbidden: str = ""
    application: str | None = None

    def __bool__(self) -> bool:
        return self.paths is not None or self.reset or bool(self.user or self.temp or self.functions)


NO_CHANGES = Changes()


@dataclass(frozen=True, slots=True)
class Classified:
    """One statement of a text: its effects, and what masking, recording and the session's state need of it.

    `start` and `end` are character offsets in the text; literals' offsets are relative to the whole text. `parameters`
    maps $n to the column that it is stored into or compared with. `copies` are the columns whose values the statement
    would store elsewhere or send on: None if that cannot be traced. `filters` are the columns that decide which rows
    there are, their order or number, or whether it fails, as in `Statement.filters`. `reads` are (schema, relation),
    tables behind views included. `renames` are those whose rows or columns another name will show: renamed, moved,
    attached to a table or detached. `modifies` is how many INSERT, UPDATE, DELETE and MERGE run in the statement, those
    in WITH and in code that could be read included; `fetches` is the cursor whose rows it gives, `runs` false of what
    is only planned (EXPLAIN) or prepared. `lost` are places whose names may mean what stands behind them on the
    search_path from now on, as `NameState` has them; `hides` is whether a column hides one of the query around.
    `otherwise` are the columns of `outputs`, or those copied out, with all that they may show if relations are altered
    before the statement is run, None where that is the same; `spreads` is whether each of them may then be any other:
    it hangs on how many columns a relation has. `countable` is whether no star gives any but plain columns of tables.
    `frees` are databases that nobody else may be connected to when it runs. `opens` is whether code that it runs may
    open cursors by names that it does not have; `by_code` of a FETCH that its cursor may be one of those, or be as it
    was before a view was replaced: nobody knows what it shows.
    `tree` is the parsed statement, or its `Source`, kept so that EXECUTE can judge a prepared statement again where
    names have changed their meaning; what is remembered has none (`recall`).
    """

    start: int
    end: int
    operation: str
    effects: tuple[Effect, ...]
    filtered: bool = False
    doubt: str = ""
    literals: tuple[Literal, ...] = ()
    parameters: Mapping[int, Column] = field(default_factory=dict)
    secret_parameters: frozenset[int] = frozenset()
    outputs: tuple[OutputColumn, ...] | None = None
    returns_rows: bool = False
    reads: frozenset[tuple[str, str]] = frozenset()
    renames: frozenset[tuple[str, str]] = frozenset()
    copies: frozenset[Column] | None = frozenset()
    filters: frozenset[Column] | None = frozenset()
    copy: Copy | None = None
    transaction: str = ""
    modifies: int = 0
    fetches: str | None = None
    runs: bool = True
    prepares: tuple[str, tuple[Classified, ...]] | None = None
    executes: str | None = None
    deallocates: str | None = None
    declares: tuple[str, tuple[Classified, ...]] | None = None
    closes: str | None = None
    changes: Changes = NO_CHANGES
    hides: bool = False
    otherwise: tuple[OutputColumn, ...] | None = None
    spreads: bool = False
    countable: bool = True
    lost: frozenset[Lost] = frozenset()
    frees: frozenset[str] = frozenset()
    opens: bool = False
    by_code: bool = False
    tree: object = field(default=None, repr=False, compare=False)

    @property
    def shifts(self) -> bool:
        """Whether it goes by places what some column shows, of which the server does not say whence it comes."""
        return self.otherwise is not None and (
            self.copy is not None or any(not column.exact for column in (*(self.outputs or ()), *self.otherwise))
        )
