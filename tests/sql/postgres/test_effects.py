from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.sql.postgres.shop import effects, one, read

from blastwall.sql.postgres import NameState

HERE = Path(__file__).parent
BYPASSES = yaml.safe_load((HERE / "bypasses.yaml").read_text())
HARMLESS = [text.strip() for text in (HERE / "harmless.sql").read_text().split(";\n") if text.strip()]


@pytest.mark.parametrize("case", BYPASSES, ids=lambda case: case["text"][:60])
def test_an_attack_shows_every_effect(case: dict[str, str]) -> None:
    assert str(effects(case["text"])) == str(case["effects"])


def test_the_corpus_only_grows() -> None:
    assert len(BYPASSES) >= 392


@pytest.mark.parametrize("text", HARMLESS, ids=lambda text: text.splitlines()[-1][:60])
def test_what_drivers_send_harms_nothing(text: str) -> None:
    found = read(text)
    assert found
    assert set(effects(text)) == {"connect shop"}
    assert not any(statement.doubt for statement in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("delete from orders where id = 1", True),
        ("delete from orders where id = 1 and true", True),
        ("delete from orders where id in (select id from customers)", True),
        ("delete from orders o using customers c where o.customer_id = c.id", True),
        ("update orders set note = '' where not id = 1", True),
        ("delete from orders", False),
        ("delete from orders where true", False),
        ("delete from orders where 1 = 1", False),
        ("delete from orders where id = id", False),
        ("delete from orders where id = 1 or true", False),
        ("delete from orders where id is not null", False),
        ("delete from orders where not (id is null)", False),
        ("delete from orders where note like '%'", False),
        ("delete from orders using customers c where c.id = 1", False),
        ("delete from orders where exists (select 1)", False),
        ("with x as (delete from orders) delete from customers where id = 1", False),
        ("select id from orders for update skip locked limit 1", True),
        ("with gone as (delete from orders) select id from orders for update", False),
    ],
)
def test_filtered_needs_a_column_of_the_target(text: str, expected: object) -> None:
    assert one(text).filtered is expected


@pytest.mark.parametrize(
    ("text", "operation"),
    [
        ("select 1", "SELECT"),
        ("select 1 into x", "SELECT INTO"),
        ("drop table x", "DROP TABLE"),
        ("alter view v rename to w", "ALTER VIEW"),
        ("create user mapping for a server s", "CREATE USER MAPPING"),
        ("rollback to savepoint a", "ROLLBACK TO"),
        ("reset all", "RESET"),
        ("revoke a from b", "REVOKE"),
        ("start transaction", "START"),
    ],
)
def test_the_operation_is_postgresqls_own_word(text: str, operation: str) -> None:
    assert one(text).operation == operation


@pytest.mark.parametrize(
    ("text", "transaction"),
    [("begin", "begin"), ("end", "commit"), ("abort", "rollback"), ("rollback to a", "rollback to"), ("select 1", "")],
)
def test_transaction_control_is_named(text: str, transaction: str) -> None:
    assert one(text).transaction == transaction


def test_empty_text_has_no_statement() -> None:
    assert read("") == read(" ; -- nothing\n/* at all */") == ()


@pytest.mark.parametrize("text", ["selekt 1", "select '", "select \0 1", "select \ud800", "select 'a' 'b'"])
def test_what_cannot_be_read_is_unclassified(text: str) -> None:
    found = one(text)
    assert found.operation == "UNPARSED"
    assert effects(text) == ["unclassified shop"]
    assert found.doubt
    assert found.copies is None


def test_offsets_count_characters() -> None:
    text = "select 'é'; delete from orders -- ü\n; select 2"
    assert [text[found.start : found.end].strip() for found in read(text)] == [
        "select 'é'",
        "delete from orders -- ü",
        "select 2",
    ]


def test_copy_tells_what_its_rows_look_like() -> None:
    found = one(
        "copy customers (id, ssn) to stdout (format csv, header, delimiter ';', null 'x', force_quote (id))"
    ).copy
    assert found is not None
    assert (found.direction, found.format, found.delimiter, found.null, found.header) == ("out", "csv", ";", "x", True)
    assert found.force_quote == ("id",)
    assert [column.name for column in found.columns or ()] == ["id", "ssn"]
    assert one("copy customers to '/x'").copy is None


def test_an_unknown_search_path_makes_unqualified_names_unclassified() -> None:
    lost = NameState((), "app")
    found = one("select * from orders", lost)
    assert "unclassified shop" in effects("select * from orders", lost)
    assert "orders" in found.doubt
    assert effects("select * from public.orders", lost) == ["read public.orders"]
