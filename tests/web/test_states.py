"""What the page shows when there is nothing, when something fails, and to whom it shows less."""

from __future__ import annotations

from playwright.sync_api import expect
from tests.web.conftest import PHONE, Complaints, Visit
from tests.web.fake_api import FakeApi
from tests.web.keyboard import press
from tests.web.looking import barriers


def test_nothing_waits(visit: Visit, api: FakeApi) -> None:
    api.known.approvals, api.known.grants = [], []
    page = visit()

    expect(page.get_by_text("Nothing waits for you")).to_be_visible()
    assert barriers(page) == []


def test_a_failure_says_so_and_offers_to_try_again(visit: Visit, api: FakeApi, complaints: Complaints) -> None:
    complaints.expected = ("500",)
    api.failing["/policies"] = 500
    page = visit("#/policies")
    expect(page.get_by_role("alert").filter(has_text="the gateway failed; its log says how")).to_be_visible()
    assert barriers(page) == []
    api.failing.clear()
    press(page, page.get_by_role("button", name="Try again"))

    expect(page.get_by_text("ci-reads-orders", exact=True)).to_be_visible()


def test_a_viewer_finds_no_button_that_would_be_refused(visit: Visit, api: FakeApi) -> None:
    api.known.roles = ["viewer"]
    page = visit("#/containment")
    expect(page.get_by_text("Containing and lifting need the role operator.")).to_be_visible()
    expect(page.locator("summary")).to_have_count(0)
    page.goto(f"{api.address}/#/sessions/01JDS0W7Q2C8")
    expect(page.get_by_text("Reading a recording needs the role auditor")).to_be_visible()
    expect(page.get_by_text("End this session")).to_have_count(0)
    page.goto(f"{api.address}/#/grants/gr-2")
    expect(page.get_by_role("heading", name="What is asked")).to_be_visible()
    expect(page.get_by_role("heading", name="End it now")).to_have_count(0)


def test_the_rest_of_the_places_open_on_a_phone_and_escape_closes_them(visit: Visit) -> None:
    page = visit(size=PHONE)
    more = page.get_by_role("button", name="More")
    press(page, more)
    expect(page.get_by_role("link", name="Agents")).to_be_focused()
    page.keyboard.press("Escape")
    expect(more).to_be_focused()
    expect(page.get_by_role("link", name="Agents")).to_have_count(0)
    more.click()
    page.get_by_role("link", name="Health").click()

    expect(page.get_by_role("heading", name="Health")).to_be_visible()
    expect(page.get_by_role("link", name="Policies")).to_have_count(0)


def test_the_first_tab_leads_past_the_navigation(visit: Visit) -> None:
    page = visit()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.get_by_role("main")).to_be_focused()


def test_no_text_can_be_made_markup_even_by_a_mistake_in_the_page(visit: Visit, complaints: Complaints) -> None:
    complaints.expected = ("TrustedHTML", "require-trusted-types-for")
    page = visit()
    tried = (
        "() => { try { document.body.innerHTML = '<b>x</b>'; return 'parsed'; } catch (error) { return error.name; } }"
    )

    assert page.evaluate(tried) == "TypeError"
    page.wait_for_function("() => window.violations.some((one) => one.startsWith('require-trusted-types-for'))")
