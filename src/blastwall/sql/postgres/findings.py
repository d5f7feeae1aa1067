"""What one reading of a statement has found so far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from blastwall.model.effects import Action, Effect, Mark, Object
from blastwall.model.statement import SOME, Column
from blastwall.sql.gathered import all_effects
from blastwall.sql.lineage import Sources
from blastwall.sql.postgres.catalog import Catalog
from blastwall.sql.postgres.deciding import SAMPLES
from blastwall.sql.postgres.following import Follower
from blastwall.sql.postgres.guard import Limits
from blastwall.sql.postgres.hanging import Hung, Place
from blastwall.sql.postgres.state import NameState
from blastwall.sql.postgres.tree import Node, number


class TooComplexError(Exception):
    """The statement holds more sub-selects than are worth following."""


class OverBudgetError(Exception):
    """Reading the text takes more steps than were given for it."""


@dataclass(slots=True)
class Budget:
    """How many steps reading a text may still take; a step is some microseconds."""

    left: int

    def spend(self, steps: int) -> None:
        """Take steps. Raises OverBudgetError."""
        self.left -= steps
        if self.left < 0:
            raise OverBudgetError


QUERY_STEPS, CALL_STEPS = 10, 4


class Findings:
    """Collects effects, doubts, columns and literals; the readers built on it add to it."""

    budget: Budget | None = None

    def __init__(self, catalog: Catalog, state: NameState, limits: Limits) -> None:
        self.catalog = catalog
        self.state = state
        self.limits = limits
        self.database = Object((catalog.database,), "database")
        self.effects: dict[Effect, None] = {}
        self.followed: dict[Effect, None] = {}
        self.doubts: dict[str, None] = {}
        self.reads: set[tuple[str, str]] = set()
        self.renames: set[tuple[str, str]] = set()
        self.called: set[Place] = set()
        self.hung: set[Hung] = set()
        self.hides = False
        self.frees: frozenset[str] = frozenset()
        self.cautious = False
        self.unsettled = False
        self.bare = False
        self.mixed = False
        self.countable = True
        self.copies: Sources = frozenset()
        self.filters: set[Column] = set()
        self.filters_open = False
        self.filters_by_code = False
        self.met: list[Sources] = []
        self.told: Sources = frozenset()
        self.code_runs = 0
        self.literals: dict[int, Column | None] = {}
        self.secrets: set[int] = set()
        self.parameters: dict[int, Column] = {}
        self.secret_parameters: set[int] = set()
        self.predicates: list[bool] = []
        self._queries = 0
        self._secret = 0

    @property
    def follower(self) -> Follower:
        """What follows definitions, in the state that names have now."""
        return Follower(self.catalog, self.state, self.limits)

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
        """Say that the statement cannot be placed."""
        self.doubts[reason] = None
        self.effect(Action.UNCLASSIFIED, self.database)

    def pseudo(self, folder: str, name: str, kind: str) -> Object:
        """Return an object that lives in no schema, `folder` without its `@`."""
        return Object((self.catalog.database, f"@{folder}", name), kind)

    def send_on(self, sources: Sources) -> None:
        """Say that values of these columns would be stored or sent elsewhere."""
        self.copies = None if self.copies is None or sources is None else self.copies | sources

    def filter_by(self, sources: Sources) -> None:
        """Say that these columns choose, order or count rows, or make the statement fail; None is some column read."""
        if sources is None:
            self.filters_open = True
        else:
            self.filters |= sources

    def filter_by_met(self, mark: int, code: int) -> None:
        """Say so of every column that was met, and every code that was run, since these counts were taken."""
        self.filters_by_code |= self.code_runs > code
        for sources in self.met[mark:]:
            self.filter_by(sources)

    def filtering(self) -> frozenset[Column] | None:
        """Return the columns that decide; where they are not all known, some column of each relation that is read."""
        if self.doubts or self.filters_by_code:
            return None
        if not self.filters_open:
            return frozenset(self.filters)
        if not SAMPLES.isdisjoint(self.reads) or any(map(self._untraced_view, self.reads)):
            return None
        database = self.catalog.database
        return frozenset({*self.filters, *(Column(database, schema, table, SOME) for schema, table in self.reads)})

    def _untraced_view(self, read: tuple[str, str]) -> bool:
        relation = self.catalog.relation(*read)
        return relation is not None and self.catalog.shows_untraced(relation)

    def count_query(self) -> None:
        """Count one more SELECT. Raises TooComplexError past the limit."""
        self.spend(QUERY_STEPS)
        self._queries += 1
        if self._queries > self.limits.queries:
            raise TooComplexError

    def spend(self, steps: int) -> None:
        """Count steps of work, where they are counted. Raises OverBudgetError."""
        if self.budget is not None:
            self.budget.spend(steps)

    def literal(self, node: Node, column: Column | None = None) -> None:
        """Note a string or number in the text, and the column that it meets; `node` is an A_Const."""
        location = number(node, "location", 0)
        if location < 0 or not ("sval" in node or "ival" in node or "fval" in node or "bsval" in node):
            return
        self.literals[location] = column or self.literals.get(location)
        if self._secret:
            self.secrets.add(location)

    def parameter(self, node: Node) -> None:
        """Note a $n; `node` is a ParamRef."""
        if self._secret:
            self.secret_parameters.add(number(node, "number"))

    def secret(self, on: bool) -> None:
        """From now on, until called with False as often, literals and parameters are secrets."""
        self._secret += 1 if on else -1
