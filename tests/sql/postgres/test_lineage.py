from __future__ import annotations

import pytest
from tests.sql.postgres.shop import CATALOG, column, effects, lineage, one

from blastwall.sql.postgres import Catalog, Relation

E, S, N, I = "customers.email", "customers.ssn", "customers.name", "customers.id"  # noqa: E741
ROW = "+".join(sorted((E, S, N, I)))

TRACED = [
    ("select email from customers", [E]),
    ("select c.email as x from customers as c", [E]),
    ("select public.customers.email from public.customers", [E]),
    ("select * from customers", [I, N, E, S]),
    ("select c.*, 1 from customers c", [I, N, E, S, ""]),
    ("select x, y from customers as c(x, y)", [I, N]),
    ("select lower(email), email::bytea, email || 'x', email = 'a' from customers", [E, E, E, E]),
    ("select case when ssn = '1' then name end from customers", [f"{N}+{S}"]),
    ("select coalesce(email, name), array[email, ssn], row(ssn) from customers", [f"{E}+{N}", f"{E}+{S}", S]),
    ("select count(*), count(ssn), exists (select ssn from customers) from customers", ["", "", ""]),
    ("select max(ssn), string_agg(email, ',' order by ssn) from customers", [S, f"{E}+{S}"]),
    ("select max(ssn) filter (where name = 'a') from customers", [f"{N}+{S}"]),
    ("select rank() over (order by ssn) from customers", [S]),
    ("select c from customers c", [ROW]),
    ("select row_to_json(c), to_jsonb(c), c::text, (c).ssn from customers c", [ROW, ROW, ROW, ROW]),
    ("select c.row_to_json from customers c", [ROW]),
    ("select json_agg(t) from (select email from customers) t", [E]),
    ("select (select ssn from customers limit 1)", [S]),
    ("select (select c.ssn) from customers c", [S]),
    ("select (select ssn from pg_class limit 1) from customers", [S]),
    ("select (select c from pg_class limit 1) from customers c", [ROW]),
    ("select 1 in (select ssn from customers)", [S]),
    ("select array(select ssn from customers)", [S]),
    ("select id from customers union select customer_id from orders", ["customers.id+orders.customer_id"]),
    ("select 'x' union all select ssn from customers", [S]),
    ("values ('a', (select ssn from customers limit 1))", ["", S]),
    ("select v.column1 from (values ((select ssn from customers limit 1))) v", [S]),
    ("with x as (select ssn as a from customers) select a from x", [S]),
    ("with x(b) as (select ssn from customers) select b from x", [S]),
    ("with customers as (select 'x' as ssn) select ssn from customers", [""]),
    ("with x as (select * from customers) select * from x", [I, N, E, S]),
    ("with recursive t(a, b) as (select id, '' from customers union select a, ssn from t, customers) select * from t", [I, S]),  # noqa: E501 - a table
    ("with recursive t(a, b) as (select 1, ssn from customers union select b::int, a::text from t) select a, b from t", [S, S]),  # noqa: E501 - a table
    ("with x as (update orders set note = '' returning note) select * from x", ["orders.note"]),
    ("select * from (select email from customers) s", [E]),
    ("select s.e from (select email from customers) as s(e)", [E]),
    ("select l.z from customers c, lateral (select c.ssn as z) l", [S]),
    ("select g from customers c, lateral unnest(array[c.ssn]) g", [S]),
    ("select key, value from customers c, jsonb_each(to_jsonb(c))", [ROW, ROW]),
    ("select x from customers c, json_to_record(row_to_json(c)) as t(x text)", [ROW]),
    ("select j.* from customers c join orders o on o.id = c.id join lateral (select c.ssn) j on true", [S]),
    ("select * from customers join orders using (id)",
     ["customers.id+orders.id", N, E, S, "orders.customer_id", "orders.total", "orders.note"]),
    ("select id from customers join orders using (id)", ["customers.id+orders.id"]),
    ("select * from customers natural join secret.orders", ["customers.id+orders.id", N, E, S, "orders.k"]),
    ("select j.ssn from (customers c join orders o on true) j", [S]),
    ("select mail from v", [E]),
    ("select tells(1), twice(1), lower(tells(1)), sealed(1), stores(1)", [ROW, ROW, ROW, "?", "?"]),
    ("select total(id), total(id) over () from orders", [f"{ROW}+orders.id", f"{ROW}+orders.id"]),
    ("select id <~ 1, id ~> 1, id <-> 1, id operator(secret.<->) 1 from orders",
     [f"{ROW}+orders.id", "orders.id", f"{ROW}+orders.id", "?"]),
    ("select id::code, id::tidied, id::locked, (id::code)::text from orders",
     [f"{ROW}+orders.id", "orders.id", "?", f"{ROW}+orders.id"]),
    ("select case id <~ 1 when 'a' then 1 end, 'a' = any (select note <~ 1 from orders) from orders",
     [f"{ROW}+orders.id", f"{ROW}+orders.note"]),
    ("select v.cmin, v.ctid from v", [f"{E}+{I}", ""]),
    ("select x.cmin from (select * from v) x", [f"{E}+{I}"]),
    ("explain select 1 <~ 1", [ROW]),
    ("select * from vv", [I, E]),
    ("select * from holes", ["holes.a", "holes.b"]),
    ("insert into orders(note) values ('a') returning id, note || 'x'", ["orders.id", "orders.note"]),
    ("update orders o set note = '' from customers c returning c.ssn, o.*",
     [S, "orders.id", "orders.customer_id", "orders.total", "orders.note"]),
    ("delete from orders returning old.note", ["orders.note"]),
    ("prepare p as select ssn from customers; execute p", [S]),
    ("declare c cursor for select ssn from customers; fetch next from c", [S]),
    ("explain select ssn from customers", [""]),
    ("select relname from pg_class", [""]),
    ("select query_to_xml('select ssn from customers', true, true, '')", ["?"]),
    ("select leak(id) from customers", ["?"]),
    ("select tidy(ssn) from customers", [S]),
    ("select a from unknown_table", ["?"]),
    ("select most_common_vals from pg_stats", ["?"]),
    ("select a from loop", ["?"]),
    ("select nonsense from customers", ["?"]),
    ("select customers.nonsense from customers", [ROW]),
    ("select * from unknown_table", None),
    ("select (c).* from customers c", None),
    ("execute nothing", None),
    ("select ctid, tableoid from customers", ["", ""]),
    ("copy (select ssn from customers) to stdout", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), TRACED, ids=lambda value: str(value)[:70])
