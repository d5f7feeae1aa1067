"""Who a request is from: what it shows, handed to `control`; and whether the page meant it.

A browser sends the cookie with whatever a page of any site makes it send. So what changes something must also carry
`X-CSRF-Token`, which only a page of this origin can know (it follows from the cookie, and `GET /me` tells it), and must
not come from another site where the browser says so (`Sec-Fetch-Site`).
"""

from __future__ import annotations

import hmac

from fastapi import Request

from blastwall.api.problems import Unacceptable
from blastwall.api.requests import bearer_of, is_from_elsewhere, source_of
from blastwall.control.access import Access, Remote
from blastwall.control.control import Control
from blastwall.identity.logins import csrf_of

COOKIE = "__Host-blastwall"
CSRF_HEADER = "X-CSRF-Token"
_SAFE = frozenset({"GET", "HEAD"})


async def caller(control: Control, request: Request, access: Access, *, used: bool = True) -> Remote:
    """Return the caller, known where they show a token or login. What is public asks nobody, so no proof is wrong.

    `used` says that a person did something, so that their login does not end for want of use.

    Raises:
        Refusal: what they show does not hold.
        TooManyFailures: their address has failed too often.
        Unacceptable: a cookie is shown without what says that its page meant it.
    """
    source = source_of(request)
    if access is Access.PUBLIC:
        return Remote(source)
    bearer = bearer_of(request)
    cookie = cookie_of(request) if bearer is None else None
    found = await control.callers.remote(source, bearer, cookie, used=used)
    if cookie is not None and request.method not in _SAFE:
        _check_meant(request, cookie)
    return found


def cookie_of(request: Request) -> bytes | None:
    """Return the login that the cookie holds.

    Raises:
        Unacceptable: there are several.
    """
    held = [
        value
        for header in request.headers.getlist("cookie")
        for name, _, value in (pair.strip().partition("=") for pair in header.split(";"))
        if name == COOKIE
    ]
    if len(held) > 1:
        raise Unacceptable(400, f"the cookie {COOKIE} is sent twice")
    return held[0].encode("latin-1") if held and held[0] else None


def _check_meant(request: Request, cookie: bytes) -> None:
    shown = request.headers.get(CSRF_HEADER, "").encode("latin-1")
    if not hmac.compare_digest(shown, csrf_of(cookie).encode()):
        raise Unacceptable(403, f"{CSRF_HEADER} is missing or wrong: load the page anew")
    if is_from_elsewhere(request):
        raise Unacceptable(403, "another site's page sent this")
