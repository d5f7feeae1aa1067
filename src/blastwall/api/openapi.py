"""The OpenAPI document of `/api/v1`, written from the endpoints' models, at `/api/v1/openapi.json`."""

from __future__ import annotations

import asyncio
from functools import cache
from threading import Lock

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse, Response
from starlette.routing import Route

from blastwall import __version__
from blastwall.api.frame import NO_STORE, PREFIX, ApiRoute
from blastwall.api.known import COOKIE, CSRF_HEADER
from blastwall.api.problems import Problem

PATH = f"{PREFIX}/openapi.json"
_ABOUT = """\
What people and agents may know and do at the gateway.

Authenticate with `Authorization: Bearer` (an OIDC token of a configured user or agent, or the login token of
`blastwall login`), or with the cookie of the web page, and then `X-CSRF-Token` (of `GET /me`) on what changes
something. Times are RFC 3339 in UTC. Lists come in pages: `next` is the `cursor` of the page after. Errors are
`application/problem+json` (RFC 9457). Unknown parameters and keys are refused.
"""


def describe(app: FastAPI) -> None:
    """Serve the document of the endpoints that `app` has. It is the same for everybody, and public.

    It is written when it is first asked for, in a thread: that takes longer than all else of a gateway's start, few
    ask for it, and sessions must not stand still meanwhile.
    """
    writing = Lock()  # many may ask first; it is written once

    @cache
    def document() -> dict[str, object]:
        return document_of(app)

    def written() -> dict[str, object]:
        with writing:
            return document()

    async def openapi(_request: Request) -> Response:
        return JSONResponse(await asyncio.to_thread(written), headers=NO_STORE)

    app.router.routes.append(Route(PATH, openapi, methods=["GET"]))


def document_of(app: FastAPI) -> dict[str, object]:
    """Return the document."""
    served = [route for route in app.routes if isinstance(route, ApiRoute)]
    document = get_openapi(title="Blastwall", version=__version__, description=_ABOUT, routes=served)
    components = document.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "An OIDC token, or a login token."},
        "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "The web page's login."},
        "csrf": {"type": "apiKey", "in": "header", "name": CSRF_HEADER, "description": "`csrf` of `GET /me`."},
    }
    return dict(document)
