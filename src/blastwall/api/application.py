"""The application: the routes, the errors, and headers that keep answers out of caches."""

from __future__ import annotations

from ipaddress import ip_address

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from blastwall.api import page
from blastwall.api.frame import NO_STORE, ApiRoute
from blastwall.api.oauth import OAuthError
from blastwall.api.openapi import describe
from blastwall.api.problems import problem
from blastwall.api.requests import BadRequest
from blastwall.api.routes import ENDPOINTS, ROUTES, Route
from blastwall.control.access import Forbidden, Remote
from blastwall.control.control import Control
from blastwall.control.failures import TooManyFailures
from blastwall.gate.ports import Refusal
from blastwall.identity import Unavailable

_NOBODY = Remote(ip_address("127.0.0.1"))
_log = structlog.get_logger("blastwall.api")


def create_app(control: Control) -> FastAPI:
    """Return the control port's application.

    Raises:
        TypeError: a route's use-case is not classified.
    """
    app = FastAPI(title="Blastwall", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.control = control
    app.add_exception_handler(HTTPException, _no_such_route)
    app.add_middleware(page.BrowserHeaders, sign_in=lambda: control.signing_in.origin(_NOBODY))
    for route in ROUTES:
        app.router.routes.append(_plain(control, route))
    for endpoint in ENDPOINTS:
        app.router.routes.append(ApiRoute(endpoint))
    describe(app)
    page.mount(app)
    return app


def _plain(control: Control, route: Route) -> APIRoute:
    async def endpoint(request: Request) -> Response:
        response = await _answer(control, route, request)
        response.headers.update(NO_STORE)
        return response

    name = f"{route.access}: {route.path}"
    return APIRoute(
        route.path, endpoint, methods=[route.method], name=name, response_model=None, include_in_schema=False
    )


async def _answer(control: Control, route: Route, request: Request) -> Response:
    try:
        return await route.handler(control, request)
    except OAuthError as error:
        return error.response
    except Exception as error:  # noqa: BLE001 - whatever fails, the answer must not tell more than this
        return _refused(error, route)


async def _no_such_route(_request: Request, error: Exception) -> Response:
    """Answer what no route serves, or not by this method."""
    if not isinstance(error, HTTPException):
        raise error
    response = problem(error.status_code, str(error.detail), error.headers)
    response.headers.update(NO_STORE)
    return response


def _refused(error: Exception, route: Route) -> Response:
    if isinstance(error, Forbidden) and error.known:
        return _error(403, str(error))
    if isinstance(error, Forbidden):
        return _error(401, str(error), {"WWW-Authenticate": "Bearer"})
    if isinstance(error, TooManyFailures):
        return _error(429, str(error), {"Retry-After": str(max(1, round(error.wait)))})
    if isinstance(error, Unavailable):
        return _error(503, error.told)
    if isinstance(error, Refusal):
        return _error(401, error.told, {"WWW-Authenticate": 'Bearer error="invalid_token"'})
    if isinstance(error, BadRequest):
        return _error(400, str(error))
    _log.error("request_failed", route=route.path, error=type(error).__name__, exc_info=error)
    return _error(500, "the gateway failed; its log says how")


def _error(status: int, description: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": description}, status, headers)