def test_outputs_name_their_sources(text: str, expected: object) -> None:
    assert lineage(text) == expected


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("select email from customers", True),
        ("select e from (select email as e from customers) s", True),
        ("with x as (select email from customers) select * from x", True),
        ("select email::text from customers", False),
        ("select lower(email) from customers", False),
        ("select email from customers union select email from customers", False),
        ("select mail from v", False),
        ("select 1", False),
    ],
)
def test_exact_is_the_columns_own_value(text: str, exact: bool) -> None:
    outputs = one(text).outputs
    assert outputs is not None
    assert outputs[0].exact is exact


@pytest.mark.parametrize(
    ("text", "copied"),
    [
        ("insert into orders(note) select ssn from customers", {"ssn"}),
        ("insert into orders(note) values ((select ssn from customers limit 1))", {"ssn"}),
        ("create table x as select email from customers", {"email"}),
        ("select ssn into x from customers", {"ssn"}),
        ("create view x as select email from customers", {"email"}),
        ("create materialized view x as select lower(ssn) as a from customers", {"ssn"}),
        ("update customers set name = ssn", {"ssn"}),
        ("update customers set name = name || 'x'", set()),
        ("insert into customers(id) values (1) on conflict (id) do update set name = customers.ssn", {"ssn"}),
        ("merge into orders o using customers c on true when matched then update set note = c.ssn", {"ssn"}),
        ("merge into orders o using customers c on true when not matched then insert (note) values (c.ssn)", {"ssn"}),
        ("copy (select ssn from customers) to program 'x'", {"ssn"}),
        ("copy customers(ssn) to '/x'", {"ssn"}),
        ("select pg_notify('a', ssn) from customers", {"ssn"}),
        ("select leak(ssn) from customers", {"ssn"}),
        ("call leak((select ssn from customers limit 1))", {"ssn"}),
        ("select ssn from customers", set()),
        ("delete from customers", set()),
    ],
)
def test_copies_are_the_columns_whose_values_move(text: str, copied: set[str]) -> None:
    assert one(text).copies == frozenset(column(f"customers.{name}") for name in copied)


@pytest.mark.parametrize(
    "text",
    [
        "insert into orders select * from unknown_table",
        "do $$ begin raise notice '%', (select ssn from customers limit 1); end $$",
        "create function f() returns text language sql return (select ssn from customers limit 1)",
    ],
)
def test_copies_that_cannot_be_traced_say_so(text: str) -> None:
    assert one(text).copies is None


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("select id from customers where ssn like '1%'", {"ssn"}),
        ("select id from customers order by ssn", {"ssn"}),
        ("select ssn from customers order by 1", {"ssn"}),
        ("select ssn as x from customers order by x", {"ssn"}),
        ("select count(*) from customers group by email having max(ssn) > ''", {"email", "ssn"}),
        ("select a.id from customers a join customers b on a.ssn = b.email", {"email", "ssn"}),
        ("select 1 from customers a join customers b using (ssn)", {"ssn"}),
        ("select distinct on (ssn) id from customers", {"ssn"}),
        ("delete from customers where email = ''", {"email"}),
        ("select id from customers", set()),
    ],
)
def test_filters_are_the_columns_that_choose_or_order_rows(text: str, named: set[str]) -> None:
    assert one(text).filters == frozenset(column(f"customers.{name}") for name in named)


def test_reads_go_through_views() -> None:
    assert one("select 1 from vv").reads == {("public", "vv"), ("public", "customers")}


def test_a_view_knows_its_tables() -> None:
    view = CATALOG.relation("public", "vv")
    assert view is not None
    assert CATALOG.view_sources(view) == (frozenset({column(I)}), frozenset({column(E)}))
    assert {base.name for base in CATALOG.base_relations(view)} == {"customers"}


def test_a_long_chain_of_views_ends_in_untraced_not_in_a_crash() -> None:
    table = Relation(1, "public", "t", "r", ("a",))
    views = [
        Relation(n, "public", f"v{n}", "v", ("a",), f"select a from public.{f'v{n - 1}' if n > 2 else 't'}")
        for n in range(2, 200)
    ]
    catalog = Catalog("shop", 1, [table, *views], (), ["public"])
    assert catalog.view_sources(views[-1]) == (None,)
    assert catalog.view_sources(views[3]) in {(None,), (frozenset({column("t.a")}),)}


def test_writing_to_a_view_writes_to_its_tables() -> None:
    assert effects("delete from vv where a = 1") == [
        "delete public.vv",
        "read public.vv",
        "delete public.customers",
        "delete public.v",
        "read public.customers",
        "read public.v",
    ]
