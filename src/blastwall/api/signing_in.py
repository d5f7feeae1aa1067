"""Signing in and out: `/auth/login` and `/auth/callback` for browsers, the rest for the page and the command line."""

from __future__ import annotations

import base64
import html
import re
from typing import Literal

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from pydantic import Field

from blastwall.api import known
from blastwall.api.frame import Answer, Body, Endpoint, InCaller, InControl, time_of
from blastwall.api.oauth import OAuthError
from blastwall.api.problems import Unacceptable
from blastwall.api.requests import BadRequest, read_form, source_of
from blastwall.control.access import Remote
from blastwall.control.control import Control
from blastwall.control.devices import (
    INTERVAL,
    LIFETIME,
    Declined,
    Devices,
    Expired,
    NoSuchCode,
    Pending,
    Waiting,
)
from blastwall.control.failures import TooManyFailures
from blastwall.control.signing_in import NotOffered, SigningIn
from blastwall.gate.ports import Refusal
from blastwall.identity import Unavailable
from blastwall.identity.code_flow import FRESH_SECONDS, Attempt
from blastwall.store import StateError
from blastwall.store.logins import TooManyCodes

_FRAGMENT = re.compile(r"/[A-Za-z0-9/._~%?=&-]{0,256}")
_PARAMETERS = frozenset({"code", "state", "iss", "error", "error_description", "error_uri", "session_state"})
_LONGEST = 4096
_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_LOOKS = "".join(f'<link rel="stylesheet" href="/static/css/{name}.css">' for name in ("base", "frame"))
_SECURE = "Path=/; Secure; HttpOnly; SameSite=Lax"


# ── the browser ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def login(control: Control, request: Request) -> Response:
    """Send the browser to the issuer. `to` is the page's own place to come back to, never another site's."""
    to = request.query_params.get("to", "/")
    if set(request.query_params) - {"to"} or _FRAGMENT.fullmatch(to) is None:
        return _page(400, "The address is wrong", "to can only be a place of this page.")
    try:
        begun = await control.signing_in.begin(Remote(source_of(request)))
    except NotOffered as error:
        return _page(404, "No sign-in here", str(error))
    except Unavailable as error:
        return _page(503, "No sign-in now", error.told)
    response = RedirectResponse(begun.url, 303)
    value = ".".join((begun.attempt.state, begun.attempt.nonce, begun.attempt.verifier, _packed(to)))
    _set(response, _attempt_cookie(begun.attempt.state), value, FRESH_SECONDS)
    return response


async def callback(control: Control, request: Request) -> Response:
    """Take the issuer's answer, and give the browser a login that it did not have before."""
    answered = dict(request.query_params)
    twice = len(answered) != len(request.query_params.multi_items())
    if twice or any(len(each) > _LONGEST for each in answered.values()):
        return _page(400, "The sign-in is refused", "the issuer's answer cannot be read; begin again")
    name = _attempt_cookie(answered.get("state", ""))
    attempt, to = _attempt(request.cookies.get(name, ""))
    try:
        before = known.cookie_of(request)
        kept = {key: value for key, value in answered.items() if key in _PARAMETERS}
        issued = await control.signing_in.finish(Remote(source_of(request)), attempt, kept, before)
    except NotOffered as error:
        response: Response = _page(404, "No sign-in here", str(error))
    except (Unavailable, StateError) as error:
        told = error.told if isinstance(error, Unavailable) else "the gateway cannot use its state now"
        response = _page(503, "No sign-in now", told)
    except TooManyFailures as error:
        response = _page(429, "Too many attempts", str(error))
        response.headers["Retry-After"] = str(max(1, round(error.wait)))
    except (Refusal, Unacceptable) as error:
        told = error.told if isinstance(error, Refusal) else str(error)
        response = _page(403, "The sign-in is refused", told)
    else:
        response = RedirectResponse(f"/#{to}", 303)
        _set(response, known.COOKIE, issued.secret, issued.lifetime)
    _set(response, name, "", 0)
    return response


def _attempt_cookie(state: str) -> str:
    """An attempt's cookie: each has its own, so that two tabs do not disturb each other."""
    return f"{known.COOKIE}-{re.sub('[^A-Za-z0-9_-]', '', state)[:10]}"


def _attempt(value: str) -> tuple[Attempt | None, str]:
    parts = value.split(".")
    if len(parts) != 4 or not all(parts):
        return None, "/"
    to = _unpacked(parts[3])
    return Attempt(*parts[:3]), to if _FRAGMENT.fullmatch(to) else "/"


