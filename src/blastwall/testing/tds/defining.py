"""The grammar of CREATE, ALTER and DROP: what each statement is, before it is carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blastwall.testing.tds.errors import SqlError, unsupported

if TYPE_CHECKING:
    from blastwall.testing.tds.script import Node, Script

MODULES = {"VIEW": "VIEW", "PROC": "PROCEDURE", "PROCEDURE": "PROCEDURE", "FUNCTION": "FUNCTION", "TRIGGER": "TRIGGER"}
DROPS = {"TABLE": "table", "VIEW": "view", "PROC": "procedure", "PROCEDURE": "procedure", "FUNCTION": "function",
         "TRIGGER": "trigger", "SYNONYM": "synonym"}  # fmt: skip


def _node(kind: str, at: int, name: str = "", text: str = "", parts: tuple[str, ...] = (), *, spot: int = 0) -> Node:
    from blastwall.testing.tds.script import Node

    return Node(kind, at, 0, name=name, text=text, parts=parts, spots=(spot,))


def read_definition(script: Script, at: int) -> Node:
    """Read a CREATE or ALTER up to its end."""
    cursor = script.cursor
    verb = cursor.advance().word
    if verb == "CREATE" and cursor.accept("OR", "ALTER"):
        verb = "CREATE OR ALTER"
    if cursor.word in MODULES:
        kind = MODULES[cursor.advance().word]
        if at:
            raise SqlError(111, f"{verb} {kind}")
        parts = cursor.dotted()
        spot = cursor.at
        read_module(script, kind, "", "dbo", parts[-1])
        return _node(f"{verb} {kind}", at, parts=parts, spot=spot)
    if verb == "CREATE":
        return _create(script, at)
    if cursor.accept("TABLE"):
        return _alter_table(script, at)
    if cursor.accept("ROLE"):
        role = cursor.name()
        action = cursor.advance().word
        cursor.expect("MEMBER")
        return _node("ROLE MEMBER", at, cursor.name(), action, (role,))
    if cursor.accept("DATABASE", "SCOPED", "CONFIGURATION"):
        raise unsupported("ALTER DATABASE SCOPED CONFIGURATION")
    raise unsupported(f"{verb} {cursor.word}")


def read_module(script: Script, kind: str, database: str, schema: str, name: str) -> object:
    """Read a view, procedure, function or trigger after its name."""
    readers = {
        "VIEW": script.view,
        "PROCEDURE": script.procedure,
        "FUNCTION": script.routine,
        "TRIGGER": script.trigger,
    }
    return readers[kind](database, schema, name)


def _create(script: Script, at: int) -> Node:
    cursor = script.cursor
    if cursor.accept("TABLE"):
        parts, spot = cursor.dotted(), cursor.at
        script.table_body("dbo", parts[-1])
        if cursor.accept("ON"):
            cursor.name()
        if cursor.accept("WITH", "("):
            script.skip_bracket()
        return _node("CREATE TABLE", at, parts=parts, spot=spot)
    if cursor.accept("SCHEMA"):
        name = cursor.name()
        if cursor.accept("AUTHORIZATION"):
            cursor.name()
        return _node("CREATE SCHEMA", at, name)
    if cursor.accept("SYNONYM"):
        parts = cursor.dotted()
        cursor.expect("FOR")
        return _node("CREATE SYNONYM", at, ".".join(cursor.dotted()), parts=parts)
    return _create_small(script, at)


def _create_small(script: Script, at: int) -> Node:
    cursor = script.cursor
    unique = cursor.accept("UNIQUE")
    if not cursor.accept("CLUSTERED"):
        cursor.accept("NONCLUSTERED")
    if cursor.accept("INDEX"):
        return _index(script, at, unique)
    if cursor.accept("USER") or cursor.accept("ROLE"):
        name = cursor.name()
        if cursor.accept("WITHOUT", "LOGIN") or cursor.accept("FROM", "EXTERNAL", "PROVIDER"):
            pass
        elif cursor.accept("FOR", "LOGIN") or cursor.accept("FROM", "LOGIN"):
            cursor.name()
        return _node("CREATE USER", at, name)
    raise unsupported(f"CREATE {cursor.word}")


def _index(script: Script, at: int, unique: bool) -> Node:
    cursor, name = script.cursor, script.cursor.name()
    cursor.expect("ON")
    parts = cursor.dotted()
    cursor.expect("(")
    columns = script.key_columns()
    if cursor.accept("INCLUDE", "("):
        script.skip_bracket()
    if cursor.word == "WHERE":
        raise unsupported("A filtered index")
    if cursor.accept("WITH", "("):
        script.skip_bracket()
    return _node("CREATE INDEX", at, name, ("unique|" if unique else "|") + ",".join(columns), parts)


def _alter_table(script: Script, at: int) -> Node:
    from blastwall.testing.tds.definitions import Draft

    cursor = script.cursor
    parts, spot = cursor.dotted(), cursor.at
    if cursor.accept("WITH", "CHECK") or cursor.accept("WITH", "NOCHECK"):
        spot = cursor.at
    action = cursor.word
    if cursor.accept("ADD"):
        draft = Draft("dbo", parts[-1], [], [], [], [])
        script.table_element(draft)
        while cursor.accept(","):
            script.table_element(draft)
        return _node("ALTER TABLE ADD", at, parts=parts, spot=spot + 1)
    if cursor.accept("DROP"):
        kind = "CONSTRAINT"
        if cursor.accept("COLUMN"):
            kind = "COLUMN"
        else:
            cursor.accept("CONSTRAINT")
        if cursor.accept("IF"):
            cursor.expect("EXISTS")
        return _node(f"ALTER TABLE DROP {kind}", at, cursor.name(), parts=parts)
    if cursor.accept("ALTER", "COLUMN"):
        name, inner = cursor.name(), cursor.at
        script.type()
        if not cursor.accept("NOT", "NULL"):
            cursor.accept("NULL")
        return _node("ALTER COLUMN", at, name, parts=parts, spot=inner)
    raise unsupported(f"ALTER TABLE … {action}")


def read_drop(script: Script, at: int) -> Node:
    """Read a DROP."""
    cursor = script.cursor
    cursor.expect("DROP")
    kind = cursor.advance().word
    if kind == "INDEX":
        exists = cursor.accept("IF", "EXISTS")
        name = cursor.name()
        cursor.expect("ON")
        return _node("DROP INDEX", at, name, "if" if exists else "", cursor.dotted())
    if kind not in (*DROPS, "SCHEMA", "USER", "ROLE"):
        raise unsupported(f"DROP {kind}")
    exists = cursor.accept("IF", "EXISTS")
    names = ["\0".join(cursor.dotted())]
    while cursor.accept(","):
        names.append("\0".join(cursor.dotted()))
    return _node(f"DROP {kind}", at, text="if" if exists else "", parts=tuple(names))
