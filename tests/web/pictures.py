"""Take the pictures of the documentation anew: `python -m tests.web.pictures`."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, Page, expect
from tests.web.conftest import DESKTOP, PHONE, context_of
from tests.web.fake_api import FakeApi

from blastwall.testing.browser import chromium
from blastwall.testing.servers import CHECKOUT

FOLDER = CHECKOUT / "docs" / "images"


def _picture(browser: Browser, api: FakeApi, place: str, size: tuple[int, int], *, dark: bool = False) -> Page:
    page = context_of(browser, size, dark=dark).new_page()
    page.goto(f"{api.address}/{place}")
    expect(page.locator("main h1")).to_be_visible()
    expect(page.locator("[data-state=live]")).to_be_visible()
    return page


def take(browser: Browser, api: FakeApi, folder: Path) -> None:
    """Write the four pictures."""
    known = api.known
    known.approvals = [one for one in known.approvals if one["id"] != "ap-evil"]
    known.grants = [one for one in known.grants if one["id"] != "gr-evil"]
    known.contained = known.contained[:2]
    _picture(browser, api, "#/approvals/ap-1", DESKTOP).screenshot(path=folder / "approval.png")
    _picture(browser, api, "#/", PHONE, dark=True).screenshot(path=folder / "waiting-phone.png")
    _picture(browser, api, "#/containment?kind=agent&name=shop-ci", PHONE).screenshot(
        path=folder / "containment-phone.png"
    )
    session = _picture(browser, api, "#/sessions/01JDREPLAY", DESKTOP, dark=True)
    session.get_by_role("button", name="Next denied or held").click()
    session.screenshot(path=folder / "session.png")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    with FakeApi() as api, chromium() as browser:
        take(browser, api, FOLDER)
