"""From the parts of a CREATE or ALTER to what later requests must know of it (`defined.py`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from blastwall.sql.lineage import Columns
from blastwall.sql.tsql import nodes as n
from blastwall.sql.tsql.catalog import Module, Place, Relation
from blastwall.sql.tsql.defined import Defined, Expression, Reference, What
from blastwall.sql.tsql.effects.names import Target

Placing = Callable[[n.ObjectName], Place]
"""From a name to what it means, as (schema, name)."""
_KEYS = frozenset({"PRIMARY KEY", "UNIQUE"})
_ORDINARY = frozenset({"DATA_COMPRESSION", "XML_COMPRESSION", "PAD_INDEX", "FILLFACTOR", "IGNORE_DUP_KEY",
                       "STATISTICS_NORECOMPUTE", "ALLOW_ROW_LOCKS", "ALLOW_PAGE_LOCKS"})  # fmt: skip
_SILENT = ("DROP CONSTRAINT", "DROP INDEX", "CHECK CONSTRAINT", "NOCHECK CONSTRAINT", "DISABLE TRIGGER", "REBUILD")
_RESHAPING = ("ALTER COLUMN", "DROP COLUMN", "SWITCH")
_ACTIONS = {"CASCADE": "CASCADE", "SET NULL": "SET_NULL", "SET DEFAULT": "SET_DEFAULT"}


def table_made(target: Target, node: n.CreateTable, text: str, placing: Placing) -> Defined:
    """Return what CREATE TABLE makes; ALTERED where it says more than columns and constraints."""
    plain = node.kind == "TABLE" and node.query is None and not node.related
    if not plain or not all(option.name.upper() in _ORDINARY for option in node.options):
        return Defined(What.ALTERED, target.schema, target.name)
    return elements_made(What.TABLE, target, node.elements, text, placing)


def elements_made(
    what: What, target: Target, elements: Sequence[n.TableElement], text: str, placing: Placing
) -> Defined:
    """Return a table, or what is added to one, as its definition lists it; `text` is what the nodes stand in."""
    columns = [one for one in elements if isinstance(one, n.ColumnDefinition)]
    relation = Relation(
        0,
        target.schema,
        target.name,
        "U",
        tuple(one.name.text for one in columns),
        types_of(elements),
        tuple((one.name.text, _written(one.computed, text)) for one in columns if one.computed is not None),
        next((one.name.text for one in columns if "IDENTITY" in one.options), ""),
    )
    return Defined(
        what,
        target.schema,
        target.name,
        relation if what is What.TABLE or columns else None,
        keys=tuple(_keys(elements)),
        references=tuple(_references(elements, placing)),
        expressions=tuple(_expressions(elements, text)),
        derived=any(one.computed is not None for one in columns),
    )


def rows_made(target: Target, columns: Columns | None) -> Defined:
    """Return the table that SELECT … INTO makes of these rows."""
    names = tuple(one.name for one in columns or ())
    if not names or not all(names):
        return Defined(What.ALTERED, target.schema, target.name)
    relation = Relation(0, target.schema, target.name, "U", names, ("",) * len(names))
    return Defined(What.TABLE, target.schema, target.name, relation)


def change_made(target: Target, change: n.TableChange, text: str, placing: Placing) -> Sequence[Defined]:
    """Return what one change of an ALTER TABLE leaves for later requests to know."""
    verb = change.verb
    if verb == "ADD":
        return (elements_made(What.COLUMNS, target, change.elements, text, placing),)
    if verb.startswith(_SILENT) or verb.endswith("CHANGE_TRACKING"):
        return ()
    if not verb.startswith(_RESHAPING):
        return (Defined(What.DOUBTED, target.schema, target.name),)
    others = (placing(change.target),) if change.target is not None else ()
    return tuple(Defined(What.ALTERED, *place) for place in ((target.schema, target.name), *others))


def view_made(target: Target, node: n.CreateView, columns: Columns | None, text: str, *, quoted: bool) -> Defined:
    """Return the view that CREATE or ALTER VIEW makes, with the columns that it shows."""
    names = tuple(one.text for one in node.columns) or tuple(one.name for one in columns or ())
    module = Module(0, target.schema, target.name, "V", text, quoted_identifier=quoted)
    relation = Relation(0, target.schema, target.name, "V", names)
    return Defined(What.CODE, target.schema, target.name, relation, module, certain=bool(text), derived=True)


def module_made(target: Target, node: n.CreateModule, on: Place, text: str, *, quoted: bool) -> Defined:
    """Return the code that CREATE or ALTER PROCEDURE, FUNCTION or TRIGGER makes; `on` is a trigger's table."""
    trigger = node.kind == "TRIGGER"
    function = "IF" if node.inline is not None else "TF" if node.returns_table else "FN"
    kind = "TR" if trigger else function if node.kind == "FUNCTION" else "P"
    module = Module(
        0,
        target.schema,
        target.name,
        kind,
        text,
        quoted_identifier=quoted,
        events=frozenset(node.events),
        instead=node.timing.startswith("INSTEAD"),
    )
    return Defined(What.CODE, target.schema, target.name, None, module, on=on, certain=bool(text), derived=True)


def _written(node: n.Node | None, text: str) -> str:
    return text[node.start : node.end] if node is not None else ""


def _keys(elements: Sequence[n.TableElement]) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for one in elements:
        if isinstance(one, n.Constraint):
            if one.kind in _KEYS and one.columns:
                found.append(tuple(column.text for column in one.columns))
        elif _KEYS & set(one.options):
            found.append((one.name.text,))
    return found


def _references(elements: Sequence[n.TableElement], placing: Placing) -> list[Reference]:
    found: list[Reference] = []
    for one in elements:
        if one.references is None:
            continue
        listed = (one.name.text,) if isinstance(one, n.ColumnDefinition) else tuple(each.text for each in one.columns)
        found.append(Reference(listed, *placing(one.references), cascade(one, "DELETE"), cascade(one, "UPDATE")))
    return found


def cascade(one: n.TableElement, event: str) -> str:
    """Return what a foreign key does to its own table's rows on DELETE or UPDATE, as the catalog says it."""
    for each in one.cascades:
        if each.startswith(event):
            return _ACTIONS.get(each.removeprefix(event).strip(), "NO_ACTION")
    return "NO_ACTION"


def _expressions(elements: Sequence[n.TableElement], text: str) -> list[Expression]:
    found: list[Expression] = []
    for one in elements:
        if isinstance(one, n.ColumnDefinition):
            found += [Expression(one.name.text, _written(each, text)) for each in one.checks]
            if one.default is not None:
                found.append(Expression(one.name.text, _written(one.default, text), default=True))
        elif one.condition is not None:
            found.append(Expression("", _written(one.condition, text), default=one.kind == "DEFAULT"))
    return found


def types_of(elements: Sequence[n.TableElement]) -> tuple[str, ...]:
    """Return the types of a table's columns as they are declared, lower-case."""
    return tuple(_spelled(one.type) for one in elements if isinstance(one, n.ColumnDefinition))


def _spelled(kind: n.DataType | None) -> str:
    if kind is None:
        return ""
    name = kind.name.last.lower()
    return f"{name}({','.join(kind.arguments).lower()})" if kind.arguments else name
