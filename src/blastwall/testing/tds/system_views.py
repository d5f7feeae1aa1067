"""The catalog views of sys and INFORMATION_SCHEMA, made from what a database holds when they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING

from blastwall.testing.tds.catalog import (
    COLLATION_NAME,
    CREATED,
    Column,
    Database,
    Module,
    Synonym,
    Table,
    View,
    duck_type,
    quoted,
)
from blastwall.testing.tds.datatypes import TYPE_IDS, SqlType, declared_type
from blastwall.testing.tds.errors import SqlError
from blastwall.testing.tds.system_facts import OBJECT_TYPES, object_type, schema_id
from blastwall.testing.tds.typed import literal_text

if TYPE_CHECKING:
    from blastwall.testing.tds.state import State

_Rows = Iterator[tuple[object, ...]]
_Maker = Callable[["State", Database], _Rows]


def system_view(state: State, database: Database, schema: str, name: str) -> Table | None:
    """Return a system view as a table whose rows stand in its own definition; None where there is none."""
    entry = VIEWS.get((schema, name))
    if entry is None:
        return None
    columns, make = columns_of(entry[0]), entry[1]
    return as_table(database.name, schema, name, columns, list(make(state, database)))


def as_table(
    database: str, schema: str, name: str, columns: tuple[Column, ...], rows: list[tuple[object, ...]]
) -> Table:
    """Return rows as a table."""
    casts = ", ".join(
        f"CAST(c{index} AS {duck_type(one.type)}) AS {quoted(one.name)}" for index, one in enumerate(columns)
    )
    names = ", ".join(f"c{index}" for index in range(len(columns)))
    listed = ", ".join("(" + ", ".join(_literal(value) for value in row) + ")" for row in rows)
    if not rows:
        listed = "(" + ", ".join("NULL" for _ in columns) + ")"
    empty = "" if rows else " WHERE FALSE"
    stored = f"(SELECT {casts} FROM (VALUES {listed}) AS v({names}){empty})"
    return Table(database, schema, name, columns, id=_system_id(f"{schema}.{name}"), stored=stored)


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, datetime):
        return f"TIMESTAMP '{value.isoformat(' ')}'"
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, bytes):
        return f"unhex('{value.hex()}')"
    return literal_text(str(value))


@cache
def columns_of(spec: str) -> tuple[Column, ...]:
    """Return a view's columns out of `name type, name type?`, where `?` says that it may be null."""
    found = []
    for part in " ".join(spec.split()).split("; "):
        name, _, declared = part.partition(" ")
        found.append(Column(name, declared_type(declared.rstrip("?")), nullable=declared.endswith("?")))
    return tuple(found)


def _system_id(name: str) -> int:
    return -(sum((index + 7) * byte for index, byte in enumerate(name.encode())) % 1_000_000) - 100


def system_names() -> dict[object, object]:
    """Return the names of the system views by their ids."""
    return {_system_id(f"{schema}.{name}"): name for schema, name in VIEWS}


# ── what is in them ──────────────────────────────────────────────────────────────────────────────────────────────────


def _databases(state: State, _: Database) -> _Rows:
    for one in list(state.engine.databases.values()):
        yield one.name, one.id, CREATED, COLLATION_NAME, 0, "ONLINE", 160, 1, 0, 0, 1, "FULL"


def _schemas(_: State, database: Database) -> _Rows:
    for name in list(database.schemas.values()):
        yield name, schema_id(database.schemas, name), 1


def _object_rows(_: State, database: Database) -> _Rows:
    for one in database.listed():
        kind, when = object_type(one), database.modified.get(one.id, CREATED)
        parent = 0
        if isinstance(one, Module) and one.kind == "TR":
            table = database.find(*one.table)
            parent = table.id if table else 0
        yield (
            one.name,
            one.id,
            None,
            schema_id(database.schemas, one.schema),
            parent,
            kind,
            OBJECT_TYPES[kind],
            CREATED,
            when,
            0,
        )
        if isinstance(one, Table):
            yield from _inner_objects(database, one, when)


