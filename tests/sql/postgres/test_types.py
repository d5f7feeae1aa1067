"""What hangs on a type: the tables whose values a domain's check tells of, and the columns that are renamed with it."""

from __future__ import annotations

from blastwall.model.statement import SOME, Column
from blastwall.sql.postgres import Attached, Attachments, Catalog, Classified, NameState, Relation, Types, classify

AMOUNT, MANY, ROW = 100, 101, 102
CATALOG = Catalog(
    "shop",
    1,
    [
        Relation(1, "public", "paid", "r", ("id", "amount"), types=(23, AMOUNT)),
        Relation(2, "public", "bills", "r", ("amounts",), types=(MANY,)),
        Relation(3, "public", "people", "r", ("ssn",), types=(25,)),
        Relation(4, "secret", "other", "r", ("a",), types=(200,)),
        Relation(5, "public", "shown", "v", ("amount",), types=(AMOUNT,)),
    ],
    schemas=["public", "secret", "pg_catalog"],
    attachments=Attachments(
        kinds=Types(
            {"amount": (("secret", 200), ("public", AMOUNT)), "person": (("public", ROW),)},
            {AMOUNT: (MANY,), MANY: (AMOUNT,)},
            {ROW: (3,)},
        )
    ),
)


def read(text: str, *path: str) -> Classified:
    (found,) = classify(text, CATALOG, NameState((path,) if path else (), "app"))
    return found


def touched(found: Classified) -> set[str]:
    return {".".join(effect.object.path[1:]) for effect in found.effects if effect.object.kind == "table"}


def probed(found: Classified) -> set[str]:
    return {one.table for one in found.filters or () if one.column == SOME}


def test_a_check_on_a_domain_tells_of_the_values_in_every_table() -> None:
    for text in ("add check (value <> 4711)", "validate constraint c", "set not null"):
        found = read(f"alter domain amount {text}", "public")
        assert probed(found) == {"paid", "bills"}, text
    assert probed(read("alter domain amount drop not null", "public")) == set()


def test_a_type_of_the_same_name_elsewhere_is_another() -> None:
    assert touched(read("alter domain secret.amount set not null", "public")) == {"secret.other"}
    assert touched(read("alter domain amount set not null", "secret", "public")) == {"secret.other"}


def test_any_type_of_that_name_is_meant_where_the_path_is_unknown() -> None:
    assert touched(read("alter domain amount set not null")) == {"public.paid", "public.bills", "secret.other"}


def test_renaming_an_attribute_renames_the_columns_of_typed_tables() -> None:
    found = read("alter type person rename attribute ssn to harmless cascade", "public")
    assert ("public", "people") in found.renames


def test_casting_an_attribute_tells_of_the_values_of_typed_tables() -> None:
    found = read("alter type person alter attribute ssn type int cascade", "public")
    assert found.filters is not None
    assert Column("shop", "public", "people", SOME) in found.filters


def test_renaming_a_column_renames_it_in_every_heir() -> None:
    tables = [Relation(oid, "public", f"t{oid}", "r", ("ssn",)) for oid in range(1, 102)]
    heirs = Attachments({1: Attached(children=tuple(range(2, 102)))})
    catalog = Catalog("shop", 1, tables, schemas=["public"], attachments=heirs)
    (found,) = classify("alter table t1 rename ssn to harmless", catalog, NameState((("public",),), "app"))
    assert {name for _, name in found.renames} == {table.name for table in tables}
