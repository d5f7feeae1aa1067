"""The page on a real gateway: a person signs in and decides what a real client is waiting for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect
from psycopg.errors import InsufficientPrivilege
from tests.e2e.conftest import POLICIES, Shop
from tests.e2e.opening import opened
from tests.web.conftest import DESKTOP, PHONE, context_of
from tests.web.looking import NOTHING, barriers, born, overhang

from blastwall.testing.postgres import PostgresServer

T = TypeVar("T")
HELD = "DELETE FROM customers WHERE id = 99 -- <img src=x onerror='window.owned = 1'>"
GRANTED = """
@id("viewers-read-when-granted")
@grant("dba:1")
permit (principal in Group::"viewers", action in [Action::"connect", Action::"read"],
        resource in Database::"pg-prod/shop");
"""
USERS = [
    {"name": "dora", "issuer": "ci", "match": {"oid": "d0"}, "groups": ["dba", "audit", "oncall"]},
    {"name": "victor", "issuer": "ci", "match": {"oid": "v0"}, "groups": ["viewers"]},
]
ROLES = {"viewer": ["viewers"], "approver": ["dba"], "auditor": ["audit"], "operator": ["oncall"]}


@pytest.fixture(scope="module")
def shop(postgres_newest: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop whose people can sign in to the page."""
    folder = tmp_path_factory.mktemp("web")
    hold = {"timeout": "60s", "in_transaction": "30s"}
    with opened(postgres_newest, folder, policies=POLICIES + GRANTED, hold=hold, users=USERS) as shop:
        shop.issuer.sign_in.people = {"dora": {"oid": "d0"}, "victor": {"oid": "v0"}}
        control = {"port": shop.gateway.control_port, "roles": ROLES, "login": {"issuer": "ci"}}
        shop.gateway.write({**shop.gateway.configuration, "control": control})
        shop.gateway.reload()
        yield shop


@contextmanager
def signed_in(
    browser: Browser, shop: Shop, person: str, place: str = "#/", size: tuple[int, int] = DESKTOP
) -> Iterator[Page]:
    """Sign in by the issuer's page and come back to a place; the browser must have nothing to complain of."""
    complaints: list[str] = []
    with context_of(browser, size, dark=False) as context:
        page = context.new_page()
        page.goto(f"{shop.gateway.control_url}/{place}")
        page.get_by_role("link", name="Sign in").click()
        page.locator(f"#{person}").click()
        expect(page.locator("main:not([aria-busy]) h1")).to_be_visible()
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        complaints += page.evaluate("window.violations")
    assert complaints == []


