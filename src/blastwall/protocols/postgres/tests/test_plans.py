"""The side connection's own plans: kept by name in a small catalog, not in a large one."""

from __future__ import annotations

from blastwall.protocols.postgres.catalog_queries import (
    FIRST_VIEWS,
    FUNCTIONS,
    MOMENT,
    QUERIES,
    SEARCH_PATH,
    Plans,
    views_after,
)


def test_a_query_is_planned_once() -> None:
    plans = Plans()
    first, again = plans.text(FUNCTIONS), plans.text(FUNCTIONS)
    assert first.startswith("PREPARE ")
    assert f"AS {FUNCTIONS}; EXECUTE" in first
    assert again == first.rsplit("; ", 1)[1]
    assert plans.text(MOMENT) != plans.text(FIRST_VIEWS) != again
    assert len({plans.text(query) for query in QUERIES}) == len(QUERIES)


def test_a_large_catalog_is_planned_each_time() -> None:
    plans = Plans()
    plans.text(FUNCTIONS)
    plans.kept = False
    assert plans.text(FUNCTIONS) == FUNCTIONS


def test_what_comes_once_or_differs_is_sent_as_it_is() -> None:
    assert Plans().text(SEARCH_PATH) == SEARCH_PATH
    assert Plans().text(views_after(7)) == views_after(7)
