"""What people come for, by keyboard alone: deciding, asking, containing, looking something up."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect
from tests.waiting import eventually
from tests.web.conftest import Complaints, Visit
from tests.web.fake_api import FakeApi
from tests.web.keyboard import press, tab_to, write
from tests.web.looking import NOTHING, born


def _button(page: Page, name: str) -> None:
    press(page, page.get_by_role("button", name=name, exact=True))


def test_a_statement_is_approved_for_half_an_hour(visit: Visit, api: FakeApi) -> None:
    page = visit()
    press(page, page.get_by_role("link", name=re.compile("DELETE on pg-prod")))
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.get_by_role("region", name="Statement")).to_contain_text("DELETE FROM public.orders")
    tab_to(page, page.get_by_role("radio", name="once"))
    page.keyboard.press("ArrowDown")
    write(page, page.get_by_label("Minutes"), "45")
    write(page, page.get_by_label("Comment"), "seen with Ben")
    _button(page, "Approve")

    expect(page.get_by_role("main")).to_contain_text("Approved. The statement was ruled on again and sent on.")
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    assert api.posted == [
        ("/approvals/ap-1/approve", {"scope": "statement", "comment": "seen with Ben", "minutes": 45})
    ]


def test_a_denial_needs_a_comment_which_is_asked_for_at_once(visit: Visit, api: FakeApi) -> None:
    page = visit("#/approvals/ap-2")
    _button(page, "Deny")
    expect(page.get_by_label("Comment")).to_be_focused()
    expect(page.get_by_text("Say why: the agent's client is told this, and it is recorded.")).to_be_visible()
    assert api.posted == []
    page.keyboard.type("not during the sale")
    _button(page, "Deny")

    expect(page.get_by_role("main")).to_contain_text("The statement was not run; the client was told why.")
    assert api.posted == [("/approvals/ap-2/deny", {"comment": "not during the sale"})]


def test_who_comes_second_sees_that_it_was_decided(visit: Visit, api: FakeApi, complaints: Complaints) -> None:
    complaints.expected = ("409",)
    page = visit("#/approvals/ap-2")
    api.approval("ap-2").update(state="denied", can_decide=False)
    _button(page, "Approve")

    expect(page.get_by_role("heading", name="Decided")).to_be_visible()
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)


def test_a_long_statement_says_how_long_it_is_and_opens_whole(visit: Visit, api: FakeApi) -> None:
    api.approval("ap-2")["text"] = "SELECT 1;" + "\n" * 500 + "DROP TABLE customers"
    page = visit("#/approvals/ap-2")
    expect(page.get_by_text("501 lines")).to_be_visible()
    expect(page.get_by_text("101 more lines.")).to_be_visible()
    _button(page, "Show them all")

    expect(page.get_by_role("region", name="Statement")).to_contain_text("DROP TABLE customers")


def test_what_cannot_be_decided_says_why(visit: Visit) -> None:
    page = visit("#/approvals/ap-3")

    expect(page.get_by_text("it needs a member of platform; you are in dba")).to_be_visible()
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)


def test_a_new_request_appears_and_a_decided_one_goes_without_a_reload(visit: Visit, api: FakeApi) -> None:
    page = visit()
    expect(page.get_by_text("dba 1/2")).to_be_visible()
    api.approval("ap-2").update(state="denied")
    api.approval("ap-1").update(needed=[{"group": "dba", "count": 3, "given": 2}])
    api.known.approvals.append(
        {**api.approval("ap-1"), "id": "ap-9", "operation": "TRUNCATE", "text": "TRUNCATE audit"}
    )
    api.publish("approval", id="ap-9", state="waiting")

    expect(page.get_by_role("link", name="TRUNCATE on pg-prod")).to_be_visible()
    expect(page.get_by_role("link", name="UPDATE on pg-prod")).to_have_count(0)
    expect(page.get_by_text("dba 2/3").first).to_be_visible()
    expect(page.locator("#urgent")).to_have_text("1 new: shop-ci asks for TRUNCATE on pg-prod")


def test_what_is_told_while_the_page_is_read_shows_too(visit: Visit, api: FakeApi) -> None:
    page = visit("#/health")
    api.late.add("/approvals")
    press(page, page.get_by_role("link", name="Waiting for me"))
    eventually(lambda: "/approvals" in api.kept, "the list was made")
    api.known.approvals.append({**api.approval("ap-1"), "id": "ap-9", "operation": "TRUNCATE"})
    api.publish("approval", id="ap-9", state="waiting")
    page.wait_for_timeout(300)  # it is told before the list comes
    api.late.clear()

    expect(page.get_by_role("link", name="TRUNCATE on pg-prod")).to_be_visible()


def test_what_happened_before_a_line_that_opens_late_shows_too(visit: Visit, api: FakeApi) -> None:
    api.late.add("/events")
    page = visit(live=False)
    api.known.approvals.append({**api.approval("ap-1"), "id": "ap-9", "operation": "TRUNCATE"})
    api.late.clear()

    expect(page.get_by_role("link", name="TRUNCATE on pg-prod")).to_be_visible()


def test_a_decision_elsewhere_shows_but_never_takes_what_is_being_written(visit: Visit, api: FakeApi) -> None:
    page = visit("#/approvals/ap-1")
    write(page, page.get_by_label("Comment"), "let me think")
    found = api.approval("ap-1")
    found["needed"] = [{"group": "dba", "count": 3, "given": 2}]
    api.publish("approval", id="ap-1", state="waiting")
    expect(page.get_by_text("2 of 3")).to_be_visible()
    expect(page.get_by_label("Comment")).to_have_value("let me think")
    found.update(state="denied", can_decide=False)
    api.publish("approval", id="ap-1", state="denied")

    expect(page.get_by_role("heading", name="Decided")).to_be_visible()


def test_access_is_asked_for_and_approved(visit: Visit, api: FakeApi) -> None:
    page = visit("#/grants")
    press(page, page.get_by_role("link", name="Ask for access"))
    _button(page, "Ask for access")
    expect(page.get_by_text("Say why.")).to_be_visible()
    write(page, page.get_by_label("Reason"), "Ticket 7")
    _button(page, "Ask for access")
    expect(page.get_by_role("heading", name="Access to pg-prod")).to_be_visible()
    _button(page, "Approve")

    expect(page.get_by_role("heading", name="End it now")).to_be_visible()
    assert api.posted[0] == (
        "/grants",
        {"resource": "pg-prod", "actions": ["connect", "read"], "reason": "Ticket 7", "minutes": 60},
    )
    assert api.posted[1][0] == "/grants/gr-new/approve"


def test_breaking_the_glass_and_closing_its_review(visit: Visit, api: FakeApi) -> None:
    page = visit("#/break-glass")
    write(page, page.get_by_label("Reason"), "payments are stuck")
    _button(page, "Open access now")
    expect(page.get_by_role("heading", name="Access to pg-prod")).to_be_visible()
    press(page, page.get_by_role("link", name="Waiting for me"))
    press(page, page.get_by_role("link", name="Review: connect, read, update for 30 min"))
    write(page, page.get_by_label("What you found"), "it was needed")
    _button(page, "Close the review")

    expect(page.get_by_text("Reviewed by ana")).to_be_visible()
    assert [path for path, _ in api.posted] == ["/break-glass", "/grants/gr-3/review"]


def test_containing_needs_the_name_twice_and_a_reason_and_is_lifted_with_one(visit: Visit, api: FakeApi) -> None:
    page = visit("#/agents/shop-ci")
    press(page, page.get_by_role("link", name="Contain", exact=True))
    expect(page.get_by_text("1 open session")).to_be_visible()
    _button(page, "Contain")
    write(page, page.get_by_label("Reason"), "its token leaked")
    write(page, page.get_by_label("Type the name again to confirm"), "shop-c")
    _button(page, "Contain")
    expect(page.get_by_text("This is not the name above.")).to_be_visible()
    assert api.posted == []
    page.keyboard.type("i")
    _button(page, "Contain")
    item = page.locator("li.card", has_text="its token leaked")
    expect(item).to_be_visible()
    assert api.posted == [("/containment", {"kind": "agent", "name": "shop-ci", "reason": "its token leaked"})]
    press(page, item.locator("summary"))
    write(page, item.get_by_label("Why is it safe now?"), "its key was changed")
    press(page, item.get_by_role("button", name="Lift"))

    expect(item).to_have_count(0)
    assert api.posted[1] == ("/containment/lift", {"kind": "agent", "name": "shop-ci", "reason": "its key was changed"})


def test_a_session_is_found_and_replayed_to_what_was_denied(visit: Visit) -> None:
    page = visit("#/sessions")
    write(page, page.get_by_role("searchbox", name="Search"), "01JDREPLAY")
    page.keyboard.press("Enter")
    expect(page.get_by_role("row")).to_have_count(2)
    press(page, page.get_by_role("link", name=re.compile("shop-ci")).first)
    expect(page.get_by_role("heading", name="What happened")).to_be_visible()
    _button(page, "Next denied or held")
    current = page.locator("[aria-current=step]")
    expect(current).to_contain_text("DROP TABLE public.customers")
    _button(page, "Next denied or held")
    expect(current).to_contain_text("approved after 34 s by ana, ben")
    _button(page, "Step back")
    expect(current).to_contain_text("DROP TABLE public.customers")
    tab_to(page, page.get_by_role("slider", name="Position"))
    page.keyboard.press("Home")
    expect(current).to_contain_text("Connected from 10.20.4.17")
    page.get_by_label("Speed").select_option("64")
    _button(page, "Play")

    expect(current).to_contain_text("Ended: the client left")
    expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_requests_are_told_with_how_they_ended_and_what_was_answered(visit: Visit) -> None:
    page = visit("#/sessions/01JDRAZURE")
    request = page.locator("li.entry.statement").first
    expect(request).to_contain_text("200 OK · 48.2 kB · 2 values masked · 184 ms")
    answer = request.get_by_role("region", name="Recorded answer")
    expect(answer).to_contain_text('"owner": "a***@example.com",')
    expect(answer).to_contain_text('"id": "twice"')
    expect(answer).to_contain_text('"properties": {}')
    expect(answer).to_contain_text("[48213 bytes in all]")
    expect(request.locator(".t-word").first).to_have_text("GET")


def test_a_batch_of_t_sql_reads_as_t_sql(visit: Visit) -> None:
    page = visit("#/sessions/01JDRTSQL")
    expect(page.get_by_text("Login to shop, by pytds")).to_be_visible()
    batch = page.locator("li.entry.statement")
    expect(batch).to_contain_text("1 row · 1 cell masked · 46 ms")
    expect(batch.locator(".t-word")).to_have_text(["DECLARE", "EXEC", "SELECT", "TOP", "FROM", "WHERE"])
    expect(batch.locator(".t-bind")).to_have_text(["@n", "@n", "@P1"])
    expect(batch.locator(".t-string")).to_have_text(["N'it''s late'"])
    expect(batch.locator("dl.binds")).to_have_text("17")


def test_sessions_are_filtered_paged_and_kept_in_the_address(visit: Visit) -> None:
    page = visit("#/sessions")
    expect(page.get_by_role("row")).to_have_count(51)
    _button(page, "Show more")
    expect(page.get_by_role("row")).to_have_count(77)
    tab_to(page, page.get_by_role("radio", name="All"))
    page.keyboard.press("ArrowRight")

    expect(page.get_by_role("row")).to_have_count(3)
    expect(page).to_have_url(re.compile(r"#/sessions\?live=true$"))
    page.reload()
    expect(page.get_by_role("row")).to_have_count(3)


def test_a_live_session_goes_on_where_one_asks_for_more(visit: Visit, api: FakeApi) -> None:
    page = visit("#/sessions/01JDS0W7Q2C8")
    expect(page.get_by_text("Ended: the client left")).to_have_count(0)
    api.known.lag = 0
    _button(page, "Show what happened since")

    expect(page.get_by_text("Ended: the client left")).to_be_visible()


def test_a_live_session_is_ended(visit: Visit, api: FakeApi) -> None:
    page = visit("#/sessions/01JDS0W7Q2C8")
    press(page, page.locator("summary"))
    write(page, page.get_by_label("Reason"), "runaway")
    _button(page, "End this session now")

    expect(page.get_by_text("killed by ana: runaway")).to_be_visible()
    assert api.posted == [("/sessions/01JDS0W7Q2C8/kill", {"reason": "runaway"})]


def test_the_playground_rules_and_says_why(visit: Visit, api: FakeApi) -> None:
    page = visit("#/playground")
    write(page, page.get_by_label("Statement"), "DELETE FROM orders")
    page.keyboard.press("Control+Enter")

    expect(page.get_by_role("main").get_by_text("Held for approval")).to_be_visible()
    press(page, page.get_by_text("The policies, and what would change it"))
    expect(page.get_by_text("policies/ci.cedar:9")).to_be_visible()
    expect(page.get_by_text("2 of dba approve")).to_be_visible()
    assert api.posted == [
        (
            "/policies/explain",
            {
                "principal": {"agent": "billing-agent"},
                "resource": "pg-prod",
                "database": "shop",
                "statement": "DELETE FROM orders",
            },
        )
    ]


def test_signing_in_comes_back_to_where_one_was_going(visit: Visit, api: FakeApi, complaints: Complaints) -> None:
    complaints.expected = ("401",)
    api.known.signed_in = False
    page = visit("#/approvals/ap-1")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    press(page, page.get_by_role("link", name="Sign in"))

    expect(page.get_by_role("heading", name="DELETE on pg-prod/shop")).to_be_visible()
    _button(page, "Sign out")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert api.forged == []


def test_a_session_that_ends_under_ones_hands_asks_to_sign_in(
    visit: Visit, api: FakeApi, complaints: Complaints
) -> None:
    complaints.expected = ("401",)
    page = visit()
    api.known.signed_in = False
    press(page, page.get_by_role("link", name="Health"))

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_device_is_looked_at_and_then_signed_in(visit: Visit, api: FakeApi, complaints: Complaints) -> None:
    complaints.expected = ("404",)
    page = visit("#/device")
    write(page, page.get_by_label("Code"), "aaaa-aaaa")
    page.keyboard.press("Enter")
    expect(page.get_by_text("there is no such code, or it has expired")).to_be_visible()
    write(page, page.get_by_label("Code"), "bkdf-qwxz")
    page.keyboard.press("Enter")
    expect(page.get_by_text("10.9.8.7")).to_be_visible()
    assert born(page) == NOTHING
    _button(page, "Sign it in as ana")

    expect(page.get_by_text("Your terminal is signed in as you.")).to_be_visible()
    assert [body for _, body in api.posted[1:]] == [
        {"user_code": "BKDF-QWXZ", "decision": "look"},
        {"user_code": "BKDF-QWXZ", "decision": "allow"},
    ]


def test_a_link_to_a_device_still_asks_to_look_and_can_be_refused(visit: Visit, api: FakeApi) -> None:
    page = visit("#/device/BKDF-QWXZ")
    assert api.posted == []
    _button(page, "Look at it")
    _button(page, "Refuse")

    expect(page.get_by_text("Nothing was signed in.")).to_be_visible()