def _inner_objects(database: Database, table: Table, when: datetime) -> _Rows:
    schema = schema_id(database.schemas, table.schema)
    for key in table.keys:
        if key.constraint:
            kind = ("PK", "PRIMARY_KEY_CONSTRAINT") if key.primary else ("UQ", "UNIQUE_CONSTRAINT")
            yield key.name, inner_id(table, key.name), None, schema, table.id, *kind, CREATED, when, 0
    for foreign in table.foreign_keys:
        yield foreign.name, foreign.id, None, schema, table.id, "F", "FOREIGN_KEY_CONSTRAINT", CREATED, when, 0
    for check in table.checks:
        yield check.name, check.id, None, schema, table.id, "C", "CHECK_CONSTRAINT", CREATED, when, 0
    for column in table.columns:
        if column.default is not None:
            name = column.default_name
            yield name, inner_id(table, name), None, schema, table.id, "D", "DEFAULT_CONSTRAINT", CREATED, when, 0


def inner_id(table: Table, name: str) -> int:
    """Return the object id of a key or default of a table's."""
    return table.id + 1 + sum((index + 3) * byte for index, byte in enumerate(name.encode())) % 99991 * 16


def _of_kind(kind: str) -> _Maker:
    return lambda state, database: (row for row in _object_rows(state, database) if row[5] == kind)


def _table_rows(state: State, database: Database) -> _Rows:
    for row in _object_rows(state, database):
        if row[5] == "U":
            yield *row, None, 0, "NON_TEMPORAL_TABLE", 0, "SCHEMA_AND_DATA"


def _view_columns(state: State, view: View) -> list[tuple[str, SqlType, bool]]:
    from blastwall.testing.tds.lexer import Cursor
    from blastwall.testing.tds.script import Script

    try:
        _, fields = Script(Cursor("", []), state).expanded(view, {})
    except SqlError:
        return []
    return [(one.name, one.type, one.nullable) for one in fields]


def _column_rows(state: State, database: Database) -> _Rows:
    for one in database.listed():
        if isinstance(one, Table):
            for number, column in enumerate(one.columns, 1):
                yield _column_row(one, number, column)
        elif isinstance(one, View):
            for number, (name, type_, nullable) in enumerate(_view_columns(state, one), 1):
                yield _column_row(one, number, Column(name, type_, nullable))


def _column_row(owner: Table | View, number: int, column: Column) -> tuple[object, ...]:
    type_ = column.type
    default = inner_id(owner, column.default_name) if isinstance(owner, Table) and column.default is not None else 0
    return (
        owner.id,
        column.name,
        number,
        TYPE_IDS.get(type_.name, 98),
        TYPE_IDS.get(type_.name, 98),
        type_.max_length,
        type_.precision,
        type_.scale,
        COLLATION_NAME if type_.is_text and type_.name != "xml" else None,
        column.nullable,
        1,
        0,
        column.identity is not None,
        column.computed is not None,
        default,
        0,
        0,
        0,
        None,
        0,
        0,
        None,
    )


def _system_column_rows(_: State, __: Database) -> _Rows:
    for (schema, name), (spec, _maker) in VIEWS.items():
        owner = Table("", schema, name, (), id=_system_id(f"{schema}.{name}"))
        for number, column in enumerate(columns_of(spec), 1):
            yield _column_row(owner, number, column)


def _system_object_rows(_: State, database: Database) -> _Rows:
    for schema, name in VIEWS:
        number = schema_id(database.schemas, schema)
        yield name, _system_id(f"{schema}.{name}"), None, number, 0, "V", "VIEW", CREATED, CREATED, 1


def _all_object_rows(state: State, database: Database) -> _Rows:
    yield from _object_rows(state, database)
    yield from _system_object_rows(state, database)


def _type_rows(_: State, __: Database) -> _Rows:
    for name, number in TYPE_IDS.items():
        sized = {"decimal": "decimal(38)", "numeric": "numeric(38)"}.get(name, name)
        type_ = declared_type(sized)
        text = COLLATION_NAME if type_.is_text and name != "xml" else None
        yield name, number, number, 4, None, type_.max_length, type_.precision, type_.scale, text, 1, 0, 0, 0, 0, 0
    yield "sysname", 231, 256, 4, None, 256, 0, 0, COLLATION_NAME, 0, 0, 0, 0, 0, 0


def _synonyms(_: State, database: Database) -> _Rows:
    for one in database.listed():
        if isinstance(one, Synonym):
            base = ".".join(f"[{part}]" for part in one.target)
            yield one.name, one.id, schema_id(database.schemas, one.schema), "SN", base


def _module_rows(_: State, database: Database) -> _Rows:
    for one in database.listed():
        if isinstance(one, (View, Module)):
            yield one.id, one.definition, 1, 1, 0, None, 0, 0


