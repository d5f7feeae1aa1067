"""Signing in at the web page, as a person does and as a thief tries: OpenID Connect, the cookie, CSRF."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
import pytest_asyncio
import yaml
from tests.api.live import PEOPLE, Browser, Live, running

from blastwall.containment import Kind
from blastwall.control import signing_in
from blastwall.control.failures import BURST
from blastwall.identity.logins import LoginKind

COOKIE = "__Host-blastwall"
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def live(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    async with running(tmp_path_factory.mktemp("gateway")) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def fresh(tmp_path: Path) -> AsyncIterator[Live]:
    """A gateway of the test's own."""
    async with running(tmp_path) as found:
        yield found


@pytest.fixture(autouse=True)
def as_it_was(live: Live) -> Iterator[None]:
    """Leave the gateway and the issuer to the next test as they were."""
    yield
    live.issuer.sign_in.claims.clear()
    live.issuer.sign_in.answer.clear()
    live.gateway._control.callers.login_failures._clear_at.clear()


async def test_a_person_signs_in_and_out(live: Live) -> None:
    browser = Browser(live)
    response = await browser.sign_in("ana", "/approvals/a1")
    assert (response.status, response.headers["Location"]) == (303, "/#/approvals/a1")
    me = (await browser.send("GET", "/api/v1/me")).json
    assert (me["name"], me["roles"]) == ("ana", ["approver", "viewer"])
    assert me["csrf"]
    assert str(me["signed_in_until"]).endswith("Z")
    assert (await browser.send("GET", "/api/v1/health")).status == 200
    stolen = dict(browser.cookies)
    assert (await browser.post("/auth/logout")).status == 204
    assert browser.cookies == {}
    browser.cookies = stolen
    assert (await browser.send("GET", "/api/v1/me")).status == 401


async def test_the_cookie_is_for_https_to_this_host_and_no_script(live: Live) -> None:
    browser = Browser(live)
    url = await browser.begin()
    for response in (
        await browser.send("GET", "/auth/login"),
        await browser.send("GET", await browser.choose(url, "ana")),
    ):
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        for cookie in response.set_cookies:
            assert cookie.startswith("__Host-")
            attributes = {each.strip() for each in cookie.split(";")[1:]}
            assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} <= attributes
            assert not any(each.startswith("Domain") for each in attributes)


async def test_the_state_has_no_cookie_in_clear(live: Live) -> None:
    browser = await live.browser()
    for file in (live.folder / "state").iterdir():
        if file.is_file():
            assert browser.cookies[COOKIE].encode() not in file.read_bytes()


async def test_what_is_asked_of_the_issuer(live: Live) -> None:
    browser = Browser(live)
    url = await browser.begin()
    asked = dict(parse_qsl(urlsplit(url).query))
    assert url.startswith(f"{live.issuer.url}/authorize?")
    assert asked["redirect_uri"] == f"{live.url}/auth/callback"
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert len(asked["state"]) >= 43
    assert len(asked["nonce"]) >= 43
    again = dict(parse_qsl(urlsplit(await browser.begin()).query))
    assert not {asked[each] for each in ("state", "nonce", "code_challenge")} & set(again.values())


async def test_two_tabs_sign_in_beside_each_other(live: Live) -> None:
    browser = Browser(live)
    first, second = await browser.begin("/a"), await browser.begin("/b")
    assert (await browser.send("GET", await browser.choose(second, "ana"))).headers["Location"] == "/#/b"
    assert (await browser.send("GET", await browser.choose(first, "ana"))).headers["Location"] == "/#/a"


@pytest.mark.parametrize("who", ["ci", "stranger", "unknown"])
async def test_only_users_sign_in(live: Live, who: str) -> None:
    browser = Browser(live)
    response = await browser.sign_in(who)
    assert response.status == 403
    assert COOKIE not in browser.cookies


# ── attacks on the flow ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_answer_of_anothers_attempt_is_refused(live: Live) -> None:
    """Login CSRF: a thief's own code, slipped to a victim's browser, would sign the victim in as the thief."""
    thief, victim = Browser(live), Browser(live)
    back = await thief.choose(await thief.begin(), "vera")
    await victim.begin()
    assert (await victim.send("GET", back)).status == 403
    assert COOKIE not in victim.cookies
    assert (await Browser(live).send("GET", back)).status == 403


