"""Put a `Catalog` together of what the queries of `catalog_queries` returned, as text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from blastwall.protocols.slices import AT_ONCE, Sliced, parts
from blastwall.protocols.tds.answer_reading import Row, Rows
from blastwall.sql.tsql.catalog import Catalog, Constraint, ForeignKey, Key, Module, Relation, Synonym, Thing

_RELATIONS = frozenset({"U", "V", "IF", "TF", "FT", "S", "ET", "IT"})
_MODULES = frozenset({"P", "PC", "X", "RF", "FN", "FS", "FT", "IF", "TF", "AF", "V", "TR", "TA"})
_THINGS = frozenset({"SO", "SQ"})
_SIZED = frozenset({"char", "varchar", "binary", "varbinary"})
_WIDE = frozenset({"nchar", "nvarchar"})
_SCALED = frozenset({"decimal", "numeric"})
_FRACTIONAL = frozenset({"time", "datetime2", "datetimeoffset"})

_Item = TypeVar("_Item")

Named = Mapping[int, Mapping[int, str]]
"""The names of columns by object_id and column_id."""


class _Columns:
    """What is known of the columns of every object, in their order."""

    def __init__(self) -> None:
        self.names: dict[int, dict[int, str]] = defaultdict(dict)
        self.types: dict[int, list[str]] = defaultdict(list)
        self.identity: dict[int, str] = {}

    def take(self, rows: Sequence[Row]) -> None:
        """Take some of the rows, those of an object in their order."""
        for row in rows:
            table, number, name = _int(row[0]), _int(row[1]), _text(row[2])
            self.names[table][number] = name
            self.types[table].append(declared(row[3] or row[4] or "", *map(_int, row[5:8])))
            if _flag(row[8]):
                self.identity[table] = name


def catalog_in_slices(version: int, system: Sequence[Rows], own: Sequence[Rows]) -> Sliced[Catalog]:
    """Put the catalog together; `system` and `own` are the answers to `SYSTEM` and `OWN`, in their order.

    Raises:
        ValueError, IndexError, KeyError: an answer is not of the form that was asked for.
    """
    (
        database, databases, schemas, objects, histories, table_types, columns, computed, modules, triggers, events,
        foreign_keys, foreign_columns, keys, checks, defaults, synonyms, types, xml_schemas,
    ) = own  # fmt: skip
    system_objects, system_columns = system
    ((name, default_schema, collation),) = database
    known = _Columns()
    for part in (*parts(system_columns), *parts(columns)):
        known.take(part)
        yield
    catalog = Catalog(
        _text(name),
        version,
        synonyms=[Synonym(_text(row[0]), _text(row[1]), _text(row[2])) for row in synonyms],
        things=[
            *(Thing(_text(row[1]), _text(row[2]), _kind(row[3])) for row in objects if _kind(row[3]) in _THINGS),
            *(Thing(_text(row[0]), _text(row[1]), "UDT") for row in types),
            *(Thing(_text(row[0]), _text(row[1]), "XSC") for row in xml_schemas),
        ],
        schemas=[_text(row[0]) for row in schemas],
        databases=[_text(row[0]) for row in databases],
        collation=_text(collation),
        default_schema=default_schema or "dbo",
    )
    by_table = _computed(computed)
    kept = {_int(row[0]): _int(row[1]) for row in histories}
    for part in parts(system_objects):
        catalog.add(relations=[_relation(row, known, {}, {}) for row in part])
        yield
    for part in parts(objects):
        catalog.add(relations=[_relation(row, known, by_table, kept) for row in part if _kind(row[3]) in _RELATIONS])
        yield
    catalog.add(relations=[_relation((*row, "TT"), known, by_table, {}) for row in table_types])
    for some in _in_parts(_modules(objects, modules, triggers, events)):
        catalog.add(modules=some)
        yield
    for keyed in _in_parts(_foreign_keys(foreign_keys, foreign_columns, known.names)):
        catalog.add(foreign_keys=keyed)
        yield
    for unique in _in_parts(_keys(keys, known.names)):
        catalog.add(keys=unique)
        yield
    for written, default in ((checks, False), (defaults, True)):
        for constraints in _in_parts(_constraints(written, known.names, default)):
            catalog.add(constraints=constraints)
            yield
    return catalog


def _in_parts(items: Iterator[_Item]) -> Iterator[list[_Item]]:
    """Cut what is made one by one into parts."""
    while part := list(islice(items, AT_ONCE)):
        yield part


def declared(name: str, size: int, precision: int, scale: int) -> str:
    """Return a column's type as it would be declared; `size` is in bytes, -1 for max."""
    if name in _SIZED or name in _WIDE:
        characters = size // 2 if name in _WIDE else size
        return f"{name}({'max' if size == -1 else characters})"
    if name in _SCALED:
        return f"{name}({precision}, {scale})"
    if name in _FRACTIONAL:
        return f"{name}({scale})"
    return name


