"""Stored procedures: the system's that drivers call, and the users' own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from blastwall.testing.tds.catalog import COLLATION_NAME, Argument, Module, Table, View
from blastwall.testing.tds.datatypes import COLLATION, INT, SYSNAME, SqlType
from blastwall.testing.tds.describing import DESCRIBED, described
from blastwall.testing.tds.errors import SqlError, unsupported
from blastwall.testing.tds.expressions import Field, Variable
from blastwall.testing.tds.interpreter import Interpreter
from blastwall.testing.tds.lexer import VARIABLE, tokens_of
from blastwall.testing.tds.parsing import declared_parameters
from blastwall.testing.tds.script import Node, Script
from blastwall.testing.tds.state import OpenCursor, Prepared
from blastwall.testing.tds.system_facts import name_parts
from blastwall.testing.tds.system_views import as_table, columns_of


@dataclass(slots=True)
class Given:
    """An argument of a call: its value; where it is OUTPUT, what came out is put back here."""

    name: str
    type: SqlType
    value: object
    output: bool = False
    default: bool = False


_System = Callable[[Interpreter, list[Given]], "int | None"]


def call(interpreter: Interpreter, parts: tuple[str, ...], given: list[Given]) -> int | None:
    """Call a procedure; return its status.

    Raises:
        SqlError: there is none of that name, or it failed.
        BatchEnded: an error ended its batch.
    """
    name = parts[-1].lower()
    system = SYSTEM.get(name)
    if system is not None and (len(parts) == 1 or parts[-2].lower() in ("sys", "dbo", "")):
        return system(interpreter, given)
    found = interpreter.state.find(parts)
    if not isinstance(found, Module) or found.kind != "P":
        if name.startswith("sp_") and found is None:
            raise unsupported(f"The procedure {parts[-1]}")
        raise SqlError(2812, ".".join(parts), state=62)
    interpreter.state.check("EXECUTE", found)
    return _own(interpreter, found, given)


def called_in_text(interpreter: Interpreter, parts: tuple[str, ...], node: Node, script: Script) -> int | None:
    """Call a procedure as an EXEC statement names it."""
    given = [_argument(interpreter, one, script) for one in node.body]
    before = [one.value for one in given]
    status = call(interpreter, parts, given)
    for one, argument, old in zip(node.body, given, before, strict=True):
        if one.kind == "VALUE" and one.text and argument.value is not old:
            variable = interpreter.state.variables[one.text.lower()]
            variable.value = argument.value
    return status


def _argument(interpreter: Interpreter, node: Node, script: Script) -> Given:
    if node.kind == "DEFAULT":
        return Given(node.name, INT, None, default=True)
    if node.kind == "WORD":
        return Given(node.name, SYSNAME, node.text)
    type_, value = interpreter.evaluate(script, node.spots[0])
    return Given(node.name, type_, value, output=bool(node.text))


def _own(interpreter: Interpreter, procedure: Module, given: list[Given]) -> int:
    variables = {}
    for argument in procedure.arguments:
        variables[argument.name.lower()] = Variable(argument.type)
    bound = _bound(procedure, given)
    before = interpreter.state.variables
    interpreter.state.variables = variables
    try:
        for argument in procedure.arguments:
            _give(interpreter, procedure, argument, bound.get(argument.name.lower()))
    finally:
        interpreter.state.variables = before
    status = interpreter.in_scope(procedure.body, variables, procedure)
    for argument in procedure.arguments:
        one = bound.get(argument.name.lower())
        if one is not None and one.output and argument.output:
            one.type, one.value = argument.type, variables[argument.name.lower()].value
    return status


def _bound(procedure: Module, given: list[Given]) -> dict[str, Given]:
    known = {one.name.lower() for one in procedure.arguments}
    bound: dict[str, Given] = {}
    for index, one in enumerate(given):
        if one.name:
            if one.name.lower() not in known:
                raise SqlError(8145, one.name, procedure.name)
            bound[one.name.lower()] = one
        elif index < len(procedure.arguments):
            bound[procedure.arguments[index].name.lower()] = one
        else:
            raise SqlError(8144, procedure.name, state=2)
    return bound


def _give(interpreter: Interpreter, procedure: Module, argument: Argument, one: Given | None) -> None:
    if one is not None and not one.default:
        interpreter.store(argument.name, one.type, one.value)
        return
    if argument.default is None:
        raise SqlError(201, procedure.name, argument.name, state=4)
    type_, value = interpreter.value_of(argument.default)
    interpreter.store(argument.name, type_, value)


# ── text with parameters ─────────────────────────────────────────────────────────────────────────────────────────────


def _text_of(given: list[Given], index: int) -> str:
    return str(given[index].value or "") if index < len(given) else ""


def run_text(interpreter: Interpreter, text: str, declaration: str, given: list[Given]) -> int:
    """Run text with declared parameters, as sp_executesql does."""
    declared = declared_parameters(declaration)
    variables = {one.name.lower(): Variable(one.type) for one in declared}
    before = interpreter.state.variables
    interpreter.state.variables = variables
    by_name = {one.name.lower(): one for one in given if one.name}
    pairs = []
    try:
        unnamed = iter([one for one in given if not one.name])
        for argument in declared:
            one = by_name.get(argument.name.lower()) or next(unnamed, None)
            if one is None:
                raise SqlError(8178, f"({declaration}){text}", argument.name)
            interpreter.store(argument.name, one.type, one.value)
            pairs.append((argument, one))
    finally:
        interpreter.state.variables = before
    status = interpreter.in_scope(text, variables)
    for argument, one in pairs:
        if one.output:
            one.type, one.value = argument.type, variables[argument.name.lower()].value
    return status


def _executesql(interpreter: Interpreter, given: list[Given]) -> int:
    if not given:
        raise SqlError(201, "sp_executesql", "@statement", state=10)
    return run_text(interpreter, _text_of(given, 0), _text_of(given, 1), given[2:])


def _prepare(interpreter: Interpreter, given: list[Given]) -> int:
    """sp_prepare @handle OUTPUT, @params, @stmt, @options."""
    state = interpreter.state
    handle = state.handle()
    state.prepared[handle] = Prepared(_text_of(given, 2), _text_of(given, 1))
    given[0].type, given[0].value, given[0].output = INT, handle, True
    interpreter.describe(_text_of(given, 2), _text_of(given, 1))
    return 0


def _execute(interpreter: Interpreter, given: list[Given]) -> int:
    prepared = interpreter.state.prepared.get(int(str(given[0].value or 0)))
    if prepared is None:
        raise SqlError(8179, given[0].value, state=4)
    return run_text(interpreter, prepared.text, prepared.declaration, given[1:])


def _prepexec(interpreter: Interpreter, given: list[Given]) -> int:
    """sp_prepexec @handle OUTPUT, @params, @stmt, values."""
    state = interpreter.state
    old = given[0].value
    if isinstance(old, int):
        state.prepared.pop(old, None)
    handle = state.handle()
    state.prepared[handle] = Prepared(_text_of(given, 2), _text_of(given, 1))
    given[0].type, given[0].value, given[0].output = INT, handle, True
    return run_text(interpreter, _text_of(given, 2), _text_of(given, 1), given[3:])


def _unprepare(interpreter: Interpreter, given: list[Given]) -> int:
    handle = int(str(given[0].value or 0))
    if interpreter.state.prepared.pop(handle, None) is None:
        raise SqlError(8179, handle, state=8)
    return 0


# ── cursors ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _cursor_open(interpreter: Interpreter, given: list[Given]) -> int:
    """sp_cursoropen @cursor OUTPUT, @stmt, @scrollopt OUTPUT, @ccopt OUTPUT, @rowcount OUTPUT, @params, values."""
    text, declaration = _text_of(given, 1), _text_of(given, 5)
    return _opened(interpreter, given, text, declaration, given[6:], handle_at=0)


def _cursor_prepexec(interpreter: Interpreter, given: list[Given]) -> int:
    """sp_cursorprepexec @prepared OUTPUT, @cursor OUTPUT, @params, @stmt, @scrollopt, @ccopt, @rowcount, values."""
    state = interpreter.state
    prepared = state.handle()
    state.prepared[prepared] = Prepared(_text_of(given, 3), _text_of(given, 2))
    given[0].type, given[0].value, given[0].output = INT, prepared, True
    return _opened(interpreter, given, _text_of(given, 3), _text_of(given, 2), given[7:], handle_at=1, count_at=6)


def _cursor_prepare(interpreter: Interpreter, given: list[Given]) -> int:
    return _prepare(interpreter, given)


def _cursor_execute(interpreter: Interpreter, given: list[Given]) -> int:
    """sp_cursorexecute @prepared, @cursor OUTPUT, @scrollopt, @ccopt, @rowcount OUTPUT, values."""
    prepared = interpreter.state.prepared.get(int(str(given[0].value or 0)))
    if prepared is None:
        raise SqlError(8179, given[0].value, state=4)
    return _opened(interpreter, given, prepared.text, prepared.declaration, given[5:], handle_at=1)


def _opened(
    interpreter: Interpreter, given: list[Given], text: str, declaration: str, values: list[Given], *, handle_at: int,
    count_at: int = 4,
) -> int:  # fmt: skip
    fields, rows = interpreter.rows_of(text, declaration, values)
    handle = interpreter.state.handle()
    interpreter.state.cursors[handle] = OpenCursor(fields, rows)
    interpreter.result(fields, [])
    given[handle_at].type, given[handle_at].value, given[handle_at].output = INT, handle, True
    if count_at < len(given) and given[count_at].output:
        given[count_at].type, given[count_at].value = INT, len(rows)
    return 0


def _cursor_fetch(interpreter: Interpreter, given: list[Given]) -> int:
    """sp_cursorfetch @cursor, @fetchtype, @rownum, @nrows."""
    cursor = _cursor(interpreter, given)
    kind = int(str(given[1].value or 2)) if len(given) > 1 else 2
    count = int(str(given[3].value or 1)) if len(given) > 3 else 1
    if kind == 0x100:
        return 0
    if kind == 1:
        cursor.at = 0
    elif kind == 0x10 and len(given) > 2:
        cursor.at = max(0, int(str(given[2].value or 1)) - 1)
    elif kind != 2:
        raise unsupported(f"A cursor's fetch of type {kind}")
    rows = cursor.rows[cursor.at : cursor.at + count]
    cursor.at += len(rows)
    interpreter.result(cursor.fields, rows)
    return 0


def _cursor_close(interpreter: Interpreter, given: list[Given]) -> int:
    _cursor(interpreter, given)
    del interpreter.state.cursors[int(str(given[0].value))]
    return 0


def _cursor_option(interpreter: Interpreter, given: list[Given]) -> int:
    _cursor(interpreter, given)
    return 0


def _cursor(interpreter: Interpreter, given: list[Given]) -> OpenCursor:
    found = interpreter.state.cursors.get(int(str(given[0].value or 0)))
    if found is None:
        raise SqlError(16916, given[0].value)
    return found


# ── metadata ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _show(interpreter: Interpreter, spec: str, rows: list[tuple[object, ...]]) -> None:
    table = as_table("", "sys", "result", columns_of(spec), rows)
    fields = tuple(Field(one.name, "", one.type, one.nullable) for one in table.columns)
    interpreter.result(fields, rows)


def _describe(interpreter: Interpreter, given: list[Given]) -> int:
    by_name = {one.name.lower(): one for one in given if one.name}
    text = by_name["@tsql"].value if "@tsql" in by_name else given[0].value
    declared = by_name["@params"].value if "@params" in by_name else given[1].value if len(given) > 1 else None
    rows = described(interpreter.state, str(text or ""), None if declared is None else str(declared), browse=0)
    if rows and rows[0][24] is not None:
        raise SqlError.raised(int(str(rows[0][24])), 16, 1, str(rows[0][27]))
    _show(interpreter, DESCRIBED, rows)
    return 0


_COLLATIONS = "colid int; name sysname?; tds_collation_100 binary(5)?; collation_100 sysname?"
_UNDECLARED = (
    "parameter_ordinal int; name sysname; suggested_system_type_id int; suggested_system_type_name nvarchar(256)?; "
    "suggested_max_length smallint; suggested_precision tinyint; suggested_scale tinyint; suggested_user_type_id int?; "
    "suggested_user_type_database sysname?; suggested_user_type_schema sysname?; suggested_user_type_name sysname?; "
    "suggested_assembly_qualified_type_name nvarchar(4000)?; suggested_xml_collection_id int?; "
    "suggested_xml_collection_database sysname?; suggested_xml_collection_schema sysname?; "
    "suggested_xml_collection_name sysname?; suggested_is_xml_document bit; suggested_is_case_sensitive bit; "
    "suggested_is_fixed_length_clr_type bit; suggested_is_input bit; suggested_is_output bit; "
    "formal_parameter_name sysname?; suggested_tds_type_id int; suggested_tds_length int"
)


def _collations(interpreter: Interpreter, given: list[Given]) -> int:
    """sp_tablecollations_100: what a bulk load asks of its table."""
    parts = name_parts(_text_of(given, 0).lstrip("."))
    table = interpreter.state.resolve(parts)
    columns = table.columns if isinstance(table, Table) else ()
    rows: list[tuple[object, ...]] = []
    for number, one in enumerate(columns, 1):
        text = one.type.is_text and one.type.name != "xml"
        rows.append((number, one.name, COLLATION if text else None, COLLATION_NAME if text else None))
    _show(interpreter, _COLLATIONS, rows)
    return 0


def _undeclared(interpreter: Interpreter, given: list[Given]) -> int:
    """sp_describe_undeclared_parameters: each is suggested as text, which the server converts."""
    text, declared = _text_of(given, 0), {one.name.lower() for one in declared_parameters(_text_of(given, 1))}
    names = [one.text for one in tokens_of(text) if one.kind == VARIABLE and one.word not in declared]
    rows: list[tuple[object, ...]] = [
        (number, name, 231, "nvarchar(4000)", 8000, 0, 0, *(None for _ in range(9)), 0, 0, 0, 1, 0, None, 231, 8000)
        for number, name in enumerate(dict.fromkeys(names), 1)
    ]
    _show(interpreter, _UNDECLARED, rows)
    return 0


def _reset(interpreter: Interpreter, _: list[Given]) -> int:
    interpreter.state.reset(keep_transaction=False)
    return 0


def _rename(interpreter: Interpreter, given: list[Given]) -> int:
    kind = str(given[2].value).upper() if len(given) > 2 and given[2].value else ""
    interpreter.rename(name_parts(_text_of(given, 0)), _text_of(given, 1), kind)
    return 0


def _helptext(interpreter: Interpreter, given: list[Given]) -> int:
    found = interpreter.state.find(name_parts(_text_of(given, 0)))
    if not isinstance(found, (Module, View)):
        raise SqlError.raised(
            15009,
            16,
            1,
            f"The object '{_text_of(given, 0)}' does not exist in database "
            f"'{interpreter.state.database.name}' or is invalid for this operation.",
        )
    fields = (Field("Text", "", SqlType("nvarchar", 255), True),)
    interpreter.result(fields, [(line + "\r\n",) for line in found.definition.splitlines()])
    return 0


def _tables(interpreter: Interpreter, _: list[Given]) -> int:
    database = interpreter.state.database
    rows: list[tuple[object, ...]] = [(database.name, one.schema, one.name, "TABLE", None) for one in database.tables()]
    _show(interpreter, "TABLE_QUALIFIER sysname?; TABLE_OWNER sysname?; TABLE_NAME sysname?; TABLE_TYPE varchar(32)?; "
                       "REMARKS varchar(254)?", rows)  # fmt: skip
    return 0


def _who(interpreter: Interpreter, _: list[Given]) -> int:
    state = interpreter.state
    rows: list[tuple[object, ...]] = [
        (state.spid, 0, "runnable", state.login, state.host, "0", state.database.name, "SELECT", 0)
    ]
    _show(
        interpreter,
        "spid smallint; ecid smallint; status nchar(30); loginame nvarchar(128)?; hostname nchar(128); blk char(5)?; "
        "dbname nvarchar(128)?; cmd nchar(26); request_id int",
        rows,
    )
    return 0


SYSTEM: dict[str, _System] = {
    "sp_executesql": _executesql, "sp_prepare": _prepare, "sp_execute": _execute, "sp_prepexec": _prepexec,
    "sp_unprepare": _unprepare, "sp_cursoropen": _cursor_open, "sp_cursorprepare": _cursor_prepare,
    "sp_cursorexecute": _cursor_execute, "sp_cursorprepexec": _cursor_prepexec, "sp_cursorfetch": _cursor_fetch,
    "sp_cursorclose": _cursor_close, "sp_cursoroption": _cursor_option, "sp_cursorunprepare": _unprepare,
    "sp_describe_first_result_set": _describe,
    "sp_reset_connection": _reset, "sp_tablecollations_100": _collations,
    "sp_describe_undeclared_parameters": _undeclared, "sp_rename": _rename, "sp_helptext": _helptext,
    "sp_tables": _tables, "sp_who": _who,
}  # fmt: skip
