"""What one reading of a text has found so far."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from blastwall.model.effects import Action, Effect, Mark, Object
from blastwall.model.statement import SOME, Column
from blastwall.sql.gathered import all_effects
from blastwall.sql.lineage import Lineage, OutputColumn, Sources, union
from blastwall.sql.tsql.catalog import Catalog
from blastwall.sql.tsql.defined import Defined
from blastwall.sql.tsql.limits import Limits
from blastwall.sql.tsql.nodes import Constant, Node
from blastwall.sql.tsql.state import NameState
from blastwall.sql.tsql.statement import ResultSet, Temporary

QUERY_STEPS, CALL_STEPS, APPLY_STEPS = 10, 4, 10
MAX_DEPTH = 16
_NO_SOURCES: frozenset[Column] = frozenset()


class TooComplexError(Exception):
    """Reading the text takes more steps, or goes deeper, than is worth following."""


@dataclass(slots=True)
class Budget:
    """How many steps reading a request may still take, all passes and followed code included."""

    left: int

    def spend(self, steps: int) -> None:
        """Take steps. Raises TooComplexError."""
        self.left -= steps
        if self.left < 0:
            raise TooComplexError


@dataclass(slots=True)
class Temporaries:
    """Temporary tables and table variables: each column with all that is ever written into it.

    Control may flow backwards, so sources only grow; what grew after it was read is read `again`.
    """

    tables: dict[str, Temporary] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    again: bool = False

    def read(self, name: str) -> Temporary | None:
        """Return the table of that name, lower-case with its sign."""
        self.seen.add(name)
        return self.tables.get(name)

    def put(self, name: str, table: Temporary) -> None:
        """Make a table what it is."""
        if self.tables.get(name) != table:
            self.again = self.again or name in self.seen
            self.tables[name] = table

    def store(self, name: str, at: int, sources: Sources) -> None:
        """Note what is written into the column at a place."""
        known = self.tables.get(name)
        if known is None or known.columns is None or sources == _NO_SOURCES:
            return
        if at >= len(known.columns):
            self.put(name, replace(known, columns=None))
            return
        column = known.columns[at]
        whole = union([Lineage(column.sources), Lineage(sources)]).sources
        if whole != column.sources:
            changed = OutputColumn(column.name, whole, exact=False)
            self.put(name, replace(known, columns=(*known.columns[:at], changed, *known.columns[at + 1 :])))


_ODD = "\0odd"
"""The variable that stands for those with names outside ASCII."""


@dataclass(slots=True)
class Flow:
    """The variables of one text: what may have been put into each, wherever in it. `lost`: nobody knows any more."""

    variables: dict[str, Sources] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    again: bool = False
    lost: bool = False
    all_seen: bool = False

    def read(self, name: str) -> Sources:
        """Return what a variable may hold: one outside ASCII may be any other, where names go without accents."""
        self.seen.update((name, _ODD))
        if self.lost:
            return None
        names = {name, _ODD}
        if not name.isascii():
            names |= {one for one in self.variables if one.startswith("@")}
            self.all_seen = True
        return union([Lineage(self.variables.get(one, _NO_SOURCES)) for one in names]).sources

    def store(self, name: str, sources: Sources) -> None:
        """Note what is put into a variable."""
        known = self.variables.get(name, _NO_SOURCES)
        if known is None or (sources is not None and sources <= known):
            return
        whole = union([Lineage(known), Lineage(sources)]).sources
        if whole != known:
            self.variables[name] = whole
            self.again = self.again or name in self.seen or self.all_seen
        if not name.isascii():
            self.store(_ODD, sources)


@dataclass(slots=True)
class Chain:
    """What all readers of one request share.

    `open` are the definitions that are being followed, outermost first; `lowest` is the outermost of those met again.
    `unsettled` are names, as "schema.name" folded, whose meaning changes somewhere in the request, wherever they are
    used in it; `making` is the one that is being defined, whose body may name itself. `assigned` are the variables
    that the parts of a tree put something into, by the id() of the part, which is kept beside. `text` is the request's
    own, "" where there is none; `altered` is what is defined by other code than the request's own text.
    """

    open: list[int] = field(default_factory=list)
    lowest: int = MAX_DEPTH
    unsettled: set[str] = field(default_factory=set)
    making: str = ""
    assigned: dict[int, tuple[Node, Mapping[str, int]]] = field(default_factory=dict)
    text: str = ""
    altered: dict[Defined, None] = field(default_factory=dict)


Offsets = Callable[[int], int] | None
"""From an offset in the text that is read to one in the request's text; None where it does not stand there."""


