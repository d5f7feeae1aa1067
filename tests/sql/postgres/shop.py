"""The small shop that every test of the classifier speaks of."""

from __future__ import annotations

from blastwall.model.effects import Effect, Mark
from blastwall.model.statement import Column
from blastwall.sql.postgres import Catalog, Classified, Function, NameState, OutputColumn, Relation, classify
from blastwall.sql.postgres.attached import Attachments, Operator


def _table(
    oid: int, name: str, columns: str, schema: str = "public", kind: str = "r", definition: str = ""
) -> Relation:
    return Relation(oid, schema, name, kind, tuple(columns.split()), definition)


def _function(signature: str, body: str) -> str:
    return f"CREATE FUNCTION public.{signature} RETURNS text LANGUAGE sql IMMUTABLE AS $_$ {body} $_$"


CATALOG = Catalog(
    "shop",
    1,
    [
        _table(1, "customers", "id name email ssn"),
        _table(2, "orders", "id customer_id total note"),
        _table(3, "orders", "id k", schema="secret"),
        _table(
            4,
            "v",
            "cid mail",
            kind="v",
            definition=" SELECT c.id AS cid, lower(c.email) AS mail FROM public.customers c;",
        ),
        _table(5, "vv", "a b", kind="v", definition=" SELECT v.cid, v.mail FROM public.v;"),
        _table(6, "loop", "a", kind="v", definition=" SELECT loop.a FROM public.loop;"),
        _table(7, "orders_id_seq", "last_value", kind="S"),
        Relation(8, "public", "holes", "r", ("a", "", "b")),
    ],
    [
        Function("public", "leak", "plpgsql", "v", False, "f"),
        Function("public", "tidy", "sql", "i", False, "f", 101, _function("tidy(text)", "SELECT trim($1)")),
        Function("public", "tells", "sql", "i", False, "f", 102, _function("tells(int)", "SELECT ssn FROM customers")),
        Function(
            "public",
            "stores",
            "sql",
            "v",
            False,
            "f",
            103,
            _function("stores(int)", "INSERT INTO orders(note) VALUES ('x') RETURNING note"),
        ),
        Function("public", "twice", "sql", "i", False, "f", 104, _function("twice(int)", "SELECT public.tells(1)")),
        Function("public", "sealed", "plperl", "i", False, "f", 105),
        Function("public", "total", "internal", "i", False, "a", 106),
        Function("public", "cmin", "sql", "i", False, "f", 107, _function("cmin(v)", "SELECT $1.mail")),
    ],
    ["public", "secret", "pg_catalog"],
    attachments=Attachments(
        operators={
            "<~": (Operator("public", 102),),
            "~>": (Operator("public", 101),),
            "<->": (Operator("public", 102), Operator("secret", 105)),
        },
        types={"code": (102,), "tidied": (101,), "locked": (105,)},
        implied={106: (102,)},
    ),
)
STATE = NameState((("$user", "public"),), "app")


def read(text: str, state: NameState = STATE, catalog: Catalog = CATALOG) -> tuple[Classified, ...]:
    return classify(text, catalog, state)


def one(text: str, state: NameState = STATE, catalog: Catalog = CATALOG) -> Classified:
    (found,) = read(text, state, catalog)
    return found


def short(effect: Effect) -> str:
    """`delete public.orders`; the database itself is `shop`."""
    path = effect.object.path
    return f"{effect.action} {'.'.join(path[1:]) or path[0]}"


def marked(effect: Effect) -> str:
    """`delete public.orders +filtered *`: the marks, and a star where it follows from a definition."""
    path = effect.object.path
    marks = "".join(f" +{mark}" for mark in sorted(effect.marks - {Mark.FOLLOWED}))
    return f"{effect.action} {'.'.join(path[1:]) or 'shop'}{marks}{' *' if Mark.FOLLOWED in effect.marks else ''}"


def effects(text: str, state: NameState = STATE) -> list[str]:
    """Every effect of every statement in a text, in order, each once."""
    return list(dict.fromkeys(short(effect) for statement in read(text, state) for effect in statement.effects))


def column(name: str) -> Column:
    schema, table, column_name = (["public", *name.split(".")])[-3:]
    return Column("shop", schema, table, column_name)


def source_names(output: OutputColumn) -> str:
    """`customers.email+customers.ssn`, `` for no column, `?` for untraced."""
    if output.sources is None:
        return "?"
    return "+".join(sorted(f"{source.table}.{source.column}" for source in output.sources))


def lineage(text: str, state: NameState = STATE) -> list[str] | None:
    """Sources of each output of the last statement; None where they are untraced as a whole."""
    outputs = read(text, state)[-1].outputs
    return None if outputs is None else [source_names(output) for output in outputs]
