"""System variables and functions that say something of the session, the server or its metadata."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from blastwall.testing.tds.catalog import COLLATION_NAME, Module, Table, View
from blastwall.testing.tds.datatypes import DATETIME, INT, NVARCHAR_MAX, SYSNAME, TYPE_IDS, SqlType

if TYPE_CHECKING:
    from blastwall.testing.tds.errors import SqlError
    from blastwall.testing.tds.state import State

VERSION = (
    "Microsoft SQL Azure (RTM) - 12.0.2000.8 \n\tNov  1 2026 00:00:00 \n\tA server for tests, no Microsoft product"
)
SERVER = "testserver"
_SMALLINT, _BIGINT, _NUMERIC = (
    SqlType("smallint", precision=5),
    SqlType("bigint", precision=19),
    SqlType("numeric", precision=38),
)
_VARIANT = SqlType("sql_variant")
_Answer = tuple[SqlType, object]
_Teller = Callable[["State", list[object]], _Answer | None]

OBJECT_TYPES = {"P": "SQL_STORED_PROCEDURE", "FN": "SQL_SCALAR_FUNCTION", "IF": "SQL_INLINE_TABLE_VALUED_FUNCTION",
                "TR": "SQL_TRIGGER", "U": "USER_TABLE", "V": "VIEW", "SN": "SYNONYM"}  # fmt: skip


def object_type(one: object) -> str:
    """Return `type` of sys.objects."""
    if isinstance(one, Module):
        return one.kind
    return "U" if isinstance(one, Table) else "V" if isinstance(one, View) else "SN"


def fact_of(state: State, name: str, arguments: list[object]) -> _Answer | None:
    """Return what a system variable or function says; None where there is none of that name."""
    teller = FACTS.get(name)
    return teller(state, arguments) if teller is not None else None


def mapping_of(state: State, function: str) -> dict[object, object] | None:
    """Return what a function of metadata says for each id; None where it is none."""
    database = state.database
    if function == "OBJECT_NAME":
        return {one.id: one.name for one in database.listed()} | _system_names()
    if function == "OBJECT_SCHEMA_NAME":
        return {one.id: one.schema for one in database.listed()}
    if function == "SCHEMA_NAME":
        return {schema_id(database.schemas, name): name for name in list(database.schemas.values())}
    if function == "DB_NAME":
        return {one.id: one.name for one in list(state.engine.databases.values())}
    if function == "TYPE_NAME":
        return {**{number: name for name, number in TYPE_IDS.items()}, 256: "sysname"}
    if function == "OBJECT_DEFINITION":
        return {one.id: one.definition for one in database.listed() if isinstance(one, (View, Module))}
    if function == "COL_NAME":
        return {f"{table.id}.{number}": column.name for table in database.tables()
                for number, column in enumerate(table.columns, 1)}  # fmt: skip
    return None


def _system_names() -> dict[object, object]:
    from blastwall.testing.tds.system_views import system_names

    return system_names()


def schema_id(schemas: dict[str, str], name: str) -> int:
    """Return a schema's id: those that every database has first, dbo 1, guest 2, INFORMATION_SCHEMA 3, sys 4."""
    fixed = {"dbo": 1, "guest": 2, "information_schema": 3, "sys": 4}
    if name.lower() in fixed:
        return fixed[name.lower()]
    own = [one for one in schemas if one not in fixed]
    return 5 + own.index(name.lower())


def _const(type_: SqlType, value: object) -> _Teller:
    return lambda _, __: (type_, value)


def _server_property(_: State, arguments: list[object]) -> _Answer | None:
    said = {"productversion": "12.0.2000.8", "productlevel": "RTM", "edition": "SQL Azure", "engineedition": 5,
            "servername": SERVER, "collation": COLLATION_NAME, "productmajorversion": "12", "isclustered": 0,
            "machinename": SERVER, "instancename": None, "isintegratedsecurityonly": 0, "isfulltextinstalled": 0,
            "ishadrenabled": 0, "productminorversion": "0", "productbuild": "2000"}  # fmt: skip
    value = said.get(str(arguments[0]).lower())
    if value is None:
        return _VARIANT, None
    return _VARIANT, f"int\x1f{value}" if isinstance(value, int) else f"nvarchar(128)\x1f{value}"