def _foreign_keys(_: State, database: Database) -> _Rows:
    codes = {"NO_ACTION": 0, "CASCADE": 1, "SET_NULL": 2, "SET_DEFAULT": 3}
    for table in database.tables():
        for key in table.foreign_keys:
            other = database.find(key.schema, key.table)
            number = schema_id(database.schemas, table.schema)
            yield (
                key.name,
                key.id,
                number,
                table.id,
                other.id if other else None,
                1,
                0,
                0,
                codes[key.on_delete],
                key.on_delete,
                codes[key.on_update],
                key.on_update,
                "F",
            )


def _foreign_key_columns(_: State, database: Database) -> _Rows:
    for table in database.tables():
        for key in table.foreign_keys:
            other = database.find(key.schema, key.table)
            if not isinstance(other, Table):
                continue
            for number, (own, theirs) in enumerate(zip(key.columns, key.referenced, strict=True), 1):
                yield key.id, number, table.id, _number(table, own), other.id, _number(other, theirs)


def _number(table: Table, name: str) -> int:
    return next(number for number, one in enumerate(table.columns, 1) if one.name.lower() == name.lower())


def _triggers(_: State, database: Database) -> _Rows:
    for one in database.modules("TR"):
        table = database.find(*one.table)
        when = database.modified.get(one.id, CREATED)
        yield one.name, one.id, 1, table.id if table else 0, "TR", "SQL_TRIGGER", 0, one.instead, CREATED, when


def _trigger_events(_: State, database: Database) -> _Rows:
    codes = {"INSERT": 1, "UPDATE": 2, "DELETE": 3}
    for one in database.modules("TR"):
        for event in one.events:
            yield one.id, codes.get(event, 0), event


def _computed(_: State, database: Database) -> _Rows:
    for table in database.tables():
        for number, column in enumerate(table.columns, 1):
            if column.computed is not None:
                yield table.id, column.name, number, column.computed, 0


def _checks(_: State, database: Database) -> _Rows:
    for table in database.tables():
        for check in table.checks:
            column = _number(table, check.column) if check.column else 0
            yield check.name, check.id, table.id, column, check.text, 0


def _defaults(_: State, database: Database) -> _Rows:
    for table in database.tables():
        for number, column in enumerate(table.columns, 1):
            if column.default is not None:
                yield column.default_name, inner_id(table, column.default_name), table.id, number, column.default


def _indexes(_: State, database: Database) -> _Rows:
    for table in database.tables():
        primary = any(key.primary for key in table.keys)
        if not primary:
            yield table.id, None, 0, 0, "HEAP", 0, 0, 0, 0
        for number, key in enumerate(table.keys, 1 if primary else 2):
            clustered = key.primary
            kind = (1, "CLUSTERED") if clustered else (2, "NONCLUSTERED")
            yield table.id, key.name, number, *kind, key.unique, key.primary, key.constraint and not key.primary, 0


def _index_columns(_: State, database: Database) -> _Rows:
    for table in database.tables():
        primary = any(key.primary for key in table.keys)
        for number, key in enumerate(table.keys, 1 if primary else 2):
            for place, name in enumerate(key.columns, 1):
                yield table.id, number, place, _number(table, name), place, 0, 0


def _key_constraints(_: State, database: Database) -> _Rows:
    for table in database.tables():
        for number, key in enumerate(table.keys, 1):
            if key.constraint:
                kind = ("PK", "PRIMARY_KEY_CONSTRAINT") if key.primary else ("UQ", "UNIQUE_CONSTRAINT")
                yield (
                    key.name,
                    inner_id(table, key.name),
                    schema_id(database.schemas, table.schema),
                    table.id,
                    *kind,
                    number,
                )


def _identity_columns(_: State, database: Database) -> _Rows:
    for table in database.tables():
        for number, column in enumerate(table.columns, 1):
            if column.identity is not None:
                seed, step = column.identity
                yield table.id, column.name, number, seed, step, database.identities.get(table.id)


def _partitions(state: State, database: Database) -> _Rows:
    for table in database.tables():
        rows = state.transactions.rows(f"SELECT count(*) FROM {table.relation}", {})[0][0]
        yield table.id * 16, table.id, 1 if any(key.primary for key in table.keys) else 0, 1, rows, rows