def _packed(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _unpacked(text: str) -> str:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
    except ValueError:
        return ""


def _set(response: Response, name: str, value: str, seconds: float) -> None:
    """Set a cookie that only https to this very host shows, and no script reads (RFC 6265bis, `__Host-`)."""
    response.headers.append("Set-Cookie", f"{name}={value}; {_SECURE}; Max-Age={int(seconds)}")


def _page(status: int, title: str, text: str) -> Response:
    again = '<p><a href="/auth/login">Sign in again</a> · <a href="/">Start page</a></p>'
    body = f'<div class="panel"><h1>{html.escape(title)}</h1><p>{html.escape(text)}</p>{again}</div>'
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
    return HTMLResponse(
        f'{head}<meta name="viewport" content="width=device-width">{_LOOKS}<main class="signin">{body}</main></html>',
        status,
    )


# ── the page ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def logout(control: InControl, caller: InCaller) -> Response:
    """End the login that was shown: the cookie's, or the command line's token."""
    await control.signing_in.leave(caller)
    response = Response(status_code=204)
    _set(response, known.COOKIE, "", 0)
    return response


class Confirm(Body):
    """A command line's sign-in, and what is to become of it."""

    user_code: str = Field(max_length=32, description="The code that the command line shows.")
    decision: Literal["look", "allow", "refuse"] = Field(description="`look` only tells who asks.")


class Device(Answer):
    """A command line that asks to be signed in."""

    user_code: str = Field(description="Its code.")
    client: str = Field(description="What it calls itself: anybody can call themselves anything.")
    source: str = Field(description="The address that it asks from.")
    asked_at: str = Field(description="Since when it waits.")
    until: str = Field(description="Until when it can be confirmed.")
    state: Literal["waiting", "confirmed", "refused"] = Field(description="What became of it.")


async def confirm(control: InControl, caller: InCaller, body: Confirm) -> Device:
    """Look at a command line's sign-in, allow or refuse it; only the web page's login may.

    Who allows it signs the command line in as themselves: it must be one's own, showing this code now.
    """
    if body.decision == "look":
        return _device(await control.devices.look(caller, body.user_code))
    return _device(await control.devices.decide(caller, body.user_code, allow=body.decision == "allow"))


def _device(found: Waiting) -> Device:
    return Device(
        user_code=f"{found.user_code[:4]}-{found.user_code[4:]}",
        client=found.client,
        source=found.source,
        asked_at=time_of(found.asked),
        until=time_of(found.ends),
        state=found.state.value,
    )


ENDPOINTS = (
    Endpoint("POST", "/logout", logout, SigningIn.leave, status=204, prefix="/auth"),
    Endpoint("POST", "/device/confirm", confirm, Devices.decide, {NoSuchCode: 404}, prefix="/auth"),
)


# ── the command line (RFC 8628) ──────────────────────────────────────────────────────────────────────────────────────


async def device(control: Control, request: Request) -> Response:
    """Give a device code and a user code (section 3.2)."""
    try:
        fields = await read_form(request)
        asked = await control.devices.ask(Remote(source_of(request)), fields.get("client_id", "a command line"))
    except (BadRequest, Refusal, TooManyFailures, TooManyCodes, StateError) as error:
        raise _oauth_error(error) from None
    shown = f"{asked.user_code[:4]}-{asked.user_code[4:]}"
    page = f"{control.public()}/#/device"
    return JSONResponse(
        {
            "device_code": asked.device_code,
            "user_code": shown,
            "verification_uri": page,
            "verification_uri_complete": f"{page}/{shown}",
            "expires_in": int(LIFETIME),
            "interval": int(INTERVAL),
        }
    )


async def device_token(control: Control, request: Request) -> Response:
    """Give the login token once the person has confirmed (section 3.5)."""
    try:
        code = _device_code(await read_form(request))
        issued = await control.devices.redeem(Remote(source_of(request)), code)
    except Pending as error:
        raise OAuthError("slow_down" if error.too_soon else "authorization_pending", str(error)) from None
    except Declined as error:
        raise OAuthError("access_denied", str(error)) from None
    except Expired as error:
        raise OAuthError("expired_token", str(error)) from None
    except (BadRequest, Refusal, TooManyFailures, StateError) as error:
        raise _oauth_error(error) from None
    return JSONResponse({"access_token": issued.secret, "token_type": "Bearer", "expires_in": int(issued.lifetime)})


def _device_code(fields: dict[str, str]) -> str:
    if fields.get("grant_type") != _DEVICE_GRANT:
        raise OAuthError("unsupported_grant_type", f"the only grant type here is {_DEVICE_GRANT}")
    if not fields.get("device_code"):
        raise BadRequest("device_code is missing")
    return fields["device_code"]


def _oauth_error(error: Exception) -> OAuthError:
    if isinstance(error, TooManyFailures):
        return OAuthError("temporarily_unavailable", str(error), 429, error.wait)
    if isinstance(error, (Unavailable, TooManyCodes, StateError)):
        told = error.told if isinstance(error, Unavailable) else "the gateway gives no codes now; try again in a minute"
        return OAuthError("temporarily_unavailable", told, 503, 30)
    return OAuthError("invalid_request", error.told if isinstance(error, Refusal) else str(error))
