"""Which statements can be put under a limit: those whose changed rows the command tag counts, and those without any."""

from __future__ import annotations

import pytest

from blastwall.model.effects import Action, Effect, Mark, Object
from blastwall.model.ruling import Obligations
from blastwall.protocols.postgres.limited import oblige
from blastwall.protocols.postgres.pipeline import Running
from blastwall.sql.postgres import Classified, Copy

LIMITS = Obligations(limit_affected=3)
TABLE = Object(("shop", "public", "orders"), "table")
SEQUENCE = Object(("shop", "public", "numbers"), "sequence")
FOLLOWED = frozenset({Mark.FOLLOWED})
OWN = Effect(Action.DELETE, TABLE)
BY_A_FUNCTION = Effect(Action.DELETE, TABLE, FOLLOWED)


def running(operation: str, *effects: Effect, modifies: int = 0, copy: Copy | None = None) -> Running:
    return Running(1, Classified(0, 0, operation, effects, modifies=modifies, copy=copy))


@pytest.mark.parametrize(
    "one",
    [
        running("DELETE", OWN, modifies=1),
        running("DELETE", OWN, BY_A_FUNCTION, modifies=1),
        running("COPY", Effect(Action.CREATE, TABLE), BY_A_FUNCTION, copy=Copy("in")),
    ],
)
def test_a_change_that_the_tag_counts_is_limited(one: Running) -> None:
    assert oblige(one, LIMITS) is None
    assert one.limit_affected == 3


@pytest.mark.parametrize(
    "one",
    [
        running("SELECT", BY_A_FUNCTION),
        running("DECLARE", BY_A_FUNCTION),
        running("FETCH", BY_A_FUNCTION),
        running("EXPLAIN", BY_A_FUNCTION),
        running("CREATE TABLE AS", BY_A_FUNCTION),
        running("COPY", Effect(Action.CREATE, TABLE, FOLLOWED), copy=Copy("out")),
        running("SELECT", OWN, modifies=1),
        running("DELETE", OWN, modifies=2),
        running("DO", OWN, modifies=1),
    ],
)
def test_a_change_that_it_does_not_count_is_refused(one: Running) -> None:
    assert "a row limit applies" in str(oblige(one, LIMITS))


@pytest.mark.parametrize(
    "one",
    [
        running("SELECT", Effect(Action.READ, TABLE)),
        running("SELECT", Effect(Action.READ, TABLE), Effect(Action.UPDATE, TABLE)),
        running("SELECT", Effect(Action.UPDATE, SEQUENCE, FOLLOWED)),
        Running(1, Classified(0, 0, "PREPARE", (OWN, BY_A_FUNCTION), runs=False)),
        Running(1, Classified(0, 0, "EXPLAIN", (OWN, BY_A_FUNCTION), runs=False)),
    ],
)
def test_what_changes_no_row_is_let_through(one: Running) -> None:
    assert oblige(one, LIMITS) is None
    assert one.limit_affected is None


def test_without_a_limit_on_changes_nothing_is_refused() -> None:
    one = running("SELECT", BY_A_FUNCTION)
    assert oblige(one, Obligations(limit_rows=5)) is None
    assert one.limit_affected is None