def _object_id(state: State, arguments: list[object]) -> _Answer:
    from blastwall.testing.tds.errors import SqlError

    parts = name_parts(str(arguments[0] or ""))
    try:
        found = state.find(parts) if parts else None
    except SqlError:
        found = None
    if found is None or (
        len(arguments) > 1 and arguments[1] and object_type(found) != str(arguments[1]).strip().upper()
    ):
        return INT, None
    return INT, found.id


def name_parts(text: str) -> tuple[str, ...]:
    """Return the parts of a name in a string, as [dbo].[orders]."""
    from blastwall.testing.tds.errors import SqlError
    from blastwall.testing.tds.lexer import Cursor, tokens_of

    try:
        cursor = Cursor(text, tokens_of(text))
        parts = cursor.dotted()
    except SqlError:
        return ()
    return parts if cursor.ended else ()


def _caught(attribute: str, type_: SqlType) -> _Teller:
    def tell(state: State, _: list[object]) -> _Answer:
        error: SqlError | None = state.caught[-1] if state.caught else None
        if error is None:
            return type_, None
        value = getattr(error, attribute)
        return type_, (value or None) if attribute == "procedure" else value

    return tell


def _xact_state(state: State, _: list[object]) -> _Answer:
    count = state.transactions.count
    return _SMALLINT, 0 if not count else -1 if state.transactions.doomed else 1


def _database_id(state: State, arguments: list[object]) -> _Answer:
    name = str(arguments[0]).lower() if arguments else state.database.name.lower()
    found = state.engine.databases.get(name)
    return _SMALLINT, None if found is None else found.id


def _schema_id(state: State, arguments: list[object]) -> _Answer:
    name = str(arguments[0]).lower() if arguments else "dbo"
    return INT, schema_id(state.database.schemas, name) if name in state.database.schemas else None


def _type_id(_: State, arguments: list[object]) -> _Answer:
    return INT, TYPE_IDS.get(str(arguments[0]).lower().split(".")[-1].strip("[]"))


def _user_id(state: State, arguments: list[object]) -> _Answer:
    name = str(arguments[0]).lower() if arguments else state.user.lower()
    known = list(state.database.users)
    return INT, known.index(name) + 1 if name in known else None


def _member(state: State, arguments: list[object]) -> _Answer:
    role = str(arguments[0]).lower()
    if role in ("db_owner", "dbo", "sysadmin"):
        return INT, int(state.owner)
    return INT, int(role == "public" or state.user.lower() in state.database.roles.get(role, set()))


def _ident_current(state: State, arguments: list[object]) -> _Answer:
    found = state.find(name_parts(str(arguments[0])))
    return _NUMERIC, None if found is None else state.database.identities.get(found.id, 1)


def _connection_property(_: State, arguments: list[object]) -> _Answer:
    said = {"net_transport": "TCP", "protocol_type": "TSQL", "auth_scheme": "SQL", "client_net_address": "127.0.0.1"}
    value = said.get(str(arguments[0]).lower())
    return _VARIANT, None if value is None else f"nvarchar(48)\x1f{value}"


def _database_property(state: State, arguments: list[object]) -> _Answer:
    said = {"collation": COLLATION_NAME, "status": "ONLINE", "updateability": "READ_WRITE", "edition": "GeneralPurpose",
            "serviceobjective": "GP_S_Gen5_1", "useraccess": "MULTI_USER", "recovery": "FULL"}  # fmt: skip
    value = said.get(str(arguments[1]).lower())
    known = str(arguments[0]).lower() in state.engine.databases
    return _VARIANT, f"nvarchar(128)\x1f{value}" if value is not None and known else None


def _has_access(state: State, arguments: list[object]) -> _Answer:
    return INT, int(str(arguments[0]).lower() in state.engine.databases)


def _options_bits(state: State, _: list[object]) -> _Answer:
    return INT, 5432 + (512 if state.options.nocount else 0) + (16384 if state.options.xact_abort else 0)


