"""Which database a statement needs for itself."""

from __future__ import annotations

import pytest
from tests.sql.postgres.shop import CATALOG, STATE

from blastwall.sql.postgres import classify


@pytest.mark.parametrize(
    ("text", "free"),
    [
        ("drop database trial", {"trial"}),
        ('drop database if exists "Trial" with (force)', {"Trial"}),
        ("alter database trial rename to other", {"trial"}),
        ("alter database trial set tablespace fast", {"trial"}),
        ("create database other template trial", {"trial"}),
        ("create database other with owner = me template = 'trial'", {"trial"}),
        ("create database other", {"template1"}),
        ("create database other template default", {"template1"}),
        ("alter database trial connection limit 3", set()),
        ("alter database trial owner to me", set()),
        ("alter table orders rename to trial", set()),
        ("alter schema public rename to trial", set()),
        ("drop table orders", set()),
        ("explain select 1", set()),
    ],
)
def test_what_must_be_free(text: str, free: set[str]) -> None:
    (one,) = classify(text, CATALOG, STATE)
    assert one.frees == free