def _relation(
    row: Row, columns: _Columns, computed: Mapping[int, list[tuple[str, str]]], histories: Mapping[int, int]
) -> Relation:
    number = _int(row[0])
    return Relation(
        number,
        _text(row[1]),
        _text(row[2]),
        _kind(row[3]),
        tuple(columns.names.get(number, {}).values()),
        tuple(columns.types.get(number, ())),
        tuple(computed.get(number, ())),
        columns.identity.get(number, ""),
        histories.get(number, 0),
    )


def _computed(rows: Rows) -> Mapping[int, list[tuple[str, str]]]:
    found: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for row in rows:
        found[_int(row[0])].append((_text(row[1]), row[2] or ""))
    return found


def _modules(objects: Rows, modules: Rows, triggers: Rows, events: Rows) -> Iterator[Module]:
    """Yield code; that of which the definition cannot be read has none, which nothing can be judged by."""
    texts = {_int(row[0]): row for row in modules}
    fired: dict[int, set[str]] = defaultdict(set)
    for event in events:
        fired[_int(event[0])].add(_text(event[1]))
    attached = {_int(row[0]): row for row in triggers}
    for row in objects:
        number = _int(row[0])
        if _kind(row[3]) in _MODULES:
            module = _module(number, _text(row[1]), _text(row[2]), _kind(row[3]), texts.get(number))
            trigger = attached.pop(number, None)
            yield module if trigger is None else _trigger(module, trigger, frozenset(fired[number]))
    for number, row in attached.items():
        yield _trigger(_module(number, "", _text(row[1]), "TR", texts.get(number)), row, frozenset(fired[number]))


def _module(number: int, schema: str, name: str, kind: str, text: Row | None) -> Module:
    if text is None:
        return Module(number, schema, name, kind, None)
    runs_as = None if text[3] is None else _int(text[3])
    return Module(number, schema, name, kind, text[1], _flag(text[2]), runs_as)


def _trigger(module: Module, row: Row, events: frozenset[str]) -> Module:
    """One on the database itself (parent_class 0) hangs on no table."""
    parent = _int(row[3]) if _int(row[2]) else 0
    return replace(module, parent=parent, events=events, instead=_flag(row[5]), disabled=_flag(row[4]))


def _foreign_keys(rows: Rows, columns: Rows, names: Named) -> Iterator[ForeignKey]:
    pairs: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for row in columns:
        key, table, column, refers, referred = map(_int, row)
        pairs[key].append((names[table][column], names[refers][referred]))
    for row in rows:
        key, table, refers = map(_int, row[:3])
        yield ForeignKey(
            table,
            tuple(own for own, _ in pairs[key]),
            refers,
            tuple(referred for _, referred in pairs[key]),
            _text(row[3]),
            _text(row[4]),
            _flag(row[5]),
        )


def _keys(rows: Rows, names: Named) -> Iterator[Key]:
    found: dict[tuple[int, int], list[str]] = defaultdict(list)
    for row in rows:
        table, index, column = map(_int, row)
        found[table, index].append(names.get(table, {}).get(column, ""))
    for (table, _), columns in found.items():
        yield Key(table, tuple(columns))


def _constraints(rows: Rows, names: Named, default: bool) -> Iterator[Constraint]:
    for row in rows:
        table, column = _int(row[0]), _int(row[1])
        yield Constraint(table, names.get(table, {}).get(column, ""), row[2] or "", default)


def _int(value: str | None) -> int:
    return int(value or 0)


def _flag(value: str | None) -> bool:
    """A bit, however it is written."""
    return (value or "0").lower() in ("1", "true")


def _text(value: str | None) -> str:
    if value is None:
        raise ValueError("a name that is NULL")
    return value


def _kind(value: str | None) -> str:
    """The type of an object, which is a `char(2)`."""
    return _text(value).strip()