def _principals(_: State, database: Database) -> _Rows:
    for number, (lower, name) in enumerate(list(database.users.items()), 1):
        role = lower in database.roles or lower == "public"
        kind = ("R", "DATABASE_ROLE") if role else ("S", "SQL_USER")
        yield name, number, *kind, "dbo" if not role else None, CREATED, 0, b"\1", "NONE" if role else "INSTANCE"


def _members(_: State, database: Database) -> _Rows:
    known = list(database.users)
    for role, members in list(database.roles.items()):
        for member in members:
            yield known.index(role) + 1, known.index(member) + 1


def _permissions(_: State, database: Database) -> _Rows:
    known = list(database.users)
    for one in database.permissions:
        found = database.find(one.schema, one.object) if one.object else None
        major = found.id if found else schema_id(database.schemas, one.schema) if one.schema else 0
        kind = (1, "OBJECT_OR_COLUMN") if one.object else (3, "SCHEMA") if one.schema else (0, "DATABASE")
        grantee = known.index(one.principal) + 1 if one.principal in known else 0
        yield *kind, major, 0, grantee, 1, one.permission[:4], one.permission, one.state[0], one.state


def _parameters(_: State, database: Database) -> _Rows:
    for one in database.listed():
        if isinstance(one, Module):
            for number, argument in enumerate(one.arguments, 1):
                type_ = argument.type
                number_of_type = TYPE_IDS.get(type_.name, 98)
                yield (one.id, argument.name, number, number_of_type, number_of_type, type_.max_length, type_.precision,
                       type_.scale, argument.output, argument.default is not None)  # fmt: skip


def _nothing(_: State, __: Database) -> _Rows:
    yield from ()


def _sessions(state: State, _: Database) -> _Rows:
    yield state.spid, state.login, state.host, state.application, "running", CREATED, state.database.id


def _information_tables(_: State, database: Database) -> _Rows:
    for one in database.listed():
        if isinstance(one, (Table, View)):
            yield database.name, one.schema, one.name, "BASE TABLE" if isinstance(one, Table) else "VIEW"


def _information_columns(state: State, database: Database) -> _Rows:
    for one in database.listed():
        columns: list[Column] = []
        if isinstance(one, Table):
            columns = list(one.columns)
        elif isinstance(one, View):
            columns = [Column(*parts) for parts in _view_columns(state, one)]
        for number, column in enumerate(columns, 1):
            type_ = column.type
            length = type_.length if type_.is_text or type_.is_binary else None
            yield (
                database.name,
                one.schema,
                one.name,
                column.name,
                number,
                column.default,
                "YES" if column.nullable else "NO",
                type_.name,
                length,
                type_.precision or None,
                type_.scale if type_.is_number else None,
            )


def _information_schemata(_: State, database: Database) -> _Rows:
    for name in list(database.schemas.values()):
        yield database.name, name, "dbo"


def _information_routines(_: State, database: Database) -> _Rows:
    for one in database.listed():
        if isinstance(one, Module) and one.kind != "TR":
            yield database.name, one.schema, one.name, "PROCEDURE" if one.kind == "P" else "FUNCTION", one.definition


