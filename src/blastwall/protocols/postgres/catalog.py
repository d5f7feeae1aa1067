"""The side connection of the gateway's own: it reads a database's catalog, once for all sessions on it.

Sessions ask it for `CURRENT` at login, after a statement that may have changed a definition, and where a result comes
from an unknown table: a look at the catalog's fingerprint that begins after the question, and a new reading where it
has changed. The answer is the `View`, whose `snapshot` every session reads at each statement.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace

from blastwall.model.credential import Credential
from blastwall.model.statement import SOME, Column
from blastwall.protocols.contract import UPSTREAM, Answered, Close, Opening, Output, Send, Side
from blastwall.protocols.postgres.attachments import attachments_in_slices
from blastwall.protocols.postgres.binary_values import Shapes, shapes_of
from blastwall.protocols.postgres.catalog_queries import (
    FINGERPRINT,
    FIRST_VIEWS,
    INITIAL_FUNCTIONS,
    MOMENT,
    PLANNED_MOST,
    QUERIES,
    SECURE,
    VIEWS_AT_ONCE,
    Plans,
    views_after,
)
from blastwall.protocols.postgres.changing import Changing
from blastwall.protocols.postgres.constraints import constrain, generate
from blastwall.protocols.postgres.errors import decode_fields
from blastwall.protocols.postgres.hosts import ServerLogin
from blastwall.protocols.postgres.messages import decode_data_row, encode_query
from blastwall.protocols.reaching import CatalogUnavailable, HandshakeFailed, companion_place
from blastwall.protocols.slices import AT_ONCE, Sliced, parts, slice_by_slice
from blastwall.sql.postgres import NO_FUNCTIONS, Catalog, Classified, Function, Functions, Relation, Texts
from blastwall.wire.reader import Malformed

_PATH_NAME = re.compile(r'\s*(?:"(?P<quoted>(?:[^"]|"")*)"|(?P<plain>[^\s,"]*))\s*(?:,|$)')
MAX_MESSAGE = 64 << 20

_FAULTS = (Malformed, ValueError, KeyError, IndexError, TypeError)

_MOST_WIDENED = 4096

CURRENT = "current"
"""The question: the catalog as it is now."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Snapshot:
    """One reading of a database's catalog.

    `parents` maps a partition or inheriting table to its ancestors, `heirs` a table to all that are its partitions or
    inherit from it; `text_types` are the database's own text-like types, `shapes` how compound ones are put together.
    `texts` remembers what texts mean under this snapshot, `widened` what columns of tables with heirs show. `mark`
    is of this reading alone: who must know later which one it was keeps that, for a large catalog takes much memory.
    """

    catalog: Catalog
    parents: dict[int, tuple[int, ...]]
    text_types: frozenset[int]
    search_path: tuple[str, ...]
    shapes: Shapes = field(default_factory=dict)
    texts: Texts = field(default_factory=Texts)
    heirs: Mapping[int, Sequence[int]] = field(default_factory=dict)
    widened: dict[Column, frozenset[Column]] = field(init=False, repr=False, compare=False, default_factory=dict)
    mark: object = field(init=False, repr=False, compare=False, default_factory=object)

    def origin(self, table: int, attribute: int) -> frozenset[Column] | None:
        """The columns that a result column with this origin shows; None for an unknown table or a whole row."""
        relation = self.catalog.by_oid(table)
        if relation is None or not 0 < attribute <= len(relation.columns):
            return None
        if relation.kind in ("v", "m"):
            sources = self.catalog.view_sources(relation)
            found = sources[attribute - 1] if attribute <= len(sources) else None
            return None if found is None else self.widen(found)
        return self.widen(frozenset({self._column(relation, relation.columns[attribute - 1])}))

    def deciding(self, classified: Classified) -> frozenset[Column] | None:
        """The columns that decide over a statement's outcome, as masking rules may name them."""
        filters = classified.filters
        return filters if not filters else self.widen(filters)

    def widen(self, columns: Iterable[Column]) -> frozenset[Column]:
        """Add every column by whose name a masking rule is about what these show.

        Those are the same columns of heirs, whose rows a table's name shows too; what generated columns are made of;
        and the same columns of the tables that each of them is a partition of, or inherits from.
        """
        widened: set[Column] = set()
        for column in columns:
            relation = self.catalog.relation(column.schema, column.table)
            if relation is None:
                widened.add(column)
            elif relation.oid in self.heirs:
                widened |= self._with_heirs(column, relation)
            else:
                widened |= self._of_one(column, relation)
        return frozenset(widened)

    def _with_heirs(self, column: Column, relation: Relation) -> frozenset[Column]:
        """Do `widen` for a table with heirs, which may be thousands."""
        known = self.widened.get(column)
        if known is None:
            known = frozenset(
                found
                for one in (relation, *self._relations(self.heirs[relation.oid]))
                if one is relation or column.column in (*one.columns, SOME)
                for found in self._of_one(self._column(one, column.column), one)
            )
            if len(self.widened) >= _MOST_WIDENED:
                self.widened.clear()
            self.widened[column] = known
        return known

    def _of_one(self, column: Column, relation: Relation) -> set[Column]:
        """The column with what it is made of, and with those of the table's ancestors."""
        found = {column}
        for name, made_of in relation.generated:
            if column.column in (name, SOME):
                found.update(self._column(relation, one) for one in made_of)
        for parent in self._relations(self.parents.get(relation.oid, ())):
            names = {one.column for one in found}.intersection((*parent.columns, SOME))
            found.update(self._column(parent, name) for name in names)
        return found

    def _relations(self, oids: Iterable[int]) -> Iterator[Relation]:
        return (one for one in map(self.catalog.by_oid, oids) if one is not None)

    def _column(self, relation: Relation, name: str) -> Column:
        return Column(self.catalog.database, relation.schema, relation.name, name)