FACTS: dict[str, _Teller] = {
    "@@VERSION": _const(SqlType("nvarchar", 300), VERSION),
    "@@SERVERNAME": _const(SYSNAME, SERVER),
    "@@SERVICENAME": _const(SYSNAME, "MSSQLSERVER"),
    "@@SPID": lambda s, _: (_SMALLINT, s.spid),
    "@@TRANCOUNT": lambda s, _: (INT, s.transactions.count),
    "@@ROWCOUNT": lambda s, _: (INT, s.rowcount),
    "ROWCOUNT_BIG": lambda s, _: (_BIGINT, s.rowcount),
    "@@ERROR": lambda s, _: (INT, s.error_number),
    "@@IDENTITY": lambda s, _: (_NUMERIC, s.last_identity),
    "@@NESTLEVEL": lambda s, _: (INT, s.nesting),
    "@@PROCID": lambda s, _: (INT, s.procedure.id if s.procedure else 0),
    "@@OPTIONS": _options_bits,
    "@@FETCH_STATUS": _const(INT, 0),
    "@@LANGUAGE": _const(SYSNAME, "us_english"),
    "@@LANGID": _const(_SMALLINT, 0),
    "@@DATEFIRST": _const(SqlType("tinyint", precision=3), 7),
    "@@LOCK_TIMEOUT": lambda s, _: (INT, int(s.options.others.get("LOCK_TIMEOUT", "-1"))),
    "@@MAX_PRECISION": _const(SqlType("tinyint", precision=3), 38),
    "@@MICROSOFTVERSION": _const(INT, 0x0C0007D0),
    "@@TEXTSIZE": _const(INT, 2147483647),
    "@@MAX_CONNECTIONS": _const(INT, 32767),
    "SCOPE_IDENTITY": lambda s, _: (_NUMERIC, s.identity),
    "IDENT_CURRENT": _ident_current,
    "DB_NAME": lambda s, a: (SYSNAME, s.database.name) if not a else None,
    "DB_ID": _database_id,
    "SCHEMA_NAME": lambda _, a: (SYSNAME, "dbo") if not a else None,
    "SCHEMA_ID": _schema_id,
    "OBJECT_ID": _object_id,
    "OBJECT_NAME": lambda s, a: (SYSNAME, (mapping_of(s, "OBJECT_NAME") or {}).get(a[0])),
    "OBJECT_SCHEMA_NAME": lambda s, a: (SYSNAME, (mapping_of(s, "OBJECT_SCHEMA_NAME") or {}).get(a[0])),
    "OBJECT_DEFINITION": lambda s, a: (NVARCHAR_MAX, (mapping_of(s, "OBJECT_DEFINITION") or {}).get(a[0])),
    "COL_NAME": lambda s, a: (SYSNAME, (mapping_of(s, "COL_NAME") or {}).get(f"{a[0]}.{a[1]}")),
    "TYPE_NAME": lambda s, a: (SYSNAME, (mapping_of(s, "TYPE_NAME") or {}).get(a[0])),
    "TYPE_ID": _type_id,
    "USER_NAME": lambda s, a: (SYSNAME, s.user if not a else None),
    "USER_ID": _user_id,
    "DATABASE_PRINCIPAL_ID": _user_id,
    "SUSER_NAME": lambda s, _: (SYSNAME, s.login),
    "SUSER_SNAME": lambda s, _: (SYSNAME, s.login),
    "ORIGINAL_LOGIN": lambda s, _: (SYSNAME, s.login),
    "USER": lambda s, _: (SYSNAME, s.user),
    "CURRENT_USER": lambda s, _: (SYSNAME, s.user),
    "SESSION_USER": lambda s, _: (SYSNAME, s.user),
    "SYSTEM_USER": lambda s, _: (SYSNAME, s.login),
    "HOST_NAME": lambda s, _: (SYSNAME, s.host),
    "APP_NAME": lambda s, _: (SYSNAME, s.application),
    "CURRENT_TIMESTAMP": lambda s, _: (DATETIME, s.now()),
    "XACT_STATE": _xact_state,
    "ERROR_NUMBER": _caught("number", INT),
    "ERROR_SEVERITY": _caught("severity", INT),
    "ERROR_STATE": _caught("state", INT),
    "ERROR_LINE": _caught("line", INT),
    "ERROR_MESSAGE": _caught("text", SqlType("nvarchar", 4000)),
    "ERROR_PROCEDURE": _caught("procedure", SYSNAME),
    "IS_MEMBER": _member,
    "IS_ROLEMEMBER": _member,
    "IS_SRVROLEMEMBER": _member,
    "HAS_DBACCESS": _has_access,
    "HAS_PERMS_BY_NAME": lambda s, _: (INT, int(s.owner)),
    "SERVERPROPERTY": _server_property,
    "CONNECTIONPROPERTY": _connection_property,
    "DATABASEPROPERTYEX": _database_property,
}
