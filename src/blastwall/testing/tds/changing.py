"""Changes, carried out: identity values, constraints that DuckDB does not hold, cascades, triggers, OUTPUT."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from blastwall.testing.tds.catalog import Column, Database, ForeignKey, Key, Module, Table, duck_type, quoted
from blastwall.testing.tds.changes import TOUCHED, Change
from blastwall.testing.tds.errors import SqlError, Violation, unsupported
from blastwall.testing.tds.expressions import Field

if TYPE_CHECKING:
    from blastwall.testing.tds.state import State

Values = Mapping[str, object]
Fire = Callable[[Module], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many rows a change touched, and the rows of its OUTPUT where it has one that goes to the client."""

    count: int
    fields: tuple[Field, ...] = ()
    rows: tuple[tuple[object, ...], ...] = ()


class Changing:
    """Carries changes out for one session. `fire` runs a trigger."""

    def __init__(self, state: State, fire: Fire) -> None:
        self.state, self._fire = state, fire

    def carry_out(self, change: Change, values: Values, *, fickle: bool = False) -> Outcome:
        """Carry a change out, wholly or not at all.

        Raises:
            SqlError: it failed.
        """
        try:
            with self.state.transactions.atomic():
                return self._steps(change, values, fickle)
        except Violation as violation:
            raise self._told(change, violation) from violation

    def _steps(self, change: Change, values: Values, fickle: bool) -> Outcome:
        triggers = self._triggers(change)
        if change.kind == "INSERT":
            outcome = self._insert(change, values, fickle, touch=bool(triggers))
        elif change.kind == "MERGE":
            if triggers:
                raise unsupported("MERGE into a table with triggers")
            outcome = self._merge(change, values, fickle)
        else:
            outcome = self._touched(change, values, fickle, touch=bool(triggers))
        if outcome.count:
            self._hold_keys(change.table, change)
        if triggers:
            self._run_triggers(change.table, triggers)
        return outcome

    # ── INSERT ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _insert(self, change: Change, values: Values, fickle: bool, *, touch: bool) -> Outcome:
        table, columns, sql = change.table, list(change.columns), change.sql
        identity = table.identity
        names = [quoted(one) for one in columns]
        drawn: Callable[[int], None] = _nothing
        if identity is not None:
            explicit = next((at for at, one in enumerate(columns) if one.lower() == identity.name.lower()), None)
            self._may_draw(table, explicit=explicit is not None)
            if explicit is None:
                names.insert(0, quoted(identity.name))
                sql, values, drawn = self._drawing(table, sql, values, columns)
            else:
                drawn = self._noting(table)
        elif not columns:
            names, sql = [quoted(table.columns[0].name)], "SELECT NULL"
        if touch:
            return self._insert_touched(change, names, sql, values, drawn=drawn, fickle=fickle)
        listed = f" ({', '.join(names)})" if names else ""
        statement = f"INSERT INTO {table.relation}{listed} {sql}"
        if change.output is None:
            row = self.state.transactions.change(statement, values, fickle=fickle).fetchone()
            count = int(str(row[0])) if row else 0
            drawn(count)
            return Outcome(count)
        return self._with_output(change, statement, values, fickle, drawn)

    def _may_draw(self, table: Table, *, explicit: bool) -> None:
        allowed = self.state.identity_insert == table.id
        if explicit and not allowed:
            raise SqlError(544, table.name)
        if allowed and not explicit:
            text = (
                "Explicit value must be specified for identity column in table '{}' when IDENTITY_INSERT is set to ON."
            )
            raise SqlError.raised(545, 16, 1, text.format(table.name))

    def _drawing(
        self, table: Table, sql: str, values: Values, columns: list[str]
    ) -> tuple[str, Values, Callable[[int], None]]:
        column = table.identity
        if column is None or column.identity is None:
            raise TypeError(table.name)
        seed, step = column.identity
        known = self._identities(table)
        last = known.get(table.id, seed - step)
        inner = f", s.* FROM ({sql}) AS s" if columns else ""
        counted = f"CAST($identity_base + {step} * row_number() OVER () AS {duck_type(column.type)})"

        def note(count: int) -> None:
            known[table.id] = last + step * count
            if count:
                self.state.identity = self.state.last_identity = last + step * count

        return f"SELECT {counted}{inner}", {**values, "identity_base": last}, note

    def _noting(self, table: Table) -> Callable[[int], None]:
        """After an explicit identity value: the next one is above it."""

        def note(count: int) -> None:
            column = table.columns[0] if table.identity is None else table.identity
            highest = self.state.transactions.rows(f"SELECT max({quoted(column.name)}) FROM {table.relation}", {})[0][0]
            known = self._identities(table)
            if isinstance(highest, int) and count:
                known[table.id] = max(highest, known.get(table.id, highest))
                self.state.identity = self.state.last_identity = highest

        return note

    def _identities(self, table: Table) -> dict[int, int]:
        return self.state.database_called(table.database or "tempdb").identities

    def _with_output(
        self, change: Change, statement: str, values: Values, fickle: bool, drawn: Callable[[int], None]
    ) -> Outcome:
        output = change.output
        if output is None:
            raise TypeError(change.kind)
        listed = ", ".join(f"{one.sql} AS o{index}" for index, one in enumerate(output.fields))
        rows = self.state.transactions.change(f"{statement} RETURNING {listed}", values, fickle=fickle).fetchall()
        drawn(len(rows))
        if output.into is None:
            return Outcome(len(rows), output.fields, tuple(rows))
        self._put(output.into, output.columns, rows)
        return Outcome(len(rows))

    def _put(self, table: Table, columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
        """OUTPUT … INTO: rows that are known go into a table."""
        names = ", ".join(quoted(one) for one in columns)
        for row in rows:
            keys = {f"o{index}": str(value) if type(value).__name__ in ("Decimal", "UUID") else value
                    for index, value in enumerate(row)}  # fmt: skip
            marks = ", ".join(f"${key}" for key in keys)
            self.state.transactions.change(f"INSERT INTO {table.relation} ({names}) VALUES ({marks})", keys)

    def _insert_touched(
        self, change: Change, names: list[str], sql: str, values: Values, *, drawn: Callable[[int], None], fickle: bool
    ) -> Outcome:
        table, run = change.table, self.state.transactions.change
        given = [name.strip('"') for name in names]
        source = ", ".join(f"g{index}" for index in range(len(given)))
        columns = [
            f"{f'g{given.index(one.name)}' if one.name in given else 'NULL'}::{duck_type(one.type)} AS "
            f"{quoted('i_' + one.name)}"
            for one in table.columns
            if one.computed is None
        ]
        run(
            f'CREATE OR REPLACE TEMP TABLE "#touched" AS SELECT {", ".join(columns)} FROM ({sql}) AS g({source})',
            values,
            fickle=fickle,
        )
        stored = [one for one in table.columns if one.computed is None]
        inner = ", ".join(quoted("i_" + one.name) for one in stored)
        row = run(
            f"INSERT INTO {table.relation} ({', '.join(quoted(one.name) for one in stored)}) SELECT {inner} FROM "
            f"{TOUCHED}",
            {},
        ).fetchone()
        count = int(str(row[0])) if row else 0
        drawn(count)
        if change.output is None:
            return Outcome(count)
        fields = tuple(replace(one, sql=quoted("i_" + one.sql.strip('"'))) for one in change.output.fields)
        return self._output_of_touched(replace(change, output=replace(change.output, fields=fields)), count)

    # ── UPDATE, DELETE, MERGE ────────────────────────────────────────────────────────────────────────────────────────

    def _touched(self, change: Change, values: Values, fickle: bool, *, touch: bool) -> Outcome:
        run = self.state.transactions.change
        if change.plain and not touch:
            row = run(change.plain, values, fickle=fickle).fetchone()
            return Outcome(int(str(row[0])) if row else 0)
        run(f'CREATE OR REPLACE TEMP TABLE "#touched" AS {change.touching}', values, fickle=fickle)
        row = run(change.sql, {}).fetchone()
        return self._output_of_touched(change, int(str(row[0])) if row else 0)

    def _output_of_touched(self, change: Change, count: int) -> Outcome:
        output = change.output
        if output is None:
            return Outcome(count)
        listed = ", ".join(one.sql for one in output.fields)
        rows = self.state.transactions.rows(f"SELECT {listed} FROM {TOUCHED}", {})
        if output.into is None:
            return Outcome(count, output.fields, tuple(rows))
        self._put(output.into, output.columns, rows)
        return Outcome(count)

    def _merge(self, change: Change, values: Values, fickle: bool) -> Outcome:
        if change.output is not None:
            return self._with_output(change, change.sql, values, fickle, _nothing)
        row = self.state.transactions.change(change.sql, values, fickle=fickle).fetchone()
        return Outcome(int(str(row[0])) if row else 0)

    # ── foreign keys ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _hold_keys(self, table: Table, change: Change) -> None:
        if not table.database:
            return
        database = self.state.database_called(table.database)
        changed = {one.lower() for one in change.columns}
        if change.kind != "DELETE":
            for key in table.foreign_keys:
                if change.kind != "UPDATE" or changed & {one.lower() for one in key.columns}:
                    self._hold_own(database, table, key, change.kind)
        if change.kind != "INSERT":
            for child in database.tables():
                for key in child.foreign_keys:
                    there = (key.schema.lower(), key.table.lower()) == (table.schema.lower(), table.name.lower())
                    touched = change.kind != "UPDATE" or changed & {one.lower() for one in key.referenced}
                    if there and touched:
                        self._hold_child(database, table, child, key, change.kind)

    def _orphans(self, child: Table, parent: Table, key: ForeignKey) -> str:
        own = " AND ".join(f"c.{quoted(one)} IS NOT NULL" for one in key.columns)
        same = " AND ".join(f"p.{quoted(b)} = c.{quoted(a)}" for a, b in zip(key.columns, key.referenced, strict=True))
        return f"{own} AND NOT EXISTS (SELECT 1 FROM {parent.relation} AS p WHERE {same})"

    def _found(self, child: Table, where: str) -> bool:
        return bool(self.state.transactions.rows(f"SELECT 1 FROM {child.relation} AS c WHERE {where} LIMIT 1", {}))

    def _hold_own(self, database: Database, table: Table, key: ForeignKey, kind: str) -> None:
        parent = database.find(key.schema, key.table)
        if isinstance(parent, Table) and self._found(table, self._orphans(table, parent, key)):
            column = f", column '{key.referenced[0]}'" if len(key.referenced) == 1 else ""
            raise SqlError(
                547, kind, "FOREIGN KEY", key.name, database.name, f"{parent.schema}.{parent.name}", column, state=0
            )

    def _hold_child(self, database: Database, parent: Table, child: Table, key: ForeignKey, kind: str) -> None:
        where = self._orphans(child, parent, key)
        if not self._found(child, where):
            return
        action = key.on_update if kind == "UPDATE" else key.on_delete
        if action == "NO_ACTION":
            column = f", column '{key.columns[0]}'" if len(key.columns) == 1 else ""
            raise SqlError(
                547, kind, "REFERENCE", key.name, database.name, f"{child.schema}.{child.name}", column, state=0
            )
        if kind == "UPDATE" and action == "CASCADE":
            raise unsupported("ON UPDATE CASCADE")
        if database.triggers(child, "DELETE"):
            raise unsupported("A cascade into a table with triggers")
        if action == "CASCADE":
            self.state.transactions.change(f"DELETE FROM {child.relation} AS c WHERE {where}", {})
            self._hold_keys(child, Change("DELETE", child))
        elif action == "SET_NULL":
            sets = ", ".join(f"{quoted(one)} = NULL" for one in key.columns)
            self.state.transactions.change(f"UPDATE {child.relation} AS c SET {sets} WHERE {where}", {})
        else:
            raise unsupported(f"ON {kind} SET DEFAULT")

    # ── triggers ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _triggers(self, change: Change) -> list[Module]:
        if not change.table.database:
            return []
        events = ("INSERT", "UPDATE", "DELETE") if change.kind == "MERGE" else (change.kind,)
        database = self.state.database_called(change.table.database)
        found = [one for event in events for one in database.triggers(change.table, event)]
        if any(one.instead for one in found):
            raise unsupported("An INSTEAD OF trigger")
        return found

    def _run_triggers(self, table: Table, triggers: list[Module]) -> None:
        depth = self.state.nesting
        copy = f'temp.main."#trigger{depth}"'
        self.state.transactions.change(f'CREATE OR REPLACE TEMP TABLE "#trigger{depth}" AS SELECT * FROM {TOUCHED}', {})
        held = {one[0] for one in self.state.transactions.rows(
            f"SELECT column_name FROM duckdb_columns() WHERE table_name = '#trigger{depth}'", {})}  # fmt: skip
        before = {name: self.state.temporary.get(name) for name in ("inserted", "deleted")}
        for name, prefix in (("inserted", "i_"), ("deleted", "d_")):
            there = any(str(one).startswith(prefix) for one in held)
            listed = ", ".join(_pseudo(one, prefix, held) for one in table.columns)
            stored = f"(SELECT {listed} FROM {copy}{'' if there else ' WHERE FALSE'})"
            self.state.temporary[name] = replace(table, database="", name=name, stored=stored)
        try:
            for trigger in triggers:
                self._fire(trigger)
        finally:
            for name, one in before.items():
                if one is None:
                    self.state.temporary.pop(name, None)
                else:
                    self.state.temporary[name] = one

    # ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _told(self, change: Change, violation: Violation) -> SqlError:
        """Return a violation as SQL Server words it."""
        table = change.table
        if violation.table and violation.table.lower() != table.name.lower():
            table = self._called(violation.table) or table
        owner = f"{table.schema}.{table.name}"
        if violation.kind in ("primary key", "unique", "key"):
            names, shown = _pairs(violation.detail)
            key = self._key_of(table, names, violation.kind)
            primary = key.primary if key is not None else violation.kind == "primary key"
            if key is not None and not key.constraint:
                return SqlError(2601, owner, key.name, shown)
            kind = "PRIMARY KEY" if primary else "UNIQUE KEY"
            return SqlError(2627, kind, key.name if key else "", owner, shown)
        if violation.kind == "null":
            full = f"{table.database or 'tempdb'}.{owner}"
            return SqlError(515, violation.detail, full, "INSERT" if change.kind == "INSERT" else "UPDATE", state=2)
        fitting = [one for one in table.checks if one.column and one.column.lower() in violation.detail.lower()]
        check = (fitting or list(table.checks))[0]
        column = f", column '{check.column}'" if check.column else ""
        return SqlError(547, change.kind, "CHECK", check.name, table.database or "tempdb", owner, column, state=0)

    def _called(self, name: str) -> Table | None:
        for one in self.state.database.tables():
            if one.name.lower() == name.lower():
                return one
        return self.state.temporary.get(name.lower())

    def _key_of(self, table: Table, names: list[str], kind: str) -> Key | None:
        lower = {one.lower() for one in names}
        fitting = [one for one in table.keys if {c.lower() for c in one.columns} == lower]
        return fitting[0] if fitting else next((one for one in table.keys if one.primary == (kind != "unique")), None)


def _nothing(_: int) -> None:
    """No identity value was drawn."""


def _pseudo(column: Column, prefix: str, held: set[object]) -> str:
    """A column of `inserted` or `deleted` out of the touched rows."""
    there = prefix + column.name in held
    value = quoted(prefix + column.name) if there else f"CAST(NULL AS {duck_type(column.type)})"
    return f"{value} AS {quoted(column.name)}"


def _pairs(detail: str) -> tuple[list[str], str]:
    """Take `id: 1, name: x` apart: the names, and the values as SQL Server shows them."""
    pairs = [part.partition(": ") for part in detail.split(", ")]
    return [one[0] for one in pairs if one[1]], ", ".join(one[2] or one[0] for one in pairs)