class View:
    """What the sessions of one database share; `snapshot` is replaced whole. `known` is false where it was forgotten.

    `changing` is what each of them does to it. It outlives the connection that it was read by, as long as there are
    such sessions: they go by what the next reads.
    """

    __slots__ = ("__weakref__", "_snapshot", "changing", "known", "present")

    def __init__(self, snapshot: Snapshot) -> None:
        self.changing = Changing()
        self.present = self.changing.present
        self.known = True
        self.snapshot = snapshot

    @property
    def snapshot(self) -> Snapshot:
        """The newest reading."""
        return self._snapshot

    @snapshot.setter
    def snapshot(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self.present.mark = snapshot.mark

    def learn(self, snapshot: Snapshot) -> None:
        """Go by a new reading."""
        self.snapshot, self.known = snapshot, True

    def forget(self) -> None:
        """A definition may have changed unseen: judge nothing by what was read before it."""
        old = self.snapshot.catalog
        empty = Catalog(old.database, old.version + 1, (), (), (), self.snapshot.search_path)
        self.snapshot, self.known = replace(self.snapshot, catalog=empty, texts=Texts()), False


Row = tuple[str | None, ...]
"""Values of a result as text. The collector leaves tuples of text alone, however many there are."""

Views = MutableMapping[Hashable, View]
"""The views of sessions that are open, by resource and companion's name."""


class PostgresCompanion:
    """The side connection of one resource and database. One query is under way at a time."""

    def __init__(self, opening: Opening, credential: Credential, name: str, views: Views | None = None) -> None:
        database, hosts = companion_place(opening.resource, name)
        self._database = database
        self._shared: Views = {} if views is None else views
        self._key = (opening.resource.name, *map(str, opening.resource.hosts), name)
        self._user = credential.user
        parameters = {"user": credential.user, "database": database, "application_name": "blastwall catalog"}
        self._handshake: ServerLogin | None = ServerLogin(
            UPSTREAM,
            opening.resource,
            credential,
            {**parameters, "client_encoding": "UTF8", "options": "-c default_transaction_read_only=on"},
            opening.entropy,
            hosts=hosts,
        )
        self._buffer = b""
        self._asked: list[int] = []
        self._reading: list[int] = []
        self._queries: deque[str] = deque()
        self._plans = Plans()
        self._on_views = False
        self._views: list[Row] = []
        self._rows: list[Row] = []
        self._results: list[list[Row]] = []
        self._fingerprint: list[str | None] = []
        self._moment: str | None = None
        self._path: tuple[str, ...] = ()
        self._given: str | None = None
        self._initial = NO_FUNCTIONS
        self._view: View | None = self._shared.get(self._key)
        self._busy = True

    @property
    def place(self) -> str:
        return self._database

    @property
    def again(self) -> Hashable | None:
        """The catalog, as long as there are sessions: others define what no session hears of."""
        return CURRENT if self._view is not None and self._view.changing.parties else None

    def start(self) -> list[Output]:
        return self._handshake.start() if self._handshake else []

    def receive(self, side: Side, data: bytes) -> list[Output]:
        try:
            if self._handshake is not None:
                return self._log_in(self._handshake, data)
            self._buffer += data
            return self._messages()
        except (HandshakeFailed, *_FAULTS) as error:
            return self._unreadable(error)

    def receive_eof(self, side: Side) -> list[Output]:
        lost = f"the connection for the catalog of {self._database} was lost"
        return self._fail(lost) if self._handshake is None else self._host_failed(self._handshake, lost, "")

    def dial_failed(self, side: Side, reason: str) -> list[Output]:
        if self._handshake is None:
            return self._fail(reason, told=reason)
        return self._host_failed(self._handshake, reason, reason)

    def _host_failed(self, handshake: ServerLogin, reason: str, told: str) -> list[Output]:
        """Go on to the next host, where there is one."""
        try:
            return handshake.failed(reason)
        except HandshakeFailed as failure:
            return self._fail(str(failure), told and failure.told)

    def tls_started(self, side: Side, alpn: str | None, certificate: bytes) -> list[Output]:
        return self._handshake.tls_started(certificate) if self._handshake else []

    def look_up(self, number: int, question: Hashable) -> list[Output]:
        self._asked.append(number)
        return [] if self._busy else self._next()

    def _log_in(self, handshake: ServerLogin, data: bytes) -> list[Output]:
        outputs = handshake.receive(data)
        if handshake.ready:
            self._handshake = None
            self._buffer = handshake.buffered
            self._queries.extend((*SECURE, INITIAL_FUNCTIONS))
            outputs += self._send()
        return outputs

    def _next(self) -> list[Output]:
        """Begin with what was asked: a first reading, or a look whether another is needed."""
        if not self._asked:
            self._busy = False
            return []
        self._busy = True
        self._reading, self._asked = self._asked, []
        read = self._moment is not None and self._view is not None and self._view.known
        self._queries.extend((MOMENT,) if read else (FINGERPRINT, *QUERIES))
        return self._send()

    def _send(self) -> list[Output]:
        query = self._queries.popleft()
        self._on_views = self._on_views or query == FIRST_VIEWS
        return [Send(UPSTREAM, encode_query(self._plans.text(query)))]

    def _messages(self) -> list[Output]:
        outputs: list[Output] = []
        position, buffer = 0, self._buffer
        while len(buffer) - position >= 5:
            length = int.from_bytes(buffer[position + 1 : position + 5], "big")
            if not 4 <= length <= MAX_MESSAGE:
                raise Malformed(f"a message of {length} bytes")
            end = position + 1 + length
            if end > len(buffer):
                break
            self._message(buffer[position : position + 1], buffer[position + 5 : end], outputs)
            position = end
        self._buffer = buffer[position:]
        return outputs

    def _message(self, kind: bytes, body: bytes, outputs: list[Output]) -> None:
        if kind == b"D":
            values = decode_data_row(body)
            self._rows.append(tuple([None if value is None else value.decode() for value in values]))
        elif kind == b"E":
            fields = decode_fields(body)
            raise Malformed(f"{fields['M']} ({fields['C']})")
        elif kind == b"Z":
            self._take(self._rows)
            self._rows = []
            outputs += self._send() if self._queries else self._finished()
        elif kind not in (b"T", b"C", b"S", b"N", b"A", b"K"):
            raise Malformed(f"an unexpected message {kind!r}")

    def _take(self, rows: list[Row]) -> None:
        """Keep a result. That of the views comes in parts, of which the last one is short."""
        if not self._on_views:
            self._results.append(rows)
            return
        self._views += rows
        if len(rows) == VIEWS_AT_ONCE:
            self._queries.appendleft(views_after(max(int(oid or 0) for oid, _ in rows)))
            return
        self._results.append(self._views)
        self._views, self._on_views = [], False

    def _finished(self) -> list[Output]:
        results, self._results = self._results, []
        if not self._path:
            self._path = split_path(results[0][0][0] or "")
            self._initial = functions_of(results[-1])
            return self._next()
        if len(results) == 1 and (again := self._look_closer(results[0][0])):
            self._queries.extend(again)
            return self._send()
        if len(results) == 1:
            return self._answer()
        self._moment, *self._fingerprint = results[0][0]
        self._follow_path(self._fingerprint[0])
        self._plans.kept = len(results[1]) <= PLANNED_MOST
        return slice_by_slice(self._put_together(results[1:]), self._learn, self._unreadable, _FAULTS)

    def _follow_path(self, given: str | None) -> None:
        """Go by the search_path that new sessions are given, where it is other than when this one began.

        Raises:
            Malformed: it is the server's own again, which only a new connection can tell.
        """
        if given is None and self._given is not None:
            raise Malformed("a search_path that the role or database had is gone: it is asked anew")
        self._given = given
        self._path = self._path if given is None else split_path(given)

    def _answer(self) -> list[Output]:
        answered: list[Output] = [Answered(number, self._view) for number in self._reading]
        self._reading = []
        return answered + self._next()

    def _look_closer(self, row: Row) -> tuple[str, ...]:
        """Return what else must be asked before it is known that nothing changed; nothing where that is known."""
        moment, *fingerprint = row
        if not fingerprint:
            return () if moment == self._moment else (FINGERPRINT,)
        if fingerprint != self._fingerprint:
            return (FINGERPRINT, *QUERIES)
        self._moment = moment
        return ()

    def _put_together(self, results: list[list[Row]]) -> Sliced[Snapshot]:
        self._view = self._view or self._shared.get(self._key)
        old = None if self._view is None else self._view.snapshot.catalog
        return snapshot_in_slices(self._database, old, results, self._path, self._initial)

    def _learn(self, read: Snapshot) -> list[Output]:
        if self._view is None:
            self._view = self._shared[self._key] = View(read)
        else:
            self._view.learn(read)
        return self._answer()

    def _unreadable(self, error: Exception) -> list[Output]:
        return self._fail(f"the catalog of {self._database} cannot be read: {error}")

    def _fail(self, reason: str, told: str = "") -> list[Output]:
        waiting = [*self._reading, *self._asked]
        self._reading, self._asked = [], []
        failed: list[Output] = [Answered(number, CatalogUnavailable(reason, told)) for number in waiting]
        return [*failed, Close(reason)]


def snapshot_in_slices(
    database: str,
    old: Catalog | None,
    results: Sequence[Sequence[Row]],
    path: tuple[str, ...],
    initial: Functions = NO_FUNCTIONS,
) -> Sliced[Snapshot]:
    """Put together what `QUERIES` returned, as text; of the `initial` functions, those that were not changed.

    What is as in the `old` catalog is not kept twice.

    Raises:
        ValueError, IndexError, KeyError, TypeError: a result is not what the query gives.
    """
    relations, views, functions, schemas, parents, types, checks, generated, code, attached, shapes = results
    definitions = {int(oid or 0): definition or "" for oid, definition in views}
    found: dict[int, Relation] = {}
    for part in parts(relations):
        found.update((relation.oid, relation) for relation in (_relation(row, definitions) for row in part))
        yield
    generate(found, generated)
    hanging = yield from attachments_in_slices([*code, *attached])
    version = 1 if old is None else old.version + 1
    written: list[Function] = []
    for part in parts(functions):
        written.extend(_function(row) for row in part)
        yield
    unchanged = initial.without({one.oid for one in written} & initial.by_oid.keys())
    named = [str(row[0]) for row in schemas]
    catalog = Catalog(database, version, (), written, named, path, hanging, initial=unchanged)
    for some in parts(list(found.values())):
        catalog.add(some if old is None else [_kept(relation, old) for relation in some])
        yield
    yield from constrain(catalog, checks)
    ancestors: dict[int, tuple[int, ...]] = {}
    heirs: dict[int, list[int]] = {}
    for part in parts(parents):
        for child, parent in part:
            ancestors[int(child or 0)] = (*ancestors.get(int(child or 0), ()), int(parent or 0))
            heirs.setdefault(int(parent or 0), []).append(int(child or 0))
        yield
    known: dict[int, tuple[str, int]] = {}
    for part in parts(shapes, 8 * AT_ONCE):
        known.update(shapes_of(part))
        yield
    text_types = frozenset(int(row[0] or 0) for row in types)
    return Snapshot(catalog, ancestors, text_types, path, known, heirs=heirs)


def _kept(relation: Relation, old: Catalog) -> Relation:
    known = old.by_oid(relation.oid)
    return known if known is not None and known == relation else relation


def split_path(setting: str) -> tuple[str, ...]:
    """Split a `search_path` into schema names, as `SplitIdentifierString` does: `"$user", public` has two.

    Raises:
        Malformed: PostgreSQL would not take it.
    """
    names: list[str] = []
    position = 0
    for match in _PATH_NAME.finditer(setting):
        if match.start() != position:
            raise Malformed(f"the search_path {setting[:200]!r}, which cannot be read")
        position = match.end()
        if match["quoted"] is not None:
            names.append(match["quoted"].replace('""', '"'))
        elif match["plain"]:
            names.append(match["plain"].lower())
    return tuple(names)


def _relation(row: Row, definitions: Mapping[int, str]) -> Relation:
    oid, schema, name, kind, columns, types = row
    number = int(oid or 0)
    return Relation(
        number,
        schema or "",
        name or "",
        kind or "",
        tuple(json.loads(columns or "[]")),
        definitions.get(number, ""),
        tuple(json.loads(types or "[]")),
    )


def functions_of(rows: Iterable[Row]) -> Functions:
    """Index what `INITIAL_FUNCTIONS` returned, as text."""
    return Functions(map(_function, rows))


def _function(row: Row) -> Function:
    schema, name, language, volatility, definer, kind, oid, definition = row
    return Function(
        schema or "", name or "", language or "", volatility or "", definer == "t", kind or "", int(oid or 0),
        definition or "",
    )  # fmt: skip