@contextmanager
def meanwhile(action: Callable[[], T]) -> Iterator[Future[T]]:
    """Do something that waits, while the block goes on."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(action)


def _deletes(agent: psycopg.Connection[tuple[object, ...]]) -> int:
    return agent.execute(HELD).rowcount


def test_a_held_delete_is_approved_on_a_phone_and_runs(browser: Browser, shop: Shop) -> None:
    with (
        signed_in(browser, shop, "dora", size=PHONE) as page,
        shop.connect() as agent,
        meanwhile(lambda: _deletes(agent)) as deleted,
    ):
        page.get_by_role("link", name=re.compile("DELETE on pg-prod")).click()
        expect(page.get_by_role("region", name="Statement")).to_contain_text("DELETE FROM customers WHERE id = 99")
        assert (barriers(page), overhang(page), born(page)) == ([], 0, NOTHING)
        assert not deleted.done()
        page.get_by_role("button", name="Approve").click()
        expect(page.get_by_text("Approved. The statement was ruled on again and sent on.")).to_be_visible()

        assert deleted.result(60) == 0


def test_a_denial_s_comment_reaches_the_agent_and_the_page_hears_of_it(browser: Browser, shop: Shop) -> None:
    with (
        signed_in(browser, shop, "dora") as page,
        signed_in(browser, shop, "victor") as other,
        shop.connect() as agent,
        meanwhile(lambda: _deletes(agent)) as deleted,
    ):
        other.get_by_role("link", name=re.compile("DELETE on pg-prod")).click()
        expect(other.get_by_text("You cannot decide this")).to_be_visible()
        page.get_by_role("link", name=re.compile("DELETE on pg-prod")).click()
        page.get_by_label("Comment").fill("not during the sale")
        page.get_by_role("button", name="Deny").click()
        expect(other.get_by_role("heading", name="Decided")).to_be_visible()

        with pytest.raises(InsufficientPrivilege, match="not during the sale"):
            deleted.result(60)


def test_a_session_is_replayed_and_a_contained_agent_s_session_dies(browser: Browser, shop: Shop) -> None:
    agent = shop.connect()
    agent.execute("SELECT name FROM customers ORDER BY id")
    with pytest.raises(InsufficientPrivilege):
        agent.execute("SELECT * FROM vault")
    with signed_in(browser, shop, "dora", "#/sessions?live=true") as page:
        page.get_by_role("link", name=re.compile("shop-ci")).first.click()
        page.get_by_role("button", name="Next denied or held").click()
        expect(page.locator("[aria-current=step]")).to_contain_text("SELECT * FROM vault")
        page.goto(f"{shop.gateway.control_url}/#/containment?kind=agent&name=shop-ci")
        page.get_by_label("Reason").fill("its token leaked")
        page.get_by_label("Type the name again to confirm").fill("shop-ci")
        page.get_by_role("button", name="Contain", exact=True).click()
        held = page.locator("li.card", has_text="its token leaked")
        expect(held).to_be_visible()
        with pytest.raises(psycopg.OperationalError):
            _until_it_ends(agent)
        held.locator("summary").click()
        held.get_by_label("Why is it safe now?").fill("a new key")
        held.get_by_role("button", name="Lift").click()

        expect(held).to_have_count(0)


def _until_it_ends(agent: psycopg.Connection[tuple[object, ...]]) -> None:
    for _ in range(1000):
        agent.execute("SELECT pg_sleep(0.05)")


PLACES = (
    "#/",
    "#/sessions",
    "#/agents",
    "#/agents/shop-ci",
    "#/resources",
    "#/resources/pg-prod",
    "#/grants",
    "#/grants/ask",
)
MORE = ("#/break-glass", "#/containment", "#/policies", "#/playground", "#/health", "#/account")


def test_every_place_shows_what_the_gateway_says(browser: Browser, shop: Shop) -> None:
    with signed_in(browser, shop, "dora") as page:
        for place in (*PLACES, *MORE):
            page.goto(f"{shop.gateway.control_url}/{place}")
            page.reload()
            expect(page.locator("main:not([aria-busy]) h1")).to_be_visible()
            expect(page.locator("main .failure")).to_have_count(0)
            assert born(page) == NOTHING, place


def test_the_playground_says_which_policy_holds_a_statement(browser: Browser, shop: Shop) -> None:
    with signed_in(browser, shop, "dora", "#/playground") as page:
        page.get_by_label("Who", exact=True).fill("shop-ci")
        page.get_by_label("Statement").fill("DELETE FROM customers WHERE id = 1")
        page.get_by_role("button", name="Explain").click()

        expect(page.get_by_role("main").get_by_text("Held for approval").first).to_be_visible()
        expect(page.get_by_text("deletes-need-approval").first).to_be_visible()


def test_access_is_asked_for_by_one_and_given_by_another(browser: Browser, shop: Shop) -> None:
    with signed_in(browser, shop, "dora") as page, signed_in(browser, shop, "victor", "#/grants/ask") as other:
        other.get_by_label("Reason").fill("Ticket 7")
        other.get_by_role("button", name="Ask for access").click()
        expect(other.get_by_text("You cannot decide this")).to_be_visible()
        page.get_by_role("link", name="connect, read for 1 h").click()
        expect(page.get_by_text("Ticket 7")).to_be_visible()
        page.get_by_role("button", name="Approve").click()
        expect(page.get_by_role("heading", name="End it now")).to_be_visible()

        expect(other.get_by_role("main").get_by_text("open", exact=True)).to_be_visible()