async def test_a_forged_state_is_refused(live: Live) -> None:
    browser = Browser(live)
    back = await browser.choose(await browser.begin(), "ana")
    state = dict(parse_qsl(urlsplit(back).query))["state"]
    for forged in (state[:10] + "x" * (len(state) - 10), "", "x"):
        assert (await browser.send("GET", back.replace(state, forged))).status == 403
    assert COOKIE not in browser.cookies


async def test_a_code_works_once(live: Live) -> None:
    browser = Browser(live)
    back = await browser.choose(await browser.begin(), "ana")
    kept = dict(browser.cookies)
    assert (await browser.send("GET", back)).status == 303
    again = Browser(live, kept)
    assert (await again.send("GET", back)).status == 403
    assert COOKIE not in again.cookies


@pytest.mark.parametrize(
    "claims",
    [{"nonce": "other"}, {"nonce": None}, {"azp": "another-application"}, {"aud": "another"}, {"iss": "https://evil"}],
)
async def test_an_id_token_of_another_sign_in_is_refused(live: Live, claims: dict[str, object]) -> None:
    live.issuer.sign_in.claims.update(claims)
    browser = Browser(live)
    assert (await browser.sign_in("ana")).status == 403
    assert COOKIE not in browser.cookies


@pytest.mark.parametrize("answer", [{"iss": "https://evil.example"}, {"iss": ""}, {"error": "server_error"}])
async def test_an_answer_of_another_issuer_is_refused(live: Live, answer: dict[str, str]) -> None:
    """RFC 9207: the mix-up of two issuers."""
    live.issuer.sign_in.answer.update(answer)
    browser = Browser(live)
    assert (await browser.sign_in("ana")).status == 403
    assert COOKIE not in browser.cookies


async def test_an_answer_that_names_no_issuer_is_refused(live: Live) -> None:
    browser = Browser(live)
    back = await browser.choose(await browser.begin(), "ana")
    assert (await browser.send("GET", re.sub(r"iss=[^&]*&?", "", back))).status == 403


async def test_an_answer_with_a_name_twice_is_refused(live: Live) -> None:
    browser = Browser(live)
    back = await browser.choose(await browser.begin(), "ana")
    assert (await browser.send("GET", f"{back}&code=x")).status == 400


async def test_nobody_is_led_elsewhere(live: Live) -> None:
    browser = Browser(live)
    for to in (
        "https://evil.example",
        "//evil.example",
        "evil",
        "/%0d%0aX:y",
        "/\\evil",
        "javascript:alert(1)",
        "/a#b",
    ):
        quoted = to.replace("#", "%23").replace("\\", "%5C")
        assert (await browser.send("GET", f"/auth/login?to={quoted}")).status in {303, 400}
    url = await browser.begin("//evil.example")
    assert (await browser.send("GET", await browser.choose(url, "ana"))).headers["Location"] == "/#//evil.example"
    assert (await browser.send("GET", "/auth/login?next=https://evil.example")).status == 400


async def test_a_return_that_was_tampered_with_stays_on_the_page(live: Live) -> None:
    browser = Browser(live)
    back = await browser.choose(await browser.begin(), "ana")
    (name,) = browser.cookies
    state, nonce, verifier, _ = browser.cookies[name].split(".")
    browser.cookies[name] = f"{state}.{nonce}.{verifier}.aHR0cHM6Ly9ldmlsLmV4YW1wbGU"
    assert (await browser.send("GET", back)).headers["Location"] == "/#/"


async def test_a_login_is_never_the_one_that_was_there(live: Live) -> None:
    """Fixation: whatever cookie a thief has planted, the sign-in gives another, and the planted one ends."""
    thief = await live.browser("vera")
    planted = thief.cookies[COOKIE]
    victim = Browser(live, {COOKIE: planted})
    assert (await victim.sign_in("olga")).status == 303
    assert victim.cookies[COOKIE] != planted
    assert (await victim.send("GET", "/api/v1/me")).json["name"] == "olga"
    assert (await thief.send("GET", "/api/v1/me")).status == 401, "the login that was there before has ended"
    invented = Browser(live, {COOKIE: "bws_" + "A" * 43})
    assert (await invented.send("GET", "/api/v1/me")).status == 401
    assert (await invented.sign_in("olga")).status == 303


