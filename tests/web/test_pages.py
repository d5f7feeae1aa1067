"""Every page, light and dark, wide and narrow: no barrier, no overhang, and no text that becomes more than text."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page
from tests.web.conftest import PHONE, Visit
from tests.web.looking import NOTHING, barriers, born, overhang

PLACES = (
    "#/",
    "#/approvals/ap-1",
    "#/approvals/ap-3",
    "#/approvals/ap-done",
    "#/approvals/ap-evil",
    "#/sessions",
    "#/sessions/01JDREPLAY",
    "#/sessions/01JDS0W7Q2C8",
    "#/sessions/01JDREVIL",
    "#/agents",
    "#/agents/shop-ci",
    "#/resources",
    "#/resources/pg-evil",
    "#/grants",
    "#/grants/gr-1",
    "#/grants/gr-3",
    "#/grants/gr-evil",
    "#/grants/ask",
    "#/break-glass",
    "#/containment?kind=agent&name=shop-ci",
    "#/policies",
    "#/playground",
    "#/health",
    "#/device",
    "#/account",
    "#/nowhere",
)
_OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true; })"


def _look(page: Page, place: str) -> None:
    page.evaluate(_OPEN_ALL)
    assert barriers(page) == [], place
    assert overhang(page) <= 0, place
    assert born(page) == NOTHING, place


@pytest.mark.parametrize("place", PLACES)
def test_a_page_has_no_barrier_no_overhang_and_nothing_born_of_text(visit: Visit, place: str) -> None:
    page = visit(place)
    _look(page, place)
    page.emulate_media(color_scheme="dark")
    assert barriers(page, "color-contrast") == [], f"{place}, dark"


@pytest.mark.parametrize("places", [PLACES[start::4] for start in range(4)], ids=range(4))
def test_on_a_phone_in_the_dark_too(visit: Visit, places: tuple[str, ...]) -> None:
    page = visit(places[0], size=PHONE, dark=True)
    for place in places:
        page.evaluate("place => { location.hash = place; }", place)
        page.wait_for_function("() => document.querySelector('main h1') && !document.querySelector('.loading')")
        page.wait_for_timeout(150)
        _look(page, place)


_WEIGHT = """
performance.getEntriesByType("resource").concat(performance.getEntriesByType("navigation"))
  .filter((one) => one.name.includes("/static/") || one.entryType === "navigation")
  .reduce((sum, one) => sum + one.decodedBodySize, 0)
"""


def test_the_page_weighs_little(visit: Visit) -> None:
    page = visit()
    weight: int = page.evaluate(_WEIGHT)

    assert 20_000 < weight < 120_000