_OBJECT = (
    "name sysname; object_id int; principal_id int?; schema_id int; parent_object_id int; type char(2)?; "
    "type_desc nvarchar(60)?; "
    "create_date datetime; modify_date datetime; is_ms_shipped bit"
)
_COLUMN = (
    "object_id int; name sysname?; column_id int; system_type_id tinyint; user_type_id int; max_length smallint; "
    "precision tinyint; scale tinyint; collation_name sysname?; is_nullable bit?; is_ansi_padded bit; "
    "is_rowguidcol bit; "
    "is_identity bit; is_computed bit; default_object_id int; rule_object_id int; is_sparse bit?; is_hidden bit; "
    "encryption_type int?; generated_always_type tinyint; is_masked bit; graph_type int?"
)
VIEWS: dict[tuple[str, str], tuple[str, _Maker]] = {
    ("sys", "databases"): (
        (
            "name sysname; database_id int; create_date datetime; collation_name sysname?; state tinyint; state_desc "
            "nvarchar(60); "
            "compatibility_level tinyint; snapshot_isolation_state tinyint; is_read_only bit; is_auto_close_on bit; "
            "recovery_model tinyint; recovery_model_desc nvarchar(60)"
        ),
        _databases,
    ),
    ("sys", "schemas"): ("name sysname; schema_id int; principal_id int", _schemas),
    ("sys", "objects"): (_OBJECT, _object_rows),
    ("sys", "all_objects"): (_OBJECT, _all_object_rows),
    ("sys", "system_objects"): (_OBJECT, _system_object_rows),
    ("sys", "tables"): (
        (
            f"{_OBJECT}; history_table_id int?; temporal_type tinyint; temporal_type_desc nvarchar(60); "
            "is_memory_optimized bit; "
            "durability_desc nvarchar(60)"
        ),
        _table_rows,
    ),
    ("sys", "views"): (_OBJECT, _of_kind("V")),
    ("sys", "procedures"): (_OBJECT, _of_kind("P")),
    ("sys", "columns"): (_COLUMN, _column_rows),
    ("sys", "all_columns"): (_COLUMN, _column_rows),
    ("sys", "system_columns"): (_COLUMN, _system_column_rows),
    ("sys", "types"): (
        (
            "name sysname; system_type_id tinyint; user_type_id int; schema_id int; principal_id int?; max_length "
            "smallint; "
            "precision tinyint; scale tinyint; collation_name sysname?; is_nullable bit; is_user_defined bit; "
            "is_assembly_type bit; "
            "default_object_id int; rule_object_id int; is_table_type bit"
        ),
        _type_rows,
    ),
    ("sys", "table_types"): ("name sysname; type_table_object_id int; schema_id int; user_type_id int", _nothing),
    ("sys", "xml_schema_collections"): ("name sysname; schema_id int; xml_collection_id int", _nothing),
    ("sys", "synonyms"): (
        "name sysname; object_id int; schema_id int; type char(2); base_object_name nvarchar(1035)?",
        _synonyms,
    ),
    ("sys", "sql_modules"): (
        (
            "object_id int; definition nvarchar(max)?; uses_ansi_nulls bit; uses_quoted_identifier bit; "
            "is_schema_bound bit; "
            "execute_as_principal_id int?; is_recompiled bit; uses_native_compilation bit"
        ),
        _module_rows,
    ),
    ("sys", "foreign_keys"): (
        (
            "name sysname; object_id int; schema_id int; parent_object_id int; referenced_object_id int?; "
            "key_index_id int; "
            "is_disabled bit; is_not_trusted bit; delete_referential_action tinyint; delete_referential_action_desc "
            "nvarchar(60); "
            "update_referential_action tinyint; update_referential_action_desc nvarchar(60); type char(2)"
        ),
        _foreign_keys,
    ),
    ("sys", "foreign_key_columns"): (
        (
            "constraint_object_id int; constraint_column_id int; parent_object_id int; parent_column_id int; "
            "referenced_object_id int; referenced_column_id int"
        ),
        _foreign_key_columns,
    ),
    ("sys", "triggers"): (
        (
            "name sysname; object_id int; parent_class tinyint; parent_id int; type char(2); type_desc nvarchar(60); "
            "is_disabled bit; "
            "is_instead_of_trigger bit; create_date datetime; modify_date datetime"
        ),
        _triggers,
    ),
    ("sys", "trigger_events"): ("object_id int; type int; type_desc nvarchar(60)", _trigger_events),
    ("sys", "computed_columns"): (
        "object_id int; name sysname?; column_id int; definition nvarchar(max)?; is_persisted bit",
        _computed,
    ),
    ("sys", "check_constraints"): (
        (
            "name sysname; object_id int; parent_object_id int; parent_column_id int; definition nvarchar(max)?; "
            "is_disabled bit"
        ),
        _checks,
    ),
    ("sys", "default_constraints"): (
        "name sysname; object_id int; parent_object_id int; parent_column_id int; definition nvarchar(max)?",
        _defaults,
    ),
    ("sys", "indexes"): (
        (
            "object_id int; name sysname?; index_id int; type tinyint; type_desc nvarchar(60)?; is_unique bit?; "
            "is_primary_key bit?; "
            "is_unique_constraint bit?; is_disabled bit"
        ),
        _indexes,
    ),
    ("sys", "index_columns"): (
        (
            "object_id int; index_id int; index_column_id int; column_id int; key_ordinal tinyint; "
            "is_descending_key bit?; is_included_column bit?"
        ),
        _index_columns,
    ),
    ("sys", "key_constraints"): (
        (
            "name sysname; object_id int; schema_id int; parent_object_id int; type char(2); type_desc nvarchar(60); "
            "unique_index_id int"
        ),
        _key_constraints,
    ),
    ("sys", "identity_columns"): (
        "object_id int; name sysname; column_id int; seed_value bigint; increment_value bigint; last_value bigint?",
        _identity_columns,
    ),
    ("sys", "partitions"): (
        "partition_id bigint; object_id int; index_id int; partition_number int; rows bigint?; row_count bigint?",
        _partitions,
    ),
    ("sys", "dm_db_partition_stats"): (
        (
            "partition_id bigint; object_id int; index_id int; partition_number int; used_page_count bigint; "
            "row_count bigint"
        ),
        _partitions,
    ),
    ("sys", "database_principals"): (
        (
            "name sysname; principal_id int; type char(1); type_desc nvarchar(60)?; default_schema_name sysname?; "
            "create_date datetime; "
            "is_fixed_role bit; sid varbinary(85)?; authentication_type_desc nvarchar(60)?"
        ),
        _principals,
    ),
    ("sys", "database_role_members"): ("role_principal_id int; member_principal_id int", _members),
    ("sys", "database_permissions"): (
        (
            "class tinyint; class_desc nvarchar(60)?; major_id int; minor_id int; grantee_principal_id int; "
            "grantor_principal_id int; "
            "type char(4); permission_name nvarchar(128)?; state char(1); state_desc nvarchar(60)?"
        ),
        _permissions,
    ),
    ("sys", "parameters"): (
        (
            "object_id int; name sysname?; parameter_id int; system_type_id tinyint; user_type_id int; max_length "
            "smallint; "
            "precision tinyint; scale tinyint; is_output bit; has_default_value bit"
        ),
        _parameters,
    ),
    ("sys", "sequences"): ("name sysname; object_id int; schema_id int", _nothing),
    ("sys", "servers"): ("server_id int; name sysname; product sysname; is_linked bit", _nothing),
    ("sys", "extended_properties"): (
        "class tinyint; class_desc nvarchar(60)?; major_id int; minor_id int; name sysname; value sql_variant?",
        _nothing,
    ),
    ("sys", "external_data_sources"): ("data_source_id int; name sysname; location nvarchar(4000)", _nothing),
    ("sys", "database_scoped_credentials"): ("credential_id int; name sysname", _nothing),
    ("sys", "security_policies"): ("name sysname; object_id int; schema_id int; is_enabled bit", _nothing),
    ("sys", "dm_exec_sessions"): (
        (
            "session_id smallint; login_name nvarchar(128); host_name nvarchar(128)?; program_name nvarchar(128)?; "
            "status nvarchar(30); "
            "login_time datetime; database_id smallint"
        ),
        _sessions,
    ),
    ("information_schema", "tables"): (
        "TABLE_CATALOG nvarchar(128)?; TABLE_SCHEMA sysname?; TABLE_NAME sysname; TABLE_TYPE varchar(10)?",
        _information_tables,
    ),
    ("information_schema", "columns"): (
        (
            "TABLE_CATALOG nvarchar(128)?; TABLE_SCHEMA sysname?; TABLE_NAME sysname; COLUMN_NAME sysname?; "
            "ORDINAL_POSITION int?; "
            "COLUMN_DEFAULT nvarchar(4000)?; IS_NULLABLE varchar(3)?; DATA_TYPE nvarchar(128)?; "
            "CHARACTER_MAXIMUM_LENGTH int?; "
            "NUMERIC_PRECISION tinyint?; NUMERIC_SCALE int?"
        ),
        _information_columns,
    ),
    ("information_schema", "schemata"): (
        "CATALOG_NAME sysname?; SCHEMA_NAME sysname; SCHEMA_OWNER sysname?",
        _information_schemata,
    ),
    ("information_schema", "routines"): (
        (
            "ROUTINE_CATALOG sysname?; ROUTINE_SCHEMA sysname?; ROUTINE_NAME sysname; ROUTINE_TYPE nvarchar(20)?; "
            "ROUTINE_DEFINITION nvarchar(4000)?"
        ),
        _information_routines,
    ),
}


def first_result_set(state: State, arguments: list[object]) -> Table:
    """Return what sys.dm_exec_describe_first_result_set says of a batch."""
    from blastwall.testing.tds.describing import DESCRIBED, described

    text, declared, browse = ([*arguments, None, None, 0])[:3]
    rows = described(state, str(text or ""), None if declared is None else str(declared), browse=int(str(browse or 0)))
    return as_table("", "sys", "dm_exec_describe_first_result_set", columns_of(DESCRIBED), rows)