async def test_an_error_of_the_issuer_is_told_as_text(live: Live) -> None:
    live.issuer.sign_in.answer["error"] = "<script>alert(1)</script>"
    response = await Browser(live).sign_in("ana")
    assert "<script>" not in response.text
    assert "&lt;script&gt;" in response.text
    assert "unsafe" not in response.headers["Content-Security-Policy"]


async def test_an_issuer_that_is_away_is_said(fresh: Live) -> None:
    with fresh.issuer.outage():
        assert (await Browser(fresh).send("GET", "/auth/login")).status == 503
    browser = Browser(fresh)
    back = await browser.choose(await browser.begin(), "ana")
    with fresh.issuer.outage():
        assert (await browser.send("GET", back)).status == 503
    assert COOKIE not in browser.cookies


async def test_guessing_is_limited(fresh: Live) -> None:
    fresh.gateway._control.callers.login_failures._now = lambda: 1.0
    browser = Browser(fresh)
    state = dict(parse_qsl(urlsplit(await browser.begin()).query))["state"]
    kept, statuses = dict(browser.cookies), []
    for number in range(BURST + 1):
        browser.cookies = dict(kept)
        statuses.append((await browser.send("GET", f"/auth/callback?code=x&state={state[:10]}{number}")).status)
    assert statuses == [403] * BURST + [429]


async def test_another_sites_page_keeps_nobody_out(live: Live) -> None:
    """It can have a visitor's browser ask for whatever it likes, without our cookies: `<img src=…/auth/callback>`."""
    ana = await live.browser("ana")
    for _ in range(BURST + 5):
        assert (await Browser(live).send("GET", "/auth/callback?code=x&state=y")).status == 403
    assert (await ana.send("GET", "/api/v1/me")).status == 200
    assert (await live.browser("vera")).cookies


async def test_beginning_asks_no_vault(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_source: object) -> object:
        raise AssertionError("anybody can begin, as often as they like")

    configured = live.gateway._control.signing_in._configuration()
    assert configured is not None
    assert configured.control.login is not None
    login = configured.control.login.model_copy(update={"client_secret": "somewhere"})
    changed = configured.model_copy(update={"control": configured.control.model_copy(update={"login": login})})
    monkeypatch.setattr(live.gateway._control.signing_in, "_configuration", lambda: changed)
    monkeypatch.setattr(signing_in, "reader_for", nobody)
    await Browser(live).begin()


async def test_a_page_whose_login_has_ended_keeps_nobody_out(live: Live) -> None:
    """It asks again and again, and shares its address with agents and other people."""
    gone = await live.browser("vera")
    kept = dict(gone.cookies)
    await gone.post("/auth/logout")
    gone.cookies = kept
    statuses = {(await gone.send("GET", "/api/v1/me")).status for _ in range(BURST + 5)}
    assert statuses == {401}
    for number in range(BURST + 1):
        await Browser(live, {COOKIE: f"bws_guess{number}"}).send("GET", "/api/v1/me")
    assert (await live.get("/me", "ci"))[0] == 200
    assert (await Browser(live, {COOKIE: "bws_guess"}).send("GET", "/api/v1/me")).status in {401, 429}


# ── the cookie ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_changes_something_needs_the_pages_own_token(live: Live) -> None:
    ana, vera = await live.browser("ana"), await live.browser("vera")
    for headers in (
        {},
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "wrong"},
        {"X-CSRF-Token": await vera.csrf()},
        {"X-CSRF-Token": ana.cookies[COOKIE]},
        {"X-CSRF-Token": await ana.csrf(), "Sec-Fetch-Site": "cross-site"},
        {"X-CSRF-Token": await ana.csrf(), "Sec-Fetch-Site": "same-site"},
    ):
        assert (await ana.send("POST", "/auth/logout", headers=headers)).status == 403, headers
    assert (await ana.send("GET", "/api/v1/me")).status == 200, "the login has not ended"
    assert (await ana.post("/auth/logout")).status == 204


async def test_a_cookie_is_no_bearer_token_nor_the_other_way_round(live: Live) -> None:
    browser = await live.browser()
    secret = browser.cookies[COOKIE]
    person = (await live.gateway._parts.identity.logins.find(LoginKind.WEB, secret.encode())).person
    async with live.http.get(f"{live.api}/me", headers={"Authorization": f"Bearer {secret}"}) as response:
        assert response.status == 401
    token = live.token("ana")
    assert (await Browser(live, {COOKIE: token}).send("GET", "/api/v1/me")).status == 401
    issued = await live.gateway._parts.identity.sign_in(
        LoginKind.CLI, person, ip_address("127.0.0.1"), idle=60, lifetime=60
    )
    assert (await Browser(live, {COOKIE: issued.secret}).send("GET", "/api/v1/me")).status == 401
    async with live.http.get(f"{live.api}/me", headers={"Authorization": f"Bearer {issued.secret}"}) as response:
        assert response.status == 200


