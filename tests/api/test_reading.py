"""What people may look at: sessions, agents, resources, policies; and who may not."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from tests.api.live import PEOPLE, Live, items, running, until
from tests.api.test_events import event, watching
from tests.waiting import SOON

from blastwall.api.routes import ENDPOINTS
from blastwall.containment import Kind
from blastwall.control.access import Access
from blastwall.gate.ports import RecordingFailed
from blastwall.model.effects import Action, Effect, Object
from blastwall.model.events import (
    Event,
    LoginAdmitted,
    LoginAsked,
    SessionClosed,
    SessionOpened,
    StatementAsked,
    StatementFinished,
    StatementRepeated,
    StatementRuled,
)
from blastwall.model.ruling import Decision, Ruling
from blastwall.model.statement import Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")
ORDERS = Object(("shop", "public", "orders"), "table")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def live(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    async with running(tmp_path_factory.mktemp("gateway")) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def fresh(tmp_path: Path) -> AsyncIterator[Live]:
    """A gateway of the test's own."""
    async with running(tmp_path) as found:
        yield found


async def record(live: Live, session: str, events: list[Event]) -> None:
    """Record a session that has ended."""
    written: asyncio.Future[RecordingFailed | None] = asyncio.get_running_loop().create_future()
    recording = live.gateway._parts.recorder.open(session)
    recording.write(events, written.set_result)
    assert await asyncio.wait_for(written, SOON) is None
    recording.close()


def a_session(session: str, at: float, text: str = "SELECT * FROM orders") -> list[Event]:
    effects = (Effect(Action.READ, ORDERS),)
    return [
        SessionOpened(at, session, "shop", "postgres", "", "10.20.0.7"),
        LoginAsked(at, "report", "shop", "nightly"),
        LoginAdmitted(at, "agent", "ci", "dev", "sub", ("ci",), {"ref": "main"}, "token", "app", ("ci-reads",), "v"),
        StatementAsked(at + 1, 1, Stage.EXECUTE, text, ("7", None), effects, "SELECT", ""),
        StatementRuled(at + 1, 1, Ruling(Decision.ALLOW, policies=("ci-reads",), version="v")),
        StatementFinished(at + 2, 1, 3, None, 120, 1.0, None, {"email": 3}),
        StatementRepeated(at + 3, 2, 1, ("8", None)),
        StatementFinished(at + 4, 2, 1, None, 40, 1.0, "boom", {}),
        SessionClosed(at + 5, "the client left"),
    ]


async def test_sessions_are_found(fresh: Live) -> None:
    now = time.time()
    for number in range(5):
        text = "SELECT secret_plan FROM orders" if number == 3 else "SELECT 1"
        await record(fresh, f"s{number}", a_session(f"s{number}", now - 1000 + number * 100, text))
    status, page = await fresh.get("/sessions?limit=2", "vera")
    assert status == 200
    assert [item["id"] for item in items(page)] == ["s4", "s3"]
    status, rest = await fresh.get(f"/sessions?limit=9&cursor={page['next']}", "vera")
    assert [item["id"] for item in items(rest)] == ["s2", "s1", "s0"]
    assert rest["next"] is None
    status, card = await fresh.get("/sessions/s3", "vera")
    assert status == 200
    assert {**card, "began": "", "ended": "", "node": ""} == {
        "id": "s3", "live": False, "node": "", "resource": "shop", "database": "shop",
        "principal": {"kind": "agent", "name": "ci"}, "source": "10.20.0.7", "application": "nightly",
        "began": "", "ended": "", "end_reason": "the client left", "statements": 2, "denied": 0, "held": 0,
        "rows": 4, "bytes": 160, "locked": [],
    }  # fmt: skip


FOUND = {
    "live=true": [], "live=false": ["a", "b"], "resource=shop": ["a", "b"], "resource=x": [],
    "agent=ci": ["a", "b"], "agent=x": [], "q=NIGHT": ["a", "b"], "q=10.20": ["a", "b"],
    "since=2026-01-01T00:00:00Z": ["b"], "until=2026-01-01T00:00:00Z": ["a"],
    "since=2020-01-01T00:00:00Z&until=2020-02-01T00:00:00Z": [],
}  # fmt: skip


async def test_sessions_are_filtered(fresh: Live) -> None:
    await record(fresh, "a", a_session("a", 1_700_000_000.0))
    await record(fresh, "b", a_session("b", 1_780_000_000.0))
    for query, found in FOUND.items():
        _, page = await fresh.get(f"/sessions?{query}", "vera")
        assert sorted(str(item["id"]) for item in items(page)) == found, query


async def test_only_an_auditor_finds_by_what_was_said(fresh: Live) -> None:
    """Otherwise the search would tell a viewer, guess by guess, what they may not read."""
    await record(fresh, "said", a_session("said", time.time(), "SELECT secret_plan FROM orders"))
    for who, found in (("vera", 0), ("ana", 0), ("olga", 0), ("audrey", 1)):
        _, page = await fresh.get("/sessions?q=secret_plan", who)
        assert len(items(page)) == found, who


