"""Which columns decide over what can be seen of a statement besides values: an oracle over them, if they are masked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tests.sql.postgres.shop import CATALOG, STATE, column, effects, one

from blastwall.model.statement import Column
from blastwall.sql.postgres import Catalog, Check, classify

CASES = yaml.safe_load(Path(__file__).with_name("deciding.yaml").read_text())
ROW = "customers.email customers.id customers.name customers.ssn"
EMAIL, NOTE = column("customers.email"), column("orders.note")


def told(filters: frozenset[Column] | None) -> str:
    return "?" if filters is None else " ".join(sorted(f"{one.table}.{one.column}" for one in filters))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["text"][:70])
def test_what_decides(case: dict[str, str]) -> None:
    assert told(one(case["text"]).filters) == case["filters"]


@pytest.mark.parametrize(
    ("text", "alone", "beside"),
    [
        ("select (select count(*) from orders where id = 1) from customers c", "orders.id", "customers.id orders.id"),
        ("select 1 from (select * from customers) x (a, b) where b = ''", "customers.name", f"{ROW}"),
        ("select 1 from (select * from orders union all select * from customers) x where note = ''",
         "customers.ssn orders.note", f"{ROW} orders.customer_id orders.id orders.note orders.total"),
        ("select o.*, c.name, c.ssn from orders o, customers c order by 5", "customers.name",
         "customers.name customers.ssn orders.customer_id orders.id orders.note orders.total"),
        ("select count(*) from orders natural join customers", "customers.id orders.id",
         f"{ROW} orders.customer_id orders.id orders.note orders.total"),
        ("select o.id, c.name from orders o, customers c where o.id = c.id order by 2",
         *["customers.id customers.name orders.id"] * 2),
        ("select * from customers where name = '' order by email", *["customers.email customers.name"] * 2),
    ],
)  # fmt: skip
def test_with_several_workers_what_is_found_by_place_or_hides_another_may_come_to_decide(
    text: str, alone: str, beside: str
) -> None:
    assert told(one(text).filters) == alone
    assert told(one(text, replace(STATE, alone=False)).filters) == beside


def test_the_list_only_grows() -> None:
    assert len(CASES) >= 100


def keyed(*checks: Check, table: str = "customers") -> Catalog:
    """The shop with constraints on one table."""
    relations = [CATALOG.relation("public", name) for name in ("customers", "orders")]
    found = [replace(each, checks=checks) if each.name == table else each for each in relations if each is not None]
    return Catalog("shop", 1, found, (), ["public"])


@pytest.mark.parametrize(
    ("text", "probed"),
    [
        ("insert into customers (id, email) values (1, 'a')", True),
        ("insert into customers values (1, 'n', 'a')", True),
        ("insert into customers (email) values ('a') on conflict do nothing", True),
        ("insert into customers (id) values (1)", False),
        ("insert into customers default values", False),
        ("update customers set email = 'a' where id = 1", True),
        ("update customers set name = 'a' where id = 1", False),
        ("copy customers (email) from stdin", True),
        ("copy customers (id) from stdin", False),
        ("merge into customers c using orders on false when not matched then insert (email) values (note)", True),
        ("insert into customers (id) values (1) on conflict (id) do update set email = 'a'", True),
    ],
)  # fmt: skip
def test_writing_under_a_key_tells_whether_a_value_is_there(text: str, probed: bool) -> None:
    catalog = keyed(Check(frozenset({"email"}), frozenset({EMAIL})))
    assert (EMAIL in (one(text, catalog=catalog).filters or ())) is probed


def test_a_foreign_key_probes_the_table_that_it_refers_to() -> None:
    catalog = keyed(Check(frozenset({"note"}), frozenset({EMAIL})), table="orders")
    assert told(one("insert into orders (note) values ('a')", catalog=catalog).filters) == "customers.email"


def test_a_check_compares_what_stays_of_a_row_with_what_changes() -> None:
    catalog = keyed(Check(frozenset({"name", "email"}), frozenset({EMAIL}), others=False))
    assert EMAIL in (one("update customers set name = 'a' where id = 1", catalog=catalog).filters or ())
    assert one("insert into customers (name) values ('a')", catalog=catalog).filters == frozenset()


def test_offline_every_table_has_the_columns_that_are_named_of_it() -> None:
    catalog = Catalog("shop", 0, (), (), ("public",), believes=True)
    found = classify("select c.id from customers c join orders o using (id) where c.email = 'a'", catalog, STATE)
    assert told(found[0].filters) == "customers.email customers.id orders.id"


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("update orders set note = '' where id = 1", True),
        ("update orders set note = '' where id in (select id from customers)", True),
        ("update orders set total = total + 1", True),
        ("update orders set note = ''", False),
        ("update orders set note = '' where true", False),
        ("delete from orders where total > 10", True),
        ("delete from orders", False),
        ("insert into orders (id) values (1) on conflict (id) do update set note = excluded.note", True),
        ("insert into orders (id) values (1) on conflict (id) do update set note = ''", False),
        ("merge into orders o using customers c on o.id = c.id when matched then delete", True),
    ],
)
def test_a_write_that_looks_at_its_target_reads_it(text: str, reads: bool) -> None:
    assert ("read public.orders" in effects(text)) is reads