async def test_a_cookie_that_is_sent_twice_is_refused(live: Live) -> None:
    browser = await live.browser()
    headers = {"Cookie": f"{COOKIE}={browser.cookies[COOKIE]}; {COOKIE}=bws_other"}
    async with live.http.get(f"{live.api}/me", headers=headers) as response:
        assert response.status == 400


async def test_a_login_is_no_proof_at_a_resource(live: Live) -> None:
    """Neither of its kinds lets anybody into a database, nor is it exchanged for a pass."""
    browser = await live.browser()
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "subject_token": browser.cookies[COOKIE],
        "resource": "shop",
    }
    async with live.http.post(f"{live.url}/token", data=form) as response:
        assert (response.status, (await response.json())["error"]) == (400, "invalid_request")


async def test_a_login_dies_with_its_persons_containment(live: Live) -> None:
    browser, other = await live.browser("vera"), await live.browser("ana")
    containment = live.gateway._parts.containment
    await containment.contain(Kind.USER, "vera", "laptop stolen", "olga")
    assert (await browser.send("GET", "/api/v1/me")).status == 401
    assert (await browser.sign_in("vera")).status == 403
    assert (await live.get("/me", "vera"))[0] == 401
    await containment.lift(Kind.USER, "vera", "over", "olga")
    assert (await browser.send("GET", "/api/v1/me")).status == 401, "a login that died does not come back"
    assert (await other.send("GET", "/api/v1/me")).status == 200
    assert (await browser.sign_in("vera")).status == 303


async def test_a_login_that_was_not_used_meanwhile_dies_too(live: Live) -> None:
    browser = await live.browser("vera")
    containment = live.gateway._parts.containment
    await containment.contain(Kind.USER, "vera", "laptop stolen", "olga")
    await containment.lift(Kind.USER, "vera", "over", "olga")
    assert (await browser.send("GET", "/api/v1/me")).status == 401


async def test_a_person_is_today_what_the_configuration_says(fresh: Live) -> None:
    browser, gone = await fresh.browser("olga"), await fresh.browser("vera")
    assert (await browser.send("GET", "/api/v1/me")).json["roles"] == ["operator"]
    file = fresh.folder / "blastwall.yaml"
    written = yaml.safe_load(file.read_text())
    written["users"] = [each for each in written["users"] if each["name"] != "vera"]
    written["control"]["roles"] = {"viewer": ["staff"], "approver": ["dba"], "operator": ["dba"]}
    file.write_text(yaml.safe_dump(written))
    assert await fresh.gateway.reload()
    assert (await browser.send("GET", "/api/v1/me")).json["roles"] == []
    assert (await gone.send("GET", "/api/v1/me")).status == 401


async def test_logins_end(fresh: Live) -> None:
    idle, old = await fresh.browser("ana"), await fresh.browser("vera")
    table = fresh.gateway._parts.identity.logins
    now = table._now

    def later(seconds: float) -> float:
        return now() + seconds

    table._now = partial(later, 3500)
    assert (await old.send("GET", "/api/v1/me")).status == 200
    table._now = partial(later, 3700)
    assert (await idle.send("GET", "/api/v1/me")).status == 401, "not used for an hour"
    for seconds in range(7000, 36_000, 3400):
        table._now = partial(later, seconds)
        assert (await old.send("GET", "/api/v1/me")).status == 200
    table._now = partial(later, 36_001)
    assert (await old.send("GET", "/api/v1/me")).status == 401, "ten hours are over"


async def test_without_a_configured_sign_in_there_is_none(tmp_path: Path) -> None:
    async with running(tmp_path, control={"port": 0}) as live:
        assert (await Browser(live).send("GET", "/auth/login")).status == 404
        assert (await Browser(live).send("GET", "/auth/callback?code=x&state=y")).status == 404
        assert (await live.get("/me"))[0] == 200


async def test_everybody_who_is_tested_is_configured() -> None:
    assert set(PEOPLE) == {"vera", "ana", "audrey", "olga", "nobody"}
