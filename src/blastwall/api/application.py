"""The application: the routes, the errors, and headers that keep answers out of caches."""

from __future__ import annotations

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from blastwall.api.oauth import OAuthError
from blastwall.api.requests import BadRequest
from blastwall.api.routes import ROUTES, Route
from blastwall.control.access import Forbidden
from blastwall.control.control import Control
from blastwall.control.failures import TooManyFailures
from blastwall.gate.ports import Refusal
from blastwall.identity import Unavailable

_log = structlog.get_logger("blastwall.api")
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def create_app(control: Control) -> FastAPI:
    """Return the control port's application.

    Raises:
        TypeError: a route's use-case is not classified.
    """
    app = FastAPI(title="Blastwall", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    for route in ROUTES:
        _add(app, control, route)
    return app


def _add(app: FastAPI, control: Control, route: Route) -> None:
    async def endpoint(request: Request) -> Response:
        response = await _answer(control, route, request)
        response.headers.update(_HEADERS)
        return response

    name = f"{route.access}: {route.path}"
    app.add_api_route(route.path, endpoint, methods=[route.method], name=name, response_model=None)


async def _answer(control: Control, route: Route, request: Request) -> Response:
    try:
        return await route.handler(control, request)
    except OAuthError as error:
        return error.response
    except Exception as error:  # noqa: BLE001 - whatever fails, the answer must not tell more than this
        return _refused(error, route)


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