class Findings:
    """Collects effects, doubts, columns and literals; the readers built on it add to it."""

    chain: Chain
    topmost = False
    """Whether the request's own text is read: not a definition that it sets off, nor a text within it."""
    alone = False
    """Whether it holds a single statement."""

    def __init__(
        self, catalog: Catalog, state: NameState, limits: Limits, budget: Budget, offsets: Offsets = None
    ) -> None:
        self.catalog = catalog
        self.state = state
        self.limits = limits
        self.budget = budget
        self.offsets = offsets
        self.flow = Flow()
        self.temporaries = Temporaries()
        self.database = Object((catalog.database,), "database")
        self.effects: dict[Effect, None] = {}
        self.followed: dict[Effect, None] = {}
        self.doubts: dict[str, None] = {}
        self.reads: set[tuple[str, str]] = set()
        self.renames: set[tuple[str, str]] = set()
        self.copies: Sources = _NO_SOURCES
        self.messages: Sources = _NO_SOURCES
        self.filters: set[Column] = set()
        self.filters_open = False
        self.filters_unknown = False
        self.met: list[Sources] = []
        self.code_runs = 0
        self.literals: dict[tuple[int, int], Column | None] = {}
        self.secrets: set[tuple[int, int]] = set()
        self.compared: dict[str, Column] = {}
        self.given: dict[str, set[tuple[int, int]]] = {}
        self.secret_variables: set[str] = set()
        self.predicates: list[bool] = []
        self.results: list[ResultSet] = []
        self.results_open = False
        self.harmless_others = False
        self.returns: dict[str, Sources] = {}
        self.modifies = 0
        self.uncounted = False
        self.transaction: set[str] = set()
        self.straight = True
        self.forbidden = ""
        self.settings: dict[str, set[str]] = {}
        self.dropped: set[str] = set()
        self.made: list[Defined] = []
        self.applied: dict[tuple[int, tuple[tuple[str, Sources], ...]], object] = {}
        self._secret = 0

    # ── effects ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def effect(self, action: Action, target: Object, marks: frozenset[Mark] = frozenset()) -> None:
        """Add an effect; one that is already there stays in its place."""
        self.effects[Effect(action, target, marks)] = None

    def follow(self, effects: Iterable[Effect]) -> None:
        """Add what definitions set off."""
        self.followed.update(dict.fromkeys(effects))

    def all_effects(self) -> tuple[Effect, ...]:
        """See `gathered.all_effects`."""
        return all_effects(self.effects, self.followed)

    def connect(self) -> None:
        """Add the effect of what harms nothing."""
        self.effect(Action.CONNECT, self.database)

    def concede(self, reason: str) -> None:
        """Say that something cannot be placed."""
        if len(self.doubts) < _MOST_DOUBTS:
            self.doubts[reason] = None
        self.effect(Action.UNCLASSIFIED, self.database)

    def forbid(self, reason: str) -> None:
        """Say why no policy can permit it."""
        self.forbidden = self.forbidden or reason
        self.concede(reason)

    def pseudo(self, folder: str, name: str, kind: str) -> Object:
        """Return an object that lives in no schema, `folder` without its `@`."""
        return Object((self.catalog.database, f"@{folder}", name), kind)

    def server(self, name: str) -> Object:
        """Return another server that the database reaches."""
        return self.pseudo("servers", name or "unknown", "server")

    def file(self, name: str) -> Object:
        """Return a file or an address that the server would open, without what may be a signature."""
        return self.pseudo("files", _USER.sub("//", name.partition("?")[0]) or "unknown", "file")

    def role(self, name: str) -> Object:
        """Return a principal of the database or the server."""
        return self.pseudo("roles", name or "unknown", "role")

    def setting(self, name: str) -> Object:
        """Return a setting of the database or the server."""
        return self.pseudo("settings", name, "setting")

    # ── where values go ──────────────────────────────────────────────────────────────────────────────────────────────

    def send_on(self, sources: Sources) -> None:
        """Say that values of these columns would be stored or sent elsewhere."""
        self.copies = None if self.copies is None or sources is None else self.copies | sources

    def say(self, sources: Sources) -> None:
        """Say that a message may quote values of these columns."""
        self.messages = None if self.messages is None or sources is None else self.messages | sources

    def give(self, name: str, sources: Sources) -> None:
        """Note what an OUTPUT parameter or a RETURN gives."""
        self.returns[name] = union([Lineage(self.returns.get(name, _NO_SOURCES)), Lineage(sources)]).sources

    def filter_by(self, sources: Sources) -> None:
        """Say that these columns choose, order or count rows, or make it fail; None is some column that is read."""
        if sources is None:
            self.filters_open = True
        else:
            self.filters |= sources

    def filter_by_met(self, mark: int, code: int) -> None:
        """Say so of every column that was met, and every code that was run, since these counts were taken."""
        self.filters_unknown |= self.code_runs > code
        for sources in self.met[mark:]:
            self.filter_by(sources)

    def filtering(self) -> Sources:
        """Return the columns that decide; where they are not all known, some column of each relation that is read."""
        if self.doubts or self.filters_unknown:
            return None
        if not self.filters_open:
            return frozenset(self.filters)
        if any(schema in _SYSTEM for schema, _ in self.reads):
            return None
        database = self.catalog.database
        return frozenset({*self.filters, *(Column(database, schema, table, SOME) for schema, table in self.reads)})

    # ── literals and parameters ──────────────────────────────────────────────────────────────────────────────────────

    def literal(self, node: Constant, column: Column | None = None) -> None:
        """Note a string or number in the request's text, and the column that it meets."""
        if self.offsets is None or node.kind in _WORDS:
            return
        place = self.place(node)
        self.literals[place] = column or self.literals.get(place)
        if self._secret:
            self.secrets.add(place)

    def place(self, node: Node) -> tuple[int, int]:
        """Return where a node stands in the request's text."""
        offsets = self.offsets
        return (node.start, node.end) if offsets is None else (offsets(node.start), offsets(node.end))

    def variable_met(self, name: str) -> None:
        """Note a variable's use where secrets stand."""
        if self._secret:
            self.secret_variables.add(name)

    def secret(self, on: bool) -> None:
        """From now on, until called with False as often, literals and variables are secrets."""
        self._secret += 1 if on else -1

    def settle(self) -> None:
        """Give the literals that were put into a variable the column that the variable meets, or its secrecy."""
        for name, places in self.given.items():
            column = self.compared.get(name)
            for place in places:
                if column is not None and self.literals.get(place) is None:
                    self.literals[place] = column
                if name in self.secret_variables:
                    self.secrets.add(place)

    def spend(self, steps: int) -> None:
        """Count steps of work. Raises TooComplexError."""
        self.budget.spend(steps)


_MOST_DOUBTS = 8
_USER = re.compile(r"//[^/@]*@")
_SYSTEM = frozenset({"sys", "INFORMATION_SCHEMA"})
_WORDS = frozenset({"NULL", "DEFAULT"})


def substituted(sources: Sources, arguments: Mapping[str, Sources]) -> Sources:
    """Return sources with a module's parameters replaced by those of what is given for them."""
    if not sources or not any(column.table == PARAMETER for column in sources):
        return sources
    found = [
        Lineage(arguments.get(one.column, _NO_SOURCES)) if one.table == PARAMETER else Lineage(frozenset({one}))
        for one in sources
    ]
    return union(found).sources


PARAMETER = "@"
"""The table of a column that stands for a parameter of a module whose code is followed."""


def parameter(name: str) -> frozenset[Column]:
    """Return what stands for whatever is given to a module's parameter."""
    return frozenset({Column("", "", PARAMETER, name)})
