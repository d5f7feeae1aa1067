"""Going through the page by keyboard alone."""

from __future__ import annotations

from playwright.sync_api import Locator, Page

_FOCUSED = "element => element === document.activeElement"
_MOST = 120


def tab_to(page: Page, target: Locator, *, back: bool = False) -> None:
    """Press Tab until `target` has the focus.

    Raises:
        AssertionError: it cannot be reached.
    """
    handle = target.element_handle()
    for _ in range(_MOST):
        if page.evaluate(_FOCUSED, handle):
            return
        page.keyboard.press("Shift+Tab" if back else "Tab")
    raise AssertionError(f"Tab never reaches {target}")


def press(page: Page, target: Locator, key: str = "Enter") -> None:
    """Go to `target` and press a key."""
    tab_to(page, target)
    page.keyboard.press(key)


def write(page: Page, target: Locator, text: str) -> None:
    """Go to a field and type."""
    tab_to(page, target)
    page.keyboard.press("Control+A")
    page.keyboard.type(text)
