"""The page in a real Chromium, against an API of the tests' own. No page may end with a complaint of the browser's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Protocol

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.web.fake_api import FakeApi

from blastwall.testing.browser import chromium
from blastwall.testing.servers import ServerMissing

DESKTOP = (1280, 860)
PHONE = (390, 844)
expect.set_options(timeout=60_000)  # only a failure takes as long; a loaded machine takes seconds

_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  violations.push(`${event.violatedDirective} ${event.blockedURI}`);
});
"""


@dataclass(slots=True)
class Complaints:
    """What the browser complained of; a test may say what it expects."""

    heard: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()

    def unexpected(self) -> list[str]:
        """What nobody expects."""
        return [line for line in self.heard if not any(part in line for part in self.expected)]


class Visit(Protocol):
    """What the fixture `visit` gives."""

    def __call__(
        self, place: str = "#/", *, size: tuple[int, int] = DESKTOP, dark: bool = False, live: bool = True
    ) -> Page:
        """Open the page at a place, and wait for its heading and, where somebody is signed in, for its line."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for a module's tests: its loop must not outlive them, since other tests run loops of their own."""
    try:
        with chromium() as started:
            yield started
    except ServerMissing as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture(scope="session")
def running_api() -> Iterator[FakeApi]:
    """The API of the tests' own."""
    with FakeApi() as started:
        yield started


@pytest.fixture
def api(running_api: FakeApi) -> FakeApi:
    """The same, as if it had just begun."""
    running_api.reset()
    return running_api


@pytest.fixture
def complaints() -> Complaints:
    """What the browser says went wrong."""
    return Complaints()


@pytest.fixture
def visit(browser: Browser, api: FakeApi, complaints: Complaints) -> Iterator[Visit]:
    """Open pages; each is closed, and its complaints are read, when the test ends."""
    with ExitStack() as stack:
        opened: list[Page] = []

        def open_page(
            place: str = "#/", *, size: tuple[int, int] = DESKTOP, dark: bool = False, live: bool = True
        ) -> Page:
            context = stack.enter_context(context_of(browser, size, dark=dark))
            page = context.new_page()
            page.on(
                "console",
                lambda said: complaints.heard.append(f"console: {said.text}") if said.type == "error" else None,
            )
            page.on("pageerror", lambda error: complaints.heard.append(f"error: {error}"))
            page.goto(f"{api.address}/{place}")
            expect(page.locator("main h1")).to_be_visible()
            if live and api.known.signed_in:
                expect(page.locator("[data-state=live]")).to_be_attached()
            opened.append(page)
            return page

        yield open_page
        for page in opened:
            complaints.heard += page.evaluate("window.violations")
    assert complaints.unexpected() == []


def context_of(browser: Browser, size: tuple[int, int], *, dark: bool) -> BrowserContext:
    """Return a window of a size, on a phone with touch, that notes what violates the policy."""
    width, height = size
    phone = size == PHONE
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        is_mobile=phone,
        has_touch=phone,
        reduced_motion="reduce",
        ignore_https_errors=True,
    )
    context.set_default_timeout(60_000)
    context.add_init_script(_VIOLATIONS)
    return context
