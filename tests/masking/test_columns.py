from __future__ import annotations

import pytest

from blastwall.masking.columns import ProtectedColumns, parse_pattern
from blastwall.model.masks import ColumnRule, MaskRules, MaskStyle
from blastwall.model.statement import Column

EMAIL = Column("shop", "public", "customers", "email")


def protected(*patterns: str) -> ProtectedColumns:
    return ProtectedColumns(MaskRules(tuple(ColumnRule(pattern, pattern, MaskStyle.REDACT) for pattern in patterns)))


@pytest.mark.parametrize(
    "pattern",
    [
        "public.customers.email",
        "shop.public.customers.email",
        "*.*.*.*",
        "*.customers.*",
        "public.Customers.EMAIL",
        '"public"."customers"."email"',
    ],
)
def test_names_the_column(pattern: str) -> None:
    rule = protected(pattern).rule(EMAIL)
    assert rule is not None
    assert rule.column == pattern


@pytest.mark.parametrize(
    "pattern", ["public.customers.phone", "other.public.customers.email", "private.*.email", '"*".customers.email']
)
def test_names_another_column(pattern: str) -> None:
    assert protected(pattern).rule(EMAIL) is None


def test_a_quoted_part_may_hold_a_dot_a_star_and_a_quote() -> None:
    assert parse_pattern('"a.b"."c*d"."e""f"') == (None, "a.b", "c*d", 'e"f')


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "email",
        "customers.email",
        "a.b.c.d.e",
        "a..b",
        ".a.b.c",
        "a.b.c.",
        "public.cust*.email",
        'a.b."c',
        "a.b c.d",
    ],
)
def test_an_unreadable_column_is_refused_with_what_to_write(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"write `schema\.table\.column`"):
        protected(pattern)


def test_the_strictest_of_several_rules_applies() -> None:
    rules = [ColumnRule(style, "public.customers.email", style) for style in MaskStyle]
    for upto in range(1, len(rules) + 1):
        rule = ProtectedColumns(MaskRules(tuple(rules[:upto]))).rule(EMAIL)
        assert rule is not None
        order = [MaskStyle.PARTIAL, MaskStyle.TOKEN, MaskStyle.HASH, MaskStyle.REDACT, MaskStyle.NULL]
        assert rule.style is max((one.style for one in rules[:upto]), key=order.index)


def test_says_whether_a_table_has_protected_columns() -> None:
    columns = protected("public.customers.email", "sales.*.*.*")
    assert columns.protects_table("shop", "public", "customers")
    assert columns.protects_table("SALES", "x", "y")
    assert not columns.protects_table("shop", "public", "orders")
    assert columns
    assert not protected()
