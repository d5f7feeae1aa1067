"""Signing in at the command line (RFC 8628), and what a thief could make of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.api.live import Live, running

from blastwall.containment import Kind
from blastwall.control.devices import LETTERS
from blastwall.control.failures import BURST

pytestmark = pytest.mark.asyncio(loop_scope="module")
GRANT = "urn:ietf:params:oauth:grant-type:device_code"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def live(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    async with running(tmp_path_factory.mktemp("gateway")) as found:
        yield found


@pytest.fixture(autouse=True)
def as_it_was(live: Live) -> Iterator[None]:
    """Leave the gateway to the next test as it was."""
    devices = live.gateway._control.devices
    now, monotonic = devices._now, devices._asks._now
    yield
    devices._now = now
    for limit in (devices._asks, devices._guesses):
        limit._now = monotonic
        limit._clear_at.clear()


async def ask(live: Live, client: str = "blastwall on laptop") -> dict[str, object]:
    async with live.http.post(f"{live.url}/auth/device", data={"client_id": client}) as response:
        assert response.status == 200
        assert response.headers["Cache-Control"] == "no-store"
        found: dict[str, object] = await response.json()
        return found


async def redeem(live: Live, code: object, grant: str = GRANT) -> tuple[int, dict[str, object]]:
    form = {"grant_type": grant, "device_code": str(code)}
    async with live.http.post(f"{live.url}/auth/device/token", data=form) as response:
        return response.status, await response.json()


def later(live: Live, seconds: float) -> None:
    devices = live.gateway._control.devices
    now = devices._now
    devices._now = lambda: now() + seconds


async def test_a_command_line_is_signed_in(live: Live) -> None:
    asked = await ask(live)
    assert asked["verification_uri"] == f"{live.url}/#/device"
    assert asked["verification_uri_complete"] == f"{live.url}/#/device/{asked['user_code']}"
    assert (asked["expires_in"], asked["interval"]) == (600, 5)
    assert (await redeem(live, asked["device_code"]))[1]["error"] == "authorization_pending"
    browser = await live.browser("ana")
    typed = str(asked["user_code"]).lower().replace("-", " ")
    seen = await browser.post("/auth/device/confirm", {"user_code": typed, "decision": "look"})
    assert seen.status == 200
    assert seen.json["client"] == "blastwall on laptop"
    assert seen.json["source"] == "127.0.0.1"
    assert (seen.json["user_code"], seen.json["state"]) == (asked["user_code"], "waiting")
    allowed = await browser.post("/auth/device/confirm", {"user_code": typed, "decision": "allow"})
    assert (allowed.status, allowed.json["state"]) == (200, "confirmed")
    status, given = await redeem(live, asked["device_code"])
    assert (status, given["token_type"], given["expires_in"]) == (200, "Bearer", 8 * 3600)
    headers = {"Authorization": f"Bearer {given['access_token']}"}
    async with live.http.get(f"{live.api}/me", headers=headers) as response:
        assert (await response.json())["name"] == "ana"
    assert (await redeem(live, asked["device_code"]))[1]["error"] == "expired_token", "a code gives one login"
    async with live.http.post(f"{live.url}/auth/logout", headers=headers) as response:
        assert response.status == 204
    async with live.http.get(f"{live.api}/me", headers=headers) as response:
        assert response.status == 401


async def test_a_refusal_is_told_once(live: Live) -> None:
    asked = await ask(live)
    browser = await live.browser("ana")
    body = {"user_code": asked["user_code"], "decision": "refuse"}
    assert (await browser.post("/auth/device/confirm", body)).json["state"] == "refused"
    assert (await browser.post("/auth/device/confirm", {**body, "decision": "allow"})).status == 404
    assert (await redeem(live, asked["device_code"]))[1]["error"] == "access_denied"
    assert (await redeem(live, asked["device_code"]))[1]["error"] == "expired_token"


async def test_codes_end(live: Live) -> None:
    asked = await ask(live)
    browser = await live.browser("ana")
    later(live, 601)
    assert (await redeem(live, asked["device_code"]))[1]["error"] == "expired_token"
    body = {"user_code": asked["user_code"], "decision": "allow"}
    assert (await browser.post("/auth/device/confirm", body)).status == 404


async def test_who_asks_too_often_is_slowed_down(live: Live) -> None:
    devices = live.gateway._control.devices
    at = devices._now()
    devices._now = lambda: at
    asked = await ask(live)
    assert (await redeem(live, asked["device_code"]))[1]["error"] == "authorization_pending"
    assert (await redeem(live, asked["device_code"]))[1]["error"] == "slow_down"
    later(live, 6)
    assert (await redeem(live, asked["device_code"]))[1]["error"] == "authorization_pending"


async def test_only_the_pages_login_confirms(live: Live) -> None:
    """A stolen token of a person, an agent's token, or a command line's login makes no further logins."""
    asked = await ask(live)
    body = {"user_code": asked["user_code"], "decision": "allow"}
    for who in ("ana", "ci"):
        headers = live.bearer(who)
        async with live.http.post(f"{live.url}/auth/device/confirm", json=body, headers=headers) as response:
            assert response.status == 403
    async with live.http.post(f"{live.url}/auth/device/confirm", json=body) as response:
        assert response.status == 401
    browser = await live.browser("ana")
    assert (await browser.send("POST", "/auth/device/confirm", json=body)).status == 403, "no CSRF token"
    assert (await redeem(live, asked["device_code"]))[1]["error"] == "authorization_pending"


async def test_guessing_user_codes_is_limited(live: Live) -> None:
    await ask(live)
    browser, other = await live.browser("vera"), await live.browser("ana")
    live.gateway._control.devices._guesses._now = lambda: 1.0
    statuses = []
    for number in range(BURST + 1):
        guess = f"{LETTERS[number % 20]}CDF-GHJK"
        statuses.append((await browser.post("/auth/device/confirm", {"user_code": guess, "decision": "look"})).status)
    assert statuses == [404] * BURST + [429]
    body = {"user_code": "BBBB-BBBB", "decision": "look"}
    assert (await other.post("/auth/device/confirm", body)).status == 404, "it is the person who is limited"


async def test_guessing_device_codes_is_limited(live: Live) -> None:
    live.gateway._control.devices._guesses._now = lambda: 1.0
    answers = [await redeem(live, f"guess-{number}") for number in range(BURST + 1)]
    assert {answer["error"] for _, answer in answers[:-1]} == {"expired_token"}
    assert answers[-1][0] == 429


async def test_a_flood_of_requests_is_limited(live: Live) -> None:
    live.gateway._control.devices._asks._now = lambda: 1.0
    for _ in range(BURST):
        await ask(live)
    async with live.http.post(f"{live.url}/auth/device", data={}) as response:
        assert response.status == 429


async def test_a_login_that_ended_meanwhile_confirms_nothing(live: Live) -> None:
    asked = await ask(live)
    browser = await live.browser("ana")
    await browser.post("/auth/device/confirm", {"user_code": asked["user_code"], "decision": "allow"})
    await browser.post("/auth/logout")
    assert (await redeem(live, asked["device_code"]))[1]["error"] == "access_denied"


async def test_what_it_calls_itself_is_text(live: Live) -> None:
    asked = await ask(live, "<img src=x onerror=alert(1)>\n\u202e" + "x" * 500)
    browser = await live.browser("ana")
    seen = await browser.post("/auth/device/confirm", {"user_code": asked["user_code"], "decision": "look"})
    client = str(seen.json["client"])
    assert len(client) <= 100
    assert all(" " <= character <= "~" for character in client)


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "password", "device_code": "x"}, "unsupported_grant_type"),
        ({"device_code": "x"}, "unsupported_grant_type"),
        ({"grant_type": GRANT}, "invalid_request"),
    ],
)
async def test_what_is_no_redemption(live: Live, form: dict[str, str], error: str) -> None:
    async with live.http.post(f"{live.url}/auth/device/token", data=form) as response:
        assert (response.status, (await response.json())["error"]) == (400, error)


async def test_without_a_configured_sign_in_there_is_none(tmp_path: Path) -> None:
    async with running(tmp_path, control={"port": 0}) as live, live.http.post(f"{live.url}/auth/device") as response:
        assert response.status == 400


async def test_a_code_dies_with_its_persons_containment(live: Live) -> None:
    """A thief who had a code confirmed keeps it back until the person is let in again."""
    asked = await ask(live)
    browser = await live.browser("vera")
    confirmed = await browser.post("/auth/device/confirm", {"user_code": asked["user_code"], "decision": "allow"})
    assert confirmed.json["state"] == "confirmed"
    containment = live.gateway._parts.containment
    await containment.contain(Kind.USER, "vera", "laptop stolen", "olga")
    await containment.lift(Kind.USER, "vera", "over", "olga")
    status, answer = await redeem(live, asked["device_code"])
    assert status == 400, answer
    assert "contained" in str(answer["error_description"])
