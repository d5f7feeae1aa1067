"""What the first result set of a batch will look like, without running it (sp_describe_first_result_set)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blastwall.testing.tds.catalog import COLLATION_NAME, Module
from blastwall.testing.tds.datatypes import TYPE_IDS
from blastwall.testing.tds.errors import SqlError
from blastwall.testing.tds.expressions import Field, Variable
from blastwall.testing.tds.parsing import declared_parameters, parsed
from blastwall.testing.tds.script import Node, Script

if TYPE_CHECKING:
    from blastwall.testing.tds.state import State

DESCRIBED = (
    "is_hidden bit; column_ordinal int; name sysname?; is_nullable bit?; system_type_id int?; system_type_name "
    "nvarchar(256)?; "
    "max_length smallint?; precision tinyint?; scale tinyint?; collation_name sysname?; user_type_id int?; "
    "source_server sysname?; source_database sysname?; source_schema sysname?; source_table sysname?; "
    "source_column sysname?; "
    "is_identity_column bit?; is_part_of_unique_key bit?; is_updateable bit?; is_computed_column bit?; "
    "is_sparse_column_set bit?; ordinal_in_order_by_list smallint?; order_by_is_descending smallint?; "
    "order_by_list_length smallint?; error_number int?; error_severity int?; error_state int?; error_message "
    "nvarchar(4000)?; "
    "error_type int?; error_type_desc nvarchar(60)?"
)
"""The columns of sys.dm_exec_describe_first_result_set, as far as clients read them."""

_STEPS_OVER = (
    "DECLARE",
    "ASSIGN",
    "OPTION",
    "PRINT",
    "ISOLATION",
    "BEGIN TRANSACTION",
    "COMMIT TRANSACTION",
    "USE",
    "SAVE TRANSACTION",
    "ROLLBACK TRANSACTION",
    "WAITFOR",
    "RAISERROR",
    "IDENTITY_INSERT",
    "EXECUTE AS",
    "REVERT",
)


def described(state: State, text: str, declared: str | None, *, browse: int) -> list[tuple[object, ...]]:
    """Return a row for each column of the first result set; one row with an error where it cannot be said."""
    try:
        fields = first_fields(state, text, declared)
    except SqlError as error:
        return [_failed(error)]
    return [_row(number, one, browse) for number, one in enumerate(fields, 1)]


def first_fields(state: State, text: str, declared: str | None) -> tuple[Field, ...]:
    """Return the columns of the first result set.

    Raises:
        SqlError: the batch is wrong, or its first result set cannot be told.
    """
    variables, state.variables = state.variables, {}
    try:
        for one in declared_parameters(declared or ""):
            state.variables[one.name.lower()] = Variable(one.type)
        batch = parsed(state, text)
        script = Script(batch.cursor(), state)
        return _first(state, script, batch.nodes)
    finally:
        state.variables = variables


def _first(state: State, script: Script, nodes: list[Node]) -> tuple[Field, ...]:
    for node in nodes:
        if node.kind in _STEPS_OVER:
            continue
        script.cursor.at = node.at
        script.ctes = []
        if node.kind == "SELECT":
            if fields := _of_query(script):
                return fields
        elif node.kind == "DECLARE":
            _declare(state, script, node)
        elif node.kind in ("INSERT", "UPDATE", "DELETE", "MERGE"):
            if fields := _of_change(script, node.kind):
                return fields
        elif node.kind == "BLOCK":
            if fields := _first(state, script, node.body):
                return fields
        else:
            return _of_other(state, node)
    return ()


def _of_other(state: State, node: Node) -> tuple[Field, ...]:
    if node.kind != "EXEC":
        raise _unknown(f"it contains {node.kind}")
    return _of_procedure(state, node)


def _of_query(script: Script) -> tuple[Field, ...]:
    made = script.query(top=True)
    if made.assigns or made.into:
        return ()
    if made.form is not None:
        raise _unknown("it uses FOR JSON or FOR XML")
    return made.fields


def _of_change(script: Script, kind: str) -> tuple[Field, ...]:
    readers = {"INSERT": script.insert, "UPDATE": script.update, "DELETE": script.delete, "MERGE": script.merge}
    output = readers[kind]().output
    return output.fields if output is not None and output.into is None else ()


def _declare(state: State, script: Script, node: Node) -> None:
    for item in node.body:
        if item.kind == "TABLE":
            raise _unknown("it declares a table")
        script.cursor.at = item.spots[0]
        state.variables[item.name.lower()] = Variable(script.type())


def _of_procedure(state: State, node: Node) -> tuple[Field, ...]:
    found = state.find(node.parts)
    if not isinstance(found, Module):
        raise _unknown(f"it calls {'.'.join(node.parts)}")
    declared = ", ".join(f"{one.name} {one.type.declared}" for one in found.arguments)
    return first_fields(state, found.body, declared)


def _unknown(why: str) -> SqlError:
    return SqlError.raised(11513, 16, 1, f"The metadata could not be determined because {why}.")


def _row(number: int, one: Field, browse: int) -> tuple[object, ...]:
    type_, source = one.type, one.source if browse else None
    where: tuple[str | None, ...] = (None, None, None, None)
    if source is not None:
        where = (source.database, source.schema, source.table, source.column)
        if browse == 2 and source.view is not None:
            where = source.view
    text = COLLATION_NAME if type_.is_text and type_.name != "xml" else None
    number_of_type = TYPE_IDS.get(type_.name)
    return (
        0,
        number,
        one.name or None,
        one.nullable,
        number_of_type,
        type_.declared,
        type_.max_length,
        type_.precision,
        type_.scale,
        text,
        None,
        None,
        *(part or None for part in where),
        bool(one.source and one.source.identity),
        None,
        one.source is not None,
        0,
        0,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
    )


def _failed(error: SqlError) -> tuple[object, ...]:
    kind = (1, "MISC") if error.number != 11513 else (6, "CONDITIONAL_LOGIC")
    return (0, 0, *(None for _ in range(22)), error.number, error.severity, error.state, error.text, *kind)