async def test_an_auditor_reads_what_happened(fresh: Live) -> None:
    await record(fresh, "s", a_session("s", 1000.0))
    status, page = await fresh.get("/sessions/s/events?limit=4", "audrey")
    assert status == 200
    first = items(page)
    assert [item["type"] for item in first] == ["opened", "login", "admitted", "asked"]
    asked = first[3]
    assert (asked["text"], asked["parameters"], asked["offset"]) == ("SELECT * FROM orders", ["7", None], 1.0)
    assert asked["effects"] == [{"action": "read", "object": "shop/shop/public/orders"}]
    _, rest = await fresh.get(f"/sessions/s/events?after={page['next']}", "audrey")
    later = items(rest)
    assert [item["type"] for item in later] == ["ruled", "finished", "repeated", "finished", "closed"]
    assert later[2]["text"] == "SELECT * FROM orders", "what it repeats stands before this page"
    assert later[2]["parameters"] == ["8", None]
    assert later[3]["error"] == "boom"
    assert rest["next"] is None


async def test_only_an_auditor_reads_what_happened(fresh: Live) -> None:
    await record(fresh, "s", a_session("s", 1000.0))
    for who, status in (("vera", 403), ("ana", 403), ("olga", 403), ("ci", 403), ("nobody", 403), (None, 401)):
        answered, body = await fresh.get("/sessions/s/events", who)
        assert answered == status, who
        assert "orders" not in json.dumps(body)
    assert (await fresh.get("/sessions/t/events", "audrey"))[0] == 404
    assert (await fresh.get("/sessions/s%2F..%2Fs/events", "audrey"))[0] in {404, 422}


async def test_a_session_is_live_while_it_runs(fresh: Live) -> None:
    port, gate = fresh.gateway._plan.configuration.resources[0].listen, fresh.gateway._parts.gate
    writers: list[asyncio.StreamWriter] = []
    told: dict[str, str] = {}
    async with watching(fresh) as stream:
        await event(stream)
        while told.get("event") != "session":
            reading = asyncio.create_task(event(stream))
            while not reading.done():
                writers.append((await asyncio.open_connection("127.0.0.1", port))[1])
                await asyncio.sleep(0.5)
            told = await reading
        assert json.loads(told["data"])["live"] >= 1
    writers.append((await asyncio.open_connection("127.0.0.1", port))[1])
    before = set(gate.open_sessions)
    await until(lambda: set(gate.open_sessions) - before or len(gate.open_sessions) >= len(writers))
    session = gate.open_sessions[-1]
    card = await shown(fresh, session, live=True)
    assert (card["ended"], card["principal"]) == (None, None)
    _, page = await fresh.get("/resources/shop", "vera")
    assert int(str(page["sessions_live"])) >= 1
    for writer in writers:
        writer.close()
    await until(lambda: gate.sessions == 0)
    assert (await shown(fresh, session, live=False))["ended"]


async def shown(fresh: Live, session: str, *, live: bool) -> dict[str, object]:
    """A session's card, once it says whether it is `live`: what is shown is up to a second old."""
    async with asyncio.timeout(SOON):
        while True:
            status, card = await fresh.get(f"/sessions/{session}", "vera")
            if status == 200 and card["live"] is live:
                return card
            await asyncio.sleep(0.05)


async def test_agents_and_what_they_can_reach(fresh: Live) -> None:
    at = time.time()
    await record(fresh, "s", a_session("s", at))
    status, agent = await fresh.get("/agents/ci", "vera")
    assert status == 200
    (place,) = items(agent, "reach")
    assert (place["resource"], place["database"]) == ("shop", "shop")
    actions = place["actions"]
    assert isinstance(actions, dict)
    assert {name: what for name, what in actions.items() if what != "deny"} == {
        "connect": "allow",
        "read": "allow",
        "delete": "hold",
    }
    assert str(agent["last_seen"]).endswith("Z")
    assert agent["contained"] is False
    await fresh.gateway._parts.containment.contain(Kind.AGENT, "ci", "stolen", "olga")
    assert (await fresh.get("/agents/ci", "vera"))[1]["contained"] is True
    _, page = await fresh.get("/agents", "vera")
    assert [item["name"] for item in items(page)] == ["ci"]
    assert (await fresh.get("/agents/other", "vera"))[0] == 404


async def test_a_resource_never_shows_its_credential(live: Live) -> None:
    status, page = await live.get("/resources", "vera")
    assert status == 200
    text = json.dumps(page)
    assert "s3cret" not in text
    assert "app" not in text.replace("application", "")
    (shop,) = items(page)
    assert (shop["name"], shop["kind"], shop["tags"], shop["databases"]) == (
        "shop",
        "postgres",
        {"env": "prod"},
        ["shop"],
    )
    assert (await live.get("/resources/other", "vera"))[0] == 404


async def test_policies_are_read(live: Live) -> None:
    status, found = await live.get("/policies", "vera")
    assert status == 200
    assert found["version"] == live.gateway._plan.policies.version
    by_id = {each["id"]: each for each in items(found, "policies")}
    assert by_id["ci-deletes-need-a-dba"]["approvals"] == ["dba:1"]
    assert "context.filtered" in str(by_id["ci-deletes-need-a-dba"]["source_text"])
    assert [pack["name"] for pack in items(found, "packs")] == ["postgres"]


