"""Every page, light and dark, wide and narrow: no barrier, no overhang, and no text that becomes more than text."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page
from tests.web.conftest import DESKTOP, PHONE, Visit
from tests.web.looking import NOTHING, barriers, born, overhang

PLACES = (
    "#/",
    "#/approvals",
    "#/approvals/ap-1",
    "#/approvals/ap-3",
    "#/approvals/ap-done",
    "#/approvals/ap-evil",
    "#/sessions",
    "#/sessions/01JDREPLAY",
    "#/sessions/01JDS0W7Q2C8",
    "#/sessions/01JDREVIL",
    "#/sessions/01JDRAZURE",
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
    "#/device/BKDF-QWXZ",
    "#/account",
    "#/nowhere",
)
_OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true; })"
_GO = """
place => new Promise((arrived) => {
  const look = () => document.querySelector("main:not([aria-busy]) h1") ? arrived() : setTimeout(look, 20);
  if (location.hash === place) look();
  addEventListener("hashchange", () => setTimeout(look), { once: true });
  location.hash = place;
})
"""
_GROUPS = 4


def _look(page: Page, place: str) -> None:
    page.evaluate(_GO, place)
    page.evaluate(_OPEN_ALL)
    assert barriers(page) == [], place
    assert overhang(page) <= 0, place
    assert born(page) == NOTHING, place


@pytest.mark.parametrize("group", range(_GROUPS))
@pytest.mark.parametrize(("size", "dark"), [(DESKTOP, False), (PHONE, True)], ids=["wide and light", "narrow and dark"])
def test_no_page_has_a_barrier_an_overhang_or_anything_born_of_text(
    visit: Visit, size: tuple[int, int], dark: bool, group: int
) -> None:
    places = PLACES[group::_GROUPS]
    page = visit(places[0], size=size, dark=dark)
    for place in places:
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
