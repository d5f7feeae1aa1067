"""Going through the page by keyboard alone."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

_BEFORE = """
target => {
  const stops = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
    .filter((one) => one.tabIndex >= 0 && one.getClientRects().length && !one.disabled)
    .filter((one) => one === target || one.type !== "radio" || one.checked);
  const before = stops[stops.indexOf(target) - 1];
  if (before) before.focus();
  return document.activeElement === before;
}
"""


def tab_to(page: Page, target: Locator) -> None:
    """Come to `target` by Tab, from the stop before it.

    Raises:
        AssertionError: it cannot be reached.
    """
    assert target.evaluate(_BEFORE), f"nothing before {target} takes the focus"
    page.keyboard.press("Tab")
    expect(target).to_be_focused()


def press(page: Page, target: Locator, key: str = "Enter") -> None:
    """Go to `target` and press a key."""
    tab_to(page, target)
    page.keyboard.press(key)


def write(page: Page, target: Locator, text: str) -> None:
    """Go to a field and type."""
    tab_to(page, target)
    page.keyboard.press("Control+A")
    page.keyboard.type(text)