@pytest.mark.parametrize(
    ("statement", "decision"),
    [
        ("", "allow"),
        ("SELECT 1", "allow"),
        ("SELECT * FROM orders", "allow"),
        ("DELETE FROM orders WHERE id = 1", "hold"),
        ("DELETE FROM orders", "deny"),
        ("SELECT 1; DROP TABLE orders", "deny"),
        ("COPY t FROM PROGRAM 'sh'", "deny"),
        ("not SQL at all", "deny"),
    ],
)
async def test_the_playground_says_what_would_be_ruled(live: Live, statement: str, decision: str) -> None:
    body = {"principal": {"agent": "ci"}, "resource": "shop", "statement": statement}
    status, found = await live.ask("POST", "/policies/explain", "vera", body)
    assert (status, found["decision"]) == (200, decision)
    assert found["effects"] or decision == "deny"


@pytest.mark.parametrize(
    "change",
    [
        {"principal": {"agent": "nobody"}},
        {"principal": {"user": "ana", "agent": "ci"}},
        {"principal": {}},
        {"resource": "other"},
        {"database": "other"},
        {"statement": "x" * 8193},
        {"statement": ";".join(["SELECT 1"] * 51)},
    ],
)
async def test_what_cannot_be_asked_is_said(live: Live, change: dict[str, object]) -> None:
    body = {"principal": {"agent": "ci"}, "resource": "shop", "statement": "SELECT 1", **change}
    assert (await live.ask("POST", "/policies/explain", "vera", body))[0] == 422


async def test_cases_are_run(live: Live) -> None:
    case = {"name": "reads", "principal": {"agent": "ci"}, "resource": "shop", "statement": "SELECT 1"}
    cases = [{**case, "expect": "allow"}, {**case, "name": "wrong", "expect": "deny"}]
    status, found = await live.ask("POST", "/policies/test", "vera", {"cases": cases})
    assert (status, found["passed"]) == (200, False)
    assert [each["passed"] for each in items(found, "results")] == [True, False]
    unfit: list[object] = [{}, {"cases": []}, {"cases": [{"name": "x"}]}, {"cases": [{**case, "expect": "perhaps"}]}]
    for wrong in unfit:
        assert (await live.ask("POST", "/policies/test", "vera", wrong))[0] == 422


# ── every endpoint ───────────────────────────────────────────────────────────────────────────────────────────────────

MAY = {
    Access.AGENT: {"ci", *PEOPLE},
    Access.VIEWER: {"vera", "ana", "audrey", "olga"},
    Access.APPROVER: {"ana"},
    Access.AUDITOR: {"audrey"},
    Access.OPERATOR: {"olga"},
}
"""Who may call an endpoint of each access."""


async def test_nobody_calls_what_is_not_theirs(live: Live) -> None:
    """Every endpoint, by everybody: with a token, and people with the page's cookie too."""
    browsers = {who: await live.browser(who) for who in PEOPLE}
    tokens = {who: await browser.csrf() for who, browser in browsers.items()}
    for endpoint in ENDPOINTS:
        if endpoint.access is Access.PUBLIC:
            continue
        path = endpoint.full_path.replace("{id}", "x")
        async with live.http.request(endpoint.method, live.url + path) as response:
            assert response.status == 401, endpoint
        for who in {"ci", *PEOPLE} - MAY[endpoint.access]:
            async with live.http.request(endpoint.method, live.url + path, headers=live.bearer(who)) as response:
                assert response.status == 403, (endpoint, who)
            if who in browsers:
                headers = {"X-CSRF-Token": tokens[who]}
                assert (await browsers[who].send(endpoint.method, path, headers=headers)).status == 403


async def test_what_is_not_a_get_needs_the_pages_own_token(live: Live) -> None:
    browsers = {who: await live.browser(who) for who in PEOPLE}
    for endpoint in ENDPOINTS:
        may = MAY.get(endpoint.access, set()) & set(PEOPLE)
        if endpoint.method == "GET" or not may:
            continue
        browser = browsers[min(may)]
        sent = await browser.send(endpoint.method, endpoint.full_path.replace("{id}", "x"), json={})
        assert (sent.status, "X-CSRF-Token" in sent.text) == (403, True), endpoint


async def test_a_pass_is_no_proof_here(live: Live) -> None:
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "subject_token": live.token("ci"),
        "resource": "shop",
    }
    async with live.http.post(f"{live.url}/token", data=form) as response:
        issued = (await response.json())["access_token"]
    async with live.http.get(f"{live.api}/me", headers={"Authorization": f"Bearer {issued}"}) as response:
        assert response.status == 401


async def test_every_access_of_an_endpoint_is_tested() -> None:
    assert {endpoint.access for endpoint in ENDPOINTS} <= {Access.PUBLIC, *MAY}
    assert replace(ENDPOINTS[0]).full_path.startswith("/api/v1/")
