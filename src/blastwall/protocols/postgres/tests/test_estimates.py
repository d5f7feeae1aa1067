"""How many rows a statement would change, asked without running, or planning, anything of it."""

from __future__ import annotations

import pytest

from blastwall.model.effects import Action, Effect, Object
from blastwall.protocols.estimating import PREFIX, TableRows, question_of

ORDERS = Object(("shop", "public", "orders"), "table")


def of(*effects: Effect) -> tuple[str, TableRows] | None:
    return question_of("shop", effects)


def test_the_one_table_that_is_changed_is_asked_for() -> None:
    read = Effect(Action.READ, Object(("shop", "public", "customers"), "table"))
    assert of(Effect(Action.DELETE, ORDERS), read) == (PREFIX + "shop", TableRows("public", "orders"))
    assert of(Effect(Action.UPDATE, ORDERS)) == (PREFIX + "shop", TableRows("public", "orders"))


@pytest.mark.parametrize(
    "effects",
    [
        (),
        (Effect(Action.READ, ORDERS),),
        (Effect(Action.DROP, ORDERS),),
        (Effect(Action.DELETE, ORDERS), Effect(Action.UPDATE, Object(("shop", "public", "other"), "table"))),
        (Effect(Action.DELETE, Object(("elsewhere", "public", "orders"), "table")),),
        (Effect(Action.DELETE, Object(("shop", "public"), "schema")),),
    ],
)
def test_nothing_is_asked_about_the_rest(effects: tuple[Effect, ...]) -> None:
    assert of(*effects) is None
